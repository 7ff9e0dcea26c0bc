// SPDX-License-Identifier: GPL-2.0
/*
 * A store as a whole: opening, closing, what it says of itself, and the calls
 * by which the I/O path reaches its parts.
 */
#include "engine.h"

/* ---- Opening ---- */

__printf(3, 4)
static int refuse(int err, char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, CPB_ERROR_LEN, fmt, args);
	va_end(args);
	return err;
}

/** cpb_store_new() - a store of which nothing is known yet, or NULL */
struct cpb_store *cpb_store_new(const struct cpb_ops *ops, void *ctx)
{
	struct cpb_store *s = port_alloc(sizeof(*s));

	if (!s)
		return NULL;
	s->ops = ops;
	s->ctx = ctx;
	port_mutex_init(&s->cost);
	port_mutex_init(&s->lists);
	port_mutex_init(&s->commit);
	port_mutex_init(&s->meta);
	port_sem_init(&s->log_io);
	port_lock_init(&s->lock);
	port_lock_init(&s->blocks.lock);
	INIT_LIST_HEAD(&s->work);
	port_lock_init(&s->meta_pool_lock);
	cpb_pool_init(&s->pool, &s->lock);
	cpb_pool_init(&s->meta_pool, &s->meta_pool_lock);
	cpb_txn_start(s, 0);
	cpb_log_init(s);
	s->scratch = port_alloc(CPB_SCRATCH * sizeof(u64));
	return s;
}

/* Nodes that a failed commit left dirty and nothing finds any more. */
static void drop_txn(struct cpb_txn *t)
{
	struct cpb_node *n, *next;

	list_for_each_entry_safe(n, next, &t->dirty, dirty) {
		if (n->flags & CPB_NODE_CACHED)
			continue;
		list_del_init(&n->dirty);
		port_free_block(n->h);
		port_free(n);
	}
	cpb_buf_drop(&t->blocks);
	cpb_buf_drop(&t->unwritten);
	cpb_buf_drop(&t->mapped);
	cpb_buf_drop(&t->freed);
}

/** cpb_store_free() - whatever became of it, it is gone  [sleeps] */
void cpb_store_free(struct cpb_store *s)
{
	cpb_space_exit(s);
	/* Blocks and generations that wait for a grace period. */
	port_rcu_barrier();
	cpb_objects_free(s);
	drop_txn(&s->txns[0]);
	drop_txn(&s->txns[1]);
	cpb_pool_exit(s, &s->pool);
	cpb_pool_exit(s, &s->meta_pool);
	cpb_blocks_exit(s);
	cpb_log_exit(s);
	port_free(s->bitmap);
	port_free(s->bitmap_changed);
	port_free(s->scratch);
	port_mutex_destroy(&s->lists);
	port_mutex_destroy(&s->commit);
	port_mutex_destroy(&s->meta);
	port_sem_destroy(&s->log_io);
	port_free(s);
}

/** cpb_super_read() - one copy of the superblock; 0 if it is valid  [sleeps] */
int cpb_super_read(struct cpb_store *s, u64 addr, struct cpb_disk_super *sb)
{
	int err = s->ops->read(s->ctx, addr, sb);

	return err ? err : cpb_verify(&sb->h, CPB_MAGIC_SUPER, addr, NULL);
}

/* Two copies of one transaction differ in nothing but their place. */
static bool supers_differ(const struct cpb_disk_super *a,
			  const struct cpb_disk_super *b)
{
	size_t at = offsetof(struct cpb_disk_super, h.txn);

	return a->h.txn == b->h.txn &&
	       memcmp((const u8 *)a + at, (const u8 *)b + at, CPB_BLOCK_SIZE - at);
}

/*
 * The newest valid copy, left in @sb. *@lone: the other one is damaged or
 * older, so that there is no second one of this transaction.
 */
