// SPDX-License-Identifier: GPL-2.0
/*
 * Full metadata: whatever is done then is done, or refused. Nothing leaves a commit
 * without the blocks that it needs, which would leave the store read-only.
 */
#include <criterion/criterion.h>

#include "../../kmod/core/engine.h"
#include "model.h"

struct env {
	struct sim disk;
	struct cpb_store *s;
	u64 seed, size;		/* of each volume, chunks */
	char why[CPB_ERROR_LEN];
};

static void begin(struct env *e, u64 meta_blocks, u64 chunks, u64 size)
{
	memset(e, 0, sizeof(*e));
	sim_init(&e->disk, meta_blocks, chunks);
	sim_format(&e->disk);
	e->s = sim_open(&e->disk);
	e->seed = 1;
	e->size = size;
}

static u64 random_below(struct env *e, u64 below)
{
	e->seed = e->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (e->seed >> 33) % below;
}

static struct cpb_volume *create(struct env *e, const char *name)
{
	static const u8 uuid[CPB_UUID_LEN];
	struct cpb_volume *v;

	cr_assert_eq(cpb_create(e->s, name, e->size << CPB_CHUNK_SHIFT_MIN, uuid, 0, &v,
				e->why), 0, "%s", e->why);
	return v;
}

static void good(struct env *e, int err)
{
	struct cpb_status st;

	cpb_status(e->s, &st);
	cr_assert_not(st.readonly, "%s", st.error);
	cr_assert_eq(err, 0, "error %d", err);
}

static int start(struct env *e, u64 want, struct cpb_run *run)
{
	int err;

	while ((err = cpb_write_begin(e->s, 0, want, run)) == -EAGAIN) {
		err = cpb_write_wait(e->s);
		if (err)
			break;
	}
	return err;
}

static void finish(struct cpb_volume *v, u64 at, const struct cpb_run *run)
{
	int err;

	while ((err = cpb_write_end(v, at, run, NULL)) == -EAGAIN)
		cr_assert_eq(cpb_prepare(v, at, run->len), 0);
	cr_assert_eq(err, 0, "write_end: %d", err);
}

/* So many chunks at @at, or as many as there are. */
static u64 write_at(struct env *e, struct cpb_volume *v, u64 at, u64 len)
{
	struct cpb_run run;
	int err;
	u64 n;

	for (n = 0; n < len; n += run.len) {
		err = start(e, min(len - n, 256ULL), &run);
		if (err) {
			cr_assert_eq(err, -ENOSPC, "error %d", err);
			break;
		}
		finish(v, at + n, &run);
	}
	return n;
}

/* Single chunks anywhere, until there is no room for more, or @leave blocks are left. */
static void fill(struct env *e, struct cpb_volume *v, u64 leave)
{
	struct cpb_status st;
	u64 n = 0;

	while (cpb_blocks_available(e->s) > leave &&
	       write_at(e, v, random_below(e, e->size), 1))
		n++;
	cpb_status(e->s, &st);
	cr_log_info("full after %llu chunks, %llu blocks left", (unsigned long long)n,
		    (unsigned long long)st.meta_free);
	cr_assert_gt(st.data_chunks - st.data_busy, 1000, "it is the data that is full");
	good(e, 0);
}

static void end(struct env *e)
{
	struct cpb_status st;

	sim_idle(e->s);
	sim_check(e->s);
	cpb_status(e->s, &st);
	good(e, 0);
	cr_assert_eq(st.nr_hidden, 0);
	cr_assert_eq(cpb_close(e->s), 0);
	sim_free(&e->disk);
}

/* Make holes of what is not to be made in part, or not at all; else chunk by chunk. */
static int make_holes(struct model *m, u64 at, u64 len, bool whole)
{
	u64 from = at, nr = len;
	struct cpb_reserve r;
	int err = whole ? cpb_reserve_wait(m->s, 0, len, &r) : 0;

	if (err)
		return err;
	while (!err && len) {
		err = cpb_unmap(m->volume[0], &at, &len, whole ? &r : NULL);
		if (err == -EAGAIN)
			err = cpb_unmap_prepare(m->volume[0], at, whole ? &r : NULL);
	}
	if (whole)
		cpb_unreserve(m->s, &r);
	cr_assert(!err || (!whole && err == -ENOSPC), "unmap: %d", err);
	memset(m->head[0].content + from, 0, (nr - len) * sizeof(u64));
	return err;
}

