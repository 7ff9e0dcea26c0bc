// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store: maps, and what of them can be read.
 *
 * Each map is walked, what several share once. A subtree that is damaged, or
 * is not what the entry that names it says, is a hole. A checkpoint with a hole
 * is deleted: what it holds would not be what it held. A volume keeps the rest
 * of its map (and so do checkpoints, if that is asked for), in new nodes along
 * the paths to the holes.
 */
#include "repair.h"

/** struct cpb_holes - those of one map */
struct cpb_holes {
	struct cpb_hole *v;
	unsigned int nr, room;
	char why[CPB_ERROR_LEN];	/* of the first one */
};

/* ---- Finding holes ---- */

static int add_hole(struct cpb_repair *r, struct cpb_holes *h, u64 key, u64 to,
		    unsigned int level)
{
	struct cpb_hole *more;

	if (h->nr == h->room) {
		more = port_alloc((2 * h->room + 8) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		if (h->nr)
			memcpy(more, h->v, h->nr * sizeof(*more));
		port_free(h->v);
		h->v = more;
		h->room = 2 * h->room + 8;
	}
	if (!h->nr)
		memcpy(h->why, r->why, sizeof(h->why));
	h->v[h->nr++] = (struct cpb_hole){ key, to, level };
	return 0;
}

/** cpb_hole_add() - a part of a point's map, named as @r->why has it, is a hole */
int cpb_hole_add(struct cpb_repair *r, struct cpb_point *p, u64 key, u64 to,
		 unsigned int level)
{
	return add_hole(r, &r->holes[p->slot], key, to, level);
}

static bool leaf_fits(struct cpb_point *p, struct cpb_node *n, u64 lo, u64 hi)
{
	unsigned int i;

	for (i = 0; i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);
		u64 v = le64_to_cpu(x->vchunk), len = cpb_run_len(le64_to_cpu(x->run));

		if (v < lo || v + len > hi || le64_to_cpu(x->birth) > p->epoch)
			return false;
	}
	return true;
}

static int scan_node(struct cpb_repair *r, struct cpb_point *p, struct cpb_edit *e,
		     struct cpb_holes *h, struct cpb_node *n, u64 lo, u64 hi);

/* One child, or a hole where that can't be used. */
static int scan_child(struct cpb_repair *r, struct cpb_point *p, struct cpb_edit *e,
		      struct cpb_holes *h, struct cpb_node *n, unsigned int i,
		      u64 lo, u64 hi)
{
	const struct cpb_disk_child *d = (void *)cpb_entry(&cpb_map_class, n, i);
	u64 from = le64_to_cpu(d->vchunk), to = hi;
	struct cpb_node *child;
	int err;

	if (i + 1 < cpb_nr(n))
		to = le64_to_cpu(d[1].vchunk);
	if (from < lo || to > hi || le64_to_cpu(d->birth) > le64_to_cpu(n->h->birth)) {
		snprintf(r->why, sizeof(r->why), "an entry is out of place, metadata block %llu",
			 (unsigned long long)n->addr);
		return add_hole(r, h, from, to, cpb_level(n) - 1);
	}
	err = cpb_child(e, n, i, true, &child);
	if (err) {
		err = cpb_forgive(r, err);
		return err ? err : add_hole(r, h, from, to, cpb_level(n) - 1);
	}
	if (!cpb_level(child) && !leaf_fits(p, child, from, to)) {
		snprintf(r->why, sizeof(r->why), "an extent is out of place, metadata block %llu",
			 (unsigned long long)child->addr);
		return add_hole(r, h, from, to, 0);
	}
	return scan_node(r, p, e, h, child, from, to);
}

static int scan_node(struct cpb_repair *r, struct cpb_point *p, struct cpb_edit *e,
		     struct cpb_holes *h, struct cpb_node *n, u64 lo, u64 hi)
{
	unsigned int holes = h->nr, i;
	int err = 0;

	if (cpb_bit(r->good, n->addr))
		return 0;
	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++)
		err = scan_child(r, p, e, h, n, i, lo, hi);
	if (holes == h->nr && !err)
		cpb_bit_set(r->good, n->addr);
	return err;
}

static int scan_map(struct cpb_repair *r, struct cpb_point *p, struct cpb_holes *h)
{
	struct cpb_edit e = cpb_map_of(r->s, p);
	struct cpb_node *n;
	int err;

	if (!p->root.ref)
		return 0;
	err = cpb_root_node(&e, &n);
	if (!err && !p->root.level && !leaf_fits(p, n, 0, ~0ULL))
		err = cpb_break(r->s, -EUCLEAN, "an extent is out of place", n->addr);
	if (!err)
		return scan_node(r, p, &e, h, n, 0, ~0ULL);
	err = cpb_forgive(r, err);
	return err ? err : add_hole(r, h, 0, ~0ULL, p->root.level);
}

/* ---- Saying what they cost ---- */