static int find_super(struct cpb_store *s, struct cpb_disk_super *sb, bool *lone,
		      char *why)
{
	struct cpb_disk_super *other = port_alloc_block();
	int err = cpb_super_read(s, 0, sb), second = cpb_super_read(s, CPB_SB_SECOND, other);

	*lone = err || second || sb->h.txn != other->h.txn;
	if (err && second) {
		if (err == -EUCLEAN || err == -EBADMSG)
			err = refuse(-EINVAL, why, "the metadata device holds no cpblk store: neither superblock is valid");
		else
			refuse(err, why, "the metadata device can't be read (error %d)",
			       err);
	} else if (!err && !second &&
		   memcmp(sb->h.uuid, other->h.uuid, CPB_UUID_LEN)) {
		err = refuse(-EINVAL, why, "the two superblocks are of different stores");
	} else if (!err && !second && supers_differ(sb, other)) {
		err = refuse(-EUCLEAN, why, "the two superblocks of transaction %llu differ: one of them is damaged",
			     (unsigned long long)le64_to_cpu(sb->h.txn));
	} else if (err || (!second &&
			   le64_to_cpu(other->h.txn) > le64_to_cpu(sb->h.txn))) {
		memcpy(sb, other, CPB_BLOCK_SIZE);
		err = 0;
	}
	port_free_block(other);
	return err;
}

static int get_root(const struct cpb_disk_root *d, struct cpb_root *r, u64 birth)
{
	r->ref = le64_to_cpu(d->ref);
	r->level = le32_to_cpu(d->level);
	r->birth = birth;
	return r->level < CPB_LEVELS ? 0 : -EUCLEAN;
}

/**
 * cpb_super_use() - take over what a superblock says, as far as it makes sense
 * @s: the store
 * @sb: the superblock, verified
 * @meta_blocks: size of the metadata device
 * @data_bytes: size of the data device
 * @flags: CPB_OPEN_*
 * @why: on error, a sentence
 */
int cpb_super_use(struct cpb_store *s, const struct cpb_disk_super *sb,
		     u64 meta_blocks, u64 data_bytes, unsigned int flags, char *why)
{
	unsigned int shift = le32_to_cpu(sb->chunk_shift), i;
	u64 data = data_bytes > CPB_DATA_START ? data_bytes - CPB_DATA_START : 0;

	if (le32_to_cpu(sb->version) != CPB_VERSION ||
	    le64_to_cpu(sb->incompat) & ~(u64)CPB_INCOMPAT_KNOWN)
		return refuse(-EINVAL, why, "the store has format version %u with features that this version of cpblk does not know",
			      le32_to_cpu(sb->version));
	if (sb->ro_compat && !(flags & CPB_OPEN_READONLY))
		return refuse(-EINVAL, why, "the store has features that this version of cpblk does not know: it can be opened read-only");
	memcpy(s->uuid, sb->h.uuid, sizeof(s->uuid));
	memcpy(s->name, sb->name, sizeof(s->name) - 1);
	s->incompat = le64_to_cpu(sb->incompat);
	s->chunk_shift = shift;
	s->created = le64_to_cpu(sb->created);
	s->meta_blocks = le64_to_cpu(sb->meta_blocks);
	s->space.chunks = le64_to_cpu(sb->data_chunks);
	s->space.used = le64_to_cpu(sb->data_used);
	s->disk_meta_blocks = s->meta_blocks;
	s->disk_chunks = s->space.chunks;
	s->log.start = le64_to_cpu(sb->journal_start);
	s->log.blocks = le64_to_cpu(sb->journal_blocks);
	s->log.form = cpb_batch_form(sb);
	s->log.head.block = le64_to_cpu(sb->journal_tail);
	s->log.head.seq = le64_to_cpu(sb->journal_seq);
	s->log.head.link = le32_to_cpu(sb->journal_link);
	s->bitmap_start = le64_to_cpu(sb->bitmap_start);
	s->bitmap_slots = le64_to_cpu(sb->bitmap_slots);
	s->meta_used = le64_to_cpu(sb->meta_used);
	s->epoch = le64_to_cpu(sb->epoch);
	s->next_id = le64_to_cpu(sb->next_id);
	s->next_volume = le64_to_cpu(sb->next_volume);
	s->label_crc = le32_to_cpu(sb->label_crc);
	s->dead_nodes = le64_to_cpu(sb->dead_nodes);
	s->slots.nr = le64_to_cpu(sb->object_slots);
	s->options = sb->options;
	for (i = 0; i < ARRAY_SIZE(s->bitmap_place); i++)
		s->bitmap_place[i] = le64_to_cpu(sb->bitmap_place[i]);

	if (!cpb_name_ok(s->name) || shift < CPB_CHUNK_SHIFT_MIN ||
	    shift > CPB_CHUNK_SHIFT_MAX ||
	    s->meta_blocks < CPB_META_BLOCKS_MIN ||
	    s->meta_blocks > CPB_META_BLOCKS_MAX ||
	    !s->space.chunks || s->space.chunks > CPB_CHUNKS_MAX ||
	    s->space.used > s->space.chunks ||
	    s->log.start < CPB_AREA_START ||
	    s->log.blocks < 2 * CPB_BATCH_BLOCKS ||
	    s->log.blocks > s->meta_blocks ||
	    s->log.start > s->meta_blocks - s->log.blocks ||
	    s->log.head.block > s->log.blocks ||
	    s->bitmap_slots < DIV_ROUND_UP(s->meta_blocks, CPB_SPACE_BITS) ||
	    s->bitmap_slots > CPB_BITMAPS_MAX ||
	    s->bitmap_slots > s->meta_blocks / 2 ||
	    s->bitmap_start < s->log.start + s->log.blocks ||
	    s->bitmap_start > s->meta_blocks - 2 * s->bitmap_slots ||
	    s->meta_used > s->meta_blocks || !sb->h.txn ||
	    le64_to_cpu(sb->h.txn) >= CPB_COUNTER_MAX ||
	    !s->epoch || s->epoch >= CPB_COUNTER_MAX ||
	    !s->next_id || s->next_id >= CPB_COUNTER_MAX ||
	    !s->next_volume || s->next_volume > ~0U ||
	    s->log.head.seq >= CPB_COUNTER_MAX || s->dead_nodes > s->meta_blocks ||
	    s->slots.nr % (CPB_OBJECTS_PER_BLOCK * BITS_PER_LONG) ||
	    le64_to_cpu(sb->object_slots) > s->meta_blocks * CPB_OBJECTS_PER_BLOCK ||
	    !cpb_options_ok(&s->options) ||
	    get_root(&sb->objects, &s->objects, 0) ||
	    get_root(&sb->space, &s->space.table, 0) ||
	    get_root(&sb->dead, &s->dead, 1))
		return refuse(-EUCLEAN, why, "the superblock of store '%.63s' is damaged: its fields contradict each other",
			      s->name);
	if (s->meta_blocks > meta_blocks)
		return refuse(-ENODEV, why, "the metadata device is too small for store '%s': it has %llu blocks of 4 KiB, the store needs %llu",
			      s->name, (unsigned long long)meta_blocks,
			      (unsigned long long)s->meta_blocks);
	if (s->space.chunks > data >> shift)
		return refuse(-ENODEV, why, "the data device is too small for store '%s': it has room for %llu chunks, the store needs %llu",
			      s->name, (unsigned long long)(data >> shift),
			      (unsigned long long)s->space.chunks);
	return 0;
}

