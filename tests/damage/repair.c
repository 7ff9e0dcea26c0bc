// SPDX-License-Identifier: GPL-2.0
/*
 * Repairing the damaged store: see repair.h.
 *
 * A repair either refuses, with a sentence, and has written nothing; or the
 * store opens by itself afterwards, has nothing to complain of, and can be used
 * for everything. Each map that is left holds what it held at some time since
 * the last transaction; if something was said to be lost, with holes. If
 * nothing was, all maps are left. If the power fails while it is written, the
 * store is what it was, or is repaired.
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

/* Open it as anyone would, and use it. */
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
	err = cpb_rest(s);
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
	if (err || found.nr)
		snprintf(wrong, 256, "use after it fails: %s: %d %.60s %.100s", what, err,
			 why, found.first);
	use_close(s);
}

static bool same_report(const struct cpb_mend *a, const struct cpb_mend *b)
{
	size_t i;

	if (a->nr != b->nr)
		return false;
	for (i = 0; i < a->nr; i++)
		if (a->line[i].kind != b->line[i].kind ||
		    strcmp(a->line[i].text, b->line[i].text))
			return false;
	return true;
}

/* How many blocks it writes; the last two are the superblocks. */
static u64 blocks_of(struct cpb_mend *m)
{
	u64 addr = 0, nr = 2;
	void *data;

	for (; cpb_overlay_next(&m->overlay, &addr, &data); addr++)
		nr += addr != 0 && addr != CPB_SB_SECOND;
	return nr;
}

/* The power fails when @after blocks of it are written, which are not all. */
static void cut(struct image *disk, struct cpb_mend *m, u64 after, char *wrong)
{
	struct complaints found = { };
	char why[CPB_ERROR_LEN] = "";
	bool whole = after > blocks_of(m) - 2;
	struct cpb_mend again;
	struct cpb_store *s;

	disk->left = after;
	cpb_mend_write(m);
	disk->left = 0;
	disk->off = false;
	if (!whole) {
		if (cpb_mend(&again, &image_ops, disk, disk->meta_blocks,
			     image_data_bytes(disk), 0) || !same_report(m, &again))
			snprintf(wrong, 256, "after a power cut it is another repair");
		cpb_mend_free(&again);
		return;
	}
	if (use_open(disk, CPB_OPEN_READONLY, &s, why)) {
		snprintf(wrong, 256, "it does not open after a power cut: %.200s", why);
		return;
	}
	use_check(s, &found);
	if (found.nr)
		snprintf(wrong, 256, "after a power cut: %.200s", found.first);
	use_close(s);
}

enum repair_end repair_try(const struct base *b, struct image *disk, bool sure,
			   u64 power, bool verbose, char wrong[256])
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
		if (power)
			cut(disk, &m, 1 + power % (blocks_of(&m) - 1), wrong);
		err = cpb_mend_write(&m);
		if (err)
			snprintf(wrong, 256, "writing it fails: %d", err);
		else if (!wrong[0])
			use(b, disk, sure, m.report.lost, wrong);
	}
	cpb_mend_free(&m);
	return end;
}
