// SPDX-License-Identifier: GPL-2.0
/*
 * What the engine's operations on the history cost with 100 checkpoints in a
 * store, with 10,000 and with 100,000; the same for forks of one checkpoint; and how
 * many blocks are touched when long chains go, in several orders.
 *
 *	many [--results FILE]
 *
 * Times are of the CPU. FILE gets a line "N passed, N failed".
 */
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <time.h>

#include "device.h"

#define CHUNKS		128U	/* of a volume: one leaf */
#define ROUNDS		9U	/* of each store in turn */
#define SAMPLES		31U	/* of each operation in a round */
#define FORKS		10000U
#define BAR		1.5	/* the most to the fewest, at most: the median of the rounds */
#define ORDERED		1024U	/* checkpoints of a chain that goes */
#define ORDERED_CHUNKS	4000U
#define CHECKS		(2 + ARRAY_SIZE(orders))

static const unsigned int steps[] = { 100, 10000, 100000 };

#define NR_STEPS	ARRAY_SIZE(steps)

/* What is measured now. */
static struct cpb_store *s;
static struct cpb_volume *v;
static u64 seed = 88172645463325252ULL;

static u64 below(u64 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void must(int err, const char *what, const char *why)
{
	if (err)
		die("%s: %d: %s", what, err, why);
}

/* ---- Operations ---- */

static void write_one(struct cpb_volume *to, u64 vchunk)
{
	struct cpb_run run;
	int err;

	while ((err = cpb_write_begin(s, 0, 1, &run)) == -EAGAIN)
		must(cpb_write_wait(s), "no space", "");
	while (!err && (err = cpb_write_end(to, vchunk, &run, NULL)) == -EAGAIN)
		err = cpb_prepare(to, vchunk, 1);
	must(err, "write", "");
}

static u64 snap(void)
{
	char why[CPB_ERROR_LEN] = "";
	u64 id;

	must(cpb_snap(s, &v, 1, NULL, "", 0, &id, why), "checkpoint", why);
	return id;
}

/* Some visible checkpoint. */
static struct cpb_point *any_point(void)
{
	struct cpb_point *p;
	struct cpb_status st;
	struct cpb_point_info info;

	cpb_status(s, &st);
	do {
		p = cpb_point_next(s, below(st.next_id));
		if (p)
			cpb_point_info(s, p, &info);
	} while (!p || info.flags & (CPB_POINT_HIDDEN | CPB_POINT_HEAD));
	return p;
}

static struct cpb_point *picked;

static void pick(void)
{
	picked = any_point();
}

static void restore(void)
{
	char why[CPB_ERROR_LEN] = "";

	must(cpb_restore(v, picked, true, NULL, why), "restore", why);
}

static void delete(void)
{
	char why[CPB_ERROR_LEN] = "";

	must(cpb_delete(s, picked, why), "delete", why);
}

static void reclaim(void)
{
	int ret;

	while ((ret = cpb_reap(s)) > 0)
		;
	must(ret, "reclaim", "");
}

static void idle(void)
{
	do {
		must(cpb_commit(s), "commit", "");
		cpb_release(s);
		reclaim();
	} while (cpb_dirty(s));
	port_rcu_barrier();
}

static unsigned int list_all(void)
{
	struct cpb_point_info info;
	struct cpb_point *p;
	unsigned int nr = 0;
	u64 id = 0;

	for (; (p = cpb_point_next(s, id)); id = info.id, nr++)
		cpb_point_info(s, p, &info);
	return nr;
}

/* ---- Measuring ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median time of one, with a change to the volume before each. */
static double median_of(void (*fn)(void), void (*after)(void))
{
	double us[SAMPLES], start;
	unsigned int i;

	for (i = 0; i < SAMPLES; i++) {
		write_one(v, below(CHUNKS));
		pick();
		start = cpu_us();
		fn();
		us[i] = cpu_us() - start;
		if (after)
			after();
	}
	qsort(us, SAMPLES, sizeof(*us), by_value);
	return us[SAMPLES / 2];
}

static void snap_one(void)
{
	snap();
}

/* The time of a deletion, and of all the reclaiming that follows. */
static double reclaim_us;

static void timed_reclaim(void)
{
	double start = cpu_us();

	reclaim();
	reclaim_us += cpu_us() - start;
}

enum { SNAP, RESTORE, DELETE, RECLAIM, LIST, OPEN, NR_COSTS };

/* A store with so many checkpoints, and what things cost there in each round. */
struct many {
	unsigned int nr;
	struct device d;
	struct cpb_store *s;
	struct cpb_volume *v;
	double us[NR_COSTS][ROUNDS];
};

/* Leaves as many checkpoints as there were. */
static void measure(struct many *m, unsigned int round)
{
	struct cpb_status st;
	double start;

	s = m->s;
	v = m->v;
	m->us[SNAP][round] = median_of(snap_one, NULL);
	m->us[RESTORE][round] = median_of(restore, NULL);
	reclaim_us = 0;
	median_of(delete, timed_reclaim);
	m->us[DELETE][round] = median_of(delete, timed_reclaim);
	m->us[RECLAIM][round] = reclaim_us / (2 * SAMPLES);
	idle();
	start = cpu_us();
	list_all();
	cpb_status(s, &st);
	m->us[LIST][round] = (cpu_us() - start) / st.nr_checkpoints;
	must(cpb_close(s), "close", "");
	port_rcu_barrier();
	start = cpu_us();
	m->s = device_open(&m->d);
	m->us[OPEN][round] = cpu_us() - start;
	m->v = cpb_volume_by_name(m->s, "vol");
}

static double median(const double us[ROUNDS])
{
	double sorted[ROUNDS];

	memcpy(sorted, us, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), by_value);
	return sorted[ROUNDS / 2];
}

