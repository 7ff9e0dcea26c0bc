// SPDX-License-Identifier: GPL-2.0
/*
 * What is said of space against a count of everything: of each checkpoint and
 * volume, of random sets of them, while there is work in the background and when
 * there is none; and nothing is allocated that is not reachable.
 *
 * Contents are numbers that are never written twice and a chunk is never mapped
 * twice in one map, so counting numbers in the model's arrays is counting chunks.
 */
#include <criterion/criterion.h>

#include "model.h"

static u64 errors, leaks, known, asked;

static void wrong(const char *what, u64 id, u64 got, u64 right)
{
	if (errors++ < 20)
		cr_log_error("point %llu: %s is %llu, not %llu", (unsigned long long)id,
			     what, (unsigned long long)got, (unsigned long long)right);
}

/* A head or checkpoint, and what it holds. */
struct holder {
	u64 id;
	const u64 *content;
	struct cpb_point *p;
};

struct count {
	struct model *m;
	struct holder h[MODEL_VOLUMES + MODEL_POINTS];
	unsigned int nr;
	u8 *holders;		/* of each content */
};

static void count_begin(struct count *c, struct model *m)
{
	struct cpb_volume_info vi;
	unsigned int i;
	u64 v;

	c->m = m;
	c->nr = 0;
	for (i = 0; i < MODEL_VOLUMES; i++) {
		if (!m->volume[i])
			continue;
		cpb_volume_info(m->volume[i], &vi);
		c->h[c->nr++] = (struct holder){ vi.head.id, m->head[i].content,
						 cpb_head(m->volume[i]) };
	}
	for (i = 0; i < MODEL_POINTS; i++)
		if (m->point[i].id)
			c->h[c->nr++] = (struct holder){
				m->point[i].id, m->point[i].content,
				cpb_point_by_id(m->s, m->point[i].id) };
	c->holders = calloc(m->next, 1);
	for (i = 0; i < c->nr; i++)
		for (v = 0; v < m->size; v++)
			if (c->h[i].content[v])
				c->holders[c->h[i].content[v]]++;
}

/* Contents that only the holders of a set have. */
static u64 brute(struct count *c, const u8 *in)
{
	u8 *left = malloc(c->m->next);
	unsigned int i;
	u64 v, nr = 0;

	memcpy(left, c->holders, c->m->next);
	for (i = 0; i < c->nr; i++)
		for (v = 0; in[i] && v < c->m->size; v++)
			if (c->h[i].content[v] && !--left[c->h[i].content[v]])
				nr++;
	free(left);
	return nr;
}

/* How many contents @a has that @b, which may be NULL, has not. */
static u64 beyond(struct model *m, const u64 *a, const u64 *b)
{
	u8 *has = calloc(m->next, 1);
	u64 v, nr = 0;

	for (v = 0; b && v < m->size; v++)
		has[b[v]] = 1;
	for (v = 0; v < m->size; v++)
		nr += a[v] && !has[a[v]];
	free(has);
	return nr;
}

static void check_set(struct count *c, const u8 *in)
{
	u64 ids[MODEL_VOLUMES + MODEL_POINTS], got;
	unsigned int i, nr = 0;
	int err;

	/* In any order. */
	for (i = c->nr; i--;)
		if (in[i])
			ids[nr++] = c->h[i].id;
	if (!nr)
		return;
	err = cpb_cost(c->m->s, ids, nr, &got, NULL);
	if (err || got != brute(c, in))
		wrong(nr == 1 ? "cost" : "cost of a set from here", ids[0],
		      err ? err : got, brute(c, in));
}

static void check_one(struct count *c, unsigned int i)
{
	u8 in[MODEL_VOLUMES + MODEL_POINTS] = { 0 };
	struct holder *h = &c->h[i];
	struct cpb_point_info pi;
	const u64 *parent = NULL;
	unsigned int k;

	in[i] = 1;
	cpb_point_info(c->m->s, h->p, &pi);
	if (pi.referenced != beyond(c->m, h->content, NULL))
		wrong("referenced", h->id, pi.referenced,
		      beyond(c->m, h->content, NULL));
	for (k = 0; k < c->nr; k++)
		if (c->h[k].id == pi.parent)
			parent = c->h[k].content;
	if (parent || !pi.parent) {
		if (pi.written != beyond(c->m, h->content, parent))
			wrong("written", h->id, pi.written,
			      beyond(c->m, h->content, parent));
		if (parent && pi.dead != beyond(c->m, parent, h->content))
			wrong("dead", h->id, pi.dead,
			      beyond(c->m, parent, h->content));
	}
	asked++;
	if (pi.unique != CPB_UNKNOWN) {
		known++;
		if (pi.unique != brute(c, in))
			wrong("unique", h->id, pi.unique, brute(c, in));
	}
	if (model_random(c->m, 2))
		return;
	check_set(c, in);
	cpb_point_info(c->m->s, h->p, &pi);
	if (pi.unique != brute(c, in))
		wrong("unique, once asked for,", h->id, pi.unique, brute(c, in));
}

