// SPDX-License-Identifier: GPL-2.0
/*
 * many: a long history, made and verified without a process for each step.
 *
 *	many make STORE VOLUME CHECKPOINTS FORKS
 *	many verify STORE VOLUME CHECKPOINTS STEP
 *	many forks STORE VOLUME FORKS NAME
 *
 * Before checkpoint cN, block N % BLOCKS is written with N, and now and then
 * some blocks are discarded: so what cN must hold follows from N alone. Fork
 * fN is of one of the checkpoints, and then gets a block of its own. "verify"
 * attaches every STEP-th checkpoint that is still there, and looks at all forks
 * and at the head. "forks" makes forks NAME1 and on of the oldest checkpoint, in
 * which nothing is written.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "prog.h"

#define BLOCK	4096U
#define BLOCKS	64U
#define WORDS	(BLOCK / 8)

static const char *store, *volume;

/* After step @n: what block @b holds, 0 for a hole. */
static unsigned long content(unsigned long n, unsigned long b)
{
	unsigned long last = n >= b ? n - (n - b) % BLOCKS : 0;
	unsigned long hole = n / 100 * 100;

	/* Every hundredth step discards the first quarter before it writes. */
	if (b < BLOCKS / 4 && hole && hole > last)
		return 0;
	return last;
}

static void write_block(int fd, unsigned long b, unsigned long value)
{
	uint64_t *data = must_alloc_aligned(BLOCK);
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		data[i] = value;
	if (pwrite(fd, data, BLOCK, (off_t)(b * BLOCK)) != BLOCK)
		die("write failed: %s", strerror(errno));
	free(data);
}

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT);

	if (fd < 0)
		die("cannot open %s: %s", path, strerror(errno));
	return fd;
}

/* @own: a block that was written after step @n, with this value; 0: none. */
static void verify_device(const char *path, unsigned long n, unsigned long own)
{
	uint64_t *data = must_alloc_aligned(BLOCKS * BLOCK), want;
	int fd = open_device(path, O_RDONLY);
	unsigned long b;
	unsigned int i;

	if (pread(fd, data, BLOCKS * BLOCK, 0) != (ssize_t)(BLOCKS * BLOCK))
		die("cannot read %s: %s", path, strerror(errno));
	for (b = 0; b < BLOCKS; b++) {
		want = own && b == own % BLOCKS ? own : content(n, b);
		for (i = 0; i < WORDS; i++)
			if (data[b * WORDS + i] != want)
				die("%s, of step %lu: block %lu holds %llu, not %llu",
				    path, n, b,
				    (unsigned long long)data[b * WORDS + i],
				    (unsigned long long)want);
	}
	close(fd);
	free(data);
}

static void step(int fd, unsigned long n)
{
	uint64_t range[2] = { 0, (uint64_t)BLOCKS / 4 * BLOCK };

	if (n % 100 == 0 && ioctl(fd, BLKDISCARD, range))
		die("discard failed: %s", strerror(errno));
	write_block(fd, n % BLOCKS, n);
}

/* Which step fork @i is of, and what it gets. */
static unsigned long fork_step(unsigned long i, unsigned long nr)
{
	return 1 + i * 37 % nr;
}

static unsigned long fork_own(unsigned long i)
{
	return 1000000 + i;
}

static void make_forks(struct cpblk *link, unsigned long nr, unsigned long forks,
		       const uint64_t *ids)
{
	struct cpblk_new_volume made;
	struct cpblk_error err;
	char name[32], path[64];
	unsigned long i;
	int fd;

	for (i = 1; i <= forks; i++) {
		snprintf(name, sizeof(name), "f%lu", i);
		if (cpblk_fork(link, store, ids[fork_step(i, nr)], name, 0, &made,
			       &err))
			die("fork %lu: %s", i, err.text);
		snprintf(path, sizeof(path), "/dev/%s", made.device);
		fd = open_device(path, O_RDWR);
		write_block(fd, fork_own(i) % BLOCKS, fork_own(i));
		close(fd);
	}
}

