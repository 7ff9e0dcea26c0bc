// SPDX-License-Identifier: GPL-2.0
/*
 * The map of a point: which chunks its virtual chunks are.
 *
 * A leaf's range of keys is closed: an extent never reaches past the smallest
 * key that the next leaf may hold. So a lookup reads one leaf, and a change of
 * one piece of the range changes one leaf.
 *
 * Lookups take no lock. A head's sequence count is odd while its tree is being
 * changed; what was read from a node is used only if the count is still the
 * one that the lookup began with. Nodes themselves are freed under RCU.
 */
#include "engine.h"

#define LOOKUP_TRIES	32

struct map_entry {
	u64 vchunk, chunk, len, birth;
};

static void get_entry(struct cpb_node *n, unsigned int i, struct map_entry *m)
{
	const struct cpb_disk_extent *d =
		(struct cpb_disk_extent *)cpb_entry(&cpb_map_class, n, i);
	u64 run = le64_to_cpu(READ_ONCE(d->run));

	m->vchunk = le64_to_cpu(READ_ONCE(d->vchunk));
	m->birth = le64_to_cpu(READ_ONCE(d->birth));
	m->chunk = cpb_run_chunk(run);
	m->len = cpb_run_len(run);
}

static void set_entry(struct cpb_node *n, unsigned int i, const struct map_entry *m)
{
	struct cpb_disk_extent *d =
		(struct cpb_disk_extent *)cpb_entry(&cpb_map_class, n, i);

	d->vchunk = cpu_to_le64(m->vchunk);
	d->run = cpu_to_le64(cpb_run_pack(m->chunk, m->len));
	d->birth = cpu_to_le64(m->birth);
}

/* ---- Lookup ---- */

/* Extents and holes of one leaf, from @v up to @end. */
static unsigned int collect(struct cpb_node *n, unsigned int nr, int i, u64 v,
			    u64 end, struct cpb_extent *ext, unsigned int max)
{
	unsigned int got = 0;
	struct map_entry m;

	if (i < 0)
		i = 0;
	for (; v < end && got < max; got++) {
		struct cpb_extent *x = &ext[got];

		for (; i < (int)nr; i++) {
			get_entry(n, i, &m);
			if (m.vchunk + m.len > v)
				break;
		}
		x->vchunk = v;
		if (i >= (int)nr || m.vchunk >= end) {
			x->chunk = CPB_HOLE;
			x->birth = 0;
			x->len = end - v;
		} else if (m.vchunk > v) {
			x->chunk = CPB_HOLE;
			x->birth = 0;
			x->len = m.vchunk - v;
		} else {
			x->chunk = m.chunk + (v - m.vchunk);
			x->birth = m.birth;
			x->len = min(end, m.vchunk + m.len) - v;
		}
		v += x->len;
	}
	return got;
}

/*
 * One try. -ESTALE: the tree changed, nothing of what was read can be used;
 * the caller knows whether to believe other errors by the sequence count.
 */
static int lookup(struct cpb_store *s, struct cpb_point *p, unsigned int seq,
		  u64 v, u64 end, struct cpb_extent *ext, unsigned int max,
		  u64 *bad)
{
	u64 ref = READ_ONCE(p->root.ref), birth = READ_ONCE(p->root.birth);
	unsigned int level = READ_ONCE(p->root.level), nr;
	const struct cpb_disk_child *c;
	struct cpb_node *n;
	int i;

	if (!ref) {
		*ext = (struct cpb_extent){ v, CPB_HOLE, end - v, 0 };
		return 1;
	}
	if (level >= CPB_LEVELS)
		return -EUCLEAN;
	for (;; level--) {
		if (port_seq_retry(&p->seq, seq))
			return -ESTALE;
		*bad = cpb_ref_addr(ref);
		n = cpb_node_find(s, *bad);
		if (!n)
			return -EAGAIN;
		if (le32_to_cpu(n->h->magic) != CPB_MAGIC_MAP ||
		    cpb_level(n) != level || le64_to_cpu(n->h->birth) != birth ||
		    cpb_ref(n) != ref)
			return -EUCLEAN;
		nr = min_t(unsigned int, cpb_nr(n), cpb_map_class.leaf_max);
		i = cpb_map_search(n->h, nr, v);
		if (!level)
			return collect(n, nr, i, v, end, ext, max);
		if (i < 0)
			i = 0;
		c = (const struct cpb_disk_child *)(n->h + 1) + i;
		if (i + 1 < (int)nr)
			end = min(end, le64_to_cpu(READ_ONCE(c[1].vchunk)));
		ref = le64_to_cpu(READ_ONCE(c->ref));
		birth = le64_to_cpu(READ_ONCE(c->birth));
	}
}

