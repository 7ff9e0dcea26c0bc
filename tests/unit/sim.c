// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated devices for the engine: see sim.h.
 */
#include <criterion/criterion.h>

#include "../../tools/engine/rest.h"
#include "../../kmod/core/engine.h"
#include "sim.h"

/* Is it time to fail? */
static bool fails(long *after)
{
	if (!*after)
		return true;
	if (*after > 0)
		--*after;
	return false;
}

static int sim_read(void *ctx, u64 block, void *data)
{
	void (*on_read)(void *arg);
	struct sim *d = ctx;

	if (block >= d->meta_blocks || block == d->unreadable || fails(&d->fail_read))
		return -EIO;
	if (d->meta[block])
		memcpy(data, d->meta[block], CPB_BLOCK_SIZE);
	else
		memset(data, 0, CPB_BLOCK_SIZE);
	on_read = d->on_read;
	d->on_read = NULL;
	if (on_read)
		on_read(d->on_read_arg);
	return 0;
}

static int sim_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		     unsigned int flags)
{
	void (*on_write)(void *arg);
	struct sim *d = ctx;

	if (flags & (CPB_WRITE_PREFLUSH | CPB_WRITE_FLUSH_DATA)) {
		if (fails(&d->fail_flush))
			return -EIO;
		d->flushes++;
	}
	for (; nr--; vec++) {
		if (vec->block >= d->meta_blocks)
			return -EIO;
		if (fails(&d->fail_write))
			return -EIO;
		if (!d->meta[vec->block])
			d->meta[vec->block] = calloc(1, CPB_BLOCK_SIZE);
		if (vec->block == d->unreadable)
			d->unreadable = ~0ULL;
		memcpy(d->meta[vec->block], vec->data, CPB_BLOCK_SIZE - vec->spare);
		d->writes++;
	}
	on_write = d->on_write;
	d->on_write = NULL;
	if (on_write)
		on_write(d->on_write_arg);
	return 0;
}

static int sim_flush_data(void *ctx)
{
	void (*on_flush)(void *arg);
	struct sim *d = ctx;

	on_flush = d->on_flush;
	d->on_flush = NULL;
	if (on_flush)
		on_flush(d->on_flush_arg);
	if (fails(&d->fail_flush))
		return -EIO;
	d->flushes++;
	return 0;
}

/* As if all was written with FUA. */
static bool sim_data_clean(void *ctx)
{
	struct sim *d = ctx;

	return d->clean;
}

static int sim_label(void *ctx, void *data, bool write)
{
	struct sim *d = ctx;

	if (write)
		memcpy(d->label, data, CPB_BLOCK_SIZE);
	else
		memcpy(data, d->label, CPB_BLOCK_SIZE);
	return 0;
}

static int sim_discard(void *ctx, const struct cpb_discard *piece, unsigned int nr)
{
	void (*on_discard)(void *arg);
	struct sim *d = ctx;
	u64 i, from, len, all = 0;

	if (fails(&d->fail_discard))
		return -EIO;
	on_discard = d->on_discard;
	d->on_discard = NULL;
	if (on_discard)
		on_discard(d->on_discard_arg);
	for (; nr--; piece++) {
		from = (piece->byte - CPB_DATA_START) >> d->chunk_shift;
		len = piece->len >> d->chunk_shift;
		cr_assert(len && len <= d->most && from + len <= d->chunks);
		cr_assert_eq((from + d->unit - d->first) % d->unit, 0);
		cr_assert_eq(len % d->unit, 0);
		for (i = 0; i < len; i++)
			d->data[from + i] = SIM_DISCARDED;
		d->discards++;
		all += len;
	}
	d->discarded += all;
	d->largest = max(d->largest, all);
	return 0;
}

static void sim_kick(void *ctx, unsigned int why)
{
	void (*on_trim)(void *arg);
	struct sim *d = ctx;

	d->kicked |= why;
	if (why & CPB_KICK_LEVEL && d->on_level)
		d->on_level(d->on_level_arg);
	if (!(why & CPB_KICK_TRIM))
		return;
	on_trim = d->on_trim;
	d->on_trim = NULL;
	if (on_trim)
		on_trim(d->on_trim_arg);
}

static u64 sim_now(void *ctx)
{
	struct sim *d = ctx;

	return ++d->time;
}

