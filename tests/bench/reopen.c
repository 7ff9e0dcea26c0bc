// SPDX-License-Identifier: GPL-2.0
/*
 * How long it takes to open a store after a crash: with few extents mapped and
 * with many, and the same writes in the journal.
 *
 *	reopen [FILE]
 *
 * Times are of the CPU. FILE gets a line "N passed, N failed".
 */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

#define META_BLOCKS	65536U
#define CHUNKS		(1U << 21)
#define FEW		10000U
#define MANY		1000000U
#define WRITES		5000U	/* that only the journal has */
#define TRIES		15U
#define BAR		1.5

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void must(int err, const char *what)
{
	if (err)
		die("%s: %d", what, err);
}

static void write_one(struct cpb_store *s, struct cpb_volume *v, u64 vchunk)
{
	struct cpb_run run;
	int err;

	while ((err = cpb_write_begin(s, 0, 1, &run)) == -EAGAIN)
		must(cpb_write_wait(s), "no space");
	while (!err && (err = cpb_write_end(v, vchunk, &run, NULL)) == -EAGAIN)
		err = cpb_prepare(v, vchunk, 1);
	must(err, "write");
}

/*
 * The store is as a crash leaves it: the device has what was written, and that
 * it is open here is not known to a child, which has a copy of the device.
 */
static double open_once(struct device *d)
{
	double us = 0, start;
	int fd[2], status;

	if (pipe(fd))
		die("no pipe");
	fflush(stdout);
	if (!fork()) {
		start = cpu_us();
		device_open(d);
		us = cpu_us() - start;
		_exit(write(fd[1], &us, sizeof(us)) != sizeof(us));
	}
	if (read(fd[0], &us, sizeof(us)) != sizeof(us) || wait(&status) < 0 || status)
		die("opening failed");
	close(fd[0]);
	close(fd[1]);
	return us;
}

/* A store with so many extents, and writes in its journal. */
struct crashed {
	unsigned int extents;
	u64 journal;
	struct device d;
	struct cpb_store *s;
	double us[TRIES];
};

static void fill(struct crashed *c)
{
	struct cpb_status before, after;
	char why[CPB_ERROR_LEN] = "";
	struct cpb_volume *v;
	unsigned int i;

	device_new(&c->d, META_BLOCKS, CHUNKS);
	c->s = device_open(&c->d);
	if (cpb_create(c->s, "vol", 2ULL * MANY << CPB_CHUNK_SHIFT_MIN,
		       (const u8 *)"0123456789abcde", 0, &v, why))
		die("create: %s", why);
	/* With a gap behind each, no two are one extent. */
	for (i = 0; i < c->extents; i++) {
		write_one(c->s, v, 2 * i);
		if (i % 4096)
			continue;
		must(cpb_commit(c->s), "commit");
		cpb_release(c->s);
	}
	must(cpb_commit(c->s), "commit");
	cpb_release(c->s);
	cpb_status(c->s, &before);
	for (i = 0; i < WRITES; i++) {
		write_one(c->s, v, 2 * ((i * 7919ULL) % FEW));
		if (i % 100 == 99)
			must(cpb_flush(c->s), "flush");
	}
	cpb_status(c->s, &after);
	if (after.txn != before.txn)
		die("the journal is not all that has the writes");
	c->journal = after.journal_used;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double v[TRIES])
{
	qsort(v, TRIES, sizeof(*v), by_value);
	return v[TRIES / 2];
}

static void done(struct crashed *c)
{
	printf("%8u extents, %llu blocks of journal: %.1f ms\n", c->extents,
	       (unsigned long long)c->journal, median(c->us) / 1000);
	must(cpb_close(c->s), "close");
	port_rcu_barrier();
	device_free(&c->d);
}

int main(int argc, char **argv)
{
	struct crashed few = { .extents = FEW }, many = { .extents = MANY };
	double ratios[TRIES], ratio;
	unsigned int i;
	FILE *f;

	if (argc > 2)
		return 2;
	fill(&few);
	fill(&many);
	if (few.journal != many.journal)
		die("the journals are not the same");
	/*
	 * In turn: how much cache neighbours leave changes what it takes by half, for
	 * both alike, and for longer than two of these last.
	 */
	for (i = 0; i < TRIES; i++) {
		few.us[i] = open_once(&few.d);
		many.us[i] = open_once(&many.d);
		ratios[i] = many.us[i] / few.us[i];
	}
	done(&few);
	done(&many);
	ratio = median(ratios);
	printf("FIGURE crash_open_scale %.2f\n", ratio);
	if (argc == 2) {
		f = fopen(argv[1], "w");
		if (!f || fprintf(f, "%d passed, %d failed\n", ratio <= BAR, ratio > BAR) < 0 ||
		    fclose(f))
			die("can't write %s", argv[1]);
	}
	return ratio > BAR;
}
