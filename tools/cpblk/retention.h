/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which checkpoints of a volume a policy keeps: a pure function.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpblk.h"

#define REASON_MAX 200

/**
 * struct candidate - a checkpoint, and what becomes of it
 * @time: when it was taken, nanoseconds since 1970
 * @hold: why it is held, may be empty; NULL: it is not
 * @attached: it has a device, and can't be deleted
 * @safety: a restore made it
 * @undo: and 'undo' goes back to it
 * @keep: result
 * @reason: result: why, or why not
 */
struct candidate {
	uint64_t time;
	const char *hold;
	bool attached;
	bool safety;
	bool undo;
	bool keep;
	char reason[REASON_MAX];
};

/** retention_empty() - is there no rule in it? */
bool retention_empty(const struct cpblk_retention *policy);

/**
 * retention_decide() - which ones stay
 * @now: nanoseconds since 1970
 * @list: in the order they were taken
 *
 * Rules add up: what one of them keeps stays, but what is beyond the maximum
 * age goes. If that is the only rule, all that is not beyond it stays. Hours,
 * days, weeks (from Monday) and months are those of UTC, and only those in
 * which a checkpoint was taken count. Of each the newest one stays, a safety
 * checkpoint only if there is no other. Safety checkpoints do not count among
 * the last ones either: those that are as new as these stay too.
 */
void retention_decide(const struct cpblk_retention *policy, uint64_t now,
		      struct candidate *list, size_t nr);

#endif /* RETENTION_H */
