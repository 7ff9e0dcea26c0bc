// SPDX-License-Identifier: GPL-2.0
/*
 * What a user can have done to the volumes and checkpoints of a store.
 *
 * Each function is called under store->op with the store alive, and returns 0
 * or an error with a sentence in @why. What it found by name stays valid to
 * its end, as only such functions make volumes and visible checkpoints go.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <linux/uuid.h>

#include "cpblk.h"
#include "event.h"
#include "hook.h"
#include "trace.h"

#define HIDDEN_FLAGS	(CPB_POINT_HEAD | CPB_POINT_HIDDEN | CPB_POINT_REAP)

/* ---- Finding things and saying what they are ---- */

static struct cpb_volume *find_volume(struct cpblk_store *s, const char *name,
				      char *why)
{
	struct cpb_volume *v;

	lockdep_assert_held(&s->op);
	cpb_hold_lists(s->engine);
	v = cpb_volume_by_name(s->engine, name);
	cpb_drop_lists(s->engine);
	if (!v) {
		cpblk_refuse(why, -ENOENT, "store %s has no volume %s", s->name,
			     name);
	} else if (!cpb_volume_owner(v)) {
		/* It has been made in memory, and that could not be made durable. */
		cpblk_refuse(why, -ENOENT,
			     "volume %s has no device: store %s failed while it was made",
			     name, s->name);
		v = NULL;
	}
	return v;
}

/** cpblk_find_point() - a visible checkpoint, or NULL; lists held */
struct cpb_point *cpblk_find_point(struct cpblk_store *s,
				   const struct cpblk_which *w)
{
	struct cpb_point_info info;
	struct cpb_volume *v;
	struct cpb_point *p;

	if (!w->id) {
		v = cpb_volume_by_name(s->engine, w->volume);
		return v ? cpb_checkpoint(v, w->name) : NULL;
	}
	p = cpb_point_by_id(s->engine, w->id);
	if (!p)
		return NULL;
	cpb_point_info(s->engine, p, &info);
	return info.flags & HIDDEN_FLAGS ? NULL : p;
}

static noinline_for_stack void volume_name(struct cpb_volume *v,
					   char name[CPB_NAME_LEN])
{
	struct cpb_volume_info info;

	cpb_volume_info(v, &info);
	strscpy(name, info.name, CPB_NAME_LEN);
}

/** cpblk_describe_point() - names and numbers of a checkpoint; lists held */
void cpblk_describe_point(struct cpblk_store *s, struct cpb_point *p,
			  struct cpblk_taken *t)
{
	struct cpb_point_info point;
	struct cpb_volume *v;

	cpb_point_info(s->engine, p, &point);
	t->id = point.id;
	t->volume_id = point.volume;
	strscpy(t->name, point.name, sizeof(t->name));
	t->volume[0] = '\0';
	v = cpb_volume_by_id(s->engine, point.volume);
	if (v)
		volume_name(v, t->volume);
}

static struct cpb_point *find_point(struct cpblk_store *s,
				    const struct cpblk_which *w,
				    struct cpblk_taken *t, char *why)
{
	struct cpb_point *p;

	lockdep_assert_held(&s->op);
	cpb_hold_lists(s->engine);
	p = cpblk_find_point(s, w);
	if (p)
		cpblk_describe_point(s, p, t);
	cpb_drop_lists(s->engine);
	if (p)
		return p;
	if (w->id)
		cpblk_refuse(why, -ENOENT, "store %s has no checkpoint %llu",
			     s->name, w->id);
	else
		cpblk_refuse(why, -ENOENT, "store %s has no checkpoint %s@%s",
			     s->name, w->volume, w->name);
	return NULL;
}

static void describe_volume(struct cpblk_store *s, struct cpb_volume *v,
			    struct cpblk_made *m)
{
	struct cpblk_disk *d = cpb_volume_owner(v);
	struct cpb_volume_info info;

	cpb_hold_lists(s->engine);
	cpb_volume_info(v, &info);
	cpb_drop_lists(s->engine);
	m->id = info.id;
	m->size = info.head.size;
	memcpy(m->uuid, info.uuid, sizeof(m->uuid));
	strscpy(m->name, info.name, sizeof(m->name));
	strscpy(m->device, d->gd->disk_name, sizeof(m->device));
}

