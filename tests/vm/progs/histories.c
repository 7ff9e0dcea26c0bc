// SPDX-License-Identifier: GPL-2.0
/*
 * histories: one random history of a store.
 *
 *	histories STORE SEED STEPS
 *
 * Volumes are made, written to, discarded from, forked and removed, checkpoints
 * are taken, restored and deleted, in an order that SEED determines; what has
 * been deleted is reclaimed meanwhile. Volumes are as large as the first one,
 * which is there.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "prog.h"

#define BLOCK		4096U
#define MOST		100U	/* blocks that one write has, and one discard */

static struct cpblk *driver;
static const char *store;
static uint64_t rnd;
static unsigned int made;

static uint64_t pick(uint64_t below)
{
	return (random_next(&rnd) >> 16) % below;
}

/* One of the volumes; how many there are. */
static size_t a_volume(struct cpblk_volume_info *info)
{
	struct cpblk_volume_info *list;
	struct cpblk_error err;
	size_t nr;

	if (cpblk_volume_list(driver, store, &list, &nr, &err) || !nr)
		die("no volume: %s", err.text);
	*info = list[pick(nr)];
	free(list);
	return nr;
}

/* The number of a checkpoint that can be seen, or 0. */
static uint64_t a_point(void)
{
	struct cpblk_checkpoint_info *list;
	struct cpblk_error err;
	size_t nr, i, seen = 0;
	uint64_t id = 0;

	if (cpblk_checkpoint_list(driver, store, NULL, &list, &nr, &err))
		die("%s", err.text);
	for (i = 0; i < nr; i++)
		if (!(list[i].flags & CPBLK_POINT_HIDDEN) && !pick(++seen))
			id = list[i].id;
	free(list);
	return id;
}

static void change(const struct cpblk_volume_info *v, bool discard)
{
	static uint64_t data[MOST * BLOCK / 8] __attribute__((aligned(BLOCK)));
	uint64_t blocks = v->size / BLOCK, range[2], i;
	char path[64];
	int fd, rc;

	range[1] = (1 + pick(MOST)) * BLOCK;
	range[0] = pick(blocks - range[1] / BLOCK + 1) * BLOCK;
	snprintf(path, sizeof(path), "/dev/%s", v->device);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		die("cannot open %s: %s", path, strerror(errno));
	if (discard) {
		rc = ioctl(fd, BLKDISCARD, range);
	} else {
		for (i = 0; i < range[1] / 8; i++)
			data[i] = random_next(&rnd);
		rc = pwrite(fd, data, range[1], (off_t)range[0]) !=
		     (ssize_t)range[1];
	}
	if (rc)
		die("cannot %s %s: %s", discard ? "discard from" : "write to", path,
		    strerror(errno));
	close(fd);
}

static int step(struct cpblk_error *err)
{
	struct cpblk_new_volume new;
	struct cpblk_volume_info v;
	struct cpblk_restored restored;
	size_t volumes = a_volume(&v);
	const char *name = v.name;
	struct cpblk_snap snap = { .volumes = &name, .nr = 1 };
	uint64_t point = a_point();
	unsigned int what = pick(10);
	char fork[32];
	int rc;

	if (what >= 7) {
		change(&v, what == 7);
		return 0;
	}
	if (what <= 1) {
		rc = cpblk_snap(driver, store, &snap, err);
		free(snap.taken);
		return rc;
	}
	if (what == 6)
		return volumes < 2 ? 0 :
		       cpblk_volume_remove(driver, store, v.name,
					   CPBLK_REMOVE_KEEP_CHECKPOINTS, err);
	if (!point)
		return 0;
	if (what == 2) {
		snprintf(fork, sizeof(fork), "vol%u", ++made);
		return cpblk_fork(driver, store, point, fork, 0, &new, err);
	}
	if (what == 3)
		return cpblk_restore(driver, store, v.name, point,
				     pick(2) ? 0 : CPBLK_RESTORE_NO_SAFETY, NULL,
				     &restored, err);
	return cpblk_checkpoint_delete(driver, store, &point, 1, err);
}

int main(int argc, char **argv)
{
	struct cpblk_error err;
	unsigned long steps;

	if (argc != 4)
		die("usage: STORE SEED STEPS");
	store = argv[1];
	rnd = number(argv[2]) * 0x9e3779b97f4a7c15ULL + 1;
	driver = must_connect();
	for (steps = number(argv[3]); steps; steps--)
		if (step(&err))
			die("%s", err.text);
	cpblk_disconnect(driver);
	return 0;
}
