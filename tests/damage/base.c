// SPDX-License-Identifier: GPL-2.0
/*
 * The store that is damaged: see base.h.
 */
#include "base.h"

#define META_BLOCKS	4096
#define CHUNKS		33000	/* more than one bitmap has bits */
#define JOURNAL		64
#define BATCH_MAX	32

static struct view view;	/* what the store holds */

static void must(int err, const char *what, const char *why)
{
	if (!err)
		return;
	fprintf(stderr, "damage: building the store: %s: %d %s\n", what, err, why);
	exit(2);
}

static u64 seed = 88172645463325252ULL;

static u64 rnd(u64 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

struct world {
	struct base *b;
	struct image *d;
	struct cpb_store *s;
	struct cpb_volume *a, *fork, *gone;
	u64 first, third;
	char why[CPB_ERROR_LEN];
};

static void scatter(struct world *w, struct cpb_volume *v, unsigned int nr)
{
	while (nr--)
		must(use_write(w->s, w->d, v, &view, 2 * rnd(VIEW_CHUNKS / 2), 1),
		     "write", "");
}

/*
 * Chunks of both bitmaps are in use, and no block has its first owner: so that
 * there is something stale everywhere.
 */
static void wear_out(struct world *w)
{
	struct cpb_volume *filler;
	struct cpb_status st;
	u64 at;

	must(use_create(w->s, "filler", 0, &view, &filler, w->why), "create", w->why);
	must(cpb_resize(filler, 1ULL << 30, w->why), "resize", w->why);
	for (at = 0; at < CHUNKS - 600; at += 256)
		must(use_write(w->s, w->d, filler, &view, VIEW_CHUNKS + at,
			       min(256ULL, CHUNKS - 600 - at)), "fill", "");
	scatter(w, w->a, 100);
	must(cpb_rest(w->s), "background", "");
	must(use_remove(filler, &view, w->why), "remove", w->why);
	must(cpb_rest(w->s), "background", "");
	do {
		scatter(w, w->a, 40);
		must(cpb_commit(w->s), "commit", "");
		cpb_release(w->s);
		cpb_status(w->s, &st);
	} while (st.blocks_written < 2 * META_BLOCKS);
}

/* Checkpoints, branches, what was deleted and is shared, what is being reclaimed. */
static void make_history(struct world *w)
{
	u64 second, id;
	unsigned int i;

	for (i = 0; i < VIEW_CHUNKS; i += 2)
		must(use_write(w->s, w->d, w->a, &view, i, 1), "write", "");
	must(use_snap(w->s, w->a, "first", &view, &w->first, w->why), "snap", w->why);
	scatter(w, w->a, 500);
	must(cpb_commit(w->s), "commit", "");
	must(use_snap(w->s, w->a, NULL, &view, &second, w->why), "snap", w->why);
	scatter(w, w->a, 60);
	must(use_snap(w->s, w->a, NULL, &view, &w->third, w->why), "snap", w->why);
	must(use_create(w->s, "fork", second, &view, &w->fork, w->why), "fork", w->why);
	scatter(w, w->fork, 60);
	scatter(w, w->a, 60);
	must(use_create(w->s, "gone", 0, &view, &w->gone, w->why), "create", w->why);
	scatter(w, w->gone, 5);
	must(cpb_commit(w->s), "commit", "");
	/* Two follow it: it stays, hidden. */
	must(use_delete(w->s, second, &view, w->why), "delete", w->why);
	must(cpb_rest(w->s), "background", "");
	/* What the head had for itself is being reclaimed from here on. */
	scatter(w, w->a, 200);
	must(use_snap(w->s, w->a, NULL, &view, &id, w->why), "snap", w->why);
	scatter(w, w->a, 100);
	must(use_restore(w->s, w->a, w->first, false, &view, w->why), "restore", w->why);
	scatter(w, w->a, 10);
	must(cpb_commit(w->s), "commit", "");
	must(cpb_reap(w->s) < 0, "reap", "");
	must(cpb_commit(w->s), "commit", "");
}

static void known(struct world *w)
{
	if (w->b->nr_known == BASE_STATES)
		abort();
	w->b->state[w->b->nr_known] = view;
	w->b->known[w->b->nr_known++] = view_hash(&view);
}

/* One of each record, and what is done with it durable in the journal only. */
static void make_journal(struct world *w)
{
	struct cpb_volume *v;
	u64 id;

	known(w);
	must(use_write(w->s, w->d, w->a, &view, 11, 7), "write", "");
	known(w);
	must(use_write(w->s, w->d, w->fork, &view, 300, 1), "write", "");
	known(w);
	must(cpb_flush(w->s), "flush", "");
	must(use_discard(w->a, &view, 14, 2), "discard", "");
	known(w);
	must(use_create(w->s, "later", 0, &view, &v, w->why), "create", w->why);
	known(w);
	must(cpb_resize(v, 2 * VIEW_CHUNKS << CPB_CHUNK_SHIFT_MIN, w->why), "resize",
	     w->why);
	must(use_write(w->s, w->d, v, &view, 40, 3), "write", "");
	known(w);
	must(use_snap(w->s, w->a, "named", &view, &id, w->why), "snap", w->why);
	known(w);
	must(use_restore(w->s, w->fork, w->first, true, &view, w->why), "restore",
	     w->why);
	known(w);
	must(use_create(w->s, "late-fork", id, &view, &v, w->why), "fork", w->why);
	known(w);
	must(use_delete(w->s, w->third, &view, w->why), "delete", w->why);
	known(w);
	must(use_remove(w->gone, &view, w->why), "remove", w->why);
	known(w);
	must(use_write(w->s, w->d, v, &view, 100, 20), "write", "");
	known(w);
	must(cpb_flush(w->s), "flush", "");
}

static void find_batches(struct base *b)
{
	u64 start = le64_to_cpu(b->super.journal_start), i;
	u64 nr = le64_to_cpu(b->super.journal_blocks);

	for (i = 0; i < nr; i++) {
		const struct cpb_disk_batch *h =
			(const void *)b->disk.block[start + i];

		if (h && le32_to_cpu(h->h.magic) == CPB_MAGIC_BATCH &&
		    le64_to_cpu(h->h.txn) > le64_to_cpu(b->super.h.txn))
			b->batch[b->nr_batches++] = start + i;
	}
}

void base_build(struct base *b)
{
	struct cpb_params p = { .meta_blocks = META_BLOCKS, .name = "damaged",
				.journal_blocks = JOURNAL,
				.uuid = "0123456789abcde", .cookie = "a cookie" };
	struct world w = { .b = b, .d = &b->disk };

	memset(b, 0, sizeof(*b));
	image_init(&b->disk, META_BLOCKS, CHUNKS);
	p.data_bytes = image_data_bytes(&b->disk);
	must(cpb_format(&image_ops, &b->disk, &p, w.why), "format", w.why);
	must(use_open(&b->disk, 0, &w.s, w.why), "open", w.why);
	must(use_create(w.s, "a", 0, &view, &w.a, w.why), "create", w.why);
	wear_out(&w);
	make_history(&w);
	memcpy(&b->super, b->disk.block[0], sizeof(b->super));
	make_journal(&w);
	find_batches(b);
	b->disk.off = true;
	use_close(w.s);
}

bool base_knows(const struct base *b, u64 hash)
{
	unsigned int i;

	for (i = 0; i < b->nr_known; i++)
		if (b->known[i] == hash)
			return true;
	return false;
}

static u64 number_of(const struct base *b, u64 addr)
{
	const struct cpb_disk_batch *h = (const void *)b->disk.block[addr];

	return le64_to_cpu(h->h.base);
}

static bool is_batch(const struct base *b, u64 addr)
{
	unsigned int i;

	for (i = 0; i < b->nr_batches; i++)
		if (b->batch[i] == addr)
			return true;
	return false;
}

bool base_needs_batch(const struct base *b, u64 addr, bool whole)
{
	bool later = false;
	unsigned int i;

	if (!is_batch(b, addr))
		return false;
	for (i = 0; i < b->nr_batches; i++)
		later |= number_of(b, b->batch[i]) > number_of(b, addr);
	return later || !whole;
}

/* ---- Checksums ---- */

/* A batch's covers all of its blocks, up to the next one, which names it. */
static u32 reseal_batch(const struct base *b, struct image *d, u64 addr)
{
	struct cpb_disk_batch *h = (void *)image_block(d, addr);
	u64 end = le64_to_cpu(b->super.journal_start) +
		  le64_to_cpu(b->super.journal_blocks);
	u32 blocks = le32_to_cpu(h->blocks), i;
	struct cpb_batch_form form = cpb_batch_form(&b->super);
	struct cpb_vec vec[BATCH_MAX];

	for (i = 0; !i || (i < blocks && i < BATCH_MAX && addr + i < end &&
			   !is_batch(b, addr + i)); i++)
		vec[i].data = image_block(d, addr + i);
	cpb_batch_seal(vec, i, &form);
	return le32_to_cpu(h->h.crc);
}

void base_reseal(const struct base *b, struct image *d, u64 addr)
{
	struct cpb_disk_header *h = (void *)image_block(d, addr);
	bool found = false;
	unsigned int i;
	u32 link = 0;

	for (i = 0; i < b->nr_batches; i++) {
		struct cpb_disk_batch *next = (void *)image_block(d, b->batch[i]);

		if (found)
			next->link = cpu_to_le32(link);
		found |= b->batch[i] == addr;
		if (found)
			link = reseal_batch(b, d, b->batch[i]);
	}
	if (!found)
		h->crc = cpu_to_le32(port_crc(0, (u8 *)h + sizeof(h->crc),
					      CPB_BLOCK_SIZE - sizeof(h->crc)));
}
