// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories while another thread reclaims and commits, as the driver's
 * workers do: contents, and space to the last chunk.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "model.h"

struct background {
	struct cpb_store *s;
	pthread_t thread;
	atomic_bool stop;
	int err;
};

static void *work(void *arg)
{
	struct background *b = arg;
	unsigned int i;

	for (i = 0; !b->stop && b->err >= 0; i++) {
		b->err = cpb_reap(b->s);
		if (b->err >= 0 && i % 16 == 0) {
			b->err = cpb_commit(b->s);
			cpb_release(b->s);
		}
	}
	return NULL;
}

static void start(struct background *b, struct cpb_store *s)
{
	memset(b, 0, sizeof(*b));
	b->s = s;
	cr_assert_eq(pthread_create(&b->thread, NULL, work, b), 0);
}

static void stop(struct background *b)
{
	b->stop = true;
	pthread_join(b->thread, NULL);
	cr_assert_geq(b->err, 0, "in the background: %d", b->err);
}

Test(threads, reclaim_beside_history)
{
	struct background b;
	struct model m;
	unsigned int seed, i;

	for (seed = 1; seed <= 200; seed++) {
		cr_log_info("seed %u", seed);
		model_init(&m, seed, 8192, 65536, 60);
		start(&b, m.s);
		for (i = 0; i < 1500; i++) {
			model_step(&m);
			if (i % 64 == 63)
				model_compare(&m);
			if (i % 512 == 511) {
				stop(&b);
				sim_idle(m.s);
				sim_check(m.s);
				start(&b, m.s);
			}
		}
		stop(&b);
		sim_idle(m.s);
		sim_check(m.s);
		model_compare(&m);
		model_free(&m);
	}
}
