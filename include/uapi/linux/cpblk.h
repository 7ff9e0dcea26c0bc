/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The generic netlink family of cpblk. include/cpblk.yaml is the specification
 * and says which attributes each operation takes and answers; tests/spec
 * compares the two.
 *
 * Sizes and amounts are bytes, times are nanoseconds since 1970, durations are
 * nanoseconds. Operations marked "admin" need CAP_NET_ADMIN. A refusal carries
 * a sentence in the extended acknowledgment.
 */
#ifndef _UAPI_LINUX_CPBLK_H
#define _UAPI_LINUX_CPBLK_H

#define CPBLK_GENL_NAME		"cpblk"
#define CPBLK_GENL_VERSION	1

#define CPBLK_MCGRP_EVENTS	"events"

#define CPBLK_NAME_MAX		63	/* of a name, without its NUL */
#define CPBLK_MESSAGE_MAX	159	/* of a message, without its NUL */
#define CPBLK_HOLD_MAX		95	/* of the reason of a hold, without its NUL */
#define CPBLK_PATH_MAX		4095	/* of a path, without its NUL */
#define CPBLK_UUID_LEN		16
#define CPBLK_OPTION_DEFAULT	0xffffffff /* in place of an option's value */
#define CPBLK_LABEL_MAX		47	/* of the label of a hook, without its NUL */
#define CPBLK_REASON_MAX	95	/* of the reason that a hook gives, without its NUL */

/**
 * enum cpblk_store_state - what a store can do
 * @CPBLK_STATE_ACTIVE: everything
 * @CPBLK_STATE_READONLY: it was opened read-only
 * @CPBLK_STATE_FAILED: it turned read-only after damage or a failed write;
 *	%CPBLK_A_ERROR says why
 */
enum cpblk_store_state {
	CPBLK_STATE_ACTIVE,
	CPBLK_STATE_READONLY,
	CPBLK_STATE_FAILED,
};

/**
 * enum cpblk_open_flags - how to open a store
 * @CPBLK_OPEN_READONLY: write nothing to its devices; its volumes are read-only
 */
enum cpblk_open_flags {
	CPBLK_OPEN_READONLY = 1,
};

/**
 * enum cpblk_volume_flags - what a volume is
 * @CPBLK_VOLUME_READONLY: its device takes no writes
 * @CPBLK_VOLUME_NOSCAN: the udev rule keeps blkid and other scanners off its
 *	device
 */
enum cpblk_volume_flags {
	CPBLK_VOLUME_READONLY = 1,
	CPBLK_VOLUME_NOSCAN = 2,
};

/**
 * enum cpblk_remove_flags - how to remove a volume
 * @CPBLK_REMOVE_KEEP_CHECKPOINTS: its checkpoints stay, to be forked or deleted
 */
enum cpblk_remove_flags {
	CPBLK_REMOVE_KEEP_CHECKPOINTS = 1,
};

/**
 * enum cpblk_snap_flags - how to take a checkpoint
 * @CPBLK_SNAP_AUTO: mark it as made by a program on its own account
 */
enum cpblk_snap_flags {
	CPBLK_SNAP_AUTO = 1,
};

/**
 * enum cpblk_restore_flags - how to restore
 * @CPBLK_RESTORE_NO_SAFETY: take no safety checkpoint first; what the head had
 *	is lost
 * @CPBLK_RESTORE_FORCE: also with a filesystem of this host mounted from the
 *	volume
 */
enum cpblk_restore_flags {
	CPBLK_RESTORE_NO_SAFETY = 1,
	CPBLK_RESTORE_FORCE = 2,
};

/**
 * enum cpblk_sync_flags - what to wait for
 * @CPBLK_SYNC_RECLAIM: until no deleted checkpoint is left to reclaim, too
 */
enum cpblk_sync_flags {
	CPBLK_SYNC_RECLAIM = 1,
};

