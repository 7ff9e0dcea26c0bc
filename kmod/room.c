// SPDX-License-Identifier: GPL-2.0
/*
 * How full the devices of a store are: telling so at the thresholds, deleting
 * automatic checkpoints when it is time, and growing.
 *
 * The engine kicks when another percentage is in use (CPB_KICK_LEVEL). Deleting
 * is an operation, so it needs store->op, which may be held by one that waits
 * for I/O. So whoever writes and finds no space waits for it for a limited time
 * only, and then fails as if there were nothing to delete.
 *
 * What goes is the oldest checkpoint of the store that was taken with
 * CPB_POINT_AUTO, is neither held nor in use, and is not the one that a
 * volume's next undo restores.
 */
#include <linux/delay.h>

#include "event.h"

/* So much below the threshold a device counts as not low any more. */
#define HYSTERESIS	2

/* How long a write waits for one checkpoint to go. */
#define PATIENCE	(10 * HZ)

/* ---- What is to be told ---- */

static bool is_low(u64 used, u64 size, unsigned int percent, bool was)
{
	if (!percent)
		return false;
	if (was && percent > HYSTERESIS)
		percent -= HYSTERESIS;
	return 100 * used >= percent * size;
}

/* For a write of so many chunks. */
static bool has_room(const struct cpb_status *st, u32 chunks)
{
	return st->data_chunks - st->data_busy >= chunks &&
	       st->meta_free - st->meta_reserved >= chunks;
}

/** cpblk_room_state() - enum cpblk_space_flags, as of @st */
u32 cpblk_room_state(struct cpblk_store *s, const struct cpb_status *st)
{
	u32 was = READ_ONCE(s->room_state), want = READ_ONCE(s->room_want);
	u32 state = 0;

	if (is_low(st->data_used, st->data_chunks,
		   cpb_option(s->engine, CPB_OPTION_WARN_DATA),
		   was & CPBLK_SPACE_DATA_LOW))
		state |= CPBLK_SPACE_DATA_LOW;
	if (is_low(st->meta_used, st->meta_blocks,
		   cpb_option(s->engine, CPB_OPTION_WARN_META),
		   was & CPBLK_SPACE_META_LOW))
		state |= CPBLK_SPACE_META_LOW;
	if (want && !has_room(st, want))
		state |= CPBLK_SPACE_FULL;
	return state;
}

static void tell(struct cpblk_store *s, u32 flag, u32 was, u32 is, const char *what,
		 u64 used, u64 size)
{
	if (!((was ^ is) & flag))
		return;
	pr_warn("cpblk: store %s: %llu %% of the %s is in use%s\n", s->name,
		div64_u64(100 * used, size), what,
		is & flag ? "" : ", that is below the threshold again");
}

static bool over(struct cpblk_store *s, const struct cpb_status *st)
{
	unsigned int percent = cpb_option(s->engine, CPB_OPTION_AUTO_DELETE);

	return percent && (100 * st->data_busy >= percent * st->data_chunks ||
			   100 * st->meta_used >= percent * st->meta_blocks);
}

static void level_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, level_work);
	u32 was = s->room_state, want = READ_ONCE(s->room_want), is;
	struct cpb_status st;

	cpb_status(s->engine, &st);
	is = cpblk_room_state(s, &st);
	/* Unless another write has found too little by now. */
	if (!(is & CPBLK_SPACE_FULL))
		cmpxchg(&s->room_want, want, 0);
	WRITE_ONCE(s->room_state, is);
	tell(s, CPBLK_SPACE_DATA_LOW, was, is, "data device", st.data_used,
	     st.data_chunks);
	tell(s, CPBLK_SPACE_META_LOW, was, is, "metadata device", st.meta_used,
	     st.meta_blocks);
	if ((was ^ is) & CPBLK_SPACE_FULL)
		pr_warn("cpblk: store %s: %s\n", s->name, is & CPBLK_SPACE_FULL ?
			"writes fail, no space is left" : "there is space again");
	if (is != was)
		cpblk_event_space(s, is, &st);
	if (over(s, &st))
		queue_work(s->reap_wq, &s->room_work);
}

/* ---- Deleting automatic checkpoints ---- */

/* Lists held. */
static bool is_undo(struct cpblk_store *s, u64 id)
{
	struct cpb_volume_info info;
	struct cpb_volume *v;
	u64 at = 0;

	while ((v = cpb_volume_next(s->engine, at))) {
		cpb_volume_info(v, &info);
		if (info.undo == id)
			return true;
		at = info.id;
	}
	return false;
}

static struct cpb_point *oldest(struct cpblk_store *s, struct cpblk_taken *t)
{
	struct cpb_point_info info = { };
	struct cpb_point *p;

	cpb_hold_lists(s->engine);
	while ((p = cpb_point_next(s->engine, info.id))) {
		cpb_point_info(s->engine, p, &info);
		if (info.flags & CPB_POINT_AUTO && !info.pins &&
		    !(info.flags & (CPB_POINT_HIDDEN | CPB_POINT_HELD)) &&
		    !is_undo(s, info.id))
			break;
	}
	if (p)
		cpblk_describe_point(s, p, t);
	cpb_drop_lists(s->engine);
	return p;
}

/* store->op is held. */
static bool delete_oldest(struct cpblk_store *s)
{
	struct cpblk_taken t;
	struct cpb_point *p = oldest(s, &t);

	if (!p || cpb_delete(s->engine, p, NULL))
		return false;
	cpblk_event_point(CPBLK_EVENT_CHECKPOINT_DELETED, s, &t, NULL);
	pr_info("cpblk: store %s: deleted %s@%s for its space\n", s->name,
		t.volume[0] ? t.volume : "(removed)", t.name);
	return true;
}

