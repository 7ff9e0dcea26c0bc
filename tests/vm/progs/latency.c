// SPDX-License-Identifier: GPL-2.0
/*
 * latency: how long operations on checkpoints take, from the call to the answer
 * that says that it is durable.
 *
 *	latency ops DEVICE TIMES KIND...
 *	latency open META DATA
 *	latency reopen STORE META DATA
 *	latency list STORE VOLUME
 *
 * KIND is what taker.h says; cpblk is also asked to restore and to fork. Before
 * each operation some blocks are written: of a disk that did not change nothing
 * would have to be kept. Each line is "OPERATION NANOSECONDS".
 */
#include <fcntl.h>
#include <unistd.h>

#include "prog.h"
#include "taker.h"

#define BLOCK	4096U
#define WRITES	16U

/* In the first 32 MiB, which is mapped whatever else is. */
static void write_some(const char *device)
{
	static uint64_t seed = 88172645463325252ULL;
	void *data = must_alloc_aligned(BLOCK);
	int fd = open(device, O_WRONLY | O_DIRECT);
	unsigned int i;
	off_t at;

	if (fd < 0)
		die("%s: %s", device, strerror(errno));
	for (i = 0; i < WRITES; i++) {
		at = (off_t)(random_next(&seed) % 8192 * BLOCK);
		if (pwrite(fd, data, BLOCK, at) != BLOCK)
			die("%s: %s", device, strerror(errno));
	}
	close(fd);
	free(data);
}

static void say(const char *what, uint64_t start)
{
	printf("%s %llu\n", what, (unsigned long long)(now_ns() - start));
}

/* Restore to a checkpoint, and a fork of it, which goes again. */
static void only_cpblk(struct taker *t, const char *device, uint64_t id)
{
	struct cpblk_restored restored;
	struct cpblk_new_volume made;
	struct cpblk_error err;
	uint64_t start;

	write_some(device);
	start = now_ns();
	if (cpblk_restore(t->link, t->a, t->b, id, 0, NULL, &restored, &err))
		die("restore: %s", err.text);
	say("restore", start);
	start = now_ns();
	if (cpblk_fork(t->link, t->a, id, "bench-fork", 0, &made, &err))
		die("fork: %s", err.text);
	say("fork", start);
	start = now_ns();
	if (cpblk_volume_remove(t->link, t->a, "bench-fork", 0, &err))
		die("remove: %s", err.text);
	say("remove", start);
	if (restored.safety_id)
		taker_drop(t, restored.safety_id);
}

static void operations(struct taker *t, const char *device, unsigned long times)
{
	uint64_t start, id;

	while (times--) {
		write_some(device);
		start = now_ns();
		id = taker_take(t, 1);
		say("checkpoint", start);
		if (t->kind == TAKER_CPBLK)
			only_cpblk(t, device, id);
		write_some(device);
		start = now_ns();
		taker_drop(t, id);
		say("delete", start);
	}
	taker_settle(t);
}

static void open_store(const char *meta, const char *data)
{
	struct cpblk *link = must_connect();
	struct cpblk_error err;
	uint64_t start = now_ns();

	if (cpblk_store_open(link, meta, data, 0, NULL, &err))
		die("open: %s", err.text);
	say("open", start);
	cpblk_disconnect(link);
}

static void close_store(const char *store)
{
	struct cpblk *link = must_connect();
	struct cpblk_error err;
	uint64_t start = now_ns();

	if (cpblk_store_close(link, store, &err))
		die("close: %s", err.text);
	say("close", start);
	cpblk_disconnect(link);
}

/* All checkpoints of a volume, and all volumes. */
static void lists(const char *store, const char *volume)
{
	struct cpblk *link = must_connect();
	struct cpblk_checkpoint_info *points;
	struct cpblk_volume_info *volumes;
	struct cpblk_error err;
	uint64_t start;
	size_t nr;

	start = now_ns();
	if (cpblk_checkpoint_list(link, store, volume, &points, &nr, &err))
		die("%s", err.text);
	say("list", start);
	free(points);
	start = now_ns();
	if (cpblk_volume_list(link, store, &volumes, &nr, &err))
		die("%s", err.text);
	say("volumes", start);
	free(volumes);
	cpblk_disconnect(link);
}

int main(int argc, char **argv)
{
	struct taker t;

	if (argc == 4 && !strcmp(argv[1], "list")) {
		lists(argv[2], argv[3]);
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "open")) {
		open_store(argv[2], argv[3]);
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "reopen")) {
		close_store(argv[2]);
		open_store(argv[3], argv[4]);
		return 0;
	}
	if (argc != 4 + TAKER_WORDS || strcmp(argv[1], "ops"))
		die("usage: ops DEVICE TIMES " TAKER_USAGE "; open META DATA; reopen STORE META DATA; list STORE VOLUME");
	taker_open(&t, argv + 4);
	operations(&t, argv[2], number(argv[3]));
	return 0;
}
