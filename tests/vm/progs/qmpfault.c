// SPDX-License-Identifier: GPL-2.0
/*
 * Between an agent and the QMP of its machine, with one fault:
 *
 *	qmpfault SOCKET QMP kill|silent before|after COMMAND
 *
 * All that is said on SOCKET goes to QMP and back, until COMMAND is asked for the
 * first time. Before QEMU has heard it, or after QEMU has answered, the one who
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

/* What comes in whole lines goes on; false: no more of it, or the fault. */
static bool pass(FILE *from, int to, int client, bool asked)
{
	char line[4096], want[64];
	static bool waits;

	snprintf(want, sizeof(want), "\"execute\":\"%s\"", command);
	if (!fgets(line, sizeof(line), from))
		return false;
	if (asked && !played && strstr(line, want)) {
		if (!after) {
			play(client);
			return false;
		}
		waits = true;
	}
	if (!asked && waits && strstr(line, "\"return\"")) {
		waits = false;
		play(client);
		return false;
	}
	return send(to, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

/* One connection. Unbuffered, since poll() does not see what a buffer has. */
static void serve(int client, const char *qmp)
{
	struct sockaddr_un a = address(qmp);
	int qemu = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd fds[] = { { client, POLLIN, 0 }, { qemu, POLLIN, 0 } };
	FILE *files[] = { fdopen(client, "r"), fdopen(qemu, "r") };
	bool more = !connect(qemu, (struct sockaddr *)&a, sizeof(a));

	setvbuf(files[0], NULL, _IONBF, 0);
	setvbuf(files[1], NULL, _IONBF, 0);
	while (more && poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			more = pass(files[0], qemu, client, true);
		else
			more = pass(files[1], client, client, false);
	}
	fclose(files[0]);
	fclose(files[1]);
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
