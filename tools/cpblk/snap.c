// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk snap: takes checkpoints.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mounts.h"
#include "retention.h"
#include "tool.h"

static const char about[] =
	"It is durable when the command comes back. Without a name each gets its\n"
	"volume's next one: v1, v2, and so on. Several volumes, or all of a group, are\n"
	"frozen at the same instant, all or none. The time printed is the kernel's, until\n"
	"all was durable. With --freeze, filesystems that this host has mounted from them\n"
	"are frozen for that moment, so that the checkpoints hold all that was written to\n"
	"files.";

/* The one name that all checkpoints get, which may be given more than once. */
static int take_name(const struct tool *tool, const char *given, const char **name)
{
	if (*name && strcmp(*name, given))
		return wrong_use(tool, "'%s' and '%s': all checkpoints get the same name",
				 *name, given);
	*name = given;
	return DONE;
}

/*
 * Splits VOLUME@NAME and @GROUP@NAME in place. All volumes get the same name, so
 * only one name makes sense.
 */
static int take_names(const struct tool *tool, int argc, char **argv,
		      const char **name)
{
	char *at;
	int i, rc;

	for (i = 0; i < argc; i++) {
		at = strchr(argv[i] + is_group(argv[i]), '@');
		if (at) {
			*at = '\0';
			rc = take_name(tool, at + 1, name);
			if (rc)
				return rc;
		}
		if (is_group(argv[i]))
			continue;
		rc = parse_volume(tool, argv[i]);
		if (rc)
			return rc;
	}
	if (*name && !name_is_valid(*name))
		return bad_name(tool, "checkpoint", *name);
	return DONE;
}

/** struct names - of volumes, each once */
struct names {
	char **name;
	size_t nr;
};

static void free_names(struct names *n)
{
	while (n->nr)
		free(n->name[--n->nr]);
	free(n->name);
}

static int add_name(struct names *n, const char *name)
{
	char **grown;
	size_t i;

	for (i = 0; i < n->nr; i++) {
		if (!strcmp(n->name[i], name))
			return DONE;
	}
	grown = reallocarray(n->name, n->nr + 1, sizeof(*grown));
	if (!grown)
		return refuse("out of memory");
	n->name = grown;
	grown[n->nr] = strdup(name);
	if (!grown[n->nr])
		return refuse("out of memory");
	n->nr++;
	return DONE;
}

static int add_group(struct tool *tool, const char *store, const char *text,
		     struct names *n)
{
	struct cpblk_volume_info *v;
	struct object o;
	size_t nr, i;
	int rc = parse_group(tool, text, &o);

	if (!rc)
		rc = find_group(tool, store, o.volume, &v, &nr);
	if (rc)
		return rc;
	for (i = 0; i < nr && !rc; i++)
		rc = add_name(n, v[i].name);
	free(v);
	return rc;
}

/* The volumes that the arguments stand for. */
static int expand(struct tool *tool, const char *store, int argc, char **argv,
		  struct names *n)
{
	int i, rc = DONE;

	for (i = 0; i < argc && !rc; i++)
		rc = is_group(argv[i]) ? add_group(tool, store, argv[i], n) :
					 add_name(n, argv[i]);
	return rc;
}

/* Which filesystems were frozen, and for how long. */
static struct json_object *json_frozen(const struct freeze *f)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < f->mounts.nr; i++)
		json_object_array_add(list, json_object_new_string(
			mnt_fs_get_target(f->mounts.fs[i])));
	return list;
}

static void print_frozen(const struct freeze *f)
{
	char time[TEXT_MAX];
	size_t i;

	if (!f->mounts.nr) {
		printf("nothing was frozen: this host has no filesystem mounted from there\n");
		return;
	}
	printf("frozen for %s:", show_duration(f->ns, time));
	for (i = 0; i < f->mounts.nr; i++)
		printf(" %s", show_text(mnt_fs_get_target(f->mounts.fs[i])));
	putchar('\n');
}

