// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store: maps that contradict each other.
 *
 * Each block of a map may be whole, and say what no history can have led to: a
 * block that was written to the place of another one does. What holds of maps
 * that are right: let V be the next point before X that has a map. What X's map
 * has that was born in V's time is in V's map too, at the same place. All the
 * rest came into being at X, or at a deleted point between the two: at the first
 * of them whose time its birth is in. Nothing came into being at two points, or
 * twice at one.
 *
 * So maps are gone through from the oldest on, and each thing gets the point at
 * which it came into being. A leaf or a subtree that does not fit what is known
 * by then becomes a hole. It may be the older map that is wrong: that can't be
 * seen, but is said.
 */
#include "repair.h"

/**
 * struct agree - what is known
 * @chunk: by chunk, the slot plus one of the point at which it came into being
 * @birth: the chunk's, where that point is a deleted one
 * @block: by block, as @chunk
 * @p: whose map is gone through
 * @up: the next point before it that has a map, or NULL
 * @with: whose map it contradicts, as a slot plus one
 */
struct agree {
	struct cpb_repair *r;
	u32 *chunk, *block;
	u64 *birth;
	struct cpb_point *p, *up;
	u32 with;
};

static u64 up_epoch(const struct agree *a)
{
	return a->up ? a->up->epoch : CPB_EPOCH_NONE;
}

/* Where something came into being that is not the point's before, as a slot plus one. */
static u32 origin(const struct agree *a, u64 birth)
{
	struct cpb_point *p = a->p;

	while (p->parent && birth <= p->parent->epoch)
		p = p->parent;
	return p->slot + 1;
}

/* The node of V's map on this level that @key is below, or NULL. */
static int find(struct agree *a, u64 key, unsigned int level, struct cpb_node **n)
{
	struct cpb_edit e = cpb_map_of(a->r->s, a->up);
	int err;

	*n = NULL;
	if (!a->up->root.ref || a->up->root.level < level)
		return 0;
	err = cpb_root_node(&e, n);
	while (!err && cpb_level(*n) > level)
		err = cpb_child(&e, *n, cpb_map_slot(*n, key), true, n);
	return err;
}

/* Does V's map have what this extent says? */
static int is_shared(struct agree *a, const struct cpb_disk_extent *x, bool *same)
{
	u64 v = le64_to_cpu(x->vchunk), chunk = cpb_run_chunk(le64_to_cpu(x->run));
	u64 end = v + cpb_run_len(le64_to_cpu(x->run)), first, last;
	const struct cpb_disk_extent *y;
	struct cpb_node *n;
	unsigned int i;
	int err;

	*same = false;
	while (v < end) {
		err = find(a, v, 0, &n);
		if (err || !n)
			return err;
		i = cpb_map_slot(n, v);
		y = (const void *)cpb_entry(&cpb_map_class, n, i);
		first = le64_to_cpu(y->vchunk);
		last = first + cpb_run_len(le64_to_cpu(y->run));
		if (v < first || v >= last || y->birth != x->birth ||
		    cpb_run_chunk(le64_to_cpu(y->run)) + v - first != chunk)
			return 0;
		chunk += min(last, end) - v;
		v = min(last, end);
	}
	*same = true;
	return 0;
}

/* May this extent's chunks have come into being where it says, and once? */
static bool is_own(struct agree *a, const struct cpb_disk_extent *x)
{
	u64 chunk = cpb_run_chunk(le64_to_cpu(x->run));
	u64 len = cpb_run_len(le64_to_cpu(x->run));
	u32 from = origin(a, le64_to_cpu(x->birth));

	for (; len; len--, chunk++) {
		u32 known = a->chunk[chunk];

		if (cpb_bit(a->r->mark_chunks, chunk)) {
			a->with = a->p->slot + 1;
			return false;
		}
		cpb_bit_set(a->r->mark_chunks, chunk);
		if (!known)
			continue;
		a->with = known;
		if (known != from || a->birth[chunk] != le64_to_cpu(x->birth))
			return false;
	}
	return true;
}

/* Does a leaf fit what is known? */
static int leaf_agrees(struct agree *a, struct cpb_node *n, bool *fits)
{
	unsigned int i;
	int err = 0;

	*fits = true;
	for (i = 0; i < cpb_nr(n) && *fits && !err; i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);

		if (le64_to_cpu(x->birth) > up_epoch(a)) {
			*fits = is_own(a, x);
			continue;
		}
		a->with = a->up->slot + 1;
		err = is_shared(a, x, fits);
	}
	return err;
}

/* Does a block? With @known: it is V's, and so is all that is below it. */
static int node_agrees(struct agree *a, struct cpb_node *n, bool *known, bool *fits)
{
	u64 birth = le64_to_cpu(n->h->birth);
	struct cpb_node *other;
	u32 was = a->block[n->addr];
	int err;

	*known = birth <= up_epoch(a);
	if (*known) {
		a->with = a->up->slot + 1;
		err = find(a, le64_to_cpu(*cpb_entry(&cpb_map_class, n, 0)),
			   cpb_level(n), &other);
		*fits = !err && other == n;
		return err;
	}
	*fits = birth <= a->p->epoch && (!was || was == origin(a, birth));
	a->with = was;
	return cpb_level(n) || !*fits ? 0 : leaf_agrees(a, n, fits);
}

