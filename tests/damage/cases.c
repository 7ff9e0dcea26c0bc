// SPDX-License-Identifier: GPL-2.0
/*
 * What is damaged, and how: see cases.h. The tables of fields are those of
 * cpblk_format.h; a field that nothing else bears out is marked there, with
 * the reason.
 */
#include "cases.h"

#define F(type, name)		{ #name, offsetof(struct type, name), \
				  sizeof(((struct type *)0)->name), false }
#define SOLE(type, name)	{ #name, offsetof(struct type, name), \
				  sizeof(((struct type *)0)->name), true }

static const struct field header_fields[] = {
	F(cpb_disk_header, crc), F(cpb_disk_header, magic),
	F(cpb_disk_header, self), F(cpb_disk_header, txn),
	F(cpb_disk_header, birth), F(cpb_disk_header, uuid),
	F(cpb_disk_header, level), F(cpb_disk_header, nr),
	F(cpb_disk_header, pad), F(cpb_disk_header, base),
};

static const struct field super_fields[] = {
	F(cpb_disk_super, version), F(cpb_disk_super, chunk_shift),
	F(cpb_disk_super, incompat), F(cpb_disk_super, ro_compat),
	F(cpb_disk_super, compat), F(cpb_disk_super, created),
	F(cpb_disk_super, name), F(cpb_disk_super, meta_blocks),
	F(cpb_disk_super, data_chunks), F(cpb_disk_super, journal_start),
	F(cpb_disk_super, journal_blocks), F(cpb_disk_super, journal_tail),
	F(cpb_disk_super, journal_seq), F(cpb_disk_super, journal_link),
	F(cpb_disk_super, label_crc), F(cpb_disk_super, bitmap_start),
	F(cpb_disk_super, bitmap_slots), F(cpb_disk_super, meta_used),
	F(cpb_disk_super, data_used), F(cpb_disk_super, epoch),
	F(cpb_disk_super, next_id), F(cpb_disk_super, next_volume),
	F(cpb_disk_super, object_slots), F(cpb_disk_super, objects.ref),
	F(cpb_disk_super, objects.level), F(cpb_disk_super, objects.pad),
	F(cpb_disk_super, space.ref), F(cpb_disk_super, space.level),
	F(cpb_disk_super, space.pad), F(cpb_disk_super, dead.ref),
	F(cpb_disk_super, dead.level), F(cpb_disk_super, dead.pad),
	F(cpb_disk_super, dead_nodes), F(cpb_disk_super, options),
	F(cpb_disk_super, reserved),
	F(cpb_disk_super, bitmap_place[0]),
};

static const struct field label_fields[] = {
	F(cpb_disk_label, version), F(cpb_disk_label, chunk_shift),
	F(cpb_disk_label, cookie), F(cpb_disk_label, name),
};

/* Chunks don't say at which virtual chunk they are. */
static const struct field extent_fields[] = {
	SOLE(cpb_disk_extent, vchunk), F(cpb_disk_extent, run),
	F(cpb_disk_extent, birth),
};

static const struct field child_fields[] = {
	F(cpb_disk_child, vchunk), F(cpb_disk_child, ref),
	F(cpb_disk_child, birth),
};

static const struct field dead_fields[] = {
	F(cpb_disk_dead, set), F(cpb_disk_dead, birth), F(cpb_disk_dead, run),
};

static const struct field dead_child_fields[] = {
	F(cpb_disk_dead_child, key.set), F(cpb_disk_dead_child, key.birth),
	F(cpb_disk_dead_child, key.run), F(cpb_disk_dead_child, ref),
	F(cpb_disk_dead_child, birth),
};

static const struct field index_fields[] = {
	F(cpb_disk_index, ref), F(cpb_disk_index, aux),
};

static const struct field word_fields[] = { { "bits", 0, 8, false } };

