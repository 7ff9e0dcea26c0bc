// SPDX-License-Identifier: GPL-2.0
/*
 * Space: nothing reused too early, a full device, running out of metadata.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "../../kmod/core/engine.h"
#include "model.h"

/*
 * A read that began before a chunk was let go of: the chunk is not handed out
 * again before the read has ended, whatever is committed in between.
 */
Test(space, read_in_flight)
{
	struct cpb_extent x;
	struct cpb_gen *g;
	struct model m;
	u64 content, i;

	model_init(&m, 5, 4096, 512, 100);
	model_create(&m, 0);
	model_write(&m, 0, 7, 1);
	g = cpb_read_begin(m.s);
	cr_assert_eq(cpb_lookup(m.s, cpb_head(m.volume[0]), 7, 1, &x, 1), 1);
	content = m.disk.data[x.chunk];
	for (i = 0; i < 400; i++) {
		model_write(&m, 0, 7, 1);
		cr_assert_eq(cpb_commit(m.s), 0);
		cpb_release(m.s);
		cr_assert_eq(m.disk.data[x.chunk], content, "overwritten while read");
	}
	cpb_read_end(g);
	for (i = 0; i < 2000 && m.disk.data[x.chunk] == content; i++)
		model_write(&m, 0, 7, 1);
	cr_assert_neq(m.disk.data[x.chunk], content, "never used again");
	model_compare(&m);
	model_free(&m);
}

/* Full data: writes fail and change nothing, all else goes on. */
Test(space, full_data)
{
	struct model m;
	struct cpb_status st;
	int p, q;

	model_init(&m, 6, 4096, 600, 1000);
	model_create(&m, 0);
	model_write(&m, 0, 0, 300);
	p = model_snap(&m, 0);
	model_fill(&m, 0, 0, ~0ULL);
	model_compare(&m);
	cpb_status(m.s, &st);
	cr_assert_eq(st.data_used, 600);
	q = model_snap(&m, 0);
	cr_assert_geq(q, 0);
	model_restore(&m, 0, p, false);
	model_compare(&m);
	model_discard(&m, 0, 10, 20);
	model_compare(&m);
	model_delete(&m, q);
	model_delete(&m, p);
	sim_idle(m.s);
	sim_check(m.s);
	cpb_status(m.s, &st);
	cr_assert_eq(st.data_used, 280);
	model_write(&m, 0, 0, 200);
	model_compare(&m);
	model_free(&m);
}

#define UNDER_WAY	20000

struct under_way {
	struct model *m;
	struct cpb_run run[UNDER_WAY];
	unsigned int nr;
	bool waiting;
	int err;
};

static void *wait_for_space(void *arg)
{
	struct under_way *w = arg;

	__atomic_store_n(&w->waiting, true, __ATOMIC_RELEASE);
	w->err = cpb_write_wait(w->m->s);
	return NULL;
}

/* Begin writes until one has to wait, and end them while it does. */
static void end_while_waiting(struct under_way *w, bool abort)
{
	struct cpb_volume *v = w->m->volume[0];
	pthread_t thread;
	struct cpb_run run;
	u64 at;
	int err;

	w->nr = 0;
	w->waiting = false;
	/* What was overwritten is free: how much of it is, is a matter of time else. */
	sim_idle(w->m->s);
	/* For this there is a bitmap of chunks in memory, and it is the only one. */
	model_write(w->m, 0, 0, 1);
	while (!(err = cpb_write_begin(w->m->s, 0, 1, &run))) {
		cr_assert_lt(w->nr, UNDER_WAY);
		w->run[w->nr++] = run;
	}
	cr_assert_eq(err, -EAGAIN, "error %d", err);
	cr_assert_gt(w->nr, 0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_space, w), 0);
	while (!__atomic_load_n(&w->waiting, __ATOMIC_ACQUIRE))
		sched_yield();
	usleep(20000);
	while (w->nr--) {
		at = w->nr % w->m->size;
		if (abort) {
			cpb_write_abort(w->m->s, &w->run[w->nr]);
			continue;
		}
		w->m->disk.data[w->run[w->nr].chunk] = w->m->next;
		while ((err = cpb_write_end(v, at, &w->run[w->nr], NULL)) == -EAGAIN)
			cr_assert_eq(cpb_prepare(v, at, 1), 0);
		cr_assert_eq(err, 0, "write_end: %d", err);
		w->m->head[0].content[at] = w->m->next++;
	}
	pthread_join(thread, NULL);
	cr_assert_eq(w->err, 0, "waiting: %d", w->err);
	model_compare(w->m);
}

