/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The on-disk format of a cpblk store, version 1.
 *
 * A store is two devices. The data device carries a label in its first block
 * and, from CPB_DATA_START on, nothing but chunks. The metadata device is an
 * array of 4 KiB blocks:
 *
 *   block 0              superblock, first copy
 *   block CPB_SB_SECOND  superblock, second copy
 *   journal area         a ring of blocks (struct cpb_disk_batch)
 *   bitmap area          which metadata blocks are in use: two places for
 *                        each bitmap block, a bit in the superblock says
 *                        which one is current
 *   everywhere           tree nodes and table blocks, copy-on-write: never
 *                        written in place, so the blocks a valid superblock
 *                        reaches are always a consistent store
 *
 * Every block starts with struct cpb_disk_header; a block whose magic,
 * address, store or checksum is not the expected one is not used.
 *
 * All integers are little-endian. Sizes are asserted in kmod/core/format.c.
 */
#ifndef CPBLK_FORMAT_H
#define CPBLK_FORMAT_H

#include <linux/types.h>

#define CPB_VERSION		1
#define CPB_BLOCK_SHIFT		12
#define CPB_BLOCK_SIZE		(1U << CPB_BLOCK_SHIFT)
#define CPB_SB_SECOND		256ULL	/* block of the second superblock */
#define CPB_AREA_START		264ULL	/* first block after the superblocks */
#define CPB_DATA_START		(1ULL << 20) /* bytes before the first chunk */

#define CPB_CHUNK_SHIFT_MIN	12
#define CPB_CHUNK_SHIFT_MAX	20
#define CPB_META_BLOCKS_MIN	4096ULL		/* 16 MiB */
#define CPB_META_BLOCKS_MAX	(1ULL << 28)	/* 1 TiB */
#define CPB_VOLUME_BYTES_MAX	(1ULL << 53)

#define CPB_UUID_LEN		16
#define CPB_NAME_LEN		64	/* with the terminating NUL */
#define CPB_MESSAGE_LEN		160	/* with the terminating NUL */
#define CPB_HOLD_LEN		96	/* of the reason of a hold, likewise */

/* Magics, one for each kind of block. */
#define CPB_MAGIC_SUPER		0x62707331	/* "1spb" */
#define CPB_MAGIC_LABEL		0x62706c31
#define CPB_MAGIC_MAP		0x62706d31
#define CPB_MAGIC_DEAD		0x62706431
#define CPB_MAGIC_INDEX		0x62706931
#define CPB_MAGIC_SPACE		0x62706231
#define CPB_MAGIC_OBJECTS	0x62706f31
#define CPB_MAGIC_BITMAP	0x62706131
#define CPB_MAGIC_BATCH		0x62706a31

/**
 * struct cpb_disk_header - how every metadata block starts
 * @crc: CRC-32C of the block from the next field to its end
 * @magic: CPB_MAGIC_*
 * @self: address of this block, in blocks
 * @txn: transaction that wrote it
 * @birth: map nodes: epoch it was born in; else 0
 * @uuid: the store's
 * @level: trees and tables: 0 in leaves
 * @nr: entries in use
 * @pad: zero
 * @base: tables and bitmaps: index of the first thing that the block covers,
 *	counted in leaf blocks; else 0
 */
struct cpb_disk_header {
	__le32 crc;
	__le32 magic;
	__le64 self;
	__le64 txn;
	__le64 birth;
	__u8 uuid[CPB_UUID_LEN];
	__le16 level;
	__le16 nr;
	__le32 pad;
	__le64 base;
};

#define CPB_PAYLOAD		(CPB_BLOCK_SIZE - sizeof(struct cpb_disk_header))

/*
 * A run of chunks in 64 bits: the first chunk's ID above, the length below.
 * The order of two such numbers is the order of their first chunks.
 */
#define CPB_RUN_BITS		20
#define CPB_RUN_MAX		((1ULL << CPB_RUN_BITS) - 1)
#define CPB_CHUNKS_MAX		(1ULL << (64 - CPB_RUN_BITS))

/*
 * A reference to a block: its address below, the low bits of the transaction
 * that wrote it above. A block that is not of that transaction is not the one
 * that was meant: the device lost the write.
 */