static int in_use(struct cpblk_disk *d, char *why)
{
	return cpblk_refuse(why, -EBUSY, "%s (%s%s%s) is in use",
			    d->gd->disk_name, d->volume_name,
			    d->volume ? "" : "@", d->point_name);
}

/* A volume's part of a chunk would belong to nobody when it is resized. */
static int check_size(struct cpblk_store *s, u64 size, char *why)
{
	u64 chunk = 1ULL << s->chunk_shift;

	if (size && size <= CPB_VOLUME_BYTES_MAX && !(size & (chunk - 1)))
		return 0;
	return cpblk_refuse(why, -EINVAL,
			    "the size must be a multiple of the chunk size, %llu, and at most %llu",
			    chunk, CPB_VOLUME_BYTES_MAX);
}

/* ---- Volumes ---- */

/* The device of a new volume; without one it does not stay. */
static int add_device(struct cpblk_store *s, struct cpb_volume *v,
		      struct cpblk_made *made, char *why)
{
	struct cpblk_disk *d = cpblk_disk_new(s, v, NULL);

	if (IS_ERR(d)) {
		cpb_remove(v, false, NULL);
		return cpblk_refuse(why, PTR_ERR(d),
				    "its device can't be made (error %ld)",
				    -PTR_ERR(d));
	}
	describe_volume(s, v, made);
	return 0;
}

int cpblk_create(struct cpblk_store *s, const char *name, u64 size,
		 unsigned int flags, struct cpblk_made *made, char *why)
{
	u8 uuid[CPB_UUID_LEN];
	struct cpb_volume *v;
	int ret;

	ret = check_size(s, size, why);
	if (ret)
		return ret;
	generate_random_uuid(uuid);
	ret = cpb_create(s->engine, name, size, uuid, flags, &v, why);
	if (!ret)
		ret = add_device(s, v, made, why);
	if (!ret)
		cpblk_event_volume(CPBLK_EVENT_VOLUME_CREATED, s, made);
	return ret;
}

/* The devices of new volumes; without all of them none stays. */
static int add_devices(struct cpblk_store *s, struct cpb_volume **v, unsigned int nr,
		       struct cpblk_member *made, char *why)
{
	struct cpblk_disk *d = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		d = cpblk_disk_new(s, v[i], NULL);
		if (IS_ERR(d))
			break;
		describe_volume(s, v[i], &made[i].made);
	}
	if (i == nr)
		return 0;
	cpblk_refuse(why, PTR_ERR(d), "a device can't be made (error %ld)",
		     -PTR_ERR(d));
	while (nr--) {
		struct cpblk_disk *was = nr < i ? cpb_volume_owner(v[nr]) : NULL;

		/* It may not go, if the store has failed since. */
		cpb_set_owner(v[nr], NULL);

		/* Whoever looks at a disk that has just come goes again. */
		while (was && cpblk_disk_reserve(was))
			msleep(20);
		cpb_remove(v[nr], false, NULL);
		if (was)
			cpblk_disk_del(was);
	}
	return PTR_ERR(d);
}

/* What takes memory, for @nr volumes: their UUIDs and their places. */
static int fork_many(struct cpblk_store *s, struct cpb_point *p,
		     const char *const *names, unsigned int nr, unsigned int flags,
		     struct cpblk_member *made, char *why)
{
	u8 *uuids = kvcalloc(nr, CPB_UUID_LEN, GFP_KERNEL);
	struct cpb_volume **v = kcalloc(nr, sizeof(*v), GFP_KERNEL);
	unsigned int i;
	int ret;

	if (uuids && v) {
		for (i = 0; i < nr; i++)
			generate_random_uuid(uuids + i * CPB_UUID_LEN);
		ret = cpb_fork_many(s->engine, p, names, uuids, nr, flags, v, why);
	} else {
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	}
	if (!ret)
		ret = add_devices(s, v, nr, made, why);
	kfree(v);
	kvfree(uuids);
	return ret;
}

