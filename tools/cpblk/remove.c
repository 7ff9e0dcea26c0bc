// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk remove: removes volumes.
 */
#include <errno.h>

#include "tool.h"

static const char about[] =
	"A volume in use is not removed. Forks of its checkpoints stay whole.\n"
	"Checkpoints that are kept are called :NUMBER from then on; 'cpblk log' lists\n"
	"them, and they can be forked, restored and deleted.";

static int busy(struct tool *tool, const char *store, const char *name)
{
	struct cpblk_volume_info volume;
	char use[USE_MAX];

	if (!cpblk_volume_get(tool->link, store, name, &volume, NULL) &&
	    device_use(volume.device, use))
		return refuse("volume %s is %s", name, use);
	return FAILED;
}

int cmd_remove(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info store;
	struct cpblk_error err;
	bool keep = false;
	const struct option_row rows[] = {
		{ 'k', "keep-checkpoints", NULL, "leave the checkpoints",
		  OPTION_FLAG, &keep },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, -1), i;

	if (rc >= 0)
		return rc;
	for (i = 0; i < argc; i++) {
		rc = parse_volume(tool, argv[i]);
		if (rc)
			return rc;
	}
	if (tool_store(tool, &store))
		return FAILED;
	rc = DONE;
	for (i = 0; i < argc; i++) {
		if (!cpblk_volume_remove(tool->link, store.name, argv[i],
					 keep ? CPBLK_REMOVE_KEEP_CHECKPOINTS : 0,
					 &err)) {
			printf("volume %s is removed\n", argv[i]);
			continue;
		}
		rc = refuse("cannot remove volume %s: %s", argv[i], err.text);
		if (err.code == EBUSY)
			busy(tool, store.name, argv[i]);
	}
	return rc;
}
