// SPDX-License-Identifier: GPL-2.0
/*
 * The history as a picture, newest first, like git log --graph:
 *
 *	o  (HEAD -> vm1)  live        +1.2 MiB
 *	| *  vm1@r1       2 min ago     +8 MiB  before a restore
 *	| *  vm1@v2       5 min ago    +20 MiB  after the upgrade
 *	|/
 *	*  vm1@v1         9 min ago   +200 MiB  fresh
 *
 * It is a tree, so each point has one line below it. The children of a point
 * are drawn one after the other: the first above the point, the others in a
 * lane to the right that joins again at once. So the picture is as wide as the
 * branches are nested, whatever their number.
 */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* Cells wider than this do not widen the column of the labels. */
#define LABEL_WIDEST 50

/**
 * struct point - a head or a checkpoint in the picture
 * @volume: head: of this volume; else NULL
 * @checkpoint: checkpoint; else NULL
 * @parent: what it follows, or NULL
 * @child: first of those that follow it, in the order they are drawn
 * @sibling: next one that follows @parent
 * @volume_id: number of the volume it is of
 * @latest: the latest time in all that follows it
 * @live: the line of its own volume leads from here to the head
 * @wanted: it is drawn
 */
struct point {
	const struct cpblk_volume_info *volume;
	const struct cpblk_checkpoint_info *checkpoint;
	struct point *parent, *child, *sibling;
	uint64_t volume_id;
	uint64_t latest;
	bool live;
	bool wanted;
};

struct tree {
	struct point *points;	/* checkpoints by number, then heads */
	size_t nr, nr_checkpoints;
	struct point *roots;
};

static int by_id(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return x->checkpoint->id < y->checkpoint->id ? -1 :
	       x->checkpoint->id > y->checkpoint->id;
}

/* A parent is older than what follows it, so there are no circles. */
static struct point *find_parent(const struct tree *tree, uint64_t id,
				 uint64_t below)
{
	struct cpblk_checkpoint_info info = { .id = id };
	struct point key = { .checkpoint = &info };

	if (!id || id >= below)
		return NULL;
	return bsearch(&key, tree->points, tree->nr_checkpoints, sizeof(key), by_id);
}

static bool gather(struct tree *tree, const struct history *h)
{
	struct point *p;
	size_t i;

	tree->nr_checkpoints = h->nr_checkpoints;
	tree->nr = h->nr_checkpoints + h->nr_volumes;
	tree->points = calloc(tree->nr + 1, sizeof(*tree->points));
	if (!tree->points)
		return false;
	for (i = 0; i < h->nr_checkpoints; i++) {
		p = &tree->points[i];
		p->checkpoint = &h->checkpoints[i];
		p->volume_id = p->checkpoint->volume_id;
		p->latest = p->checkpoint->time;
	}
	qsort(tree->points, h->nr_checkpoints, sizeof(*tree->points), by_id);
	for (i = 0; i < h->nr_checkpoints; i++) {
		p = &tree->points[i];
		p->parent = find_parent(tree, p->checkpoint->parent_id,
					p->checkpoint->id);
	}
	for (i = 0; i < h->nr_volumes; i++) {
		p = &tree->points[h->nr_checkpoints + i];
		p->volume = &h->volumes[i];
		p->volume_id = p->volume->id;
		p->latest = p->volume->created;
		p->live = true;
		p->parent = find_parent(tree, p->volume->parent_id, UINT64_MAX);
	}
	return true;
}

/* Does @a come before @b among the children of one point? */
static bool comes_first(const struct point *a, const struct point *b)
{
	const struct point *parent = a->parent;
	bool a_own = parent && a->live && a->volume_id == parent->volume_id;
	bool b_own = parent && b->live && b->volume_id == parent->volume_id;

	if (!parent)
		return a->volume_id < b->volume_id;
	if (a_own != b_own)
		return a_own;
	return a->latest > b->latest;
}

/* Children become complete before their parents: heads first, then by age. */
static void link_up(struct tree *tree, uint64_t only)
{
	struct point *p, **at;
	size_t i;

	for (i = tree->nr; i--;) {
		p = &tree->points[i];
		if (!only || p->volume_id == only)
			p->wanted = true;
		if (!p->wanted)
			continue;
		if (p->parent) {
			p->parent->wanted = true;
			if (p->latest > p->parent->latest)
				p->parent->latest = p->latest;
			if (p->live && p->volume_id == p->parent->volume_id)
				p->parent->live = true;
		}
	}
	for (i = 0; i < tree->nr; i++) {
		p = &tree->points[i];
		if (!p->wanted)
			continue;
		at = p->parent ? &p->parent->child : &tree->roots;
		while (*at && comes_first(*at, p))
			at = &(*at)->sibling;
		p->sibling = *at;
		*at = p;
	}
}

