// SPDX-License-Identifier: GPL-2.0
/*
 * Between an agent and the QMP of its machine, with one fault:
 *
 *	qmpfault SOCKET QMP kill|silent before|after COMMAND
 *
 * All that is said on SOCKET goes to QMP and back, in whole lines, until COMMAND is
 * asked for the first time. Before QEMU has heard it, or after QEMU has answered, the one who
 * asked is killed, or gets no answer as long as it keeps that connection. Then all
 * goes through again.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "prog.h"

static const char *command;
static bool deadly, after, played;

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		die("%s is too long", path);
	strcpy(a.sun_path, path);
	return a;
}

static void kill_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		die("nobody to kill");
	kill(peer.pid, SIGKILL);
}

/* Whoever asked waits, or is no more. */
static void play(int client)
{
	char byte;

	played = true;
	printf("%s %s %s\n", deadly ? "kill" : "silent", after ? "after" : "before",
	       command);
	fflush(stdout);
	if (deadly)
		kill_peer(client);
	while (recv(client, &byte, 1, 0) > 0)
		;
}

/**
 * struct side - one of the two that talk
 * @fd: its socket
 * @line: what it has said of a line, @len bytes
 */
struct side {
	int fd;
	char line[4096];
	size_t len;
};

/* A line that is whole goes on; false: that can't be, or the fault. */
static bool pass(struct side *from, int to, int client)
{
	const bool asked = from->fd == client;
	static bool waits;
	char want[64];

	snprintf(want, sizeof(want), "\"execute\":\"%s\"", command);
	if (asked && !played && strstr(from->line, want)) {
		if (!after) {
			play(client);
			return false;
		}
		waits = true;
	}
	if (!asked && waits && strstr(from->line, "\"return\"")) {
		waits = false;
		play(client);
		return false;
	}
	return send(to, from->line, from->len, MSG_NOSIGNAL) == (ssize_t)from->len;
}

/* The next byte that a side says; false: no more of it, or pass(). */
static bool take(struct side *from, int to, int client)
{
	bool more;

	if (from->len == sizeof(from->line) - 1 ||
	    recv(from->fd, from->line + from->len, 1, 0) != 1)
		return false;
	if (from->line[from->len++] != '\n')
		return true;
	from->line[from->len] = '\0';
	more = pass(from, to, client);
	from->len = 0;
	return more;
}

/* One connection. */
static void serve(int client, const char *qmp)
{
	struct sockaddr_un a = address(qmp);
	int qemu = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd fds[] = { { client, POLLIN, 0 }, { qemu, POLLIN, 0 } };
	struct side sides[] = { { .fd = client }, { .fd = qemu } };
	bool more = !connect(qemu, (struct sockaddr *)&a, sizeof(a));

	while (more && poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			more = take(&sides[0], qemu, client);
		else
			more = take(&sides[1], client, client);
	}
	close(client);
	close(qemu);
}

int main(int argc, char **argv)
{
	struct sockaddr_un a;
	int fd, client;

	if (argc != 6)
		die("usage: qmpfault SOCKET QMP kill|silent before|after COMMAND");
	a = address(argv[1]);
	deadly = !strcmp(argv[3], "kill");
	after = !strcmp(argv[4], "after");
	command = argv[5];
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(argv[1]);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		die("cannot listen on %s", argv[1]);
	while ((client = accept(fd, NULL, NULL)) >= 0)
		serve(client, argv[2]);
	return 1;
}