/* Nothing that a damaged tree says may lead outside the data device. */
static bool in_bounds(const struct cpb_store *s, const struct cpb_extent *x,
		      int nr)
{
	for (; nr--; x++)
		if (x->chunk != CPB_HOLE &&
		    (x->chunk >= s->space.chunks ||
		     x->len > s->space.chunks - x->chunk || !x->len))
			return false;
	return true;
}

int cpb_lookup(struct cpb_store *s, struct cpb_point *p, u64 vchunk, u64 len,
	       struct cpb_extent *ext, unsigned int max)
{
	unsigned int tries = 0, seq;
	unsigned long flags;
	u64 bad = ~0ULL;
	int n;

	port_rcu_lock();
	do {
		if (tries++ == LOOKUP_TRIES)
			break;
		seq = port_seq_begin(&p->seq);
		n = lookup(s, p, seq, vchunk, vchunk + len, ext, max, &bad);
	} while (port_seq_retry(&p->seq, seq));
	port_rcu_unlock();
	if (tries > LOOKUP_TRIES) {
		/* Writers leave no gap: wait for a turn among them. */
		flags = port_lock(&s->lock);
		n = lookup(s, p, port_seq_begin(&p->seq), vchunk, vchunk + len,
			   ext, max, &bad);
		port_unlock(&s->lock, flags);
	}
	if (n > 0 && !in_bounds(s, ext, n))
		n = -EUCLEAN;
	if (n == -EUCLEAN)
		cpb_break(s, n, "a map is damaged", bad);
	return n;
}

int cpb_load(struct cpb_store *s, struct cpb_point *p, u64 vchunk)
{
	struct cpb_edit e = { .s = s, .cls = &cpb_map_class };
	struct cpb_path path;
	struct cpb_root root;
	unsigned long flags;
	int err;

	for (;;) {
		flags = port_lock(&s->lock);
		root = p->root;
		e.root = &root;
		err = cpb_path_find(&e, &vchunk, &path);
		port_unlock(&s->lock, flags);
		if (err != -EAGAIN)
			return err;
		err = cpb_node_load(s, e.missing, CPB_MAGIC_MAP, e.released, NULL);
		if (err && err != -EAGAIN)
			return err;
	}
}

/* ---- Changing ---- */

static void head_edit(struct cpb_volume *v, struct cpb_edit *e)
{
	struct cpb_point *head = v->head;

	*e = (struct cpb_edit){
		.s = v->s,
		.cls = &cpb_map_class,
		.root = &head->root,
		.txn = v->s->txn,
		.birth = head->epoch,
		.keep = cpb_parent_epoch(head),
		.apart = head->apart_txn == v->s->txn ? head->apart : 0,
		.dead = head->dead,
		.pool = &v->s->pool,
	};
}

/** cpb_free_chunks() - nothing maps these any more; the tree lock is held */
void cpb_free_chunks(struct cpb_store *s, struct cpb_pool *pool, u64 run)
{
	*cpb_buf_push(pool, &s->txns[s->txn & 1].freed, 1) = run;
	s->space.change -= cpb_run_len(run);
	/* A long one has many bitmaps. */
	s->nr_runs += 1 + div64_u64(cpb_run_len(run), CPB_SPACE_BITS);
}

static void drop(struct cpb_volume *v, struct cpb_edit *e, u64 chunk, u64 len,
		 u64 birth)
{
	v->head->referenced -= len;
	if (birth > e->keep)
		cpb_free_chunks(v->s, e->pool, cpb_run_pack(chunk, len));
	else
		cpb_dead_add(v->s, e->dead, birth, cpb_run_pack(chunk, len));
}

/* The first extent of this leaf that ends behind @from; their number if none does. */
static unsigned int first_behind(struct cpb_path *path, u64 from)
{
	unsigned int i = path->slot[0];
	struct map_entry m;

	if (i) {
		get_entry(path->node[0], i - 1, &m);
		if (m.vchunk + m.len > from)
			return i - 1;
	}
	return i;
}

/* Where extent @i of this leaf begins, but at most @end. */
static u64 extent_start(struct cpb_path *path, unsigned int i, u64 end)
{
	struct map_entry m;

	if (i >= cpb_nr(path->node[0]))
		return end;
	get_entry(path->node[0], i, &m);
	return min(m.vchunk, end);
}

static bool adjoin(const struct map_entry *a, const struct map_entry *b)
{
	return a->vchunk + a->len == b->vchunk && a->chunk + a->len == b->chunk &&
	       a->birth == b->birth && a->len + b->len <= CPB_RUN_MAX;
}

/*
 * Take [@from, @to) out of the entries of an owned leaf. The entries
 * [path->slot[0], return value) are left over, and to be replaced or erased.
 * An extent that reaches over both ends is cut in two: then @rest is its right
 * part, to be inserted.
 */
