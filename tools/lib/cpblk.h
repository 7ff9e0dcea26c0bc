/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libcpblk: the C interface to the cpblk driver.
 *
 * It speaks the netlink protocol of include/cpblk.yaml, and is the only part
 * of the tools that does. It prints nothing, never exits and keeps no global
 * state; one link may be used by one thread at a time.
 *
 * Every function that can fail returns 0, or -errno with @err filled in (it
 * may be NULL). Lists and other memory handed out are freed with free(), if
 * not said otherwise. Sizes and amounts are bytes, times are nanoseconds since
 * 1970. A string that does not apply is empty, a number is 0.
 */
#ifndef CPBLK_H
#define CPBLK_H

#include <stddef.h>
#include <stdint.h>

#include <linux/cpblk.h>

#define CPBLK_ERROR_MAX		255	/* of a sentence, without its NUL */
#define CPBLK_DEVICE_MAX	31	/* of a device's name, without its NUL */

struct cpblk;

/**
 * struct cpblk_error - what went wrong
 * @code: errno
 * @text: a sentence without a full stop; the driver's own where it gave one
 */
struct cpblk_error {
	int code;
	char text[CPBLK_ERROR_MAX + 1];
};

/**
 * cpblk_connect() - get a link to the driver
 *
 * -ENOENT: the module is not loaded.
 */
int cpblk_connect(struct cpblk **link, struct cpblk_error *err);

/** cpblk_disconnect() - the end of a link, which may be NULL */
void cpblk_disconnect(struct cpblk *link);

/* ---- Stores ---- */

/**
 * struct cpblk_store_info - what is known of an open store
 * @name: its name
 * @meta_path: metadata device, as it was named when the store was opened
 * @data_path: data device
 * @error: why the store has failed
 * @uuid: its UUID
 * @state: enum cpblk_store_state
 * @chunk_size: unit in which data is allocated
 * @space: enum cpblk_space_flags
 * @meta_size: size of the metadata device in use
 * @meta_used: how much of it is taken
 * @meta_reserved: how much of the rest is for deletions and transactions
 * @data_size: size of the data device in use
 * @data_used: how much of it volumes and checkpoints hold
 * @data_busy: the same with what is in flight and what waits to be released
 * @epoch: counts checkpoints
 * @txn: last durable transaction
 * @journal_size: size of the journal
 * @journal_used: how much of it replay would read
 * @nr_volumes: its volumes
 * @nr_checkpoints: its checkpoints, without hidden ones
 * @nr_hidden: deleted checkpoints that are not gone yet
 * @reclaim_points: what was deleted and has yet to give back what it holds
 * @reclaim_left: so much of that is known
 * @reclaim_done: so much came back since the driver began with it
 * @reclaim_ms: how long the rest is going to take, milliseconds; 0: not known
 * @counters: what it has done, by enum cpblk_counter
 * @options: what they are set to, by enum cpblk_option
 */
struct cpblk_store_info {
	char name[CPBLK_NAME_MAX + 1];
	char meta_path[CPBLK_PATH_MAX + 1];
	char data_path[CPBLK_PATH_MAX + 1];
	char error[CPBLK_ERROR_MAX + 1];
	uint8_t uuid[CPBLK_UUID_LEN];
	uint32_t state;
	uint32_t space;
	uint32_t chunk_size;
	uint64_t meta_size;
	uint64_t meta_used;
	uint64_t meta_reserved;
	uint64_t data_size;
	uint64_t data_used;
	uint64_t data_busy;
	uint64_t epoch;
	uint64_t txn;
	uint64_t journal_size;
	uint64_t journal_used;
	uint64_t nr_volumes;
	uint64_t nr_checkpoints;
	uint64_t nr_hidden;
	uint64_t reclaim_points;
	uint64_t reclaim_left;
	uint64_t reclaim_done;
	uint64_t reclaim_ms;
	uint64_t counters[CPBLK_COUNTER_MAX + 1];
	uint32_t options[CPBLK_OPTION_MAX + 1];
};

