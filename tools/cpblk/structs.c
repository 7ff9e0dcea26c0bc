// SPDX-License-Identifier: GPL-2.0
/*
 * Structures of the format on disk as JSON objects: see structs.h.
 */
#include <string.h>

#include "structs.h"
#include "tool.h"

#define NUMBER(o, s, field)	json_put_number(o, #field, le64_to_cpu((s)->field))
#define NUMBER32(o, s, field)	json_put_number(o, #field, le32_to_cpu((s)->field))
#define NUMBER16(o, s, field)	json_put_number(o, #field, le16_to_cpu((s)->field))

static struct json_object *item(const char *what)
{
	struct json_object *o = json_object_new_object();

	json_put_string(o, "what", what);
	return o;
}

/* A text of a damaged block may be anything: nothing behind its end is read. */
static void put_text(struct json_object *o, const char *key, const u8 *text,
		     size_t len, size_t room)
{
	char safe[CPB_BLOCK_SIZE];

	if (len > room)
		len = room;
	len = strnlen((const char *)text, len);
	memcpy(safe, text, len);
	safe[len] = '\0';
	json_put_string(o, key, show_text(safe));
}

static void put_uuid(struct json_object *o, const char *key, const u8 *uuid)
{
	char text[TEXT_MAX];

	json_put_string(o, key, show_uuid(uuid, text));
}

static void put_ref(struct json_object *o, const char *key, u64 ref)
{
	char name[32];

	json_put_number(o, key, ref & ((1ULL << CPB_REF_TXN_SHIFT) - 1));
	snprintf(name, sizeof(name), "%s_txn", key);
	json_put_number(o, name, ref >> CPB_REF_TXN_SHIFT);
}

static void put_run(struct json_object *o, u64 run)
{
	json_put_number(o, "chunk", run >> CPB_RUN_BITS);
	json_put_number(o, "len", run & CPB_RUN_MAX);
}

const char *magic_name(u32 magic)
{
	static const struct {
		u32 magic;
		const char *name;
	} names[] = {
		{ CPB_MAGIC_SUPER, "superblock" }, { CPB_MAGIC_LABEL, "label" },
		{ CPB_MAGIC_MAP, "map" }, { CPB_MAGIC_DEAD, "deadlists" },
		{ CPB_MAGIC_INDEX, "index" }, { CPB_MAGIC_SPACE, "space" },
		{ CPB_MAGIC_OBJECTS, "objects" }, { CPB_MAGIC_BITMAP, "bitmap" },
		{ CPB_MAGIC_BATCH, "batch" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].magic == magic)
			return names[i].name;
	return "unknown";
}

const char *block_state(const struct cpb_disk_header *h, u64 addr, const u8 *uuid)
{
	if (!h->magic && !h->crc)
		return "empty";
	/* A batch's checksum is over all of its blocks: dump.c looks at that. */
	if (le32_to_cpu(h->magic) != CPB_MAGIC_BATCH &&
	    port_crc(0, (const u8 *)h + sizeof(h->crc),
		     CPB_BLOCK_SIZE - sizeof(h->crc)) != le32_to_cpu(h->crc))
		return "checksum is wrong";
	if (le64_to_cpu(h->self) != addr)
		return "of another place";
	if (uuid && memcmp(h->uuid, uuid, CPB_UUID_LEN))
		return "of another store";
	return "ok";
}

struct json_object *header_json(const struct cpb_disk_header *h)
{
	struct json_object *o = item(magic_name(le32_to_cpu(h->magic)));

	NUMBER(o, h, txn);
	NUMBER(o, h, birth);
	NUMBER16(o, h, level);
	NUMBER16(o, h, nr);
	NUMBER(o, h, base);
	return o;
}

static void put_root(struct json_object *o, const char *key,
		     const struct cpb_disk_root *root)
{
	char name[32];

	put_ref(o, key, le64_to_cpu(root->ref));
	snprintf(name, sizeof(name), "%s_level", key);
	json_put_number(o, name, le32_to_cpu(root->level));
}

struct json_object *super_json(const struct cpb_disk_super *sb)
{
	struct json_object *o = item("superblock");
	char name[32];
	unsigned int i;

