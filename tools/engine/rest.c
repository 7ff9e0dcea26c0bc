// SPDX-License-Identifier: GPL-2.0
/*
 * A store with nothing left to do: see rest.h.
 */
#include "rest.h"

int cpb_rest(struct cpb_store *s)
{
	int err;

	do {
		err = cpb_commit(s);
		if (err)
			return err;
		cpb_release(s);
		while ((err = cpb_reap(s)) > 0)
			;
		if (err)
			return err;
	} while (cpb_dirty(s));
	while ((err = cpb_trim(s)) > 0)
		;
	return err;
}
