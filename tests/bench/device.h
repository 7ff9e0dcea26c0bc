/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices in memory for the engine's benchmark: they keep metadata, count what
 * is written, and have no data at all. Nothing of it is malloc()ed, so that
 * what is, is the engine's.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include "../../kmod/core/cpb.h"

struct device {
	u64 meta_blocks, chunks;
	u8 *meta;
	u8 label[CPB_BLOCK_SIZE];
	u64 time;
	unsigned int kicked;	/* CPB_KICK_*, of all threads */
	u64 written;		/* blocks of metadata */
};

extern const struct cpb_ops device_ops;

/** device_new() - a formatted store on new devices; never fails but by exiting */
void device_new(struct device *d, u64 meta_blocks, u64 chunks);
void device_free(struct device *d);

/** device_open() - open the store on it */
struct cpb_store *device_open(struct device *d);

/** die() - say why, and exit with 1 */
__attribute__((format(printf, 1, 2), noreturn))
void die(const char *fmt, ...);

#endif /* DEVICE_H */
