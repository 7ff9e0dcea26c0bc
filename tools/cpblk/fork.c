// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk fork: makes a volume from a checkpoint.
 */
#include "tool.h"

static const char about[] =
	"The new volume begins with the content of CHECKPOINT and shares its data with\n"
	"it; each pays for what it changes. To fork a live disk, take a checkpoint of it\n"
	"first, and fork VOLUME@HEAD.";

int cmd_fork(struct tool *tool, int argc, char **argv)
{
	struct cpblk_checkpoint_info checkpoint;
	bool readonly = false, noscan = false;
	struct cpblk_new_volume made;
	struct cpblk_store_info store;
	struct cpblk_error err;
	char label[OBJECT_MAX], size[TEXT_MAX];
	const struct option_row rows[] = {
		{ 'r', "read-only", NULL, "the new volume's disk takes no writes",
		  OPTION_FLAG, &readonly },
		{ 0, "no-scan", NULL, "keep blkid and udev from looking at the disk",
		  OPTION_FLAG, &noscan },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 2);

	if (rc >= 0)
		return rc;
	rc = parse_volume(tool, argv[1]);
	if (rc)
		return rc;
	if (tool_store(tool, &store))
		return FAILED;
	rc = find_checkpoint(tool, store.name, argv[0], &checkpoint);
	if (rc)
		return rc;
	checkpoint_label(&checkpoint, label);
	if (cpblk_fork(tool->link, store.name, checkpoint.id, argv[1],
		       (readonly ? CPBLK_VOLUME_READONLY : 0) |
		       (noscan ? CPBLK_VOLUME_NOSCAN : 0), &made, &err))
		return refuse("cannot fork %s as %s: %s", label, argv[1], err.text);
	if (tool->json)
		return json_print(json_new_volume(&made), false);
	printf("volume %s: %s, %s, from %s\n", argv[1],
	       show_size(checkpoint.size, size),
	       device_link(store.name, argv[1], made.device), label);
	return DONE;
}
