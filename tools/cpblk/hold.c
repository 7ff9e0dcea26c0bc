// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk hold and cpblk release: keep checkpoints from being deleted.
 */
#include <string.h>

#include "tool.h"

static const char about[] =
	"Neither 'rm' nor 'prune' deletes a checkpoint that is held, nor does 'remove'\n"
	"remove its volume. Held again, it is held for the new reason.";

static const char release_about[] =
	"'cpblk ls' shows which ones are held, and why.";

/* All of them, for @reason, or release them if that is NULL. */
static int each(struct tool *tool, int argc, char **argv, const char *reason)
{
	struct cpblk_checkpoint_info checkpoint;
	const char *what = reason ? "hold" : "release";
	struct cpblk_store_info store;
	char label[OBJECT_MAX];
	struct cpblk_error err;
	int rc = DONE, i;

	if (tool_store(tool, &store))
		return FAILED;
	for (i = 0; i < argc && rc == DONE; i++) {
		rc = find_checkpoint(tool, store.name, argv[i], &checkpoint);
		if (rc)
			break;
		checkpoint_label(&checkpoint, label);
		if (reason ? cpblk_hold(tool->link, store.name, checkpoint.id, reason,
					&err) :
			     cpblk_release(tool->link, store.name, checkpoint.id, &err))
			rc = refuse("cannot %s %s: %s", what, label, err.text);
		else
			printf("%s is %s\n", label, reason ? "held" : "released");
	}
	return rc;
}

int cmd_hold(struct tool *tool, int argc, char **argv)
{
	const char *reason = "";
	const struct option_row rows[] = {
		{ 'm', "message", "TEXT", "why, up to 95 bytes", OPTION_STRING, &reason },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, -1);

	if (rc >= 0)
		return rc;
	if (strlen(reason) > CPBLK_HOLD_MAX)
		return wrong_use(tool, "the reason is too long: at most %d bytes",
				 CPBLK_HOLD_MAX);
	return each(tool, argc, argv, reason);
}

int cmd_release(struct tool *tool, int argc, char **argv)
{
	int rc = options(tool, &argc, &argv, NULL, 0, release_about, 1, -1);

	return rc >= 0 ? rc : each(tool, argc, argv, NULL);
}
