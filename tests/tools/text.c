// SPDX-License-Identifier: GPL-2.0
/* Sizes, ages, durations and tables as text. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define GIB (1ULL << 30)

Test(text, parse_size)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "512", 512 }, { "512B", 512 },
		{ "4k", 4096 }, { "4K", 4096 }, { "4KiB", 4096 }, { "4KB", 4000 },
		{ "10G", 10 * GIB }, { "1.5G", 3 * GIB / 2 }, { "1TiB", 1024 * GIB },
		{ "1TB", 1000000000000ULL }, { "64T", 65536 * GIB },
		{ "8P", 8192ULL * 1024 * GIB }, { "1E", 1ULL << 60 },
		{ "18446744073709551614", 18446744073709551614ULL },
	};
	static const char *const bad[] = {
		"", "G", "-1", "+1G", "1X", "1GG", "1Gi", "1GiBB", "0x10", "1e3",
		"1.2.3", " 1", "1 G", "16E", "99999999999999999999", "1.5.G", "nan",
	};
	uint64_t bytes;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect(parse_size(good[i].text, &bytes), "%s", good[i].text);
		cr_expect_eq(bytes, good[i].bytes, "%s", good[i].text);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(parse_size(bad[i], &bytes), "%s", bad[i]);
}

Test(text, parse_number)
{
	uint64_t number;

	cr_expect(parse_number("18446744073709551615", &number));
	cr_expect_eq(number, UINT64_MAX);
	cr_expect_not(parse_number("18446744073709551616", &number));
	cr_expect_not(parse_number("", &number));
	cr_expect_not(parse_number("-1", &number));
	cr_expect_not(parse_number("1x", &number));
}

Test(text, show_size)
{
	char text[TEXT_MAX];

	cr_expect_str_eq(show_size(0, text), "0 B");
	cr_expect_str_eq(show_size(1023, text), "1023 B");
	cr_expect_str_eq(show_size(1024, text), "1 KiB");
	cr_expect_str_eq(show_size(1536, text), "1.5 KiB");
	cr_expect_str_eq(show_size(10 * GIB, text), "10 GiB");
	cr_expect_str_eq(show_size(GIB - 1, text), "1 GiB");
	cr_expect_str_eq(show_size(123 * GIB + GIB / 2, text), "124 GiB");
	cr_expect_str_eq(show_size(65536 * GIB, text), "64 TiB");
	cr_expect_str_eq(show_size(UINT64_MAX, text), "16 EiB");
}

Test(text, sizes_read_back)
{
	char text[TEXT_MAX];
	uint64_t size, read;
	int shift;

	/* What is shown without a fraction is what was meant. */
	for (shift = 0; shift < 63; shift++) {
		size = 1ULL << shift;
		show_size(size, text);
		memmove(strchr(text, ' '), strchr(text, ' ') + 1,
			strlen(strchr(text, ' ')));
		cr_expect(parse_size(text, &read), "%s", text);
		cr_expect_eq(read, size, "%s", text);
	}
}

Test(text, show_age)
{
	uint64_t now = 1790000000000000000ULL, second = 1000000000ULL;
	char text[TEXT_MAX];

	cr_expect_str_eq(show_age(now, now, text), "now");
	cr_expect_str_eq(show_age(now, now + 5 * second, text), "now");
	cr_expect_str_eq(show_age(now, now - 2 * second, text), "2 s ago");
	cr_expect_str_eq(show_age(now, now - 90 * second, text), "1 min ago");
	cr_expect_str_eq(show_age(now, now - 7200 * second, text), "2 h ago");
	cr_expect_str_eq(show_age(now, now - 86400 * second, text), "1 day ago");
	cr_expect_str_eq(show_age(now, now - 86400 * 3 * second, text), "3 days ago");
	setenv("TZ", "UTC", 1);
	cr_expect_str_eq(show_age(now, 0, text), "1970-01-01");
}

Test(text, show_duration)
{
	char text[TEXT_MAX];

	cr_expect_str_eq(show_duration(0, text), "0 ns");
	cr_expect_str_eq(show_duration(999, text), "999 ns");
	cr_expect_str_eq(show_duration(1300000, text), "1.3 ms");
	cr_expect_str_eq(show_duration(999600, text), "1.0 ms");
	cr_expect_str_eq(show_duration(24000, text), "24 us");
	cr_expect_str_eq(show_duration(61000000000ULL, text), "61 s");
}

Test(text, show_others)
{
	uint8_t uuid[CPBLK_UUID_LEN] = { 0x12, 0x34, [6] = 0x4f, [15] = 0xff };
	char text[TEXT_MAX];

	cr_expect_str_eq(show_uuid(uuid, text),
			 "12340000-0000-4f00-0000-0000000000ff");
	cr_expect_str_eq(show_time(1795438294536786474ULL, text),
			 "2026-11-23T12:51:34.536786474Z");
	cr_expect_str_eq(show_text("a\033[2Jb\nc\x7f"), "a?[2Jb?c?");
	cr_expect_str_eq(show_text("\xc3\xa4"), "\xc3\xa4");
}

Test(text, names)
{
	char longest[CPBLK_NAME_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	longest[CPBLK_NAME_MAX] = '\0';
	cr_expect(name_is_valid(longest));
	longest[CPBLK_NAME_MAX] = 'a';
	longest[CPBLK_NAME_MAX + 1] = '\0';
	cr_expect_not(name_is_valid(longest));
	cr_expect(name_is_valid("a"));
	cr_expect(name_is_valid("_9.-X"));
	cr_expect_not(name_is_valid(""));
	cr_expect_not(name_is_valid("HEAD"));
	cr_expect_not(name_is_valid(".a"));
	cr_expect_not(name_is_valid("-a"));
	cr_expect_not(name_is_valid("a b"));
	cr_expect_not(name_is_valid("a@b"));
	cr_expect_not(name_is_valid("a/b"));
}
