// SPDX-License-Identifier: GPL-2.0
/*
 * map: makes extents of one chunk each, many of them, fast.
 *
 *	map DEVICE COUNT [SEED [APART]]
 *
 * Writes COUNT blocks of 4 KiB at random places of the device, APART blocks from
 * each other, each place once: so with two, if nothing is said, none has a
 * neighbour. What is written does not matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "prog.h"

#define BLOCK	4096U
#define DEPTH	64

int main(int argc, char **argv)
{
	struct iocb iocb[DEPTH], *list[DEPTH];
	struct io_event events[DEPTH];
	unsigned long count, i, n, apart = 2;
	aio_context_t ctx = 0;
	uint64_t bytes, places, at;
	void *data;
	int fd;

	if (argc < 3 || argc > 5)
		die("usage: DEVICE COUNT [SEED [APART]]");
	count = number(argv[2]);
	at = argc > 3 ? number(argv[3]) * 7919 : 0;
	if (argc == 5)
		apart = number(argv[4]);
	data = must_alloc_aligned(BLOCK);
	fd = open(argv[1], O_WRONLY | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die("cannot open %s: %s", argv[1], strerror(errno));
	if (syscall(SYS_io_setup, DEPTH, &ctx))
		die("io_setup: %s", strerror(errno));
	/* A power of two, so that an odd step comes by each place once. */
	for (places = 1; places * 2 * apart * BLOCK <= bytes; places *= 2)
		;
	if (count > places)
		die("%s has no room for %lu", argv[1], count);
	for (; count; count -= n) {
		n = count < DEPTH ? count : DEPTH;
		for (i = 0; i < n; i++) {
			at = (at + 0x9e3779b97f4a7c15ULL) & (places - 1);
			iocb[i] = (struct iocb){
				.aio_fildes = (uint32_t)fd,
				.aio_lio_opcode = IOCB_CMD_PWRITE,
				.aio_buf = (uintptr_t)data,
				.aio_nbytes = BLOCK,
				.aio_offset = (int64_t)(at * apart * BLOCK),
			};
			list[i] = &iocb[i];
		}
		if (syscall(SYS_io_submit, ctx, n, list) != (long)n)
			die("io_submit: %s", strerror(errno));
		if (syscall(SYS_io_getevents, ctx, n, n, events, NULL) != (long)n)
			die("io_getevents: %s", strerror(errno));
		for (i = 0; i < n; i++)
			if (events[i].res != BLOCK)
				die("write failed: %s",
				    strerror((int)-events[i].res));
	}
	close(fd);
	free(data);
	return 0;
}