/**
 * cpblk_store_open() - bring up a store from its two block devices
 * @flags: enum cpblk_open_flags
 * @info: gets name and UUID only (may be NULL)
 */
int cpblk_store_open(struct cpblk *link, const char *meta, const char *data,
		     unsigned int flags, struct cpblk_store_info *info,
		     struct cpblk_error *err);

/** cpblk_store_close() - write everything back and take a store down */
int cpblk_store_close(struct cpblk *link, const char *store,
		      struct cpblk_error *err);

/** cpblk_store_sync() - write back; @flags: enum cpblk_sync_flags */
int cpblk_store_sync(struct cpblk *link, const char *store, unsigned int flags,
		     struct cpblk_error *err);

/** cpblk_store_get() - one store by name */
int cpblk_store_get(struct cpblk *link, const char *store,
		    struct cpblk_store_info *info, struct cpblk_error *err);

/** cpblk_store_list() - all open stores */
int cpblk_store_list(struct cpblk *link, struct cpblk_store_info **list,
		     size_t *nr, struct cpblk_error *err);

/** struct cpblk_setting - a value for an option, or CPBLK_OPTION_DEFAULT */
struct cpblk_setting {
	enum cpblk_option option;
	uint32_t value;
};

/** cpblk_options_set() - set options of a store, all or none; they are kept in it */
int cpblk_options_set(struct cpblk *link, const char *store,
		      const struct cpblk_setting *settings, size_t nr,
		      struct cpblk_error *err);

/**
 * cpblk_grow() - take the room that a store's devices have got
 * @info: gets sizes only: those in use from now on
 */
int cpblk_grow(struct cpblk *link, const char *store, struct cpblk_store_info *info,
	       struct cpblk_error *err);

/* An amount that has to be asked for. */
#define CPBLK_UNKNOWN		UINT64_MAX

/* ---- Volumes ---- */

/** struct cpblk_retention - which checkpoints are worth keeping; 0: that rule is not used
 * @last: newest ones, whatever their age
 * @hourly: one of each of so many hours
 * @daily: days
 * @weekly: weeks
 * @monthly: months
 * @max_age: seconds after which none is kept
 */
struct cpblk_retention {
	uint32_t last;
	uint32_t hourly;
	uint32_t daily;
	uint32_t weekly;
	uint32_t monthly;
	uint64_t max_age;
};

/**
 * struct cpblk_volume_info - what is known of a volume and its head
 * @store: the store it is in
 * @name: its name
 * @group: group that it belongs to
 * @device: its block device, without /dev
 * @uuid: its UUID
 * @flags: enum cpblk_volume_flags
 * @open_count: how many have the device open
 * @hook_pending: an operation that hooks have a say in waits for them, or is being
 *	done
 * @id: its number
 * @size: of the virtual disk
 * @created: when
 * @generation: raised by each restore
 * @undo_id: checkpoint that undoes the last restore, or 0
 * @head_id: number of its head
 * @parent_id: checkpoint that the head follows, or 0
 * @epoch: the head's
 * @referenced: data that can be read through the head
 * @written: part of it that the parent doesn't have
 * @dead: data that the parent has and the head has not
 * @unique: data that only the head has, or %CPBLK_UNKNOWN: ask cpblk_cost()
 * @policy: its retention policy, which the driver only keeps
 */
struct cpblk_volume_info {
	char store[CPBLK_NAME_MAX + 1];
	char name[CPBLK_NAME_MAX + 1];
	char group[CPBLK_NAME_MAX + 1];
	char device[CPBLK_DEVICE_MAX + 1];
	uint8_t uuid[CPBLK_UUID_LEN];
	uint32_t flags;
	uint32_t open_count;
	uint32_t hook_pending;
	uint64_t id;
	uint64_t size;
	uint64_t created;
	uint64_t generation;
	uint64_t undo_id;
	uint64_t head_id;
	uint64_t parent_id;
	uint64_t epoch;
	uint64_t referenced;
	uint64_t written;
	uint64_t dead;
	uint64_t unique;
	struct cpblk_retention policy;
};

