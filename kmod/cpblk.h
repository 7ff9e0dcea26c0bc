/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the driver share. README.md has the picture: contexts,
 * locks, and the life of a read, a write and a restore.
 *
 * Locks, outermost first:
 *
 *   store->op      (mutex) one operation of a user at a time: stores close,
 *                  volumes and checkpoints come and go
 *   store->alive   (rwsem) readers: the store does not close; only its closing
 *                  takes it for writing, with store->op held
 *   stores lock    (mutex, in store.c) the list of stores
 *   engine's lists (cpb_hold_lists())
 *   open_mutex     of a gendisk; nothing of ours but disk->removing is below it
 *   disks_lock     (mutex) store->disks; a leaf
 *   gate.lock, partial_lock, flush_lock (spinlocks) leaves
 *
 * A checkpoint that a user can see goes away in operations only, so under
 * store->op a struct cpb_point stays valid after the lists were let go of.
 */
#ifndef CPBLK_H
#define CPBLK_H

#include <linux/bio.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "core/cpb.h"
#include "gate.h"

#define CPBLK_PARTIAL_BITS	6

/* Why a store has failed: the engine's reason, and which device that was. */
#define CPBLK_ERROR_LEN		(CPB_ERROR_LEN + BDEVNAME_SIZE + 16)

struct cpblk_disk;
struct cpblk_handshake;

/* Classes of how long an io may take: to half a minute. */
#define CPBLK_PACE_CLASSES	100

/** struct cpblk_pace_times - ios by how long they took, on one CPU */
struct cpblk_pace_times {
	u32 nr[CPBLK_PACE_CLASSES];
};

/**
 * struct cpblk_pace - how fast to reclaim, and how far that is; of the worker
 * @times: counted since the store was opened, while @counting
 * @counting: ios are to be timed; any
 * @active: there is something to reclaim; others read it
 * @seen: what of @times was looked at
 * @look_start: when that was
 * @look_next: not before this again
 * @paused: no work just now, to see what ios take by themselves
 * @idle_us: what one in a hundred takes then, or 0: not known
 * @idle_at: when that was seen
 * @factor: a rest is so many times as long as the step before
 * @rest_until: when the next step may begin
 * @begun_done: chunks reclaimed since the store was opened, when this began
 * @told: when the last event was sent, or this began
 * @told_done: chunks reclaimed then
 * @told_any: there was an event
 * @rate: chunks a second, or 0: not known; others read it
 * @wait: a rest; woken to end it early
 */
struct cpblk_pace {
	struct cpblk_pace_times __percpu *times;
	bool counting, active;
	struct cpblk_pace_times seen;
	u64 look_start, look_next;
	bool paused;
	u64 idle_us, idle_at;
	unsigned int factor;
	u64 rest_until;
	u64 begun_done, told, told_done, rate;
	bool told_any;
	wait_queue_head_t wait;
};

/**
 * struct cpblk_cache - what the data device may have in its cache: see cache.c
 * @dirty: there may be something that was written since the last flush
 * @written: writes of data since the last FLUSH of a user: 0, 1, or 2 for more
 * @lone: FLUSHes in a row for one write at most, as far as that is counted
 */
struct cpblk_cache {
	bool dirty;
	unsigned int written, lone;
};

/**
 * struct cpblk_alone - a FLUSH that waits for nothing but one block of the journal
 *
 * Belongs to who has called cpb_flush_begin().
 *
 * @io: it
 * @bio: writes the block
 * @bvec: the block
 * @start_ns: when it began
 */
struct cpblk_alone {
	struct cpblk_io *io;
	struct bio bio;
	struct bio_vec bvec;
	u64 start_ns;
};

/**
 * struct cpblk_store - an open store
 * @list: on the list of stores
 * @serial: place in that list, never used twice
 * @dead: it has been closed; @op and @alive
 * @one_disk: both devices are on one disk, so that one flush covers both
 * @disks: devices of volumes and checkpoints; changed under @op and
 *	@disks_lock, looked at under either
 * @ios: struct cpblk_io; taken in submit_bio() only
 * @pieces: struct cpblk_piece
 * @meta_bios: bios of the engine
 * @partials: struct cpblk_partial
 * @running: kicks of the engine are heard; RCU
 * @room_state: enum cpblk_space_flags, as told last; level_work
 * @room_want: chunks that a write has not found all together, or 0
 * @room_round: odd while automatic checkpoints are being deleted
 * @room_deleted: how many were
 * @room_wait: writes that wait for that
 * @pace: of reclaiming
 * @trim_ios: I/O of the data device, as of the last discards
 * @dirty_ticks: ticks in a row that found something to write back
 * @failed: that it has turned read-only was told
 * @failed_bdev: NULL, or the device that failed the engine first
 *
 * The workqueues and who may wait for whom are explained in work.c.
 */
