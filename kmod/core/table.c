// SPDX-License-Identifier: GPL-2.0
/*
 * Tables: arrays of blocks on the metadata device, copy-on-write.
 *
 * The store has two: the bitmaps of chunks (space) and the slots of objects.
 * An index of fixed fan-out leads to leaf I; what was never written has no
 * block. All here works in process context, under meta.
 */
#include "engine.h"

struct table_path {
	struct cpb_node *node[CPB_TABLE_LEVELS];
	unsigned int slot[CPB_TABLE_LEVELS];
};

static u64 capacity(unsigned int level)
{
	u64 c = 1;

	while (level--)
		c *= CPB_INDEX_FANOUT;
	return c;
}

static struct cpb_disk_index *index_at(struct cpb_node *n, unsigned int slot)
{
	return (struct cpb_disk_index *)(n->h + 1) + slot;
}

static unsigned int slot_of(u64 index, unsigned int level)
{
	return div64_u64(index, capacity(level - 1)) % CPB_INDEX_FANOUT;
}

static u64 base_of(u64 index, unsigned int level)
{
	u64 c = capacity(level);

	return div64_u64(index, c) * c;
}

/** cpb_table_check() - is this a block of a table? */
int cpb_table_check(const struct cpb_disk_header *h)
{
	unsigned int level = le16_to_cpu(h->level);
	u64 base = le64_to_cpu(h->base);

	if (level >= CPB_TABLE_LEVELS ||
	    (le32_to_cpu(h->magic) == CPB_MAGIC_INDEX) != (level > 0) ||
	    base_of(base, level) != base)
		return -EUCLEAN;
	return 0;
}

static int load(struct cpb_store *s, u64 ref, u32 magic, unsigned int level,
		u64 base, struct cpb_node **node)
{
	struct cpb_node *n;
	int err;

	do
		err = cpb_node_load(s, ref, level ? CPB_MAGIC_INDEX : magic,
				    cpb_blocks_released(s), &n);
	while (err == -EAGAIN);
	if (err)
		return err;
	if (cpb_level(n) != level || le64_to_cpu(n->h->base) != base)
		return cpb_break(s, -EUCLEAN,
				 "a table block is not what its index says",
				 cpb_ref_addr(ref));
	*node = n;
	return 0;
}

static struct cpb_node *new_block(struct cpb_store *s, u64 txn, u32 magic,
				  unsigned int level, u64 base)
{
	struct cpb_node *n = cpb_node_new(s, &s->meta_pool, txn);

	memset(n->h, 0, CPB_BLOCK_SIZE);
	n->h->magic = cpu_to_le32(level ? CPB_MAGIC_INDEX : magic);
	n->h->level = cpu_to_le16(level);
	n->h->base = cpu_to_le64(base);
	n->h->self = cpu_to_le64(n->addr);
	return n;
}

/* Read the path to a leaf; path->node[0] is NULL where there is none. */
static int walk(struct cpb_store *s, struct cpb_root *root, u32 magic, u64 index,
		struct table_path *path)
{
	u64 ref = root->ref;
	unsigned int level = root->level;
	int err;

	memset(path, 0, sizeof(*path));
	if (level >= CPB_TABLE_LEVELS)
		return cpb_break(s, -EUCLEAN, "a table is too high",
				 cpb_ref_addr(ref));
	if (index >= capacity(level))
		return 0;
	while (ref) {
		err = load(s, ref, magic, level, base_of(index, level),
			   &path->node[level]);
		if (err || !level)
			return err;
		path->slot[level] = slot_of(index, level);
		ref = le64_to_cpu(index_at(path->node[level],
					    path->slot[level])->ref);
		level--;
	}
	return 0;
}

static void grow(struct cpb_store *s, struct cpb_root *root, u64 txn)
{
	struct cpb_node *old, *n;
	u64 sum = 0;
	unsigned int i;

	root->level++;
	if (!root->ref)
		return;
	old = cpb_node_find(s, cpb_ref_addr(root->ref));
	if (root->level > 1)
		for (i = 0; i < CPB_INDEX_FANOUT; i++)
			sum += le64_to_cpu(index_at(old, i)->aux);
	n = new_block(s, txn, 0, root->level, 0);
	index_at(n, 0)->ref = cpu_to_le64(root->ref);
	index_at(n, 0)->aux = cpu_to_le64(sum);
	root->ref = cpb_ref(n);
}

/**
 * cpb_table_leaf() - leaf block @index  [sleeps]
 * @s: the store
 * @root: root of the tree or table
 * @magic: of leaves
 * @index: number of the leaf block
 * @txn: 0 to read it, else the transaction in which it is made writable
 * @leaf: gets it; NULL if there is none (@txn 0 only)
 */
