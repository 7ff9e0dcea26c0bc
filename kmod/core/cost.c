// SPDX-License-Identifier: GPL-2.0
/*
 * What deleting checkpoints would free, exactly, without doing it.
 *
 * The set S is given, as points. Let K be S and all hidden points that are
 * joined to it by other hidden ones; it falls into subtrees of the history.
 * What the deletion frees are chunks that only points of K have, less those
 * that only hidden ones have, which are being freed anyway: what K has for
 * itself, less what the hidden points alone would have.
 *
 * A chunk is in the map of one highest point of K, its top, and from there down
 * to where it was dropped. A point of K is bound if a point that is not in K
 * comes anywhere below it. Of a point that is not, all chunks that have their
 * top there are K's own: that is what was written there, a number that is known.
 *
 * Of a bound point each bound child, but one, is a side, and that one leads on
 * along a path. A chunk that has its top on the path and is K's own was dropped
 * on the path, so it is on a deadlist there, once, and its birth says so: it is
 * above the epoch of what the path hangs on. If there is no side between its top
 * and there, it is K's own. Else it must have been dropped on each side as well,
 * before the side leaves K, which is looked for in their deadlists. So where the
 * history does not branch this is a count of the end of some deadlists, which is
 * kept (cpb_deadset.young).
 *
 * It goes on in bounded steps. Between them the locks are dropped, and it starts
 * again if the history has changed meanwhile; after some tries it goes through
 * in one.
 */
#include "engine.h"

#define STEP_PROBES	256	/* entries looked at in one step */
#define TRIES		8

struct cost {
	struct cpb_store *s;
	struct cpb_point *first, **last;	/* K */
	struct cpb_point **last_top;		/* of the paths to go */
	s64 sum;
	int sign;
	u64 stamp, drops;	/* of the store's history, when it began */
	u64 changes;		/* of the dead tree, likewise */
	unsigned int tries, left;
	bool hidden;		/* there are hidden points in K */
};

/* In K, and this in this computation? */
static bool in_k(const struct cost *c, const struct cpb_point *p)
{
	return p->cost.run == c->s->cost_run;
}

/* Below it, something is not in K. What is not in K binds itself. */
static bool bound(const struct cost *c, const struct cpb_point *p)
{
	return !in_k(c, p) || p->cost.bound;
}

static void unlock(struct cost *c)
{
	port_mutex_unlock(&c->s->meta);
	port_mutex_unlock(&c->s->lists);
}

/* What was read before may have changed: -EAGAIN, to start again. */
static int lock(struct cost *c)
{
	port_mutex_lock(&c->s->lists);
	port_mutex_lock(&c->s->meta);
	if (c->stamp != c->s->history || c->changes != c->s->dead_changes)
		return -EAGAIN;
	return 0;
}

/* Let others in from time to time. */
static int breathe(struct cost *c)
{
	if (--c->left)
		return 0;
	c->left = STEP_PROBES;
	port_cond_resched();
	if (c->tries >= TRIES)
		return 0;
	unlock(c);
	return lock(c);
}

/* ---- Counting the end of a deadlist ---- */

/* How many chunks born after @keep are in its part in the dead tree. */
static int count_tree(struct cost *c, struct cpb_deadset *d, u64 keep, u64 *nr)
{
	u64 key[3] = { d->id << 1, keep + 1, 0 }, entry[3];
	int err;

	for (*nr = 0;; *nr += cpb_run_len(entry[2])) {
		err = cpb_dead_next(c->s, key, entry);
		if (err < 0)
			return err;
		if (!err || entry[0] != key[0])
			return 0;
		memcpy(key, entry, sizeof(key));
		key[2]++;
		err = breathe(c);
		if (err)
			return err;
	}
}

/*
 * How many chunks of @p's deadlist were born after @keep. That is known if it
 * is what the list counts; if it should be, it is from now on.
 */
