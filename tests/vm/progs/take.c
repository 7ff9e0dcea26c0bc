// SPDX-License-Identifier: GPL-2.0
/*
 * take: checkpoints while others do I/O.
 *
 *	take once FILE KIND...		one
 *	take every MS KEEP FILE KIND...	one each so many milliseconds, until SIGTERM
 *	take drop FILE KIND...		deletes all of them
 *
 * With more than KEEP of them the oldest one goes. KIND is what taker.h says. FILE
 * keeps the numbers that were given.
 */
#include <signal.h>

#include "prog.h"
#include "taker.h"

#define KEEP_MAX	1000U

static int over;

static void end(int signal)
{
	(void)signal;
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
}

/* Those that are there: numbers from @first to @last, none if that is less. */
struct taken {
	unsigned long long first, last;
};

static struct taken load(const char *path)
{
	struct taken n = { 1, 0 };
	FILE *f = fopen(path, "r");

	if (!f)
		return n;
	if (fscanf(f, "%llu %llu", &n.first, &n.last) != 2)
		die("%s has no numbers", path);
	fclose(f);
	return n;
}

static void save(const char *path, const struct taken *n)
{
	FILE *f = fopen(path, "w");

	if (!f || fprintf(f, "%llu %llu\n", n->first, n->last) < 0 || fclose(f))
		die("cannot write %s: %s", path, strerror(errno));
}

/* As often as asked for, or as fast as it can. */
static void take_every(struct taker *t, unsigned int ms, unsigned long keep,
		       struct taken *n)
{
	const struct sigaction action = { .sa_handler = end };
	uint64_t ids[KEEP_MAX + 1], next = now_ns(), now;
	unsigned int nr = 0, count = 0;

	if (keep > KEEP_MAX)
		die("not more than %u", KEEP_MAX);
	sigaction(SIGTERM, &action, NULL);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		ids[nr++] = taker_take(t, ++n->last);
		count++;
		if (nr > keep) {
			taker_drop(t, ids[0]);
			memmove(ids, ids + 1, --nr * sizeof(*ids));
			n->first++;
		}
		next += ms * 1000000ULL;
		now = now_ns();
		if (next > now)
			pause_ms((unsigned int)((next - now) / 1000000));
		else
			next = now;
	}
	printf("%u\n", count);
}

int main(int argc, char **argv)
{
	unsigned long ms = 0, keep = 0;
	struct taken n;
	struct taker t;
	const char *file;
	int at = 2;

	if (argc > 4 && !strcmp(argv[1], "every")) {
		ms = number(argv[at++]);
		keep = number(argv[at++]);
	}
	if (argc != at + 1 + TAKER_WORDS)
		die("usage: once|every MS KEEP|drop FILE " TAKER_USAGE);
	file = argv[at];
	taker_open(&t, argv + at + 1);
	n = load(file);
	if (ms) {
		take_every(&t, (unsigned int)ms, keep, &n);
	} else if (!strcmp(argv[1], "once")) {
		taker_take(&t, ++n.last);
	} else {
		taker_drop_all(&t, n.first, n.last);
		n = (struct taken){ 1, 0 };
	}
	save(file, &n);
	return 0;
}
