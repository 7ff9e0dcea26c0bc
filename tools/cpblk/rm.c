// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk rm: deletes checkpoints, sets and ranges of them, and volumes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"

static const char about[] =
	"VOLUME@FIRST..LAST are all checkpoints of the volume from the one to the other, in\n"
	"the order they were taken; an end that is left out is the oldest or the newest.\n"
	"Others that share data with a deleted checkpoint keep it; what only it had\n"
	"becomes free space in the background. One that is attached or held is not\n"
	"deleted, and then nothing is.";

/**
 * struct set - what is to be deleted
 * @list: checkpoints
 * @nr: how many
 * @volumes: names of volumes that go with all their checkpoints
 * @nr_volumes: how many
 * @passed: checkpoints that were left out, as they are held or attached
 */
struct set {
	struct cpblk_checkpoint_info *list;
	size_t nr;
	const char **volumes;
	size_t nr_volumes;
	size_t passed;
};

/* Adds one, unless it is in the set already. */
static int add(struct set *set, const struct cpblk_checkpoint_info *c)
{
	struct cpblk_checkpoint_info *list;
	size_t i;

	for (i = 0; i < set->nr; i++) {
		if (set->list[i].id == c->id)
			return DONE;
	}
	/* Doubles at each power of two. */
	if (!(set->nr & (set->nr - 1))) {
		list = reallocarray(set->list, set->nr ? 2 * set->nr : 1,
				    sizeof(*list));
		if (!list)
			return refuse("out of memory");
		set->list = list;
	}
	set->list[set->nr++] = *c;
	return DONE;
}

/* ---- Ranges ---- */

/* Where a name splits into the ends of a range, if it does: at "..". */
static const char *range_dots(struct tool *tool, const char *store, const char *text)
{
	const char *at = strchr(text, '@'), *dots = at ? strstr(at, "..") : NULL;
	char volume[CPBLK_NAME_MAX + 1];
	struct cpblk_checkpoint_info c;

	/* Two dots are also fine in a name. */
	if (!dots || at - text > CPBLK_NAME_MAX)
		return NULL;
	memcpy(volume, text, (size_t)(at - text));
	volume[at - text] = '\0';
	if (name_is_valid(at + 1) &&
	    !cpblk_checkpoint_get(tool->link, store, volume, at + 1, 0, &c, NULL))
		return NULL;
	return dots;
}

/* The number at one end of a range; @len bytes of @end, none: @open. */
static int range_end(struct tool *tool, const char *store, const char *volume,
		     const char *end, size_t len, uint64_t open, uint64_t *id)
{
	char text[2 * OBJECT_MAX];
	struct cpblk_checkpoint_info c;
	int rc;

	*id = open;
	if (!len)
		return DONE;
	snprintf(text, sizeof(text), "%s@%.*s", volume, (int)len, end);
	rc = find_checkpoint(tool, store, text, &c);
	if (!rc)
		*id = c.id;
	return rc;
}

static int add_range(struct tool *tool, const char *store, const char *text,
		     const char *dots, struct set *set)
{
	struct cpblk_checkpoint_info *list;
	const char *at = strchr(text, '@');
	char volume[CPBLK_NAME_MAX + 1];
	struct cpblk_volume_info v;
	struct cpblk_error err;
	uint64_t first, last;
	size_t nr, i, before = set->nr;
	int rc;

	memcpy(volume, text, (size_t)(at - text));
	volume[at - text] = '\0';
	rc = parse_volume(tool, volume);
	if (!rc)
		rc = find_volume(tool, store, volume, &v);
	if (!rc)
		rc = range_end(tool, store, volume, at + 1, (size_t)(dots - at - 1), 1,
			       &first);
	if (!rc)
		rc = range_end(tool, store, volume, dots + 2, strlen(dots + 2),
			       UINT64_MAX, &last);
	if (rc)
		return rc;
	if (first > last)
		return refuse("'%s': the first one was taken after the last one", text);
	if (cpblk_checkpoint_list(tool->link, store, volume, &list, &nr, &err))
		return refuse("cannot list the checkpoints of %s: %s", volume, err.text);
	for (i = 0; i < nr && rc == DONE; i++) {
		if (!(list[i].flags & CPBLK_POINT_HIDDEN) && list[i].id >= first &&
		    list[i].id <= last)
			rc = add(set, &list[i]);
	}
	free(list);
	if (rc == DONE && set->nr == before)
		return refuse("'%s': there is no checkpoint in that range", text);
	return rc;
}

