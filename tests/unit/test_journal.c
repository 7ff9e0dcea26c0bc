// SPDX-License-Identifier: GPL-2.0
/*
 * The end of the journal: a batch that a power cut has torn was never acknowledged,
 * and is left out; one that is damaged may have been, and is not.
 */
#include <criterion/criterion.h>

#include "../../kmod/core/engine.h"
#include "sim.h"

#define BLOCKS	4096
#define CHUNKS	2048
#define SIZE	(64ULL << CPB_CHUNK_SHIFT_MIN)
#define SECTORS	(CPB_BLOCK_SIZE / CPB_SECTOR_SIZE)

/* How the journal's batches lie in their blocks. */
enum form {
	BARE,	/* without stamps, as in the first stores: all of the block */
	WHOLE,	/* with stamps, as in those after: all of the block */
	FULL,	/* up to the sector that they end in, which is the block's last one */
	ONE,	/* they are of one sector */
};

static const u8 uuid[CPB_UUID_LEN] = "the volume's";
static char why[CPB_ERROR_LEN];

struct env {
	struct sim disk;
	enum form form;
	struct cpb_store *s;
	struct cpb_volume *a;
	u8 *last;		/* block of the last batch */
	u8 was[CPB_BLOCK_SIZE];	/* what it was */
};

static const u64 copies[] = { 0, CPB_SB_SECOND };	/* of the superblock */

/* The number of the block of batch @seq of the journal, or 0. */
static u64 block_of(struct env *e, u64 seq)
{
	const struct cpb_disk_super *sb = (const void *)e->disk.meta[0];
	u64 start = le64_to_cpu(sb->journal_start), i;
	struct cpb_disk_header *h;

	for (i = start; i < start + le64_to_cpu(sb->journal_blocks); i++) {
		h = (void *)e->disk.meta[i];
		if (h && le32_to_cpu(h->magic) == CPB_MAGIC_BATCH &&
		    le64_to_cpu(h->base) == seq)
			return i;
	}
	return 0;
}

static u8 *batch(struct env *e, u64 seq)
{
	u64 block = block_of(e, seq);

	return block ? e->disk.meta[block] : NULL;
}

static void seal(struct cpb_disk_header *h)
{
	h->crc = cpu_to_le32(port_crc(0, (u8 *)h + sizeof(__le32),
				      CPB_BLOCK_SIZE - sizeof(__le32)));
}

static int reopen(struct env *e)
{
	int err = cpb_open(&sim_ops, &e->disk, BLOCKS, sim_data_bytes(&e->disk), 1, 0,
			   &e->s, why);

	if (!err)
		e->a = cpb_volume_by_name(e->s, "a");
	return err;
}

/* The power fails: nothing is written any more. */
static void cut(struct env *e)
{
	e->disk.fail_write = 0;
	cr_assert_neq(cpb_close(e->s), 0);
	e->disk.fail_write = -1;
}

static void write_chunk(struct env *e, u64 at)
{
	struct cpb_run run;
	int err;

	while ((err = cpb_write_begin(e->s, 0, 1, &run)) == -EAGAIN)
		cr_assert_eq(cpb_write_wait(e->s), 0);
	cr_assert_eq(err, 0);
	while ((err = cpb_write_end(e->a, at, &run, NULL)) == -EAGAIN)
		cr_assert_eq(cpb_prepare(e->a, at, 1), 0);
	cr_assert_eq(err, 0);
}

/* A checkpoint in a batch of its own, with writes in front that fill its block. */
static void snap(struct env *e, const char *name)
{
	u64 full = SECTORS * CPB_STAMPED_ROOM - sizeof(struct cpb_disk_batch) -
		   sizeof(struct cpb_disk_record_op) - 64, i;

	for (i = 0; e->form == FULL && i < full / sizeof(struct cpb_disk_record_map); i++)
		write_chunk(e, i % (SIZE >> CPB_CHUNK_SHIFT_MIN));
	cr_assert_eq(cpb_snap(e->s, &e->a, 1, name, "", 0, NULL, why), 0, "%s", why);
}

static bool has(struct env *e, const char *name)
{
	return cpb_checkpoint(e->a, name);
}

/* The store becomes an older one. */
static void take_features(struct sim *d, u64 left)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		struct cpb_disk_super *sb = (void *)d->meta[copies[i]];

		cr_assert_eq(le64_to_cpu(sb->incompat), CPB_INCOMPAT_KNOWN);
		sb->incompat = cpu_to_le64(left);
		seal(&sb->h);
	}
}

