// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk check: walks all that a store reaches, and compares it with what the
 * store has recorded. The engine does it, here, without the driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/files.h"
#include "engine/overlay.h"
#include "tool.h"

static const char about[] =
	"Reads a store that is not open, and says in a sentence each what is wrong with\n"
	"it. Writes nothing: what the journal holds is replayed in memory. Reachable is\n"
	"what volumes and checkpoints lead to. Allocated may be more only as long as\n"
	"deleted checkpoints wait to be reclaimed.\n"
	"Exit code 1 if the store is damaged.";

/* Opens a device or file of a store that nobody has open. */
static int open_idle(const char *path, const char *what, int *fd, u64 *bytes)
{
	char use[USE_MAX], name[CPBLK_DEVICE_MAX + 1] = "";
	struct stat st;
	int rc;

	/* Block devices that are mounted or held don't open with O_EXCL. */
	if (stat(path, &st) ||
	    (*fd = open(path, O_RDONLY | O_CLOEXEC |
			(S_ISBLK(st.st_mode) ? O_EXCL : 0))) < 0) {
		if (errno != EBUSY)
			return refuse("cannot open %s: %s", path, strerror(errno));
		device_name(st.st_rdev, name);
		if (device_use(name, use))
			return refuse("%s is %s, so it is not the %s of an idle store",
				      path, use, what);
		return refuse("%s is in use, perhaps as part of an open store: close that first",
			      path);
	}
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return refuse("%s is neither a block device nor a file", path);
	if (S_ISREG(st.st_mode) && loop_of_file(*fd, name))
		return refuse("%s is in use as /dev/%s: close what uses that first",
			      path, name);
	/* The driver writes past the page cache, which may have old blocks. */
	posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
	rc = cpb_file_size(*fd, bytes);
	return rc ? refuse("cannot get the size of %s: %s", path, strerror(-rc)) :
		    DONE;
}

/* One complaint of the engine: to stdout at once, or into a JSON list. */
static void complaint(void *list, const char *text)
{
	if (list)
		json_object_array_add(list, json_object_new_string(text));
	else
		printf("%s\n", show_text(text));
}

static int report_json(const struct cpb_status *st,
		       const struct cpb_check_report *r,
		       struct json_object *complaints)
{
	struct json_object *o = json_object_new_object();
	char uuid[TEXT_MAX];

	json_put_string(o, "store", st->name);
	json_put_string(o, "uuid", show_uuid(st->uuid, uuid));
	json_object_object_add(o, "clean", json_object_new_boolean(!r->errors));
	json_put_number(o, "chunk_size", 1ULL << st->chunk_shift);
	json_put_number(o, "chunks_reachable", r->chunks_reachable);
	json_put_number(o, "chunks_allocated", r->chunks_allocated);
	json_put_number(o, "blocks_reachable", r->blocks_reachable);
	json_put_number(o, "blocks_allocated", r->blocks_allocated);
	json_put_number(o, "nr_volumes", st->nr_volumes);
	json_put_number(o, "nr_checkpoints", st->nr_checkpoints);
	json_put_number(o, "nr_hidden", st->nr_hidden);
	json_object_object_add(o, "complaints", complaints);
	return json_print(o, false);
}

static void report(const struct cpb_status *st, const struct cpb_check_report *r)
{
	printf("chunks:          %llu reachable, %llu allocated\n",
	       (unsigned long long)r->chunks_reachable,
	       (unsigned long long)r->chunks_allocated);
	printf("metadata blocks: %llu reachable, %llu allocated\n",
	       (unsigned long long)r->blocks_reachable,
	       (unsigned long long)r->blocks_allocated);
	if (st->nr_hidden)
		printf("deleted:         %llu checkpoint%s waiting to be reclaimed, or shared by others\n",
		       (unsigned long long)st->nr_hidden,
		       st->nr_hidden == 1 ? "" : "s");
	if (r->errors)
		printf("store %s is damaged: %llu complaint%s\n", st->name,
		       (unsigned long long)r->errors, r->errors == 1 ? "" : "s");
	else
		printf("store %s is clean\n", st->name);
}

static int check(struct tool *tool, struct cpb_store *store)
{
	struct json_object *list = tool->json ? json_object_new_array() : NULL;
	struct cpb_check_report r;
	char text[CPB_ERROR_LEN];
	struct cpb_status st;
	int rc;

	cpb_status(store, &st);
	rc = cpb_check(store, &r, complaint, list);
	if (rc) {
		/* A walk that could not go on has not seen all. */
		snprintf(text, sizeof(text), "the check ended early: %s",
			 strerror(-rc));
		r.errors++;
		complaint(list, text);
	}
	if (!tool->json)
		report(&st, &r);
	else if (report_json(&st, &r, list))
		return FAILED;
	return r.errors ? FAILED : DONE;
}

static int check_files(struct tool *tool, char **paths)
{
	struct cpb_files files = { .meta = -1, .data = -1 };
	struct cpb_overlay overlay = { .ops = &cpb_files_ops, .ctx = &files };
	char why[CPB_ERROR_LEN] = "";
	struct cpb_store *store;
	u64 meta = 0, data = 0;
	int rc;

	rc = open_idle(paths[0], "metadata", &files.meta, &meta);
	if (rc == DONE)
		rc = open_idle(paths[1], "data", &files.data, &data);
	if (rc == DONE) {
		/* In memory the journal becomes a transaction, as when it is opened. */
		rc = cpb_open(&cpb_overlay_ops, &overlay, meta >> CPB_BLOCK_SHIFT,
			      data, 1, 0, &store, why);
		if (rc) {
			rc = refuse("cannot read the store on %s and %s: %s",
				    paths[0], paths[1],
				    why[0] ? why : strerror(-rc));
		} else {
			rc = check(tool, store);
			cpb_close(store);
		}
		cpb_overlay_free(&overlay);
	}
	if (files.meta >= 0)
		close(files.meta);
	if (files.data >= 0)
		close(files.data);
	return rc;
}

int cmd_check(struct tool *tool, int argc, char **argv)
{
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 2);

	return rc >= 0 ? rc : check_files(tool, argv);
}
