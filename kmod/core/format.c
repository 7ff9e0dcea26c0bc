// SPDX-License-Identifier: GPL-2.0
/*
 * The disk format: sealing and verifying blocks, and an empty store.
 */
#include "engine.h"

static_assert(sizeof(struct cpb_disk_header) == 64, "header");
static_assert(sizeof(struct cpb_disk_extent) == 24, "extent");
static_assert(sizeof(struct cpb_disk_child) == 24, "child");
static_assert(sizeof(struct cpb_disk_dead) == 24, "dead");
static_assert(sizeof(struct cpb_disk_dead_child) == 40, "dead child");
static_assert(sizeof(struct cpb_disk_index) == 16, "index");
static_assert(CPB_META_BLOCKS_MAX <= 1ULL << CPB_REF_TXN_SHIFT, "reference");
static_assert(sizeof(struct cpb_disk_policy) == 32, "policy");
static_assert(sizeof(struct cpb_disk_options) == 128, "options");
static_assert(sizeof(struct cpb_disk_super) <= CPB_BLOCK_SIZE, "superblock");
static_assert(sizeof(struct cpb_disk_label) <= CPB_BLOCK_SIZE, "label");
static_assert(sizeof(struct cpb_disk_batch) == 80, "batch");
static_assert(sizeof(struct cpb_disk_stamp) == 16, "stamp");
static_assert(sizeof(struct cpb_disk_record) == 8, "record");
static_assert(sizeof(struct cpb_disk_record_map) == 24, "record");
static_assert(sizeof(struct cpb_disk_record_op) == 64, "record");
static_assert(sizeof(struct cpb_seg) == CPB_BLOCK_SIZE, "segment");

static u32 block_crc(const struct cpb_disk_header *h)
{
	return port_crc(0, (const u8 *)h + sizeof(h->crc),
			CPB_BLOCK_SIZE - sizeof(h->crc));
}

/** cpb_seal() - fill in what makes a block valid: the last thing before a write */
void cpb_seal(struct cpb_store *s, struct cpb_disk_header *h, u64 addr, u64 txn)
{
	h->self = cpu_to_le64(addr);
	h->txn = cpu_to_le64(txn);
	memcpy(h->uuid, s->uuid, sizeof(h->uuid));
	h->crc = cpu_to_le32(block_crc(h));
}

/**
 * cpb_verify() - is this the block that was asked for, and whole?
 * @h: the block
 * @magic: 0 for any
 * @addr: address of the block
 * @uuid: the store's, or NULL where that is not known yet
 *
 * Return: 0; -EBADMSG: the checksum is wrong; -EUCLEAN: it is another block.
 */
int cpb_verify(const struct cpb_disk_header *h, u32 magic, u64 addr,
	       const u8 *uuid)
{
	if (block_crc(h) != le32_to_cpu(h->crc))
		return -EBADMSG;
	if ((magic && le32_to_cpu(h->magic) != magic) ||
	    le64_to_cpu(h->self) != addr ||
	    (uuid && memcmp(h->uuid, uuid, CPB_UUID_LEN)))
		return -EUCLEAN;
	return 0;
}