struct cpblk_store {
	struct list_head list;
	struct kref ref;
	u64 serial;
	struct mutex op;
	struct rw_semaphore alive;
	bool dead;
	bool readonly;

	struct cpb_store *engine;
	char name[CPB_NAME_LEN];
	u8 uuid[CPB_UUID_LEN];
	unsigned int chunk_shift;
	char *meta_path, *data_path;
	struct cpblk_bdev meta, data;
	struct cpblk_cache cache;
	bool one_disk;
	struct mutex disks_lock;
	struct list_head disks;
	struct cpblk_shrinker shrinker;

	struct bio_set ios, pieces, meta_bios;
	mempool_t partials;
	spinlock_t partial_lock;
	DECLARE_HASHTABLE(partial_hash, CPBLK_PARTIAL_BITS);
	spinlock_t flush_lock;
	struct list_head flushes;
	struct cpblk_alone alone;

	struct workqueue_struct *read_wq, *write_wq, *end_wq, *partial_wq;
	struct workqueue_struct *flush_wq, *commit_wq, *reap_wq;
	struct work_struct flush_work, commit_work, release_work, refill_work;
	struct work_struct reap_work, failed_work, level_work, room_work;
	struct delayed_work tick_work, trim_work;
	unsigned int dirty_ticks;
	u64 trim_ios;
	bool running;
	u32 room_want;
	u32 room_state;
	atomic_t room_round, room_deleted;
	wait_queue_head_t room_wait;
	struct cpblk_pace pace;
	bool failed;
	struct block_device *failed_bdev;
};

/**
 * struct cpblk_disk - the block device of a volume, or of a checkpoint
 * @list: on store->disks
 * @del_work: takes it down
 * @volume: NULL: a checkpoint's, read-only
 * @point: what it shows
 * @gd: its gendisk
 * @gate: all I/O but empty flushes goes through it
 * @index: N in cpblkN
 * @removing: it can't be opened any more; gd->open_mutex
 * @noscan: the udev rule keeps scanners off it
 * @room_shut: an operation waits for its writes, so no checkpoint goes for these
 * @generation: of the volume
 * @id: of the volume or checkpoint
 * @volume_id: of the volume; of a checkpoint, the one it was made on
 * @volume_name: its name, empty if it was removed
 * @point_name: name of the checkpoint, empty if it is a volume's
 * @handshake: that goes on about its volume; store->op, or nothing to see if there
 *	is one
 * @uuid: the volume's
 */
struct cpblk_disk {
	struct list_head list;
	struct work_struct del_work;
	struct cpblk_store *store;
	struct cpb_volume *volume;
	struct cpb_point *point;
	struct gendisk *gd;
	struct cpblk_gate gate;
	int index;
	bool removing, noscan, room_shut;
	u64 generation;
	u64 id, volume_id;
	char volume_name[CPB_NAME_LEN], point_name[CPB_NAME_LEN];
	struct cpblk_handshake *handshake;
	u8 uuid[CPB_UUID_LEN];
};

/**
 * struct cpblk_piece - a part of a bio that lies on chunks next to each other
 * @io: the bio it is a part of
 * @vchunk: first chunk
 * @run: write: where it goes; partial write: the space for a new chunk
 * @offset: partial write: where in the chunk it begins, bytes
 * @list: partial write: on a list of struct cpblk_partial
 * @work: write: for the end that found something missing
 * @clone: the bio for the data device; partial write: says which part of the
 *	bio it is, and isn't submitted
 */
struct cpblk_piece {
	struct cpblk_io *io;
	u64 vchunk;
	struct cpb_run run;
	struct list_head list;
	unsigned int offset;
	struct work_struct work;
	struct bio clone;
};

/**
 * struct cpblk_io - a bio of a user, on its way
 * @disk: the device it was sent to
 * @bio: it
 * @iter: what of it has not been sent on yet
 * @pending: pieces under way, and one for whoever sends them
 * @start: jiffies, for the statistics
 * @start_ns: 0, or when it began, for the pace of reclaiming
 * @gen: read: keeps the chunks from being used again
 * @status: the first error
 * @gated: it has gone through the gate
 * @preflush: a flush has to come first
 * @fua: a flush has to come last
 * @nowait: nothing may sleep until it is handed to a worker
 * @first_used: @first is in use
 * @list: on store->flushes
 * @work: for a worker
 * @first: the piece that comes for free
 */
struct cpblk_io {
	struct cpblk_disk *disk;
	struct bio *bio;
	struct bvec_iter iter;
	atomic_t pending;
	unsigned long start;
	u64 start_ns;
	struct cpb_gen *gen;
	blk_status_t status;
	bool gated, preflush, fua, nowait, first_used;
	union {
		struct list_head list;
		struct work_struct work;
	};
	struct cpblk_piece first;
};