#define CPB_REF_TXN_SHIFT	28

/**
 * struct cpb_disk_extent - entry of a map leaf
 * @vchunk: first virtual chunk (the key)
 * @run: chunk ID << CPB_RUN_BITS | length
 * @birth: epoch of insertion
 */
struct cpb_disk_extent {
	__le64 vchunk;
	__le64 run;
	__le64 birth;
};

/**
 * struct cpb_disk_child - entry of a map node above the leaves
 * @vchunk: no key below the child is smaller
 * @ref: the child
 * @birth: the child's, so that a walk can pass over what is older
 */
struct cpb_disk_child {
	__le64 vchunk;
	__le64 ref;
	__le64 birth;
};

/**
 * struct cpb_disk_dead - entry of a leaf of the dead tree
 * @set: deadlist it is on (ID << 1), plus 1 if @run names a metadata block
 * @birth: epoch in which the chunks were inserted, or the block was born
 * @run: as in struct cpb_disk_extent
 *
 * All deadlists of a store share one tree. The key is the whole entry, so a
 * deadlist is one range of it, and what was born after some epoch is one
 * range of that.
 */
struct cpb_disk_dead {
	__le64 set;
	__le64 birth;
	__le64 run;
};

/** struct cpb_disk_dead_child - entry of a node of the dead tree */
struct cpb_disk_dead_child {
	struct cpb_disk_dead key;
	__le64 ref;
	__le64 birth;
};

/**
 * struct cpb_disk_index - entry of an index block of a table
 * @ref: the child, 0 where there is none yet
 * @aux: in a space table: how many chunks below are allocated; else 0
 *
 * A table is an array of leaf blocks under a fixed-fan-out index.
 */
struct cpb_disk_index {
	__le64 ref;
	__le64 aux;
};

#define CPB_INDEX_FANOUT	(CPB_PAYLOAD / sizeof(struct cpb_disk_index))
#define CPB_SPACE_BITS		(CPB_PAYLOAD * 8) /* chunks in a space block */

/* Object slots. */
#define CPB_OBJECTS_PER_BLOCK	8
#define CPB_OBJECT_SIZE		(CPB_PAYLOAD / CPB_OBJECTS_PER_BLOCK)

enum cpb_object_type {
	CPB_OBJECT_NONE = 0,
	CPB_OBJECT_POINT = 1,	/* a checkpoint, or the head of a volume */
	CPB_OBJECT_VOLUME = 2,
};

/* struct cpb_disk_point, @flags */
#define CPB_POINT_HEAD		(1U << 0) /* a head, not a checkpoint */
#define CPB_POINT_HIDDEN	(1U << 1) /* deleted, kept for its children */
#define CPB_POINT_AUTO		(1U << 2) /* made by the system, not a user */
#define CPB_POINT_SAFETY	(1U << 3) /* made by a restore, for undo */
#define CPB_POINT_HELD		(1U << 4) /* not to be deleted */
#define CPB_POINT_REAP		(1U << 5) /* unlinked, its tree is being freed */
#define CPB_POINT_FLAGS		0x3f

/**
 * struct cpb_disk_point - a point in the history: a head or a checkpoint
 * @type: CPB_OBJECT_POINT
 * @flags: CPB_POINT_*
 * @id: never used twice in a store
 * @volume: ID of the volume it was made on
 * @parent: ID of the point it follows, or 0
 * @epoch: checkpoint: the epoch it closed; head: its open epoch
 * @time: nanoseconds since 1970
 * @size: of the virtual disk, bytes
 * @root: reference to the root of the map, or 0 for the empty map
 * @root_birth: birth of that block
 * @root_level: its level
 * @name_len: length of @name
 * @message_len: length of @message
 * @hold_len: length of @hold
 * @referenced: chunks that the map names; %CPB_POINT_REAP: about so many are left
 *	to free
 * @deadset: ID of its deadlist
 * @dead_chunks: chunks on it
 * @dead_blocks: metadata blocks on it
 * @cursor: CPB_POINT_REAP: virtual chunk at which freeing goes on
 * @keep: CPB_POINT_REAP: what was born at or before this epoch stays
 * @name: checkpoints: unique among the visible ones of a volume
 * @message: of a checkpoint
 * @hold: CPB_POINT_HELD: the reason
 * @dead_young: chunks on the deadlist that were born after @dead_young_after
 * @dead_young_after: the grandparent's epoch, when that was counted last
 */
