// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlists: what a point's parent has and the point no longer has.
 *
 * An entry is a run of chunks (or one metadata block) with the epoch it was
 * born in. The I/O path only appends to a buffer of the deadlist, in memory; a
 * commit sorts what came and puts it into the store's dead tree, where a
 * deadlist is the range of keys that begins with its ID, and what was born
 * after some epoch is the end of it. So a deletion reads just what it frees,
 * and small deadlists share blocks. (ZFS keeps its deadlists in one file per
 * birth interval; most of those would be nearly empty here.)
 */
#include "engine.h"

#define UNSWEPT_MAX	(64 * CPB_SEG_WORDS)

/** cpb_deadset_new() - an empty deadlist, or NULL */
struct cpb_deadset *cpb_deadset_new(u64 id)
{
	struct cpb_deadset *d = port_alloc(sizeof(*d));

	if (!d)
		return NULL;
	d->id = id;
	cpb_buf_init(&d->buf);
	cpb_buf_init(&d->cut);
	cpb_buf_init(&d->unswept);
	INIT_LIST_HEAD(&d->dirty);
	return d;
}

void cpb_deadset_free(struct cpb_deadset *d)
{
	if (!d)
		return;
	list_del_init(&d->dirty);
	cpb_buf_drop(&d->buf);
	cpb_buf_drop(&d->cut);
	cpb_buf_drop(&d->unswept);
	port_free(d);
}

/**
 * cpb_dead_add() - append to a deadlist; the tree lock is held
 * @s: the store
 * @d: the deadlist
 * @birth: of the run, with CPB_DEAD_BLOCK if it is a metadata block
 * @run: the run of chunks
 *
 * cpb_store.pool has a segment.
 */
void cpb_dead_add(struct cpb_store *s, struct cpb_deadset *d, u64 birth, u64 run)
{
	u64 *w = cpb_buf_push(&s->pool, &d->buf, 2);

	w[0] = birth;
	w[1] = run;
	s->nr_dead++;
	if (birth & CPB_DEAD_BLOCK) {
		d->nr[1]++;
	} else {
		if (!d->nr[0]) {
			d->young = 0;
			d->young_after = cpb_parent_epoch(d->owner->parent);
		}
		d->nr[0] += cpb_run_len(run);
		if (birth > d->young_after)
			d->young += cpb_run_len(run);
		cpb_cost_forget(d->owner->parent);
	}
	if (list_empty(&d->dirty))
		list_add_tail(&d->dirty, &s->txns[s->txn & 1].deadsets);
	cpb_point_dirty(d->owner);
}

/* ---- The dead tree; meta is held ---- */

static void dead_edit(struct cpb_store *s, u64 txn, struct cpb_edit *e)
{
	*e = (struct cpb_edit){
		.s = s,
		.cls = &cpb_dead_class,
		.root = &s->dead,
		.txn = txn,
		.birth = 1,
		.pool = &s->meta_pool,
		.wait = true,
		.nodes = &s->dead_nodes,
	};
}

static int fill(struct cpb_store *s)
{
	int err = cpb_pool_fill(s, &s->meta_pool, cpb_tree_need(&s->dead) + 4,
				4);

	return err ? cpb_break(s, err, "no block is left for deadlists", ~0ULL) : 0;
}

/* Looking at the same leaf again and again counts as one look. */
static int find(struct cpb_edit *e, const u64 *key, struct cpb_path *path)
{
	struct cpb_store *s = e->s;
	int err = cpb_path_find(e, key, path);

	if (err || !path->levels || path->node[0]->addr == s->dead_leaf)
		return err;
	s->dead_leaf = path->node[0]->addr;
	s->nr_looked += path->levels;
	return 0;
}

static void get(struct cpb_edit *e, struct cpb_path *path, unsigned int i,
		u64 *entry)
{
	__le64 *d = cpb_entry(e->cls, path->node[0], i);
	unsigned int w;

	for (w = 0; w < 3; w++)
		entry[w] = le64_to_cpu(d[w]);
}

/** cpb_dead_insert() - put one entry (set, birth, run) into the tree  [sleeps] */
int cpb_dead_insert(struct cpb_store *s, u64 txn, const u64 *entry)
{
	struct cpb_path path;
	struct cpb_edit e;
	int err = fill(s);

	if (err)
		return err;
	dead_edit(s, txn, &e);
	err = find(&e, entry, &path);
	if (err)
		return err;
	cpb_path_own(&e, &path);
	cpb_path_insert(&e, &path, entry);
	s->dead_changes++;
	return 0;
}

/** cpb_dead_erase() - take one entry out  [sleeps]; -EUCLEAN: it isn't there */
int cpb_dead_erase(struct cpb_store *s, u64 txn, const u64 *entry)
{
	struct cpb_path path;
	struct cpb_edit e;
	int err = fill(s);
	u64 found[3];

	if (err)
		return err;
	dead_edit(s, txn, &e);
	err = find(&e, entry, &path);
	if (err)
		return err;
	if (path.levels && path.slot[0] < cpb_nr(path.node[0])) {
		get(&e, &path, path.slot[0], found);
		if (!memcmp(found, entry, sizeof(found))) {
			cpb_path_own(&e, &path);
			cpb_path_erase(&e, &path, path.slot[0], 1);
			s->dead_changes++;
			return 0;
		}
	}
	return cpb_break(s, -EUCLEAN, "a deadlist entry is missing", ~0ULL);
}

