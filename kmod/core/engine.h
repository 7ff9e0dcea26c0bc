/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the engine share: its structures, and which lock guards
 * what. Not for the engine's users: those have cpb.h.
 *
 * Locks, outermost first:
 *
 *   cost    (sleeps) one computation of cost.c at a time
 *   space.waiting (sleeps) one write at a time waits for space
 *   lists   (sleeps) volumes and points come and go; operations on the history
 *   commit  (sleeps) one transaction is being written at a time
 *   meta    (sleeps) dead tree, tables, bitmaps: whatever only works in
 *           process context; not held while a transaction's blocks are written
 *   log_io  (sleeps) the journal's head: one batch is being written at a time. A
 *           semaphore: what ends a batch may be its completion
 *   lock    (any context) the tree lock: all maps, all points, the running
 *           transaction, the journal's records in memory
 *   space.claims, cpu lock, space.lock (any context, in this order) free chunks
 *   blocks.lock (any context) node cache, dirty lists, metadata blocks, spares
 *
 * Lookups take none of them: they run under RCU, check the point's sequence
 * count before they follow a pointer, and try again.
 */
#ifndef CPB_ENGINE_H
#define CPB_ENGINE_H

#include "batch.h"
#include "cpb.h"

#define CPB_LEVELS		8	/* of a tree, at most */
#define CPB_TABLE_LEVELS	5
#define CPB_EPOCH_NONE		0ULL	/* the epoch of "no parent" */

/* ---- Buffers: records of words, appended where nothing may be allocated ---- */

#define CPB_SEG_WORDS \
	((CPB_BLOCK_SIZE - sizeof(struct list_head) - 2 * sizeof(u64)) / sizeof(u64))

struct cpb_seg {
	struct list_head list;
	u64 txn;		/* journal: the transaction its records belong to */
	u32 used;		/* words */
	u32 joined;		/* journal: in one batch with the one before */
	u64 word[CPB_SEG_WORDS];
};

struct cpb_buf {
	struct list_head segs;
	u64 words;
};

/* ---- Nodes ---- */

enum {
	CPB_NODE_CACHED = 1 << 0,	/* found by its address */
	CPB_NODE_DIRTY = 1 << 1,	/* on a transaction's list */
};

/**
 * struct cpb_node - a block of a tree or table in memory
 * @h: the block as it is on disk
 * @addr: its address
 * @txn: the transaction that wrote it, or will
 * @flags: CPB_NODE_*; blocks.lock
 * @used: since the shrinker last came by; any lookup may set it
 * @dirty: on cpb_txn.dirty, or in a pool
 */
struct cpb_node {
	struct cpb_disk_header *h;
	u64 addr;
	u64 txn;
	unsigned int flags;
	bool used;
	struct list_head dirty;
	port_rcu_t rcu;
};

/**
 * struct cpb_pool - what a change takes where nothing may be allocated
 * @lock: guards it
 * @nodes: nodes with a block of memory and one on disk
 * @segs: segments for buffers
 */
struct cpb_pool {
	port_lock_t *lock;
	struct list_head nodes, segs;
	unsigned int nr, nr_segs;
};

/*
 * A reference to a block: its address, and above it the transaction that wrote
 * it, so that what was there before is not taken for it if a device has lost
 * the write.
 */
struct cpb_root {
	u64 ref;		/* 0: empty */
	u64 birth;
	unsigned int level;
};

/* ---- Trees ---- */

/**
 * struct cpb_class - what differs between the kinds of tree
 * @magic: of its nodes
 * @keys: words of an entry, from its start, that are its key
 * @leaf_words: size of a leaf's entry; an inner one's is @keys + 2
 */
struct cpb_class {
	u32 magic;
	unsigned int keys, leaf_words;
	unsigned int leaf_max, inner_max;
};

extern const struct cpb_class cpb_map_class, cpb_dead_class;

struct cpb_deadset;

/**
 * struct cpb_edit - the right to change one tree
 * @txn: transaction that the changes belong to
 * @birth: of new nodes
 * @keep: nodes born at or before this epoch are the parent's too
 * @dead: deadlist that takes those when they are let go of
 * @pool: where new nodes come from; it was made sure that there are enough
 * @wait: blocks that are not in memory may be read
 * @nodes: NULL, or a count of the tree's nodes
 * @missing: after -EAGAIN: reference to the block that is not in memory
 * @released: and cpb_blocks_released() at that time
 */
