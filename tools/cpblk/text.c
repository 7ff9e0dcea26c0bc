// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers, times and names as text, and back.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"

#define NS 1000000000ULL

static const char units[] = "KMGTPE";

bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && !*end;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	long double value;
	double base = 1024;
	const char *unit;
	int power = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	/* strtold() takes more than anyone means by a size: 0x10, 1e3. */
	end = (char *)text + strspn(text, "0123456789.");
	if (strchr("xX", *end) && *end)
		return false;
	if (strchr("eE", *end) && *end && strpbrk(end, "0123456789"))
		return false;
	value = strtold(text, &end);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		power = (int)(unit - units) + 1;
		end++;
		if (end[0] == 'i' && end[1] == 'B') {
			end += 2;
		} else if (end[0] == 'B') {
			base = 1000;
			end++;
		}
	} else if (*end == 'B') {
		end++;
	}
	if (*end)
		return false;
	while (power--)
		value *= base;
	if (value >= 18446744073709551615.0L)
		return false;
	*bytes = (uint64_t)value;
	return true;
}

const char *show_size(uint64_t bytes, char text[TEXT_MAX])
{
	double value = (double)bytes;
	int power = -1;

	while (value >= 1023.95 && power < 5) {
		value /= 1024;
		power++;
	}
	if (power < 0)
		snprintf(text, TEXT_MAX, "%llu B", (unsigned long long)bytes);
	else if (value >= 99.95 || fabs(value - round(value)) < 0.05)
		snprintf(text, TEXT_MAX, "%.0f %ciB", value, units[power]);
	else
		snprintf(text, TEXT_MAX, "%.1f %ciB", value, units[power]);
	return text;
}

const char *show_age(uint64_t now, uint64_t then, char text[TEXT_MAX])
{
	static const struct {
		uint64_t below, unit;
		const char *one, *many;
	} steps[] = {
		{ 2, 0, "now", "now" },
		{ 60, 1, "s ago", "s ago" },
		{ 3600, 60, "min ago", "min ago" },
		{ 86400, 3600, "h ago", "h ago" },
		{ 30 * 86400, 86400, "day ago", "days ago" },
	};
	uint64_t seconds = then < now ? (now - then) / NS : 0, count;
	time_t date = (time_t)(then / NS);
	struct tm tm;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (seconds >= steps[i].below)
			continue;
		count = steps[i].unit ? seconds / steps[i].unit : 0;
		if (!count)
			snprintf(text, TEXT_MAX, "%s", steps[i].one);
		else
			snprintf(text, TEXT_MAX, "%llu %s",
				 (unsigned long long)count,
				 count == 1 ? steps[i].one : steps[i].many);
		return text;
	}
	if (!localtime_r(&date, &tm) || !strftime(text, TEXT_MAX, "%Y-%m-%d", &tm))
		text[0] = '\0';
	return text;
}

const char *show_duration(uint64_t ns, char text[TEXT_MAX])
{
	static const char *const names[] = { "ns", "us", "ms", "s" };
	double value = (double)ns;
	int unit = 0;

	while (value >= 999.5 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(text, TEXT_MAX, "%.*f %s", unit && value < 9.95 ? 1 : 0, value,
		 names[unit]);
	return text;
}

const char *show_time(uint64_t ns, char text[TEXT_MAX])
{
	time_t seconds = (time_t)(ns / NS);
	char day[TEXT_MAX / 2];
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&seconds, &tm) && strftime(day, sizeof(day), "%FT%T", &tm))
		snprintf(text, TEXT_MAX, "%s.%09lluZ", day,
			 (unsigned long long)(ns % NS));
	return text;
}

const char *show_uuid(const uint8_t uuid[CPBLK_UUID_LEN], char text[TEXT_MAX])
{
	char *to = text;
	int i;

	for (i = 0; i < CPBLK_UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		to += snprintf(to, 3, "%02x", uuid[i]);
	}
	return text;
}

const char *show_text(const char *text)
{
	static char safe[CPBLK_ERROR_MAX + 1];
	size_t i;

	for (i = 0; text[i] && i < sizeof(safe) - 1; i++)
		safe[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	safe[i] = '\0';
	return safe;
}

const char *show_note(const struct cpblk_checkpoint_info *c, char text[NOTE_MAX])
{
	int n = 0;

	text[0] = '\0';
	if (c->flags & CPBLK_POINT_HELD)
		n = snprintf(text, NOTE_MAX, "(held%s%s)%s", *c->hold ? ": " : "",
			     show_text(c->hold), *c->message ? " " : "");
	snprintf(text + n, NOTE_MAX - (size_t)n, "%s", show_text(c->message));
	return text;
}

uint64_t time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}
