// SPDX-License-Identifier: GPL-2.0
/*
 * What this host does with a block device, from /sys and /proc, and the names
 * that udev gives it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mounts.h"

static bool is_swap(const char *device)
{
	FILE *swaps = fopen("/proc/swaps", "re");
	char *line = NULL, source[PATH_MAX], real[PATH_MAX];
	bool found = false;
	size_t room = 0;

	if (!swaps)
		return false;
	while (!found && getline(&line, &room, swaps) > 0) {
		if (sscanf(line, "%4095s", source) == 1 && source[0] == '/' &&
		    realpath(source, real))
			found = !strcmp(strrchr(real, '/') + 1, device);
	}
	free(line);
	fclose(swaps);
	return found;
}

/* The first entry of a directory that begins with @prefix. */
static bool first_entry(const char *path, const char *prefix, char *name, size_t size)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(name, size, "%s", entry->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

/* @sys: the folder of a whole device or of a partition. */
static bool folder_use(const char *sys, const char *device, char text[USE_MAX])
{
	char path[PATH_MAX], found[PATH_MAX] = "";

	if (mounted_on(device, found, sizeof(found))) {
		snprintf(text, USE_MAX, "mounted on %.200s", found);
		return true;
	}
	if (is_swap(device)) {
		snprintf(text, USE_MAX, "in use as swap");
		return true;
	}
	snprintf(path, sizeof(path), "%s/holders", sys);
	if (first_entry(path, "", found, sizeof(found))) {
		snprintf(text, USE_MAX, "used by %.200s", found);
		return true;
	}
	return false;
}

bool device_use(const char *device, char text[USE_MAX])
{
	char sys[PATH_MAX / 2], part[PATH_MAX];
	struct dirent *entry;
	bool found;
	DIR *dir;

	text[0] = '\0';
	if (!*device)
		return false;
	snprintf(sys, sizeof(sys), "/sys/class/block/%s", device);
	found = folder_use(sys, device, text);
	dir = found ? NULL : opendir(sys);
	while (dir && !found && (entry = readdir(dir))) {
		/* Partitions are folders below, named after the device. */
		if (strncmp(entry->d_name, device, strlen(device)))
			continue;
		snprintf(part, sizeof(part), "%s/%s", sys, entry->d_name);
		found = folder_use(part, entry->d_name, text);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool device_name(dev_t dev, char name[CPBLK_DEVICE_MAX + 1])
{
	char path[64], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	snprintf(name, CPBLK_DEVICE_MAX + 1, "%s", strrchr(target, '/') + 1);
	return true;
}

/* udevadm comes back when udev has nothing left to do, or the path is there. */
void device_settle(const char *path)
{
	char condition[PATH_MAX];
	pid_t child;
	int null;

	if (access("/run/udev/control", F_OK))
		return;
	snprintf(condition, sizeof(condition), "--exit-if-exists=%s", path ? path : "");
	child = fork();
	if (!child) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execlp("udevadm", "udevadm", "settle", "--timeout=5",
		       path ? condition : NULL, NULL);
		_exit(1);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

const char *device_link(const char *store, const char *name, const char *device)
{
	static char path[3 * CPBLK_NAME_MAX + 32];
	char real[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/cpblk/%s/%s", store, name);
	device_settle(path);
	if (!realpath(path, real) || strcmp(strrchr(real, '/') + 1, device))
		snprintf(path, sizeof(path), "/dev/%s", device);
	return path;
}
