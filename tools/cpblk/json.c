// SPDX-License-Identifier: GPL-2.0
/*
 * What listings print with --json. Names are those of the structures of
 * libcpblk; sizes are bytes, times are given both as ISO 8601 and in
 * nanoseconds since 1970.
 */
#include <stdlib.h>

#include "tool.h"

void json_put_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

void json_put_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

/* A string that does not apply is null. */
static void put_optional(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key,
			       *value ? json_object_new_string(value) : NULL);
}

/* A number of which 0 stands for none. */
static void put_id(struct json_object *o, const char *key, uint64_t id)
{
	json_object_object_add(o, key, id ? json_object_new_uint64(id) : NULL);
}

/* An amount that may not be known. */
static void put_amount(struct json_object *o, const char *key, uint64_t bytes)
{
	json_object_object_add(o, key, bytes == CPBLK_UNKNOWN ? NULL :
			       json_object_new_uint64(bytes));
}

static void put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static void put_time(struct json_object *o, const char *key, const char *key_ns,
		     uint64_t ns)
{
	char text[TEXT_MAX];

	json_put_string(o, key, show_time(ns, text));
	json_put_number(o, key_ns, ns);
}

static void put_uuid(struct json_object *o, const uint8_t *uuid)
{
	char text[TEXT_MAX];

	json_put_string(o, "uuid", show_uuid(uuid, text));
}

void json_put_safety(struct json_object *o, const char *name, uint64_t id)
{
	json_object_object_add(o, "safety", id ? json_object_new_string(name) : NULL);
	json_object_object_add(o, "safety_id", id ? json_object_new_uint64(id) : NULL);
}

static struct json_object *json_counters(const struct cpblk_store_info *s)
{
	static const char *const names[CPBLK_COUNTER_MAX + 1] = {
		[CPBLK_COUNTER_BLOCK_READS] = "block_reads",
		[CPBLK_COUNTER_BLOCK_MISSES] = "block_misses",
		[CPBLK_COUNTER_BLOCKS_WRITTEN] = "blocks_written",
		[CPBLK_COUNTER_BLOCKS_CACHED] = "blocks_cached",
		[CPBLK_COUNTER_BLOCKS_DIRTY] = "blocks_dirty",
		[CPBLK_COUNTER_COMMITS] = "commits",
		[CPBLK_COUNTER_JOURNAL_COMMITS] = "journal_commits",
		[CPBLK_COUNTER_JOURNAL_BLOCKS_WRITTEN] = "journal_blocks_written",
		[CPBLK_COUNTER_RECLAIM_STEPS] = "reclaim_steps",
		[CPBLK_COUNTER_RECLAIM_BLOCKS] = "reclaim_blocks",
	};
	struct json_object *o = json_object_new_object();
	int i;

	for (i = 0; i <= CPBLK_COUNTER_MAX; i++) {
		if (names[i])
			json_put_number(o, names[i], s->counters[i]);
	}
	return o;
}

struct json_object *json_store(const struct cpblk_store_info *s)
{
	static const char *const states[] = {
		[CPBLK_STATE_ACTIVE] = "active",
		[CPBLK_STATE_READONLY] = "readonly",
		[CPBLK_STATE_FAILED] = "failed",
	};
	struct json_object *o = json_object_new_object();

	json_put_string(o, "store", s->name);
	put_uuid(o, s->uuid);
	json_put_string(o, "state", s->state <= CPBLK_STATE_FAILED ?
			states[s->state] : "unknown");
	put_optional(o, "error", s->error);
	json_put_string(o, "meta_path", s->meta_path);
	json_put_string(o, "data_path", s->data_path);
	json_put_number(o, "chunk_size", s->chunk_size);
	put_bool(o, "data_low", s->space & CPBLK_SPACE_DATA_LOW);
	put_bool(o, "meta_low", s->space & CPBLK_SPACE_META_LOW);
	put_bool(o, "full", s->space & CPBLK_SPACE_FULL);
	json_put_number(o, "meta_size", s->meta_size);
	json_put_number(o, "meta_used", s->meta_used);
	json_put_number(o, "meta_reserved", s->meta_reserved);
	json_put_number(o, "data_size", s->data_size);
	json_put_number(o, "data_used", s->data_used);
	json_put_number(o, "data_busy", s->data_busy);
	json_put_number(o, "epoch", s->epoch);
	json_put_number(o, "txn", s->txn);
	json_put_number(o, "journal_size", s->journal_size);
	json_put_number(o, "journal_used", s->journal_used);
	json_put_number(o, "nr_volumes", s->nr_volumes);
	json_put_number(o, "nr_checkpoints", s->nr_checkpoints);
	json_put_number(o, "nr_hidden", s->nr_hidden);
	json_put_number(o, "reclaim_points", s->reclaim_points);
	json_put_number(o, "reclaim_left", s->reclaim_left);
	json_put_number(o, "reclaim_done", s->reclaim_done);
	put_id(o, "reclaim_ms", s->reclaim_ms);
	json_object_object_add(o, "counters", json_counters(s));
	return o;
}

