/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A gate that the I/O of a device goes through. It counts who is inside, each
 * CPU for itself, and it can be closed: who comes then is kept (nobody sleeps),
 * who is inside can be waited for.
 */
#ifndef CPBLK_GATE_H
#define CPBLK_GATE_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

enum cpblk_gate_state {
	CPBLK_GATE_OPEN,
	CPBLK_GATE_CLOSED,	/* who comes is kept */
	CPBLK_GATE_SHUT,	/* who comes gets an error */
};

/**
 * struct cpblk_gate - a gate
 * @inside: CPU's part of the number of those inside; only the sum means
 *	something, as they may leave on another CPU than they came on
 * @state: changed under @lock, read without
 * @idle: where those who close it wait
 * @lock: guards @held
 * @held: bios that found it closed
 */
struct cpblk_gate {
	atomic_t __percpu *inside;
	enum cpblk_gate_state state;
	wait_queue_head_t idle;
	spinlock_t lock;
	struct bio_list held;
};

int cpblk_gate_init(struct cpblk_gate *g);
void cpblk_gate_exit(struct cpblk_gate *g);
bool cpblk_gate_enter_slow(struct cpblk_gate *g, struct bio *bio);
void cpblk_gate_close(struct cpblk_gate *g, enum cpblk_gate_state state);
struct bio *cpblk_gate_open(struct cpblk_gate *g);

/**
 * cpblk_gate_enter() - let @bio in, or take it over
 *
 * Return: true: it is inside, and cpblk_gate_leave() must follow; false: it is
 * none of the caller's any more.
 */
static inline bool cpblk_gate_enter(struct cpblk_gate *g, struct bio *bio)
{
	atomic_t *inside;
	bool open;

	/*
	 * Who is counted and then finds the gate closed takes the count back
	 * from the same CPU's part. So a sum made in between may be too high,
	 * for a moment, and never too low.
	 */
	inside = get_cpu_ptr(g->inside);
	atomic_inc(inside);
	smp_mb__after_atomic();	/* pairs with the one in cpblk_gate_close() */
	open = READ_ONCE(g->state) == CPBLK_GATE_OPEN;
	if (unlikely(!open))
		atomic_dec(inside);
	put_cpu_ptr(g->inside);
	if (likely(open))
		return true;
	return cpblk_gate_enter_slow(g, bio);
}

/** cpblk_gate_leave() - any context; what was done inside is seen by the closer */
static inline void cpblk_gate_leave(struct cpblk_gate *g)
{
	/* Once uncounted, only RCU keeps the gate in memory. */
	rcu_read_lock();
	smp_mb__before_atomic();	/* pairs with the last one there */
	atomic_dec(raw_cpu_ptr(g->inside));
	smp_mb__after_atomic();		/* pairs with the first: we see it closed */
	if (unlikely(READ_ONCE(g->state) != CPBLK_GATE_OPEN))
		wake_up(&g->idle);
	rcu_read_unlock();
}

#endif /* CPBLK_GATE_H */
