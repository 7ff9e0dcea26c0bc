// SPDX-License-Identifier: GPL-2.0
/*
 * Tables on a terminal: columns as wide as what is in them, two spaces apart.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

void table_cell(struct table *t, const char *fmt, ...)
{
	char **cells, *cell = NULL;
	va_list args;

	if (t->nr == t->room) {
		cells = reallocarray(t->cells, t->room ? 2 * t->room : 64,
				     sizeof(*cells));
		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->room = t->room ? 2 * t->room : 64;
	}
	va_start(args, fmt);
	if (vasprintf(&cell, fmt, args) < 0) {
		cell = NULL;
		t->failed = true;
	}
	va_end(args);
	t->cells[t->nr++] = cell;
}

/* Columns on a terminal: bytes of UTF-8 that begin a character. */
static size_t width(const char *cell)
{
	size_t n = 0;

	for (; *cell; cell++)
		n += (*cell & 0xc0) != 0x80;
	return n;
}

static void measure(const struct table *t, size_t widths[TABLE_COLUMNS])
{
	size_t i, w;

	memset(widths, 0, TABLE_COLUMNS * sizeof(*widths));
	for (i = 0; i < t->nr; i++) {
		w = width(t->cells[i]);
		if (t->widest && w > t->widest)
			continue;
		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
}

static void print_row(const struct table *t, char **cells,
		      const size_t widths[TABLE_COLUMNS])
{
	unsigned int i, last = 0;
	size_t w, spaces = 0;

	for (i = 0; i < t->columns; i++) {
		if (*cells[i])
			last = i;
	}
	for (i = 0; i <= last; i++) {
		w = width(cells[i]);
		w = w < widths[i] ? widths[i] - w : 0;
		if (t->right & (1U << i)) {
			spaces += w;
			w = 0;
		}
		printf("%*s%s", (int)spaces, "", cells[i]);
		spaces = w + 2;
	}
	putchar('\n');
}

int table_end(struct table *t)
{
	size_t widths[TABLE_COLUMNS], i;
	bool failed = t->failed;

	if (!failed) {
		measure(t, widths);
		for (i = 0; i + t->columns <= t->nr; i += t->columns)
			print_row(t, t->cells + i, widths);
	}
	for (i = 0; i < t->nr; i++)
		free(t->cells[i]);
	free(t->cells);
	memset(t, 0, sizeof(*t));
	return failed ? refuse("out of memory") : DONE;
}
