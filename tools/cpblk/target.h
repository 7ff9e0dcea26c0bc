/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices and files that are about to be overwritten.
 */
#ifndef TARGET_H
#define TARGET_H

#include <sys/stat.h>

#include "engine/files.h"

/**
 * struct target - a device or file that is to be overwritten
 * @path: as the user named it
 * @fd: open for reading and writing, or -1
 * @bytes: its size
 */
struct target {
	const char *path;
	int fd;
	u64 bytes;
	struct stat st;
};

/**
 * target_open() - open one that is not in use
 * @force: what has it mounted, or as swap, loses it; a store that is open never does
 *
 * Return: DONE, or FAILED with a sentence.
 */
int target_open(struct target *t, bool force);

/** target_free() - DONE if it holds nothing, or with @force; else FAILED with a sentence */
int target_free(struct target *t, bool force);

/** target_same() - are both the same device or file? */
bool target_same(const struct target *a, const struct target *b);

#endif /* TARGET_H */
