// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk ls: lists volumes, or the checkpoints of volumes.
 */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char about[] =
	"Without VOLUME: the volumes of the store, or of all open stores. With VOLUME:\n"
	"its checkpoints, oldest first. DATA is what can be read through it, NEW what\n"
	"was written since the checkpoint before it, ONLY what becomes free if only it is\n"
	"deleted.";

static int list_volumes(struct tool *tool)
{
	struct table t = { .columns = 7, .right = 1U << 2 | 1U << 3 | 1U << 4 };
	char size[TEXT_MAX], data[TEXT_MAX], new[TEXT_MAX], use[USE_MAX];
	struct json_object *list;
	struct cpblk_volume_info *v;
	struct cpblk_error err;
	size_t nr, i;

	if (cpblk_volume_list(tool->link, tool->store, &v, &nr, &err))
		return refuse("cannot list the volumes: %s", err.text);
	if (tool->json) {
		list = json_object_new_array();
		for (i = 0; i < nr; i++) {
			find_unique(tool, v[i].store, v[i].head_id, &v[i].unique);
			json_object_array_add(list, json_volume(&v[i]));
		}
		free(v);
		return json_print(list, false);
	}
	if (nr) {
		table_cell(&t, "STORE");
		table_cell(&t, "VOLUME");
		table_cell(&t, "SIZE");
		table_cell(&t, "DATA");
		table_cell(&t, "NEW");
		table_cell(&t, "DEVICE");
		table_cell(&t, "USE");
	}
	for (i = 0; i < nr; i++) {
		table_cell(&t, "%s", v[i].store);
		table_cell(&t, "%s", v[i].name);
		table_cell(&t, "%s", show_size(v[i].size, size));
		table_cell(&t, "%s", show_size(v[i].referenced, data));
		table_cell(&t, "%s", show_size(v[i].written, new));
		table_cell(&t, "%s", v[i].device);
		device_use(v[i].device, use);
		table_cell(&t, "%s", *use ? use : v[i].open_count ? "open" : "");
	}
	free(v);
	return table_end(&t);
}

static void put_checkpoint(struct table *t, const struct cpblk_checkpoint_info *c)
{
	char label[OBJECT_MAX], size[TEXT_MAX], data[TEXT_MAX], new[TEXT_MAX];
	char only[TEXT_MAX];
	char age[TEXT_MAX], note[NOTE_MAX];

	table_cell(t, "%s", checkpoint_label(c, label));
	table_cell(t, "%s", show_age(time_now(), c->time, age));
	table_cell(t, "%s", show_size(c->size, size));
	table_cell(t, "%s", show_size(c->referenced, data));
	table_cell(t, "%s", show_size(c->written, new));
	table_cell(t, "%s", c->unique == CPBLK_UNKNOWN ? "?" :
		   show_size(c->unique, only));
	table_cell(t, "%s", c->device);
	show_note(c, note);
	table_cell(t, "%s", note);
}

/* Adds the checkpoints of one volume to the table or to the JSON list. */
static int add_checkpoints(struct tool *tool, const char *store, const char *volume,
			   struct table *t, struct json_object *json)
{
	struct cpblk_checkpoint_info *list;
	struct cpblk_error err;
	size_t nr, i;

	if (cpblk_checkpoint_list(tool->link, store, volume, &list, &nr, &err))
		return refuse("cannot list the checkpoints of %s: %s", volume,
			      err.text);
	for (i = 0; i < nr; i++) {
		if (list[i].flags & CPBLK_POINT_HIDDEN)
			continue;
		find_unique(tool, store, list[i].id, &list[i].unique);
		if (json)
			json_object_array_add(json, json_checkpoint(&list[i]));
		else
			put_checkpoint(t, &list[i]);
	}
	free(list);
	return DONE;
}

static int list_checkpoints(struct tool *tool, int argc, char **argv)
{
	struct table t = {
		.columns = 8, .right = 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5
	};
	struct json_object *json = NULL;
	struct cpblk_volume_info volume;
	struct cpblk_store_info store;
	int rc = DONE, i;

	if (tool_store(tool, &store))
		return FAILED;
	if (tool->json)
		json = json_object_new_array();
	table_cell(&t, "CHECKPOINT");
	table_cell(&t, "TAKEN");
	table_cell(&t, "SIZE");
	table_cell(&t, "DATA");
	table_cell(&t, "NEW");
	table_cell(&t, "ONLY");
	table_cell(&t, "DEVICE");
	table_cell(&t, "MESSAGE");
	for (i = 0; i < argc && rc == DONE; i++) {
		rc = find_volume(tool, store.name, argv[i], &volume);
		if (rc == DONE)
			rc = add_checkpoints(tool, store.name, argv[i], &t, json);
	}
	if (json && rc == DONE)
		rc = json_print(json, false);
	else if (json)
		json_object_put(json);
	if (tool->json || rc != DONE || t.nr == t.columns)
		t.columns = (unsigned int)t.nr + 1;	/* no whole row: print nothing */
	i = table_end(&t);
	return rc == DONE ? i : rc;
}

int cmd_ls(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info *stores;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, -1), i;
	size_t nr;

	if (rc >= 0)
		return rc;
	for (i = 0; i < argc; i++) {
		rc = parse_volume(tool, argv[i]);
		if (rc)
			return rc;
	}
	if (argc)
		return list_checkpoints(tool, argc, argv);
	if (tool_stores(tool, &stores, &nr))
		return FAILED;
	free(stores);
	return list_volumes(tool);
}
