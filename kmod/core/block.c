// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata blocks: which are free, and those that are in memory.
 *
 * A block in memory is a struct cpb_node, found by its address. Nodes are
 * never written in place on disk: a change takes a new block, and the old one
 * is free for others only once the transaction that let go of it is durable.
 *
 * Whoever must not allocate takes nodes and buffer segments from a pool that
 * was filled before: cpb_store.pool under the tree lock, meta_pool under meta.
 */
#include "engine.h"

#define DIR_SHIFT	9
#define DIR_SIZE	(1U << DIR_SHIFT)

/**
 * cpb_break() - stop writing: the store is read-only from now on
 * @s: the store
 * @err: why; only the first one counts
 * @what: a few words on what failed
 * @block: the metadata block that it is about, or ~0
 *
 * Nothing that was not durable becomes so after this, so that what is on the
 * disks stays the last good state. Any context. Return: @err.
 */
int cpb_break(struct cpb_store *s, int err, const char *what, u64 block)
{
	unsigned long flags = port_lock(&s->blocks.lock);
	bool first = !s->broken;

	if (first) {
		if (block == ~0ULL)
			snprintf(s->error, sizeof(s->error), "%s (error %d)",
				 what, err);
		else
			snprintf(s->error, sizeof(s->error),
				 "%s, metadata block %llu (error %d)", what,
				 (unsigned long long)block, err);
		/* Who sees it may read the text. */
		smp_store_release(&s->broken, err);
	}
	port_unlock(&s->blocks.lock, flags);
	if (first)
		s->ops->kick(s->ctx, CPB_KICK_ERROR);
	return err;
}

/* ---- Buffers ---- */

void cpb_buf_init(struct cpb_buf *b)
{
	INIT_LIST_HEAD(&b->segs);
	b->words = 0;
}

/**
 * cpb_buf_push() - room for one more record
 * @pool: gives a segment where the last one is full; it must have one
 * @b: the buffer
 * @words: size of the record, the same for all of a buffer but the journal's
 */
u64 *cpb_buf_push(struct cpb_pool *pool, struct cpb_buf *b, unsigned int words)
{
	struct cpb_seg *seg = NULL;
	u64 *w;

	if (!list_empty(&b->segs))
		seg = list_last_entry(&b->segs, struct cpb_seg, list);
	if (!seg || seg->used + words > CPB_SEG_WORDS) {
		seg = list_first_entry(&pool->segs, struct cpb_seg, list);
		pool->nr_segs--;
		seg->used = 0;
		list_move_tail(&seg->list, &b->segs);
	}
	w = seg->word + seg->used;
	seg->used += words;
	b->words += words;
	return w;
}

/** cpb_buf_splice() - move what is in @from behind what is in @to */
void cpb_buf_splice(struct cpb_buf *from, struct cpb_buf *to)
{
	list_splice_tail_init(&from->segs, &to->segs);
	to->words += from->words;
	from->words = 0;
}

/** cpb_buf_drop() - empty it */
void cpb_buf_drop(struct cpb_buf *b)
{
	struct cpb_seg *seg, *next;

	list_for_each_entry_safe(seg, next, &b->segs, list)
		port_free_block(seg);
	cpb_buf_init(b);
}

/* ---- Free blocks ---- */

static u64 find_free(struct cpb_blocks *b)
{
	u64 words = DIV_ROUND_UP(b->nr, BITS_PER_LONG);
	u64 i, w = b->cursor / BITS_PER_LONG, bit;

	for (i = 0; i <= words; i++, w++) {
		if (w >= words)
			w = 0;
		if (~b->busy[w] == 0)
			continue;
		bit = w * BITS_PER_LONG + __builtin_ctzl(~b->busy[w]);
		if (bit < b->nr)
			return bit;
	}
	return ~0ULL;
}

static bool is_busy(const struct cpb_blocks *b, u64 addr)
{
	return b->busy[addr / BITS_PER_LONG] >> (addr % BITS_PER_LONG) & 1;
}

static void set_busy(struct cpb_blocks *b, u64 addr)
{
	b->busy[addr / BITS_PER_LONG] |= BIT(addr % BITS_PER_LONG);
	b->free--;
}

