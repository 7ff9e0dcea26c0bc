// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk sync: writes back what a store has in memory.
 */
#include "tool.h"

static const char about[] =
	"What was flushed is durable without this. It makes the rest durable too and\n"
	"empties the journal.";

int cmd_sync(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info info;
	struct cpblk_error err;
	bool reclaim = false;
	const struct option_row rows[] = {
		{ 'r', "reclaim", NULL,
		  "also wait until deleted checkpoints are reclaimed", OPTION_FLAG,
		  &reclaim },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, 1);

	if (rc >= 0)
		return rc;
	if (argc)
		tool->store = argv[0];
	if (tool_store(tool, &info))
		return FAILED;
	if (cpblk_store_sync(tool->link, info.name,
			     reclaim ? CPBLK_SYNC_RECLAIM : 0, &err))
		return refuse("cannot write store %s back: %s", info.name, err.text);
	return DONE;
}