/* @f: NULL if nothing was to be frozen */
static int report(const struct tool *tool, const struct cpblk_snap *snap,
		  const struct freeze *f)
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
		if (f)
			print_frozen(f);
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
	if (f) {
		json_object_object_add(json, "frozen", json_frozen(f));
		json_put_number(json, "frozen_ns", f->ns);
	}
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

/* The filesystems of all volumes. */
static int freeze_volumes(struct tool *tool, const char *store,
			  const struct cpblk_snap *snap, unsigned int limit,
			  struct freeze *f)
{
	struct cpblk_volume_info *volumes = calloc(snap->nr, sizeof(*volumes));
	const char **devices = calloc(snap->nr, sizeof(*devices));
	int rc = DONE;
	size_t i;

	if (!volumes || !devices)
		rc = refuse("out of memory");
	for (i = 0; i < snap->nr && rc == DONE; i++) {
		rc = find_volume(tool, store, snap->volumes[i], &volumes[i]);
		devices[i] = volumes[i].device;
	}
	if (rc == DONE)
		rc = freeze_begin(f, devices, snap->nr, limit);
	free(devices);
	free(volumes);
	return rc;
}

/* Nothing is printed while a filesystem is frozen: it may be where that goes. */
static int take(struct tool *tool, const char *store, struct cpblk_snap *snap,
		const struct number *limit)
{
	struct freeze freeze = { .link = -1 };
	struct cpblk_error err;
	int rc = DONE, failed;

	if (limit)
		rc = freeze_volumes(tool, store, snap, (unsigned int)limit->value,
				    &freeze);
	if (rc == DONE) {
		failed = cpblk_snap(tool->link, store, snap, &err);
		rc = freeze_end(&freeze);
		if (failed)
			rc = refuse("cannot take a checkpoint of %s%s: %s",
				    snap->volumes[0],
				    snap->nr > 1 ? " and others" : "", err.text);
		else if (rc)
			refuse("the time limit for freezing, %u s, passed before the checkpoint was there: it is as after a power cut",
			       freeze.limit);
		if (!failed && report(tool, snap, limit ? &freeze : NULL))
			rc = FAILED;
	}
	freeze_free(&freeze);
	return rc;
}

int cmd_snap(struct tool *tool, int argc, char **argv)
{
	struct cpblk_snap snap = { 0 };
	struct cpblk_store_info store;
	bool automatic = false, prune = false, freeze = false;
	struct number limit = { FREEZE_LIMIT, false };
	struct names names = { 0 };
	size_t i;
	const struct option_row rows[] = {
		{ 'n', "name", "NAME", "name of the checkpoints", OPTION_STRING,
		  &snap.name },
		{ 'm', "message", "TEXT", "what there is to say of them",
		  OPTION_STRING, &snap.message },
		{ 0, "auto", NULL, "mark them as made by a program, not a person",
		  OPTION_FLAG, &automatic },
		{ 0, "prune", NULL, "then apply the volumes' policies", OPTION_FLAG,
		  &prune },
		{ 0, "freeze", NULL, "freeze mounted filesystems meanwhile",
		  OPTION_FLAG, &freeze },
		{ 0, "freeze-limit", "SECONDS", "for how long at most; 10 by default",
		  OPTION_NUMBER, &limit },
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
	if (!limit.value || limit.value > FREEZE_LIMIT_MAX)
		return wrong_use(tool, "the time limit for freezing is 1 to %d seconds",
				 FREEZE_LIMIT_MAX);
	if (tool_store(tool, &store))
		return FAILED;
	rc = expand(tool, store.name, argc, argv, &names);
	if (rc) {
		free_names(&names);
		return rc;
	}
	snap.volumes = (const char *const *)names.name;
	snap.nr = names.nr;
	snap.flags = automatic ? CPBLK_SNAP_AUTO : 0;
	rc = take(tool, store.name, &snap, freeze || limit.given ? &limit : NULL);
	free(snap.taken);
	for (i = 0; i < names.nr && prune && rc == DONE; i++)
		rc = prune_one(tool, store.name, names.name[i]);
	free_names(&names);
	return rc;
}
