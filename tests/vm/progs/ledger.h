/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ledger: work on the volumes of a store, and a record of what was
 * acknowledged, kept outside of it. After a power cut it says whether the store
 * has all of that, and nothing else.
 *
 * Each worker has a volume of its own and does one step after the other: writes
 * of any alignment, discards, zeroes, FLUSHes, writes with FUA, checkpoints,
 * restores, deletes, forks. So what the volume, its checkpoints and its forks
 * hold after j steps is known, and each sector says which step wrote it.
 *
 * Right is a store of which every worker's part is as after some j steps: not
 * fewer than those up to the last one that was acknowledged as durable; with
 * chunks of step j + 1, if that is a write that nobody has acknowledged. And one
 * cut goes through all workers: if a step is there, so is every step of any
 * worker that was complete before that one began.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>

#include "prog.h"

struct ledger;

/**
 * struct ledger_setup - what to work with
 * @store: its name
 * @meta: metadata device
 * @data: data device
 * @workers: how many volumes, each with a thread
 * @seed: of all that is random
 * @on_durable: NULL, or called each time a step was acknowledged as durable;
 *	what it returns is kept with the step: see ledger_verify()
 */
struct ledger_setup {
	const char *store, *meta, *data;
	unsigned int workers;
	uint64_t seed;
	uint32_t (*on_durable)(void);
};

/* Makes the volumes; the store is open. */
struct ledger *ledger_new(const struct ledger_setup *setup);

/*
 * Starts the workers: each does @steps steps, or goes on until ledger_cut() if
 * @steps is 0. ledger_join() waits for their end. A step that fails before
 * ledger_cut() ends the program.
 */
void ledger_start(struct ledger *l, unsigned int steps);
void ledger_cut(struct ledger *l);
void ledger_join(struct ledger *l);

/*
 * From now on a step may fail, which ends its worker. ledger_failed(): have all
 * of them?
 */
void ledger_may_fail(struct ledger *l);
bool ledger_failed(struct ledger *l);

/*
 * Compares the open store with the ledger. What must be there is what was acknowledged as durable; with @seen, only those steps for
 * whose number from on_durable() it answers true. @all: look at the content of
 * all checkpoints and not of one for each worker. Return: what is wrong (it is
 * printed), 0 for a right store.
 */
unsigned int ledger_verify(struct ledger *l, bool (*seen)(uint32_t nr), bool all);

/*
 * The same of a store that was not closed since: all that was completed must be
 * there. It does not look into checkpoints.
 */
unsigned int ledger_verify_complete(struct ledger *l);

/* The store is open, and was found right: the ledger goes on from what it has. */
void ledger_adopt(struct ledger *l);

/* Runs "cpblk check" on the devices; the number of complaints, which it prints. */
unsigned int ledger_check(struct ledger *l);

/* From here on the store is on other devices. */
void ledger_use(struct ledger *l, const char *meta, const char *data);

/* Opens and closes the store; the second may fail if the devices have. */
void ledger_open(struct ledger *l);
void ledger_close(struct ledger *l, bool may_fail);

#endif /* LEDGER_H */
