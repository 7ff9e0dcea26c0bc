// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk log: draws the history.
 */
#include <stdlib.h>

#include "tool.h"

static const char about[] =
	"Newest first; o is a live disk, * a checkpoint, x one that is deleted but that\n"
	"others still share data through. Behind the name: age, what was written since\n"
	"the point below, and the message. With VOLUME only its own line, and what that\n"
	"comes from.";

static const struct cpblk_checkpoint_info *find_id(const struct history *h,
						    uint64_t id)
{
	size_t low = 0, high = h->nr_checkpoints, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (h->checkpoints[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < h->nr_checkpoints && h->checkpoints[low].id == id)
		return &h->checkpoints[low];
	return NULL;
}

/* Marks what a line comes from, up to what is marked already. */
static void mark_line(const struct history *h, bool *marks, uint64_t id)
{
	const struct cpblk_checkpoint_info *c;

	for (c = find_id(h, id); c && !marks[c - h->checkpoints];
	     c = find_id(h, c->parent_id))
		marks[c - h->checkpoints] = true;
}

static int print_json(const struct history *h)
{
	struct json_object *o, *heads, *checkpoints;
	bool *marks = calloc(h->nr_checkpoints + 1, sizeof(*marks));
	size_t i;

	if (!marks)
		return refuse("out of memory");
	o = json_object_new_object();
	heads = json_object_new_array();
	checkpoints = json_object_new_array();
	for (i = 0; i < h->nr_volumes; i++) {
		if (h->only && h->volumes[i].id != h->only)
			continue;
		json_object_array_add(heads, json_volume(&h->volumes[i]));
		mark_line(h, marks, h->volumes[i].parent_id);
	}
	for (i = 0; i < h->nr_checkpoints; i++) {
		if (!h->only || h->checkpoints[i].volume_id == h->only)
			mark_line(h, marks, h->checkpoints[i].id);
	}
	for (i = 0; i < h->nr_checkpoints; i++) {
		if (marks[i])
			json_object_array_add(checkpoints,
					      json_checkpoint(&h->checkpoints[i]));
	}
	free(marks);
	json_object_object_add(o, "heads", heads);
	json_object_object_add(o, "checkpoints", checkpoints);
	return json_print(o, false);
}

int cmd_log(struct tool *tool, int argc, char **argv)
{
	struct cpblk_checkpoint_info *checkpoints = NULL;
	struct cpblk_volume_info *volumes = NULL, only;
	struct history h = { .now = time_now() };
	struct cpblk_store_info store;
	struct cpblk_error err;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, 1);

	if (rc >= 0)
		return rc;
	rc = argc ? parse_volume(tool, argv[0]) : DONE;
	if (rc)
		return rc;
	if (tool_store(tool, &store))
		return FAILED;
	if (argc) {
		if (find_volume(tool, store.name, argv[0], &only))
			return FAILED;
		h.only = only.id;
	}
	if (cpblk_checkpoint_list(tool->link, store.name, NULL, &checkpoints,
				  &h.nr_checkpoints, &err) ||
	    cpblk_volume_list(tool->link, store.name, &volumes, &h.nr_volumes,
			      &err)) {
		rc = refuse("cannot read the history of store %s: %s", store.name,
			    err.text);
	} else {
		h.checkpoints = checkpoints;
		h.volumes = volumes;
		rc = tool->json ? print_json(&h) : history_draw(&h);
	}
	free(checkpoints);
	free(volumes);
	return rc;
}