/* ---- main.c ---- */

__printf(3, 4)
int cpblk_refuse(char *why, int err, const char *fmt, ...);

/* ---- meta.c: the engine's devices ---- */

extern const struct cpb_ops cpblk_engine_ops;

void cpblk_set_discards(struct cpblk_store *s);
void cpblk_write_alone(struct cpblk_store *s, const struct cpb_vec *vec);
void cpblk_store_error(struct cpblk_store *s, const struct cpb_status *st,
		       char text[CPBLK_ERROR_LEN]);

/* ---- work.c: the engine's background work ---- */

int cpblk_work_init(struct cpblk_store *s);
void cpblk_work_start(struct cpblk_store *s);
void cpblk_work_stop(struct cpblk_store *s);
void cpblk_options_changed(struct cpblk_store *s);
void cpblk_work_exit(struct cpblk_store *s);
void cpblk_kick(void *ctx, unsigned int why);

/* ---- pace.c: reclaiming in the background ---- */

/**
 * struct cpblk_reclaim - how far reclaiming is
 * @points: deleted checkpoints and volumes that there is work with
 * @left: what they are known to give back, bytes
 * @done: what came back since this began, bytes
 * @ms: how long it is going to take, or 0: not known
 */
struct cpblk_reclaim {
	u64 points, left, done, ms;
};

int cpblk_pace_init(struct cpblk_store *s);
void cpblk_pace_exit(struct cpblk_store *s);
void cpblk_pace_note(struct cpblk_store *s, u64 ns);
void cpblk_pace_hurry(struct cpblk_store *s);
void cpblk_reap_work(struct work_struct *work);
void cpblk_reclaim_get(struct cpblk_store *s, struct cpblk_reclaim *r);

/* ---- room.c: full devices ---- */

void cpblk_room_shut(struct cpblk_disk *d, bool shut);
void cpblk_room_more(struct cpblk_store *s);
void cpblk_room_init(struct cpblk_store *s);
void cpblk_room_stop(struct cpblk_store *s);
u32 cpblk_room_state(struct cpblk_store *s, const struct cpb_status *st);
int cpblk_reserve_wait(struct cpblk_disk *d, u64 chunks, u64 holes,
		       struct cpb_reserve *r);
int cpblk_grow(struct cpblk_store *s, char *why);

/* ---- io.c: the way of a bio ---- */

void cpblk_submit_bio(struct bio *bio);
void cpblk_submit_held(struct bio *bio);
int cpblk_unmap(struct cpb_volume *v, u64 vchunk, u64 len, const struct cpb_reserve *r);
void cpblk_piece_done(struct cpblk_piece *p, blk_status_t status);
void cpblk_flush_work(struct work_struct *work);
void cpblk_alone_done(struct cpblk_store *s, int ret);
int cpblk_io_init(struct cpblk_store *s);
void cpblk_io_exit(struct cpblk_store *s);

/* ---- cache.c: what the data device may have in its cache ---- */

void cpblk_cache_wrote(struct cpblk_store *s, const struct bio *bio);
void cpblk_cache_abort(struct cpblk_store *s, const struct cpb_run *run);
blk_opf_t cpblk_cache_opf(struct cpblk_store *s, bool fua);
void cpblk_cache_asked(struct cpblk_store *s, unsigned int nr);
bool cpblk_cache_take(struct cpblk_store *s);
bool cpblk_cache_clean(struct cpblk_store *s);

/* ---- partial.c: writes of less than a chunk ---- */

void cpblk_partial_write(struct cpblk_piece *p);
int cpblk_partial_init(struct cpblk_store *s);
void cpblk_partial_exit(struct cpblk_store *s);

/* ---- disk.c: block devices ---- */

struct cpblk_disk *cpblk_disk_new(struct cpblk_store *s, struct cpb_volume *v,
				  struct cpb_point *p);
int cpblk_disk_reserve(struct cpblk_disk *d);
void cpblk_disk_unreserve(struct cpblk_disk *d);
void cpblk_disk_del(struct cpblk_disk *d);
void cpblk_disks_del(struct cpblk_store *s);
void cpblk_disk_sync(struct cpblk_disk *d);
void cpblk_disk_changed(struct cpblk_disk *d);
void cpblk_disk_cut(struct cpblk_disk *d, u64 bytes);
bool cpblk_disk_set_size(struct cpblk_disk *d, u64 bytes);
void cpblk_disk_uevent(struct cpblk_disk *d, bool resized, u64 restored);
struct cpblk_disk *cpblk_find_attached(struct cpblk_store *s, u64 point_id);
bool cpblk_attached_name(struct cpblk_store *s, u64 point_id,
			 char device[DISK_NAME_LEN]);
void cpblk_disk_exit(void);

