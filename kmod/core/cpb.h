/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine of cpblk, as its users see it: the driver, the tools, the tests.
 *
 * Contexts. A function is marked
 *   [any]    it may be called in any context, with interrupts off; it does not
 *            sleep, do I/O or allocate. Where it needs a block that is not in
 *            memory, or a reserve that is used up, it changes nothing and
 *            returns -EAGAIN: call the function that its comment names, in
 *            process context, and try again.
 *   [sleeps] process context; it may do I/O on the metadata device, so it
 *            must not be called from submit_bio() of a device that the store
 *            lies on, or from that device's completions.
 *
 * Units: chunks and virtual chunks (vchunk) where nothing else is said; blocks
 * are CPB_BLOCK_SIZE bytes of the metadata device; times are nanoseconds since
 * 1970.
 *
 * Errors of every function: -EROFS once the store has gone read-only after
 * damage or a failed metadata write (cpb_state() says why), -EIO, -EBADMSG
 * (checksum), -EUCLEAN (structure), -ENOMEM. Others are named.
 */
#ifndef CPB_H
#define CPB_H

#include "port.h"
#include "../../include/cpblk_format.h"

struct cpb_store;
struct cpb_volume;
struct cpb_point;
struct cpb_gen;

/* ---- The devices under a store ---- */

/**
 * struct cpb_vec - one block to write
 * @spare: bytes at its end that need not be written: what is there stays, or becomes
 *	zeroes
 */
struct cpb_vec {
	u64 block;
	void *data;
	unsigned int spare;
};

/* What must be true before and after a write of metadata. */
#define CPB_WRITE_FLUSH_DATA	(1U << 0) /* first: completed data writes durable */
#define CPB_WRITE_PREFLUSH	(1U << 1) /* first: completed metadata writes durable */
#define CPB_WRITE_FUA		(1U << 2) /* on return the blocks are durable */

/* Reasons for ops->kick(). */
#define CPB_KICK_COMMIT		(1U << 0) /* cpb_commit() is due */
#define CPB_KICK_REAP		(1U << 1) /* cpb_reap() has work */
#define CPB_KICK_RELEASE	(1U << 2) /* cpb_release() has work */
#define CPB_KICK_REFILL		(1U << 3) /* cpb_refill() is due */
#define CPB_KICK_ERROR		(1U << 4) /* the store has gone read-only */
#define CPB_KICK_LEVEL		(1U << 5) /* another percentage of a device is in use */
#define CPB_KICK_TRIM		(1U << 6) /* cpb_trim() has work */

/** struct cpb_discard - a piece of the data device that holds nothing; bytes */
struct cpb_discard {
	u64 byte, len;
};

/**
 * struct cpb_ops - how the engine reaches its devices and its owner
 * @read: read one metadata block; sleeps
 * @write: write @nr metadata blocks (maybe none) in any order, after and before
 *	what @flags asks for; returns when all are complete; sleeps. Two calls
 *	may run at once. Runs of neighbouring blocks are worth merging.
 * @flush_data: make all data writes that have completed durable; sleeps
 * @data_clean: are all data writes that have completed durable? Any context. NULL:
 *	that is not known
 * @label: read (or write) the data device's first block; sleeps
 * @discard: forget what @nr pieces of the data device hold; returns when that is
 *	over; sleeps. NULL: cpb_set_discards() is without effect.
 * @kick: work is due; any context
 * @change: what cpb_hold_lists() keeps as it is changes, while they are held. NULL:
 *	nobody has to know
 * @now: the time
 */
struct cpb_ops {
	int (*read)(void *ctx, u64 block, void *data);
	int (*write)(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		     unsigned int flags);
	int (*flush_data)(void *ctx);
	bool (*data_clean)(void *ctx);
	int (*label)(void *ctx, void *data, bool write);
	int (*discard)(void *ctx, const struct cpb_discard *piece, unsigned int nr);
	void (*kick)(void *ctx, unsigned int why);
	void (*change)(void *ctx);
	u64 (*now)(void *ctx);
};

