// SPDX-License-Identifier: GPL-2.0
/*
 * Speaking QMP, and the protocol of QEMU's guest agent.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"
#include "qmp.h"

static int failed(struct qmp *q, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int failed(struct qmp *q, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(q->error, sizeof(q->error), fmt, args);
	va_end(args);
	if (rc != -EREMOTE)
		qmp_close(q);
	return rc;
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	if (q->parser)
		json_tokener_free(q->parser);
	q->parser = NULL;
	q->begun = NULL;
}

/* Until the socket can be read or written. */
static int wait_until(struct qmp *q, short events, uint64_t deadline)
{
	struct pollfd poll_fd = { .fd = q->fd, .events = events };
	uint64_t now;
	int rc;

	while ((now = monotonic_ms()) < deadline) {
		rc = poll(&poll_fd, 1, (int)(deadline - now));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return failed(q, -EPIPE, "%s: %s", q->path, strerror(errno));
	}
	return failed(q, -ETIMEDOUT, "%s does not answer", q->path);
}

static int open_socket(struct qmp *q, uint64_t deadline)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int rc;

	if (strlen(q->path) >= sizeof(address.sun_path))
		return failed(q, -ENAMETOOLONG, "%s is too long for a socket", q->path);
	strcpy(address.sun_path, q->path);
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return failed(q, -EPIPE, "no socket: %s", strerror(errno));
	/* EAGAIN: as many as may wait to be accepted do, as if it were silent. */
	while (connect(q->fd, (struct sockaddr *)&address, sizeof(address))) {
		rc = -errno;
		if (rc != -EAGAIN)
			return failed(q, rc == -ECONNREFUSED ? -ENOENT : rc, "%s: %s",
				      q->path, strerror(-rc));
		if (monotonic_ms() >= deadline)
			return failed(q, -ETIMEDOUT, "%s does not answer", q->path);
		usleep(10000);
	}
	q->at = 0;
	q->len = 0;
	q->parser = json_tokener_new();
	return q->parser ? 0 : failed(q, -ENOMEM, "out of memory");
}

static int put(struct qmp *q, const char *text, size_t len, uint64_t deadline)
{
	ssize_t sent;
	int rc;

	while (len) {
		sent = send(q->fd, text, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			rc = wait_until(q, POLLOUT, deadline);
			if (rc)
				return rc;
			continue;
		}
		if (sent < 0)
			return failed(q, -EPIPE, "%s: %s", q->path, strerror(errno));
		text += sent;
		len -= (size_t)sent;
	}
	return 0;
}

/*
 * The next byte that comes; reads as many as there are. -EAGAIN, without a
 * deadline: there is none.
 */
static int next_byte(struct qmp *q, uint64_t deadline, char *c)
{
	ssize_t got;
	int rc;

	while (q->at == q->len) {
		got = recv(q->fd, q->buffer, sizeof(q->buffer), 0);
		if (got < 0 && errno == EAGAIN) {
			if (!deadline)
				return -EAGAIN;
			rc = wait_until(q, POLLIN, deadline);
			if (rc)
				return rc;
			continue;
		}
		if (got <= 0)
			return failed(q, -EPIPE, "%s: the connection was closed", q->path);
		q->at = 0;
		q->len = (size_t)got;
	}
	*c = q->buffer[q->at++];
	return 0;
}

/* The next object that comes; -EAGAIN as above. */
static int next_object(struct qmp *q, uint64_t deadline, struct json_object **o)
{
	char c;
	int rc;

	*o = NULL;
	while (!*o) {
		rc = next_byte(q, deadline, &c);
		if (rc)
			return rc;
		/* The agent's way to say that what came before is void. */
		if ((unsigned char)c == 0xff) {
			json_tokener_reset(q->parser);
			continue;
		}
		*o = json_tokener_parse_ex(q->parser, &c, 1);
		if (*o || json_tokener_get_error(q->parser) == json_tokener_continue)
			continue;
		if (!q->syncing)
			return failed(q, -EPROTO, "%s does not speak JSON", q->path);
		json_tokener_reset(q->parser);
	}
	return 0;
}

/* An answer's result, or why there is none. Other objects are events. */
static int answer_of(struct qmp *q, const char *command, struct json_object *o,
		     struct json_object **result)
{
	struct json_object *part;
	const char *why = "";

	if (json_object_object_get_ex(o, "return", &part)) {
		if (result)
			*result = json_object_get(part);
		return 0;
	}
	if (json_object_object_get_ex(o, "event", &part) &&
	    !strcmp(json_object_get_string(part), "RESET"))
		q->reset = true;
	if (!json_object_object_get_ex(o, "error", &part))
		return 1;
	if (json_object_object_get_ex(part, "desc", &part))
		why = json_object_get_string(part);
	return failed(q, -EREMOTE, "%s: %s", command, why);
}

static int send_command(struct qmp *q, const char *command, struct json_object *arguments,
			uint64_t deadline)
{
	struct json_object *request = json_object_new_object();
	const char *text;
	int rc;

	json_object_object_add(request, "execute", json_object_new_string(command));
	json_object_object_add(request, "arguments", arguments);
	text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	rc = put(q, text, strlen(text), deadline);
	if (!rc)
		rc = put(q, "\n", 1, deadline);
	json_object_put(request);
	return rc;
}

/* The next answer; events before it are taken note of. */
static int get_answer(struct qmp *q, const char *command, uint64_t deadline,
		      struct json_object **result)
{
	struct json_object *o;
	int rc;