/**
 * cpb_dead_take() - take out entries of one deadlist, in order  [sleeps]
 * @s: the store
 * @txn: the transaction
 * @key: the first one is not below this; all have its first word
 * @entry: gets them, three words each
 * @max: room in it
 *
 * Return: how many were taken (0: there are no more), or an error.
 */
int cpb_dead_take(struct cpb_store *s, u64 txn, const u64 *key, u64 *entry,
		  unsigned int max)
{
	u64 k[3] = { key[0], key[1], key[2] };
	unsigned int nr = 0, first;
	struct cpb_path path;
	struct cpb_edit e;
	int err = fill(s);

	if (err)
		return err;
	dead_edit(s, txn, &e);
	do {
		err = find(&e, k, &path);
		if (err || !path.levels)
			return err;
		if (path.slot[0] < cpb_nr(path.node[0]))
			break;
	} while (cpb_path_next_key(&e, &path, k) && k[0] <= key[0]);
	first = path.slot[0];
	for (; nr < max && first + nr < cpb_nr(path.node[0]); nr++) {
		get(&e, &path, first + nr, entry + 3 * nr);
		if (entry[3 * nr] != key[0])
			break;
	}
	if (nr) {
		cpb_path_own(&e, &path);
		cpb_path_erase(&e, &path, first, nr);
		s->dead_changes++;
	}
	return nr;
}

/**
 * cpb_dead_next() - the first entry that is not below @key  [sleeps]
 * @s: the store
 * @key: the key
 * @entry: the entry
 *
 * Return: 1, 0 if there is none, or an error.
 */
int cpb_dead_next(struct cpb_store *s, const u64 *key, u64 *entry)
{
	struct cpb_path path;
	struct cpb_edit e;
	u64 k[3] = { key[0], key[1], key[2] };
	int err;

	dead_edit(s, 0, &e);
	for (;;) {
		err = find(&e, k, &path);
		if (err || !path.levels)
			return err;
		if (path.slot[0] < cpb_nr(path.node[0])) {
			get(&e, &path, path.slot[0], entry);
			return 1;
		}
		if (!cpb_path_next_key(&e, &path, k))
			return 0;
	}
}

/** cpb_dead_prev() - the last entry below @key  [sleeps]; as cpb_dead_next() */
int cpb_dead_prev(struct cpb_store *s, const u64 *key, u64 *entry)
{
	struct cpb_path path;
	struct cpb_edit e;
	unsigned int level;
	int err;

	dead_edit(s, 0, &e);
	err = find(&e, key, &path);
	if (err || !path.levels)
		return err;
	if (path.slot[0])
		goto found;
	/* Up to where there is something on the left, and down on its right. */
	for (level = 1; level < path.levels && !path.slot[level]; level++)
		;
	if (level == path.levels)
		return 0;
	path.slot[level]--;
	for (; level; level--) {
		err = cpb_child(&e, path.node[level], path.slot[level], true,
				&path.node[level - 1]);
		if (err)
			return err;
		path.slot[level - 1] = cpb_nr(path.node[level - 1]) -
				       (level > 1 ? 1 : 0);
	}
found:
	get(&e, &path, path.slot[0] - 1, entry);
	return 1;
}

/**
 * cpb_dead_cover() - how a deadlist covers chunks from @chunk on  [sleeps]
 * @s: the store
 * @d: the deadlist, settled
 * @kind: 0 for chunks, 1 for metadata blocks
 * @birth: of the chunks
 * @chunk: the first one
 * @until: on 1, where an entry that covers it ends; on 0, where the next begins
 *
 * Return: 1, 0 if it is not on the list, or an error.
 */
int cpb_dead_cover(struct cpb_store *s, struct cpb_deadset *d, unsigned int kind,
		   u64 birth, u64 chunk, u64 *until)
{
	u64 key[3] = { d->id << 1 | kind, birth, cpb_run_pack(chunk + 1, 0) };
	u64 entry[3];
	int err = cpb_dead_prev(s, key, entry);

	if (err < 0)
		return err;
	*until = ~0ULL;
	if (err && entry[0] == key[0] && entry[1] == birth &&
	    cpb_run_chunk(entry[2]) + cpb_run_len(entry[2]) > chunk) {
		*until = cpb_run_chunk(entry[2]) + cpb_run_len(entry[2]);
		return 1;
	}
	err = cpb_dead_next(s, key, entry);
	if (err > 0 && entry[0] == key[0] && entry[1] == birth)
		*until = cpb_run_chunk(entry[2]);
	return err < 0 ? err : 0;
}

/* ---- From the buffers into the tree ---- */

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return x[1] < y[1] ? -1 : x[1] > y[1];
}

