// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store: deadlists, counters and free space, from the maps and the
 * history.
 *
 * With P the parent of X, X's deadlist is what P's map has and X's has not, of
 * chunks and of metadata blocks. A deleted point has no map that could be read.
 * Of those that follow it each has all of it but what is on its own deadlist,
 * so what they have together, of what was born in its time, is all of it that
 * still matters, and is taken for its map.
 */
#include "repair.h"

/* ---- What is reachable ---- */

/* Chunks below a block of a map, by its address, so that it is walked once. */
struct reach {
	struct cpb_repair *r;
	u64 *below;
};

static int reach(struct reach *w, struct cpb_edit *e, struct cpb_node *n, u64 *chunks)
{
	struct cpb_repair *r = w->r;
	struct cpb_node *child;
	unsigned int i;
	u64 sum = 0;
	int err = 0;

	if (cpb_bit(r->blocks, n->addr)) {
		*chunks += w->below[n->addr];
		return 0;
	}
	for (i = 0; !cpb_level(n) && i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);
		u64 chunk = cpb_run_chunk(le64_to_cpu(x->run));
		u64 len = cpb_run_len(le64_to_cpu(x->run));

		for (sum += len; len; len--)
			cpb_bit_set(r->chunks, chunk++);
	}
	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		err = cpb_child(e, n, i, true, &child);
		if (!err)
			err = reach(w, e, child, &sum);
	}
	cpb_bit_set(r->blocks, n->addr);
	w->below[n->addr] = sum;
	*chunks += sum;
	return err;
}

static int reach_all(struct cpb_repair *r)
{
	struct reach w = { .r = r };
	struct cpb_store *s = r->s;
	struct cpb_point *p;
	struct cpb_node *n;
	int err = 0;
	u64 id;

	w.below = port_alloc(s->meta_blocks * sizeof(*w.below));
	if (!w.below)
		return -ENOMEM;
	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		struct cpb_edit e = cpb_map_of(s, p);

		p->referenced = 0;
		if (!cpb_has_map(p) || !p->root.ref)
			continue;
		err = cpb_root_node(&e, &n);
		if (!err)
			err = reach(&w, &e, n, &p->referenced);
	}
	port_free(w.below);
	return err;
}

/* ---- Deadlists ---- */

struct entry {
	u64 kind, birth, run;
};

/**
 * struct dead - one deadlist in the making
 * @limit: epoch of the parent: younger things are not its
 * @whole: mark all that is below a block, not only the block
 * @marked: chunks that were marked
 * @v: what was found, in any order
 */
struct dead {
	struct cpb_repair *r;
	u64 limit;
	bool whole;
	u64 marked;
	struct entry *v;
	size_t nr, room;
};

typedef int (*map_fn)(struct dead *d, struct cpb_edit *e, struct cpb_node *n);

/* Call @fn for the root of each map that stands for a point. */
static int each_map(struct dead *d, struct cpb_point *p, map_fn fn)
{
	struct cpb_edit e = cpb_map_of(d->r->s, p);
	struct cpb_point *x;
	struct cpb_node *n;
	int err = 0;

	if (cpb_has_map(p)) {
		if (!p->root.ref)
			return 0;
		err = cpb_root_node(&e, &n);
		return err ? err : fn(d, &e, n);
	}
	list_for_each_entry(x, &p->children, sibling) {
		err = each_map(d, x, fn);
		if (err)
			break;
	}
	return err;
}

static int each_child(struct dead *d, struct cpb_edit *e, struct cpb_node *n,
		      map_fn fn)
{
	struct cpb_node *child;
	unsigned int i;
	int err = 0;

	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		err = cpb_child(e, n, i, true, &child);
		if (!err)
			err = fn(d, e, child);
	}
	return err;
}

/*
 * What the child has of its parent's. A block that is the parent's too has
 * nothing below it that isn't, so that one mark is enough for a parent with one
 * map; where it has several, these may have parts of what is below.
 */