struct cpb_edit {
	struct cpb_store *s;
	const struct cpb_class *cls;
	struct cpb_root *root;
	u64 txn, birth, keep, apart;
	struct cpb_deadset *dead;
	struct cpb_pool *pool;
	bool wait, prune;
	u64 *nodes;
	u64 missing, released;
};

struct cpb_path {
	struct cpb_node *node[CPB_LEVELS];
	unsigned int slot[CPB_LEVELS];
	unsigned int levels;	/* nodes in it; 0: the tree is empty */
};

/* ---- History ---- */

struct cpb_deadset {
	u64 id;
	struct cpb_buf buf;	/* not yet in the dead tree: birth, run */
	struct cpb_buf cut;	/* the part of it that the commit is taking */
	u64 nr[2];		/* chunks, blocks */
	struct cpb_buf unswept;	/* entries that a hidden parent hasn't seen; meta */
	u64 young;		/* chunks on it that were born after young_after; */
	u64 young_after;	/*   of use while that is the grandparent's epoch */
	struct list_head dirty;	/* on cpb_txn.deadsets while @buf is not empty */
	struct cpb_point *owner;
};

#define CPB_SCRATCH	4096

/* Marks an entry of cpb_deadset.buf that names a metadata block. */
#define CPB_DEAD_BLOCK		(1ULL << 63)

struct cpb_name {
	struct cpb_name *next;
	u64 scope;		/* ID of the volume; volumes themselves: 0 */
	const char *name;
	void *owner;
	u32 hash;
};

struct cpb_names {
	struct cpb_name **bucket;
	unsigned int bits;
	u64 nr;
};

/* Objects by ID. IDs only grow, so that an array is enough. */
struct cpb_id {
	u64 id;
	void *p;		/* NULL: gone */
};

struct cpb_ids {
	struct cpb_id *v;
	u64 nr, room, live;
};

/* Of a point, what cost.c needs and what it found. */
struct cpb_cost {
	u64 run;		/* in K in this computation; cpb_store.cost, as */
	bool bound;		/*   all of these */
	struct cpb_point *next, *next_top;
	struct cpb_point *on;	/* where the path goes on */
	struct cpb_point *side;	/* next one above, on the path, that has sides */
	bool begun, known;	/* is being computed, was; the tree lock, as below */
	bool hidden;		/* hidden points matter, so these must not change: */
	u64 history, drops;
	s64 rest;		/* unique chunks, less written ones */
};

struct cpb_point {
	struct cpb_store *s;
	port_seq_t seq;			/* guards @root for lookups */
	struct cpb_root root;
	u32 slot;
	unsigned int flags;		/* CPB_POINT_* */
	u64 id, epoch, time, size;
	u64 referenced;			/* CPB_POINT_REAP: chunks left to free */
	u64 volume;			/* ID of the volume it was made on */
	struct cpb_point *parent;
	struct list_head children, sibling;
	struct list_head of_volume;	/* visible: on cpb_volume.points; lists */
	unsigned int nr_children, pins;
	struct cpb_deadset *dead;
	u64 cursor, keep;		/* CPB_POINT_REAP */
	u64 apart, apart_txn;		/* head: epoch of its parent that was joined with it in a txn */
	bool sweep_all;			/* hidden: compare whole lists; meta */
	bool bare;			/* hidden: so is all before it; lists and the tree lock */
	u64 sweep[3];			/* where that goes on; meta */
	struct list_head work;		/* on cpb_store.work */
	struct cpb_cost cost;
	struct cpb_name name;
	char *text;			/* name, NUL, message, NUL */
	char *hold;			/* CPB_POINT_HELD: the reason */
};

/* Neither a head nor deleted. */
static inline bool cpb_visible(const struct cpb_point *p)
{
	return !(p->flags & (CPB_POINT_HEAD | CPB_POINT_HIDDEN | CPB_POINT_REAP));
}

/* Volumes or checkpoints in one record. */
#define CPB_OP_MAX	256

/**
 * struct cpb_op - arguments of an operation, as they are in a record
 * @time: nanoseconds since 1970
 * @target: ID of the checkpoint it is about, or 0
 * @arg: as in struct cpb_disk_record_op
 * @flags: CPB_POINT_* or CPB_VOLUME_*
 * @name: or NULL
 * @message: or NULL
 * @uuid: of a new volume
 */
struct cpb_op {
	u64 time, target, arg;
	unsigned int flags;
	const char *name, *message;
	u8 uuid[CPB_UUID_LEN];
};