struct cpb_disk_point {
	__le32 type;
	__le32 flags;
	__le64 id;
	__le64 volume;
	__le64 parent;
	__le64 epoch;
	__le64 time;
	__le64 size;
	__le64 root;
	__le64 root_birth;
	__le16 root_level;
	__le16 name_len;
	__le16 message_len;
	__le16 hold_len;
	__le64 referenced;
	__le64 deadset;
	__le64 dead_chunks;
	__le64 dead_blocks;
	__le64 cursor;
	__le64 keep;
	__u8 name[CPB_NAME_LEN];
	__u8 message[CPB_MESSAGE_LEN];
	__u8 hold[CPB_HOLD_LEN];
	__le64 dead_young;
	__le64 dead_young_after;
	__u8 reserved[40];
};

/**
 * struct cpb_disk_policy - how many checkpoints `prune` leaves of a volume
 * @last: newest ones, whatever their age
 * @hourly: one an hour for so many hours, and so on
 * @daily: days
 * @weekly: weeks
 * @monthly: months
 * @max_age: seconds; 0: no limit
 */
struct cpb_disk_policy {
	__le32 last;
	__le32 hourly;
	__le32 daily;
	__le32 weekly;
	__le32 monthly;
	__le32 pad;
	__le64 max_age;
};

/**
 * struct cpb_disk_volume - a volume
 * @type: CPB_OBJECT_VOLUME
 * @flags: CPB_VOLUME_*
 * @id: never used twice in a store, below 2^32
 * @head: ID of its head
 * @generation: raised by each restore
 * @undo: ID of the checkpoint that `undo` restores, or 0
 * @next_auto: number of the next automatic name (v1, v2, ...)
 * @created: nanoseconds since 1970
 * @uuid: the volume's
 * @name_len: length of @name
 * @group_len: length of @group
 * @name: unique in the store
 * @group: the group it belongs to, or empty
 * @policy: retention
 */
struct cpb_disk_volume {
	__le32 type;
	__le32 flags;
	__le64 id;
	__le64 head;
	__le64 generation;
	__le64 undo;
	__le64 next_auto;
	__le64 created;
	__u8 uuid[CPB_UUID_LEN];
	__le16 name_len;
	__le16 group_len;
	__le32 pad;
	__u8 name[CPB_NAME_LEN];
	__u8 group[CPB_NAME_LEN];
	struct cpb_disk_policy policy;
	__u8 reserved[264];
};

/* struct cpb_disk_volume, @flags */
#define CPB_VOLUME_READONLY	(1U << 0)
#define CPB_VOLUME_NOSCAN	(1U << 1) /* hidden from blkid and udev scans */
#define CPB_VOLUME_FLAGS	0x3

/** struct cpb_disk_root - where a table or a tree starts; @ref 0: empty */
struct cpb_disk_root {
	__le64 ref;
	__le32 level;
	__le32 pad;
};

#define CPB_BITMAPS_MAX		((CPB_META_BLOCKS_MAX + CPB_SPACE_BITS - 1) / CPB_SPACE_BITS)

/*
 * Options of a store, by number: a number is never given to something else.
 * kmod/core/options.c has their names, units, ranges and defaults; those that are
 * not there are reserved.
 */
enum cpb_option {
	CPB_OPTION_WARN_DATA = 1,
	CPB_OPTION_WARN_META,
	CPB_OPTION_AUTO_DELETE,
	CPB_OPTION_RECLAIM_LATENCY,
	CPB_OPTION_DISCARD,
	CPB_OPTION_DISCARD_BATCH,
	CPB_OPTION_FLUSH_INTERVAL,
	CPB_OPTION_ZERO_DETECT,

	CPB_OPTION_END
};

#define CPB_OPTION_SLOTS	32

/**
 * struct cpb_disk_options - options of a store
 * @value: by enum cpb_option: the value plus 1, or 0: the default. What this
 *	version has no option for is carried along
 */
