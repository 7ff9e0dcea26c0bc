// SPDX-License-Identifier: GPL-2.0
/*
 * The history: volumes, checkpoints, and what can be done with them.
 *
 * Each operation has two halves. The outer one (cpb_snap() and so on) checks
 * what it was asked for and makes what it needs; the inner one (apply_...)
 * changes the trees' roots under the tree lock and can't fail. A journal
 * record goes with it under the same lock. Replay calls the same inner half.
 *
 * X is a head or a checkpoint, P its parent. What must hold, and does after
 * every one of these: what is born in X's map after P.epoch is not in P's map,
 * the rest of it is; X's deadlist is what P's map has and X's has not.
 *
 * Deleting is in delete.c, and only hides a point. What that frees is found by
 * reap.c.
 */
#include "engine.h"

#define OBJECTS	4	/* that an operation changes for each volume */

/** cpb_parent_epoch() - what was born at or before this is the parent's too */
u64 cpb_parent_epoch(const struct cpb_point *p)
{
	return p->parent ? p->parent->epoch : CPB_EPOCH_NONE;
}

void cpb_adopt(struct cpb_point *parent, struct cpb_point *child)
{
	child->parent = parent;
	child->s->history++;
	cpb_cost_forget(child);
	cpb_cost_forget(parent);
	if (!parent)
		return;
	list_add_tail(&child->sibling, &parent->children);
	parent->nr_children++;
}

void cpb_orphan(struct cpb_point *child)
{
	child->s->history++;
	cpb_cost_forget(child);
	cpb_cost_forget(child->parent);
	if (!child->parent)
		return;
	list_del_init(&child->sibling);
	child->parent->nr_children--;
	child->parent = NULL;
}

/** cpb_work_add() - there is something to reclaim around this point; the tree lock */
void cpb_work_add(struct cpb_point *p)
{
	struct cpb_store *s = p->s;

	if (list_empty(&p->work))
		list_add_tail(&p->work, &s->work);
	s->ops->kick(s->ctx, CPB_KICK_REAP);
}

/* ---- What all operations need ---- */

/** cpb_refuse() - fill in the sentence, return the error */
int cpb_refuse(int err, char *why, const char *fmt, ...)
{
	va_list args;

	if (why) {
		va_start(args, fmt);
		vsnprintf(why, CPB_ERROR_LEN, fmt, args);
		va_end(args);
	}
	return err;
}

/**
 * cpb_may_change() - can there be an operation?  [sleeps]
 * @s: the store; lists is held until it is over
 * @why: on error, a sentence
 *
 * Return: 0, with blocks for the objects that one changes; -EROFS; others.
 */
int cpb_may_change(struct cpb_store *s, char *why)
{
	int err = 0;

	if (s->writable && !s->broken)
		err = min(cpb_room_to_change(s, OBJECTS), 0);
	if (s->broken)
		return cpb_refuse(-EROFS, why, "store '%s' is read-only after an error: %s",
				  s->name, s->error);
	if (!s->writable && !s->replaying)
		return cpb_refuse(-EROFS, why, "store '%s' was opened read-only", s->name);
	if (!err && s->ops->change)
		s->ops->change(s->ctx);
	return err;
}

static int name_free(struct cpb_store *s, u64 scope, const char *name,
		     const char *what, char *why)
{
	if (!cpb_name_ok(name))
		return cpb_refuse(-EINVAL, why,
				  "'%s' can't be a name: 1 to %d of A-Z a-z 0-9 . _ -, not beginning with . or -",
				  name, CPB_NAME_LEN - 1);
	if (cpb_names_find(&s->names, scope, name))
		return cpb_refuse(-EEXIST, why, "there is a %s '%s' already", what, name);
	return 0;
}

/** cpb_lock_ready() - take the tree lock with enough in the pool for a record  [sleeps] */
unsigned long cpb_lock_ready(struct cpb_store *s)
	__acquires(&s->lock)
{
	unsigned long flags;

	for (;;) {
		cpb_pool_fill(s, &s->pool, 0, 16);
		flags = port_lock(&s->lock);
		if (s->pool.nr_segs >= 8)
			return flags;
		port_unlock(&s->lock, flags);
	}
}

/**
 * cpb_log_op() - the journal record of an operation; the tree lock is held
 * @s: the store
 * @type: enum cpb_record_type
 * @volume: its ID
 * @id: first ID that the operation takes, or 0
 * @o: its arguments
 * @words: numbers that follow the text
 * @nr: how many
 */
