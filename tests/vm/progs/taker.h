/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who takes checkpoints in benchmarks: cpblk through netlink, dm-thin through
 * device-mapper's ioctls, XFS through FICLONE. None of them starts a process.
 */
#ifndef TAKER_H
#define TAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "cpblk.h"

#define TAKER_USAGE	"cpblk STORE VOLUME | thin POOL DEVICE | xfs FILE FOLDER"
#define TAKER_WORDS	3

enum taker_kind { TAKER_CPBLK, TAKER_THIN, TAKER_XFS };

/**
 * struct taker - takes checkpoints of one disk
 * @kind: by what means
 * @a: store; name of the pool; file
 * @b: volume; name of the thin device; folder for the copies
 * @link: to cpblk's driver
 * @control: of device-mapper
 */
struct taker {
	enum taker_kind kind;
	const char *a, *b;
	struct cpblk *link;
	int control;
};

/** taker_open() - by three words of a command line; exits if they are wrong */
void taker_open(struct taker *t, char **words);

/**
 * taker_take() - a checkpoint that is durable when this returns
 * @nr: number to give it: not that of one that is there. cpblk's own is
 *	returned instead.
 */
uint64_t taker_take(struct taker *t, uint64_t nr);

/** taker_drop() - delete one */
void taker_drop(struct taker *t, uint64_t nr);

/** taker_drop_all() - delete those with numbers from @from to @to; of cpblk, all */
void taker_drop_all(struct taker *t, uint64_t from, uint64_t to);

/** taker_settle() - wait until what was deleted is reclaimed */
void taker_settle(struct taker *t);

/** now_ns() - of the monotonic clock */
uint64_t now_ns(void);

/** pause_ms() - do nothing for so long */
void pause_ms(unsigned int ms);

#endif /* TAKER_H */
