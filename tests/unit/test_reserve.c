// SPDX-License-Identifier: GPL-2.0
/*
 * What is left when the smallest metadata device is full is enough to delete
 * anything, in any order: deep histories, branches.
 */
#include <criterion/criterion.h>

#include "model.h"

enum order { NEWEST, MIDDLE, RANDOM };

static void shuffle(struct model *m, int *p, unsigned int nr, enum order order)
{
	unsigned int i, k;
	int t;

	for (i = 0; i < nr; i++) {
		switch (order) {
		case NEWEST:
			k = i < nr / 2 ? nr - 1 - i : i;
			break;
		case MIDDLE:
			k = i % 2 ? i : (i + nr / 2) % nr;
			break;
		default:
			k = i + model_random(m, nr - i);
		}
		t = p[i];
		p[i] = p[k];
		p[k] = t;
	}
}

/*
 * @per: chunks written between two checkpoints; @forks: how many volumes take
 * turns.
 */
static void run(u64 seed, u64 per, unsigned int forks, enum order order)
{
	unsigned int nr = 0, i, v = 0;
	u64 lowest = ~0ULL, steps = 0;
	struct cpb_status st;
	int p[MODEL_POINTS], err;
	struct model m;

	model_init(&m, seed, 4096, 200000, 30000);
	model_create(&m, 0);
	do {
		i = nr < MODEL_POINTS ? model_snap(&m, v) : -1;
		if ((int)i >= 0)
			p[nr++] = i;
		if (nr && v + 1 < forks && !m.volume[v + 1])
			model_fork(&m, p[nr - 1], v + 1);
		v = (v + 1) % forks;
		if (!m.volume[v])
			v = 0;
	} while (model_fill(&m, v, MODEL_ANYWHERE, per) == per && nr < MODEL_POINTS);
	model_fill(&m, v, MODEL_ANYWHERE, 100000);
	cpb_status(m.s, &st);
	cr_assert_not(st.readonly, "%s", st.error);
	cr_log_info("full with %u checkpoints, %llu blocks left", nr,
		    (unsigned long long)st.meta_free);
	shuffle(&m, p, nr, order);
	for (i = 0; i < nr; i++)
		model_delete(&m, p[i]);
	for (i = 0; i < forks; i++)
		if (m.volume[i] && i != v)
			model_remove(&m, i);
	do {
		while ((err = cpb_reap(m.s)) > 0) {
			cpb_status(m.s, &st);
			if (st.meta_free < lowest)
				lowest = st.meta_free;
			steps++;
		}
		cpb_status(m.s, &st);
		cr_assert_eq(err, 0, "after %llu steps: %s", (unsigned long long)steps,
			     st.error);
		cr_assert_eq(cpb_commit(m.s), 0);
		cpb_release(m.s);
	} while (cpb_dirty(m.s));
	cr_log_info("%llu blocks left at least", (unsigned long long)lowest);
	sim_idle(m.s);
	sim_check(m.s);
	model_compare(&m);
	cr_assert_eq(model_fill(&m, v, MODEL_ANYWHERE, 5000), 5000);
	sim_check((sim_idle(m.s), m.s));
	model_compare(&m);
	model_free(&m);
}

Test(reserve, deep)
{
	run(44, 1500, 1, NEWEST);
	run(45, 1500, 1, MIDDLE);
}

Test(reserve, branches)
{
	run(46, 2500, 6, RANDOM);
}