/** cpblk_fork() - volumes with the content of a checkpoint, all or none */
int cpblk_fork(struct cpblk_store *s, const struct cpblk_which *which,
	       const char *const *names, unsigned int nr, unsigned int flags,
	       struct cpblk_member *made, char *why)
{
	struct cpblk_taken from;
	struct cpb_point *p;
	unsigned int i;
	int ret;

	p = find_point(s, which, &from, why);
	if (!p)
		return -ENOENT;
	ret = fork_many(s, p, names, nr, flags, made, why);
	for (i = 0; i < nr && !ret; i++) {
		made[i].point = from;
		cpblk_event_fork(s, &made[i].made, &from);
	}
	return ret;
}

int cpblk_remove(struct cpblk_store *s, const char *name, bool keep, char *why)
{
	struct cpblk_made was;
	struct cpblk_disk *d;
	struct cpb_volume *v;
	bool stays;
	int ret;

	v = find_volume(s, name, why);
	if (!v)
		return -ENOENT;
	describe_volume(s, v, &was);
	d = cpb_volume_owner(v);
	ret = cpblk_hook_busy(d, NULL, why);
	if (ret)
		return ret;
	if (cpblk_disk_reserve(d))
		return in_use(d, why);
	ret = cpb_remove(v, keep, why);
	cpb_hold_lists(s->engine);
	stays = cpb_volume_by_id(s->engine, was.id);
	cpb_drop_lists(s->engine);
	if (stays) {
		cpblk_disk_unreserve(d);
		return ret;
	}
	if (ret)
		cpblk_refuse(why, ret, "%s is removed, but the store has failed: it may be back when that is opened again (error %d)",
			     was.name, -ret);
	cpblk_disk_del(d);
	cpblk_hook_volume_gone(s, was.id, was.name);
	cpblk_event_volume(CPBLK_EVENT_VOLUME_REMOVED, s, &was);
	cpblk_room_more(s);
	return ret;
}

/* ---- Size ---- */

/*
 * Nobody may hold the device while it shrinks. What is beyond the new end is
 * dropped when no I/O can reach it any more.
 */
static int shrink(struct cpblk_disk *d, u64 from, u64 to, char *why)
{
	unsigned int shift = d->store->chunk_shift;
	struct cpb_volume *v = d->volume;
	struct bio *held;
	int ret;

	if (cpblk_claim(d->gd->part0, d))
		return cpblk_refuse(why, -EBUSY,
				    "%s can't shrink while it is mounted or held",
				    d->gd->disk_name);
	cpblk_disk_set_size(d, to);
	cpblk_gate_close(&d->gate, CPBLK_GATE_CLOSED);
	held = cpblk_gate_open(&d->gate);
	cpblk_submit_held(held);

	ret = cpblk_unmap(v, to >> shift, (from - to) >> shift, NULL);
	if (!ret)
		ret = cpb_resize(v, to, why);
	else if (ret == -ENOSPC)
		cpblk_refuse(why, ret, "the metadata device is full: of what is beyond the new end a part was dropped; delete checkpoints, and shrink %s again",
			     d->gd->disk_name);
	else
		cpblk_refuse(why, ret, "what is beyond the new end can't be dropped (error %d)",
			     -ret);
	/* A part of it may be gone even so. */
	cpblk_disk_cut(d, to);
	if (ret)
		cpblk_disk_set_size(d, from);
	bd_abort_claiming(d->gd->part0, d);
	return ret;
}

int cpblk_resize(struct cpblk_store *s, const char *name, u64 size, char *why)
{
	struct cpblk_made made;
	struct cpblk_disk *d;
	struct cpb_volume *v;
	int ret;

	v = find_volume(s, name, why);
	if (!v)
		return -ENOENT;
	ret = check_size(s, size, why);
	if (ret)
		return ret;
	describe_volume(s, v, &made);
	d = cpb_volume_owner(v);
	ret = cpblk_hook_busy(d, NULL, why);
	if (ret)
		return ret;
	if (size == made.size)
		return 0;
	if (size < made.size) {
		ret = shrink(d, made.size, size, why);
	} else {
		ret = cpb_resize(v, size, why);
		if (!ret)
			cpblk_disk_set_size(d, size);
	}
	if (ret)
		return ret;
	made.size = size;
	cpblk_disk_uevent(d, true, 0);
	cpblk_event_volume(CPBLK_EVENT_VOLUME_RESIZED, s, &made);
	return 0;
}

