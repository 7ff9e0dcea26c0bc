/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filesystems that this host has mounted from a volume: which they are, who
 * uses them, freezing them for a checkpoint, taking them off for a restore.
 */
#ifndef MOUNTS_H
#define MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libmount.h>

#include "tool.h"

/* ---- What is mounted (mounts.c) ---- */

/**
 * struct mounts - mounts that a device is beneath
 * @table: all mounts that this process sees
 * @fs: those of the device, in the order they were mounted; their userdata is the
 *	name of the device or partition in /sys/block
 * @nr: how many
 */
struct mounts {
	struct libmnt_table *table;
	struct libmnt_fs **fs;
	size_t nr;
};

/**
 * mounts_find() - the mounts of devices, and of their partitions
 * @devices: names in /sys/block
 * @nr: how many
 * @stacked: also those of what lies upon them, such as logical volumes
 *
 * Return: DONE, or FAILED with a sentence.
 */
int mounts_find(const char *const *devices, size_t nr, bool stacked,
		struct mounts *m);

/** mounts_end() - free what mounts_find() filled in; once or many times */
void mounts_end(struct mounts *m);

/** mounted_on() - where the first mount of exactly this device is, or false */
bool mounted_on(const char *device, char *where, size_t size);

/* ---- Who uses a filesystem (users.c) ---- */

/** mount_users() - what keeps it from being unmounted, in words, or false */
bool mount_users(struct libmnt_fs *fs, char text[USE_MAX]);

/** mounted_elsewhere() - a process that has it mounted in another namespace, or false */
bool mounted_elsewhere(struct libmnt_fs *fs, char text[USE_MAX]);

/* ---- Freezing (freeze.c) ---- */

/**
 * struct freeze - filesystems that are frozen
 * @mounts: one for each filesystem
 * @fds: open on them
 * @link: to the process that froze them and will thaw them
 * @limit: seconds after which that process does so by itself
 * @since: when all were frozen
 * @ns: for how long they were
 */
struct freeze {
	struct mounts mounts;
	int *fds;
	int link;
	int child;
	unsigned int limit;
	uint64_t since;
	uint64_t ns;
};

#define FREEZE_LIMIT	10	/* seconds, if nothing else is said */
#define FREEZE_LIMIT_MAX	3600

/**
 * freeze_begin() - freeze all filesystems that are mounted from devices
 * @devices: names in /sys/block
 * @nr: how many
 * @limit: seconds that they may be frozen
 *
 * They are thawed by freeze_end(), when this process ends in whatever way, or
 * when the limit has passed.
 *
 * Return: DONE, or FAILED with a sentence and nothing frozen; freeze_free() in
 * either case.
 */
int freeze_begin(struct freeze *f, const char *const *devices, size_t nr,
		 unsigned int limit);

/** freeze_end() - thaw; DONE if they were frozen until now, else FAILED */
int freeze_end(struct freeze *f);

/** freeze_free() - free the memory */
void freeze_free(struct freeze *f);

/* ---- Taking off and mounting again (remount.c) ---- */

/**
 * mounts_take_off() - unmount what is mounted from a device
 * @m: gets what has to be mounted again
 *
 * Return: DONE, or FAILED with a sentence; then all is mounted as before.
 */
int mounts_take_off(const char *device, struct mounts *m);

/** mounts_put_back() - mount it again with the options it had; DONE or FAILED */
int mounts_put_back(const struct mounts *m);

#endif /* MOUNTS_H */
