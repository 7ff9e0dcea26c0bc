// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing a store: volumes and points, from what can be read of their
 * records.
 *
 * The index of the table of records says no more than the blocks below it say
 * themselves; where it can't be read, they are looked for: of those that the
 * bitmap has in use, and that are whole, the newest for each place. In a record
 * what can be derived is not believed, and so does no harm. What volume and
 * head say of each other is used from either side.
 */
#include "repair.h"

/* ---- Finding the blocks ---- */

struct found {
	u64 *ref;		/* of leaves, by index */
	u64 nr, room;
	bool scan;		/* an index block could not be read */
};

static int found_add(struct cpb_repair *r, struct found *f, u64 index, u64 ref)
{
	u64 room = f->room;
	u64 *more;

	if (index >= r->s->meta_blocks)
		return 0;
	if (index >= room) {
		room = max(index + 1, 2 * room + 64);
		more = port_alloc(room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		if (f->nr)
			memcpy(more, f->ref, f->nr * sizeof(*more));
		port_free(f->ref);
		f->ref = more;
		f->room = room;
	}
	/* Of two the newer one; references begin with the transaction. */
	f->ref[index] = max(f->ref[index], ref);
	f->nr = max(f->nr, index + 1);
	return 0;
}

static u64 capacity(unsigned int level)
{
	u64 c = 1;

	while (level--)
		c *= CPB_INDEX_FANOUT;
	return c;
}

static int walk(struct cpb_repair *r, struct found *f, u64 ref, unsigned int level,
		u64 base)
{
	struct cpb_store *s = r->s;
	const struct cpb_disk_index *x;
	struct cpb_node *n;
	unsigned int i;
	int err;

	err = cpb_node_load(s, ref, level ? CPB_MAGIC_INDEX : CPB_MAGIC_OBJECTS,
			    cpb_blocks_released(s), &n);
	if (!err && (cpb_level(n) != level || le64_to_cpu(n->h->base) != base))
		err = cpb_break(s, -EUCLEAN, "a table block is not what its index says",
				cpb_ref_addr(ref));
	if (err) {
		err = cpb_forgive(r, err);
		if (level && !err) {
			f->scan = true;
			cpb_say(r, CPB_FOUND, "an index block of the records of volumes and checkpoints is damaged (%s): all blocks are searched for them",
				r->why);
		} else if (!err) {
			r->lost_slots = true;
			cpb_say(r, CPB_LOST, "%u records of volumes and checkpoints, or fewer: their block is damaged (%s)",
				CPB_OBJECTS_PER_BLOCK, r->why);
		}
		return err;
	}
	if (!level)
		return found_add(r, f, base, ref);
	x = (const void *)(n->h + 1);
	for (i = 0; i < CPB_INDEX_FANOUT && !err; i++)
		if (x[i].ref)
			err = walk(r, f, le64_to_cpu(x[i].ref), level - 1,
				   base + i * capacity(level - 1));
	return err;
}

/* Look at every block in use for one of the table. */
static int scan(struct cpb_repair *r, struct found *f)
{
	struct cpb_disk_header *h = port_alloc_block();
	struct cpb_store *s = r->s;
	int err = 0;
	u64 i;

	for (i = cpb_fixed_end(s); i < s->meta_blocks && !err; i++) {
		u64 txn;

		if (!cpb_bit(s->bitmap, i) || s->ops->read(s->ctx, i, h) ||
		    cpb_verify(h, CPB_MAGIC_OBJECTS, i, s->uuid) || h->level)
			continue;
		txn = le64_to_cpu(h->txn);
		if (txn <= r->report->base_txn)
			err = found_add(r, f, le64_to_cpu(h->base),
					txn << CPB_REF_TXN_SHIFT | i);
	}
	port_free_block(h);
	return err;
}

/* ---- Records ---- */

static unsigned int text_len(const u8 *text, __le16 len, unsigned int room)
{
	unsigned int n = le16_to_cpu(len);

	if (n >= room)
		n = room - 1;
	return strnlen((const char *)text, n);
}

/*
 * What is derived, or is only there to be read by people, must not keep a point
 * from being loaded. True if what people read was changed.
 */
static bool mend_point(struct cpb_store *s, struct cpb_disk_point *d)
{
	struct cpb_disk_point was = *d;
	u64 mask = (1ULL << s->chunk_shift) - 1, size = le64_to_cpu(d->size);
	u32 flags = le32_to_cpu(d->flags) & CPB_POINT_FLAGS;
	bool changed;

	if (!(flags & CPB_POINT_HELD))
		d->hold_len = 0;
	d->flags = cpu_to_le32(flags);
	d->name_len = cpu_to_le16(text_len(d->name, d->name_len, CPB_NAME_LEN));
	d->message_len = cpu_to_le16(text_len(d->message, d->message_len,
					      CPB_MESSAGE_LEN));
	d->hold_len = cpu_to_le16(text_len(d->hold, d->hold_len, CPB_HOLD_LEN));
	if (size > CPB_VOLUME_BYTES_MAX)
		size = CPB_VOLUME_BYTES_MAX;
	d->size = cpu_to_le64((size + mask) & ~mask);
	changed = memcmp(&was, d, sizeof(was));
	if (!d->deadset || le64_to_cpu(d->deadset) >= s->next_id)
		d->deadset = d->id;
	if (cpb_ref_addr(le64_to_cpu(d->root)) >= s->meta_blocks ||
	    le16_to_cpu(d->root_level) >= CPB_LEVELS) {
		/* A root that can't be read, which salvage.c then finds. */
		d->root = cpu_to_le64(1);
		d->root_level = 0;
	}
	d->referenced = 0;
	d->dead_chunks = 0;
	d->dead_blocks = 0;
	d->dead_young = 0;
	return changed;
}

static bool mend_volume(struct cpb_disk_volume *d)
{
	struct cpb_disk_volume was = *d;

	d->flags = cpu_to_le32(le32_to_cpu(d->flags) & CPB_VOLUME_FLAGS);
	d->name_len = cpu_to_le16(text_len(d->name, d->name_len, CPB_NAME_LEN));
	d->group_len = cpu_to_le16(text_len(d->group, d->group_len, CPB_NAME_LEN));
	return memcmp(&was, d, sizeof(was));
}

/* A record as it is on disk, mended as far as it can be, into memory. */
static int load_one(struct cpb_repair *r, u64 *link, const u8 *at, u32 slot)
{
	union {
		__le32 type;
		struct cpb_disk_point point;
		struct cpb_disk_volume volume;
	} d;
	bool mended = false;
	u64 id = 0, other = 0;
	u32 type;
	int err;

	memcpy(&d, at, sizeof(d));
	type = le32_to_cpu(d.type);
	if (type == CPB_OBJECT_POINT) {
		id = le64_to_cpu(d.point.id);
		other = le64_to_cpu(d.point.parent);
		mended = mend_point(r->s, &d.point);
	} else if (type == CPB_OBJECT_VOLUME) {
		id = le64_to_cpu(d.volume.id);
		other = le64_to_cpu(d.volume.head);
		mended = mend_volume(&d.volume);
	}
	err = cpb_object_load(r->s, &d, slot, type);
	if (!err)
		link[slot] = other;
	if (err == -ENOMEM)
		return err;
	if (err)
		cpb_say(r, CPB_LOST, "record %u (a %s, number %llu): it makes no sense",
			slot, type == CPB_OBJECT_POINT ? "checkpoint or live disk" :
			type == CPB_OBJECT_VOLUME ? "volume" : "what it was is unknown",
			(unsigned long long)id);
	else if (mended)
		cpb_say(r, CPB_LOST, "parts of the record of %s number %llu: lengths of texts, flags, or the size of the disk",
			type == CPB_OBJECT_POINT ? "the checkpoint or live disk" :
			"the volume", (unsigned long long)id);
	return 0;
}

static int load_block(struct cpb_repair *r, u64 *link, u64 index, u64 ref)
{
	struct cpb_store *s = r->s;
	struct cpb_node *n;
	unsigned int i;
	int err;

	err = cpb_node_load(s, ref, CPB_MAGIC_OBJECTS, cpb_blocks_released(s), &n);
	if (err)
		return cpb_forgive(r, err);
	for (i = 0; i < CPB_OBJECTS_PER_BLOCK && !err; i++)
		err = load_one(r, link, (u8 *)(n->h + 1) + i * CPB_OBJECT_SIZE,
			       index * CPB_OBJECTS_PER_BLOCK + i);
	return err;
}

/* ---- By ID and by name ---- */

/** cpb_ids_compare() - for port_sort(): by @id of struct cpb_id */
int cpb_ids_compare(const void *a, const void *b)
{
	const struct cpb_id *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* All of one type in order; a second one of an ID is lost. */
static int index_type(struct cpb_repair *r, u32 type, struct cpb_ids *ids)
{
	struct cpb_store *s = r->s;
	struct cpb_id *v = port_alloc((s->slots.used + 1) * sizeof(*v));
	u64 nr = 0, i;
	int err = v ? 0 : -ENOMEM;
	u32 slot;

	for (slot = 0; slot < s->slots.nr && !err; slot++) {
		struct cpb_slot *at = cpb_slot(&s->slots, slot);

		if (at->type == type)
			v[nr++] = (struct cpb_id){ type == CPB_OBJECT_POINT ?
				((struct cpb_point *)at->p)->id :
				((struct cpb_volume *)at->p)->id, at->p };
	}
	if (nr)
		port_sort(v, nr, sizeof(*v), cpb_ids_compare);
	for (i = 0; i < nr && !err; i++) {
		if (!i || v[i].id != v[i - 1].id) {
			err = cpb_ids_add(ids, v[i].id, v[i].p);
			continue;
		}
		cpb_say(r, CPB_LOST, "a second record with the number %llu",
			(unsigned long long)v[i].id);
		if (type == CPB_OBJECT_POINT) {
			cpb_slot_put(s, ((struct cpb_point *)v[i].p)->slot);
			cpb_point_free(v[i].p);
		} else {
			cpb_slot_put(s, ((struct cpb_volume *)v[i].p)->slot);
			port_free(v[i].p);
		}
	}
	port_free(v);
	return err;
}

/** cpb_ids_put() - as cpb_ids_add(), where @id may be below others */
int cpb_ids_put(struct cpb_ids *ids, u64 id, void *p)
{
	int err = cpb_ids_add(ids, id, p);
	u64 i;

	for (i = ids->nr - 1; !err && i && ids->v[i - 1].id > id; i--)
		swap(ids->v[i - 1], ids->v[i]);
	return err;
}

/** cpb_point_remove() - a point is gone; its children, if any, are the caller's */
void cpb_point_remove(struct cpb_repair *r, struct cpb_point *p)
{
	struct cpb_store *s = r->s;

	list_del_init(&p->work);
	cpb_orphan(p);
	cpb_ids_del(&s->points, p->id);
	cpb_names_del(&s->names, &p->name);
	cpb_slot_put(s, p->slot);
	cpb_point_free(p);
}

/* The next free name like "recovered-7". */
static void other_name(struct cpb_store *s, u64 scope, u64 id, char name[CPB_NAME_LEN])
{
	unsigned int i;

	snprintf(name, CPB_NAME_LEN, "recovered-%llu", (unsigned long long)id);
	for (i = 2; cpb_names_find(&s->names, scope, name); i++)
		snprintf(name, CPB_NAME_LEN, "recovered-%llu-%u",
			 (unsigned long long)id, i);
}

static int name_volume(struct cpb_repair *r, struct cpb_volume *v)
{
	struct cpb_store *s = r->s;

	if (!cpb_name_ok(v->name) || cpb_names_find(&s->names, 0, v->name)) {
		other_name(s, 0, v->id, v->name);
		cpb_say(r, CPB_LOST, "the name of volume number %llu: it is '%s' now",
			(unsigned long long)v->id, v->name);
	}
	v->by_name = (struct cpb_name){ .name = v->name, .owner = v };
	return cpb_names_add(&s->names, &v->by_name);
}

static int name_point(struct cpb_repair *r, struct cpb_point *p)
{
	struct cpb_store *s = r->s;
	char name[CPB_NAME_LEN], label[CPB_LABEL_MAX], *text;
	size_t message = strlen(p->text + strlen(p->text) + 1) + 1;

	if (!cpb_name_ok(p->text) || cpb_names_find(&s->names, p->volume, p->text)) {
		other_name(s, p->volume, p->id, name);
		cpb_say(r, CPB_LOST, "the name of %s: it is '%s' now",
			cpb_point_label(s, p, label), name);
		text = port_alloc(strlen(name) + 1 + message);
		if (!text)
			return -ENOMEM;
		memcpy(text, name, strlen(name));
		memcpy(text + strlen(name) + 1, p->text + strlen(p->text) + 1,
		       message);
		port_free(p->text);
		p->text = text;
	}
	p->name = (struct cpb_name){
		.scope = p->volume, .name = p->text, .owner = p
	};
	return cpb_names_add(&s->names, &p->name);
}

/* ---- Volumes and their heads ---- */

static bool is_live(const struct cpb_point *p)
{
	return p && (p->flags & (CPB_POINT_HEAD | CPB_POINT_HIDDEN | CPB_POINT_REAP)) ==
		    CPB_POINT_HEAD;
}

static struct cpb_point *head_of(struct cpb_store *s, u64 volume)
{
	struct cpb_point *p;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)); id = p->id)
		if (is_live(p) && p->volume == volume)
			return p;
	return NULL;
}