/* Nothing else names a checkpoint that nothing follows. */
static const struct field point_fields[] = {
	F(cpb_disk_point, type), F(cpb_disk_point, flags),
	SOLE(cpb_disk_point, id), F(cpb_disk_point, volume),
	F(cpb_disk_point, parent), F(cpb_disk_point, epoch),
	F(cpb_disk_point, time), F(cpb_disk_point, size),
	F(cpb_disk_point, root), F(cpb_disk_point, root_birth),
	F(cpb_disk_point, root_level), F(cpb_disk_point, name_len),
	F(cpb_disk_point, message_len), F(cpb_disk_point, hold_len),
	F(cpb_disk_point, referenced), F(cpb_disk_point, deadset),
	F(cpb_disk_point, dead_chunks), F(cpb_disk_point, dead_blocks),
	F(cpb_disk_point, cursor), F(cpb_disk_point, keep),
	F(cpb_disk_point, name), F(cpb_disk_point, message),
	F(cpb_disk_point, hold),
	F(cpb_disk_point, dead_young), F(cpb_disk_point, dead_young_after),
	F(cpb_disk_point, reserved),
};

static const struct field volume_fields[] = {
	F(cpb_disk_volume, type), F(cpb_disk_volume, flags),
	F(cpb_disk_volume, id), F(cpb_disk_volume, head),
	F(cpb_disk_volume, generation), F(cpb_disk_volume, undo),
	F(cpb_disk_volume, next_auto), F(cpb_disk_volume, created),
	F(cpb_disk_volume, uuid), F(cpb_disk_volume, name_len),
	F(cpb_disk_volume, group_len), F(cpb_disk_volume, pad),
	F(cpb_disk_volume, name), F(cpb_disk_volume, group),
	F(cpb_disk_volume, policy), F(cpb_disk_volume, reserved),
};

/* The first batch may be of a transaction that the superblock has already. */
static const struct field batch_fields[] = {
	F(cpb_disk_batch, h.crc), F(cpb_disk_batch, h.magic),
	F(cpb_disk_batch, h.self), SOLE(cpb_disk_batch, h.txn),
	F(cpb_disk_batch, h.birth), F(cpb_disk_batch, h.uuid),
	F(cpb_disk_batch, h.level), F(cpb_disk_batch, h.nr),
	F(cpb_disk_batch, h.pad), F(cpb_disk_batch, h.base),
	F(cpb_disk_batch, link), F(cpb_disk_batch, bytes),
	F(cpb_disk_batch, blocks), F(cpb_disk_batch, pad),
};

static const struct field stamp_fields[] = {
	F(cpb_disk_stamp, crc), F(cpb_disk_stamp, length), F(cpb_disk_stamp, sector),
	F(cpb_disk_stamp, store), F(cpb_disk_stamp, seq),
};

/* A record is all that there is of a change; any free chunk can be meant. */
static const struct field record_map_fields[] = {
	SOLE(cpb_disk_record_map, r.type), F(cpb_disk_record_map, r.size),
	SOLE(cpb_disk_record_map, r.volume), SOLE(cpb_disk_record_map, vchunk),
	SOLE(cpb_disk_record_map, run),
};

static const struct field record_op_fields[] = {
	F(cpb_disk_record_op, r.type), F(cpb_disk_record_op, r.size),
	SOLE(cpb_disk_record_op, r.volume), F(cpb_disk_record_op, time),
	F(cpb_disk_record_op, target), F(cpb_disk_record_op, id),
	F(cpb_disk_record_op, arg), F(cpb_disk_record_op, flags),
	F(cpb_disk_record_op, name_len), F(cpb_disk_record_op, text_len),
	F(cpb_disk_record_op, uuid), { "text", 64, 8, false },
};

/* ---- Making the list ---- */

static void add(struct cases *c, const struct damage *x)
{
	if (c->nr == c->room) {
		c->room = 2 * c->room + 1024;
		c->damage = realloc(c->damage, c->room * sizeof(*c->damage));
		if (!c->damage)
			abort();
	}
	c->damage[c->nr++] = *x;
}

