// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that nothing is written to: see overlay.h.
 */
#include "overlay.h"

struct cpb_overlay_leaf {
	void *data[CPB_OVERLAY_FANOUT];
};

struct cpb_overlay_middle {
	struct cpb_overlay_leaf *leaf[CPB_OVERLAY_FANOUT];
};

static_assert((u64)CPB_OVERLAY_TOP * CPB_OVERLAY_FANOUT * CPB_OVERLAY_FANOUT ==
	      CPB_META_BLOCKS_MAX, "every address");

static const u8 *find(const struct cpb_overlay *o, u64 addr)
{
	const struct cpb_overlay_middle *m;
	const struct cpb_overlay_leaf *l;

	if (addr >= CPB_META_BLOCKS_MAX)
		return NULL;
	m = o->top[addr / CPB_OVERLAY_FANOUT / CPB_OVERLAY_FANOUT];
	l = m ? m->leaf[addr / CPB_OVERLAY_FANOUT % CPB_OVERLAY_FANOUT] : NULL;
	return l ? l->data[addr % CPB_OVERLAY_FANOUT] : NULL;
}

static int overlay_read(void *ctx, u64 block, void *data)
{
	const struct cpb_overlay *o = ctx;
	const u8 *b = find(o, block);

	if (!b)
		return o->ops->read(o->ctx, block, data);
	memcpy(data, b, CPB_BLOCK_SIZE);
	return 0;
}

static int write_one(struct cpb_overlay *o, u64 addr, const void *data)
{
	struct cpb_overlay_middle **m;
	struct cpb_overlay_leaf **l;
	void **b;

	if (addr >= CPB_META_BLOCKS_MAX)
		return -EIO;
	m = &o->top[addr / CPB_OVERLAY_FANOUT / CPB_OVERLAY_FANOUT];
	if (!*m)
		*m = calloc(1, sizeof(**m));
	if (!*m)
		return -ENOMEM;
	l = &(*m)->leaf[addr / CPB_OVERLAY_FANOUT % CPB_OVERLAY_FANOUT];
	if (!*l)
		*l = calloc(1, sizeof(**l));
	if (!*l)
		return -ENOMEM;
	b = &(*l)->data[addr % CPB_OVERLAY_FANOUT];
	if (!*b)
		*b = malloc(CPB_BLOCK_SIZE);
	if (!*b)
		return -ENOMEM;
	memcpy(*b, data, CPB_BLOCK_SIZE);
	return 0;
}

static int overlay_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
			 unsigned int flags)
{
	struct cpb_overlay *o = ctx;
	int err = 0;

	(void)flags;
	for (; nr-- && !err; vec++)
		err = write_one(o, vec->block, vec->data);
	return err;
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

bool cpb_overlay_next(const struct cpb_overlay *o, u64 *addr, void **data)
{
	const u64 fan = CPB_OVERLAY_FANOUT;
	u64 i = *addr;

	while (i < CPB_META_BLOCKS_MAX) {
		const struct cpb_overlay_middle *m = o->top[i / fan / fan];

		if (!m) {
			i = round_up(i + 1, fan * fan);
		} else if (!m->leaf[i / fan % fan]) {
			i = round_up(i + 1, fan);
		} else if (!m->leaf[i / fan % fan]->data[i % fan]) {
			i++;
		} else {
			*addr = i;
			*data = m->leaf[i / fan % fan]->data[i % fan];
			return true;
		}
	}
	return false;
}

void cpb_overlay_free(struct cpb_overlay *o)
{
	unsigned int i, j, k;

	for (i = 0; i < CPB_OVERLAY_TOP; i++) {
		for (j = 0; o->top[i] && j < CPB_OVERLAY_FANOUT; j++) {
			struct cpb_overlay_leaf *l = o->top[i]->leaf[j];

			for (k = 0; l && k < CPB_OVERLAY_FANOUT; k++)
				free(l->data[k]);
			free(l);
		}
		free(o->top[i]);
		o->top[i] = NULL;
	}
}
