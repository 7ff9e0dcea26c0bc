// SPDX-License-Identifier: GPL-2.0
/*
 * Checking a store: walk all that a head or a visible checkpoint reaches, and
 * compare it with what the bitmaps, counters and deadlists say.
 *
 * Nothing that the store keeps for itself is believed: the walk has bitmaps of
 * its own. A subtree that a point shares with its parent is walked once, and
 * what it adds up to is remembered by its address.
 */
#include "engine.h"

/*
 * What was found of a point, as sums over single chunks of a hash of chunk and
 * birth: two sets that have the same sum are taken for the same.
 */
struct seen {
	bool walked;
	u64 map;		/* all of its map */
	u64 shared;		/* what of that was born in its parent's time */
	u64 dead;		/* chunks of its deadlist */
	u64 old, old_dead;	/* of both, what was born in its base's time */
};

/* The next one before a point that was not deleted, or NULL. */
static struct cpb_point *base_of(const struct cpb_point *p)
{
	struct cpb_point *up = p->parent;

	while (up && up->flags & CPB_POINT_HIDDEN)
		up = up->parent;
	return up;
}

static u64 base_epoch(const struct cpb_point *p)
{
	const struct cpb_point *base = base_of(p);

	return base ? base->epoch : CPB_EPOCH_NONE;
}

/* What is below a block of a map. */
struct below {
	u64 chunks, hash;
};

struct check {
	struct cpb_store *s;
	struct cpb_check_report *r;
	void (*line)(void *arg, const char *text);
	void *arg;
	unsigned long *chunks;		/* reachable */
	unsigned long *blocks;
	struct below *sum;		/* by block of a map */
	struct seen *seen;		/* by slot */
};

__printf(2, 3)
static void complain(struct check *c, const char *fmt, ...)
{
	char text[256];
	va_list args;

	c->r->errors++;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->line(c->arg, text);
}

static bool get_bit(const unsigned long *map, u64 i)
{
	return map[i / BITS_PER_LONG] >> (i % BITS_PER_LONG) & 1;
}

/* Set a bit; false if it was set. */
static bool set_bit_once(unsigned long *map, u64 i)
{
	if (get_bit(map, i))
		return false;
	map[i / BITS_PER_LONG] |= BIT(i % BITS_PER_LONG);
	return true;
}

static int reach_block(struct check *c, u64 addr, const char *what)
{
	if (addr >= c->s->meta_blocks) {
		complain(c, "%s names block %llu, which is beyond the device",
			 what, (unsigned long long)addr);
		return 0;
	}
	return set_bit_once(c->blocks, addr);
}

/* ---- Maps ---- */

/* What a walk through one point's map adds up. */
struct tally {
	struct cpb_point *p;
	u64 chunks;		/* named by the map */
	u64 shared;		/* of them, what was born in the parent's time */
};

