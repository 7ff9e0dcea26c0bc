// SPDX-License-Identifier: GPL-2.0
/*
 * Who uses a mounted filesystem: processes, from /proc, and other mounts.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mounts.h"

/* How many are named; more are only counted. */
#define NAMED	3

/**
 * struct search - a walk through all processes
 * @dev: of the filesystem
 * @text: gets the users
 * @nr: how many there were
 */
struct search {
	dev_t dev;
	char *text;
	unsigned int nr;
};

static void found(struct search *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void found(struct search *s, const char *fmt, ...)
{
	size_t len = strlen(s->text);
	va_list args;

	if (s->nr++ >= NAMED)
		return;
	if (len)
		len += (size_t)snprintf(s->text + len, USE_MAX - len, ", ");
	if (len >= USE_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(s->text + len, USE_MAX - len, fmt, args);
	va_end(args);
}

static const char *process_name(const char *pid)
{
	static char name[32];
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, sizeof(name), file))
		strcpy(name, "?");
	if (file)
		fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return show_text(name);
}

static bool is_there(const struct search *s, const char *path)
{
	struct stat st;

	return !stat(path, &st) && st.st_dev == s->dev;
}

/* Does one of the links in this folder lead into the filesystem? */
static bool any_there(const struct search *s, const char *folder)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool there = false;
	DIR *dir;

	dir = opendir(folder);
	while (dir && !there && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		there = entry->d_name[0] != '.' && is_there(s, path);
	}
	if (dir)
		closedir(dir);
	return there;
}

static void search_process(struct search *s, const char *pid)
{
	static const struct {
		const char *link;
		const char *what;
		bool folder;
	} uses[] = {
		{ "cwd", "has its working directory there", false },
		{ "root", "has its root directory there", false },
		{ "exe", "is a program from there", false },
		{ "fd", "has a file open there", true },
		{ "map_files", "has a file mapped from there", true },
	};
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, uses[i].link);
		if (uses[i].folder ? any_there(s, path) : is_there(s, path)) {
			found(s, "process %.20s (%s) %s", pid, process_name(pid),
			      uses[i].what);
			return;
		}
	}
}

static void each_process(struct search *s,
			 void (*fn)(struct search *s, const char *pid))
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			fn(s, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

bool mount_users(struct libmnt_fs *fs, char text[USE_MAX])
{
	struct search s = { mnt_fs_get_devno(fs), text, 0 };

	text[0] = '\0';
	each_process(&s, search_process);
	if (s.nr > NAMED)
		snprintf(text + strlen(text), USE_MAX - strlen(text),
			 ", and %u more", s.nr - NAMED);
	return s.nr;
}

static bool same_namespace(const char *pid)
{
	char path[64], own[64] = "", other[64] = "";
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
	len = readlink("/proc/self/ns/mnt", own, sizeof(own) - 1);
	if (len < 0 || readlink(path, other, sizeof(other) - 1) < 0)
		return true;
	return !strcmp(own, other);
}

static void search_namespace(struct search *s, const char *pid)
{
	struct libmnt_table *table;
	char path[64];

	if (s->nr || same_namespace(pid))
		return;
	snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", pid);
	table = mnt_new_table_from_file(path);
	if (table && mnt_table_find_devno(table, s->dev, MNT_ITER_FORWARD))
		found(s, "process %.20s (%s) has it mounted in a namespace of its own",
		      pid, process_name(pid));
	mnt_unref_table(table);
}

bool mounted_elsewhere(struct libmnt_fs *fs, char text[USE_MAX])
{
	struct search s = { mnt_fs_get_devno(fs), text, 0 };

	text[0] = '\0';
	each_process(&s, search_namespace);
	return s.nr;
}