/* ---- Several volumes ---- */

/** cpblk_volume_ids() - the numbers of volumes by name */
int cpblk_volume_ids(struct cpblk_store *s, const char *const *volumes,
		     unsigned int nr, u64 *ids, char *why)
{
	struct cpblk_disk *d;
	struct cpb_volume *v;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		v = find_volume(s, volumes[i], why);
		if (!v)
			return -ENOENT;
		d = cpb_volume_owner(v);
		ids[i] = d->volume_id;
	}
	return 0;
}

/* Volumes that only @h may be busy with; none is named twice. */
static int find_idle(struct cpblk_store *s, const char *const *names,
		     unsigned int nr, const struct cpblk_handshake *h,
		     struct cpb_volume **v, char *why)
{
	unsigned int i, j;
	int ret;

	for (i = 0; i < nr; i++) {
		v[i] = find_volume(s, names[i], why);
		if (!v[i])
			return -ENOENT;
		ret = cpblk_hook_busy(cpb_volume_owner(v[i]), h, why);
		if (ret)
			return ret;
		for (j = 0; j < i; j++)
			if (v[j] == v[i])
				return cpblk_refuse(why, -EINVAL,
						    "volume %s is named twice",
						    names[i]);
	}
	return 0;
}

/* What a volume is now. */
static void describe_member(struct cpblk_store *s, struct cpb_volume *v,
			    struct cpblk_member *m)
{
	struct cpblk_disk *d = cpb_volume_owner(v);
	struct cpb_volume_info info;

	describe_volume(s, v, &m->made);
	cpb_hold_lists(s->engine);
	cpb_volume_info(v, &info);
	cpb_drop_lists(s->engine);
	strscpy(m->group, info.group, sizeof(m->group));
	m->generation = d->generation;
}

/** cpblk_group_set() - put volumes into a group, with "" into none; all or none */
int cpblk_group_set(struct cpblk_store *s, const char *const *volumes,
		    unsigned int nr, const char *group, char *why)
{
	struct cpb_volume **v = kcalloc(nr, sizeof(*v), GFP_KERNEL);
	int ret;

	if (!v)
		return cpblk_refuse(why, -ENOMEM, "out of memory");
	ret = find_idle(s, volumes, nr, NULL, v, why);
	if (!ret)
		ret = cpb_set_group(s->engine, v, nr, group, why);
	kfree(v);
	return ret;
}

/* ---- Checkpoints ---- */

/* May a checkpoint be called so? The engine asks that again. */
static int name_unused(struct cpblk_store *s, struct cpb_volume *v,
		       const struct cpblk_member *m, char *why)
{
	struct cpb_point *p;

	cpb_hold_lists(s->engine);
	p = cpb_checkpoint(v, m->point.name);
	cpb_drop_lists(s->engine);
	return p ? cpblk_refuse(why, -EEXIST, "there is a checkpoint %s@%s already",
				m->made.name, m->point.name) : 0;
}

/**
 * cpblk_snap_check() - would cpblk_snap() be refused?
 * @s: the store
 * @r: what is asked for; @r->members get what is known
 * @why: on error, gets the reason
 *
 * Asked before hooks are: what they stop for nothing is stopped.
 */
int cpblk_snap_check(struct cpblk_store *s, struct cpblk_snap *r, char *why)
{
	struct cpb_volume **v = kcalloc(r->nr, sizeof(*v), GFP_KERNEL);
	unsigned int i;
	int ret;

	if (!v)
		return cpblk_refuse(why, -ENOMEM, "out of memory");
	ret = find_idle(s, r->volume, r->nr, NULL, v, why);
	for (i = 0; i < r->nr && !ret; i++) {
		describe_member(s, v[i], r->members + i);
		if (!r->name)
			continue;
		strscpy(r->members[i].point.name, r->name, CPB_NAME_LEN);
		ret = name_unused(s, v[i], r->members + i, why);
	}
	kfree(v);
	return ret;
}

