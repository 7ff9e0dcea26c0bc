// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk dump: shows what is on a store's devices, structure by structure, as
 * far as it can be read. Nothing is believed but what leads to the next block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../kmod/core/batch.h"
#include "idle.h"
#include "structs.h"
#include "tool.h"

static const char about[] =
	"WHAT is one of\n"
	"  super             both superblocks (also if it is left out)\n"
	"  label             the first block of the data device\n"
	"  journal           batches and records, from where a replay begins\n"
	"  objects           volumes, live disks (heads) and checkpoints\n"
	"  map OBJECT        nodes and extents of VOLUME, VOLUME@NAME or :NUMBER\n"
	"  dead [NUMBER]     deadlists, or the one with this number\n"
	"  space             how full each part of the data device is\n"
	"  bitmaps           which metadata blocks are in use\n"
	"  block NUMBER      one block of the metadata device\n"
	"Reads a store that is not open, damaged or not, and changes nothing.";

/**
 * struct dump - one run
 * @json: print a list of objects, else a line for each
 * @any: something was printed
 * @quiet: print nothing, only look
 * @sb: the newest valid superblock; zeroes if there is none
 * @uuid: the store's, or NULL
 * @seen: a bit for each block: no walk goes through one twice
 */
struct dump {
	struct idle idle;
	bool json, any, quiet;
	struct cpb_disk_super *sb;
	const u8 *uuid;
	unsigned long *seen;
};

/* ---- Printing ---- */

/* One object: takes it over. */
static void print_item(struct dump *d, struct json_object *o)
{
	const char *sep = "";

	if (d->quiet) {
		json_object_put(o);
		return;
	}
	if (d->json) {
		printf("%s\n  %s", d->any ? "," : "[",
		       json_object_to_json_string_ext(o, JSON_C_TO_STRING_SPACED));
	} else {
		json_object_object_foreach(o, key, value) {
			const char *text = json_object_get_string(value);

			if (!strcmp(key, "what"))
				printf("%s:", text);
			else if (*text)
				printf("%s %s %s", sep, key, text);
			sep = *sep || strcmp(key, "what") ? "," : "";
		}
		printf("\n");
	}
	d->any = true;
	json_object_put(o);
}

static void end(struct dump *d)
{
	if (d->json)
		printf("%s\n]\n", d->any ? "" : "[");
}

/* ---- Reading ---- */

static bool first_time(struct dump *d, u64 addr)
{
	unsigned long *w = &d->seen[addr / BITS_PER_LONG];
	unsigned long bit = 1UL << addr % BITS_PER_LONG;
	bool first = !(*w & bit);

	*w |= bit;
	return first;
}

/* Where it is and what is wrong with it, in the object that is printed of it. */
static void put_place(struct json_object *o, u64 addr, const char *state)
{
	json_put_number(o, "block", addr);
	json_put_string(o, "state", state);
}

/*
 * A block that something names: print it, unless it was printed before. True if
 * it is what it should be, so that what it says can be followed.
 */
static bool follow(struct dump *d, u64 ref, u32 magic, unsigned int level, void *block)
{
	u64 addr = ref & ((1ULL << CPB_REF_TXN_SHIFT) - 1);
	const struct cpb_disk_header *h = block;
	struct json_object *o;
	const char *state;

	if (addr >= d->idle.meta_blocks) {
		o = json_object_new_object();
		json_put_string(o, "what", magic_name(magic));
		put_place(o, addr, "beyond the device");
		print_item(d, o);
		return false;
	}
	if (!first_time(d, addr))
		return false;
	if (idle_ops.read(&d->idle, addr, block)) {
		memset(block, 0, CPB_BLOCK_SIZE);
		state = "can't be read";
	} else {
		state = block_state(h, addr, d->uuid);
		if (!strcmp(state, "ok") && le32_to_cpu(h->magic) != magic)
			state = "of another kind";
		else if (!strcmp(state, "ok") && le16_to_cpu(h->level) != level)
			state = "of another level";
		else if (!strcmp(state, "ok") &&
			 (le64_to_cpu(h->txn) << CPB_REF_TXN_SHIFT | addr) != ref)
			state = "of another transaction";
	}
	o = header_json(h);
	put_place(o, addr, state);
	print_item(d, o);
	return !strcmp(state, "ok");
}