/* Batches until so many blocks are left at the end of the area. */
static void go_on_until(struct env *e, u64 left)
{
	unsigned int n = 0;
	enum form was = e->form;
	char name[16];

	e->form = ONE;
	while (e->s->log.head.block != e->s->log.blocks - left) {
		snprintf(name, sizeof(name), "n%u", n++);
		snap(e, name);
		if (!(n % 32))
			cr_assert_eq(cpb_commit(e->s), 0);
	}
	e->form = was;
}

/* How many sectors of a block have the stamp that the first one has. */
static unsigned int sectors_of(const u8 *block)
{
	const struct cpb_disk_stamp *st, *first = (const void *)(block + CPB_STAMPED_ROOM);
	unsigned int i;

	for (i = 0; i < SECTORS; i++) {
		st = (const void *)(block + i * CPB_SECTOR_SIZE + CPB_STAMPED_ROOM);
		if (st->seq != first->seq || st->crc != first->crc)
			break;
	}
	return i;
}

/*
 * Five checkpoints, each in a batch of its own, and a power cut. With @left not 0 so
 * many of them lie at the end of the journal, and the rest at its beginning.
 * Return: the first one's number.
 */
static u64 five_batches_at(struct env *e, enum form how, u64 left)
{
	char name[] = "x0";
	u64 seq;

	memset(e, 0, sizeof(*e));
	sim_init(&e->disk, BLOCKS, CHUNKS);
	sim_format(&e->disk);
	e->form = how;
	if (how == BARE || how == WHOLE)
		take_features(&e->disk, how == BARE ? 0 : CPB_INCOMPAT_STAMPS);
	e->s = sim_open(&e->disk);
	cr_assert_eq(cpb_create(e->s, "a", SIZE, uuid, 0, &e->a, why), 0);
	if (left)
		go_on_until(e, left);
	cr_assert_eq(cpb_commit(e->s), 0);
	seq = le64_to_cpu(((struct cpb_disk_super *)e->disk.meta[0])->journal_seq);
	for (; name[1] < '5'; name[1]++)
		snap(e, name);
	cut(e);
	e->last = batch(e, seq + 4);
	cr_assert(e->last);
	cr_assert_eq(le32_to_cpu(((struct cpb_disk_batch *)e->last)->blocks), 1);
	if (how != BARE)
		cr_assert_eq(sectors_of(e->last), how == ONE ? 1 : SECTORS);
	cr_assert_null(batch(e, seq + 5));
	memcpy(e->was, e->last, CPB_BLOCK_SIZE);
	return seq;
}

static u64 five_batches(struct env *e, enum form how)
{
	return five_batches_at(e, how, 0);
}

static void end(struct env *e)
{
	sim_idle(e->s);
	sim_check(e->s);
	cr_assert_eq(cpb_close(e->s), 0);
	sim_free(&e->disk);
}

static void refused(struct env *e)
{
	cr_assert_eq(reopen(e), -EUCLEAN);
	cr_assert(strstr(why, "the journal is damaged"), "%s", why);
}

/* Sectors of the last batch that are in @keep are from @from. */
static void tear(struct env *e, unsigned int keep, const u8 *from)
{
	unsigned int i;

	for (i = 0; i < SECTORS; i++)
		if (keep >> i & 1)
			memcpy(e->last + i * CPB_SECTOR_SIZE, from + i * CPB_SECTOR_SIZE,
			       CPB_SECTOR_SIZE);
}

/* All of either half of each sector, which leaves it its head or its stamp. */
static void damage_halves(struct env *e, u8 *p, unsigned int bytes)
{
	u8 was[CPB_BLOCK_SIZE];
	unsigned int i, j;

	memcpy(was, p, sizeof(was));
	for (i = 0; i < bytes; i += CPB_SECTOR_SIZE / 2) {
		/* Among several, one without a stamp may be what a power cut left out. */
		if (e->form != ONE && i % CPB_SECTOR_SIZE)
			continue;
		for (j = 0; j < CPB_SECTOR_SIZE / 2; j++)
			p[i + j] ^= 0xff;
		refused(e);
		memcpy(p, was, sizeof(was));
	}
}

