// SPDX-License-Identifier: GPL-2.0
/*
 * Devices in memory: see device.h.
 */
#include <sys/mman.h>

#include "device.h"

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int dev_read(void *ctx, u64 block, void *data)
{
	struct device *d = ctx;

	memcpy(data, d->meta + block * CPB_BLOCK_SIZE, CPB_BLOCK_SIZE);
	return 0;
}

static int dev_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		     unsigned int flags __maybe_unused)
{
	struct device *d = ctx;

	for (; nr--; vec++) {
		memcpy(d->meta + vec->block * CPB_BLOCK_SIZE, vec->data,
		       CPB_BLOCK_SIZE);
		d->written++;
	}
	return 0;
}

static int dev_flush(void *ctx __maybe_unused)
{
	return 0;
}

static int dev_label(void *ctx, void *data, bool write)
{
	struct device *d = ctx;

	if (write)
		memcpy(d->label, data, CPB_BLOCK_SIZE);
	else
		memcpy(data, d->label, CPB_BLOCK_SIZE);
	return 0;
}

static void dev_kick(void *ctx, unsigned int why)
{
	struct device *d = ctx;

	__atomic_fetch_or(&d->kicked, why, __ATOMIC_RELAXED);
}

static u64 dev_now(void *ctx)
{
	struct device *d = ctx;

	return ++d->time;
}

const struct cpb_ops device_ops = {
	.read = dev_read,
	.write = dev_write,
	.flush_data = dev_flush,
	.label = dev_label,
	.kick = dev_kick,
	.now = dev_now,
};

static u64 data_bytes(const struct device *d)
{
	return CPB_DATA_START + (d->chunks << CPB_CHUNK_SHIFT_MIN);
}

void device_new(struct device *d, u64 meta_blocks, u64 chunks)
{
	struct cpb_params p = {
		.meta_blocks = meta_blocks,
		.chunk_shift = CPB_CHUNK_SHIFT_MIN,
		.name = "bench",
		.uuid = "0123456789abcde",
		.cookie = "cookie",
	};
	char why[CPB_ERROR_LEN];

	memset(d, 0, sizeof(*d));
	d->meta_blocks = meta_blocks;
	d->chunks = chunks;
	d->meta = mmap(NULL, meta_blocks * CPB_BLOCK_SIZE,
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->meta == MAP_FAILED)
		die("no memory for %llu blocks", (unsigned long long)meta_blocks);
	p.data_bytes = data_bytes(d);
	if (cpb_format(&device_ops, d, &p, why))
		die("format: %s", why);
}

void device_free(struct device *d)
{
	munmap(d->meta, d->meta_blocks * CPB_BLOCK_SIZE);
}

struct cpb_store *device_open(struct device *d)
{
	struct cpb_store *s;
	char why[CPB_ERROR_LEN];

	if (cpb_open(&device_ops, d, d->meta_blocks, data_bytes(d), 2, 0, &s, why))
		die("open: %s", why);
	return s;
}