struct cpb_volume {
	struct cpb_store *s;
	u32 slot;
	unsigned int flags;		/* CPB_VOLUME_* */
	u64 id, generation, undo, next_auto, created;
	u8 uuid[CPB_UUID_LEN];
	struct cpb_point *head;
	struct list_head points;	/* its visible checkpoints; lists */
	struct cpb_name by_name;
	char name[CPB_NAME_LEN], group[CPB_NAME_LEN];
	struct cpb_disk_policy policy;
	void *owner;
};

/* What a slot of the object table holds. */
struct cpb_slot {
	u32 type;		/* enum cpb_object_type */
	u32 next;		/* if it is empty: the next empty one */
	void *p;
};

#define CPB_SLOTS_PER_PAGE	(CPB_BLOCK_SIZE / sizeof(struct cpb_slot))

/* In pages, so that the table grows without being copied. */
struct cpb_slots {
	struct cpb_slot **page;
	unsigned long *dirty;	/* a bit for each block of slots */
	u32 nr, used, empty;	/* empty: the first one, if there is one */
	u32 nr_dirty;
	u32 nr_ahead;		/* blocks that a commit has copied before its cut */
};

static inline struct cpb_slot *cpb_slot(const struct cpb_slots *t, u32 i)
{
	return t->page[i / CPB_SLOTS_PER_PAGE] + i % CPB_SLOTS_PER_PAGE;
}

/* ---- Transactions ---- */

/**
 * struct cpb_txn - what one write-back makes durable together
 * @dirty: nodes to write; blocks.lock
 * @nr_dirty: how many
 * @blocks: metadata blocks that were let go of (words); blocks.lock
 * @unwritten: the same, of those that it took itself: no durable tree knows them
 * @mapped: runs of chunks that were mapped; the tree lock, as all below
 * @freed: runs of chunks that nothing maps any more
 * @deadsets: those with something in their buffer
 */
struct cpb_txn {
	u64 id;
	struct list_head dirty;
	u64 nr_dirty;
	struct cpb_buf blocks, unwritten;
	struct cpb_buf mapped, freed;
	struct list_head deadsets;
};

/* ---- Space ---- */

/* In between, the part of a device that is in use is so many percent. */
struct cpb_level {
	u64 low, high;
};

/* Is it another one than the last time? */
static inline bool cpb_level_moved(struct cpb_level *l, u64 used, u64 total)
{
	u64 percent;

	if (used >= l->low && used < l->high)
		return false;
	percent = div64_u64(100 * used, total);
	l->low = div64_u64(percent * total + 99, 100);
	l->high = div64_u64((percent + 1) * total + 99, 100);
	return true;
}

struct cpb_gen {
	struct cpb_store *s;
	port_ref_t ref;
	struct list_head list;
	struct cpb_buf freed;	/* runs to release when it has drained */
	bool drained;
	port_rcu_t rcu;
};

struct cpb_cpu {
	port_lock_t lock;
	struct cpb_run run;
} __aligned(64);

struct cpb_group {
	unsigned long *busy;	/* NULL: not loaded */
	u32 nr_busy;
	u32 nr_stale;
	u32 from;		/* words of busy before this one are full */
	unsigned long *stale;	/* to be discarded if free; NULL: none */
	bool full;		/* seen to be full, so not worth loading */
};

#define CPB_TRIM_PIECES		32	/* discarded at once */

/* Discards: trim.c. */
struct cpb_trim {
	u64 unit;		/* of discards, chunks; 0: there are none */
	u64 first;		/* where one begins */
	u64 most;		/* chunks that one piece may have */
	u64 stale, maps;	/* chunks that are noted, bitmaps for it; space.lock */
	u64 taken;		/* chunks being discarded; space.lock */
	u64 at;			/* where to go on; space.lock */
	struct cpb_run run[CPB_TRIM_PIECES];
	struct cpb_discard piece[CPB_TRIM_PIECES];
};

struct cpb_space {
	port_lock_t lock;
	struct cpb_group *group;
	u64 nr_groups, chunks;
	u64 cursor;		/* group to look in next */
	u64 busy;		/* chunks not free to take; lock */
	u64 free;		/* chunks free in the groups that are loaded; lock */
	u64 claimed;		/* chunks to leave to reservations; lock */
	u64 moves;		/* cpb_space_moved(); lock */
	bool releasing;		/* cpb_release() is at it; lock */
	struct cpb_level level;	/* of them; lock */
	u64 used;		/* chunks allocated as of the last commit; meta */
	s64 change;		/* since then; the tree lock */
	struct cpb_root table;
	struct cpb_cpu *cpu;
	unsigned int ncpus;
	struct cpb_gen *gen;	/* current; RCU */
	struct cpb_gen *fresh;	/* the next, or NULL; commit */
	struct list_head gens;	/* oldest first; lock */
	u64 turns, drains;	/* generations that came, and went; lock */
	port_wait_t wait;
	port_mutex_t waiting;
	port_lock_t claims;	/* a claim that isn't met is made, or looked at */
	struct cpb_trim trim;
};

