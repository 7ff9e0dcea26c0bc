// SPDX-License-Identifier: GPL-2.0
/*
 * Writes that are done as a whole or not at all: space is reserved for all of
 * their runs before the first one is taken.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

#include "model.h"

#define SIZE	1000	/* chunks of the volume */
#define CHUNKS	600	/* of the data device */

static void map(struct model *m, u64 at, const struct cpb_run *run)
{
	struct cpb_volume *v = m->volume[0];
	u64 i, content;
	int err;

	for (i = 0; i < run->len; i++) {
		content = __atomic_fetch_add(&m->next, 1, __ATOMIC_RELAXED);
		m->disk.data[run->chunk + i] = content;
		m->head[0].content[at + i] = content;
	}
	while ((err = cpb_write_end(v, at, run, NULL)) == -EAGAIN)
		cr_assert_eq(cpb_prepare(v, at, run->len), 0);
	cr_assert_eq(err, 0, "write_end: %d", err);
}

/* What a reserve is for, run by run. */
static void write_runs(struct model *m, struct cpb_reserve *r, u64 at)
{
	struct cpb_run run;

	while (r->chunks) {
		run.len = 0;
		cpb_write_take(m->s, at % 2, CPB_WRITE_MAX, r, &run);
		cr_assert_gt(run.len, 0, "no chunk, though it was reserved");
		sched_yield();
		map(m, at, &run);
		at += run.len;
	}
	cpb_unreserve(m->s, r);
}

static int write_whole(struct model *m, u64 at, u64 len)
{
	struct cpb_reserve r;
	int err = cpb_reserve_wait(m->s, len, 0, &r);

	if (!err)
		write_runs(m, &r, at);
	return err;
}

/* The usual way of a small write: without a reserve, as long as there is space. */
static int write_one(struct model *m, u64 at)
{
	struct cpb_run run;
	int err;

	while ((err = cpb_write_begin(m->s, at % 2, 1, &run)) == -EAGAIN) {
		err = cpb_write_wait(m->s);
		if (err)
			return err;
	}
	cr_assert_eq(err, 0, "write_begin: %d", err);
	map(m, at, &run);
	return 0;
}

/* A full device of which every other one of the first 2 * @nr chunks is free. */
static void scatter(struct model *m, u64 nr)
{
	struct cpb_status st;
	u64 i;

	model_init(m, 10, 4096, CHUNKS, SIZE);
	model_create(m, 0);
	cr_assert_eq(model_fill(m, 0, 0, ~0ULL), CHUNKS);
	for (i = 0; i < nr; i++)
		model_discard(m, 0, 2 * i, 1);
	sim_idle(m->s);
	cpb_status(m->s, &st);
	cr_assert_eq(st.data_busy, CHUNKS - nr);
}

