// SPDX-License-Identifier: GPL-2.0
/*
 * What the engine's operations cost, without a kernel, a device or a bio
 * around them.
 *
 *	engine [--rounds N] [--out DIR] [--no-instructions]
 *	engine --lookups [--rounds N]
 *
 * The second one only measures how lookups scale to two CPUs, and prints it as a
 * sample for the benchmark in the VM.
 *
 * Times are of the CPU, for each thread by itself: others on the machine make
 * them noisy, but don't add to them. Instructions are counted by callgrind and
 * are the same every time, so they are what to compare two versions by.
 */
#include <getopt.h>
#include <sys/wait.h>
#include <malloc.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "device.h"

#define VOLUME		262144ULL	/* chunks: 1 GiB */
#define COUNTED		20000U		/* operations that callgrind watches */
#define ROUNDS_MAX	51

struct place {
	struct device d;
	struct cpb_store *s;
	struct cpb_volume *v;
	u64 chunks;		/* of the volume */
	unsigned int threads;	/* at work together */
};

/* ---- What is measured ---- */

static u64 next_random(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* The background work of the driver, done where it is asked for. */
static void pump(struct place *p)
{
	unsigned int why = __atomic_exchange_n(&p->d.kicked, 0, __ATOMIC_RELAXED);

	if (why & CPB_KICK_REFILL)
		cpb_refill(p->s);
	if (why & CPB_KICK_COMMIT && cpb_commit(p->s))
		die("commit failed");
	if (why & (CPB_KICK_RELEASE | CPB_KICK_COMMIT)) {
		cpb_release(p->s);
		port_rcu_barrier();
	}
}

static void write_chunks(struct place *p, unsigned int cpu, u64 vchunk, u64 len)
{
	struct cpb_run run;
	int err;

	while (len) {
		while ((err = cpb_write_begin(p->s, cpu, len, &run)) == -EAGAIN) {
			err = cpb_write_wait(p->s);
			if (err)
				die("no space: %d", err);
		}
		while (!err && (err = cpb_write_end(p->v, vchunk, &run, NULL)) == -EAGAIN)
			err = cpb_prepare(p->v, vchunk, run.len);
		if (err)
			die("write failed: %d", err);
		vchunk += run.len;
		len -= run.len;
	}
	if (__atomic_load_n(&p->d.kicked, __ATOMIC_RELAXED) && !cpu)
		pump(p);
}

static void lookups(struct place *p, unsigned int cpu, u64 n)
{
	u64 x = 88172645463325252ULL + cpu;
	struct cpb_point *head = cpb_head(p->v);
	struct cpb_extent ext[8];

	while (n--)
		if (cpb_lookup(p->s, head, next_random(&x) % p->chunks, 1, ext, 8) != 1)
			die("lookup failed");
}

static void reads(struct place *p, unsigned int cpu, u64 n)
{
	u64 x = 88172645463325252ULL + cpu;
	struct cpb_point *head = cpb_head(p->v);
	struct cpb_extent ext[8];
	struct cpb_gen *g;

	while (n--) {
		g = cpb_read_begin(p->s);
		if (cpb_lookup(p->s, head, next_random(&x) % p->chunks, 1, ext, 8) != 1)
			die("lookup failed");
		cpb_read_end(g);
	}
}

static void overwrites(struct place *p, unsigned int cpu, u64 n)
{
	u64 x = 4101842887655102017ULL + cpu;

	while (n--)
		write_chunks(p, cpu, next_random(&x) % p->chunks, 1);
}

static void snap(struct place *p)
{
	char why[CPB_ERROR_LEN];

	if (cpb_snap(p->s, &p->v, 1, NULL, "", 0, NULL, why))
		die("checkpoint: %s", why);
}

/* Five a second at 20,000 writes a second. */
static void overwrites_5hz(struct place *p, unsigned int cpu, u64 n)
{
	u64 x = 4101842887655102017ULL + cpu, i;

	for (i = 0; i < n; i++) {
		if (i % 4000 == 0)
			snap(p);
		write_chunks(p, cpu, next_random(&x) % p->chunks, 1);
	}
}

/* Every chunk once: multiplying by an odd number permutes a power of two. */
static void inserts(struct place *p, unsigned int cpu, u64 n)
{
	u64 i, step = p->threads;

	for (i = 0; i < n; i++)
		write_chunks(p, cpu, (i * step + cpu) * 2654435761U % p->chunks, 1);
}

static void inserts_seq(struct place *p, unsigned int cpu, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		write_chunks(p, cpu, i, 1);
}

/* 128 KiB at a time. */
static void inserts_128k(struct place *p, unsigned int cpu, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		write_chunks(p, cpu, i * 32 % p->chunks, 32);
}

/* Each with one change since the last: an unchanged head has nothing to save. */
static void snaps(struct place *p, unsigned int cpu, u64 n)
{
	while (n--) {
		write_chunks(p, cpu, n % p->chunks, 1);
		snap(p);
	}
}

/* Writes a transaction after each 1,000 writes; per write. */
static void commits(struct place *p, unsigned int cpu, u64 n)
{
	u64 x = 4101842887655102017ULL + cpu, i;

	for (i = 0; i < n; i++) {
		write_chunks(p, cpu, next_random(&x) % p->chunks, 1);
		if (i % 1000 == 999) {
			p->d.kicked |= CPB_KICK_COMMIT;
			pump(p);
		}
	}
}

/* ---- Stores to measure on ---- */

static void place_new(struct place *p, u64 chunks)
{
	char why[CPB_ERROR_LEN];

	/* Space for a round of overwrites, so that no commit is forced. */
	device_new(&p->d, 131072 + chunks / 16, 4 * chunks + 1048576);
	p->s = device_open(&p->d);
	p->chunks = chunks;
	p->threads = 1;
	if (cpb_create(p->s, "vol", chunks << CPB_CHUNK_SHIFT_MIN,
		       (const u8 *)"0123456789abcde", 0, &p->v, why))
		die("create: %s", why);
}

static void place_free(struct place *p)
{
	if (cpb_close(p->s))
		die("close failed");
	port_rcu_barrier();
	device_free(&p->d);
}

static void settle(struct place *p)
{
	p->d.kicked |= CPB_KICK_COMMIT;
	pump(p);
}

/* A full volume, each chunk an extent of its own. */
static void place_full(struct place *p, u64 chunks)
{
	place_new(p, chunks);
	inserts(p, 0, chunks);
	settle(p);
	overwrites(p, 0, chunks / 4);
	settle(p);
}

/* ---- Timing ---- */

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

struct bench {
	const char *name, *what;
	void (*run)(struct place *p, unsigned int cpu, u64 n);
	u64 n;			/* operations in one round */
	bool empty, snapped;	/* the store that it begins with */
	bool threads;		/* also with two */
};

static const struct bench benches[] = {
	{ "lookup", "find one random chunk", lookups, 400000, false, false, true },
	{ "read", "the same with the generation held", reads, 400000, false, false, false },
	{ "insert", "first write, 4 KiB, random", inserts, 100000, true, false, true },
	{ "insert_seq", "first write, 4 KiB, in order", inserts_seq, 200000, true, false, false },
	{ "insert_128k", "first write, 128 KiB, in order", inserts_128k, 8000, true, false, false },
	{ "overwrite", "overwrite, 4 KiB, random", overwrites, 200000, false, false, true },
	{ "overwrite_snap", "the same right after a checkpoint", overwrites, 20000, false, true, false },
	{ "overwrite_5hz", "the same, a checkpoint each 4,000", overwrites_5hz, 40000, false, false, false },
	{ "overwrite_commit", "the same, a transaction each 1,000", commits, 40000, false, false, false },
	{ "checkpoint", "one write and a checkpoint", snaps, 2000, false, false, true },
};

#define NR_BENCHES	ARRAY_SIZE(benches)

struct job {
	const struct bench *b;
	struct place *p;
	unsigned int cpu;
	double ns;
};

static pthread_barrier_t together;

static void *run_job(void *arg)
{
	struct job *j = arg;
	double start;

	pthread_barrier_wait(&together);
	start = cpu_ns();
	j->b->run(j->p, j->cpu, j->b->n);
	j->ns = (cpu_ns() - start) / j->b->n;
	return NULL;
}

/* CPU time of one operation, the mean of the threads'. */
static double run_round(const struct bench *b, unsigned int threads)
{
	struct job job[2];
	pthread_t t[2];
	struct place p;
	unsigned int i;
	double ns = 0;

	if (b->empty)
		place_new(&p, VOLUME);
	else
		place_full(&p, VOLUME);
	if (b->snapped)
		snap(&p);
	p.threads = threads;
	pthread_barrier_init(&together, NULL, threads);
	for (i = 0; i < threads; i++) {
		job[i] = (struct job){ b, &p, i, 0 };
		if (pthread_create(&t[i], NULL, run_job, &job[i]))
			die("no thread");
	}
	for (i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		ns += job[i].ns / threads;
	}
	pthread_barrier_destroy(&together);
	place_free(&p);
	return ns;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- Instructions ---- */

/* What callgrind runs: each operation once, watched for COUNTED of them. */
static void watched(void)
{
	unsigned int i;
	struct place p;

	for (i = 0; i < NR_BENCHES; i++) {
		const struct bench *b = &benches[i];
		u64 n = min_t(u64, b->n, COUNTED);

		if (b->empty)
			place_new(&p, VOLUME);
		else
			place_full(&p, VOLUME);
		if (b->snapped)
			snap(&p);
		CALLGRIND_START_INSTRUMENTATION;
		b->run(&p, 0, n);
		CALLGRIND_STOP_INSTRUMENTATION;
		CALLGRIND_DUMP_STATS_AT(b->name);
		place_free(&p);
	}
}

/* The totals of a dump; 0: it is not there. */
static double read_dump(const char *dir, unsigned int nr)
{
	char path[4096], *line = NULL;
	size_t room = 0;
	double total = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/callgrind.%u", dir, nr);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (getline(&line, &room, f) > 0)
		sscanf(line, "totals: %lf", &total);
	free(line);
	fclose(f);
	return total;
}

/* Fills in instructions per operation; false: there is no valgrind. */
static bool count_instructions(const char *self, const char *dir, double *per_op)
{
	char out[4096];
	unsigned int i;
	int status;
	pid_t pid;

	snprintf(out, sizeof(out), "--callgrind-out-file=%s/callgrind", dir);
	pid = fork();
	if (pid < 0)
		die("can't fork");
	if (!pid) {
		execlp("valgrind", "valgrind", "-q", "--tool=callgrind",
		       "--instr-atstart=no", out, self, "--watched", NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return false;
	for (i = 0; i < NR_BENCHES; i++)
		per_op[i] = read_dump(dir, i + 1) / min_t(u64, benches[i].n, COUNTED);
	return true;
}

/* ---- Figures that are not times ---- */

/* Memory that the engine holds, over what it holds for an empty volume. */
static double memory_per_extent(void)
{
	struct place p;
	size_t before;
	double bytes;

	place_new(&p, VOLUME);
	/* The writers' pool is there from the first write on, however many there are. */
	if (cpb_refill(p.s))
		die("no pool");
	settle(&p);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	inserts(&p, 0, VOLUME);
	overwrites(&p, 0, VOLUME);
	settle(&p);
	bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	place_free(&p);
	return bytes / VOLUME;
}

/*
 * A flush each 5 s and a transaction each 30 s, as the driver has them, for two
 * minutes of 20,000 writes a second, after as much to get there.
 */
static double metadata_per_write(void)
{
	const u64 per_second = 20000, seconds = 120;
	u64 x = 1181783497276652981ULL, i, second, from = 0;
	struct place p;

	place_full(&p, VOLUME);
	for (second = 0; second < 2 * seconds; second++) {
		if (second == seconds)
			from = p.d.written;
		for (i = 0; i < per_second; i++)
			write_chunks(&p, 0, next_random(&x) % p.chunks, 1);
		if (second % 5 == 4 && cpb_flush(p.s))
			die("flush failed");
		if (second % 30 == 29)
			p.d.kicked |= CPB_KICK_COMMIT;
		pump(&p);
	}
	i = p.d.written - from;
	place_free(&p);
	return (double)i * CPB_BLOCK_SIZE / (per_second * seconds);
}

/* ---- All together ---- */

static void only_lookups(unsigned int rounds)
{
	unsigned int r;
	double one;

	for (r = 1; r <= rounds; r++) {
		one = run_round(&benches[0], 1);
		printf("SAMPLE lookup_2cpu_scale engine %u %.3f\n", r,
		       2 * one / run_round(&benches[0], 2));
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "out", required_argument, NULL, 'o' },
		{ "no-instructions", no_argument, NULL, 'n' },
		{ "watched", no_argument, NULL, 'w' },
		{ "lookups", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 }
	};
	double one[NR_BENCHES][ROUNDS_MAX], two[NR_BENCHES][ROUNDS_MAX];
	double scale[ROUNDS_MAX], instructions[NR_BENCHES];
	unsigned int rounds = 5, r, i;
	bool counted = true, lookups_only = false;
	const char *out = ".";
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'o':
			out = optarg;
			break;
		case 'n':
			counted = false;
			break;
		case 'l':
			lookups_only = true;
			break;
		case 'w':
			watched();
			return 0;
		default:
			return 2;
		}
	}
	if (!rounds || rounds > ROUNDS_MAX)
		die("--rounds: 1 to %d", ROUNDS_MAX);
	if (lookups_only) {
		only_lookups(rounds);
		return 0;
	}

	for (r = 0; r < rounds; r++) {
		for (i = 0; i < NR_BENCHES; i++) {
			one[i][r] = run_round(&benches[i], 1);
			if (benches[i].threads)
				two[i][r] = run_round(&benches[i], 2);
		}
		/* Lookups come first: twice as many, for so much more time. */
		scale[r] = 2 * one[0][r] / two[0][r];
	}
	if (counted && !count_instructions(argv[0], out, instructions)) {
		fprintf(stderr, "no valgrind: instructions are not counted\n");
		counted = false;
	}

	printf("%-18s %-36s %22s %10s %13s\n", "operation", "what", "ns, CPU (min - max)",
	       "2 threads", "instructions");
	for (i = 0; i < NR_BENCHES; i++) {
		const struct bench *b = &benches[i];
		double m = median(one[i], rounds);

		printf("%-18s %-36s %8.0f (%4.0f - %4.0f)", b->name, b->what, m,
		       one[i][0], one[i][rounds - 1]);
		if (b->threads)
			printf(" %10.0f", median(two[i], rounds));
		else
			printf(" %10s", "");
		if (counted)
			printf(" %13.0f", instructions[i]);
		putchar('\n');
	}
	for (i = 0; counted && i < NR_BENCHES; i++)
		printf("FIGURE instructions_%s %.0f\n", benches[i].name, instructions[i]);
	printf("FIGURE lookup_2cpu_scale %.2f\n", median(scale, rounds));
	printf("FIGURE memory_per_extent %.1f\n", memory_per_extent());
	printf("FIGURE metadata_bytes_per_write %.1f\n", metadata_per_write());
	return 0;
}