struct cpb_blocks {
	port_lock_t lock;
	struct cpb_node ***dir;	/* cache: by address, in two steps */
	u64 dir_size;
	u64 cached;
	u64 released;		/* how often blocks became free for reuse; lock to raise it */
	unsigned long *busy;
	u64 nr, free, cursor;
	struct cpb_level level;	/* of those that are not free; lock */
	u64 hand;		/* of the shrinker's clock */
};

/* A place in the journal: where a batch is, or will be. */
struct cpb_log_place {
	u64 txn;		/* the transaction whose records begin here */
	u64 block;		/* of the area */
	u64 seq;		/* number of the batch */
	u64 written;		/* blocks of the area that were used up before */
	u32 link;		/* checksum of the batch before */
};

struct cpb_log {
	struct cpb_buf buf;	/* records not yet written; the tree lock */
	u64 lsn;		/* words ever appended; the tree lock */
	u64 durable;		/* of them; the tree lock */
	u64 start, blocks;	/* the area */
	struct cpb_batch_form form;	/* as the superblock has it */
	bool torn;		/* a batch was, when the store was opened */
	struct cpb_log_place head;	/* where the next batch goes; log_io */
	struct cpb_log_place first[2];	/* of transactions, by number & 1; log_io */
	u64 tail;		/* head.written where replay would begin; log_io */
	struct cpb_vec vec[CPB_BATCH_BLOCKS]; /* log_io */
	unsigned int used;	/* sectors of vec that may be other than zero; log_io */
	struct cpb_buf out;	/* what is being written; log_io */
	u64 end;		/* lsn behind it; log_io */
	unsigned int nr_segs, nr_blocks; /* in the batch that is; log_io */
	bool joining, joined;	/* cpb_log_join(); the tree lock */
};

struct cpb_store {
	const struct cpb_ops *ops;
	void *ctx;
	bool writable, replaying;
	bool write_failed;		/* of data, since it was flushed last */
	int broken;
	char error[CPB_ERROR_LEN];

	port_mutex_t cost, lists, commit, meta;
	port_sem_t log_io;
	port_lock_t lock;

	u8 uuid[CPB_UUID_LEN];
	u64 incompat;
	char name[CPB_NAME_LEN];
	unsigned int chunk_shift;
	u64 created;
	u64 epoch, next_id, next_volume;
	u64 txn;			/* the running one; the tree lock */
	u64 durable_txn;
	struct cpb_txn txns[2];

	struct cpb_blocks blocks;
	struct cpb_pool pool;		/* for maps; the tree lock */
	struct cpb_pool meta_pool;	/* for the rest; meta */
	port_lock_t meta_pool_lock;	/* meta is what guards it */
	u64 pool_want;
	u64 floor;			/* blocks that writes leave alone, */
	u64 keep;			/* and those of them that discards and checkpoints do */
	atomic_long_t writes;		/* between begin and end, and reserved: cpb_under_way() */
	long unmet;			/* those of them that wait; space.claims */

	struct cpb_space space;
	struct cpb_log log;

	struct cpb_root objects, dead;	/* meta */
	u64 dead_nodes;
	u64 nr_dead, nr_runs;		/* waiting for the next commit; the tree lock */
	u64 cut_cost;			/* blocks that the one under way may yet take; meta */
	bool cutting;			/* it takes some; meta */
	u64 nr_uncounted;		/* that commits took beyond their cost: none; meta */
	u64 *scratch;			/* meta; CPB_SCRATCH words */
	struct cpb_slots slots;		/* the tree lock */

	struct cpb_ids points, volumes;	/* lists */
	struct cpb_names names;		/* lists */
	struct list_head work;		/* points with reclaim to do; the tree lock */
	u64 nr_checkpoints, nr_hidden;
	u64 nr_stuck;			/* points in turn that have too few blocks; the tree lock */
	bool stuck;			/* all have, until a commit */
	u64 history;			/* how often links changed; the tree lock */
	u64 hidden_drops;		/* what follows hidden points dropped something */
	u64 dead_changes;		/* of the dead tree; meta */
	u64 cost_run;			/* cost */

