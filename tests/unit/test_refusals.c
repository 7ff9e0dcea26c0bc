// SPDX-License-Identifier: GPL-2.0
/*
 * What the engine refuses, with a sentence and nothing changed; and that what
 * was done is done again from the journal.
 */
#include <criterion/criterion.h>

#include "sim.h"

#define BLOCKS	4096
#define CHUNKS	4096
#define SIZE	(100ULL << CPB_CHUNK_SHIFT_MIN)

/* Of the address sanitizer, whose header is not everywhere. */
size_t __sanitizer_get_current_allocated_bytes(void);

/* Bytes in use; what is built to count lines has no sanitizer to ask. */
static size_t bytes_in_use(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	return 0;
#endif
}

static const u8 uuid[CPB_UUID_LEN] = "uuid";
static char why[CPB_ERROR_LEN];

/* It must fail like this, and say so in words with this among them. */
#define refused(call, error, words)						\
	do {									\
		why[0] = 0;							\
		int err_ = (call);						\
										\
		cr_assert_eq(err_, error, "%s: %d", #call, err_);		\
		cr_assert(strstr(why, words), "%s: '%s'", #call, why);		\
	} while (0)

struct env {
	struct sim disk;
	struct cpb_store *s;
	struct cpb_volume *a, *b;
	struct cpb_point *p;		/* a@one */
};

static void begin(struct env *e)
{
	u64 id;

	memset(e, 0, sizeof(*e));
	sim_init(&e->disk, BLOCKS, CHUNKS);
	sim_format(&e->disk);
	e->s = sim_open(&e->disk);
	cr_assert_eq(cpb_create(e->s, "a", SIZE, uuid, 0, &e->a, why), 0);
	cr_assert_eq(cpb_create(e->s, "b", SIZE, uuid, 0, &e->b, why), 0);
	cr_assert_eq(cpb_snap(e->s, &e->a, 1, "one", "", 0, &id, why), 0);
	e->p = cpb_checkpoint(e->a, "one");
	cr_assert(e->p && e->p == cpb_point_by_id(e->s, id));
}

static void end(struct env *e)
{
	sim_idle(e->s);
	sim_check(e->s);
	cr_assert_eq(cpb_close(e->s), 0);
	sim_free(&e->disk);
}

/* As after a power cut that spared what was written. */
static void crash(struct env *e)
{
	e->disk.fail_write = 0;
	cr_assert_neq(cpb_commit(e->s), 0);
	cr_assert_neq(cpb_close(e->s), 0);
	e->disk.fail_write = -1;
	e->s = sim_open(&e->disk);
	e->a = cpb_volume_by_name(e->s, "a");
	e->b = cpb_volume_by_name(e->s, "b");
	e->p = e->a ? cpb_checkpoint(e->a, "one") : NULL;
}

static void take_chunk(struct env *e, struct cpb_run *run)
{
	int err;

	while ((err = cpb_write_begin(e->s, 0, 1, run)) == -EAGAIN)
		cr_assert_eq(cpb_write_wait(e->s), 0);
	cr_assert_eq(err, 0);
}

Test(refusals, format)
{
	struct cpb_params good = { .name = "sim", .uuid = "0123456789abcde" }, p;
	struct sim d;

	sim_init(&d, BLOCKS, CHUNKS);
	good.meta_blocks = BLOCKS;
	good.data_bytes = sim_data_bytes(&d);
#define bad(field, value, words)						\
	do {									\
		p = good;							\
		p.field = value;						\
		refused(cpb_format(&sim_ops, &d, &p, why), -EINVAL, words);	\
	} while (0)
	bad(name[0], '-', "name");
	bad(name[1], '/', "name");
	bad(chunk_shift, 11, "chunk size");
	bad(meta_blocks, 100, "metadata device");
	bad(data_bytes, CPB_DATA_START, "data device");
	bad(journal_blocks, 8, "journal");
	cr_assert_eq(d.writes, 0);
	p = good;
	d.fail_write = 3;
	refused(cpb_format(&sim_ops, &d, &p, why), -EIO, "writing failed");
	sim_free(&d);
}

static int try_open(struct sim *d, u64 blocks, u64 bytes, unsigned int flags)
{
	struct cpb_store *s;
	int err = cpb_open(&sim_ops, d, blocks, bytes, 1, flags, &s, why);

	if (!err)
		cpb_close(s);
	return err;
}

static u32 crc_of(const u8 *block)
{
	return port_crc(0, block + sizeof(__le32), CPB_BLOCK_SIZE - sizeof(__le32));
}

/* Change a field of both superblocks, and make their checksums right again. */
static void change_super(struct sim *d, size_t at, u32 value)
{
	static const u64 place[] = { 0, CPB_SB_SECOND };
	unsigned int i;
	__le32 v;

	for (i = 0; i < 2; i++) {
		u8 *b = d->meta[place[i]];

		v = cpu_to_le32(value);
		memcpy(b + at, &v, sizeof(v));
		v = cpu_to_le32(crc_of(b));
		memcpy(b, &v, sizeof(v));
	}
}

Test(refusals, opening)
{
	u64 bytes;
	struct env e;
	struct sim *d = &e.disk;
	u8 saved[CPB_BLOCK_SIZE];
	long n;
	int err;

	begin(&e);
	cr_assert_eq(cpb_close(e.s), 0);
	bytes = sim_data_bytes(d);
	refused(try_open(d, BLOCKS - 1, bytes, 0), -ENODEV, "metadata device is too small");
	refused(try_open(d, BLOCKS, bytes - 8192, 0), -ENODEV, "data device is too small");
	d->fail_read = 0;
	refused(try_open(d, BLOCKS, bytes, 0), -EIO, "can't be read");
	d->fail_read = -1;
	memcpy(saved, d->label, sizeof(saved));
	d->label[100] ^= 1;
	refused(try_open(d, BLOCKS, bytes, 0), -ENODEV, "no label");
	memcpy(d->label, saved, sizeof(saved));
	change_super(d, offsetof(struct cpb_disk_super, label_crc), 1);
	refused(try_open(d, BLOCKS, bytes, 0), -ENODEV, "belongs to another store");
	change_super(d, offsetof(struct cpb_disk_super, label_crc),
		     port_crc(0, ((struct cpb_disk_label *)d->label)->cookie,
			      sizeof(((struct cpb_disk_label *)d->label)->cookie)));
	change_super(d, offsetof(struct cpb_disk_super, version), 77);
	refused(try_open(d, BLOCKS, bytes, 0), -EINVAL, "format version 77");
	change_super(d, offsetof(struct cpb_disk_super, version), CPB_VERSION);
	change_super(d, offsetof(struct cpb_disk_super, ro_compat), 1);
	refused(try_open(d, BLOCKS, bytes, 0), -EINVAL, "read-only");
	cr_assert_eq(try_open(d, BLOCKS, bytes, CPB_OPEN_READONLY), 0);
	change_super(d, offsetof(struct cpb_disk_super, ro_compat), 0);
	/* Memory that ends anywhere, and all of what was there is given back. */
	for (n = 0, err = -ENOMEM; err; n++) {
		size_t bytes_before = bytes_in_use();

		port_alloc_budget = n;
		why[0] = 0;
		err = try_open(d, BLOCKS, bytes, 0);
		port_alloc_budget = -1;
		port_rcu_barrier();
		cr_assert_eq(bytes_in_use(), bytes_before, "%d after %ld leaks", err,
			     n);
		cr_assert(!err || (err == -ENOMEM && why[0]), "%d after %ld: %s", err, n, why);
	}
	cr_assert_gt(n, 5);
	e.s = sim_open(d);
	end(&e);
}

Test(refusals, history)
{
	struct cpb_volume *v, *twice[2];
	char message[CPB_MESSAGE_LEN + 1];
	struct env e;

	begin(&e);
	twice[0] = e.a;
	twice[1] = e.a;
	memset(message, 'm', CPB_MESSAGE_LEN);
	message[CPB_MESSAGE_LEN] = 0;
	refused(cpb_create(e.s, "-x", SIZE, uuid, 0, &v, why), -EINVAL, "name");
	refused(cpb_create(e.s, "a", SIZE, uuid, 0, &v, why), -EEXIST, "already");
	refused(cpb_create(e.s, "c", 1000, uuid, 0, &v, why), -EINVAL, "");
	refused(cpb_snap(e.s, twice, 2, NULL, "", 0, NULL, why), -EINVAL, "named twice");
	refused(cpb_snap(e.s, twice, 0, NULL, "", 0, NULL, why), -EINVAL, "volumes");
	refused(cpb_snap(e.s, twice, 1, NULL, message, 0, NULL, why), -EINVAL, "message");
	refused(cpb_snap(e.s, &e.a, 1, "one", "", 0, NULL, why), -EEXIST, "already");
	refused(cpb_fork(e.s, e.p, "b", uuid, 0, &v, why), -EEXIST, "already");
	refused(cpb_resize(e.a, 1000, why), -EINVAL, "");
	/* Both or none. */
	twice[1] = e.b;
	refused(cpb_snap(e.s, twice, 2, "one", "", 0, NULL, why), -EEXIST, "already");
	cr_assert_null(cpb_checkpoint(e.b, "one"));
	cr_assert_eq(cpb_snap(e.s, twice, 2, "both", "", 0, NULL, why), 0);
	end(&e);
}

Test(refusals, deleting)
{
	char reason[CPB_HOLD_LEN + 1];
	struct cpb_point *two[2];
	u64 cost, ids[] = { 12345 };
	struct env e;

	begin(&e);
	two[0] = e.p;
	two[1] = e.p;
	memset(reason, 'r', CPB_HOLD_LEN);
	reason[CPB_HOLD_LEN] = 0;
	refused(cpb_delete_many(e.s, two, 2, why), -EINVAL, "twice");
	refused(cpb_delete_many(e.s, two, 0, why), -EINVAL, "at once");
	refused(cpb_hold(e.s, e.p, reason, why), -EINVAL, "longer");
	refused(cpb_unhold(e.s, e.p, why), -ENOENT, "");
	refused(cpb_cost(e.s, ids, 1, &cost, why), -ENOENT, "12345");
	cr_assert_eq(cpb_pin(e.p), 0);
	refused(cpb_delete(e.s, e.p, why), -EBUSY, "attached");
	refused(cpb_remove(e.a, false, why), -EBUSY, "attached");
	cpb_unpin(e.p);
	cr_assert_eq(cpb_hold(e.s, e.p, "mine", why), 0);
	refused(cpb_remove(e.a, false, why), -EBUSY, "held");
	cr_assert_eq(cpb_unhold(e.s, e.p, why), 0);
	cr_assert_eq(cpb_remove(e.a, false, why), 0);
	cr_assert_null(cpb_volume_by_name(e.s, "a"));
	end(&e);
}

/* Everything that the journal can hold is done again. */
Test(refusals, replay)
{
	struct cpb_policy policy = { .last = 3, .max_age = 5 };
	struct cpb_volume_info vi;
	struct cpb_point_info pi;
	struct cpb_volume *v;
	struct env e;

	begin(&e);
	cr_assert_eq(cpb_hold(e.s, e.p, "known good", why), 0);
	cr_assert_eq(cpb_set_policy(e.b, &policy, why), 0);
	cr_assert_eq(cpb_resize(e.b, 2 * SIZE, why), 0);
	cr_assert_eq(cpb_fork(e.s, e.p, "c", uuid, 0, &v, why), 0);
	cr_assert_eq(cpb_restore(e.b, e.p, true, NULL, why), 0);
	cr_assert_eq(cpb_snap(e.s, &v, 1, "gone", "", 0, NULL, why), 0);
	cr_assert_eq(cpb_delete(e.s, cpb_checkpoint(v, "gone"), why), 0);
	cr_assert_eq(cpb_remove(v, false, why), 0);
	crash(&e);
	cr_assert(e.a && e.b && e.p);
	cr_assert_null(cpb_volume_by_name(e.s, "c"));
	cpb_volume_info(e.b, &vi);
	cr_assert_eq(vi.policy.last, 3);
	cr_assert_eq(vi.policy.max_age, 5);
	cr_assert_eq(vi.head.size, SIZE);
	cr_assert_neq(vi.undo, 0);
	cpb_point_info(e.s, e.p, &pi);
	cr_assert_str_eq(pi.hold, "known good");
	cr_assert_eq(cpb_unhold(e.s, e.p, why), 0);
	crash(&e);
	cpb_point_info(e.s, e.p, &pi);
	cr_assert_str_eq(pi.hold, "");
	cpb_set_owner(e.a, &e);
	cr_assert_eq(cpb_volume_owner(e.a), &e);
	end(&e);
}

/* A partial write that was overtaken changes nothing and starts over. */
Test(refusals, overtaken)
{
	struct cpb_extent old;
	struct cpb_run run, other;
	struct env e;

	begin(&e);
	cr_assert_eq(cpb_lookup(e.s, cpb_head(e.a), 7, 1, &old, 1), 1);
	cr_assert_eq(old.chunk, CPB_HOLE);
	take_chunk(&e, &run);
	take_chunk(&e, &other);
	cr_assert_eq(cpb_chunk_byte(e.s, run.chunk),
		     CPB_DATA_START + (run.chunk << CPB_CHUNK_SHIFT_MIN));
	cr_assert_eq(cpb_write_end(e.a, 7, &other, NULL), 0);
	cr_assert_eq(cpb_write_end(e.a, 7, &run, &old), -ESTALE);
	cr_assert_eq(cpb_lookup(e.s, cpb_head(e.a), 7, 1, &old, 1), 1);
	cr_assert_eq(old.chunk, other.chunk);
	cr_assert_eq(cpb_write_end(e.a, 7, &run, &old), 0);
	end(&e);
}

/* A store that was opened read-only refuses every change. */
Test(refusals, readonly)
{
	struct cpb_volume *v;
	struct cpb_run run;
	u64 at = 0, len = 1;
	struct env e;

	begin(&e);
	cr_assert_eq(cpb_close(e.s), 0);
	cr_assert_eq(cpb_open(&sim_ops, &e.disk, BLOCKS, sim_data_bytes(&e.disk), 1,
			      CPB_OPEN_READONLY, &e.s, why), 0);
	e.a = cpb_volume_by_name(e.s, "a");
	e.p = cpb_checkpoint(e.a, "one");
	refused(cpb_create(e.s, "c", SIZE, uuid, 0, &v, why), -EROFS, "read-only");
	refused(cpb_delete(e.s, e.p, why), -EROFS, "read-only");
	cr_assert_eq(cpb_write_begin(e.s, 0, 1, &run), -EROFS);
	cr_assert_eq(cpb_write_wait(e.s), -EROFS);
	cr_assert_eq(cpb_unmap(e.a, &at, &len, NULL), -EROFS);
	cr_assert_eq(cpb_commit(e.s), -EROFS);
	cr_assert_eq(cpb_reap(e.s), 0);
	cr_assert_eq(cpb_refill(e.s), 0);
	cr_assert_eq(cpb_flush(e.s), 0);
	cr_assert_eq(cpb_close(e.s), 0);
	e.s = sim_open(&e.disk);
	end(&e);
}
