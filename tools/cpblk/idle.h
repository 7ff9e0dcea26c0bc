/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices of a store that is not open, for commands that run the engine
 * themselves.
 */
#ifndef IDLE_H
#define IDLE_H

#include "engine/files.h"

/**
 * struct idle - a store that nobody has open; the ctx of idle_ops
 * @files: its devices
 * @meta_blocks: size of the metadata device
 * @data_bytes: size of the data device
 * @reads: blocks read since idle_progress()
 */
struct idle {
	struct cpb_files files;
	u64 meta_blocks, data_bytes;
	u64 reads, expected;
	const char *doing;
};

extern const struct cpb_ops idle_ops;

/**
 * idle_open() - open the devices, unless something uses them
 * @meta: path of the metadata device or file
 * @data: the same for the data; may be NULL
 * @write: they are going to be written to
 *
 * Return: DONE, or FAILED with a sentence; idle_close() in either case.
 */
int idle_open(struct idle *idle, const char *meta, const char *data, bool write);
void idle_close(struct idle *idle);

/**
 * idle_progress() - from now on, show a bar on a terminal
 * @doing: what is being done, or NULL: no bar
 * @expected: blocks that are going to be read for it
 */
void idle_progress(struct idle *idle, const char *doing, u64 expected);

#endif /* IDLE_H */
