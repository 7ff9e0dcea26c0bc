// SPDX-License-Identifier: GPL-2.0
/*
 * How a batch of the journal lies in its blocks, and what is left of one that is
 * not whole.
 *
 * After a power cut each sector of the batch that was being written may be as it
 * was before. That is nothing to speak of: nobody was told that the batch is
 * durable. But it must not be taken for a batch that was, and is damaged. So each
 * sector ends with a stamp, as the sectors of NTFS's records do: if all sectors
 * have the stamp of one batch it was written to its end, and whatever is wrong
 * with it has come later. One of a single sector is there as soon as any of it is.
 *
 * The records don't lie in the stamps' places: a batch is a stream of bytes that
 * passes over them. Stores of before there were stamps have whole sectors of it.
 *
 * A batch begins with a block, and ends with the sector that its stream ends in: most
 * are of one sector, and where the device takes sectors nothing else is written. Stores
 * of before that have batches that end with a block, as does a batch's place in any.
 */
#include "engine.h"

#define SECTORS		(CPB_BLOCK_SIZE / CPB_SECTOR_SIZE)

/* Either half of a stamp tells what it is the stamp of. */
#define HALF		offsetof(struct cpb_disk_stamp, store)

static u8 *sector(const struct cpb_vec *vec, unsigned int i)
{
	return vec[i / SECTORS].data + i % SECTORS * CPB_SECTOR_SIZE;
}

static struct cpb_disk_stamp *stamp(const struct cpb_vec *vec, unsigned int i)
{
	return (void *)(sector(vec, i) + CPB_STAMPED_ROOM);
}

/** cpb_batch_form() - how the batches of the store with this superblock lie */
struct cpb_batch_form cpb_batch_form(const struct cpb_disk_super *sb)
{
	u64 incompat = le64_to_cpu(sb->incompat);

	return (struct cpb_batch_form){
		.room = incompat & CPB_INCOMPAT_STAMPS ? CPB_STAMPED_ROOM : CPB_SECTOR_SIZE,
		.ends = incompat & CPB_INCOMPAT_SHORT,
	};
}

/** cpb_batch_bytes() - length of the stream in @blocks blocks, the head in it */
size_t cpb_batch_bytes(unsigned int blocks, const struct cpb_batch_form *f)
{
	return (size_t)blocks * SECTORS * f->room;
}

/** cpb_batch_sectors() - how many sectors the batch in @vec has, of those of @blocks blocks */
unsigned int cpb_batch_sectors(const struct cpb_vec *vec, unsigned int blocks,
			       const struct cpb_batch_form *f)
{
	const struct cpb_disk_batch *b = vec[0].data;
	u64 stream = sizeof(*b) + (u64)le32_to_cpu(b->bytes);
	size_t most = cpb_batch_bytes(blocks, f);

	/* A damaged one may say that it is longer. */
	return DIV_ROUND_UP(f->ends && stream < most ? (size_t)stream : most, f->room);
}

/**
 * cpb_batch_put() - append to the stream
 * @vec: the batch's blocks
 * @f: how it lies there
 * @at: where, bytes
 * @p: what
 * @len: bytes of it
 *
 * Return: where it ends.
 */
size_t cpb_batch_put(const struct cpb_vec *vec, const struct cpb_batch_form *f, size_t at,
		     const void *p, size_t len)
{
	while (len) {
		size_t n = min(f->room - at % f->room, len);

		memcpy(sector(vec, at / f->room) + at % f->room, p, n);
		at += n;
		p += n;
		len -= n;
	}
	return at;
}

/** cpb_batch_clear() - zeroes from @at in the stream to the end of sector @end - 1 */
void cpb_batch_clear(const struct cpb_vec *vec, const struct cpb_batch_form *f, size_t at,
		     unsigned int end)
{
	for (; at < end * f->room; at += f->room - at % f->room)
		memset(sector(vec, at / f->room) + at % f->room, 0,
		       CPB_SECTOR_SIZE - at % f->room);
}

/** cpb_batch_get() - the whole stream of @blocks blocks, to @flat */
void cpb_batch_get(const struct cpb_vec *vec, unsigned int blocks,
		   const struct cpb_batch_form *f, void *flat)
{
	unsigned int i;

	for (i = 0; i < blocks * SECTORS; i++)
		memcpy(flat + i * f->room, sector(vec, i), f->room);
}

static u32 checksum(const struct cpb_vec *vec, unsigned int sectors,
		    const struct cpb_batch_form *f)
{
	u32 crc = port_crc(0, vec[0].data + sizeof(__le32), f->room - sizeof(__le32));
	unsigned int i;

	for (i = 1; i < sectors; i++)
		crc = port_crc(crc, sector(vec, i), f->room);
	return crc;
}

static struct cpb_disk_stamp stamp_of(const u8 *uuid, u64 seq, __le32 crc,
				      unsigned int length, unsigned int i)
{
	struct cpb_disk_stamp st = {
		.crc = crc,
		.length = cpu_to_le16(length),
		.sector = cpu_to_le16(i),
		.seq = cpu_to_le32(seq),
	};

	memcpy(st.store, uuid, sizeof(st.store));
	return st;
}