/* ---- Trees ---- */

#define LEVELS 8

struct tree {
	u32 magic;
	unsigned int keys;	/* words of a key; a leaf's entries have three words */
	u64 only;		/* dead tree: this list, or 0 */
};

static void print_leaf(struct dump *d, const struct tree *t,
		       const struct cpb_disk_header *h)
{
	const struct cpb_disk_extent *x = (const void *)(h + 1);
	unsigned int nr = le16_to_cpu(h->nr), i;

	for (i = 0; i < nr && i < CPB_PAYLOAD / sizeof(*x); i++) {
		const struct cpb_disk_dead *dead = (const void *)(x + i);

		if (t->magic == CPB_MAGIC_MAP)
			print_item(d, extent_json(x + i));
		else if (!t->only || le64_to_cpu(dead->set) >> 1 == t->only)
			print_item(d, dead_json(dead));
	}
}

static void walk_tree(struct dump *d, const struct tree *t, u64 ref,
		      unsigned int level)
{
	struct cpb_disk_header *h = port_alloc_block();
	unsigned int nr, i, words = t->keys + 2;
	const __le64 *e = (const __le64 *)(h + 1);

	if (follow(d, ref, t->magic, level, h)) {
		if (!level)
			print_leaf(d, t, h);
		nr = min((size_t)le16_to_cpu(h->nr), CPB_PAYLOAD / 8 / words);
		for (i = 0; level && i < nr; i++, e += words)
			walk_tree(d, t, le64_to_cpu(e[t->keys]), level - 1);
	}
	port_free_block(h);
}

static int dump_tree(struct dump *d, const struct tree *t, u64 ref, u64 level)
{
	if (level >= LEVELS)
		return refuse("its root is damaged: it has %llu levels",
			      (unsigned long long)level);
	if (ref)
		walk_tree(d, t, ref, (unsigned int)level);
	return DONE;
}

/* ---- Tables ---- */

typedef void (*leaf_fn)(struct dump *d, const struct cpb_disk_header *h, u64 aux,
			void *arg);

/* Blocks of a table, printed if @d prints them; @fn gets the leaves that are whole. */
static void walk_table(struct dump *d, u32 magic, u64 ref, u64 aux,
		       unsigned int level, leaf_fn fn, void *arg)
{
	struct cpb_disk_header *h = port_alloc_block();
	const struct cpb_disk_index *x = (const void *)(h + 1);
	size_t i;

	if (follow(d, ref, level ? CPB_MAGIC_INDEX : magic, level, h)) {
		if (!level)
			fn(d, h, aux, arg);
		for (i = 0; level && i < CPB_INDEX_FANOUT; i++)
			if (x[i].ref)
				walk_table(d, magic, le64_to_cpu(x[i].ref),
					   le64_to_cpu(x[i].aux), level - 1, fn, arg);
	}
	port_free_block(h);
}

static int dump_table(struct dump *d, u32 magic, const struct cpb_disk_root *root,
		      leaf_fn fn, void *arg)
{
	if (le32_to_cpu(root->level) >= LEVELS)
		return refuse("its root is damaged: it has %u levels",
			      le32_to_cpu(root->level));
	if (root->ref)
		walk_table(d, magic, le64_to_cpu(root->ref), 0,
			   le32_to_cpu(root->level), fn, arg);
	return DONE;
}

static void print_objects(struct dump *d, const struct cpb_disk_header *h, u64 aux,
			  void *arg)
{
	unsigned int i;

	(void)aux;
	(void)arg;
	for (i = 0; i < CPB_OBJECTS_PER_BLOCK; i++) {
		struct json_object *o =
			object_json((const u8 *)(h + 1) + i * CPB_OBJECT_SIZE);

		if (o)
			print_item(d, o);
	}
}

static void print_space(struct dump *d, const struct cpb_disk_header *h, u64 aux,
			void *arg)
{
	const unsigned long *w = (const unsigned long *)(h + 1);
	struct json_object *o = json_object_new_object();
	u64 used = 0, base = le64_to_cpu(h->base);
	size_t i;

	(void)arg;
	for (i = 0; i < CPB_PAYLOAD / sizeof(long); i++)
		used += hweight_long(w[i]);
	json_put_string(o, "what", "chunks");
	json_put_number(o, "first", base * CPB_SPACE_BITS);
	json_put_number(o, "of", CPB_SPACE_BITS);
	json_put_number(o, "allocated", used);
	json_put_number(o, "counted", aux);
	print_item(d, o);
}