/* Of what a checkpoint has, in one place after the other; so many blocks are left for it. */
static void discards(u64 len, bool whole, u64 leave)
{
	unsigned int done = 0, i;
	struct model m;
	u64 at;
	int err, p;

	model_init(&m, 21, 4096, 800000, 300000);
	model_create(&m, 0);
	model_create(&m, 1);
	/* Every other chunk, so that none are one extent. */
	for (at = 0; at < m.size; at += 2)
		model_write(&m, 0, at, 1);
	p = model_snap(&m, 0);
	while (cpb_blocks_available(m.s) > leave)
		model_fill(&m, 1, MODEL_ANYWHERE, 1000);
	for (i = 0; i < 1000; i++) {
		at = model_random(&m, m.size - len) & ~1ULL;
		err = make_holes(&m, at, len, whole);
		cr_assert(!err || err == -ENOSPC, "error %d", err);
		done += !err;
		if (i % 200 == 199)
			cr_assert_eq(cpb_commit(m.s), 0);
	}
	cr_log_info("%u of %u were made", done, i);
	cr_assert_gt(done, 10);
	cr_assert_lt(done, i);
	model_compare(&m);
	model_delete(&m, p);
	sim_idle(m.s);
	sim_check(m.s);
	model_discard(&m, 1, 0, m.size);
	model_discard(&m, 0, 0, m.size);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

Test(limits, discards)
{
	discards(1, false, 500);
}

Test(limits, zeroes)
{
	discards(300, true, 1000);
}

/* More and more objects. */
Test(limits, objects)
{
	static u64 id[20000];
	struct cpb_point *p[CPB_DELETE_MAX], *next;
	unsigned int nr, k, safe, made = 0;
	struct cpb_volume *v;
	struct env e;
	int err;

	begin(&e, 4096, 900000, 800000);
	v = create(&e, "a");
	fill(&e, v, 0);
	for (nr = 0; nr < ARRAY_SIZE(id); nr++) {
		err = cpb_snap(e.s, &v, 1, NULL, "", 0, &id[nr], e.why);
		if (err)
			break;
		if (nr % 64 == 63)
			good(&e, cpb_commit(e.s));
	}
	cr_log_info("%u checkpoints", nr);
	cr_assert_eq(err, -ENOSPC, "%d %s", err, e.why);
	cr_assert(strstr(e.why, "is full"), "%s", e.why);
	cr_assert_gt(nr, 10);
	good(&e, cpb_commit(e.s));
	/* Restores go on. They would keep what was, and can without that. */
	for (safe = 0; safe < 10000; safe++) {
		err = cpb_restore(v, cpb_point_by_id(e.s, id[safe % nr]), true, NULL, e.why);
		if (err)
			break;
	}
	cr_log_info("%u safety checkpoints", safe);
	cr_assert_eq(err, -ENOSPC, "%d %s", err, e.why);
	cr_assert(strstr(e.why, "without a safety"), "%s", e.why);
	cr_assert_gt(safe, 100);
	for (k = 0; k < 100; k++) {
		good(&e, cpb_restore(v, cpb_point_by_id(e.s, id[k % nr]), false, NULL, e.why));
		if (k % 10 == 9)
			sim_idle(e.s);
	}
	/* All that is there can be changed, in any order. */
	for (k = 0; k < nr; k++) {
		err = cpb_hold(e.s, cpb_point_by_id(e.s, id[k * 7919ULL % nr]), "x", e.why);
		cr_assert(!err || err == -EBUSY, "%d %s", err, e.why);
		made += !err;
	}
	cr_assert_gt(made, nr / 2);
	for (k = 0; k < nr; k++)
		if (cpb_point_by_id(e.s, id[k])->hold)
			good(&e, cpb_unhold(e.s, cpb_point_by_id(e.s, id[k]), e.why));
	do {
		k = 0;
		for (next = cpb_point_next(e.s, 0); next && k < ARRAY_SIZE(p);
		     next = cpb_point_next(e.s, next->id))
			if (cpb_visible(next))
				p[k++] = next;
		if (k)
			good(&e, cpb_delete_many(e.s, p, k, e.why));
	} while (k);
	end(&e);
}

#define MEMBERS	150

/* Many volumes are restored at once, each with objects in blocks of their own. */
Test(limits, members)
{
	static struct cpb_volume *v[MEMBERS];
	static struct cpb_point *p[MEMBERS];
	struct cpb_volume *other;
	struct env e;
	unsigned int i, k;
	char name[16];
	u64 id;
	int err;

	begin(&e, 4096, 900000, 800000);
	other = create(&e, "other");
	for (i = 0; i < MEMBERS; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		v[i] = create(&e, name);
		for (k = 0; k < CPB_OBJECTS_PER_BLOCK; k++)
			good(&e, cpb_snap(e.s, &other, 1, NULL, "", 0, NULL, e.why));
		good(&e, cpb_snap(e.s, &v[i], 1, "x", "", 0, &id, e.why));
		p[i] = cpb_point_by_id(e.s, id);
		for (k = 0; k < CPB_OBJECTS_PER_BLOCK; k++)
			good(&e, cpb_snap(e.s, &other, 1, NULL, "", 0, NULL, e.why));
	}
	fill(&e, other, 0);
	good(&e, cpb_commit(e.s));
	err = cpb_restore_many(e.s, v, p, MEMBERS, false, NULL, e.why);
	cr_assert_eq(err, -ENOSPC, "%d", err);
	cr_assert(strstr(e.why, "is full"), "%s", e.why);
	good(&e, cpb_commit(e.s));
	for (i = 0; i < MEMBERS; i++)
		good(&e, cpb_restore(v[i], p[i], false, NULL, e.why));
	good(&e, cpb_commit(e.s));
	sim_idle(e.s);
	sim_check(e.s);
	good(&e, cpb_remove(other, false, e.why));
	end(&e);
}

/* Checkpoints that nobody wrote between, deleted at once: a block of objects for each few. */
Test(limits, many_deleted)
{
	static u64 id[6000];
	struct cpb_point *p[CPB_DELETE_MAX];
	unsigned int nr, k, i;
	struct cpb_volume *v;
	struct env e;

	begin(&e, 4096, 900000, 800000);
	v = create(&e, "a");
	for (nr = 0; nr < ARRAY_SIZE(id); nr++)
		good(&e, cpb_snap(e.s, &v, 1, NULL, "", 0, &id[nr], e.why));
	fill(&e, v, 0);
	good(&e, cpb_commit(e.s));
	for (i = 0; i < 8; i++) {
		for (nr = i, k = 0; nr < ARRAY_SIZE(id); nr += 8) {
			p[k++] = cpb_point_by_id(e.s, id[nr]);
			if (k < ARRAY_SIZE(p) && nr + 8 < ARRAY_SIZE(id))
				continue;
			good(&e, cpb_delete_many(e.s, p, k, e.why));
			k = 0;
		}
	}
	good(&e, cpb_commit(e.s));
	end(&e);
}

/* What is freed is all over the data device: a block of the bitmap for each extent. */
Test(limits, bitmaps)
{
	struct cpb_volume *a, *b;
	struct env e;
	u64 i, n;

	begin(&e, 4096, 9000000, 8000000);
	a = create(&e, "a");
	b = create(&e, "b");
	for (i = 0, n = e.size / 256; i < n; i++)
		write_at(&e, a, i * 4999 % n * 256, 256);
	good(&e, cpb_commit(e.s));
	fill(&e, b, 0);
	good(&e, cpb_remove(a, false, e.why));
	sim_idle(e.s);
	good(&e, cpb_remove(b, false, e.why));
	end(&e);
}

/* Extents that are longer than a block of the bitmap. */
Test(limits, long_extents)
{
	u64 at = 0, len, waits = 0;
	struct cpb_volume *a, *b;
	struct env e;
	int err;

	begin(&e, 4096, 9000000, 8000000);
	a = create(&e, "a");
	b = create(&e, "b");
	cr_assert_eq(write_at(&e, a, 0, e.size), e.size);
	good(&e, cpb_commit(e.s));
	fill(&e, b, 0);
	for (len = e.size; len; waits++) {
		err = cpb_unmap(a, &at, &len, NULL);
		if (err == -EAGAIN)
			err = cpb_unmap_prepare(a, at, NULL);
		cr_assert(!err || err == -ENOSPC, "unmap: %d", err);
		if (err)
			break;
	}
	good(&e, cpb_commit(e.s));
	good(&e, cpb_remove(b, false, e.why));
	sim_idle(e.s);
	good(&e, cpb_remove(a, false, e.why));
	end(&e);
}

#define WIDE	4096

/* Large writes under way where each chunk was an extent of its own, and a checkpoint's. */
Test(limits, wide_writes)
{
	static struct cpb_run run[WIDE];
	struct cpb_volume *v, *b;
	unsigned int nr, i;
	struct env e;
	u64 at;

	begin(&e, 8192, 2000000, 800000);
	v = create(&e, "a");
	b = create(&e, "b");
	for (at = 0; at < 300000; at++)
		write_at(&e, v, at * 7919 % 300000, 1);
	good(&e, cpb_snap(e.s, &v, 1, "x", "", 0, NULL, e.why));
	for (at = 0; at < 150000; at++)
		write_at(&e, v, random_below(&e, 300000), 1);
	good(&e, cpb_commit(e.s));
	fill(&e, b, 1500);
	good(&e, cpb_commit(e.s));
	sim_idle(e.s);
	for (nr = 0; nr < WIDE && !cpb_write_begin(e.s, 0, 256, &run[nr]); nr++)
		;
	cr_log_info("%u writes under way", nr);
	for (i = 0; i < nr; i++) {
		finish(v, random_below(&e, 300000 - 256), &run[i]);
		cr_assert_geq(cpb_blocks_available(e.s), cpb_commit_cost(e.s));
	}
	good(&e, cpb_commit(e.s));
	good(&e, cpb_remove(b, false, e.why));
	good(&e, cpb_remove(v, false, e.why));
	end(&e);
}

#define FORKS	300

/* A checkpoint is deleted that many forks go on from, and all have overwritten the same. */
Test(limits, fleet)
{
	static struct cpb_volume *fork[FORKS];
	const u8 uuid[CPB_UUID_LEN] = "fork";
	struct cpb_volume *golden, *other;
	struct cpb_status st;
	char name[16];
	struct env e;
	unsigned int i;
	u64 id, at;

	begin(&e, 4096, 2000000, 800000);
	golden = create(&e, "golden");
	write_at(&e, golden, 0, 2 * 170);
	good(&e, cpb_snap(e.s, &golden, 1, "x", "", 0, &id, e.why));
	for (i = 0; i < FORKS; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		good(&e, cpb_fork(e.s, cpb_point_by_id(e.s, id), name, uuid, 0, &fork[i],
				  e.why));
		/* Every other one: a list that has a leaf of its own. */
		for (at = 0; at < 2 * 170; at += 2)
			write_at(&e, fork[i], at, 1);
	}
	good(&e, cpb_remove(golden, true, e.why));
	good(&e, cpb_commit(e.s));
	other = create(&e, "other");
	fill(&e, other, 0);
	good(&e, cpb_commit(e.s));
	good(&e, cpb_delete(e.s, cpb_point_by_id(e.s, id), e.why));
	sim_idle(e.s);
	good(&e, 0);
	cpb_status(e.s, &st);
	cr_log_info("%llu hidden", (unsigned long long)st.nr_hidden);
	good(&e, cpb_remove(other, false, e.why));
	sim_idle(e.s);
	cpb_status(e.s, &st);
	cr_assert_leq(st.nr_hidden, 1);
	for (i = 0; i < FORKS; i++)
		good(&e, cpb_remove(fork[i], false, e.why));
	end(&e);
}

#define LEAVES	300ULL

/* Each entry of a deadlist comes into a full leaf of its own, which is split. */
Test(limits, full_leaves)
{
	/* In order they make leaves that are half full, and as many between these fill them. */
	const u64 half = CPB_PAYLOAD / sizeof(struct cpb_disk_dead) / 2;
	struct cpb_volume *v;
	struct env e;
	u64 i, start;

	begin(&e, 8192, 600000, 8 * LEAVES * half);
	v = create(&e, "a");
	write_at(&e, v, 0, e.size);
	good(&e, cpb_snap(e.s, &v, 1, "x", "", 0, NULL, e.why));
	for (start = 0; start < 8; start += 4) {
		for (i = start; i < e.size; i += 8)
			write_at(&e, v, i, 1);
		good(&e, cpb_commit(e.s));
		sim_check(e.s);
	}
	for (i = 2; i < e.size; i += 8 * half)
		write_at(&e, v, i, 1);
	good(&e, cpb_commit(e.s));
	sim_check(e.s);
	good(&e, cpb_remove(v, false, e.why));
	end(&e);
}