/* All but the newest @keep ones; those that can't be deleted are passed over. */
static int add_oldest(struct tool *tool, const char *store, const char *volume,
		      uint64_t keep, struct set *set)
{
	struct cpblk_checkpoint_info *list;
	struct cpblk_volume_info v;
	struct cpblk_error err;
	char label[OBJECT_MAX];
	uint64_t visible = 0;
	size_t nr, i;
	int rc;

	rc = parse_volume(tool, volume);
	if (!rc)
		rc = find_volume(tool, store, volume, &v);
	if (rc)
		return rc;
	if (cpblk_checkpoint_list(tool->link, store, volume, &list, &nr, &err))
		return refuse("cannot list the checkpoints of %s: %s", volume, err.text);
	for (i = 0; i < nr; i++)
		visible += !(list[i].flags & CPBLK_POINT_HIDDEN);
	for (i = 0; i < nr && visible > keep && rc == DONE; i++) {
		if (list[i].flags & CPBLK_POINT_HIDDEN)
			continue;
		visible--;
		if (!(list[i].flags & CPBLK_POINT_HELD) && !list[i].pins) {
			rc = add(set, &list[i]);
			continue;
		}
		set->passed++;
		if (!tool->json)
			printf("%s stays: it is %s%s%s\n",
			       checkpoint_label(&list[i], label),
			       list[i].flags & CPBLK_POINT_HELD ? "held" : "attached",
			       *list[i].hold ? ": " : "", show_text(list[i].hold));
	}
	free(list);
	return rc;
}

/* ---- Doing it ---- */

static int add_argument(struct tool *tool, const char *store, const char *text,
			bool volumes, struct set *set)
{
	const char *dots = range_dots(tool, store, text);
	struct cpblk_checkpoint_info c;
	struct cpblk_volume_info v;
	int rc;

	if (dots)
		return add_range(tool, store, text, dots, set);
	if (!volumes || strchr(text, '@') || text[0] == ':') {
		rc = find_checkpoint(tool, store, text, &c);
		return rc ? rc : add(set, &c);
	}
	rc = parse_volume(tool, text);
	if (!rc)
		rc = find_volume(tool, store, text, &v);
	if (!rc)
		set->volumes[set->nr_volumes++] = text;
	return rc;
}

/* All that goes: the checkpoints, and of the volumes their heads and all they have. */
static int gather(struct tool *tool, const char *store, const struct set *set,
		  struct set *all)
{
	struct cpblk_checkpoint_info *list;
	struct cpblk_volume_info v;
	struct cpblk_error err;
	size_t i, k, nr;
	int rc = DONE;

	for (i = 0; i < set->nr && rc == DONE; i++)
		rc = add(all, &set->list[i]);
	for (i = 0; i < set->nr_volumes && rc == DONE; i++) {
		rc = find_volume(tool, store, set->volumes[i], &v);
		if (rc == DONE)
			rc = add(all, &(struct cpblk_checkpoint_info){ .id = v.head_id });
		if (rc != DONE)
			break;
		if (cpblk_checkpoint_list(tool->link, store, v.name, &list, &nr, &err))
			return refuse("cannot list the checkpoints of %s: %s", v.name,
				      err.text);
		for (k = 0; k < nr && rc == DONE; k++) {
			if (!(list[k].flags & CPBLK_POINT_HIDDEN))
				rc = add(all, &list[k]);
		}
		free(list);
	}
	return rc;
}

/* What deleting the set would free. */
static int find_cost(struct tool *tool, const char *store, const struct set *set,
		     uint64_t *bytes)
{
	struct set all = { 0 };
	struct cpblk_error err;
	uint64_t *ids = NULL;
	size_t i;
	int rc = gather(tool, store, set, &all);

	if (rc == DONE)
		ids = calloc(all.nr + 1, sizeof(*ids));
	for (i = 0; i < all.nr && ids; i++)
		ids[i] = all.list[i].id;
	if (rc == DONE && !ids)
		rc = refuse("out of memory");
	else if (rc == DONE && cpblk_cost(tool->link, store, ids, all.nr, bytes, &err))
		rc = refuse("cannot find out what that would free: %s", err.text);
	free(ids);
	free(all.list);
	return rc;
}

/* @bytes: NULL, or what it would free: nothing was deleted. */
static int print_json(const struct set *set, const uint64_t *bytes)
{
	struct json_object *o = json_object_new_object();
	struct json_object *points = json_object_new_array();
	struct json_object *volumes = json_object_new_array();
	size_t i;

	for (i = 0; i < set->nr; i++)
		json_object_array_add(points, json_checkpoint(&set->list[i]));
	for (i = 0; i < set->nr_volumes; i++)
		json_object_array_add(volumes, json_object_new_string(set->volumes[i]));
	json_object_object_add(o, "checkpoints", points);
	json_object_object_add(o, "volumes", volumes);
	if (bytes)
		json_put_number(o, "would_free", *bytes);
	return json_print(o, false);
}

static void print_set(const struct set *set, const uint64_t *bytes)
{
	const char *is = bytes ? "would be deleted" : "is deleted";
	char label[OBJECT_MAX], size[TEXT_MAX];
	size_t i;

	for (i = 0; i < set->nr; i++)
		printf("%s %s\n", checkpoint_label(&set->list[i], label), is);
	for (i = 0; i < set->nr_volumes; i++)
		printf("volume %s %s\n", set->volumes[i], is);
	if (bytes)
		printf("%s would become free\n", show_size(*bytes, size));
}

static int can_go(const struct cpblk_checkpoint_info *c)
{
	char label[OBJECT_MAX];

	if (c->pins)
		return refuse("nothing is deleted: %s is attached; detach it first",
			      checkpoint_label(c, label));
	if (c->flags & CPBLK_POINT_HELD)
		return refuse("nothing is deleted: %s is held%s%s; release it first",
			      checkpoint_label(c, label), *c->hold ? ": " : "",
			      show_text(c->hold));
	return DONE;
}