/* ---- Store ---- */

/** struct cpb_params - what cpb_format() makes; 0: the default */
struct cpb_params {
	u64 meta_blocks;	/* size of the metadata device, blocks */
	u64 data_bytes;		/* size of the data device, bytes */
	u64 journal_blocks;	/* default: 1/16 of the metadata, 256 .. 32768 */
	unsigned int chunk_shift; /* default: 12 */
	u8 uuid[CPB_UUID_LEN];	/* random, from the caller */
	u8 cookie[CPB_UUID_LEN]; /* random, from the caller */
	char name[CPB_NAME_LEN];
};

#define CPB_ERROR_LEN 192

/**
 * cpb_format() - write an empty store  [sleeps]
 * @why: on error, a sentence that says what is wrong
 *
 * What the devices held is lost. Return: 0, or -EINVAL for sizes that can't be.
 */
int cpb_format(const struct cpb_ops *ops, void *ctx, const struct cpb_params *p,
	       char why[CPB_ERROR_LEN]);

/* cpb_open(), @flags */
#define CPB_OPEN_READONLY	(1U << 0) /* write nothing, replay in memory only */

/**
 * cpb_open() - bring a store up from what is on its devices  [sleeps]
 * @meta_blocks: size of the metadata device as it is
 * @data_bytes: size of the data device as it is
 * @ncpus: CPU numbers that cpb_write_begin() will be called with are below it
 * @why: on error, a sentence that says what is wrong
 *
 * Return: 0, -EINVAL (not a store, or one that this version can't open),
 * -ENODEV (devices that don't belong together, or are too small), others.
 */
int cpb_open(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
	     u64 data_bytes, unsigned int ncpus, unsigned int flags,
	     struct cpb_store **store, char why[CPB_ERROR_LEN]);

/**
 * cpb_close() - write everything back and free the store  [sleeps]
 *
 * No other call may be running or follow, no read reference be held. The
 * store is freed whatever it returns; after an error what was acknowledged as
 * durable still is. Return: 0, or the error that broke the store, now or before.
 */
int cpb_close(struct cpb_store *s);

/** struct cpb_status - a store's numbers at one instant */
struct cpb_status {
	char name[CPB_NAME_LEN];
	u8 uuid[CPB_UUID_LEN];
	unsigned int chunk_shift;
	u64 meta_blocks, meta_used;	/* used: with what waits to be released */
	u64 data_chunks, data_used;	/* used: allocated, by the trees */
	u64 data_busy;			/* used, in flight and waiting to be released */
	u64 data_stale;			/* free, and the device will be told so */
	u64 meta_free;			/* blocks that are free, the reserve too */
	u64 meta_reserved;		/* of these, what writes leave alone */
	u64 epoch, txn, next_id;
	u64 journal_blocks, journal_used;
	u64 nr_volumes, nr_checkpoints, nr_hidden; /* hidden: still being reclaimed */
	u64 cached_blocks, dirty_blocks; /* in kernel memory */
	u64 reads, read_misses, commits, journal_commits, blocks_written;
	u64 journal_blocks_written, reap_steps, blocks_touched;
	bool readonly;
	const char *error;		/* why it is read-only, or ""; the store's own */
};

/** cpb_status() - fill @st  [any] */
void cpb_status(struct cpb_store *s, struct cpb_status *st);

/**
 * cpb_grow() - take the room that the devices have got  [sleeps]
 * @meta_blocks: size of the metadata device as it is
 * @data_bytes: size of the data device as it is
 * @why: on error, a sentence that says what is wrong
 *
 * One transaction. The metadata can become as large as there is room for
 * bitmaps: 16 times what it was when the store was formatted. Return: 0, also
 * where nothing has become larger; -ENODEV: a device is smaller than the store.
 */
