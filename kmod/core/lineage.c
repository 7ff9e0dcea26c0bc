// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store: which point follows which.
 *
 * Where a point's record names a parent that there is, that is believed. Else
 * what it shares with others says where it belongs, as births do: if the
 * youngest thing that it has in common with any other point was born in epoch
 * B, the two have gone the same way up to B and not further. So it follows the
 * last ancestor of that point, or that point itself, that B was born in the
 * time of; if no point closed B, one did that is lost, and a deleted one stands
 * for it.
 *
 * Then what deleted points have no use is gone: those that nothing follows, and
 * those that one point follows, which takes their place. Nothing has to be
 * moved for that, as deadlists are made anew.
 */
#include "repair.h"

/* ---- As the records have it ---- */

/* The parent that is still looked for, or 0. */
static u64 unknown_parent(const struct cpb_repair *r, const struct cpb_point *p)
{
	return p->parent || p->slot >= r->nr_parents ? 0 : r->parent[p->slot];
}

static bool may_follow(const struct cpb_point *parent, const struct cpb_point *p)
{
	return parent && parent->epoch < p->epoch &&
	       !(parent->flags & (CPB_POINT_HEAD | CPB_POINT_REAP));
}

/** cpb_lineage_find() - link points whose records name their parent */
void cpb_lineage_find(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p, *parent;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)); ) {
		id = p->id;
		/* Its own chunks are free as soon as nothing names them. */
		if (p->flags & CPB_POINT_REAP) {
			cpb_point_remove(r, p);
			continue;
		}
		parent = cpb_ids_find(&s->points, unknown_parent(r, p));
		if (may_follow(parent, p))
			cpb_adopt(parent, p);
	}
}

/* ---- By what they share ---- */

/* A point that has a chunk, or a block, as its slot plus one; 0: none. */
struct owners {
	u32 *chunk, *block;
};

/* The youngest thing that is shared with a point that has its place. */
struct shared {
	u64 birth;
	u32 with;
};

static void look(struct shared *best, u64 birth, u64 limit, u32 owner)
{
	if (owner && birth <= limit && birth > best->birth) {
		best->birth = birth;
		best->with = owner;
	}
}

/*
 * Go through a map. With @best: look for what is shared. Without: it is @me's,
 * and what below it is somebody's already is passed over.
 */
static int through(struct cpb_repair *r, struct cpb_edit *e, struct cpb_node *n,
		   struct owners *o, u32 me, struct shared *best, u64 limit)
{
	u64 birth = le64_to_cpu(n->h->birth), chunk, len;
	struct cpb_node *child;
	unsigned int i;
	int err = 0;

	if (!best && o->block[n->addr])
		return 0;
	if (best)
		look(best, birth, limit, o->block[n->addr]);
	else
		o->block[n->addr] = me;
	for (i = 0; !cpb_level(n) && i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);

		birth = le64_to_cpu(x->birth);
		chunk = cpb_run_chunk(le64_to_cpu(x->run));
		len = cpb_run_len(le64_to_cpu(x->run));
		for (; len; len--, chunk++) {
			if (best)
				look(best, birth, limit, o->chunk[chunk]);
			else if (!o->chunk[chunk])
				o->chunk[chunk] = me;
		}
	}
	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		err = cpb_child(e, n, i, true, &child);
		if (err)
			err = cpb_forgive(r, err);
		else
			err = through(r, e, child, o, me, best, limit);
	}
	return err;
}

/* The same for a point with all that follows it. */
static int through_all(struct cpb_repair *r, struct cpb_point *p, struct owners *o,
		       struct shared *best, u64 limit)
{
	struct cpb_edit e = cpb_map_of(r->s, p);
	struct cpb_point *x;
	struct cpb_node *n;
	int err = 0;

	if (cpb_has_map(p) && p->root.ref) {
		err = cpb_root_node(&e, &n);
		if (err)
			err = cpb_forgive(r, err);
		else
			err = through(r, &e, n, o, p->slot + 1, best, limit);
	}
	list_for_each_entry(x, &p->children, sibling) {
		if (err)
			break;
		err = through_all(r, x, o, best, limit);
	}
	return err;
}

/* A deleted point that stands for one whose record is lost. */
static struct cpb_point *stand_in(struct cpb_repair *r, struct cpb_point *p, u64 epoch)
{
	struct cpb_store *s = r->s;
	u64 id = r->parent[p->slot];
	struct cpb_point *h;

