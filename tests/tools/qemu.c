// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk hook qemu with a QMP that takes its time: what it asks for, in which order,
 * and what it waits for before it goes on.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake.h"

#define SLOW	100000	/* microseconds; an agent that did not wait would be on by then */

static char path[] = "/tmp/cpblk-qmp-XXXXXX";
static bool running = true, reset_first, reset_before, refuses;
static pthread_t thread;
static int listener;

static void say(int fd, const char *text)
{
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Was a whole command sent already? */
static bool pressed(int fd)
{
	char text[512];
	ssize_t got = recv(fd, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT);

	return got > 0 && memchr(text, '}', (size_t)got);
}

static void reset(int fd)
{
	usleep(SLOW);
	fake_note("RESET", pressed(fd) ? ", and somebody could not wait" : "");
	say(fd, "{\"event\": \"RESET\", \"data\": {}}\r\n");
}

/* One that counts when its answer is on its way. */
static void obey(int fd, const char *command)
{
	if (!strcmp(command, "stop"))
		usleep(SLOW);
	fake_note(command, "");
	if (!strcmp(command, "query-status")) {
		say(fd, running ? "{\"return\": {\"status\": \"running\"}}\r\n" :
				  "{\"return\": {\"status\": \"paused\"}}\r\n");
		return;
	}
	if (!strcmp(command, "stop") && refuses) {
		say(fd, "{\"error\": {\"desc\": \"it is not the time\"}}\r\n");
		return;
	}
	if (!strcmp(command, "system_reset") && reset_first)
		reset(fd);
	say(fd, "{\"return\": {}}\r\n");
	if (!strcmp(command, "system_reset") && !reset_first)
		reset(fd);
	/* The guest had asked for that itself. */
	if (!strcmp(command, "stop") && reset_before)
		say(fd, "{\"event\": \"RESET\", \"data\": {\"guest\": true}}\r\n");
}

/* Byte by byte, as QEMU does. */
static void serve(int fd)
{
	char line[256], command[64];
	size_t len = 0;

	say(fd, "{\"QMP\": {}}\r\n");
	while (len < sizeof(line) - 1 && recv(fd, line + len, 1, 0) == 1) {
		if (line[len++] != '\n')
			continue;
		line[len] = '\0';
		len = 0;
		if (sscanf(line, "{\"execute\":\"%63[^\"]\"}", command) == 1)
			obey(fd, command);
		else
			fake_note("not a command: ", line);
	}
}

static void *listen_on(void *unused)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		serve(fd);
		close(fd);
	}
	return unused;
}

static void setup(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	fake_reset();
	fake_volume("tank", "vm1", 1 << 20);
	cr_assert_not_null(mkdtemp(path));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(pthread_create(&thread, NULL, listen_on, NULL), 0);
}

static void teardown(void)
{
	char socket_path[64];

	snprintf(socket_path, sizeof(socket_path), "%s/qmp", path);
	unlink(socket_path);
	rmdir(path);
	fake_end();
}

TestSuite(qemu, .init = setup, .fini = teardown, .timeout = 60);

/*
 * A restore from its beginning to its end. The agent's file has the name of the
 * volume, so that is one of the test's own.
 */
static void restore(const char *then, int end)
{
	char socket_path[64];

	snprintf(socket_path, sizeof(socket_path), "%s/qmp", path);
	fake_hook_event(CPBLK_EVENT_HOOK_PREPARE, CPBLK_HOOK_RESTORE);
	fake_hook_event(end, CPBLK_HOOK_RESTORE);
	cr_expect_eq(run("hook", "qemu", "--qmp", socket_path, "--then", then,
			 path + strlen("/tmp/"), NULL), 0);
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
}

#define CONNECTED	"qmp_capabilities\nquery-status\n"

Test(qemu, reset)
{
	restore("reset", CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers,
			 CONNECTED "stop\nready\nsystem_reset\nRESET\ncont\n");
}

/* QEMU may say that it has reset before it says that it will. */
Test(qemu, reset_before_the_answer)
{
	reset_first = true;
	restore("reset", CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers,
			 CONNECTED "stop\nready\nsystem_reset\nRESET\ncont\n");
}

Test(qemu, reset_by_the_guest)
{
	reset_before = true;
	restore("reset", CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers,
			 CONNECTED "stop\nready\nsystem_reset\nRESET\ncont\n");
}

Test(qemu, resume)
{
	restore("resume", CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers, CONNECTED "stop\nready\ncont\n");
}

Test(qemu, stay)
{
	restore("stay", CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers, CONNECTED "stop\nready\nstop\n");
}

/* A reset that was begun is forgotten with its connection. */
Test(qemu, aborted)
{
	restore("reset", CPBLK_EVENT_HOOK_ABORTED);
	cr_expect_str_eq(fake_answers,
			 CONNECTED "stop\nready\nqmp_capabilities\ncont\n");
}

Test(qemu, refused)
{
	refuses = true;
	restore("reset", CPBLK_EVENT_HOOK_ABORTED);
	cr_expect_str_eq(fake_answers,
			 CONNECTED "stop\nrefuse: stop: it is not the time\ncont\n");
}

/* Somebody else had stopped it, and will have it stopped. */
Test(qemu, stopped_already)
{
	running = false;
	restore("reset", CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers,
			 CONNECTED "ready\nqmp_capabilities\nsystem_reset\nRESET\n");
}
