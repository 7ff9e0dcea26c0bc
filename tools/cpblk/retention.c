// SPDX-License-Identifier: GPL-2.0
/*
 * Which checkpoints of a volume a policy keeps, and why: see retention.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "retention.h"

#define NS	1000000000ULL
#define HOUR	3600ULL
#define DAY	(24 * HOUR)

/* ---- Which hour, day, week or month a time is in, as a number ---- */

static uint64_t hour_of(uint64_t seconds)
{
	return seconds / HOUR;
}

static uint64_t day_of(uint64_t seconds)
{
	return seconds / DAY;
}

/* 1970 began on a Thursday. */
static uint64_t week_of(uint64_t seconds)
{
	return (seconds / DAY + 3) / 7;
}

static uint64_t month_of(uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return 0;
	return (uint64_t)(tm.tm_year * 12 + tm.tm_mon);
}

/* ---- Deciding ---- */

__attribute__((format(printf, 2, 3)))
static void keep(struct candidate *c, const char *fmt, ...)
{
	size_t len = c->keep ? strlen(c->reason) : 0;
	va_list args;

	if (len && len + 2 < REASON_MAX) {
		strcpy(c->reason + len, ", ");
		len += 2;
	}
	va_start(args, fmt);
	vsnprintf(c->reason + len, REASON_MAX - len, fmt, args);
	va_end(args);
	c->keep = true;
}

static void keep_last(struct candidate *list, size_t nr, uint32_t last)
{
	uint32_t n = 0;

	while (nr-- && n < last) {
		if (list[nr].safety)
			keep(&list[nr], "as new as the last %u", last);
		else
			keep(&list[nr], "number %u of the last %u", ++n, last);
	}
}

/* One of each of the latest @periods in which there are any. */
static void keep_periods(struct candidate *list, size_t nr, uint32_t periods,
			 uint64_t (*period_of)(uint64_t seconds), const char *name)
{
	uint32_t n = 0;
	size_t best, i = nr;

	while (i && n < periods) {
		uint64_t period = period_of(list[i - 1].time / NS);

		/* The newest of this period that is no safety checkpoint. */
		best = --i;
		while (i && period_of(list[i - 1].time / NS) == period) {
			i--;
			if (list[best].safety && !list[i].safety)
				best = i;
		}
		keep(&list[best], "newest of its %s (%u of %u)", name, ++n, periods);
	}
}

static bool too_old(const struct cpblk_retention *policy, uint64_t now,
		    const struct candidate *c)
{
	return policy->max_age && c->time < now &&
	       (now - c->time) / NS >= policy->max_age;
}

bool retention_empty(const struct cpblk_retention *p)
{
	return !p->last && !p->hourly && !p->daily && !p->weekly && !p->monthly &&
	       !p->max_age;
}

void retention_decide(const struct cpblk_retention *policy, uint64_t now,
		      struct candidate *list, size_t nr)
{
	struct cpblk_retention rules = *policy;
	bool all;
	size_t i;

	rules.max_age = 0;
	all = retention_empty(&rules);
	for (i = 0; i < nr; i++) {
		list[i].keep = false;
		snprintf(list[i].reason, REASON_MAX, "no rule keeps it");
		if (all)
			keep(&list[i], policy->max_age ? "not too old" :
			     "there is no policy");
	}
	keep_last(list, nr, policy->last);
	keep_periods(list, nr, policy->hourly, hour_of, "hour");
	keep_periods(list, nr, policy->daily, day_of, "day");
	keep_periods(list, nr, policy->weekly, week_of, "week");
	keep_periods(list, nr, policy->monthly, month_of, "month");
	for (i = 0; i < nr; i++) {
		if (too_old(policy, now, &list[i])) {
			list[i].keep = false;
			snprintf(list[i].reason, REASON_MAX, "too old");
		}
		if (list[i].hold)
			keep(&list[i], "held%s%s", *list[i].hold ? ": " : "",
			     list[i].hold);
		if (list[i].attached)
			keep(&list[i], "attached");
		if (list[i].undo)
			keep(&list[i], "'undo' goes back to it");
	}
}