/* One chunk more than there is: nothing has changed. As many as there are. */
Test(whole, scattered)
{
	struct cpb_status before, after;
	struct cpb_reserve r;
	struct cpb_run run;
	struct model m;

	scatter(&m, 100);
	cpb_status(m.s, &before);
	cr_assert_eq(cpb_reserve(m.s, 101, &r), -EAGAIN);
	cr_assert_eq(write_whole(&m, 600, 101), -ENOSPC);
	cpb_status(m.s, &after);
	cr_assert_eq(after.data_busy, before.data_busy);
	cr_assert_eq(after.data_used, before.data_used);
	cr_assert_eq(after.meta_reserved, before.meta_reserved);
	model_compare(&m);
	cr_assert_eq(cpb_reserve(m.s, 100, &r), 0);
	cr_assert_eq(cpb_write_begin(m.s, 0, 1, &run), -EAGAIN, "taken from a reserve");
	write_runs(&m, &r, 600);
	cpb_status(m.s, &after);
	cr_assert_eq(after.data_used, CHUNKS);
	model_compare(&m);
	cr_assert_eq(write_whole(&m, 0, 1), -ENOSPC);
	model_discard(&m, 0, 0, 64);
	cr_assert_eq(write_whole(&m, 0, 33), -ENOSPC);
	cr_assert_eq(write_whole(&m, 0, 32), 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

/* What is not used of a reserve is for others, and what was cancelled too. */
Test(whole, given_back)
{
	struct cpb_run run, left;
	struct cpb_reserve r;
	struct cpb_status st;
	struct model m;
	u64 flushes;

	scatter(&m, 50);
	cr_assert_eq(cpb_reserve(m.s, 50, &r), 0);
	cpb_write_take(m.s, 0, 1, &r, &run);
	cpb_write_take(m.s, 1, 1, &r, &left);
	cr_assert_eq(r.chunks, 48);
	cpb_unreserve(m.s, &r);
	cr_assert_eq(cpb_reserve(m.s, 49, &r), -EAGAIN);
	cpb_write_cancel(m.s, &run);
	cr_assert_eq(cpb_reserve(m.s, 49, &r), 0);
	cpb_unreserve(m.s, &r);
	cpb_write_cancel(m.s, &left);
	cpb_status(m.s, &st);
	cr_assert_eq(st.data_busy, CHUNKS - 50);
	/* Nothing was written, so that no flush has to find out. */
	flushes = m.disk.flushes;
	cr_assert_eq(cpb_flush(m.s), 0);
	cr_assert_eq(m.disk.flushes, flushes);
	cr_assert_eq(write_whole(&m, 700, 50), 0);
	model_compare(&m);
	model_free(&m);
}

/* The last free chunks are in the hands of CPUs. */
Test(whole, taken_back)
{
	struct cpb_reserve r;
	struct cpb_run run;
	struct model m;

	model_init(&m, 11, 4096, CHUNKS, SIZE);
	model_create(&m, 0);
	while (cpb_write_begin(m.s, 1, 1, &run) == -EAGAIN)
		cr_assert_eq(cpb_write_wait(m.s), 0);
	cr_assert_eq(cpb_reserve(m.s, CHUNKS, &r), -EAGAIN);
	cr_assert_eq(cpb_reserve(m.s, CHUNKS - 1, &r), 0);
	write_runs(&m, &r, 0);
	cpb_write_cancel(m.s, &run);
	cr_assert_eq(write_whole(&m, 999, 1), 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

#define THREADS	4

struct writer {
	struct model *m;
	unsigned int nr, whole, refused;
	u64 seed;
};

static u64 random_below(struct writer *w, u64 below)
{
	w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (w->seed >> 33) % below;
}

/* Each on a part of the volume of its own; together they want more than there is. */
static void *write_near_full(void *arg)
{
	u64 part = SIZE / THREADS, at, len, first;
	struct writer *w = arg;
	unsigned int i;
	int err;

	first = w->nr * part;
	for (i = 0; i < 400; i++) {
		len = i % 3 ? 1 : 1 + random_below(w, part);
		at = first + random_below(w, part - len + 1);
		err = len == 1 ? write_one(w->m, at) : write_whole(w->m, at, len);
		if (!err) {
			w->whole++;
			continue;
		}
		cr_assert_eq(err, -ENOSPC, "error %d", err);
		w->refused++;
		at = first + random_below(w, part / 2);
		model_discard(w->m, 0, at, part / 2);
	}
	return NULL;
}

/* Many at once: each write is there as a whole, or not at all, and none hangs. */
Test(whole, many_writers)
{
	struct writer w[THREADS];
	pthread_t thread[THREADS];
	unsigned int i, whole = 0, refused = 0;
	struct model m;

	model_init(&m, 12, 4096, CHUNKS, SIZE);
	model_create(&m, 0);
	for (i = 0; i < THREADS; i++) {
		w[i] = (struct writer){ .m = &m, .nr = i, .seed = i };
		cr_assert_eq(pthread_create(&thread[i], NULL, write_near_full, &w[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		whole += w[i].whole;
		refused += w[i].refused;
	}
	cr_log_info("%u written, %u refused", whole, refused);
	cr_assert_gt(whole, 0);
	cr_assert_gt(refused, 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

struct waiter {
	struct model *m;
	struct cpb_reserve r;
	int err;
};

static void *wait_for_all(void *arg)
{
	struct waiter *w = arg;

	w->err = cpb_reserve_wait(w->m->s, 100, 0, &w->r);
	return NULL;
}

/* While a large write waits for the last chunk, others don't take the rest of them. */
Test(whole, its_turn)
{
	struct cpb_run first, run;
	unsigned int tries = 0;
	pthread_t thread;
	struct waiter w;
	struct model m;
	int err;

	scatter(&m, 100);
	w.m = &m;
	cr_assert_eq(cpb_write_begin(m.s, 0, 1, &first), 0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_all, &w), 0);
	while (!(err = cpb_write_begin(m.s, 1, 1, &run))) {
		cpb_write_cancel(m.s, &run);
		cr_assert_lt(tries++, 1000000U, "there is no end to small writes");
		sched_yield();
	}
	cr_assert_eq(err, -EAGAIN, "error %d", err);
	cpb_write_cancel(m.s, &first);
	pthread_join(thread, NULL);
	cr_assert_eq(w.err, 0, "waiting: %d", w.err);
	write_runs(&m, &w.r, 700);
	model_compare(&m);
	model_free(&m);
}

/* No blocks for a large write, though there are for a small one. */
Test(whole, full_metadata)
{
	struct cpb_status before, after;
	struct model m;
	int p[MODEL_POINTS], nr = 0;

	model_init(&m, 14, 4096, 200000, 60000);
	model_create(&m, 0);
	do {
		p[nr] = model_snap(&m, 0);
		cr_assert_geq(p[nr], 0);
		cr_assert_lt(++nr, MODEL_POINTS);
	} while (model_fill(&m, 0, MODEL_ANYWHERE, 2500) == 2500);
	sim_idle(m.s);
	cpb_status(m.s, &before);
	cr_assert_eq(write_whole(&m, 100, CPB_RESERVE_MAX), -ENOSPC);
	cpb_status(m.s, &after);
	cr_assert_not(after.readonly, "%s", after.error);
	cr_assert_eq(after.data_used, before.data_used);
	cr_assert_eq(after.data_busy, before.data_busy);
	model_compare(&m);
	while (nr--)
		model_delete(&m, p[nr]);
	sim_idle(m.s);
	cr_assert_eq(write_whole(&m, 100, CPB_RESERVE_MAX), 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

/* A larger device: what is new of a bitmap that is in memory counts. */
Test(whole, grown)
{
	char why[CPB_ERROR_LEN] = "";
	struct model m;

	scatter(&m, 10);
	cr_assert_eq(write_whole(&m, 700, 110), -ENOSPC);
	sim_grow(&m.disk, 4096, CHUNKS + 100);
	cr_assert_eq(cpb_grow(m.s, 4096, sim_data_bytes(&m.disk), why), 0, "%s", why);
	cr_assert_eq(write_whole(&m, 700, 111), -ENOSPC);
	cr_assert_eq(write_whole(&m, 700, 110), 0);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}
