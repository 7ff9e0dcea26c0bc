// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk hook exec: a program runs at each step of an operation, with the facts
 * in its environment. Its exit code is the answer; what it prints first is the
 * reason of a refusal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

static void set(const char *name, const char *value)
{
	setenv(name, value, 1);
}

static void set_number(const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	set(name, text);
}

/* Of all volumes, with spaces between them: names and devices have none. */
static void set_lists(const struct cpblk_hook_event *event)
{
	size_t size = event->nr_members * (CPBLK_NAME_MAX + 8) + 1, i;
	char *volumes = calloc(1, size), *devices = calloc(1, size);

	for (i = 0; volumes && devices && i < event->nr_members; i++) {
		if (i) {
			strcat(volumes, " ");
			strcat(devices, " ");
		}
		strcat(volumes, event->members[i].volume);
		strcat(devices, "/dev/");
		strcat(devices, event->members[i].device);
	}
	set("CPBLK_VOLUMES", volumes ? volumes : "");
	set("CPBLK_DEVICES", devices ? devices : "");
	free(volumes);
	free(devices);
}

static void set_facts(const struct cpblk_hook_event *event, const char *step,
		      uint64_t timeout)
{
	set("CPBLK_STEP", step);
	set("CPBLK_OPERATION", event->operation == CPBLK_HOOK_RESTORE ? "restore" :
								       "checkpoint");
	set("CPBLK_STORE", event->store);
	set_lists(event);
	set_number("CPBLK_TIMEOUT_MS", timeout);
	set("CPBLK_REASON", event->reason);
	if (event->nr_members) {
		set("CPBLK_CHECKPOINT", event->members[0].checkpoint);
		set("CPBLK_SAFETY", event->members[0].safety);
		set_number("CPBLK_GENERATION", event->members[0].generation);
	}
}

/*
 * The program with its output in a pipe, as a process group of its own. It does not
 * outlive the agent.
 */
static pid_t start(char **program, const struct cpblk_hook_event *event,
		   const char *step, uint64_t timeout, int *out)
{
	int pipes[2];
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	child = fork();
	if (!child) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		agent_child();
		dup2(pipes[1], STDOUT_FILENO);
		set_facts(event, step, timeout);
		execvp(program[0], program);
		dprintf(STDOUT_FILENO, "cannot run %s: %s\n", program[0],
			strerror(errno));
		_exit(127);
	}
	close(pipes[1]);
	if (child < 0) {
		close(pipes[0]);
		return -1;
	}
	setpgid(child, child);
	*out = pipes[0];
	return child;
}

/*
 * Reads until the output ends, and keeps its first line; false: out of time, or
 * interrupted.
 */
static bool read_line(int out, uint64_t deadline, char *line, size_t size)
{
	struct pollfd poll_fd = { .fd = out, .events = POLLIN };
	const int interrupts = agent_interrupts();
	bool first = true;
	size_t len = 0, i;
	char part[256];
	uint64_t now;
	ssize_t got;

	for (;;) {
		now = monotonic_ms();
		if (now >= deadline || agent_interrupts() != interrupts)
			return false;
		if (agent_poll(&poll_fd, 1, (int)(deadline - now)) <= 0)
			continue;
		got = read(out, part, sizeof(part));
		if (got <= 0)
			return true;
		fwrite(part, 1, (size_t)got, stdout);
		for (i = 0; i < (size_t)got; i++) {
			first = first && part[i] != '\n';
			if (first && len < size - 1)
				line[len++] = part[i];
		}
		line[len] = '\0';
	}
}

/* Until it has ended; false: out of time, or interrupted. */
static bool wait_end(pid_t child, uint64_t deadline, int *status)
{
	const int interrupts = agent_interrupts();

	while (!waitpid(child, status, WNOHANG)) {
		if (monotonic_ms() >= deadline || agent_interrupts() != interrupts)
			return false;
		agent_poll(NULL, 0, 5);
	}
	return true;
}

/*
 * Output may end before the program, or go on after it in a child of its own: what
 * counts is that the program ended, in time.
 */
static bool run(char **program, const struct cpblk_hook_event *event, const char *step,
		uint64_t deadline, char reason[CPBLK_REASON_MAX + 1])
{
	char line[CPBLK_REASON_MAX + 1] = "";
	int interrupts = agent_interrupts();
	uint64_t now = monotonic_ms();
	int out, status = 0;
	bool in_time;
	pid_t child;

	child = start(program, event, step, deadline > now ? deadline - now : 0, &out);
	if (child < 0) {
		snprintf(reason, CPBLK_REASON_MAX + 1, "cannot run %.60s: %s", program[0],
			 strerror(errno));
		return false;
	}
	in_time = read_line(out, deadline, line, sizeof(line)) &&
		  wait_end(child, deadline, &status);
	close(out);
	if (!in_time) {
		kill(-child, SIGKILL);
		/* It may have left its group. */
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		snprintf(reason, CPBLK_REASON_MAX + 1, "%.60s %s", program[0],
			 agent_interrupts() == interrupts ? "took too long" :
			 "was interrupted");
		return false;
	}
	fflush(stdout);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (line[0])
		snprintf(reason, CPBLK_REASON_MAX + 1, "%s", line);
	else if (WIFEXITED(status))
		snprintf(reason, CPBLK_REASON_MAX + 1, "%.60s ended with exit code %d",
			 program[0], WEXITSTATUS(status));
	else
		snprintf(reason, CPBLK_REASON_MAX + 1, "%.60s died of signal %d",
			 program[0], WTERMSIG(status));
	return false;
}

static bool prepare(struct agent *a, const struct cpblk_hook_event *event,
		    uint64_t deadline, char reason[CPBLK_REASON_MAX + 1])
{
	return run(a->data, event, "prepare", deadline, reason);
}

static void ended(struct agent *a, const struct cpblk_hook_event *event, bool done)
{
	const char *step = done ? "committed" : "aborted";
	char reason[CPBLK_REASON_MAX + 1] = "";

	if (!run(a->data, event, step, monotonic_ms() + a->hook.timeout, reason))
		agent_say(event, "%s: %s", step, show_text(reason));
}

int hook_exec(struct agent *a, char **program)
{
	static const struct agent_kind kind = { .prepare = prepare, .ended = ended };

	a->kind = &kind;
	a->data = program;
	return agent_run(a);
}
