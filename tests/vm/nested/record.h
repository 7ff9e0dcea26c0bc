/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbered records: a guest writes them, the machine around it looks at its
 * disk. Each is filled with what only its number makes.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RECORD_SMALL	64		/* in a file */
#define RECORD_SECTOR	4096		/* on a disk, one */
#define RECORD_LARGE	(64 * 1024)	/* on a disk, many */
#define RECORD_MAGIC	0x64726f6365726b63ULL

/** record_fill() - what record @n is; @size: a multiple of 16 */
static inline void record_fill(void *to, size_t size, uint64_t n)
{
	uint64_t *word = to;
	size_t i;

	for (i = 0; i < size / 8; i += 2) {
		word[i] = RECORD_MAGIC + i;
		word[i + 1] = n;
	}
}

/** record_is() - is it all of record @n? */
static inline bool record_is(const void *from, size_t size, uint64_t n)
{
	const uint64_t *word = from;
	size_t i;

	for (i = 0; i < size / 8; i += 2) {
		if (word[i] != RECORD_MAGIC + i || word[i + 1] != n)
			return false;
	}
	return true;
}

/** record_number() - which record it is all of; -1: there is none, or not all of it */
static inline long long record_number(const void *from, size_t size)
{
	uint64_t n;

	memcpy(&n, (const char *)from + 8, sizeof(n));
	return record_is(from, size, n) ? (long long)n : -1;
}

#endif /* RECORD_H */