static u64 chunk_hash(u64 chunk, u64 birth)
{
	u64 h = (chunk ^ birth * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;

	h = (h ^ h >> 32) * 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 29;
}

static u64 run_hash(u64 run, u64 birth)
{
	u64 chunk = cpb_run_chunk(run), len = cpb_run_len(run), sum = 0;

	for (; len; len--)
		sum += chunk_hash(chunk++, birth);
	return sum;
}

static void check_leaf(struct check *c, struct tally *t, struct cpb_node *n,
		       u64 lo, u64 hi)
{
	struct seen *seen = &c->seen[t->p->slot];
	u64 keep = cpb_parent_epoch(t->p), j, sum;
	unsigned int i;

	for (i = 0; i < cpb_nr(n); i++) {
		const struct cpb_disk_extent *x =
			(void *)cpb_entry(&cpb_map_class, n, i);
		u64 v = le64_to_cpu(x->vchunk), birth = le64_to_cpu(x->birth);
		u64 chunk = cpb_run_chunk(le64_to_cpu(x->run));
		u64 len = cpb_run_len(le64_to_cpu(x->run));

		if (v < lo || v + len > hi || !birth || birth > t->p->epoch) {
			complain(c, "block %llu: extent of virtual chunk %llu is out of place",
				 (unsigned long long)n->addr, (unsigned long long)v);
			continue;
		}
		if (chunk >= c->s->space.chunks || len > c->s->space.chunks - chunk) {
			complain(c, "block %llu: virtual chunk %llu is mapped beyond the data device",
				 (unsigned long long)n->addr, (unsigned long long)v);
			continue;
		}
		t->chunks += len;
		sum = run_hash(le64_to_cpu(x->run), birth);
		seen->map += sum;
		if (birth <= keep) {
			t->shared += len;
			seen->shared += sum;
		}
		if (birth <= base_epoch(t->p))
			seen->old += sum;
		for (j = 0; j < len; j++)
			if (set_bit_once(c->chunks, chunk + j))
				c->r->chunks_reachable++;
	}
}

static int check_map(struct check *c, struct tally *t, struct cpb_edit *e,
		     struct cpb_node *n, u64 lo, u64 hi)
{
	u64 before = t->chunks;
	struct seen *seen = &c->seen[t->p->slot];
	u64 hash_before = seen->map;
	unsigned int i;
	int err = 0;

	if (reach_block(c, n->addr, "a map")) {
		c->r->blocks_reachable++;
	} else if (n->addr < c->s->meta_blocks && c->sum[n->addr].chunks &&
		   le64_to_cpu(n->h->birth) <= base_epoch(t->p)) {
		t->chunks += c->sum[n->addr].chunks;
		t->shared += c->sum[n->addr].chunks;
		seen->map += c->sum[n->addr].hash;
		seen->shared += c->sum[n->addr].hash;
		seen->old += c->sum[n->addr].hash;
		return 0;
	}
	if (!cpb_level(n))
		check_leaf(c, t, n, lo, hi);
	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		const struct cpb_disk_child *d =
			(void *)cpb_entry(&cpb_map_class, n, i);
		u64 from = le64_to_cpu(d->vchunk), to = hi;
		struct cpb_node *child;

		if (i + 1 < cpb_nr(n))
			to = le64_to_cpu(d[1].vchunk);
		if (from < lo || to > hi ||
		    le64_to_cpu(d->birth) > le64_to_cpu(n->h->birth))
			complain(c, "block %llu: child %u is out of place",
				 (unsigned long long)n->addr, i);
		err = cpb_child(e, n, i, true, &child);
		if (!err)
			err = check_map(c, t, e, child, from, to);
		port_cond_resched();
	}
	if (n->addr < c->s->meta_blocks)
		c->sum[n->addr] = (struct below){ t->chunks - before,
						  seen->map - hash_before };
	return err;
}

static int check_point(struct check *c, struct cpb_point *p)
{
	struct cpb_edit e = { .s = c->s, .cls = &cpb_map_class, .root = &p->root,
			      .wait = true };
	struct tally t = { .p = p };
	struct cpb_point *up = p->parent;
	struct cpb_node *n;
	int err = 0;

	if (p->root.ref) {
		err = cpb_root_node(&e, &n);
		if (!err)
			err = check_map(c, &t, &e, n, 0, ~0ULL);
	}
	if (err)
		return err;
	c->seen[p->slot].walked = true;
	if (t.chunks != p->referenced)
		complain(c, "point %llu '%s': %llu chunks are counted, its map has %llu",
			 (unsigned long long)p->id, p->text,
			 (unsigned long long)p->referenced,
			 (unsigned long long)t.chunks);
	/* What of the parent's map is not shared any more is on the deadlist. */
	if (up && t.shared + p->dead->nr[0] != up->referenced)
		complain(c, "point %llu '%s': %llu shared and %llu dropped chunks don't make its parent's %llu",
			 (unsigned long long)p->id, p->text,
			 (unsigned long long)t.shared,
			 (unsigned long long)p->dead->nr[0],
			 (unsigned long long)up->referenced);
	if (!up && (t.shared || p->dead->nr[0]))
		complain(c, "point %llu '%s' has a deadlist but no parent",
			 (unsigned long long)p->id, p->text);
	return 0;
}

/* ---- Deadlists ---- */

