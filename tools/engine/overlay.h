/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that nothing is written to: what the engine writes stays in memory,
 * and is what it reads from then on. So a store can be looked at as it will be
 * when its journal has been replayed.
 */
#ifndef CPB_OVERLAY_H
#define CPB_OVERLAY_H

#include "../../kmod/core/cpb.h"

/* Addresses of 28 bits, in three steps. */
#define CPB_OVERLAY_TOP		1024
#define CPB_OVERLAY_FANOUT	512

struct cpb_overlay_middle;

/**
 * struct cpb_overlay - the ctx of cpb_overlay_ops; zeroed but for the first two
 * @ops: how the devices below are read
 * @ctx: of @ops
 * @top: the blocks in memory
 */
struct cpb_overlay {
	const struct cpb_ops *ops;
	void *ctx;
	struct cpb_overlay_middle *top[CPB_OVERLAY_TOP];
};

extern const struct cpb_ops cpb_overlay_ops;

/**
 * cpb_overlay_next() - the first block that was written, from @addr on
 * @o: the overlay
 * @addr: where to begin; on true, where it is
 * @data: gets its content
 */
bool cpb_overlay_next(const struct cpb_overlay *o, u64 *addr, void **data);

/** cpb_overlay_free() - forget what was written */
void cpb_overlay_free(struct cpb_overlay *o);

#endif /* CPB_OVERLAY_H */