/* ---- Finding an object ---- */

/**
 * struct wanted - a map that is looked for
 * @want: as the user named it
 * @id: of the point, as soon as it is known
 * @volume_id: the same of the volume
 * @point: found: the point
 */
struct wanted {
	struct object want;
	u64 id, volume_id;
	bool found;
	struct cpb_disk_point point;
};

static bool is_name(const u8 *text, __le16 len, const char *name)
{
	return le16_to_cpu(len) == strlen(name) &&
	       !memcmp(text, name, strlen(name));
}

static void find_object(struct dump *d, const struct cpb_disk_header *h, u64 aux,
			void *arg)
{
	struct wanted *w = arg;
	unsigned int i;

	(void)d;
	(void)aux;
	for (i = 0; i < CPB_OBJECTS_PER_BLOCK; i++) {
		const void *slot = (const u8 *)(h + 1) + i * CPB_OBJECT_SIZE;
		const struct cpb_disk_point *p = slot;
		const struct cpb_disk_volume *v = slot;
		u32 type = le32_to_cpu(p->type), flags = le32_to_cpu(p->flags);

		if (type == CPB_OBJECT_VOLUME && !w->id && *w->want.volume &&
		    is_name(v->name, v->name_len, w->want.volume)) {
			w->volume_id = le64_to_cpu(v->id);
			if (!*w->want.name)
				w->id = le64_to_cpu(v->head);
		}
		if (type != CPB_OBJECT_POINT)
			continue;
		if ((w->id && le64_to_cpu(p->id) == w->id) ||
		    (!w->id && w->volume_id && *w->want.name &&
		     !(flags & (CPB_POINT_HIDDEN | CPB_POINT_HEAD)) &&
		     le64_to_cpu(p->volume) == w->volume_id &&
		     is_name(p->name, p->name_len, w->want.name))) {
			w->point = *p;
			w->found = true;
		}
	}
}

/* Go through the objects without printing; twice, as names come in any order. */
static void look_for(struct dump *d, struct wanted *w)
{
	struct dump quiet = *d;
	size_t bytes = (size_t)DIV_ROUND_UP(d->idle.meta_blocks, BITS_PER_LONG) *
		       sizeof(long);
	int pass;

	quiet.quiet = true;
	for (pass = 0; pass < 2 && !w->found; pass++) {
		memset(d->seen, 0, bytes);
		dump_table(&quiet, CPB_MAGIC_OBJECTS, &d->sb->objects, find_object, w);
	}
	memset(d->seen, 0, bytes);
}

/* ---- What there is to dump ---- */

static int dump_super(struct dump *d, char **args, const struct tool *tool)
{
	static const u64 places[] = { 0, CPB_SB_SECOND };
	u8 *block = port_alloc_block();
	size_t i;

	(void)args;
	(void)tool;
	for (i = 0; i < 2; i++) {
		const char *state = "can't be read";
		struct json_object *o;

		memset(block, 0, CPB_BLOCK_SIZE);
		if (!idle_ops.read(&d->idle, places[i], block))
			state = block_state((void *)block, places[i], NULL);
		o = super_json((void *)block);
		put_place(o, places[i], state);
		print_item(d, o);
	}
	port_free_block(block);
	return DONE;
}

static int dump_label(struct dump *d, char **args, const struct tool *tool)
{
	u8 *block = port_alloc_block();
	int rc = idle_ops.label(&d->idle, block, false);

	(void)args;
	(void)tool;
	if (rc) {
		rc = refuse("the data device can't be read: %s", strerror(-rc));
	} else {
		struct json_object *o = label_json((void *)block);

		json_put_string(o, "state", block_state((void *)block, 0, d->uuid));
		print_item(d, o);
	}
	port_free_block(block);
	return rc;
}