	u64 meta_blocks;		/* in use, as space.chunks; lists and meta to change */
	u64 disk_meta_blocks, disk_chunks; /* of the next superblock; commit */
	u64 bitmap_start, bitmap_slots;
	unsigned long *bitmap;		/* allocated blocks as of the last commit; commit */
	unsigned long *bitmap_changed;	/* a bit for each block of it; commit */
	u64 bitmap_place[ARRAY_SIZE(((struct cpb_disk_super *)0)->bitmap_place)];
	u64 meta_used;			/* as of the last commit; meta */
	u32 label_crc;
	struct cpb_disk_options options; /* lists and the tree lock; read without */
	bool super_changed;		/* options or sizes, since the last commit; the tree lock */

	u64 nr_commits, nr_log_writes, nr_log_blocks, nr_written, nr_steps;
	atomic_long_t nr_misses;
	u64 nr_touched;			/* blocks that reclaiming looked at; meta, as below */
	u64 nr_reclaimed;		/* chunks that it freed; the tree lock */
	u64 nr_looked;			/* that work with deadlists and freeing did */
	u64 dead_leaf;			/* the last leaf of the dead tree that was */
};

/* ---- format.c ---- */

void cpb_seal(struct cpb_store *s, struct cpb_disk_header *h, u64 addr, u64 txn);
int cpb_verify(const struct cpb_disk_header *h, u32 magic, u64 addr,
	       const u8 *uuid);
bool cpb_name_ok(const char *name);
static inline u64 cpb_run_pack(u64 chunk, u64 len)
{
	return chunk << CPB_RUN_BITS | len;
}

static inline u64 cpb_run_chunk(u64 run)
{
	return run >> CPB_RUN_BITS;
}

static inline u64 cpb_run_len(u64 run)
{
	return run & CPB_RUN_MAX;
}

/* The first block that is not in one of the fixed areas. */
static inline u64 cpb_fixed_end(const struct cpb_store *s)
{
	return s->bitmap_start + 2 * s->bitmap_slots;
}

/* Metadata blocks that a change of a map may take at once. */
#define CPB_WRITE_BLOCKS	16

/*
 * Writes under way are counted together with the chunks that they may drop, which
 * is one atomic operation for both.
 */
static inline long cpb_under_way(u64 writes, u64 chunks)
{
	return chunks << 32 | writes;
}

/* Nodes in the writers' pool, at least. */
#define CPB_POOL_MIN	64ULL

/* Extents in a leaf of a map. */
#define CPB_LEAF_EXTENTS ((unsigned int)(CPB_PAYLOAD / sizeof(struct cpb_disk_extent)))

/* What a commit takes at most to change bitmaps of chunks: all of them, and their index. */
static inline u64 cpb_bitmap_blocks(const struct cpb_store *s)
{
	return s->space.nr_groups + s->space.nr_groups / 128;
}

/* How many of a bitmap's first bits are set. */
static inline u64 cpb_weight(const unsigned long *map, u64 nr)
{
	u64 words = nr / BITS_PER_LONG, set = 0, i;

	for (i = 0; i < words; i++)
		set += hweight_long(map[i]);
	if (nr % BITS_PER_LONG)
		set += hweight_long(map[i] & (BIT(nr % BITS_PER_LONG) - 1));
	return set;
}

/* Does a run lie on the data device? */
static inline bool cpb_run_ok(const struct cpb_store *s, u64 run)
{
	u64 chunk = cpb_run_chunk(run), len = cpb_run_len(run);

	return len && chunk < s->space.chunks && len <= s->space.chunks - chunk;
}

/* ---- block.c: node cache, metadata blocks, spares ---- */

int cpb_blocks_init(struct cpb_store *s);
void cpb_blocks_exit(struct cpb_store *s);
int cpb_break(struct cpb_store *s, int err, const char *what, u64 block);
struct cpb_node *cpb_node_find(struct cpb_store *s, u64 addr);
int cpb_node_load(struct cpb_store *s, u64 ref, u32 magic, u64 released,
		  struct cpb_node **node);
struct cpb_node *cpb_node_new(struct cpb_store *s, struct cpb_pool *pool,
			      u64 txn);
void cpb_node_let_go(struct cpb_store *s, struct cpb_pool *pool,
		     struct cpb_node *n, u64 txn, bool reclaimed);