void cpb_log_op(struct cpb_store *s, u32 type, u64 volume, u64 id,
		const struct cpb_op *o, const u64 *words, unsigned int nr)
{
	size_t name = o->name ? strlen(o->name) : 0;
	size_t message = o->message ? strlen(o->message) : 0;
	size_t text = name + message + nr * sizeof(u64);
	size_t size = round_up(sizeof(struct cpb_disk_record_op) + text, 8);
	struct cpb_disk_record_op *op;
	u8 *at;

	if (s->replaying)
		return;
	op = cpb_log_room(s, size);
	memset(op, 0, size);
	op->r.type = cpu_to_le16(type);
	op->r.size = cpu_to_le16(size);
	op->r.volume = cpu_to_le32(volume);
	op->time = cpu_to_le64(o->time);
	op->target = cpu_to_le64(o->target);
	op->id = cpu_to_le64(id);
	op->arg = cpu_to_le64(o->arg);
	op->flags = cpu_to_le32(o->flags);
	op->name_len = cpu_to_le16(name);
	op->text_len = cpu_to_le16(text);
	memcpy(op->uuid, o->uuid, sizeof(op->uuid));
	at = op->text;
	if (name)
		memcpy(at, o->name, name);
	at += name;
	if (message)
		memcpy(at, o->message, message);
	at += message;
	for (; nr--; at += sizeof(u64), words++) {
		__le64 word = cpu_to_le64(*words);

		memcpy(at, &word, sizeof(word));
	}
}

/* ---- Checkpoints ---- */

/* What a checkpoint of one volume is made of, before the lock is taken. */
struct snap {
	struct cpb_volume *v;
	struct cpb_point *c;
	struct cpb_deadset *fresh;
	u64 number;		/* of its name, where that was not given */
};

static void snap_free(struct snap *sn)
{
	cpb_point_free(sn->c);
	cpb_deadset_free(sn->fresh);
}

/* lists is held; the name of the new checkpoint is free, or NULL: the next vN. */
static int snap_make(struct cpb_volume *v, const char *name, const char *message,
		     struct snap *sn)
{
	struct cpb_store *s = v->s;
	char next[CPB_NAME_LEN];
	int err;

	memset(sn, 0, sizeof(*sn));
	sn->v = v;
	sn->number = v->next_auto;
	if (!name) {
		do
			snprintf(next, sizeof(next), "v%llu",
				 (unsigned long long)(++sn->number));
		while (cpb_names_find(&s->names, v->id, next));
		name = next;
	}
	sn->c = cpb_point_new(s, name, message ? message : "");
	sn->fresh = cpb_deadset_new(0);
	if (!sn->c || !sn->fresh) {
		snap_free(sn);
		sn->c = NULL;
		return -ENOMEM;
	}
	sn->c->name = (struct cpb_name){
		.scope = v->id, .name = sn->c->text, .owner = sn->c
	};
	err = cpb_names_add(&s->names, &sn->c->name);
	if (err) {
		snap_free(sn);
		sn->c = NULL;
	}
	return err;
}

static void snap_unmake(struct snap *sn)
{
	cpb_names_del(&sn->v->s->names, &sn->c->name);
	snap_free(sn);
}

/*
 * The head's root, deadlist and place among its parent's children become the
 * checkpoint's; the head goes on as its only child. The caller closes the
 * epoch when it is done with all volumes.
 */
static void apply_snap(struct snap *sn, const struct cpb_op *o)
{
	struct cpb_volume *v = sn->v;
	struct cpb_point *c = sn->c, *head = v->head;
	struct cpb_store *s = v->s;

	port_assert_held(&s->lock);
	c->id = s->next_id++;
	sn->fresh->id = s->next_id++;
	c->volume = v->id;
	c->flags = o->flags;
	c->time = o->time;
	c->epoch = s->epoch;
	c->size = head->size;
	c->referenced = head->referenced;
	c->root = head->root;
	c->dead = head->dead;
	c->dead->owner = c;
	cpb_adopt(head->parent, c);
	cpb_orphan(head);
	cpb_adopt(c, head);
	head->dead = sn->fresh;
	head->dead->owner = head;
	head->epoch = s->epoch + 1;
	v->next_auto = sn->number;
	c->slot = cpb_slot_take(s, CPB_OBJECT_POINT, c);
	list_add_tail(&c->of_volume, &v->points);
	s->nr_checkpoints++;
	cpb_point_dirty(head);
	cpb_slot_dirty(s, v->slot);
}

