/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Repairing the damaged store, and what must hold of that.
 */
#ifndef DAMAGE_REPAIR_H
#define DAMAGE_REPAIR_H

#include "base.h"

enum repair_end {
	REPAIR_REFUSED,		/* and the devices are what they were */
	REPAIR_WHOLE,		/* nothing is lost */
	REPAIR_LOSS,		/* something is, and it was said what */
};

/**
 * repair_try() - repair the store in @disk
 * @b: what it was before it was damaged
 * @disk: the damaged devices
 * @sure: what is read must be what was written: no block that says what is
 *	mapped where has a checksum that is right and content that is wrong
 * @power: not 0: it fails while the repair is written, after a number of blocks
 *	that follows from this; then all of it is written
 * @verbose: print what the repair says
 * @wrong: gets what is wrong with the repair itself, or ""
 */
enum repair_end repair_try(const struct base *b, struct image *disk, bool sure,
			   u64 power, bool verbose, char wrong[256]);

#endif /* DAMAGE_REPAIR_H */
