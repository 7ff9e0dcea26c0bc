// SPDX-License-Identifier: GPL-2.0
/*
 * Growing: a full store goes on, and a power cut leaves one size or the other.
 */
#include <criterion/criterion.h>

#include "model.h"

static int grow(struct model *m, u64 meta_blocks, u64 chunks, char *why)
{
	sim_grow(&m->disk, meta_blocks, chunks);
	return cpb_grow(m->s, m->disk.meta_blocks, sim_data_bytes(&m->disk), why);
}

/* All that there is to look at, and once more after opening. */
static void look(struct model *m)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		sim_idle(m->s);
		sim_check(m->s);
		model_compare(m);
		model_reopen(m);
	}
}

Test(grow, data)
{
	struct cpb_status st;
	struct model m;
	unsigned int i;
	u64 at;
	/* In a bitmap, to its end, beyond it. */
	const u64 chunks[] = { 700, CPB_SPACE_BITS, 3 * CPB_SPACE_BITS + 5 };

	model_init(&m, 8, 4096, 600, 70000);
	model_create(&m, 0);
	at = model_fill(&m, 0, 0, ~0ULL);
	cr_assert_eq(at, 600);
	model_snap(&m, 0);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		cr_assert_eq(grow(&m, 4096, chunks[i], NULL), 0);
		at += model_fill(&m, 0, at, m.size - at);
		cr_assert_eq(at, min(chunks[i], m.size));
		cpb_status(m.s, &st);
		cr_assert_eq(st.data_chunks, chunks[i]);
		cr_assert_eq(st.data_used, at);
	}
	look(&m);
	model_free(&m);
}

Test(grow, metadata)
{
	char why[CPB_ERROR_LEN] = "";
	struct cpb_status st;
	struct model m;

	model_init(&m, 9, 4096, 200000, 60000);
	model_create(&m, 0);
	do
		model_snap(&m, 0);
	while (model_fill(&m, 0, MODEL_ANYWHERE, 2000) == 2000);
	cpb_status(m.s, &st);
	cr_assert_lt(st.data_used, 190000);
	cr_assert_eq(grow(&m, 6000, 200000, why), 0, "%s", why);
	cr_assert_eq(model_fill(&m, 0, MODEL_ANYWHERE, 2000), 2000);
	look(&m);
	/* Beyond the bitmaps that there is room for. */
	cr_assert_eq(grow(&m, 200000, 200000, why), 0, "%s", why);
	cpb_status(m.s, &st);
	cr_assert_eq(st.meta_blocks, DIV_ROUND_UP(16 * 4096, CPB_SPACE_BITS) *
				     CPB_SPACE_BITS);
	cr_assert_eq(model_fill(&m, 0, MODEL_ANYWHERE, 20000), 20000);
	look(&m);
	model_free(&m);
}

Test(grow, refused)
{
	char why[CPB_ERROR_LEN] = "";
	struct model m;
	u64 bytes;

	model_init(&m, 10, 5000, 600, 100);
	model_create(&m, 0);
	bytes = sim_data_bytes(&m.disk);
	cr_assert_eq(cpb_grow(m.s, 5000, bytes, why), 0);
	cr_assert_eq(cpb_grow(m.s, 4999, 2 * bytes, why), -ENODEV);
	cr_assert_str_eq(why, "the metadata device has become smaller: it has 4999 blocks of 4 KiB, the store needs 5000");
	cr_assert_eq(cpb_grow(m.s, 6000, bytes - 4096, why), -ENODEV);
	cr_assert_eq(cpb_grow(m.s, 6000, 0, why), -ENODEV);
	look(&m);
	model_free(&m);
}

/* The power fails before each write, and what was full is full or larger. */
Test(grow, power_cut)
{
	struct cpb_status st;
	unsigned int sizes[2] = { 0, 0 };
	long cut;
	int err;

	for (cut = 0;; cut++) {
		struct model m;

		model_init(&m, 11, 4096, 600, 1000);
		model_create(&m, 0);
		model_fill(&m, 0, 0, ~0ULL);
		model_snap(&m, 0);
		cr_assert_eq(cpb_commit(m.s), 0);
		sim_grow(&m.disk, 40000, 40000);
		m.disk.fail_write = cut;
		err = cpb_grow(m.s, 40000, sim_data_bytes(&m.disk), NULL);
		m.disk.fail_write = 0;
		cpb_close(m.s);
		m.disk.fail_write = -1;
		m.s = sim_open(&m.disk);
		m.volume[0] = cpb_volume_next(m.s, 0);
		cpb_status(m.s, &st);
		cr_assert(st.data_chunks == (st.meta_blocks == 40000 ? 40000 : 600));
		sizes[st.data_chunks == 40000]++;
		cr_assert(err || st.data_chunks == 40000, "it was answered");
		look(&m);
		model_free(&m);
		if (!err)
			break;
	}
	cr_assert(sizes[0] && sizes[1] > 1, "%u, %u", sizes[0], sizes[1]);
}
