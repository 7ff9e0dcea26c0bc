// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk create: makes a volume.
 */
#include <errno.h>

#include "tool.h"

static const char about[] =
	"SIZE is that of the disk, like 10G or 64T: it may be larger than the data\n"
	"device, which is only used for what is written. The disk is /dev/cpblkN and,\n"
	"with udev, /dev/cpblk/STORE/VOLUME.";

int cmd_create(struct tool *tool, int argc, char **argv)
{
	struct cpblk_new_volume made;
	struct cpblk_store_info store;
	struct cpblk_error err;
	char text[TEXT_MAX];
	bool noscan = false;
	uint64_t size;
	const struct option_row rows[] = {
		{ 0, "no-scan", NULL, "keep blkid and udev from looking at the disk",
		  OPTION_FLAG, &noscan },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 2);

	if (rc >= 0)
		return rc;
	rc = parse_volume(tool, argv[0]);
	if (rc)
		return rc;
	if (!parse_size(argv[1], &size) || !size)
		return wrong_use(tool, "'%s' is not a size, like 512M or 10G", argv[1]);
	if (tool_store(tool, &store))
		return FAILED;
	if (cpblk_volume_create(tool->link, store.name, argv[0], size,
				noscan ? CPBLK_VOLUME_NOSCAN : 0, &made, &err))
		return refuse("cannot create volume %s in store %s: %s", argv[0],
			      store.name, err.text);
	if (tool->json)
		return json_print(json_new_volume(&made), false);
	printf("volume %s: %s, %s\n", argv[0], show_size(size, text),
	       device_link(store.name, argv[0], made.device));
	return DONE;
}
