/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The store that is damaged: one with every kind of block there is.
 */
#ifndef DAMAGE_BASE_H
#define DAMAGE_BASE_H

#include "../../kmod/core/batch.h"
#include "use.h"

#define BASE_STATES	64
#define BASE_BATCHES	64

/**
 * struct base - a store on its devices, and what it should hold
 * @disk: the devices, as a power cut leaves them behind the last record
 * @known: hashes of what the store held after each operation that is in the
 *	journal, the first one without any of them
 * @state: the same in full
 * @super: the newest superblock
 * @batch: where the batches are that belong to no transaction yet
 */
struct base {
	struct image disk;
	u64 known[BASE_STATES];
	struct view state[BASE_STATES];
	unsigned int nr_known;
	struct cpb_disk_super super;
	u64 batch[BASE_BATCHES];
	unsigned int nr_batches;
};

void base_build(struct base *b);

/** base_knows() - is this what the store held at some time since its last transaction? */
bool base_knows(const struct base *b, u64 hash);

/**
 * base_needs_batch() - is this block a batch of the journal that may not be left out?
 * @b: the store
 * @addr: the block
 * @whole: all of it is something else: it may be the last one, and never written
 */
bool base_needs_batch(const struct base *b, u64 addr, bool whole);

/** base_reseal() - make the checksum of a changed block right again */
void base_reseal(const struct base *b, struct image *d, u64 addr);

#endif /* DAMAGE_BASE_H */
