/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices in memory that can be put back to what they were: a base that is
 * built once, and a copy of it that is damaged, used and reset many times.
 *
 * The data device keeps one number for each chunk, its content.
 */
#ifndef DAMAGE_IMAGE_H
#define DAMAGE_IMAGE_H

#include "../../kmod/core/cpb.h"

#define IMAGE_LABEL	(~0ULL)	/* the address of the data device's first block */

struct image_undo {
	u64 chunk, content;
};

/**
 * struct image - two devices
 * @block: of the metadata device, by address; NULL: zeroes
 * @before: what a block held before it was last written; NULL: nothing
 * @older: all that was ever written, in order
 * @base: the image that this is a copy of, or NULL
 * @touched: blocks that are not the base's
 * @undo: what chunks held before they were written
 * @left: so many blocks are written until the power fails; 0: it does not
 * @off: the power has failed: writes go nowhere
 */
struct image {
	u64 meta_blocks, chunks, time;
	u8 **block;
	u8 **before;
	u8 **older;
	u64 nr_older, room_older;
	u64 *data;
	u8 label[CPB_BLOCK_SIZE];
	const struct image *base;
	u64 *touched, nr_touched, room_touched;
	struct image_undo *undo;
	u64 nr_undo, room_undo, left;
	bool off;
};

extern const struct cpb_ops image_ops;

void image_init(struct image *d, u64 meta_blocks, u64 chunks);
void image_copy(struct image *d, const struct image *base);
void image_reset(struct image *d);
void image_free(struct image *d);
u64 image_data_bytes(const struct image *d);

/** image_block() - a block that may be changed */
u8 *image_block(struct image *d, u64 addr);

/** image_peek() - a block as it is, or NULL for zeroes */
const u8 *image_peek(const struct image *d, u64 addr);

void image_write_chunk(struct image *d, u64 chunk, u64 content);

#endif /* DAMAGE_IMAGE_H */