int cpb_table_leaf(struct cpb_store *s, struct cpb_root *root, u32 magic,
		   u64 index, u64 txn, struct cpb_node **leaf)
{
	struct table_path path;
	unsigned int level;
	int err;

	err = walk(s, root, magic, index, &path);
	if (err)
		return err;
	if (!txn) {
		*leaf = path.node[0];
		return 0;
	}
	err = cpb_pool_fill(s, &s->meta_pool, 2 * CPB_TABLE_LEVELS, 2);
	if (err)
		return cpb_break(s, err, "no block is left for a table", ~0ULL);
	/* Growing reads the old root, which only a walk through it brings in. */
	if (root->ref && index >= capacity(root->level)) {
		err = walk(s, root, magic, 0, &path);
		if (err)
			return err;
		memset(&path, 0, sizeof(path));
	}
	while (index >= capacity(root->level) || !root->level)
		grow(s, root, txn);
	err = walk(s, root, magic, index, &path);
	if (err)
		return err;

	for (level = root->level;; level--) {
		struct cpb_node *n = path.node[level], *old = n;

		if (!n) {
			n = new_block(s, txn, magic, level, base_of(index, level));
		} else if (n->txn != txn) {
			n = cpb_node_new(s, &s->meta_pool, txn);
			memcpy(n->h, old->h, CPB_BLOCK_SIZE);
			n->h->self = cpu_to_le64(n->addr);
			cpb_node_let_go(s, &s->meta_pool, old, txn, false);
		}
		if (level == root->level)
			root->ref = cpb_ref(n);
		else
			index_at(path.node[level + 1], path.slot[level + 1])->ref =
				cpu_to_le64(cpb_ref(n));
		path.node[level] = n;
		path.slot[level] = level ? slot_of(index, level) : 0;
		if (!level)
			break;
	}
	*leaf = path.node[0];
	return 0;
}

/** cpb_table_aux() - the number kept with leaf @index; 0 if there is no leaf  [sleeps] */
int cpb_table_aux(struct cpb_store *s, struct cpb_root *root, u64 index, u64 *aux)
{
	u64 ref = root->ref;
	unsigned int level = root->level;
	struct cpb_node *n;
	int err;

	*aux = 0;
	if (level >= CPB_TABLE_LEVELS || index >= capacity(level))
		return 0;
	for (; ref && level; level--) {
		err = load(s, ref, 0, level, base_of(index, level), &n);
		if (err)
			return err;
		ref = le64_to_cpu(index_at(n, slot_of(index, level))->ref);
		*aux = le64_to_cpu(index_at(n, slot_of(index, level))->aux);
	}
	return 0;
}

/** cpb_table_sum() - the sum of the numbers kept with the leaves  [sleeps] */
int cpb_table_sum(struct cpb_store *s, const struct cpb_root *root, u64 *sum)
{
	struct cpb_node *n;
	unsigned int i;
	int err;

	*sum = 0;
	if (!root->ref || !root->level)
		return 0;
	if (root->level >= CPB_TABLE_LEVELS)
		return cpb_break(s, -EUCLEAN, "a table is too high",
				 cpb_ref_addr(root->ref));
	err = load(s, root->ref, 0, root->level, 0, &n);
	for (i = 0; i < CPB_INDEX_FANOUT && !err; i++)
		*sum += le64_to_cpu(index_at(n, i)->aux);
	return err;
}

/** cpb_table_set_aux() - after cpb_table_leaf() made the leaf writable  [sleeps] */
int cpb_table_set_aux(struct cpb_store *s, struct cpb_root *root, u64 index,
		      u64 aux)
{
	struct table_path path;
	unsigned int level;
	u64 change, old;
	int err = walk(s, root, CPB_MAGIC_SPACE, index, &path);

	if (err)
		return err;
	old = le64_to_cpu(index_at(path.node[1], path.slot[1])->aux);
	change = aux - old;
	for (level = 1; level <= root->level; level++) {
		struct cpb_disk_index *x = index_at(path.node[level],
						    path.slot[level]);

		x->aux = cpu_to_le64(le64_to_cpu(x->aux) + change);
	}
	return 0;
}

static int walk_all(struct cpb_store *s, u64 ref, u32 magic, unsigned int level,
		    u64 base, void (*fn)(void *arg, u64 addr), void *arg)
{
	struct cpb_node *n;
	unsigned int i;
	int err = load(s, ref, magic, level, base, &n);

	if (err)
		return err;
	fn(arg, cpb_ref_addr(ref));
	for (i = 0; level && i < CPB_INDEX_FANOUT && !err; i++) {
		u64 child = le64_to_cpu(index_at(n, i)->ref);

		if (child)
			err = walk_all(s, child, magic, level - 1,
				       base + i * capacity(level - 1), fn, arg);
	}
	return err;
}

/** cpb_table_walk() - call @fn for every block of a table  [sleeps] */
int cpb_table_walk(struct cpb_store *s, const struct cpb_root *root, u32 magic,
		   void (*fn)(void *arg, u64 addr), void *arg)
{
	if (!root->ref)
		return 0;
	return walk_all(s, root->ref, magic, root->level, 0, fn, arg);
}