/**
 * enum cpblk_point_flags - what is known of a checkpoint
 * @CPBLK_POINT_AUTO: a program made it on its own account
 * @CPBLK_POINT_SAFETY: a restore made it, so that it can be undone
 * @CPBLK_POINT_HIDDEN: it is deleted and has no name any more, and stays in the
 *	history as long as two or more others share data through it
 * @CPBLK_POINT_HELD: it is not deleted before its hold is released
 */
enum cpblk_point_flags {
	CPBLK_POINT_AUTO = 1,
	CPBLK_POINT_SAFETY = 2,
	CPBLK_POINT_HIDDEN = 4,
	CPBLK_POINT_HELD = 8,
};

/**
 * enum cpblk_space_flags - how full the devices of a store are
 * @CPBLK_SPACE_DATA_LOW: the data device is beyond its threshold, which is
 *	%CPBLK_OPTION_WARN_DATA
 * @CPBLK_SPACE_META_LOW: the metadata device is beyond %CPBLK_OPTION_WARN_META
 * @CPBLK_SPACE_FULL: a write failed, as nothing was left
 */
enum cpblk_space_flags {
	CPBLK_SPACE_DATA_LOW = 1,
	CPBLK_SPACE_META_LOW = 2,
	CPBLK_SPACE_FULL = 4,
};

/**
 * enum cpblk_hook_operations - operations that a hook is asked about
 * @CPBLK_HOOK_CHECKPOINT: taking a checkpoint
 * @CPBLK_HOOK_RESTORE: restoring, undoing too
 */
enum cpblk_hook_operations {
	CPBLK_HOOK_CHECKPOINT = 1,
	CPBLK_HOOK_RESTORE = 2,
};

/**
 * enum cpblk_hook_flags - how a hook is to be taken
 * @CPBLK_HOOK_IF_SILENT_GO_ON: if it does not answer in time, or is gone, the
 *	operation goes on without it; without this flag the operation is aborted
 */
enum cpblk_hook_flags {
	CPBLK_HOOK_IF_SILENT_GO_ON = 1,
};

