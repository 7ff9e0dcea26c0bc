// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that fail, and memory that runs out, at every place in turn.
 *
 * A fixed history runs until something fails. What was completed is then still
 * read, nothing more is written, closing says so; and on devices that work again
 * the store opens, is whole, and has all that was acknowledged as durable, and
 * nothing that was never there.
 */
#include <criterion/criterion.h>

#include "sim.h"

#define BLOCKS	4096
#define CHUNKS	2048
#define SIZE	600		/* chunks of the volume: a map of several leaves */
#define STATES	400

struct run {
	struct sim disk;
	struct cpb_store *s;
	struct cpb_volume *v;
	u64 next, seed;
	u64 now[SIZE];
	/* What the volume held after each operation; @durable of them must be. */
	u64 (*state)[SIZE];
	unsigned int nr, durable;
	int err;
};

static const u8 uuid[CPB_UUID_LEN] = "uuid";

static u64 rnd(struct run *r, u64 below)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed % below;
}

/* An operation begins: this is what it leads to, if it does. */
static void will_be(struct run *r, const u64 *content)
{
	cr_assert_lt(r->nr, STATES);
	memcpy(r->state[r->nr++], content, sizeof(r->now));
}

static int write_some(struct run *r, u64 at, u64 want)
{
	u64 after[SIZE], i;
	struct cpb_run run;
	int err;

	while (want) {
		while ((err = cpb_write_begin(r->s, 0, want, &run)) == -EAGAIN) {
			err = cpb_write_wait(r->s);
			if (err)
				return err;
		}
		if (err)
			return err;
		memcpy(after, r->now, sizeof(after));
		for (i = 0; i < run.len; i++) {
			r->disk.data[run.chunk + i] = r->next;
			after[at + i] = r->next++;
		}
		will_be(r, after);
		while ((err = cpb_write_end(r->v, at, &run, NULL)) == -EAGAIN) {
			err = cpb_prepare(r->v, at, run.len);
			if (err)
				break;
		}
		if (err) {
			cpb_write_abort(r->s, &run);
			return err;
		}
		memcpy(r->now, after, sizeof(after));
		at += run.len;
		want -= run.len;
	}
	return 0;
}

static int all_durable(struct run *r, int err)
{
	if (!err)
		r->durable = r->nr;
	return err;
}

static struct cpb_point *oldest(struct run *r)
{
	struct cpb_point_info info;
	struct cpb_point *p;
	u64 id = 0;

	while ((p = cpb_point_next(r->s, id))) {
		cpb_point_info(r->s, p, &info);
		if (!(info.flags & CPB_POINT_HIDDEN))
			return p;
		id = info.id;
	}
	return NULL;
}

static int step(struct run *r, unsigned int i)
{
	struct cpb_volume *fork;
	struct cpb_point *p;
	char name[16];
	int err;

	switch (i % 10) {
	case 0 ... 3:
		return write_some(r, rnd(r, SIZE - 4), 1 + rnd(r, 4));
	case 4:
		return all_durable(r, cpb_snap(r->s, &r->v, 1, NULL, "", 0, NULL, NULL));
	case 5:
		return all_durable(r, sim_flush(&r->disk, r->s, i % 20 == 5));
	case 6:
		p = oldest(r);
		snprintf(name, sizeof(name), "fork%u", i);
		err = p ? cpb_fork(r->s, p, name, uuid, 0, &fork, NULL) : 0;
		return all_durable(r, err ? err : cpb_remove(fork, true, NULL));
	case 7:
		p = i % 20 == 7 ? NULL : oldest(r);
		return all_durable(r, p ? cpb_delete(r->s, p, NULL) : 0);
	case 8:
		/* Whatever was read is read again. */
		cpb_shrink(r->s, 1000);
		cpb_shrink(r->s, 1000);
		port_rcu_barrier();
		err = cpb_reap(r->s);
		return err < 0 ? err : 0;
	default:
		err = all_durable(r, cpb_commit(r->s));
		cpb_release(r->s);
		return err;
	}
}

