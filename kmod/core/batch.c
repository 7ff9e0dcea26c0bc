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
 * with it has come later.
 *
 * The records don't lie in the stamps' places: a batch is a stream of bytes that
 * passes over them. Stores of before there were stamps have whole sectors of it.
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

/** cpb_batch_room() - bytes of each sector that are the stream's, by the superblock */
unsigned int cpb_batch_room(const struct cpb_disk_super *sb)
{
	return le64_to_cpu(sb->incompat) & CPB_INCOMPAT_STAMPS ? CPB_STAMPED_ROOM :
								 CPB_SECTOR_SIZE;
}

/** cpb_batch_bytes() - length of the stream in @blocks blocks, the head in it */
size_t cpb_batch_bytes(unsigned int blocks, unsigned int room)
{
	return (size_t)blocks * SECTORS * room;
}

/**
 * cpb_batch_put() - append to the stream
 * @vec: the batch's blocks
 * @room: of each sector
 * @at: where, bytes
 * @p: what
 * @len: bytes of it
 *
 * Return: where it ends.
 */
size_t cpb_batch_put(const struct cpb_vec *vec, unsigned int room, size_t at,
		     const void *p, size_t len)
{
	while (len) {
		size_t n = min(room - at % room, len);

		memcpy(sector(vec, at / room) + at % room, p, n);
		at += n;
		p += n;
		len -= n;
	}
	return at;
}

/** cpb_batch_get() - the whole stream of @blocks blocks, to @flat */
void cpb_batch_get(const struct cpb_vec *vec, unsigned int blocks, unsigned int room,
		   void *flat)
{
	unsigned int i;

	for (i = 0; i < blocks * SECTORS; i++)
		memcpy(flat + i * room, sector(vec, i), room);
}

static u32 checksum(const struct cpb_vec *vec, unsigned int blocks, unsigned int room)
{
	u32 crc = port_crc(0, vec[0].data + sizeof(__le32), room - sizeof(__le32));
	unsigned int i;

	for (i = 1; i < blocks * SECTORS; i++)
		crc = port_crc(crc, sector(vec, i), room);
	return crc;
}

static struct cpb_disk_stamp stamp_of(const u8 *uuid, u64 seq, __le32 crc,
				      unsigned int blocks, unsigned int i)
{
	struct cpb_disk_stamp st = {
		.crc = crc,
		.blocks = cpu_to_le16(blocks),
		.sector = cpu_to_le16(i),
		.seq = cpu_to_le32(seq),
	};

	memcpy(st.store, uuid, sizeof(st.store));
	return st;
}

/* The stamp that sector @i of this batch should have. */
static struct cpb_disk_stamp stamp_by_head(const struct cpb_disk_batch *b,
					   unsigned int i)
{
	return stamp_of(b->h.uuid, le64_to_cpu(b->h.base), b->h.crc,
			le32_to_cpu(b->blocks), i);
}

/** cpb_batch_seal() - put a batch's checksum into its head, and its stamps */
void cpb_batch_seal(const struct cpb_vec *vec, unsigned int blocks, unsigned int room)
{
	struct cpb_disk_batch *b = vec[0].data;
	unsigned int i;

	b->h.crc = cpu_to_le32(checksum(vec, blocks, room));
	for (i = 0; i < blocks * SECTORS && room < CPB_SECTOR_SIZE; i++)
		*stamp(vec, i) = stamp_by_head(b, i);
}

/** cpb_batch_whole() - are the checksum and the stamps right? */
bool cpb_batch_whole(const struct cpb_vec *vec, unsigned int blocks, unsigned int room)
{
	const struct cpb_disk_batch *b = vec[0].data;
	struct cpb_disk_stamp st;
	unsigned int i;

	if (le32_to_cpu(b->h.crc) != checksum(vec, blocks, room))
		return false;
	for (i = 0; i < blocks * SECTORS && room < CPB_SECTOR_SIZE; i++) {
		st = stamp_by_head(b, i);
		if (memcmp(&st, stamp(vec, i), sizeof(st)))
			return false;
	}
	return true;
}

/* Are all sectors of the batch that @one is a stamp of there? */
static bool all_there(const struct cpb_vec *vec, unsigned int nr, const u8 *uuid,
		      u64 seq, const struct cpb_disk_stamp *one)
{
	unsigned int blocks = le16_to_cpu(one->blocks), i;

	if (!blocks || blocks > nr)
		return false;
	for (i = 0; i < blocks * SECTORS; i++) {
		struct cpb_disk_stamp st = stamp_of(uuid, seq, one->crc, blocks, i);
		const void *is = stamp(vec, i);

		/* One may be what is damaged. */
		if (memcmp(&st, is, HALF) &&
		    memcmp((void *)&st + HALF, is + HALF, sizeof(st) - HALF))
			return false;
	}
	return true;
}

/**
 * cpb_batch_trace() - was a batch written here that is not whole now?
 * @vec: what is there
 * @nr: blocks of it
 * @uuid: the store's
 * @seq: the batch's number
 * @ring: blocks of the journal, so that it has no more batches
 *
 * For stores with stamps. Return: what there is of it.
 */
enum cpb_trace cpb_batch_trace(const struct cpb_vec *vec, unsigned int nr,
			       const u8 *uuid, u64 seq, u64 ring)
{
	enum cpb_trace found = CPB_TRACE_NONE;
	unsigned int i;

	for (i = 0; i < nr * SECTORS; i++) {
		const struct cpb_disk_stamp *st = stamp(vec, i);
		u32 ahead = le32_to_cpu(st->seq) - (u32)seq;

		if (memcmp(st->store, uuid, sizeof(st->store)) || ahead > ring)
			continue;
		/* A later one, whole or not, was begun when this one was durable. */
		if (ahead || all_there(vec, nr, uuid, seq, st))
			return CPB_TRACE_DAMAGED;
		found = CPB_TRACE_TORN;
	}
	return found;
}
