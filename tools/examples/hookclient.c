// SPDX-License-Identifier: GPL-2.0
/*
 * An example of a client of cpblk's hooks: it is asked before each checkpoint
 * and restore of volumes, agrees (or with -r refuses), and prints what it hears.
 *
 *	cc hookclient.c -o hookclient -lcpblk -lnl-genl-3 -lnl-3
 *	hookclient [-r REASON] STORE [VOLUME...]
 *
 * Without volumes it is asked about all. What a hypervisor's agent would do is
 * marked below. cpblk-hooks(7) has the protocol.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cpblk.h"

static const char *operation(const struct cpblk_hook_event *event)
{
	return event->operation == CPBLK_HOOK_RESTORE ? "restore" : "checkpoint";
}

static void print_members(const struct cpblk_hook_event *event)
{
	const struct cpblk_member *m;

	for (m = event->members; m < event->members + event->nr_members; m++)
		printf(" %s@%s generation %" PRIu64, m->volume, m->checkpoint,
		       m->generation);
	putchar('\n');
}

/* Answers if it is asked; false: it will not be any more. */
static bool handle(struct cpblk *link, const struct cpblk_hook_event *event,
		   const char *refusal)
{
	struct cpblk_error err;
	int rc;

	switch (event->type) {
	case CPBLK_EVENT_HOOK_PREPARE:
		printf("prepare %s", operation(event));
		print_members(event);
		/* Here an agent stops its guest, or freezes a filesystem. */
		rc = refusal ? cpblk_hook_refuse(link, event->hook, event->token,
						 refusal, &err) :
			       cpblk_hook_ready(link, event->hook, event->token, &err);
		/* It came too late, for one. How it ended is told anyway. */
		if (rc)
			fprintf(stderr, "hookclient: %s\n", err.text);
		return true;
	case CPBLK_EVENT_HOOK_COMMITTED:
		/* Here, after a restore, it resets the guest; then it lets it run. */
		printf("committed %s", operation(event));
		print_members(event);
		return true;
	case CPBLK_EVENT_HOOK_ABORTED:
		/* Here it lets it run as if nothing had been. */
		printf("aborted %s: %s", operation(event), event->reason);
		print_members(event);
		return true;
	default:
		printf("ended: %s\n", event->reason);
		return false;
	}
}

static int fail(const struct cpblk_error *err)
{
	fprintf(stderr, "hookclient: %s\n", err->text);
	return 1;
}

int main(int argc, char **argv)
{
	const char *refusal = NULL;
	struct cpblk_hook_event event;
	struct cpblk_error err;
	struct cpblk *link;
	bool more = true;
	uint64_t id;
	int at = 1, rc;

	if (argc > 2 && !strcmp(argv[1], "-r")) {
		refusal = argv[2];
		at = 3;
	}
	if (at >= argc) {
		fprintf(stderr, "usage: hookclient [-r REASON] STORE [VOLUME...]\n");
		return 2;
	}

	struct cpblk_hook hook = {
		.volumes = (const char *const *)argv + at + 1,
		.nr = (size_t)(argc - at - 1),
		.operations = CPBLK_HOOK_CHECKPOINT | CPBLK_HOOK_RESTORE,
		.timeout = 60000,
		.label = "hookclient",
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (cpblk_connect(&link, &err) ||
	    cpblk_hook_register(link, argv[at], &hook, &id, &err))
		return fail(&err);
	printf("hook %" PRIu64 "\n", id);
	while (more) {
		rc = cpblk_hook_next(link, -1, &event, &err);
		if (rc < 0)
			return fail(&err);
		more = handle(link, &event, refusal);
		cpblk_hook_event_free(&event);
	}
	cpblk_disconnect(link);
	return 0;
}