/* lists is held. */
static int snap_locked(struct cpb_store *s, struct cpb_volume **v,
		       unsigned int nr, const struct cpb_op *o, u64 *ids, char *why)
{
	struct snap *sn = port_alloc(nr * sizeof(*sn));
	u64 *vids = port_alloc(nr * sizeof(*vids)), first;
	unsigned int i, made = 0;
	unsigned long flags;
	int err = sn && vids ? cpb_slots_ready(s, nr) : -ENOMEM;

	for (; made < nr && !err; made++) {
		struct cpb_volume *vol = v[made];

		vids[made] = vol->id;
		if (o->name)
			err = name_free(s, vol->id, o->name, "checkpoint", why);
		if (!err)
			err = snap_make(vol, o->name, o->message, &sn[made]);
		if (!err)
			err = cpb_ids_add(&s->points, s->next_id + 2 * made,
					  sn[made].c);
		if (err && sn[made].c)
			snap_unmake(&sn[made]);
		if (err)
			break;
	}
	if (err) {
		while (made--) {
			cpb_ids_del(&s->points, s->next_id + 2 * made);
			snap_unmake(&sn[made]);
		}
		goto out;
	}

	flags = cpb_lock_ready(s);
	first = s->next_id;
	for (i = 0; i < nr; i++)
		apply_snap(&sn[i], o);
	s->epoch++;
	cpb_log_op(s, CPB_RECORD_SNAP, v[0]->id, first, o, vids, nr);
	port_unlock(&s->lock, flags);
	for (i = 0; ids && i < nr; i++)
		ids[i] = sn[i].c->id;
out:
	port_free(sn);
	port_free(vids);
	return err;
}

int cpb_snap(struct cpb_store *s, struct cpb_volume **v, unsigned int nr,
	     const char *name, const char *message, unsigned int flags,
	     u64 *ids, char *why)
{
	struct cpb_op o = { .time = s->ops->now(s->ctx), .arg = nr, .name = name,
			.message = message, .flags = flags };
	unsigned int i, j;
	int err;

	if (!nr || nr > CPB_MEMBERS_MAX)
		return cpb_refuse(-EINVAL, why, "one checkpoint can be of 1 to %d volumes",
				  CPB_MEMBERS_MAX);
	if (message && strlen(message) >= CPB_MESSAGE_LEN)
		return cpb_refuse(-EINVAL, why, "the message is longer than %d bytes",
				  CPB_MESSAGE_LEN - 1);
	for (i = 0; i < nr; i++)
		for (j = 0; j < i; j++)
			if (v[i] == v[j])
				return cpb_refuse(-EINVAL, why, "volume '%s' is named twice",
						  v[i]->name);
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err)
		err = cpb_room_for(s, OBJECTS * nr, CPB_ROOM_NEW, why);
	if (!err)
		err = snap_locked(s, v, nr, &o, ids, why);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

/* ---- Restore ---- */

/* What a restore of one volume is made of, before the lock is taken. */
struct restore {
	struct cpb_volume *v;
	struct cpb_point *p;
	struct snap sn;		/* with a safety checkpoint, or */
	struct cpb_point *old;	/* without one */
	struct cpb_deadset *fresh;
};

/* Let the head continue from @r->p. Without a safety checkpoint @r->old takes
 * over what it was, as a hidden point without children.
 */
static void apply_restore(struct restore *r)
{
	struct cpb_point *p = r->p, *old = r->old, *head = r->v->head;
	struct cpb_store *s = r->v->s;

	port_assert_held(&s->lock);
	if (old) {
		old->id = s->next_id++;
		r->fresh->id = s->next_id++;
		old->flags = CPB_POINT_HEAD | CPB_POINT_HIDDEN;
		old->volume = r->v->id;
		old->epoch = head->epoch;
		old->time = head->time;
		old->size = head->size;
		old->referenced = head->referenced;
		old->root = head->root;
		old->dead = head->dead;
		old->dead->owner = old;
		head->dead = r->fresh;
		head->dead->owner = head;
		cpb_adopt(head->parent, old);
		old->slot = cpb_slot_take(s, CPB_OBJECT_POINT, old);
		s->nr_hidden++;
		cpb_work_add(old);
	}
	port_seq_write(&head->seq);
	head->root = p->root;
	port_seq_done(&head->seq);
	cpb_orphan(head);
	cpb_adopt(p, head);
	head->epoch = s->epoch;
	head->size = p->size;
	head->referenced = p->referenced;
	r->v->generation++;
	r->v->undo = r->sn.c ? r->sn.c->id : 0;
	cpb_point_dirty(head);
	cpb_slot_dirty(s, r->v->slot);
}

