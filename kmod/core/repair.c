// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store: the order of it.
 *
 * What is believed are superblocks, object records and maps, as far as they
 * can be read and fit each other; all the rest follows from them, and is made
 * anew: who follows whom (where records say nothing of it), deadlists, what is
 * free, counters. Blocks that a bitmap says are in use, or that were read on
 * the way, are written to by nobody, so that the store stays what it was until
 * the one transaction that all of it ends in is durable. That also holds what
 * the journal has on top.
 *
 * The engine stops at the first damaged block; here that is noted, and goes on.
 */
#include "repair.h"

void cpb_say(struct cpb_repair *r, enum cpb_finding kind, const char *fmt, ...)
{
	char text[2 * CPB_ERROR_LEN];
	va_list args;

	if (kind == CPB_LOST)
		r->report->lost++;
	else if (kind == CPB_FOUND)
		r->report->found++;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->line(r->arg, kind, text);
}

/**
 * cpb_forgive() - something could not be read: remember why, and go on
 *
 * Return: 0, or @err if it is not the store's fault.
 */
int cpb_forgive(struct cpb_repair *r, int err)
{
	struct cpb_store *s = r->s;

	if (err == -ENOMEM || err == -ENOSPC)
		return err;
	if (s->broken)
		snprintf(r->why, sizeof(r->why), "%s", s->error);
	s->broken = 0;
	s->error[0] = 0;
	return 0;
}

/** cpb_point_label() - how a point is called in a sentence */
const char *cpb_point_label(struct cpb_store *s, const struct cpb_point *p,
			    char label[CPB_LABEL_MAX])
{
	const struct cpb_volume *v = cpb_ids_find(&s->volumes, p->volume);

	if (v && v->head == p)
		snprintf(label, CPB_LABEL_MAX, "volume %s", v->name);
	else if (p->flags & (CPB_POINT_HIDDEN | CPB_POINT_HEAD))
		snprintf(label, CPB_LABEL_MAX, "deleted point :%llu",
			 (unsigned long long)p->id);
	else if (v)
		snprintf(label, CPB_LABEL_MAX, "checkpoint %s@%s", v->name, p->text);
	else
		snprintf(label, CPB_LABEL_MAX, "checkpoint :%llu '%s'",
			 (unsigned long long)p->id, p->text);
	return label;
}

/* ---- Superblock and bitmaps ---- */

/* What a repair finds out by itself must not keep the rest from being used. */
static void set_derived(struct cpb_disk_super *sb)
{
	u64 slots = le64_to_cpu(sb->object_slots);
	u64 most = le64_to_cpu(sb->meta_blocks) * CPB_OBJECTS_PER_BLOCK;

	sb->meta_used = 0;
	sb->data_used = 0;
	sb->dead_nodes = 0;
	memset(&sb->space, 0, sizeof(sb->space));
	memset(&sb->dead, 0, sizeof(sb->dead));
	if (le32_to_cpu(sb->objects.level) >= CPB_TABLE_LEVELS)
		memset(&sb->objects, 0, sizeof(sb->objects));
	if (slots > most || slots % (CPB_OBJECTS_PER_BLOCK * BITS_PER_LONG))
		sb->object_slots = 0;
	if (!sb->epoch || le64_to_cpu(sb->epoch) >= CPB_COUNTER_MAX)
		sb->epoch = cpu_to_le64(1);
	if (!sb->next_id || le64_to_cpu(sb->next_id) >= CPB_COUNTER_MAX)
		sb->next_id = cpu_to_le64(1);
	if (!sb->next_volume || le64_to_cpu(sb->next_volume) > ~0U)
		sb->next_volume = cpu_to_le64(1);
}

/* Two copies of one transaction differ in nothing but their place. */
static bool alike(const struct cpb_disk_super *a, const struct cpb_disk_super *b)
{
	size_t at = offsetof(struct cpb_disk_super, h.txn);

	return !memcmp((const u8 *)a + at, (const u8 *)b + at, CPB_BLOCK_SIZE - at);
}