struct json_object *json_volume(const struct cpblk_volume_info *v)
{
	struct json_object *o = json_object_new_object();
	char use[USE_MAX];

	json_put_string(o, "store", v->store);
	json_put_string(o, "volume", v->name);
	json_put_number(o, "volume_id", v->id);
	put_uuid(o, v->uuid);
	json_put_number(o, "size", v->size);
	put_time(o, "created", "created_ns", v->created);
	json_put_number(o, "generation", v->generation);
	json_put_string(o, "device", v->device);
	json_put_number(o, "open_count", v->open_count);
	device_use(v->device, use);
	put_optional(o, "use", use);
	put_bool(o, "readonly", v->flags & CPBLK_VOLUME_READONLY);
	put_bool(o, "noscan", v->flags & CPBLK_VOLUME_NOSCAN);
	put_optional(o, "group", v->group);
	put_id(o, "undo_id", v->undo_id);
	put_id(o, "head_id", v->head_id);
	put_id(o, "parent_id", v->parent_id);
	json_put_number(o, "epoch", v->epoch);
	json_put_number(o, "referenced", v->referenced);
	json_put_number(o, "written", v->written);
	json_put_number(o, "dead", v->dead);
	put_amount(o, "unique", v->unique);
	json_object_object_add(o, "policy", json_policy(&v->policy));
	return o;
}

struct json_object *json_checkpoint(const struct cpblk_checkpoint_info *c)
{
	struct json_object *o = json_object_new_object();

	json_put_string(o, "store", c->store);
	put_optional(o, "volume", c->volume);
	json_put_number(o, "volume_id", c->volume_id);
	put_optional(o, "checkpoint", c->name);
	json_put_number(o, "checkpoint_id", c->id);
	put_id(o, "parent_id", c->parent_id);
	put_time(o, "time", "time_ns", c->time);
	put_optional(o, "message", c->message);
	json_put_number(o, "epoch", c->epoch);
	json_put_number(o, "size", c->size);
	put_bool(o, "auto", c->flags & CPBLK_POINT_AUTO);
	put_bool(o, "safety", c->flags & CPBLK_POINT_SAFETY);
	put_bool(o, "hidden", c->flags & CPBLK_POINT_HIDDEN);
	put_bool(o, "held", c->flags & CPBLK_POINT_HELD);
	put_optional(o, "hold", c->hold);
	json_put_number(o, "children", c->children);
	json_put_number(o, "pins", c->pins);
	json_put_number(o, "referenced", c->referenced);
	json_put_number(o, "written", c->written);
	json_put_number(o, "dead", c->dead);
	put_amount(o, "unique", c->unique);
	put_optional(o, "device", c->device);
	return o;
}

struct json_object *json_policy(const struct cpblk_retention *p)
{
	struct json_object *o = json_object_new_object();

	json_put_number(o, "last", p->last);
	json_put_number(o, "hourly", p->hourly);
	json_put_number(o, "daily", p->daily);
	json_put_number(o, "weekly", p->weekly);
	json_put_number(o, "monthly", p->monthly);
	json_put_number(o, "max_age", p->max_age);
	return o;
}

struct json_object *json_new_volume(const struct cpblk_new_volume *v)
{
	struct json_object *o = json_object_new_object();

	json_put_string(o, "volume", v->name);
	json_put_number(o, "volume_id", v->id);
	put_uuid(o, v->uuid);
	json_put_string(o, "device", v->device);
	return o;
}

int json_print(struct json_object *o, bool one_line)
{
	const char *text;
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= one_line ? JSON_C_TO_STRING_PLAIN :
			    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	text = json_object_to_json_string_ext(o, flags);
	if (text)
		puts(text);
	json_object_put(o);
	return text ? DONE : refuse("out of memory");
}
