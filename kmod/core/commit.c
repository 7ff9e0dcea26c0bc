// SPDX-License-Identifier: GPL-2.0
/*
 * Transactions: writing the trees back.
 *
 * A commit cuts: from one instant on, changes belong to the next transaction
 * and copy what this one has (so what is being written stays as it is). It
 * brings deadlists, bitmaps and object slots up to the cut, writes all blocks
 * of the transaction to places that nothing durable uses, makes the data
 * durable that the maps name, and then writes the superblock, twice. Only then
 * is what the transaction let go of free for others: a crash before goes back
 * to the transaction before, and the journal on top of it.
 */
#include "engine.h"

#define WRITE_BATCH	256
#define COPY_AHEAD	16	/* object blocks copied in one turn of the tree lock */

/* A block of object slots as of the cut. */
struct object_copy {
	struct list_head list;
	u64 block;
	u8 slots[CPB_PAYLOAD];
};

/* What a commit takes along from its cut. */
struct cut {
	struct cpb_txn *t;
	struct list_head objects;
	u64 lsn, epoch, next_id, next_volume;
	u32 object_slots;
	struct cpb_disk_options options;
};

static_assert(sizeof(struct object_copy) <= CPB_BLOCK_SIZE, "object copy");

/* ---- The cut ---- */

static void txn_init(struct cpb_txn *t, u64 id)
{
	t->id = id;
	INIT_LIST_HEAD(&t->dirty);
	INIT_LIST_HEAD(&t->deadsets);
	t->nr_dirty = 0;
	cpb_buf_init(&t->blocks);
	cpb_buf_init(&t->unwritten);
	cpb_buf_init(&t->mapped);
	cpb_buf_init(&t->freed);
}

/** cpb_txn_start() - set up the first transaction after @durable */
void cpb_txn_start(struct cpb_store *s, u64 durable)
{
	s->durable_txn = durable;
	s->txn = durable + 1;
	txn_init(&s->txns[s->txn & 1], s->txn);
	txn_init(&s->txns[durable & 1], durable);
}

bool cpb_dirty(struct cpb_store *s)
{
	struct cpb_txn *t = &s->txns[READ_ONCE(s->txn) & 1];

	return READ_ONCE(t->nr_dirty) || READ_ONCE(t->blocks.words) ||
	       READ_ONCE(t->unwritten.words) || READ_ONCE(s->slots.nr_dirty) ||
	       READ_ONCE(s->nr_runs) || READ_ONCE(s->nr_dead) || READ_ONCE(s->super_changed);
}

static void copies_free(struct list_head *objects)
{
	struct object_copy *o, *next;

	list_for_each_entry_safe(o, next, objects, list)
		port_free_block(o);
}

/*
 * Copy up to @max object blocks that changed, into blocks that are there
 * already; the tree lock is held.
 */
static void copy_objects(struct cpb_store *s, struct list_head *spare, u32 *have,
			 struct list_head *objects, u32 max)
{
	u32 words = s->slots.nr / CPB_OBJECTS_PER_BLOCK / BITS_PER_LONG, w;
	u32 nr = min(max, s->slots.nr_dirty);

	s->slots.nr_dirty -= nr;
	*have -= nr;
	for (w = 0; w < words && nr; w++) {
		while (s->slots.dirty[w] && nr) {
			unsigned int bit = __builtin_ctzl(s->slots.dirty[w]);
			struct object_copy *o =
				list_first_entry(spare, struct object_copy, list);

			s->slots.dirty[w] &= ~BIT(bit);
			o->block = (u64)w * BITS_PER_LONG + bit;
			cpb_slots_write(s, o->block, o->slots);
			list_move_tail(&o->list, objects);
			nr--;
		}
	}
}

static void get_spare(struct list_head *spare, u32 *have, u32 nr)
{
	struct object_copy *o;

	for (; *have < nr; ++*have) {
		o = port_alloc_block();
		list_add_tail(&o->list, spare);
	}
}

/*
 * Where much has changed it is copied before the cut, some at a time: the lock
 * is not to be held for all of it. What changes again meanwhile is copied
 * again, and the last copy of a block counts. The blocks that they will take
 * are to stay free.
 */
static void copy_ahead(struct cpb_store *s, struct list_head *spare, u32 *have,
		       struct list_head *objects)
{
	u32 rounds = 2 * s->slots.nr / CPB_OBJECTS_PER_BLOCK / COPY_AHEAD + 1;
	unsigned long flags;