static int link_volumes(struct cpb_repair *r, const u64 *link)
{
	struct cpb_store *s = r->s;
	struct cpb_volume *v;
	struct cpb_point *p;
	int err = 0;
	u64 id;

	for (id = 0; (v = cpb_ids_next(&s->volumes, id)) && !err;) {
		id = v->id;
		err = name_volume(r, v);
		p = cpb_ids_find(&s->points, link[v->slot]);
		if (!is_live(p) || p->volume != v->id)
			p = head_of(s, v->id);
		v->head = p;
		if (p || err)
			continue;
		cpb_say(r, CPB_LOST, "volume %s: the record of its live disk; its checkpoints are kept",
			v->name);
		cpb_names_del(&s->names, &v->by_name);
		cpb_ids_del(&s->volumes, v->id);
		cpb_slot_put(s, v->slot);
		port_free(v);
	}
	return err;
}

/* A live disk of which only the volume's own record is lost. */
static int make_volume(struct cpb_repair *r, struct cpb_point *head)
{
	struct cpb_store *s = r->s;
	struct cpb_volume *v = port_alloc(sizeof(*v));
	unsigned int i;
	int err = v ? cpb_slots_ready(s, 1) : -ENOMEM;

	if (err) {
		port_free(v);
		return err;
	}
	INIT_LIST_HEAD(&v->points);
	v->s = s;
	v->id = head->volume;
	v->created = head->time;
	v->head = head;
	memcpy(v->uuid, s->uuid, sizeof(v->uuid));
	for (i = 0; i < sizeof(u64); i++)
		v->uuid[CPB_UUID_LEN - 1 - i] ^= v->id >> 8 * i;
	other_name(s, 0, v->id, v->name);
	cpb_say(r, CPB_LOST, "the name and the settings of volume number %llu: it is '%s' now, with what it held",
		(unsigned long long)v->id, v->name);
	v->by_name = (struct cpb_name){ .name = v->name, .owner = v };
	v->slot = cpb_slot_take(s, CPB_OBJECT_VOLUME, v);
	err = cpb_ids_put(&s->volumes, v->id, v);
	return err ? err : cpb_names_add(&s->names, &v->by_name);
}