static int count_young(struct cost *c, struct cpb_point *p, u64 keep, u64 *nr)
{
	struct cpb_deadset *d = p->dead;
	struct cpb_store *s = c->s;
	unsigned long flags;
	struct cpb_seg *seg;
	bool known;
	u64 i;
	int err;

	flags = port_lock(&s->lock);
	known = cpb_young(p, keep, nr);
	port_unlock(&s->lock, flags);
	if (known)
		return 0;
	err = count_tree(c, d, keep, nr);
	if (err)
		return err;
	/* And what came since the last commit: it is not long. */
	flags = port_lock(&s->lock);
	cpb_for_each_seg(seg, &d->buf)
		for (i = 0; i < seg->used; i += 2)
			if (!(seg->word[i] & CPB_DEAD_BLOCK) && seg->word[i] > keep)
				*nr += cpb_run_len(seg->word[i + 1]);
	if (p->parent && keep == cpb_parent_epoch(p->parent)) {
		d->young = *nr;
		d->young_after = keep;
		cpb_point_dirty(p);
	}
	port_unlock(&s->lock, flags);
	return 0;
}

/* ---- The sides ---- */

static struct cpb_point *next_bound(const struct cost *c, struct cpb_point *up,
				    struct cpb_point *x, const struct cpb_point *but)
{
	struct list_head *at = x ? &x->sibling : &up->children;

	for (at = at->next; at != &up->children; at = at->next) {
		x = list_entry(at, struct cpb_point, sibling);
		if (x != but && bound(c, x))
			return x;
	}
	return NULL;
}

/*
 * Does what is not in K, at @top or below, still have this chunk? Return: 1,
 * and 0 if not; the same holds up to *@until.
 */
static int survives(struct cost *c, struct cpb_point *top, u64 birth, u64 chunk,
		    u64 *until)
{
	struct cpb_point *x = top, *next;
	u64 end;
	int ret;

	for (;;) {
		ret = cpb_dead_cover(c->s, x->dead, 0, birth, chunk, &end);
		if (ret < 0)
			return ret;
		*until = min(*until, end);
		if (!ret && !in_k(c, x))
			return 1;
		if (!ret) {
			x = next_bound(c, x, NULL, NULL);
			continue;
		}
		while (x != top) {
			next = next_bound(c, x->parent, x, NULL);
			if (next) {
				x = next;
				break;
			}
			x = x->parent;
		}
		if (x == top)
			return 0;
	}
}

/* How much of a run no side has, from @side, a point of the path, up. */
static int probe(struct cost *c, struct cpb_point *side, const u64 *entry, u64 *nr)
{
	u64 chunk = cpb_run_chunk(entry[2]), end = chunk + cpb_run_len(entry[2]);
	struct cpb_point *up, *x;
	u64 until;
	int ret;

	for (; chunk < end; chunk = until) {
		until = end;
		ret = 0;
		for (up = side; !ret && up && up->epoch >= entry[1];
		     up = up->cost.side)
			for (x = NULL; !ret && (x = next_bound(c, up, x, up->cost.on));)
				ret = survives(c, x, entry[1], chunk, &until);
		if (ret < 0)
			return ret;
		if (!ret)
			*nr += until - chunk;
	}
	return 0;
}

/* Chunks of @p's deadlist born after @base, and not after the sides' epoch. */
static int count_probed(struct cost *c, struct cpb_point *p, u64 base,
			struct cpb_point *side)
{
	u64 key[3] = { p->dead->id << 1, base + 1, 0 }, entry[3], nr = 0;
	int err;

	for (;;) {
		err = cpb_dead_next(c->s, key, entry);
		if (err <= 0 || entry[0] != key[0] || entry[1] > side->epoch)
			break;
		err = probe(c, side, entry, &nr);
		if (err)
			return err;
		memcpy(key, entry, sizeof(key));
		key[2]++;
		err = breathe(c);
		if (err)
			return err;
	}
	c->sum += c->sign * (s64)nr;
	return err < 0 ? err : 0;
}

/* ---- K ---- */

static void add(struct cost *c, struct cpb_point *p)
{
	if (in_k(c, p))
		return;
	p->cost.run = c->s->cost_run;
	p->cost.bound = false;
	p->cost.next = NULL;
	*c->last = p;
	c->last = &p->cost.next;
	if (p->flags & CPB_POINT_HIDDEN)
		c->hidden = true;
}

