// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaiming what deleted points held, in the background, exactly.
 *
 * A deleted point is hidden: its name is gone, its place in the history stays.
 * Let C be hidden, P its parent (or none: epoch 0). Then
 *
 *   C has no child: what its map has beyond P's is free. C is unlinked, its
 *     tree is walked, subtrees that are P's are passed over unread, and its
 *     deadlist (all of it P's) is discarded.
 *   C has children: what all of them no longer have is free if it was born
 *     after P, else it goes to C's own deadlist. That sweep may be done in any
 *     portions, at any time.
 *   C has one child X: when it was swept like that, C's deadlist and X's are
 *     joined, and X takes C's place.
 *
 * Each may give P, or X, something to reclaim in turn. If X is removed while C
 * waits to be joined with it, it waits for that too: otherwise what only C had
 * would be lost with X's deadlist. Every step is bounded, leaves a state of
 * which all of the above holds, and belongs to one transaction; after a crash
 * it goes on from the last durable one.
 */
#include "engine.h"

#define STEP_ENTRIES	256	/* deadlist entries in one step */
#define STEP_NODES	8	/* leaves of a map in one step */
#define TURN		32	/* entries in one turn of the tree lock: writes wait for it */

/*
 * The blocks for all of this are what others leave alone (most of cpb_store.keep, and
 * what a commit takes by now). A step takes blocks for what it copies of the dead tree,
 * and for the bitmaps of what it frees, which the commit behind it changes; that
 * gives back as many. So with less left than writes leave a commit comes before the
 * step, and after it that much is there: 80 blocks on the smallest device, in which
 * the dead tree has three levels, and the bitmaps of one leaf. For each entry a step
 * copies at most the way to its leaf, in the list that it leaves and in the one that
 * it goes to, and splits these once. So many entries as that goes into are one step.
 */
static u64 spare_blocks(struct cpb_store *s)
{
	u64 free = cpb_blocks_available(s), cost = cpb_commit_cost(s);

	return free > cost ? free - cost : 0;
}

static unsigned int step_entries(struct cpb_store *s)
{
	u64 fit = div64_u64(spare_blocks(s), 4 * (s->dead.level + 2));

	return min_t(u64, max_t(u64, fit, 2), STEP_ENTRIES);
}

static u64 list_key(const struct cpb_deadset *d, unsigned int kind)
{
	return d->id << 1 | kind;
}

static int fill(struct cpb_store *s)
{
	int err = cpb_pool_fill(s, &s->meta_pool, 0, 16);

	return err ? cpb_break(s, err, "no block is left for reclaiming", ~0ULL) : 0;
}

/* ---- Freeing; the tree lock is held ---- */

static void free_block(struct cpb_store *s, u64 addr)
{
	struct cpb_txn *t = &s->txns[s->txn & 1];
	struct cpb_node *n = cpb_node_find(s, addr);
	unsigned long flags;

	if (n) {
		cpb_node_let_go(s, &s->meta_pool, n, s->txn, true);
		return;
	}
	flags = port_lock(&s->blocks.lock);
	*cpb_buf_push(&s->meta_pool, &t->blocks, 1) = addr;
	port_unlock(&s->blocks.lock, flags);
}

static void free_run(struct cpb_store *s, unsigned int kind, u64 run)
{
	if (kind) {
		free_block(s, cpb_run_chunk(run));
		return;
	}
	cpb_free_chunks(s, &s->meta_pool, run);
	s->nr_reclaimed += cpb_run_len(run);
}

/*
 * Of many entries, @i are through: let others have the tree lock now and then.
 * Meta is held, so that nothing becomes durable in between, and the lists.
 */
static unsigned long take_turns(struct cpb_store *s, unsigned int i,
				unsigned long flags)
	__must_hold(&s->lock)
{
	if (i % TURN != TURN - 1)
		return flags;
	port_unlock(&s->lock, flags);
	port_cond_resched();
	return port_lock(&s->lock);
}

/* The tree lock is held. */
static void count(struct cpb_deadset *d, unsigned int kind, u64 birth, u64 more,
		  u64 less)
{
	if (less > d->nr[kind] + more)
		cpb_break(d->owner->s, -EUCLEAN, "a deadlist has more than is counted",
			  ~0ULL);
	d->nr[kind] += more - less;
	if (!kind && birth > d->young_after)
		d->young += more - less;
	cpb_point_dirty(d->owner);
}

/* So many chunks of a hidden point's map are not counted any more, or are again. */
static void count_map(struct cpb_point *c, unsigned int kind, u64 more, u64 less)
{
	if (!kind)
		c->referenced += more - less;
	cpb_point_dirty(c);
}

/* ---- Deadlists of a sole child ---- */

/* What C had and X has not, and P never had: free. Return: 1 there is more. */
static int free_young(struct cpb_store *s, struct cpb_point *c,
		      struct cpb_point *x, unsigned int kind)
{
	u64 keep = cpb_parent_epoch(c);
	u64 key[3] = { list_key(x->dead, kind), keep + 1, 0 };
	unsigned long flags;
	int nr, i;

	nr = cpb_dead_take(s, s->txn, key, s->scratch, step_entries(s));
	if (nr <= 0)
		return nr;
	flags = port_lock(&s->lock);
	for (i = 0; i < nr; i++) {
		u64 run = s->scratch[3 * i + 2];

		free_run(s, kind, run);
		count(x->dead, kind, s->scratch[3 * i + 1], 0, cpb_run_len(run));
		count_map(c, kind, 0, cpb_run_len(run));
		flags = take_turns(s, i, flags);
	}
	port_unlock(&s->lock, flags);
	return 1;
}

/*
 * Move entries of one deadlist to another, of C and its child in either order:
 * what both C and the child don't have, C may as well have. Return: 1 there is
 * more.
 */
static int move_some(struct cpb_store *s, struct cpb_point *c,
		     struct cpb_deadset *from, struct cpb_deadset *to,
		     unsigned int kind)
{
	u64 key[3] = { list_key(from, kind), 0, 0 };
	unsigned long flags;
	u64 birth, len;
	int nr, i, err;

	nr = cpb_dead_take(s, s->txn, key, s->scratch, step_entries(s));
	if (nr <= 0)
		return nr;
	for (i = 0; i < nr; i++) {
		u64 *entry = s->scratch + 3 * i;

		entry[0] = list_key(to, kind);
		err = cpb_dead_insert(s, s->txn, entry);
		if (err)
			return err;
	}
	flags = port_lock(&s->lock);
	for (i = 0; i < nr; i++) {
		birth = s->scratch[3 * i + 1];
		len = cpb_run_len(s->scratch[3 * i + 2]);
		count(from, kind, birth, 0, len);
		count(to, kind, birth, len, 0);
		if (from == c->dead)
			count_map(c, kind, len, 0);
		else
			count_map(c, kind, 0, len);
		flags = take_turns(s, i, flags);
	}
	port_unlock(&s->lock, flags);
	return 1;
}

/*
 * Put what a head added to its buffer just now where it belongs when @keep is
 * its parent's epoch; the tree lock is held.
 */
static void sift(struct cpb_store *s, struct cpb_deadset *d, struct cpb_buf *from,
		 u64 keep)
{
	struct cpb_seg *seg;
	u64 i;

	cpb_for_each_seg(seg, from) {
		for (i = 0; i < seg->used; i += 2) {
			bool block = seg->word[i] & CPB_DEAD_BLOCK;
			u64 birth = seg->word[i] & ~CPB_DEAD_BLOCK;
			u64 run = seg->word[i + 1], *w;

			if (birth > keep) {
				free_run(s, block, run);
				count(d, block, birth, 0, cpb_run_len(run));
				continue;
			}
			w = cpb_buf_push(&s->meta_pool, &d->buf, 2);
			w[0] = seg->word[i];
			w[1] = run;
		}
	}
}

/* Entries that are going to be on a deadlist: which of them are young there? */
static void count_late(struct cpb_deadset *d, const struct cpb_buf *buf)
{
	struct cpb_seg *seg;
	u64 i;

	cpb_for_each_seg(seg, buf)
		for (i = 0; i < seg->used; i += 2)
			if (!(seg->word[i] & CPB_DEAD_BLOCK) &&
			    seg->word[i] > d->young_after)
				d->young += cpb_run_len(seg->word[i + 1]);
}

/* ---- One child ---- */

/* X takes C's place; C is unlinked, to be freed. The tree lock is held. */
static void join(struct cpb_store *s, struct cpb_point *c, struct cpb_point *x)
{
	struct cpb_deadset *d = x->dead;
	struct cpb_point *p = c->parent;
	struct cpb_buf late;

	cpb_buf_init(&late);
	cpb_buf_splice(&d->buf, &late);
	sift(s, d, &late, cpb_parent_epoch(c));
	cpb_buf_drop(&late);
	/* If there are entries in C's deadlist, X's were all moved there. */
	if (c->dead->nr[0] || c->dead->nr[1]) {
		count_late(c->dead, &d->buf);
		cpb_buf_splice(&d->buf, &c->dead->buf);
		c->dead->nr[0] += d->nr[0];
		c->dead->nr[1] += d->nr[1];
		x->dead = c->dead;
		x->dead->owner = x;
		c->dead = d;
		d->owner = c;
		d->nr[0] = 0;
		d->nr[1] = 0;
		list_del_init(&d->dirty);
		if (x->dead->buf.words && list_empty(&x->dead->dirty))
			list_add_tail(&x->dead->dirty,
				      &s->txns[s->txn & 1].deadsets);
	}
	if (x->flags & CPB_POINT_HEAD) {
		x->apart = x->apart_txn == s->txn ? max(x->apart, c->epoch) : c->epoch;
		x->apart_txn = s->txn;
	}
	cpb_orphan(x);
	cpb_orphan(c);
	cpb_adopt(p, x);
	if (p) {
		/* What X dropped of C was never compared with P's other children. */
		p->sweep_all = true;
		p->sweep[0] = 0;
	}
	cpb_point_dirty(x);
	if (x->flags & CPB_POINT_HIDDEN)
		cpb_work_add(x);
	if (p && p->flags & CPB_POINT_HIDDEN)
		cpb_work_add(p);
}

/* A deadlist of which all was moved on: is more counted than waits in memory? */
static bool uncounted(const struct cpb_deadset *d)
{
	return (d->nr[0] || d->nr[1]) && !d->buf.words && list_empty(&d->cut.segs);
}

static int step_one_child(struct cpb_store *s, struct cpb_point *c,
			  struct cpb_point **done)
{
	struct cpb_point *x = list_first_entry(&c->children, struct cpb_point,
					       sibling);
	struct cpb_deadset *from, *to;
	unsigned long flags;
	unsigned int kind;
	int err;

	err = cpb_dead_settle(s, c->dead);
	if (!err)
		err = cpb_dead_settle(s, x->dead);
	for (kind = 0; kind < 2 && !err; kind++)
		err = free_young(s, c, x, kind);
	if (err)
		return err;
	/* Smaller to larger: an entry moves at most log(all) times in its life. */
	from = c->dead;
	to = x->dead;
	if (from->nr[0] + from->nr[1] > to->nr[0] + to->nr[1])
		swap(from, to);
	for (kind = 0; kind < 2; kind++) {
		err = move_some(s, c, from, to, kind);
		if (err)
			return err;
	}
	flags = port_lock(&s->lock);
	/* A busy head: settle what came meanwhile, rather than sift it in here. */
	if (x->dead->buf.words > STEP_ENTRIES) {
		port_unlock(&s->lock, flags);
		return 1;
	}
	if (uncounted(from)) {
		port_unlock(&s->lock, flags);
		return cpb_break(s, -EUCLEAN, "a deadlist has less than is counted",
				 ~0ULL);
	}
	join(s, c, x);
	*done = c;
	port_unlock(&s->lock, flags);
	return 0;
}

/* ---- Many children ---- */

/* Take [@chunk, @chunk + @len), which one entry covers, out of a deadlist. */
static int cut_out(struct cpb_store *s, struct cpb_deadset *d, unsigned int kind,
		   u64 birth, u64 chunk, u64 len)
{
	u64 key[3] = { list_key(d, kind), birth, cpb_run_pack(chunk + 1, 0) };
	u64 entry[3] = { 0, 0, 0 }, first, end;
	unsigned long flags;
	int err = cpb_dead_prev(s, key, entry);

	if (err < 0)
		return err;
	first = cpb_run_chunk(entry[2]);
	end = first + cpb_run_len(entry[2]);
	if (!err || entry[0] != key[0] || entry[1] != birth || end < chunk + len)
		return cpb_break(s, -EUCLEAN, "a deadlist has entries that overlap",
				 ~0ULL);
	err = cpb_dead_erase(s, s->txn, entry);
	if (err)
		return err;
	if (first < chunk) {
		entry[2] = cpb_run_pack(first, chunk - first);
		err = cpb_dead_insert(s, s->txn, entry);
	}
	if (!err && end > chunk + len) {
		entry[2] = cpb_run_pack(chunk + len, end - chunk - len);
		err = cpb_dead_insert(s, s->txn, entry);
	}
	flags = port_lock(&s->lock);
	count(d, kind, birth, 0, len);
	port_unlock(&s->lock, flags);
	return err;
}

/* All children have dropped these: nobody below C has them any more. */
static int dropped(struct cpb_store *s, struct cpb_point *c, unsigned int kind,
		   u64 birth, u64 chunk, u64 len)
{
	u64 entry[3] = { list_key(c->dead, kind), birth, cpb_run_pack(chunk, len) };
	bool young = birth > cpb_parent_epoch(c);
	struct cpb_point *x;
	unsigned long flags;
	int err = 0;

	/* First, so that nobody sees that less was written below than nothing. */
	flags = port_lock(&s->lock);
	count_map(c, kind, 0, len);
	port_unlock(&s->lock, flags);
	list_for_each_entry(x, &c->children, sibling) {
		err = cut_out(s, x->dead, kind, birth, chunk, len);
		if (err)
			return err;
	}
	if (!young)
		err = cpb_dead_insert(s, s->txn, entry);
	if (!err)
		err = fill(s);
	if (err)
		return err;
	flags = port_lock(&s->lock);
	if (young) {
		free_run(s, kind, entry[2]);
	} else {
		count(c->dead, kind, birth, len, 0);
		cpb_dead_unswept(s, c->dead, entry);
		if (c->parent && c->parent->flags & CPB_POINT_HIDDEN)
			cpb_work_add(c->parent);
	}
	port_unlock(&s->lock, flags);
	return 0;
}

/* In one step: each of them is cut out of the list of each child. */
static unsigned int step_drops(struct cpb_store *s, const struct cpb_point *c)
{
	return max(step_entries(s) / c->nr_children, 1U);
}

/*
 * Drop those chunks of an entry of one child's list that all lists have, in at most
 * @most pieces. Return: 1 there is more, and @entry is what is left of it.
 */
static int sweep_entry(struct cpb_store *s, struct cpb_point *c, u64 *entry,
		       unsigned int *most)
{
	u64 birth = entry[1], chunk = cpb_run_chunk(entry[2]), from = chunk;
	u64 end = chunk + cpb_run_len(entry[2]);
	unsigned int kind = entry[0] & 1;
	struct cpb_point *x;
	u64 until, to;
	int err;

	for (; chunk < end; chunk = to) {
		if (!*most) {
			entry[2] = cpb_run_pack(from, end - from);
			return 1;
		}
		to = end;
		list_for_each_entry(x, &c->children, sibling) {
			err = cpb_dead_cover(s, x->dead, kind, birth, chunk, &until);
			if (err < 0)
				return err;
			if (!err) {
				to = min(end, until);
				break;
			}
			to = min(to, until);
		}
		if (!err)
			continue;
		err = dropped(s, c, kind, birth, chunk, to - chunk);
		if (err)
			return err;
		from = to;
		--*most;
	}
	return 0;
}

/* Whole lists: once through the shortest one. Return: 1 there is more. */
static int sweep_all(struct cpb_store *s, struct cpb_point *c,
		     struct cpb_point *least)
{
	unsigned int most = step_drops(s, c), entries = most;
	u64 entry[3], key[3];
	struct cpb_point *x;
	int err;

	/* The cursor is in the list that it began with, while that has an owner. */
	list_for_each_entry(x, &c->children, sibling)
		if (c->sweep[0] && c->sweep[0] >> 1 == x->dead->id)
			break;
	if (&x->sibling == &c->children) {
		c->sweep[0] = list_key(least->dead, 0);
		c->sweep[1] = 0;
		c->sweep[2] = 0;
		list_for_each_entry(x, &c->children, sibling)
			cpb_buf_drop(&x->dead->unswept);
	}
	for (;;) {
		memcpy(key, c->sweep, sizeof(key));
		err = cpb_dead_next(s, key, entry);
		if (err < 0)
			return err;
		if (!err || entry[0] >> 1 != key[0] >> 1)
			break;
		if (!entries--)
			return 1;
		err = sweep_entry(s, c, entry, &most);
		if (err < 0)
			return err;
		memcpy(c->sweep, entry, sizeof(key));
		if (err)
			return 1;
		c->sweep[2]++;
	}
	c->sweep[0] = 0;
	c->sweep_all = false;
	/* What came meanwhile is next. */
	return 1;
}

/* Entries that came since. Return: 1 there is more. */
static int sweep_new(struct cpb_store *s, struct cpb_point *c, struct cpb_point *x)
{
	struct cpb_buf *b = &x->dead->unswept;
	unsigned int most = step_drops(s, c), i;
	unsigned int end = 3 * most;
	struct cpb_seg *seg;
	int err = 0;

	if (!b->words)
		return 0;
	seg = list_first_entry(&b->segs, struct cpb_seg, list);
	for (i = 0; i < min(seg->used, end) && !err; i += 3)
		err = sweep_entry(s, c, seg->word + i, &most);
	if (err < 0)
		return err;
	/* The last one is not done. */
	if (err)
		i -= 3;
	b->words -= i;
	seg->used -= i;
	if (seg->used) {
		memmove(seg->word, seg->word + i, seg->used * sizeof(u64));
	} else {
		list_del(&seg->list);
		port_free_block(seg);
	}
	return 1;
}

/* Return: 1 there is more, -EAGAIN not with so few blocks. */
static int step_sweep(struct cpb_store *s, struct cpb_point *c)
{
	struct cpb_point *x, *least = NULL;
	bool some = c->sweep_all;
	int err;

	list_for_each_entry(x, &c->children, sibling) {
		err = cpb_dead_settle(s, x->dead);
		if (err)
			return err;
		if (!least || x->dead->nr[0] + x->dead->nr[1] <
			      least->dead->nr[0] + least->dead->nr[1])
			least = x;
		some |= x->dead->unswept.words > 0;
	}
	/* What is dropped is cut out of each list at once: a leaf, its half, the way to it. */
	if (some && spare_blocks(s) < 3ULL * c->nr_children + 16)
		return -EAGAIN;
	if (c->sweep_all)
		return sweep_all(s, c, least);
	list_for_each_entry(x, &c->children, sibling) {
		err = sweep_new(s, c, x);
		if (err)
			return err;
	}
	return 0;
}

/* ---- No child ---- */

/* A hidden leaf leaves the history; its tree is freed in later steps. */
static void unlink_leaf(struct cpb_point *c)
{
	struct cpb_point *p = c->parent;

	/* From here on: what is left to free. */
	c->referenced = cpb_written(c);
	c->keep = cpb_parent_epoch(c);
	c->cursor = 0;
	c->flags |= CPB_POINT_REAP;
	cpb_orphan(c);
	cpb_point_dirty(c);
	if (!p || !(p->flags & CPB_POINT_HIDDEN))
		return;
	/* Those that are left have to be compared once more, without this one. */
	p->sweep_all = true;
	p->sweep[0] = 0;
	cpb_work_add(p);
}

/*
 * Free what a leaf has for itself. Nobody reads this map any more, so it may take
 * several turns of the tree lock, which is held.
 */
static unsigned long free_leaf(struct cpb_store *s, struct cpb_point *c,
			       struct cpb_node *n, unsigned long flags)
	__must_hold(&s->lock)
{
	unsigned int i;
	u64 run;

	for (i = 0; i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);

		if (le64_to_cpu(x->birth) > c->keep) {
			run = le64_to_cpu(x->run);
			free_run(s, 0, run);
			c->referenced -= min(c->referenced, cpb_run_len(run));
		}
		flags = take_turns(s, i, flags);
	}
	return flags;
}