static void show(const struct many *m)
{
	printf("%12u %9.2f %9.2f %9.2f %9.2f %9.3f %9.1f\n", m->nr,
	       median(m->us[SNAP]), median(m->us[RESTORE]), median(m->us[DELETE]),
	       median(m->us[RECLAIM]), median(m->us[LIST]), median(m->us[OPEN]) / 1000);
}

/* Prints a figure; is it within the bar? */
static bool ratio(const char *name, const struct many *most, const struct many *fewest,
		  unsigned int cost)
{
	double of[ROUNDS];
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		of[i] = most->us[cost][i] / fewest->us[cost][i];
	printf("FIGURE %s %.2f\n", name, median(of));
	return median(of) <= BAR;
}

static void make_volume(void)
{
	char why[CPB_ERROR_LEN] = "";
	unsigned int i;

	must(cpb_create(s, "vol", (u64)CHUNKS << CPB_CHUNK_SHIFT_MIN,
			(const u8 *)"0123456789abcde", 0, &v, why), "create", why);
	for (i = 0; i < CHUNKS; i++)
		write_one(v, i);
}

/* @nr checkpoints, of which each tenth is of something new. */
static void make_points(unsigned int nr)
{
	struct cpb_status st;

	for (cpb_status(s, &st); st.nr_checkpoints < nr; st.nr_checkpoints++) {
		if (st.nr_checkpoints % 10 == 0)
			write_one(v, below(CHUNKS));
		snap();
		if (st.nr_checkpoints % 1000 == 0)
			idle();
	}
	idle();
}

/* The first touch of a page costs more than most of what is measured. */
static void new_store(struct device *d, u64 meta_blocks)
{
	u64 i;

	device_new(d, meta_blocks, 1 << 20);
	for (i = 0; i < d->meta_blocks; i++)
		__atomic_fetch_or(d->meta + i * CPB_BLOCK_SIZE, 0, __ATOMIC_RELAXED);
	s = device_open(d);
	make_volume();
}

/* How many of two checks are passed. */
static unsigned int points(void)
{
	static struct many many[NR_STEPS];
	unsigned int i, round, good = 0;
	struct many *m;

	for (i = 0; i < NR_STEPS; i++) {
		m = &many[i];
		m->nr = steps[i];
		new_store(&m->d, 16384 + steps[i]);
		make_points(steps[i]);
		m->s = s;
		m->v = v;
	}
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < NR_STEPS; i++)
			measure(&many[i], round);
	printf("%12s %9s %9s %9s %9s %9s %9s\n", "checkpoints", "snap us",
	       "restore", "delete", "reclaim", "list", "open ms");
	for (i = 0; i < NR_STEPS; i++) {
		show(&many[i]);
		must(cpb_close(many[i].s), "close", "");
		port_rcu_barrier();
		device_free(&many[i].d);
	}
	m = &many[NR_STEPS - 1];
	good += ratio("snap_scale_many", m, &many[0], SNAP);
	good += ratio("restore_scale_many", m, &many[0], RESTORE);
	return good;
}

/* ---- Forks ---- */

static struct cpb_volume *fork_of(struct cpb_point *p, unsigned int i)
{
	char why[CPB_ERROR_LEN] = "", name[CPB_NAME_LEN];
	struct cpb_volume *made;

	snprintf(name, sizeof(name), "fork%u", i);
	must(cpb_fork(s, p, name, (const u8 *)"0123456789abcde", 0, &made, why),
	     "fork", why);
	write_one(made, i % CHUNKS);
	return made;
}