void cpb_node_clean(struct cpb_store *s, struct cpb_node *n);
void cpb_pool_init(struct cpb_pool *pool, port_lock_t *lock);
void cpb_pool_exit(struct cpb_store *s, struct cpb_pool *pool);
int cpb_pool_fill(struct cpb_store *s, struct cpb_pool *pool,
		  unsigned int nodes, unsigned int segs);
void cpb_blocks_release(struct cpb_store *s, struct cpb_buf *b);
u64 cpb_blocks_available(struct cpb_store *s);

void cpb_buf_init(struct cpb_buf *b);
u64 *cpb_buf_push(struct cpb_pool *pool, struct cpb_buf *b, unsigned int words);
void cpb_buf_splice(struct cpb_buf *from, struct cpb_buf *to);
void cpb_buf_drop(struct cpb_buf *b);

#define cpb_for_each_seg(g, b) list_for_each_entry(g, &(b)->segs, list)

static inline u64 cpb_ref_addr(u64 ref)
{
	return ref & ((1ULL << CPB_REF_TXN_SHIFT) - 1);
}

static inline u64 cpb_ref(const struct cpb_node *n)
{
	return n->txn << CPB_REF_TXN_SHIFT | n->addr;
}

static inline u64 cpb_blocks_released(struct cpb_store *s)
{
	/* Blocks that are in use now are so as long as this doesn't change. */
	return smp_load_acquire(&s->blocks.released);
}

/* ---- tree.c ---- */

int cpb_tree_check(struct cpb_store *s, const struct cpb_class *cls,
		   const struct cpb_disk_header *h);
unsigned int cpb_tree_need(const struct cpb_root *root);
__le64 *cpb_entry(const struct cpb_class *cls, struct cpb_node *n,
		  unsigned int i);
int cpb_child(struct cpb_edit *e, struct cpb_node *n, unsigned int slot,
	      bool wait, struct cpb_node **child);
int cpb_root_node(struct cpb_edit *e, struct cpb_node **node);
int cpb_path_find(struct cpb_edit *e, const u64 *key, struct cpb_path *path);
bool cpb_path_next_key(struct cpb_edit *e, struct cpb_path *path, u64 *key);
void cpb_path_own(struct cpb_edit *e, struct cpb_path *path);
void cpb_path_lower(struct cpb_edit *e, struct cpb_path *path,
		    const u64 *key);
void cpb_path_insert(struct cpb_edit *e, struct cpb_path *path,
		     const u64 *entry);
void cpb_path_erase(struct cpb_edit *e, struct cpb_path *path,
		    unsigned int first, unsigned int nr);
void cpb_path_prune(struct cpb_edit *e, struct cpb_path *path, unsigned int level);
void cpb_tree_drop(struct cpb_edit *e, struct cpb_node *n);

static inline unsigned int cpb_nr(const struct cpb_node *n)
{
	return le16_to_cpu(n->h->nr);
}

static inline unsigned int cpb_level(const struct cpb_node *n)
{
	return le16_to_cpu(n->h->level);
}

/**
 * cpb_map_search() - where a key belongs in a node of a map
 * @h: the node, of any level: their entries have the same size and place of key
 * @nr: entries in it
 * @key: the key
 *
 * The compiler can do it without a branch on what is found, which no processor
 * predicts; so both places where it may go on are fetched ahead. It may run while
 * the node is being changed, and stays inside of it.
 * Return: the last entry whose key is not above @key, or -1.
 */
static inline int cpb_map_search(const struct cpb_disk_header *h,
				 unsigned int nr, u64 key)
{
	const struct cpb_disk_child *c = (const struct cpb_disk_child *)(h + 1);
	unsigned int half, next;
	int at = 0;

	static_assert(sizeof(struct cpb_disk_extent) == sizeof(*c),
		      "one search serves both");
	if (!nr || le64_to_cpu(READ_ONCE(c->vchunk)) > key)
		return -1;
	for (; nr > 1; nr -= half) {
		half = nr / 2;
		next = at + (nr - half) / 2;
		__builtin_prefetch(&c[next]);
		__builtin_prefetch(&c[next + half]);
		at += le64_to_cpu(READ_ONCE(c[at + half].vchunk)) <= key ? half : 0;
	}
	return at;
}

/* ---- map.c ---- */

