// SPDX-License-Identifier: GPL-2.0
/*
 * A bar on the terminal that shows how far something is.
 */
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define BAR	40

/* When the one that is there was drawn, in fifths of a second; 0: there is none. */
static uint64_t shown;

bool bar_wanted(void)
{
	return isatty(STDERR_FILENO);
}

void bar_show(const char *doing, uint64_t part, uint64_t whole, const char *note)
{
	struct timespec now;
	unsigned int i, done;
	uint64_t tick;

	clock_gettime(CLOCK_MONOTONIC, &now);
	tick = (uint64_t)now.tv_sec * 5 + (uint64_t)now.tv_nsec / 200000000;
	if (tick == shown)
		return;
	shown = tick;
	if (!whole)
		whole = 1;
	if (part > whole)
		part = whole;
	done = (unsigned int)(part * BAR / whole);
	fprintf(stderr, "\r%s [", doing);
	for (i = 0; i < BAR; i++)
		fputc(i < done ? '#' : ' ', stderr);
	fprintf(stderr, "] %u%%%s\033[K", (unsigned int)(part * 100 / whole), note);
	fflush(stderr);
}

void bar_end(void)
{
	if (shown)
		fprintf(stderr, "\r\033[K");
	shown = 0;
}
