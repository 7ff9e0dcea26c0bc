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

unsigned int cpb_batch_room(const struct cpb_disk_super *sb);
size_t cpb_batch_bytes(unsigned int blocks, unsigned int room);
size_t cpb_batch_put(const struct cpb_vec *vec, unsigned int room, size_t at,
		     const void *p, size_t len);
void cpb_batch_get(const struct cpb_vec *vec, unsigned int blocks, unsigned int room,
		   void *flat);
void cpb_batch_seal(const struct cpb_vec *vec, unsigned int blocks, unsigned int room);
bool cpb_batch_whole(const struct cpb_vec *vec, unsigned int blocks, unsigned int room);
enum cpb_trace cpb_batch_trace(const struct cpb_vec *vec, unsigned int nr,
			       const u8 *uuid, u64 seq, u64 ring);

#endif /* CPB_BATCH_H */
