/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Structures of the format on disk as JSON objects, of which dump prints one
 * line or one object each.
 */
#ifndef STRUCTS_H
#define STRUCTS_H

#include <json-c/json.h>

#include "../../kmod/core/cpb.h"

/** magic_name() - what kind of block it is, in words */
const char *magic_name(u32 magic);

/**
 * block_state() - "ok", or what is wrong with a block, in words
 * @h: the block, all of it
 * @addr: where it was read
 * @uuid: of the store, or NULL
 */
const char *block_state(const struct cpb_disk_header *h, u64 addr, const u8 *uuid);

struct json_object *super_json(const struct cpb_disk_super *sb);
struct json_object *label_json(const struct cpb_disk_label *l);
struct json_object *header_json(const struct cpb_disk_header *h);
struct json_object *batch_json(const struct cpb_disk_batch *b);

/** record_json() - of a journal record that has @size bytes */
struct json_object *record_json(const struct cpb_disk_record *r, unsigned int size);

struct json_object *extent_json(const struct cpb_disk_extent *x);
struct json_object *dead_json(const struct cpb_disk_dead *d);

/** child_json() - of a node above the leaves: @key has @keys words */
struct json_object *child_json(const __le64 *key, unsigned int keys);

/** object_json() - of a slot of the object table, or NULL if it is empty */
struct json_object *object_json(const void *slot);

#endif /* STRUCTS_H */
