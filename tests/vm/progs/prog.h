/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest's test programs share: the way out, and links to the driver.
 */
#ifndef PROG_H
#define PROG_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpblk.h"

/* A sentence to stderr, and the end. */
#define die(...)						\
	do {							\
		fprintf(stderr, "%s: ", program_invocation_short_name); \
		fprintf(stderr, __VA_ARGS__);			\
		fputc('\n', stderr);				\
		exit(1);					\
	} while (0)

#define SECTOR		512U

static inline struct cpblk *must_connect(void)
{
	struct cpblk_error err;
	struct cpblk *link;

	if (cpblk_connect(&link, &err))
		die("%s", err.text);
	return link;
}

/* The path of a volume's device. */
static inline void volume_path(struct cpblk *link, const char *store,
			       const char *volume, char path[64])
{
	struct cpblk_volume_info info;
	struct cpblk_error err;

	if (cpblk_volume_get(link, store, volume, &info, &err))
		die("no volume %s: %s", volume, err.text);
	snprintf(path, 64, "/dev/%s", info.device);
}

static inline void *must_alloc(size_t nr, size_t size)
{
	void *p = calloc(nr ? nr : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

static inline void *must_alloc_aligned(size_t size)
{
	void *p = aligned_alloc(4096, (size + 4095) & ~4095UL);

	if (!p)
		die("out of memory");
	return p;
}

static inline unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end)
		die("'%s' is not a number", text);
	return n;
}

/* xorshift64*: the same numbers from the same seed on every machine. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif /* PROG_H */
