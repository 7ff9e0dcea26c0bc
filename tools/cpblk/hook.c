// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk hook: agents that are asked before a checkpoint or a restore, and told
 * after it. Registering, hearing, and answering; what they answer is in
 * hook_qemu.c and hook_exec.c.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"

static const char about[] =
	"'hook qemu' answers for the guest that has the volumes as its disks: it is stopped\n"
	"before a restore and reset after it; with --agent its filesystems are frozen for\n"
	"checkpoints. 'hook exec' runs PROGRAM before and after each operation, with the\n"
	"facts in its environment; if it fails before it, that is refused, with the first\n"
	"line it printed as the reason. Both run until interrupted; cpblk(8) says more.";

/* Seconds to answer in, if nothing else is said. */
#define TIMEOUT	10

uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void agent_say(const struct cpblk_hook_event *event, const char *fmt, ...)
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

/* ---- Being interrupted ---- */

static atomic_int interrupts;
static sigset_t normal_signals;

static void interrupt(int signal)
{
	(void)signal;
	interrupts++;
}

static void hold_signals(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &normal_signals);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int agent_interrupts(void)
{
	return interrupts;
}

int agent_poll(struct pollfd *fds, nfds_t nr, int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	return ppoll(fds, nr, ms < 0 ? NULL : &time, &normal_signals);
}

void agent_child(void)
{
	sigprocmask(SIG_SETMASK, &normal_signals, NULL);
}

/* ---- Talking to the driver ---- */

static void names(const struct agent *a, char *text, size_t size)
{
	size_t i, len = 0;

	if (a->hook.group)
		snprintf(text, size, "@%s", a->hook.group);
	for (i = 0; i < a->hook.nr && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s",
					i ? ", " : "", a->hook.volumes[i]);
}

/*
 * Until the driver, the store and the volumes are there. What is missing may
 * come, so this goes on; what is wrong is said once. False: it was interrupted.
 */
static bool sign_up(struct agent *a)
{
	char said[CPBLK_ERROR_MAX + 1] = "", text[256];
	struct cpblk_error err;
	uint64_t id;

	while (cpblk_connect(&a->link, &err) ||
	       cpblk_hook_register(a->link, a->store, &a->hook, &id, &err)) {
		cpblk_disconnect(a->link);
		a->link = NULL;
		if (strcmp(said, err.text)) {
			strcpy(said, err.text);
			refuse("waiting: %s", err.text);
		}
		agent_poll(NULL, 0, AGENT_RETRY);
		if (interrupts)
			return false;
	}
	names(a, text, sizeof(text));
	agent_say(NULL, "answering for %s of store %s", text, a->store);
	return true;
}

static void prepare(struct agent *a, const struct cpblk_hook_event *event)
{
	char reason[CPBLK_REASON_MAX + 1] = "";
	/* Before the driver's deadline, so that a refusal gets there. */
	uint64_t deadline = event->deadline / 1000000 - a->hook.timeout / 10;
	struct cpblk_error err;
	int rc;

	if (a->kind->prepare(a, event, deadline, reason)) {
		rc = cpblk_hook_ready(a->link, event->hook, event->token, &err);
	} else {
		agent_say(event, "refused: %s", show_text(reason));
		rc = cpblk_hook_refuse(a->link, event->hook, event->token, reason,
				       &err);
	}
	/* Too late: that it was aborted is on its way. */
	if (rc)
		agent_say(event, "cannot answer: %s", err.text);
}

/* What it was told; counts in @asked the operations that have not ended. */
static void hear(struct agent *a, const struct cpblk_hook_event *event,
		 unsigned int *asked)
{
	switch (event->type) {
	case CPBLK_EVENT_HOOK_PREPARE:
		++*asked;
		prepare(a, event);
		break;
	case CPBLK_EVENT_HOOK_COMMITTED:
		--*asked;
		a->kind->ended(a, event, true);
		break;
	case CPBLK_EVENT_HOOK_ABORTED:
		--*asked;
		agent_say(event, "aborted: %s", show_text(event->reason));
		a->kind->ended(a, event, false);
		break;
	case CPBLK_EVENT_HOOK_ENDED:
		agent_say(NULL, "store %s: %s", a->store, show_text(event->reason));
		break;
	}
}

/*
 * Until the link is of no use any more, or it is interrupted. Operations that it
 * was asked about come to their end before, which hooks' time limits bound; the
 * second interruption does not wait for that.
 */