/* The records of a batch that is whole. */
static void print_records(struct dump *d, const struct cpb_vec *vec)
{
	const struct cpb_disk_batch *b = vec[0].data;
	struct cpb_batch_form form = cpb_batch_form(d->sb);
	unsigned int blocks = le32_to_cpu(b->blocks), size;
	u8 *flat = port_alloc_must(cpb_batch_bytes(blocks, &form));
	u32 bytes = le32_to_cpu(b->bytes);
	const u8 *at = flat + sizeof(*b);

	cpb_batch_get(vec, blocks, &form, flat);
	for (; bytes >= sizeof(struct cpb_disk_record); bytes -= size, at += size) {
		const struct cpb_disk_record *r = (const void *)at;

		size = le16_to_cpu(r->size);
		if (size < sizeof(*r) || size % 8 || size > bytes)
			break;
		print_item(d, record_json(r, size));
	}
	port_free(flat);
}

/* Is this the head of batch @seq, and may it have @most blocks? */
static bool head_fits(const struct cpb_disk_batch *b, const struct cpb_batch_form *f,
		      u64 seq, u64 most)
{
	u32 blocks = le32_to_cpu(b->blocks);

	return le32_to_cpu(b->h.magic) == CPB_MAGIC_BATCH &&
	       le64_to_cpu(b->h.base) == seq && blocks && blocks <= most &&
	       le32_to_cpu(b->bytes) + sizeof(*b) <= cpb_batch_bytes(blocks, f);
}

/* One batch: its length in blocks, or 0 if this is none that continues the chain. */
static unsigned int print_batch(struct dump *d, u64 addr, u64 room, u64 seq, u32 link,
				const struct cpb_vec *vec, bool *good)
{
	unsigned int most = min_t(u64, room, CPB_BATCH_BLOCKS), blocks, bad = most, i;
	struct cpb_batch_form form = cpb_batch_form(d->sb);
	struct cpb_disk_batch *b = vec[0].data;
	struct json_object *o;
	const char *state = "ok";
	bool damaged;

	for (i = most; i--;) {
		memset(vec[i].data, 0, CPB_BLOCK_SIZE);
		if (idle_ops.read(&d->idle, addr + i, vec[i].data))
			bad = i;
	}
	damaged = cpb_batch_trace(vec, most, &form, d->uuid, seq,
				  le64_to_cpu(d->sb->journal_blocks)) == CPB_TRACE_DAMAGED;
	if (!head_fits(b, &form, seq, most)) {
		if (!damaged)
			return 0;
		o = json_object_new_object();
		json_put_string(o, "what", "batch");
		put_place(o, addr, "the batch that was here is damaged");
		print_item(d, o);
		*good = false;
		return 1;
	}
	blocks = le32_to_cpu(b->blocks);
	if (bad < blocks)
		state = "can't be read";
	else if (!cpb_batch_whole(vec, blocks, &form))
		state = damaged ? "checksum is wrong: it is damaged" :
				  "checksum is wrong: the journal ends before it";
	else if (le32_to_cpu(b->link) != link)
		state = "follows another batch: the journal ends before it";
	*good = !strcmp(state, "ok");
	o = batch_json(b);
	put_place(o, addr, state);
	json_object_object_add(o, "in_trees", json_object_new_boolean(
		le64_to_cpu(b->h.txn) <= le64_to_cpu(d->sb->h.txn)));
	print_item(d, o);
	if (*good)
		print_records(d, vec);
	return blocks;
}

static int dump_journal(struct dump *d, char **args, const struct tool *tool)
{
	u64 start = le64_to_cpu(d->sb->journal_start), at, seq, left, nr;
	u32 link = le32_to_cpu(d->sb->journal_link);
	struct cpb_vec vec[CPB_BATCH_BLOCKS];
	bool good = true, wrapped = false;
	unsigned int blocks, i;

	(void)args;
	(void)tool;
	for (i = 0; i < CPB_BATCH_BLOCKS; i++)
		vec[i].data = port_alloc_block();
	nr = le64_to_cpu(d->sb->journal_blocks);
	if (start > d->idle.meta_blocks || nr > d->idle.meta_blocks - start)
		nr = 0;
	at = le64_to_cpu(d->sb->journal_tail);
	seq = le64_to_cpu(d->sb->journal_seq);
	for (left = nr; left && good;) {
		blocks = at < nr ? print_batch(d, start + at, nr - at, seq, link, vec,
					       &good) : 0;
		if (!blocks && (wrapped || !at))
			break;
		wrapped = !blocks;
		at = blocks ? at + blocks : 0;
		seq += !!blocks;
		left -= min_t(u64, left, blocks);
		if (blocks)
			link = le32_to_cpu(((struct cpb_disk_batch *)vec[0].data)->h.crc);
	}
	for (i = 0; i < CPB_BATCH_BLOCKS; i++)
		port_free_block(vec[i].data);
	return DONE;
}