int cpb_grow(struct cpb_store *s, u64 meta_blocks, u64 data_bytes, char *why);

/* ---- Options ---- */

/**
 * struct cpb_option_info - what is to know of an option
 * @name: as users write it; NULL: the number is reserved, there is no such option
 * @unit: of its values
 * @min: smallest value
 * @max: greatest
 * @def: where none was set
 * @help: what it does
 */
struct cpb_option_info {
	const char *name, *unit;
	u32 min, max, def;
	const char *help;
};

/* By enum cpb_option; 0 is none. */
extern const struct cpb_option_info cpb_options[CPB_OPTION_END];

/** cpb_option() - what an option of a store is set to, or its default  [any] */
u32 cpb_option(struct cpb_store *s, enum cpb_option option);

/** struct cpb_setting - a value for an option, or CPB_OPTION_DEFAULT */
#define CPB_OPTION_DEFAULT	(~0U)
struct cpb_setting {
	u32 option, value;
};

/** cpb_set_options() - set options, all or none, durable; -EINVAL: a value that can't be  [sleeps] */
int cpb_set_options(struct cpb_store *s, const struct cpb_setting *set,
		    unsigned int nr, char *why);

/* ---- Looking things up: the list is stable under cpb_hold_lists() ---- */

/** cpb_hold_lists() - no volume or checkpoint comes or goes until cpb_drop_lists()  [sleeps] */
void cpb_hold_lists(struct cpb_store *s);
void cpb_drop_lists(struct cpb_store *s);

/** cpb_volume_by_name(), ..._by_id(), ..._next() - NULL if there is none; lists held
 *
 * cpb_volume_next() gives the volume with the smallest ID above @id.
 */
struct cpb_volume *cpb_volume_by_name(struct cpb_store *s, const char *name);
struct cpb_volume *cpb_volume_by_id(struct cpb_store *s, u64 id);
struct cpb_volume *cpb_volume_next(struct cpb_store *s, u64 id);

/** cpb_point_by_id(), cpb_point_next() - the same for checkpoints, also hidden ones
 *
 * IDs grow with time. cpb_checkpoint() finds one of a volume by name: visible
 * ones only.
 */
struct cpb_point *cpb_point_by_id(struct cpb_store *s, u64 id);
struct cpb_point *cpb_point_next(struct cpb_store *s, u64 id);
struct cpb_point *cpb_checkpoint(struct cpb_volume *v, const char *name);

/* Where the history branches cpb_cost() has to be asked, and it is known then. */
#define CPB_UNKNOWN	(~0ULL)

/** struct cpb_point_info - what is known of a head or checkpoint */
struct cpb_point_info {
	u64 id, volume, parent, epoch, time, size;
	u64 referenced;		/* chunks in its map */
	u64 written;		/* chunks in its map that its parent doesn't have */
	u64 dead;		/* chunks its parent has that it doesn't have */
	u64 unique;		/* chunks that go if only it is deleted, or CPB_UNKNOWN */
	u64 dead_blocks;
	unsigned int children, flags; /* CPB_POINT_* */
	unsigned int pins;
	char name[CPB_NAME_LEN], message[CPB_MESSAGE_LEN];
	char hold[CPB_HOLD_LEN];	/* CPB_POINT_HELD: the reason */
};

/** struct cpb_policy - retention of a volume, as in struct cpb_disk_policy */
struct cpb_policy {
	u32 last, hourly, daily, weekly, monthly;
	u64 max_age;		/* seconds */
};

/** struct cpb_volume_info - what is known of a volume */
struct cpb_volume_info {
	u64 id, generation, undo, created;
	unsigned int flags;	/* CPB_VOLUME_* */
	u8 uuid[CPB_UUID_LEN];
	char name[CPB_NAME_LEN], group[CPB_NAME_LEN];
	struct cpb_policy policy;
	struct cpb_point_info head;
};