/** cpb_label_check() - is the data device the one that was formatted together with this?  [sleeps] */
int cpb_label_check(struct cpb_store *s, char *why)
{
	struct cpb_disk_label *l = port_alloc_block();
	int err = s->ops->label(s->ctx, l, false);

	if (err)
		err = refuse(err, why, "the data device can't be read (error %d)", err);
	else if (cpb_verify(&l->h, CPB_MAGIC_LABEL, 0, NULL))
		err = refuse(-ENODEV, why, "the data device holds no label of a cpblk store");
	else if (memcmp(l->h.uuid, s->uuid, CPB_UUID_LEN) ||
		 port_crc(0, l->cookie, sizeof(l->cookie)) != s->label_crc)
		err = refuse(-ENODEV, why, "the data device belongs to another store, '%.63s', not to '%s'",
			     l->name, s->name);
	port_free_block(l);
	return err;
}

static int load_bitmaps(struct cpb_store *s)
{
	u64 nr = DIV_ROUND_UP(s->meta_blocks, CPB_SPACE_BITS), i, used;
	struct cpb_disk_header *h;
	int err = 0;

	s->bitmap = port_alloc(s->bitmap_slots * CPB_PAYLOAD);
	s->bitmap_changed = port_alloc(DIV_ROUND_UP(s->bitmap_slots, BITS_PER_LONG) *
				       sizeof(long));
	if (!s->bitmap || !s->bitmap_changed)
		return -ENOMEM;
	h = port_alloc_block();
	for (i = 0; i < nr && !err; i++) {
		u64 addr = s->bitmap_start + 2 * i +
			   (s->bitmap_place[i / 64] >> i % 64 & 1);

		err = s->ops->read(s->ctx, addr, h);
		if (!err)
			err = cpb_verify(h, CPB_MAGIC_BITMAP, addr, s->uuid);
		if (!err && le64_to_cpu(h->base) != i)
			err = -EUCLEAN;
		if (err)
			cpb_break(s, err, "a bitmap of metadata blocks is damaged",
				  addr);
		memcpy((u8 *)s->bitmap + i * CPB_PAYLOAD, h + 1, CPB_PAYLOAD);
	}
	port_free_block(h);
	if (err)
		return err;
	memcpy(s->blocks.busy, s->bitmap, nr * CPB_PAYLOAD);
	used = cpb_weight(s->bitmap, s->meta_blocks);
	if (used != s->meta_used)
		return cpb_break(s, -EUCLEAN,
				 "the bitmaps of metadata blocks don't add up", ~0ULL);
	if (cpb_weight(s->bitmap, cpb_fixed_end(s)) != cpb_fixed_end(s))
		return cpb_break(s, -EUCLEAN,
				 "the bitmaps of metadata blocks are damaged", ~0ULL);
	s->blocks.free = s->meta_blocks - used;
	return 0;
}