/*
 * Free one leaf, or pass over one subtree, at the cursor, and the nodes above
 * it that it was the last of. Return: 1 there is more.
 */
static int free_next(struct cpb_store *s, struct cpb_point *c)
{
	struct cpb_edit e = { .s = s, .cls = &cpb_map_class, .root = &c->root,
			      .wait = true };
	unsigned int level = c->root.level, i;
	struct cpb_path path;
	const struct cpb_disk_child *child;
	struct cpb_node *n;
	unsigned long flags;
	u64 next = ~0ULL;
	int err;

	if (!c->root.ref || c->root.birth <= c->keep)
		return 0;
	err = cpb_root_node(&e, &n);
	for (;;) {
		if (err)
			return err;
		s->nr_looked++;
		path.node[level] = n;
		path.slot[level] = 0;
		if (!level)
			break;
		for (i = 0; i + 1 < cpb_nr(n); i++) {
			child = (void *)cpb_entry(&cpb_map_class, n, i + 1);
			if (le64_to_cpu(child->vchunk) > c->cursor)
				break;
		}
		path.slot[level] = i;
		child = (void *)cpb_entry(&cpb_map_class, n, i);
		if (i + 1 < cpb_nr(n))
			next = le64_to_cpu(child[1].vchunk);
		if (le64_to_cpu(child->birth) <= c->keep)
			break;
		err = cpb_child(&e, n, i, true, &n);
		level--;
	}

	err = fill(s);
	if (err)
		return err;
	flags = port_lock(&s->lock);
	if (!level) {
		flags = free_leaf(s, c, path.node[0], flags);
		cpb_node_let_go(s, &s->meta_pool, path.node[0], s->txn, true);
		level = 1;
	}
	for (; level <= c->root.level; level++) {
		if (path.slot[level] + 1 < cpb_nr(path.node[level]))
			break;
		cpb_node_let_go(s, &s->meta_pool, path.node[level], s->txn, true);
	}
	if (level > c->root.level)
		c->root.ref = 0;
	c->cursor = next;
	cpb_point_dirty(c);
	port_unlock(&s->lock, flags);
	return level <= c->root.level;
}

