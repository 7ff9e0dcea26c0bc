/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is damaged, and how: a list of cases, the same in every run.
 */
#ifndef DAMAGE_CASES_H
#define DAMAGE_CASES_H

#include "base.h"

/** struct field - a field of a structure on disk
 * @sole: nothing else in a store says what this field must be
 */
struct field {
	const char *name;
	u16 offset, size;
	bool sole;
};

enum damage_op {
	OP_ZERO,
	OP_ONES,
	OP_FIRST_BIT,
	OP_MIDDLE_BIT,
	OP_LAST_BIT,
	OP_PLUS_ONE,
	OP_MINUS_ONE,
	OP_RANDOM,
	OP_FIELDS,		/* so many for every field */
	OP_LOST_WRITE = OP_FIELDS, /* the block is what it was before */
	OP_STALE,		/* an older version of this block is here */
	OP_OTHER,		/* another block's content is here */
};

/** struct target - a block to damage
 * @kind: what it is
 * @addr: where it is
 * @twin: a copy that is damaged alike, or 0
 * @maps: it says what is mapped where
 */
struct target {
	char kind[48];
	u64 addr, twin;
	bool maps;
};

/** struct damage - one case
 * @fixed: the checksum is made right again
 * @entry: which one of several, for the text
 * @other: OP_OTHER: the block that is copied
 */
struct damage {
	const struct target *target;
	const struct field *field;
	u16 offset, entry;
	u8 op;
	bool fixed;
	u64 other;
};

struct cases {
	struct target *target;
	unsigned int nr_targets;
	struct damage *damage;
	u64 nr, room;
};

void cases_make(struct cases *c, const struct base *b);
void cases_free(struct cases *c);

/** damage_apply() - do it; false if it changes nothing */
bool damage_apply(const struct base *b, struct image *d, const struct damage *x,
		  u64 seed);

void damage_text(const struct damage *x, char *text, size_t len);

#endif /* DAMAGE_CASES_H */