static int bring_up(struct cpb_store *s, struct cpb_disk_super *sb, bool lone,
		    unsigned int ncpus, unsigned int flags)
{
	u64 records;
	int err;

	cpb_txn_start(s, le64_to_cpu(sb->h.txn));
	err = cpb_blocks_init(s);
	if (!err)
		err = load_bitmaps(s);
	if (!err)
		err = cpb_space_init(s, ncpus);
	if (!err)
		err = cpb_objects_load(s);
	cpb_set_reserves(s);
	/* The next superblock must not be the only one while it is written. */
	if (!err && lone && !(flags & CPB_OPEN_READONLY))
		err = cpb_super_write(s, sb, s->durable_txn);
	if (!err)
		err = cpb_log_replay(s, &records);
	if (err)
		return err;
	s->writable = !(flags & CPB_OPEN_READONLY);
	/* The superblock must know that no other batch gets the number of a torn one. */
	if (s->writable && s->log.torn)
		s->super_changed = true;
	if (s->writable && (records || s->log.torn))
		err = cpb_commit(s);
	/* Enough to begin with: the first write asks for the rest, if there is one. */
	if (!err && s->writable)
		cpb_pool_fill(s, &s->pool, CPB_POOL_MIN, 64);
	return err;
}

int cpb_open(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
	     u64 data_bytes, unsigned int ncpus, unsigned int flags,
	     struct cpb_store **store, char why[CPB_ERROR_LEN])
{
	struct cpb_store *s = cpb_store_new(ops, ctx);
	struct cpb_disk_super *sb;
	bool lone;
	int err;

	why[0] = 0;
	if (!s || !s->scratch) {
		if (s)
			cpb_store_free(s);
		return refuse(-ENOMEM, why, "there is not enough memory");
	}
	sb = port_alloc_block();
	err = find_super(s, sb, &lone, why);
	if (!err)
		err = cpb_super_use(s, sb, meta_blocks, data_bytes, flags, why);
	if (!err)
		err = cpb_label_check(s, why);
	if (!err)
		err = bring_up(s, sb, lone, ncpus, flags);
	port_free_block(sb);
	if (!err) {
		*store = s;
		return 0;
	}
	if (!why[0] && s->broken)
		refuse(err, why, "store '%s' is damaged: %s", s->name, s->error);
	else if (!why[0])
		refuse(err, why, "there is not enough memory to open store '%s'",
		       s->name);
	cpb_store_free(s);
	return err;
}

int cpb_close(struct cpb_store *s)
{
	int err = s->broken;

	if (!err && s->writable)
		err = cpb_commit(s);
	/* Who has begun a flush may be about to end it. */
	port_sem_lock(&s->log_io);
	cpb_store_free(s);
	return err;
}

/* ---- Status ---- */

