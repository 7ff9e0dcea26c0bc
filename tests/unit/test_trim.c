// SPDX-License-Identifier: GPL-2.0
/*
 * Discards of the data device: what is discarded, in which pieces, and when.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

#include "model.h"

#define CHUNKS	4096

/* A store whose device takes discards in granules; what is freed is released. */
static void begin(struct model *m, u64 unit, u64 first, u64 most)
{
	model_init(m, 11, 4096, CHUNKS, 5000);
	m->disk.unit = unit;
	m->disk.first = first;
	m->disk.most = most;
	model_reopen(m);
	model_create(m, 0);
}

static void end(struct model *m)
{
	model_compare(m);
	sim_idle(m->s);
	sim_check(m->s);
	model_compare(m);
	model_free(m);
}

static void release(struct model *m)
{
	cr_assert_eq(cpb_commit(m->s), 0);
	cpb_release(m->s);
}

static void trim(struct model *m)
{
	int err;

	while ((err = cpb_trim(m->s)) > 0)
		;
	cr_assert_eq(err, 0);
}

static u64 stale(struct model *m)
{
	struct cpb_status st;

	cpb_status(m->s, &st);
	return st.data_stale;
}

static u64 chunk_of(struct model *m, u64 vchunk)
{
	struct cpb_extent x;

	cr_assert_eq(cpb_lookup(m->s, cpb_head(m->volume[0]), vchunk, 1, &x, 1), 1);
	return x.chunk;
}

/* What is freed in many steps is discarded as one piece, all of it, once. */
Test(trim, merged)
{
	struct model m;
	u64 i;

	begin(&m, 1, 0, CHUNKS);
	model_write(&m, 0, 0, 300);
	for (i = 0; i < 200; i += 2)
		model_discard(&m, 0, 50 + i, 1);
	release(&m);
	for (i = 0; i < 200; i += 2)
		model_discard(&m, 0, 249 - i, 1);
	m.disk.kicked = 0;
	release(&m);
	cr_expect(m.disk.kicked & CPB_KICK_TRIM);
	cr_expect_eq(stale(&m), 200);
	trim(&m);
	cr_expect_eq(m.disk.discards, 1);
	cr_expect_eq(m.disk.discarded, 200);
	cr_expect_eq(stale(&m), 0);
	trim(&m);
	cr_expect_eq(m.disk.discards, 1);
	end(&m);
}

/* What is written again before its discard is not discarded. */
Test(trim, taken_again)
{
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	model_fill(&m, 0, 0, 2000);
	model_discard(&m, 0, 0, 2000);
	release(&m);
	cr_expect_eq(stale(&m), 2000);
	model_fill(&m, 0, MODEL_ANYWHERE, CHUNKS - 400);
	trim(&m);
	cr_expect_leq(m.disk.discarded, 2000);
	end(&m);
}

/* Whole granules only, and one as soon as the last chunk of it is free. */
Test(trim, granules)
{
	struct model m;
	u64 first, i;

	begin(&m, 16, 5, CHUNKS);
	model_write(&m, 0, 0, 256);
	first = chunk_of(&m, 0);
	for (i = 1; i < 256; i++)
		cr_assert_eq(chunk_of(&m, i), first + i);
	/* 5 .. 21, 21 .. 37, ... */
	model_discard(&m, 0, 22 - first, 29);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 0);
	cr_expect_eq(stale(&m), 0);
	model_discard(&m, 0, 21 - first, 1);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 16);
	model_discard(&m, 0, 51 - first, 40);
	release(&m);
	trim(&m);
	/* 37 .. 85 */
	cr_expect_eq(m.disk.discarded, 64);
	cr_expect_eq(m.disk.discards, 2);
	end(&m);
}

/* The granule that the first chunk is in begins in front of it. */
Test(trim, front)
{
	struct model m;

	begin(&m, 16, 5, CHUNKS);
	model_write(&m, 0, 0, 64);
	cr_assert_eq(chunk_of(&m, 0), 0);
	model_discard(&m, 0, 0, 64);
	release(&m);
	trim(&m);
	/* What follows them is a CPU's. */
	cr_expect_eq(m.disk.discarded, 48);
	cr_expect_neq(m.disk.data[4], SIM_DISCARDED);
	cr_expect_eq(m.disk.data[5], SIM_DISCARDED);
	cr_expect_eq(m.disk.data[52], SIM_DISCARDED);
	end(&m);
}