static void add_fields(struct cases *c, const struct target *t,
		       const struct field *f, unsigned int nr, u32 base,
		       unsigned int entry)
{
	struct damage x = { .target = t, .entry = entry };
	unsigned int op, fixed;

	for (; nr--; f++) {
		x.field = f;
		x.offset = base + f->offset;
		for (op = 0; op < OP_FIELDS; op++) {
			for (fixed = 0; fixed < 2; fixed++) {
				/* A changed checksum can't be right. */
				if (fixed && !x.offset)
					continue;
				x.op = op;
				x.fixed = fixed;
				add(c, &x);
			}
		}
	}
}

#define ADD(c, t, table, base, entry) \
	add_fields(c, t, table, ARRAY_SIZE(table), base, entry)

static const struct cpb_disk_header *header(const struct base *b,
					    const struct target *t)
{
	return (const void *)image_peek(&b->disk, t->addr);
}

/* The first entries, the last ones, and one in so many between them. */
static bool picked(unsigned int i, unsigned int nr, unsigned int step)
{
	return i < 2 || i + 2 >= nr || !(i % step);
}

static void add_entries(struct cases *c, const struct base *b,
			const struct target *t)
{
	const struct cpb_disk_header *h = header(b, t);
	u32 magic = le32_to_cpu(h->magic), at = sizeof(*h);
	unsigned int nr = le16_to_cpu(h->nr), i;
	bool leaf = !le16_to_cpu(h->level);

	for (i = 0; magic == CPB_MAGIC_MAP && i < nr; i++, at += 24) {
		if (leaf && picked(i, nr, 48))
			ADD(c, t, extent_fields, at, i);
		else if (!leaf && picked(i, nr, 3))
			ADD(c, t, child_fields, at, i);
	}
	for (i = 0; magic == CPB_MAGIC_DEAD && i < nr; i++) {
		if (leaf && picked(i, nr, 16))
			ADD(c, t, dead_fields, at, i);
		else if (!leaf)
			ADD(c, t, dead_child_fields, at, i);
		at += leaf ? 24 : 40;
	}
	for (i = 0; magic == CPB_MAGIC_INDEX && i < 4; i++, at += 16)
		ADD(c, t, index_fields, at, i);
	for (i = 0; (magic == CPB_MAGIC_SPACE || magic == CPB_MAGIC_BITMAP) &&
	     i < CPB_PAYLOAD / 8; i += i < 72 ? 4 : 63)
		ADD(c, t, word_fields, at + 8 * i, i);
}

static void add_objects(struct cases *c, const struct base *b,
			const struct target *t)
{
	const u8 *p = (const u8 *)(header(b, t) + 1);
	unsigned int i;
	u32 type;

	for (i = 0; i < CPB_OBJECTS_PER_BLOCK; i++) {
		memcpy(&type, p + i * CPB_OBJECT_SIZE, sizeof(type));
		type = le32_to_cpu(type);
		if (type == CPB_OBJECT_VOLUME)
			ADD(c, t, volume_fields,
			    sizeof(struct cpb_disk_header) + i * CPB_OBJECT_SIZE, i);
		else
			ADD(c, t, point_fields,
			    sizeof(struct cpb_disk_header) + i * CPB_OBJECT_SIZE, i);
	}
}

/* Fields of a record, which passes over stamps. */
static void add_streamed(struct cases *c, const struct target *t, const struct field *f,
			 unsigned int nr, u32 at, unsigned int entry)
{
	for (; nr--; f++)
		add_fields(c, t, f, 1, at + (at + f->offset) / CPB_STAMPED_ROOM *
			   sizeof(struct cpb_disk_stamp), entry);
}

