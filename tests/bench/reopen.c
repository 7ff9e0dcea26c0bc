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
#define TRIES		7U
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

/* The shortest time, with so many extents: the least that others disturbed. */
static double open_with(unsigned int extents, u64 *journal)
{
	struct cpb_status before, after;
	char why[CPB_ERROR_LEN] = "";
	double best = 0, us;
	struct cpb_volume *v;
	struct cpb_store *s;
	struct device d;
	unsigned int i;

	device_new(&d, META_BLOCKS, CHUNKS);
	s = device_open(&d);
	if (cpb_create(s, "vol", 2ULL * MANY << CPB_CHUNK_SHIFT_MIN,
		       (const u8 *)"0123456789abcde", 0, &v, why))
		die("create: %s", why);
	/* With a gap behind each, no two are one extent. */
	for (i = 0; i < extents; i++) {
		write_one(s, v, 2 * i);
		if (i % 4096)
			continue;
		must(cpb_commit(s), "commit");
		cpb_release(s);
	}
	must(cpb_commit(s), "commit");
	cpb_release(s);
	cpb_status(s, &before);
	for (i = 0; i < WRITES; i++) {
		write_one(s, v, 2 * ((i * 7919ULL) % FEW));
		if (i % 100 == 99)
			must(cpb_flush(s), "flush");
	}
	cpb_status(s, &after);
	if (after.txn != before.txn)
		die("the journal is not all that has the writes");
	*journal = after.journal_used;
	for (i = 0; i < TRIES; i++) {
		us = open_once(&d);
		if (!i || us < best)
			best = us;
	}
	must(cpb_close(s), "close");
	port_rcu_barrier();
	device_free(&d);
	printf("%8u extents, %llu blocks of journal: %.1f ms\n", extents,
	       (unsigned long long)*journal, best / 1000);
	return best;
}

int main(int argc, char **argv)
{
	u64 journal[2];
	double few, many;
	bool good;
	FILE *f;

	if (argc > 2)
		return 2;
	few = open_with(FEW, &journal[0]);
	many = open_with(MANY, &journal[1]);
	if (journal[0] != journal[1])
		die("the journals are not the same");
	good = many <= BAR * few;
	printf("FIGURE crash_open_scale %.2f\n", many / few);
	if (argc == 2) {
		f = fopen(argv[1], "w");
		if (!f || fprintf(f, "%d passed, %d failed\n", good, !good) < 0 ||
		    fclose(f))
			die("can't write %s", argv[1]);
	}
	return !good;
}