	while (READ_ONCE(s->slots.nr_dirty) > COPY_AHEAD && rounds--) {
		get_spare(spare, have, COPY_AHEAD);
		flags = port_lock(&s->lock);
		s->slots.nr_ahead += min_t(u32, s->slots.nr_dirty, COPY_AHEAD);
		copy_objects(s, spare, have, objects, COPY_AHEAD);
		port_unlock(&s->lock, flags);
		port_cond_resched();
	}
}

static void make_cut(struct cpb_store *s, struct cut *c)
{
	struct cpb_deadset *d;
	struct list_head spare;
	unsigned long flags;
	u32 have = 0;

	INIT_LIST_HEAD(&c->objects);
	INIT_LIST_HEAD(&spare);
	copy_ahead(s, &spare, &have, &c->objects);
	for (;;) {
		get_spare(&spare, &have, READ_ONCE(s->slots.nr_dirty) + 4);
		flags = port_lock(&s->lock);
		if (have >= s->slots.nr_dirty)
			break;
		port_unlock(&s->lock, flags);
	}
	/* From what is waiting, so before that is cut off. */
	WRITE_ONCE(s->cut_cost, cpb_commit_cost(s));
	/* Pairs with that in spare.c: who sees that less waits sees the cost. */
	smp_wmb();
	c->t = &s->txns[s->txn & 1];
	list_for_each_entry(d, &c->t->deadsets, dirty)
		cpb_buf_splice(&d->buf, &d->cut);
	copy_objects(s, &spare, &have, &c->objects, ~0U);
	s->slots.nr_ahead = 0;
	c->lsn = s->log.lsn;
	c->epoch = s->epoch;
	c->next_id = s->next_id;
	c->next_volume = s->next_volume;
	c->object_slots = s->slots.nr;
	c->options = s->options;
	s->super_changed = false;
	s->space.change = 0;
	WRITE_ONCE(s->nr_runs, 0);
	WRITE_ONCE(s->nr_dead, 0);
	s->txn++;
	txn_init(&s->txns[s->txn & 1], s->txn);
	port_unlock(&s->lock, flags);
	copies_free(&spare);
}

/* ---- What follows from it ---- */

static int write_objects(struct cpb_store *s, struct cut *c)
{
	struct object_copy *o;
	struct cpb_node *leaf;
	int err;

	list_for_each_entry(o, &c->objects, list) {
		err = cpb_table_leaf(s, &s->objects, CPB_MAGIC_OBJECTS, o->block,
				     c->t->id, &leaf);
		if (err)
			return err;
		memcpy(leaf->h + 1, o->slots, CPB_PAYLOAD);
	}
	return 0;
}

static int mark(struct cpb_store *s, u64 addr, bool set)
{
	unsigned long *w = &s->bitmap[addr / BITS_PER_LONG];
	unsigned long bit = BIT(addr % BITS_PER_LONG);
	u64 block = div64_u64(addr, CPB_SPACE_BITS);

	if (!(*w & bit) != set)
		return cpb_break(s, -EUCLEAN, set ? "a metadata block was used twice" :
				 "a metadata block was freed twice", addr);
	*w ^= bit;
	s->bitmap_changed[block / BITS_PER_LONG] |= BIT(block % BITS_PER_LONG);
	s->meta_used += set ? 1 : -1;
	return 0;
}

/* From here on the transaction takes and lets go of no more blocks. */
static int mark_blocks(struct cpb_store *s, struct cpb_txn *t)
{
	struct cpb_node *n;
	struct cpb_seg *seg;
	int err = 0;
	u64 i;

	list_for_each_entry(n, &t->dirty, dirty) {
		err = mark(s, n->addr, true);
		if (err)
			return err;
	}
	cpb_for_each_seg(seg, &t->blocks)
		for (i = 0; i < seg->used && !err; i++)
			err = mark(s, seg->word[i], false);
	return err;
}

/* ---- Writing ---- */

static int by_addr(void *priv __maybe_unused, const struct list_head *a, const struct list_head *b)
{
	const struct cpb_node *x = list_entry(a, struct cpb_node, dirty);
	const struct cpb_node *y = list_entry(b, struct cpb_node, dirty);

	return x->addr > y->addr;
}

static int write_vec(struct cpb_store *s, const struct cpb_vec *vec, unsigned int nr)
{
	int err = nr ? s->ops->write(s->ctx, vec, nr, 0) : 0;

	if (err)
		return cpb_break(s, err, "can't write metadata", vec[0].block);
	s->nr_written += nr;
	return 0;
}