/* Volumes for live disks that have none; several of one volume are one too many. */
static int complete_volumes(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	struct cpb_volume *v;
	struct cpb_point *p;
	char name[CPB_NAME_LEN];
	int err = 0;
	u64 id;
	u32 slot;

	for (id = 0; (p = cpb_ids_next(&s->points, id)) && !err; id = p->id) {
		if (!is_live(p))
			continue;
		v = cpb_ids_find(&s->volumes, p->volume);
		if (v && v->head == p)
			continue;
		if (v || !p->volume || p->volume >= ~0U) {
			/* Kept as a checkpoint: it can be looked at, and forked. */
			p->flags &= ~CPB_POINT_HEAD;
			snprintf(name, sizeof(name), "number %llu",
				 (unsigned long long)p->id);
			cpb_say(r, CPB_LOST, "which volume the live disk %s is of: it is kept as a checkpoint",
				name);
			continue;
		}
		err = make_volume(r, p);
		s->next_volume = max(s->next_volume, p->volume + 1);
	}
	for (slot = 0; slot < s->slots.nr && !err; slot++) {
		p = cpb_slot(&s->slots, slot)->p;
		if (cpb_slot(&s->slots, slot)->type == CPB_OBJECT_POINT && cpb_visible(p))
			err = name_point(r, p);
	}
	return err;
}

