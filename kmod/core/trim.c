// SPDX-License-Identifier: GPL-2.0
/*
 * Telling the data device which chunks hold nothing any more.
 *
 * When chunks become free, which is when they may be used again, they are noted
 * as stale: a bit for each, beside the busy bits. A write may take them at any
 * time, and then there is nothing to tell. What is still stale when cpb_trim()
 * comes is made busy again for the time of the discard, so that the discard is
 * over before anyone writes there. Neighbours have become one piece by then,
 * whatever freed them, and in which order.
 *
 * Devices discard in granules, which may be larger than chunks. A piece is made
 * of whole granules that are free, each with something stale in it. A granule
 * that is free in part is forgotten: who frees the rest of it notes it again.
 *
 * What a batch takes is never more than half of what is free and not claimed, so
 * that writes find something, and who finds nothing waits for the batch to end.
 *
 * All of this is in memory only: what is stale when the store is closed is not
 * discarded. Nor is what a CPU has taken to hand out next, until it is used and
 * freed again: some MiB for each.
 */
#include "engine.h"

/* Looks at places where there may be something, at a stretch. */
#define TRIES	64

/* A word of the bitmaps, and which of its bits are meant. */
struct word {
	struct cpb_group *group;
	unsigned int at;
	unsigned long mask;
	u64 chunk;		/* of its bit 0 */
};

static u64 rest(u64 n, u64 unit)
{
	return n - div64_u64(n, unit) * unit;
}

/* The first word of [*@chunk, @end), which then begins behind it. */
static bool next_word(struct cpb_space *sp, u64 *chunk, u64 end, struct word *w)
{
	u64 g, at, nr, skip;

	if (*chunk >= end)
		return false;
	g = div64_u64(*chunk, CPB_SPACE_BITS);
	at = *chunk - g * CPB_SPACE_BITS;
	skip = at % BITS_PER_LONG;
	nr = min(end - *chunk, BITS_PER_LONG - skip);
	w->group = &sp->group[g];
	w->at = at / BITS_PER_LONG;
	w->mask = (~0UL >> (BITS_PER_LONG - nr)) << skip;
	w->chunk = *chunk - skip;
	*chunk += nr;
	return true;
}

static unsigned long stale_and_free(const struct word *w)
{
	const struct cpb_group *group = w->group;

	if (!group->nr_stale || !group->busy)
		return 0;
	return group->stale[w->at] & ~group->busy[w->at] & w->mask;
}

/* The first chunk of [@from, @to) that is stale and free, or @to. */
static u64 first_stale(struct cpb_space *sp, u64 from, u64 to)
{
	struct word w;

	while (next_word(sp, &from, to, &w))
		if (stale_and_free(&w))
			return w.chunk + __ffs(stale_and_free(&w));
	return to;
}

/* The first one that is not, or @to. */
static u64 first_other(struct cpb_space *sp, u64 from, u64 to)
{
	unsigned long others;
	struct word w;

	while (next_word(sp, &from, to, &w)) {
		others = w.mask & ~stale_and_free(&w);
		if (others)
			return w.chunk + __ffs(others);
	}
	return to;
}

static bool all_free(struct cpb_space *sp, u64 from, u64 to)
{
	struct word w;

	if (to > sp->chunks)
		return false;
	while (next_word(sp, &from, to, &w))
		if (!w.group->busy || w.group->busy[w.at] & w.mask)
			return false;
	return true;
}

static void forget(struct cpb_space *sp, u64 from, u64 to)
{
	struct word w;
	u32 nr;

	to = min(to, sp->chunks);
	while (next_word(sp, &from, to, &w)) {
		if (!w.group->nr_stale)
			continue;
		nr = hweight_long(w.group->stale[w.at] & w.mask);
		w.group->stale[w.at] &= ~w.mask;
		w.group->nr_stale -= nr;
		sp->trim.stale -= nr;
	}
}

static bool wanted(struct cpb_store *s)
{
	return READ_ONCE(s->space.trim.unit) && s->writable && !s->broken &&
	       cpb_option(s, CPB_OPTION_DISCARD);
}

/* ---- What becomes stale ---- */