static int step_reap(struct cpb_store *s, struct cpb_point *c,
		     struct cpb_point **done)
{
	unsigned int i, kind;
	unsigned long flags;
	int err;

	for (i = 0; i < STEP_NODES; i++) {
		/* The next leaf may be as bad as any. */
		if (i && spare_blocks(s) < READ_ONCE(s->floor))
			return 1;
		err = free_next(s, c);
		if (err < 0)
			return err;
		if (!err)
			break;
		port_cond_resched();
	}
	if (i == STEP_NODES)
		return 1;
	/* Its deadlist names what its parent still has. */
	flags = port_lock(&s->lock);
	cpb_buf_drop(&c->dead->buf);
	port_unlock(&s->lock, flags);
	for (kind = 0; kind < 2; kind++) {
		u64 key[3] = { list_key(c->dead, kind), 0, 0 };

		err = cpb_dead_take(s, s->txn, key, s->scratch, step_entries(s));
		if (err)
			return err < 0 ? err : 1;
	}
	*done = c;
	return 0;
}

/* ---- Choosing ---- */

static int step(struct cpb_store *s, struct cpb_point *c, struct cpb_point **done)
{
	struct cpb_point *p = c->parent;
	unsigned long flags;

	if (c->flags & CPB_POINT_REAP)
		return step_reap(s, c, done);
	if (!(c->flags & CPB_POINT_HIDDEN))
		return 0;
	if (c->nr_children > 1)
		return step_sweep(s, c);
	if (c->nr_children == 1)
		return step_one_child(s, c, done);
	flags = port_lock(&s->lock);
	if (p && p->flags & CPB_POINT_HIDDEN && p->nr_children == 1)
		/* P is joined with this one first, which then comes up again. */
		cpb_work_add(p);
	else
		unlink_leaf(c);
	port_unlock(&s->lock, flags);
	return c->flags & CPB_POINT_REAP ? 1 : 0;
}