static unsigned int carve(struct cpb_volume *v, struct cpb_edit *e,
			  struct cpb_path *path, u64 from, u64 to,
			  struct map_entry *rest)
{
	struct cpb_node *n = path->node[0];
	unsigned int i = path->slot[0];
	struct map_entry m;
	u64 end;

	rest->len = 0;
	if (i) {
		get_entry(n, i - 1, &m);
		end = m.vchunk + m.len;
		if (end > to)
			*rest = (struct map_entry){ to, m.chunk + (to - m.vchunk),
						    end - to, m.birth };
		if (end > from) {
			drop(v, e, m.chunk + (from - m.vchunk),
			     min(end, to) - from, m.birth);
			m.len = from - m.vchunk;
			set_entry(n, i - 1, &m);
		}
	}
	for (; i < cpb_nr(n); i++) {
		get_entry(n, i, &m);
		end = m.vchunk + m.len;
		if (m.vchunk >= to)
			break;
		drop(v, e, m.chunk, min(end, to) - m.vchunk, m.birth);
		if (end > to) {
			m.chunk += to - m.vchunk;
			m.len = end - to;
			m.vchunk = to;
			set_entry(n, i, &m);
			break;
		}
	}
	return i;
}

static void insert(struct cpb_edit *e, struct cpb_path *path,
		   const struct map_entry *m)
{
	cpb_path_insert(e, path, (u64[]){ m->vchunk,
			cpb_run_pack(m->chunk, m->len), m->birth });
}

/* Make a part of a leaf's range a hole. */
static void punch(struct cpb_volume *v, struct cpb_edit *e,
		  struct cpb_path *path, u64 from, u64 to)
{
	unsigned int first = path->slot[0], last;
	struct map_entry rest;

	cpb_path_own(e, path);
	last = carve(v, e, path, from, to, &rest);
	if (rest.len)
		insert(e, path, &rest);
	else
		cpb_path_erase(e, path, first, last - first);
}

/*
 * Make a part of a leaf's range one extent. What was there gives it its place,
 * so that the leaf is never empty in between, and the commonest change of all,
 * an extent overwritten as it is, moves nothing.
 */
static void put(struct cpb_volume *v, struct cpb_edit *e, struct cpb_path *path,
		struct map_entry m)
{
	unsigned int first = path->slot[0], last;
	struct map_entry rest, next;
	struct cpb_node *n;

	if (!path->levels) {
		insert(e, path, &m);
		return;
	}
	cpb_path_own(e, path);
	last = carve(v, e, path, m.vchunk, m.vchunk + m.len, &rest);
	if (rest.len) {
		insert(e, path, &rest);
		cpb_path_find(e, &m.vchunk, path);
		first = path->slot[0];
		last = first;
	}
	n = path->node[0];
	if (first) {
		get_entry(n, first - 1, &next);
		if (adjoin(&next, &m)) {
			m.vchunk = next.vchunk;
			m.chunk = next.chunk;
			m.len += next.len;
			first--;
		}
	}
	if (last < cpb_nr(n)) {
		get_entry(n, last, &next);
		if (adjoin(&m, &next)) {
			m.len += next.len;
			last++;
		}
	}
	if (first == last) {
		path->slot[0] = first;
		insert(e, path, &m);
	} else {
		cpb_path_lower(e, path, &m.vchunk);
		set_entry(n, first, &m);
		cpb_path_erase(e, path, first + 1, last - first - 1);
	}
}

/* The part of [@vchunk, @end) that is in the range of the leaf. */
static u64 leaf_end(struct cpb_edit *e, struct cpb_path *path, u64 end)
{
	u64 key;

	return path->levels && cpb_path_next_key(e, path, &key) ?
	       min(end, key) : end;
}

/* What a change may take from the pool. */
struct need {
	unsigned int nodes, segs;
};

/*
 * Is all in memory and in the pool that a change of [@vchunk, @end) may need?
 * @need says how much that is, also when the answer is -EAGAIN. @path leads to
 * the first leaf, whose part of the range ends at @to.
 */
static int ready(struct cpb_edit *e, u64 vchunk, u64 end, struct need *need,
		 struct cpb_path *path, u64 *to)
{
	struct cpb_path next;
	unsigned int leaves;
	u64 key;
	int err;