/** struct cpblk_new_volume - what a volume that was just made is called */
struct cpblk_new_volume {
	char name[CPBLK_NAME_MAX + 1];
	char device[CPBLK_DEVICE_MAX + 1];
	uint8_t uuid[CPBLK_UUID_LEN];
	uint64_t id;
};

/** cpblk_volume_create() - make an empty volume; @flags: enum cpblk_volume_flags */
int cpblk_volume_create(struct cpblk *link, const char *store, const char *volume,
			uint64_t size, unsigned int flags,
			struct cpblk_new_volume *made, struct cpblk_error *err);

/** cpblk_volume_remove() - remove one; @flags: enum cpblk_remove_flags */
int cpblk_volume_remove(struct cpblk *link, const char *store, const char *volume,
			unsigned int flags, struct cpblk_error *err);

/** cpblk_volume_resize() - set the size; what is beyond a smaller one is lost */
int cpblk_volume_resize(struct cpblk *link, const char *store, const char *volume,
			uint64_t size, struct cpblk_error *err);

/** cpblk_volume_get() - one volume by name */
int cpblk_volume_get(struct cpblk *link, const char *store, const char *volume,
		     struct cpblk_volume_info *info, struct cpblk_error *err);

/** cpblk_volume_list() - all volumes of a store, or of all stores (NULL) */
int cpblk_volume_list(struct cpblk *link, const char *store,
		      struct cpblk_volume_info **list, size_t *nr,
		      struct cpblk_error *err);

/** cpblk_policy_set() - set the retention policy of a volume */
int cpblk_policy_set(struct cpblk *link, const char *store, const char *volume,
		     const struct cpblk_retention *policy, struct cpblk_error *err);

/**
 * cpblk_group_set() - put volumes into a group, all or none
 * @volumes: names
 * @nr: how many, at most CPBLK_MEMBERS_MAX
 * @group: its name, or NULL: into none
 */
#define CPBLK_MEMBERS_MAX 200
int cpblk_group_set(struct cpblk *link, const char *store, const char *const *volumes,
		    size_t nr, const char *group, struct cpblk_error *err);

/* ---- Checkpoints ---- */

/**
 * struct cpblk_checkpoint_info - what is known of a checkpoint
 * @store: the store it is in
 * @volume: the volume it was made on, empty if that is removed
 * @name: its name
 * @message: what its maker says of it
 * @hold: %CPBLK_POINT_HELD: why
 * @device: its read-only block device while it is attached
 * @flags: enum cpblk_point_flags
 * @children: how many checkpoints and heads follow it
 * @pins: how many uses keep it from being deleted
 * @volume_id: number of the volume
 * @id: its number
 * @parent_id: checkpoint that it follows, or 0
 * @epoch: the one it closed
 * @time: when it was taken
 * @size: of the virtual disk
 * @referenced: data that can be read through it
 * @written: part of it that the parent doesn't have
 * @dead: data that the parent has and it has not
 * @unique: data that is freed if only it is deleted, or %CPBLK_UNKNOWN
 */
struct cpblk_checkpoint_info {
	char store[CPBLK_NAME_MAX + 1];
	char volume[CPBLK_NAME_MAX + 1];
	char name[CPBLK_NAME_MAX + 1];
	char message[CPBLK_MESSAGE_MAX + 1];
	char hold[CPBLK_HOLD_MAX + 1];
	char device[CPBLK_DEVICE_MAX + 1];
	uint32_t flags;
	uint32_t children;
	uint32_t pins;
	uint64_t volume_id;
	uint64_t id;
	uint64_t parent_id;
	uint64_t epoch;
	uint64_t time;
	uint64_t size;
	uint64_t referenced;
	uint64_t written;
	uint64_t dead;
	uint64_t unique;
};

