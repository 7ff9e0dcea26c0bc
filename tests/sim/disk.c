// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated devices with a volatile cache: see disk.h.
 */
#include "disk.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void cache_add(struct disk *d, u64 addr, const void *data, u64 content)
{
	struct disk_write *w;

	if (d->nr == d->room) {
		d->room = 2 * d->room + 16;
		d->cache = must(realloc(d->cache, d->room * sizeof(*d->cache)));
	}
	w = &d->cache[d->nr++];
	w->addr = addr;
	w->content = content;
	w->data = NULL;
	if (data) {
		w->data = must(malloc(CPB_BLOCK_SIZE));
		memcpy(w->data, data, CPB_BLOCK_SIZE);
	}
}

/* What is behind @bytes stays. */
static void put_bytes(u8 **blocks, u64 addr, const void *data, unsigned int bytes)
{
	if (!blocks[addr])
		blocks[addr] = must(calloc(1, CPB_BLOCK_SIZE));
	memcpy(blocks[addr], data, bytes);
}

static void put_block(u8 **blocks, u64 addr, const void *data)
{
	put_bytes(blocks, addr, data, CPB_BLOCK_SIZE);
}

static void put_stable(struct disk *d, u64 addr, const void *data)
{
	if (d->borrowed[addr]) {
		d->stable[addr] = NULL;
		d->borrowed[addr] = false;
	}
	put_block(d->stable, addr, data);
}

/* Writes from @first on that @wanted says are durable now. */
static void settle(struct disk *d, unsigned int first, bool meta, bool data)
{
	unsigned int i, n = first;

	for (i = first; i < d->nr; i++) {
		struct disk_write *w = &d->cache[i];

		if (w->data && meta) {
			put_stable(d, w->addr, w->data);
			free(w->data);
		} else if (!w->data && data) {
			d->stable_data[w->addr] = w->content;
		} else {
			d->cache[n++] = *w;
		}
	}
	d->nr = n;
}

static int disk_read(void *ctx, u64 block, void *data)
{
	struct disk *d = ctx;

	if (block >= d->meta_blocks)
		return -EIO;
	if (d->meta[block])
		memcpy(data, d->meta[block], CPB_BLOCK_SIZE);
	else
		memset(data, 0, CPB_BLOCK_SIZE);
	return 0;
}

static int disk_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		      unsigned int flags)
{
	struct disk *d = ctx;
	unsigned int i, first;

	if (flags & (CPB_WRITE_PREFLUSH | CPB_WRITE_FLUSH_DATA)) {
		settle(d, 0, flags & CPB_WRITE_PREFLUSH,
		       flags & CPB_WRITE_FLUSH_DATA);
		d->flushes++;
	}
	first = d->nr;
	for (i = 0; i < nr; i++) {
		if (vec[i].block >= d->meta_blocks || !d->fail_after)
			return -EIO;
		if (d->fail_after > 0)
			d->fail_after--;
		put_bytes(d->meta, vec[i].block, vec[i].data, CPB_BLOCK_SIZE - vec[i].spare);
		cache_add(d, vec[i].block, d->meta[vec[i].block], 0);
		d->writes++;
	}
	if (d->on_write && nr)
		d->on_write(d, d->arg);
	if (flags & CPB_WRITE_FUA)
		settle(d, first, true, false);
	if (d->meanwhile && !flags)
		d->meanwhile(d, d->arg);
	return 0;
}

static int disk_flush_data(void *ctx)
{
	settle(ctx, 0, false, true);
	((struct disk *)ctx)->flushes++;
	return 0;
}

static bool disk_data_clean(void *ctx)
{
	const struct disk *d = ctx;
	unsigned int i;

	for (i = 0; i < d->nr; i++)
		if (!d->cache[i].data)
			return false;
	return true;
}

static int disk_label(void *ctx, void *data, bool write)
{
	struct disk *d = ctx;

	if (write)
		memcpy(d->label, data, CPB_BLOCK_SIZE);
	else
		memcpy(data, d->label, CPB_BLOCK_SIZE);
	return 0;
}

static int disk_discard(void *ctx, const struct cpb_discard *piece, unsigned int nr)
{
	struct disk *d = ctx;
	unsigned int i;
	u64 chunk, end;

	/* What others write meanwhile, this may yet destroy. */
	if (d->meanwhile)
		d->meanwhile(d, d->arg);
	for (i = 0; i < nr; i++) {
		chunk = (piece[i].byte - CPB_DATA_START) >> CPB_CHUNK_SHIFT_MIN;
		end = chunk + (piece[i].len >> CPB_CHUNK_SHIFT_MIN);
		if (end > d->chunks)
			return -EIO;
		for (; chunk < end; chunk++) {
			/* Never what somebody has written. */
			d->data[chunk] = ++d->seed & 1 ? 0 : 1ULL << 63 | d->seed;
			cache_add(d, chunk, NULL, d->data[chunk]);
			d->discarded++;
		}
	}
	if (d->on_write)
		d->on_write(d, d->arg);
	return 0;
}