static int snap(struct cpblk_store *s, struct cpblk_snap *r,
		struct cpb_volume **v, u64 *ids, char *why)
{
	unsigned int i;
	int ret;

	ret = find_idle(s, r->volume, r->nr, r->handshake, v, why);
	if (!ret)
		ret = cpb_snap(s->engine, v, r->nr, r->name, r->message, r->flags,
			       ids, why);
	if (ret)
		return ret;
	for (i = 0; i < r->nr; i++)
		describe_member(s, v[i], r->members + i);
	cpb_hold_lists(s->engine);
	for (i = 0; i < r->nr; i++)
		cpblk_describe_point(s, cpb_point_by_id(s->engine, ids[i]),
				     &r->members[i].point);
	cpb_drop_lists(s->engine);
	return 0;
}

int cpblk_snap(struct cpblk_store *s, struct cpblk_snap *r, char *why)
{
	u64 start = ktime_get_ns();
	struct cpb_volume **v;
	u64 *ids;
	int ret;

	v = kcalloc(r->nr, sizeof(*v), GFP_KERNEL);
	ids = kcalloc(r->nr, sizeof(*ids), GFP_KERNEL);
	if (v && ids)
		ret = snap(s, r, v, ids, why);
	else
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	kfree(ids);
	kfree(v);
	if (ret)
		return ret;
	r->total_ns = ktime_get_ns() - start;
	cpblk_room_more(s);
	cpblk_event_snap(s, r->members, r->nr);
	return 0;
}

int cpblk_delete(struct cpblk_store *s, const struct cpblk_which *which,
		 char *why)
{
	struct cpblk_taken was;
	struct cpb_point *p;
	int ret;

	p = find_point(s, which, &was, why);
	if (!p)
		return -ENOENT;
	ret = cpb_delete(s->engine, p, why);
	if (!ret)
		cpblk_event_point(CPBLK_EVENT_CHECKPOINT_DELETED, s, &was, NULL);
	return ret;
}

/* The checkpoints, and what they are called; lists held. */
static int find_many(struct cpblk_store *s, const u64 *ids, unsigned int nr,
		     struct cpb_point **p, struct cpblk_taken *was, char *why)
{
	struct cpblk_which which = { };
	unsigned int i;

	for (i = 0; i < nr; i++) {
		which.id = ids[i];
		p[i] = cpblk_find_point(s, &which);
		if (!p[i])
			return cpblk_refuse(why, -ENOENT,
					    "store %s has no checkpoint %llu",
					    s->name, ids[i]);
		cpblk_describe_point(s, p[i], was + i);
	}
	return 0;
}

/** cpblk_delete_many() - up to CPB_DELETE_MAX checkpoints by ID, all or none */
int cpblk_delete_many(struct cpblk_store *s, const u64 *ids, unsigned int nr,
		      char *why)
{
	struct cpblk_taken *was = kvcalloc(nr, sizeof(*was), GFP_KERNEL);
	struct cpb_point **p = kcalloc(nr, sizeof(*p), GFP_KERNEL);
	unsigned int i;
	int ret;

	if (was && p) {
		cpb_hold_lists(s->engine);
		ret = find_many(s, ids, nr, p, was, why);
		cpb_drop_lists(s->engine);
	} else {
		ret = cpblk_refuse(why, -ENOMEM, "out of memory");
	}
	if (!ret)
		ret = cpb_delete_many(s->engine, p, nr, why);
	for (i = 0; i < nr && !ret; i++)
		cpblk_event_point(CPBLK_EVENT_CHECKPOINT_DELETED, s, was + i, NULL);
	kfree(p);
	kvfree(was);
	return ret;
}

/** cpblk_hold() - hold a checkpoint for a reason, or with NULL release it */
int cpblk_hold(struct cpblk_store *s, const struct cpblk_which *which,
	       const char *reason, char *why)
{
	struct cpblk_taken t;
	struct cpb_point *p;
	int ret;

	p = find_point(s, which, &t, why);
	if (!p)
		return -ENOENT;
	ret = reason ? cpb_hold(s->engine, p, reason, why) :
		       cpb_unhold(s->engine, p, why);
	if (ret)
		return ret;
	cpblk_room_more(s);
	cpblk_event_point(reason ? CPBLK_EVENT_HELD : CPBLK_EVENT_RELEASED, s, &t, NULL);
	return 0;
}

