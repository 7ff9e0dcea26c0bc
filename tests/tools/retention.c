// SPDX-License-Identifier: GPL-2.0
/* Which checkpoints a policy keeps: boundaries, several rules, special ones. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "retention.h"

#define S	1000000000ULL
#define HOUR	(3600 * S)
#define DAY	(24 * HOUR)

/* Monday, 2024-01-01 00:00 UTC. */
#define MONDAY	(1704067200 * S)

#define MAX	400

static struct candidate list[MAX];
static size_t nr;

static void setup(void)
{
	memset(list, 0, sizeof(list));
	nr = 0;
}

static struct candidate *at(uint64_t time)
{
	list[nr].time = time;
	return &list[nr++];
}

/* "keep" is one letter for each: k kept, . deleted. */
static void expect(const char *file, int line, struct cpblk_retention policy,
		   uint64_t now, const char *keep)
{
	char got[MAX + 1];
	size_t i;

	retention_decide(&policy, now, list, nr);
	for (i = 0; i < nr; i++) {
		got[i] = list[i].keep ? 'k' : '.';
		cr_expect(list[i].reason[0], "no reason for %zu", i);
	}
	got[nr] = '\0';
	cr_expect_str_eq(got, keep, "%s:%d: kept %s, not %s", file, line, got, keep);
}

#define rule(...)	((struct cpblk_retention){ __VA_ARGS__ })
#define keeps(policy, now, text)	expect(__FILE__, __LINE__, policy, now, text)

TestSuite(retention, .init = setup);

Test(retention, nothing)
{
	keeps(rule(.last = 3), MONDAY, "");
	at(MONDAY);
	keeps(rule(), MONDAY, "k");
	cr_expect_str_eq(list[0].reason, "there is no policy");
	cr_expect(retention_empty(&rule()));
	cr_expect_not(retention_empty(&rule(.max_age = 1)));
	cr_expect_not(retention_empty(&rule(.monthly = 1)));
}

Test(retention, last)
{
	int i;

	for (i = 0; i < 5; i++)
		at(MONDAY + i * S);
	keeps(rule(.last = 2), MONDAY + DAY, "...kk");
	cr_expect_str_eq(list[4].reason, "number 1 of the last 2");
	cr_expect_str_eq(list[0].reason, "no rule keeps it");
	keeps(rule(.last = 5), MONDAY + DAY, "kkkkk");
	keeps(rule(.last = UINT32_MAX), MONDAY + DAY, "kkkkk");
	keeps(rule(.last = 1), MONDAY + 1000 * DAY, "....k");
}

Test(retention, several_in_one_hour)
{
	/* Both ends of an hour, and the first moment of the next. */
	at(MONDAY);
	at(MONDAY + HOUR / 2);
	at(MONDAY + HOUR - 1);
	at(MONDAY + HOUR);
	at(MONDAY + HOUR + 1);
	keeps(rule(.hourly = 1), MONDAY + DAY, "....k");
	keeps(rule(.hourly = 2), MONDAY + DAY, "..k.k");
	keeps(rule(.hourly = 24), MONDAY + DAY, "..k.k");
	cr_expect_str_eq(list[2].reason, "newest of its hour (2 of 24)");
}

Test(retention, hours_without_any_do_not_count)
{
	at(MONDAY);
	at(MONDAY + 100 * DAY);
	at(MONDAY + 100 * DAY + 5 * HOUR);
	keeps(rule(.hourly = 2), MONDAY + 101 * DAY, ".kk");
	keeps(rule(.hourly = 3), MONDAY + 500 * DAY, "kkk");
}

Test(retention, days)
{
	at(MONDAY - 1);
	at(MONDAY);
	at(MONDAY + DAY - 1);
	at(MONDAY + DAY);
	keeps(rule(.daily = 1), MONDAY + 2 * DAY, "...k");
	keeps(rule(.daily = 2), MONDAY + 2 * DAY, "..kk");
	keeps(rule(.daily = 3), MONDAY + 2 * DAY, "k.kk");
}

Test(retention, weeks_begin_on_monday)
{
	at(MONDAY - 7 * DAY);		/* Monday */
	at(MONDAY - S);			/* Sunday, the same week */
	at(MONDAY);			/* the next one */
	at(MONDAY + 7 * DAY - S);
	at(MONDAY + 7 * DAY);
	keeps(rule(.weekly = 1), MONDAY + 8 * DAY, "....k");
	keeps(rule(.weekly = 2), MONDAY + 8 * DAY, "...kk");
	keeps(rule(.weekly = 3), MONDAY + 8 * DAY, ".k.kk");
}

Test(retention, months_and_years)
{
	at(MONDAY - 31 * DAY);		/* 1 December */
	at(MONDAY - S);			/* 31 December 23:59:59 */
	at(MONDAY);			/* 1 January */
	at(MONDAY + 30 * DAY);		/* 31 January */
	at(MONDAY + 31 * DAY);		/* 1 February */
	at(MONDAY + 59 * DAY);		/* 29 February: a leap year */
	at(MONDAY + 60 * DAY);		/* 1 March */
	at(MONDAY + 366 * DAY);		/* 1 January 2025 */
	keeps(rule(.monthly = 2), MONDAY + 400 * DAY, "......kk");
	keeps(rule(.monthly = 3), MONDAY + 400 * DAY, ".....kkk");
	keeps(rule(.monthly = 4), MONDAY + 400 * DAY, "...k.kkk");
	keeps(rule(.monthly = 12), MONDAY + 400 * DAY, ".k.k.kkk");
}

