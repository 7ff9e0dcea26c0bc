/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A batch of the journal in its blocks: batch.c. Like any part of the engine, but
 * what reads journals elsewhere needs no more than this.
 */
#ifndef CPB_BATCH_H
#define CPB_BATCH_H

#include "cpb.h"

#define CPB_BATCH_BLOCKS	32	/* written at once */

/* What there is of a batch that is not whole. */
enum cpb_trace {
	CPB_TRACE_NONE,
	CPB_TRACE_TORN,		/* some of its sectors were not written */
	CPB_TRACE_DAMAGED,	/* all were, or there is a later one */
};

/**
 * struct cpb_batch_form - how a store's batches lie in their blocks
 * @room: bytes of each sector that are the stream's; the rest is a stamp, if any
 * @ends: they end with the sector, not the block, that their stream ends in
 */
struct cpb_batch_form {
	unsigned int room;
	bool ends;
};

struct cpb_batch_form cpb_batch_form(const struct cpb_disk_super *sb);
size_t cpb_batch_bytes(unsigned int blocks, const struct cpb_batch_form *f);
unsigned int cpb_batch_sectors(const struct cpb_vec *vec, unsigned int blocks,
			       const struct cpb_batch_form *f);
size_t cpb_batch_put(const struct cpb_vec *vec, const struct cpb_batch_form *f, size_t at,
		     const void *p, size_t len);
void cpb_batch_clear(const struct cpb_vec *vec, const struct cpb_batch_form *f, size_t at,
		     unsigned int end);
void cpb_batch_get(const struct cpb_vec *vec, unsigned int blocks,
		   const struct cpb_batch_form *f, void *flat);
void cpb_batch_seal(const struct cpb_vec *vec, unsigned int blocks,
		    const struct cpb_batch_form *f);
bool cpb_batch_whole(const struct cpb_vec *vec, unsigned int blocks,
		     const struct cpb_batch_form *f);
bool cpb_batch_is_head(const struct cpb_disk_batch *b, const u8 *uuid);
enum cpb_trace cpb_batch_trace(const struct cpb_vec *vec, unsigned int nr,
			       const struct cpb_batch_form *f, const u8 *uuid, u64 seq,
			       u64 ring);

#endif /* CPB_BATCH_H */