/* One bit anywhere, in the first one, one in the middle, and the last one. */
static void damage_any(enum form how, unsigned int bytes)
{
	unsigned int nr, i;
	struct env e;
	u64 seq;
	u8 *p;

	seq = five_batches(&e, how);
	for (nr = 0; nr < 5; nr += 2) {
		p = batch(&e, seq + nr);
		for (i = 0; i < bytes; i += 4) {
			p[i + i / 4 % 4] ^= 1 << i / 16 % 8;
			refused(&e);
			p[i + i / 4 % 4] ^= 1 << i / 16 % 8;
		}
		damage_halves(&e, p, bytes);
	}
	cr_assert_eq(reopen(&e), 0, "%s", why);
	cr_assert(has(&e, "x4"));
	end(&e);
}

Test(journal, damaged)
{
	damage_any(WHOLE, CPB_BLOCK_SIZE);
	damage_any(FULL, CPB_BLOCK_SIZE);
	damage_any(ONE, CPB_SECTOR_SIZE);
}

/*
 * What is behind a batch of one sector is not written, and means nothing: what was
 * there, anything at all, or what an older batch left.
 */
Test(journal, behind)
{
	unsigned int nr, kind, i;
	struct env e;
	u64 seq, next;
	u8 *p;

	for (kind = 0; kind < 3; kind++) {
		seq = five_batches(&e, ONE);
		for (nr = 0; nr < 5; nr++) {
			p = batch(&e, seq + nr);
			if (kind)
				memset(p + CPB_SECTOR_SIZE, 0xa5, CPB_BLOCK_SIZE - CPB_SECTOR_SIZE);
			if (kind == 2 && nr)
				memcpy(p + CPB_SECTOR_SIZE, batch(&e, seq + nr - 1),
				       CPB_BLOCK_SIZE - CPB_SECTOR_SIZE);
		}
		cr_assert_eq(reopen(&e), 0, "%s", why);
		cr_assert(has(&e, "x4"));
		/* All of it is still where the next one is made. */
		e.form = FULL;
		snap(&e, "long");
		e.form = ONE;
		next = e.s->log.start + e.s->log.head.block;
		if (!e.disk.meta[next])
			e.disk.meta[next] = malloc(CPB_BLOCK_SIZE);
		p = memset(e.disk.meta[next], 0x5a, CPB_BLOCK_SIZE);
		snap(&e, "new");
		cr_assert_eq(p, batch(&e, e.s->log.head.seq - 1));
		i = sizeof(struct cpb_disk_batch) +
		    le32_to_cpu(((struct cpb_disk_batch *)p)->bytes);
		for (; i < CPB_STAMPED_ROOM; i++)
			cr_assert_eq(p[i], 0);
		for (i = CPB_SECTOR_SIZE; i < CPB_BLOCK_SIZE; i++)
			cr_assert_eq(p[i], 0x5a);
		cut(&e);
		cr_assert_eq(reopen(&e), 0, "%s", why);
		cr_assert(has(&e, "new"));
		end(&e);
	}
}

/* They go on at the beginning of the journal. */
Test(journal, wrapped)
{
	static const u8 nothing[CPB_BLOCK_SIZE];
	u64 seq, left, nr;
	struct env e;
	u8 *p;

	for (left = 1; left < 5; left++) {
		for (nr = 0; nr < 5; nr++) {
			seq = five_batches_at(&e, FULL, left);
			p = batch(&e, seq + nr);
			p[CPB_BLOCK_SIZE / 2] ^= 1;
			refused(&e);
			/* It was never written: only the last one may be that. */
			memset(p, 0, CPB_BLOCK_SIZE);
			if (nr < 4) {
				refused(&e);
				tear(&e, 1, nothing);
				refused(&e);
				memset(e.last, 0, CPB_BLOCK_SIZE);
				if (nr == 3)
					cr_assert_eq(reopen(&e), 0, "%s", why);
				else
					refused(&e);
			} else {
				cr_assert_eq(reopen(&e), 0, "%s", why);
			}
			if (nr < 3) {
				sim_free(&e.disk);
				continue;
			}
			cr_assert(has(&e, "x2"));
			cr_assert_eq(has(&e, "x3"), nr == 4);
			end(&e);
		}
	}
}

/*
 * Two that are gone, whatever is left: the one behind them; a sector of it. And then
 * nothing behind.
 */