Test(retention, clocks_do_not_change_in_summer)
{
	int i;

	/* The last Sunday of March 2024, hour by hour. */
	for (i = 0; i < 24; i++)
		at(MONDAY + 90 * DAY + i * HOUR);
	keeps(rule(.hourly = 24), MONDAY + 91 * DAY, "kkkkkkkkkkkkkkkkkkkkkkkk");
	keeps(rule(.daily = 2), MONDAY + 91 * DAY, ".......................k");
}

Test(retention, rules_add_up)
{
	int i;

	/* One every 12 hours for ten days. */
	for (i = 0; i < 20; i++)
		at(MONDAY + i * DAY / 2);
	keeps(rule(.last = 1, .daily = 3), MONDAY + 10 * DAY, "...............k.k.k");
	keeps(rule(.last = 3, .daily = 3), MONDAY + 10 * DAY, "...............k.kkk");
	cr_expect_str_eq(list[19].reason,
			 "number 1 of the last 3, newest of its day (1 of 3)");
	keeps(rule(.last = 2, .weekly = 2), MONDAY + 10 * DAY, ".............k....kk");
	keeps(rule(.weekly = 5, .monthly = 5), MONDAY + 10 * DAY,
	      ".............k.....k");
}

Test(retention, maximum_age)
{
	uint64_t now = MONDAY + 10 * DAY;

	at(now - DAY - S);
	at(now - DAY);
	at(now - DAY + S);
	at(now);
	at(now + DAY);			/* the clock was wrong */
	keeps(rule(.max_age = 86400), now, "..kkk");
	cr_expect_str_eq(list[0].reason, "too old");
	cr_expect_str_eq(list[2].reason, "not too old");
	keeps(rule(.max_age = 86400, .last = 1), now, "....k");
	/* It outweighs the others. */
	keeps(rule(.max_age = 86400, .last = 5), now, "..kkk");
	keeps(rule(.max_age = UINT64_MAX, .last = 1), now, "....k");
	keeps(rule(.max_age = 1), now, "...kk");
}

Test(retention, held_and_attached)
{
	at(MONDAY)->hold = "the last good one";
	at(MONDAY + S)->hold = "";
	at(MONDAY + 2 * S)->attached = true;
	at(MONDAY + 3 * S);
	at(MONDAY + 4 * S);
	keeps(rule(.last = 1), MONDAY + DAY, "kkk.k");
	cr_expect_str_eq(list[0].reason, "held: the last good one");
	cr_expect_str_eq(list[1].reason, "held");
	cr_expect_str_eq(list[2].reason, "attached");
	/* Even beyond the maximum age. They are no substitute for others. */
	keeps(rule(.max_age = 60), MONDAY + DAY, "kkk..");
	keeps(rule(.last = 3), MONDAY + DAY, "kkkkk");
}

Test(retention, safety_checkpoints)
{
	at(MONDAY)->safety = true;
	at(MONDAY + S);
	at(MONDAY + 2 * S)->safety = true;
	at(MONDAY + 3 * S);
	at(MONDAY + 4 * S)->safety = true;
	/* They do not count among the last ones; those as new as these stay. */
	keeps(rule(.last = 1), MONDAY + DAY, "...kk");
	cr_expect_str_eq(list[4].reason, "as new as the last 1");
	keeps(rule(.last = 2), MONDAY + DAY, ".kkkk");
	keeps(rule(.last = 3), MONDAY + DAY, "kkkkk");
	/* Nor do they stand for a day that has others. */
	keeps(rule(.daily = 1), MONDAY + DAY, "...k.");
	at(MONDAY + DAY)->safety = true;
	keeps(rule(.daily = 2), MONDAY + 2 * DAY, "...k.k");
	/* What undo goes back to stays. */
	list[2].undo = true;
	keeps(rule(.daily = 1), MONDAY + 2 * DAY, "..k..k");
	cr_expect_str_eq(list[2].reason, "'undo' goes back to it");
}

Test(retention, a_long_reason_is_cut_off)
{
	char hold[CPBLK_HOLD_MAX + 1];

	memset(hold, 'x', CPBLK_HOLD_MAX);
	hold[CPBLK_HOLD_MAX] = '\0';
	at(MONDAY)->hold = hold;
	list[0].attached = true;
	list[0].undo = true;
	keeps(rule(.last = UINT32_MAX, .hourly = UINT32_MAX, .daily = UINT32_MAX,
		   .weekly = UINT32_MAX, .monthly = UINT32_MAX), MONDAY, "k");
	cr_expect_lt(strlen(list[0].reason), REASON_MAX);
}

/* A year of daily pruning keeps what the rules say, day after day. */
Test(retention, a_year)
{
	struct cpblk_retention policy = rule(.daily = 7, .weekly = 4, .monthly = 12);
	size_t i, left;
	int day;

	for (day = 0; day < 366; day++) {
		at(MONDAY + (uint64_t)day * DAY + HOUR);
		retention_decide(&policy, MONDAY + (uint64_t)day * DAY + 2 * HOUR, list, nr);
		for (i = 0, left = 0; i < nr; i++) {
			if (list[i].keep)
				list[left++].time = list[i].time;
		}
		nr = left;
		cr_expect_leq(nr, (size_t)(7 + 4 + 12));
	}
	/* 31 December is the newest of its day, week and month. */
	cr_expect_eq(list[nr - 1].time, MONDAY + 365 * DAY + HOUR);
	cr_expect_eq(list[0].time, MONDAY + 30 * DAY + HOUR);	/* 31 January */
	cr_expect_geq(nr, (size_t)(7 + 2 + 10));
}
