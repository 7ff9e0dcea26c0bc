// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk hook qemu: answers for the guest of a QEMU. Before a restore it is
 * stopped, after it reset (or resumed, or left). Before a checkpoint its
 * filesystems are frozen, if there is a guest agent, and thawed after it.
 *
 * A guest must not stay stopped or frozen because something broke. What is owed
 * to it is kept in a file from before it is stopped on, and tried until it
 * succeeds; an agent that is started again finds it there. Whether a restore was
 * done then, the volume's generation says, as soon as no operation waits for
 * hooks any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "qmp.h"

/* Tests have another one. */
#ifndef STATE_FOLDER
#define STATE_FOLDER	"/run/cpblk"
#endif

/* Milliseconds for commands that no operation waits for. */
#define PATIENCE	5000

/**
 * enum owed - what is still to be done for the guest
 * @NOTHING: it is as it should be
 * @THAW: its filesystems are frozen, perhaps
 * @UNDECIDED: it is stopped; how the restore ended is not known
 * @RESUME: it is stopped for a restore that was not done
 * @FINISH: the disk is another one
 */
enum owed { NOTHING, THAW, UNDECIDED, RESUME, FINISH };

static const char *const owed_words[] = {
	[NOTHING] = "nothing",
	[THAW] = "frozen",
	[UNDECIDED] = "stopped",
	[RESUME] = "stopped",
	[FINISH] = "restored",
};

/**
 * struct machine - a QEMU, as the agent sees it
 * @qmp: connected while an operation is under way
 * @guest: its guest agent; without a path there is none
 * @then: what becomes of it after a restore
 * @owed: see there
 * @agreed: an operation is under way; what is owed comes after it
 * @token: of that operation
 * @run: it ran before it was stopped
 * @volume: the first one of the last operation
 * @generation: of @volume before that
 * @state: file for the above
 * @said: what went wrong and was said already
 */
struct machine {
	struct qmp qmp;
	struct qmp guest;
	enum qemu_then then;
	enum owed owed;
	bool agreed;
	uint64_t token;
	bool run;
	char volume[CPBLK_NAME_MAX + 1];
	uint64_t generation;
	char state[2 * CPBLK_NAME_MAX + 64];
	char said[QMP_ERROR_MAX];
};

/* Another one than the last takes its place in one step. */
static int write_state(const struct machine *m)
{
	char new[sizeof(m->state) + 4];
	FILE *file;
	int rc;

	snprintf(new, sizeof(new), "%s.new", m->state);
	mkdir(STATE_FOLDER, 0755);
	file = fopen(new, "we");
	if (!file)
		return -errno;
	rc = fprintf(file, "%s %s %llu %d\n", owed_words[m->owed], m->volume,
		     (unsigned long long)m->generation, m->run) < 0 ? -EIO : 0;
	if (fclose(file) || rc || rename(new, m->state))
		return rc ? rc : -errno;
	return 0;
}

/* From now on this is owed, also by an agent that comes after this one. */
static int owe(struct machine *m, enum owed owed)
{
	m->owed = owed;
	if (owed != NOTHING)
		return write_state(m);
	unlink(m->state);
	return 0;
}

/* ---- Before an operation: false with a reason ---- */

/*
 * Nobody listens: there is no such machine, so nobody has to be stopped. If the
 * disk is in use all the same, it is by one that this agent cannot reach.
 */
static bool no_machine(struct agent *a, const struct cpblk_hook_event *event,
		       const struct qmp *q, char reason[CPBLK_REASON_MAX + 1])
{
	struct cpblk_volume_info info;
	size_t i;

	for (i = 0; i < event->nr_members; i++) {
		if (!cpblk_volume_get(a->link, a->store, event->members[i].volume,
				      &info, NULL) && !info.open_count)
			continue;
		snprintf(reason, CPBLK_REASON_MAX + 1,
			 "%s is in use, and no QEMU listens on %.29s",
			 event->members[i].device, q->path);
		return false;
	}
	agent_say(event, "no QEMU listens on %s, and nobody has the disk open", q->path);
	return true;
}

