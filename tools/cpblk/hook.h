/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The program of 'cpblk hook exec'. hook.c registers with the driver and hears
 * what it asks; hook_exec.c runs the program for it.
 */
#ifndef HOOK_H
#define HOOK_H

#include "tool.h"

/** monotonic_ms() - milliseconds of the clock that the driver's deadlines use */
uint64_t monotonic_ms(void);

/**
 * hook_run() - run a program for one step of an operation
 * @program: its name and arguments, ended by NULL
 * @event: the facts for its environment
 * @step: "prepare", "committed" or "aborted"
 * @deadline: of monotonic_ms(); it is killed then, with all in its process group
 * @reason: why it did not end well: the first line of its output, if there is one
 *
 * Return: did it end with exit code 0 in time?
 */
bool hook_run(char **program, const struct cpblk_hook_event *event, const char *step,
	      uint64_t deadline, char reason[CPBLK_REASON_MAX + 1]);

#endif /* HOOK_H */