static void add_hidden(struct cost *c, struct cpb_point *p)
{
	if (p && p->flags & CPB_POINT_HIDDEN)
		add(c, p);
}

/* Who is bound; and the deadlists that are looked at are put into the tree. */
static int bind(struct cost *c, struct cpb_point *p)
{
	struct cpb_point *x, *up;
	int err;

	list_for_each_entry(x, &p->children, sibling) {
		if (!in_k(c, x))
			for (up = p; up && in_k(c, up) && !up->cost.bound;
			     up = up->parent)
				up->cost.bound = true;
		if (!READ_ONCE(x->dead->buf.words))
			continue;
		if (!c->s->writable)
			return -EROFS;
		err = cpb_dead_settle(c->s, x->dead);
		if (err)
			return err;
	}
	return 0;
}

/* What was written at @p. */
static s64 written(struct cpb_point *p)
{
	unsigned long flags = port_lock(&p->s->lock);
	s64 n = cpb_written(p);

	port_unlock(&p->s->lock, flags);
	return n;
}

/* A path begins here. */
static void add_top(struct cost *c, struct cpb_point *p)
{
	p->cost.next_top = NULL;
	*c->last_top = p;
	c->last_top = &p->cost.next_top;
}

/* All that has its top on the path that begins at @top. */
static int follow(struct cost *c, struct cpb_point *top)
{
	u64 base = cpb_parent_epoch(top), nr;
	struct cpb_point *p = top, *x, *on, *side = NULL;
	int err;

	do {
		on = next_bound(c, p, NULL, NULL);
		for (x = on; (x = next_bound(c, p, x, NULL));)
			if (x->dead->nr[0] < on->dead->nr[0])
				on = x;
		p->cost.on = on;
		p->cost.side = side;
		for (x = NULL; (x = next_bound(c, p, x, on));) {
			side = p;
			if (in_k(c, x))
				add_top(c, x);
		}
		/* Those that have their top below all sides need no look at them. */
		err = count_young(c, on, side ? side->epoch : base, &nr);
		if (!err)
			c->sum += c->sign * (s64)nr;
		if (!err && side)
			err = count_probed(c, on, base, side);
		if (!err)
			err = breathe(c);
		p = on;
	} while (!err && in_k(c, p));
	return err;
}

/* What the points of K, which were added, have for themselves. */
static int sum_up(struct cost *c)
{
	struct cpb_point *p, *top = NULL;
	int err = 0;

	c->last_top = &top;
	for (p = c->first; p && !err; p = p->cost.next)
		err = bind(c, p);
	c->changes = c->s->dead_changes;
	for (p = c->first; p && !err; p = p->cost.next) {
		if (!p->cost.bound)
			c->sum += c->sign * written(p);
		else if (!p->parent || !in_k(c, p->parent))
			add_top(c, p);
	}
	for (; top && !err; top = top->cost.next_top)
		err = follow(c, top);
	return err;
}

static void begin(struct cost *c)
{
	c->s->cost_run++;
	c->first = NULL;
	c->last = &c->first;
	c->left = STEP_PROBES;
}

/* The locks are held, on return too. -EAGAIN: something has changed. */
static int compute(struct cost *c, const u64 *ids, unsigned int nr, char *why)
{
	struct cpb_point *p, *next, *x;
	unsigned int i;
	int err;

	begin(c);
	c->sum = 0;
	c->sign = 1;
	c->hidden = false;
	for (i = 0; i < nr; i++) {
		p = cpb_ids_find(&c->s->points, ids[i]);
		if (!p || p->flags & (CPB_POINT_HIDDEN | CPB_POINT_REAP))
			return cpb_refuse(-ENOENT, why, "there is no checkpoint %llu",
					  (unsigned long long)ids[i]);
		add(c, p);
	}
	for (p = c->first; p; p = p->cost.next) {
		add_hidden(c, p->parent);
		list_for_each_entry(x, &p->children, sibling)
			add_hidden(c, x);
	}
	err = sum_up(c);
	if (err || !c->hidden)
		return err;
	p = c->first;
	begin(c);
	c->sign = -1;
	for (; p; p = next) {
		next = p->cost.next;
		add_hidden(c, p);
	}
	return sum_up(c);
}