struct cpb_disk_options {
	__le32 value[CPB_OPTION_SLOTS];
};

/**
 * struct cpb_disk_super - superblock
 * @h: header; @h.txn is the transaction that this block makes durable
 * @version: CPB_VERSION
 * @chunk_shift: log2 of the chunk size in bytes
 * @incompat: features that a reader must know, or not open the store
 * @ro_compat: features that a writer must know, or open it read-only
 * @compat: features that may be ignored
 * @created: nanoseconds since 1970
 * @name: of the store
 * @meta_blocks: size of the metadata device in use
 * @data_chunks: size of the data device in use
 * @journal_start: first block of the journal area
 * @journal_blocks: its size
 * @journal_tail: block of the area (from 0) at which replay starts
 * @journal_link: checksum that the batch there must name as its predecessor's
 * @journal_seq: number of that batch
 * @bitmap_start: first block of the bitmap area; place P of bitmap I is block
 *	@bitmap_start + 2 * I + P
 * @bitmap_slots: bitmaps that the area has room for
 * @meta_used: metadata blocks in use, the fixed areas included
 * @data_used: chunks in use
 * @epoch: the store's
 * @next_id: next ID of a point or a deadlist
 * @next_volume: next ID of a volume
 * @object_slots: object slots that the table has
 * @objects: table of objects
 * @space: table of chunk bitmaps
 * @dead: the dead tree
 * @dead_nodes: how many blocks it has
 * @label_crc: CRC-32C of the label's @cookie, so that two stores made from one
 *	image can't have their devices exchanged
 * @options: of the store
 * @bitmap_place: bit I: which place of bitmap I is current
 */
struct cpb_disk_super {
	struct cpb_disk_header h;
	__le32 version;
	__le32 chunk_shift;
	__le64 incompat;
	__le64 ro_compat;
	__le64 compat;
	__le64 created;
	__u8 name[CPB_NAME_LEN];
	__le64 meta_blocks;
	__le64 data_chunks;
	__le64 journal_start;
	__le64 journal_blocks;
	__le64 journal_tail;
	__le64 journal_seq;
	__le32 journal_link;
	__le32 label_crc;
	__le64 bitmap_start;
	__le64 bitmap_slots;
	__le64 meta_used;
	__le64 data_used;
	__le64 epoch;
	__le64 next_id;
	__le64 next_volume;
	__le64 object_slots;
	struct cpb_disk_root objects;
	struct cpb_disk_root space;
	struct cpb_disk_root dead;
	__le64 dead_nodes;
	struct cpb_disk_options options;
	__u8 reserved[128];
	__le64 bitmap_place[(CPB_BITMAPS_MAX + 63) / 64];
};

/**
 * struct cpb_disk_label - first block of the data device
 * @h: header; @h.self is 0
 * @version: CPB_VERSION
 * @chunk_shift: as in the superblock
 * @cookie: random; its checksum is in the superblock
 * @name: of the store
 */
struct cpb_disk_label {
	struct cpb_disk_header h;
	__le32 version;
	__le32 chunk_shift;
	__u8 cookie[CPB_UUID_LEN];
	__u8 name[CPB_NAME_LEN];
};

/* struct cpb_disk_super, @incompat */
#define CPB_INCOMPAT_STAMPS	(1U << 0) /* sectors of the journal have stamps */
#define CPB_INCOMPAT_SHORT	(1U << 1) /* a batch ends with the sector its records end in */
#define CPB_INCOMPAT_KNOWN	(CPB_INCOMPAT_STAMPS | CPB_INCOMPAT_SHORT)

#define CPB_SECTOR_SIZE		512U	/* what a device writes wholly or not at all */

/**
 * struct cpb_disk_stamp - end of each sector of a journal batch
 * @crc: @h.crc of the batch's head
 * @length: in sectors with %CPB_INCOMPAT_SHORT, else in blocks
 * @sector: which one of the batch this is
 * @store: the first bytes of the store's UUID
 * @seq: the batch's number, the low half of @h.base
 */
struct cpb_disk_stamp {
	__le32 crc;
	__le16 length;
	__le16 sector;
	__u8 store[4];
	__le32 seq;
};