/** cpb_point_info(), cpb_volume_info() - copy it out; lists held */
void cpb_point_info(struct cpb_store *s, struct cpb_point *p,
		    struct cpb_point_info *info);
void cpb_volume_info(struct cpb_volume *v, struct cpb_volume_info *info);

/** cpb_head() - the point to give to cpb_lookup(); the same as long as the volume lives  [any] */
struct cpb_point *cpb_head(struct cpb_volume *v);

/** cpb_volume_owner(), cpb_set_owner() - a pointer of the driver's, kept for it  [any] */
void *cpb_volume_owner(struct cpb_volume *v);
void cpb_set_owner(struct cpb_volume *v, void *owner);

/** cpb_pin(), cpb_unpin() - a pinned checkpoint is not deleted; lists held  */
int cpb_pin(struct cpb_point *p);
void cpb_unpin(struct cpb_point *p);

/* ---- Reading and writing ---- */

#define CPB_HOLE		(~0ULL)

/** struct cpb_extent - @len virtual chunks at @vchunk are chunks at @chunk, or a hole */
struct cpb_extent {
	u64 vchunk, chunk, len, birth;
};

/** struct cpb_run - @len chunks at @chunk */
struct cpb_run {
	u64 chunk, len;
};

/** cpb_chunk_byte() - where on the data device a chunk begins, in bytes  [any] */
u64 cpb_chunk_byte(const struct cpb_store *s, u64 chunk);

/**
 * cpb_read_begin() - keep chunks that a lookup finds from being used again  [any]
 *
 * Take it before the lookup, drop it when the I/O on what was found is over.
 */
struct cpb_gen *cpb_read_begin(struct cpb_store *s);
void cpb_read_end(struct cpb_gen *g);

/**
 * cpb_lookup() - what [@vchunk, @vchunk + @len) is mapped to  [any]
 * @ext: filled in order, without gaps (holes are extents), from @vchunk on;
 *	the last one may be cut off at the end of the range
 * @max: room in @ext; two neighbours on the disk come as one where the tree
 *	has them as one
 *
 * Return: how many were filled in (they may cover less than was asked for: go
 * on behind them), or an error; -EAGAIN: cpb_load().
 */
int cpb_lookup(struct cpb_store *s, struct cpb_point *p, u64 vchunk, u64 len,
	       struct cpb_extent *ext, unsigned int max);

/** cpb_load() - bring what cpb_lookup() of @vchunk needs into memory  [sleeps] */
int cpb_load(struct cpb_store *s, struct cpb_point *p, u64 vchunk);

/**
 * cpb_write_begin() - take free chunks for a write  [any]
 * @cpu: the one it runs on, for locality; any number below @ncpus is valid
 * @want: chunks wanted, at least 1, at most CPB_WRITE_MAX
 * @run: what was taken, at least 1 chunk and at most @want
 *
 * Space on the metadata device that the insertion may need is set aside too,
 * until cpb_write_end(), cpb_write_abort() or cpb_write_cancel(), one of which
 * must follow for exactly this run.
 *
 * Return: 0; -EAGAIN: cpb_write_wait(); -ENOSPC is answered only by that.
 */
#define CPB_WRITE_MAX 256
int cpb_write_begin(struct cpb_store *s, unsigned int cpu, u64 want,
		    struct cpb_run *run);

/**
 * struct cpb_reserve - space that is set aside for writes that belong together
 * @chunks: so many are left of it
 * @writes: what it counts as among the writes under way
 *
 * Its owner calls for it from one context at a time.
 */
struct cpb_reserve {
	u64 chunks;
	long writes;
};

/**
 * cpb_reserve() - set space aside, all of it or none  [any]
 * @chunks: chunks wanted, at least 1, at most CPB_RESERVE_MAX
 * @r: filled in; cpb_unreserve() must follow
 *
 * The chunks may be anywhere. Others wait for what is set aside, so go on to
 * cpb_unreserve() without waiting for any of them.
 *
 * Return: 0; -EAGAIN: cpb_reserve_wait(); -ENOSPC is answered only by that.
 */
