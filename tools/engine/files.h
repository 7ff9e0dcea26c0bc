/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine on files and block devices: its table of block I/O in userspace.
 */
#ifndef CPB_FILES_H
#define CPB_FILES_H

#include "../../kmod/core/cpb.h"

/**
 * struct cpb_files - the devices of a store; the ctx of cpb_files_ops
 * @meta: descriptor of the metadata device
 * @data: descriptor of the data device
 *
 * Both are open for as long as the engine uses them, for writing if it writes.
 */
struct cpb_files {
	int meta;
	int data;
};

extern const struct cpb_ops cpb_files_ops;

/** cpb_file_size() - bytes of a file or block device; 0 or -errno */
int cpb_file_size(int fd, u64 *bytes);

#endif /* CPB_FILES_H */
