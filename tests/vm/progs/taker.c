// SPDX-License-Identifier: GPL-2.0
/*
 * Taking checkpoints of different kinds of disks: see taker.h.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"
#include "taker.h"

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void pause_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

void taker_open(struct taker *t, char **words)
{
	static const char *const kinds[] = { "cpblk", "thin", "xfs" };
	unsigned int i;

	for (i = 0; i < 3 && strcmp(words[0], kinds[i]); i++)
		;
	if (i == 3)
		die("'%s' takes no checkpoints", words[0]);
	*t = (struct taker){ .kind = i, .a = words[1], .b = words[2], .control = -1 };
	if (t->kind == TAKER_CPBLK)
		t->link = must_connect();
	if (t->kind == TAKER_THIN) {
		t->control = open("/dev/mapper/control", O_RDWR);
		if (t->control < 0)
			die("no device-mapper: %s", strerror(errno));
	}
}

/* ---- dm-thin ---- */

/* One request about a device; @message: to the pool, or NULL. */
static int dm_request(struct taker *t, unsigned long cmd, unsigned int flags,
		      const char *name, const char *message)
{
	struct {
		struct dm_ioctl head;
		struct dm_target_msg msg;
		char text[128];
	} r = {
		.head = {
			.version = { DM_VERSION_MAJOR, 0, 0 },
			.data_size = sizeof(r),
			.data_start = sizeof(r.head),
			.flags = flags,
		},
	};

	snprintf(r.head.name, sizeof(r.head.name), "%s", name);
	if (message)
		snprintf(r.msg.message, sizeof(r.text), "%s", message);
	return ioctl(t->control, cmd, &r);
}

static void dm_must(int rc, const char *what)
{
	if (rc)
		die("%s: %s", what, strerror(errno));
}

static void thin_take(struct taker *t, uint64_t nr)
{
	char text[64];

	snprintf(text, sizeof(text), "create_snap %llu 0", (unsigned long long)nr);
	dm_must(dm_request(t, DM_DEV_SUSPEND, DM_SUSPEND_FLAG, t->b, NULL), "suspend");
	dm_must(dm_request(t, DM_TARGET_MSG, 0, t->a, text), text);
	dm_must(dm_request(t, DM_DEV_SUSPEND, 0, t->b, NULL), "resume");
}

static void thin_drop(struct taker *t, uint64_t nr)
{
	char text[64];

	snprintf(text, sizeof(text), "delete %llu", (unsigned long long)nr);
	dm_must(dm_request(t, DM_TARGET_MSG, 0, t->a, text), text);
}

/* ---- XFS ---- */

static void copy_path(struct taker *t, uint64_t nr, char path[512])
{
	snprintf(path, 512, "%s/copy%llu", t->b, (unsigned long long)nr);
}

static void xfs_take(struct taker *t, uint64_t nr)
{
	char path[512];
	int from, to;

	copy_path(t, nr, path);
	from = open(t->a, O_RDONLY);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (from < 0 || to < 0)
		die("%s: %s", from < 0 ? t->a : path, strerror(errno));
	if (ioctl(to, FICLONE, from) || fsync(to))
		die("%s: %s", path, strerror(errno));
	close(from);
	close(to);
}

static void xfs_drop(struct taker *t, uint64_t nr)
{
	char path[512];

	copy_path(t, nr, path);
	if (unlink(path))
		die("%s: %s", path, strerror(errno));
}

/* ---- cpblk ---- */

static uint64_t cpblk_take(struct taker *t)
{
	struct cpblk_snap snap = { .volumes = &t->b, .nr = 1 };
	struct cpblk_error err;
	uint64_t id;

	if (cpblk_snap(t->link, t->a, &snap, &err))
		die("checkpoint: %s", err.text);
	id = snap.taken[0].id;
	free(snap.taken);
	return id;
}

static void cpblk_drop_all(struct taker *t)
{
	struct cpblk_checkpoint_info *list;
	struct cpblk_error err;
	size_t nr, i, n = 0;
	uint64_t *ids;

	if (cpblk_checkpoint_list(t->link, t->a, t->b, &list, &nr, &err))
		die("%s", err.text);
	ids = must_alloc(nr, sizeof(*ids));
	for (i = 0; i < nr; i++)
		if (!(list[i].flags & CPBLK_POINT_HIDDEN))
			ids[n++] = list[i].id;
	if (n && cpblk_checkpoint_delete(t->link, t->a, ids, n, &err))
		die("delete: %s", err.text);
	free(ids);
	free(list);
}

/* ---- Any of them ---- */

uint64_t taker_take(struct taker *t, uint64_t nr)
{
	switch (t->kind) {
	case TAKER_CPBLK:
		return cpblk_take(t);
	case TAKER_THIN:
		thin_take(t, nr);
		break;
	case TAKER_XFS:
		xfs_take(t, nr);
		break;
	}
	return nr;
}

void taker_drop(struct taker *t, uint64_t nr)
{
	struct cpblk_error err;

	switch (t->kind) {
	case TAKER_CPBLK:
		if (cpblk_checkpoint_delete(t->link, t->a, &nr, 1, &err))
			die("delete: %s", err.text);
		break;
	case TAKER_THIN:
		thin_drop(t, nr);
		break;
	case TAKER_XFS:
		xfs_drop(t, nr);
		break;
	}
}

/* What is reclaimed in the background would be in the way of what follows. */
void taker_settle(struct taker *t)
{
	struct cpblk_error err;

	if (t->kind == TAKER_CPBLK &&
	    cpblk_store_sync(t->link, t->a, CPBLK_SYNC_RECLAIM, &err))
		die("sync: %s", err.text);
}

void taker_drop_all(struct taker *t, uint64_t from, uint64_t to)
{
	if (t->kind == TAKER_CPBLK) {
		cpblk_drop_all(t);
		taker_settle(t);
		return;
	}
	for (; from <= to; from++)
		taker_drop(t, from);
}