#define CPB_RESERVE_MAX 1024
int cpb_reserve(struct cpb_store *s, u64 chunks, struct cpb_reserve *r);

/**
 * cpb_reserve_wait() - the same, as soon as there is that much  [sleeps]
 * @chunks: chunks wanted, may be 0
 * @holes: chunks that are going to be holes, for cpb_unmap(): no space is taken for
 *	these, but blocks of metadata
 *
 * Loads bitmaps, commits where that releases space, throttles, waits for writes
 * under way: so the caller must not be between cpb_write_begin() and its end,
 * or cpb_reserve() and cpb_unreserve(). One waits at a time, and what is released
 * meanwhile is for that one: so many small writes don't keep a large one waiting.
 *
 * Return: 0, or -ENOSPC when nothing is left to release.
 */
int cpb_reserve_wait(struct cpb_store *s, u64 chunks, u64 holes, struct cpb_reserve *r);

/** cpb_write_take() - cpb_write_begin() with space from a reserve, which can't fail  [any] */
void cpb_write_take(struct cpb_store *s, unsigned int cpu, u64 want,
		    struct cpb_reserve *r, struct cpb_run *run);

/** cpb_unreserve() - what is left of it is for others again  [any] */
void cpb_unreserve(struct cpb_store *s, struct cpb_reserve *r);

/** cpb_write_wait() - make cpb_write_begin() possible again, as cpb_reserve_wait()  [sleeps] */
static inline int cpb_write_wait(struct cpb_store *s)
{
	struct cpb_reserve r;
	int err = cpb_reserve_wait(s, 1, 0, &r);

	if (!err)
		cpb_unreserve(s, &r);
	return err;
}

/**
 * cpb_write_end() - data reached the chunks: map them  [any]
 * @run: as cpb_write_begin() gave it; @vchunk .. + @run->len are mapped to it
 * @expect: NULL, or what cpb_lookup() had answered for this one chunk before
 *	its old content was read: then only if that still holds
 *
 * What was mapped there before is dropped. From its return on, reads see the
 * new content.
 *
 * Return: 0; -EAGAIN: cpb_prepare(); -ESTALE: @expect does not hold (nothing
 * changed, the run is still reserved); after other errors call
 * cpb_write_abort().
 */
int cpb_write_end(struct cpb_volume *v, u64 vchunk, const struct cpb_run *run,
		  const struct cpb_extent *expect);

/** cpb_write_abort() - the write failed: give the run back  [any] */
void cpb_write_abort(struct cpb_store *s, const struct cpb_run *run);

/** cpb_write_cancel() - nothing was written after all: give the run back  [any] */
void cpb_write_cancel(struct cpb_store *s, const struct cpb_run *run);

/**
 * cpb_unmap() - make holes, one bounded step  [any]
 * @vchunk: start; on return 0, where to go on
 * @len: length; on return 0, what is left (0: done)
 * @r: NULL, or where all of these chunks are reserved as holes
 *
 * Return: 0; -EAGAIN: cpb_unmap_prepare() with *@vchunk.
 */
int cpb_unmap(struct cpb_volume *v, u64 *vchunk, u64 *len, const struct cpb_reserve *r);

/**
 * cpb_unmap_prepare() - make cpb_unmap() possible at @vchunk  [sleeps]
 * @r: the same
 *
 * Return: 0; -ENOSPC, without a reserve: there is too little metadata left.
 */
int cpb_unmap_prepare(struct cpb_volume *v, u64 vchunk, const struct cpb_reserve *r);

/** cpb_prepare() - load what a change of [@vchunk, @len) needs and fill the reserves  [sleeps] */
int cpb_prepare(struct cpb_volume *v, u64 vchunk, u64 len);

