// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk status: how stores are.
 */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char about[] =
	"Without STORE: all open stores. Exit code 1 if one of them has failed.";

static const char *show_device(const char *path)
{
	static char text[2 * (CPBLK_PATH_MAX + 1)];
	char file[CPBLK_PATH_MAX + 1];

	if (loop_file(path, file))
		snprintf(text, sizeof(text), "%s (%s)", file, path);
	else
		snprintf(text, sizeof(text), "%s", path);
	return text;
}

static void print_space(const char *what, uint64_t used, uint64_t size, bool low,
			const char *path)
{
	char a[TEXT_MAX], b[TEXT_MAX];

	printf("  %-8s  %s of %s used (%.0f %%%s), %s\n", what, show_size(used, a),
	       show_size(size, b), size ? 100.0 * (double)used / (double)size : 0.0,
	       low ? ", LOW" : "", show_device(path));
}

static void print_store(const struct cpblk_store_info *s)
{
	char a[TEXT_MAX], b[TEXT_MAX], time[TEXT_MAX], uuid[TEXT_MAX];

	printf("store %s (%s)\n", s->name, show_uuid(s->uuid, uuid));
	if (s->state == CPBLK_STATE_FAILED)
		printf("  FAILED    read-only: %s\n", show_text(s->error));
	else if (s->state == CPBLK_STATE_READONLY)
		printf("  read-only\n");
	if (s->space & CPBLK_SPACE_FULL)
		printf("  FULL      writes fail until space is freed, or a device grown\n");
	print_space("data", s->data_used, s->data_size,
		    s->space & CPBLK_SPACE_DATA_LOW, s->data_path);
	print_space("metadata", s->meta_used, s->meta_size,
		    s->space & CPBLK_SPACE_META_LOW, s->meta_path);
	printf("  journal   %s of %s in use\n", show_size(s->journal_used, a),
	       show_size(s->journal_size, b));
	printf("  history   %llu volume%s, %llu checkpoint%s, chunks of %s\n",
	       (unsigned long long)s->nr_volumes, s->nr_volumes == 1 ? "" : "s",
	       (unsigned long long)s->nr_checkpoints,
	       s->nr_checkpoints == 1 ? "" : "s", show_size(s->chunk_size, a));
	if (s->nr_hidden)
		printf("  deleted   %llu checkpoint%s being reclaimed, or shared by others\n",
		       (unsigned long long)s->nr_hidden, s->nr_hidden == 1 ? "" : "s");
	if (s->reclaim_points)
		printf("  reclaim   %s left, %s done%s%s\n", show_size(s->reclaim_left, a),
		       show_size(s->reclaim_done, b), s->reclaim_ms ? ", about " : "",
		       s->reclaim_ms ? show_duration(s->reclaim_ms * 1000000, time) : "");
}

static void print_volume(const struct cpblk_volume_info *v)
{
	char size[TEXT_MAX], data[TEXT_MAX], use[USE_MAX];

	printf("  volume    %s: /dev/%s, %s, %s of data, generation %llu", v->name,
	       v->device, show_size(v->size, size), show_size(v->referenced, data),
	       (unsigned long long)v->generation);
	if (device_use(v->device, use))
		printf(", %s\n", use);
	else
		printf("%s\n", v->open_count ? ", open" : "");
}

static int print_one(struct tool *tool, const struct cpblk_store_info *s,
		     struct json_object *json)
{
	struct json_object *o, *list = NULL;
	struct cpblk_volume_info *volumes;
	struct cpblk_error err;
	size_t nr, i;

	if (cpblk_volume_list(tool->link, s->name, &volumes, &nr, &err))
		return refuse("cannot list the volumes of store %s: %s", s->name,
			      err.text);
	if (json) {
		o = json_store(s);
		list = json_object_new_array();
		json_object_object_add(o, "volumes", list);
		json_object_array_add(json, o);
	} else {
		print_store(s);
	}
	for (i = 0; i < nr; i++) {
		if (json)
			find_unique(tool, s->name, volumes[i].head_id,
				    &volumes[i].unique);
		if (json)
			json_object_array_add(list, json_volume(&volumes[i]));
		else
			print_volume(&volumes[i]);
	}
	free(volumes);
	return s->state == CPBLK_STATE_FAILED ? FAILED : DONE;
}

int cmd_status(struct tool *tool, int argc, char **argv)
{
	struct json_object *json = NULL;
	struct cpblk_store_info *stores;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, 1);
	size_t nr, i;

	if (rc >= 0)
		return rc;
	if (argc)
		tool->store = argv[0];
	if (tool_stores(tool, &stores, &nr))
		return FAILED;
	if (tool->json)
		json = json_object_new_array();
	else if (!nr)
		printf("no store is open\n");
	for (rc = DONE, i = 0; i < nr; i++) {
		if (print_one(tool, &stores[i], json))
			rc = FAILED;
	}
	free(stores);
	return json && json_print(json, false) ? FAILED : rc;
}