static int mark(struct dead *d, struct cpb_edit *e, struct cpb_node *n)
{
	struct cpb_repair *r = d->r;
	unsigned int i;

	if (le64_to_cpu(n->h->birth) <= d->limit) {
		if (cpb_bit(r->mark_blocks, n->addr))
			return 0;
		cpb_bit_set(r->mark_blocks, n->addr);
		if (!d->whole)
			return 0;
	}
	for (i = 0; !cpb_level(n) && i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);
		u64 chunk = cpb_run_chunk(le64_to_cpu(x->run));
		u64 len = cpb_run_len(le64_to_cpu(x->run));

		if (le64_to_cpu(x->birth) > d->limit)
			continue;
		for (; len; len--, chunk++) {
			d->marked += !cpb_bit(r->mark_chunks, chunk);
			cpb_bit_set(r->mark_chunks, chunk);
		}
	}
	return each_child(d, e, n, mark);
}

static int dead_add(struct dead *d, u64 kind, u64 birth, u64 chunk, u64 len)
{
	struct entry *more;

	if (d->nr == d->room) {
		more = port_alloc((2 * d->room + 64) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		if (d->nr)
			memcpy(more, d->v, d->nr * sizeof(*more));
		port_free(d->v);
		d->v = more;
		d->room = 2 * d->room + 64;
	}
	d->v[d->nr++] = (struct entry){ kind, birth, cpb_run_pack(chunk, len) };
	return 0;
}

/* The parts of an extent that the child does not have, each once. */
static int collect_extent(struct dead *d, const struct cpb_disk_extent *x)
{
	u64 chunk = cpb_run_chunk(le64_to_cpu(x->run)), first;
	u64 end = chunk + cpb_run_len(le64_to_cpu(x->run));
	unsigned long *marks = d->r->mark_chunks;
	int err = 0;

	if (le64_to_cpu(x->birth) > d->limit)
		return 0;
	while (chunk < end && !err) {
		for (; chunk < end && cpb_bit(marks, chunk); chunk++)
			;
		for (first = chunk; chunk < end && !cpb_bit(marks, chunk); chunk++)
			cpb_bit_set(marks, chunk);
		if (chunk > first)
			err = dead_add(d, 0, le64_to_cpu(x->birth), first,
				       chunk - first);
	}
	return err;
}

/* What the parent has and the child has not. */
static int collect(struct dead *d, struct cpb_edit *e, struct cpb_node *n)
{
	u64 birth = le64_to_cpu(n->h->birth);
	unsigned int i;
	int err = 0;

	if (birth <= d->limit) {
		if (cpb_bit(d->r->mark_blocks, n->addr))
			return 0;
		cpb_bit_set(d->r->mark_blocks, n->addr);
		err = dead_add(d, 1, birth, n->addr, 1);
	}
	for (i = 0; !cpb_level(n) && i < cpb_nr(n) && !err; i++)
		err = collect_extent(d, (void *)cpb_entry(&cpb_map_class, n, i));
	return err ? err : each_child(d, e, n, collect);
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->birth != y->birth)
		return x->birth < y->birth ? -1 : 1;
	return x->run < y->run ? -1 : x->run > y->run;
}

/* Put it into the dead tree, and count. */
static int store_list(struct dead *d, struct cpb_point *p)
{
	struct cpb_store *s = d->r->s;
	struct cpb_deadset *set = p->dead;
	int err = 0;
	size_t i;

	set->nr[0] = 0;
	set->nr[1] = 0;
	set->young = 0;
	set->young_after = p->parent ? cpb_parent_epoch(p->parent) : CPB_EPOCH_NONE;
	if (d->nr)
		port_sort(d->v, d->nr, sizeof(*d->v), compare);
	for (i = 0; i < d->nr && !err; i++) {
		u64 len = cpb_run_len(d->v[i].run);

		err = cpb_dead_insert(s, s->txn, (u64[]){
			set->id << 1 | d->v[i].kind, d->v[i].birth, d->v[i].run });
		set->nr[d->v[i].kind] += len;
		if (!d->v[i].kind && d->v[i].birth > set->young_after)
			set->young += len;
	}
	return err;
}