/*
 * Get what was deleted, or overwritten, back. All of it is to be free before somebody
 * looks whether more has to go: else checkpoints are deleted for nothing.
 */
static void reclaim(struct cpblk_store *s)
{
	int ret;

	do {
		ret = cpb_reap(s->engine);
		cond_resched();
	} while (ret > 0 && READ_ONCE(s->running));
	if (!ret && cpb_dirty(s->engine))
		cpb_commit(s->engine);
	cpb_release_wait(s->engine);
}

static bool lock_op(struct cpblk_store *s)
{
	/* Whoever closes the store holds it, and waits for this work. */
	while (!mutex_trylock(&s->op)) {
		if (!READ_ONCE(s->running))
			return false;
		msleep(20);
	}
	return true;
}

static void room_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, room_work);
	bool deleted, any = false;
	struct cpb_status st;
	u32 want;

	atomic_inc(&s->room_round);
	for (;;) {
		reclaim(s);
		cpb_status(s->engine, &st);
		want = READ_ONCE(s->room_want);
		if (!over(s, &st) && (!want || has_room(&st, want)))
			break;
		if (!READ_ONCE(s->running) || !lock_op(s))
			break;
		deleted = !s->dead && delete_oldest(s);
		mutex_unlock(&s->op);
		if (!deleted)
			break;
		atomic_inc(&s->room_deleted);
		any = true;
	}
	atomic_inc(&s->room_round);
	wake_up_all(&s->room_wait);
	/* Which begins this again if it is still too much; if nothing can go others do. */
	if (any || !over(s, &st))
		cpblk_kick(s, CPB_KICK_LEVEL);
}

/* A round that begins after this has ended: did it delete anything? */
static bool make_room(struct cpblk_disk *d)
{
	struct cpblk_store *s = d->store;
	int deleted = atomic_read(&s->room_deleted);
	int until = (atomic_read(&s->room_round) + 3) & ~1;

	/* It is odd while there is one. */
	queue_work(s->reap_wq, &s->room_work);
	wait_event_timeout(s->room_wait, atomic_read(&s->room_round) - until >= 0 ||
			   READ_ONCE(d->room_shut), PATIENCE);
	return atomic_read(&s->room_deleted) != deleted;
}

/**
 * cpblk_room_shut() - a disk's writes don't wait for checkpoints to go, or do again
 * @d: the disk; store->op is held
 * @shut: by an operation that waits for these writes, and they would for op
 */
void cpblk_room_shut(struct cpblk_disk *d, bool shut)
{
	WRITE_ONCE(d->room_shut, shut);
	if (shut)
		wake_up_all(&d->store->room_wait);
}

/** cpblk_room_more() - there may be more that can be deleted; op is held */
void cpblk_room_more(struct cpblk_store *s)
{
	if (cpb_option(s->engine, CPB_OPTION_AUTO_DELETE))
		cpblk_kick(s, CPB_KICK_LEVEL);
}

static void want_room(struct cpblk_store *s, u32 chunks)
{
	u32 was = READ_ONCE(s->room_want);

	while (was < chunks && !try_cmpxchg(&s->room_want, &was, chunks))
		;
}

/**
 * cpblk_reserve_wait() - cpb_reserve_wait(), and automatic checkpoints make room
 * @d: the disk that is written to
 * @chunks: chunks wanted
 * @holes: chunks that are going to be holes
 * @r: filled in
 *
 * A worker of write_wq. Return: 0, -ENOSPC, or another error.
 */
int cpblk_reserve_wait(struct cpblk_disk *d, u64 chunks, u64 holes,
		       struct cpb_reserve *r)
{
	struct cpblk_store *s = d->store;
	int ret = cpb_reserve_wait(s->engine, chunks, holes, r);

	while (ret == -ENOSPC) {
		want_room(s, chunks);
		if (!cpb_option(s->engine, CPB_OPTION_AUTO_DELETE) || !make_room(d))
			break;
		ret = cpb_reserve_wait(s->engine, chunks, holes, r);
	}
	if (ret == -ENOSPC)
		cpblk_kick(s, CPB_KICK_LEVEL);
	return ret;
}

/* ---- Growing ---- */

/** cpblk_grow() - the devices may have become larger; store->op is held */
int cpblk_grow(struct cpblk_store *s, char *why)
{
	struct cpb_status before, after;
	int ret;

	cpb_status(s->engine, &before);
	ret = cpb_grow(s->engine, bdev_nr_bytes(s->meta.bdev) >> CPB_BLOCK_SHIFT,
		       bdev_nr_bytes(s->data.bdev), why);
	if (ret)
		return ret;
	cpb_status(s->engine, &after);
	if (before.meta_blocks != after.meta_blocks ||
	    before.data_chunks != after.data_chunks)
		cpblk_event_grown(s, &after);
	return 0;
}

void cpblk_room_init(struct cpblk_store *s)
{
	INIT_WORK(&s->level_work, level_work);
	INIT_WORK(&s->room_work, room_work);
	init_waitqueue_head(&s->room_wait);
}

/** cpblk_room_stop() - kicks are not heard any more: end what they began */
void cpblk_room_stop(struct cpblk_store *s)
{
	cancel_work_sync(&s->level_work);
	/* Which the former may have begun. */
	cancel_work_sync(&s->room_work);
}