/* A point that nothing links to any more. */
static void forget(struct cpb_store *s, struct cpb_point *c)
{
	cpb_ids_del(&s->points, c->id);
	cpb_point_free(c);
}

/*
 * A step reads the history and changes it, in more than one turn of the tree
 * lock: operations on the history stay out. They are not to wait for a commit
 * that has meta, so this does, and then comes behind them.
 */
static bool enter(struct cpb_store *s)
{
	port_mutex_lock(&s->meta);
	if (port_mutex_trylock(&s->lists))
		return true;
	port_mutex_unlock(&s->meta);
	port_mutex_lock(&s->lists);
	port_mutex_unlock(&s->lists);
	return false;
}

static void leave(struct cpb_store *s)
{
	port_mutex_unlock(&s->lists);
	port_mutex_unlock(&s->meta);
}

int cpb_reap(struct cpb_store *s)
{
	struct cpb_point *c, *done = NULL;
	unsigned long flags;
	u64 looked;
	int err;

	if (s->broken || !s->writable)
		return 0;
	if (cpb_blocks_available(s) < cpb_blocks_reserved(s) && cpb_dirty(s)) {
		err = cpb_commit(s);
		if (err)
			return err;
	}
	if (!enter(s))
		return 1;
	flags = port_lock(&s->lock);
	c = list_first_entry_or_null(&s->work, struct cpb_point, work);
	if (c)
		list_del_init(&c->work);
	port_unlock(&s->lock, flags);
	if (!c) {
		leave(s);
		return 0;
	}
	looked = s->nr_looked;
	err = fill(s);
	if (!err)
		err = step(s, c, &done);
	s->nr_steps++;
	s->nr_touched += s->nr_looked - looked;
	flags = port_lock(&s->lock);
	if (done) {
		list_del_init(&done->work);
		list_del_init(&done->dead->dirty);
		cpb_slot_put(s, done->slot);
		s->nr_hidden--;
	} else if ((err == 1 || err == -EAGAIN) && list_empty(&c->work)) {
		list_add_tail(&c->work, &s->work);
	}
	if (err == -EAGAIN) {
		/* All of them can't go on: something else must give blocks first. */
		err = ++s->nr_stuck <= s->nr_hidden;
		WRITE_ONCE(s->stuck, !err);
		if (!err)
			s->nr_stuck = 0;
	} else if (err >= 0) {
		s->nr_stuck = 0;
		err = !list_empty(&s->work);
	}
	port_unlock(&s->lock, flags);
	if (done)
		forget(s, done);
	leave(s);
	return err;
}