/** cpb_name_ok() - can this be the name of a store, a volume, a checkpoint? */
bool cpb_name_ok(const char *name)
{
	size_t len = strlen(name), i;

	if (!len || len >= CPB_NAME_LEN || name[0] == '.' || name[0] == '-' ||
	    !strcmp(name, "HEAD"))
		return false;
	for (i = 0; i < len; i++) {
		char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

/* ---- An empty store ---- */

static int refuse(char *why, const char *text)
{
	snprintf(why, CPB_ERROR_LEN, "%s", text);
	return -EINVAL;
}

static int fill_super(const struct cpb_params *p, struct cpb_disk_super *sb,
		      u64 now, char *why)
{
	unsigned int shift = p->chunk_shift ? p->chunk_shift : CPB_CHUNK_SHIFT_MIN;
	u64 journal = p->journal_blocks, slots, fixed, chunks;

	if (!cpb_name_ok(p->name))
		return refuse(why, "the store's name can't be: 1 to 63 of A-Z a-z 0-9 . _ -, not beginning with . or -");
	if (shift < CPB_CHUNK_SHIFT_MIN || shift > CPB_CHUNK_SHIFT_MAX)
		return refuse(why, "the chunk size must be a power of two from 4 KiB to 1 MiB");
	if (p->meta_blocks < CPB_META_BLOCKS_MIN)
		return refuse(why, "the metadata device is smaller than 16 MiB");
	if (p->data_bytes < CPB_DATA_START + (64ULL << shift))
		return refuse(why, "the data device is too small for 64 chunks");
	if (!journal)
		journal = min(max(p->meta_blocks / 16, 256ULL), 32768ULL);
	if (journal < 2 * CPB_BATCH_BLOCKS || journal > p->meta_blocks / 4)
		return refuse(why, "the journal must have at least 64 blocks and at most a quarter of the metadata device");
	/* Room for bitmaps of a device 16 times as large, so that it can grow. */
	slots = DIV_ROUND_UP(min(p->meta_blocks * 16, CPB_META_BLOCKS_MAX),
			     CPB_SPACE_BITS);
	fixed = CPB_AREA_START + journal + 2 * slots;
	chunks = min((p->data_bytes - CPB_DATA_START) >> shift, CPB_CHUNKS_MAX);

	sb->h.magic = cpu_to_le32(CPB_MAGIC_SUPER);
	sb->version = cpu_to_le32(CPB_VERSION);
	sb->incompat = cpu_to_le64(CPB_INCOMPAT_STAMPS | CPB_INCOMPAT_SHORT);
	sb->chunk_shift = cpu_to_le32(shift);
	sb->created = cpu_to_le64(now);
	memcpy(sb->name, p->name, strlen(p->name));
	sb->meta_blocks = cpu_to_le64(min(p->meta_blocks, CPB_META_BLOCKS_MAX));
	sb->data_chunks = cpu_to_le64(chunks);
	sb->journal_start = cpu_to_le64(CPB_AREA_START);
	sb->journal_blocks = cpu_to_le64(journal);
	sb->journal_seq = cpu_to_le64(1);
	sb->label_crc = cpu_to_le32(port_crc(0, p->cookie, sizeof(p->cookie)));
	sb->bitmap_start = cpu_to_le64(CPB_AREA_START + journal);
	sb->bitmap_slots = cpu_to_le64(slots);
	sb->meta_used = cpu_to_le64(fixed);
	sb->epoch = cpu_to_le64(1);
	sb->next_id = cpu_to_le64(1);
	sb->next_volume = cpu_to_le64(1);
	return 0;
}

static int put(struct cpb_store *s, const struct cpb_ops *ops, void *ctx,
	       u64 addr, u64 txn, void *data, unsigned int flags)
{
	struct cpb_vec vec = { .block = addr, .data = data };

	cpb_seal(s, data, addr, txn);
	return ops->write(ctx, &vec, 1, flags);
}

/* The bitmaps: all blocks before the end of the bitmap area are in use. */
static int format_bitmaps(struct cpb_store *s, const struct cpb_ops *ops,
			  void *ctx, const struct cpb_disk_super *sb)
{
	u64 nr = DIV_ROUND_UP(le64_to_cpu(sb->meta_blocks), CPB_SPACE_BITS), i, b;
	u64 fixed = le64_to_cpu(sb->meta_used);
	struct cpb_disk_header *h = port_alloc_block();
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		u8 *map = (u8 *)(h + 1);

		memset(h, 0, CPB_BLOCK_SIZE);
		h->magic = cpu_to_le32(CPB_MAGIC_BITMAP);
		h->base = cpu_to_le64(i);
		for (b = i * CPB_SPACE_BITS;
		     b < fixed && b < (i + 1) * CPB_SPACE_BITS; b++)
			map[b % CPB_SPACE_BITS / 8] |= 1 << b % CPB_SPACE_BITS % 8;
		err = put(s, ops, ctx, le64_to_cpu(sb->bitmap_start) + 2 * i, 1,
			  h, 0);
	}
	port_free_block(h);
	return err;
}

int cpb_format(const struct cpb_ops *ops, void *ctx, const struct cpb_params *p,
	       char why[CPB_ERROR_LEN])
{
	struct cpb_store *s = port_alloc(sizeof(*s));
	struct cpb_disk_super *sb = port_alloc_block();
	struct cpb_disk_label *label = port_alloc_block();
	struct cpb_vec vec = { .data = label };
	int err = s ? 0 : -ENOMEM;

	why[0] = 0;
	memset(sb, 0, CPB_BLOCK_SIZE);
	memset(label, 0, CPB_BLOCK_SIZE);
	if (!err)
		err = fill_super(p, sb, ops->now(ctx), why);
	if (err)
		goto out;
	memcpy(s->uuid, p->uuid, sizeof(s->uuid));

	/* No earlier store may be found in between, or its journal later on. */
	err = ops->write(ctx, &vec, 1, 0);
	vec.block = CPB_SB_SECOND;
	if (!err)
		err = ops->write(ctx, &vec, 1, 0);
	vec.block = le64_to_cpu(sb->journal_start);
	if (!err)
		err = ops->write(ctx, &vec, 1, CPB_WRITE_FUA);
	if (!err)
		err = format_bitmaps(s, ops, ctx, sb);
	if (err)
		goto out;

	label->h.magic = cpu_to_le32(CPB_MAGIC_LABEL);
	label->version = sb->version;
	label->chunk_shift = sb->chunk_shift;
	memcpy(label->cookie, p->cookie, sizeof(label->cookie));
	memcpy(label->name, sb->name, sizeof(label->name));
	cpb_seal(s, &label->h, 0, 1);
	err = ops->label(ctx, label, true);
	if (!err)
		err = ops->flush_data(ctx);
	if (!err)
		err = put(s, ops, ctx, 0, 1, sb,
			  CPB_WRITE_PREFLUSH | CPB_WRITE_FUA);
	if (!err)
		err = put(s, ops, ctx, CPB_SB_SECOND, 1, sb, CPB_WRITE_FUA);
out:
	if (err && !why[0])
		snprintf(why, CPB_ERROR_LEN, "writing failed (error %d)", err);
	port_free_block(label);
	port_free_block(sb);
	port_free(s);
	return err;
}