static void disk_kick(void *ctx, unsigned int why)
{
	(void)ctx;
	(void)why;
}

static u64 disk_now(void *ctx)
{
	return ++((struct disk *)ctx)->time;
}

const struct cpb_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush_data = disk_flush_data,
	.data_clean = disk_data_clean,
	.label = disk_label,
	.discard = disk_discard,
	.kick = disk_kick,
	.now = disk_now,
};

/* What was written to this chunk before can't come after what is durable now. */
static void forget_chunk(struct disk *d, u64 chunk)
{
	unsigned int i, n = 0;

	for (i = 0; i < d->nr; i++)
		if (d->cache[i].data || d->cache[i].addr != chunk)
			d->cache[n++] = d->cache[i];
	d->nr = n;
}

void disk_write_chunk(struct disk *d, u64 chunk, u64 content, bool fua)
{
	d->data[chunk] = content;
	cache_add(d, chunk, NULL, content);
	d->writes++;
	if (d->on_write)
		d->on_write(d, d->arg);
	if (fua) {
		forget_chunk(d, chunk);
		d->stable_data[chunk] = content;
	}
}

u64 disk_data_bytes(const struct disk *d)
{
	return CPB_DATA_START + (d->chunks << CPB_CHUNK_SHIFT_MIN);
}

void disk_discards(struct disk *d, struct cpb_store *s)
{
	cpb_set_discards(s, d->unit << CPB_CHUNK_SHIFT_MIN, 0,
			 d->chunks << CPB_CHUNK_SHIFT_MIN);
}

void disk_init(struct disk *d, u64 meta_blocks, u64 chunks)
{
	memset(d, 0, sizeof(*d));
	d->meta_blocks = meta_blocks;
	d->chunks = chunks;
	d->meta = must(calloc(meta_blocks, sizeof(*d->meta)));
	d->stable = must(calloc(meta_blocks, sizeof(*d->stable)));
	d->borrowed = must(calloc(meta_blocks, sizeof(*d->borrowed)));
	d->data = must(calloc(chunks, sizeof(*d->data)));
	d->stable_data = must(calloc(chunks, sizeof(*d->stable_data)));
	d->fail_after = -1;
	d->unit = 1;
}

void disk_free(struct disk *d)
{
	u64 i;

	for (i = 0; i < d->meta_blocks; i++) {
		free(d->meta[i]);
		if (!d->borrowed[i])
			free(d->stable[i]);
	}
	for (i = 0; i < d->nr; i++)
		free(d->cache[i].data);
	free(d->cache);
	free(d->meta);
	free(d->stable);
	free(d->borrowed);
	free(d->data);
	free(d->stable_data);
}

void disk_cut(struct disk *d, const struct disk *from, const u8 *keep)
{
	unsigned int i, s;
	u64 b;

	disk_init(d, from->meta_blocks, from->chunks);
	d->time = from->time;
	d->seed = from->seed;
	d->unit = from->unit;
	memcpy(d->label, from->label, sizeof(d->label));
	memcpy(d->stable_data, from->stable_data, d->chunks * sizeof(u64));
	for (b = 0; b < d->meta_blocks; b++) {
		d->stable[b] = from->stable[b];
		d->borrowed[b] = from->stable[b];
	}
	for (i = 0; i < from->nr; i++) {
		const struct disk_write *w = &from->cache[i];
		u8 block[CPB_BLOCK_SIZE] = { 0 };

		if (!w->data) {
			if (keep[i])
				d->stable_data[w->addr] = w->content;
			continue;
		}
		if (d->stable[w->addr])
			memcpy(block, d->stable[w->addr], sizeof(block));
		for (s = 0; s < DISK_SECTORS; s++)
			if (keep[i] >> s & 1)
				memcpy(block + s * 512, w->data + s * 512, 512);
		if (keep[i])
			put_stable(d, w->addr, block);
	}
	memcpy(d->data, d->stable_data, d->chunks * sizeof(u64));
	for (b = 0; b < d->meta_blocks; b++)
		if (d->stable[b])
			put_block(d->meta, b, d->stable[b]);
}