static int derive_list(struct cpb_repair *r, struct cpb_point *p)
{
	struct cpb_store *s = r->s;
	struct dead d = { .r = r, .limit = cpb_parent_epoch(p) };
	struct cpb_point *up = p->parent;
	int err = 0;

	if (up) {
		d.whole = !cpb_has_map(up);
		memset(r->mark_chunks, 0,
		       DIV_ROUND_UP(s->space.chunks, BITS_PER_LONG) * sizeof(long));
		memset(r->mark_blocks, 0,
		       DIV_ROUND_UP(s->meta_blocks, BITS_PER_LONG) * sizeof(long));
		err = each_map(&d, p, mark);
		if (!err)
			err = each_map(&d, up, collect);
	}
	if (!err)
		err = store_list(&d, p);
	/* All of its children find the same number. */
	if (!err && up && !cpb_has_map(up))
		up->referenced = d.marked + p->dead->nr[0];
	port_free(d.v);
	return err;
}

/* No two deadlists may have one name. */
static int name_lists(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_id *v = port_alloc((s->points.live + 1) * sizeof(*v));
	struct cpb_point *p;
	u64 id, nr = 0, i;

	if (!v)
		return -ENOMEM;
	for (id = 0; (p = cpb_ids_next(&s->points, id)); id = p->id)
		v[nr++] = (struct cpb_id){ p->dead->id, p };
	if (nr)
		port_sort(v, nr, sizeof(*v), cpb_ids_compare);
	for (i = 1; i < nr; i++)
		if (v[i].id == v[i - 1].id)
			((struct cpb_point *)v[i].p)->dead->id = s->next_id++;
	port_free(v);
	return 0;
}

/* ---- Free space ---- */

static int derive_chunks(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	u64 groups = DIV_ROUND_UP(s->space.chunks, CPB_SPACE_BITS), g;
	struct cpb_node *leaf;
	int err = 0;

	s->space.used = 0;
	for (g = 0; g < groups && !err; g++) {
		u64 nr = min(CPB_SPACE_BITS, s->space.chunks - g * CPB_SPACE_BITS);
		unsigned long *map = r->chunks + g * CPB_SPACE_BITS / BITS_PER_LONG;
		u64 used = cpb_weight(map, nr);

		if (!used)
			continue;
		err = cpb_table_leaf(s, &s->space.table, CPB_MAGIC_SPACE, g, s->txn,
				     &leaf);
		if (err)
			break;
		memcpy(leaf->h + 1, map, DIV_ROUND_UP(nr, BITS_PER_LONG) * sizeof(long));
		err = cpb_table_set_aux(s, &s->space.table, g, used);
		s->space.used += used;
	}
	return err;
}

/* Blocks that were in use and are no map's are let go of, tables and all. */
static int let_go(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_txn *t = &s->txns[s->txn & 1];
	int err = 0;
	u64 i;

	cpb_buf_drop(&t->blocks);
	for (i = cpb_fixed_end(s); i < s->meta_blocks && !err; i++) {
		if (!cpb_bit(s->bitmap, i) || cpb_bit(r->blocks, i))
			continue;
		err = cpb_pool_fill(s, &s->meta_pool, 0, 2);
		if (!err)
			*cpb_buf_push(&s->meta_pool, &t->blocks, 1) = i;
	}
	return err;
}

/** cpb_derive() - all that follows from the maps and the history */
int cpb_derive(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_point *p;
	int err;
	u64 id;
	u32 i;

	err = reach_all(r);
	if (!err)
		err = let_go(r);
	if (!err)
		err = name_lists(r);
	for (id = 0; !err && (p = cpb_ids_next(&s->points, id)); id = p->id)
		err = derive_list(r, p);
	if (!err)
		err = derive_chunks(r);
	s->objects = (struct cpb_root){ };
	for (i = 0; i < s->slots.nr; i++)
		if (cpb_slot(&s->slots, i)->type != CPB_OBJECT_NONE)
			cpb_slot_dirty(s, i);
	if (!err)
		cpb_say(r, CPB_DONE, "free space, counters and deadlists are made anew from the maps");
	return err;
}
