/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metadata images: all metadata of a store that is in use, in one file.
 *
 *	struct cpb_image_header		as it is
 *	zstd frame:			nothing behind it
 *	  le64 address, 4096 bytes	a block, by rising addresses
 *	  ...
 *	  le64 ~0, le64 number of blocks, le32 their CRC-32C with the addresses
 *
 * Blocks that are all zeroes are left out. Damaged ones are in it as they are.
 * The label of the data device is in the header, so that a store can be looked
 * at without its data.
 */
#ifndef CPB_IMAGE_H
#define CPB_IMAGE_H

#include "../../kmod/core/cpb.h"

#define CPB_IMAGE_MAGIC		"cpblkmd\n"
#define CPB_IMAGE_VERSION	1

/**
 * struct cpb_image_header - how an image begins
 * @magic: CPB_IMAGE_MAGIC
 * @version: CPB_IMAGE_VERSION
 * @crc: CRC-32C of what follows in the header
 * @meta_blocks: size of the metadata device in use
 * @data_bytes: size of the data device as it was
 * @time: nanoseconds since 1970
 * @txn: of the newest superblock, 0 if none is valid
 * @uuid: of the store, likewise
 * @name: of the store, likewise
 * @unread: blocks that could not be read, and are not in it
 * @label: the first block of the data device
 */
struct cpb_image_header {
	u8 magic[8];
	__le32 version;
	__le32 crc;
	__le64 meta_blocks;
	__le64 data_bytes;
	__le64 time;
	__le64 txn;
	u8 uuid[CPB_UUID_LEN];
	u8 name[CPB_NAME_LEN];
	__le64 unread;
	u8 label[CPB_BLOCK_SIZE];
};

/** struct cpb_image_source - where an image is read from; 0 bytes: its end */
struct cpb_image_source {
	ssize_t (*read)(void *ctx, void *data, size_t size);
	void *ctx;
};

/**
 * cpb_image_save() - write an image
 * @ops: the devices; @label is read too
 * @ctx: of @ops
 * @meta_blocks: size of the metadata device
 * @data_bytes: size of the data device
 * @write: gets its bytes in order; 0 or -errno
 * @arg: of @write
 * @h: gets the header that was written
 * @blocks: gets how many blocks are in it
 *
 * What is in use is what the newest superblock and its bitmaps say; all blocks
 * where those are damaged. Return: 0 or -errno.
 */
int cpb_image_save(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
		   u64 data_bytes, int (*write)(void *arg, const void *data, size_t size),
		   void *arg, struct cpb_image_header *h, u64 *blocks);

/**
 * cpb_image_load() - read an image
 * @source: where from
 * @h: gets its header, before the first block comes
 * @block: called for each block, or NULL; 0 or -errno
 * @arg: of @block
 * @blocks: gets how many there were
 * @why: on error, a sentence
 *
 * Whatever the source gives, this ends, in bounded memory. Only when it has
 * returned 0 the blocks are known to be what was saved. Return: 0, -EINVAL: no
 * such image; others.
 */
int cpb_image_load(const struct cpb_image_source *source, struct cpb_image_header *h,
		   int (*block)(void *arg, u64 addr, const void *data), void *arg,
		   u64 *blocks, char why[CPB_ERROR_LEN]);

/** cpb_image_seal() - put the checksum of a header right */
void cpb_image_seal(struct cpb_image_header *h);

#endif /* CPB_IMAGE_H */