static void serve(struct agent *a)
{
	struct pollfd fd = { .fd = cpblk_event_fd(a->link), .events = POLLIN };
	bool gone = false, idle;
	struct cpblk_hook_event event;
	unsigned int asked = 0;
	struct cpblk_error err;
	int rc;

	while (!gone) {
		rc = cpblk_hook_next(a->link, 0, &event, &err);
		if (rc < 0) {
			agent_say(NULL, "starting again: %s", err.text);
			return;
		}
		if (rc > 0) {
			gone = event.type == CPBLK_EVENT_HOOK_ENDED;
			hear(a, &event, &asked);
			cpblk_hook_event_free(&event);
			continue;
		}
		idle = !a->kind->retry || a->kind->retry(a);
		if (interrupts && (!asked || interrupts > 1))
			return;
		agent_poll(&fd, 1, idle ? -1 : AGENT_RETRY);
	}
}

int agent_run(struct agent *a)
{
	hold_signals();
	while (!interrupts && sign_up(a)) {
		if (a->kind->begin)
			a->kind->begin(a);
		serve(a);
		cpblk_disconnect(a->link);
		a->link = NULL;
	}
	agent_say(NULL, "interrupted");
	return DONE;
}

/* ---- The command ---- */

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

static bool parse_then(const char *text, enum qemu_then *then)
{
	static const char *const words[] = { "reset", "resume", "stay" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(text, words[i])) {
			*then = (enum qemu_then)i;
			return true;
		}
	}
	return false;
}

/* Volumes, or one @GROUP. */
static int parse_whose(const struct tool *tool, char **names, size_t nr,
		       struct cpblk_hook *hook)
{
	int rc = DONE;
	size_t i;

	if (nr == 1 && names[0][0] == '@') {
		hook->group = names[0] + 1;
		return name_is_valid(hook->group) ? DONE :
		       bad_name(tool, "group", hook->group);
	}
	for (i = 0; i < nr && rc == DONE; i++)
		rc = parse_volume(tool, names[i]);
	hook->volumes = (const char *const *)names;
	hook->nr = nr;
	return rc;
}

int cmd_hook(struct tool *tool, int argc, char **argv)
{
	const char *qmp = NULL, *guest = NULL, *then_text = NULL, *on = NULL;
	struct number timeout = { TIMEOUT, false };
	enum qemu_then then = THEN_RESET;
	struct cpblk_store_info store;
	struct agent agent = { 0 };
	bool go_on = false, qemu;
	const struct option_row rows[] = {
		{ 0, "qmp", "SOCKET", "qemu: of the machine's QMP", OPTION_STRING, &qmp },
		{ 0, "agent", "SOCKET", "qemu: of the guest agent, to freeze filesystems",
		  OPTION_STRING, &guest },
		{ 0, "then", "WHAT", "qemu: after a restore: reset (default), resume, stay",
		  OPTION_STRING, &then_text },
		{ 0, "on", "WHAT", "exec: checkpoint, restore, or checkpoint,restore",
		  OPTION_STRING, &on },
		{ 0, "timeout", "SECONDS", "to answer in; 10 by default", OPTION_NUMBER,
		  &timeout },
		{ 0, "go-on", NULL, "if there is no answer, do not abort", OPTION_FLAG,
		  &go_on },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, -1);

	if (rc >= 0)
		return rc;
	qemu = !strcmp(argv[0], "qemu");
	if (!qemu && strcmp(argv[0], "exec"))
		return wrong_use(tool, "'%s' is neither qemu nor exec", argv[0]);
	if (qemu ? !!on : qmp || guest || then_text)
		return wrong_use(tool, "an option that '%s' does not have", argv[0]);
	if (qemu && !qmp)
		return wrong_use(tool, "which machine? --qmp names its socket");
	if (qemu && argc < 2)
		return wrong_use(tool, "which volumes?");
	if (!qemu && argc < 3)
		return wrong_use(tool, "which volume, and which program?");
	if (then_text && !parse_then(then_text, &then))
		return wrong_use(tool, "'%s' is none of reset, resume and stay", then_text);
	agent.hook.operations = CPBLK_HOOK_RESTORE |
				(qemu && !guest ? 0 : CPBLK_HOOK_CHECKPOINT);
	if (on && !parse_operations(on, &agent.hook.operations))
		return wrong_use(tool, "'%s' is none of checkpoint, restore and checkpoint,restore",
				 on);
	if (!timeout.value || timeout.value > CPBLK_HOOK_TIMEOUT_MAX / 1000)
		return wrong_use(tool, "the time to answer in is 1 to %d seconds",
				 CPBLK_HOOK_TIMEOUT_MAX / 1000);
	rc = parse_whose(tool, argv + 1, qemu ? (size_t)argc - 1 : 1, &agent.hook);
	if (rc)
		return rc;
	if (tool_store(tool, &store))
		return FAILED;
	strcpy(agent.store, store.name);
	agent.hook.timeout = (unsigned int)timeout.value * 1000;
	agent.hook.flags = go_on ? CPBLK_HOOK_IF_SILENT_GO_ON : 0;
	agent.hook.label = qemu ? "cpblk hook qemu" : "cpblk hook exec";
	return qemu ? hook_qemu(&agent, qmp, guest, then) : hook_exec(&agent, argv + 2);
}