static bool stop_running(struct machine *m, const struct cpblk_hook_event *event,
			 uint64_t deadline, char reason[CPBLK_REASON_MAX + 1])
{
	int rc = owe(m, RESUME);

	if (rc) {
		snprintf(reason, CPBLK_REASON_MAX + 1, "cannot write %.50s: %s",
			 m->state, strerror(-rc));
		owe(m, NOTHING);
		return false;
	}
	if (qmp_run(&m->qmp, "stop", deadline, NULL)) {
		snprintf(reason, CPBLK_REASON_MAX + 1, "%s", m->qmp.error);
		return false;
	}
	agent_say(event, "stopped the guest");
	/* If all goes well, this is what comes next. */
	if (m->then != THEN_STAY)
		qmp_begin(&m->qmp, m->then == THEN_RESET ? "system_reset" : "cont",
			  deadline);
	return true;
}

static bool stop(struct agent *a, const struct cpblk_hook_event *event,
		 uint64_t deadline, char reason[CPBLK_REASON_MAX + 1])
{
	enum qmp_status status = QMP_STOPPED;
	struct machine *m = a->data;
	int rc;

	rc = qmp_look(&m->qmp, "stop", deadline, &status);
	if (rc == -ENOENT)
		return no_machine(a, event, &m->qmp, reason);
	if (rc) {
		snprintf(reason, CPBLK_REASON_MAX + 1, "%s", m->qmp.error);
		return false;
	}
	if (status == QMP_IO_ERROR && m->then == THEN_RESUME) {
		snprintf(reason, CPBLK_REASON_MAX + 1,
			 "the guest waits for a write that failed, and would repeat it");
		return false;
	}
	m->run = status != QMP_STOPPED;
	if (m->run)
		return stop_running(m, event, deadline, reason);
	agent_say(event, "the guest is stopped already, and will stay so");
	return true;
}

static bool freeze(struct agent *a, const struct cpblk_hook_event *event,
		   uint64_t deadline, char reason[CPBLK_REASON_MAX + 1])
{
	struct machine *m = a->data;
	struct json_object *count;
	int rc;

	qmp_close(&m->guest);
	rc = agent_connect(&m->guest, deadline);
	if (rc == -ENOENT)
		return no_machine(a, event, &m->guest, reason);
	if (!rc) {
		rc = owe(m, THAW);
		if (rc)
			snprintf(m->guest.error, QMP_ERROR_MAX, "cannot write %.50s: %s",
				 m->state, strerror(-rc));
		else
			rc = qmp_run(&m->guest, "guest-fsfreeze-freeze", deadline,
				     &count);
	}
	if (rc) {
		snprintf(reason, CPBLK_REASON_MAX + 1, "%s", m->guest.error);
		return false;
	}
	agent_say(event, "froze %d filesystems of the guest", json_object_get_int(count));
	json_object_put(count);
	return true;
}

static bool prepare(struct agent *a, const struct cpblk_hook_event *event,
		    uint64_t deadline, char reason[CPBLK_REASON_MAX + 1])
{
	struct machine *m = a->data;

	if (m->agreed || m->owed != NOTHING) {
		snprintf(reason, CPBLK_REASON_MAX + 1, "the last operation is not over%s%.60s",
			 m->said[0] ? ": " : "", m->said);
		return false;
	}
	snprintf(m->volume, sizeof(m->volume), "%s", event->members[0].volume);
	m->generation = event->members[0].generation;
	m->token = event->token;
	m->run = true;
	m->agreed = event->operation == CPBLK_HOOK_CHECKPOINT ?
		    freeze(a, event, deadline, reason) :
		    stop(a, event, deadline, reason);
	return m->agreed;
}

/* ---- What is owed ---- */

static int thaw(struct machine *m)
{
	uint64_t deadline = monotonic_ms() + PATIENCE;
	int rc = agent_connect(&m->guest, deadline);

	return rc ? rc : qmp_run(&m->guest, "guest-fsfreeze-thaw", deadline, NULL);
}

static int go_on(struct machine *m)
{
	uint64_t deadline = monotonic_ms() + PATIENCE;
	int rc = qmp_connect(&m->qmp, deadline);

	if (!rc && m->owed == FINISH && m->then == THEN_STAY)
		return qmp_run(&m->qmp, "stop", deadline, NULL);
	if (!rc && m->owed == FINISH && m->then == THEN_RESET)
		rc = qmp_reset(&m->qmp, m->run ? "cont" : NULL, deadline);
	if (!rc && m->run)
		rc = qmp_run(&m->qmp, "cont", deadline, NULL);
	return rc;
}