/* ---- Durability and work in the background ---- */

/**
 * cpb_flush() - make all that has completed durable  [sleeps]
 *
 * "Completed": cpb_write_end() or an operation had returned before the call.
 * Calls that wait at the same time share one journal write. With nothing to
 * make durable it does no I/O, unless a write of data has failed since the last
 * one: then it fails too if the data device can't be flushed.
 */
int cpb_flush(struct cpb_store *s);

/**
 * cpb_flush_begin() - cpb_flush() in two halves, if it takes no more than one block
 * @s: the store
 * @vec: the block, which the caller writes with FUA. When that is complete,
 *	cpb_flush_end() must be called; until then the block stays as it is.
 *
 * For who must not wait for I/O. Any context but of interrupts.
 *
 * Return: 0; 1: there is nothing to do; -EAGAIN: it takes cpb_flush().
 */
int cpb_flush_begin(struct cpb_store *s, struct cpb_vec *vec);

/**
 * cpb_flush_end() - the block of cpb_flush_begin() is written
 * @s: the store
 * @err: or that has failed
 *
 * Any context.
 */
void cpb_flush_end(struct cpb_store *s, int err);

/** cpb_commit() - write the trees back: one transaction  [sleeps] */
int cpb_commit(struct cpb_store *s);

/** cpb_dirty() - is there anything that cpb_commit() would write?  [any] */
bool cpb_dirty(struct cpb_store *s);

/**
 * cpb_reap() - one bounded step of reclaiming deleted checkpoints  [sleeps]
 *
 * Operations on the history wait for the step, not the other way round.
 *
 * Return: 1 if there is more to do now, 0 if not, or an error.
 */
int cpb_reap(struct cpb_store *s);

/**
 * struct cpb_pending - what deleted checkpoints and volumes still hold
 * @points: so many of them cpb_reap() has work with
 * @chunks: at least so much is going to be free: where the history branches, or
 *	several in a row were deleted behind one that stays, more may be found
 * @done: chunks that were reclaimed since the store was opened
 */
struct cpb_pending {
	u64 points, chunks, done;
};

/** cpb_pending() - how far reclaiming is; waits for one step of it  [sleeps] */
void cpb_pending(struct cpb_store *s, struct cpb_pending *p);

/** cpb_release() - let go of what no read refers to any more  [sleeps] */
void cpb_release(struct cpb_store *s);

/** cpb_release_wait() - the same, when reads of what the last commit dropped have ended  [sleeps] */
void cpb_release_wait(struct cpb_store *s);

/**
 * cpb_set_discards() - the data device takes discards of free chunks
 * @granularity: bytes; of smaller pieces it ignores some
 * @offset: where on the device the first granule begins, bytes
 * @most: bytes that one piece may have
 *
 * Without this call there are none. Call it before anything else runs.
 */
void cpb_set_discards(struct cpb_store *s, u64 granularity, u64 offset, u64 most);

/**
 * cpb_trim() - discard what has become free, one bounded batch  [sleeps]
 *
 * Waits for the device, and for nothing else. One call at a time. With the
 * option off, what waits is forgotten.
 *
 * Return: 1 if there may be more to do now, 0 if not, or the device's error:
 * then there are no more discards until the store is opened again. Nothing else
 * of the store is concerned.
 */
int cpb_trim(struct cpb_store *s);

/** cpb_refill() - top the reserves up  [sleeps] */
int cpb_refill(struct cpb_store *s);

/** cpb_shrink() - drop up to @nr clean blocks from memory; how many were  [sleeps] */
unsigned long cpb_shrink(struct cpb_store *s, unsigned long nr);

/* ---- History ----
 *
 * All are durable when they return 0 [sleeps]. Names: 1 to CPB_NAME_LEN - 1
 * bytes of A-Z a-z 0-9 . _ - , not beginning with '.' or '-', and not "HEAD"
 * (-EINVAL). No call on a volume may run together with its cpb_remove().
 * @why gets a sentence on error (may be NULL).
 */