/* lists is held; @id is the one that the first new point gets. */
static int restore_make(struct restore *r, const struct cpb_op *o, u64 id)
{
	struct cpb_store *s = r->v->s;
	int err;

	if (o->flags & CPB_POINT_SAFETY) {
		err = snap_make(r->v, o->name, o->message, &r->sn);
	} else {
		r->old = cpb_point_new(s, "", "");
		r->fresh = cpb_deadset_new(0);
		err = r->old && r->fresh ? 0 : -ENOMEM;
	}
	return err ? err : cpb_ids_add(&s->points, id, r->sn.c ? r->sn.c : r->old);
}

static void restore_unmake(struct restore *r)
{
	if (r->sn.c)
		snap_unmake(&r->sn);
	cpb_point_free(r->old);
	cpb_deadset_free(r->fresh);
}

/*
 * lists is held. With safety checkpoints the heads were checkpointed in the same
 * breath: then they have nothing of their own, and no old points are left over.
 */
static int restore_locked(struct cpb_store *s, struct restore *r, unsigned int nr,
			  const struct cpb_op *o)
{
	u64 *words = port_alloc(2 * nr * sizeof(*words)), first;
	int err = words ? cpb_slots_ready(s, nr) : -ENOMEM;
	unsigned int i, made = 0;
	unsigned long flags;

	for (i = 0; i < nr && !err; i++) {
		words[2 * i] = r[i].v->id;
		words[2 * i + 1] = r[i].p->id;
		if (o->name && cpb_names_find(&s->names, r[i].v->id, o->name))
			err = -EEXIST;
	}
	for (; made < nr && !err; made++)
		err = restore_make(&r[made], o, s->next_id + 2 * made);
	if (err) {
		/* The last one that was begun may not have got its ID. */
		for (i = 0; i < made; i++) {
			if (cpb_ids_find(&s->points, s->next_id + 2 * i))
				cpb_ids_del(&s->points, s->next_id + 2 * i);
			restore_unmake(&r[i]);
		}
		goto out;
	}

	flags = cpb_lock_ready(s);
	first = s->next_id;
	if (o->flags & CPB_POINT_SAFETY) {
		for (i = 0; i < nr; i++)
			apply_snap(&r[i].sn, o);
		s->epoch++;
	}
	for (i = 0; i < nr; i++)
		apply_restore(&r[i]);
	cpb_log_op(s, CPB_RECORD_RESTORE, r[0].v->id, first, o, words, 2 * nr);
	port_unlock(&s->lock, flags);
out:
	port_free(words);
	return err;
}

/* A name for the safety checkpoints that is free on all volumes. */
static void safety_name(struct cpb_store *s, const struct restore *r,
			unsigned int nr, char name[CPB_NAME_LEN])
{
	u64 number = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		number = max(number, r[i].v->generation);
	do {
		number++;
		snprintf(name, CPB_NAME_LEN, "before-restore-%llu",
			 (unsigned long long)number);
		for (i = 0; i < nr; i++)
			if (cpb_names_find(&s->names, r[i].v->id, name))
				break;
	} while (i < nr);
}

static int restore_check(const struct restore *r, unsigned int nr, char *why)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		if (!cpb_visible(r[i].p))
			return cpb_refuse(-ENOENT, why, "that checkpoint was deleted");
		for (j = 0; j < i; j++)
			if (r[i].v == r[j].v)
				return cpb_refuse(-EINVAL, why, "volume '%s' is named twice",
						  r[i].v->name);
	}
	return 0;
}

