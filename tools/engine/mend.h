/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Repairing a store without writing to it: what cpb_repair() does stays in
 * memory and is checked there, and only then may be written.
 */
#ifndef CPB_MEND_H
#define CPB_MEND_H

#include "overlay.h"

/** struct cpb_finding_line - a sentence of cpb_repair() */
struct cpb_finding_line {
	enum cpb_finding kind;
	char *text;
};

/**
 * struct cpb_mend - a repair that has not been written
 * @overlay: the store as it would be; its ops read the devices
 * @report: what the repair counted
 * @line: what it said
 * @nr: how many of these there are
 * @copy: the superblock that it began with
 * @why: why it is not possible
 */
struct cpb_mend {
	struct cpb_overlay overlay;
	struct cpb_repair_report report;
	struct cpb_finding_line *line;
	size_t nr, room;
	unsigned int copy;
	char why[CPB_ERROR_LEN];
};

/**
 * cpb_mend() - repair in memory, and check what that leads to
 * @m: gets all of it
 * @ops: the devices; only what reads is called
 * @ctx: of @ops
 * @meta_blocks: size of the metadata device
 * @data_bytes: size of the data device
 * @flags: CPB_REPAIR_*
 *
 * It is tried from either superblock; what loses less counts, the newer one
 * where that is the same. Return: 0, or an error with @m->why: the store can't
 * be repaired, or what comes of it does not pass the check.
 */
int cpb_mend(struct cpb_mend *m, const struct cpb_ops *ops, void *ctx,
	     u64 meta_blocks, u64 data_bytes, unsigned int flags);

/**
 * cpb_mend_write() - let it be true
 * @m: after cpb_mend() has returned 0
 *
 * A power cut leaves the store as it was, or as it should be.
 */
int cpb_mend_write(struct cpb_mend *m);

void cpb_mend_free(struct cpb_mend *m);

#endif /* CPB_MEND_H */
