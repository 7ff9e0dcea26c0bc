// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaiming in the background, at a pace that leaves the users' I/O alone, and
 * how far it is.
 *
 * After each step of reclaiming comes a rest, so many times as long as the step
 * took: 0 where nobody uses the disks, and at most REST_MOST, so that reclaiming
 * always ends. Which it is, is found by trying. While there is something to
 * reclaim, the time that each io takes is counted, in classes, on the CPU where
 * it ends. In turns nothing is done for a moment, which tells what ios take by
 * themselves, and there is work for a while, with rests. If the slowest in a
 * hundred took longer then than they may, rests become longer, else shorter.
 *
 * What they may take is the option reclaim-latency, but one and a quarter times what
 * they take by themselves at least: more rest would not make a slow disk quicker.
 *
 * Writes that need the space reclaim it themselves (cpb_write_wait(), room.c),
 * and so does who asks for it (cpblk_sync()): none of that passes by here.
 */
#include <linux/ktime.h>
#include <linux/percpu.h>

#include "cpblk.h"
#include "event.h"
#include "trace.h"

#define MS		NSEC_PER_MSEC

#define REST_MOST	31U	/* times as long as the step before it */
#define REST_FIRST	7U
#define REST_NS		(100 * MS) /* and no longer than this */
#define TURN_NS		(20 * MS) /* one run of the worker, others want it too */
#define LOOK_NS		(100 * MS) /* how long to look at ios, at least, */
#define LOOK_IOS	200	/* or until there were so many, */
#define LOOK_MOST_NS	(500 * MS) /* but no longer than this */
#define IDLE_NS		(2000 * MS) /* what they take by themselves is this old at most */
#define TELL_NS		(1000 * MS) /* between two events */

/* ---- How long ios take ---- */

/* Classes: four to each power of two, the first one to a microsecond. */
static unsigned int class_of(u64 ns)
{
	u64 us4 = 4 * div_u64(ns, NSEC_PER_USEC) + 4;
	unsigned int top = fls64(us4) - 1;

	return min_t(unsigned int, 4 * (top - 2) + (us4 >> (top - 2) & 3),
		     CPBLK_PACE_CLASSES - 1);
}

/* The longest time in a class, us. */
static u64 class_us(unsigned int class)
{
	return ((u64)(4 + class % 4 + 1) << class / 4) / 4;
}

/** cpblk_pace_note() - an io took so long; any context */
void cpblk_pace_note(struct cpblk_store *s, u64 ns)
{
	this_cpu_inc(s->pace.times->nr[class_of(ns)]);
}

/* What was counted until now. Return: how many ios that is since the last look. */
static u32 count(struct cpblk_pace *p, struct cpblk_pace_times *now)
{
	unsigned int i;
	u32 nr = 0;
	int cpu;

	memset(now, 0, sizeof(*now));
	for_each_possible_cpu(cpu)
		for (i = 0; i < CPBLK_PACE_CLASSES; i++)
			now->nr[i] += READ_ONCE(per_cpu_ptr(p->times, cpu)->nr[i]);
	for (i = 0; i < CPBLK_PACE_CLASSES; i++)
		nr += now->nr[i] - p->seen.nr[i];
	return nr;
}

/* Of those, all but one in a hundred took so long at most, us. */
static u64 slowest(const struct cpblk_pace *p, const struct cpblk_pace_times *now,
		   u32 nr)
{
	unsigned int i;
	u32 slower = 0;

	for (i = CPBLK_PACE_CLASSES - 1; i; i--) {
		slower += now->nr[i] - p->seen.nr[i];
		if (slower > nr / 100)
			break;
	}
	return class_us(i);
}

/* ---- How long to rest ---- */

static u32 target_us(struct cpblk_store *s)
{
	return cpb_option(s->engine, CPB_OPTION_RECLAIM_LATENCY);
}

/* Work was done, or not, for a while: what did that do to others' ios? */
static void decide(struct cpblk_store *s, u64 now)
{
	struct cpblk_pace *p = &s->pace;
	struct cpblk_pace_times times;
	bool paused = p->paused;
	u64 us, may = 0;
	u32 nr;

	if (now < p->look_next)
		return;
	p->look_next = now + LOOK_NS / 4;
	nr = count(p, &times);
	if (nr && nr < LOOK_IOS && now - p->look_start < LOOK_MOST_NS)
		return;
	us = slowest(p, &times, nr);
	p->seen = times;
	p->look_start = now;
	p->look_next = now + LOOK_NS;
	p->paused = false;
	if (!nr) {
		p->factor = 0;
		p->idle_us = 0;
	} else if (paused) {
		p->idle_us = p->idle_us ? (p->idle_us + us) / 2 : us;
		p->idle_at = now;
	} else if (!p->idle_us) {
		/* There was nobody, or that was not known. */
		p->factor = max(p->factor, REST_FIRST);
		p->paused = true;
	} else {
		may = max_t(u64, target_us(s), p->idle_us * 5 / 4);
		if (us > may)
			p->factor = min(2 * p->factor + 1, REST_MOST);
		else
			p->factor -= DIV_ROUND_UP(p->factor, 4);
		p->paused = now - p->idle_at > IDLE_NS;
	}
	trace_cpblk_pace(s->serial, paused, nr, us, may, p->factor);
}