static int dump_objects(struct dump *d, char **args, const struct tool *tool)
{
	(void)args;
	(void)tool;
	return dump_table(d, CPB_MAGIC_OBJECTS, &d->sb->objects, print_objects, NULL);
}

static int dump_space(struct dump *d, char **args, const struct tool *tool)
{
	(void)args;
	(void)tool;
	return dump_table(d, CPB_MAGIC_SPACE, &d->sb->space, print_space, NULL);
}

static int dump_dead(struct dump *d, char **args, const struct tool *tool)
{
	struct tree t = { .magic = CPB_MAGIC_DEAD, .keys = 3 };
	uint64_t only = 0;

	if (args[0] && !parse_number(args[0], &only))
		return wrong_use(tool, "'%s' is not the number of a deadlist", args[0]);
	t.only = only;
	return dump_tree(d, &t, le64_to_cpu(d->sb->dead.ref),
			 le32_to_cpu(d->sb->dead.level));
}

static int dump_map(struct dump *d, char **args, const struct tool *tool)
{
	struct tree t = { .magic = CPB_MAGIC_MAP, .keys = 1 };
	struct wanted w = { };
	int rc;

	if (!args[0])
		return wrong_use(tool, "of what: VOLUME, VOLUME@NAME or :NUMBER?");
	rc = parse_object(tool, args[0], &w.want);
	if (rc)
		return rc;
	if (w.want.back || !strcmp(w.want.name, "HEAD"))
		return wrong_use(tool, "name the checkpoint itself, or its number");
	w.id = w.want.id;
	look_for(d, &w);
	if (!w.found)
		return refuse("there is no record of '%s', or it can't be read; 'dump ... objects' shows all that can",
			      args[0]);
	return dump_tree(d, &t, le64_to_cpu(w.point.root),
			 le16_to_cpu(w.point.root_level));
}

static int dump_bitmaps(struct dump *d, char **args, const struct tool *tool)
{
	u64 nr = DIV_ROUND_UP(le64_to_cpu(d->sb->meta_blocks), CPB_SPACE_BITS), i, j;
	struct cpb_disk_header *h = port_alloc_block();

	(void)args;
	(void)tool;
	for (i = 0; i < nr && i < CPB_BITMAPS_MAX; i++) {
		u64 place = le64_to_cpu(d->sb->bitmap_place[i / 64]) >> i % 64 & 1;
		u64 addr = le64_to_cpu(d->sb->bitmap_start) + 2 * i + place, used = 0;
		const char *state = "can't be read";
		struct json_object *o;

		memset(h, 0, CPB_BLOCK_SIZE);
		if (addr < d->idle.meta_blocks && !idle_ops.read(&d->idle, addr, h))
			state = block_state(h, addr, d->uuid);
		for (j = 0; j < CPB_PAYLOAD / sizeof(long); j++)
			used += hweight_long(((const unsigned long *)(h + 1))[j]);
		o = header_json(h);
		put_place(o, addr, state);
		json_put_number(o, "place", place);
		json_put_number(o, "used", used);
		print_item(d, o);
	}
	port_free_block(h);
	return DONE;
}

static void print_entries(struct dump *d, const struct cpb_disk_header *h)
{
	u32 magic = le32_to_cpu(h->magic);
	struct tree t = { .magic = magic, .keys = magic == CPB_MAGIC_MAP ? 1 : 3 };
	const __le64 *e = (const __le64 *)(h + 1);
	unsigned int nr = le16_to_cpu(h->nr), words = t.keys + 2, i;

	if (magic == CPB_MAGIC_OBJECTS)
		print_objects(d, h, 0, NULL);
	if (magic == CPB_MAGIC_SPACE)
		print_space(d, h, 0, NULL);
	if (magic != CPB_MAGIC_MAP && magic != CPB_MAGIC_DEAD)
		return;
	if (!h->level)
		print_leaf(d, &t, h);
	for (i = 0; h->level && i < nr && i < CPB_PAYLOAD / 8 / words; i++)
		print_item(d, child_json(e + i * words, t.keys));
}

