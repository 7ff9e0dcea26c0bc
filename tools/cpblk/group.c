// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk group: which volumes belong together; and what other commands do with
 * @GROUP.
 */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char about[] =
	"Without arguments: all groups. With @GROUP: its volumes; with VOLUMEs: puts them\n"
	"into it, and takes them out of the one they were in. 'snap', 'restore' and\n"
	"'undo' take @GROUP in the place of its volumes, and do all or none of them at\n"
	"one instant.";

bool is_group(const char *text)
{
	return text[0] == '@';
}

int parse_group(const struct tool *tool, const char *text, struct object *o)
{
	const char *at = strchr(text + 1, '@');
	size_t len = at ? (size_t)(at - text - 1) : strlen(text + 1);

	memset(o, 0, sizeof(*o));
	if (len <= CPBLK_NAME_MAX)
		memcpy(o->volume, text + 1, len);
	if (!name_is_valid(o->volume))
		return bad_name(tool, "group", text);
	if (!at)
		return DONE;
	if (!name_is_valid(at + 1))
		return bad_name(tool, "checkpoint", at + 1);
	memcpy(o->name, at + 1, strlen(at + 1));
	return DONE;
}

int find_group(struct tool *tool, const char *store, const char *group,
	       struct cpblk_volume_info **list, size_t *nr)
{
	struct cpblk_error err;
	size_t all, i;

	if (cpblk_volume_list(tool->link, store, list, &all, &err))
		return refuse("cannot list the volumes: %s", err.text);
	*nr = 0;
	for (i = 0; i < all; i++) {
		if (!strcmp((*list)[i].group, group))
			(*list)[(*nr)++] = (*list)[i];
	}
	if (*nr)
		return DONE;
	free(*list);
	*list = NULL;
	return refuse("no volume of store %s belongs to group '%s'; 'cpblk group' lists all",
		      store, group);
}

/* ---- Restoring one ---- */

/** struct targets - which checkpoint each volume gets */
struct targets {
	const char **volumes;
	uint64_t *ids;
};

static int find_targets(struct tool *tool, const char *store, const char *name,
			const struct cpblk_volume_info *v, size_t nr,
			struct targets *t)
{
	struct cpblk_checkpoint_info c;
	struct cpblk_error err;
	size_t i;

	for (i = 0; i < nr; i++) {
		t->volumes[i] = v[i].name;
		if (!name && !v[i].undo_id)
			return refuse("volume %s has no restore to undo, so nothing is undone",
				      v[i].name);
		if (cpblk_checkpoint_get(tool->link, store, name ? v[i].name : NULL,
					 name, name ? 0 : v[i].undo_id, &c, &err))
			return refuse("volume %s is not restored, nor are the others: %s",
				      v[i].name, err.text);
		if (c.flags & CPBLK_POINT_HIDDEN)
			return refuse("the safety checkpoint of volume %s's last restore is deleted, so nothing is undone",
				      v[i].name);
		t->ids[i] = c.id;
	}
	return DONE;
}

static struct json_object *json_member(const struct cpblk_member *m)
{
	struct json_object *o = json_object_new_object();

	json_put_string(o, "volume", m->volume);
	json_put_string(o, "device", m->device);
	json_put_string(o, "checkpoint", m->checkpoint);
	json_put_number(o, "checkpoint_id", m->checkpoint_id);
	json_put_safety(o, m->safety, m->safety_id);
	json_put_number(o, "size", m->size);
	json_put_number(o, "generation", m->generation);
	return o;
}

static int report(const struct tool *tool, const char *group,
		  const struct cpblk_restore_many *r)
{
	struct json_object *o, *list;
	char freeze[TEXT_MAX], total[TEXT_MAX];
	size_t i;

	if (tool->json) {
		o = json_object_new_object();
		list = json_object_new_array();
		for (i = 0; i < r->nr_members; i++)
			json_object_array_add(list, json_member(&r->members[i]));
		json_object_object_add(o, "volumes", list);
		json_put_number(o, "freeze_ns", r->freeze_ns);
		json_put_number(o, "total_ns", r->total_ns);
		return json_print(o, false);
	}
	for (i = 0; i < r->nr_members; i++)
		printf("%s is %s@%s now\n", r->members[i].volume,
		       r->members[i].volume, r->members[i].checkpoint);
	printf("(%s, durable after %s)\n", show_duration(r->freeze_ns, freeze),
	       show_duration(r->total_ns, total));
	if (r->nr_members && r->members[0].safety_id)
		printf("what they held is @%s@%s: 'cpblk undo @%s' goes back\n", group,
		       r->members[0].safety, group);
	return DONE;
}

