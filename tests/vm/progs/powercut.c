// SPDX-License-Identifier: GPL-2.0
/*
 * powercut: cuts the power of a store's devices while the workers of a ledger
 * are at it, and looks at what is left; again and again.
 *
 *	powercut STORE META DATA CYCLES SEED
 *
 * META and DATA are names of null_blk devices in configfs, with a cache each,
 * on which STORE was formatted and is open. Their power is cut at the same time,
 * which loses what is in the caches.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "ledger.h"

/* One that loses everything, and one so small that part of it gets written. */
static const char *const caches[] = { "64", "1" };

static void set(const char *disk, const char *attribute, const char *value)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/config/nullb/%s/%s", disk,
		 attribute);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("cannot write %s to %s: %s", value, path, strerror(errno));
	close(fd);
}

static void *power_off(void *disk)
{
	set(disk, "power", "0");
	return NULL;
}

static void cut_both(const char *a, const char *b)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, power_off, (void *)a))
		die("cannot start a thread");
	power_off((void *)b);
	pthread_join(thread, NULL);
}

static void power_on(const char *disk, const char *cache, const char *path)
{
	unsigned int i;

	set(disk, "cache_size", cache);
	set(disk, "power", "1");
	for (i = 0; access(path, F_OK); i++) {
		if (i == 500)
			die("there is no %s", path);
		usleep(10000);
	}
}

/* 6.12 names the disk as its folder, before that it has a number. */
static void disk_path(const char *disk, char path[64])
{
	char attribute[160], index[16] = "";
	int fd;

	snprintf(path, 64, "/dev/%.50s", disk);
	if (!access(path, F_OK))
		return;
	snprintf(attribute, sizeof(attribute),
		 "/sys/kernel/config/nullb/%s/index", disk);
	fd = open(attribute, O_RDONLY);
	if (fd < 0 || read(fd, index, sizeof(index) - 1) <= 0)
		die("cannot read %s", attribute);
	close(fd);
	snprintf(path, 64, "/dev/nullb%lu", strtoul(index, NULL, 10));
}

/* Also in the background: transactions, and what gives space back. */
static void *reclaim(void *store)
{
	struct cpblk *link = must_connect();

	/* It ends with the power. */
	cpblk_store_sync(link, store, CPBLK_SYNC_RECLAIM, NULL);
	cpblk_disconnect(link);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long cycles, i, violations = 0;
	char meta[64], data[64];
	struct ledger_setup setup = { .workers = 3, .meta = meta, .data = data };
	struct ledger *l;
	pthread_t thread;
	bool reclaims;
	uint64_t rnd;

	if (argc != 6)
		die("usage: STORE META DATA CYCLES SEED");
	setup.store = argv[1];
	cycles = number(argv[4]);
	rnd = setup.seed = number(argv[5]);
	disk_path(argv[2], meta);
	disk_path(argv[3], data);
	l = ledger_new(&setup);
	for (i = 0; i < cycles && !violations; i++) {
		const char *cache = caches[random_next(&rnd) % 2];

		ledger_start(l, 0);
		reclaims = random_next(&rnd) & 1;
		usleep(1000 + random_next(&rnd) % 200000);
		if (reclaims && pthread_create(&thread, NULL, reclaim, argv[1]))
			die("cannot start a thread");
		usleep(random_next(&rnd) % 50000);
		ledger_cut(l);
		if (random_next(&rnd) & 1)
			cut_both(argv[2], argv[3]);
		else
			cut_both(argv[3], argv[2]);
		ledger_join(l);
		if (reclaims)
			pthread_join(thread, NULL);
		ledger_close(l, true);
		power_on(argv[2], cache, meta);
		power_on(argv[3], cache, data);

		violations += ledger_check(l);
		ledger_open(l);
		violations += ledger_verify(l, NULL, i % 16 == 0);
		if (!violations)
			ledger_adopt(l);
	}
	ledger_close(l, false);
	printf("%lu points, %lu violations\n", i, violations);
	return violations != 0;
}