/* ---- The whole ---- */

static void raise_counters(struct cpb_store *s, u64 epoch, u64 next_id,
			   u64 next_volume)
{
	struct cpb_volume *v;
	struct cpb_point *p;
	u64 id;

	for (id = 0; (p = cpb_ids_next(&s->points, id)); id = p->id) {
		epoch = max(epoch, p->epoch);
		next_id = max(next_id, max(p->id, p->dead->id) + 1);
	}
	for (id = 0; (v = cpb_ids_next(&s->volumes, id)); id = v->id)
		next_volume = max(next_volume, v->id + 1);
	s->epoch = epoch;
	s->next_id = next_id;
	s->next_volume = next_volume;
}

/** cpb_records_load() - volumes and points in memory; who follows whom is r->parent */
int cpb_records_load(struct cpb_repair *r)
{
	struct cpb_store *s = r->s;
	u64 epoch = s->epoch, next_id = s->next_id, next_volume = s->next_volume;
	struct found f = { .scan = !s->objects.ref && s->slots.nr };
	u64 *link = NULL;
	u32 link_nr = 0;
	u64 i, nr;
	int err = 0;

	/* Counters that are too small must not hide a record. */
	s->epoch = CPB_COUNTER_MAX - 1;
	s->next_id = CPB_COUNTER_MAX - 1;
	s->next_volume = ~0U;
	if (s->objects.ref)
		err = walk(r, &f, s->objects.ref, s->objects.level, 0);
	if (!err && f.scan)
		err = scan(r, &f);
	nr = max(f.nr, (u64)s->slots.nr / CPB_OBJECTS_PER_BLOCK);
	s->slots.nr = 0;
	if (!err)
		err = cpb_slots_ready(s, max(nr, 1ULL) * CPB_OBJECTS_PER_BLOCK);
	if (!err) {
		link = port_alloc(s->slots.nr * sizeof(*link));
		link_nr = link ? s->slots.nr : 0;
		err = link ? 0 : -ENOMEM;
	}
	for (i = 0; i < f.nr && !err; i++)
		if (f.ref[i])
			err = load_block(r, link, i, f.ref[i]);
	cpb_slots_chain(&s->slots, 0);
	if (!err)
		err = index_type(r, CPB_OBJECT_POINT, &s->points);
	if (!err)
		err = index_type(r, CPB_OBJECT_VOLUME, &s->volumes);
	s->next_volume = next_volume;
	if (!err)
		err = link_volumes(r, link);
	if (!err)
		err = complete_volumes(r);
	raise_counters(s, epoch, next_id, max(next_volume, s->next_volume));
	r->parent = link;
	r->nr_parents = link_nr;
	port_free(f.ref);
	return err;
}
