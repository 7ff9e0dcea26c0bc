// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk check: walks all that a store reaches, and compares it with what the
 * store has recorded; and repairs it. The engine does it, here, without the
 * driver.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine/mend.h"
#include "engine/rest.h"
#include "idle.h"
#include "structs.h"
#include "tool.h"

static const char about[] =
	"Reads a store that is not open, and says in a sentence each what is wrong with\n"
	"it, and what of it would be lost in a repair. Without --repair nothing is\n"
	"written: what the journal holds is replayed in memory, and what deleted\n"
	"checkpoints had is reclaimed there.\n"
	"A repair derives free space, counters and deadlists from the maps. Checkpoints\n"
	"that can't be read in full are deleted, unreadable parts of volumes become\n"
	"holes; save the metadata first ('cpblk metadata save').\n"
	"Exit codes: 0 clean, or repaired without loss; 1 the check could not run;\n"
	"2 wrong usage; 4 damaged, a repair loses nothing; 8 damaged, something is lost,\n"
	"or was in the repair; 16 damaged, and can't be repaired.";

/* Exit codes beside those of all commands, by severity. */
enum {
	MENDABLE = 4,	/* a repair loses nothing */
	LOSS = 8,	/* something is lost, or was */
	HOPELESS = 16,	/* can't be repaired */
};

/**
 * struct checked - what a check found
 * @opened: it could be opened at all; then @st and @r are known
 * @lone: one of the two superblocks is not valid
 * @list: complaints as JSON, or NULL
 * @nr: complaints
 */
struct checked {
	bool opened, lone;
	struct cpb_status st;
	struct cpb_check_report r;
	struct json_object *list;
	unsigned long nr;
};

/* One complaint of the engine: to stdout at once, or into a JSON list. */
static void complaint(void *arg, const char *text)
{
	struct checked *c = arg;

	c->nr++;
	if (c->list)
		json_object_array_add(c->list, json_object_new_string(text));
	else
		printf("%s\n", show_text(text));
}

/* The store is open in memory: bring it to rest, so that all adds up. */
static void look(struct checked *c, struct cpb_store *store)
{
	char text[CPB_ERROR_LEN];
	int rc = cpb_rest(store);

	if (!rc)
		rc = cpb_check(store, &c->r, complaint, c);
	cpb_status(store, &c->st);
	if (rc) {
		/* A walk that could not go on has not seen all. */
		snprintf(text, sizeof(text), "the check ended early: %.150s",
			 c->st.error[0] ? c->st.error : strerror(-rc));
		complaint(c, text);
	}
}

/* Whether it can't be opened because it is damaged, or isn't a store at all. */
static bool is_damage(int rc)
{
	return rc != -EINVAL && rc != -ENODEV && rc != -ENOMEM;
}

/*
 * A power cut may have torn one superblock, which opening the store writes
 * again: worth a note, as now there is only one.
 */
static void look_at_supers(struct checked *c, struct idle *idle)
{
	struct cpb_disk_header *h = port_alloc_block();
	unsigned int i, valid[2];

	for (i = 0; i < 2; i++)
		valid[i] = !idle_ops.read(idle, i ? CPB_SB_SECOND : 0, h) &&
			   !strcmp(block_state(h, i ? CPB_SB_SECOND : 0, NULL), "ok");
	port_free_block(h);
	if (valid[0] == valid[1])
		return;
	c->lone = true;
	if (!c->list)
		printf("note: the superblock in block %llu is not valid; opening the store writes it again\n",
		       valid[0] ? CPB_SB_SECOND : 0);
}

static int look_at(struct checked *c, struct idle *idle, char **paths)
{
	struct cpb_overlay overlay = { .ops = &idle_ops, .ctx = idle };
	char why[CPB_ERROR_LEN] = "";
	struct cpb_store *store;
	int rc;

	/* In memory the journal becomes a transaction, as when it is opened. */
	rc = cpb_open(&cpb_overlay_ops, &overlay, idle->meta_blocks,
		      idle->data_bytes, 1, 0, &store, why);
	if (!rc) {
		c->opened = true;
		cpb_status(store, &c->st);
		look_at_supers(c, idle);
		idle_progress(idle, "checking", c->st.meta_used);
		look(c, store);
		idle_progress(idle, NULL, 0);
		cpb_close(store);
	} else if (is_damage(rc)) {
		complaint(c, why[0] ? why : strerror(-rc));
	} else {
		refuse("cannot read the store on %s and %s: %s", paths[0], paths[1],
		       why[0] ? why : strerror(-rc));
	}
	cpb_overlay_free(&overlay);
	return rc && !is_damage(rc) ? FAILED : DONE;
}

static struct json_object *finding_json(const struct cpb_finding_line *line)
{
	static const char * const kinds[] = {
		[CPB_FOUND] = "found", [CPB_LOST] = "lost", [CPB_DONE] = "done",
	};
	struct json_object *o = json_object_new_object();

	json_put_string(o, "kind", kinds[line->kind]);
	json_put_string(o, "text", line->text);
	return o;
}

static void report_store(struct json_object *o, const struct checked *c)
{
	const struct cpb_check_report *r = &c->r;
	const struct cpb_status *st = &c->st;
	char uuid[TEXT_MAX];

	json_put_string(o, "store", st->name);
	json_put_string(o, "uuid", show_uuid(st->uuid, uuid));
	json_put_number(o, "chunk_size", 1ULL << st->chunk_shift);
	json_put_number(o, "chunks_reachable", r->chunks_reachable);
	json_put_number(o, "chunks_allocated", r->chunks_allocated);
	json_put_number(o, "blocks_reachable", r->blocks_reachable);
	json_put_number(o, "blocks_allocated", r->blocks_allocated);
	json_put_number(o, "nr_volumes", st->nr_volumes);
	json_put_number(o, "nr_checkpoints", st->nr_checkpoints);
	json_put_number(o, "nr_hidden", st->nr_hidden);
}