	json_put_number(o, "txn", le64_to_cpu(sb->h.txn));
	put_uuid(o, "uuid", sb->h.uuid);
	put_text(o, "name", sb->name, sizeof(sb->name), sizeof(sb->name));
	NUMBER32(o, sb, version);
	NUMBER32(o, sb, chunk_shift);
	NUMBER(o, sb, incompat);
	NUMBER(o, sb, ro_compat);
	NUMBER(o, sb, compat);
	NUMBER(o, sb, created);
	NUMBER(o, sb, meta_blocks);
	NUMBER(o, sb, data_chunks);
	NUMBER(o, sb, journal_start);
	NUMBER(o, sb, journal_blocks);
	NUMBER(o, sb, journal_tail);
	NUMBER(o, sb, journal_seq);
	NUMBER32(o, sb, journal_link);
	NUMBER32(o, sb, label_crc);
	NUMBER(o, sb, bitmap_start);
	NUMBER(o, sb, bitmap_slots);
	NUMBER(o, sb, meta_used);
	NUMBER(o, sb, data_used);
	NUMBER(o, sb, epoch);
	NUMBER(o, sb, next_id);
	NUMBER(o, sb, next_volume);
	NUMBER(o, sb, object_slots);
	put_root(o, "objects", &sb->objects);
	put_root(o, "space", &sb->space);
	put_root(o, "dead", &sb->dead);
	NUMBER(o, sb, dead_nodes);
	for (i = 0; i < CPB_OPTION_SLOTS; i++) {
		if (!sb->options.value[i])
			continue;
		/* Stored as the value plus one. */
		snprintf(name, sizeof(name), "option_%u", i);
		json_put_number(o, name, le32_to_cpu(sb->options.value[i]) - 1ULL);
	}
	return o;
}

struct json_object *label_json(const struct cpb_disk_label *l)
{
	struct json_object *o = item("label");
	u32 crc = port_crc(0, l->cookie, sizeof(l->cookie));

	put_uuid(o, "uuid", l->h.uuid);
	put_text(o, "name", l->name, sizeof(l->name), sizeof(l->name));
	NUMBER32(o, l, version);
	NUMBER32(o, l, chunk_shift);
	json_put_number(o, "label_crc", crc);
	return o;
}

struct json_object *batch_json(const struct cpb_disk_batch *b)
{
	struct json_object *o = item("batch");

	json_put_number(o, "number", le64_to_cpu(b->h.base));
	json_put_number(o, "txn", le64_to_cpu(b->h.txn));
	json_put_number(o, "crc", le32_to_cpu(b->h.crc));
	NUMBER32(o, b, link);
	NUMBER32(o, b, bytes);
	NUMBER32(o, b, blocks);
	return o;
}

static void put_op(struct json_object *o, const struct cpb_disk_record_op *op,
		   unsigned int size)
{
	size_t room = size - sizeof(*op), name = le16_to_cpu(op->name_len);

	NUMBER(o, op, time);
	NUMBER(o, op, target);
	NUMBER(o, op, id);
	NUMBER(o, op, arg);
	NUMBER32(o, op, flags);
	NUMBER16(o, op, text_len);
	put_uuid(o, "uuid", op->uuid);
	put_text(o, "name", op->text, name, room);
}

struct json_object *record_json(const struct cpb_disk_record *r, unsigned int size)
{
	static const char * const types[] = {
		[CPB_RECORD_MAP] = "map", [CPB_RECORD_UNMAP] = "unmap",
		[CPB_RECORD_CREATE] = "create", [CPB_RECORD_REMOVE] = "remove",
		[CPB_RECORD_RESIZE] = "resize", [CPB_RECORD_SNAP] = "snap",
		[CPB_RECORD_RESTORE] = "restore", [CPB_RECORD_FORK] = "fork",
		[CPB_RECORD_DELETE] = "delete", [CPB_RECORD_SET] = "set",
	};
	struct json_object *o = item("record");
	unsigned int type = le16_to_cpu(r->type);
	const struct cpb_disk_record_map *map = (const void *)r;
	const struct cpb_disk_record_unmap *unmap = (const void *)r;

	if (type < sizeof(types) / sizeof(types[0]) && types[type])
		json_put_string(o, "type", types[type]);
	else
		json_put_number(o, "type", type);
	NUMBER32(o, r, volume);
	if (type == CPB_RECORD_MAP && size >= sizeof(*map)) {
		NUMBER(o, map, vchunk);
		put_run(o, le64_to_cpu(map->run));
	} else if (type == CPB_RECORD_UNMAP && size >= sizeof(*unmap)) {
		NUMBER(o, unmap, vchunk);
		NUMBER(o, unmap, nr);
	} else if (size >= sizeof(struct cpb_disk_record_op)) {
		put_op(o, (const void *)r, size);
	}
	return o;
}

