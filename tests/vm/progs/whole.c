// SPDX-License-Identifier: GPL-2.0
/*
 * whole: writes to a device that is nearly full, of which each is done as a
 * whole or not at all.
 *
 *	whole DEVICE MIB THREADS SECONDS
 *
 * Each thread has MIB of the device to itself, which it first writes as far as
 * it can. Then it writes, and makes zeroes of, random parts of that, of a
 * sector to a MiB, at any sector. After one that got ENOSPC it reads the part
 * and expects what was there before; then it discards something. In the end
 * all is read. The last line says how many were done, and how many refused.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

#define MIB		(1U << 20)
#define LARGEST		(MIB / SECTOR)
#define CHUNK		(4096 / SECTOR)

struct writer {
	pthread_t thread;
	uint64_t first, nr;	/* its sectors */
	uint64_t random;
	uint64_t *sector;	/* what is in each: a number, or 0 for zeroes */
	unsigned long done, refused;
	char *data, *was;
};

static int fd;
static time_t end;

static uint64_t below(struct writer *w, uint64_t n)
{
	return random_next(&w->random) % n;
}

/* Each word of a sector is its number, so that one in two halves is seen. */
static void fill(char *data, uint64_t content)
{
	uint64_t *word = (uint64_t *)data;
	unsigned int i;

	for (i = 0; i < SECTOR / sizeof(*word); i++)
		word[i] = content;
}

static void compare(struct writer *w, uint64_t at, uint64_t nr, const char *what)
{
	char expected[SECTOR];
	uint64_t i;

	if (pread(fd, w->was, nr * SECTOR, (w->first + at) * SECTOR) !=
	    (ssize_t)(nr * SECTOR))
		die("cannot read %s: %s", what, strerror(errno));
	for (i = 0; i < nr; i++) {
		fill(expected, w->sector[at + i]);
		if (memcmp(expected, w->was + i * SECTOR, SECTOR))
			die("sector %llu of %llu %s at %llu is %#llx, not %#llx",
			    (unsigned long long)i, (unsigned long long)nr, what,
			    (unsigned long long)(w->first + at),
			    (unsigned long long)*(uint64_t *)(w->was + i * SECTOR),
			    (unsigned long long)w->sector[at + i]);
	}
}

static void discard(struct writer *w)
{
	uint64_t at = below(w, w->nr / CHUNK) * CHUNK, len = CHUNK, end_at, i;
	uint64_t range[2];

	/* Often many single chunks, so that what is free is in pieces. */
	if (below(w, 4) == 0)
		len = (1 + below(w, 512)) * CHUNK;
	end_at = at + len < w->nr ? at + len : w->nr;
	range[0] = (w->first + at) * SECTOR;
	range[1] = (end_at - at) * SECTOR;
	if (ioctl(fd, BLKDISCARD, range))
		die("cannot discard: %s", strerror(errno));
	for (i = at; i < end_at; i++)
		w->sector[i] = 0;
}

static bool change(struct writer *w, uint64_t at, uint64_t nr, bool zeroes)
{
	uint64_t content = 0, i;
	ssize_t n;

	if (zeroes) {
		n = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (w->first + at) * SECTOR, nr * SECTOR);
	} else {
		content = random_next(&w->random) | 1;
		for (i = 0; i < nr; i++)
			fill(w->data + i * SECTOR, content + 2 * i);
		n = pwrite(fd, w->data, nr * SECTOR, (w->first + at) * SECTOR);
		if (n >= 0 && n != (ssize_t)(nr * SECTOR))
			die("%zd bytes written of %llu", n,
			    (unsigned long long)nr * SECTOR);
	}
	if (n < 0 && errno != ENOSPC)
		die("cannot write: %s", strerror(errno));
	if (n >= 0) {
		for (i = 0; i < nr; i++)
			w->sector[at + i] = zeroes ? 0 : content + 2 * i;
		w->done++;
		return true;
	}
	w->refused++;
	compare(w, at, nr, zeroes ? "refused zeroes" : "a refused write");
	return false;
}

static void *run(void *arg)
{
	struct writer *w = arg;
	uint64_t at, nr, k;

	for (at = 0; at < w->nr; at += nr) {
		nr = w->nr - at < LARGEST ? w->nr - at : LARGEST;
		if (!change(w, at, nr, false))
			break;
	}
	while (time(NULL) < end) {
		/* Page-aligned, a MiB is one bio; so is less than that anywhere. */
		nr = below(w, 2) ? LARGEST : 1 + below(w, LARGEST - CHUNK);
		at = below(w, w->nr - nr + 1);
		if (nr == LARGEST)
			at -= at % CHUNK;
		if (change(w, at, nr, below(w, 8) == 0))
			continue;
		for (k = 1 + below(w, 300); k; k--)
			discard(w);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long threads, i, done = 0, refused = 0;
	struct writer *w;
	uint64_t at;

	if (argc != 5)
		die("usage: DEVICE MIB THREADS SECONDS");
	threads = number(argv[3]);
	end = time(NULL) + (time_t)number(argv[4]);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0)
		die("cannot open %s: %s", argv[1], strerror(errno));
	w = must_alloc(threads, sizeof(*w));
	for (i = 0; i < threads; i++) {
		w[i].nr = number(argv[2]) * LARGEST;
		w[i].first = i * w[i].nr;
		w[i].random = 0x9e3779b97f4a7c15ULL * (i + 1);
		w[i].sector = must_alloc(w[i].nr, sizeof(*w[i].sector));
		w[i].data = must_alloc_aligned(MIB);
		w[i].was = must_alloc_aligned(MIB);
	}
	for (i = 0; i < threads; i++)
		if (pthread_create(&w[i].thread, NULL, run, &w[i]))
			die("cannot make a thread");
	for (i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		done += w[i].done;
		refused += w[i].refused;
		for (at = 0; at < w[i].nr; at += LARGEST)
			compare(&w[i], at, LARGEST, "the end");
		free(w[i].sector);
		free(w[i].data);
		free(w[i].was);
	}
	free(w);
	close(fd);
	printf("%lu done, %lu refused\n", done, refused);
	return 0;
}