/* What writes under way have taken is no reason to fail another one: it waits. */
Test(space, writes_under_way)
{
	static struct under_way w;
	struct model m;

	w.m = &m;
	/* Metadata is what runs out ... */
	model_init(&m, 8, 4096, 30000, 500);
	model_create(&m, 0);
	end_while_waiting(&w, false);
	end_while_waiting(&w, true);
	model_free(&m);
	/* ... and data. */
	model_init(&m, 9, 65536, 600, 500);
	model_create(&m, 0);
	end_while_waiting(&w, false);
	end_while_waiting(&w, true);
	model_free(&m);
}

/*
 * Full metadata: the same. Single chunks all over a large volume, and a
 * checkpoint again and again, use up the smallest device there is.
 */
Test(space, full_metadata)
{
	struct model m;
	struct cpb_status st;
	unsigned int snaps = 0;
	u64 id, ids[1000], cost, used;
	char why[CPB_ERROR_LEN] = "";
	int err;

	model_init(&m, 7, 4096, 200000, 60000);
	model_create(&m, 0);
	for (;;) {
		u64 n, at;
		struct cpb_run run;

		for (n = 0, err = 0; n < 2000 && !err; n++) {
			while ((err = cpb_write_begin(m.s, 0, 1, &run)) == -EAGAIN) {
				err = cpb_write_wait(m.s);
				if (err)
					break;
			}
			if (err)
				break;
			at = model_random(&m, m.size);
			m.disk.data[run.chunk] = m.next;
			while ((err = cpb_write_end(m.volume[0], at, &run, NULL)) ==
			       -EAGAIN)
				cr_assert_eq(cpb_prepare(m.volume[0], at, 1), 0);
			cr_assert_eq(err, 0, "write_end: %d", err);
			m.head[0].content[at] = m.next++;
		}
		if (err)
			break;
		err = cpb_snap(m.s, &m.volume[0], 1, NULL, "", 0, &ids[snaps], why);
		cr_assert_eq(err, 0, "snap %u: %d", snaps, err);
		cr_assert_lt(++snaps, 1000U);
	}
	cr_assert_eq(err, -ENOSPC, "error %d", err);
	cpb_status(m.s, &st);
	cr_assert_not(st.readonly, "%s", st.error);
	model_compare(&m);
	cr_log_info("%u checkpoints", snaps);
	/* Still possible: a checkpoint, a restore, deleting all. */
	cr_assert_eq(cpb_snap(m.s, &m.volume[0], 1, "last", "", 0, &id, NULL), 0);
	cr_assert_eq(cpb_restore(m.volume[0], cpb_point_by_id(m.s, ids[0]), true, NULL,
				 NULL), 0);
	cr_assert_eq(cpb_restore(m.volume[0], cpb_point_by_id(m.s, id), false, NULL,
				 NULL), 0);
	model_compare(&m);
	cpb_status(m.s, &st);
	cr_assert_eq(cpb_cost(m.s, ids, snaps, &cost, why), 0, "cost: %s", why);
	used = st.data_used;
	while (snaps) {
		struct cpb_point *p[7];
		unsigned int k;

		for (k = 0; k < ARRAY_SIZE(p) && snaps; k++)
			p[k] = cpb_point_by_id(m.s, ids[--snaps]);
		cr_assert_eq(cpb_delete_many(m.s, p, k, why), 0, "delete: %s", why);
	}
	sim_idle(m.s);
	cpb_status(m.s, &st);
	cr_assert_eq(used - st.data_used, cost);
	sim_check(m.s);
	model_compare(&m);
	model_write(&m, 0, 0, 3000);
	model_compare(&m);
	model_free(&m);
}

#define OVERWRITTEN	80000ULL

struct meanwhile {
	struct model *m;
	bool committing;
	u64 need, free;		/* what was reserved for the commit, and free, before */
	u64 written;
	unsigned int seen;
};

/* Single chunks below @size, until @most or there is no metadata for more: how many. */
static u64 write_until_short(struct model *m, int v, u64 size, u64 most)
{
	struct cpb_run run;
	u64 at, n;
	int err;

	for (n = 0; n < most && !cpb_refill(m->s); n++) {
		while ((err = cpb_write_begin(m->s, 0, 1, &run)) == -EAGAIN) {
			if (cpb_blocks_available(m->s) < cpb_blocks_reserved(m->s))
				return n;
			/* It is only that no free chunks are in memory. */
			cr_assert_eq(cpb_write_wait(m->s), 0);
		}
		cr_assert_eq(err, 0, "write_begin: %d", err);
		at = model_random(m, size);
		m->disk.data[run.chunk] = m->next;
		cr_assert_eq(cpb_write_end(m->volume[v], at, &run, NULL), 0);
		m->head[v].content[at] = m->next++;
	}
	return n;
}

/*
 * Called as a commit takes blocks, and when it gives some back: the pool is refilled,
 * and writes go on.
 */
