/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Simulated devices for the engine, in memory.
 *
 * The metadata device keeps its blocks. Of the data device only what matters
 * is kept: one number for each chunk, its content.
 */
#ifndef SIM_H
#define SIM_H

#include "../../kmod/core/cpb.h"

struct sim {
	u64 meta_blocks, chunks;
	unsigned int chunk_shift;
	u8 **meta;		/* NULL: zeroes */
	u64 *data;
	u8 label[CPB_BLOCK_SIZE];
	u64 time;
	unsigned int kicked;	/* CPB_KICK_* since it was last cleared */
	u64 writes, flushes;	/* of metadata blocks, of either device */
	void (*on_read)(void *arg);	/* called behind a read of metadata, once */
	void *on_read_arg;
	void (*on_write)(void *arg);	/* called behind a write of metadata, once */
	void *on_write_arg;
	/* Of discards, chunks: what sim_open() tells the engine. */
	u64 unit, first, most;
	u64 discards, discarded;	/* pieces, chunks */
	u64 largest;			/* batch, chunks */
	bool clean;			/* no data to flush: cpb_flush_begin() */
	u64 alone;			/* flushes in two halves */
	void (*on_discard)(void *arg);	/* called before the chunks are lost, once */
	void *on_discard_arg;
	void (*on_flush)(void *arg);	/* called before a flush of data, once */
	void *on_flush_arg;
	void (*on_level)(void *arg);	/* called by CPB_KICK_LEVEL */
	void *on_level_arg;
	void (*on_trim)(void *arg);	/* called by CPB_KICK_TRIM, once */
	void *on_trim_arg;
	/* So many of these from now on they fail; < 0: never. */
	long fail_write, fail_read, fail_flush, fail_discard;
	u64 unreadable;			/* a metadata block, until it is written; ~0: none */
};

/* Content of a chunk that was discarded. */
#define SIM_DISCARDED	(~0ULL)

extern const struct cpb_ops sim_ops;

void sim_init(struct sim *d, u64 meta_blocks, u64 chunks);
void sim_free(struct sim *d);
/** sim_grow() - the devices become larger */
void sim_grow(struct sim *d, u64 meta_blocks, u64 chunks);
u64 sim_data_bytes(const struct sim *d);

/** sim_format() - an empty store named "sim", or the test fails */
void sim_format(struct sim *d);

/** sim_open() - open it, or the test fails */
struct cpb_store *sim_open(struct sim *d);

/** sim_flush() - cpb_flush(); @clean: as if all was written with FUA, in two halves if it can be */
int sim_flush(struct sim *d, struct cpb_store *s, bool clean);

/** sim_idle() - do all that is to be done in the background */
void sim_idle(struct cpb_store *s);

/** sim_check() - cpb_check(), or the test fails with what it says */
void sim_check(struct cpb_store *s);

#endif /* SIM_H */
