// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of a guest in a guest: writes numbered records, each durable before it
 * says so on the serial line, and takes orders there.
 *
 * First it looks at what an earlier life left in /records: "up N", N records and
 * all of them whole and in order, or "bad" and why. Then a line for each order:
 *
 *	root		append records to /records: "root N" for each
 *	pair A B	records on disks A and B in turn: "pair N" when both have N,
 *			for each 16th, and they need not be durable
 *	fill A		records of 64 KiB, one behind the other on disk A: "fill N"
 *	idle		stop that: "idle"
 *	peek A		what record disk A has at its start: "peek N"
 *	poke A N	write record N there: "poke N"
 *	run COMMAND	a shell's command: "ran" and its exit code
 *	agent		start the guest agent: "agent"
 *
 * A record that could not be written is said as "error" and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "record.h"

enum mode { IDLE, ROOT, PAIR, FILL };

static enum mode mode;
static uint64_t next;		/* record of the mode */
static int disk[2] = { -1, -1 };
static unsigned char *buffer;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/*
 * A record is written and flushed, or the mode ends. Records in turn are not flushed,
 * and few of them said: many of them are to come between two checkpoints.
 */
static int put(int fd, uint64_t n, size_t size, off_t at)
{
	record_fill(buffer, size, n);
	if (pwrite(fd, buffer, size, at) == (ssize_t)size &&
	    (mode == PAIR || !fdatasync(fd)))
		return 0;
	say("error record %llu: %s", (unsigned long long)n, strerror(errno));
	mode = IDLE;
	return -1;
}

/* How many records there are; -1: one of them is not what it must be. */
static long long count_records(int fd)
{
	uint64_t n = 0;
	ssize_t got;

	while ((got = pread(fd, buffer, RECORD_SMALL, (off_t)n * RECORD_SMALL)) > 0) {
		/* What was cut off was never acknowledged. */
		if (got < RECORD_SMALL)
			break;
		if (!record_is(buffer, RECORD_SMALL, n))
			return -1;
		n++;
	}
	return got < 0 ? -1 : (long long)n;
}

static int open_disk(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		say("error %s: %s", path, strerror(errno));
	return fd;
}

static void close_disks(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (disk[i] >= 0)
			close(disk[i]);
		disk[i] = -1;
	}
}

static void begin(enum mode wanted, const char *a, const char *b)
{
	close_disks();
	mode = IDLE;
	next = 0;
	if (wanted == ROOT) {
		disk[0] = open("/records", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		next = (uint64_t)count_records(disk[0]);
	} else if (wanted != IDLE) {
		disk[0] = open_disk(a);
		disk[1] = wanted == PAIR ? open_disk(b) : -1;
	}
	if (wanted == IDLE || (disk[0] >= 0 && (wanted != PAIR || disk[1] >= 0)))
		mode = wanted;
}

static void peek(const char *path)
{
	int fd = open_disk(path);

	if (fd >= 0 && pread(fd, buffer, RECORD_SECTOR, 0) == RECORD_SECTOR)
		say("peek %lld", record_number(buffer, RECORD_SECTOR));
	if (fd >= 0)
		close(fd);
}

static void poke(const char *path, uint64_t n)
{
	int fd = open_disk(path);

	if (fd >= 0 && !put(fd, n, RECORD_SECTOR, 0))
		say("poke %llu", (unsigned long long)n);
	if (fd >= 0)
		close(fd);
}

static void start_agent(void)
{
	if (!fork()) {
		execl("/bin/sh", "sh", "-c",
		      "exec qemu-ga -m virtio-serial -p /dev/vport*p1 -t /run", NULL);
		_exit(1);
	}
	say("agent");
}

static void obey(char *line)
{
	char *word = strtok(line, " \r"), *rest = strtok(NULL, "\r");
	char a[32] = "", b[32] = "";

	if (!word)
		return;
	if (rest)
		sscanf(rest, "%31s %31s", a, b);
	if (!strcmp(word, "root"))
		begin(ROOT, a, b);
	else if (!strcmp(word, "pair"))
		begin(PAIR, a, b);
	else if (!strcmp(word, "fill"))
		begin(FILL, a, b);
	else if (!strcmp(word, "peek"))
		peek(a);
	else if (!strcmp(word, "poke"))
		poke(a, strtoull(b, NULL, 10));
	else if (!strcmp(word, "run"))
		say("ran %d", WEXITSTATUS(system(rest ? rest : "")));
	else if (!strcmp(word, "agent"))
		start_agent();
	else
		begin(IDLE, a, b);
	if (mode == IDLE && !strcmp(word, "idle"))
		say("idle");
}

/* One record of the mode that it is in. */
static void work(void)
{
	static const char *const names[] = { "idle", "root", "pair", "fill" };
	int failed;

	if (mode == ROOT)
		failed = put(disk[0], next, RECORD_SMALL, (off_t)next * RECORD_SMALL);
	else if (mode == FILL)
		failed = put(disk[0], next, RECORD_LARGE, (off_t)next * RECORD_LARGE);
	else
		failed = put(disk[0], next, RECORD_SECTOR, 0) ||
			 put(disk[1], next, RECORD_SECTOR, 0);
	if (!failed && (mode != PAIR || next % 16 == 0))
		say("%s %llu", names[mode], (unsigned long long)next);
	next += !failed;
}

/* Orders that have come; with nothing else to do, wait for one. */
static void listen(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	static char line[256];
	static size_t len;
	char c;

	while (poll(&in, 1, mode == IDLE && !len ? -1 : 0) > 0) {
		if (read(STDIN_FILENO, &c, 1) != 1)
			return;
		if (c != '\n') {
			if (len < sizeof(line) - 1)
				line[len++] = c;
			continue;
		}
		line[len] = '\0';
		len = 0;
		obey(line);
	}
}

static void set_up(void)
{
	struct termios raw;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("tmpfs", "/run", "tmpfs", 0, NULL);
	if (!tcgetattr(STDIN_FILENO, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	setenv("PATH", "/bin", 1);
	buffer = aligned_alloc(4096, RECORD_LARGE);
}

int main(void)
{
	long long had;
	int fd;

	set_up();
	fd = open("/records", O_RDONLY | O_CLOEXEC);
	had = fd < 0 ? 0 : count_records(fd);
	if (fd >= 0)
		close(fd);
	if (had < 0)
		say("bad /records");
	else
		say("up %lld", had);
	for (;;) {
		listen();
		if (mode != IDLE)
			work();
	}
}