static int contradicts(struct agree *a, struct cpb_node *n, u64 from, u64 to)
{
	struct cpb_store *s = a->r->s;
	char label[CPB_LABEL_MAX];

	if (!a->with)
		snprintf(a->r->why, sizeof(a->r->why), "younger than the map, metadata block %llu",
			 (unsigned long long)n->addr);
	else if (a->with == a->p->slot + 1)
		snprintf(a->r->why, sizeof(a->r->why), "data in two places, metadata block %llu",
			 (unsigned long long)n->addr);
	else
		snprintf(a->r->why, sizeof(a->r->why), "metadata block %llu contradicts %s, which may be wrong as well",
			 (unsigned long long)n->addr,
			 cpb_point_label(s, cpb_slot(&s->slots, a->with - 1)->p, label));
	return cpb_hole_add(a->r, a->p, from, to, cpb_level(n));
}

static int compare(struct agree *a, struct cpb_edit *e, struct cpb_node *n, u64 from,
		   u64 to)
{
	const struct cpb_disk_child *d;
	struct cpb_node *child;
	bool known, fits;
	unsigned int i;
	int err;

	err = node_agrees(a, n, &known, &fits);
	if (err)
		return err;
	if (!fits)
		return contradicts(a, n, from, to);
	for (i = 0; !known && cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		d = (void *)cpb_entry(&cpb_map_class, n, i);
		err = cpb_child(e, n, i, true, &child);
		if (!err)
			err = compare(a, e, child, le64_to_cpu(d->vchunk),
				      i + 1 < cpb_nr(n) ? le64_to_cpu(d[1].vchunk) : to);
	}
	return err;
}

/* All of it fits: from here on it is known. */
static int learn(struct agree *a, struct cpb_edit *e, struct cpb_node *n)
{
	u64 birth = le64_to_cpu(n->h->birth), chunk, len;
	struct cpb_node *child;
	unsigned int i;
	u32 from;
	int err = 0;

	if (birth <= up_epoch(a))
		return 0;
	a->block[n->addr] = origin(a, birth);
	for (i = 0; !cpb_level(n) && i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);

		birth = le64_to_cpu(x->birth);
		if (birth <= up_epoch(a))
			continue;
		from = origin(a, birth);
		chunk = cpb_run_chunk(le64_to_cpu(x->run));
		for (len = cpb_run_len(le64_to_cpu(x->run)); len; len--, chunk++) {
			a->chunk[chunk] = from;
			if (from != a->p->slot + 1)
				a->birth[chunk] = birth;
		}
	}
	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		err = cpb_child(e, n, i, true, &child);
		if (!err)
			err = learn(a, e, child);
	}
	return err;
}

static int agree_one(struct agree *a, struct cpb_point *p)
{
	struct cpb_repair *r = a->r;
	struct cpb_edit e = cpb_map_of(r->s, p);
	struct cpb_node *n;
	int err;

	a->p = p;
	for (a->up = p->parent; a->up && !cpb_has_map(a->up);)
		a->up = a->up->parent;
	memset(r->mark_chunks, 0,
	       DIV_ROUND_UP(r->s->space.chunks, BITS_PER_LONG) * sizeof(long));
	err = cpb_root_node(&e, &n);
	if (!err)
		err = compare(a, &e, n, 0, ~0ULL);
	if (!err)
		err = cpb_holes_use(r, p);
	if (err || !cpb_has_map(p) || !p->root.ref)
		return err;
	err = cpb_root_node(&e, &n);
	return err ? err : learn(a, &e, n);
}

/* The older a point is the more others bear it out; parents are older. */
static int agree_all(struct agree *a)
{
	struct cpb_store *s = a->r->s;
	struct cpb_id *v = port_alloc((s->points.live + 1) * sizeof(*v));
	struct cpb_point *p;
	u64 id, nr = 0, i;
	int err = v ? 0 : -ENOMEM;

	for (id = 0; !err && (p = cpb_ids_next(&s->points, id)); id = p->id)
		v[nr++] = (struct cpb_id){ p->epoch, p };
	if (nr)
		port_sort(v, nr, sizeof(*v), cpb_ids_compare);
	for (i = 0; i < nr && !err; i++) {
		p = v[i].p;
		if (cpb_has_map(p) && p->root.ref)
			err = agree_one(a, p);
	}
	port_free(v);
	return err;
}

/** cpb_agree() - make holes of what contradicts other maps */
int cpb_agree(struct cpb_repair *r)
{
	struct agree a = {
		.r = r,
		.chunk = port_alloc(r->s->space.chunks * sizeof(u32)),
		.block = port_alloc(r->s->meta_blocks * sizeof(u32)),
		.birth = port_alloc(r->s->space.chunks * sizeof(u64)),
	};
	int err = a.chunk && a.block && a.birth ? agree_all(&a) : -ENOMEM;

	port_free(a.chunk);
	port_free(a.block);
	port_free(a.birth);
	return err;
}