/* The result for one point stays, as long as nothing it depends on changes. */
static void keep_result(struct cost *c, struct cpb_point *p)
{
	unsigned long flags = port_lock(&c->s->lock);

	if (p->cost.begun) {
		p->cost.known = true;
		p->cost.rest = c->sum - (s64)cpb_written(p);
		p->cost.hidden = c->hidden;
		p->cost.history = c->stamp;
		p->cost.drops = c->drops;
	}
	port_unlock(&c->s->lock, flags);
}

int cpb_cost(struct cpb_store *s, const u64 *ids, unsigned int nr, u64 *chunks,
	     char *why)
{
	struct cost c = { .s = s };
	struct cpb_point *p;
	unsigned long flags;
	int err;

	port_mutex_lock(&s->cost);
	do {
		port_mutex_lock(&s->lists);
		port_mutex_lock(&s->meta);
		p = nr == 1 ? cpb_ids_find(&s->points, ids[0]) : NULL;
		flags = port_lock(&s->lock);
		c.stamp = s->history;
		c.drops = s->hidden_drops;
		if (p)
			p->cost.begun = true;
		port_unlock(&s->lock, flags);
		err = compute(&c, ids, nr, why);
		if (!err && p)
			keep_result(&c, p);
		unlock(&c);
	} while (err == -EAGAIN && ++c.tries);
	port_mutex_unlock(&s->cost);
	if (err == -EROFS)
		cpb_refuse(err, why, "that is not known while store '%s' is read-only",
			   s->name);
	*chunks = max_t(s64, c.sum, 0);
	return err;
}

/* ---- What is known without any of that; the tree lock is held ---- */

/** cpb_young() - is it known how much of @p's deadlist was born after @keep? */
bool cpb_young(const struct cpb_point *p, u64 keep, u64 *nr)
{
	const struct cpb_deadset *d = p->dead;

	if (!d->nr[0] || keep == CPB_EPOCH_NONE)
		*nr = d->nr[0];
	else if (d->young_after == keep)
		*nr = d->young;
	else
		return false;
	return true;
}

/** cpb_written() - chunks in a point's map that are not in its parent's */
u64 cpb_written(const struct cpb_point *p)
{
	u64 own = p->referenced + p->dead->nr[0];
	u64 parent = p->parent ? p->parent->referenced : 0;

	return own > parent ? own - parent : 0;
}

/** cpb_unique() - is it known what deleting @p alone would free? */
bool cpb_unique(const struct cpb_point *p, u64 *nr)
{
	const struct cpb_point *x;

	if (!p->parent || !(p->parent->flags & CPB_POINT_HIDDEN)) {
		if (!p->nr_children) {
			*nr = cpb_written(p);
			return true;
		}
		x = list_first_entry(&p->children, struct cpb_point, sibling);
		if (p->nr_children == 1 && !(x->flags & CPB_POINT_HIDDEN))
			return cpb_young(x, cpb_parent_epoch(p), nr);
	}
	if (!p->cost.known)
		return false;
	/* What became hidden since then was not looked at. */
	if (!p->cost.hidden && p->parent && p->parent->flags & CPB_POINT_HIDDEN)
		return false;
	if (p->cost.hidden && (p->cost.history != p->s->history ||
			       p->cost.drops != p->s->hidden_drops))
		return false;
	*nr = cpb_written(p) + p->cost.rest;
	return true;
}

/** cpb_cost_forget() - the history changed around @p, or what follows it dropped something */
void cpb_cost_forget(struct cpb_point *p)
{
	if (!p)
		return;
	p->cost.known = false;
	p->cost.begun = false;
	if (p->flags & CPB_POINT_HIDDEN)
		p->s->hidden_drops++;
}