static void add_records(struct cases *c, const struct base *b,
			const struct target *t)
{
	const struct cpb_disk_batch *h = (const void *)header(b, t);
	u32 at = sizeof(*h), end = at + le32_to_cpu(h->bytes), n = 0;
	struct cpb_batch_form form = cpb_batch_form(&b->super);
	struct cpb_vec vec = { .data = (void *)h };
	u8 flat[CPB_BLOCK_SIZE];

	cpb_batch_get(&vec, 1, &form, flat);
	while (at < end && at < cpb_batch_bytes(1, &form)) {
		const struct cpb_disk_record *r = (const void *)(flat + at);
		unsigned int type = le16_to_cpu(r->type);

		if (type == CPB_RECORD_MAP || type == CPB_RECORD_UNMAP)
			add_streamed(c, t, record_map_fields,
				     ARRAY_SIZE(record_map_fields), at, n++);
		else
			add_streamed(c, t, record_op_fields,
				     ARRAY_SIZE(record_op_fields), at, n++);
		at += le16_to_cpu(r->size);
	}
}

/* Those of the batch in its first block. */
static void add_stamps(struct cases *c, const struct base *b, const struct target *t)
{
	struct cpb_batch_form form = cpb_batch_form(&b->super);
	struct cpb_vec vec = { .data = (void *)header(b, t) };
	unsigned int nr = cpb_batch_sectors(&vec, 1, &form), i;

	for (i = 0; i < nr; i++)
		ADD(c, t, stamp_fields, i * CPB_SECTOR_SIZE + CPB_STAMPED_ROOM, i);
}

/* What the whole block may become. */
static void add_whole(struct cases *c, const struct target *t)
{
	struct damage x = { .target = t };
	unsigned int i;

	x.op = OP_LOST_WRITE;
	add(c, &x);
	for (i = 0; i < 2; i++) {
		x.op = OP_STALE;
		x.fixed = i;
		add(c, &x);
	}
	for (i = 0; i < c->nr_targets; i++) {
		if (t == &c->target[i])
			continue;
		x.op = OP_OTHER;
		x.other = c->target[i].addr;
		x.fixed = false;
		add(c, &x);
		x.fixed = true;
		add(c, &x);
	}
}

/* Where the block lies that a reference names. */
static u64 block_of(__le64 ref)
{
	return le64_to_cpu(ref) & ((1ULL << CPB_REF_TXN_SHIFT) - 1);
}

static void add_target(struct cases *c, const struct base *b, const char *kind,
		       u64 addr, u64 twin)
{
	struct target *t;
	u32 magic;

	if (!image_peek(&b->disk, addr))
		return;
	c->target = realloc(c->target, (c->nr_targets + 1) * sizeof(*t));
	if (!c->target)
		abort();
	t = &c->target[c->nr_targets++];
	memset(t, 0, sizeof(*t));
	snprintf(t->kind, sizeof(t->kind), "%s", kind);
	t->addr = addr;
	t->twin = twin;
	magic = le32_to_cpu(header(b, t)->magic);
	t->maps = magic == CPB_MAGIC_SUPER || magic == CPB_MAGIC_MAP ||
		  magic == CPB_MAGIC_OBJECTS || magic == CPB_MAGIC_BATCH;
}

/* A table's blocks: all that there are of the first few. */
static void add_table(struct cases *c, const struct base *b, const char *what,
		      const struct cpb_disk_root *root)
{
	u64 addr = block_of(root->ref), i;
	const struct cpb_disk_index *x;
	char kind[48];

	snprintf(kind, sizeof(kind), "index of the %s table", what);
	add_target(c, b, kind, addr, 0);
	x = (const void *)(image_peek(&b->disk, addr) +
			   sizeof(struct cpb_disk_header));
	for (i = 0; i < 4; i++) {
		snprintf(kind, sizeof(kind), "leaf %llu of the %s table",
			 (unsigned long long)i, what);
		if (x[i].ref)
			add_target(c, b, kind, block_of(x[i].ref), 0);
	}
}

