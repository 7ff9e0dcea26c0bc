// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk attach and cpblk detach: read-only disks of checkpoints.
 */
#include <errno.h>

#include "tool.h"

static const char about[] =
	"Makes /dev/cpblkN and, with udev, /dev/cpblk/STORE/CHECKPOINT. While it is there\n"
	"the checkpoint is not deleted. A filesystem on it that was mounted when the\n"
	"checkpoint was taken needs its own option to be mounted read-only without\n"
	"recovery: noload for ext4, norecovery for XFS.";

static const char detach_about[] =
	"Refused while the disk is in use.";

static int attach_one(struct tool *tool, const char *store, const char *text)
{
	struct cpblk_checkpoint_info checkpoint;
	char device[CPBLK_DEVICE_MAX + 1], label[OBJECT_MAX];
	struct cpblk_error err;
	int rc = find_checkpoint(tool, store, text, &checkpoint);

	if (rc)
		return rc;
	checkpoint_label(&checkpoint, label);
	if (cpblk_attach(tool->link, store, checkpoint.id, device, &err))
		return refuse("cannot attach %s: %s", label, err.text);
	printf("%s: %s\n", label, device_link(store, label, device));
	return DONE;
}

static int detach_one(struct tool *tool, const char *store, const char *text)
{
	struct cpblk_checkpoint_info checkpoint;
	char label[OBJECT_MAX], use[USE_MAX];
	struct cpblk_error err;
	int rc = find_checkpoint(tool, store, text, &checkpoint);

	if (rc)
		return rc;
	checkpoint_label(&checkpoint, label);
	if (!cpblk_detach(tool->link, store, checkpoint.id, &err)) {
		printf("%s is detached\n", label);
		return DONE;
	}
	if (err.code == EBUSY && device_use(checkpoint.device, use))
		return refuse("cannot detach %s: /dev/%s is %s", label,
			      checkpoint.device, use);
	return refuse("cannot detach %s: %s", label, err.text);
}

static int for_each(struct tool *tool, int argc, char **argv, const char *text,
		    int (*fn)(struct tool *tool, const char *store, const char *arg))
{
	struct cpblk_store_info store;
	int rc = options(tool, &argc, &argv, NULL, 0, text, 1, -1), one, i;

	if (rc >= 0)
		return rc;
	if (tool_store(tool, &store))
		return FAILED;
	for (rc = DONE, i = 0; i < argc; i++) {
		one = fn(tool, store.name, argv[i]);
		rc = one > rc ? one : rc;
	}
	return rc;
}

int cmd_attach(struct tool *tool, int argc, char **argv)
{
	return for_each(tool, argc, argv, about, attach_one);
}

int cmd_detach(struct tool *tool, int argc, char **argv)
{
	return for_each(tool, argc, argv, detach_about, detach_one);
}
