// SPDX-License-Identifier: GPL-2.0
/*
 * scattered: one read that is several of the disk's.
 *
 *	scattered DEVICE BYTES
 *
 * Reads what is first on it at once, past the page cache, into pages that are no
 * neighbours: the block layer takes 256 of these, 1 MiB, at a time.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "prog.h"

#define PAGE	4096U
#define PAGES	1024U	/* what one call takes */

int main(int argc, char **argv)
{
	struct iovec vec[PAGES];
	size_t size, nr, i;
	ssize_t got;
	char *data;
	int fd;

	if (argc != 3)
		die("usage: DEVICE BYTES");
	size = number(argv[2]);
	nr = size / PAGE;
	if (!nr || size % PAGE || nr > PAGES)
		die("%s is not 1 to %u pages of %u bytes", argv[2], PAGES, PAGE);
	data = must_alloc_aligned(2 * size);
	/* Who has been written to is a page of its own. */
	memset(data, 1, 2 * size);
	for (i = 0; i < nr; i++)
		vec[i] = (struct iovec){ data + 2 * i * PAGE, PAGE };
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", argv[1], strerror(errno));
	got = preadv(fd, vec, nr, 0);
	if (got < 0)
		die("%s: %s", argv[1], strerror(errno));
	printf("%zd\n", got);
	return 0;
}
