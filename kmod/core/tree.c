// SPDX-License-Identifier: GPL-2.0
/*
 * Copy-on-write B+trees with entries of fixed size.
 *
 * One code for two kinds: the map of a head (virtual chunk -> run of chunks)
 * and the store's dead tree. An entry is a few 64-bit words, of which the
 * first ones are its key; an entry above the leaves is a key, a reference and a
 * birth, and no key below it is smaller than its own.
 *
 * A change has three steps: cpb_path_find() walks down and changes nothing (it
 * is here that a block may be missing), cpb_path_own() makes the nodes of the
 * path writable by copying those that a durable transaction or the parent
 * checkpoint also refers to, and cpb_path_insert() or cpb_path_erase() work on
 * the leaf, split, merge and move the root. The last two can't fail: the
 * caller has made sure that the pool holds cpb_tree_need() nodes.
 *
 * The trees are those of Rodeh, "B-trees, Shadowing, and Clones" (2008), with
 * birth epochs in the place of reference counts, as in ZFS.
 */
#include "engine.h"

const struct cpb_class cpb_map_class = {
	.magic = CPB_MAGIC_MAP,
	.keys = 1,
	.leaf_words = sizeof(struct cpb_disk_extent) / 8,
	.leaf_max = CPB_PAYLOAD / sizeof(struct cpb_disk_extent),
	.inner_max = CPB_PAYLOAD / sizeof(struct cpb_disk_child),
};

const struct cpb_class cpb_dead_class = {
	.magic = CPB_MAGIC_DEAD,
	.keys = 3,
	.leaf_words = sizeof(struct cpb_disk_dead) / 8,
	.leaf_max = CPB_PAYLOAD / sizeof(struct cpb_disk_dead),
	.inner_max = CPB_PAYLOAD / sizeof(struct cpb_disk_dead_child),
};

static unsigned int entry_words(const struct cpb_class *cls, unsigned int level)
{
	return level ? cls->keys + 2 : cls->leaf_words;
}

static unsigned int entry_max(const struct cpb_class *cls, unsigned int level)
{
	return level ? cls->inner_max : cls->leaf_max;
}

static __le64 *entry_at(const struct cpb_class *cls,
			const struct cpb_disk_header *h, unsigned int i)
{
	__le64 *words = (__le64 *)(h + 1);

	return words + (size_t)i * entry_words(cls, le16_to_cpu(h->level));
}

/** cpb_entry() - entry @i of a node, by words */
__le64 *cpb_entry(const struct cpb_class *cls, struct cpb_node *n, unsigned int i)
{
	return entry_at(cls, n->h, i);
}

static void set_nr(struct cpb_node *n, unsigned int nr)
{
	n->h->nr = cpu_to_le16(nr);
}

static int compare(const struct cpb_class *cls, const __le64 *a, const u64 *b)
{
	unsigned int i;

	for (i = 0; i < cls->keys; i++) {
		u64 v = le64_to_cpu(a[i]);

		if (v != b[i])
			return v < b[i] ? -1 : 1;
	}
	return 0;
}

/* Does a map's entry name what there can be? */
static bool map_entry_ok(const struct cpb_store *s,
			 const struct cpb_disk_header *h, const __le64 *e)
{
	u64 key = le64_to_cpu(e[0]), last = CPB_VOLUME_BYTES_MAX >> s->chunk_shift;
	u64 run = le64_to_cpu(e[1]), birth = le64_to_cpu(e[2]);

	if (!birth || birth > le64_to_cpu(h->birth) || key >= last)
		return false;
	return h->level || (cpb_run_ok(s, run) && cpb_run_len(run) <= last - key);
}

/* Does an entry of a leaf of the dead tree? */
static bool dead_entry_ok(const struct cpb_store *s,
			  const struct cpb_disk_header *h, const __le64 *e)
{
	u64 set = le64_to_cpu(e[0]), run = le64_to_cpu(e[2]);
	u64 block = cpb_run_chunk(run);

	if (h->level)
		return true;
	if (le64_to_cpu(e[1]) > READ_ONCE(s->epoch))
		return false;
	if (!(set & 1))
		return cpb_run_ok(s, run);
	return cpb_run_len(run) == 1 && block >= cpb_fixed_end(s) &&
	       block < s->meta_blocks;
}

/**
 * cpb_tree_check() - is this block a node that can be walked?
 * @s: the store
 * @cls: kind of tree
 * @h: the block
 *
 * Return: 0, or -EUCLEAN. Bounds and order; what the entries name is checked
 * where it is followed.
 */
