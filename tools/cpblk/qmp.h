/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's two JSON protocols: QMP, which stops a machine, resets it and lets it go
 * on, and the one of the agent in its guest, which freezes filesystems. Both are
 * objects on a Unix socket; every call has a deadline.
 */
#ifndef QMP_H
#define QMP_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#define QMP_ERROR_MAX	96	/* as long as the reason of a refusal */

/**
 * struct qmp - a connection
 * @path: of the socket
 * @fd: -1 while there is none
 * @buffer: of what has come, from @at to @len
 * @parser: of what comes
 * @syncing: that may begin in the midst of something
 * @reset: the machine was reset since qmp_reset() asked for it
 * @begun: command that waits for its end, or NULL
 * @error: what went wrong last, without a full stop
 */
struct qmp {
	const char *path;
	int fd;
	char buffer[512];
	size_t at, len;
	struct json_tokener *parser;
	bool syncing;
	bool reset;
	const char *begun;
	char error[QMP_ERROR_MAX];
};

/**
 * qmp_connect() - connect to QMP, if that was not done yet
 * @deadline: of monotonic_ms()
 *
 * Return: 0; -ENOENT: nobody listens there; -ETIMEDOUT or -EPROTO: something
 * does, but does not answer as QEMU would.
 */
int qmp_connect(struct qmp *q, uint64_t deadline);

/**
 * agent_connect() - connect to the guest agent, and get in step with it
 *
 * QEMU takes only one connection, and keeps what an earlier one left unread.
 */
int agent_connect(struct qmp *q, uint64_t deadline);

/** qmp_close() - end the connection, if there is one */
void qmp_close(struct qmp *q);

/**
 * qmp_run() - run a command and wait for its answer
 * @result: NULL, or gets what it returns, for json_object_put()
 *
 * Return: 0; -EREMOTE: it was refused, @q->error says why; -ETIMEDOUT, -EPIPE,
 * -EPROTO: the connection is closed, and nobody knows whether it was done.
 */
int qmp_run(struct qmp *q, const char *command, uint64_t deadline,
	    struct json_object **result);

/**
 * qmp_begin() - send a command but for its end; qmp_run() then sends that
 * @command: stays where it is
 *
 * QEMU reads byte by byte, and goes through its main loop for each. With a command
 * that was begun it has done so before it matters. Nothing happens until
 * qmp_run(), and nothing at all if that is for another command, or the connection
 * ends. Nor is it an error if it does not work; qmp_run() says so.
 */
void qmp_begin(struct qmp *q, const char *command, uint64_t deadline);

/**
 * qmp_reset() - reset the machine, and wait until that is done; as qmp_run()
 * @next: NULL, or the command that will be run after it, to be begun
 */
int qmp_reset(struct qmp *q, const char *next, uint64_t deadline);

/** enum qmp_status - what a machine does; IO_ERROR: it waits for room on its disk */
enum qmp_status { QMP_STOPPED, QMP_RUNNING, QMP_IO_ERROR };

/**
 * qmp_look() - connect anew, and see what the machine does
 * @next: the command that will probably be run then, to be begun
 *
 * All of this takes one answer. Return: as qmp_connect().
 */
int qmp_look(struct qmp *q, const char *next, uint64_t deadline,
	     enum qmp_status *status);

#endif /* QMP_H */