/* Entries of a deadlist that the parent's map must still have. */
static int check_deadlist(struct check *c, struct cpb_point *p)
{
	u64 keep = cpb_parent_epoch(p), nr[2] = { 0, 0 }, young = 0, j;
	u64 key[3] = { p->dead->id << 1, 0, 0 }, entry[3];
	bool parent_seen = p->parent && !(p->parent->flags & CPB_POINT_HIDDEN);
	int err;

	for (;;) {
		u64 first, len;
		unsigned int kind;

		err = cpb_dead_next(c->s, key, entry);
		if (err <= 0 || entry[0] >> 1 != p->dead->id)
			break;
		kind = entry[0] & 1;
		first = cpb_run_chunk(entry[2]);
		len = cpb_run_len(entry[2]);
		nr[kind] += len;
		if (!kind) {
			u64 sum = run_hash(entry[2], entry[1]);

			c->seen[p->slot].dead += sum;
			if (entry[1] > p->dead->young_after)
				young += len;
			if (entry[1] <= base_epoch(p))
				c->seen[p->slot].old_dead += sum;
		}
		if (entry[1] > keep)
			complain(c, "deadlist of point %llu '%s': %s %llu is younger than the parent",
				 (unsigned long long)p->id, p->text,
				 kind ? "block" : "chunk", (unsigned long long)first);
		for (j = 0; parent_seen && j < len; j++) {
			u64 limit = kind ? c->s->meta_blocks : c->s->space.chunks;

			if (first + j < limit &&
			    get_bit(kind ? c->blocks : c->chunks, first + j))
				continue;
			complain(c, "deadlist of point %llu '%s': %s %llu is in no map",
				 (unsigned long long)p->id, p->text,
				 kind ? "block" : "chunk",
				 (unsigned long long)(first + j));
			break;
		}
		memcpy(key, entry, sizeof(key));
		key[2]++;
		port_cond_resched();
	}
	if (err < 0)
		return err;
	if (young != p->dead->young)
		complain(c, "deadlist of point %llu '%s': counted %llu chunks born after epoch %llu, it has %llu",
			 (unsigned long long)p->id, p->text,
			 (unsigned long long)p->dead->young,
			 (unsigned long long)p->dead->young_after,
			 (unsigned long long)young);
	if (nr[0] != p->dead->nr[0] || nr[1] != p->dead->nr[1])
		complain(c, "deadlist of point %llu '%s': counted %llu chunks and %llu blocks, it has %llu and %llu",
			 (unsigned long long)p->id, p->text,
			 (unsigned long long)p->dead->nr[0],
			 (unsigned long long)p->dead->nr[1],
			 (unsigned long long)nr[0], (unsigned long long)nr[1]);
	return 0;
}

/* ---- The store's own blocks ---- */

static int check_dead_node(struct check *c, struct cpb_edit *e, struct cpb_node *n,
			   u64 *nodes)
{
	unsigned int i;
	int err = 0;

	++*nodes;
	if (reach_block(c, n->addr, "the dead tree"))
		c->r->blocks_reachable++;
	else
		complain(c, "block %llu is used twice", (unsigned long long)n->addr);
	for (i = 0; cpb_level(n) && i < cpb_nr(n) && !err; i++) {
		struct cpb_node *child;

		err = cpb_child(e, n, i, true, &child);
		if (!err)
			err = check_dead_node(c, e, child, nodes);
	}
	return err;
}

static int check_dead_tree(struct check *c)
{
	struct cpb_edit e = { .s = c->s, .cls = &cpb_dead_class,
			      .root = &c->s->dead, .wait = true };
	struct cpb_node *n;
	u64 nodes = 0;
	int err = 0;

	if (c->s->dead.ref) {
		err = cpb_root_node(&e, &n);
		if (!err)
			err = check_dead_node(c, &e, n, &nodes);
	}
	if (!err && nodes != c->s->dead_nodes)
		complain(c, "the dead tree has %llu blocks, %llu are counted",
			 (unsigned long long)nodes,
			 (unsigned long long)c->s->dead_nodes);
	return err;
}

static void reach_table_block(void *arg, u64 addr)
{
	struct check *c = arg;

	if (reach_block(c, addr, "a table"))
		c->r->blocks_reachable++;
	else
		complain(c, "block %llu is used twice", (unsigned long long)addr);
}

/* ---- Comparing ---- */

static int compare_chunks(struct check *c, bool exact)
{
	struct cpb_space *sp = &c->s->space;
	u64 g, i, chunk, nr, wrong = 0, first = 0;
	struct cpb_node *leaf;
	int err;

	for (g = 0; g < sp->nr_groups; g++) {
		u64 here = 0, aux;

		err = cpb_table_leaf(c->s, &sp->table, CPB_MAGIC_SPACE, g, 0, &leaf);
		if (!err)
			err = cpb_table_aux(c->s, &sp->table, g, &aux);
		if (err)
			return err;
		nr = min(CPB_SPACE_BITS, sp->chunks - g * CPB_SPACE_BITS);
		for (i = 0; i < nr; i++) {
			bool used = leaf &&
				get_bit((unsigned long *)(leaf->h + 1), i);
			bool seen;

			chunk = g * CPB_SPACE_BITS + i;
			seen = get_bit(c->chunks, chunk);
			here += used;
			if (used == seen || (used && !exact))
				continue;
			if (!wrong++)
				first = chunk;
		}
		c->r->chunks_allocated += here;
		if (here != aux)
			complain(c, "space group %llu has %llu chunks allocated, %llu are counted",
				 (unsigned long long)g, (unsigned long long)here,
				 (unsigned long long)aux);
		port_cond_resched();
	}
	if (wrong)
		complain(c, "%llu chunks are allocated and not reachable, or the other way round; the first is %llu",
			 (unsigned long long)wrong, (unsigned long long)first);
	if (c->r->chunks_allocated != sp->used)
		complain(c, "%llu chunks are allocated, %llu are counted",
			 (unsigned long long)c->r->chunks_allocated,
			 (unsigned long long)sp->used);
	return 0;
}