/* The stamp that sector @i of the batch of @sectors in @vec should have. */
static struct cpb_disk_stamp stamp_by_head(const struct cpb_vec *vec, unsigned int sectors,
					   const struct cpb_batch_form *f, unsigned int i)
{
	const struct cpb_disk_batch *b = vec[0].data;

	return stamp_of(b->h.uuid, le64_to_cpu(b->h.base), b->h.crc,
			f->ends ? sectors : le32_to_cpu(b->blocks), i);
}

/** cpb_batch_seal() - put a batch's checksum into its head, and its stamps */
void cpb_batch_seal(const struct cpb_vec *vec, unsigned int blocks,
		    const struct cpb_batch_form *f)
{
	unsigned int sectors = cpb_batch_sectors(vec, blocks, f), i;
	struct cpb_disk_batch *b = vec[0].data;

	b->h.crc = cpu_to_le32(checksum(vec, sectors, f));
	for (i = 0; i < sectors && f->room < CPB_SECTOR_SIZE; i++)
		*stamp(vec, i) = stamp_by_head(vec, sectors, f, i);
}

/** cpb_batch_whole() - are the checksum and the stamps right? */
bool cpb_batch_whole(const struct cpb_vec *vec, unsigned int blocks,
		     const struct cpb_batch_form *f)
{
	unsigned int sectors = cpb_batch_sectors(vec, blocks, f), i;
	const struct cpb_disk_batch *b = vec[0].data;
	struct cpb_disk_stamp st;

	if (le32_to_cpu(b->h.crc) != checksum(vec, sectors, f))
		return false;
	for (i = 0; i < sectors && f->room < CPB_SECTOR_SIZE; i++) {
		st = stamp_by_head(vec, sectors, f, i);
		if (memcmp(&st, stamp(vec, i), sizeof(st)))
			return false;
	}
	return true;
}

/* Are all sectors of the batch that @one is a stamp of there? */
static bool all_there(const struct cpb_vec *vec, unsigned int nr,
		      const struct cpb_batch_form *f, const u8 *uuid, u64 seq,
		      const struct cpb_disk_stamp *one)
{
	unsigned int length = le16_to_cpu(one->length), i;
	unsigned int sectors = f->ends ? length : length * SECTORS;

	if (!sectors || sectors > nr * SECTORS)
		return false;
	for (i = 0; i < sectors; i++) {
		struct cpb_disk_stamp st = stamp_of(uuid, seq, one->crc, length, i);
		const void *is = stamp(vec, i);

		/* One may be what is damaged. */
		if (memcmp(&st, is, HALF) &&
		    memcmp((void *)&st + HALF, is + HALF, sizeof(st) - HALF))
			return false;
	}
	return true;
}

/** cpb_batch_is_head() - is this the head of a batch of the store with this UUID? */
bool cpb_batch_is_head(const struct cpb_disk_batch *b, const u8 *uuid)
{
	return le32_to_cpu(b->h.magic) == CPB_MAGIC_BATCH &&
	       !memcmp(b->h.uuid, uuid, sizeof(b->h.uuid));
}

/* Is there the head of batch @seq, and has that a single sector? */
static bool is_one(const struct cpb_vec *vec, const struct cpb_batch_form *f,
		   const u8 *uuid, u64 seq)
{
	const struct cpb_disk_batch *b = vec[0].data;

	return f->ends && cpb_batch_is_head(b, uuid) && le64_to_cpu(b->h.base) == seq &&
	       cpb_batch_sectors(vec, 1, f) == 1;
}

/**
 * cpb_batch_trace() - was a batch written here that is not whole now?
 * @vec: what is there
 * @nr: blocks of it
 * @f: how batches lie there
 * @uuid: the store's
 * @seq: the batch's number
 * @ring: blocks of the journal, so that it has no more batches
 *
 * Return: what there is of it; without stamps nothing is known.
 */
enum cpb_trace cpb_batch_trace(const struct cpb_vec *vec, unsigned int nr,
			       const struct cpb_batch_form *f, const u8 *uuid, u64 seq,
			       u64 ring)
{
	enum cpb_trace found = CPB_TRACE_NONE;
	unsigned int i;

	if (f->room == CPB_SECTOR_SIZE)
		return CPB_TRACE_NONE;
	/* There is no half of a sector: its head alone says that all was there. */
	if (nr && is_one(vec, f, uuid, seq))
		return CPB_TRACE_DAMAGED;
	for (i = 0; i < nr * SECTORS; i++) {
		const struct cpb_disk_stamp *st = stamp(vec, i);
		u32 ahead = le32_to_cpu(st->seq) - (u32)seq;

		if (memcmp(st->store, uuid, sizeof(st->store)) || ahead > ring)
			continue;
		/*
		 * What is behind short batches may stay until numbers, of which stamps have
		 * 32 bits, have gone round. The first sector of a block does not, and of
		 * all but the next batch it is as good as the others.
		 */
		if (ahead > 1 && i % SECTORS)
			continue;
		/* A later one, whole or not, was begun when this one was durable. */
		if (ahead || all_there(vec, nr, f, uuid, seq, st))
			return CPB_TRACE_DAMAGED;
		found = CPB_TRACE_TORN;
	}
	return found;
}