static void write_meanwhile(void *arg)
{
	struct meanwhile *w = arg;
	u64 free = w->m->s->blocks.free;

	if (!w->committing)
		return;
	w->committing = false;
	/* All that, less what has been taken; but the one that is being taken. */
	if (w->need && free < w->free) {
		cr_assert_eq(w->m->s->cut_cost, w->need - (w->free - free) + 1);
		w->seen++;
	}
	w->need = 0;
	w->written += write_until_short(w->m, 1, w->m->size, 5000);
	w->committing = true;
}

/*
 * Writes to a volume take what there is of metadata while a transaction is being
 * written back: what that one still needs is not for them. It has the first
 * deadlist, a large one, since there is not much metadata left.
 */
Test(space, full_metadata_meanwhile)
{
	struct meanwhile w = { };
	unsigned int rounds = 0;
	struct cpb_status st;
	struct model m;
	int err;

	model_init(&m, 11, 8192, 800000, 400000);
	model_create(&m, 0);
	model_create(&m, 1);
	write_until_short(&m, 0, OVERWRITTEN, 2 * OVERWRITTEN);
	cr_assert_eq(cpb_snap(m.s, &m.volume[0], 1, NULL, "", 0, NULL, NULL), 0);
	sim_idle(m.s);
	while (cpb_blocks_available(m.s) > 2400)
		cr_assert_eq(write_until_short(&m, 1, m.size, 100), 100);
	sim_idle(m.s);
	w.m = &m;
	m.disk.on_level = write_meanwhile;
	m.disk.on_level_arg = &w;
	while (write_until_short(&m, 0, OVERWRITTEN, OVERWRITTEN)) {
		w.committing = true;
		w.need = cpb_commit_cost(m.s);
		w.free = m.s->blocks.free;
		err = cpb_commit(m.s);
		w.committing = false;
		cpb_status(m.s, &st);
		cr_assert_eq(err, 0, "commit %u: %s", rounds, st.error);
		cr_assert_eq(m.s->cut_cost, 0);
		cpb_release(m.s);
		err = cpb_snap(m.s, &m.volume[0], 1, NULL, "", 0, NULL, NULL);
		cr_assert_eq(err, 0, "snap %u: %d", rounds, err);
		rounds++;
	}
	cr_log_info("%u checkpoints, %llu writes meanwhile", rounds,
		    (unsigned long long)w.written);
	cr_assert_gt(w.written, 1000);
	cr_assert_gt(w.seen, 0);
	model_compare(&m);
	sim_idle(m.s);
	cpb_status(m.s, &st);
	cr_assert_not(st.readonly, "%s", st.error);
	sim_check(m.s);
	model_free(&m);
}

/* All that is free waits for changes of maps: a commit takes it from there. */
Test(space, commit_takes_from_the_pool)
{
	struct model m;

	model_init(&m, 12, 4096, 600, 600);
	model_create(&m, 0);
	model_write(&m, 0, 0, 100);
	cr_assert_geq(model_snap(&m, 0), 0);
	sim_idle(m.s);
	model_write(&m, 0, 50, 100);
	cr_assert_eq(cpb_pool_fill(m.s, &m.s->pool, ~0U, 0), -ENOSPC);
	cr_assert_eq(m.s->blocks.free, 0);
	cr_assert_eq(cpb_commit(m.s), 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

struct beside {
	struct under_way w;
	pthread_t thread;
};

static void wait_beside(void *arg)
{
	struct beside *b = arg;

	cr_assert_eq(pthread_create(&b->thread, NULL, wait_for_space, &b->w), 0);
	while (!__atomic_load_n(&b->w.waiting, __ATOMIC_ACQUIRE))
		sched_yield();
	usleep(50000);
}

/*
 * What another one is making free is on its way, although nothing says so: neither
 * while a transaction is being written, nor while what it let go of is released.
 */
Test(space, on_its_way)
{
	static struct beside b[2];
	struct model m;
	int i;

	model_init(&m, 10, 4096, 600, 600);
	model_create(&m, 0);
	model_fill(&m, 0, 0, 600);
	sim_idle(m.s);
	for (i = 0; i < 2; i++) {
		b[i].w.m = &m;
		model_discard(&m, 0, 100 * (u64)i, 50);
		if (!i) {
			m.disk.on_flush = wait_beside;
			m.disk.on_flush_arg = &b[i];
		} else {
			m.disk.on_trim = wait_beside;
			m.disk.on_trim_arg = &b[i];
		}
		cr_assert_eq(cpb_commit(m.s), 0);
		cpb_release(m.s);
		cr_assert(b[i].w.waiting);
		pthread_join(b[i].thread, NULL);
		cr_expect_eq(b[i].w.err, 0, "%d: %d", i, b[i].w.err);
		model_fill(&m, 0, 100 * (u64)i, 50);
		sim_idle(m.s);
	}
	model_compare(&m);
	model_free(&m);
}