static void set_free(struct cpb_blocks *b, u64 addr)
{
	b->busy[addr / BITS_PER_LONG] &= ~BIT(addr % BITS_PER_LONG);
	b->free++;
}

static bool level_moved(struct cpb_blocks *b)
{
	return cpb_level_moved(&b->level, b->nr - b->free, b->nr);
}

/* The page of the directory that an address is in, made if it isn't there. */
static void make_dir(struct cpb_store *s, u64 addr)
{
	struct cpb_node ***slot = &s->blocks.dir[addr >> DIR_SHIFT];
	unsigned long flags;
	void *page;

	if (READ_ONCE(*slot))
		return;
	page = port_alloc_block();
	memset(page, 0, CPB_BLOCK_SIZE);
	static_assert(DIR_SIZE * sizeof(void *) <= CPB_BLOCK_SIZE, "dir");
	flags = port_lock(&s->blocks.lock);
	if (!*slot) {
		/* Lookups must find it zeroed. */
		smp_store_release(slot, page);
		page = NULL;
	}
	port_unlock(&s->blocks.lock, flags);
	if (page)
		port_free_block(page);
}

/**
 * cpb_blocks_available() - blocks that are free, or will be without help
 * @s: the store
 *
 * The nodes in the pool count as free: they wait for the next change.
 */
u64 cpb_blocks_available(struct cpb_store *s)
{
	unsigned int pool = READ_ONCE(s->pool.nr);

	/* One that goes to the pool meanwhile is not to be seen twice. */
	smp_rmb();
	return READ_ONCE(s->blocks.free) + pool;
}

/* ---- Nodes ---- */

static void free_node(port_rcu_t *rcu)
{
	struct cpb_node *n = container_of(rcu, struct cpb_node, rcu);

	port_free_block(n->h);
	port_free(n);
}

static struct cpb_node *alloc_node(u64 addr)
{
	struct cpb_node *n = port_alloc_must(sizeof(*n));

	n->h = port_alloc_block();
	n->addr = addr;
	INIT_LIST_HEAD(&n->dirty);
	return n;
}

static void put_cache(struct cpb_blocks *b, struct cpb_node *n)
{
	/* Lookups must find it filled in. */
	smp_store_release(&b->dir[n->addr >> DIR_SHIFT]
				 [n->addr & (DIR_SIZE - 1)], n);
	n->flags |= CPB_NODE_CACHED;
	b->cached++;
}

static void drop_cache(struct cpb_blocks *b, struct cpb_node *n)
{
	WRITE_ONCE(b->dir[n->addr >> DIR_SHIFT][n->addr & (DIR_SIZE - 1)], NULL);
	n->flags &= ~CPB_NODE_CACHED;
	b->cached--;
}

/**
 * cpb_blocks_release() - blocks that a durable transaction let go of are free
 * @s: the store
 * @b: their addresses; it is emptied
 */
void cpb_blocks_release(struct cpb_store *s, struct cpb_buf *b)
{
	unsigned long flags;
	struct cpb_node *n;
	struct cpb_seg *seg;
	bool moved;
	u64 i;

	cpb_for_each_seg(seg, b) {
		flags = port_lock(&s->blocks.lock);
		for (i = 0; i < seg->used; i++) {
			/* Who was reading it when it was let go of put it back. */
			n = cpb_node_find(s, seg->word[i]);
			if (n) {
				drop_cache(&s->blocks, n);
				port_rcu_call(&n->rcu, free_node);
			}
			set_free(&s->blocks, seg->word[i]);
		}
		s->blocks.released++;
		moved = level_moved(&s->blocks);
		port_unlock(&s->blocks.lock, flags);
		if (moved)
			s->ops->kick(s->ctx, CPB_KICK_LEVEL);
	}
	cpb_buf_drop(b);
}

/**
 * cpb_node_find() - a block that is in memory, or NULL
 * @s: the store
 * @addr: address of the block
 *
 * Any context. It stays valid under RCU, under the tree lock, and under meta.
 */
struct cpb_node *cpb_node_find(struct cpb_store *s, u64 addr)
{
	struct cpb_node **page, *n;

	if (addr >= s->blocks.nr)
		return NULL;
	page = READ_ONCE(s->blocks.dir[addr >> DIR_SHIFT]);
	if (!page)
		return NULL;
	n = READ_ONCE(page[addr & (DIR_SIZE - 1)]);
	/* Look before writing: lookups share this cache line. */
	if (n && !READ_ONCE(n->used))
		WRITE_ONCE(n->used, true);
	return n;
}