static int choose_super(struct cpb_repair *r, struct cpb_disk_super *sb, u64 *newest,
			char *why)
{
	struct cpb_disk_super *other = port_alloc_block();
	u64 at[2] = { 0, CPB_SB_SECOND };
	int err = cpb_super_read(r->s, at[r->copy], sb);
	int second = cpb_super_read(r->s, at[!r->copy], other);

	r->report->alike = second || (!err && alike(sb, other));
	if (err) {
		err = cpb_refuse(-EINVAL, why, second ?
				 "the metadata device holds no cpblk store: neither superblock is valid" :
				 "the superblock in block %llu is not valid",
				 (unsigned long long)at[r->copy]);
	} else if (!second && memcmp(sb->h.uuid, other->h.uuid, CPB_UUID_LEN)) {
		err = cpb_refuse(-EINVAL, why, "the two superblocks are of different stores");
	} else {
		*newest = le64_to_cpu(sb->h.txn);
		r->report->base_txn = *newest;
		if (second)
			cpb_say(r, CPB_FOUND, "the superblock in block %llu is damaged; the other one is whole",
				(unsigned long long)at[!r->copy]);
		else if (!r->report->alike)
			cpb_say(r, CPB_FOUND, "the superblocks are of transactions %llu and %llu: the one in block %llu is used",
				(unsigned long long)le64_to_cpu(sb->h.txn),
				(unsigned long long)le64_to_cpu(other->h.txn),
				(unsigned long long)at[r->copy]);
		if (!second)
			*newest = max(*newest, le64_to_cpu(other->h.txn));
		if (*newest >= CPB_COUNTER_MAX)
			err = cpb_refuse(-EUCLEAN, why, "a superblock has an impossible transaction number");
	}
	port_free_block(other);
	return err;
}

/* One block of the bitmap of metadata blocks, or nothing where it is damaged. */
static void read_bitmap(struct cpb_repair *r, u64 i, struct cpb_disk_header *h)
{
	struct cpb_store *s = r->s;
	u64 addr = s->bitmap_start + 2 * i + (s->bitmap_place[i / 64] >> i % 64 & 1);
	int err = s->ops->read(s->ctx, addr, h);

	if (!err)
		err = cpb_verify(h, CPB_MAGIC_BITMAP, addr, s->uuid);
	if (!err && le64_to_cpu(h->base) == i) {
		memcpy((u8 *)s->bitmap + i * CPB_PAYLOAD, h + 1, CPB_PAYLOAD);
		return;
	}
	cpb_say(r, CPB_FOUND, "metadata block %llu, a bitmap of metadata blocks, is damaged",
		(unsigned long long)addr);
}

static int read_bitmaps(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	u64 nr = DIV_ROUND_UP(s->meta_blocks, CPB_SPACE_BITS), i;
	size_t changed = DIV_ROUND_UP(s->bitmap_slots, BITS_PER_LONG) * sizeof(long);
	struct cpb_disk_header *h;

	s->bitmap = port_alloc(s->bitmap_slots * CPB_PAYLOAD);
	s->bitmap_changed = port_alloc(changed);
	if (!s->bitmap || !s->bitmap_changed)
		return -ENOMEM;
	h = port_alloc_block();
	for (i = 0; i < nr; i++)
		read_bitmap(r, i, h);
	port_free_block(h);
	/* All are written anew, whatever of them changes. */
	memset(s->bitmap_changed, 0xff, changed);
	/* Until it is known what is in use everything is. */
	memset(s->blocks.busy, 0xff, s->bitmap_slots * CPB_PAYLOAD);
	return 0;
}

/* What is not to be written to: all that a bitmap has, and all that was read. */
static void settle_bitmap(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	u64 i, used = 0;

	for (i = 0; i < s->meta_blocks; i++) {
		if (i < cpb_fixed_end(s) || cpb_node_find(s, i))
			cpb_bit_set(s->bitmap, i);
		used += cpb_bit(s->bitmap, i);
	}
	for (; i < s->bitmap_slots * CPB_SPACE_BITS; i++)
		s->bitmap[i / BITS_PER_LONG] &= ~BIT(i % BITS_PER_LONG);
	memcpy(s->blocks.busy, s->bitmap, s->bitmap_slots * CPB_PAYLOAD);
	s->meta_used = used;
	s->blocks.free = s->meta_blocks - used;
}

/* ---- Journal ---- */

/*
 * What is in the journal and is not replayed must never be found any more, whatever
 * its number: the next batch gets one above all that are there. The last one may
 * have no head. A number that is damaged is none if stamps, which have half of it,
 * would seem to be later ones. And a place that can't be read would keep the store
 * from being opened when it is the next one: there is nothing to lose in it.
 */
static int clear_journal(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_disk_batch *b = port_alloc_block();
	struct cpb_vec vec = { .data = b };
	u64 end = s->log.head.seq, i;
	int err = 0;

	for (i = 0; i < s->log.blocks && !err; i++) {
		vec.block = s->log.start + i;
		if (s->ops->read(s->ctx, vec.block, b)) {
			cpb_say(r, CPB_DONE, "metadata block %llu, of the journal, can't be read: it is written anew",
				(unsigned long long)vec.block);
			memset(b, 0, CPB_BLOCK_SIZE);
			err = s->ops->write(s->ctx, &vec, 1, 0);
		} else if (cpb_batch_is_head(b, s->uuid) &&
			   le64_to_cpu(b->h.base) - end < 1ULL << 31) {
			s->log.head.seq = max(s->log.head.seq, le64_to_cpu(b->h.base) + 2);
		}
	}
	port_free_block(b);
	return err;
}

