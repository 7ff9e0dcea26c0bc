// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing the damaged store: see repair.h.
 *
 * A repair either refuses, with a sentence, and has written nothing; or the
 * store opens by itself afterwards, has nothing to complain of, and can be used
 * for everything. Each map that is left holds what it held at some time since
 * the last transaction; if something was said to be lost, with holes. If
 * nothing was, all maps are left.
 */
#include "../../tools/engine/mend.h"
#include "repair.h"

static struct view view;

/* Is this what the map held once, but for holes, where there may be some? */
static bool map_known(const struct base *b, u64 id, bool head, const u64 *content,
		      bool holes)
{
	unsigned int i, j, c;

	for (i = 0; i < b->nr_known; i++) {
		const struct view *v = &b->state[i];

		for (j = 0; j < v->nr; j++)
			if (v->map[j].id == id && v->map[j].head == head)
				break;
		if (j == v->nr)
			continue;
		for (c = 0; c < VIEW_CHUNKS; c++)
			if (content[c] != v->map[j].content[c] &&
			    (content[c] || !holes))
				break;
		if (c == VIEW_CHUNKS)
			return true;
	}
	return false;
}

/* A live disk may have become a checkpoint, if nothing says whose it was. */
static bool known_to_anyone(const struct base *b, const u64 *content)
{
	unsigned int i, j;

	for (i = 0; i < b->nr_known; i++)
		for (j = 0; j < b->state[i].nr; j++)
			if (!memcmp(content, b->state[i].map[j].content,
				    sizeof(b->state[i].map[j].content)))
				return true;
	return false;
}

static void compare(const struct base *b, bool lost, char *wrong)
{
	unsigned int i;

	if (!lost && !base_knows(b, view_hash(&view))) {
		snprintf(wrong, 256, "content is another one, and nothing is said to be lost");
		return;
	}
	for (i = 0; i < view.nr; i++)
		if (!map_known(b, view.map[i].id, view.map[i].head,
			       view.map[i].content, lost) &&
		    !(lost && known_to_anyone(b, view.map[i].content)))
			snprintf(wrong, 256, "what is kept of %s %llu is not what it held",
				 view.map[i].head ? "volume" : "checkpoint",
				 (unsigned long long)view.map[i].id);
}

/*
 * Open it as anyone would, and use it. Maps that contradict each other although
 * all checksums are right may fail only in use, and that says so then.
 */
static void use(const struct base *b, struct image *disk, bool sure, bool lost,
		char *wrong)
{
	char why[CPB_ERROR_LEN] = "";
	struct complaints found = { };
	const char *what = "reading";
	struct cpb_store *s;
	int err;

	if (use_open(disk, 0, &s, why)) {
		snprintf(wrong, 256, "it does not open afterwards: %.200s", why);
		return;
	}
	err = use_background(s);
	use_check(s, &found);
	if (err || found.nr)
		snprintf(wrong, 256, "the check is not clean afterwards: %.200s", found.first);
	err = view_read(s, disk, &view);
	if (!err && sure)
		compare(b, lost, wrong);
	if (!err)
		err = use_all(s, disk, &view, &what, why);
	if (!err)
		use_check(s, &found);
	if (sure && (err || found.nr))
		snprintf(wrong, 256, "use after it fails: %s: %d %.60s %.100s", what, err,
			 why, found.first);
	use_close(s);
}

enum repair_end repair_try(const struct base *b, struct image *disk, bool sure,
			   bool verbose, char wrong[256])
{
	enum repair_end end = REPAIR_REFUSED;
	u64 touched = disk->nr_touched;
	struct cpb_mend m;
	size_t i;
	int err;

	wrong[0] = 0;
	err = cpb_mend(&m, &image_ops, disk, disk->meta_blocks,
		       image_data_bytes(disk), 0);
	for (i = 0; verbose && i < m.nr; i++)
		printf("  %s: %s\n", m.line[i].kind == CPB_LOST ? "lost" :
		       m.line[i].kind == CPB_FOUND ? "found" : "done", m.line[i].text);
	if (disk->nr_touched != touched)
		snprintf(wrong, 256, "something was written before it was asked for");
	if (err) {
		if (verbose)
			printf("  refused: %s\n", m.why);
		if (!m.why[0])
			snprintf(wrong, 256, "it refuses without a sentence");
	} else {
		end = m.report.lost ? REPAIR_LOSS : REPAIR_WHOLE;
		err = cpb_mend_write(&m);
		if (err)
			snprintf(wrong, 256, "writing it fails: %d", err);
		else
			use(b, disk, sure, m.report.lost, wrong);
	}
	cpb_mend_free(&m);
	return end;
}