/**
 * enum cpblk_attr - attributes of requests, answers and events
 * @CPBLK_A_UNSPEC: not used
 * @CPBLK_A_PAD: padding before 64-bit numbers
 * @CPBLK_A_STORE: string, name of a store
 * @CPBLK_A_STORE_UUID: binary, UUID of the store
 * @CPBLK_A_META_PATH: string, path of the metadata device
 * @CPBLK_A_DATA_PATH: string, path of the data device
 * @CPBLK_A_OPEN_FLAGS: u32, &enum cpblk_open_flags
 * @CPBLK_A_STATE: u32, &enum cpblk_store_state
 * @CPBLK_A_ERROR: string, why the store has failed
 * @CPBLK_A_CHUNK_SIZE: u32, unit in which data is allocated
 * @CPBLK_A_META_SIZE: u64, size of the metadata device in use
 * @CPBLK_A_META_USED: u64, part of it that is in use, with what is deleted and
 *	waits to be released
 * @CPBLK_A_DATA_SIZE: u64, size of the data device in use
 * @CPBLK_A_DATA_USED: u64, part of it that volumes and checkpoints hold
 * @CPBLK_A_DATA_BUSY: u64, the same with what is in flight and what waits to be
 *	released
 * @CPBLK_A_EPOCH: u64, the store's epoch; of a checkpoint, the one it closed
 * @CPBLK_A_TXN: u64, number of the last transaction that is durable
 * @CPBLK_A_JOURNAL_SIZE: u64, size of the journal
 * @CPBLK_A_JOURNAL_USED: u64, part of it that replay would read
 * @CPBLK_A_NR_VOLUMES: u64, volumes of the store
 * @CPBLK_A_NR_CHECKPOINTS: u64, its checkpoints, hidden ones left out
 * @CPBLK_A_NR_HIDDEN: u64, deleted checkpoints that are still being reclaimed,
 *	or hidden
 * @CPBLK_A_COUNTERS: nest, &enum cpblk_counter: what the store has done since
 *	it was opened
 * @CPBLK_A_VOLUME: string, name of a volume; of a checkpoint, the one it was
 *	made on
 * @CPBLK_A_VOLUMES: nest, &enum cpblk_list: names of several volumes
 * @CPBLK_A_VOLUME_ID: u64, number of the volume, never used twice in a store
 * @CPBLK_A_VOLUME_UUID: binary, UUID of the volume
 * @CPBLK_A_VOLUME_FLAGS: u32, &enum cpblk_volume_flags
 * @CPBLK_A_SIZE: u64, size of the virtual disk
 * @CPBLK_A_CREATED: u64, when the volume was made
 * @CPBLK_A_GENERATION: u64, raised by each restore of the volume
 * @CPBLK_A_DEVICE: string, name of the block device, as in /dev and /sys/block
 * @CPBLK_A_OPEN_COUNT: u32, how many have the device open
 * @CPBLK_A_UNDO_ID: u64, checkpoint that undoes the volume's last restore, or 0
 * @CPBLK_A_HEAD_ID: u64, number of the volume's head, from the same counter as
 *	%CPBLK_A_CHECKPOINT_ID
 * @CPBLK_A_CHECKPOINT: string, name of a checkpoint
 * @CPBLK_A_CHECKPOINT_ID: u64, its number, never used twice in a store, never 0
 * @CPBLK_A_PARENT_ID: u64, checkpoint that this one, or this head, follows, or 0
 * @CPBLK_A_TIME: u64, when the checkpoint was taken
 * @CPBLK_A_MESSAGE: string, what its maker says of the checkpoint
 * @CPBLK_A_POINT_FLAGS: u32, &enum cpblk_point_flags
 * @CPBLK_A_CHILDREN: u32, how many checkpoints and heads follow this one
 * @CPBLK_A_PINS: u32, how many uses keep it from being deleted
 * @CPBLK_A_REFERENCED: u64, data that can be read through this checkpoint or
 *	head
 * @CPBLK_A_WRITTEN: u64, part of that which its parent does not have
 * @CPBLK_A_DEAD: u64, data that its parent has and this one has not
 * @CPBLK_A_POINT: nest of volume, volume ID, checkpoint, checkpoint ID of this
 *	enum; repeated: a checkpoint that was taken
 * @CPBLK_A_SNAP_FLAGS: u32, &enum cpblk_snap_flags
 * @CPBLK_A_RESTORE_FLAGS: u32, &enum cpblk_restore_flags
 * @CPBLK_A_IF_GENERATION: u64, restore only if this is still the generation
 * @CPBLK_A_SAFETY_ID: u64, safety checkpoint that the restore took, or 0
 * @CPBLK_A_SAFETY: string, its name
 * @CPBLK_A_NEW_VOLUME: string, name for the volume that a fork makes
 * @CPBLK_A_REMOVE_FLAGS: u32, &enum cpblk_remove_flags
 * @CPBLK_A_SYNC_FLAGS: u32, &enum cpblk_sync_flags
 * @CPBLK_A_FREEZE_NS: u64, for how long a restore held back the volume's I/O
 * @CPBLK_A_TOTAL_NS: u64, how long the whole operation took in the kernel
 * @CPBLK_A_HOLD: string, why a checkpoint is held; may be empty
 * @CPBLK_A_CHECKPOINT_IDS: nest, &enum cpblk_ids: numbers of several checkpoints
 * @CPBLK_A_POLICY: nest, &enum cpblk_policy: which checkpoints of a volume are
 *	worth keeping; the driver keeps it and does nothing with it
 * @CPBLK_A_UNIQUE: u64, data that is freed if only this is deleted; left out where
 *	the history branches and it has not been asked for; of a cost: data that
 *	only the checkpoints and heads named have
 * @CPBLK_A_OPTIONS: nest, &enum cpblk_option: options of the store
 * @CPBLK_A_SPACE: u32, &enum cpblk_space_flags: how full the devices are
 * @CPBLK_A_META_RESERVED: u64, part of the metadata device that is free and that
 *	writes leave to deletions and transactions
 * @CPBLK_A_GROUP: string, group that a volume belongs to
 * @CPBLK_A_NEW_VOLUMES: nest, &enum cpblk_list: names for the volumes that a fork
 *	makes
 * @CPBLK_A_MEMBER: nest of attributes of this enum; repeated: one of the volumes
 *	of an operation on several
 * @CPBLK_A_HOOK_ID: u64, number of a hook, never used twice while the module is
 *	loaded
 * @CPBLK_A_HOOK_OPERATIONS: u32, &enum cpblk_hook_operations: what a hook is asked
 *	about; in what it is sent, which of them it is
 * @CPBLK_A_HOOK_TIMEOUT: u32, milliseconds that a hook has to answer, at most
 *	600,000
 * @CPBLK_A_HOOK_FLAGS: u32, &enum cpblk_hook_flags
 * @CPBLK_A_HOOK_LABEL: string, what a hook is called in refusals and lists
 * @CPBLK_A_HOOK_TOKEN: u64, random, stands for one operation and one hook; an
 *	answer must carry it
 * @CPBLK_A_REASON: string, why a hook refuses, or an operation is aborted, or a
 *	hook is gone
 * @CPBLK_A_DEADLINE: u64, until when an answer is waited for, by CLOCK_MONOTONIC
 * @CPBLK_A_PID: u32, process that registered a hook, or asked for an operation
 * @CPBLK_A_HOOK_PENDING: u32, operations under way that a hook was told to
 *	prepare for; of a volume, those that wait for its hooks or are being done,
 *	0 or 1
 * @CPBLK_A_RECLAIM_POINTS: u64, deleted checkpoints and volumes that there is work
 *	with, to reclaim what they hold; 0: all is reclaimed
 * @CPBLK_A_RECLAIM_LEFT: u64, data that will become free by that; more may be found
 *	where the history branches, or in front of them a checkpoint stays
 * @CPBLK_A_RECLAIM_DONE: u64, data that became free since that work began
 * @CPBLK_A_RECLAIM_MS: u64, milliseconds that the rest of it is going to take, by
 *	how fast it is; left out where that is not known
 */
