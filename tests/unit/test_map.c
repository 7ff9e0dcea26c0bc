// SPDX-License-Identifier: GPL-2.0
/*
 * The map against an array: a million random changes of every shape, in three
 * windows of one volume, at both ends of the range of keys and in its middle.
 */
#include <criterion/criterion.h>

#include "model.h"

#define WINDOW	30000ULL
#define TOP	(CPB_VOLUME_BYTES_MAX >> CPB_CHUNK_SHIFT_MIN)

static const u64 base[3] = { 0, TOP / 2 - WINDOW / 2, TOP - WINDOW };

struct big {
	struct sim disk;
	struct cpb_store *s;
	struct cpb_volume *v;
	u64 *content[3], next;
	struct model rng;	/* its seed only */
};

static void big_write(struct big *b, int w, u64 at, u64 len)
{
	while (len) {
		struct cpb_run run;
		u64 i;
		int err;

		while ((err = cpb_write_begin(b->s, 0, len, &run)) == -EAGAIN)
			cr_assert_eq(cpb_write_wait(b->s), 0);
		cr_assert_eq(err, 0, "write_begin: %d", err);
		for (i = 0; i < run.len; i++) {
			b->disk.data[run.chunk + i] = b->next;
			b->content[w][at + i] = b->next++;
		}
		while ((err = cpb_write_end(b->v, base[w] + at, &run, NULL)) == -EAGAIN)
			cr_assert_eq(cpb_prepare(b->v, base[w] + at, run.len), 0);
		cr_assert_eq(err, 0, "write_end: %d", err);
		at += run.len;
		len -= run.len;
	}
}

static void big_discard(struct big *b, int w, u64 at, u64 len)
{
	u64 v = base[w] + at;
	int err;

	memset(b->content[w] + at, 0, len * sizeof(u64));
	while (len) {
		err = cpb_unmap(b->v, &v, &len, NULL);
		if (err == -EAGAIN)
			err = cpb_unmap_prepare(b->v, v, NULL);
		cr_assert_eq(err, 0, "unmap: %d", err);
	}
}

static void big_compare(struct big *b)
{
	struct cpb_extent x;
	u64 v, i, mapped = 0;
	int w, n;

	for (w = 0; w < 3; w++) {
		for (v = 0; v < WINDOW; v += x.len) {
			n = cpb_lookup(b->s, cpb_head(b->v), base[w] + v, WINDOW - v,
				       &x, 1);
			if (n == -EAGAIN) {
				cr_assert_eq(cpb_load(b->s, cpb_head(b->v),
						      base[w] + v), 0);
				x.len = 0;
				continue;
			}
			cr_assert_eq(n, 1, "lookup: %d", n);
			cr_assert_eq(x.vchunk, base[w] + v);
			for (i = 0; i < x.len; i++) {
				u64 got = x.chunk == CPB_HOLE ? 0 :
					  b->disk.data[x.chunk + i];

				cr_assert_eq(got, b->content[w][v + i],
					     "window %d chunk %llu", w,
					     (unsigned long long)(v + i));
				mapped += got != 0;
			}
		}
	}
	/* Between the windows there is nothing. */
	n = cpb_lookup(b->s, cpb_head(b->v), WINDOW, 1000, &x, 1);
	cr_assert(n == 1 && x.chunk == CPB_HOLE && x.len == 1000);
	struct cpb_volume_info info;

	cpb_volume_info(b->v, &info);
	cr_assert_eq(info.head.referenced, mapped);
}

static void big_run(u64 seed, unsigned int ops, u64 longest, unsigned int discards)
{
	struct big b = { .next = 1, .rng.seed = seed };
	unsigned int i;
	int w;

	sim_init(&b.disk, 16384, 400000);
	sim_format(&b.disk);
	b.s = sim_open(&b.disk);
	cr_assert_eq(cpb_create(b.s, "big", CPB_VOLUME_BYTES_MAX, (u8 *)"uuid of 16 bytes",
				0, &b.v, NULL), 0);
	for (w = 0; w < 3; w++)
		b.content[w] = calloc(WINDOW, sizeof(u64));
	for (i = 0; i < ops; i++) {
		u64 at = model_random(&b.rng, WINDOW);
		u64 len = 1 + model_random(&b.rng, min(WINDOW - at, longest));

		w = model_random(&b.rng, 3);
		if (model_random(&b.rng, 100) < discards)
			big_discard(&b, w, at, len);
		else
			big_write(&b, w, at, len);
		if (!model_random(&b.rng, 3000)) {
			cr_assert_eq(cpb_commit(b.s), 0);
			cpb_release(b.s);
			cpb_shrink(b.s, 200);
			port_rcu_barrier();
		}
		if (!model_random(&b.rng, ops / 8)) {
			big_compare(&b);
			sim_idle(b.s);
			sim_check(b.s);
		}
	}
	big_compare(&b);
	sim_idle(b.s);
	sim_check(b.s);
	for (w = 0; w < 3; w++)
		big_discard(&b, w, 0, WINDOW);
	big_compare(&b);
	sim_idle(b.s);
	sim_check(b.s);
	cr_assert_eq(cpb_close(b.s), 0);
	for (w = 0; w < 3; w++)
		free(b.content[w]);
	sim_free(&b.disk);
}

Test(map, single_chunks)
{
	big_run(11, 600000, 1, 20);
}

Test(map, short_extents)
{
	big_run(12, 300000, 8, 30);
}

Test(map, long_extents)
{
	big_run(13, 100000, 900, 40);
}

/* In order, forwards and backwards: one extent each, and full leaves. */
Test(map, sequential)
{
	struct big b = { .next = 1 };
	struct cpb_extent x;
	u64 i;

	sim_init(&b.disk, 8192, 100000);
	sim_format(&b.disk);
	b.s = sim_open(&b.disk);
	cr_assert_eq(cpb_create(b.s, "big", CPB_VOLUME_BYTES_MAX, (u8 *)"uuid of 16 bytes",
				0, &b.v, NULL), 0);
	b.content[0] = calloc(WINDOW, sizeof(u64));
	b.content[1] = calloc(WINDOW, sizeof(u64));
	b.content[2] = calloc(WINDOW, sizeof(u64));
	for (i = 0; i < 1000; i++)
		big_write(&b, 0, i, 1);
	cr_assert_eq(cpb_lookup(b.s, cpb_head(b.v), 0, 1000, &x, 1), 1);
	cr_assert_eq(x.len, 1000, "%llu chunks in one extent",
		     (unsigned long long)x.len);
	for (i = WINDOW; i--;)
		big_write(&b, 1, i, 1);
	for (i = 0; i < WINDOW; i += 2)
		big_write(&b, 2, i, 1);
	big_compare(&b);
	sim_idle(b.s);
	sim_check(b.s);
	cr_assert_eq(cpb_close(b.s), 0);
	for (i = 0; i < 3; i++)
		free(b.content[i]);
	sim_free(&b.disk);
}
