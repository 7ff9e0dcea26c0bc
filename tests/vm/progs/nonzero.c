// SPDX-License-Identifier: GPL-2.0
/*
 * nonzero: how much of a device is not zero.
 *
 *	nonzero DEVICE FROM_MIB
 *
 * Reads it from FROM_MIB on to its end, past the page cache, and prints the KiB
 * that are in blocks of 4 KiB with anything in them.
 */
#include <fcntl.h>
#include <unistd.h>

#include "prog.h"

#define BLOCK	4096U
#define PIECE	(1U << 20)

int main(int argc, char **argv)
{
	static const char zeroes[BLOCK];
	unsigned long kib = 0;
	char *data;
	ssize_t got, i;
	int fd;

	if (argc != 3)
		die("usage: DEVICE FROM_MIB");
	data = must_alloc_aligned(PIECE);
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0 || lseek(fd, (off_t)number(argv[2]) << 20, SEEK_SET) < 0)
		die("%s: %s", argv[1], strerror(errno));
	while ((got = read(fd, data, PIECE)) > 0)
		for (i = 0; i < got; i += BLOCK)
			kib += memcmp(data + i, zeroes, BLOCK) ? BLOCK / 1024 : 0;
	if (got < 0)
		die("%s: %s", argv[1], strerror(errno));
	printf("%lu\n", kib);
	return 0;
}
