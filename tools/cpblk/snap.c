// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk snap: takes checkpoints.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "retention.h"
#include "tool.h"

static const char about[] =
	"It is durable when the command comes back. Without a name each gets its\n"
	"volume's next one: v1, v2, and so on. Several volumes are frozen at the same\n"
	"instant, all or none. The time printed is the kernel's, until all was durable.";

/*
 * Splits VOLUME@NAME in place. All volumes get the same name, so only one
 * name makes sense.
 */
static int take_names(const struct tool *tool, int argc, char **argv,
		      const char **name)
{
	char *at;
	int i, rc;

	for (i = 0; i < argc; i++) {
		at = strchr(argv[i], '@');
		if (at) {
			*at = '\0';
			if (*name && strcmp(*name, at + 1))
				return wrong_use(tool, "'%s' and '%s': all checkpoints get the same name",
						 *name, at + 1);
			*name = at + 1;
		}
		rc = parse_volume(tool, argv[i]);
		if (rc)
			return rc;
	}
	if (*name && !name_is_valid(*name))
		return bad_name(tool, "checkpoint", *name);
	return DONE;
}

static int report(const struct tool *tool, const struct cpblk_snap *snap)
{
	struct json_object *json, *list, *o;
	char total[TEXT_MAX];
	size_t i;

	if (!tool->json) {
		for (i = 0; i < snap->nr_taken; i++)
			printf("%s@%s%s", snap->taken[i].volume,
			       snap->taken[i].name,
			       i + 1 < snap->nr_taken ? " " : "");
		printf("  (durable after %s)\n",
		       show_duration(snap->total_ns, total));
		return DONE;
	}
	json = json_object_new_object();
	list = json_object_new_array();
	for (i = 0; i < snap->nr_taken; i++) {
		o = json_object_new_object();
		json_put_string(o, "volume", snap->taken[i].volume);
		json_put_number(o, "volume_id", snap->taken[i].volume_id);
		json_put_string(o, "checkpoint", snap->taken[i].name);
		json_put_number(o, "checkpoint_id", snap->taken[i].id);
		json_object_array_add(list, o);
	}
	json_object_object_add(json, "checkpoints", list);
	json_put_number(json, "total_ns", snap->total_ns);
	return json_print(json, false);
}

/* What no rule keeps any more goes; without a policy, all stay. */
static int prune_one(struct tool *tool, const char *store, const char *name)
{
	struct json_object *unseen = tool->json ? json_object_new_array() : NULL;
	struct cpblk_volume_info volume;
	int rc = find_volume(tool, store, name, &volume);

	if (rc == DONE && !retention_empty(&volume.policy))
		rc = prune_volume(tool, &volume, false, false, unseen);
	json_object_put(unseen);
	return rc;
}

int cmd_snap(struct tool *tool, int argc, char **argv)
{
	struct cpblk_snap snap = { 0 };
	struct cpblk_store_info store;
	struct cpblk_error err;
	bool automatic = false, prune = false;
	int i;
	const struct option_row rows[] = {
		{ 'n', "name", "NAME", "name of the checkpoints", OPTION_STRING,
		  &snap.name },
		{ 'm', "message", "TEXT", "what there is to say of them",
		  OPTION_STRING, &snap.message },
		{ 0, "auto", NULL, "mark them as made by a program, not a person",
		  OPTION_FLAG, &automatic },
		{ 0, "prune", NULL, "then apply the volumes' policies", OPTION_FLAG,
		  &prune },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, -1);

	if (rc >= 0)
		return rc;
	rc = take_names(tool, argc, argv, &snap.name);
	if (rc)
		return rc;
	if (snap.message && strlen(snap.message) > CPBLK_MESSAGE_MAX)
		return wrong_use(tool, "the message is too long: at most %d bytes",
				 CPBLK_MESSAGE_MAX);
	if (tool_store(tool, &store))
		return FAILED;
	snap.volumes = (const char *const *)argv;
	snap.nr = (size_t)argc;
	snap.flags = automatic ? CPBLK_SNAP_AUTO : 0;
	if (cpblk_snap(tool->link, store.name, &snap, &err))
		return refuse("cannot take a checkpoint of %s%s: %s", argv[0],
			      argc > 1 ? " and others" : "", err.text);
	rc = report(tool, &snap);
	free(snap.taken);
	for (i = 0; i < argc && prune && rc == DONE; i++)
		rc = prune_one(tool, store.name, argv[i]);
	return rc;
}