static void say_done(const struct machine *m)
{
	const char *what = m->run ? "the guest goes on" : "the guest stays stopped";

	if (m->owed == THAW)
		what = "thawed the guest";
	else if (m->owed == FINISH && m->then == THEN_STAY)
		what = "the guest stays stopped";
	else if (m->owed == FINISH && m->then == THEN_RESET)
		what = m->run ? "reset the guest, and it runs" :
				"reset the guest, which stays stopped";
	agent_say(NULL, "%s: %s", m->volume, what);
}

/* How the restore ended that an earlier agent was part of; -EAGAIN: it has not. */
static int decide(struct agent *a)
{
	struct machine *m = a->data;
	struct cpblk_volume_info info;
	struct cpblk_error err;
	int rc = cpblk_volume_get(a->link, a->store, m->volume, &info, &err);

	if (!rc && info.hook_pending)
		return -EAGAIN;
	/* Once more: it may have ended just before we saw that nothing waits. */
	if (!rc)
		rc = cpblk_volume_get(a->link, a->store, m->volume, &info, &err);
	if (rc && rc != -ENOENT)
		return -EAGAIN;
	return owe(m, !rc && info.generation != m->generation ? FINISH : RESUME);
}

static bool retry(struct agent *a)
{
	struct machine *m = a->data;
	struct qmp *q = m->owed == THAW ? &m->guest : &m->qmp;
	int rc;

	if (m->agreed || m->owed == NOTHING)
		return true;
	if (m->owed == UNDECIDED && decide(a))
		return false;
	rc = m->owed == THAW ? thaw(m) : go_on(m);
	if (!rc) {
		say_done(m);
	} else if (rc == -ENOENT) {
		agent_say(NULL, "%s: no machine is there to go on", m->volume);
	} else {
		if (strcmp(m->said, q->error))
			refuse("%s", q->error);
		snprintf(m->said, sizeof(m->said), "%s", q->error);
		qmp_close(q);
		return false;
	}
	m->said[0] = '\0';
	qmp_close(q);
	owe(m, NOTHING);
	return true;
}

/*
 * Also of operations that it did not agree to: those that do not need its answer
 * are done all the same.
 */
static void ended(struct agent *a, const struct cpblk_hook_event *event, bool done)
{
	struct machine *m = a->data;
	int rc = 0;

	if (event->token != m->token)
		return;
	m->agreed = false;
	if (done && event->operation == CPBLK_HOOK_RESTORE)
		rc = owe(m, FINISH);
	if (rc)
		refuse("cannot write %s: %s", m->state, strerror(-rc));
	if (m->owed == NOTHING) {
		qmp_close(&m->qmp);
		qmp_close(&m->guest);
	}
}

/* What is in the file, which another agent may have written. */
static void begin(struct agent *a)
{
	struct machine *m = a->data;
	unsigned long long generation;
	enum owed owed;
	char word[16];
	FILE *file;
	int run;

	m->agreed = false;
	m->owed = NOTHING;
	file = fopen(m->state, "re");
	if (!file)
		return;
	if (fscanf(file, "%15s %63s %llu %d", word, m->volume, &generation, &run) == 4) {
		m->generation = generation;
		m->run = run;
		for (owed = THAW; owed <= FINISH && m->owed == NOTHING; owed++)
			if (!strcmp(word, owed_words[owed]))
				m->owed = owed;
		agent_say(NULL, "%s: the guest was left %s", m->volume, word);
	}
	fclose(file);
}

int hook_qemu(struct agent *a, const char *qmp, const char *guest,
	      enum qemu_then then)
{
	static const struct agent_kind kind = {
		.begin = begin,
		.prepare = prepare,
		.ended = ended,
		.retry = retry,
	};
	struct machine m = { .qmp = { .path = qmp, .fd = -1 },
			     .guest = { .path = guest, .fd = -1 }, .then = then };

	snprintf(m.state, sizeof(m.state), STATE_FOLDER "/hook-%s-%s", a->store,
		 a->hook.group ? a->hook.group : a->hook.volumes[0]);
	a->kind = &kind;
	a->data = &m;
	return agent_run(a);
}
