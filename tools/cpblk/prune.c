// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk prune: applies volumes' policies, and says why.
 */
#include <stdlib.h>

#include "retention.h"
#include "tool.h"

static const char about[] =
	"Without VOLUME: all volumes that have a policy. A checkpoint that is held or\n"
	"attached is kept, and so is the one that 'undo' goes back to. Checkpoints that a\n"
	"restore made do not count among the last ones, and stand for an hour, day, week or\n"
	"month only if there is no other.";

/**
 * struct plan - the checkpoints of one volume, and what becomes of them
 * @list: all that are not deleted, in the order they were taken
 * @fate: what becomes of each
 * @nr: how many
 * @ids: of those that go
 * @nr_ids: how many
 * @bytes: what that frees, where it was asked for
 */
struct plan {
	struct cpblk_checkpoint_info *list;
	struct candidate *fate;
	size_t nr;
	uint64_t *ids;
	size_t nr_ids;
	uint64_t bytes;
};

static void plan_free(struct plan *p)
{
	free(p->list);
	free(p->fate);
	free(p->ids);
}

static int make_plan(struct tool *tool, const struct cpblk_volume_info *v,
		     struct plan *p)
{
	struct cpblk_error err;
	size_t nr, i;

	if (cpblk_checkpoint_list(tool->link, v->store, v->name, &p->list, &nr, &err))
		return refuse("cannot list the checkpoints of %s: %s", v->name, err.text);
	p->fate = calloc(nr + 1, sizeof(*p->fate));
	p->ids = calloc(nr + 1, sizeof(*p->ids));
	if (!p->fate || !p->ids)
		return refuse("out of memory");
	for (i = 0; i < nr; i++) {
		if (!(p->list[i].flags & CPBLK_POINT_HIDDEN))
			p->list[p->nr++] = p->list[i];
	}
	for (i = 0; i < p->nr; i++) {
		const struct cpblk_checkpoint_info *c = &p->list[i];

		p->fate[i].time = c->time;
		p->fate[i].hold = c->flags & CPBLK_POINT_HELD ? c->hold : NULL;
		p->fate[i].attached = c->pins;
		p->fate[i].safety = c->flags & CPBLK_POINT_SAFETY;
		p->fate[i].undo = c->id == v->undo_id;
	}
	retention_decide(&v->policy, time_now(), p->fate, p->nr);
	for (i = 0; i < p->nr; i++) {
		if (!p->fate[i].keep)
			p->ids[p->nr_ids++] = p->list[i].id;
	}
	return DONE;
}

static void add_json(const struct plan *p, struct json_object *list)
{
	struct json_object *o;
	size_t i;

	for (i = 0; i < p->nr; i++) {
		o = json_object_new_object();
		json_put_string(o, "volume", p->list[i].volume);
		json_put_string(o, "checkpoint", p->list[i].name);
		json_put_number(o, "checkpoint_id", p->list[i].id);
		json_put_string(o, "decision", p->fate[i].keep ? "keep" : "delete");
		json_put_string(o, "reason", p->fate[i].reason);
		json_object_array_add(list, o);
	}
}

static int print_plan(const struct plan *p, bool kept)
{
	struct table t = { .columns = 3 };
	char label[OBJECT_MAX];
	size_t i;

	for (i = 0; i < p->nr; i++) {
		if (p->fate[i].keep && !kept)
			continue;
		table_cell(&t, "%s", checkpoint_label(&p->list[i], label));
		table_cell(&t, "%s", p->fate[i].keep ? "keep" : "delete");
		table_cell(&t, "%s", show_text(p->fate[i].reason));
	}
	return table_end(&t);
}

int prune_volume(struct tool *tool, const struct cpblk_volume_info *v, bool dry_run,
		 bool explain, struct json_object *json)
{
	struct plan p = { 0 };
	struct cpblk_error err;
	char size[TEXT_MAX];
	int rc = make_plan(tool, v, &p);

	if (!rc && dry_run && p.nr_ids <= CPBLK_COST_MAX &&
	    cpblk_cost(tool->link, v->store, p.ids, p.nr_ids, &p.bytes, &err))
		rc = refuse("cannot find out what pruning %s would free: %s", v->name,
			    err.text);
	if (!rc && !dry_run && p.nr_ids &&
	    cpblk_checkpoint_delete(tool->link, v->store, p.ids, p.nr_ids, &err))
		rc = refuse("cannot prune %s: %s", v->name, err.text);
	if (!rc && json)
		add_json(&p, json);
	else if (!rc)
		rc = print_plan(&p, explain);
	if (!rc && !json && explain)
		printf("%s: %zu %s, %zu kept\n", v->name, p.nr_ids,
		       dry_run ? "would be deleted" : "deleted", p.nr - p.nr_ids);
	if (!rc && !json && dry_run && p.nr_ids <= CPBLK_COST_MAX)
		printf("%s would become free\n", show_size(p.bytes, size));
	plan_free(&p);
	return rc;
}

int cmd_prune(struct tool *tool, int argc, char **argv)
{
	struct json_object *json = NULL;
	struct cpblk_volume_info *list = NULL, one;
	struct cpblk_store_info store;
	struct cpblk_error err;
	bool dry_run = false;
	size_t nr = 0, i;
	const struct option_row rows[] = {
		{ 'n', "dry-run", NULL, "only say what would be deleted, and why",
		  OPTION_FLAG, &dry_run },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, -1), arg;

	if (rc >= 0)
		return rc;
	for (arg = 0; arg < argc; arg++) {
		rc = parse_volume(tool, argv[arg]);
		if (rc)
			return rc;
	}
	if (tool_store(tool, &store))
		return FAILED;
	/* First that all of them are there and have a policy. */
	for (rc = DONE, arg = 0; arg < argc && rc == DONE; arg++) {
		rc = find_volume(tool, store.name, argv[arg], &one);
		if (rc == DONE && retention_empty(&one.policy))
			rc = refuse("volume %s has no policy; 'cpblk policy %s' sets one",
				    argv[arg], argv[arg]);
	}
	if (rc)
		return rc;
	if (tool->json)
		json = json_object_new_array();
	if (!argc && cpblk_volume_list(tool->link, store.name, &list, &nr, &err))
		rc = refuse("cannot list the volumes: %s", err.text);
	for (i = 0; i < nr && rc == DONE; i++) {
		if (!retention_empty(&list[i].policy))
			rc = prune_volume(tool, &list[i], dry_run, true, json);
	}
	for (arg = 0; arg < argc && rc == DONE; arg++) {
		rc = find_volume(tool, store.name, argv[arg], &one);
		if (rc == DONE)
			rc = prune_volume(tool, &one, dry_run, true, json);
	}
	free(list);
	if (json && rc == DONE)
		return json_print(json, false);
	json_object_put(json);
	return rc;
}
