/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that repair a store share. They are part of the engine, for
 * userspace: the driver does not have them.
 *
 *   repair.c   the order of it: superblock, journal, the one transaction
 *   records.c  volumes and points, from what can be read of their records
 *   salvage.c  maps: what of them can be read, and is kept
 *   agree.c    maps that contradict each other
 *   lineage.c  which point follows which
 *   derive.c   deadlists, counters and free space, from maps and history
 *
 * Nothing runs beside a repair, so no lock is taken.
 */
#ifndef CPB_REPAIR_H
#define CPB_REPAIR_H

#include "engine.h"

/**
 * struct cpb_hole - part of a map that can't be read
 * @key: of the entry that names the subtree
 * @to: first key behind it
 * @level: of the subtree's root
 */
struct cpb_hole {
	u64 key, to;
	unsigned int level;
};

#define CPB_HOLES_SHOWN	16	/* ranges that are named one by one */

/**
 * struct cpb_repair - one repair
 * @s: the store, which is put together in memory
 * @flags: CPB_REPAIR_*
 * @copy: which superblock it begins with
 * @report: what is counted
 * @line: gets each sentence, with @arg
 * @why: the last thing that could not be read
 * @parent: by slot, the ID of a point's parent as its record has it
 * @holes: of maps, by slot
 * @good: blocks of maps below which all can be read
 * @chunks: that maps name which are kept
 * @blocks: of maps that are kept
 * @mark_chunks: scratch of derive.c, as @mark_blocks
 * @lost_slots: a block of object records could not be read
 */
struct cpb_repair {
	struct cpb_store *s;
	unsigned int flags, copy;
	struct cpb_repair_report *report;
	void (*line)(void *arg, enum cpb_finding kind, const char *text);
	void *arg;
	char why[CPB_ERROR_LEN];
	u64 *parent;
	struct cpb_holes *holes;
	u32 nr_holes, nr_parents;
	unsigned long *good;
	unsigned long *chunks, *blocks;
	unsigned long *mark_chunks, *mark_blocks;
	bool lost_slots;
};

static inline bool cpb_bit(const unsigned long *map, u64 i)
{
	return map[i / BITS_PER_LONG] >> (i % BITS_PER_LONG) & 1;
}

static inline void cpb_bit_set(unsigned long *map, u64 i)
{
	map[i / BITS_PER_LONG] |= BIT(i % BITS_PER_LONG);
}

static inline struct cpb_edit cpb_map_of(struct cpb_store *s, struct cpb_point *p)
{
	return (struct cpb_edit){ .s = s, .cls = &cpb_map_class, .root = &p->root,
				  .wait = true };
}

/* Points whose maps are kept: heads and visible checkpoints. */
static inline bool cpb_has_map(const struct cpb_point *p)
{
	return !(p->flags & (CPB_POINT_HIDDEN | CPB_POINT_REAP));
}

#define CPB_LABEL_MAX	(2 * CPB_NAME_LEN + 32)

/* repair.c */
__printf(3, 4)
void cpb_say(struct cpb_repair *r, enum cpb_finding kind, const char *fmt, ...);
int cpb_forgive(struct cpb_repair *r, int err);
const char *cpb_point_label(struct cpb_store *s, const struct cpb_point *p,
			    char label[CPB_LABEL_MAX]);

/* records.c */
int cpb_records_load(struct cpb_repair *r);
int cpb_ids_compare(const void *a, const void *b);
int cpb_ids_put(struct cpb_ids *ids, u64 id, void *p);
void cpb_point_remove(struct cpb_repair *r, struct cpb_point *p);

/* salvage.c */
int cpb_salvage_scan(struct cpb_repair *r);
int cpb_salvage_prune(struct cpb_repair *r);
int cpb_hole_add(struct cpb_repair *r, struct cpb_point *p, u64 key, u64 to,
		 unsigned int level);
int cpb_holes_use(struct cpb_repair *r, struct cpb_point *p);
unsigned int cpb_map_slot(struct cpb_node *n, u64 key);
void cpb_salvage_free(struct cpb_repair *r);

/* agree.c */
int cpb_agree(struct cpb_repair *r);

/* lineage.c */
void cpb_lineage_find(struct cpb_repair *r);
int cpb_lineage_place(struct cpb_repair *r);
void cpb_lineage_settle(struct cpb_repair *r);

/* derive.c */
int cpb_derive(struct cpb_repair *r);

#endif /* CPB_REPAIR_H */
