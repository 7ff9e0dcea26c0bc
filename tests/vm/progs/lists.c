// SPDX-License-Identifier: GPL-2.0
/*
 * lists: a list of volumes is of one moment, or who reads it is told.
 *
 *	lists STORE FIRST LAST SECONDS
 *
 * FIRST and LAST, which are far apart in the list, are put into a group and out of it
 * together, again and again. Meanwhile all are listed: both are in it, or none is. The
 * last line says how many lists were read.
 */
#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

static const char *store, *pair[2];
static bool over;

static void *regroup(void *arg)
{
	struct cpblk *link = must_connect();
	struct cpblk_error err;
	uint64_t random = 1;
	bool in = false;

	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		in = !in;
		if (cpblk_group_set(link, store, pair, 2, in ? "both" : NULL, &err))
			die("%s", err.text);
		/* A list that changes all the time can't be read. */
		usleep(random_next(&random) % 10000);
	}
	cpblk_disconnect(link);
	return NULL;
}

int main(int argc, char **argv)
{
	struct cpblk_volume_info *list;
	unsigned long lists = 0;
	struct cpblk_error err;
	struct cpblk *link;
	pthread_t thread;
	size_t nr, i, in;
	time_t end;

	if (argc != 5)
		die("usage: lists STORE FIRST LAST SECONDS");
	store = argv[1];
	pair[0] = argv[2];
	pair[1] = argv[3];
	link = must_connect();
	end = time(NULL) + number(argv[4]);
	if (pthread_create(&thread, NULL, regroup, NULL))
		die("no thread");
	while (time(NULL) < end) {
		if (cpblk_volume_list(link, store, &list, &nr, &err)) {
			if (err.code == EAGAIN)
				continue;
			die("%s", err.text);
		}
		for (i = in = 0; i < nr; i++)
			in += !strcmp(list[i].group, "both");
		free(list);
		if (in == 1)
			die("one of the two is in the group, after %lu lists", lists);
		lists++;
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	cpblk_disconnect(link);
	printf("%lu lists\n", lists);
	return lists ? 0 : 1;
}
