// SPDX-License-Identifier: GPL-2.0
/*
 * The workers of a store: who they are, who may wait for whom, and the
 * engine's work in the background.
 *
 * Each queue has a rescuer thread, so that without memory its works still run,
 * one at a time. What waits for another work must therefore be on another
 * queue. Who waits for whom, directly or through a mempool:
 *
 *   read_wq     cpb_load() for reads; waits for nobody
 *   write_wq    writes that found no space, discards: for pieces (end_wq,
 *               partial_wq), for partials (partial_wq), for commit_wq, and for
 *               writes under way to end (end_wq, partial_wq)
 *   flush_wq    cpb_flush() for all who wait and every few seconds; goes on
 *               with writes that had asked for a flush first: for what write_wq
 *               waits for
 *   partial_wq  rounds of partial.c: for commit_wq
 *   end_wq      write completions that lack metadata: for commit_wq
 *   reap_wq     reclaiming; rests for some milliseconds between two steps
 *               (pace.c); what room.c does: for commit_wq, store->op, and reads
 *               that have begun; discards: for the data device only
 *   commit_wq   transactions, and what they need: for the devices only
 *
 * Nobody waits for write_wq or flush_wq. Who looks for space waits for reads that
 * have begun, so for read_wq and partial_wq, and neither waits for space. For
 * reap_wq writes do so that find no space, for a limited time: for room.c, and for
 * discards that the data device has already. Completions of the data device wait for
 * nobody. The ios' mempool is waited for in submit_bio() alone.
 */
#include <linux/part_stat.h>

#include "cpblk.h"
#include "event.h"

/* Ticks after which the trees are written back without another reason. */
#define TICKS_DIRTY	6

/* What becomes free is left alone for so long: it may be used again, or grow. */
#define TRIM_DELAY	HZ

/* While there is I/O: between two batches of discards, and so many times theirs. */
#define TRIM_PAUSE	max(1UL, HZ / 50UL)
#define TRIM_SHARE	3

static void commit_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, commit_work);

	/* An error turns the store read-only, and that is told by a kick. */
	cpb_commit(s->engine);
}

static void release_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, release_work);

	cpb_release(s->engine);
}

static void refill_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, refill_work);

	/* If it can't, whoever finds the reserve empty tries and is told why. */
	cpb_refill(s->engine);
}

/* Reads and writes of the data device so far, whoever they are for. */
static u64 data_ios(struct cpblk_store *s)
{
	struct block_device *bdev = s->data.bdev;

	return part_stat_read(bdev, ios[STAT_READ]) +
	       part_stat_read(bdev, ios[STAT_WRITE]);
}

static void trim_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(to_delayed_work(work),
					     struct cpblk_store, trim_work);
	unsigned long start = jiffies, pause = 0;
	int ret = cpb_trim(s->engine);
	u64 ios;

	if (ret < 0)
		pr_warn("cpblk: store %s: discarding fails on %pg (error %d), so there is no more of it until the store is opened again\n",
			s->name, s->data.bdev, -ret);
	if (ret <= 0)
		return;
	/* Others are at work: leave the device to them most of the time. */
	ios = data_ios(s);
	if (ios != s->trim_ios)
		pause = max(TRIM_PAUSE, TRIM_SHARE * (jiffies - start));
	s->trim_ios = ios;
	if (READ_ONCE(s->running))
		queue_delayed_work(s->reap_wq, &s->trim_work, pause);
}

static void failed_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, failed_work);
	char error[CPBLK_ERROR_LEN];
	struct cpb_status st;

	cpb_status(s->engine, &st);
	cpblk_store_error(s, &st, error);
	WRITE_ONCE(s->failed, true);
	pr_crit("cpblk: store %s is read-only now: %s\n", s->name, error);
	cpblk_event_store(CPBLK_EVENT_STORE_FAILED, s, error);
}

static unsigned int flush_interval(struct cpblk_store *s)
{
	return cpb_option(s->engine, CPB_OPTION_FLUSH_INTERVAL);
}

static void tick_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(to_delayed_work(work),
					     struct cpblk_store, tick_work);

	unsigned int seconds = flush_interval(s);

	if (!cpb_dirty(s->engine))
		s->dirty_ticks = 0;
	else if (++s->dirty_ticks % TICKS_DIRTY)
		cpb_flush(s->engine);
	else
		cpblk_kick(s, CPB_KICK_COMMIT);
	if (seconds)
		queue_delayed_work(s->flush_wq, &s->tick_work, seconds * HZ);
}

