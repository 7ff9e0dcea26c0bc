// SPDX-License-Identifier: GPL-2.0
/*
 * Options: one table per command, from which both the parsing and what --help
 * prints are made.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define OPTIONS_MAX 16

/* Numbers for long options, above all letters. */
#define LONG_BASE 256

static void print_option(char letter, const char *name, const char *arg,
			 const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter ? '-' : ' ',
		 letter ? letter : ' ', letter ? "," : " ", name, arg ? " " : "",
		 arg ? arg : "");
	printf("  %-26s  %s\n", left, help);
}

static void print_help(const struct command *command,
		       const struct option_row *rows, size_t nr, const char *about)
{
	size_t i;

	printf("usage: cpblk %s %s\n\ncpblk %s: %s.\n\n", command->name,
	       command->usage, command->name, command->summary);
	for (i = 0; i < nr; i++)
		print_option(rows[i].letter, rows[i].name, rows[i].arg,
			     rows[i].help);
	if (command->run != cmd_format && command->run != cmd_open &&
	    command->run != cmd_check && command->run != cmd_dump &&
	    command->run != cmd_metadata)
		print_option('s', "store", "STORE",
			     "the store, where several are open");
	print_option('h', "help", NULL, "print this");
	if (about)
		printf("\n%s\n", about);
}

static int set_option(const struct tool *tool, const struct option_row *row,
		      const char *arg)
{
	struct number *number;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)row->value = true;
		break;
	case OPTION_STRING:
		*(const char **)row->value = arg;
		break;
	case OPTION_SIZE:
		if (!parse_size(arg, row->value))
			return wrong_use(tool, "'%s' is not a size, like 512M or 10G",
					 arg);
		break;
	case OPTION_NUMBER:
		number = row->value;
		number->given = true;
		if (!parse_number(arg, &number->value))
			return wrong_use(tool, "'%s' is not a number", arg);
		break;
	}
	return DONE;
}

static int count_arguments(const struct tool *tool, int argc, char **argv, int min,
			   int max)
{
	if (argc < min)
		return wrong_use(tool, argc ? "arguments are missing" :
					      "an argument is missing");
	if (max >= 0 && argc > max)
		return wrong_use(tool, "'%s' is one argument too many", argv[max]);
	return -1;
}

int options(struct tool *tool, int *argc, char ***argv,
	    const struct option_row *rows, size_t nr, const char *about, int min,
	    int max)
{
	const struct option_row *row;
	struct option longs[OPTIONS_MAX + 3];
	char shorts[2 * OPTIONS_MAX + 8] = ":s:h", *s = shorts + strlen(shorts);
	size_t i;
	int c;

	memset(longs, 0, sizeof(longs));
	for (i = 0; i < nr && i < OPTIONS_MAX; i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].arg ? required_argument : no_argument;
		longs[i].val = LONG_BASE + (int)i;
		if (rows[i].letter) {
			*s++ = rows[i].letter;
			if (rows[i].arg)
				*s++ = ':';
		}
	}
	longs[i] = (struct option){ "store", required_argument, NULL, 's' };
	longs[i + 1] = (struct option){ "help", no_argument, NULL, 'h' };

	optind = 0;	/* forget all of an earlier call */
	while ((c = getopt_long(*argc, *argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case 's':
			tool->store = optarg;
			continue;
		case 'h':
			print_help(tool->command, rows, nr, about);
			return DONE;
		case ':':
			return wrong_use(tool, "'%s' needs an argument",
					 (*argv)[optind - 1]);
		case '?':
			if (optopt && optopt < LONG_BASE)
				return wrong_use(tool, "no option '-%c'", optopt);
			return wrong_use(tool, "no option '%s'",
					 (*argv)[optind - 1]);
		}
		row = NULL;
		for (i = 0; i < nr; i++) {
			if (c == LONG_BASE + (int)i || c == rows[i].letter)
				row = &rows[i];
		}
		if (row && set_option(tool, row, optarg))
			return WRONG_USE;
	}
	*argc -= optind;
	*argv += optind;
	return count_arguments(tool, *argc, *argv, min, max);
}