static void begin(struct run *r)
{
	unsigned int i;

	memset(r, 0, sizeof(*r));
	r->state = calloc(STATES, sizeof(*r->state));
	r->seed = 88172645463325252ULL;
	r->next = 1;
	sim_init(&r->disk, BLOCKS, CHUNKS);
	sim_format(&r->disk);
	r->s = sim_open(&r->disk);
	cr_assert_eq(cpb_create(r->s, "vol", SIZE << CPB_CHUNK_SHIFT_MIN, uuid, 0,
				&r->v, NULL), 0);
	for (i = 0; i < SIZE; i += 2)
		cr_assert_eq(write_some(r, i, 1), 0);
	cr_assert_eq(cpb_commit(r->s), 0);
	r->nr = 0;
	will_be(r, r->now);
	r->durable = 1;
}

/* -1: it can't be read; else whether the volume holds this. */
static int holds(struct run *r, const u64 *content)
{
	struct cpb_extent x;
	u64 i;
	int n;

	for (i = 0; i < SIZE; i++) {
		while ((n = cpb_lookup(r->s, cpb_head(r->v), i, 1, &x, 1)) == -EAGAIN)
			if (cpb_load(r->s, cpb_head(r->v), i))
				return -1;
		if (n != 1)
			return -1;
		if (content[i] != (x.chunk == CPB_HOLE ? 0 : r->disk.data[x.chunk]))
			return 0;
	}
	return 1;
}

static void devices_work(struct run *r)
{
	r->disk.fail_read = -1;
	r->disk.fail_write = -1;
	r->disk.fail_flush = -1;
}

static void end(struct run *r)
{
	cr_assert_eq(cpb_close(r->s), 0);
	sim_free(&r->disk);
	free(r->state);
}

/* The store opens again, and has what it must have. */
static void reopen(struct run *r)
{
	unsigned int i;

	devices_work(r);
	r->s = sim_open(&r->disk);
	r->v = cpb_volume_by_name(r->s, "vol");
	cr_assert(r->v);
	for (i = r->durable - 1; i < r->nr; i++)
		if (holds(r, r->state[i]) == 1)
			break;
	cr_assert_lt(i, r->nr, "what was acknowledged is not there");
	sim_idle(r->s);
	sim_check(r->s);
}

/* The history, with @fail set to go off after @n; false: it never did. */
static bool fails_at(size_t fail, long n)
{
	struct cpb_status st;
	struct run r;
	unsigned int i;
	u64 writes;
	int err = 0, closed;

	begin(&r);
	*(long *)((char *)&r.disk + fail) = n;
	for (i = 0; i < 60 && !err; i++)
		err = step(&r, i);
	if (!err) {
		devices_work(&r);
		end(&r);
		return false;
	}
	cpb_status(r.s, &st);
	cr_assert(st.readonly && st.error[0], "step %u: error %d and no reason", i, err);
	devices_work(&r);
	writes = r.disk.writes;
	/* A change is there as a whole or not at all: as it was asked for. */
	cr_assert(holds(&r, r.now) == 1 || holds(&r, r.state[r.nr - 1]) == 1,
		  "failing at %ld: %s", n, st.error);
	cr_assert_neq(write_some(&r, 0, 1), 0);
	cr_assert_neq(cpb_flush(r.s), 0);
	cr_assert_neq(cpb_commit(r.s), 0);
	cr_assert_neq(cpb_snap(r.s, &r.v, 1, NULL, "", 0, NULL, NULL), 0);
	closed = cpb_close(r.s);
	cr_assert_neq(closed, 0, "closing says that all is well");
	cr_assert_eq(r.disk.writes, writes, "something was written after a failure");
	reopen(&r);
	end(&r);
	return true;
}

static void fails_everywhere(size_t fail, unsigned int least)
{
	long n;

	for (n = 0; fails_at(fail, n); n++)
		;
	cr_assert_geq(n, least, "it failed in %ld places only", n);
}

Test(errors, writes)
{
	fails_everywhere(offsetof(struct sim, fail_write), 20);
}

Test(errors, flushes)
{
	fails_everywhere(offsetof(struct sim, fail_flush), 8);
}

Test(errors, reads)
{
	fails_everywhere(offsetof(struct sim, fail_read), 5);
}