	do {
		rc = next_object(q, deadline, &o);
		if (rc)
			return rc;
		rc = answer_of(q, command, o, result);
		json_object_put(o);
	} while (rc > 0);
	return rc;
}

static int get_greeting(struct qmp *q, uint64_t deadline)
{
	struct json_object *greeting;
	int rc = next_object(q, deadline, &greeting);

	if (rc)
		return rc;
	if (!json_object_object_get_ex(greeting, "QMP", NULL))
		rc = failed(q, -EPROTO, "%s is not a QMP socket", q->path);
	json_object_put(greeting);
	return rc;
}

int qmp_connect(struct qmp *q, uint64_t deadline)
{
	int rc;

	if (q->fd >= 0)
		return 0;
	rc = open_socket(q, deadline);
	if (!rc)
		rc = get_greeting(q, deadline);
	return rc ? rc : qmp_run(q, "qmp_capabilities", deadline, NULL);
}

/* Without the brace that ends it. */
#define COMMAND		"{\"execute\":\"%s\""

void qmp_begin(struct qmp *q, const char *command, uint64_t deadline)
{
	char text[64];

	if (q->fd < 0 || q->begun)
		return;
	snprintf(text, sizeof(text), COMMAND, command);
	if (!put(q, text, strlen(text), deadline))
		q->begun = command;
}

/* Asks for a command, and begins the next one. */
static int ask(struct qmp *q, const char *command, const char *next, uint64_t deadline)
{
	char text[128];
	int rc, len = 0;

	/* QEMU forgets what was begun with the connection. */
	if (q->begun && strcmp(q->begun, command)) {
		qmp_close(q);
		rc = qmp_connect(q, deadline);
		if (rc)
			return rc;
	}
	if (q->fd < 0)
		return failed(q, -EPIPE, "%s: not connected", q->path);
	if (!q->begun)
		len = snprintf(text, sizeof(text), COMMAND, command);
	len += snprintf(text + len, sizeof(text) - (size_t)len, "}\n");
	if (next)
		len += snprintf(text + len, sizeof(text) - (size_t)len, COMMAND, next);
	q->begun = next;
	return put(q, text, (size_t)len, deadline);
}

int qmp_run(struct qmp *q, const char *command, uint64_t deadline,
	    struct json_object **result)
{
	int rc = ask(q, command, NULL, deadline);

	return rc ? rc : get_answer(q, command, deadline, result);
}

/* The answer has our number; all before it, whole or not, is for somebody else. */
int agent_connect(struct qmp *q, uint64_t deadline)
{
	int64_t number = (int64_t)(monotonic_ms() & 0x7fffffff);
	struct json_object *arguments, *o, *answer;
	bool ours = false;
	int rc;

	if (q->fd >= 0)
		return 0;
	rc = open_socket(q, deadline);
	if (!rc)
		rc = put(q, "\xff", 1, deadline);
	if (rc)
		return rc;
	arguments = json_object_new_object();
	json_object_object_add(arguments, "id", json_object_new_int64(number));
	rc = send_command(q, "guest-sync-delimited", arguments, deadline);
	q->syncing = true;
	while (!rc && !ours) {
		rc = next_object(q, deadline, &o);
		if (rc)
			break;
		ours = json_object_object_get_ex(o, "return", &answer) &&
		       json_object_get_int64(answer) == number;
		json_object_put(o);
	}
	q->syncing = false;
	return rc;
}

/*
 * RESET says that it is done, which may be before or after the command returns. If
 * the machine went on before that, it would write what it remembers of another
 * disk. So a RESET that was there already, one that the guest asked for, is not
 * taken for it.
 */
int qmp_reset(struct qmp *q, const char *next, uint64_t deadline)
{
	struct json_object *o;
	int rc;

	while (!(rc = next_object(q, 0, &o)))
		json_object_put(o);
	q->reset = false;
	if (rc == -EAGAIN)
		rc = ask(q, "system_reset", next, deadline);
	if (!rc)
		rc = get_answer(q, "system_reset", deadline, NULL);
	while (!rc && !q->reset) {
		rc = next_object(q, deadline, &o);
		if (rc)
			break;
		answer_of(q, "system_reset", o, NULL);
		json_object_put(o);
	}
	return rc;
}

int qmp_look(struct qmp *q, const char *next, uint64_t deadline, enum qmp_status *status)
{
	struct json_object *result, *part;
	const char *word = "";
	char text[160];
	int rc;

	qmp_close(q);
	rc = open_socket(q, deadline);
	if (rc)
		return rc;
	snprintf(text, sizeof(text), COMMAND "}\n" COMMAND "}\n" COMMAND,
		 "qmp_capabilities", "query-status", next);
	q->begun = next;
	rc = put(q, text, strlen(text), deadline);
	if (!rc)
		rc = get_greeting(q, deadline);
	if (!rc)
		rc = get_answer(q, "qmp_capabilities", deadline, NULL);
	if (!rc)
		rc = get_answer(q, "query-status", deadline, &result);
	if (rc)
		return rc;
	if (json_object_object_get_ex(result, "status", &part))
		word = json_object_get_string(part);
	*status = !strcmp(word, "running") ? QMP_RUNNING :
		  !strcmp(word, "io-error") ? QMP_IO_ERROR : QMP_STOPPED;
	json_object_put(result);
	return 0;
}