/** struct cpblk_taken - a checkpoint that was taken */
struct cpblk_taken {
	char volume[CPBLK_NAME_MAX + 1];
	char name[CPBLK_NAME_MAX + 1];
	uint64_t volume_id;
	uint64_t id;
};

/**
 * struct cpblk_snap - checkpoints to take at one instant, and what became of it
 * @volumes: names
 * @nr: how many, at most CPBLK_MEMBERS_MAX
 * @name: of the checkpoints, or NULL: each gets its volume's next
 * @message: or NULL
 * @flags: enum cpblk_snap_flags
 * @taken: result, one for each volume
 * @nr_taken: how many
 * @total_ns: result: how long it took in the kernel until all was durable
 */
struct cpblk_snap {
	const char *const *volumes;
	size_t nr;
	const char *name;
	const char *message;
	unsigned int flags;
	struct cpblk_taken *taken;
	size_t nr_taken;
	uint64_t total_ns;
};

/** cpblk_snap() - take checkpoints, all or none */
int cpblk_snap(struct cpblk *link, const char *store, struct cpblk_snap *snap,
	       struct cpblk_error *err);

/**
 * struct cpblk_restored - what a restore did
 * @checkpoint: the one whose content the volume has now
 * @safety: safety checkpoint that was taken of what it had before
 * @checkpoint_id: number
 * @safety_id: number, or 0
 * @size: the volume's now
 * @generation: the volume's now
 * @freeze_ns: for how long I/O was held back
 * @total_ns: how long it took in the kernel until all was durable
 */
struct cpblk_restored {
	char checkpoint[CPBLK_NAME_MAX + 1];
	char safety[CPBLK_NAME_MAX + 1];
	uint64_t checkpoint_id;
	uint64_t safety_id;
	uint64_t size;
	uint64_t generation;
	uint64_t freeze_ns;
	uint64_t total_ns;
};

/**
 * cpblk_restore() - give a volume the content of a checkpoint
 * @id: of any checkpoint of the store
 * @flags: enum cpblk_restore_flags
 * @if_generation: NULL, or the generation that the volume must have (-ESTALE)
 */
int cpblk_restore(struct cpblk *link, const char *store, const char *volume,
		  uint64_t id, unsigned int flags, const uint64_t *if_generation,
		  struct cpblk_restored *result, struct cpblk_error *err);

/**
 * struct cpblk_member - one of the volumes of an operation on several
 * @volume: its name
 * @device: its block device, without /dev
 * @checkpoint: the one that was or will be restored, or taken
 * @safety: safety checkpoint of what it had before
 * @uuid: its UUID; forks only
 * @volume_id: its number
 * @checkpoint_id: number; 0 for one that is yet to be taken
 * @safety_id: number, or 0
 * @size: its size
 * @generation: raised by each restore
 */
struct cpblk_member {
	char volume[CPBLK_NAME_MAX + 1];
	char device[CPBLK_DEVICE_MAX + 1];
	char checkpoint[CPBLK_NAME_MAX + 1];
	char safety[CPBLK_NAME_MAX + 1];
	uint8_t uuid[CPBLK_UUID_LEN];
	uint64_t volume_id;
	uint64_t checkpoint_id;
	uint64_t safety_id;
	uint64_t size;
	uint64_t generation;
};

/**
 * struct cpblk_restore_many - volumes to restore at one instant, and what became of it
 * @volumes: names
 * @ids: of the checkpoint that each gets
 * @nr: how many, at most CPBLK_MEMBERS_MAX
 * @flags: enum cpblk_restore_flags
 * @members: result, one for each volume
 * @nr_members: how many
 * @freeze_ns: result: for how long I/O was held back
 * @total_ns: result: how long it took in the kernel until all was durable
 */
