// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk resize: sets the size of a volume.
 */
#include "tool.h"

static const char about[] =
	"With + SIZE is added. The disk has its new size at once; what is on it (a\n"
	"filesystem, a partition table) is for its own tools to resize: after growing,\n"
	"before shrinking. Checkpoints keep their size.";

int cmd_resize(struct tool *tool, int argc, char **argv)
{
	struct cpblk_volume_info volume;
	struct cpblk_store_info store;
	char text[TEXT_MAX];
	struct cpblk_error err;
	bool shrink = false;
	uint64_t size;
	bool more;
	const struct option_row rows[] = {
		{ 0, "shrink", NULL, "SIZE may be smaller; what is beyond it is lost",
		  OPTION_FLAG, &shrink },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 2);

	if (rc >= 0)
		return rc;
	rc = parse_volume(tool, argv[0]);
	if (rc)
		return rc;
	more = argv[1][0] == '+';
	if (!parse_size(argv[1] + more, &size) || !size)
		return wrong_use(tool, "'%s' is not a size, like 512M or +10G",
				 argv[1]);
	if (tool_store(tool, &store) ||
	    find_volume(tool, store.name, argv[0], &volume))
		return FAILED;
	if (more && size > UINT64_MAX - volume.size)
		return refuse("volume %s cannot be that large", argv[0]);
	if (more)
		size += volume.size;
	if (size < volume.size && !shrink)
		return refuse("that cuts off the last %s of volume %s: say --shrink if that is meant",
			      show_size(volume.size - size, text), argv[0]);
	if (cpblk_volume_resize(tool->link, store.name, argv[0], size, &err))
		return refuse("cannot resize volume %s: %s", argv[0], err.text);
	printf("volume %s: %s\n", argv[0], show_size(size, text));
	return DONE;
}
