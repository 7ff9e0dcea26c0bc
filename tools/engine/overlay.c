// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that nothing is written to: see overlay.h.
 */
#include "overlay.h"

struct cpb_overlay_block {
	struct cpb_overlay_block *next;
	u64 addr;
	u8 data[CPB_BLOCK_SIZE];
};

static struct cpb_overlay_block *find(const struct cpb_overlay *o, u64 addr)
{
	struct cpb_overlay_block *b = o->bucket[addr % CPB_OVERLAY_BUCKETS];

	while (b && b->addr != addr)
		b = b->next;
	return b;
}

static int overlay_read(void *ctx, u64 block, void *data)
{
	const struct cpb_overlay *o = ctx;
	const struct cpb_overlay_block *b = find(o, block);

	if (!b)
		return o->ops->read(o->ctx, block, data);
	memcpy(data, b->data, CPB_BLOCK_SIZE);
	return 0;
}

static int overlay_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
			 unsigned int flags)
{
	struct cpb_overlay *o = ctx;
	struct cpb_overlay_block *b;

	(void)flags;
	for (; nr--; vec++) {
		b = find(o, vec->block);
		if (!b) {
			struct cpb_overlay_block **slot =
				&o->bucket[vec->block % CPB_OVERLAY_BUCKETS];

			b = malloc(sizeof(*b));
			if (!b)
				return -ENOMEM;
			b->addr = vec->block;
			b->next = *slot;
			*slot = b;
		}
		memcpy(b->data, vec->data, CPB_BLOCK_SIZE);
	}
	return 0;
}

static int overlay_flush_data(void *ctx)
{
	(void)ctx;
	return 0;
}

/* Only formatting writes a label, and that makes no sense here. */
static int overlay_label(void *ctx, void *data, bool write)
{
	const struct cpb_overlay *o = ctx;

	return write ? -EROFS : o->ops->label(o->ctx, data, false);
}

static void overlay_kick(void *ctx, unsigned int why)
{
	(void)ctx;
	(void)why;
}

static u64 overlay_now(void *ctx)
{
	const struct cpb_overlay *o = ctx;

	return o->ops->now(o->ctx);
}

const struct cpb_ops cpb_overlay_ops = {
	.read = overlay_read,
	.write = overlay_write,
	.flush_data = overlay_flush_data,
	.label = overlay_label,
	.kick = overlay_kick,
	.now = overlay_now,
};

void cpb_overlay_free(struct cpb_overlay *o)
{
	struct cpb_overlay_block *b, *next;
	unsigned int i;

	for (i = 0; i < CPB_OVERLAY_BUCKETS; i++) {
		for (b = o->bucket[i]; b; b = next) {
			next = b->next;
			free(b);
		}
		o->bucket[i] = NULL;
	}
}