/* A tree: its root, and on each level below the first child and the last. */
static void add_tree(struct cases *c, const struct base *b, const char *what,
		     u64 addr, unsigned int words)
{
	const struct cpb_disk_header *h = (const void *)image_peek(&b->disk, addr);
	unsigned int i, nr;
	const __le64 *e;
	char kind[48];

	if (!h)
		return;
	for (i = 0; i < c->nr_targets; i++)
		if (c->target[i].addr == addr)
			return;
	snprintf(kind, sizeof(kind), "level %u of %s", le16_to_cpu(h->level), what);
	add_target(c, b, kind, addr, 0);
	e = (const __le64 *)(h + 1);
	nr = le16_to_cpu(h->nr);
	for (i = 0; h->level && i < nr; i++)
		if (!i || i + 1 == nr)
			add_tree(c, b, what,
				 block_of(e[i * words + words - 2]), words);
}

static void add_maps(struct cases *c, const struct base *b)
{
	unsigned int t, i, nr = c->nr_targets;
	char what[40];

	for (t = 0; t < nr; t++) {
		const u8 *p = (const u8 *)(header(b, &c->target[t]) + 1);

		if (le32_to_cpu(header(b, &c->target[t])->magic) != CPB_MAGIC_OBJECTS)
			continue;
		for (i = 0; i < CPB_OBJECTS_PER_BLOCK; i++, p += CPB_OBJECT_SIZE) {
			const struct cpb_disk_point *d = (const void *)p;
			u32 flags = le32_to_cpu(d->flags);

			if (le32_to_cpu(d->type) != CPB_OBJECT_POINT || !d->root)
				continue;
			snprintf(what, sizeof(what), "the map of %s %llu",
				 flags & CPB_POINT_REAP ? "a reaped point" :
				 flags & CPB_POINT_HIDDEN ? "a hidden point" :
				 flags & CPB_POINT_HEAD ? "head" : "checkpoint",
				 (unsigned long long)le64_to_cpu(d->id));
			add_tree(c, b, what, block_of(d->root), 3);
		}
	}
}

void cases_make(struct cases *c, const struct base *b)
{
	const struct cpb_disk_super *sb = &b->super;
	u64 bitmap = le64_to_cpu(sb->bitmap_start), i;
	char kind[48];

	memset(c, 0, sizeof(*c));
	add_target(c, b, "both superblocks", 0, CPB_SB_SECOND);
	add_target(c, b, "the first superblock", 0, 0);
	add_target(c, b, "the second superblock", CPB_SB_SECOND, 0);
	add_target(c, b, "the label", IMAGE_LABEL, 0);
	add_target(c, b, "the bitmap of blocks",
		   bitmap + (le64_to_cpu(sb->bitmap_place[0]) & 1), 0);
	add_table(c, b, "object", &sb->objects);
	add_table(c, b, "space", &sb->space);
	add_tree(c, b, "the dead tree", block_of(sb->dead.ref), 5);
	add_maps(c, b);
	for (i = 0; i < b->nr_batches; i++) {
		snprintf(kind, sizeof(kind), "batch %llu of the journal",
			 (unsigned long long)i);
		add_target(c, b, kind, b->batch[i], 0);
	}

	for (i = 0; i < c->nr_targets; i++) {
		const struct target *t = &c->target[i];

		add_whole(c, t);
		if (le32_to_cpu(header(b, t)->magic) != CPB_MAGIC_BATCH)
			ADD(c, t, header_fields, 0, 0);
		switch (le32_to_cpu(header(b, t)->magic)) {
		case CPB_MAGIC_SUPER:
			ADD(c, t, super_fields, 0, 0);
			break;
		case CPB_MAGIC_LABEL:
			ADD(c, t, label_fields, 0, 0);
			break;
		case CPB_MAGIC_OBJECTS:
			add_objects(c, b, t);
			break;
		case CPB_MAGIC_BATCH:
			ADD(c, t, batch_fields, 0, 0);
			add_records(c, b, t);
			add_stamps(c, b, t);
			break;
		default:
			add_entries(c, b, t);
		}
	}
}

void cases_free(struct cases *c)
{
	free(c->target);
	free(c->damage);
}

/* ---- Doing it ---- */