/* Granules that don't fit to chunks: pieces as they are. Too large ones: none. */
Test(trim, odd_granules)
{
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	cpb_set_discards(m.s, 64 << 10, 512, CHUNKS << CPB_CHUNK_SHIFT_MIN);
	model_write(&m, 0, 0, 64);
	model_discard(&m, 0, 7, 3);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 3);
	cpb_set_discards(m.s, 1ULL << 30, 0, 1ULL << 40);
	model_discard(&m, 0, 20, 10);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 3);
	end(&m);
}

/* Not before the transaction is durable, and reads of what was there have ended. */
Test(trim, not_too_early)
{
	struct cpb_gen *g;
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	model_write(&m, 0, 0, 10);
	g = cpb_read_begin(m.s);
	model_discard(&m, 0, 0, 10);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 0);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 0);
	cpb_read_end(g);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 10);
	end(&m);
}

/* Pieces and batches have a limit. */
Test(trim, bounded)
{
	struct cpb_setting set = { CPB_OPTION_DISCARD_BATCH, 1 };
	struct model m;

	begin(&m, 8, 0, 100);
	cr_assert_eq(cpb_set_options(m.s, &set, 1, NULL), 0);
	model_fill(&m, 0, 0, 1600);
	model_discard(&m, 0, 0, 1600);
	release(&m);
	cr_assert_eq(cpb_trim(m.s), 1);
	cr_expect_eq(m.disk.discarded, 256);
	cr_expect_eq(m.disk.discards, 3);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 1600);
	cr_expect_eq(m.disk.largest, 256);
	end(&m);
}

struct writer {
	struct model *m;
	u64 written;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	w->written = model_fill(w->m, 0, 0, ~0ULL);
	return NULL;
}

static pthread_t writing;

static void meanwhile(void *arg)
{
	cr_assert_eq(pthread_create(&writing, NULL, write_all, arg), 0);
	usleep(50000);
}

/*
 * While chunks are being discarded nobody gets them, and whoever needs them waits
 * for that to end: there is no ENOSPC before every chunk is written.
 */
Test(trim, writer_waits)
{
	struct cpb_status st;
	struct writer w;
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	model_fill(&m, 0, 0, 1000);
	model_discard(&m, 0, 0, 1000);
	release(&m);
	w.m = &m;
	m.disk.on_discard = meanwhile;
	m.disk.on_discard_arg = &w;
	cr_assert_eq(cpb_trim(m.s), 1);
	pthread_join(writing, NULL);
	cr_expect_gt(m.disk.discarded, 500);
	cpb_status(m.s, &st);
	cr_expect_eq(st.data_used, CHUNKS);
	model_compare(&m);
	end(&m);
}

/* A failure is told once, and then there is peace. */
Test(trim, failure)
{
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	model_write(&m, 0, 0, 100);
	model_discard(&m, 0, 0, 50);
	release(&m);
	m.disk.fail_discard = 0;
	cr_expect_eq(cpb_trim(m.s), -EIO);
	m.disk.fail_discard = -1;
	cr_expect_eq(stale(&m), 0);
	model_discard(&m, 0, 50, 50);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 0);
	model_reopen(&m);
	model_write(&m, 0, 0, 100);
	model_discard(&m, 0, 0, 50);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 50);
	end(&m);
}

Test(trim, option)
{
	struct cpb_setting set = { CPB_OPTION_DISCARD, 0 };
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	model_write(&m, 0, 0, 100);
	model_discard(&m, 0, 0, 50);
	release(&m);
	cr_assert_eq(cpb_set_options(m.s, &set, 1, NULL), 0);
	trim(&m);
	cr_expect_eq(stale(&m), 0, "what waits is forgotten");
	model_discard(&m, 0, 50, 25);
	release(&m);
	cr_expect_eq(stale(&m), 0);
	set.value = 1;
	cr_assert_eq(cpb_set_options(m.s, &set, 1, NULL), 0);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 0);
	model_discard(&m, 0, 75, 25);
	release(&m);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 25);
	end(&m);
}

/* Without memory there is no discard, and nothing else is missing. */
Test(trim, no_memory)
{
	struct model m;

	begin(&m, 1, 0, CHUNKS);
	model_write(&m, 0, 0, 100);
	model_discard(&m, 0, 0, 50);
	cr_assert_eq(cpb_commit(m.s), 0);
	port_alloc_budget = 0;
	cpb_release(m.s);
	port_alloc_budget = -1;
	cr_expect_eq(stale(&m), 0);
	trim(&m);
	cr_expect_eq(m.disk.discarded, 0);
	end(&m);
}