static int check_node(struct cpb_store *s, const struct cpb_disk_header *h,
		      u32 magic, u64 addr)
{
	int err = cpb_verify(h, magic, addr, s->uuid);

	if (err)
		return err;
	switch (magic) {
	case CPB_MAGIC_MAP:
		return cpb_tree_check(s, &cpb_map_class, h);
	case CPB_MAGIC_DEAD:
		return cpb_tree_check(s, &cpb_dead_class, h);
	default:
		return cpb_table_check(h);
	}
}

static bool is_meant(const struct cpb_node *n, u64 ref, u32 magic)
{
	return cpb_ref(n) == ref && le32_to_cpu(n->h->magic) == magic;
}

/**
 * cpb_node_load() - a block, read if it is not in memory  [sleeps]
 * @s: the store
 * @ref: which block, of which transaction
 * @magic: what it must be
 * @released: cpb_blocks_released() at a time when @ref was in use
 * @node: gets it; may be NULL
 *
 * A block that is damaged, or is not the one that was meant (the device lost a
 * write), breaks the store. Return: 0, -EAGAIN if the block may have been let go
 * of meanwhile, or an error.
 */
int cpb_node_load(struct cpb_store *s, u64 ref, u32 magic, u64 released,
		  struct cpb_node **node)
{
	u64 addr = cpb_ref_addr(ref);
	struct cpb_blocks *b = &s->blocks;
	struct cpb_node *n, *other;
	bool meant = false;
	unsigned long flags;
	int err;

	port_rcu_lock();
	n = cpb_node_find(s, addr);
	if (n)
		meant = is_meant(n, ref, magic);
	port_rcu_unlock();
	if (n)
		goto found;
	if (!addr || addr >= b->nr)
		return cpb_break(s, -EUCLEAN, "an address beyond the device is named",
				 addr);
	n = alloc_node(addr);
	atomic_long_inc(&s->nr_misses);
	err = s->ops->read(s->ctx, addr, n->h);
	if (!err)
		err = check_node(s, n->h, magic, addr);
	n->txn = le64_to_cpu(n->h->txn);
	if (!err && cpb_ref(n) != ref)
		err = -ESTALE;
	make_dir(s, addr);

	flags = port_lock(&b->lock);
	other = cpb_node_find(s, addr);
	if (other) {
		err = 0;
		meant = is_meant(other, ref, magic);
	} else if (b->released != released) {
		/* It may be someone else's by now, and what was read stale. */
		err = -EAGAIN;
	} else if (!err && !is_busy(b, addr)) {
		/* What takes it next would be confused with it. */
		err = -ENODATA;
	} else if (!err) {
		put_cache(b, n);
		meant = true;
	}
	port_unlock(&b->lock, flags);

	if (err || other)
		free_node(&n->rcu);
	if (err == -ENODATA)
		return cpb_break(s, -EUCLEAN, "a block that is not in use is named",
				 addr);
	if (err == -ESTALE)
		return cpb_break(s, -EUCLEAN, "a block is not of the transaction that was to write it",
				 addr);
	if (err == -EAGAIN)
		return err;
	if (err)
		return cpb_break(s, err, err == -EBADMSG ? "checksum mismatch" :
				 err == -EUCLEAN ? "damaged structure" :
				 "can't read", addr);
	if (other)
		n = other;
found:
	if (!meant && cpb_blocks_released(s) != released)
		return -EAGAIN;
	if (!meant)
		return cpb_break(s, -EUCLEAN, "another block than this one is named",
				 addr);
	if (node)
		*node = n;
	return 0;
}

/**
 * cpb_node_new() - a new dirty block; its content is the caller's to fill in
 * @s: the store
 * @pool: has one
 * @txn: the transaction
 */
struct cpb_node *cpb_node_new(struct cpb_store *s, struct cpb_pool *pool, u64 txn)
{
	struct cpb_node *n = list_first_entry(&pool->nodes, struct cpb_node, dirty);
	struct cpb_txn *t = &s->txns[txn & 1];
	unsigned long flags;