int cpblk_policy_set(struct cpblk_store *s, const char *volume,
		     const struct cpb_policy *policy, char *why)
{
	struct cpb_volume *v = find_volume(s, volume, why);

	return v ? cpb_set_policy(v, policy, why) : -ENOENT;
}

int cpblk_attach(struct cpblk_store *s, const struct cpblk_which *which,
		 char device[DISK_NAME_LEN], char *why)
{
	struct cpblk_taken t;
	struct cpblk_disk *d;
	struct cpb_point *p;
	int ret;

	p = find_point(s, which, &t, why);
	if (!p)
		return -ENOENT;
	d = cpblk_find_attached(s, t.id);
	if (d)
		return cpblk_refuse(why, -EEXIST, "%s@%s is attached as %s",
				    t.volume, t.name, d->gd->disk_name);
	cpb_hold_lists(s->engine);
	ret = cpb_pin(p);
	cpb_drop_lists(s->engine);
	if (ret)
		return cpblk_refuse(why, ret, "%s@%s can't be pinned (error %d)",
				    t.volume, t.name, -ret);
	d = cpblk_disk_new(s, NULL, p);
	if (IS_ERR(d)) {
		cpb_hold_lists(s->engine);
		cpb_unpin(p);
		cpb_drop_lists(s->engine);
		return cpblk_refuse(why, PTR_ERR(d),
				    "its device can't be made (error %ld)",
				    -PTR_ERR(d));
	}
	strscpy(device, d->gd->disk_name, DISK_NAME_LEN);
	cpblk_event_point(CPBLK_EVENT_ATTACHED, s, &t, device);
	return 0;
}

int cpblk_detach(struct cpblk_store *s, const struct cpblk_which *which,
		 char *why)
{
	char device[DISK_NAME_LEN];
	struct cpblk_taken t;
	struct cpblk_disk *d;
	struct cpb_point *p;

	p = find_point(s, which, &t, why);
	if (!p)
		return -ENOENT;
	d = cpblk_find_attached(s, t.id);
	if (!d)
		return cpblk_refuse(why, -ENOENT, "%s@%s is not attached",
				    t.volume, t.name);
	if (cpblk_disk_reserve(d))
		return in_use(d, why);
	strscpy(device, d->gd->disk_name, sizeof(device));
	cpblk_disk_del(d);
	cpb_hold_lists(s->engine);
	cpb_unpin(p);
	cpb_drop_lists(s->engine);
	cpblk_room_more(s);
	cpblk_event_point(CPBLK_EVENT_DETACHED, s, &t, device);
	return 0;
}

/* ---- Restore ---- */

/** struct restoring - a volume of a restore */
struct restoring {
	struct cpblk_disk *d;
	struct cpb_volume *v;
	struct cpb_point *p;
	bool claimed, resized;
};

/*
 * Behind the closed gates. Memory that is needed here must not wait for a write
 * to these very volumes, so none may start I/O.
 */
static int switch_roots(struct cpblk_store *s, struct cpblk_restore *r,
			struct restoring *v, struct cpb_volume **volumes,
			struct cpb_point **points, u64 *ids, char *why)
{
	struct cpb_volume_info info;
	struct bio *held = NULL, **end = &held;
	unsigned int noio, i;
	u64 start;
	int ret;

