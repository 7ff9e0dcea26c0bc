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

/*
 * Much is written, taken back or given up, and reclaimed, over and over in one
 * transaction, and the power cut. The journal has all but the last: its replay needs
 * blocks for all that was written. Of these some 500 change each time, and there are
 * 4096.
 */
static void before_a_power_cut(bool restore)
{
	unsigned int times, i, k;
	struct model m;
	int p, more;

	model_init(&m, 7, 4096, 200000, 100000);
	model_create(&m, 0);
	for (k = 0; k < 100000; k += 2)
		model_write(&m, 0, k, 1);
	p = model_snap(&m, 0);
	sim_idle(m.s);
	for (times = 2; times <= 14; times += 4) {
		for (i = 0; i < times; i++) {
			for (k = 0; k < 100000; k += 200)
				model_write(&m, 0, k, 1);
			if (restore)
				model_restore(&m, 0, p, false);
			else
				model_delete(&m, model_snap(&m, 0));
			while ((more = cpb_reap(m.s)) > 0)
				;
			cr_assert_eq(more, 0);
		}
		model_write(&m, 0, 1, 1);
		cr_assert_eq(sim_flush(&m.disk, m.s, false), 0);
		model_crash(&m);
		model_compare(&m);
	}
	sim_idle(m.s);
	sim_check(m.s);
	model_free(&m);
}

Test(reclaim, restored_before_a_power_cut)
{
	before_a_power_cut(true);
}

Test(reclaim, deleted_before_a_power_cut)
{
	before_a_power_cut(false);
}

/* So much is in use, for what is deleted too. */
static u64 used(const struct model *m)
{
	struct cpb_status st;

	cpb_status(m->s, &st);
	return st.data_used;
}

/* Reclaim all; what is left is what will be free, all the way. */
static void reclaim_watched(struct model *m, bool reopen)
{
	u64 before = used(m), left, done;
	struct cpb_pending p;
	struct cpb_status st;
	unsigned int steps = 0;
	int more;

	cpb_pending(m->s, &p);
	left = p.chunks;
	done = p.done;
	cr_assert(p.points);
	do {
		more = cpb_reap(m->s);
		cr_assert_geq(more, 0);
		cpb_pending(m->s, &p);
		cr_assert_eq(p.chunks + p.done - done, left,
			     "%llu left of %llu, %llu done",
			     (unsigned long long)p.chunks, (unsigned long long)left,
			     (unsigned long long)(p.done - done));
		if (reopen && ++steps == 2) {
			/* As far as it was. */
			cr_assert(p.points && p.chunks && p.done > done);
			left = p.chunks;
			before = used(m);
			model_reopen(m);
			done = 0;
		}
	} while (more);
	cr_assert_eq(p.points, 0);
	cr_assert_eq(p.chunks, 0);
	cr_assert_eq(before - used(m), left);
	cpb_status(m->s, &st);
	cr_assert_eq(st.nr_hidden, 0);
	cr_assert(!reopen || steps > 2, "it was over before that");
}

/* Twenty checkpoints, each with some of its own, and a volume after them. */
static void history_of_20(struct model *m, int *points)
{
	unsigned int i, k;

	model_init(m, 6, 65536, 65536, 4000);
	model_create(m, 0);
	model_write(m, 0, 0, 4000);
	for (i = 0; i < 20; i++) {
		for (k = 0; k < 200; k++)
			model_write(m, 0, model_random(m, 4000), 1);
		points[i] = model_snap(m, 0);
	}
	for (k = 0; k < 4000; k += 2)
		model_write(m, 0, k, 1);
	cr_assert_eq(cpb_commit(m->s), 0);
}

Test(reclaim, what_is_left)
{
	struct model m;
	int points[20], i;

	history_of_20(&m, points);
	/* The oldest ones. */
	for (i = 0; i < 10; i++)
		model_delete(&m, points[i]);
	reclaim_watched(&m, false);
	/* One in the middle. */
	model_delete(&m, points[15]);
	reclaim_watched(&m, false);
	/* A leaf: half of its map is its own, and the rest its parent's. */
	model_remove(&m, 0);
	reclaim_watched(&m, true);
	/* All that is left. */
	for (i = 10; i < 20; i++)
		if (i != 15)
			model_delete(&m, points[i]);
	reclaim_watched(&m, true);
	cr_assert_eq(used(&m), 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_free(&m);
}
