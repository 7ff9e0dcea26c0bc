// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk hook exec: an agent that is asked before a checkpoint or a restore, and
 * told after it. Registering, hearing, and answering; hook_exec.c runs the
 * program that decides.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hook.h"

static const char about[] =
	"PROGRAM runs before and after each checkpoint and restore of the volumes, with the\n"
	"facts in its environment. If it fails before an operation, that is refused, with\n"
	"the first line it printed as the reason. Runs until interrupted; cpblk(8) says more.";

/* Seconds to answer in, if nothing else is said. */
#define TIMEOUT	10

/* Microseconds between two attempts to register. */
#define RETRY	500000

struct agent {
	char store[CPBLK_NAME_MAX + 1];
	struct cpblk_hook hook;
	char **program;
};

static void say(const struct cpblk_hook_event *event, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A line on what it does, with the volumes of an event. */
static void say(const struct cpblk_hook_event *event, const char *fmt, ...)
{
	va_list args;
	size_t i;

	for (i = 0; event && i < event->nr_members; i++)
		printf("%s%s", i ? "," : "", event->members[i].volume);
	if (event)
		printf(": ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/*
 * Until the driver, the store and the volume are there. What is missing may
 * come, so this goes on; what is wrong is said once.
 */
static void sign_up(const struct agent *a, struct cpblk **link)
{
	char said[CPBLK_ERROR_MAX + 1] = "";
	struct cpblk_error err;
	uint64_t id;

	while (cpblk_connect(link, &err) ||
	       cpblk_hook_register(*link, a->store, &a->hook, &id, &err)) {
		cpblk_disconnect(*link);
		*link = NULL;
		if (strcmp(said, err.text)) {
			strcpy(said, err.text);
			refuse("waiting: %s", err.text);
		}
		usleep(RETRY);
	}
	say(NULL, "answering for %s%s of store %s", a->hook.group ? "@" : "",
	    a->hook.group ? a->hook.group : a->hook.volumes[0], a->store);
}

static void prepare(const struct agent *a, struct cpblk *link,
		    const struct cpblk_hook_event *event)
{
	char reason[CPBLK_REASON_MAX + 1] = "";
	/* Before the driver's deadline, so that a refusal gets there. */
	uint64_t deadline = event->deadline / 1000000 - a->hook.timeout / 10;
	struct cpblk_error err;
	int rc;

	if (hook_run(a->program, event, "prepare", deadline, reason)) {
		rc = cpblk_hook_ready(link, event->hook, event->token, &err);
	} else {
		say(event, "refused: %s", show_text(reason));
		rc = cpblk_hook_refuse(link, event->hook, event->token, reason, &err);
	}
	/* Too late: that it was aborted is on its way. */
	if (rc)
		say(event, "cannot answer: %s", err.text);
}

static void ended(const struct agent *a, const struct cpblk_hook_event *event,
		  const char *step)
{
	char reason[CPBLK_REASON_MAX + 1] = "";

	if (!hook_run(a->program, event, step, monotonic_ms() + a->hook.timeout, reason))
		say(event, "%s: %s", step, show_text(reason));
}

/* Until the link is of no use any more. */
static void serve(const struct agent *a, struct cpblk *link)
{
	struct cpblk_hook_event event;
	struct cpblk_error err;
	bool gone = false;

	while (!gone) {
		if (cpblk_hook_next(link, -1, &event, &err) < 0) {
			say(NULL, "starting again: %s", err.text);
			return;
		}
		switch (event.type) {
		case CPBLK_EVENT_HOOK_PREPARE:
			prepare(a, link, &event);
			break;
		case CPBLK_EVENT_HOOK_COMMITTED:
			ended(a, &event, "committed");
			break;
		case CPBLK_EVENT_HOOK_ABORTED:
			say(&event, "aborted: %s", show_text(event.reason));
			ended(a, &event, "aborted");
			break;
		case CPBLK_EVENT_HOOK_ENDED:
			say(NULL, "store %s: %s", a->store, show_text(event.reason));
			gone = true;
			break;
		}
		cpblk_hook_event_free(&event);
	}
}

/* "checkpoint", "restore" or both, with a comma between them. */
static bool parse_operations(const char *text, unsigned int *operations)
{
	if (!strcmp(text, "checkpoint"))
		*operations = CPBLK_HOOK_CHECKPOINT;
	else if (!strcmp(text, "restore"))
		*operations = CPBLK_HOOK_RESTORE;
	else if (!strcmp(text, "checkpoint,restore") ||
		 !strcmp(text, "restore,checkpoint"))
		*operations = CPBLK_HOOK_CHECKPOINT | CPBLK_HOOK_RESTORE;
	else
		return false;
	return true;
}

/* A volume, or a @GROUP. */
static int parse_whose(const struct tool *tool, char **name, struct cpblk_hook *hook)
{
	if (**name == '@') {
		hook->group = *name + 1;
		return name_is_valid(hook->group) ? DONE :
		       bad_name(tool, "group", hook->group);
	}
	hook->volumes = (const char *const *)name;
	hook->nr = 1;
	return parse_volume(tool, *name);
}

int cmd_hook(struct tool *tool, int argc, char **argv)
{
	struct agent agent = { .hook.label = "cpblk hook exec" };
	struct number timeout = { TIMEOUT, false };
	const char *on = "checkpoint,restore";
	struct cpblk_store_info store;
	struct cpblk *link = NULL;
	bool go_on = false;
	const struct option_row rows[] = {
		{ 0, "on", "WHAT", "checkpoint, restore, or checkpoint,restore",
		  OPTION_STRING, &on },
		{ 0, "timeout", "SECONDS", "to answer in; 10 by default", OPTION_NUMBER,
		  &timeout },
		{ 0, "go-on", NULL, "if there is no answer, do not abort", OPTION_FLAG,
		  &go_on },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, -1);

	if (rc >= 0)
		return rc;
	if (strcmp(argv[0], "exec"))
		return wrong_use(tool, "'%s' is not exec", argv[0]);
	if (argc < 3)
		return wrong_use(tool, "which volume, and which program?");
	if (!parse_operations(on, &agent.hook.operations))
		return wrong_use(tool, "'%s' is none of checkpoint, restore and checkpoint,restore",
				 on);
	if (!timeout.value || timeout.value > CPBLK_HOOK_TIMEOUT_MAX / 1000)
		return wrong_use(tool, "the time to answer in is 1 to %d seconds",
				 CPBLK_HOOK_TIMEOUT_MAX / 1000);
	rc = parse_whose(tool, argv + 1, &agent.hook);
	if (rc)
		return rc;
	if (tool_store(tool, &store))
		return FAILED;
	strcpy(agent.store, store.name);
	agent.hook.timeout = (unsigned int)timeout.value * 1000;
	agent.hook.flags = go_on ? CPBLK_HOOK_IF_SILENT_GO_ON : 0;
	agent.program = argv + 2;
	for (;;) {
		sign_up(&agent, &link);
		serve(&agent, link);
		cpblk_disconnect(link);
		link = NULL;
	}
}