enum cpblk_attr {
	CPBLK_A_UNSPEC,
	CPBLK_A_PAD,
	CPBLK_A_STORE,
	CPBLK_A_STORE_UUID,
	CPBLK_A_META_PATH,
	CPBLK_A_DATA_PATH,
	CPBLK_A_OPEN_FLAGS,
	CPBLK_A_STATE,
	CPBLK_A_ERROR,
	CPBLK_A_CHUNK_SIZE,
	CPBLK_A_META_SIZE,
	CPBLK_A_META_USED,
	CPBLK_A_DATA_SIZE,
	CPBLK_A_DATA_USED,
	CPBLK_A_DATA_BUSY,
	CPBLK_A_EPOCH,
	CPBLK_A_TXN,
	CPBLK_A_JOURNAL_SIZE,
	CPBLK_A_JOURNAL_USED,
	CPBLK_A_NR_VOLUMES,
	CPBLK_A_NR_CHECKPOINTS,
	CPBLK_A_NR_HIDDEN,
	CPBLK_A_COUNTERS,
	CPBLK_A_VOLUME,
	CPBLK_A_VOLUMES,
	CPBLK_A_VOLUME_ID,
	CPBLK_A_VOLUME_UUID,
	CPBLK_A_VOLUME_FLAGS,
	CPBLK_A_SIZE,
	CPBLK_A_CREATED,
	CPBLK_A_GENERATION,
	CPBLK_A_DEVICE,
	CPBLK_A_OPEN_COUNT,
	CPBLK_A_UNDO_ID,
	CPBLK_A_HEAD_ID,
	CPBLK_A_CHECKPOINT,
	CPBLK_A_CHECKPOINT_ID,
	CPBLK_A_PARENT_ID,
	CPBLK_A_TIME,
	CPBLK_A_MESSAGE,
	CPBLK_A_POINT_FLAGS,
	CPBLK_A_CHILDREN,
	CPBLK_A_PINS,
	CPBLK_A_REFERENCED,
	CPBLK_A_WRITTEN,
	CPBLK_A_DEAD,
	CPBLK_A_POINT,
	CPBLK_A_SNAP_FLAGS,
	CPBLK_A_RESTORE_FLAGS,
	CPBLK_A_IF_GENERATION,
	CPBLK_A_SAFETY_ID,
	CPBLK_A_SAFETY,
	CPBLK_A_NEW_VOLUME,
	CPBLK_A_REMOVE_FLAGS,
	CPBLK_A_SYNC_FLAGS,
	CPBLK_A_FREEZE_NS,
	CPBLK_A_TOTAL_NS,
	CPBLK_A_HOLD,
	CPBLK_A_CHECKPOINT_IDS,
	CPBLK_A_POLICY,
	CPBLK_A_UNIQUE,
	CPBLK_A_OPTIONS,
	CPBLK_A_SPACE,
	CPBLK_A_META_RESERVED,
	CPBLK_A_GROUP,
	CPBLK_A_NEW_VOLUMES,
	CPBLK_A_MEMBER,
	CPBLK_A_HOOK_ID,
	CPBLK_A_HOOK_OPERATIONS,
	CPBLK_A_HOOK_TIMEOUT,
	CPBLK_A_HOOK_FLAGS,
	CPBLK_A_HOOK_LABEL,
	CPBLK_A_HOOK_TOKEN,
	CPBLK_A_REASON,
	CPBLK_A_DEADLINE,
	CPBLK_A_PID,
	CPBLK_A_HOOK_PENDING,
	CPBLK_A_RECLAIM_POINTS,
	CPBLK_A_RECLAIM_LEFT,
	CPBLK_A_RECLAIM_DONE,
	CPBLK_A_RECLAIM_MS,