	pool->nr--;
	n->txn = txn;
	flags = port_lock(&s->blocks.lock);
	list_move_tail(&n->dirty, &t->dirty);
	t->nr_dirty++;
	n->flags |= CPB_NODE_DIRTY;
	put_cache(&s->blocks, n);
	port_unlock(&s->blocks.lock, flags);
	return n;
}

/**
 * cpb_node_let_go() - nothing refers to this block any more
 * @s: the store
 * @pool: where nodes and segments come from
 * @n: the node
 * @txn: the transaction that this belongs to
 * @reclaimed: because something was reclaimed
 *
 * On disk it stays as it is until that transaction is durable. If something was
 * reclaimed nothing takes the block before, even if it was never written: the journal
 * has what was done, but not that. So a replay, which does not reclaim, needs a block
 * for all that the transaction ever made.
 */
void cpb_node_let_go(struct cpb_store *s, struct cpb_pool *pool,
		     struct cpb_node *n, u64 txn, bool reclaimed)
{
	struct cpb_txn *t = &s->txns[txn & 1];
	unsigned long flags = port_lock(&s->blocks.lock);

	drop_cache(&s->blocks, n);
	if (n->txn == txn) {
		/* Never written: no durable tree knows it. */
		list_del_init(&n->dirty);
		n->flags &= ~CPB_NODE_DIRTY;
		t->nr_dirty--;
		if (reclaimed)
			*cpb_buf_push(pool, &t->unwritten, 1) = n->addr;
		else
			set_free(&s->blocks, n->addr);
		s->blocks.released++;
	} else {
		*cpb_buf_push(pool, &t->blocks, 1) = n->addr;
	}
	if (!(n->flags & CPB_NODE_DIRTY))
		port_rcu_call(&n->rcu, free_node);
	port_unlock(&s->blocks.lock, flags);
}

/** cpb_node_clean() - a block of the transaction being committed was written */
void cpb_node_clean(struct cpb_store *s, struct cpb_node *n)
{
	unsigned long flags = port_lock(&s->blocks.lock);

	list_del_init(&n->dirty);
	n->flags &= ~CPB_NODE_DIRTY;
	s->txns[n->txn & 1].nr_dirty--;
	if (!(n->flags & CPB_NODE_CACHED))
		port_rcu_call(&n->rcu, free_node);
	port_unlock(&s->blocks.lock, flags);
}

/* ---- Pools ---- */

void cpb_pool_init(struct cpb_pool *pool, port_lock_t *lock)
{
	pool->lock = lock;
	INIT_LIST_HEAD(&pool->nodes);
	INIT_LIST_HEAD(&pool->segs);
	pool->nr = 0;
	pool->nr_segs = 0;
}

static struct cpb_node *reserve_node(struct cpb_store *s)
{
	struct cpb_blocks *b = &s->blocks;
	struct cpb_node *n;
	unsigned long flags = port_lock(&b->lock);
	u64 addr = b->free ? find_free(b) : ~0ULL;
	bool moved = false;

	if (addr != ~0ULL) {
		set_busy(b, addr);
		b->cursor = addr + 1 < b->nr ? addr + 1 : 0;
		moved = level_moved(b);
	}
	port_unlock(&b->lock, flags);
	if (moved)
		s->ops->kick(s->ctx, CPB_KICK_LEVEL);
	if (addr == ~0ULL)
		return NULL;
	make_dir(s, addr);
	n = alloc_node(addr);
	return n;
}

/*
 * A commit must not fail for want of a block: if there is no other, it takes those that
 * wait for changes of maps. These can wait for the next one.
 */
static struct cpb_node *reserve_for_meta(struct cpb_store *s)
{
	struct cpb_node *n = reserve_node(s);
	unsigned long flags;

	if (!n) {
		flags = port_lock(&s->lock);
		n = list_first_entry_or_null(&s->pool.nodes, struct cpb_node, dirty);
		if (n) {
			list_del_init(&n->dirty);
			s->pool.nr--;
		}
		port_unlock(&s->lock, flags);
	}
	if (n && s->cut_cost)
		WRITE_ONCE(s->cut_cost, s->cut_cost - 1);
	else if (n && s->cutting)
		s->nr_uncounted++;
	return n;
}

