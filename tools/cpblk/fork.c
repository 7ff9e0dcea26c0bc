// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk fork: makes volumes from a checkpoint.
 */
#include <stdlib.h>

#include "tool.h"

static const char about[] =
	"Each new volume begins with the content of CHECKPOINT and shares its data with\n"
	"it; each pays for what it changes. Up to 200 are made at once, all or none; more\n"
	"so many at a time. To fork a live disk, take a checkpoint of it first, and fork\n"
	"VOLUME@HEAD.";

static struct json_object *json_made(const struct cpblk_member *m)
{
	struct json_object *o = json_object_new_object();
	char uuid[TEXT_MAX];

	json_put_string(o, "volume", m->volume);
	json_put_number(o, "volume_id", m->volume_id);
	json_put_string(o, "uuid", show_uuid(m->uuid, uuid));
	json_put_string(o, "device", m->device);
	return o;
}

static void print_made(const char *store, const struct cpblk_checkpoint_info *c,
		       const struct cpblk_member *m)
{
	char label[OBJECT_MAX], size[TEXT_MAX];

	printf("volume %s: %s, %s, from %s\n", m->volume, show_size(c->size, size),
	       device_link(store, m->volume, m->device), checkpoint_label(c, label));
}

/* So many at a time; what was made is printed before the next are. */
static int fork_some(struct tool *tool, const char *store,
		     const struct cpblk_checkpoint_info *c, int nr, char **names,
		     unsigned int flags, struct json_object *list)
{
	struct cpblk_member *made;
	struct cpblk_error err;
	char label[OBJECT_MAX];
	int i;

	if (cpblk_fork_many(tool->link, store, c->id, (const char *const *)names,
			    (size_t)nr, flags, &made, &err))
		return refuse("cannot fork %s as %s%s: %s", checkpoint_label(c, label),
			      names[0], nr > 1 ? " and others" : "", err.text);
	for (i = 0; i < nr; i++) {
		if (list)
			json_object_array_add(list, json_made(&made[i]));
		else
			print_made(store, c, &made[i]);
	}
	free(made);
	return DONE;
}

static int fork_all(struct tool *tool, const char *store,
		    const struct cpblk_checkpoint_info *c, int nr, char **names,
		    unsigned int flags, struct json_object *list)
{
	int rc = DONE, some;

	for (; nr && rc == DONE; nr -= some, names += some) {
		some = nr < CPBLK_MEMBERS_MAX ? nr : CPBLK_MEMBERS_MAX;
		rc = fork_some(tool, store, c, some, names, flags, list);
	}
	return rc;
}

/* One is printed as an object, as it always was; several as a list. */
static int print_list(struct json_object *list)
{
	struct json_object *first;

	if (json_object_array_length(list) != 1)
		return json_print(list, false);
	first = json_object_get(json_object_array_get_idx(list, 0));
	json_object_put(list);
	return json_print(first, false);
}

int cmd_fork(struct tool *tool, int argc, char **argv)
{
	struct cpblk_checkpoint_info checkpoint;
	bool readonly = false, noscan = false;
	struct json_object *list = NULL;
	struct cpblk_store_info store;
	const struct option_row rows[] = {
		{ 'r', "read-only", NULL, "the new volumes' disks take no writes",
		  OPTION_FLAG, &readonly },
		{ 0, "no-scan", NULL, "keep blkid and udev from looking at the disks",
		  OPTION_FLAG, &noscan },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, -1), i;

	if (rc >= 0)
		return rc;
	for (i = 1; i < argc; i++) {
		rc = parse_volume(tool, argv[i]);
		if (rc)
			return rc;
	}
	if (tool_store(tool, &store))
		return FAILED;
	rc = find_checkpoint(tool, store.name, argv[0], &checkpoint);
	if (rc)
		return rc;
	if (tool->json)
		list = json_object_new_array();
	rc = fork_all(tool, store.name, &checkpoint, argc - 1, argv + 1,
		      (readonly ? CPBLK_VOLUME_READONLY : 0) |
		      (noscan ? CPBLK_VOLUME_NOSCAN : 0), list);
	if (list && rc == DONE)
		return print_list(list);
	json_object_put(list);
	return rc;
}
