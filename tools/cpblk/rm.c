// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk rm: deletes checkpoints.
 */
#include <stdlib.h>

#include "tool.h"

static const char about[] =
	"Others that share data with a deleted checkpoint keep it; what only it had\n"
	"becomes free space in the background. One that is attached is not deleted.";

static int delete_one(struct tool *tool, const char *store,
		      const struct cpblk_checkpoint_info *c)
{
	char label[OBJECT_MAX];
	struct cpblk_error err;

	checkpoint_label(c, label);
	if (cpblk_checkpoint_delete(tool->link, store, c->id, &err))
		return refuse("cannot delete %s: %s", label, err.text);
	printf("%s is deleted\n", label);
	return DONE;
}

int cmd_rm(struct tool *tool, int argc, char **argv)
{
	struct cpblk_checkpoint_info *list;
	struct cpblk_store_info store;
	int rc = options(tool, &argc, &argv, NULL, 0, about, 1, -1), i;
	bool all_found;

	if (rc >= 0)
		return rc;
	if (tool_store(tool, &store))
		return FAILED;
	list = calloc((size_t)argc, sizeof(*list));
	if (!list)
		return refuse("out of memory");
	/* All of them first: VOLUME@HEAD~1 means another one after a deletion. */
	rc = DONE;
	for (i = 0; i < argc && rc == DONE; i++)
		rc = find_checkpoint(tool, store.name, argv[i], &list[i]);
	all_found = rc == DONE;
	for (i = 0; i < argc && all_found; i++) {
		if (delete_one(tool, store.name, &list[i]))
			rc = FAILED;
	}
	free(list);
	return rc;
}