/**
 * cpb_pool_fill() - have at least so many nodes and segments in a pool  [sleeps]
 * @s: the store
 * @pool: where nodes and segments come from
 * @nodes: nodes wanted
 * @segs: segments wanted
 *
 * Return: 0, or -ENOSPC.
 */
int cpb_pool_fill(struct cpb_store *s, struct cpb_pool *pool,
		  unsigned int nodes, unsigned int segs)
{
	struct cpb_seg *seg;
	struct cpb_node *n;
	unsigned long flags;

	while (READ_ONCE(pool->nr_segs) < segs) {
		seg = port_alloc_block();
		flags = port_lock(pool->lock);
		list_add_tail(&seg->list, &pool->segs);
		pool->nr_segs++;
		port_unlock(pool->lock, flags);
	}
	while (READ_ONCE(pool->nr) < nodes) {
		n = pool == &s->meta_pool ? reserve_for_meta(s) : reserve_node(s);
		if (!n)
			return -ENOSPC;
		flags = port_lock(pool->lock);
		list_add_tail(&n->dirty, &pool->nodes);
		pool->nr++;
		port_unlock(pool->lock, flags);
	}
	return 0;
}

void cpb_pool_exit(struct cpb_store *s, struct cpb_pool *pool)
{
	struct cpb_seg *seg, *next_seg;
	struct cpb_node *n, *next;

	list_for_each_entry_safe(n, next, &pool->nodes, dirty) {
		set_free(&s->blocks, n->addr);
		free_node(&n->rcu);
	}
	list_for_each_entry_safe(seg, next_seg, &pool->segs, list)
		port_free_block(seg);
	cpb_pool_init(pool, pool->lock);
}

/* ---- The whole ---- */

/** cpb_blocks_init() - @s->meta_blocks and the bitmap area's room are known */
int cpb_blocks_init(struct cpb_store *s)
{
	struct cpb_blocks *b = &s->blocks;
	u64 room = min(s->bitmap_slots * CPB_SPACE_BITS, CPB_META_BLOCKS_MAX);

	port_lock_init(&b->lock);
	b->nr = s->meta_blocks;
	b->dir_size = DIV_ROUND_UP(room, DIR_SIZE);
	b->dir = port_alloc(b->dir_size * sizeof(*b->dir));
	b->busy = port_alloc(s->bitmap_slots * CPB_PAYLOAD);
	return b->dir && b->busy ? 0 : -ENOMEM;
}

void cpb_blocks_exit(struct cpb_store *s)
{
	struct cpb_blocks *b = &s->blocks;
	struct cpb_node *n;
	u64 i, j;

	for (i = 0; b->dir && i < b->dir_size; i++) {
		for (j = 0; b->dir[i] && j < DIR_SIZE; j++) {
			n = b->dir[i][j];
			if (!n)
				continue;
			list_del_init(&n->dirty);
			free_node(&n->rcu);
		}
		if (b->dir[i])
			port_free_block(b->dir[i]);
	}
	port_free(b->dir);
	port_free(b->busy);
}

/*
 * A clock: what was not used since the hand last came by goes. The locks keep
 * everyone out who holds a node; lookups are under RCU.
 */
unsigned long cpb_shrink(struct cpb_store *s, unsigned long nr)
{
	struct cpb_blocks *b = &s->blocks;
	unsigned long gone = 0, flags;
	u64 pages, j;
	struct cpb_node *n;

	if (!port_mutex_trylock(&s->meta))
		return 0;
	for (pages = 0; pages < 2 * b->dir_size && gone < nr; pages++) {
		struct cpb_node **page;

		if (++b->hand >= b->dir_size)
			b->hand = 0;
		page = READ_ONCE(b->dir[b->hand]);
		if (!page)
			continue;
		flags = port_lock(&s->lock);
		for (j = 0; j < DIR_SIZE && gone < nr; j++) {
			unsigned long inner = port_lock(&b->lock);

			n = page[j];
			if (n && !(n->flags & CPB_NODE_DIRTY) && !n->used) {
				drop_cache(b, n);
				port_rcu_call(&n->rcu, free_node);
				gone++;
			} else if (n) {
				WRITE_ONCE(n->used, false);
			}
			port_unlock(&b->lock, inner);
		}
		port_unlock(&s->lock, flags);
		port_cond_resched();
	}
	port_mutex_unlock(&s->meta);
	return gone;
}