const struct cpb_ops sim_ops = {
	.read = sim_read,
	.write = sim_write,
	.flush_data = sim_flush_data,
	.data_clean = sim_data_clean,
	.label = sim_label,
	.discard = sim_discard,
	.kick = sim_kick,
	.now = sim_now,
};

void sim_init(struct sim *d, u64 meta_blocks, u64 chunks)
{
	memset(d, 0, sizeof(*d));
	d->meta_blocks = meta_blocks;
	d->chunks = chunks;
	d->chunk_shift = CPB_CHUNK_SHIFT_MIN;
	d->meta = calloc(meta_blocks, sizeof(*d->meta));
	d->data = calloc(chunks, sizeof(*d->data));
	d->fail_write = -1;
	d->fail_read = -1;
	d->fail_flush = -1;
	d->fail_discard = -1;
	d->unreadable = ~0ULL;
	d->unit = 1;
	d->most = chunks;
}

void sim_grow(struct sim *d, u64 meta_blocks, u64 chunks)
{
	d->meta = reallocarray(d->meta, meta_blocks, sizeof(*d->meta));
	d->data = reallocarray(d->data, chunks, sizeof(*d->data));
	memset(d->meta + d->meta_blocks, 0,
	       (meta_blocks - d->meta_blocks) * sizeof(*d->meta));
	memset(d->data + d->chunks, 0, (chunks - d->chunks) * sizeof(*d->data));
	d->meta_blocks = meta_blocks;
	d->chunks = chunks;
}

void sim_free(struct sim *d)
{
	u64 i;

	for (i = 0; i < d->meta_blocks; i++)
		free(d->meta[i]);
	free(d->meta);
	free(d->data);
}

u64 sim_data_bytes(const struct sim *d)
{
	return CPB_DATA_START + (d->chunks << d->chunk_shift);
}

void sim_format(struct sim *d)
{
	struct cpb_params p = {
		.meta_blocks = d->meta_blocks,
		.data_bytes = sim_data_bytes(d),
		.chunk_shift = d->chunk_shift,
		.name = "sim",
		.uuid = "0123456789abcde",
		.cookie = "cookie",
	};
	char why[CPB_ERROR_LEN];
	int err = cpb_format(&sim_ops, d, &p, why);

	cr_assert_eq(err, 0, "format: %s", why);
}

struct cpb_store *sim_open(struct sim *d)
{
	struct cpb_store *s = NULL;
	char why[CPB_ERROR_LEN];
	int err = cpb_open(&sim_ops, d, d->meta_blocks, sim_data_bytes(d), 2, 0,
			   &s, why);

	cr_assert_eq(err, 0, "open: %s", why);
	/* The first granule that begins behind what is in front of the chunks. */
	cpb_set_discards(s, d->unit << d->chunk_shift,
			 (CPB_DATA_START + (d->first << d->chunk_shift)) %
			 (d->unit << d->chunk_shift), d->most << d->chunk_shift);
	return s;
}

int sim_flush(struct sim *d, struct cpb_store *s, bool clean)
{
	struct cpb_vec vec;
	int err;

	d->clean = clean;
	err = cpb_flush_begin(s, &vec);
	d->clean = false;
	if (err == -EAGAIN)
		return cpb_flush(s);
	if (err)
		return 0;
	err = sim_write(d, &vec, 1, CPB_WRITE_FUA);
	cpb_flush_end(s, err);
	d->alone++;
	return err;
}

void sim_idle(struct cpb_store *s)
{
	int err = cpb_rest(s);
	struct cpb_status st;

	if (err) {
		cpb_status(s, &st);
		cr_assert_fail("background work: %d: %s", err, st.error);
	}
	port_rcu_barrier();
}

static void line(void *arg, const char *text)
{
	unsigned int *n = arg;

	if ((*n)++ < 20)
		cr_log_error("check: %s", text);
}

void sim_check(struct cpb_store *s)
{
	struct cpb_check_report r;
	unsigned int n = 0;
	int err = cpb_check(s, &r, line, &n);

	cr_assert(!err && !n, "check: error %d, %u complaints", err, n);
	cr_assert_eq(s->nr_uncounted, 0, "commits took more blocks than they were to, %llu",
		     (unsigned long long)s->nr_uncounted);
	cr_assert_eq(r.chunks_reachable, r.chunks_allocated);
	cr_assert_eq(r.blocks_reachable, r.blocks_allocated);
}