void cpb_free_chunks(struct cpb_store *s, struct cpb_pool *pool, u64 run);
int cpb_map_set(struct cpb_volume *v, u64 vchunk, u64 run);
int cpb_map_clear(struct cpb_volume *v, u64 *vchunk, u64 *len, unsigned int most);

/* ---- dead.c ---- */

struct cpb_deadset *cpb_deadset_new(u64 id);
void cpb_deadset_free(struct cpb_deadset *d);
void cpb_dead_add(struct cpb_store *s, struct cpb_deadset *d, u64 birth, u64 run);
int cpb_dead_drain(struct cpb_store *s, struct cpb_txn *t);
void cpb_dead_unswept(struct cpb_store *s, struct cpb_deadset *d,
		      const u64 *entry);
int cpb_dead_settle(struct cpb_store *s, struct cpb_deadset *d);
int cpb_dead_take(struct cpb_store *s, u64 txn, const u64 *key, u64 *entry,
		  unsigned int max);
int cpb_dead_insert(struct cpb_store *s, u64 txn, const u64 *entry);
int cpb_dead_erase(struct cpb_store *s, u64 txn, const u64 *entry);
int cpb_dead_next(struct cpb_store *s, const u64 *key, u64 *entry);
int cpb_dead_cover(struct cpb_store *s, struct cpb_deadset *d, unsigned int kind,
		   u64 birth, u64 chunk, u64 *until);
int cpb_dead_prev(struct cpb_store *s, const u64 *key, u64 *entry);

/* ---- table.c ---- */

int cpb_table_leaf(struct cpb_store *s, struct cpb_root *root, u32 magic,
		   u64 index, u64 txn, struct cpb_node **leaf);
int cpb_table_aux(struct cpb_store *s, struct cpb_root *root, u64 index,
		  u64 *aux);
int cpb_table_sum(struct cpb_store *s, const struct cpb_root *root, u64 *sum);
int cpb_table_set_aux(struct cpb_store *s, struct cpb_root *root, u64 index,
		      u64 aux);
int cpb_table_check(const struct cpb_disk_header *h);
int cpb_table_walk(struct cpb_store *s, const struct cpb_root *root, u32 magic,
		   void (*fn)(void *arg, u64 addr), void *arg);

/* ---- store.c, for repairs as well ---- */

/* Counters that only grow are far below this in any store. */
#define CPB_COUNTER_MAX	(1ULL << 56)

struct cpb_store *cpb_store_new(const struct cpb_ops *ops, void *ctx);
void cpb_store_free(struct cpb_store *s);
int cpb_super_read(struct cpb_store *s, u64 addr, struct cpb_disk_super *sb);
int cpb_super_use(struct cpb_store *s, const struct cpb_disk_super *sb,
		  u64 meta_blocks, u64 data_bytes, unsigned int flags, char *why);
int cpb_label_check(struct cpb_store *s, char *why);

/* ---- spare.c ---- */

/* What objects are for: new ones, safety checkpoints, or that some change. */
enum cpb_room {
	CPB_ROOM_NEW,
	CPB_ROOM_SAFETY,
	CPB_ROOM_CHANGES,
};

u64 cpb_commit_cost(struct cpb_store *s);
u64 cpb_blocks_need(struct cpb_store *s, long writes);
u64 cpb_blocks_reserved(struct cpb_store *s);
void cpb_set_reserves(struct cpb_store *s);
unsigned int cpb_unmap_most(struct cpb_store *s);
int cpb_room_for(struct cpb_store *s, unsigned int objects, enum cpb_room what, char *why);
int cpb_room_to_change(struct cpb_store *s, unsigned int want);

/* ---- space.c ---- */

int cpb_space_init(struct cpb_store *s, unsigned int ncpus);
void cpb_space_exit(struct cpb_store *s);
void cpb_write_ended(struct cpb_store *s, u64 chunks);
int cpb_space_take(struct cpb_store *s, u64 run);
void cpb_space_release(struct cpb_store *s, struct cpb_buf *runs);
int cpb_space_apply(struct cpb_store *s, struct cpb_txn *t);
int cpb_space_load(struct cpb_store *s);
void cpb_chunks_turn(struct cpb_space *sp, const struct cpb_run *run, bool busy);
void cpb_space_moved(struct cpb_store *s);
int cpb_gen_prepare(struct cpb_store *s);
void cpb_gen_turn(struct cpb_store *s, struct cpb_buf *freed);

/* ---- trim.c: discards ---- */

void cpb_trim_note(struct cpb_store *s, struct cpb_buf *runs);
void cpb_trim_taken(struct cpb_space *sp, const struct cpb_run *run);
void cpb_trim_wait(struct cpb_store *s);