int cpb_tree_check(struct cpb_store *s, const struct cpb_class *cls,
		   const struct cpb_disk_header *h)
{
	unsigned int level = le16_to_cpu(h->level), nr = le16_to_cpu(h->nr);
	unsigned int i, j;
	u64 key[3], end = 0;

	if (level >= CPB_LEVELS || !nr || nr > entry_max(cls, level))
		return -EUCLEAN;
	for (i = 0; i < nr; i++) {
		const __le64 *e = entry_at(cls, h, i);

		if (i && compare(cls, e, key) <= 0)
			return -EUCLEAN;
		if (cls == &cpb_map_class ? !map_entry_ok(s, h, e) :
					    !dead_entry_ok(s, h, e))
			return -EUCLEAN;
		for (j = 0; j < cls->keys; j++)
			key[j] = le64_to_cpu(e[j]);
		if (cls == &cpb_map_class && !level) {
			u64 len = cpb_run_len(le64_to_cpu(e[1]));

			if (key[0] < end)
				return -EUCLEAN;
			end = key[0] + len;
		}
	}
	return 0;
}

/** cpb_tree_need() - nodes that one change of one leaf may take from the pool */
unsigned int cpb_tree_need(const struct cpb_root *root)
{
	/* On each level a copy, a split, and a neighbour to merge with. */
	return 3 * (root->level + 1) + 2;
}

