// SPDX-License-Identifier: GPL-2.0
/*
 * noise: something to write, and a sum of what is there.
 *
 *	noise write DEVICE FROM_MIB MIB
 *	noise scatter DEVICE SPAN_MIB MIB
 *	noise sum DEVICE FROM_MIB MIB
 *
 * "write" writes what nobody has written before, 1 MiB at a time; "scatter" writes
 * that 4 KiB at a time, at random places of the first SPAN_MIB; "sum" prints a sum of
 * what it reads. All of them go past the page cache. The kernel's random numbers and a
 * cryptographic sum would be most of what a scenario takes on an emulated processor.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/random.h>
#include <unistd.h>

#include "prog.h"

#define MIB	(1U << 20)
#define CHUNK	4096U

static const char *path;
static uint64_t *words;
static uint64_t seed;
static int fd;

static void check(ssize_t done, size_t size, off_t at)
{
	if (done < 0)
		die("%s at %llu KiB: %s", path, (unsigned long long)at / 1024,
		    strerror(errno));
	if ((size_t)done != size)
		die("%s ends at %llu KiB", path, (unsigned long long)(at + done) / 1024);
}

static void put(size_t size, off_t at)
{
	size_t i;

	for (i = 0; i < size / sizeof(*words); i++)
		words[i] = random_next(&seed);
	check(pwrite(fd, words, size, at), size, at);
}

/* Each word counts by its value and its place. */
static uint64_t add(uint64_t sum, off_t at)
{
	size_t i;

	check(pread(fd, words, MIB, at), MIB, at);
	for (i = 0; i < MIB / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ULL + (sum >> 29);
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t first, count, i, sum = 1;
	bool reads;

	if (argc != 5)
		die("usage: write|scatter|sum DEVICE MIB MIB");
	path = argv[2];
	first = number(argv[3]);
	count = number(argv[4]);
	reads = !strcmp(argv[1], "sum");
	words = must_alloc_aligned(MIB);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		die("no random numbers: %s", strerror(errno));
	seed |= 1;
	fd = open(path, (reads ? O_RDONLY : O_WRONLY) | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));

	if (reads) {
		for (i = first; i < first + count; i++)
			sum = add(sum, (off_t)i * MIB);
		printf("%016llx\n", (unsigned long long)sum);
	} else if (!strcmp(argv[1], "write")) {
		for (i = first; i < first + count; i++)
			put(MIB, (off_t)i * MIB);
	} else if (!strcmp(argv[1], "scatter") && first) {
		for (i = 0; i < count * (MIB / CHUNK); i++)
			put(CHUNK, (off_t)(random_next(&seed) % (first * (MIB / CHUNK))) *
					   CHUNK);
	} else {
		die("there is no '%s'", argv[1]);
	}
	return 0;
}