struct cpblk_restore_many {
	const char *const *volumes;
	const uint64_t *ids;
	size_t nr;
	unsigned int flags;
	struct cpblk_member *members;
	size_t nr_members;
	uint64_t freeze_ns;
	uint64_t total_ns;
};

/** cpblk_restore_many() - restore volumes, all or none */
int cpblk_restore_many(struct cpblk *link, const char *store,
		       struct cpblk_restore_many *restore, struct cpblk_error *err);

/** cpblk_fork() - make a volume from a checkpoint; @flags: enum cpblk_volume_flags */
int cpblk_fork(struct cpblk *link, const char *store, uint64_t id,
	       const char *volume, unsigned int flags,
	       struct cpblk_new_volume *made, struct cpblk_error *err);

/**
 * cpblk_fork_many() - make volumes from a checkpoint, all or none
 * @volumes: their names
 * @nr: how many, at most CPBLK_MEMBERS_MAX
 * @flags: enum cpblk_volume_flags
 * @made: gets a list of them
 */
int cpblk_fork_many(struct cpblk *link, const char *store, uint64_t id,
		    const char *const *volumes, size_t nr, unsigned int flags,
		    struct cpblk_member **made, struct cpblk_error *err);

/**
 * cpblk_checkpoint_get() - one checkpoint
 * @volume: name of the volume it was made on, with @name; else NULL
 * @name: its name, with @volume; else NULL
 * @id: its number where no names are given; hidden ones have only that
 */
int cpblk_checkpoint_get(struct cpblk *link, const char *store,
			 const char *volume, const char *name, uint64_t id,
			 struct cpblk_checkpoint_info *info,
			 struct cpblk_error *err);

/**
 * cpblk_checkpoint_list() - all checkpoints, hidden ones as well
 * @store: of this store, or of all stores (NULL)
 * @volume: those made on this volume, or all (NULL)
 *
 * In the order of their numbers, which is the order they were taken in.
 */
int cpblk_checkpoint_list(struct cpblk *link, const char *store,
			  const char *volume, struct cpblk_checkpoint_info **list,
			  size_t *nr, struct cpblk_error *err);

/**
 * cpblk_checkpoint_delete() - delete checkpoints; their space comes back later
 * @ids: their numbers
 * @nr: how many: up to CPBLK_DELETE_MAX are deleted all or none; more are
 *	deleted so many at a time, in order
 */
#define CPBLK_DELETE_MAX 256
int cpblk_checkpoint_delete(struct cpblk *link, const char *store,
			    const uint64_t *ids, size_t nr, struct cpblk_error *err);

/**
 * cpblk_cost() - what deleting all of these would free, exactly
 * @ids: numbers of checkpoints, and of volumes' heads
 * @nr: how many, at most CPBLK_COST_MAX
 */
#define CPBLK_COST_MAX 5000
int cpblk_cost(struct cpblk *link, const char *store, const uint64_t *ids, size_t nr,
	       uint64_t *bytes, struct cpblk_error *err);

/** cpblk_hold() - keep a checkpoint from being deleted; @reason: may be empty */
int cpblk_hold(struct cpblk *link, const char *store, uint64_t id,
	       const char *reason, struct cpblk_error *err);

/** cpblk_release() - let it be deleted again */
int cpblk_release(struct cpblk *link, const char *store, uint64_t id,
		  struct cpblk_error *err);

/** cpblk_attach() - make a read-only device of a checkpoint */
int cpblk_attach(struct cpblk *link, const char *store, uint64_t id,
		 char device[CPBLK_DEVICE_MAX + 1], struct cpblk_error *err);

/** cpblk_detach() - remove the device of a checkpoint */
int cpblk_detach(struct cpblk *link, const char *store, uint64_t id,
		 struct cpblk_error *err);

/* ---- Events ---- */