/*
 * The driver refuses a request before it begins. What takes more than one is looked at
 * first, so that nothing is gone if one of them would be refused.
 */
static int look_first(struct tool *tool, const char *store, const struct set *set)
{
	struct cpblk_volume_info v;
	struct set all = { 0 };
	size_t i;
	int rc = gather(tool, store, set, &all);

	for (i = 0; i < all.nr && rc == DONE; i++)
		rc = can_go(&all.list[i]);
	for (i = 0; i < set->nr_volumes && rc == DONE; i++) {
		rc = find_volume(tool, store, set->volumes[i], &v);
		if (rc == DONE && v.open_count)
			rc = refuse("nothing is deleted: volume %s (/dev/%s) is in use",
				    v.name, v.device);
	}
	free(all.list);
	return rc;
}

static int delete_set(struct tool *tool, const char *store, const struct set *set)
{
	uint64_t *ids = calloc(set->nr + 1, sizeof(*ids));
	char label[OBJECT_MAX];
	struct cpblk_error err;
	size_t i;
	int rc = DONE;

	if (!ids)
		return refuse("out of memory");
	if (set->nr > CPBLK_DELETE_MAX || set->nr_volumes)
		rc = look_first(tool, store, set);
	if (rc) {
		free(ids);
		return rc;
	}
	for (i = 0; i < set->nr; i++)
		ids[i] = set->list[i].id;
	rc = cpblk_checkpoint_delete(tool->link, store, ids, set->nr, &err);
	free(ids);
	if (rc)
		return refuse("cannot delete %s%s: %s",
			      checkpoint_label(&set->list[0], label),
			      set->nr > 1 ? " and others" : "", err.text);
	for (i = 0; i < set->nr_volumes; i++) {
		if (cpblk_volume_remove(tool->link, store, set->volumes[i], 0, &err))
			return refuse("cannot remove volume %s: %s", set->volumes[i],
				      err.text);
	}
	return DONE;
}

/*
 * The driver reclaims at a pace that suits others. It is let go on with that; only
 * what is left at the end is asked for.
 */
static int wait_for_space(struct tool *tool, const char *store)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	char note[2 * TEXT_MAX], time[TEXT_MAX];
	struct cpblk_store_info s;
	struct cpblk_error err;
	int rc;

	for (;;) {
		rc = cpblk_store_get(tool->link, store, &s, &err);
		if (rc || !s.reclaim_points || s.state != CPBLK_STATE_ACTIVE)
			break;
		snprintf(note, sizeof(note), "%s%s", s.reclaim_ms ? ", about " : "",
			 s.reclaim_ms ? show_duration(s.reclaim_ms * 1000000, time) : "");
		if (bar_wanted())
			bar_show("reclaiming", s.reclaim_done,
				 s.reclaim_done + s.reclaim_left, note);
		nanosleep(&pause, NULL);
	}
	bar_end();
	if (!rc)
		rc = cpblk_store_sync(tool->link, store, CPBLK_SYNC_RECLAIM, &err);
	return rc ? refuse("cannot wait for the space: %s", err.text) : DONE;
}

int cmd_rm(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info store;
	uint64_t bytes = 0;
	struct number keep = { 0 };
	struct set set = { 0 };
	bool volumes = false, wait = false, dry_run = false;
	const struct option_row rows[] = {
		{ 0, "all-but-last", "N", "all of a VOLUME but the newest N",
		  OPTION_NUMBER, &keep },
		{ 0, "volumes", NULL, "a VOLUME goes, with its checkpoints",
		  OPTION_FLAG, &volumes },
		{ 'n', "dry-run", NULL, "only say what it would free", OPTION_FLAG,
		  &dry_run },
		{ 'w', "wait", NULL, "until the space is free", OPTION_FLAG, &wait },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, -1), i;

	if (rc >= 0)
		return rc;
	if (keep.given && volumes)
		return wrong_use(tool, "--all-but-last and --volumes exclude each other");
	if (tool_store(tool, &store))
		return FAILED;
	set.volumes = calloc((size_t)argc, sizeof(*set.volumes));
	rc = set.volumes ? DONE : refuse("out of memory");
	/* All of them first: VOLUME@HEAD~1 means another one after a deletion. */
	for (i = 0; i < argc && rc == DONE; i++)
		rc = keep.given ? add_oldest(tool, store.name, argv[i], keep.value, &set) :
				  add_argument(tool, store.name, argv[i], volumes, &set);
	if (rc == DONE)
		rc = dry_run ? find_cost(tool, store.name, &set, &bytes) :
			       delete_set(tool, store.name, &set);
	if (rc == DONE && tool->json)
		rc = print_json(&set, dry_run ? &bytes : NULL);
	else if (rc == DONE)
		print_set(&set, dry_run ? &bytes : NULL);
	if (rc == DONE && wait && !dry_run)
		rc = wait_for_space(tool, store.name);
	free(set.list);
	free(set.volumes);
	return rc;
}