int cpb_restore_many(struct cpb_store *s, struct cpb_volume **v,
		     struct cpb_point **p, unsigned int nr, bool safety,
		     u64 *safety_ids, char *why)
{
	struct cpb_op o = { .time = s->ops->now(s->ctx), .arg = nr };
	char name[CPB_NAME_LEN], message[CPB_MESSAGE_LEN];
	struct restore *r;
	unsigned int i;
	int err;

	if (!nr || nr > CPB_MEMBERS_MAX)
		return cpb_refuse(-EINVAL, why, "1 to %d volumes can be restored at once",
				  CPB_MEMBERS_MAX);
	r = port_alloc(nr * sizeof(*r));
	if (!r)
		return -ENOMEM;
	port_mutex_lock(&s->lists);
	for (i = 0; i < nr; i++) {
		r[i].v = v[i];
		r[i].p = p[i];
	}
	err = cpb_may_change(s, why);
	if (!err)
		err = restore_check(r, nr, why);
	/*
	 * Without safety checkpoints there are no more objects when it is reclaimed, and
	 * for a single volume there is always room.
	 */
	if (!err && (safety || nr > 1))
		err = cpb_room_for(s, OBJECTS * nr, safety ? CPB_ROOM_SAFETY :
				   CPB_ROOM_CHANGES, why);
	if (!err && safety) {
		safety_name(s, r, nr, name);
		snprintf(message, sizeof(message), "before restoring '%s'", p[0]->text);
		o.flags = CPB_POINT_AUTO | CPB_POINT_SAFETY;
		o.name = name;
		o.message = message;
	}
	if (!err)
		err = restore_locked(s, r, nr, &o);
	for (i = 0; i < nr && !err && safety_ids; i++)
		safety_ids[i] = v[i]->undo;
	port_mutex_unlock(&s->lists);
	port_free(r);
	return err ? err : cpb_flush(s);
}

int cpb_restore(struct cpb_volume *v, struct cpb_point *p, bool safety,
		u64 *safety_id, char *why)
{
	return cpb_restore_many(v->s, &v, &p, 1, safety, safety_id, why);
}

/* ---- Volumes ---- */

static void volume_free(struct cpb_volume *v)
{
	if (!v)
		return;
	cpb_point_free(v->head);
	port_free(v);
}

static struct cpb_volume *volume_make(struct cpb_store *s, const struct cpb_op *o)
{
	struct cpb_volume *v = port_alloc(sizeof(*v));

	if (!v)
		return NULL;
	v->s = s;
	INIT_LIST_HEAD(&v->points);
	v->head = cpb_point_new(s, "", "");
	if (v->head)
		v->head->dead = cpb_deadset_new(0);
	if (!v->head || !v->head->dead) {
		volume_free(v);
		return NULL;
	}
	memcpy(v->name, o->name, strlen(o->name));
	memcpy(v->uuid, o->uuid, sizeof(v->uuid));
	v->flags = o->flags;
	v->created = o->time;
	v->by_name = (struct cpb_name){ .name = v->name, .owner = v };
	return v;
}

/* A new volume, empty or with the content of @p. */
static void apply_create(struct cpb_store *s, struct cpb_volume *v,
			 struct cpb_point *p, const struct cpb_op *o)
{
	struct cpb_point *head = v->head;

	port_assert_held(&s->lock);
	v->id = s->next_volume++;
	head->id = s->next_id++;
	head->dead->id = s->next_id++;
	head->dead->owner = head;
	head->volume = v->id;
	head->flags = CPB_POINT_HEAD;
	head->time = o->time;
	head->epoch = s->epoch;
	head->size = p ? p->size : o->arg;
	if (p) {
		head->root = p->root;
		head->referenced = p->referenced;
		cpb_adopt(p, head);
	}
	head->slot = cpb_slot_take(s, CPB_OBJECT_POINT, head);
	v->slot = cpb_slot_take(s, CPB_OBJECT_VOLUME, v);
}

/* lists is held; it gets the next IDs but @nth. */
static int create_make(struct cpb_store *s, const struct cpb_op *o, unsigned int nth,
		       struct cpb_volume **out, char *why)
{
	struct cpb_volume *v;
	int err = name_free(s, 0, o->name, "volume", why);

	if (err)
		return err;
	v = volume_make(s, o);
	if (!v)
		return -ENOMEM;
	err = cpb_names_add(&s->names, &v->by_name);
	if (err)
		goto free;
	err = cpb_ids_add(&s->points, s->next_id + 2 * nth, v->head);
	if (err)
		goto unname;
	err = cpb_ids_add(&s->volumes, s->next_volume + nth, v);
	if (err)
		goto unlist;
	*out = v;
	return 0;

unlist:
	cpb_ids_del(&s->points, s->next_id + 2 * nth);
unname:
	cpb_names_del(&s->names, &v->by_name);
free:
	volume_free(v);
	return err;
}

