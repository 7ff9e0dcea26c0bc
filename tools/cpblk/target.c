// SPDX-License-Identifier: GPL-2.0
/*
 * Devices and files that are about to be overwritten: see target.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "target.h"
#include "tool.h"

int target_free(struct target *t, bool force)
{
	char text[USE_MAX];
	int rc;

	if (force)
		return DONE;
	rc = probe_device(t->fd, text);
	if (rc < 0)
		return refuse("cannot read %s: %s", t->path, strerror(-rc));
	if (rc > 0)
		return refuse("%s holds %s: with --force that is lost", t->path, text);
	return DONE;
}

/*
 * A device that is mounted, or that a driver has claimed, does not open with
 * O_EXCL. Not even --force gets behind a store that is open.
 */
static int open_device(struct target *t, bool force)
{
	char text[USE_MAX], name[CPBLK_DEVICE_MAX + 1] = "";

	t->fd = open(t->path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (t->fd >= 0)
		return DONE;
	if (errno != EBUSY)
		return refuse("cannot open %s: %s", t->path, strerror(errno));
	device_name(t->st.st_rdev, name);
	if (!device_use(name, text))
		return refuse("%s is in use by a driver, perhaps as part of an open store: close that first",
			      t->path);
	if (!force)
		return refuse("%s is in use: it is %s; with --force what it holds is lost",
			      t->path, text);
	t->fd = open(t->path, O_RDWR | O_CLOEXEC);
	return t->fd >= 0 ? DONE : refuse("cannot open %s: %s", t->path,
					  strerror(errno));
}

int target_open(struct target *t, bool force)
{
	char name[CPBLK_DEVICE_MAX + 1];
	int rc;

	if (stat(t->path, &t->st))
		return refuse("cannot open %s: %s", t->path, strerror(errno));
	if (S_ISBLK(t->st.st_mode)) {
		if (open_device(t, force))
			return FAILED;
	} else if (S_ISREG(t->st.st_mode)) {
		t->fd = open(t->path, O_RDWR | O_CLOEXEC);
		if (t->fd < 0)
			return refuse("cannot open %s: %s", t->path, strerror(errno));
		if (loop_of_file(t->fd, name))
			return refuse("%s is in use as /dev/%s: close what uses that first",
				      t->path, name);
	} else {
		return refuse("%s is neither a block device nor a file", t->path);
	}
	rc = cpb_file_size(t->fd, &t->bytes);
	if (rc)
		return refuse("cannot get the size of %s: %s", t->path, strerror(-rc));
	return DONE;
}

bool target_same(const struct target *a, const struct target *b)
{
	if (S_ISBLK(a->st.st_mode) && S_ISBLK(b->st.st_mode))
		return a->st.st_rdev == b->st.st_rdev;
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
}
