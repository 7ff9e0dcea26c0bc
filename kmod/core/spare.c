// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata blocks that are left alone.
 *
 * A commit takes blocks, and must not find none: the store would be read-only. So
 * what waits for the next one is counted in blocks, at its worst, and whatever adds
 * to that is admitted only if these, and some more, are there, or comes after a
 * commit. Writes leave most alone (cpb_store.floor), discards and what makes new
 * objects less (keep), restores less than that. The rest is for reclaiming, which
 * gives blocks in the end.
 */
#include "engine.h"

#define FOR_RESTORES	32	/* of cpb_store.keep: eight safety checkpoints each */
#define FOR_OTHERS	32	/* of cpb_store.floor, at least: the same for checkpoints */

/* What a commit takes if so many blocks of objects change: copies, and of their index. */
static u64 object_blocks(struct cpb_store *s, u64 blocks)
{
	u64 all = READ_ONCE(s->slots.nr) / CPB_OBJECTS_PER_BLOCK;

	return blocks + min(blocks, all / CPB_INDEX_FANOUT + CPB_TABLE_LEVELS);
}

/*
 * What a commit takes if @more chunks are dropped until then: each may be an entry
 * of a deadlist, or a run that a bitmap has. An entry may have a leaf to itself,
 * which is copied and split, and so has the way to it.
 */
static u64 commit_cost(struct cpb_store *s, u64 more)
{
	u64 dead = READ_ONCE(s->nr_dead) + more, runs = READ_ONCE(s->nr_runs) + more;
	u64 nodes = READ_ONCE(s->dead_nodes), leaves = min(dead, nodes);

	return 2 * leaves + min(leaves * READ_ONCE(s->dead.level), nodes / 16) + dead / 32 +
	       min(2 * runs, cpb_bitmap_blocks(s)) +
	       object_blocks(s, READ_ONCE(s->slots.nr_dirty) + READ_ONCE(s->slots.nr_ahead)) +
	       64;
}

/**
 * cpb_commit_cost() - blocks that a commit may take, beyond what changes of maps took
 * @s: the store
 *
 * One that is under way needs what it has not taken yet, see cpb_store.cut_cost.
 */
u64 cpb_commit_cost(struct cpb_store *s)
{
	return commit_cost(s, 0);
}

/* Blocks that are left alone, beside @floor, while so much is under way. */
static u64 reserved(struct cpb_store *s, u64 floor, long writes)
{
	u64 cost = commit_cost(s, (u64)writes >> 32);

	/* Pairs with that of make_cut(), which sets the cost, and then that less waits. */
	smp_rmb();
	return floor + cost + READ_ONCE(s->cut_cost) + (u64)(u32)writes * CPB_WRITE_BLOCKS;
}

/**
 * cpb_blocks_need() - metadata blocks that there are to be while so much is written
 * @s: the store
 * @writes: cpb_under_way()
 *
 * What the next commit may take by now, and the one that is under way, what the
 * writes may, and the floor.
 */
u64 cpb_blocks_need(struct cpb_store *s, long writes)
{
	return reserved(s, READ_ONCE(s->floor), writes);
}

/** cpb_blocks_reserved() - metadata blocks that a write leaves free */
u64 cpb_blocks_reserved(struct cpb_store *s)
{
	return cpb_blocks_need(s, atomic_long_read(&s->writes) + cpb_under_way(1, 1));
}

/*
 * Too few for so much more, and @blocks, if @floor is left alone, which is less than
 * writes leave? Then a write that waits for room need not be waited for.
 */
static bool too_few(struct cpb_store *s, u64 floor, long more, u64 blocks)
{
	unsigned long flags = port_lock(&s->space.claims);
	long writes = atomic_long_read(&s->writes) - s->unmet;

	port_unlock(&s->space.claims, flags);
	return cpb_blocks_available(s) < reserved(s, floor, writes + more) + blocks;
}

/** cpb_set_reserves() - as is right for the sizes of the devices */
void cpb_set_reserves(struct cpb_store *s)
{
	/* One leaf of a map may have a bitmap, and a block of their index, for each extent. */
	u64 bitmaps = min3(cpb_bitmap_blocks(s), 2ULL * CPB_LEAF_EXTENTS, s->meta_blocks / 16);

	WRITE_ONCE(s->pool_want, min(max(s->meta_blocks / 64, CPB_POOL_MIN), 1024ULL));
	WRITE_ONCE(s->keep, 64 + s->meta_blocks / 256 + bitmaps + FOR_RESTORES);
	WRITE_ONCE(s->floor, s->keep + FOR_OTHERS + s->meta_blocks / 512);
}

/** cpb_unmap_most() - how many extents of a leaf may become holes; 0: there are too few blocks */
unsigned int cpb_unmap_most(struct cpb_store *s)
{
	unsigned int most = CPB_LEAF_EXTENTS;

	while (most && too_few(s, READ_ONCE(s->keep), cpb_under_way(1, most), 0))
		most /= 4;
	return most;
}

/* The same for objects, new ones among them, each in a block of its own if there are as many. */
static u64 objects_need(struct cpb_store *s, unsigned int objects)
{
	u64 all = (READ_ONCE(s->slots.nr) + objects) / CPB_OBJECTS_PER_BLOCK + 1;

	return object_blocks(s, min_t(u64, all, objects));
}

/**
 * cpb_room_for() - are there blocks for so many objects at once?  [sleeps]
 * @s: the store; lists is held
 * @objects: how many may change, or come
 * @what: for what; some go on for longer than others
 * @why: on error, a sentence
 *
 * Return: 0; -ENOSPC: not even after a commit; others.
 */
int cpb_room_for(struct cpb_store *s, unsigned int objects, enum cpb_room what, char *why)
{
	u64 need = objects_need(s, objects), floor = 0;
	int err;

	if (what != CPB_ROOM_CHANGES)
		floor = READ_ONCE(s->keep);
	if (what == CPB_ROOM_SAFETY)
		floor -= FOR_RESTORES;
	if (!too_few(s, floor, 0, need))
		return 0;
	err = cpb_commit(s);
	if (err || !too_few(s, floor, 0, need))
		return err;
	return cpb_refuse(-ENOSPC, why, "the metadata device of store '%s' is full: delete checkpoints, or make it larger and use 'cpblk grow'%s",
			  s->name, what == CPB_ROOM_SAFETY ? "; a restore without a safety checkpoint needs no room" : "");
}

/**
 * cpb_room_to_change() - how many objects that are there may change before a commit  [sleeps]
 * @s: the store; lists is held
 * @want: how many are to, at least 1
 *
 * Commits if it is short. What frees blocks in the end may take all that is left,
 * so it is at least one. Return: that many, or an error.
 */
int cpb_room_to_change(struct cpb_store *s, unsigned int want)
{
	u64 need = objects_need(s, want), free, cost;
	int err;

	free = cpb_blocks_available(s);
	cost = commit_cost(s, 0) + READ_ONCE(s->cut_cost);
	if (free >= cost + need)
		return want;
	err = cpb_commit(s);
	if (err)
		return err;
	free = cpb_blocks_available(s);
	cost = commit_cost(s, 0) + READ_ONCE(s->cut_cost);
	return free >= cost + need ? want :
	       free > cost + 2 ? (unsigned int)(free - cost) / 2 : 1;
}
