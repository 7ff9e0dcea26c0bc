// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk policy: shows and sets which checkpoints of a volume 'prune' keeps.
 */
#include <stdlib.h>
#include <string.h>

#include "retention.h"
#include "tool.h"

static const char about[] =
	"Without an option but --json the policy is shown. A rule that is not named stays as\n"
	"it is, 0 takes it away. The policy is kept in the store; 'prune' and\n"
	"'snap --prune' apply it. TIME is a number with s, min, h, d, w or y behind it.";

/* "90min", "12h", "30d" in seconds. */
static bool parse_age(const char *text, uint64_t *seconds)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {
		{ "", 1 }, { "s", 1 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 },
		{ "w", 7 * 86400 }, { "y", 365 * 86400 },
	};
	size_t digits = strspn(text, "0123456789"), i;
	char number[24];

	if (digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].name))
			continue;
		return parse_number(number, seconds) &&
		       !__builtin_mul_overflow(*seconds, units[i].seconds, seconds);
	}
	return false;
}

static const char *show_period(uint64_t seconds, char text[TEXT_MAX])
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {
		{ 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" },
	};
	size_t i = 0;

	while (seconds % units[i].seconds)
		i++;
	snprintf(text, TEXT_MAX, "%llu%s",
		 (unsigned long long)(seconds / units[i].seconds), units[i].name);
	return text;
}

static int show(struct tool *tool, const char *volume,
		const struct cpblk_retention *p)
{
	const struct {
		const char *name;
		uint32_t value;
	} rules[] = {
		{ "keep-last", p->last }, { "hourly", p->hourly },
		{ "daily", p->daily }, { "weekly", p->weekly },
		{ "monthly", p->monthly },
	};
	char age[TEXT_MAX];
	size_t i;

	if (tool->json)
		return json_print(json_policy(p), false);
	printf("%s:", volume);
	if (retention_empty(p))
		printf(" no policy");
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].value)
			printf(" --%s %u", rules[i].name, rules[i].value);
	}
	if (p->max_age)
		printf(" --max-age %s", show_period(p->max_age, age));
	printf("\n");
	return DONE;
}

/* A rule that was given; false: the number is too large. */
static bool set_rule(const struct number *n, uint32_t *rule)
{
	if (n->given)
		*rule = (uint32_t)n->value;
	return !n->given || n->value <= UINT32_MAX;
}

int cmd_policy(struct tool *tool, int argc, char **argv)
{
	struct number last = { 0 }, hourly = { 0 }, daily = { 0 }, weekly = { 0 };
	struct number monthly = { 0 };
	struct cpblk_volume_info volume;
	struct cpblk_store_info store;
	struct cpblk_retention policy;
	const char *age = NULL;
	struct cpblk_error err;
	bool clear = false;
	const struct option_row rows[] = {
		{ 0, "keep-last", "N", "the newest N", OPTION_NUMBER, &last },
		{ 0, "hourly", "N", "one of each of N hours", OPTION_NUMBER, &hourly },
		{ 0, "daily", "N", "one of each of N days", OPTION_NUMBER, &daily },
		{ 0, "weekly", "N", "one of each of N weeks", OPTION_NUMBER, &weekly },
		{ 0, "monthly", "N", "one of each of N months", OPTION_NUMBER, &monthly },
		{ 0, "max-age", "TIME", "none that is older", OPTION_STRING, &age },
		{ 0, "clear", NULL, "take away all rules that are not named",
		  OPTION_FLAG, &clear },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, 1);

	if (rc >= 0)
		return rc;
	rc = parse_volume(tool, argv[0]);
	if (rc)
		return rc;
	if (tool_store(tool, &store) || find_volume(tool, store.name, argv[0], &volume))
		return FAILED;
	if (!last.given && !hourly.given && !daily.given && !weekly.given &&
	    !monthly.given && !age && !clear)
		return show(tool, argv[0], &volume.policy);
	policy = volume.policy;
	if (clear)
		memset(&policy, 0, sizeof(policy));
	if (!set_rule(&last, &policy.last) || !set_rule(&hourly, &policy.hourly) ||
	    !set_rule(&daily, &policy.daily) || !set_rule(&weekly, &policy.weekly) ||
	    !set_rule(&monthly, &policy.monthly))
		return wrong_use(tool, "a number is too large: at most %u", UINT32_MAX);
	if (age && !parse_age(age, &policy.max_age))
		return wrong_use(tool, "'%s' is not a time, like 12h or 30d", age);
	if (cpblk_policy_set(tool->link, store.name, argv[0], &policy, &err))
		return refuse("cannot set the policy of %s: %s", argv[0], err.text);
	return show(tool, argv[0], &policy);
}
