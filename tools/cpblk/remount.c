// SPDX-License-Identifier: GPL-2.0
/*
 * Taking filesystems off a device, and mounting them again as they were.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mounts.h"

/* A mount upon this one, other than those that are taken off with it. */
static struct libmnt_fs *mount_upon(const struct mounts *m, struct libmnt_fs *fs)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *upon;
	bool found = false;
	size_t i;

	while (iter && !found && !mnt_table_next_fs(m->table, iter, &upon)) {
		if (mnt_fs_get_parent_id(upon) != mnt_fs_get_id(fs))
			continue;
		found = true;
		for (i = 0; i < m->nr; i++)
			found = found && m->fs[i] != upon;
	}
	mnt_free_iter(iter);
	return found ? upon : NULL;
}

/* Whatever would stop it halfway, or could not be mounted again. */
static int look_first(const struct mounts *m)
{
	struct libmnt_fs *upon;
	const char *path;
	size_t i;

	for (i = 0; i < m->nr; i++) {
		path = mnt_fs_get_target(m->fs[i]);
		if (access(path, F_OK))
			return refuse("cannot unmount %s: it is not to be seen from here",
				      path);
		upon = mount_upon(m, m->fs[i]);
		if (upon)
			return refuse("cannot unmount %s: %s is mounted upon it",
				      path, mnt_fs_get_target(upon));
		if (strcmp(mnt_fs_get_root(m->fs[i]), "/") &&
		    strcmp(mnt_fs_get_fstype(m->fs[i]), "btrfs"))
			return refuse("%s shows only the folder %s of its filesystem (a bind mount): unmount it yourself; nothing was changed",
				      path, mnt_fs_get_root(m->fs[i]));
	}
	return DONE;
}

/* A sentence of libmount's on how it went. */
static int explain(struct libmnt_context *context, int rc, const char *what,
		   const char *path)
{
	char text[256] = "";

	if (!mnt_context_get_excode(context, rc, text, sizeof(text)))
		return DONE;
	return refuse("cannot %s %s: %s", what, path, text);
}

static int unmount(struct libmnt_fs *fs)
{
	struct libmnt_context *context = mnt_new_context();
	const char *path = mnt_fs_get_target(fs);
	char users[USE_MAX];
	int rc;

	if (!context || mnt_context_set_target(context, path)) {
		mnt_free_context(context);
		return refuse("out of memory");
	}
	rc = mnt_context_umount(context);
	if (mnt_context_get_syscall_errno(context) == EBUSY)
		rc = refuse("cannot unmount %s: %s", path,
			    mount_users(fs, users) ? users :
			    "the kernel uses it, for a loop device, swap or NFS perhaps");
	else
		rc = explain(context, rc, "unmount", path);
	mnt_free_context(context);
	return rc;
}

/*
 * The name that was used to mount it, if that is a name of the device now;
 * udev takes its time to make it so.
 */
static const char *source_of(struct libmnt_fs *fs, char path[PATH_MAX])
{
	const char *source = mnt_fs_get_srcpath(fs);
	const char *name = mnt_fs_get_userdata(fs);
	char real[PATH_MAX];

	device_settle(NULL);
	if (!name)
		return source;
	if (source && realpath(source, real) &&
	    !strcmp(strrchr(real, '/') + 1, name))
		return source;
	snprintf(path, PATH_MAX, "/dev/%s", name);
	return path;
}

static int mount_again(struct libmnt_fs *fs)
{
	struct libmnt_context *context = mnt_new_context();
	const char *path = mnt_fs_get_target(fs);
	char source[PATH_MAX];
	int rc;

	if (!context ||
	    mnt_context_set_optsmode(context, MNT_OMODE_NOTAB) ||
	    mnt_context_set_source(context, source_of(fs, source)) ||
	    mnt_context_set_target(context, path) ||
	    mnt_context_set_fstype(context, mnt_fs_get_fstype(fs)) ||
	    mnt_context_set_options(context, mnt_fs_get_options(fs))) {
		mnt_free_context(context);
		return refuse("cannot mount %s again: out of memory", path);
	}
	rc = explain(context, mnt_context_mount(context), "mount", path);
	mnt_free_context(context);
	return rc;
}

int mounts_put_back(const struct mounts *m)
{
	int rc = DONE;
	size_t i;

	for (i = 0; i < m->nr; i++) {
		if (mount_again(m->fs[i]))
			rc = FAILED;
	}
	return rc;
}

int mounts_take_off(const char *device, struct mounts *m)
{
	struct mounts taken;
	size_t i;
	int rc;

	rc = mounts_find(&device, 1, false, m);
	if (rc == DONE)
		rc = look_first(m);
	for (i = m->nr; i && rc == DONE; i--) {
		rc = unmount(m->fs[i - 1]);
		if (rc) {
			taken = (struct mounts){ m->table, m->fs + i, m->nr - i };
			if (mounts_put_back(&taken) == DONE)
				refuse("nothing was changed");
		}
	}
	if (rc)
		mounts_end(m);
	return rc;
}