static int dump_block(struct dump *d, char **args, const struct tool *tool)
{
	struct cpb_disk_header *h;
	struct json_object *o;
	uint64_t addr = 0;
	int rc;

	if (!args[0] || !parse_number(args[0], &addr))
		return wrong_use(tool, "which block, by number?");
	if (addr >= d->idle.meta_blocks)
		return refuse("the metadata device has %llu blocks",
			      (unsigned long long)d->idle.meta_blocks);
	h = port_alloc_block();
	rc = idle_ops.read(&d->idle, addr, h);
	if (rc) {
		rc = refuse("block %llu can't be read: %s", (unsigned long long)addr,
			    strerror(-rc));
	} else {
		o = le32_to_cpu(h->magic) == CPB_MAGIC_SUPER ? super_json((void *)h) :
		    le32_to_cpu(h->magic) == CPB_MAGIC_BATCH ? batch_json((void *)h) :
		    header_json(h);
		put_place(o, addr, block_state(h, addr, d->uuid));
		print_item(d, o);
		print_entries(d, h);
	}
	port_free_block(h);
	return rc;
}

/* ---- The command ---- */

static const struct {
	const char *name;
	int (*run)(struct dump *d, char **args, const struct tool *tool);
	int args;
} parts[] = {
	{ "super", dump_super, 0 }, { "label", dump_label, 0 },
	{ "journal", dump_journal, 0 }, { "objects", dump_objects, 0 },
	{ "map", dump_map, 1 }, { "dead", dump_dead, 1 },
	{ "space", dump_space, 0 }, { "bitmaps", dump_bitmaps, 0 },
	{ "block", dump_block, 1 },
};

#define NR_PARTS (sizeof(parts) / sizeof(parts[0]))

/* The newest superblock that is valid, or all zeroes. */
static void find_super(struct dump *d)
{
	static const u64 places[] = { 0, CPB_SB_SECOND };
	struct cpb_disk_super *sb = port_alloc_block();
	size_t i;

	memset(d->sb, 0, CPB_BLOCK_SIZE);
	for (i = 0; i < 2; i++) {
		if (idle_ops.read(&d->idle, places[i], sb) ||
		    le32_to_cpu(sb->h.magic) != CPB_MAGIC_SUPER ||
		    strcmp(block_state(&sb->h, places[i], NULL), "ok") ||
		    (d->uuid && le64_to_cpu(sb->h.txn) <= le64_to_cpu(d->sb->h.txn)))
			continue;
		memcpy(d->sb, sb, CPB_BLOCK_SIZE);
		d->uuid = d->sb->h.uuid;
	}
	port_free_block(sb);
}

static int dump(struct dump *d, size_t part, char **paths, char **args,
		const struct tool *tool)
{
	int rc = idle_open(&d->idle, paths[0], paths[1], false);

	d->sb = port_alloc_block();
	if (rc == DONE) {
		d->seen = calloc(d->idle.meta_blocks / BITS_PER_LONG + 1, sizeof(long));
		if (!d->seen)
			rc = refuse("there is not enough memory");
	}
	if (rc == DONE) {
		find_super(d);
		if (!d->uuid && parts[part].run != dump_super &&
		    parts[part].run != dump_block && parts[part].run != dump_label)
			rc = refuse("neither superblock is valid: only 'super', 'label' and 'block' can be shown");
	}
	if (rc == DONE) {
		rc = parts[part].run(d, args, tool);
		if (rc != WRONG_USE)
			end(d);
	}
	free(d->seen);
	port_free_block(d->sb);
	idle_close(&d->idle);
	return rc;
}

int cmd_dump(struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	struct dump d = { .uuid = NULL };
	char *args[] = { NULL, NULL };
	size_t part = 0;
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 4);

	if (rc >= 0)
		return rc;
	if (argc > 2) {
		while (part < NR_PARTS && strcmp(parts[part].name, argv[2]))
			part++;
		if (part == NR_PARTS)
			return wrong_use(tool, "there is no '%s' to show", argv[2]);
		if (argc - 3 > parts[part].args)
			return wrong_use(tool, "'%s' is one argument too many", argv[3]);
		args[0] = argc > 3 ? argv[3] : NULL;
	}
	d.json = tool->json;
	return dump(&d, part, argv, args, tool);
}