	/* private: */
	__CPBLK_A_MAX,
};

#define CPBLK_A_MAX (__CPBLK_A_MAX - 1)

/**
 * enum cpblk_list - contents of %CPBLK_A_VOLUMES
 * @CPBLK_LIST_UNSPEC: not used
 * @CPBLK_LIST_VOLUME: string, repeated: name of a volume
 */
enum cpblk_list {
	CPBLK_LIST_UNSPEC,
	CPBLK_LIST_VOLUME,

	/* private: */
	__CPBLK_LIST_MAX,
};

#define CPBLK_LIST_MAX (__CPBLK_LIST_MAX - 1)

/**
 * enum cpblk_ids - contents of %CPBLK_A_CHECKPOINT_IDS
 * @CPBLK_IDS_UNSPEC: not used
 * @CPBLK_IDS_CHECKPOINT: u64, repeated: number of a checkpoint
 */
enum cpblk_ids {
	CPBLK_IDS_UNSPEC,
	CPBLK_IDS_CHECKPOINT,

	/* private: */
	__CPBLK_IDS_MAX,
};

#define CPBLK_IDS_MAX (__CPBLK_IDS_MAX - 1)

/**
 * enum cpblk_policy - contents of %CPBLK_A_POLICY; what is 0 is left out
 * @CPBLK_POLICY_UNSPEC: not used
 * @CPBLK_POLICY_PAD: padding before 64-bit numbers
 * @CPBLK_POLICY_LAST: u32, newest checkpoints, whatever their age
 * @CPBLK_POLICY_HOURLY: u32, one of each of so many hours
 * @CPBLK_POLICY_DAILY: u32, the same for days
 * @CPBLK_POLICY_WEEKLY: u32, the same for weeks
 * @CPBLK_POLICY_MONTHLY: u32, the same for months
 * @CPBLK_POLICY_MAX_AGE: u64, seconds after which none is kept
 */
