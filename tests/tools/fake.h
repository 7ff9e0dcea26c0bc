/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A libcpblk without a driver: a few stores, volumes and checkpoints in memory,
 * and the program's main() with what it printed. Enough of the driver's ways to
 * see what the tool asks for and how it shows what it gets.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpblk.h"

#define MINUTE	60000000000ULL

/** tool_main() - the program's main(), renamed when it is compiled for the tests */
int tool_main(int argc, char **argv);

/** fake_reset() - one store "tank", no volumes; times count from now on */
void fake_reset(void);

/** fake_end() - free what the last run() printed */
void fake_end(void);

/** fake_store() - another open store */
void fake_store(const char *name);

/** fake_reclaiming() - so much is to be reclaimed, one of it less each time */
void fake_reclaiming(uint64_t points);

/** fake_no_driver() - as if the module were not loaded */
void fake_no_driver(void);

/** fake_volume() - a volume without checkpoints; its number */
uint64_t fake_volume(const char *store, const char *name, uint64_t size);

/** fake_snap() - a checkpoint so many minutes ago; its number */
uint64_t fake_snap(const char *volume, const char *name, unsigned int minutes,
		   uint64_t written, const char *message);

/** fake_restore() - restore it with a safety checkpoint; that one's number */
uint64_t fake_restore(const char *volume, uint64_t id, unsigned int minutes);

/** fake_fork() - a volume from a checkpoint */
uint64_t fake_fork(uint64_t id, const char *name);

/** fake_hide() - delete a checkpoint that has several children */
void fake_hide(uint64_t id);

/** fake_refuse() - the next request that changes something is refused */
void fake_refuse(int code, const char *text);

struct cpblk_checkpoint_info *fake_checkpoint(uint64_t id);
struct cpblk_volume_info *fake_volume_named(const char *name);

/**
 * fake_hook_event() - what an agent for vm1 is told next
 *
 * After the last one it is interrupted, once in a process.
 */
void fake_hook_event(int type, unsigned int operation);

/** fake_answers - of an agent: "ready" or "refuse: " with the reason, each a line */
extern char fake_answers[512];

/** fake_note() - a line between these, from any thread */
void fake_note(const char *what, const char *more);

/** fake_asked - what the last request that changes something asked for */
extern char fake_asked[512];

/**
 * run() - run the tool: run("log", "vm1", NULL)
 *
 * Return: its exit code; out and err are what it printed.
 */
int run(const char *command, ...) __attribute__((sentinel));
extern char *out, *err;

#endif /* FAKE_H */
