// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk: the command line tool. The table of commands, and what is the same
 * for all of them.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const struct command commands[] = {
	{ "Stores:", NULL, NULL, NULL },
	{ "format", cmd_format, "write a new store onto two devices or files",
	  "[OPTION...] STORE METADATA DATA" },
	{ "open", cmd_open, "bring up a store and the disks of its volumes",
	  "[--read-only] METADATA DATA" },
	{ "close", cmd_close, "write everything back and take a store down",
	  "[STORE]" },
	{ "status", cmd_status, "show how full stores are and what uses their disks",
	  "[--json] [STORE]" },
	{ "df", cmd_df, "show what is used, free and waiting to be free",
	  "[--json] [STORE]" },
	{ "grow", cmd_grow, "use all of devices that have become larger",
	  "[--json] [STORE]" },
	{ "set", cmd_set, "show or set the options of a store", "[--json] [NAME=VALUE...]" },
	{ "sync", cmd_sync, "write everything back now", "[--reclaim] [STORE]" },
	{ "check", cmd_check, "look for damage in a store that is not open, repair it",
	  "[--repair] [OPTION...] METADATA DATA" },
	{ "dump", cmd_dump, "show what is on the devices of a store that is not open",
	  "[--json] METADATA DATA [WHAT]" },
	{ "metadata", cmd_metadata, "save all metadata of a store to a file, or load it",
	  "[--force] save METADATA DATA FILE | load FILE METADATA [DATA]" },
	{ "events", cmd_events, "show what happens, as it happens", "[--json]" },
	{ "hook", cmd_hook, "stop a guest for restores, or run a program",
	  "qemu --qmp SOCKET VOLUME...|@GROUP, or exec VOLUME|@GROUP -- PROGRAM..." },
	{ "Volumes:", NULL, NULL, NULL },
	{ "create", cmd_create, "make an empty volume of any size",
	  "[OPTION...] VOLUME SIZE" },
	{ "remove", cmd_remove, "remove volumes and their checkpoints",
	  "[--keep-checkpoints] VOLUME..." },
	{ "resize", cmd_resize, "make a volume larger or smaller, in use or not",
	  "[--shrink] VOLUME [+]SIZE" },
	{ "ls", cmd_ls, "list volumes, or the checkpoints of volumes",
	  "[--json] [VOLUME...]" },
	{ "group", cmd_group, "show or set which volumes belong together",
	  "[--json] [@GROUP [VOLUME...]] | --clear VOLUME..." },
	{ "Checkpoints:", NULL, NULL, NULL },
	{ "snap", cmd_snap, "take a checkpoint of volumes, all at one instant",
	  "[OPTION...] VOLUME[@NAME]... | @GROUP[@NAME]" },
	{ "log", cmd_log, "draw the history", "[--json] [VOLUME]" },
	{ "restore", cmd_restore, "give a volume the content of a checkpoint",
	  "[OPTION...] VOLUME@NAME | VOLUME CHECKPOINT | @GROUP@NAME" },
	{ "undo", cmd_undo, "go back to before the last restore",
	  "[OPTION...] VOLUME | @GROUP" },
	{ "fork", cmd_fork, "make new volumes from a checkpoint",
	  "[OPTION...] CHECKPOINT VOLUME..." },
	{ "rm", cmd_rm, "delete checkpoints, or sets and ranges of them",
	  "[OPTION...] CHECKPOINT | VOLUME@FIRST..LAST | VOLUME ..." },
	{ "hold", cmd_hold, "keep checkpoints from being deleted",
	  "[-m TEXT] CHECKPOINT..." },
	{ "release", cmd_release, "let them be deleted again", "CHECKPOINT..." },
	{ "policy", cmd_policy, "show or set which checkpoints 'prune' keeps",
	  "[OPTION...] VOLUME" },
	{ "prune", cmd_prune, "delete checkpoints that no policy keeps",
	  "[--dry-run] [--json] [VOLUME...]" },
	{ "attach", cmd_attach, "make a read-only disk of a checkpoint",
	  "CHECKPOINT..." },
	{ "detach", cmd_detach, "remove that disk", "CHECKPOINT..." },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char about[] =
	"VOLUME@NAME is a checkpoint, VOLUME@HEAD the one that a volume follows now,\n"
	"VOLUME@HEAD~2 the second one before that, VOLUME the live disk. @GROUP the\n"
	"volumes that belong to it.\n"
	"'cpblk COMMAND --help' says more, and so does cpblk(8).\n"
	"Exit codes: 0 done, 1 refused or failed, 2 wrong usage.";

static void print_help(FILE *to)
{
	const struct command *command;

	fprintf(to, "usage: cpblk [-s STORE] COMMAND [ARGUMENT...]\n");
	for (command = commands; command < commands + NR_COMMANDS; command++) {
		if (command->run)
			fprintf(to, "  %-8s  %s\n", command->name,
				command->summary);
		else
			fprintf(to, "\n%s\n", command->name);
	}
	fprintf(to, "\n%s\n", about);
}

int refuse(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("cpblk: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return FAILED;
}

int wrong_use(const struct tool *tool, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "cpblk %s: ", tool->command->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nusage: cpblk %s %s\n", tool->command->name,
		tool->command->usage);
	return WRONG_USE;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++) {
		if (commands[i].run && !strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct tool tool = { 0 };
	int at = 1, rc;

	while (at < argc && argv[at][0] == '-') {
		if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
			print_help(stdout);
			return DONE;
		}
		if ((strcmp(argv[at], "-s") && strcmp(argv[at], "--store")) ||
		    at + 1 == argc)
			break;
		tool.store = argv[at + 1];
		at += 2;
	}
	if (at == argc) {
		print_help(stderr);
		return WRONG_USE;
	}
	tool.command = find_command(argv[at]);
	if (!tool.command) {
		fprintf(stderr, "cpblk: there is no %s '%s'; 'cpblk --help' lists all\n",
			argv[at][0] == '-' ? "option" : "command", argv[at]);
		return WRONG_USE;
	}
	rc = tool.command->run(&tool, argc - at, argv + at);
	cpblk_disconnect(tool.link);
	if ((fflush(stdout) || ferror(stdout)) && rc == DONE)
		rc = refuse("cannot write to the standard output");
	return rc;
}