static void create_unmake(struct cpb_store *s, unsigned int nth, struct cpb_volume *v)
{
	cpb_ids_del(&s->volumes, s->next_volume + nth);
	cpb_ids_del(&s->points, s->next_id + 2 * nth);
	cpb_names_del(&s->names, &v->by_name);
	volume_free(v);
}

/* lists is held. @o, and if it is not NULL @v, are arrays of @nr. */
static int create_locked(struct cpb_store *s, struct cpb_point *p, u32 type,
			 const struct cpb_op *o, unsigned int nr,
			 struct cpb_volume **v, char *why)
{
	struct cpb_volume **list = port_alloc(nr * sizeof(*list));
	unsigned int i, made = 0;
	unsigned long flags;
	int err = list ? cpb_slots_ready(s, 2 * nr) : -ENOMEM;

	while (made < nr && !err) {
		err = create_make(s, &o[made], made, &list[made], why);
		if (!err)
			made++;
	}
	if (err) {
		while (made--)
			create_unmake(s, made, list[made]);
		goto out;
	}

	flags = cpb_lock_ready(s);
	cpb_log_join(s, nr > 1);
	for (i = 0; i < nr; i++) {
		u64 first = s->next_id;

		apply_create(s, list[i], p, &o[i]);
		cpb_log_op(s, type, list[i]->id, first, &o[i], NULL, 0);
	}
	cpb_log_join(s, false);
	port_unlock(&s->lock, flags);
	for (i = 0; v && i < nr; i++)
		v[i] = list[i];
out:
	port_free(list);
	return err;
}

static int size_ok(struct cpb_store *s, u64 size, char *why)
{
	if (!size || size > CPB_VOLUME_BYTES_MAX ||
	    size & ((1ULL << s->chunk_shift) - 1))
		return cpb_refuse(-EINVAL, why,
				  "a volume's size must be a multiple of %llu bytes, at most 8 PiB",
				  1ULL << s->chunk_shift);
	return 0;
}

int cpb_create(struct cpb_store *s, const char *name, u64 size,
	       const u8 uuid[CPB_UUID_LEN], unsigned int flags,
	       struct cpb_volume **v, char *why)
{
	struct cpb_op o = { .time = s->ops->now(s->ctx), .arg = size, .name = name,
			.flags = flags };
	int err = size_ok(s, size, why);

	if (err)
		return err;
	memcpy(o.uuid, uuid, sizeof(o.uuid));
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err)
		err = cpb_room_for(s, OBJECTS, CPB_ROOM_NEW, why);
	if (!err)
		err = create_locked(s, NULL, CPB_RECORD_CREATE, &o, 1, v, why);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

int cpb_fork_many(struct cpb_store *s, struct cpb_point *p, const char *const *names,
		  const u8 *uuids, unsigned int nr,
		  unsigned int flags, struct cpb_volume **v, char *why)
{
	u64 now = s->ops->now(s->ctx);
	struct cpb_op *o;
	unsigned int i;
	int err;

	if (!nr || nr > CPB_MEMBERS_MAX)
		return cpb_refuse(-EINVAL, why, "1 to %d volumes can be made at once",
				  CPB_MEMBERS_MAX);
	o = port_alloc(nr * sizeof(*o));
	if (!o)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		o[i].time = now;
		o[i].target = p->id;
		o[i].name = names[i];
		o[i].flags = flags;
		memcpy(o[i].uuid, uuids + i * CPB_UUID_LEN, sizeof(o[i].uuid));
	}
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err && !cpb_visible(p))
		err = cpb_refuse(-ENOENT, why, "that checkpoint was deleted");
	if (!err)
		err = cpb_room_for(s, OBJECTS * nr, CPB_ROOM_NEW, why);
	if (!err)
		err = create_locked(s, p, CPB_RECORD_FORK, o, nr, v, why);
	port_mutex_unlock(&s->lists);
	port_free(o);
	return err ? err : cpb_flush(s);
}

int cpb_fork(struct cpb_store *s, struct cpb_point *p, const char *name,
	     const u8 uuid[CPB_UUID_LEN], unsigned int flags,
	     struct cpb_volume **v, char *why)
{
	return cpb_fork_many(s, p, &name, uuid, 1, flags, v, why);
}

