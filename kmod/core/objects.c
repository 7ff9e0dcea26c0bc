// SPDX-License-Identifier: GPL-2.0
/*
 * Volumes and points in memory, how they are found, and how they are stored.
 *
 * All of them are in memory while a store is open. On disk each has a slot of
 * the object table, written from memory by the block of eight; a commit writes
 * those blocks in which something changed. A deleted one leaves its slot empty.
 *
 * Names and IDs are looked up under cpb_store.lists; slots are marked dirty
 * under the tree lock.
 */
#include "engine.h"

/* ---- By ID ---- */

/** cpb_ids_add() - @id is above all that were ever added; -ENOMEM */
int cpb_ids_add(struct cpb_ids *ids, u64 id, void *p)
{
	if (ids->nr == ids->room) {
		u64 room = max_t(u64, 64, 2 * ids->live), i, n = 0;
		struct cpb_id *v = port_alloc(room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		for (i = 0; i < ids->nr; i++)
			if (ids->v[i].p)
				v[n++] = ids->v[i];
		port_free(ids->v);
		ids->v = v;
		ids->nr = n;
		ids->room = room;
	}
	ids->v[ids->nr++] = (struct cpb_id){ id, p };
	ids->live++;
	return 0;
}

/* Index of the first one whose ID is not below @id. */
static u64 lower(const struct cpb_ids *ids, u64 id)
{
	u64 lo = 0, hi = ids->nr;

	while (lo < hi) {
		u64 mid = lo + (hi - lo) / 2;

		if (ids->v[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void *cpb_ids_find(const struct cpb_ids *ids, u64 id)
{
	u64 i = lower(ids, id);

	return i < ids->nr && ids->v[i].id == id ? ids->v[i].p : NULL;
}

/** cpb_ids_next() - the first one above @id, or NULL */
void *cpb_ids_next(const struct cpb_ids *ids, u64 id)
{
	u64 i;

	for (i = lower(ids, id + 1); i < ids->nr; i++)
		if (ids->v[i].p)
			return ids->v[i].p;
	return NULL;
}

void cpb_ids_del(struct cpb_ids *ids, u64 id)
{
	u64 i = lower(ids, id);

	if (i < ids->nr && ids->v[i].id == id && ids->v[i].p) {
		ids->v[i].p = NULL;
		ids->live--;
	}
	/* An operation that failed takes back IDs that the next one gets. */
	while (ids->nr && !ids->v[ids->nr - 1].p)
		ids->nr--;
}

/* ---- By name ---- */

static u32 name_hash(u64 scope, const char *name)
{
	return hash_64(scope ^ (u64)port_crc(0, name, strlen(name)) << 32 ^
		       port_crc(1, name, strlen(name)), 32);
}

static struct cpb_name **bucket(const struct cpb_names *t, u32 hash)
{
	return &t->bucket[hash >> (32 - t->bits)];
}

static int names_grow(struct cpb_names *t)
{
	struct cpb_names more = { .bits = t->bits ? t->bits + 2 : 6 };
	u64 i;

	more.bucket = port_alloc(sizeof(void *) << more.bits);
	if (!more.bucket)
		return t->bits ? 0 : -ENOMEM;
	for (i = 0; t->bits && i < 1ULL << t->bits; i++) {
		struct cpb_name *n, *next;

		for (n = t->bucket[i]; n; n = next) {
			struct cpb_name **b = bucket(&more, n->hash);

			next = n->next;
			n->next = *b;
			*b = n;
		}
	}
	port_free(t->bucket);
	t->bucket = more.bucket;
	t->bits = more.bits;
	return 0;
}

/** cpb_names_add() - -EEXIST, -ENOMEM */
int cpb_names_add(struct cpb_names *t, struct cpb_name *n)
{
	struct cpb_name **b;
	int err = 0;

	if (!t->bits || t->nr > 1ULL << t->bits)
		err = names_grow(t);
	if (err)
		return err;
	if (cpb_names_find(t, n->scope, n->name))
		return -EEXIST;
	n->hash = name_hash(n->scope, n->name);
	b = bucket(t, n->hash);
	n->next = *b;
	*b = n;
	t->nr++;
	return 0;
}

void cpb_names_del(struct cpb_names *t, struct cpb_name *n)
{
	struct cpb_name **p;

	if (!t->bits || !n->name)
		return;
	for (p = bucket(t, n->hash); *p; p = &(*p)->next) {
		if (*p == n) {
			*p = n->next;
			t->nr--;
			return;
		}
	}
}

void *cpb_names_find(const struct cpb_names *t, u64 scope, const char *name)
{
	struct cpb_name *n;
	u32 hash;

	if (!t->bits)
		return NULL;
	hash = name_hash(scope, name);
	for (n = *bucket(t, hash); n; n = n->next)
		if (n->hash == hash && n->scope == scope && !strcmp(n->name, name))
			return n->owner;
	return NULL;
}

/* ---- Slots ---- */

/** cpb_slots_chain() - chain the empty slots from @from on before those that are */
void cpb_slots_chain(struct cpb_slots *t, u32 from)
{
	u32 i = t->nr, next = t->empty;

	while (i-- > from) {
		if (cpb_slot(t, i)->type != CPB_OBJECT_NONE)
			continue;
		cpb_slot(t, i)->next = next;
		next = i;
	}
	t->empty = next;
}

static void free_slots(struct cpb_slots *t)
{
	u32 i;

	for (i = 0; t->page && i < t->nr / CPB_SLOTS_PER_PAGE; i++)
		port_free(t->page[i]);
}

/**
 * cpb_slots_ready() - have @nr empty slots  [sleeps]
 * @s: the store
 * @nr: how many
 *
 * So many calls of cpb_slot_take() can't fail then. lists is held; the table
 * only grows.
 */
int cpb_slots_ready(struct cpb_store *s, unsigned int nr)
{
	struct cpb_slots *t = &s->slots, more = *t;
	u32 old = t->nr / CPB_SLOTS_PER_PAGE, pages, i;
	unsigned long flags;
	int err = 0;

	if (t->nr - t->used >= nr)
		return 0;
	more.nr = round_up(max(t->nr + t->nr / 8, t->used + nr),
			   CPB_OBJECTS_PER_BLOCK * BITS_PER_LONG);
	pages = more.nr / CPB_SLOTS_PER_PAGE;
	more.page = port_alloc(pages * sizeof(*more.page));
	more.dirty = port_alloc(more.nr / CPB_OBJECTS_PER_BLOCK / 8);
	for (i = old; i < pages && more.page; i++) {
		more.page[i] = port_alloc(CPB_BLOCK_SIZE);
		if (!more.page[i])
			err = -ENOMEM;
	}
	if (err || !more.page || !more.dirty) {
		for (i = old; i < pages && more.page; i++)
			port_free(more.page[i]);
		port_free(more.page);
		port_free(more.dirty);
		return -ENOMEM;
	}
	if (old)
		memcpy(more.page, t->page, old * sizeof(*t->page));
	cpb_slots_chain(&more, t->nr);
	flags = port_lock(&s->lock);
	if (old)
		memcpy(more.dirty, t->dirty, t->nr / CPB_OBJECTS_PER_BLOCK / 8);
	t->nr = more.nr;
	t->empty = more.empty;
	swap(t->page, more.page);
	swap(t->dirty, more.dirty);
	port_unlock(&s->lock, flags);
	port_free(more.page);
	port_free(more.dirty);
	return 0;
}

/** cpb_slot_take() - a slot for an object; the tree lock is held, one is ready */
u32 cpb_slot_take(struct cpb_store *s, u32 type, void *p)
{
	struct cpb_slots *t = &s->slots;
	u32 i = t->empty;
	struct cpb_slot *slot = cpb_slot(t, i);

	t->empty = slot->next;
	t->used++;
	slot->type = type;
	slot->p = p;
	cpb_slot_dirty(s, i);
	return i;
}

/** cpb_slot_dirty() - what is in this slot changed; the tree lock is held */
void cpb_slot_dirty(struct cpb_store *s, u32 slot)
{
	u32 block = slot / CPB_OBJECTS_PER_BLOCK;
	unsigned long *w = &s->slots.dirty[block / BITS_PER_LONG];

	if (*w & BIT(block % BITS_PER_LONG))
		return;
	*w |= BIT(block % BITS_PER_LONG);
	s->slots.nr_dirty++;
}

/** cpb_slot_put() - the object is gone; the tree lock is held */
void cpb_slot_put(struct cpb_store *s, u32 slot)
{
	struct cpb_slots *t = &s->slots;

	*cpb_slot(t, slot) = (struct cpb_slot){ CPB_OBJECT_NONE, t->empty, NULL };
	t->empty = slot;
	t->used--;
	cpb_slot_dirty(s, slot);
}

static void write_point(const struct cpb_point *p, struct cpb_disk_point *d)
{
	size_t name = strlen(p->text), message = strlen(p->text + name + 1);

	d->type = cpu_to_le32(CPB_OBJECT_POINT);
	d->flags = cpu_to_le32(p->flags);
	d->id = cpu_to_le64(p->id);
	d->volume = cpu_to_le64(p->volume);
	d->parent = cpu_to_le64(p->parent ? p->parent->id : 0);
	d->epoch = cpu_to_le64(p->epoch);
	d->time = cpu_to_le64(p->time);
	d->size = cpu_to_le64(p->size);
	d->root = cpu_to_le64(p->root.ref);
	d->root_birth = cpu_to_le64(p->root.birth);
	d->root_level = cpu_to_le16(p->root.level);
	d->name_len = cpu_to_le16(name);
	d->message_len = cpu_to_le16(message);
	d->referenced = cpu_to_le64(p->referenced);
	d->deadset = cpu_to_le64(p->dead->id);
	d->dead_chunks = cpu_to_le64(p->dead->nr[0]);
	d->dead_blocks = cpu_to_le64(p->dead->nr[1]);
	d->dead_young = cpu_to_le64(p->dead->young);
	d->dead_young_after = cpu_to_le64(p->dead->young_after);
	d->cursor = cpu_to_le64(p->cursor);
	d->keep = cpu_to_le64(p->keep);
	memcpy(d->name, p->text, name);
	memcpy(d->message, p->text + name + 1, message);
	if (p->hold) {
		d->hold_len = cpu_to_le16(strlen(p->hold));
		memcpy(d->hold, p->hold, strlen(p->hold));
	}
}

static void write_volume(const struct cpb_volume *v, struct cpb_disk_volume *d)
{
	d->type = cpu_to_le32(CPB_OBJECT_VOLUME);
	d->flags = cpu_to_le32(v->flags);
	d->id = cpu_to_le64(v->id);
	d->head = cpu_to_le64(v->head->id);
	d->generation = cpu_to_le64(v->generation);
	d->undo = cpu_to_le64(v->undo);
	d->next_auto = cpu_to_le64(v->next_auto);
	d->created = cpu_to_le64(v->created);
	memcpy(d->uuid, v->uuid, sizeof(d->uuid));
	d->name_len = cpu_to_le16(strlen(v->name));
	d->group_len = cpu_to_le16(strlen(v->group));
	memcpy(d->name, v->name, sizeof(d->name));
	memcpy(d->group, v->group, sizeof(d->group));
	d->policy = v->policy;
}

/** cpb_slots_write() - a block of slots as it goes to disk; the tree lock is held */
void cpb_slots_write(struct cpb_store *s, u32 block, void *data)
{
	u32 i;

	static_assert(sizeof(struct cpb_disk_point) == CPB_OBJECT_SIZE, "slot");
	static_assert(sizeof(struct cpb_disk_volume) == CPB_OBJECT_SIZE, "slot");
	memset(data, 0, CPB_PAYLOAD);
	for (i = 0; i < CPB_OBJECTS_PER_BLOCK; i++, data += CPB_OBJECT_SIZE) {
		struct cpb_slot *slot = cpb_slot(&s->slots,
						 block * CPB_OBJECTS_PER_BLOCK + i);

		if (slot->type == CPB_OBJECT_POINT)
			write_point(slot->p, data);
		else if (slot->type == CPB_OBJECT_VOLUME)
			write_volume(slot->p, data);
	}
}

/* ---- Making and freeing ---- */

/**
 * cpb_point_new() - a point that is in no list yet, or NULL  [sleeps]
 * @s: the store
 * @name: may be empty, as @message may
 * @message: the message
 */
struct cpb_point *cpb_point_new(struct cpb_store *s, const char *name,
				const char *message)
{
	size_t n = strlen(name) + 1, m = strlen(message) + 1;
	struct cpb_point *p = port_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->text = port_alloc(n + m);
	if (!p->text) {
		port_free(p);
		return NULL;
	}
	memcpy(p->text, name, n);
	memcpy(p->text + n, message, m);
	p->s = s;
	port_seq_init(&p->seq);
	INIT_LIST_HEAD(&p->children);
	INIT_LIST_HEAD(&p->sibling);
	INIT_LIST_HEAD(&p->of_volume);
	INIT_LIST_HEAD(&p->work);
	return p;
}

void cpb_point_free(struct cpb_point *p)
{
	if (!p)
		return;
	cpb_deadset_free(p->dead);
	port_free(p->text);
	port_free(p->hold);
	port_free(p);
}

/* ---- Loading ---- */

/* A text of a record: no NUL in it, not longer than its field. */
static bool text_ok(const u8 *text, unsigned int len, unsigned int room)
{
	return len < room && !memchr(text, 0, len);
}

static int load_point(struct cpb_store *s, const struct cpb_disk_point *d,
		      u32 slot)
{
	unsigned int name = le16_to_cpu(d->name_len);
	unsigned int message = le16_to_cpu(d->message_len);
	unsigned int hold = le16_to_cpu(d->hold_len);
	bool held = le32_to_cpu(d->flags) & CPB_POINT_HELD;
	char text[2][CPB_MESSAGE_LEN] = { "", "" };
	struct cpb_point *p;

	if (!text_ok(d->name, name, CPB_NAME_LEN) ||
	    !text_ok(d->message, message, CPB_MESSAGE_LEN) ||
	    !text_ok(d->hold, hold, CPB_HOLD_LEN) || (hold && !held) ||
	    le32_to_cpu(d->flags) & ~CPB_POINT_FLAGS || !d->id || !d->deadset ||
	    le64_to_cpu(d->id) >= s->next_id ||
	    le64_to_cpu(d->deadset) >= s->next_id ||
	    !d->epoch || le64_to_cpu(d->epoch) > s->epoch ||
	    le64_to_cpu(d->size) > CPB_VOLUME_BYTES_MAX ||
	    le64_to_cpu(d->size) & ((1ULL << s->chunk_shift) - 1) ||
	    le64_to_cpu(d->referenced) > s->space.chunks ||
	    le64_to_cpu(d->dead_chunks) > s->space.chunks ||
	    le64_to_cpu(d->dead_blocks) > s->meta_blocks ||
	    le64_to_cpu(d->dead_young) > le64_to_cpu(d->dead_chunks) ||
	    cpb_ref_addr(le64_to_cpu(d->root)) >= s->meta_blocks ||
	    le16_to_cpu(d->root_level) >= CPB_LEVELS)
		return -EUCLEAN;
	memcpy(text[0], d->name, name);
	memcpy(text[1], d->message, message);
	p = cpb_point_new(s, text[0], text[1]);
	if (!p)
		return -ENOMEM;
	p->dead = cpb_deadset_new(le64_to_cpu(d->deadset));
	if (held)
		p->hold = port_alloc(hold + 1);
	if (!p->dead || (held && !p->hold)) {
		cpb_point_free(p);
		return -ENOMEM;
	}
	if (held)
		memcpy(p->hold, d->hold, hold);
	p->slot = slot;
	p->flags = le32_to_cpu(d->flags);
	p->id = le64_to_cpu(d->id);
	p->volume = le64_to_cpu(d->volume);
	p->epoch = le64_to_cpu(d->epoch);
	p->time = le64_to_cpu(d->time);
	p->size = le64_to_cpu(d->size);
	p->root.ref = le64_to_cpu(d->root);
	p->root.birth = le64_to_cpu(d->root_birth);
	p->root.level = le16_to_cpu(d->root_level);
	p->referenced = le64_to_cpu(d->referenced);
	p->cursor = le64_to_cpu(d->cursor);
	p->keep = le64_to_cpu(d->keep);
	p->dead->nr[0] = le64_to_cpu(d->dead_chunks);
	p->dead->nr[1] = le64_to_cpu(d->dead_blocks);
	p->dead->young = le64_to_cpu(d->dead_young);
	p->dead->young_after = le64_to_cpu(d->dead_young_after);
	p->dead->owner = p;
	p->sweep_all = true;
	*cpb_slot(&s->slots, slot) = (struct cpb_slot){ CPB_OBJECT_POINT, 0, p };
	s->slots.used++;
	return 0;
}

static int load_volume(struct cpb_store *s, const struct cpb_disk_volume *d,
		       u32 slot)
{
	struct cpb_volume *v;

	if (!text_ok(d->name, le16_to_cpu(d->name_len), CPB_NAME_LEN) ||
	    !text_ok(d->group, le16_to_cpu(d->group_len), CPB_NAME_LEN) ||
	    le32_to_cpu(d->flags) & ~CPB_VOLUME_FLAGS || !d->id ||
	    le64_to_cpu(d->id) >= s->next_volume)
		return -EUCLEAN;
	v = port_alloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->s = s;
	INIT_LIST_HEAD(&v->points);
	v->slot = slot;
	v->flags = le32_to_cpu(d->flags);
	v->id = le64_to_cpu(d->id);
	v->generation = le64_to_cpu(d->generation);
	v->undo = le64_to_cpu(d->undo);
	v->next_auto = le64_to_cpu(d->next_auto);
	v->created = le64_to_cpu(d->created);
	memcpy(v->uuid, d->uuid, sizeof(v->uuid));
	memcpy(v->name, d->name, le16_to_cpu(d->name_len));
	memcpy(v->group, d->group, le16_to_cpu(d->group_len));
	v->policy = d->policy;
	*cpb_slot(&s->slots, slot) = (struct cpb_slot){ CPB_OBJECT_VOLUME, 0, v };
	s->slots.used++;
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct cpb_id *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Put all objects of one type into the array of IDs. */
static int index_ids(struct cpb_store *s, u32 type, struct cpb_ids *ids)
{
	u32 i;
	int err;

	for (i = 0; i < s->slots.nr; i++) {
		struct cpb_slot *slot = cpb_slot(&s->slots, i);

		if (slot->type != type)
			continue;
		err = cpb_ids_add(ids, type == CPB_OBJECT_POINT ?
				  ((struct cpb_point *)slot->p)->id :
				  ((struct cpb_volume *)slot->p)->id, slot->p);
		if (err)
			return err;
	}
	if (ids->nr)
		port_sort(ids->v, ids->nr, sizeof(*ids->v), compare_ids);
	for (i = 1; i < ids->nr; i++)
		if (ids->v[i].id == ids->v[i - 1].id)
			return -EUCLEAN;
	return 0;
}

/* Names are unique, unless they are damaged. */
static int link_name(struct cpb_store *s, struct cpb_name *n)
{
	int err = cpb_names_add(&s->names, n);

	return err == -EEXIST ? -EUCLEAN : err;
}

/* Parents and heads are IDs on disk. */
static int link_point(struct cpb_store *s, struct cpb_point *p,
		      const struct cpb_disk_point *d)
{
	u64 id = le64_to_cpu(d->parent);
	struct cpb_point *parent;
	struct cpb_volume *v;

	if (p->flags & CPB_POINT_REAP) {
		s->nr_hidden++;
		cpb_work_add(p);
		return id || p->nr_children ? -EUCLEAN : 0;
	}
	if (id) {
		parent = cpb_ids_find(&s->points, id);
		/* A parent is older, which also makes sure there is no loop. */
		if (!parent || parent->epoch >= p->epoch ||
		    parent->flags & (CPB_POINT_HEAD | CPB_POINT_REAP))
			return -EUCLEAN;
		cpb_adopt(parent, p);
	}
	if (p->flags & CPB_POINT_HIDDEN) {
		s->nr_hidden++;
		cpb_work_add(p);
		return 0;
	}
	if (p->flags & CPB_POINT_HEAD)
		return 0;
	s->nr_checkpoints++;
	if (!cpb_name_ok(p->text))
		return -EUCLEAN;
	p->name = (struct cpb_name){
		.scope = p->volume, .name = p->text, .owner = p
	};
	v = cpb_ids_find(&s->volumes, p->volume);
	if (v)
		list_add_tail(&p->of_volume, &v->points);
	return link_name(s, &p->name);
}

static int link_volume(struct cpb_store *s, struct cpb_volume *v,
		       const struct cpb_disk_volume *d)
{
	struct cpb_point *head = cpb_ids_find(&s->points, le64_to_cpu(d->head));

	if (!cpb_name_ok(v->name) || !head || !(head->flags & CPB_POINT_HEAD) ||
	    head->flags & (CPB_POINT_REAP | CPB_POINT_HIDDEN) ||
	    head->volume != v->id)
		return -EUCLEAN;
	v->head = head;
	v->by_name = (struct cpb_name){ .name = v->name, .owner = v };
	return link_name(s, &v->by_name);
}

typedef int (*object_fn)(struct cpb_store *s, const void *d, u32 slot, u32 type);

/** cpb_object_load() - bring the record of one slot into memory, unlinked  [sleeps] */
int cpb_object_load(struct cpb_store *s, const void *d, u32 slot, u32 type)
{
	switch (type) {
	case CPB_OBJECT_NONE:
		return 0;
	case CPB_OBJECT_POINT:
		return load_point(s, d, slot);
	case CPB_OBJECT_VOLUME:
		return load_volume(s, d, slot);
	default:
		return -EUCLEAN;
	}
}

static int link_object(struct cpb_store *s, const void *d, u32 slot, u32 type)
{
	void *p = cpb_slot(&s->slots, slot)->p;

	if (type == CPB_OBJECT_POINT)
		return link_point(s, p, d);
	if (type == CPB_OBJECT_VOLUME)
		return link_volume(s, p, d);
	return 0;
}

static int each_object(struct cpb_store *s, object_fn fn)
{
	u32 blocks = s->slots.nr / CPB_OBJECTS_PER_BLOCK, b, i;
	int err = 0;

	for (b = 0; b < blocks && !err; b++) {
		struct cpb_node *leaf;

		err = cpb_table_leaf(s, &s->objects, CPB_MAGIC_OBJECTS, b, 0, &leaf);
		for (i = 0; i < CPB_OBJECTS_PER_BLOCK && leaf && !err; i++) {
			const u8 *d = (u8 *)(leaf->h + 1) + i * CPB_OBJECT_SIZE;

			err = fn(s, d, b * CPB_OBJECTS_PER_BLOCK + i,
				 le32_to_cpu(*(const __le32 *)d));
			if (err && err != -ENOMEM)
				cpb_break(s, err, "an object record is damaged",
					  leaf->addr);
		}
		port_cond_resched();
	}
	return err;
}

static u64 nr_heads(const struct cpb_store *s)
{
	u64 i, nr = 0;

	for (i = 0; i < s->points.nr; i++) {
		const struct cpb_point *p = s->points.v[i].p;

		nr += (p->flags & (CPB_POINT_HEAD | CPB_POINT_HIDDEN |
				   CPB_POINT_REAP)) == CPB_POINT_HEAD;
	}
	return nr;
}

/**
 * cpb_objects_load() - bring all volumes and points into memory  [sleeps]
 * @s: the store
 *
 * The table's root and s->slots.nr (a multiple of 64 blocks) are set.
 */
int cpb_objects_load(struct cpb_store *s)
{
	u32 nr = s->slots.nr;
	int err;

	s->slots.nr = 0;
	err = cpb_slots_ready(s, nr);
	if (!err)
		err = each_object(s, cpb_object_load);
	if (!err)
		cpb_slots_chain(&s->slots, 0);
	if (!err)
		err = index_ids(s, CPB_OBJECT_POINT, &s->points);
	if (!err)
		err = index_ids(s, CPB_OBJECT_VOLUME, &s->volumes);
	if (!err)
		err = each_object(s, link_object);
	if (err == -EUCLEAN && !s->broken)
		cpb_break(s, err, "two objects have the same ID", ~0ULL);
	if (!err && nr_heads(s) != s->volumes.live)
		err = cpb_break(s, -EUCLEAN, "a head belongs to no volume", ~0ULL);
	return err;
}

void cpb_objects_free(struct cpb_store *s)
{
	u32 i;

	for (i = 0; s->slots.page && i < s->slots.nr; i++) {
		struct cpb_slot *slot = cpb_slot(&s->slots, i);

		if (slot->type == CPB_OBJECT_POINT)
			cpb_point_free(slot->p);
		else
			port_free(slot->p);
	}
	free_slots(&s->slots);
	port_free(s->slots.page);
	port_free(s->slots.dirty);
	port_free(s->points.v);
	port_free(s->volumes.v);
	port_free(s->names.bucket);
}
