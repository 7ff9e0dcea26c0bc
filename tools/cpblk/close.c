// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk close: takes a store down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char about[] =
	"Writes everything back, removes the disks, and gives the devices free; loop\n"
	"devices that 'cpblk open' made go away. Refused while a disk is in use.";

/* Which volumes are in use, and by what, for the sentence about a busy store. */
static void tell_users(struct tool *tool, const char *store)
{
	struct cpblk_volume_info *volumes;
	char use[USE_MAX];
	size_t nr, i;

	if (cpblk_volume_list(tool->link, store, &volumes, &nr, NULL))
		return;
	for (i = 0; i < nr; i++) {
		if (device_use(volumes[i].device, use))
			refuse("volume %s (/dev/%s) is %s", volumes[i].name,
			       volumes[i].device, use);
		else if (volumes[i].open_count)
			refuse("volume %s (/dev/%s) is open in a program: 'fuser /dev/%s' says which",
			       volumes[i].name, volumes[i].device,
			       volumes[i].device);
	}
	free(volumes);
}

int cmd_close(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info info;
	struct cpblk_error err;
	int rc = options(tool, &argc, &argv, NULL, 0, about, 0, 1);

	if (rc >= 0)
		return rc;
	if (argc)
		tool->store = argv[0];
	if (tool_store(tool, &info))
		return FAILED;
	if (cpblk_store_close(tool->link, info.name, &err)) {
		rc = refuse("cannot close store %s: %s", info.name, err.text);
		if (err.code == EBUSY)
			tell_users(tool, info.name);
		return rc;
	}
	loop_wait(info.meta_path);
	loop_wait(info.data_path);
	printf("store %s is closed\n", info.name);
	return DONE;
}
