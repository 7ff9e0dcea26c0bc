// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories against the model: contents, and space to the last chunk.
 */
#include <criterion/criterion.h>

#include "model.h"

static unsigned long number(const char *name, unsigned long def)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : def;
}

static void run(u64 seed, unsigned int steps, u64 size)
{
	struct model m;
	unsigned int i;

	cr_log_info("seed %llu", (unsigned long long)seed);
	model_init(&m, seed, 8192, 65536, size);
	for (i = 0; i < steps; i++) {
		model_step(&m);
		if (i % 64 == 63)
			model_compare(&m);
		if (i % 256 == 255) {
			sim_idle(m.s);
			sim_check(m.s);
			model_compare(&m);
		}
		if (i % 512 == 300)
			model_reopen(&m);
	}
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	model_free(&m);
}

Test(history, one_volume)
{
	struct model m;
	int p;

	model_init(&m, 1, 8192, 65536, 1000);
	model_create(&m, 0);
	model_write(&m, 0, 10, 100);
	model_compare(&m);
	p = model_snap(&m, 0);
	model_write(&m, 0, 50, 20);
	model_compare(&m);
	sim_idle(m.s);
	sim_check(m.s);
	model_restore(&m, 0, p, true);
	model_compare(&m);
	model_reopen(&m);
	model_compare(&m);
	sim_idle(m.s);
	sim_check(m.s);
	model_free(&m);
}

Test(history, random_small)
{
	unsigned long i, seed = number("CPB_SEED", 1), nr = number("CPB_RUNS", 200);

	for (i = 0; i < nr; i++)
		run(seed + i, 1000, 40);
}

Test(history, random_large)
{
	unsigned long i, seed = number("CPB_SEED", 1000), nr = number("CPB_RUNS", 10);

	for (i = 0; i < nr; i++)
		run(seed + i, 3000, 3000);
}

/*
 * What only nested hidden checkpoints get wrong: forks of forks, overwritten
 * everywhere, the middle deleted first and the ends last, with heads that go
 * on writing while it is swept.
 */
Test(history, nested_hidden)
{
	unsigned long i, seed = number("CPB_SEED", 5000), nr = number("CPB_RUNS", 150);

	for (i = 0; i < nr; i++) {
		struct model m;
		unsigned int k, round;
		int p[6], v;

		model_init(&m, seed + i, 8192, 65536, 200);
		model_create(&m, 0);
		model_write(&m, 0, 0, 200);
		for (k = 0; k < 6; k++) {
			p[k] = model_snap(&m, k);
			if (k < 5)
				model_fork(&m, p[k], k + 1);
			for (round = 0; round < 3; round++)
				model_write(&m, k, model_random(&m, 150),
					    1 + model_random(&m, 50));
		}
		sim_idle(m.s);
		/* The middle first, with writing and single steps in between. */
		for (k = 0; k < 6; k++) {
			model_delete(&m, p[(k + 2) % 6]);
			for (round = 0; round < 40; round++) {
				v = model_random(&m, 6);
				model_write(&m, v, model_random(&m, 199), 1);
				cr_assert_geq(cpb_reap(m.s), 0);
				if (!model_random(&m, 6))
					cr_assert_eq(cpb_commit(m.s), 0);
			}
			if (!model_random(&m, 3))
				model_reopen(&m);
		}
		model_compare(&m);
		sim_idle(m.s);
		sim_check(m.s);
		for (k = 0; k < 6; k++) {
			model_write(&m, k, 0, 200);
			if (model_random(&m, 2))
				model_remove(&m, k);
			sim_idle(m.s);
			sim_check(m.s);
		}
		model_compare(&m);
		model_free(&m);
	}
}
