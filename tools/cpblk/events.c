// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk events: shows what happens, as it happens.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tool.h"

static const char about[] =
	"One line for each event, until interrupted; of the store that -s names, or of\n"
	"all. With --json each line is a JSON object.";

static const struct {
	int type;
	const char *name;
} names[] = {
	{ CPBLK_EVENT_STORE_OPENED, "store-opened" },
	{ CPBLK_EVENT_STORE_CLOSED, "store-closed" },
	{ CPBLK_EVENT_STORE_FAILED, "store-failed" },
	{ CPBLK_EVENT_VOLUME_CREATED, "volume-created" },
	{ CPBLK_EVENT_VOLUME_REMOVED, "volume-removed" },
	{ CPBLK_EVENT_VOLUME_RESIZED, "volume-resized" },
	{ CPBLK_EVENT_SNAPPED, "snapped" },
	{ CPBLK_EVENT_RESTORED, "restored" },
	{ CPBLK_EVENT_FORKED, "forked" },
	{ CPBLK_EVENT_CHECKPOINT_DELETED, "checkpoint-deleted" },
	{ CPBLK_EVENT_ATTACHED, "attached" },
	{ CPBLK_EVENT_DETACHED, "detached" },
	{ CPBLK_EVENT_HELD, "held" },
	{ CPBLK_EVENT_RELEASED, "released" },
	{ CPBLK_EVENT_SPACE, "space" },
	{ CPBLK_EVENT_GROWN, "grown" },
	{ CPBLK_EVENT_RECLAIM, "reclaim" },
};

static const char *event_name(const struct cpblk_event_info *e)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].type == e->type)
			return names[i].name;
	}
	return NULL;
}

static struct json_object *json_taken(const struct cpblk_event_info *e)
{
	struct json_object *list = json_object_new_array(), *o;
	size_t i;

	for (i = 0; i < e->nr_taken; i++) {
		o = json_object_new_object();
		json_put_string(o, "volume", e->taken[i].volume);
		json_put_number(o, "volume_id", e->taken[i].volume_id);
		json_put_string(o, "checkpoint", e->taken[i].name);
		json_put_number(o, "checkpoint_id", e->taken[i].id);
		json_object_array_add(list, o);
	}
	return list;
}

static void put_if(struct json_object *o, const char *key, const char *value)
{
	if (*value)
		json_put_string(o, key, value);
}

static void put_id_if(struct json_object *o, const char *key, uint64_t id)
{
	if (id)
		json_put_number(o, key, id);
}

static void put_flag(struct json_object *o, const char *key, uint32_t flag)
{
	json_object_object_add(o, key, json_object_new_boolean(flag));
}

static void put_space(struct json_object *o, const struct cpblk_event_info *e)
{
	put_flag(o, "data_low", e->space & CPBLK_SPACE_DATA_LOW);
	put_flag(o, "meta_low", e->space & CPBLK_SPACE_META_LOW);
	put_flag(o, "full", e->space & CPBLK_SPACE_FULL);
	json_put_number(o, "meta_used", e->meta_used);
	json_put_number(o, "data_used", e->data_used);
}

static void put_reclaim(struct json_object *o, const struct cpblk_event_info *e)
{
	json_put_number(o, "reclaim_points", e->reclaim_points);
	json_put_number(o, "reclaim_left", e->reclaim_left);
	json_put_number(o, "reclaim_done", e->reclaim_done);
	put_id_if(o, "reclaim_ms", e->reclaim_ms);
}

static int print_json(const struct cpblk_event_info *e, const char *name)
{
	struct json_object *o = json_object_new_object();
	uint64_t now = time_now();
	char text[TEXT_MAX];

	json_put_string(o, "event", name);
	json_put_string(o, "time", show_time(now, text));
	json_put_number(o, "time_ns", now);
	put_if(o, "store", e->store);
	put_if(o, "volume", e->volume);
	put_id_if(o, "volume_id", e->volume_id);
	put_if(o, "device", e->device);
	put_id_if(o, "size", e->size);
	put_if(o, "checkpoint", e->checkpoint);
	put_id_if(o, "checkpoint_id", e->checkpoint_id);
	put_if(o, "safety", e->safety);
	put_id_if(o, "safety_id", e->safety_id);
	put_id_if(o, "generation", e->generation);
	put_if(o, "error", e->error);
	if (e->type == CPBLK_EVENT_SPACE)
		put_space(o, e);
	if (e->type == CPBLK_EVENT_RECLAIM)
		put_reclaim(o, e);
	put_id_if(o, "meta_size", e->meta_size);
	put_id_if(o, "data_size", e->data_size);
	if (e->type == CPBLK_EVENT_SNAPPED)
		json_object_object_add(o, "checkpoints", json_taken(e));
	return json_print(o, true);
}

