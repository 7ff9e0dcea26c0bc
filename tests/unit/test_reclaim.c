// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaiming: what it costs, and what comes in while it goes on.
 */
#include <criterion/criterion.h>

#include "model.h"

/*
 * A whole-list sweep takes several steps. What both children of a hidden
 * checkpoint drop behind the place where it has got to must be seen too.
 */
Test(reclaim, behind_the_sweep)
{
	struct model m;
	unsigned int i;
	int p;

	model_init(&m, 3, 4096, 65536, 4000);
	model_create(&m, 0);
	model_write(&m, 0, 0, 4000);
	p = model_snap(&m, 0);
	model_fork(&m, p, 1);
	/* Every other one, so that each is an entry of its own. */
	for (i = 1000; i < 4000; i += 2) {
		model_write(&m, 0, i, 1);
		model_write(&m, 1, i, 1);
	}
	cr_assert_eq(cpb_commit(m.s), 0);
	model_delete(&m, p);
	cr_assert_eq(cpb_reap(m.s), 1, "the sweep is over after one step");
	/* Behind it now, in both. */
	model_write(&m, 0, 0, 1);
	model_write(&m, 1, 0, 1);
	cr_assert_eq(cpb_commit(m.s), 0);
	model_compare(&m);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

/* Deleting one of many checkpoints that differ by one part in a hundred. */
Test(reclaim, work_is_what_it_frees)
{
	struct cpb_status before, after;
	struct model m;
	u64 ids[1000], freed, touched;
	unsigned int i, k;

	model_init(&m, 4, 65536, 65536, 4000);
	model_create(&m, 0);
	model_write(&m, 0, 0, 4000);
	for (i = 0; i < 1000; i++) {
		for (k = 0; k < 40; k++)
			model_write(&m, 0, model_random(&m, 4000), 1);
		cr_assert_eq(cpb_snap(m.s, &m.volume[0], 1, NULL, "", 0, &ids[i], NULL), 0);
	}
	sim_idle(m.s);
	cpb_status(m.s, &before);
	cr_assert_eq(cpb_delete(m.s, cpb_point_by_id(m.s, ids[500]), NULL), 0);
	sim_idle(m.s);
	cpb_status(m.s, &after);
	freed = before.data_used - after.data_used + before.meta_used - after.meta_used;
	touched = after.blocks_touched - before.blocks_touched;
	cr_log_info("freed %llu chunks and %llu blocks, looked at %llu blocks",
		    (unsigned long long)(before.data_used - after.data_used),
		    (unsigned long long)(before.meta_used - after.meta_used),
		    (unsigned long long)touched);
	printf("FIGURE delete_blocks_touched %llu\n", (unsigned long long)touched);
	printf("FIGURE delete_blocks_freed %llu\n", (unsigned long long)freed);
	fflush(stdout);
	cr_assert(freed && touched);
	cr_assert_leq(touched, 2 * freed);
	sim_check(m.s);
	model_free(&m);
}