/* The rest that is due, or until the turn is over. Return: it is over. */
static bool rest(struct cpblk_store *s, u64 turn_end)
{
	struct cpblk_pace *p = &s->pace;
	u64 now = ktime_get_ns(), until;

	if (!target_us(s))
		return true;
	decide(s, now);
	until = p->paused ? turn_end : min(p->rest_until, turn_end);
	if (until > now)
		wait_event_hrtimeout(p->wait,
				     !READ_ONCE(s->running) || !target_us(s),
				     ns_to_ktime(until - now));
	return !target_us(s) || (!p->paused && ktime_get_ns() >= p->rest_until);
}

/* ---- How far it is ---- */

static void tell(struct cpblk_store *s, u64 now)
{
	struct cpblk_pace *p = &s->pace;
	struct cpb_pending pending;
	struct cpblk_reclaim r;
	u64 rate;

	cpb_pending(s->engine, &pending);
	if (now > p->told) {
		rate = div64_u64((pending.done - p->told_done) * NSEC_PER_SEC,
				 now - p->told);
		WRITE_ONCE(p->rate, p->rate ? (p->rate + rate) / 2 : rate);
	}
	p->told = now;
	p->told_done = pending.done;
	cpblk_reclaim_get(s, &r);
	cpblk_event_reclaim(s, &r);
}

/**
 * cpblk_reclaim_get() - how far reclaiming is
 * @s: the store
 * @r: gets it
 */
void cpblk_reclaim_get(struct cpblk_store *s, struct cpblk_reclaim *r)
{
	u64 rate = READ_ONCE(s->pace.rate);
	struct cpb_pending p;

	cpb_pending(s->engine, &p);
	r->points = p.points;
	r->left = p.chunks << s->chunk_shift;
	r->done = 0;
	r->ms = 0;
	if (!READ_ONCE(s->pace.active))
		return;
	r->done = (p.done - READ_ONCE(s->pace.begun_done)) << s->chunk_shift;
	if (rate && p.chunks)
		r->ms = div64_u64(p.chunks * MSEC_PER_SEC, rate) + 1;
}

static void begin(struct cpblk_store *s)
{
	struct cpblk_pace *p = &s->pace;
	struct cpb_pending pending;
	u64 now = ktime_get_ns();

	cpb_pending(s->engine, &pending);
	p->told = now;
	p->told_done = pending.done;
	p->told_any = false;
	p->begun_done = pending.done;
	WRITE_ONCE(p->rate, 0);
	/* Not known yet whether there is anyone to spare. */
	p->factor = REST_FIRST;
	p->idle_us = 0;
	p->rest_until = now;
	count(p, &p->seen);
	p->look_start = now;
	p->look_next = now + LOOK_NS;
	p->paused = false;
	WRITE_ONCE(p->counting, true);
	WRITE_ONCE(p->active, true);
}

static void end(struct cpblk_store *s)
{
	struct cpblk_pace *p = &s->pace;
	struct cpb_pending pending;

	WRITE_ONCE(p->counting, false);
	cpb_pending(s->engine, &pending);
	/* Looking at what points share, without a result, is not worth a word. */
	if (p->told_any || pending.done != p->begun_done)
		tell(s, ktime_get_ns());
	WRITE_ONCE(p->active, false);
}

/* ---- The worker ---- */

/** cpblk_reap_work() - reclaim for one turn */
void cpblk_reap_work(struct work_struct *work)
{
	struct cpblk_store *s = container_of(work, struct cpblk_store, reap_work);
	struct cpblk_pace *p = &s->pace;
	u64 start = ktime_get_ns(), turn_end = start + TURN_NS, now = start;
	int ret = 1;

	if (!p->active)
		begin(s);
	while (ret > 0 && now < turn_end && READ_ONCE(s->running)) {
		if (!rest(s, turn_end))
			break;
		start = ktime_get_ns();
		ret = cpb_reap(s->engine);
		cond_resched();
		now = ktime_get_ns();
		p->rest_until = now + min_t(u64, (now - start) * p->factor, REST_NS);
	}
	if (ret <= 0) {
		end(s);
		return;
	}
	now = ktime_get_ns();
	if (now - p->told >= TELL_NS) {
		tell(s, now);
		p->told_any = true;
	}
	cpblk_kick(s, CPB_KICK_REAP);
}

/** cpblk_pace_hurry() - look again at what may have ended a rest */
void cpblk_pace_hurry(struct cpblk_store *s)
{
	wake_up_all(&s->pace.wait);
}

int cpblk_pace_init(struct cpblk_store *s)
{
	init_waitqueue_head(&s->pace.wait);
	s->pace.times = alloc_percpu(struct cpblk_pace_times);
	return s->pace.times ? 0 : -ENOMEM;
}

void cpblk_pace_exit(struct cpblk_store *s)
{
	free_percpu(s->pace.times);
}