	/* What is dropped: at most every chunk by itself, 2 words each. */
	need->segs = 10 + 3 * (end - vchunk + 1) / CPB_SEG_WORDS;
	need->nodes = cpb_tree_need(e->root);
	e->missing = 0;
	err = cpb_path_find(e, &vchunk, path);
	if (err)
		return err;
	*to = key = leaf_end(e, path, end);
	for (leaves = 1; key < end; leaves++) {
		err = cpb_path_find(e, &key, &next);
		if (err)
			return err;
		key = leaf_end(e, &next, end);
	}
	/* An extent that is cut in two is two changes. */
	need->nodes *= leaves + 1;
	return e->pool->nr < need->nodes || e->pool->nr_segs < need->segs ?
	       -EAGAIN : 0;
}

/**
 * cpb_map_set() - map a run of virtual chunks; the tree lock is held
 * @v: the volume
 * @vchunk: first virtual chunk
 * @run: what they become
 *
 * Return: 0; -EAGAIN: nothing changed, cpb_prepare() helps.
 */
int cpb_map_set(struct cpb_volume *v, u64 vchunk, u64 run)
{
	u64 end = vchunk + cpb_run_len(run), chunk = cpb_run_chunk(run);
	struct cpb_point *head = v->head;
	struct cpb_path path;
	struct cpb_edit e;
	struct need need;
	int err;
	u64 to;

	port_assert_held(&v->s->lock);
	head_edit(v, &e);
	err = ready(&e, vchunk, end, &need, &path, &to);
	if (err)
		return err;
	port_seq_write(&head->seq);
	head->referenced += end - vchunk;
	for (;;) {
		put(v, &e, &path, (struct map_entry){ vchunk, chunk, to - vchunk,
						      head->epoch });
		if (to == end)
			break;
		chunk += to - vchunk;
		vchunk = to;
		/* Can't fail: all of it was walked above, and no leaf went. */
		cpb_path_find(&e, &vchunk, &path);
		to = leaf_end(&e, &path, end);
	}
	port_seq_done(&head->seq);
	*cpb_buf_push(e.pool, &v->s->txns[v->s->txn & 1].mapped, 1) = run;
	v->s->space.change += cpb_run_len(run);
	v->s->nr_runs++;
	cpb_point_dirty(head);
	return 0;
}

/**
 * cpb_map_clear() - make holes of what one leaf holds of a range
 * @v: the volume
 * @vchunk: start; advanced
 * @len: length; what is left
 * @most: extents of it, at most; with 0 no further than to the first one
 *
 * The tree lock is held. Return: 1 if something changed, 0 if there was
 * nothing, -EAGAIN as in cpb_map_set().
 */
int cpb_map_clear(struct cpb_volume *v, u64 *vchunk, u64 *len, unsigned int most)
{
	u64 end = *vchunk + *len, start, to, first;
	struct cpb_path path, again;
	unsigned int behind;
	struct cpb_edit e;
	struct need need;
	int err;

	port_assert_held(&v->s->lock);
	head_edit(v, &e);
	err = cpb_path_find(&e, vchunk, &path);
	if (err)
		return err;
	to = leaf_end(&e, &path, end);
	behind = path.levels ? first_behind(&path, *vchunk) : 0;
	start = path.levels ? extent_start(&path, behind, to) : to;
	if (start < to && !most) {
		if (start <= *vchunk)
			return -EAGAIN;
		to = start;
	} else if (start < to) {
		to = extent_start(&path, behind + most, to);
		err = ready(&e, *vchunk, *vchunk + 1, &need, &again, &first);
		if (err)
			return err;
		port_seq_write(&v->head->seq);
		punch(v, &e, &path, *vchunk, to);
		port_seq_done(&v->head->seq);
		cpb_point_dirty(v->head);
		err = 1;
	}
	*vchunk = to;
	*len = end - to;
	return err;
}

int cpb_prepare(struct cpb_volume *v, u64 vchunk, u64 len)
{
	struct cpb_store *s = v->s;
	struct cpb_path path;
	unsigned long flags;
	struct cpb_edit e;
	struct need need;
	int err;
	u64 to;

	for (;;) {
		if (s->broken)
			return -EROFS;
		flags = port_lock(&s->lock);
		head_edit(v, &e);
		err = ready(&e, vchunk, vchunk + len, &need, &path, &to);
		port_unlock(&s->lock, flags);
		if (err != -EAGAIN)
			return err;
		if (e.missing) {
			err = cpb_node_load(s, e.missing, CPB_MAGIC_MAP, e.released, NULL);
			if (err && err != -EAGAIN)
				return err;
			continue;
		}
		err = cpb_pool_fill(s, &s->pool,
				    max_t(unsigned int, need.nodes, s->pool_want),
				    max(need.segs, 64U));
		if (err != -ENOSPC || s->pool.nr >= need.nodes)
			continue;
		/* What earlier transactions let go of is free after this one. */
		err = cpb_commit(s);
		if (err)
			return err;
		if (cpb_blocks_available(s) < need.nodes)
			return -ENOSPC;
	}
}