/** cpb_create() - a new, empty volume; -EEXIST, -EINVAL (size) */
int cpb_create(struct cpb_store *s, const char *name, u64 size,
	       const u8 uuid[CPB_UUID_LEN], unsigned int flags,
	       struct cpb_volume **v, char *why);

/**
 * cpb_remove() - a volume and its head; its checkpoints stay only with
 * @keep_checkpoints, else all that can go, go. -EBUSY: one is pinned or held.
 */
int cpb_remove(struct cpb_volume *v, bool keep_checkpoints, char *why);

/** cpb_resize() - set the size; what is beyond a smaller one must have been unmapped */
int cpb_resize(struct cpb_volume *v, u64 size, char *why);

/* One operation is on so many volumes at most. */
#define CPB_MEMBERS_MAX 200

/**
 * cpb_snap() - checkpoint @nr volumes of a store at one instant
 * @name: the same for each, or NULL: each gets its next v1, v2, ...
 * @flags: CPB_POINT_AUTO or 0
 * @ids: gets the checkpoints' IDs (may be NULL)
 *
 * Waits for no data I/O. Return: 0, -EEXIST.
 */
int cpb_snap(struct cpb_store *s, struct cpb_volume **v, unsigned int nr,
	     const char *name, const char *message, unsigned int flags,
	     u64 *ids, char *why);

/**
 * cpb_restore_many() - give volumes the content of checkpoints, all or none
 * @v: the volumes
 * @p: any visible checkpoint of the store for each
 * @nr: how many, at most CPB_MEMBERS_MAX
 * @safety: first checkpoint the heads, so that nothing is lost; these
 *	checkpoints have one name
 * @safety_ids: gets their IDs (may be NULL)
 *
 * The caller has closed the gates: no write or unmap of the volumes is between
 * its begin and its end, no read between its lookup and the end of its I/O
 * needs to see the old content.
 */
int cpb_restore_many(struct cpb_store *s, struct cpb_volume **v,
		     struct cpb_point **p, unsigned int nr, bool safety,
		     u64 *safety_ids, char *why);

/** cpb_restore() - the same for one volume */
int cpb_restore(struct cpb_volume *v, struct cpb_point *p, bool safety,
		u64 *safety_id, char *why);

/**
 * cpb_fork_many() - new volumes with the content of a checkpoint, all or none
 * @names: what they are called; -EEXIST
 * @uuids: CPB_UUID_LEN random bytes for each, from the caller
 * @nr: how many, at most CPB_MEMBERS_MAX
 * @v: gets them (may be NULL)
 */
int cpb_fork_many(struct cpb_store *s, struct cpb_point *p, const char *const *names,
		  const u8 *uuids, unsigned int nr,
		  unsigned int flags, struct cpb_volume **v, char *why);

/** cpb_fork() - a new volume with the content of a checkpoint; -EEXIST */
int cpb_fork(struct cpb_store *s, struct cpb_point *p, const char *name,
	     const u8 uuid[CPB_UUID_LEN], unsigned int flags,
	     struct cpb_volume **v, char *why);

/** cpb_delete() - a checkpoint; -EBUSY: pinned or held. Space comes back later. */
int cpb_delete(struct cpb_store *s, struct cpb_point *p, char *why);

/**
 * cpb_delete_many() - up to CPB_DELETE_MAX checkpoints, all or none
 *
 * If metadata is nearly full, a crash may come between some and others.
 *
 * -EBUSY: one is pinned or held. -EINVAL: one is named twice.
 */
#define CPB_DELETE_MAX 256
int cpb_delete_many(struct cpb_store *s, struct cpb_point **p, unsigned int nr,
		    char *why);

