/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the commands of cpblk share. A command is one file with one function,
 * and a row in the table of main.c; it says its options, asks libcpblk, and
 * prints. What goes wrong goes to stderr as a sentence.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "cpblk.h"

/* Exit codes of commands. */
enum {
	DONE = 0,	/* all was done */
	FAILED = 1,	/* refused or failed; a sentence says why */
	WRONG_USE = 2,	/* the command line makes no sense */
};

struct tool;

/**
 * struct command - a row of the table of commands
 * @name: what the user types; a row without a function is a heading
 * @run: does it; its arguments begin with the name
 * @summary: what it does, in half a line
 * @usage: the arguments it takes
 */
struct command {
	const char *name;
	int (*run)(struct tool *tool, int argc, char **argv);
	const char *summary;
	const char *usage;
};

/**
 * struct tool - one run of the program
 * @command: the one that runs
 * @store: as given with -s, or NULL
 * @json: with --json
 * @link: to the driver, from tool_connect() on
 */
struct tool {
	const struct command *command;
	const char *store;
	bool json;
	struct cpblk *link;
};

int cmd_format(struct tool *tool, int argc, char **argv);
int cmd_open(struct tool *tool, int argc, char **argv);
int cmd_close(struct tool *tool, int argc, char **argv);
int cmd_check(struct tool *tool, int argc, char **argv);
int cmd_dump(struct tool *tool, int argc, char **argv);
int cmd_metadata(struct tool *tool, int argc, char **argv);
int cmd_sync(struct tool *tool, int argc, char **argv);
int cmd_create(struct tool *tool, int argc, char **argv);
int cmd_remove(struct tool *tool, int argc, char **argv);
int cmd_resize(struct tool *tool, int argc, char **argv);
int cmd_ls(struct tool *tool, int argc, char **argv);
int cmd_snap(struct tool *tool, int argc, char **argv);
int cmd_log(struct tool *tool, int argc, char **argv);
int cmd_restore(struct tool *tool, int argc, char **argv);
int cmd_undo(struct tool *tool, int argc, char **argv);
int cmd_fork(struct tool *tool, int argc, char **argv);
int cmd_rm(struct tool *tool, int argc, char **argv);
int cmd_policy(struct tool *tool, int argc, char **argv);
int cmd_prune(struct tool *tool, int argc, char **argv);
int cmd_hold(struct tool *tool, int argc, char **argv);
int cmd_release(struct tool *tool, int argc, char **argv);
int cmd_attach(struct tool *tool, int argc, char **argv);
int cmd_detach(struct tool *tool, int argc, char **argv);
int cmd_set(struct tool *tool, int argc, char **argv);
int cmd_status(struct tool *tool, int argc, char **argv);
int cmd_df(struct tool *tool, int argc, char **argv);
int cmd_grow(struct tool *tool, int argc, char **argv);
int cmd_events(struct tool *tool, int argc, char **argv);
int cmd_hook(struct tool *tool, int argc, char **argv);
int cmd_group(struct tool *tool, int argc, char **argv);

/* ---- Saying what went wrong ---- */