Test(journal, gone)
{
	static const u8 nothing[CPB_BLOCK_SIZE];
	struct env e;
	u64 seq;

	seq = five_batches(&e, FULL);
	memcpy(batch(&e, seq + 3), nothing, sizeof(nothing));
	refused(&e);
	tear(&e, 0x7f, nothing);
	refused(&e);
	tear(&e, 0x80, nothing);
	cr_assert_eq(reopen(&e), 0, "%s", why);
	cr_assert(has(&e, "x2") && !has(&e, "x3"));
	end(&e);

	seq = five_batches(&e, FULL);
	memcpy(batch(&e, seq + 1), nothing, sizeof(nothing));
	memcpy(batch(&e, seq + 2), nothing, sizeof(nothing));
	refused(&e);
	memcpy(batch(&e, seq + 3), nothing, sizeof(nothing));
	memcpy(e.last, nothing, sizeof(nothing));
	cr_assert_eq(reopen(&e), 0, "%s", why);
	cr_assert(has(&e, "x0") && !has(&e, "x1"));
	end(&e);
}

/* Without stamps the last one may have been torn, for all that is known. */
Test(journal, damaged_without_stamps)
{
	struct env e;
	u64 nr, seq;
	u8 *byte;

	for (nr = 0; nr < 5; nr++) {
		seq = five_batches(&e, BARE);
		byte = batch(&e, seq + nr) + CPB_BLOCK_SIZE - 1;
		*byte ^= 1;
		if (nr < 4) {
			refused(&e);
			*byte ^= 1;
		}
		cr_assert_eq(reopen(&e), 0, "%s", why);
		cr_assert(has(&e, "x3"));
		cr_assert_eq(!has(&e, "x4"), nr == 4);
		end(&e);
	}
}

/*
 * All ways to tear the last one. What is written next goes to the same place, and
 * another power cut tears that too: of what was left of the first one, and of the
 * second one, no batch is put together that was never there.
 */
Test(journal, torn)
{
	static const u8 nothing[CPB_BLOCK_SIZE];
	unsigned int lost;
	struct env e;
	u8 *place;

	for (lost = 1; lost < 1 << SECTORS; lost++) {
		five_batches(&e, FULL);
		place = e.last;
		tear(&e, lost, nothing);
		cr_assert_eq(reopen(&e), 0, "%s", why);
		cr_assert(has(&e, "x3") && !has(&e, "x4"));
		snap(&e, "y");
		cut(&e);
		cr_assert_eq(place, e.last);
		cr_assert(memcmp(place, e.was, CPB_BLOCK_SIZE), "it is not the same place");
		tear(&e, ~lost, e.was);
		cr_assert_eq(reopen(&e), 0, "%s", why);
		cr_assert(has(&e, "x3") && !has(&e, "x4"));
		cr_assert_eq(has(&e, "y"), lost == (1 << SECTORS) - 1);
		end(&e);
	}
}

static void count_lost(void *arg, enum cpb_finding kind, const char *text)
{
	*(unsigned int *)arg += kind == CPB_LOST && strstr(text, "the journal");
}

/* It says what it leaves out: in so many lines. */
static void repair(struct env *e, unsigned int lines)
{
	struct cpb_repair_report report;
	unsigned int lost = 0;

	cr_assert_eq(cpb_repair(&sim_ops, &e->disk, BLOCKS, sim_data_bytes(&e->disk), 0, 0,
				&report, count_lost, &lost, why), 0, "%s", why);
	cr_assert_eq(lost, lines);
	cr_assert_eq(reopen(e), 0, "%s", why);
}

/* What it left out is never found again. */
static void goes_on(struct env *e)
{
	snap(e, "new");
	cut(e);
	cr_assert_eq(reopen(e), 0, "%s", why);
	cr_assert(has(e, "new"));
	end(e);
}

static void repair_any(enum form how, unsigned int bytes)
{
	unsigned int nr;
	struct env e;
	u8 *byte;

	for (nr = 1; nr < 5; nr += 3) {
		byte = batch(&e, five_batches(&e, how) + nr) + bytes - 1;
		*byte ^= 1;
		repair(&e, 1);
		cr_assert(has(&e, "x0"));
		cr_assert_eq(has(&e, "x3"), nr == 4);
		cr_assert_not(has(&e, "x4"));
		goes_on(&e);
	}
}

Test(journal, repaired)
{
	repair_any(FULL, CPB_BLOCK_SIZE);
	repair_any(ONE, CPB_SECTOR_SIZE);
}

/* Any bit of the number of a batch that has others behind it. */
Test(journal, number_repaired)
{
	struct cpb_disk_header *h;
	unsigned int bit;
	struct env e;

	for (bit = 0; bit < 64; bit++) {
		h = (void *)batch(&e, five_batches(&e, bit % 2 ? ONE : FULL) + 1);
		h->base ^= cpu_to_le64(1ULL << bit);
		refused(&e);
		repair(&e, 1);
		cr_assert(has(&e, "x0") && !has(&e, "x1"));
		goes_on(&e);
	}
}