static void print_amount(const char *what, uint64_t used, uint64_t size, bool low)
{
	char text[TEXT_MAX];

	printf("  %s ", what);
	if (used && size)
		printf("%.0f %% of ", 100.0 * (double)used / (double)size);
	printf("%s%s", show_size(size, text), low ? " (low)" : "");
}

static void print_reclaim(const struct cpblk_event_info *e)
{
	char left[TEXT_MAX], done[TEXT_MAX], time[TEXT_MAX];

	printf("  %s done", show_size(e->reclaim_done, done));
	if (e->reclaim_points)
		printf(", %s left", show_size(e->reclaim_left, left));
	if (e->reclaim_ms)
		printf(", about %s", show_duration(e->reclaim_ms * 1000000, time));
}

/* The words that all kinds of events have; each kind fills some of them. */
static void print_text(const struct cpblk_event_info *e, const char *name)
{
	time_t now = time(NULL);
	char text[TEXT_MAX] = "";
	struct tm tm;
	size_t i;

	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s  %s  %s", text, e->store, name);
	for (i = 0; i < e->nr_taken; i++)
		printf("  %s@%s", e->taken[i].volume, e->taken[i].name);
	if (e->volume[0] && e->checkpoint[0] && e->type != CPBLK_EVENT_RESTORED &&
	    e->type != CPBLK_EVENT_FORKED)
		printf("  %s@%s", e->volume, e->checkpoint);
	else if (e->volume[0])
		printf("  %s", e->volume);
	else if (e->checkpoint_id)
		printf("  :%llu", (unsigned long long)e->checkpoint_id);
	if (e->type == CPBLK_EVENT_RESTORED || e->type == CPBLK_EVENT_FORKED)
		printf("  from %s", e->checkpoint[0] ? e->checkpoint : "a removed volume");
	if (e->device[0])
		printf("  %s", e->device);
	if (e->size && e->type != CPBLK_EVENT_VOLUME_REMOVED)
		printf("  %s", show_size(e->size, text));
	if (e->safety[0])
		printf("  kept as %s@%s", e->volume, e->safety);
	if (e->generation)
		printf("  generation %llu", (unsigned long long)e->generation);
	if (e->space & CPBLK_SPACE_FULL)
		printf("  full");
	if (e->data_size)
		print_amount("data", e->data_used, e->data_size,
			     e->space & CPBLK_SPACE_DATA_LOW);
	if (e->meta_size)
		print_amount("metadata", e->meta_used, e->meta_size,
			     e->space & CPBLK_SPACE_META_LOW);
	if (e->type == CPBLK_EVENT_RECLAIM)
		print_reclaim(e);
	if (e->error[0])
		printf("  %s", show_text(e->error));
	putchar('\n');
}

static int print_event(void *arg, const struct cpblk_event_info *e)
{
	const char *name = event_name(e);
	const struct tool *tool = arg;

	if (!name || (tool->store && strcmp(tool->store, e->store)))
		return 0;
	if (tool->json)
		print_json(e, name);
	else
		print_text(e, name);
	/* Whoever reads this from a pipe wants it now. */
	return fflush(stdout) ? -EIO : 0;
}

int cmd_events(struct tool *tool, int argc, char **argv)
{
	struct cpblk_error err;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, 0);

	if (rc >= 0)
		return rc;
	if (cpblk_connect(&tool->link, &err))
		return refuse("no events: %s; 'cpblk open' loads it", err.text);
	if (cpblk_subscribe(tool->link, &err))
		return refuse("%s", err.text);
	for (;;) {
		rc = cpblk_event_next(tool->link, print_event, tool, &err);
		if (rc == -ENOBUFS)
			refuse("%s", err.text);
		else if (rc == -EIO)
			return FAILED;
		else if (rc)
			return refuse("%s", err.text);
	}
}
