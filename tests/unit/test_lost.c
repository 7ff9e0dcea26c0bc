// SPDX-License-Identifier: GPL-2.0
/*
 * A device that said it had written a block, and had not.
 */
#include <criterion/criterion.h>

#include "model.h"

#define BLOCKS	4096
#define CHUNKS	60

/* What was at each address before the last write to it, and what is there. */
static u8 *older[BLOCKS], *newest[BLOCKS];

static const struct cpb_disk_header *header(const u8 *block)
{
	return (const void *)block;
}

/* Note what a commit wrote. */
static void follow(const struct sim *d)
{
	u64 i;

	for (i = CPB_AREA_START; i < BLOCKS; i++) {
		if (!d->meta[i] || (newest[i] && header(newest[i])->txn ==
						 header(d->meta[i])->txn))
			continue;
		free(older[i]);
		older[i] = newest[i];
		newest[i] = malloc(CPB_BLOCK_SIZE);
		cr_assert(newest[i]);
		memcpy(newest[i], d->meta[i], CPB_BLOCK_SIZE);
	}
}

/* Could the one pass for the other, but for the transaction? */
static bool alike(const u8 *a, const u8 *b)
{
	return header(a)->magic == header(b)->magic &&
	       header(a)->level == header(b)->level &&
	       header(a)->birth == header(b)->birth &&
	       header(a)->base == header(b)->base;
}

/* Read everything: it is right, or an error says so; how often the latter. */
static unsigned int read_all(struct model *m, struct cpb_volume *v)
{
	unsigned int errors = 0;
	struct cpb_extent x;
	u64 i, found;
	int n;

	for (i = 0; i < CHUNKS; i++) {
		while ((n = cpb_lookup(m->s, cpb_head(v), i, 1, &x, 1)) == -EAGAIN) {
			n = cpb_load(m->s, cpb_head(v), i);
			if (n)
				break;
		}
		if (n != 1) {
			errors++;
			continue;
		}
		found = x.chunk == CPB_HOLE ? 0 : m->disk.data[x.chunk];
		cr_assert_eq(found, m->head[0].content[i],
			     "chunk %llu is served as it was before",
			     (unsigned long long)i);
	}
	return errors;
}

/*
 * Without checkpoints all blocks of a map have the same birth, so an older leaf
 * differs from the one that was to be written over it in its transaction only.
 */
Test(lost, write)
{
	unsigned int maps = 0, found = 0;
	char why[CPB_ERROR_LEN];
	struct cpb_volume *v;
	struct model m;
	u64 i;
	int err;

	model_init(&m, 3, BLOCKS, 4096, CHUNKS);
	model_create(&m, 0);
	for (i = 0; i < 8000; i++) {
		model_write(&m, 0, model_random(&m, CHUNKS), 1);
		cr_assert_eq(cpb_commit(m.s), 0);
		cpb_release(m.s);
		follow(&m.disk);
	}
	cr_assert_eq(cpb_close(m.s), 0);
	follow(&m.disk);

	for (i = CPB_AREA_START; i < BLOCKS; i++) {
		if (!older[i] || !alike(older[i], newest[i]) ||
		    header(newest[i])->magic != cpu_to_le32(CPB_MAGIC_MAP))
			continue;
		maps++;
		memcpy(m.disk.meta[i], older[i], CPB_BLOCK_SIZE);
		err = cpb_open(&sim_ops, &m.disk, BLOCKS, sim_data_bytes(&m.disk),
			       1, CPB_OPEN_READONLY, &m.s, why);
		if (!err) {
			cpb_hold_lists(m.s);
			v = cpb_volume_next(m.s, 0);
			cpb_drop_lists(m.s);
			cr_assert(v);
			found += read_all(&m, v) > 0;
			cpb_close(m.s);
		}
		memcpy(m.disk.meta[i], newest[i], CPB_BLOCK_SIZE);
	}
	cr_assert_gt(maps, 0, "no leaf was written where one had been");
	cr_assert_gt(found, 0, "the leaf in use was not among them");
	for (i = 0; i < BLOCKS; i++) {
		free(older[i]);
		free(newest[i]);
	}
	m.s = sim_open(&m.disk);
	model_free(&m);
}