/**
 * cpb_dead_unswept() - an entry came to a deadlist
 * @s: the store
 * @d: the deadlist
 * @entry: the entry
 *
 * Meta is held, and the tree lock, as a checkpoint gives a deadlist another
 * owner. If the owner's parent is hidden and has other children, the entry is
 * to be looked for in their lists. When there are too many of these, whole
 * lists will be compared instead.
 */
void cpb_dead_unswept(struct cpb_store *s, struct cpb_deadset *d,
		      const u64 *entry)
{
	struct cpb_point *up = d->owner->parent;

	if (!up || !(up->flags & CPB_POINT_HIDDEN) || up->nr_children < 2)
		return;
	/* A comparison of whole lists that has not begun will see it. */
	if (up->sweep_all && !up->sweep[0])
		return;
	if (d->unswept.words >= UNSWEPT_MAX || !s->meta_pool.nr_segs) {
		up->sweep_all = true;
		up->sweep[0] = 0;
		return;
	}
	memcpy(cpb_buf_push(&s->meta_pool, &d->unswept, 3), entry,
	       3 * sizeof(*entry));
}

static int insert_sorted(struct cpb_store *s, u64 txn, struct cpb_deadset *d,
			 u64 *pair, unsigned int nr)
{
	unsigned long flags;
	unsigned int i;
	int err;

	port_sort(pair, nr, 2 * sizeof(u64), compare);
	for (i = 0; i < nr; i++) {
		bool block = pair[2 * i] & CPB_DEAD_BLOCK;
		u64 entry[3] = { d->id << 1 | block,
				 pair[2 * i] & ~CPB_DEAD_BLOCK,
				 pair[2 * i + 1] };

		while (!block && i + 1 < nr && pair[2 * i + 2] == pair[2 * i] &&
		       cpb_run_chunk(pair[2 * i + 3]) ==
		       cpb_run_chunk(entry[2]) + cpb_run_len(entry[2]) &&
		       cpb_run_len(entry[2]) + cpb_run_len(pair[2 * i + 3]) <=
		       CPB_RUN_MAX)
			entry[2] += cpb_run_len(pair[2 * ++i + 1]);
		err = cpb_dead_insert(s, txn, entry);
		if (err)
			return err;
		flags = port_lock(&s->lock);
		cpb_dead_unswept(s, d, entry);
		port_unlock(&s->lock, flags);
	}
	return 0;
}

/* Move a buffer, which nobody adds to, into the tree; meta is held. */
static int drain(struct cpb_store *s, u64 txn, struct cpb_deadset *d,
		 struct cpb_buf *buf)
{
	struct cpb_seg *seg;
	unsigned int nr = 0;
	int err = 0;
	u64 i;

	cpb_for_each_seg(seg, buf) {
		for (i = 0; i < seg->used && !err; i += 2) {
			memcpy(s->scratch + nr, seg->word + i, 2 * sizeof(u64));
			nr += 2;
			if (nr == CPB_SCRATCH) {
				err = insert_sorted(s, txn, d, s->scratch, nr / 2);
				nr = 0;
			}
		}
	}
	if (!err && nr)
		err = insert_sorted(s, txn, d, s->scratch, nr / 2);
	if (!err)
		cpb_buf_drop(buf);
	return err;
}

/* Its owner's parent may have something to reclaim now; the tree lock is held. */
static void freshen(struct cpb_deadset *d)
{
	struct cpb_point *up = d->owner->parent;

	if (up && up->flags & CPB_POINT_HIDDEN)
		cpb_work_add(up);
}

/**
 * cpb_dead_drain() - put what a commit cut off into the tree  [sleeps]
 * @s: the store
 * @t: the transaction
 *
 * Meta is held; the deadsets of @t have it in their cut buffers.
 */
int cpb_dead_drain(struct cpb_store *s, struct cpb_txn *t)
{
	struct cpb_deadset *d, *next;
	unsigned long flags;
	int err;

	list_for_each_entry_safe(d, next, &t->deadsets, dirty) {
		err = drain(s, t->id, d, &d->cut);
		if (err)
			return err;
		flags = port_lock(&s->lock);
		list_del_init(&d->dirty);
		/* Entries that came since the cut wait for the next one. */
		if (d->buf.words)
			list_add_tail(&d->dirty, &s->txns[s->txn & 1].deadsets);
		freshen(d);
		port_unlock(&s->lock, flags);
	}
	return 0;
}

/**
 * cpb_dead_settle() - put what is in a deadlist's buffer now into the tree  [sleeps]
 * @s: the store
 * @d: the deadlist
 *
 * Meta is held. A head may go on adding to it.
 */
int cpb_dead_settle(struct cpb_store *s, struct cpb_deadset *d)
{
	struct cpb_buf buf;
	unsigned long flags;
	int err;

	if (!READ_ONCE(d->buf.words))
		return 0;
	cpb_buf_init(&buf);
	flags = port_lock(&s->lock);
	cpb_buf_splice(&d->buf, &buf);
	freshen(d);
	port_unlock(&s->lock, flags);
	err = drain(s, s->txn, d, &buf);
	cpb_buf_drop(&buf);
	return err;
}