static void check_accounts(struct model *m)
{
	u8 in[MODEL_VOLUMES + MODEL_POINTS];
	unsigned int i, n, of;
	struct count c;

	count_begin(&c, m);
	for (i = 0; i < c.nr; i++)
		check_one(&c, i);
	for (n = 0; n < 3; n++) {
		of = 1 + model_random(m, 4);
		for (i = 0; i < c.nr; i++)
			in[i] = model_random(m, 4) < of;
		check_set(&c, in);
	}
	free(c.holders);
}

static void say(void *arg, const char *text)
{
	(void)arg;
	if (leaks < 20)
		cr_log_error("check: %s", text);
}

static void check_leaks(struct model *m)
{
	struct cpb_check_report r;

	sim_idle(m->s);
	if (cpb_check(m->s, &r, say, NULL) || r.errors ||
	    r.chunks_allocated != r.chunks_reachable ||
	    r.blocks_allocated != r.blocks_reachable) {
		cr_log_error("a history leaks: repeat with CPB_SEED");
		leaks++;
	}
}

/*
 * Nested hidden checkpoints: a line with forks on the way, overwritten
 * everywhere, the middle deleted first and the ends last.
 */
static void nested(struct model *m, unsigned int len)
{
	unsigned int i, k, v;
	int p[8];

	model_create(m, 0);
	model_write(m, 0, 0, m->size);
	for (i = 0; i < len; i++) {
		v = model_random(m, i + 1);
		p[i] = model_snap(m, v);
		model_fork(m, p[i], i + 1);
		for (k = 0; k < 3; k++) {
			u64 at = model_random(m, m->size);

			model_write(m, model_random(m, i + 2), at,
				    1 + model_random(m, min(m->size - at, 12ULL)));
		}
	}
	for (i = 0; i < len; i++) {
		model_delete(m, p[(i + len / 2) % len]);
		for (k = 0; k < 4; k++) {
			v = model_random(m, len + 1);
			model_write(m, v, model_random(m, m->size), 1);
			cr_assert_geq(cpb_reap(m->s), 0);
		}
		if (!model_random(m, 3))
			cr_assert_eq(cpb_commit(m->s), 0);
		if (!model_random(m, 3))
			check_accounts(m);
		if (!model_random(m, 4)) {
			check_leaks(m);
			check_accounts(m);
		}
	}
}

static void history(u64 seed)
{
	struct model m;
	unsigned int i;

	model_init(&m, seed, 4096, 4096, 24);
	if (seed % 3 == 0)
		nested(&m, 2 + model_random(&m, 5));
	for (i = 0; i < 60; i++) {
		model_step(&m);
		if (i % 20 == 19)
			check_accounts(&m);
	}
	check_leaks(&m);
	check_accounts(&m);
	if (seed % 8 == 0) {
		model_reopen(&m);
		check_accounts(&m);
	}
	model_free(&m);
}

Test(accounting, histories)
{
	const char *text = getenv("CPB_HISTORIES"), *first = getenv("CPB_SEED");
	u64 nr = text ? strtoull(text, NULL, 0) : 10000, i;
	u64 seed = first ? strtoull(first, NULL, 0) : 20000;

	for (i = 0; i < nr && errors + leaks < 20; i++) {
		u64 before = errors + leaks;

		history(seed + i);
		if (errors + leaks != before)
			cr_log_error("repeat: CPB_SEED=%llu CPB_HISTORIES=1",
				     (unsigned long long)(seed + i));
	}
	printf("FIGURE history_leaks %llu\n", (unsigned long long)leaks);
	printf("FIGURE accounting_errors %llu\n", (unsigned long long)errors);
	fflush(stdout);
	cr_log_info("%llu histories, %llu of %llu unique sizes known unasked",
		    (unsigned long long)i, (unsigned long long)known,
		    (unsigned long long)asked);
	cr_assert(!errors && !leaks);
}
