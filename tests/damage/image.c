// SPDX-License-Identifier: GPL-2.0
/*
 * Devices in memory that can be put back to what they were: see image.h.
 */
#include "image.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void *grow(void *v, u64 nr, u64 *room, size_t size)
{
	if (nr < *room)
		return v;
	*room = 2 * *room + 64;
	return must(realloc(v, *room * size));
}

static u8 *copy_of(const u8 *block)
{
	u8 *p = must(malloc(CPB_BLOCK_SIZE));

	if (block)
		memcpy(p, block, CPB_BLOCK_SIZE);
	else
		memset(p, 0, CPB_BLOCK_SIZE);
	return p;
}

u8 *image_block(struct image *d, u64 addr)
{
	u8 **slot;

	if (addr == IMAGE_LABEL)
		return d->label;
	slot = &d->block[addr];
	if (d->base && *slot == d->base->block[addr]) {
		*slot = copy_of(*slot);
		d->touched = grow(d->touched, d->nr_touched, &d->room_touched,
				  sizeof(u64));
		d->touched[d->nr_touched++] = addr;
	} else if (!*slot) {
		*slot = copy_of(NULL);
	}
	return *slot;
}

const u8 *image_peek(const struct image *d, u64 addr)
{
	return addr == IMAGE_LABEL ? d->label : d->block[addr];
}

/* While the base is built: keep what there was, and what there is. */
static void remember(struct image *d, u64 addr, const void *data)
{
	if (d->block[addr]) {
		free(d->before[addr]);
		d->before[addr] = copy_of(d->block[addr]);
	}
	d->older = grow(d->older, d->nr_older, &d->room_older, sizeof(*d->older));
	d->older[d->nr_older++] = copy_of(data);
}

static int image_read(void *ctx, u64 block, void *data)
{
	struct image *d = ctx;

	if (block >= d->meta_blocks)
		return -EIO;
	if (d->block[block])
		memcpy(data, d->block[block], CPB_BLOCK_SIZE);
	else
		memset(data, 0, CPB_BLOCK_SIZE);
	return 0;
}

static int image_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		       unsigned int flags)
{
	struct image *d = ctx;

	(void)flags;
	for (; nr-- && !d->off; vec++) {
		if (vec->block >= d->meta_blocks)
			return -EIO;
		if (!d->base)
			remember(d, vec->block, vec->data);
		memcpy(image_block(d, vec->block), vec->data, CPB_BLOCK_SIZE - vec->spare);
		d->off = d->left && !--d->left;
	}
	return 0;
}

static int image_flush_data(void *ctx)
{
	(void)ctx;
	return 0;
}

static int image_label(void *ctx, void *data, bool write)
{
	struct image *d = ctx;

	if (write)
		memcpy(d->label, data, CPB_BLOCK_SIZE);
	else
		memcpy(data, d->label, CPB_BLOCK_SIZE);
	return 0;
}

static void image_kick(void *ctx, unsigned int why)
{
	(void)ctx;
	(void)why;
}

static u64 image_now(void *ctx)
{
	return ++((struct image *)ctx)->time;
}

const struct cpb_ops image_ops = {
	.read = image_read,
	.write = image_write,
	.flush_data = image_flush_data,
	.label = image_label,
	.kick = image_kick,
	.now = image_now,
};

void image_write_chunk(struct image *d, u64 chunk, u64 content)
{
	if (d->base) {
		d->undo = grow(d->undo, d->nr_undo, &d->room_undo,
			       sizeof(*d->undo));
		d->undo[d->nr_undo++] =
			(struct image_undo){ chunk, d->data[chunk] };
	}
	d->data[chunk] = content;
}

u64 image_data_bytes(const struct image *d)
{
	return CPB_DATA_START + (d->chunks << CPB_CHUNK_SHIFT_MIN);
}

void image_init(struct image *d, u64 meta_blocks, u64 chunks)
{
	memset(d, 0, sizeof(*d));
	d->meta_blocks = meta_blocks;
	d->chunks = chunks;
	d->block = must(calloc(meta_blocks, sizeof(*d->block)));
	d->before = must(calloc(meta_blocks, sizeof(*d->before)));
	d->data = must(calloc(chunks, sizeof(*d->data)));
}

void image_copy(struct image *d, const struct image *base)
{
	image_init(d, base->meta_blocks, base->chunks);
	d->base = base;
	d->time = base->time;
	memcpy(d->block, base->block, d->meta_blocks * sizeof(*d->block));
	memcpy(d->data, base->data, d->chunks * sizeof(*d->data));
	memcpy(d->label, base->label, sizeof(d->label));
}

void image_reset(struct image *d)
{
	while (d->nr_touched) {
		u64 addr = d->touched[--d->nr_touched];

		free(d->block[addr]);
		d->block[addr] = d->base->block[addr];
	}
	while (d->nr_undo) {
		struct image_undo *u = &d->undo[--d->nr_undo];

		d->data[u->chunk] = u->content;
	}
	d->time = d->base->time;
	memcpy(d->label, d->base->label, sizeof(d->label));
}

void image_free(struct image *d)
{
	u64 i;

	if (d->base)
		image_reset(d);
	for (i = 0; i < d->meta_blocks && !d->base; i++) {
		free(d->block[i]);
		free(d->before[i]);
	}
	for (i = 0; i < d->nr_older; i++)
		free(d->older[i]);
	free(d->block);
	free(d->before);
	free(d->older);
	free(d->data);
	free(d->touched);
	free(d->undo);
	memset(d, 0, sizeof(*d));
}