/* ---- objects.c ---- */

int cpb_ids_add(struct cpb_ids *ids, u64 id, void *p);
void *cpb_ids_find(const struct cpb_ids *ids, u64 id);
void *cpb_ids_next(const struct cpb_ids *ids, u64 id);
void cpb_ids_del(struct cpb_ids *ids, u64 id);
int cpb_names_add(struct cpb_names *t, struct cpb_name *n);
void cpb_names_del(struct cpb_names *t, struct cpb_name *n);
void *cpb_names_find(const struct cpb_names *t, u64 scope, const char *name);

void cpb_slots_chain(struct cpb_slots *t, u32 from);
int cpb_slots_ready(struct cpb_store *s, unsigned int nr);
u32 cpb_slot_take(struct cpb_store *s, u32 type, void *p);
void cpb_slot_dirty(struct cpb_store *s, u32 slot);
void cpb_slot_put(struct cpb_store *s, u32 slot);
void cpb_slots_write(struct cpb_store *s, u32 block, void *data);
int cpb_object_load(struct cpb_store *s, const void *d, u32 slot, u32 type);
int cpb_objects_load(struct cpb_store *s);
void cpb_objects_free(struct cpb_store *s);
struct cpb_point *cpb_point_new(struct cpb_store *s, const char *name,
				const char *message);
void cpb_point_free(struct cpb_point *p);
static inline void cpb_point_dirty(struct cpb_point *p)
{
	cpb_slot_dirty(p->s, p->slot);
}

/* ---- history.c ---- */

u64 cpb_parent_epoch(const struct cpb_point *p);
void cpb_adopt(struct cpb_point *parent, struct cpb_point *child);
void cpb_orphan(struct cpb_point *child);
void cpb_work_add(struct cpb_point *p);
__printf(3, 4)
int cpb_refuse(int err, char *why, const char *fmt, ...);
int cpb_may_change(struct cpb_store *s, char *why);
unsigned long cpb_lock_ready(struct cpb_store *s) __acquires(&s->lock);
void cpb_log_op(struct cpb_store *s, u32 type, u64 volume, u64 id,
		const struct cpb_op *o, const u64 *words, unsigned int nr);
int cpb_replay_op(struct cpb_store *s, const struct cpb_disk_record_op *op,
		  unsigned int size);

/* ---- cost.c ---- */

bool cpb_young(const struct cpb_point *p, u64 keep, u64 *nr);
u64 cpb_written(const struct cpb_point *p);
bool cpb_unique(const struct cpb_point *p, u64 *nr);
void cpb_cost_forget(struct cpb_point *p);

/* ---- delete.c ---- */

int cpb_delete_check(struct cpb_point **p, unsigned int nr, char *why);
void cpb_delete_apply(struct cpb_store *s, struct cpb_point **p, u64 *ids,
		      unsigned int nr);
void cpb_remove_apply(struct cpb_volume *v);

/* ---- keep.c ---- */

unsigned int cpb_set_words(u64 field);
int cpb_replay_set(struct cpb_store *s, struct cpb_volume *v, struct cpb_point *p,
		   const struct cpb_op *o, const u8 *words);

/* ---- options.c ---- */

bool cpb_options_ok(const struct cpb_disk_options *o);
int cpb_replay_options(struct cpb_store *s, const u8 *words);

/* ---- log.c ---- */

int cpb_log_init(struct cpb_store *s);
void cpb_log_exit(struct cpb_store *s);
void *cpb_log_room(struct cpb_store *s, size_t size);
void cpb_log_join(struct cpb_store *s, bool on);
void cpb_log_map(struct cpb_volume *v, u64 vchunk, u64 run);
void cpb_log_unmap(struct cpb_volume *v, u64 vchunk, u64 len);
void cpb_log_tail(struct cpb_store *s, u64 txn, struct cpb_log_place *tail);
void cpb_log_done(struct cpb_store *s, u64 txn, u64 lsn,
		  const struct cpb_log_place *tail);
int cpb_log_replay(struct cpb_store *s, u64 *records);

/* ---- commit.c ---- */

void cpb_txn_start(struct cpb_store *s, u64 durable);
int cpb_super_write(struct cpb_store *s, struct cpb_disk_super *sb, u64 txn);
int cpb_commit_locked(struct cpb_store *s);

/* ---- store.c ---- */


#endif /* CPB_ENGINE_H */