static void forks(void)
{
	static struct cpb_volume *fork[FORKS];
	char why[CPB_ERROR_LEN] = "";
	double start, first, last;
	struct cpb_point *p;
	struct device d;
	unsigned int i;

	new_store(&d, 131072);
	p = cpb_point_by_id(s, snap());
	start = cpu_us();
	for (i = 0; i < 1000; i++)
		fork[i] = fork_of(p, i);
	first = (cpu_us() - start) / 1000;
	for (; i < FORKS - 1000; i++)
		fork[i] = fork_of(p, i);
	start = cpu_us();
	for (; i < FORKS; i++)
		fork[i] = fork_of(p, i);
	last = (cpu_us() - start) / 1000;
	idle();
	printf("%u forks of one checkpoint: %.2f us each at first, %.2f at last\n",
	       FORKS, first, last);

	start = cpu_us();
	must(cpb_delete(s, p, why), "delete", why);
	first = cpu_us() - start;
	start = cpu_us();
	idle();
	printf("deleting that checkpoint: %.1f us, then %.1f ms in the background\n",
	       first, (cpu_us() - start) / 1000);
	start = cpu_us();
	for (i = 0; i < FORKS; i++)
		must(cpb_remove(fork[i], false, why), "remove", why);
	first = (cpu_us() - start) / FORKS;
	start = cpu_us();
	idle();
	printf("removing the forks: %.2f us each, then %.1f ms in the background\n",
	       first, (cpu_us() - start) / 1000);
	must(cpb_close(s), "close", "");
	port_rcu_barrier();
	device_free(&d);
}

/* Nor is memory that the engine takes to come from the kernel meanwhile. */
static void warm_up(void)
{
	static void *piece[8192];
	unsigned int i;

	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	for (i = 0; i < ARRAY_SIZE(piece); i++) {
		piece[i] = malloc(1 << 15);
		if (!piece[i])
			die("no memory");
		memset(piece[i], 1, 1 << 15);
	}
	for (i = 0; i < ARRAY_SIZE(piece); i++)
		free(piece[i]);
}

/* ---- Chains that go in bad orders ---- */

static unsigned int oldest(unsigned int i)
{
	return i;
}

static unsigned int newest(unsigned int i)
{
	return ORDERED - 1 - i;
}

static unsigned int middle_out(unsigned int i)
{
	return i % 2 ? ORDERED / 2 - 1 - i / 2 : ORDERED / 2 + i / 2;
}

/* Multiplying by an odd number permutes a power of two. */
static unsigned int scattered(unsigned int i)
{
	return i * 389 % ORDERED;
}

static const struct {
	const char *name;
	unsigned int (*nth)(unsigned int i);
} orders[] = {
	{ "oldest first", oldest },
	{ "newest first", newest },
	{ "middle out", middle_out },
	{ "scattered", scattered },
};

/*
 * One after the other goes of a chain of checkpoints that differ by a hundredth.
 * To join two deadlists is to move the shorter one, so that no entry is moved
 * more often than their number can be halved.
 */
static bool delete_in(unsigned int (*nth)(unsigned int i), const char *name)
{
	struct cpb_status before, after;
	char why[CPB_ERROR_LEN] = "";
	u64 ids[ORDERED], freed, touched, most = 0, last;
	struct device d;
	unsigned int i, k;

	device_new(&d, 65536, 1 << 20);
	s = device_open(&d);
	must(cpb_create(s, "vol", (u64)ORDERED_CHUNKS << CPB_CHUNK_SHIFT_MIN,
			(const u8 *)"0123456789abcde", 0, &v, why), "create", why);
	for (i = 0; i < ORDERED_CHUNKS; i++)
		write_one(v, i);
	for (i = 0; i < ORDERED; i++) {
		for (k = 0; k < ORDERED_CHUNKS / 100; k++)
			write_one(v, below(ORDERED_CHUNKS));
		ids[i] = snap();
	}
	idle();
	cpb_status(s, &before);
	last = before.blocks_touched;
	for (i = 0; i < ORDERED; i++) {
		must(cpb_delete(s, cpb_point_by_id(s, ids[nth(i)]), why), "delete", why);
		idle();
		cpb_status(s, &after);
		most = max(most, after.blocks_touched - last);
		last = after.blocks_touched;
	}
	freed = before.data_used - after.data_used + before.meta_used - after.meta_used;
	touched = after.blocks_touched - before.blocks_touched;
	printf("%-13s %9llu %9llu %9.2f %9llu\n", name, (unsigned long long)freed,
	       (unsigned long long)touched, (double)touched / freed,
	       (unsigned long long)most);
	must(cpb_close(s), "close", "");
	port_rcu_barrier();
	device_free(&d);
	return touched <= 2 * freed;
}

static unsigned int all_orders(void)
{
	unsigned int i, good = 0;

	printf("%u checkpoints go %9s %9s %9s %9s\n", ORDERED, "freed", "touched",
	       "ratio", "most");
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		good += delete_in(orders[i].nth, orders[i].name);
	return good;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "results", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 }
	};
	const char *results = NULL;
	unsigned int good = 0;
	FILE *f;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'r')
			return 2;
		results = optarg;
	}
	warm_up();
	good += points();
	forks();
	good += all_orders();
	if (results) {
		f = fopen(results, "w");
		if (!f || fprintf(f, "%u passed, %u failed\n", good,
				  (unsigned int)CHECKS - good) < 0 ||
		    fclose(f))
			die("can't write %s", results);
	}
	return good != CHECKS;
}