/**
 * struct cpblk_event_info - something that happened
 * @type: enum cpblk_event; others may come from a newer driver
 * @store: where
 * @volume: to which volume, or the one that a fork made
 * @device: its block device; the checkpoint's where one was attached
 * @checkpoint: which checkpoint
 * @safety: restored: safety checkpoint of what was there before
 * @error: store failed: why
 * @volume_id: number
 * @checkpoint_id: number
 * @safety_id: number
 * @size: the volume's
 * @generation: restored: the volume's
 * @space: space: enum cpblk_space_flags
 * @meta_size: space and grown: of the store; so are @data_size and, of space,
 *	@meta_used and @data_used
 * @data_size: see there
 * @meta_used: see there
 * @data_used: see there
 * @reclaim_points: reclaim: as in &struct cpblk_store_info, and so are the next
 * @reclaim_left: see there
 * @reclaim_done: see there
 * @reclaim_ms: see there
 * @taken: snapped: the checkpoints
 * @nr_taken: how many
 */
struct cpblk_event_info {
	int type;
	char store[CPBLK_NAME_MAX + 1];
	char volume[CPBLK_NAME_MAX + 1];
	char device[CPBLK_DEVICE_MAX + 1];
	char checkpoint[CPBLK_NAME_MAX + 1];
	char safety[CPBLK_NAME_MAX + 1];
	char error[CPBLK_ERROR_MAX + 1];
	uint64_t volume_id;
	uint64_t checkpoint_id;
	uint64_t safety_id;
	uint64_t size;
	uint64_t generation;
	uint32_t space;
	uint64_t meta_size;
	uint64_t data_size;
	uint64_t meta_used;
	uint64_t data_used;
	uint64_t reclaim_points;
	uint64_t reclaim_left;
	uint64_t reclaim_done;
	uint64_t reclaim_ms;
	struct cpblk_taken *taken;
	size_t nr_taken;
};

/**
 * cpblk_subscribe() - from now on, events come to this link
 *
 * It takes no requests any more.
 */
int cpblk_subscribe(struct cpblk *link, struct cpblk_error *err);

/** cpblk_event_fd() - a descriptor that polls readable when events are there */
int cpblk_event_fd(struct cpblk *link);

/**
 * cpblk_event_next() - wait for events and hand them to @fn
 * @fn: called for each; what it returns, if not 0, ends the call. The event is
 *	gone when it returns.
 *
 * Return: 0 after at least one message, what @fn returned, -ENOBUFS: events
 * came too fast and some were lost; go on calling.
 */
int cpblk_event_next(struct cpblk *link,
		     int (*fn)(void *arg, const struct cpblk_event_info *event),
		     void *arg, struct cpblk_error *err);

/* ---- Hooks ----
 *
 * A hook is asked before each checkpoint or restore of its volumes, and told
 * after it how that ended. cpblk-hooks(7) has the whole protocol.
 */

/**
 * struct cpblk_hook - what to be asked about
 * @volumes: names, or NULL
 * @nr: how many; 0 and no @group: all volumes of the store
 * @group: volumes that belong to it at the time, or NULL
 * @operations: enum cpblk_hook_operations
 * @timeout: milliseconds that it has to answer, 1 to CPBLK_HOOK_TIMEOUT_MAX
 * @flags: enum cpblk_hook_flags
 * @label: what it is called in refusals and lists, or NULL
 */
struct cpblk_hook {
	const char *const *volumes;
	size_t nr;
	const char *group;
	unsigned int operations;
	unsigned int timeout;
	unsigned int flags;
	const char *label;
};

#define CPBLK_HOOK_TIMEOUT_MAX 600000

/**
 * cpblk_hook_register() - from now on, this link is asked
 * @id: gets the hook's number
 *
 * A link may have many hooks; their end is cpblk_hook_unregister(), or that of
 * the link. An operation that is asked for on the same link would wait for an
 * answer that nobody gives: take another one for that.
 */