static void make(struct cpblk *link, const char *device, unsigned long nr,
		 unsigned long forks)
{
	uint64_t *ids = must_alloc(nr + 1, sizeof(*ids));
	int fd = open_device(device, O_RDWR);
	struct cpblk_error err;
	char name[32];
	unsigned long n;

	for (n = 1; n <= nr; n++) {
		struct cpblk_snap snap = {
			.volumes = &volume, .nr = 1, .name = name
		};

		step(fd, n);
		snprintf(name, sizeof(name), "c%lu", n);
		if (cpblk_snap(link, store, &snap, &err))
			die("checkpoint %lu: %s", n, err.text);
		ids[n] = snap.taken[0].id;
		free(snap.taken);
	}
	close(fd);
	make_forks(link, nr, forks, ids);
	free(ids);
}

static void verify(struct cpblk *link, const char *device, unsigned long nr,
		   unsigned long every)
{
	char attached[CPBLK_DEVICE_MAX + 1], path[64];
	struct cpblk_checkpoint_info *points;
	struct cpblk_volume_info *volumes;
	unsigned long n, nr_points = 0, nr_forks = 0;
	struct cpblk_error err;
	size_t count, i;

	if (cpblk_checkpoint_list(link, store, volume, &points, &count, &err))
		die("%s", err.text);
	for (i = 0; i < count; i += every) {
		if (points[i].flags & CPBLK_POINT_HIDDEN)
			continue;
		n = number(points[i].name + 1);
		if (cpblk_attach(link, store, points[i].id, attached, &err))
			die("attach: %s", err.text);
		snprintf(path, sizeof(path), "/dev/%s", attached);
		verify_device(path, n, 0);
		if (cpblk_detach(link, store, points[i].id, &err))
			die("detach: %s", err.text);
		nr_points++;
	}
	free(points);

	if (cpblk_volume_list(link, store, &volumes, &count, &err))
		die("%s", err.text);
	for (i = 0; i < count; i++) {
		if (volumes[i].name[0] != 'f')
			continue;
		n = number(volumes[i].name + 1);
		snprintf(path, sizeof(path), "/dev/%s", volumes[i].device);
		verify_device(path, fork_step(n, nr), fork_own(n));
		nr_forks++;
	}
	free(volumes);
	verify_device(device, nr, 0);
	printf("%lu checkpoints, %lu forks and the head are right\n", nr_points,
	       nr_forks);
}

static void forks_of_one(struct cpblk *link, unsigned long nr, const char *prefix)
{
	struct cpblk_checkpoint_info *points;
	struct cpblk_new_volume made;
	struct cpblk_error err;
	unsigned long i;
	char name[32];
	size_t count;

	if (cpblk_checkpoint_list(link, store, volume, &points, &count, &err))
		die("%s", err.text);
	if (!count)
		die("%s has no checkpoint", volume);
	for (i = 1; i <= nr; i++) {
		snprintf(name, sizeof(name), "%.16s%lu", prefix, i);
		if (cpblk_fork(link, store, points[0].id, name, 0, &made, &err))
			die("fork %lu: %s", i, err.text);
	}
	free(points);
}

int main(int argc, char **argv)
{
	struct cpblk *link;
	char device[64];

	if (argc != 6 || (strcmp(argv[1], "make") && strcmp(argv[1], "verify") &&
			  strcmp(argv[1], "forks")))
		die("usage: make STORE VOLUME CHECKPOINTS FORKS, verify STORE VOLUME CHECKPOINTS STEP, or forks STORE VOLUME FORKS NAME");
	store = argv[2];
	volume = argv[3];
	link = must_connect();
	volume_path(link, store, volume, device);
	if (!strcmp(argv[1], "make"))
		make(link, device, number(argv[4]), number(argv[5]));
	else if (!strcmp(argv[1], "forks"))
		forks_of_one(link, number(argv[4]), argv[5]);
	else
		verify(link, device, number(argv[4]), number(argv[5]));
	cpblk_disconnect(link);
	return 0;
}
