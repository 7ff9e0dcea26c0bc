// SPDX-License-Identifier: GPL-2.0
/*
 * What a user can have done to the volumes and checkpoints of a store.
 *
 * Each function is called under store->op with the store alive, and returns 0
 * or an error with a sentence in @why. What it found by name stays valid to
 * its end, as only such functions make volumes and visible checkpoints go.
 */
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <linux/uuid.h>

#include "cpblk.h"
#include "event.h"
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
	if (!v)
		cpblk_refuse(why, -ENOENT, "store %s has no volume %s", s->name,
			     name);
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

int cpblk_fork(struct cpblk_store *s, const struct cpblk_which *which,
	       const char *name, unsigned int flags, struct cpblk_made *made,
	       char *why)
{
	struct cpblk_taken from;
	u8 uuid[CPB_UUID_LEN];
	struct cpb_volume *v;
	struct cpb_point *p;
	int ret;

	p = find_point(s, which, &from, why);
	if (!p)
		return -ENOENT;
	generate_random_uuid(uuid);
	ret = cpb_fork(s->engine, p, name, uuid, flags, &v, why);
	if (!ret)
		ret = add_device(s, v, made, why);
	if (!ret)
		cpblk_event_fork(s, made, &from);
	return ret;
}

int cpblk_remove(struct cpblk_store *s, const char *name, bool keep, char *why)
{
	struct cpblk_made was;
	struct cpblk_disk *d;
	struct cpb_volume *v;
	int ret;

	v = find_volume(s, name, why);
	if (!v)
		return -ENOENT;
	describe_volume(s, v, &was);
	d = cpb_volume_owner(v);
	if (cpblk_disk_reserve(d))
		return in_use(d, why);
	ret = cpb_remove(v, keep, why);
	if (ret) {
		cpblk_disk_unreserve(d);
		return ret;
	}
	cpblk_disk_del(d);
	cpblk_event_volume(CPBLK_EVENT_VOLUME_REMOVED, s, &was);
	return 0;
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

	ret = cpblk_unmap(v, to >> shift, (from - to) >> shift);
	if (!ret)
		ret = cpb_resize(v, to, why);
	else
		cpblk_refuse(why, ret, "what is beyond the new end can't be dropped (error %d)",
			     -ret);
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

/* ---- Checkpoints ---- */

static int snap(struct cpblk_store *s, struct cpblk_snap *r,
		struct cpb_volume **v, u64 *ids, char *why)
{
	unsigned int i, j;
	int ret;

	for (i = 0; i < r->nr; i++) {
		v[i] = find_volume(s, r->volume[i], why);
		if (!v[i])
			return -ENOENT;
		for (j = 0; j < i; j++)
			if (v[j] == v[i])
				return cpblk_refuse(why, -EINVAL,
						    "volume %s is named twice",
						    r->volume[i]);
	}
	ret = cpb_snap(s->engine, v, r->nr, r->name, r->message, r->flags, ids,
		       why);
	if (ret)
		return ret;
	cpb_hold_lists(s->engine);
	for (i = 0; i < r->nr; i++)
		cpblk_describe_point(s, cpb_point_by_id(s->engine, ids[i]),
				     r->taken + i);
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
	cpblk_event_snap(s, r->taken, r->nr);
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
	if (!ret)
		cpblk_event_point(reason ? CPBLK_EVENT_HELD : CPBLK_EVENT_RELEASED,
				  s, &t, NULL);
	return ret;
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
	cpblk_event_point(CPBLK_EVENT_DETACHED, s, &t, device);
	return 0;
}

/* ---- Restore ---- */

/*
 * Behind the closed gate. Memory that is needed here must not wait for a write
 * to this very volume, so none may start I/O.
 */
static int switch_root(struct cpblk_disk *d, struct cpb_point *p,
		       struct cpblk_restore *r, bool *resized, char *why)
{
	struct cpblk_store *s = d->store;
	struct cpb_volume_info info;
	unsigned int noio;
	struct bio *held;
	u64 start;
	int ret;

	noio = memalloc_noio_save();
	start = ktime_get_ns();
	cpblk_gate_close(&d->gate, CPBLK_GATE_CLOSED);
	ret = cpb_restore(d->volume, p, !r->no_safety, &r->safety.id, why);
	if (!ret) {
		cpb_hold_lists(s->engine);
		cpb_volume_info(d->volume, &info);
		cpb_drop_lists(s->engine);
		WRITE_ONCE(d->generation, info.generation);
		*resized = cpblk_disk_set_size(d, info.head.size);
	}
	held = cpblk_gate_open(&d->gate);
	r->freeze_ns = ktime_get_ns() - start;
	memalloc_noio_restore(noio);
	cpblk_submit_held(held);
	trace_cpblk_switch(disk_devt(d->gd), r->freeze_ns, ret);
	return ret;
}

static int restore(struct cpblk_disk *d, struct cpb_point *p,
		   struct cpblk_restore *r, char *why)
{
	struct cpblk_store *s = d->store;
	bool resized = false;
	int ret;

	cpblk_disk_sync(d);
	ret = switch_root(d, p, r, &resized, why);
	if (ret)
		return ret;
	cpblk_disk_changed(d);
	r->generation = d->generation;
	describe_volume(s, d->volume, &r->made);
	if (r->safety.id) {
		cpb_hold_lists(s->engine);
		cpblk_describe_point(s, cpb_point_by_id(s->engine, r->safety.id),
				     &r->safety);
		cpb_drop_lists(s->engine);
	}
	cpblk_disk_uevent(d, resized, r->target.id);
	return 0;
}

/**
 * cpblk_restore() - give a volume the content of a checkpoint, in use or not
 * @s: the store
 * @r: what is asked for, and gets what became of it
 * @why: on error, gets the reason
 *
 * Those who only have the device open (a VM, a reader) find the old content
 * replaced between one bio and the next. A filesystem, swap, or whoever else
 * holds it exclusively could not make sense of that, so there must be none, and
 * while it goes on none can come.
 */
int cpblk_restore(struct cpblk_store *s, struct cpblk_restore *r, char *why)
{
	u64 start = ktime_get_ns();
	struct cpblk_disk *d;
	struct cpb_volume *v;
	struct cpb_point *p;
	bool held;
	int ret;

	v = find_volume(s, r->volume, why);
	if (!v)
		return -ENOENT;
	d = cpb_volume_owner(v);
	p = find_point(s, &r->which, &r->target, why);
	if (!p)
		return -ENOENT;
	if (r->if_generation && r->generation != d->generation)
		return cpblk_refuse(why, -ESTALE,
				    "volume %s has been restored since: its generation is %llu, not %llu",
				    d->volume_name, d->generation, r->generation);
	held = !cpblk_claim(d->gd->part0, d);
	if (!held && !r->force)
		return cpblk_refuse(why, -EBUSY,
				    "%s is mounted or held: unmount it, or use force",
				    d->gd->disk_name);
	ret = restore(d, p, r, why);
	if (held)
		bd_abort_claiming(d->gd->part0, d);
	if (ret)
		return ret;
	r->total_ns = ktime_get_ns() - start;
	cpblk_event_restore(s, r);
	return 0;
}

/* ---- Write-back ---- */

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
		while (more > 0) {
			more = cpb_reap(s->engine);
			if (more > 0 && signal_pending(current))
				return cpblk_refuse(why, -EINTR, "interrupted");
		}
		if (more < 0)
			return cpblk_refuse(why, more,
					    "reclaiming failed (error %d)", -more);
		ret = cpb_commit(s->engine);
		if (ret)
			return cpblk_refuse(why, ret,
					    "writing back failed (error %d)", -ret);
		/* What the transaction let go of may be the next one's work. */
		if (reclaim)
			more = cpb_reap(s->engine);
	} while (more);
	return 0;
}