/* @m: what a repair comes to, or NULL if the store is clean. */
static int report_json(struct checked *c, const struct cpb_mend *m, int rc,
		       bool repaired)
{
	struct json_object *o = json_object_new_object(), *list;
	size_t i;

	if (c->opened)
		report_store(o, c);
	json_object_object_add(o, "clean", json_object_new_boolean(!c->nr));
	json_object_object_add(o, "complaints", c->list);
	json_object_object_add(o, "lone_superblock", json_object_new_boolean(c->lone));
	if (m) {
		list = json_object_new_array();
		for (i = 0; i < m->nr; i++)
			json_object_array_add(list, finding_json(&m->line[i]));
		json_object_object_add(o, "repair", list);
		json_object_object_add(o, "repairable",
				       json_object_new_boolean(rc != HOPELESS));
		json_object_object_add(o, "repaired", json_object_new_boolean(repaired));
		if (m->why[0])
			json_put_string(o, "why", m->why);
	}
	return json_print(o, false) ? FAILED : rc;
}

static void report_counts(const struct checked *c)
{
	printf("chunks:          %llu reachable, %llu allocated\n",
	       (unsigned long long)c->r.chunks_reachable,
	       (unsigned long long)c->r.chunks_allocated);
	printf("metadata blocks: %llu reachable, %llu allocated\n",
	       (unsigned long long)c->r.blocks_reachable,
	       (unsigned long long)c->r.blocks_allocated);
	if (c->st.nr_hidden)
		printf("deleted:         %llu checkpoint%s shared by others\n",
		       (unsigned long long)c->st.nr_hidden,
		       c->st.nr_hidden == 1 ? "" : "s");
}

static void report_mend(const struct cpb_mend *m, int rc, bool repaired)
{
	size_t i;

	for (i = 0; i < m->nr; i++) {
		if (m->line[i].kind == CPB_LOST)
			printf("%s: %s\n", repaired ? "lost" : "a repair loses",
			       show_text(m->line[i].text));
		else if (m->line[i].kind == CPB_FOUND)
			printf("found: %s\n", show_text(m->line[i].text));
		else if (repaired)
			printf("done: %s\n", show_text(m->line[i].text));
	}
	if (rc == HOPELESS)
		printf("the store is damaged, and can't be repaired: %s\n",
		       show_text(m->why));
	else if (repaired)
		printf("the store is repaired%s\n",
		       m->report.lost ? "; what was lost is named above" : ", nothing is lost");
	else if (m->report.lost)
		printf("the store is damaged: 'cpblk check --repair' repairs it, and loses what is named above\n");
	else
		printf("the store is damaged: 'cpblk check --repair' repairs it, nothing is lost\n");
}

/* The store is damaged: what would a repair do, and perhaps do it. */
static int mend(struct tool *tool, struct checked *c, struct idle *idle,
		unsigned int flags, bool repair)
{
	struct cpb_mend m;
	int rc;

	idle_progress(idle, "reading maps", c->opened ? c->st.meta_used : 0);
	rc = cpb_mend(&m, &idle_ops, idle, idle->meta_blocks, idle->data_bytes, flags);
	idle_progress(idle, NULL, 0);
	if (!rc && repair) {
		rc = cpb_mend_write(&m);
		if (rc) {
			rc = refuse("writing the repaired metadata failed: %s; the store is what it was, or repaired",
				    strerror(-rc));
			cpb_mend_free(&m);
			return rc;
		}
	}
	if (rc)
		rc = HOPELESS;
	else if (m.report.lost)
		rc = LOSS;
	else
		rc = repair ? DONE : MENDABLE;
	if (tool->json)
		rc = report_json(c, &m, rc, repair && rc != HOPELESS);
	else
		report_mend(&m, rc, repair && rc != HOPELESS);
	cpb_mend_free(&m);
	return rc;
}

static int check(struct tool *tool, char **paths, unsigned int flags, bool repair)
{
	struct checked c = { .list = tool->json ? json_object_new_array() : NULL };
	struct idle idle;
	int rc = idle_open(&idle, paths[0], paths[1], repair);

	if (rc == DONE)
		rc = look_at(&c, &idle, paths);
	if (rc != DONE) {
		json_object_put(c.list);
	} else {
		if (!tool->json && c.opened)
			report_counts(&c);
		if (c.nr)
			rc = mend(tool, &c, &idle, flags, repair);
		else if (tool->json)
			rc = report_json(&c, NULL, DONE, false);
		else
			printf("store %s is clean\n", c.st.name);
	}
	idle_close(&idle);
	return rc;
}

int cmd_check(struct tool *tool, int argc, char **argv)
{
	bool repair = false, partial = false;
	const struct option_row rows[] = {
		{ 0, "repair", NULL, "repair what is damaged", OPTION_FLAG, &repair },
		{ 0, "keep-partial", NULL,
		  "keep checkpoints of which parts can't be read, with holes",
		  OPTION_FLAG, &partial },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 2);

	if (rc >= 0)
		return rc;
	return check(tool, argv, partial ? CPB_REPAIR_KEEP_PARTIAL : 0, repair);
}