static int replay(struct cpb_repair *r, u64 base)
{
	struct cpb_store *s = r->s;
	u64 newest = s->durable_txn, records = 0;
	int err;

	/* Records of all transactions that the trees don't have. */
	s->durable_txn = base;
	err = cpb_log_replay(s, &records);
	s->durable_txn = newest;
	if (err == -ENOMEM || err == -ENOSPC)
		return err;
	if (records)
		cpb_say(r, CPB_DONE, "%llu records of the journal are replayed",
			(unsigned long long)records);
	if (err && !s->broken)
		snprintf(s->error, sizeof(s->error), "error %d", err);
	if (err) {
		cpb_say(r, CPB_LOST, "the journal, from record %llu on (%s): writes and operations of the last moments, perhaps acknowledged ones",
			(unsigned long long)records + 1, s->error);
		cpb_forgive(r, err);
	}
	err = clear_journal(r);
	return err ? cpb_break(s, err, "the journal can't be written", s->log.start) : 0;
}

/* ---- The whole ---- */

static int alloc_all(struct cpb_repair *r)
{
	size_t chunks = DIV_ROUND_UP(r->s->space.chunks, BITS_PER_LONG) * sizeof(long);
	size_t blocks = DIV_ROUND_UP(r->s->meta_blocks, BITS_PER_LONG) * sizeof(long);

	r->good = port_alloc(blocks);
	r->chunks = port_alloc(chunks);
	r->blocks = port_alloc(blocks);
	r->mark_chunks = port_alloc(chunks);
	r->mark_blocks = port_alloc(blocks);
	return r->good && r->chunks && r->blocks && r->mark_chunks &&
	       r->mark_blocks ? 0 : -ENOMEM;
}

static int put_together(struct cpb_repair *r, u64 newest)
{
	struct cpb_store *s = r->s;
	u64 base = r->report->base_txn;
	int err;

	cpb_txn_start(s, newest);
	err = cpb_blocks_init(s);
	if (!err)
		err = alloc_all(r);
	if (!err)
		err = read_bitmaps(r);
	if (!err)
		err = cpb_records_load(r);
	if (!err) {
		cpb_lineage_find(r);
		err = cpb_salvage_scan(r);
	}
	if (!err)
		err = cpb_lineage_place(r);
	if (!err) {
		settle_bitmap(r);
		err = cpb_salvage_prune(r);
	}
	if (!err)
		err = cpb_agree(r);
	if (!err) {
		cpb_lineage_settle(r);
		err = cpb_derive(r);
	}
	if (!err)
		err = cpb_space_init(s, 1);
	cpb_set_reserves(s);
	if (!err)
		err = replay(r, base);
	if (err)
		return err;
	s->writable = true;
	return cpb_commit(s);
}

int cpb_repair(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
	       u64 data_bytes, unsigned int copy, unsigned int flags,
	       struct cpb_repair_report *report,
	       void (*line)(void *arg, enum cpb_finding kind, const char *text),
	       void *arg, char why[CPB_ERROR_LEN])
{
	struct cpb_repair r = { .flags = flags, .copy = copy, .report = report,
				.line = line, .arg = arg };
	struct cpb_disk_super *sb = port_alloc_block();
	u64 newest = 0;
	int err;

	memset(report, 0, sizeof(*report));
	why[0] = 0;
	r.s = cpb_store_new(ops, ctx);
	err = r.s && r.s->scratch ? choose_super(&r, sb, &newest, why) : -ENOMEM;
	if (!err) {
		set_derived(sb);
		err = cpb_super_use(r.s, sb, meta_blocks, data_bytes, 0, why);
	}
	if (!err)
		err = cpb_label_check(r.s, why);
	if (!err)
		err = put_together(&r, newest);
	if (err && !why[0])
		cpb_refuse(err, why, "the store can't be repaired: %s",
			   r.s && r.s->broken ? r.s->error :
			   err == -ENOMEM ? "there is not enough memory" :
			   err == -ENOSPC ? "the metadata device has too few free blocks" :
			   "its parts contradict each other");
	if (r.s)
		cpb_store_free(r.s);
	port_free_block(sb);
	cpb_salvage_free(&r);
	port_free(r.parent);
	port_free(r.good);
	port_free(r.chunks);
	port_free(r.blocks);
	port_free(r.mark_chunks);
	port_free(r.mark_blocks);
	return err;
}
