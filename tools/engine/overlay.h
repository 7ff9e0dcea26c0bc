/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that nothing is written to: what the engine writes stays in memory,
 * and is what it reads from then on. So a store can be looked at as it will be
 * when its journal has been replayed.
 */
#ifndef CPB_OVERLAY_H
#define CPB_OVERLAY_H

#include "../../kmod/core/cpb.h"

#define CPB_OVERLAY_BUCKETS	4096

struct cpb_overlay_block;

/**
 * struct cpb_overlay - the ctx of cpb_overlay_ops; zeroed but for the first two
 * @ops: how the devices below are read
 * @ctx: of @ops
 * @bucket: the blocks in memory
 */
struct cpb_overlay {
	const struct cpb_ops *ops;
	void *ctx;
	struct cpb_overlay_block *bucket[CPB_OVERLAY_BUCKETS];
};

extern const struct cpb_ops cpb_overlay_ops;

/** cpb_overlay_free() - forget what was written */
void cpb_overlay_free(struct cpb_overlay *o);

#endif /* CPB_OVERLAY_H */
