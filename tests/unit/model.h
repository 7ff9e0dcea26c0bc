/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A store next to a model of it: plain arrays, copied by every checkpoint.
 *
 * Each operation is done to both; model_compare() reads every virtual chunk of
 * every volume and checkpoint through the engine and compares. Contents are
 * numbers that are never used twice, so that a chunk that was freed too early
 * and written again is seen wherever it is still mapped.
 */
#ifndef MODEL_H
#define MODEL_H

#include "sim.h"

#define MODEL_VOLUMES	8
#define MODEL_POINTS	64

struct model_map {
	u64 id;			/* of the checkpoint, 0: none here */
	int volume;
	u32 held;		/* checkpoint: number in the reason of its hold, or 0 */
	u32 last;		/* head: a field of its policy */
	u64 *content;		/* by virtual chunk; 0: a hole */
};

struct model {
	struct sim disk;
	struct cpb_store *s;
	u64 size;		/* of each volume, chunks */
	u64 next;		/* content of the next chunk written */
	u64 seed;
	unsigned int names;
	struct cpb_volume *volume[MODEL_VOLUMES];
	struct model_map head[MODEL_VOLUMES], point[MODEL_POINTS];
};

void model_init(struct model *m, u64 seed, u64 meta_blocks, u64 chunks, u64 size);
void model_free(struct model *m);
u64 model_random(struct model *m, u64 below);

void model_create(struct model *m, int v);
void model_write(struct model *m, int v, u64 vchunk, u64 len);

/**
 * model_fill() - write single chunks until none is left, or @most
 * @from: where the first one goes, the others follow; or MODEL_ANYWHERE
 *
 * Return: how many were written; the next one got -ENOSPC if it is not @most.
 */
#define MODEL_ANYWHERE	(~0ULL)
u64 model_fill(struct model *m, int v, u64 from, u64 most);
void model_discard(struct model *m, int v, u64 vchunk, u64 len);
int model_snap(struct model *m, int v);
void model_restore(struct model *m, int v, int p, bool safety);
void model_fork(struct model *m, int p, int v);
void model_snap_all(struct model *m);
void model_restore_all(struct model *m, bool safety);
void model_fork_all(struct model *m, int p);
void model_delete(struct model *m, int p);
void model_hold(struct model *m, int p);
void model_policy(struct model *m, int v);
void model_remove(struct model *m, int v);
void model_reopen(struct model *m);
/** model_crash() - reopen it as after a power cut that spared what was written */
void model_crash(struct model *m);

/** model_step() - one random operation of those above */
void model_step(struct model *m);

void model_compare(struct model *m);

#endif /* MODEL_H */