	if (!id || id >= s->next_id || cpb_ids_find(&s->points, id))
		id = s->next_id++;
	if (cpb_slots_ready(s, 1))
		return NULL;
	h = cpb_point_new(s, "", "");
	if (!h)
		return NULL;
	h->dead = cpb_deadset_new(id);
	if (!h->dead || cpb_ids_put(&s->points, id, h)) {
		cpb_point_free(h);
		return NULL;
	}
	h->dead->owner = h;
	h->id = id;
	h->epoch = epoch;
	h->volume = p->volume;
	h->time = p->time;
	h->size = p->size;
	h->flags = CPB_POINT_HIDDEN;
	h->sweep_all = true;
	h->slot = cpb_slot_take(s, CPB_OBJECT_POINT, h);
	if (h->slot < r->nr_parents)
		r->parent[h->slot] = 0;
	return h;
}

static int place(struct cpb_repair *r, struct cpb_point *p, const struct shared *best)
{
	struct cpb_store *s = r->s;
	struct cpb_point *c, *h, *up;

	if (!best->birth)
		return 0;
	c = cpb_slot(&s->slots, best->with - 1)->p;
	while (c->parent && c->parent->epoch >= best->birth)
		c = c->parent;
	if (c->epoch == best->birth && may_follow(c, p)) {
		cpb_adopt(c, p);
		return 0;
	}
	if (c->epoch <= best->birth || p->epoch <= best->birth)
		return 0;
	h = stand_in(r, p, best->birth);
	if (!h)
		return -ENOMEM;
	up = c->parent;
	cpb_orphan(c);
	if (up)
		cpb_adopt(up, h);
	cpb_adopt(h, c);
	cpb_adopt(h, p);
	return 0;
}

static struct cpb_point *next_orphan(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p, *best = NULL;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)); id = p->id)
		if (unknown_parent(r, p) &&
		    (!best || p->epoch < best->epoch))
			best = p;
	return best;
}

/* From the oldest on, so that each finds those that it may follow. */
static int place_orphans(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct owners o = {
		.chunk = port_alloc(s->space.chunks * sizeof(u32)),
		.block = port_alloc(s->meta_blocks * sizeof(u32)),
	};
	int err = o.chunk && o.block ? 0 : -ENOMEM;
	struct cpb_point *p;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id)
		if (!p->parent && !unknown_parent(r, p))
			err = through_all(r, p, &o, NULL, 0);
	while (!err && (p = next_orphan(r))) {
		struct shared best = { };

		err = through_all(r, p, &o, &best, p->epoch);
		if (!err)
			err = place(r, p, &best);
		if (!err)
			err = through_all(r, p, &o, NULL, 0);
		r->parent[p->slot] = 0;
	}
	port_free(o.chunk);
	port_free(o.block);
	return err;
}

/** cpb_lineage_place() - link points whose parent is unknown, by what they share */
int cpb_lineage_place(struct cpb_repair *r)
{
	u64 nr = 0, id;
	struct cpb_point *p;

	for (id = 0; (p = cpb_ids_next(&r->s->points, id)); id = p->id)
		nr += !!unknown_parent(r, p);
	if (!nr)
		return 0;
	cpb_say(r, CPB_FOUND, "%llu checkpoints or live disks follow one of which there is no record: where they belong is taken from what they share with others",
		(unsigned long long)nr);
	return place_orphans(r);
}

/* ---- Deleted ones ---- */

/* Points that are deleted and not needed are gone: true if there was one. */
static bool settle_once(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p, *x, *up;
	bool any = false;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)); ) {
		id = p->id;
		if (!(p->flags & CPB_POINT_HIDDEN) || p->nr_children > 1)
			continue;
		up = p->parent;
		if (p->nr_children) {
			x = list_first_entry(&p->children, struct cpb_point, sibling);
			cpb_orphan(x);
			if (up)
				cpb_adopt(up, x);
		}
		cpb_point_remove(r, p);
		any = true;
	}
	return any;
}

/** cpb_lineage_settle() - deleted points stay only where the history branches */
void cpb_lineage_settle(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p;
	u64 id;

	while (settle_once(r))
		;
	s->nr_hidden = 0;
	s->nr_checkpoints = 0;
	for (id = 0; (p = cpb_ids_next(&s->points, id)); id = p->id) {
		if (p->flags & CPB_POINT_HIDDEN) {
			p->root = (struct cpb_root){ };
			s->nr_hidden++;
			cpb_work_add(p);
		} else if (!(p->flags & CPB_POINT_HEAD)) {
			s->nr_checkpoints++;
		}
	}
}