/* Note chunks from @chunk on, those of one group; how many. */
static u64 note(struct cpb_space *sp, u64 chunk, u64 len)
{
	u64 g = div64_u64(chunk, CPB_SPACE_BITS), from = chunk;
	unsigned long *fresh = NULL, flags;
	struct word w;
	u32 nr;

	len = min(len, (g + 1) * CPB_SPACE_BITS - chunk);
	flags = port_lock(&sp->lock);
	if (!sp->group[g].stale) {
		port_unlock(&sp->lock, flags);
		/* Without memory they are not discarded, and no worse. */
		fresh = port_alloc(CPB_BLOCK_SIZE);
		if (!fresh)
			return len;
		flags = port_lock(&sp->lock);
		if (!sp->group[g].stale) {
			swap(sp->group[g].stale, fresh);
			sp->trim.maps++;
		}
	}
	while (next_word(sp, &from, chunk + len, &w)) {
		nr = hweight_long(w.mask & ~w.group->stale[w.at]);
		w.group->stale[w.at] |= w.mask;
		w.group->nr_stale += nr;
		sp->trim.stale += nr;
	}
	port_unlock(&sp->lock, flags);
	port_free(fresh);
	return len;
}

/**
 * cpb_trim_note() - the chunks of these runs are about to be released  [sleeps]
 * @s: the store
 * @runs: the runs, still busy
 */
void cpb_trim_note(struct cpb_store *s, struct cpb_buf *runs)
{
	struct cpb_seg *seg;
	u64 i, chunk, len, nr;

	if (!wanted(s) || list_empty(&runs->segs))
		return;
	cpb_for_each_seg(seg, runs) {
		for (i = 0; i < seg->used; i++) {
			chunk = cpb_run_chunk(seg->word[i]);
			for (len = cpb_run_len(seg->word[i]); len; len -= nr) {
				nr = note(&s->space, chunk, len);
				chunk += nr;
			}
		}
		port_cond_resched();
	}
	s->ops->kick(s->ctx, CPB_KICK_TRIM);
}

/** cpb_trim_taken() - a write has taken these; space.lock is held */
void cpb_trim_taken(struct cpb_space *sp, const struct cpb_run *run)
{
	forget(sp, run->chunk, run->chunk + run->len);
}

/* ---- Discarding ---- */

/* The piece that begins at @start, of @most chunks: its end, or @start. */
static u64 piece_end(struct cpb_space *sp, u64 start, u64 most)
{
	u64 unit = sp->trim.unit, end = start;

	if (unit == 1)
		return first_other(sp, start, min(start + most, sp->chunks));
	while (end + unit - start <= most && all_free(sp, end, end + unit) &&
	       first_stale(sp, end, end + unit) < end + unit)
		end += unit;
	return end;
}

/*
 * Take the next piece, of @most chunks. Looks at a few places only: if there is
 * none, @looked says in how many groups there is nothing more; @empty gets a
 * bitmap to free. space.lock is held.
 */
static bool take_piece(struct cpb_space *sp, u64 most, struct cpb_run *run,
		       u64 *looked, void **empty)
{
	struct cpb_trim *t = &sp->trim;
	u64 g, group_end, chunk, skip;
	struct cpb_group *group;
	unsigned int i;

	most = min(most, t->most);
	most = min(most, sp->free > sp->claimed ? (sp->free - sp->claimed) / 2 : 0);
	most -= rest(most, t->unit);
	for (i = 0; i < TRIES && *looked <= sp->nr_groups; i++) {
		if (t->at >= sp->chunks)
			t->at = 0;
		g = div64_u64(t->at, CPB_SPACE_BITS);
		group = &sp->group[g];
		group_end = min((g + 1) * CPB_SPACE_BITS, sp->chunks);
		chunk = group->nr_stale && most ?
			first_stale(sp, t->at, group_end) : group_end;
		if (chunk == group_end) {
			t->at = group_end;
			++*looked;
			if (!group->stale || group->nr_stale)
				continue;
			*empty = group->stale;
			group->stale = NULL;
			t->maps--;
			return false;
		}
		/* Of the granule that it is in. */
		skip = rest(chunk + t->unit - t->first, t->unit);
		if (chunk < skip) {
			/* That one begins in front of the first chunk. */
			t->at = chunk - skip + t->unit;
			forget(sp, chunk, t->at);
			continue;
		}
		run->chunk = chunk - skip;
		run->len = piece_end(sp, run->chunk, most) - run->chunk;
		t->at = run->chunk + max(run->len, t->unit);
		forget(sp, run->chunk, t->at);
		if (run->len) {
			cpb_chunks_turn(sp, run, true);
			t->taken += run->len;
			return true;
		}
	}
	return false;
}