/* The last entry whose key is not above @key, or -1. */
static int search(const struct cpb_class *cls, const struct cpb_node *n,
		  const u64 *key)
{
	int lo = -1, hi = cpb_nr(n);

	if (cls == &cpb_map_class)
		return cpb_map_search(n->h, hi, *key);

	while (hi - lo > 1) {
		int mid = lo + (hi - lo) / 2;

		if (compare(cls, entry_at(cls, n->h, mid), key) <= 0)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static u64 child_ref(const struct cpb_class *cls, struct cpb_node *n,
		      unsigned int slot)
{
	return le64_to_cpu(cpb_entry(cls, n, slot)[cls->keys]);
}

static u64 child_birth(const struct cpb_class *cls, struct cpb_node *n,
		       unsigned int slot)
{
	return le64_to_cpu(cpb_entry(cls, n, slot)[cls->keys + 1]);
}

/* A node must be what the pointer to it says, or the walk might not end. */
static int get_node(struct cpb_edit *e, u64 ref, u64 birth, unsigned int level,
		    bool wait, struct cpb_node **node)
{
	u64 addr = cpb_ref_addr(ref);
	struct cpb_node *n = cpb_node_find(e->s, addr);
	int err;

	if (!addr || addr >= e->s->blocks.nr)
		return cpb_break(e->s, -EUCLEAN, "an address beyond the device is named",
				 addr);
	if (!n) {
		e->missing = ref;
		e->released = cpb_blocks_released(e->s);
		if (!wait)
			return -EAGAIN;
		while ((err = cpb_node_load(e->s, ref, e->cls->magic,
					    e->released, &n)) == -EAGAIN)
			e->released = cpb_blocks_released(e->s);
		if (err)
			return err;
	}
	if (le32_to_cpu(n->h->magic) != e->cls->magic || cpb_level(n) != level ||
	    le64_to_cpu(n->h->birth) != birth || cpb_ref(n) != ref)
		return cpb_break(e->s, -EUCLEAN,
				 "a tree node is not what its parent says", addr);
	*node = n;
	return 0;
}

/**
 * cpb_child() - the node that entry @slot of @n names
 * @e: the tree, and the right to change it
 * @n: the node
 * @slot: index of the entry
 * @wait: it may be read from the device
 * @child: gets the child
 *
 * Return: 0; -EAGAIN: it is not in memory and @wait is false.
 */
int cpb_child(struct cpb_edit *e, struct cpb_node *n, unsigned int slot,
	      bool wait, struct cpb_node **child)
{
	return get_node(e, child_ref(e->cls, n, slot),
			child_birth(e->cls, n, slot), cpb_level(n) - 1, wait,
			child);
}

/** cpb_root_node() - the root of a tree that is not empty; as cpb_child() */
int cpb_root_node(struct cpb_edit *e, struct cpb_node **node)
{
	/* A change may add a level to it. */
	if (e->root->level + 1 >= CPB_LEVELS)
		return cpb_break(e->s, -EUCLEAN, "a tree is too high",
				 cpb_ref_addr(e->root->ref));
	return get_node(e, e->root->ref, e->root->birth, e->root->level,
			e->wait, node);
}

/**
 * cpb_path_find() - walk down to the leaf where @key belongs
 * @e: the tree, and the right to change it
 * @key: the key
 * @path: in inner nodes the child taken; in the leaf the first entry whose key
 *	is not below @key (which may be behind the last one)
 *
 * Return: 0 (path->levels is 0 if the tree is empty), -EAGAIN, or an error.
 */
int cpb_path_find(struct cpb_edit *e, const u64 *key, struct cpb_path *path)
{
	unsigned int level = e->root->level;
	struct cpb_node *n;
	int err, i;

	path->levels = 0;
	if (!e->root->ref)
		return 0;
	err = cpb_root_node(e, &n);
	for (;;) {
		if (err)
			return err;
		path->node[level] = n;
		i = search(e->cls, n, key);
		if (!level)
			break;
		path->slot[level] = i < 0 ? 0 : i;
		err = cpb_child(e, n, path->slot[level], e->wait, &n);
		level--;
	}
	if (i < 0 || compare(e->cls, cpb_entry(e->cls, n, i), key) < 0)
		i++;
	path->slot[0] = i;
	path->levels = e->root->level + 1;
	return 0;
}

/** cpb_path_next_key() - the smallest key that may be in the next leaf; false: none */
bool cpb_path_next_key(struct cpb_edit *e, struct cpb_path *path, u64 *key)
{
	unsigned int level, i;

	for (level = 1; level < path->levels; level++) {
		struct cpb_node *n = path->node[level];

		if (path->slot[level] + 1 < cpb_nr(n)) {
			__le64 *next = cpb_entry(e->cls, n, path->slot[level] + 1);

			for (i = 0; i < e->cls->keys; i++)
				key[i] = le64_to_cpu(next[i]);
			return true;
		}
	}
	return false;
}

/* ---- Owning ---- */

/*
 * What the tree shared, until a point was reclaimed in this transaction, is still
 * copied: a replay, which reclaims nothing, does that, too.
 */
static bool owned(const struct cpb_edit *e, const struct cpb_node *n)
{
	return n->txn == e->txn && le64_to_cpu(n->h->birth) > max(e->keep, e->apart);
}

static struct cpb_node *new_node(struct cpb_edit *e, unsigned int level)
{
	struct cpb_node *n = cpb_node_new(e->s, e->pool, e->txn);

	memset(n->h, 0, sizeof(*n->h));
	n->h->magic = cpu_to_le32(e->cls->magic);
	n->h->self = cpu_to_le64(n->addr);
	n->h->birth = cpu_to_le64(e->birth);
	n->h->level = cpu_to_le16(level);
	if (e->nodes)
		++*e->nodes;
	return n;
}

/** cpb_tree_drop() - the tree lets go of a node; what shares it keeps it */
void cpb_tree_drop(struct cpb_edit *e, struct cpb_node *n)
{
	u64 birth = le64_to_cpu(n->h->birth);

	if (birth > e->keep)
		cpb_node_let_go(e->s, e->pool, n, e->txn, birth <= e->apart);
	else
		cpb_dead_add(e->s, e->dead, birth | CPB_DEAD_BLOCK,
			     cpb_run_pack(n->addr, 1));
	if (e->nodes)
		--*e->nodes;
}

/* Let the entry of the level above, or the root, name another node. */
static void point_to(struct cpb_edit *e, struct cpb_path *path,
		     unsigned int level, struct cpb_node *n)
{
	if (level == e->root->level) {
		e->root->ref = cpb_ref(n);
		e->root->birth = le64_to_cpu(n->h->birth);
	} else {
		__le64 *up = cpb_entry(e->cls, path->node[level + 1],
				       path->slot[level + 1]);

		up[e->cls->keys] = cpu_to_le64(cpb_ref(n));
		up[e->cls->keys + 1] = n->h->birth;
	}
	path->node[level] = n;
}

static void own(struct cpb_edit *e, struct cpb_path *path, unsigned int level)
{
	struct cpb_node *old = path->node[level], *n;

	if (owned(e, old)) {
		/* It may be older than what is put below it now: none shall be. */
		if (le64_to_cpu(old->h->birth) != e->birth) {
			old->h->birth = cpu_to_le64(e->birth);
			point_to(e, path, level, old);
		}
		return;
	}
	n = cpb_node_new(e->s, e->pool, e->txn);
	memcpy(n->h, old->h, CPB_BLOCK_SIZE);
	n->h->self = cpu_to_le64(n->addr);
	n->h->birth = cpu_to_le64(e->birth);
	if (e->nodes)
		++*e->nodes;
	point_to(e, path, level, n);
	cpb_tree_drop(e, old);
}

/** cpb_path_own() - make the nodes of a path ones that may be written to */
void cpb_path_own(struct cpb_edit *e, struct cpb_path *path)
{
	unsigned int level;

	for (level = path->levels; level-- > 0;)
		own(e, path, level);
}

/* ---- Inserting ---- */

static void put_entry(struct cpb_edit *e, struct cpb_node *n, unsigned int pos,
		      const u64 *entry)
{
	unsigned int words = entry_words(e->cls, cpb_level(n)), i;
	unsigned int nr = cpb_nr(n);
	__le64 *at = cpb_entry(e->cls, n, pos);

	memmove(at + words, at, (size_t)(nr - pos) * words * 8);
	for (i = 0; i < words; i++)
		at[i] = cpu_to_le64(entry[i]);
	set_nr(n, nr + 1);
}

static void grow_root(struct cpb_edit *e, struct cpb_path *path)
{
	struct cpb_node *old = path->node[e->root->level];
	struct cpb_node *n = new_node(e, e->root->level + 1);
	__le64 *first = cpb_entry(e->cls, old, 0), *up = cpb_entry(e->cls, n, 0);
	unsigned int i;

	for (i = 0; i < e->cls->keys; i++)
		up[i] = first[i];
	up[i++] = cpu_to_le64(cpb_ref(old));
	up[i] = old->h->birth;
	set_nr(n, 1);
	e->root->level++;
	e->root->ref = cpb_ref(n);
	e->root->birth = e->birth;
	path->node[e->root->level] = n;
	path->slot[e->root->level] = 0;
	path->levels++;
}

static void insert_at(struct cpb_edit *e, struct cpb_path *path,
		      unsigned int level, unsigned int pos, const u64 *entry)
{
	struct cpb_node *n = path->node[level], *right;
	unsigned int nr = cpb_nr(n), words = entry_words(e->cls, level), m, i;
	u64 up[CPB_LEVELS];
	__le64 *first;

	if (nr < entry_max(e->cls, level)) {
		put_entry(e, n, pos, entry);
		return;
	}
	if (level == e->root->level)
		grow_root(e, path);
	right = new_node(e, level);
	/* What grows at its end is written in order: leave full nodes behind. */
	m = pos == nr ? nr : nr / 2;
	memcpy(cpb_entry(e->cls, right, 0), cpb_entry(e->cls, n, m),
	       (size_t)(nr - m) * words * 8);
	set_nr(right, nr - m);
	set_nr(n, m);
	if (pos >= m && m)
		put_entry(e, right, pos - m, entry);
	else
		put_entry(e, n, pos, entry);

	first = cpb_entry(e->cls, right, 0);
	for (i = 0; i < e->cls->keys; i++)
		up[i] = le64_to_cpu(first[i]);
	up[i++] = cpb_ref(right);
	up[i] = e->birth;
	insert_at(e, path, level + 1, path->slot[level + 1] + 1, up);
}

/**
 * cpb_path_lower() - an entry with this key comes into the leaf of the path
 * @e: the tree, and the right to change it
 * @path: path to a leaf
 * @key: the key
 *
 * The first key of a node may be above it: no key may be above what is below.
 * The path is owned.
 */
void cpb_path_lower(struct cpb_edit *e, struct cpb_path *path, const u64 *key)
{
	unsigned int level, i;

	for (level = 1; level < path->levels; level++) {
		__le64 *first = cpb_entry(e->cls, path->node[level], 0);

		if (path->slot[level] || compare(e->cls, first, key) <= 0)
			continue;
		for (i = 0; i < e->cls->keys; i++)
			first[i] = cpu_to_le64(key[i]);
	}
}

/**
 * cpb_path_insert() - put an entry into the leaf at path->slot[0]
 * @e: the tree, and the right to change it
 * @path: path to a leaf
 * @entry: the entry
 *
 * The path is owned, or empty: then this is the tree's first entry. It can't
 * be used again.
 */
void cpb_path_insert(struct cpb_edit *e, struct cpb_path *path, const u64 *entry)
{
	if (!path->levels) {
		struct cpb_node *n = new_node(e, 0);

		e->root->level = 0;
		point_to(e, path, 0, n);
		put_entry(e, n, 0, entry);
		return;
	}
	cpb_path_lower(e, path, entry);
	insert_at(e, path, 0, path->slot[0], entry);
}

/* ---- Erasing ---- */

static void erase_at(struct cpb_edit *e, struct cpb_path *path,
		     unsigned int level, unsigned int first, unsigned int nr);

/* While the root has a single child, that one is the root. */
static void shrink_root(struct cpb_edit *e, struct cpb_path *path)
{
	struct cpb_node *n = path->node[e->root->level];

	e->root->ref = child_ref(e->cls, n, 0);
	e->root->birth = child_birth(e->cls, n, 0);
	e->root->level--;
	cpb_tree_drop(e, n);
}

/* Move what is in the right one of two neighbours into the left one. */
static void merge(struct cpb_edit *e, struct cpb_path *path, unsigned int level,
		  unsigned int left_slot, struct cpb_node *left,
		  struct cpb_node *right)
{
	unsigned int words = entry_words(e->cls, level);
	unsigned int nr = cpb_nr(left);

	path->slot[level + 1] = left_slot;
	path->node[level] = left;
	own(e, path, level);
	left = path->node[level];
	memcpy(cpb_entry(e->cls, left, nr), cpb_entry(e->cls, right, 0),
	       (size_t)cpb_nr(right) * words * 8);
	set_nr(left, nr + cpb_nr(right));
	cpb_tree_drop(e, right);
	erase_at(e, path, level + 1, left_slot + 1, 1);
}

static bool child_cached(struct cpb_edit *e, struct cpb_node *n, unsigned int slot)
{
	return cpb_node_find(e->s, cpb_ref_addr(child_ref(e->cls, n, slot)));
}

static void try_merge(struct cpb_edit *e, struct cpb_path *path,
		      unsigned int level)
{
	struct cpb_node *n = path->node[level], *up = path->node[level + 1];
	unsigned int slot = path->slot[level + 1];
	unsigned int most = entry_max(e->cls, level) * 3 / 4;
	struct cpb_node *other;

	/* A neighbour that is not in memory, or can't be read, is left alone. */
	if (slot + 1 < cpb_nr(up) &&
	    child_cached(e, up, slot + 1) &&
	    !cpb_child(e, up, slot + 1, false, &other) &&
	    cpb_nr(n) + cpb_nr(other) <= most)
		merge(e, path, level, slot, n, other);
	else if (slot &&
		 child_cached(e, up, slot - 1) &&
		 !cpb_child(e, up, slot - 1, false, &other) &&
		 cpb_nr(n) + cpb_nr(other) <= most)
		merge(e, path, level, slot - 1, other, n);
}

static void erase_at(struct cpb_edit *e, struct cpb_path *path,
		     unsigned int level, unsigned int first, unsigned int nr)
{
	struct cpb_node *n = path->node[level];
	unsigned int words = entry_words(e->cls, level);
	unsigned int left = cpb_nr(n) - nr;
	__le64 *at = cpb_entry(e->cls, n, first);

	memmove(at, at + (size_t)nr * words, (size_t)(left - first) * words * 8);
	set_nr(n, left);

	if (level == e->root->level) {
		if (!left) {
			e->root->ref = 0;
			e->root->level = 0;
			cpb_tree_drop(e, n);
		} else if (level && left == 1) {
			shrink_root(e, path);
		}
	} else if (!left) {
		cpb_tree_drop(e, n);
		erase_at(e, path, level + 1, path->slot[level + 1], 1);
	} else if (left < entry_max(e->cls, level) / 4 && !e->prune) {
		try_merge(e, path, level);
	}
}

/**
 * cpb_path_erase() - take @nr entries out of the leaf, from @first on
 * @e: the tree, and the right to change it
 * @path: path to a leaf
 * @first: first entry
 * @nr: how many
 *
 * The path is owned. It can't be used again.
 */
void cpb_path_erase(struct cpb_edit *e, struct cpb_path *path,
		    unsigned int first, unsigned int nr)
{
	if (nr)
		erase_at(e, path, 0, first, nr);
}

/**
 * cpb_path_prune() - drop the subtree at path->slot[@level], unread
 * @e: the tree, and the right to change it
 * @path: its nodes from the root down to @level, which is not 0
 * @level: level of the node that names it
 *
 * For trees that can't be read as a whole. A node that loses an entry is not merged:
 * its neighbour may be the next to go. The path can't be used again.
 */
void cpb_path_prune(struct cpb_edit *e, struct cpb_path *path, unsigned int level)
{
	unsigned int i;

	e->prune = true;
	for (i = path->levels; i-- > level;)
		own(e, path, i);
	erase_at(e, path, level, path->slot[level], 1);
}