/** cpblk_options_changed() - act on options that are not looked at each time */
void cpblk_options_changed(struct cpblk_store *s)
{
	unsigned int seconds = flush_interval(s);

	cpblk_kick(s, CPB_KICK_LEVEL | CPB_KICK_TRIM);
	cpblk_pace_hurry(s);
	/* Counted anew: it may have been a long time, or never. */
	if (seconds)
		mod_delayed_work(s->flush_wq, &s->tick_work, seconds * HZ);
	else
		cancel_delayed_work_sync(&s->tick_work);
}

/** cpblk_kick() - the engine has work; any context */
void cpblk_kick(void *ctx, unsigned int why)
{
	struct cpblk_store *s = ctx;

	rcu_read_lock();
	if (READ_ONCE(s->running)) {
		if (why & CPB_KICK_COMMIT)
			queue_work(s->commit_wq, &s->commit_work);
		if (why & CPB_KICK_RELEASE)
			queue_work(s->commit_wq, &s->release_work);
		if (why & CPB_KICK_REFILL)
			queue_work(s->commit_wq, &s->refill_work);
		if (why & CPB_KICK_REAP)
			queue_work(s->reap_wq, &s->reap_work);
		if (why & CPB_KICK_ERROR)
			queue_work(s->reap_wq, &s->failed_work);
		if (why & CPB_KICK_LEVEL)
			queue_work(s->reap_wq, &s->level_work);
		if (why & CPB_KICK_TRIM)
			queue_delayed_work(s->reap_wq, &s->trim_work, TRIM_DELAY);
	}
	rcu_read_unlock();
}

/** cpblk_work_start() - hear the engine's kicks, and those it gave while opening */
void cpblk_work_start(struct cpblk_store *s)
{
	WRITE_ONCE(s->running, true);
	if (s->readonly)
		return;
	/* Not of refilling: the first write will want that, and does not wait for it. */
	cpblk_kick(s, CPB_KICK_RELEASE | CPB_KICK_REAP);
	cpblk_options_changed(s);
}

/** cpblk_work_stop() - end the background work; kicks are not heard any more */
void cpblk_work_stop(struct cpblk_store *s)
{
	WRITE_ONCE(s->running, false);
	synchronize_rcu();
	cpblk_pace_hurry(s);
	cancel_delayed_work_sync(&s->tick_work);
	cancel_delayed_work_sync(&s->trim_work);
	cancel_work_sync(&s->reap_work);
	cancel_work_sync(&s->commit_work);
	cancel_work_sync(&s->release_work);
	cancel_work_sync(&s->refill_work);
	cpblk_room_stop(s);
	/* Said even if it is the last thing. */
	flush_work(&s->failed_work);
}

/* All queues of a store, and how many works of each may run at once. */
static const struct {
	const char *name;
	size_t offset;
	unsigned int flags;
	int max_active;
} queues[] = {
	{ "read", offsetof(struct cpblk_store, read_wq), WQ_HIGHPRI, 64 },
	{ "write", offsetof(struct cpblk_store, write_wq), WQ_HIGHPRI, 16 },
	{ "flush", offsetof(struct cpblk_store, flush_wq), WQ_HIGHPRI, 1 },
	{ "partial", offsetof(struct cpblk_store, partial_wq), WQ_HIGHPRI, 64 },
	{ "end", offsetof(struct cpblk_store, end_wq), WQ_HIGHPRI, 16 },
	{ "commit", offsetof(struct cpblk_store, commit_wq), WQ_HIGHPRI, 4 },
	{ "reap", offsetof(struct cpblk_store, reap_wq), 0, 4 },
};

static struct workqueue_struct **queue(struct cpblk_store *s, unsigned int i)
{
	return (void *)s + queues[i].offset;
}

int cpblk_work_init(struct cpblk_store *s)
{
	unsigned int i;

	INIT_WORK(&s->flush_work, cpblk_flush_work);
	INIT_WORK(&s->commit_work, commit_work);
	INIT_WORK(&s->release_work, release_work);
	INIT_WORK(&s->refill_work, refill_work);
	INIT_WORK(&s->reap_work, cpblk_reap_work);
	INIT_WORK(&s->failed_work, failed_work);
	cpblk_room_init(s);
	INIT_DELAYED_WORK(&s->tick_work, tick_work);
	INIT_DELAYED_WORK(&s->trim_work, trim_work);
	if (cpblk_pace_init(s))
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		*queue(s, i) = alloc_workqueue("cpblk_%s/%llu",
					       WQ_UNBOUND | WQ_MEM_RECLAIM |
					       queues[i].flags,
					       queues[i].max_active,
					       queues[i].name, s->serial);
		if (!*queue(s, i))
			return -ENOMEM;
	}
	return 0;
}

void cpblk_work_exit(struct cpblk_store *s)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		if (*queue(s, i))
			destroy_workqueue(*queue(s, i));
	cpblk_pace_exit(s);
}
