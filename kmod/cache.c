// SPDX-License-Identifier: GPL-2.0
/*
 * What the data device may have in its volatile cache, and so whether it has to be
 * flushed.
 *
 * A write with FUA leaves nothing there. So what a bio with FUA writes has FUA on
 * the data device too, and the flush behind it is the journal's write alone. And
 * who writes once, flushes, writes once, and so on (a database's log) gets FUA for
 * the writes: two round trips to the devices, as many as a disk of its own takes,
 * instead of three. With more writes to a flush one flush for all costs less.
 *
 * Whoever writes a mapping to disk flushes first. A write that may be in the cache
 * sets @dirty when it is complete, before its mapping is there to be written (the
 * tree's lock orders the two); a flush clears it before it begins. The engine has one
 * flush at a time, or the next could find nothing to do that is not done yet; and
 * after one that failed there is none.
 */
#include "cpblk.h"

/* So many flushes for one write each, and the next write has FUA. */
#define LONE	4U

/**
 * cpblk_cache_wrote() - a write of data is through
 * @s: the store
 * @bio: it, completed
 *
 * Before its mapping is changed. Any context.
 */
void cpblk_cache_wrote(struct cpblk_store *s, const struct bio *bio)
{
	/* The block layer takes FUA off where it means nothing. */
	if (!(bio->bi_opf & REQ_FUA) && !READ_ONCE(s->cache.dirty))
		WRITE_ONCE(s->cache.dirty, true);
}

/**
 * cpblk_cache_abort() - a write has failed: cpb_write_abort()
 * @s: the store
 * @run: where it went
 *
 * The next flush asks the device, whatever there is to flush. Any context.
 */
void cpblk_cache_abort(struct cpblk_store *s, const struct cpb_run *run)
{
	WRITE_ONCE(s->cache.dirty, true);
	cpb_write_abort(s->engine, run);
}

/**
 * cpblk_cache_opf() - how to write the next data
 * @s: the store
 * @fua: it was asked for FUA
 *
 * Return: REQ_FUA or 0. Any context.
 */
blk_opf_t cpblk_cache_opf(struct cpblk_store *s, bool fua)
{
	struct cpblk_cache *c = &s->cache;
	unsigned int written = READ_ONCE(c->written);

	/* Two is more than one: all that matters. */
	if (written < 2)
		WRITE_ONCE(c->written, written + 1);
	if (likely(!fua && (written || READ_ONCE(c->lone) < LONE)))
		return 0;
	/* Where it is made of a flush, one for all is better. */
	return bdev_write_cache(s->data.bdev) && bdev_fua(s->data.bdev) ? REQ_FUA : 0;
}

/** cpblk_cache_asked() - @nr flushes are done together now; process context */
void cpblk_cache_asked(struct cpblk_store *s, unsigned int nr)
{
	struct cpblk_cache *c = &s->cache;

	if (nr > 1 || READ_ONCE(c->written) > 1)
		WRITE_ONCE(c->lone, 0);
	else if (c->lone < LONE)
		WRITE_ONCE(c->lone, c->lone + 1);
	WRITE_ONCE(c->written, 0);
}

/**
 * cpblk_cache_take() - about to flush the data device
 * @s: the store
 *
 * Return: whether it has to be. Process context; the engine has one flush at a time.
 */
bool cpblk_cache_take(struct cpblk_store *s)
{
	/* A full barrier: the flush comes later. */
	return xchg(&s->cache.dirty, false);
}

/** cpblk_cache_clean() - would a flush of the data device do nothing? Any context. */
bool cpblk_cache_clean(struct cpblk_store *s)
{
	return !READ_ONCE(s->cache.dirty) || !bdev_write_cache(s->data.bdev);
}