/* Without memory an operation fails, and changes nothing; the store goes on. */
Test(errors, memory)
{
	unsigned int i, failed = 0;
	struct run r;
	long n;
	int err;

	begin(&r);
	for (i = 0; i < 60; i++) {
		for (n = 0, err = -ENOMEM; err == -ENOMEM && n < 40; n++) {
			port_alloc_budget = n;
			err = step(&r, i);
			port_alloc_budget = -1;
			failed += err == -ENOMEM;
		}
		cr_assert_eq(err, 0, "step %u: error %d", i, err);
	}
	cr_assert_gt(failed, 5);
	cr_assert_eq(holds(&r, r.now), 1);
	sim_idle(r.s);
	sim_check(r.s);
	end(&r);
}

/* What a transaction needs was there before, if there was memory after the last one. */
Test(errors, memory_for_a_commit)
{
	unsigned int i;
	struct run r;

	begin(&r);
	for (i = 0; i < 60; i++) {
		cr_assert_eq(step(&r, i), 0);
		port_alloc_budget = 0;
		cr_assert_eq(cpb_commit(r.s), 0, "step %u", i);
		port_alloc_budget = -1;
		cr_assert_eq(write_some(&r, i, 1), 0);
		cr_assert_eq(cpb_commit(r.s), 0);
	}
	cr_assert_eq(holds(&r, r.now), 1);
	sim_idle(r.s);
	sim_check(r.s);
	end(&r);
}

/* A flush with nothing to do asks the device all the same after a failed write. */
Test(errors, flush_after_failed_write)
{
	struct cpb_run run;
	struct run r;
	u64 flushes;

	begin(&r);
	flushes = r.disk.flushes;
	cr_assert_eq(cpb_flush(r.s), 0);
	cr_assert_eq(r.disk.flushes, flushes, "there was nothing to flush");
	cr_assert_eq(cpb_write_begin(r.s, 0, 1, &run), 0);
	cpb_write_abort(r.s, &run);
	/* Whatever has FUA: the block would not tell. */
	cr_assert_eq(sim_flush(&r.disk, r.s, true), 0);
	cr_assert_eq(r.disk.alone, 0);
	cr_assert_eq(r.disk.flushes, flushes + 1);
	cr_assert_eq(cpb_write_begin(r.s, 0, 1, &run), 0);
	cpb_write_abort(r.s, &run);
	r.disk.fail_flush = 0;
	cr_assert_eq(cpb_flush(r.s), -EIO);
	cr_assert_neq(cpb_close(r.s), 0);
	reopen(&r);
	end(&r);
}

/* What was written with FUA needs one block of the journal, and no flush. */
Test(errors, flush_alone)
{
	struct cpb_vec vec, other;
	unsigned int i;
	struct run r;
	u64 flushes;

	begin(&r);
	flushes = r.disk.flushes;
	cr_assert_eq(write_some(&r, 0, 1), 0);
	cr_assert_eq(all_durable(&r, sim_flush(&r.disk, r.s, true)), 0);
	cr_assert_eq(r.disk.alone, 1);
	cr_assert_eq(r.disk.flushes, flushes);
	cr_assert_eq(cpb_flush_begin(r.s, &vec), 1, "there was nothing to flush");
	/* In the cache of the data device. */
	cr_assert_eq(write_some(&r, 0, 1), 0);
	cr_assert_eq(cpb_flush_begin(r.s, &vec), -EAGAIN);
	/* More than a block. */
	for (i = 0; i < CPB_BLOCK_SIZE / sizeof(struct cpb_disk_record_map); i++)
		cr_assert_eq(write_some(&r, i % SIZE, 1), 0);
	cr_assert_eq(all_durable(&r, sim_flush(&r.disk, r.s, true)), 0);
	cr_assert_eq(r.disk.alone, 1);
	/* Another one is at it. */
	cr_assert_eq(write_some(&r, 0, 1), 0);
	r.disk.clean = true;
	cr_assert_eq(cpb_flush_begin(r.s, &vec), 0);
	cr_assert_eq(write_some(&r, 1, 1), 0);
	cr_assert_eq(cpb_flush_begin(r.s, &other), -EAGAIN);
	/* It was lost with the power: neither is durable. */
	cpb_flush_end(r.s, -EIO);
	cr_assert_eq(cpb_flush_begin(r.s, &vec), -EAGAIN);
	cr_assert_neq(cpb_flush(r.s), 0, "nothing may become durable after that");
	r.disk.clean = false;
	cr_assert_neq(cpb_close(r.s), 0);
	reopen(&r);
	end(&r);
}

