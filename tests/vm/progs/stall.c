// SPDX-License-Identifier: GPL-2.0
/*
 * stall: the longest that a stream of writes waits around a checkpoint.
 *
 *	stall DEVICE SECONDS TIMES KIND...
 *
 * A thread keeps 32 random 4 KiB writes in flight. For SECONDS it is left alone:
 * the 99.9th percentile of its latencies then is "p999". After that a checkpoint
 * is taken TIMES times, and with cpblk one is restored as often: around each,
 * from the call until 100 ms after the answer, the longest latency counts. "quiet"
 * is the same without any operation, to compare with; "-took" is how long the
 * operation took until its answer, with the disk busy. KIND is what taker.h says;
 * lines are "WHAT NANOSECONDS".
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "prog.h"
#include "taker.h"

#define BLOCK		4096U
#define DEPTH		32
#define RECORDS		(1UL << 23)
#define AFTER_NS	100000000ULL
#define APART_MS	250U
#define FIRST		1	/* number of a checkpoint */

struct record {
	uint64_t begun, done;
};

static struct record *records;
static unsigned long nr_records;	/* written by the stream only */
static int over;
static const char *device;

static void submit(aio_context_t ctx, struct iocb *iocb, struct record *r,
		   uint64_t blocks, uint64_t *seed)
{
	iocb->aio_offset = (int64_t)(random_next(seed) % blocks * BLOCK);
	r->begun = now_ns();
	if (syscall(SYS_io_submit, ctx, 1, &iocb) != 1)
		die("io_submit: %s", strerror(errno));
}

static void *stream(void *arg)
{
	struct record flying[DEPTH];
	struct io_event events[DEPTH];
	struct iocb iocb[DEPTH];
	uint64_t bytes, seed = 4101842887655102017ULL;
	void *data = must_alloc_aligned(BLOCK);
	int fd = open(device, O_WRONLY | O_DIRECT);
	aio_context_t ctx = 0;
	long i, got;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die("%s: %s", device, strerror(errno));
	if (syscall(SYS_io_setup, DEPTH, &ctx))
		die("io_setup: %s", strerror(errno));
	for (i = 0; i < DEPTH; i++) {
		iocb[i] = (struct iocb){
			.aio_data = (uint64_t)i,
			.aio_fildes = (uint32_t)fd,
			.aio_lio_opcode = IOCB_CMD_PWRITE,
			.aio_buf = (uintptr_t)data,
			.aio_nbytes = BLOCK,
		};
		submit(ctx, &iocb[i], &flying[i], bytes / BLOCK, &seed);
	}
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		got = syscall(SYS_io_getevents, ctx, 1, DEPTH, events, NULL);
		for (i = 0; i < got; i++) {
			struct record *r = &flying[events[i].data];

			if (events[i].res != BLOCK)
				die("write: %s", strerror((int)-events[i].res));
			if (nr_records == RECORDS)
				die("too many writes");
			r->done = now_ns();
			records[nr_records] = *r;
			__atomic_store_n(&nr_records, nr_records + 1, __ATOMIC_RELEASE);
			submit(ctx, &iocb[events[i].data], r, bytes / BLOCK, &seed);
		}
	}
	/* What is in flight ends with the context. */
	syscall(SYS_io_destroy, ctx);
	close(fd);
	return arg;
}

static unsigned long so_far(void)
{
	return __atomic_load_n(&nr_records, __ATOMIC_ACQUIRE);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t p999(unsigned long from, unsigned long to)
{
	uint64_t *latency = must_alloc(to - from, sizeof(*latency)), found;
	unsigned long i;

	if (to - from < 1000)
		die("only %lu writes", to - from);
	for (i = from; i < to; i++)
		latency[i - from] = records[i].done - records[i].begun;
	qsort(latency, to - from, sizeof(*latency), by_value);
	found = latency[(to - from) * 999 / 1000];
	free(latency);
	return found;
}

/* The longest of those that were in flight between two times. */
static uint64_t longest(unsigned long first, uint64_t from, uint64_t to)
{
	unsigned long i, end = so_far();
	uint64_t most = 0;

	for (i = first; i < end; i++)
		if (records[i].done >= from && records[i].begun <= to &&
		    records[i].done - records[i].begun > most)
			most = records[i].done - records[i].begun;
	return most;
}

/* Returns the checkpoint of what was there before. */
static uint64_t restore(struct taker *t, uint64_t id)
{
	struct cpblk_restored restored;
	struct cpblk_error err;

	if (cpblk_restore(t->link, t->a, t->b, id, 0, NULL, &restored, &err))
		die("restore: %s", err.text);
	return restored.safety_id;
}

enum event { QUIET, CHECKPOINT, RESTORE };

/* What was taken goes again, or the device would have to hold all of it. */
static void around(struct taker *t, enum event now, unsigned long times, uint64_t base)
{
	static const char *const names[] = { "quiet", "checkpoint", "restore" };
	uint64_t start, end, id = 0;
	unsigned long i, first;

	for (i = 0; i < times; i++) {
		first = so_far();
		start = now_ns();
		if (now == CHECKPOINT)
			id = taker_take(t, FIRST + 1);
		else if (now == RESTORE)
			id = restore(t, base);
		end = now_ns();
		pause_ms(APART_MS);
		printf("%s %llu\n", names[now], (unsigned long long)
		       longest(first, start, end + AFTER_NS));
		if (id) {
			printf("%s-took %llu\n", names[now],
			       (unsigned long long)(end - start));
			taker_drop(t, id);
		}
		pause_ms(APART_MS);
	}
}

int main(int argc, char **argv)
{
	unsigned long first, times;
	uint64_t base;
	struct taker t;
	pthread_t thread;

	if (argc != 4 + TAKER_WORDS)
		die("usage: DEVICE SECONDS TIMES " TAKER_USAGE);
	device = argv[1];
	times = number(argv[3]);
	taker_open(&t, argv + 4);
	records = must_alloc(RECORDS, sizeof(*records));
	if (pthread_create(&thread, NULL, stream, NULL))
		die("no thread");
	pause_ms(500);
	first = so_far();
	pause_ms((unsigned int)number(argv[2]) * 1000);
	printf("p999 %llu\n", (unsigned long long)p999(first, so_far()));
	around(&t, QUIET, times, 0);
	around(&t, CHECKPOINT, times, 0);
	if (t.kind == TAKER_CPBLK) {
		base = taker_take(&t, FIRST);
		around(&t, RESTORE, times, base);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (t.kind == TAKER_CPBLK)
		taker_drop_all(&t, FIRST, FIRST);
	return 0;
}