static void put_lanes(char *text, size_t size, unsigned int lanes, const char *rest)
{
	size_t at = 0;

	while (lanes-- && at + 2 < size) {
		text[at++] = '|';
		text[at++] = ' ';
	}
	snprintf(text + at, size - at, "%s", rest);
}

static void put_head(struct table *t, const char *lanes, const struct point *p)
{
	char size[TEXT_MAX];

	table_cell(t, "%so  (HEAD -> %s)", lanes, p->volume->name);
	table_cell(t, "live");
	table_cell(t, "+%s", show_size(p->volume->written, size));
	table_cell(t, "%s", "");
}

static void put_checkpoint(struct table *t, const char *lanes,
			   const struct point *p, uint64_t now)
{
	const struct cpblk_checkpoint_info *c = p->checkpoint;
	char label[OBJECT_MAX], age[TEXT_MAX], size[TEXT_MAX];
	char note[NOTE_MAX];
	const char *message = "";

	if (c->flags & CPBLK_POINT_HIDDEN) {
		table_cell(t, "%sx  (deleted)", lanes);
		table_cell(t, "%s", "");
		table_cell(t, "%s", "");
		table_cell(t, "%s", "");
		return;
	}
	show_note(c, note);
	if (c->flags & CPBLK_POINT_SAFETY)
		message = "before a restore";
	checkpoint_label(c, label);
	table_cell(t, "%s*  %s", lanes, label);
	table_cell(t, "%s", show_age(now, c->time, age));
	table_cell(t, "+%s", show_size(c->written, size));
	table_cell(t, "%s%s%s%s%s", *c->device ? "[" : "", c->device,
		   *c->device ? "] " : "", note, *note ? "" : message);
}

/**
 * struct frame - a point whose children are being drawn
 * @point: it
 * @next: child to draw next
 * @lane: the one it is in
 * @joins: it is not the first child: its lane ends below it
 */
struct frame {
	struct point *point, *next;
	unsigned int lane;
	bool joins;
};

static void put_point(struct table *t, const struct frame *f, uint64_t now)
{
	char lanes[512];
	int i;

	put_lanes(lanes, sizeof(lanes), f->lane, "");
	if (f->point->volume)
		put_head(t, lanes, f->point);
	else
		put_checkpoint(t, lanes, f->point, now);
	if (!f->joins)
		return;
	put_lanes(lanes, sizeof(lanes), f->lane - 1, "|/");
	table_cell(t, "%s", lanes);
	for (i = 1; i < 4; i++)
		table_cell(t, "%s", "");
}

/* With a stack of its own: a history may be longer than the real one is deep. */
static void draw_tree(struct table *t, struct point *root, struct frame *stack,
		      uint64_t now)
{
	struct point *child;
	struct frame *f;
	size_t depth = 1;

	stack[0] = (struct frame){ root, root->child, 0, false };
	while (depth) {
		f = &stack[depth - 1];
		child = f->next;
		if (!child) {
			put_point(t, f, now);
			depth--;
			continue;
		}
		f->next = child->sibling;
		stack[depth].point = child;
		stack[depth].next = child->child;
		stack[depth].joins = child != f->point->child;
		stack[depth].lane = f->lane + stack[depth].joins;
		depth++;
	}
}

int history_draw(const struct history *h)
{
	struct table t = { .columns = 4, .right = 1U << 2, .widest = LABEL_WIDEST };
	struct tree tree = { 0 };
	struct frame *stack;
	struct point *root;
	int i;

	stack = calloc(h->nr_volumes + h->nr_checkpoints + 1, sizeof(*stack));
	if (!stack || !gather(&tree, h)) {
		free(stack);
		return refuse("out of memory");
	}
	link_up(&tree, h->only);
	for (root = tree.roots; root; root = root->sibling) {
		for (i = 0; root != tree.roots && i < 4; i++)
			table_cell(&t, "%s", "");
		draw_tree(&t, root, stack, h->now);
	}
	free(tree.points);
	free(stack);
	return table_end(&t);
}
