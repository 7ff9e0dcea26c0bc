// SPDX-License-Identifier: GPL-2.0
/*
 * Which filesystems are mounted from a device.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mounts.h"

/*
 * The block device a mount is of. btrfs and others over several devices have
 * a device number of their own: for those, the one that the mount table names.
 */
static bool device_of(struct libmnt_fs *fs, char name[CPBLK_DEVICE_MAX + 1])
{
	const char *source = mnt_fs_get_srcpath(fs);
	char real[PATH_MAX];

	if (device_name(mnt_fs_get_devno(fs), name))
		return true;
	if (!source || source[0] != '/' || !realpath(source, real))
		return false;
	snprintf(name, CPBLK_DEVICE_MAX + 1, "%s", strrchr(real, '/') + 1);
	return true;
}

/* Is @name the device, a partition of it, or (@stacked) something made of it? */
static bool lies_on(const char *name, const char *device, bool stacked)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/block/%s/%s", device, name);
	found = !strcmp(name, device) || !access(path, F_OK);
	if (found || !stacked)
		return found;
	snprintf(path, sizeof(path), "/sys/class/block/%s/slaves", name);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			found = lies_on(entry->d_name, device, true);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool lies_on_any(const char *name, const char *const *devices, size_t nr,
			bool stacked)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (devices[i][0] && lies_on(name, devices[i], stacked))
			return true;
	}
	return false;
}

/* libmount adds what it keeps beside the kernel's table, such as user options. */
static struct libmnt_table *read_table(void)
{
	struct libmnt_table *table = mnt_new_table();

	if (table && !mnt_table_parse_mtab(table, NULL))
		return table;
	mnt_unref_table(table);
	return NULL;
}

int mounts_find(const char *const *devices, size_t nr, bool stacked,
		struct mounts *m)
{
	char name[CPBLK_DEVICE_MAX + 1];
	struct libmnt_iter *iter;
	struct libmnt_fs *fs;

	memset(m, 0, sizeof(*m));
	m->table = read_table();
	iter = mnt_new_iter(MNT_ITER_FORWARD);
	if (m->table)
		m->fs = calloc((size_t)mnt_table_get_nents(m->table) + 1,
			       sizeof(*m->fs));
	if (!m->fs || !iter) {
		mnt_free_iter(iter);
		mounts_end(m);
		return refuse("cannot read what is mounted");
	}
	while (!mnt_table_next_fs(m->table, iter, &fs)) {
		if (!device_of(fs, name) || !lies_on_any(name, devices, nr, stacked))
			continue;
		mnt_fs_set_userdata(fs, strdup(name));
		m->fs[m->nr++] = fs;
	}
	mnt_free_iter(iter);
	return DONE;
}

void mounts_end(struct mounts *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++)
		free(mnt_fs_get_userdata(m->fs[i]));
	free(m->fs);
	mnt_unref_table(m->table);
	memset(m, 0, sizeof(*m));
}

bool mounted_on(const char *device, char *where, size_t size)
{
	struct libmnt_table *table = read_table();
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	char name[CPBLK_DEVICE_MAX + 1];
	struct libmnt_fs *fs;
	bool found = false;

	while (table && iter && !found && !mnt_table_next_fs(table, iter, &fs)) {
		found = device_of(fs, name) && !strcmp(name, device);
		if (found)
			snprintf(where, size, "%s", mnt_fs_get_target(fs));
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return found;
}