	noio = memalloc_noio_save();
	start = ktime_get_ns();
	for (i = 0; i < r->nr; i++)
		cpblk_gate_close(&v[i].d->gate, CPBLK_GATE_CLOSED);
	ret = cpb_restore_many(s->engine, volumes, points, r->nr, !r->no_safety, ids,
			       why);
	r->switched = !ret;
	for (i = 0; i < r->nr; i++) {
		cpb_hold_lists(s->engine);
		cpb_volume_info(v[i].v, &info);
		cpb_drop_lists(s->engine);
		/* Done, even if it could not be made durable. */
		if (info.generation != v[i].d->generation)
			r->switched = true;
		WRITE_ONCE(v[i].d->generation, info.generation);
		v[i].resized = cpblk_disk_set_size(v[i].d, info.head.size);
	}
	for (i = 0; i < r->nr; i++) {
		*end = cpblk_gate_open(&v[i].d->gate);
		while (*end)
			end = &(*end)->bi_next;
	}
	r->freeze_ns = ktime_get_ns() - start;
	memalloc_noio_restore(noio);
	cpblk_submit_held(held);
	for (i = 0; i < r->nr; i++)
		trace_cpblk_switch(disk_devt(v[i].d->gd), r->freeze_ns, ret);
	return ret;
}

/* What is asked for, with no lock but op: 0 or an error. */
static int find_restoring(struct cpblk_store *s, struct cpblk_restore *r,
			  struct restoring *v, struct cpb_volume **volumes,
			  struct cpb_point **points, char *why)
{
	struct cpblk_member *m = r->members;
	unsigned int i;
	int ret;

	ret = find_idle(s, r->volume, r->nr, r->handshake, volumes, why);
	if (ret)
		return ret;
	for (i = 0; i < r->nr; i++) {
		v[i].v = volumes[i];
		v[i].d = cpb_volume_owner(volumes[i]);
		v[i].p = points[i] = find_point(s, r->which + i, &m[i].point, why);
		if (!v[i].p)
			return -ENOENT;
		describe_member(s, volumes[i], m + i);
	}
	if (r->if_generation && r->generation != v->d->generation)
		return cpblk_refuse(why, -ESTALE,
				    "volume %s has been restored since: its generation is %llu, not %llu",
				    v->d->volume_name, v->d->generation, r->generation);
	return 0;
}

static void unclaim(struct restoring *v, unsigned int nr)
{
	for (; nr--; v++)
		if (v->claimed)
			bd_abort_claiming(v->d->gd->part0, v->d);
}

/* Nobody can mount or hold them then, and unless forced, nobody does. */
static int claim(struct cpblk_restore *r, struct restoring *v, char *why)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++) {
		v[i].claimed = !cpblk_claim(v[i].d->gd->part0, v[i].d);
		if (v[i].claimed || r->force)
			continue;
		unclaim(v, i);
		return cpblk_refuse(why, -EBUSY,
				    "%s is mounted or held: unmount it, or use force",
				    v[i].d->gd->disk_name);
	}
	return 0;
}

static void describe_restored(struct cpblk_store *s, const struct restoring *v,
			      struct cpblk_member *m, u64 safety)
{
	describe_member(s, v->v, m);
	m->safety.id = safety;
	if (!safety)
		return;
	cpb_hold_lists(s->engine);
	cpblk_describe_point(s, cpb_point_by_id(s->engine, safety), &m->safety);
	cpb_drop_lists(s->engine);
}

/** struct room - what a restore needs memory for */
struct room {
	struct restoring *v;
	struct cpb_volume **volumes;
	struct cpb_point **points;
	u64 *ids;
};

static void room_free(struct room *m)
{
	kfree(m->v);
	kfree(m->volumes);
	kfree(m->points);
	kfree(m->ids);
}

static int room_make(struct room *m, unsigned int nr, char *why)
{
	m->v = kcalloc(nr, sizeof(*m->v), GFP_KERNEL);
	m->volumes = kcalloc(nr, sizeof(*m->volumes), GFP_KERNEL);
	m->points = kcalloc(nr, sizeof(*m->points), GFP_KERNEL);
	m->ids = kcalloc(nr, sizeof(*m->ids), GFP_KERNEL);
	if (m->v && m->volumes && m->points && m->ids)
		return 0;
	room_free(m);
	return cpblk_refuse(why, -ENOMEM, "out of memory");
}