struct json_object *extent_json(const struct cpb_disk_extent *x)
{
	struct json_object *o = item("extent");

	NUMBER(o, x, vchunk);
	put_run(o, le64_to_cpu(x->run));
	NUMBER(o, x, birth);
	return o;
}

struct json_object *dead_json(const struct cpb_disk_dead *d)
{
	bool block = le64_to_cpu(d->set) & 1;
	struct json_object *o = item(block ? "dead block" : "dead chunks");

	json_put_number(o, "list", le64_to_cpu(d->set) >> 1);
	NUMBER(o, d, birth);
	if (block)
		json_put_number(o, "block", le64_to_cpu(d->run) >> CPB_RUN_BITS);
	else
		put_run(o, le64_to_cpu(d->run));
	return o;
}

struct json_object *child_json(const __le64 *key, unsigned int keys)
{
	struct json_object *o = item("child");

	json_put_number(o, keys == 1 ? "vchunk" : "key", le64_to_cpu(key[0]));
	put_ref(o, "block", le64_to_cpu(key[keys]));
	json_put_number(o, "birth", le64_to_cpu(key[keys + 1]));
	return o;
}

static struct json_object *point_json(const struct cpb_disk_point *p)
{
	u32 flags = le32_to_cpu(p->flags);
	struct json_object *o = item(flags & CPB_POINT_HEAD ? "head" : "checkpoint");

	NUMBER(o, p, id);
	put_text(o, "name", p->name, le16_to_cpu(p->name_len), sizeof(p->name));
	json_put_number(o, "flags", flags);
	NUMBER(o, p, volume);
	NUMBER(o, p, parent);
	NUMBER(o, p, epoch);
	NUMBER(o, p, time);
	NUMBER(o, p, size);
	put_ref(o, "root", le64_to_cpu(p->root));
	NUMBER(o, p, root_birth);
	NUMBER16(o, p, root_level);
	NUMBER(o, p, referenced);
	NUMBER(o, p, deadset);
	NUMBER(o, p, dead_chunks);
	NUMBER(o, p, dead_blocks);
	NUMBER(o, p, dead_young);
	NUMBER(o, p, dead_young_after);
	NUMBER(o, p, cursor);
	NUMBER(o, p, keep);
	put_text(o, "message", p->message, le16_to_cpu(p->message_len),
		 sizeof(p->message));
	put_text(o, "hold", p->hold, le16_to_cpu(p->hold_len), sizeof(p->hold));
	return o;
}

static struct json_object *volume_json(const struct cpb_disk_volume *v)
{
	struct json_object *o = item("volume");

	NUMBER(o, v, id);
	put_text(o, "name", v->name, le16_to_cpu(v->name_len), sizeof(v->name));
	NUMBER32(o, v, flags);
	NUMBER(o, v, head);
	NUMBER(o, v, generation);
	NUMBER(o, v, undo);
	NUMBER(o, v, next_auto);
	NUMBER(o, v, created);
	put_uuid(o, "uuid", v->uuid);
	put_text(o, "group", v->group, le16_to_cpu(v->group_len), sizeof(v->group));
	json_put_number(o, "keep_last", le32_to_cpu(v->policy.last));
	json_put_number(o, "hourly", le32_to_cpu(v->policy.hourly));
	json_put_number(o, "daily", le32_to_cpu(v->policy.daily));
	json_put_number(o, "weekly", le32_to_cpu(v->policy.weekly));
	json_put_number(o, "monthly", le32_to_cpu(v->policy.monthly));
	json_put_number(o, "max_age", le64_to_cpu(v->policy.max_age));
	return o;
}

struct json_object *object_json(const void *slot)
{
	u32 type = le32_to_cpu(*(const __le32 *)slot);
	struct json_object *o;

	switch (type) {
	case CPB_OBJECT_NONE:
		return NULL;
	case CPB_OBJECT_POINT:
		return point_json(slot);
	case CPB_OBJECT_VOLUME:
		return volume_json(slot);
	}
	o = item("unknown");
	json_put_number(o, "type", type);
	return o;
}
