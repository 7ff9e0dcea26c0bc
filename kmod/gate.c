// SPDX-License-Identifier: GPL-2.0
/*
 * Closing and opening the gate of a device. Who may come through it, and the
 * fast ways in and out, are in gate.h.
 */
#include "gate.h"

int cpblk_gate_init(struct cpblk_gate *g)
{
	g->inside = alloc_percpu(atomic_t);
	if (!g->inside)
		return -ENOMEM;
	g->state = CPBLK_GATE_OPEN;
	init_waitqueue_head(&g->idle);
	spin_lock_init(&g->lock);
	bio_list_init(&g->held);
	return 0;
}

/* Nobody may be inside; the caller has waited for a grace period since. */
void cpblk_gate_exit(struct cpblk_gate *g)
{
	free_percpu(g->inside);
}

bool cpblk_gate_enter_slow(struct cpblk_gate *g, struct bio *bio)
{
	/* The closer may have counted us. */
	wake_up(&g->idle);

	spin_lock(&g->lock);
	switch (g->state) {
	case CPBLK_GATE_OPEN:
		spin_unlock(&g->lock);
		return cpblk_gate_enter(g, bio);
	case CPBLK_GATE_CLOSED:
		if (!(bio->bi_opf & REQ_NOWAIT)) {
			bio_list_add(&g->held, bio);
			spin_unlock(&g->lock);
			return false;
		}
		spin_unlock(&g->lock);
		bio_wouldblock_error(bio);
		return false;
	case CPBLK_GATE_SHUT:
		break;
	}
	spin_unlock(&g->lock);
	bio_io_error(bio);
	return false;
}

static bool empty(struct cpblk_gate *g)
{
	unsigned int sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += atomic_read(per_cpu_ptr(g->inside, cpu));
	return !sum;
}

/**
 * cpblk_gate_close() - let nobody in, and wait until nobody is inside
 * @g: the gate
 * @state: what becomes of those who come: CPBLK_GATE_CLOSED or CPBLK_GATE_SHUT
 */
void cpblk_gate_close(struct cpblk_gate *g, enum cpblk_gate_state state)
{
	spin_lock(&g->lock);
	WRITE_ONCE(g->state, state);
	spin_unlock(&g->lock);
	/* Either who comes sees the new state, or we see that he is counted. */
	smp_mb();
	wait_event(g->idle, empty(g));
	/* Who was seen to be gone did what he did before what we do next. */
	smp_mb();
}

/** cpblk_gate_open() - open it; the bios that were kept, linked by bi_next */
struct bio *cpblk_gate_open(struct cpblk_gate *g)
{
	struct bio *held;

	spin_lock(&g->lock);
	WRITE_ONCE(g->state, CPBLK_GATE_OPEN);
	held = bio_list_get(&g->held);
	spin_unlock(&g->lock);
	return held;
}