void cpb_status(struct cpb_store *s, struct cpb_status *st)
{
	unsigned long flags;

	memset(st, 0, sizeof(*st));
	memcpy(st->name, s->name, sizeof(st->name));
	memcpy(st->uuid, s->uuid, sizeof(st->uuid));
	st->chunk_shift = s->chunk_shift;
	flags = port_lock(&s->lock);
	st->data_used = s->space.used + s->space.change;
	st->epoch = s->epoch;
	st->next_id = s->next_id;
	st->txn = s->durable_txn;
	st->nr_checkpoints = s->nr_checkpoints;
	st->nr_hidden = s->nr_hidden;
	st->dirty_blocks = s->txns[s->txn & 1].nr_dirty;
	port_unlock(&s->lock, flags);
	st->meta_blocks = s->meta_blocks;
	st->meta_free = cpb_blocks_available(s);
	st->meta_used = s->meta_blocks - st->meta_free;
	st->meta_reserved = min(cpb_blocks_reserved(s), st->meta_free);
	st->data_chunks = s->space.chunks;
	flags = port_lock(&s->space.lock);
	st->data_busy = s->space.busy - s->space.trim.taken;
	st->data_stale = s->space.trim.stale + s->space.trim.taken;
	port_unlock(&s->space.lock, flags);
	st->journal_blocks = s->log.blocks;
	st->journal_used = READ_ONCE(s->log.head.written) - READ_ONCE(s->log.tail);
	st->nr_volumes = READ_ONCE(s->volumes.live);
	st->cached_blocks = READ_ONCE(s->blocks.cached);
	st->read_misses = atomic_long_read(&s->nr_misses);
	st->commits = READ_ONCE(s->nr_commits);
	st->journal_commits = READ_ONCE(s->nr_log_writes);
	st->journal_blocks_written = READ_ONCE(s->nr_log_blocks);
	st->blocks_written = READ_ONCE(s->nr_written);
	st->reap_steps = READ_ONCE(s->nr_steps);
	st->blocks_touched = READ_ONCE(s->nr_touched);
	st->readonly = s->broken || !s->writable;
	/* After cpb_break() has written the text. */
	st->error = smp_load_acquire(&s->broken) ? s->error : "";
}

/* ---- Lists ---- */

void cpb_hold_lists(struct cpb_store *s)
{
	port_mutex_lock(&s->lists);
}

void cpb_drop_lists(struct cpb_store *s)
{
	port_mutex_unlock(&s->lists);
}

struct cpb_volume *cpb_volume_by_name(struct cpb_store *s, const char *name)
{
	return cpb_names_find(&s->names, 0, name);
}

struct cpb_volume *cpb_volume_by_id(struct cpb_store *s, u64 id)
{
	return cpb_ids_find(&s->volumes, id);
}

struct cpb_volume *cpb_volume_next(struct cpb_store *s, u64 id)
{
	return cpb_ids_next(&s->volumes, id);
}

static bool is_checkpoint(const struct cpb_point *p)
{
	return p && !(p->flags & (CPB_POINT_HEAD | CPB_POINT_REAP));
}

struct cpb_point *cpb_point_by_id(struct cpb_store *s, u64 id)
{
	struct cpb_point *p = cpb_ids_find(&s->points, id);

	return is_checkpoint(p) ? p : NULL;
}

struct cpb_point *cpb_point_next(struct cpb_store *s, u64 id)
{
	struct cpb_point *p;

	do {
		p = cpb_ids_next(&s->points, id);
		if (p)
			id = p->id;
	} while (p && !is_checkpoint(p));
	return p;
}

struct cpb_point *cpb_checkpoint(struct cpb_volume *v, const char *name)
{
	return cpb_names_find(&v->s->names, v->id, name);
}

void cpb_point_info(struct cpb_store *s, struct cpb_point *p,
		    struct cpb_point_info *info)
{
	unsigned long flags;
	size_t name = strlen(p->text);

	memset(info, 0, sizeof(*info));
	memcpy(info->name, p->text, name);
	memcpy(info->message, p->text + name + 1, strlen(p->text + name + 1));
	flags = port_lock(&s->lock);
	info->id = p->id;
	info->volume = p->volume;
	info->parent = p->parent ? p->parent->id : 0;
	info->epoch = p->epoch;
	info->time = p->time;
	info->size = p->size;
	info->referenced = p->referenced;
	info->dead = p->dead->nr[0];
	info->dead_blocks = p->dead->nr[1];
	info->written = cpb_written(p);
	if (!cpb_unique(p, &info->unique))
		info->unique = CPB_UNKNOWN;
	info->children = p->nr_children;
	info->flags = p->flags;
	info->pins = p->pins;
	if (p->hold)
		memcpy(info->hold, p->hold, strlen(p->hold));
	port_unlock(&s->lock, flags);
}

