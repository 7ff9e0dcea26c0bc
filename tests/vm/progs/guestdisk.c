// SPDX-License-Identifier: GPL-2.0
/*
 * Looks from outside at the disks that a guest writes records to
 * (tests/vm/nested/recorder.c).
 *
 *	guestdisk pairs STORE A B TRIES [--apart]
 *	guestdisk fill DEVICE COUNT
 *	guestdisk restore STORE VOLUME CHECKPOINT
 *
 * "pairs" takes checkpoints of two volumes together, TRIES times at least, while the
 * guest writes to them in turn, and looks at each pair: B must have the record that A
 * has, or the one before. --apart takes one after the other instead, 20 ms later, to see
 * that fail.
 * "fill" wants the first COUNT large records on a device. "restore" does that, and
 * prints when it asked for it, in microseconds: to start a program takes longer.
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "../nested/record.h"
#include "prog.h"

static long long first_record(const char *path)
{
	unsigned char *buffer = must_alloc_aligned(RECORD_SECTOR);
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	long long n;

	if (fd < 0 || pread(fd, buffer, RECORD_SECTOR, 0) != RECORD_SECTOR)
		die("cannot read %s: %s", path, strerror(errno));
	n = record_number(buffer, RECORD_SECTOR);
	close(fd);
	free(buffer);
	return n;
}

/* The record that is first on the disk of a checkpoint; then that goes. */
static long long look(struct cpblk *link, const char *store, uint64_t id)
{
	char device[CPBLK_DEVICE_MAX + 1], path[64];
	struct cpblk_error err;
	long long n;

	if (cpblk_attach(link, store, id, device, &err))
		die("cannot attach: %s", err.text);
	snprintf(path, sizeof(path), "/dev/%s", device);
	n = first_record(path);
	if (cpblk_detach(link, store, id, &err) ||
	    cpblk_checkpoint_delete(link, store, &id, 1, &err))
		die("cannot let go of it: %s", err.text);
	return n;
}

static void take(struct cpblk *link, const char *store, const char *const *names,
		 size_t nr, uint64_t *ids)
{
	struct cpblk_snap snap = { .volumes = names, .nr = nr };
	struct cpblk_error err;
	size_t i;

	if (cpblk_snap(link, store, &snap, &err))
		die("cannot take a checkpoint: %s", err.text);
	for (i = 0; i < nr; i++)
		ids[i] = snap.taken[i].id;
	free(snap.taken);
}

static int pairs(const char *store, const char *const names[2], unsigned long tries,
		 bool apart)
{
	struct cpblk *link = must_connect();
	unsigned long try, wrong = 0, moved = 0;
	long long a, b, last = -1;
	uint64_t ids[2];

	/*
	 * A guest that stands still shows nothing. One on a busy machine may write
	 * less than once for each try: it gets more of them.
	 */
	for (try = 0; try < tries || (moved < tries / 2 && try < 50 * tries); try++) {
		if (apart) {
			take(link, store, names, 1, ids);
			/* What a guest in a guest needs for two records. */
			usleep(20000);
			take(link, store, names + 1, 1, ids + 1);
		} else {
			take(link, store, names, 2, ids);
		}
		a = look(link, store, ids[0]);
		b = look(link, store, ids[1]);
		if (a < 0 || b < 0)
			die("no record on %s", names[a < 0 ? 0 : 1]);
		if (b != a && b != a - 1) {
			printf("%s has record %lld, %s record %lld\n", names[0], a,
			       names[1], b);
			wrong++;
		}
		moved += a != last;
		last = a;
	}
	cpblk_disconnect(link);
	printf("%lu tries, %lu of them with new records, %lu wrong\n", try, moved, wrong);
	return wrong || moved < tries / 2;
}

static int fill(const char *path, unsigned long count)
{
	unsigned char *buffer = must_alloc_aligned(RECORD_LARGE);
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unsigned long i;

	if (fd < 0)
		die("cannot open %s: %s", path, strerror(errno));
	for (i = 0; i < count; i++) {
		if (pread(fd, buffer, RECORD_LARGE, (off_t)i * RECORD_LARGE) !=
		    RECORD_LARGE)
			die("cannot read record %lu of %s", i, path);
		if (!record_is(buffer, RECORD_LARGE, i))
			die("record %lu of %s is not what was acknowledged", i, path);
	}
	close(fd);
	free(buffer);
	printf("%lu records\n", count);
	return 0;
}

static int restore(const char *store, const char *volume, const char *point)
{
	struct cpblk *link = must_connect();
	struct cpblk_checkpoint_info info;
	struct cpblk_restored restored;
	struct cpblk_error err;
	struct timespec now;

	if (cpblk_checkpoint_get(link, store, volume, point, 0, &info, &err))
		die("no such checkpoint: %s", err.text);
	clock_gettime(CLOCK_REALTIME, &now);
	printf("%lld\n", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	if (cpblk_restore(link, store, volume, info.id, CPBLK_RESTORE_NO_SAFETY, NULL,
			  &restored, &err))
		die("cannot restore: %s", err.text);
	cpblk_disconnect(link);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 6 && !strcmp(argv[1], "pairs"))
		return pairs(argv[2], (const char *const[]){ argv[3], argv[4] },
			     number(argv[5]),
			     argc > 6 && !strcmp(argv[6], "--apart"));
	if (argc == 4 && !strcmp(argv[1], "fill"))
		return fill(argv[2], number(argv[3]));
	if (argc == 5 && !strcmp(argv[1], "restore"))
		return restore(argv[2], argv[3], argv[4]);
	die("usage: guestdisk pairs STORE A B TRIES [--apart] | fill DEVICE COUNT | restore STORE VOLUME CHECKPOINT");
}