static void say_holes(struct cpb_repair *r, const struct cpb_point *p,
		      const struct cpb_holes *h)
{
	u64 end = p->size >> r->s->chunk_shift;
	char label[CPB_LABEL_MAX];
	unsigned int i;

	cpb_point_label(r->s, p, label);
	for (i = 0; i < h->nr && i < CPB_HOLES_SHOWN; i++) {
		u64 from = min(h->v[i].key, end), to = min(h->v[i].to, end);

		cpb_say(r, CPB_LOST, "%s: bytes %llu to %llu of it become a hole (%s)",
			label, (unsigned long long)from << r->s->chunk_shift,
			(unsigned long long)to << r->s->chunk_shift, h->why);
	}
	if (i < h->nr)
		cpb_say(r, CPB_LOST, "%s: %u more parts of it become holes", label,
			h->nr - i);
}

static bool keeps_holes(const struct cpb_repair *r, const struct cpb_point *p)
{
	return p->flags & CPB_POINT_HEAD || r->flags & CPB_REPAIR_KEEP_PARTIAL;
}

/* A volume gets them, a checkpoint is deleted. */
static void judge(struct cpb_repair *r, struct cpb_point *p, struct cpb_holes *h)
{
	char label[CPB_LABEL_MAX];

	if (keeps_holes(r, p)) {
		say_holes(r, p, h);
		return;
	}
	cpb_say(r, CPB_LOST, "%s: %u %s of its map can't be used (%s), so it is deleted",
		cpb_point_label(r->s, p, label), h->nr,
		h->nr == 1 ? "part" : "parts", h->why);
	cpb_names_del(&r->s->names, &p->name);
	p->flags |= CPB_POINT_HIDDEN;
}

/** cpb_salvage_scan() - find the holes of all maps; checkpoints with some are deleted */
int cpb_salvage_scan(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p;
	int err = 0;
	u64 id;

	r->nr_holes = s->slots.nr;
	r->holes = port_alloc(r->nr_holes * sizeof(*r->holes));
	if (!r->holes)
		return -ENOMEM;
	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		struct cpb_holes *h = &r->holes[p->slot];

		if (!cpb_has_map(p))
			continue;
		err = scan_map(r, p, h);
		if (!err && h->nr)
			judge(r, p, h);
	}
	return err;
}

/* ---- Making holes of them ---- */

/** cpb_map_slot() - the last entry of a node whose key is not above @key, or the first */
unsigned int cpb_map_slot(struct cpb_node *n, u64 key)
{
	unsigned int i;

	for (i = 0; i + 1 < cpb_nr(n); i++) {
		const struct cpb_disk_child *next =
			(void *)cpb_entry(&cpb_map_class, n, i + 1);

		if (le64_to_cpu(next->vchunk) > key)
			break;
	}
	return i;
}

static int prune(struct cpb_repair *r, struct cpb_point *p, struct cpb_hole *hole)
{
	struct cpb_store *s = r->s;
	struct cpb_edit e = cpb_map_of(s, p);
	unsigned int level = p->root.level;
	struct cpb_path path = { };
	struct cpb_node *n;
	int err;

	/* What was above it may be gone, with holes that it named alone. */
	if (!p->root.ref || level <= hole->level) {
		p->root = (struct cpb_root){ };
		return 0;
	}
	e.txn = s->txn;
	e.birth = p->epoch;
	e.keep = cpb_parent_epoch(p);
	e.dead = p->dead;
	e.pool = &s->meta_pool;
	err = cpb_pool_fill(s, &s->meta_pool, cpb_tree_need(&p->root), 8);
	if (!err)
		err = cpb_pool_fill(s, &s->pool, 0, 8);
	if (!err)
		err = cpb_root_node(&e, &n);
	path.levels = level + 1;
	for (; !err; level--) {
		path.node[level] = n;
		path.slot[level] = cpb_map_slot(n, hole->key);
		if (level == hole->level + 1)
			break;
		err = cpb_child(&e, n, path.slot[level], true, &n);
	}
	if (err)
		return err;
	cpb_path_prune(&e, &path, level);
	return 0;
}

/* Deadlists are made anew later: what pruning put there is of no use. */
static void forget_dead(struct cpb_store *s, struct cpb_deadset *d)
{
	cpb_buf_drop(&d->buf);
	list_del_init(&d->dirty);
	d->nr[0] = 0;
	d->nr[1] = 0;
	s->nr_dead = 0;
}

static int prune_all(struct cpb_repair *r, struct cpb_point *p, struct cpb_holes *h)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < h->nr && !err; i++)
		err = prune(r, p, &h->v[i]);
	h->nr = 0;
	forget_dead(r->s, p->dead);
	return err;
}

/** cpb_holes_use() - what was added to a point's holes becomes holes, or deletes it */
int cpb_holes_use(struct cpb_repair *r, struct cpb_point *p)
{
	struct cpb_holes *h = &r->holes[p->slot];

	if (!h->nr)
		return 0;
	judge(r, p, h);
	return cpb_has_map(p) ? prune_all(r, p, h) : 0;
}

/** cpb_salvage_prune() - take the holes out of the maps that are kept */
int cpb_salvage_prune(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p;
	int err = 0;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		struct cpb_holes *h = p->slot < r->nr_holes ? &r->holes[p->slot] : NULL;

		if (h && h->nr && cpb_has_map(p))
			err = prune_all(r, p, h);
	}
	return err;
}

void cpb_salvage_free(struct cpb_repair *r)
{
	u32 i;

	for (i = 0; r->holes && i < r->nr_holes; i++)
		port_free(r->holes[i].v);
	port_free(r->holes);
}