void cpb_volume_info(struct cpb_volume *v, struct cpb_volume_info *info)
{
	memset(info, 0, sizeof(*info));
	info->id = v->id;
	info->generation = v->generation;
	info->undo = v->undo;
	info->created = v->created;
	info->flags = v->flags;
	memcpy(info->uuid, v->uuid, sizeof(info->uuid));
	memcpy(info->name, v->name, sizeof(info->name));
	memcpy(info->group, v->group, sizeof(info->group));
	info->policy.last = le32_to_cpu(v->policy.last);
	info->policy.hourly = le32_to_cpu(v->policy.hourly);
	info->policy.daily = le32_to_cpu(v->policy.daily);
	info->policy.weekly = le32_to_cpu(v->policy.weekly);
	info->policy.monthly = le32_to_cpu(v->policy.monthly);
	info->policy.max_age = le64_to_cpu(v->policy.max_age);
	cpb_point_info(v->s, v->head, &info->head);
}

struct cpb_point *cpb_head(struct cpb_volume *v)
{
	return v->head;
}

void *cpb_volume_owner(struct cpb_volume *v)
{
	return v->owner;
}

void cpb_set_owner(struct cpb_volume *v, void *owner)
{
	v->owner = owner;
}

int cpb_pin(struct cpb_point *p)
{
	if (p->flags & (CPB_POINT_HIDDEN | CPB_POINT_REAP))
		return -ENOENT;
	p->pins++;
	return 0;
}

void cpb_unpin(struct cpb_point *p)
{
	p->pins--;
}

/* ---- The I/O path ---- */

/* Is @vchunk still what it was when the old content was read? */
static int expected(struct cpb_volume *v, u64 vchunk, const struct cpb_extent *x)
{
	struct cpb_extent now;
	int n = cpb_lookup(v->s, v->head, vchunk, 1, &now, 1);

	if (n < 0)
		return n;
	return now.chunk == x->chunk && now.birth == x->birth ? 0 : -ESTALE;
}

int cpb_write_end(struct cpb_volume *v, u64 vchunk, const struct cpb_run *run,
		  const struct cpb_extent *expect)
{
	struct cpb_store *s = v->s;
	u64 packed = cpb_run_pack(run->chunk, run->len);
	unsigned long flags = port_lock(&s->lock);
	int err = s->broken ? -EROFS : 0;

	if (!err && expect)
		err = expected(v, vchunk, expect);
	if (!err)
		err = cpb_map_set(v, vchunk, packed);
	if (!err)
		cpb_log_map(v, vchunk, packed);
	port_unlock(&s->lock, flags);
	if (!err)
		cpb_write_ended(s, run->len);
	return err;
}

int cpb_unmap(struct cpb_volume *v, u64 *vchunk, u64 *len, const struct cpb_reserve *r)
{
	struct cpb_store *s = v->s;
	unsigned long flags = port_lock(&s->lock);
	u64 from = *vchunk;
	int err = s->broken || !s->writable ? -EROFS :
		  cpb_map_clear(v, vchunk, len, r ? CPB_LEAF_EXTENTS : cpb_unmap_most(s));

	if (err == 1) {
		cpb_log_unmap(v, from, *vchunk - from);
		err = 0;
	}
	port_unlock(&s->lock, flags);
	return err;
}

int cpb_unmap_prepare(struct cpb_volume *v, u64 vchunk, const struct cpb_reserve *r)
{
	struct cpb_store *s = v->s;
	int err = cpb_prepare(v, vchunk, 1);
	struct cpb_extent x;

	if (err || r)
		return err;
	if (!cpb_unmap_most(s))
		err = cpb_commit(s);
	if (err || cpb_unmap_most(s))
		return err;
	err = cpb_lookup(s, v->head, vchunk, 1, &x, 1);
	if (err < 0)
		return err == -EAGAIN ? 0 : err;
	return x.chunk == CPB_HOLE ? 0 : -ENOSPC;
}

int cpb_refill(struct cpb_store *s)
{
	if (s->broken || !s->writable)
		return 0;
	return cpb_pool_fill(s, &s->pool, s->pool_want, 64);
}