/* ---- sysfs.c ---- */

extern const struct attribute_group *cpblk_disk_groups[];

/* ---- store.c ---- */

struct cpblk_open {
	const char *meta_path, *data_path;
	bool readonly;
};

struct cpblk_store *cpblk_store_open(const struct cpblk_open *o, char *why);
int cpblk_store_close(struct cpblk_store *s, char *why);
struct cpblk_store *cpblk_store_find(const char *name);
struct cpblk_store *cpblk_store_next(u64 serial);
void cpblk_store_put(struct cpblk_store *s);

/* ---- ops.c: what a user can have done to a store's volumes ---- */

/** struct cpblk_which - a checkpoint, by @id, or if that is 0 by names */
struct cpblk_which {
	u64 id;
	const char *volume, *name;
};

/** struct cpblk_taken - a checkpoint as answers and events name it */
struct cpblk_taken {
	u64 id, volume_id;
	char name[CPB_NAME_LEN], volume[CPB_NAME_LEN];
};

/** struct cpblk_made - a volume and its device as answers and events name it */
struct cpblk_made {
	u64 id, size;
	u8 uuid[CPB_UUID_LEN];
	char name[CPB_NAME_LEN], device[DISK_NAME_LEN];
};

/**
 * struct cpblk_member - one of the volumes of an operation on several
 * @made: it
 * @group: that it belongs to
 * @generation: its generation
 * @point: the checkpoint that is taken, restored or forked; @point.id 0: there
 *	is none yet, and @point.name may be known
 * @safety: @safety.id 0: there is none
 */
struct cpblk_member {
	struct cpblk_made made;
	char group[CPB_NAME_LEN];
	u64 generation;
	struct cpblk_taken point, safety;
};

struct cpblk_snap {
	unsigned int nr;
	const char **volume;	/* names */
	const char *name, *message;
	unsigned int flags;	/* CPB_POINT_AUTO or 0 */
	struct cpblk_handshake *handshake;
	struct cpblk_member *members;	/* one for each volume */
	u64 total_ns;
};

struct cpblk_restore {
	unsigned int nr;
	const char **volume;	/* names */
	struct cpblk_which *which;	/* one for each volume */
	bool no_safety, force;
	bool switched;		/* it was done, even if it then failed */
	bool if_generation;	/* of one volume only */
	u64 generation;		/* the one that is expected */
	struct cpblk_handshake *handshake;
	struct cpblk_member *members;	/* one for each volume */
	u64 freeze_ns, total_ns;
};

struct cpb_point *cpblk_find_point(struct cpblk_store *s,
				   const struct cpblk_which *w);
void cpblk_describe_point(struct cpblk_store *s, struct cpb_point *p,
			  struct cpblk_taken *t);
int cpblk_sync(struct cpblk_store *s, bool reclaim, char *why);
int cpblk_create(struct cpblk_store *s, const char *name, u64 size,
		 unsigned int flags, struct cpblk_made *made, char *why);
int cpblk_remove(struct cpblk_store *s, const char *name, bool keep, char *why);
int cpblk_resize(struct cpblk_store *s, const char *name, u64 size, char *why);
int cpblk_snap_check(struct cpblk_store *s, struct cpblk_snap *r, char *why);
int cpblk_snap(struct cpblk_store *s, struct cpblk_snap *r, char *why);
int cpblk_restore_check(struct cpblk_store *s, struct cpblk_restore *r, char *why);
int cpblk_restore(struct cpblk_store *s, struct cpblk_restore *r, char *why);
int cpblk_fork(struct cpblk_store *s, const struct cpblk_which *which,
	       const char *const *names, unsigned int nr, unsigned int flags,
	       struct cpblk_member *made, char *why);
int cpblk_group_set(struct cpblk_store *s, const char *const *volumes,
		    unsigned int nr, const char *group, char *why);
int cpblk_volume_ids(struct cpblk_store *s, const char *const *volumes,
		     unsigned int nr, u64 *ids, char *why);
int cpblk_delete(struct cpblk_store *s, const struct cpblk_which *which,
		 char *why);
int cpblk_delete_many(struct cpblk_store *s, const u64 *ids, unsigned int nr,
		      char *why);
int cpblk_hold(struct cpblk_store *s, const struct cpblk_which *which,
	       const char *reason, char *why);
int cpblk_policy_set(struct cpblk_store *s, const char *volume,
		     const struct cpb_policy *policy, char *why);
int cpblk_attach(struct cpblk_store *s, const struct cpblk_which *which,
		 char device[DISK_NAME_LEN], char *why);
int cpblk_detach(struct cpblk_store *s, const struct cpblk_which *which,
		 char *why);

/* ---- netlink.c, event.c ---- */

extern struct genl_family cpblk_genl_family;

#endif /* CPBLK_H */
