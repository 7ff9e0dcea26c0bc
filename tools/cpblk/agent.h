/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two kinds of agents, 'cpblk hook qemu' and 'cpblk hook exec', share:
 * one answers for the guest of a QEMU, one runs a program. Both are driven by
 * hook.c, which registers with the driver and hears what it asks.
 */
#ifndef AGENT_H
#define AGENT_H

#include <poll.h>

#include "tool.h"

/* Milliseconds until something that did not work is tried again. */
#define AGENT_RETRY	500

struct agent;

/**
 * struct agent_kind - what it answers with
 * @begin: the agent was registered; take up what is left over from an earlier time;
 *	may be NULL
 * @prepare: get ready until the deadline, of monotonic_ms(); false: it can't,
 *	with the reason
 * @ended: the operation was done (@done) or not, and why; also after a refusal
 * @retry: do what could not be done before; true if nothing is left; may be NULL
 */
struct agent_kind {
	void (*begin)(struct agent *a);
	bool (*prepare)(struct agent *a, const struct cpblk_hook_event *event,
			uint64_t deadline, char reason[CPBLK_REASON_MAX + 1]);
	void (*ended)(struct agent *a, const struct cpblk_hook_event *event,
		      bool done);
	bool (*retry)(struct agent *a);
};

/**
 * struct agent - a running agent
 * @kind: what it does
 * @store: name
 * @hook: what it is registered for
 * @link: that it is registered on; lists can be asked for there
 * @data: the kind's own
 */
struct agent {
	const struct agent_kind *kind;
	char store[CPBLK_NAME_MAX + 1];
	struct cpblk_hook hook;
	struct cpblk *link;
	void *data;
};

/** monotonic_ms() - milliseconds of the clock that the driver's deadlines use */
uint64_t monotonic_ms(void);

/** agent_say() - a line on what it does, with the volumes of an event, or NULL */
void agent_say(const struct cpblk_hook_event *event, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** agent_interrupts() - how often the agent was asked to end, by SIGINT or SIGTERM */
int agent_interrupts(void);

/** agent_poll() - poll(), which such a signal ends; they are held back elsewhere */
int agent_poll(struct pollfd *fds, nfds_t nr, int ms);

/** agent_child() - in a child of the agent: signals as they were before */
void agent_child(void);

/** agent_run() - until it is interrupted; the exit code */
int agent_run(struct agent *a);

/** enum qemu_then - what becomes of a guest after a restore */
enum qemu_then { THEN_RESET, THEN_RESUME, THEN_STAY };

/**
 * hook_qemu() - answer for the guest of a QEMU
 * @qmp: socket of its QMP
 * @guest: socket of its guest agent, or NULL
 */
int hook_qemu(struct agent *a, const char *qmp, const char *guest,
	      enum qemu_then then);

/** hook_exec() - answer with what a program says; it is ended by NULL */
int hook_exec(struct agent *a, char **program);

#endif /* AGENT_H */