/** refuse() - print a sentence to stderr; returns FAILED */
int refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** wrong_use() - the same with the command's usage behind it; returns WRONG_USE */
int wrong_use(const struct tool *tool, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- Options ---- */

enum option_type {
	OPTION_FLAG,	/* bool */
	OPTION_STRING,	/* const char * */
	OPTION_SIZE,	/* uint64_t, bytes */
	OPTION_NUMBER,	/* struct number */
};

/** struct number - a number that may have been given */
struct number {
	uint64_t value;
	bool given;
};

/**
 * struct option_row - an option of a command
 * @letter: short name, or 0
 * @name: long name
 * @arg: what its argument is called in --help, or NULL if it takes none
 * @help: what it does
 * @type: what @value points to
 * @value: where it goes
 */
struct option_row {
	char letter;
	const char *name;
	const char *arg;
	const char *help;
	enum option_type type;
	void *value;
};

/* Rows that many commands have. */
#define OPTION_JSON(tool) \
	{ 0, "json", NULL, "print JSON", OPTION_FLAG, &(tool)->json }

/**
 * options() - take the options out of a command's arguments
 * @rows: the command's own; -s and --help come by themselves
 * @nr: how many
 * @about: what --help says below the options, or NULL
 * @min, @max: how many arguments must be left; @max < 0: any number
 *
 * On return *@argc and *@argv are what is left.
 *
 * Return: -1: go on; else the exit code of the command, which has ended.
 */
int options(struct tool *tool, int *argc, char ***argv,
	    const struct option_row *rows, size_t nr, const char *about, int min,
	    int max);

#define OPTIONS(tool, argc, argv, rows, about, min, max)		\
	options(tool, argc, argv, rows, sizeof(rows) / sizeof((rows)[0]),	\
		about, min, max)

/* ---- The driver ---- */

/** tool_connect() - link to the driver; DONE or FAILED */
int tool_connect(struct tool *tool);

/**
 * tool_store() - connect, and find out which store is meant
 * @info: gets it; the one that -s names, or the only one there is
 */
int tool_store(struct tool *tool, struct cpblk_store_info *info);

/** tool_stores() - connect, and list the store that -s names, or all */
int tool_stores(struct tool *tool, struct cpblk_store_info **stores, size_t *nr);

/* ---- Naming things (object.c) ---- */

#define OBJECT_MAX (2 * CPBLK_NAME_MAX + 32)

/**
 * struct object - what an argument names
 * @volume: VOLUME, or empty for :NUMBER
 * @name: of VOLUME@NAME, or empty for the live disk; "HEAD" for what it follows
 * @back: of ~BACK: so many checkpoints before that
 * @id: of :NUMBER, or 0
 */
struct object {
	char volume[CPBLK_NAME_MAX + 1];
	char name[CPBLK_NAME_MAX + 1];
	unsigned int back;
	uint64_t id;
};

/** name_is_valid() - could this be the name of a store, volume, checkpoint? */
bool name_is_valid(const char *name);

/** bad_name() - say that it can't be the name of a @what; returns WRONG_USE */
int bad_name(const struct tool *tool, const char *what, const char *name);

/** parse_object() - take an argument apart; DONE, or WRONG_USE with a sentence */
int parse_object(const struct tool *tool, const char *text, struct object *o);

/** parse_volume() - the same for an argument that must be a plain volume */
int parse_volume(const struct tool *tool, const char *text);

/** find_volume() - get a volume, or say that there is none */
int find_volume(struct tool *tool, const char *store, const char *name,
		struct cpblk_volume_info *info);

/* ---- Groups of volumes (group.c) ---- */

/** is_group() - does an argument begin with @? */
bool is_group(const char *text);

/** parse_group() - take @GROUP or @GROUP@NAME apart: @o->volume and @o->name */
int parse_group(const struct tool *tool, const char *text, struct object *o);

/** find_group() - the volumes of a group, at least one */
int find_group(struct tool *tool, const char *store, const char *group,
	       struct cpblk_volume_info **list, size_t *nr);

/**
 * restore_group() - restore all volumes of a group, and say what that did
 * @name: of the checkpoint of each; NULL: undo the last restore of each
 * @flags: enum cpblk_restore_flags
 */
int restore_group(struct tool *tool, const char *store, const char *group,
		  const char *name, unsigned int flags);

/**
 * find_checkpoint() - get the checkpoint that an argument names
 * @text: VOLUME@NAME, VOLUME@HEAD, either with ~N, or :NUMBER
 */
int find_checkpoint(struct tool *tool, const char *store, const char *text,
		    struct cpblk_checkpoint_info *info);

/** find_unique() - ask for the unique size of a checkpoint or head, if it is not known */
void find_unique(struct tool *tool, const char *store, uint64_t id, uint64_t *bytes);

/** checkpoint_label() - how a checkpoint is written: VOLUME@NAME or :NUMBER */
const char *checkpoint_label(const struct cpblk_checkpoint_info *c,
			     char label[OBJECT_MAX]);

/* ---- Retention (prune.c) ---- */

/**
 * prune_volume() - apply the policy of a volume
 * @dry_run: only say what it would do
 * @explain: say of those that are kept why, too
 * @json: NULL, or a list that gets what is to be said
 */
int prune_volume(struct tool *tool, const struct cpblk_volume_info *v, bool dry_run,
		 bool explain, struct json_object *json);

/* ---- A bar on the terminal (bar.c) ---- */

/** bar_wanted() - is there a terminal? */
bool bar_wanted(void);

/** bar_show() - draw it, a few times a second; @note: what to say behind it */
void bar_show(const char *doing, uint64_t part, uint64_t whole, const char *note);

/** bar_end() - wipe it off, if there is one */
void bar_end(void);

/* ---- Numbers as text (text.c) ---- */

#define TEXT_MAX 40

/** parse_size() - "10G", "512M", "1TiB", "1.5g", "4096" in bytes */
bool parse_size(const char *text, uint64_t *bytes);

/** parse_number() - a whole number */
bool parse_number(const char *text, uint64_t *number);

/** show_size() - "10 GiB", "1.5 MiB", "512 B" */
const char *show_size(uint64_t bytes, char text[TEXT_MAX]);

/** show_age() - "now", "5 min ago", "3 days ago", the date if it is long ago */
const char *show_age(uint64_t now, uint64_t then, char text[TEXT_MAX]);

/** show_duration() - "850 ns", "24 us", "1.3 ms", "2.1 s" */
const char *show_duration(uint64_t ns, char text[TEXT_MAX]);

/** show_time() - ISO 8601 in UTC, with nanoseconds */
const char *show_time(uint64_t ns, char text[TEXT_MAX]);

/** show_uuid() - the usual 36 characters */
const char *show_uuid(const uint8_t uuid[CPBLK_UUID_LEN], char text[TEXT_MAX]);

/** show_text() - a text that others gave, safe for a terminal; static memory */
const char *show_text(const char *text);

/** show_note() - what there is to say of a checkpoint: that it is held, its message */
#define NOTE_MAX (CPBLK_HOLD_MAX + CPBLK_MESSAGE_MAX + 32)
const char *show_note(const struct cpblk_checkpoint_info *c, char text[NOTE_MAX]);

/** time_now() - nanoseconds since 1970 */
uint64_t time_now(void);

/* ---- Tables (table.c) ---- */

#define TABLE_COLUMNS 10

/**
 * struct table - rows that are printed in columns
 * @columns: how many
 * @right: bit I: column I is flush right
 * @widest: no column but the last is made wider than this by one long cell,
 *	0: as wide as its widest cell
 * @cells: row by row, each malloc'ed
 * @nr: cells
 * @room: cells that there is memory for
 * @failed: out of memory
 */
struct table {
	unsigned int columns;
	unsigned int right;
	unsigned int widest;
	char **cells;
	size_t nr, room;
	bool failed;
};

/** table_cell() - the next cell */
void table_cell(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** table_end() - print the table and free it */
int table_end(struct table *t);

/* ---- JSON (json.c) ---- */

struct json_object *json_store(const struct cpblk_store_info *s);
struct json_object *json_volume(const struct cpblk_volume_info *v);
struct json_object *json_checkpoint(const struct cpblk_checkpoint_info *c);
struct json_object *json_policy(const struct cpblk_retention *p);
struct json_object *json_new_volume(const struct cpblk_new_volume *v);

/** json_put() - add a string or a number */
void json_put_string(struct json_object *o, const char *key, const char *value);
void json_put_number(struct json_object *o, const char *key, uint64_t value);

/** json_put_safety() - add the safety checkpoint of a restore, null if @id is 0 */
void json_put_safety(struct json_object *o, const char *name, uint64_t id);

/** json_print() - print a value and let go of it; DONE or FAILED */
int json_print(struct json_object *o, bool one_line);

/* ---- Devices (device.c, loop.c, probe.c) ---- */

#define USE_MAX 256

/**
 * device_use() - what this host does with a block device or its partitions
 * @device: its name in /sys/block
 * @text: gets "mounted on /mnt", "in use as swap" or "used by dm-0", or ""
 *
 * Return: true if there is anything.
 */
bool device_use(const char *device, char text[USE_MAX]);

/** device_name() - the name in /sys/block of the device a number stands for */
bool device_name(dev_t dev, char name[CPBLK_DEVICE_MAX + 1]);

/** device_settle() - wait for udev: until it is done, or until a path is there */
void device_settle(const char *path);

/**
 * device_link() - the path of a device, when udev has made it
 * @name: VOLUME, or VOLUME@CHECKPOINT
 * @device: name of the block device
 *
 * Waits until udev has done what it does. Static memory.
 */
const char *device_link(const char *store, const char *name, const char *device);

/**
 * struct loop - a device or file of a store, opened
 * @path: of the block device
 * @fd: descriptor of the loop device that was set up, or -1
 */
struct loop {
	char path[CPBLK_PATH_MAX + 1];
	int fd;
};

/**
 * loop_open() - the block device for a path: itself, or a loop device for a file
 *
 * The loop device goes away when @fd and all other users are closed.
 */
int loop_open(const char *path, bool readonly, struct loop *loop);

/** loop_of_file() - is a file behind a loop device? Its name, if so */
bool loop_of_file(int fd, char name[CPBLK_DEVICE_MAX + 1]);

/** loop_file() - the file behind the loop device /dev/loopN, or false */
bool loop_file(const char *path, char file[CPBLK_PATH_MAX + 1]);

/** loop_resize() - a loop device gets the size of its file; of others nothing happens */
int loop_resize(const char *path);

/** loop_wait() - until the loop device with this path is free, for a moment */
void loop_wait(const char *path);

/**
 * probe_device() - what a device or file holds, in words
 *
 * Return: 1 if something, 0 if nothing, or -errno.
 */
int probe_device(int fd, char text[USE_MAX]);

/** probe_wipe() - remove all signatures that a probe would find; 0 or -errno */
int probe_wipe(int fd);

/* ---- The history as a picture (history.c) ---- */

/**
 * struct history - what is to be drawn
 * @volumes: heads
 * @checkpoints: hidden ones as well
 * @only: number of the volume whose lines are drawn, or 0 for all
 * @now: what ages are counted from
 */
struct history {
	const struct cpblk_volume_info *volumes;
	size_t nr_volumes;
	const struct cpblk_checkpoint_info *checkpoints;
	size_t nr_checkpoints;
	uint64_t only;
	uint64_t now;
};

/** history_draw() - print it; DONE or FAILED */
int history_draw(const struct history *h);

#endif /* TOOL_H */