enum cpblk_policy {
	CPBLK_POLICY_UNSPEC,
	CPBLK_POLICY_PAD,
	CPBLK_POLICY_LAST,
	CPBLK_POLICY_HOURLY,
	CPBLK_POLICY_DAILY,
	CPBLK_POLICY_WEEKLY,
	CPBLK_POLICY_MONTHLY,
	CPBLK_POLICY_MAX_AGE,

	/* private: */
	__CPBLK_POLICY_MAX,
};

#define CPBLK_POLICY_MAX (__CPBLK_POLICY_MAX - 1)

/**
 * enum cpblk_option - contents of %CPBLK_A_OPTIONS, all u32
 * @CPBLK_OPTION_UNSPEC: not used
 * @CPBLK_OPTION_WARN_DATA: percent of the data device in use at which to say so;
 *	0: never
 * @CPBLK_OPTION_WARN_META: the same for the metadata device
 * @CPBLK_OPTION_AUTO_DELETE: percent of a device in use from which on the oldest
 *	automatic checkpoints are deleted; 0: never
 * @CPBLK_OPTION_RECLAIM_LATENCY: microseconds that all but one in a hundred reads
 *	and writes may take while deleted checkpoints are reclaimed, or 5/4 of what they
 *	take without that if it is more; 0: no regard to them
 * @CPBLK_OPTION_DISCARD: 1 if the data device is told of free chunks, if it takes
 *	discards; or 0
 * @CPBLK_OPTION_DISCARD_BATCH: MiB of which it is told at a time, at most
 * @CPBLK_OPTION_FLUSH_INTERVAL: seconds after which completed writes are made
 *	durable unasked; 0: never
 * @CPBLK_OPTION_ZERO_DETECT: 1 if chunks that are written full of zeroes become
 *	holes, or 0
 *
 * In requests, %CPBLK_OPTION_DEFAULT is the default.
 */
enum cpblk_option {
	CPBLK_OPTION_UNSPEC,
	CPBLK_OPTION_WARN_DATA,
	CPBLK_OPTION_WARN_META,
	CPBLK_OPTION_AUTO_DELETE,
	CPBLK_OPTION_RECLAIM_LATENCY,
	CPBLK_OPTION_DISCARD,
	CPBLK_OPTION_DISCARD_BATCH,
	CPBLK_OPTION_FLUSH_INTERVAL,
	CPBLK_OPTION_ZERO_DETECT,

	/* private: */
	__CPBLK_OPTION_MAX,
};

#define CPBLK_OPTION_MAX (__CPBLK_OPTION_MAX - 1)

/**
 * enum cpblk_counter - contents of %CPBLK_A_COUNTERS, all u64
 * @CPBLK_COUNTER_UNSPEC: not used
 * @CPBLK_COUNTER_PAD: padding before 64-bit numbers
 * @CPBLK_COUNTER_BLOCK_READS: metadata blocks looked for
 * @CPBLK_COUNTER_BLOCK_MISSES: those that had to be read from the device
 * @CPBLK_COUNTER_BLOCKS_WRITTEN: metadata blocks written by transactions
 * @CPBLK_COUNTER_BLOCKS_CACHED: metadata blocks in memory now
 * @CPBLK_COUNTER_BLOCKS_DIRTY: those that are still to be written
 * @CPBLK_COUNTER_COMMITS: transactions
 * @CPBLK_COUNTER_JOURNAL_COMMITS: writes to the journal
 * @CPBLK_COUNTER_JOURNAL_BLOCKS_WRITTEN: metadata blocks written to it
 * @CPBLK_COUNTER_RECLAIM_STEPS: steps of reclaiming deleted checkpoints
 * @CPBLK_COUNTER_RECLAIM_BLOCKS: metadata blocks that reclaiming looked at
 */