int restore_group(struct tool *tool, const char *store, const char *group,
		  const char *name, unsigned int flags)
{
	struct cpblk_restore_many r = { .flags = flags };
	struct cpblk_volume_info *v;
	struct cpblk_error err;
	struct targets t;
	int rc = find_group(tool, store, group, &v, &r.nr);

	if (rc)
		return rc;
	t.volumes = calloc(r.nr, sizeof(*t.volumes));
	t.ids = calloc(r.nr, sizeof(*t.ids));
	if (t.volumes && t.ids)
		rc = find_targets(tool, store, name, v, r.nr, &t);
	else
		rc = refuse("out of memory");
	r.volumes = t.volumes;
	r.ids = t.ids;
	if (!rc) {
		rc = cpblk_restore_many(tool->link, store, &r, &err) ?
		     refuse("cannot restore group '%s': %s", group, err.text) :
		     report(tool, group, &r);
		free(r.members);
	}
	free(t.volumes);
	free(t.ids);
	free(v);
	return rc;
}

/* ---- The command ---- */

static int compare(const void *a, const void *b)
{
	const struct cpblk_volume_info *v = a, *w = b;
	int by_store = strcmp(v->store, w->store), by_group = strcmp(v->group, w->group);

	return by_store ? by_store : by_group ? by_group : strcmp(v->name, w->name);
}

static int show(struct tool *tool, struct cpblk_volume_info *v, size_t nr)
{
	struct json_object *list = NULL, *o;
	struct table t = { .columns = 3 };
	size_t i, n = 0;

	qsort(v, nr, sizeof(*v), compare);
	if (tool->json)
		list = json_object_new_array();
	for (i = 0; i < nr; i++) {
		if (!v[i].group[0])
			continue;
		if (list) {
			o = json_object_new_object();
			json_put_string(o, "store", v[i].store);
			json_put_string(o, "group", v[i].group);
			json_put_string(o, "volume", v[i].name);
			json_object_array_add(list, o);
			continue;
		}
		if (!n++) {
			table_cell(&t, "STORE");
			table_cell(&t, "GROUP");
			table_cell(&t, "VOLUME");
		}
		table_cell(&t, "%s", v[i].store);
		table_cell(&t, "%s", v[i].group);
		table_cell(&t, "%s", v[i].name);
	}
	return list ? json_print(list, false) : table_end(&t);
}

static int list_groups(struct tool *tool, const char *group)
{
	struct cpblk_store_info store, *stores;
	struct cpblk_volume_info *v;
	struct cpblk_error err;
	size_t nr;
	int rc;

	if (group) {
		if (tool_store(tool, &store))
			return FAILED;
		rc = find_group(tool, store.name, group, &v, &nr);
		if (rc)
			return rc;
	} else {
		if (tool_stores(tool, &stores, &nr))
			return FAILED;
		free(stores);
		if (cpblk_volume_list(tool->link, tool->store, &v, &nr, &err))
			return refuse("cannot list the volumes: %s", err.text);
	}
	rc = show(tool, v, nr);
	free(v);
	return rc;
}

static int set_group(struct tool *tool, int argc, char **argv, const char *group)
{
	struct cpblk_store_info store;
	struct cpblk_error err;
	int i, rc;

	for (i = 0; i < argc; i++) {
		rc = parse_volume(tool, argv[i]);
		if (rc)
			return rc;
	}
	if (tool_store(tool, &store))
		return FAILED;
	if (cpblk_group_set(tool->link, store.name, (const char *const *)argv,
			    (size_t)argc, group, &err))
		return refuse("the volumes' group is not changed: %s", err.text);
	return DONE;
}

int cmd_group(struct tool *tool, int argc, char **argv)
{
	bool clear = false;
	struct object o;
	const struct option_row rows[] = {
		{ 0, "clear", NULL, "take volumes out of their group", OPTION_FLAG,
		  &clear },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, -1);

	if (rc >= 0)
		return rc;
	if (clear)
		return argc ? set_group(tool, argc, argv, NULL) :
			      wrong_use(tool, "which volumes?");
	if (!argc)
		return list_groups(tool, NULL);
	if (!is_group(argv[0]))
		return wrong_use(tool, "'%s' is not a group: those begin with @", argv[0]);
	rc = parse_group(tool, argv[0], &o);
	if (rc)
		return rc;
	if (o.name[0])
		return wrong_use(tool, "'%s' is a checkpoint, and a group is wanted",
				 argv[0]);
	return argc == 1 ? list_groups(tool, o.volume) :
			   set_group(tool, argc - 1, argv + 1, o.volume);
}