/* A place that can't be read: a batch's, and the one that the next batch will be in. */
Test(journal, unreadable)
{
	unsigned int nr;
	struct env e;
	u64 seq;

	for (nr = 1; nr <= 5; nr++) {
		seq = five_batches(&e, nr % 2 ? ONE : FULL);
		e.disk.unreadable = nr < 5 ? block_of(&e, seq + nr) : block_of(&e, seq + 4) + 1;
		cr_assert_eq(reopen(&e), -EIO);
		repair(&e, 1);
		cr_assert_eq(e.disk.unreadable, ~0ULL);
		cr_assert(has(&e, "x0"));
		cr_assert_eq(has(&e, "x3"), nr > 3);
		cr_assert_eq(has(&e, "x4"), nr > 4);
		goes_on(&e);
	}
}

/* Behind short batches something of a long one stays, until numbers have gone round. */
Test(journal, old_stamps)
{
	struct env e;
	u64 seq, start;
	unsigned int i;

	seq = five_batches(&e, FULL);
	start = block_of(&e, seq);
	cr_assert_eq(block_of(&e, seq + 3), start + 3);
	for (i = 0; i < 5; i++)
		memset(e.disk.meta[start + i], 0, i == 3 ? CPB_SECTOR_SIZE : CPB_BLOCK_SIZE);
	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		struct cpb_disk_super *sb = (void *)e.disk.meta[copies[i]];

		sb->journal_seq = cpu_to_le64(seq + 3 + (1ULL << 32) - 5);
		seal(&sb->h);
	}
	cr_assert_eq(reopen(&e), 0, "%s", why);
	cr_assert_not(has(&e, "x0"));
	goes_on(&e);
}

/* A record that says it is shorter than what it is, at the end of all there can be. */
Test(journal, short_record)
{
	unsigned int blocks = CPB_BATCH_BLOCKS, bytes = blocks * CPB_BLOCK_SIZE, i;
	struct cpb_disk_record_unmap unmap = { };
	struct cpb_disk_record_op op = { };
	u8 *flat = calloc(1, bytes), *p = flat + sizeof(struct cpb_disk_batch);
	struct cpb_disk_batch *b = (void *)flat;
	struct cpb_disk_record map = { };
	struct env e;
	u64 start;

	start = block_of(&e, five_batches(&e, BARE));
	memcpy(b, e.disk.meta[start], sizeof(*b));
	b->bytes = cpu_to_le32(bytes - sizeof(*b));
	b->blocks = cpu_to_le32(blocks);
	unmap.r.type = cpu_to_le16(CPB_RECORD_UNMAP);
	unmap.r.size = cpu_to_le16(sizeof(unmap));
	unmap.r.volume = cpu_to_le32(1);
	unmap.nr = cpu_to_le64(1);
	op.r.type = cpu_to_le16(CPB_RECORD_RESIZE);
	op.r.size = cpu_to_le16(sizeof(op));
	op.r.volume = unmap.r.volume;
	op.arg = cpu_to_le64(SIZE);
	map.type = cpu_to_le16(CPB_RECORD_MAP);
	map.size = cpu_to_le16(sizeof(map));
	map.volume = unmap.r.volume;
	for (; p + sizeof(unmap) + sizeof(op) + sizeof(map) <= flat + bytes; p += sizeof(unmap))
		memcpy(p, &unmap, sizeof(unmap));
	memcpy(p, &op, sizeof(op));
	p += sizeof(op);
	memcpy(p, &map, sizeof(map));
	cr_assert_eq(p + sizeof(map), flat + bytes);
	b->h.crc = cpu_to_le32(port_crc(0, flat + sizeof(__le32), bytes - sizeof(__le32)));
	for (i = 0; i < blocks; i++) {
		if (!e.disk.meta[start + i])
			e.disk.meta[start + i] = malloc(CPB_BLOCK_SIZE);
		memcpy(e.disk.meta[start + i], flat + i * CPB_BLOCK_SIZE, CPB_BLOCK_SIZE);
	}
	cr_assert_eq(reopen(&e), -EUCLEAN);
	cr_assert(strstr(why, "does not fit the trees"), "%s", why);
	free(flat);
	sim_free(&e.disk);
}