#define CPB_STAMPED_ROOM	(CPB_SECTOR_SIZE - sizeof(struct cpb_disk_stamp))

/**
 * struct cpb_disk_batch - head of a journal batch
 * @h: header; @h.crc covers all of the batch but its stamps; @h.txn is the transaction
 *	that its records belong to, so that replay passes over what the
 *	superblock's transaction holds already; @h.self is the block in which
 *	it starts; @h.base is the batch's number
 * @link: @h.crc of the batch before, which makes a chain that no stale batch
 *	fits into
 * @bytes: of records that follow this head
 * @blocks: what the batch takes of the journal, without a wrap in it
 * @pad: zero
 *
 * Head and records are a stream of bytes; with %CPB_INCOMPAT_STAMPS it goes on
 * behind the stamp that is at the end of each sector. What the stream leaves of its
 * last sector is zero, and so, without %CPB_INCOMPAT_SHORT, are the sectors up to the
 * end of its last block. With it these are no part of the batch: they may hold
 * anything, such as what an older batch left there.
 */
struct cpb_disk_batch {
	struct cpb_disk_header h;
	__le32 link;
	__le32 bytes;
	__le32 blocks;
	__le32 pad;
};

enum cpb_record_type {
	CPB_RECORD_MAP = 1,	/* struct cpb_disk_record_map */
	CPB_RECORD_UNMAP,	/* struct cpb_disk_record_unmap */
	CPB_RECORD_CREATE,	/* struct cpb_disk_record_op, and all below */
	CPB_RECORD_REMOVE,
	CPB_RECORD_RESIZE,
	CPB_RECORD_SNAP,
	CPB_RECORD_RESTORE,
	CPB_RECORD_FORK,
	CPB_RECORD_DELETE,
	CPB_RECORD_SET,
};

/* What CPB_RECORD_SET sets. */
enum cpb_set_field {
	CPB_SET_HOLD = 1,	/* of checkpoint @target, for the reason in @text */
	CPB_SET_RELEASE,	/* no hold any more */
	CPB_SET_POLICY,		/* of the volume: struct cpb_disk_policy in @text */
	CPB_SET_OPTIONS,	/* of the store: struct cpb_disk_options in @text */
	CPB_SET_GROUP,		/* of the volume: the name in @text, or none */
};

/** struct cpb_disk_record - how every record starts; @size in bytes, of 8 */
struct cpb_disk_record {
	__le16 type;
	__le16 size;
	__le32 volume;	/* ID */
};

/** struct cpb_disk_record_map - chunks of a run became virtual chunks */
struct cpb_disk_record_map {
	struct cpb_disk_record r;
	__le64 vchunk;
	__le64 run;
};

/** struct cpb_disk_record_unmap - @nr virtual chunks became holes */
struct cpb_disk_record_unmap {
	struct cpb_disk_record r;
	__le64 vchunk;
	__le64 nr;
};

/**
 * struct cpb_disk_record_op - a change of the history
 * @r: type and volume; CREATE and FORK: the new volume
 * @time: nanoseconds since 1970
 * @target: ID of the checkpoint it is about, or 0
 * @id: first ID that it takes from the store's counter, as a check on replay
 * @arg: CREATE, RESIZE: size in bytes; SNAP: number of volumes that follow, by
 *	ID, in @text; RESTORE: number of pairs of a volume and its checkpoint;
 *	DELETE: number of checkpoints; SET: enum cpb_set_field
 * @flags: CPB_POINT_* of a new checkpoint, CPB_VOLUME_* of a new volume
 * @name_len: bytes of @text that are a name
 * @text_len: length of @text, without the padding to a multiple of 8
 * @uuid: of a new volume
 * @text: name, then message, then IDs, a policy or options
 */
struct cpb_disk_record_op {
	struct cpb_disk_record r;
	__le64 time;
	__le64 target;
	__le64 id;
	__le64 arg;
	__le32 flags;
	__le16 name_len;
	__le16 text_len;
	__u8 uuid[CPB_UUID_LEN];
	__u8 text[];
};

#endif /* CPBLK_FORMAT_H */
