// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files in place of devices, by way of loop devices with direct I/O.
 * They are set up to go away with their last user, so there is nothing to take
 * down and nothing is left behind by a crash.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* Others may take the free loop device between the question and the use. */
#define TRIES 16

bool loop_of_file(int fd, char name[CPBLK_DEVICE_MAX + 1])
{
	DIR *dir = opendir("/sys/class/block");
	struct loop_info64 info;
	struct dirent *entry;
	bool found = false;
	char path[PATH_MAX];
	struct stat st;
	int loop;

	if (!dir)
		return false;
	while (!fstat(fd, &st) && !found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		loop = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (loop < 0)
			continue;
		if (!ioctl(loop, LOOP_GET_STATUS64, &info) &&
		    info.lo_device == st.st_dev && info.lo_inode == st.st_ino) {
			snprintf(name, CPBLK_DEVICE_MAX + 1, "%.31s",
				 entry->d_name);
			found = true;
		}
		close(loop);
	}
	closedir(dir);
	return found;
}

bool loop_file(const char *path, char file[CPBLK_PATH_MAX + 1])
{
	char sys[PATH_MAX];
	FILE *f;
	bool ok;

	if (strncmp(path, "/dev/loop", 9))
		return false;
	snprintf(sys, sizeof(sys), "/sys/block/%s/loop/backing_file", path + 5);
	f = fopen(sys, "re");
	if (!f)
		return false;
	ok = fgets(file, CPBLK_PATH_MAX + 1, f);
	fclose(f);
	if (ok)
		file[strcspn(file, "\n")] = '\0';
	return ok;
}

int loop_resize(const char *path)
{
	char file[CPBLK_PATH_MAX + 1];
	int fd, rc = DONE;

	if (!loop_file(path, file))
		return DONE;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_SET_CAPACITY, 0))
		rc = refuse("cannot give %s the size of %s: %s", path, file,
			    strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

void loop_wait(const char *path)
{
	char file[CPBLK_PATH_MAX + 1];
	int tries;

	for (tries = 0; tries < 100 && loop_file(path, file); tries++)
		usleep(10000);
}

/* Returns the descriptor of a loop device over @fd, or -errno. */
static int configure(int control, int fd, const char *name, bool readonly,
		     char path[CPBLK_PATH_MAX + 1])
{
	struct loop_config config;
	int number, loop, rc;

	number = ioctl(control, LOOP_CTL_GET_FREE);
	if (number < 0)
		return -errno;
	snprintf(path, CPBLK_PATH_MAX + 1, "/dev/loop%d", number);
	loop = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (loop < 0)
		return -errno;
	memset(&config, 0, sizeof(config));
	config.fd = (unsigned int)fd;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
			       (readonly ? LO_FLAGS_READ_ONLY : 0);
	memcpy(config.info.lo_file_name, name, strnlen(name, LO_NAME_SIZE - 1));
	if (!ioctl(loop, LOOP_CONFIGURE, &config))
		return loop;
	rc = -errno;
	close(loop);
	return rc;
}

static int over_file(const char *path, int fd, bool readonly, struct loop *loop)
{
	char name[CPBLK_DEVICE_MAX + 1];
	int control, tries;

	if (loop_of_file(fd, name))
		return refuse("%s is in use already, as /dev/%s", path, name);
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return refuse("cannot make a loop device for %s: /dev/loop-control: %s; 'modprobe loop' may help",
			      path, strerror(errno));
	for (tries = 0; tries < TRIES; tries++) {
		loop->fd = configure(control, fd, path, readonly, loop->path);
		if (loop->fd != -EBUSY && loop->fd != -EACCES)
			break;
	}
	close(control);
	if (loop->fd < 0) {
		refuse("cannot make a loop device for %s: %s", path,
		       strerror(-loop->fd));
		loop->fd = -1;
		return FAILED;
	}
	return DONE;
}

int loop_open(const char *path, bool readonly, struct loop *loop)
{
	char real[PATH_MAX];
	struct stat st;
	int fd, rc;

	loop->fd = -1;
	if (!realpath(path, real))
		return refuse("cannot open %s: %s", path, strerror(errno));
	fd = open(real, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		rc = refuse("cannot open %s: %s", path, strerror(errno));
	} else if (S_ISBLK(st.st_mode)) {
		snprintf(loop->path, sizeof(loop->path), "%s", real);
		rc = DONE;
	} else if (S_ISREG(st.st_mode)) {
		rc = over_file(real, fd, readonly, loop);
	} else {
		rc = refuse("%s is neither a block device nor a file", path);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