/* While a transaction's blocks are written: the data is flushed, and is lost. */
static void lose_data(void *arg)
{
	struct run *r = arg;

	cr_assert_eq(write_some(r, 0, 1), 0);
	r->disk.fail_flush = 0;
	cr_assert_eq(cpb_flush(r->s), -EIO);
	/* As disks do: the next flush finds nothing to complain about. */
	r->disk.fail_flush = -1;
}

Test(errors, no_commit_after_a_failed_flush)
{
	struct run r;
	u64 txn;
	struct cpb_status st;

	begin(&r);
	cpb_status(r.s, &st);
	txn = st.txn;
	cr_assert_eq(write_some(&r, 10, 1), 0);
	r.disk.on_write = lose_data;
	r.disk.on_write_arg = &r;
	cr_assert_neq(cpb_commit(r.s), 0, "a lost write was committed");
	cpb_status(r.s, &st);
	cr_assert_eq(st.txn, txn);
	cr_assert_neq(cpb_close(r.s), 0);
	reopen(&r);
	cr_assert_eq(holds(&r, r.state[0]), 1);
	end(&r);
}

/* ---- Several volumes ---- */

struct team {
	struct run r;
	struct cpb_volume *v[2];
	u64 first[2];
};

/* What is done with all of them at once, so that it is done or not as a whole. */
static int together(struct team *t, unsigned int i)
{
	static const char * const names[] = { "fork1", "fork2" };
	struct cpb_point *p[2] = { cpb_point_by_id(t->r.s, t->first[0]),
				   cpb_point_by_id(t->r.s, t->first[1]) };
	u8 uuids[2][CPB_UUID_LEN] = { "one", "two" };
	struct cpb_store *s = t->r.s;
	struct cpb_volume *forks[2];
	u64 ids[2];

	switch (i) {
	case 0:
		return cpb_snap(s, t->v, 2, "both", "", 0, ids, NULL);
	case 1:
		return cpb_restore_many(s, t->v, p, 2, true, ids, NULL);
	case 2:
		return cpb_fork_many(s, p[0], names, uuids[0], 2, 0, forks, NULL);
	case 3:
		return cpb_set_group(s, t->v, 2, "group", NULL);
	case 4:
		return cpb_hold(s, p[0], "a reason", NULL);
	default:
		return cpb_unhold(s, p[0], NULL);
	}
}

Test(errors, memory_of_many)
{
	struct cpb_status was, st;
	unsigned int i, failed = 0;
	struct team t;
	long n;
	int err;

	begin(&t.r);
	t.v[0] = t.r.v;
	cr_assert_eq(cpb_create(t.r.s, "other", SIZE << CPB_CHUNK_SHIFT_MIN, uuid, 0,
				&t.v[1], NULL), 0);
	cr_assert_eq(cpb_snap(t.r.s, t.v, 2, "first", "", 0, t.first, NULL), 0);
	for (i = 0; i < 6; i++) {
		cpb_status(t.r.s, &was);
		for (n = 0, err = -ENOMEM; err == -ENOMEM && n < 60; n++) {
			port_alloc_budget = n;
			err = together(&t, i);
			port_alloc_budget = -1;
			failed += err == -ENOMEM;
			cpb_status(t.r.s, &st);
			if (err && (st.nr_volumes != was.nr_volumes ||
				    st.nr_checkpoints != was.nr_checkpoints ||
				    st.next_id != was.next_id))
				cr_assert_fail("step %u: a part of it was done", i);
		}
		cr_assert_eq(err, 0, "step %u: error %d", i, err);
	}
	cr_assert_gt(failed, 10);
	sim_idle(t.r.s);
	sim_check(t.r.s);
	end(&t.r);
}