static u64 next_random(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void change(u8 *p, unsigned int size, unsigned int op, u64 seed)
{
	unsigned int i;

	switch (op) {
	case OP_ZERO:
		memset(p, 0, size);
		break;
	case OP_ONES:
		memset(p, 0xff, size);
		break;
	case OP_FIRST_BIT:
		p[0] ^= 1;
		break;
	case OP_MIDDLE_BIT:
		p[size / 2] ^= 1;
		break;
	case OP_LAST_BIT:
		p[size - 1] ^= 0x80;
		break;
	case OP_PLUS_ONE:
		for (i = 0; i < size && !++p[i]; i++)
			;
		break;
	case OP_MINUS_ONE:
		for (i = 0; i < size && !p[i]--; i++)
			;
		break;
	default:
		for (i = 0; i < size; i++)
			p[i] = next_random(&seed) >> 24;
	}
}

/* The newest block that may have been an older version of this one. */
static const u8 *older(const struct base *b, const struct cpb_disk_header *h)
{
	u64 i;

	for (i = b->disk.nr_older; i--;) {
		const struct cpb_disk_header *o = (const void *)b->disk.older[i];

		if (o->magic == h->magic && o->level == h->level &&
		    o->base == h->base &&
		    le64_to_cpu(o->txn) < le64_to_cpu(h->txn) &&
		    (h->base || ((const __le64 *)(o + 1))[0] ==
				((const __le64 *)(h + 1))[0]))
			return b->disk.older[i];
	}
	return NULL;
}

static const u8 *whole(const struct base *b, const struct damage *x)
{
	u64 addr = x->target->addr;

	if (x->op == OP_OTHER)
		return image_peek(&b->disk, x->other);
	if (addr == IMAGE_LABEL)
		return NULL;
	if (x->op == OP_LOST_WRITE)
		return b->disk.before[addr];
	return older(b, (const void *)b->disk.block[addr]);
}

static void reseal(const struct base *b, struct image *d,
		   const struct damage *x, u64 addr)
{
	struct cpb_disk_header *h = (void *)image_block(d, addr);

	/* A block that was written to the wrong place has that in it. */
	if (x->op >= OP_FIELDS)
		h->self = cpu_to_le64(addr == IMAGE_LABEL ? 0 : addr);
	base_reseal(b, d, addr);
}

static bool apply_at(const struct base *b, struct image *d,
		     const struct damage *x, u64 addr, u64 seed)
{
	u8 *p = image_block(d, addr);
	const u8 *from;

	if (x->op < OP_FIELDS) {
		change(p + x->offset, x->field->size, x->op, seed);
	} else {
		from = whole(b, x);
		if (!from)
			return false;
		memcpy(p, from, CPB_BLOCK_SIZE);
	}
	/* A stamp is made right together with the checksum. */
	if (x->fixed)
		reseal(b, d, x, addr);
	return memcmp(p, image_peek(&b->disk, addr), CPB_BLOCK_SIZE);
}

bool damage_apply(const struct base *b, struct image *d, const struct damage *x,
		  u64 seed)
{
	bool changed;

	seed = (seed + 1) * 0x9e3779b97f4a7c15ULL;
	changed = apply_at(b, d, x, x->target->addr, seed);
	if (changed && x->target->twin)
		apply_at(b, d, x, x->target->twin, seed);
	return changed;
}

void damage_text(const struct damage *x, char *text, size_t len)
{
	static const char * const names[] = {
		"zeroes", "ones", "the first bit flipped", "a middle bit flipped",
		"the last bit flipped", "one more", "one less", "random",
		"the content before the last write", "an older version",
		"the content of another block",
	};

	if (x->op < OP_FIELDS)
		snprintf(text, len, "%s, block %llu: %s of entry %u: %s, checksum %s",
			 x->target->kind, (unsigned long long)x->target->addr,
			 x->field->name, x->entry, names[x->op],
			 x->fixed ? "fixed up" : "wrong");
	else
		snprintf(text, len, "%s, block %llu: %s (%llu)%s", x->target->kind,
			 (unsigned long long)x->target->addr, names[x->op],
			 (unsigned long long)x->other,
			 x->fixed ? ", fixed up" : "");
}
