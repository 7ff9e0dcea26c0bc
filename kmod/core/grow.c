// SPDX-License-Identifier: GPL-2.0
/*
 * Growing: a store takes the room that its devices have got.
 *
 * Nothing is moved, and nothing is put into the new room before a superblock
 * that knows of it is durable. So a power cut leaves a store that is as large
 * as before or as large as it is to be, and either way all that is used lies in
 * what the superblock says.
 *
 * Bitmaps of chunks come into being when the first chunk that they cover is
 * taken. Those of metadata blocks have had their places since the store was
 * formatted; how many there are is how far the metadata can grow.
 */
#include "engine.h"

/* Metadata blocks that there are bitmaps for. */
static u64 meta_limit(const struct cpb_store *s)
{
	return min(s->bitmap_slots * CPB_SPACE_BITS, CPB_META_BLOCKS_MAX);
}

/* The sizes of the next superblock; commit is held. */
static void announce(struct cpb_store *s, u64 meta_blocks, u64 chunks)
{
	u64 i, nr = DIV_ROUND_UP(meta_blocks, CPB_SPACE_BITS);
	unsigned long flags;

	/* Opening reads all bitmaps, so there has to be something to read. */
	for (i = DIV_ROUND_UP(s->meta_blocks, CPB_SPACE_BITS); i < nr; i++)
		s->bitmap_changed[i / BITS_PER_LONG] |= BIT(i % BITS_PER_LONG);
	s->disk_meta_blocks = meta_blocks;
	s->disk_chunks = chunks;
	flags = port_lock(&s->lock);
	s->super_changed = true;
	port_unlock(&s->lock, flags);
}

/* That superblock is durable. */
static struct cpb_group *take_chunks(struct cpb_store *s, struct cpb_group *fresh)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags = port_lock(&sp->lock);
	struct cpb_group *old = sp->group;

	memcpy(fresh, old, sp->nr_groups * sizeof(*old));
	if (fresh[sp->nr_groups - 1].busy)
		sp->free += min(s->disk_chunks, sp->nr_groups * CPB_SPACE_BITS) -
			    sp->chunks;
	/* The last one has become larger, or is not the last one any more. */
	fresh[sp->nr_groups - 1].full = false;
	sp->group = fresh;
	sp->nr_groups = DIV_ROUND_UP(s->disk_chunks, CPB_SPACE_BITS);
	WRITE_ONCE(sp->chunks, s->disk_chunks);
	cpb_level_moved(&sp->level, sp->busy, sp->chunks);
	port_unlock(&sp->lock, flags);
	return old;
}

static void take_blocks(struct cpb_store *s)
{
	struct cpb_blocks *b = &s->blocks;
	unsigned long flags = port_lock(&b->lock);

	b->free += s->disk_meta_blocks - b->nr;
	WRITE_ONCE(b->nr, s->disk_meta_blocks);
	WRITE_ONCE(s->meta_blocks, s->disk_meta_blocks);
	cpb_level_moved(&b->level, b->nr - b->free, b->nr);
	port_unlock(&b->lock, flags);
	cpb_set_reserves(s);
}

/* lists is held; both are as large as now, at least. */
static int grow_locked(struct cpb_store *s, u64 meta_blocks, u64 chunks)
{
	struct cpb_group *groups;
	int err;

	if (meta_blocks == s->meta_blocks && chunks == s->space.chunks)
		return 0;
	groups = port_alloc(DIV_ROUND_UP(chunks, CPB_SPACE_BITS) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	port_mutex_lock(&s->commit);
	announce(s, meta_blocks, chunks);
	err = cpb_commit_locked(s);
	if (!err) {
		port_mutex_lock(&s->meta);
		groups = take_chunks(s, groups);
		take_blocks(s);
		port_mutex_unlock(&s->meta);
	}
	port_mutex_unlock(&s->commit);
	port_free(groups);
	if (!err)
		s->ops->kick(s->ctx, CPB_KICK_LEVEL);
	return err;
}

int cpb_grow(struct cpb_store *s, u64 meta_blocks, u64 data_bytes, char *why)
{
	u64 chunks = 0;
	int err;

	if (data_bytes > CPB_DATA_START)
		chunks = min((data_bytes - CPB_DATA_START) >> s->chunk_shift,
			     CPB_CHUNKS_MAX);
	meta_blocks = min(meta_blocks, CPB_META_BLOCKS_MAX);
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err && meta_blocks < s->meta_blocks)
		err = cpb_refuse(-ENODEV, why, "the metadata device has become smaller: it has %llu blocks of 4 KiB, the store needs %llu",
				 (unsigned long long)meta_blocks,
				 (unsigned long long)s->meta_blocks);
	if (!err && chunks < s->space.chunks)
		err = cpb_refuse(-ENODEV, why, "the data device has become smaller: it has room for %llu chunks, the store needs %llu",
				 (unsigned long long)chunks,
				 (unsigned long long)s->space.chunks);
	if (!err)
		err = grow_locked(s, max(min(meta_blocks, meta_limit(s)),
					 s->meta_blocks), chunks);
	port_mutex_unlock(&s->lists);
	if (err == -ENOMEM)
		cpb_refuse(err, why, "there is not enough memory");
	return err;
}
