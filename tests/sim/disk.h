/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Simulated devices with a volatile cache, and what a power cut leaves of them.
 *
 * What is written is in the cache until a flush, or durable at once with FUA.
 * A power cut keeps what is durable and any part of the rest: of every block in
 * the cache all of it, none of it, or some of its 512-byte sectors. The data
 * device holds one number for each chunk, its content. A discard makes it zero or
 * anything else, and is as volatile as a write.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "../../kmod/core/cpb.h"

#define DISK_SECTORS	(CPB_BLOCK_SIZE / 512)

/* A write in the cache: of a metadata block, or of a chunk (data is NULL). */
struct disk_write {
	u64 addr, content;
	u8 *data;
};

struct disk {
	u64 meta_blocks, chunks, time;
	u8 **meta;		/* as it reads; NULL: zeroes */
	u64 *data;
	u8 **stable;		/* as it is without power */
	u64 *stable_data;
	bool *borrowed;		/* stable[i] belongs to the disk it was cut from */
	u8 label[CPB_BLOCK_SIZE];
	struct disk_write *cache;
	unsigned int nr, room;
	u64 writes, flushes, discarded, seed;
	u64 unit;		/* of discards, chunks */
	long fail_after;	/* metadata writes until they fail; < 0: never */
	/* Called when something is in the cache that was not there before. */
	void (*on_write)(struct disk *d, void *arg);
	/* Called while a transaction's blocks are written, and before discarded
	 * chunks are lost: others may work then.
	 */
	void (*meanwhile)(struct disk *d, void *arg);
	void *arg;
};

extern const struct cpb_ops disk_ops;

void disk_init(struct disk *d, u64 meta_blocks, u64 chunks);
void disk_free(struct disk *d);
u64 disk_data_bytes(const struct disk *d);

/** disk_discards() - have the store on it discard what is free */
void disk_discards(struct disk *d, struct cpb_store *s);
void disk_write_chunk(struct disk *d, u64 chunk, u64 content, bool fua);

/**
 * disk_cut() - a new disk, as @from is after a power cut
 * @keep: for each write in the cache a mask of the sectors that made it (of a
 *	chunk: any or none)
 */
void disk_cut(struct disk *d, const struct disk *from, const u8 *keep);

#endif /* SIM_DISK_H */