/* Take a batch of @most chunks; how many pieces. */
static unsigned int take_batch(struct cpb_store *s, u64 most)
{
	struct cpb_space *sp = &s->space;
	struct cpb_trim *t = &sp->trim;
	unsigned int nr = 0;
	unsigned long flags;
	u64 looked = 0;
	void *empty;

	while (nr < CPB_TRIM_PIECES && most >= t->unit && looked <= sp->nr_groups) {
		empty = NULL;
		flags = port_lock(&sp->lock);
		if (take_piece(sp, most, &t->run[nr], &looked, &empty)) {
			most -= t->run[nr].len;
			nr++;
		}
		port_unlock(&sp->lock, flags);
		port_free(empty);
		port_cond_resched();
	}
	return nr;
}

static void give_back(struct cpb_space *sp, unsigned int nr)
{
	unsigned long flags = port_lock(&sp->lock);

	while (nr--) {
		cpb_chunks_turn(sp, &sp->trim.run[nr], false);
		sp->trim.taken -= sp->trim.run[nr].len;
	}
	port_wait_wake(&sp->wait);
	port_unlock(&sp->lock, flags);
}

/* Nothing is stale any more. */
static void forget_all(struct cpb_space *sp)
{
	unsigned long flags, *stale;
	u64 g;

	for (g = 0; READ_ONCE(sp->trim.maps) && g < READ_ONCE(sp->nr_groups); g++) {
		flags = port_lock(&sp->lock);
		stale = sp->group[g].stale;
		sp->trim.maps -= stale ? 1 : 0;
		sp->trim.stale -= sp->group[g].nr_stale;
		sp->group[g].nr_stale = 0;
		sp->group[g].stale = NULL;
		port_unlock(&sp->lock, flags);
		port_free(stale);
		port_cond_resched();
	}
}

int cpb_trim(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	struct cpb_trim *t = &sp->trim;
	unsigned int nr, i;
	int err;

	if (!wanted(s)) {
		forget_all(sp);
		return 0;
	}
	if (!READ_ONCE(t->maps))
		return 0;
	nr = take_batch(s, max(((u64)cpb_option(s, CPB_OPTION_DISCARD_BATCH) << 20) >>
			       s->chunk_shift, t->unit));
	if (!nr)
		return 0;
	for (i = 0; i < nr; i++) {
		t->piece[i].byte = cpb_chunk_byte(s, t->run[i].chunk);
		t->piece[i].len = t->run[i].len << s->chunk_shift;
	}
	err = s->ops->discard(s->ctx, t->piece, nr);
	give_back(sp, nr);
	if (!err)
		return 1;
	WRITE_ONCE(t->unit, 0);
	forget_all(sp);
	return err;
}

/**
 * cpb_trim_wait() - wait for the discards that are under way, if there are any  [sleeps]
 * @s: the store
 *
 * The caller claims more than is free, so that no more of them are begun.
 */
void cpb_trim_wait(struct cpb_store *s)
{
	port_wait_event(&s->space.wait, !READ_ONCE(s->space.trim.taken));
}

void cpb_set_discards(struct cpb_store *s, u64 granularity, u64 offset, u64 most)
{
	struct cpb_trim *t = &s->space.trim;
	u64 chunk = 1ULL << s->chunk_shift, first;

	if (!granularity || !s->ops->discard || most < chunk)
		return;
	t->unit = 1;
	t->first = 0;
	/* Where it begins, counted from the first chunk. */
	first = offset + granularity - rest(CPB_DATA_START, granularity);
	/* Granules that don't begin where chunks do, the device has to find. */
	if (granularity > chunk && !(granularity & (chunk - 1)) && !(first & (chunk - 1))) {
		t->unit = granularity >> s->chunk_shift;
		t->first = rest(first >> s->chunk_shift, t->unit);
	}
	t->most = most >> s->chunk_shift;
	/* Looking at one must not take long. */
	if (t->unit > CPB_SPACE_BITS || t->unit > t->most)
		t->unit = 0;
}