static void compare_blocks(struct check *c, bool exact)
{
	u64 i, wrong = 0, first = 0;

	for (i = 0; i < c->s->meta_blocks; i++) {
		bool used = get_bit(c->s->bitmap, i), seen = get_bit(c->blocks, i);

		c->r->blocks_allocated += used;
		if (used == seen || (used && !exact))
			continue;
		if (!wrong++)
			first = i;
	}
	if (wrong)
		complain(c, "%llu metadata blocks are allocated and not reachable, or the other way round; the first is %llu",
			 (unsigned long long)wrong, (unsigned long long)first);
}

/*
 * What a point shares with its base, and what was dropped on the way from that
 * one, is the base's map.
 */
static void check_base(struct check *c, struct cpb_point *p)
{
	struct cpb_point *base = base_of(p), *up;
	u64 sum = c->seen[p->slot].old;

	if (!base || !c->seen[p->slot].walked)
		return;
	for (up = p; up != base; up = up->parent)
		sum += c->seen[up->slot].old_dead;
	if (sum != c->seen[base->slot].map)
		complain(c, "point %llu '%s': what it shares with point %llu '%s' and what has been dropped since are not that one's map",
			 (unsigned long long)p->id, p->text,
			 (unsigned long long)base->id, base->text);
}

/* What shares with a hidden parent, and has dropped of it, is the same for all. */
static void check_siblings(struct check *c, struct cpb_point *up)
{
	bool known = false;
	struct cpb_point *p;
	u64 whole = 0;

	list_for_each_entry(p, &up->children, sibling) {
		struct seen *seen = &c->seen[p->slot];

		if (!seen->walked)
			continue;
		if (known && seen->shared + seen->dead != whole)
			complain(c, "point %llu '%s' has another view of the deleted point %llu than what else follows that",
				 (unsigned long long)p->id, p->text,
				 (unsigned long long)up->id);
		whole = seen->shared + seen->dead;
		known = true;
	}
}

static int check_points(struct check *c, bool *exact)
{
	struct cpb_store *s = c->s;
	struct cpb_point *p;
	u64 id;
	int err = 0;

	*exact = true;
	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		if (p->flags & (CPB_POINT_HIDDEN | CPB_POINT_REAP)) {
			if (p->nr_children < 2)
				*exact = false;
			continue;
		}
		err = check_point(c, p);
	}
	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		if (p->flags & CPB_POINT_REAP)
			continue;
		/* A hidden parent that waits for a sweep has more than is reachable. */
		if (p->flags & CPB_POINT_HIDDEN && !list_empty(&p->work))
			*exact = false;
		err = check_deadlist(c, p);
	}
	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		check_base(c, p);
		if (p->flags & CPB_POINT_HIDDEN)
			check_siblings(c, p);
	}
	return err;
}

int cpb_check(struct cpb_store *s, struct cpb_check_report *r,
	      void (*line)(void *arg, const char *text), void *arg)
{
	struct check c = { .s = s, .r = r, .line = line, .arg = arg };
	u64 fixed = s->bitmap_start + 2 * s->bitmap_slots, i;
	bool exact;
	int err;

	memset(r, 0, sizeof(*r));
	c.chunks = port_alloc(DIV_ROUND_UP(s->space.chunks, BITS_PER_LONG) * 8);
	c.blocks = port_alloc(DIV_ROUND_UP(s->meta_blocks, BITS_PER_LONG) * 8);
	c.sum = port_alloc(s->meta_blocks * sizeof(*c.sum));
	c.seen = port_alloc(max(s->slots.nr, 1U) * sizeof(*c.seen));
	err = c.chunks && c.blocks && c.sum && c.seen ? 0 : -ENOMEM;
	port_mutex_lock(&s->lists);
	port_mutex_lock(&s->meta);
	for (i = 0; i < fixed && !err; i++) {
		set_bit_once(c.blocks, i);
		r->blocks_reachable++;
	}
	if (!err)
		err = cpb_table_walk(s, &s->objects, CPB_MAGIC_OBJECTS,
				     reach_table_block, &c);
	if (!err)
		err = cpb_table_walk(s, &s->space.table, CPB_MAGIC_SPACE,
				     reach_table_block, &c);
	if (!err)
		err = check_dead_tree(&c);
	if (!err)
		err = check_points(&c, &exact);
	if (!err)
		err = compare_chunks(&c, exact);
	if (!err)
		compare_blocks(&c, exact);
	port_mutex_unlock(&s->meta);
	port_mutex_unlock(&s->lists);
	port_free(c.chunks);
	port_free(c.blocks);
	port_free(c.seen);
	port_free(c.sum);
	if (s->broken)
		complain(&c, "%s", s->error);
	return err;
}