enum cpblk_counter {
	CPBLK_COUNTER_UNSPEC,
	CPBLK_COUNTER_PAD,
	CPBLK_COUNTER_BLOCK_READS,
	CPBLK_COUNTER_BLOCK_MISSES,
	CPBLK_COUNTER_BLOCKS_WRITTEN,
	CPBLK_COUNTER_BLOCKS_CACHED,
	CPBLK_COUNTER_BLOCKS_DIRTY,
	CPBLK_COUNTER_COMMITS,
	CPBLK_COUNTER_JOURNAL_COMMITS,
	CPBLK_COUNTER_JOURNAL_BLOCKS_WRITTEN,
	CPBLK_COUNTER_RECLAIM_STEPS,
	CPBLK_COUNTER_RECLAIM_BLOCKS,

	/* private: */
	__CPBLK_COUNTER_MAX,
};

#define CPBLK_COUNTER_MAX (__CPBLK_COUNTER_MAX - 1)

/**
 * enum cpblk_cmd - operations
 * @CPBLK_CMD_STORE_OPEN: admin; bring up a store
 * @CPBLK_CMD_STORE_CLOSE: admin; write everything back and take a store down
 * @CPBLK_CMD_STORE_GET: do, dump; what is known of stores
 * @CPBLK_CMD_STORE_SYNC: admin; write back what is in memory
 * @CPBLK_CMD_VOLUME_CREATE: admin; make an empty volume
 * @CPBLK_CMD_VOLUME_REMOVE: admin; remove a volume
 * @CPBLK_CMD_VOLUME_RESIZE: admin; set the size of a volume
 * @CPBLK_CMD_VOLUME_GET: do, dump; what is known of volumes
 * @CPBLK_CMD_SNAP: admin; checkpoint one or several volumes at one instant
 * @CPBLK_CMD_RESTORE: admin; give volumes the content of checkpoints
 * @CPBLK_CMD_FORK: admin; make volumes with the content of a checkpoint
 * @CPBLK_CMD_CHECKPOINT_GET: do, dump; what is known of checkpoints
 * @CPBLK_CMD_CHECKPOINT_DELETE: admin; delete a checkpoint, or several, all or
 *	none
 * @CPBLK_CMD_ATTACH: admin; make a read-only device of a checkpoint
 * @CPBLK_CMD_DETACH: admin; remove that device
 * @CPBLK_CMD_HOLD: admin; keep a checkpoint from being deleted
 * @CPBLK_CMD_RELEASE: admin; let it be deleted again
 * @CPBLK_CMD_POLICY_SET: admin; set the retention policy of a volume
 * @CPBLK_CMD_COST: admin; what deleting checkpoints and heads would free
 * @CPBLK_CMD_OPTIONS_SET: admin; set options of a store
 * @CPBLK_CMD_GROW: admin; take the room that the devices have got
 * @CPBLK_CMD_GROUP_SET: admin; put volumes into a group, or into none
 * @CPBLK_CMD_HOOK_REGISTER: admin; ask the socket that this comes from before an
 *	operation on volumes
 * @CPBLK_CMD_HOOK_UNREGISTER: admin; end a hook of this socket
 * @CPBLK_CMD_HOOK_REPLY: admin; the answer to %CPBLK_EVENT_HOOK_PREPARE
 * @CPBLK_CMD_HOOK_GET: dump; what hooks there are
 */
enum cpblk_cmd {
	CPBLK_CMD_STORE_OPEN = 1,
	CPBLK_CMD_STORE_CLOSE,
	CPBLK_CMD_STORE_GET,
	CPBLK_CMD_STORE_SYNC,
	CPBLK_CMD_VOLUME_CREATE,
	CPBLK_CMD_VOLUME_REMOVE,
	CPBLK_CMD_VOLUME_RESIZE,
	CPBLK_CMD_VOLUME_GET,
	CPBLK_CMD_SNAP,
	CPBLK_CMD_RESTORE,
	CPBLK_CMD_FORK,
	CPBLK_CMD_CHECKPOINT_GET,
	CPBLK_CMD_CHECKPOINT_DELETE,
	CPBLK_CMD_ATTACH,
	CPBLK_CMD_DETACH,
	CPBLK_CMD_HOLD,
	CPBLK_CMD_RELEASE,
	CPBLK_CMD_POLICY_SET,
	CPBLK_CMD_COST,
	CPBLK_CMD_OPTIONS_SET,
	CPBLK_CMD_GROW,
	CPBLK_CMD_GROUP_SET,
	CPBLK_CMD_HOOK_REGISTER,
	CPBLK_CMD_HOOK_UNREGISTER,
	CPBLK_CMD_HOOK_REPLY,
	CPBLK_CMD_HOOK_GET,