/* ---- What is left ---- */

/*
 * Chunks that a point on the work list is known to have to give back; lists and
 * the tree lock are held. What hidden points had one after the other is counted
 * in full where there is nothing before them, as when all or the oldest
 * checkpoints go. Else, and where the history branches, more may be found.
 */
static u64 left_of(struct cpb_point *c)
{
	const struct cpb_point *p = c->parent;
	struct cpb_point *x;
	u64 nr = 0, more;
	unsigned int n;

	if (c->flags & CPB_POINT_REAP)
		return c->referenced;
	if (!(c->flags & CPB_POINT_HIDDEN) || c->nr_children > 1)
		return 0;
	/* Nothing comes before it later on either, so it is looked for once. */
	for (n = 0; p && p->flags & CPB_POINT_HIDDEN && !p->bare && n < TURN; n++)
		p = p->parent;
	if (!p || p->bare)
		c->bare = true;
	if (!c->nr_children)
		return c->bare ? c->referenced : cpb_written(c);
	x = list_first_entry(&c->children, struct cpb_point, sibling);
	/* A leaf may be off the list until it has taken this one's place. */
	if (x->flags & CPB_POINT_HIDDEN && !x->nr_children && list_empty(&x->work))
		nr = left_of(x);
	if (c->bare)
		return nr + x->dead->nr[0];
	return cpb_unique(c, &more) ? nr + more : nr;
}

void cpb_pending(struct cpb_store *s, struct cpb_pending *p)
{
	struct cpb_point *c;
	unsigned long flags;

	memset(p, 0, sizeof(*p));
	/* Without them points come to the end of the list at most. */
	port_mutex_lock(&s->lists);
	flags = port_lock(&s->lock);
	list_for_each_entry(c, &s->work, work) {
		p->chunks += left_of(c);
		flags = take_turns(s, p->points++, flags);
	}
	p->done = s->nr_reclaimed;
	port_unlock(&s->lock, flags);
	port_mutex_unlock(&s->lists);
}