/**
 * cpb_cost() - how much deleting points would free, exactly  [sleeps]
 * @ids: of visible checkpoints, and of heads; in any order
 * @nr: how many
 * @chunks: gets how many chunks only they have
 *
 * No lock may be held. While the history changes, or heads of these drop
 * chunks, it is what was true at some moment on the way. -ENOENT: one is gone.
 */
int cpb_cost(struct cpb_store *s, const u64 *ids, unsigned int nr, u64 *chunks,
	     char *why);

/** cpb_hold() - keep a checkpoint from being deleted, for a reason; a new one replaces it */
int cpb_hold(struct cpb_store *s, struct cpb_point *p, const char *reason,
	     char *why);

/** cpb_unhold() - it may be deleted again; -ENOENT: it was not held */
int cpb_unhold(struct cpb_store *s, struct cpb_point *p, char *why);

/** cpb_set_policy() - which checkpoints of a volume are worth keeping; kept, not applied */
int cpb_set_policy(struct cpb_volume *v, const struct cpb_policy *policy,
		   char *why);

/** cpb_set_group() - the group that volumes belong to, all or none; "": no group */
int cpb_set_group(struct cpb_store *s, struct cpb_volume **v, unsigned int nr,
		  const char *group, char *why);

/* ---- Checking ---- */

/** struct cpb_check_report - what cpb_check() counted */
struct cpb_check_report {
	u64 chunks_reachable;	/* from heads and visible checkpoints */
	u64 chunks_allocated;	/* by the bitmaps */
	u64 blocks_reachable, blocks_allocated;
	u64 errors;
};

/**
 * cpb_check() - walk everything and compare it with what is recorded  [sleeps]
 * @line: called with a sentence for each thing that is wrong
 *
 * The store must be quiet: no writes, no operations, and all committed. One
 * that was opened CPB_OPEN_READONLY is not if the journal had records, which
 * are in memory then: open it on devices that keep in memory what is written.
 */
int cpb_check(struct cpb_store *s, struct cpb_check_report *r,
	      void (*line)(void *arg, const char *text), void *arg);

/* ---- Repairing: in userspace only ---- */

/** enum cpb_finding - what a sentence of cpb_repair() is about */
enum cpb_finding {
	CPB_FOUND,	/* something is wrong, and is mended without loss */
	CPB_LOST,	/* something can't be kept */
	CPB_DONE,	/* what is done about it all */
};

/* cpb_repair(), @flags */
#define CPB_REPAIR_KEEP_PARTIAL	(1U << 0) /* checkpoints with holes, rather than none */

/** struct cpb_repair_report - what cpb_repair() counted */
struct cpb_repair_report {
	u64 found, lost;	/* sentences of these kinds */
	u64 base_txn;		/* of the superblock it began with */
	bool alike;		/* the other superblock says the same, or nothing */
};

/**
 * cpb_repair() - put a damaged store together from what can be read of it  [sleeps]
 * @copy: which superblock to begin with: 0, or 1 for the second
 * @line: called with a sentence for each thing that is found, lost or done
 * @why: on error, a sentence that says why there is nothing to repair
 *
 * What can be derived is: free space, counters and deadlists from the maps,
 * lines of descent from what maps share. A checkpoint of whose map a part
 * can't be read is deleted, parts of a volume become holes, and each of these
 * is said. The journal is replayed as far as it fits. It all ends in one
 * transaction; if the store looks sound before it, that changes nothing of
 * what is in it. Run cpb_check() on the result before believing in it: where
 * blocks are wrong but have checksums that are right, nothing may help.
 *
 * Return: 0, or an error: then nothing was written.
 */
int cpb_repair(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
	       u64 data_bytes, unsigned int copy, unsigned int flags,
	       struct cpb_repair_report *r,
	       void (*line)(void *arg, enum cpb_finding kind, const char *text),
	       void *arg, char why[CPB_ERROR_LEN]);

#endif /* CPB_H */