int cpblk_hook_register(struct cpblk *link, const char *store,
			const struct cpblk_hook *hook, uint64_t *id,
			struct cpblk_error *err);

/** cpblk_hook_unregister() - end a hook of this link */
int cpblk_hook_unregister(struct cpblk *link, uint64_t id, struct cpblk_error *err);

/**
 * struct cpblk_hook_event - what a hook is told
 * @type: %CPBLK_EVENT_HOOK_PREPARE: answer it; %CPBLK_EVENT_HOOK_COMMITTED,
 *	%CPBLK_EVENT_HOOK_ABORTED: how that ended; %CPBLK_EVENT_HOOK_ENDED
 * @hook: its number
 * @token: of this operation
 * @operation: one of enum cpblk_hook_operations
 * @deadline: prepare: until when, in nanoseconds of CLOCK_MONOTONIC
 * @pid: prepare: process that asked for the operation
 * @store: where
 * @reason: aborted, ended: why
 * @members: those of its volumes that it is about
 * @nr_members: how many
 */
struct cpblk_hook_event {
	int type;
	uint64_t hook;
	uint64_t token;
	uint32_t operation;
	uint64_t deadline;
	uint32_t pid;
	char store[CPBLK_NAME_MAX + 1];
	char reason[CPBLK_ERROR_MAX + 1];
	struct cpblk_member *members;
	size_t nr_members;
};

/**
 * cpblk_hook_next() - the next thing that a hook of this link is told
 * @timeout: milliseconds to wait for it at most; 0: don't, -1: for ever
 * @event: gets it; cpblk_hook_event_free() must follow
 *
 * With poll() on cpblk_event_fd(): messages that came while a call waited for
 * its own answer are kept in memory, and the descriptor knows nothing of them.
 * So before each poll(), call this with 0 until it returns 0.
 *
 * Return: 1; 0: there was nothing; -ENOBUFS: some were lost as they came too
 * fast: go on, and do not rely on having heard all; other errors.
 */
int cpblk_hook_next(struct cpblk *link, int timeout, struct cpblk_hook_event *event,
		    struct cpblk_error *err);

/** cpblk_hook_event_free() - let go of what an event holds */
void cpblk_hook_event_free(struct cpblk_hook_event *event);

/**
 * cpblk_hook_ready() - answer that the operation may go on
 *
 * -ESTALE: too late, or not the token of an operation that waits; -EALREADY:
 * it was answered before.
 */
int cpblk_hook_ready(struct cpblk *link, uint64_t hook, uint64_t token,
		     struct cpblk_error *err);

/** cpblk_hook_refuse() - answer that it may not, for a reason */
int cpblk_hook_refuse(struct cpblk *link, uint64_t hook, uint64_t token,
		      const char *reason, struct cpblk_error *err);

/**
 * struct cpblk_hook_info - what is known of a hook
 * @store: its store
 * @label: what it is called
 * @group: the group it is for
 * @volume: the volume, if it is for one
 * @id: its number
 * @operations: enum cpblk_hook_operations
 * @timeout: milliseconds
 * @flags: enum cpblk_hook_flags
 * @pid: process that registered it
 * @pending: operations under way that it was told to prepare for
 */
struct cpblk_hook_info {
	char store[CPBLK_NAME_MAX + 1];
	char label[CPBLK_LABEL_MAX + 1];
	char group[CPBLK_NAME_MAX + 1];
	char volume[CPBLK_NAME_MAX + 1];
	uint64_t id;
	uint32_t operations;
	uint32_t timeout;
	uint32_t flags;
	uint32_t pid;
	uint32_t pending;
};

/** cpblk_hook_list() - the hooks of a store, or of all stores (NULL) */
int cpblk_hook_list(struct cpblk *link, const char *store,
		    struct cpblk_hook_info **list, size_t *nr,
		    struct cpblk_error *err);

#endif /* CPBLK_H */