static int write_nodes(struct cpb_store *s, struct cpb_txn *t, struct cpb_vec *vec)
{
	struct cpb_node *n;
	unsigned int nr = 0;
	int err = 0;

	list_sort(NULL, &t->dirty, by_addr);
	list_for_each_entry(n, &t->dirty, dirty) {
		cpb_seal(s, n->h, n->addr, t->id);
		vec[nr++] = (struct cpb_vec){ .block = n->addr, .data = n->h };
		if (nr < WRITE_BATCH)
			continue;
		err = write_vec(s, vec, nr);
		if (err)
			return err;
		nr = 0;
	}
	return write_vec(s, vec, nr);
}

/* Bitmaps that changed go to the place that the last superblock doesn't use. */
static int write_bitmaps(struct cpb_store *s, u64 txn)
{
	u64 nr = DIV_ROUND_UP(s->disk_meta_blocks, CPB_SPACE_BITS), i;
	struct cpb_disk_header *h = port_alloc_block();
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		struct cpb_vec vec = { .data = h };
		u64 *place = &s->bitmap_place[i / 64];

		if (!(s->bitmap_changed[i / BITS_PER_LONG] & BIT(i % BITS_PER_LONG)))
			continue;
		s->bitmap_changed[i / BITS_PER_LONG] &= ~BIT(i % BITS_PER_LONG);
		*place ^= 1ULL << i % 64;
		vec.block = s->bitmap_start + 2 * i + (*place >> i % 64 & 1);
		memset(h, 0, sizeof(*h));
		h->magic = cpu_to_le32(CPB_MAGIC_BITMAP);
		h->base = cpu_to_le64(i);
		memcpy(h + 1, (u8 *)s->bitmap + i * CPB_PAYLOAD, CPB_PAYLOAD);
		cpb_seal(s, h, vec.block, txn);
		err = write_vec(s, &vec, 1);
	}
	port_free_block(h);
	return err;
}

static void put_root(struct cpb_disk_root *d, const struct cpb_root *r)
{
	d->ref = cpu_to_le64(r->ref);
	d->level = cpu_to_le32(r->level);
}

static void fill_super(struct cpb_store *s, const struct cut *c,
		       const struct cpb_log_place *tail, struct cpb_disk_super *sb)
{
	u32 i;

	memset(sb, 0, CPB_BLOCK_SIZE);
	sb->h.magic = cpu_to_le32(CPB_MAGIC_SUPER);
	sb->version = cpu_to_le32(CPB_VERSION);
	sb->incompat = cpu_to_le64(s->incompat);
	sb->chunk_shift = cpu_to_le32(s->chunk_shift);
	sb->created = cpu_to_le64(s->created);
	memcpy(sb->name, s->name, sizeof(sb->name));
	sb->meta_blocks = cpu_to_le64(s->disk_meta_blocks);
	sb->data_chunks = cpu_to_le64(s->disk_chunks);
	sb->journal_start = cpu_to_le64(s->log.start);
	sb->journal_blocks = cpu_to_le64(s->log.blocks);
	sb->journal_tail = cpu_to_le64(tail->block);
	sb->journal_seq = cpu_to_le64(tail->seq);
	sb->journal_link = cpu_to_le32(tail->link);
	sb->label_crc = cpu_to_le32(s->label_crc);
	sb->bitmap_start = cpu_to_le64(s->bitmap_start);
	sb->bitmap_slots = cpu_to_le64(s->bitmap_slots);
	sb->meta_used = cpu_to_le64(s->meta_used);
	sb->data_used = cpu_to_le64(s->space.used);
	sb->epoch = cpu_to_le64(c->epoch);
	sb->next_id = cpu_to_le64(c->next_id);
	sb->next_volume = cpu_to_le64(c->next_volume);
	sb->object_slots = cpu_to_le64(c->object_slots);
	put_root(&sb->objects, &s->objects);
	put_root(&sb->space, &s->space.table);
	put_root(&sb->dead, &s->dead);
	sb->dead_nodes = cpu_to_le64(s->dead_nodes);
	sb->options = c->options;
	for (i = 0; i < ARRAY_SIZE(s->bitmap_place); i++)
		sb->bitmap_place[i] = cpu_to_le64(s->bitmap_place[i]);
}

/**
 * cpb_super_write() - write both copies, one after the other  [sleeps]
 * @s: the store
 * @sb: the superblock; what it refers to is durable
 * @txn: the transaction
 *
 * While one is being written, the other one is whole. What the superblock
 * before this one used may be reused only when both are durable.
 */