int cpb_resize(struct cpb_volume *v, u64 size, char *why)
{
	struct cpb_store *s = v->s;
	struct cpb_op o = { .arg = size };
	unsigned long flags;
	int err = size_ok(s, size, why);

	if (err)
		return err;
	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	if (!err) {
		flags = cpb_lock_ready(s);
		v->head->size = size;
		cpb_point_dirty(v->head);
		cpb_log_op(s, CPB_RECORD_RESIZE, v->id, 0, &o, NULL, 0);
		port_unlock(&s->lock, flags);
	}
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

/* ---- Replay ---- */

/* The text of a record, as strings. */
static int op_text(const struct cpb_disk_record_op *d, unsigned int size,
		   unsigned int ids, struct cpb_op *o, char name[CPB_NAME_LEN],
		   char message[CPB_MESSAGE_LEN])
{
	unsigned int n = le16_to_cpu(d->name_len), t = le16_to_cpu(d->text_len);
	unsigned int m;

	if (sizeof(*d) + t > size || n + ids * sizeof(u64) > t ||
	    n >= CPB_NAME_LEN || t - n - ids * sizeof(u64) >= CPB_MESSAGE_LEN)
		return -EUCLEAN;
	m = t - n - ids * sizeof(u64);
	if (memchr(d->text, 0, n + m))
		return -EUCLEAN;
	memcpy(name, d->text, n);
	name[n] = 0;
	memcpy(message, d->text + n, m);
	message[m] = 0;
	o->name = n ? name : NULL;
	o->message = m ? message : NULL;
	o->time = le64_to_cpu(d->time);
	o->target = le64_to_cpu(d->target);
	o->arg = le64_to_cpu(d->arg);
	o->flags = le32_to_cpu(d->flags);
	memcpy(o->uuid, d->uuid, sizeof(o->uuid));
	return 0;
}

static int replay_snap(struct cpb_store *s, const struct cpb_disk_record_op *d,
		       unsigned int nr, const struct cpb_op *o)
{
	const u8 *at = d->text + le16_to_cpu(d->text_len) - nr * sizeof(u64);
	struct cpb_volume **v = port_alloc(nr * sizeof(*v));
	unsigned int i, j;
	__le64 id;
	int err = v ? 0 : -ENOMEM;

	for (i = 0; i < nr && !err; i++) {
		memcpy(&id, at + i * sizeof(id), sizeof(id));
		v[i] = cpb_ids_find(&s->volumes, le64_to_cpu(id));
		if (!v[i])
			err = -EUCLEAN;
		for (j = 0; j < i; j++)
			if (v[i] == v[j])
				err = -EUCLEAN;
	}
	if (o->flags & ~CPB_POINT_AUTO)
		err = -EUCLEAN;
	if (!err)
		err = snap_locked(s, v, nr, o, NULL, NULL);
	port_free(v);
	return err;
}

static int replay_delete(struct cpb_store *s, const struct cpb_disk_record_op *d,
			 unsigned int nr)
{
	const u8 *at = d->text + le16_to_cpu(d->text_len) - nr * sizeof(u64);
	struct cpb_point **p = port_alloc(nr * sizeof(*p));
	u64 *ids = port_alloc(nr * sizeof(*ids));
	int err = p && ids ? 0 : -ENOMEM;
	unsigned int i;
	__le64 id;

	for (i = 0; i < nr && !err; i++) {
		memcpy(&id, at + i * sizeof(id), sizeof(id));
		p[i] = cpb_ids_find(&s->points, le64_to_cpu(id));
		if (!p[i])
			err = -EUCLEAN;
	}
	if (!err && cpb_delete_check(p, nr, NULL))
		err = -EUCLEAN;
	if (!err)
		cpb_delete_apply(s, p, ids, nr);
	port_free(p);
	port_free(ids);
	return err;
}

static int replay_restore(struct cpb_store *s, const struct cpb_disk_record_op *d,
			  unsigned int nr, const struct cpb_op *o)
{
	const u8 *at = d->text + le16_to_cpu(d->text_len) - 2 * nr * sizeof(u64);
	bool safety = o->flags & CPB_POINT_SAFETY;
	struct restore *r;
	unsigned int i;
	__le64 id[2];
	int err = 0;

	if (o->flags & ~(CPB_POINT_AUTO | CPB_POINT_SAFETY) || o->target ||
	    !o->name == safety || !o->message == safety ||
	    (o->name && !cpb_name_ok(o->name)))
		return -EUCLEAN;
	r = port_alloc(nr * sizeof(*r));
	if (!r)
		return -ENOMEM;
	for (i = 0; i < nr && !err; i++) {
		memcpy(id, at + i * sizeof(id), sizeof(id));
		r[i].v = cpb_ids_find(&s->volumes, le64_to_cpu(id[0]));
		r[i].p = cpb_ids_find(&s->points, le64_to_cpu(id[1]));
		if (!r[i].v || !r[i].p)
			err = -EUCLEAN;
	}
	if (!err && restore_check(r, nr, NULL))
		err = -EUCLEAN;
	if (!err)
		err = restore_locked(s, r, nr, o);
	port_free(r);
	return err == -EEXIST ? -EUCLEAN : err;
}

/* A new volume has the next ID, and flags that there are. */
static bool next_volume(const struct cpb_store *s,
			const struct cpb_disk_record_op *d)
{
	return le32_to_cpu(d->r.volume) == s->next_volume &&
	       !(le32_to_cpu(d->flags) & ~CPB_VOLUME_FLAGS);
}

static bool makes_points(unsigned int type)
{
	return type == CPB_RECORD_CREATE || type == CPB_RECORD_FORK ||
	       type == CPB_RECORD_SNAP || type == CPB_RECORD_RESTORE;
}

/**
 * cpb_replay_op() - do again what a journal record says  [sleeps]
 * @s: the store
 * @d: the record
 * @size: its size
 *
 * Return: 0, or -EUCLEAN if it does not fit the store's state.
 */
int cpb_replay_op(struct cpb_store *s, const struct cpb_disk_record_op *d,
		  unsigned int size)
{
	unsigned int type = le16_to_cpu(d->r.type), nr = 0;
	char name[CPB_NAME_LEN], message[CPB_MESSAGE_LEN];
	struct cpb_volume *v;
	struct cpb_point *p;
	struct cpb_op o = { };
	int err;

	if (size < sizeof(*d))
		return -EUCLEAN;
	if (type == CPB_RECORD_SNAP || type == CPB_RECORD_DELETE ||
	    type == CPB_RECORD_RESTORE) {
		if (!d->arg || le64_to_cpu(d->arg) > CPB_OP_MAX)
			return -EUCLEAN;
		nr = le64_to_cpu(d->arg);
		if (type == CPB_RECORD_RESTORE)
			nr *= 2;
	} else if (type == CPB_RECORD_SET) {
		nr = cpb_set_words(le64_to_cpu(d->arg));
	}
	err = op_text(d, size, nr, &o, name, message);
	if (err)
		return err;
	if (le64_to_cpu(d->id) != (makes_points(type) ? s->next_id : 0))
		return -EUCLEAN;
	v = cpb_ids_find(&s->volumes, le32_to_cpu(d->r.volume));
	p = cpb_ids_find(&s->points, o.target);
	if (p && p->flags & (CPB_POINT_HIDDEN | CPB_POINT_HEAD | CPB_POINT_REAP))
		p = NULL;

	switch (type) {
	case CPB_RECORD_SNAP:
		return replay_snap(s, d, nr, &o);
	case CPB_RECORD_RESTORE:
		return replay_restore(s, d, nr / 2, &o);
	case CPB_RECORD_CREATE:
		if (!o.name || size_ok(s, o.arg, NULL) || !next_volume(s, d))
			return -EUCLEAN;
		return create_locked(s, NULL, type, &o, 1, NULL, NULL);
	case CPB_RECORD_FORK:
		if (!o.name || !p || !next_volume(s, d))
			return -EUCLEAN;
		return create_locked(s, p, type, &o, 1, NULL, NULL);
	case CPB_RECORD_RESIZE:
		if (!v || size_ok(s, o.arg, NULL))
			return -EUCLEAN;
		v->head->size = o.arg;
		cpb_point_dirty(v->head);
		return 0;
	case CPB_RECORD_DELETE:
		return replay_delete(s, d, nr);
	case CPB_RECORD_REMOVE:
		if (!v)
			return -EUCLEAN;
		cpb_remove_apply(v);
		return 0;
	case CPB_RECORD_SET:
		return cpb_replay_set(s, v, p, &o, d->text +
				      le16_to_cpu(d->text_len) - nr * sizeof(u64));
	default:
		return -EUCLEAN;
	}
}