/** cpblk_restore_check() - would cpblk_restore() be refused? As cpblk_snap_check() */
int cpblk_restore_check(struct cpblk_store *s, struct cpblk_restore *r, char *why)
{
	struct room m;
	int ret = room_make(&m, r->nr, why);

	if (ret)
		return ret;
	ret = find_restoring(s, r, m.v, m.volumes, m.points, why);
	if (!ret)
		ret = claim(r, m.v, why);
	if (!ret)
		unclaim(m.v, r->nr);
	room_free(&m);
	return ret;
}

static int restore(struct cpblk_store *s, struct cpblk_restore *r, struct room *m,
		   char *why)
{
	struct restoring *v = m->v;
	unsigned int i;
	int ret;

	for (i = 0; i < r->nr; i++)
		cpblk_room_shut(v[i].d, true);
	for (i = 0; i < r->nr; i++)
		cpblk_disk_sync(v[i].d);
	ret = switch_roots(s, r, v, m->volumes, m->points, m->ids, why);
	for (i = 0; i < r->nr; i++)
		cpblk_room_shut(v[i].d, false);
	if (!r->switched)
		return ret;
	if (ret)
		cpblk_refuse(why, ret, "it is restored, but the store has failed: what was there before may be back when that is opened again (error %d)",
			     -ret);
	for (i = 0; i < r->nr; i++)
		cpblk_disk_changed(v[i].d);
	for (i = 0; i < r->nr; i++) {
		describe_restored(s, v + i, r->members + i, m->ids[i]);
		cpblk_disk_uevent(v[i].d, v[i].resized, r->members[i].point.id);
	}
	cpblk_room_more(s);
	return ret;
}

/**
 * cpblk_restore() - give volumes the content of checkpoints, in use or not
 * @s: the store
 * @r: what is asked for, and gets what became of it
 * @why: on error, gets the reason
 *
 * Those who only have a device open (a VM, a reader) find the old content
 * replaced between one bio and the next. A filesystem, swap, or whoever else
 * holds it exclusively could not make sense of that, so there must be none, and
 * while it goes on none can come.
 */
int cpblk_restore(struct cpblk_store *s, struct cpblk_restore *r, char *why)
{
	u64 start = ktime_get_ns();
	struct room m;
	unsigned int i;
	int ret;

	ret = room_make(&m, r->nr, why);
	if (ret)
		return ret;
	ret = find_restoring(s, r, m.v, m.volumes, m.points, why);
	if (!ret)
		ret = claim(r, m.v, why);
	if (!ret) {
		ret = restore(s, r, &m, why);
		unclaim(m.v, r->nr);
	}
	room_free(&m);
	r->total_ns = ktime_get_ns() - start;
	for (i = 0; i < r->nr && r->switched; i++)
		cpblk_event_restore(s, r->members + i);
	return ret;
}

/* ---- Write-back ---- */

/* One step. Return: 1 there is more, 0 not for now, or a negative error. */
static int reclaim_step(struct cpblk_store *s, char *why)
{
	int more = cpb_reap(s->engine);

	if (more < 0)
		return cpblk_refuse(why, more, "reclaiming failed (error %d)", -more);
	/* -EINTR would be answered later: see cpblk_hook_ask(). */
	if (more && signal_pending(current))
		return cpblk_refuse(why, -ECANCELED, "interrupted");
	/* Closing waits for this, with the disks shut. */
	if (more && rwsem_is_contended(&s->alive))
		return cpblk_refuse(why, -ECANCELED,
				    "store %s is being closed; the rest is reclaimed when it is open again",
				    s->name);
	return more;
}

/**
 * cpblk_sync() - write the trees back
 * @s: the store
 * @reclaim: and give the space of deleted checkpoints back
 * @why: on error, gets the reason
 *
 * Needs only store->alive: it may take long, and other operations may go on.
 */
int cpblk_sync(struct cpblk_store *s, bool reclaim, char *why)
{
	int ret, more = reclaim;

	do {
		while (more > 0)
			more = reclaim_step(s, why);
		if (more < 0)
			return more;
		ret = cpb_commit(s->engine);
		if (ret)
			return cpblk_refuse(why, ret,
					    "writing back failed (error %d)", -ret);
		/* What the transaction let go of may be the next one's work. */
		if (reclaim)
			more = reclaim_step(s, why);
	} while (more > 0);
	return more;
}
