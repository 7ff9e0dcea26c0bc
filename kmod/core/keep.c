// SPDX-License-Identifier: GPL-2.0
/*
 * What is to be kept: holds of checkpoints, volumes' retention policies, and
 * the groups they belong to.
 *
 * A hold makes deletion refuse. A policy is only kept here; who prunes reads it
 * and decides. All are journalled by CPB_RECORD_SET, and replay calls the same
 * apply_...() as the operation.
 */
#include "engine.h"

#define POLICY_WORDS	(sizeof(struct cpb_disk_policy) / sizeof(u64))

/* The tree lock is held; what is let go of is freed by the caller. */
static char *apply_hold(struct cpb_point *p, char *reason)
{
	char *old = p->hold;

	p->hold = reason;
	if (reason)
		p->flags |= CPB_POINT_HELD;
	else
		p->flags &= ~CPB_POINT_HELD;
	cpb_point_dirty(p);
	return old;
}

/* lists is held. @reason NULL: release. */
static int hold_locked(struct cpb_store *s, struct cpb_point *p, const char *reason)
{
	struct cpb_op o = { .target = p->id, .message = reason,
			    .arg = reason ? CPB_SET_HOLD : CPB_SET_RELEASE };
	unsigned long flags;
	char *text = NULL;

	if (reason) {
		text = port_alloc(strlen(reason) + 1);
		if (!text)
			return -ENOMEM;
		memcpy(text, reason, strlen(reason) + 1);
	}
	flags = cpb_lock_ready(s);
	text = apply_hold(p, text);
	cpb_log_op(s, CPB_RECORD_SET, p->volume, 0, &o, NULL, 0);
	port_unlock(&s->lock, flags);
	port_free(text);
	return 0;
}

int cpb_hold(struct cpb_store *s, struct cpb_point *p, const char *reason, char *why)
{
	int err;

	if (strlen(reason) >= CPB_HOLD_LEN)
		return cpb_refuse(-EINVAL, why, "the reason is longer than %d bytes",
				  CPB_HOLD_LEN - 1);
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err && !cpb_visible(p))
		err = cpb_refuse(-ENOENT, why, "that checkpoint was deleted");
	if (!err)
		err = hold_locked(s, p, reason);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

int cpb_unhold(struct cpb_store *s, struct cpb_point *p, char *why)
{
	int err;

	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err && !cpb_visible(p))
		err = cpb_refuse(-ENOENT, why, "that checkpoint was deleted");
	if (!err && !p->hold)
		err = cpb_refuse(-ENOENT, why, "checkpoint '%s' is not held", p->text);
	if (!err)
		err = hold_locked(s, p, NULL);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

/* lists is held. */
static void policy_locked(struct cpb_volume *v, const struct cpb_disk_policy *policy)
{
	struct cpb_op o = { .arg = CPB_SET_POLICY };
	struct cpb_store *s = v->s;
	u64 words[POLICY_WORDS];
	unsigned long flags;
	unsigned int i;

	static_assert(sizeof(*policy) == sizeof(words), "whole words");
	for (i = 0; i < POLICY_WORDS; i++)
		words[i] = le64_to_cpu(((const __le64 *)policy)[i]);
	flags = cpb_lock_ready(s);
	v->policy = *policy;
	cpb_slot_dirty(s, v->slot);
	cpb_log_op(s, CPB_RECORD_SET, v->id, 0, &o, words, POLICY_WORDS);
	port_unlock(&s->lock, flags);
}

int cpb_set_policy(struct cpb_volume *v, const struct cpb_policy *policy, char *why)
{
	struct cpb_disk_policy d = {
		.last = cpu_to_le32(policy->last),
		.hourly = cpu_to_le32(policy->hourly),
		.daily = cpu_to_le32(policy->daily),
		.weekly = cpu_to_le32(policy->weekly),
		.monthly = cpu_to_le32(policy->monthly),
		.max_age = cpu_to_le64(policy->max_age),
	};
	struct cpb_store *s = v->s;
	int err;

	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err)
		policy_locked(v, &d);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

/* The tree lock is held. */
static void apply_group(struct cpb_volume *v, const char *group)
{
	memset(v->group, 0, sizeof(v->group));
	memcpy(v->group, group, strlen(group));
	cpb_slot_dirty(v->s, v->slot);
}

int cpb_set_group(struct cpb_store *s, struct cpb_volume **v, unsigned int nr,
		  const char *group, char *why)
{
	struct cpb_op o = { .arg = CPB_SET_GROUP, .name = group };
	unsigned long flags;
	unsigned int i;
	int err;

	if (!nr || nr > CPB_MEMBERS_MAX)
		return cpb_refuse(-EINVAL, why, "1 to %d volumes can be put into a group at once",
				  CPB_MEMBERS_MAX);
	if (*group && !cpb_name_ok(group))
		return cpb_refuse(-EINVAL, why, "'%s' can't be the name of a group",
				  group);
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err)
		err = cpb_room_for(s, nr, CPB_ROOM_CHANGES, why);
	if (!err) {
		flags = cpb_lock_ready(s);
		cpb_log_join(s, nr > 1);
		for (i = 0; i < nr; i++) {
			apply_group(v[i], group);
			cpb_log_op(s, CPB_RECORD_SET, v[i]->id, 0, &o, NULL, 0);
		}
		cpb_log_join(s, false);
		port_unlock(&s->lock, flags);
	}
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

/* ---- Replay ---- */

/** cpb_set_words() - how many words of a SET record follow its text */
unsigned int cpb_set_words(u64 field)
{
	switch (field) {
	case CPB_SET_POLICY:
		return POLICY_WORDS;
	case CPB_SET_OPTIONS:
		return sizeof(struct cpb_disk_options) / sizeof(u64);
	default:
		return 0;
	}
}

/**
 * cpb_replay_set() - do again what a SET record says  [sleeps]
 * @s: the store
 * @v: the record's volume, or NULL
 * @p: its checkpoint, if it is visible, or NULL
 * @o: its arguments
 * @words: cpb_set_words() of them
 *
 * Return: 0, or -EUCLEAN if it does not fit the store's state.
 */
int cpb_replay_set(struct cpb_store *s, struct cpb_volume *v, struct cpb_point *p,
		   const struct cpb_op *o, const u8 *words)
{
	const char *reason = o->message ? o->message : "";
	struct cpb_disk_policy policy;
	unsigned long flags;

	switch (o->arg) {
	case CPB_SET_HOLD:
		if (!p || strlen(reason) >= CPB_HOLD_LEN)
			return -EUCLEAN;
		return hold_locked(s, p, reason);
	case CPB_SET_RELEASE:
		if (!p || !p->hold)
			return -EUCLEAN;
		return hold_locked(s, p, NULL);
	case CPB_SET_POLICY:
		if (!v)
			return -EUCLEAN;
		memcpy(&policy, words, sizeof(policy));
		policy_locked(v, &policy);
		return 0;
	case CPB_SET_OPTIONS:
		return cpb_replay_options(s, words);
	case CPB_SET_GROUP:
		if (!v || (o->name && !cpb_name_ok(o->name)))
			return -EUCLEAN;
		flags = port_lock(&s->lock);
		apply_group(v, o->name ? o->name : "");
		port_unlock(&s->lock, flags);
		return 0;
	default:
		return -EUCLEAN;
	}
}
