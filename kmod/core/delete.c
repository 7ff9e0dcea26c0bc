// SPDX-License-Identifier: GPL-2.0
/*
 * Deleting checkpoints and removing volumes.
 *
 * All that is done here is to hide: the name goes, the place in the history
 * stays, nothing is allocated but room in the journal, and what a commit takes to
 * write that back. What that frees is found by reap.c.
 */
#include "engine.h"

static int deletable(struct cpb_point *p, char *why)
{
	if (!cpb_visible(p))
		return cpb_refuse(-ENOENT, why, "that checkpoint was deleted");
	if (p->pins)
		return cpb_refuse(-EBUSY, why, "checkpoint '%s' is attached: detach it first",
				  p->text);
	if (p->hold && *p->hold)
		return cpb_refuse(-EBUSY, why, "checkpoint '%s' is held (%s): release it first",
				  p->text, p->hold);
	if (p->hold)
		return cpb_refuse(-EBUSY, why, "checkpoint '%s' is held: release it first",
				  p->text);
	return 0;
}

/** cpb_delete_check() - can all of these be deleted, and is none named twice? lists is held */
int cpb_delete_check(struct cpb_point **p, unsigned int nr, char *why)
{
	unsigned int i, j;
	int err;

	for (i = 0; i < nr; i++) {
		err = deletable(p[i], why);
		if (err)
			return err;
		for (j = 0; j < i; j++)
			if (p[i] == p[j])
				return cpb_refuse(-EINVAL, why, "checkpoint '%s' is named twice",
						  p[i]->text);
	}
	return 0;
}

/**
 * cpb_delete_apply() - delete checkpoints, in one record; lists is held
 * @s: the store
 * @p: all of them can be deleted
 * @ids: room for their IDs
 * @nr: how many, at most CPB_OP_MAX
 */
void cpb_delete_apply(struct cpb_store *s, struct cpb_point **p, u64 *ids,
		      unsigned int nr)
{
	struct cpb_op o = { .arg = nr };
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		cpb_names_del(&s->names, &p[i]->name);
		list_del_init(&p[i]->of_volume);
		ids[i] = p[i]->id;
	}
	flags = cpb_lock_ready(s);
	for (i = 0; i < nr; i++) {
		p[i]->flags |= CPB_POINT_HIDDEN;
		p[i]->sweep_all = true;
		s->nr_checkpoints--;
		s->nr_hidden++;
		cpb_point_dirty(p[i]);
		cpb_work_add(p[i]);
		cpb_cost_forget(p[i]->parent);
	}
	s->history++;
	cpb_log_op(s, CPB_RECORD_DELETE, p[0]->volume, 0, &o, ids, nr);
	port_unlock(&s->lock, flags);
}

int cpb_delete_many(struct cpb_store *s, struct cpb_point **p, unsigned int nr,
		    char *why)
{
	u64 *ids;
	int err;

	static_assert(CPB_DELETE_MAX <= CPB_OP_MAX, "one record");
	if (!nr || nr > CPB_DELETE_MAX)
		return cpb_refuse(-EINVAL, why, "1 to %d checkpoints can be deleted at once",
				  CPB_DELETE_MAX);
	ids = port_alloc(nr * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err)
		err = cpb_delete_check(p, nr, why);
	/* In one record, unless there are that few blocks. */
	while (!err && nr) {
		err = cpb_room_to_change(s, nr);
		if (err < 0)
			break;
		cpb_delete_apply(s, p, ids, err);
		p += err;
		nr -= err;
		err = 0;
	}
	port_mutex_unlock(&s->lists);
	port_free(ids);
	return err ? err : cpb_flush(s);
}

int cpb_delete(struct cpb_store *s, struct cpb_point *p, char *why)
{
	return cpb_delete_many(s, &p, 1, why);
}

/** cpb_remove_apply() - a volume goes, its head stays as a hidden point; lists is held */
void cpb_remove_apply(struct cpb_volume *v)
{
	struct cpb_store *s = v->s;
	struct cpb_op o = { };
	unsigned long flags;

	cpb_names_del(&s->names, &v->by_name);
	/* Checkpoints that stay are of no volume then. */
	list_del_init(&v->points);
	cpb_ids_del(&s->volumes, v->id);
	flags = cpb_lock_ready(s);
	v->head->flags |= CPB_POINT_HIDDEN;
	s->nr_hidden++;
	cpb_point_dirty(v->head);
	cpb_work_add(v->head);
	cpb_cost_forget(v->head->parent);
	s->history++;
	cpb_slot_put(s, v->slot);
	cpb_log_op(s, CPB_RECORD_REMOVE, v->id, 0, &o, NULL, 0);
	port_unlock(&s->lock, flags);
	port_free(v);
}

int cpb_remove(struct cpb_volume *v, bool keep_checkpoints, char *why)
{
	struct cpb_store *s = v->s;
	struct cpb_point *p, *next;
	u64 scratch;
	int err;

	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	list_for_each_entry(p, &v->points, of_volume) {
		if (err || keep_checkpoints)
			break;
		err = deletable(p, why);
	}
	/* Each time there is room for one more, and for the volume. */
	list_for_each_entry_safe(p, next, &v->points, of_volume) {
		if (err || keep_checkpoints)
			break;
		cpb_delete_apply(s, &p, &scratch, 1);
		err = min(cpb_room_to_change(s, 2), 0);
	}
	if (!err)
		cpb_remove_apply(v);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}