int cpb_super_write(struct cpb_store *s, struct cpb_disk_super *sb, u64 txn)
{
	struct cpb_vec vec = { .data = sb };
	int err;

	cpb_seal(s, &sb->h, 0, txn);
	err = s->ops->write(s->ctx, &vec, 1, CPB_WRITE_FUA);
	if (!err) {
		vec.block = CPB_SB_SECOND;
		cpb_seal(s, &sb->h, CPB_SB_SECOND, txn);
		err = s->ops->write(s->ctx, &vec, 1, CPB_WRITE_FUA);
	}
	if (err)
		return cpb_break(s, err, "can't write the superblock", vec.block);
	s->nr_written += 2;
	return 0;
}

static int write_txn(struct cpb_store *s, struct cut *c)
{
	struct cpb_vec *vec = port_alloc_must(WRITE_BATCH * sizeof(*vec));
	int err;

	err = write_nodes(s, c->t, vec);
	if (!err)
		err = write_bitmaps(s, c->t->id);
	port_free(vec);
	return err;
}

/*
 * Make what the superblock refers to durable, then the superblock. A flush that fails
 * may have lost what it was for, whoever wrote it, and the next one succeed: so there is
 * one at a time for both devices, which may be one disk, here and in the journal, and
 * none follows one that failed. After that, or if something else has broken the store,
 * nothing may become durable.
 */
static int make_durable(struct cpb_store *s, struct cpb_disk_super *sb, u64 txn)
{
	int err = -EROFS;

	port_sem_lock(&s->log_io);
	if (s->broken)
		goto out;
	err = s->ops->write(s->ctx, NULL, 0, CPB_WRITE_PREFLUSH);
	if (err) {
		cpb_break(s, err, "can't flush the metadata device", ~0ULL);
		goto out;
	}
	err = s->ops->flush_data(s->ctx);
	if (err)
		cpb_break(s, err, "can't flush the data device", ~0ULL);
	else
		err = cpb_super_write(s, sb, txn);
out:
	port_sem_unlock(&s->log_io);
	return err;
}

/* ---- The end of it ---- */

static void finish(struct cpb_store *s, struct cut *c, const struct cpb_log_place *tail)
{
	struct cpb_txn *t = c->t;
	struct cpb_node *n, *next;

	cpb_log_done(s, t->id, c->lsn, tail);
	list_for_each_entry_safe(n, next, &t->dirty, dirty)
		cpb_node_clean(s, n);
	cpb_blocks_release(s, &t->blocks);
	cpb_blocks_release(s, &t->unwritten);
	cpb_gen_turn(s, &t->freed);
	s->durable_txn = t->id;
	s->nr_commits++;
	cpb_space_moved(s);
	if (READ_ONCE(s->stuck))
		s->ops->kick(s->ctx, CPB_KICK_REAP);
}

/** cpb_commit_locked() - cpb_commit() where the commit lock is held already  [sleeps] */
int cpb_commit_locked(struct cpb_store *s)
{
	struct cpb_disk_super *sb;
	struct cpb_log_place tail;
	struct cut c;
	int err;

	if (s->broken)
		return -EROFS;
	if (!cpb_dirty(s))
		return 0;
	err = cpb_gen_prepare(s);
	if (err)
		return err;
	sb = port_alloc_block();

	port_mutex_lock(&s->meta);
	/* It may have broken in the middle of a change that this would write. */
	if (s->broken) {
		port_mutex_unlock(&s->meta);
		port_free_block(sb);
		return -EROFS;
	}
	cpb_space_moved(s);
	make_cut(s, &c);
	s->cutting = true;
	err = cpb_dead_drain(s, c.t);
	if (!err)
		err = cpb_space_apply(s, c.t);
	if (!err)
		err = write_objects(s, &c);
	if (!err)
		err = mark_blocks(s, c.t);
	s->cutting = false;
	WRITE_ONCE(s->cut_cost, 0);
	copies_free(&c.objects);
	/* Roots and counters: of the cut, and others may go on to change them. */
	if (!err) {
		cpb_log_tail(s, c.t->id, &tail);
		fill_super(s, &c, &tail, sb);
	}
	port_mutex_unlock(&s->meta);

	if (!err)
		err = write_txn(s, &c);
	if (!err) {
		u32 i;

		for (i = 0; i < ARRAY_SIZE(s->bitmap_place); i++)
			sb->bitmap_place[i] = cpu_to_le64(s->bitmap_place[i]);
		err = make_durable(s, sb, c.t->id);
	}
	port_free_block(sb);
	/* If not, nothing of it is durable, or counts: the store is read-only. */
	if (!err)
		finish(s, &c, &tail);
	return err;
}

int cpb_commit(struct cpb_store *s)
{
	int err;

	if (s->broken || !s->writable)
		return -EROFS;
	port_mutex_lock(&s->commit);
	err = cpb_commit_locked(s);
	port_mutex_unlock(&s->commit);
	return err;
}