	/* private: */
	__CPBLK_CMD_MAX,
};

#define CPBLK_CMD_MAX (__CPBLK_CMD_MAX - 1)

/**
 * enum cpblk_event - messages to the group %CPBLK_MCGRP_EVENTS, or to one hook
 * @CPBLK_EVENT_STORE_OPENED: a store was opened
 * @CPBLK_EVENT_STORE_CLOSED: a store was closed
 * @CPBLK_EVENT_STORE_FAILED: a store turned read-only
 * @CPBLK_EVENT_VOLUME_CREATED: a volume was made
 * @CPBLK_EVENT_VOLUME_REMOVED: a volume was removed
 * @CPBLK_EVENT_VOLUME_RESIZED: a volume has a new size
 * @CPBLK_EVENT_SNAPPED: a checkpoint was taken of one or several volumes
 * @CPBLK_EVENT_RESTORED: a volume has the content of a checkpoint
 * @CPBLK_EVENT_FORKED: a volume was made from a checkpoint
 * @CPBLK_EVENT_CHECKPOINT_DELETED: a checkpoint was deleted
 * @CPBLK_EVENT_ATTACHED: a checkpoint has a read-only device
 * @CPBLK_EVENT_DETACHED: a checkpoint has no device any more
 * @CPBLK_EVENT_HELD: a checkpoint is held
 * @CPBLK_EVENT_RELEASED: a checkpoint is not held any more
 * @CPBLK_EVENT_SPACE: a device is low or full, or not so any more
 * @CPBLK_EVENT_GROWN: a store has become larger
 * @CPBLK_EVENT_HOOK_PREPARE: to a hook; an operation waits for its answer
 * @CPBLK_EVENT_HOOK_COMMITTED: to a hook that was to prepare; it was done
 * @CPBLK_EVENT_HOOK_ABORTED: to a hook that was to prepare; nothing was changed
 * @CPBLK_EVENT_HOOK_ENDED: to a hook; its store was closed or its volumes removed
 * @CPBLK_EVENT_RECLAIM: how far reclaiming deleted checkpoints is; once a second,
 *	and when it is over
 */
enum cpblk_event {
	CPBLK_EVENT_STORE_OPENED = 64,
	CPBLK_EVENT_STORE_CLOSED,
	CPBLK_EVENT_STORE_FAILED,
	CPBLK_EVENT_VOLUME_CREATED,
	CPBLK_EVENT_VOLUME_REMOVED,
	CPBLK_EVENT_VOLUME_RESIZED,
	CPBLK_EVENT_SNAPPED,
	CPBLK_EVENT_RESTORED,
	CPBLK_EVENT_FORKED,
	CPBLK_EVENT_CHECKPOINT_DELETED,
	CPBLK_EVENT_ATTACHED,
	CPBLK_EVENT_DETACHED,
	CPBLK_EVENT_HELD,
	CPBLK_EVENT_RELEASED,
	CPBLK_EVENT_SPACE,
	CPBLK_EVENT_GROWN,
	CPBLK_EVENT_HOOK_PREPARE,
	CPBLK_EVENT_HOOK_COMMITTED,
	CPBLK_EVENT_HOOK_ABORTED,
	CPBLK_EVENT_HOOK_ENDED,
	CPBLK_EVENT_RECLAIM,
};

#endif /* _UAPI_LINUX_CPBLK_H */
