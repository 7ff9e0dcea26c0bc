// SPDX-License-Identifier: GPL-2.0
/*
 * Freezing mounted filesystems, so that a checkpoint holds all that programs
 * wrote, and nothing has to be recovered.
 *
 * A frozen filesystem stops everything that writes to it, so it must be thawed
 * whatever happens. The freezing is done by a child that no terminal reaches: it
 * thaws when told to, when its parent is gone, and when the time limit has
 * passed. Should the child be gone, the parent thaws.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mounts.h"

/**
 * struct answer - what the child says: once when it has frozen, once at the end
 * @error: errno, or 0
 * @at: which filesystem that was
 * @late: the time limit has passed
 */
struct answer {
	int error;
	size_t at;
	bool late;
};

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The first @nr, in the opposite order. Not frozen is as good as thawed. */
static void thaw(const struct freeze *f, size_t nr)
{
	while (nr)
		ioctl(f->fds[--nr], FITHAW, 0);
}

static size_t freeze(const struct freeze *f)
{
	size_t i;

	for (i = 0; i < f->mounts.nr; i++) {
		if (ioctl(f->fds[i], FIFREEZE, 0))
			break;
	}
	return i;
}

/* Until the parent says so or is gone; false if the limit passed before. */
static bool wait_for_parent(int link, unsigned int limit, uint64_t since)
{
	uint64_t end = since + (uint64_t)limit * 1000000000, now;
	struct pollfd poll_fd = { .fd = link, .events = POLLIN };

	while ((now = monotonic()) < end) {
		if (poll(&poll_fd, 1, (int)((end - now) / 1000000) + 1) > 0)
			return true;
	}
	return false;
}

static void child(const struct freeze *f, int link)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
	struct answer answer = { 0 };
	uint64_t since = monotonic();
	char word;
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	setsid();
	answer.at = freeze(f);
	if (answer.at < f->mounts.nr) {
		answer.error = errno;
		thaw(f, answer.at);
	}
	send(link, &answer, sizeof(answer), MSG_NOSIGNAL);
	if (answer.error)
		_exit(0);
	answer.late = !wait_for_parent(link, f->limit, since);
	/* A socket closed with something unread in it resets the other end. */
	recv(link, &word, sizeof(word), MSG_DONTWAIT);
	thaw(f, f->mounts.nr);
	send(link, &answer, sizeof(answer), MSG_NOSIGNAL);
	_exit(0);
}

/* Is another mount of the same filesystem among the first @nr? */
static bool same_filesystem(const struct mounts *m, size_t nr, dev_t dev)
{
	while (nr) {
		if (mnt_fs_get_devno(m->fs[--nr]) == dev)
			return true;
	}
	return false;
}

/*
 * One mount of each filesystem. What was mounted last comes first: it may lie
 * in a file of one that was mounted before.
 */
static void choose(struct mounts *m)
{
	struct libmnt_fs *fs;
	size_t i, nr = 0;

	for (i = 0; i < m->nr / 2; i++) {
		fs = m->fs[i];
		m->fs[i] = m->fs[m->nr - 1 - i];
		m->fs[m->nr - 1 - i] = fs;
	}
	for (i = 0; i < m->nr; i++) {
		if (!same_filesystem(m, nr, mnt_fs_get_devno(m->fs[i])))
			m->fs[nr++] = m->fs[i];
		else
			free(mnt_fs_get_userdata(m->fs[i]));
	}
	m->nr = nr;
}

/* Opened and written back: what then is left to do while frozen is little. */
static int open_all(struct freeze *f)
{
	const char *path;
	struct statx st;
	size_t i;

	f->fds = calloc(f->mounts.nr + 1, sizeof(*f->fds));
	if (!f->fds)
		return refuse("out of memory");
	for (i = 0; i < f->mounts.nr; i++)
		f->fds[i] = -1;
	for (i = 0; i < f->mounts.nr; i++) {
		path = mnt_fs_get_target(f->mounts.fs[i]);
		f->fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (f->fds[i] < 0)
			return refuse("cannot freeze the filesystem on %s: %s", path,
				      strerror(errno));
		/* Something else may be mounted over it. */
		if (statx(f->fds[i], "", AT_EMPTY_PATH, STATX_MNT_ID, &st) ||
		    st.stx_mnt_id != (uint64_t)mnt_fs_get_id(f->mounts.fs[i]))
			return refuse("cannot freeze the filesystem on %s: another one is mounted over it",
				      path);
		syncfs(f->fds[i]);
	}
	return DONE;
}

static int explain(const struct freeze *f, const struct answer *answer)
{
	const char *path = mnt_fs_get_target(f->mounts.fs[answer->at]);

	switch (answer->error) {
	case EBUSY:
		return refuse("the filesystem on %s is frozen already; 'fsfreeze -u %s' thaws it",
			      path, path);
	case EOPNOTSUPP:
		return refuse("the filesystem on %s (%s) cannot be frozen", path,
			      mnt_fs_get_fstype(f->mounts.fs[answer->at]));
	default:
		return refuse("cannot freeze the filesystem on %s: %s", path,
			      strerror(answer->error));
	}
}

/* What the child says within the limit; false if nothing comes. */
static bool hear(const struct freeze *f, struct answer *answer)
{
	return wait_for_parent(f->link, f->limit, monotonic()) &&
	       recv(f->link, answer, sizeof(*answer), 0) == sizeof(*answer);
}

static int start(struct freeze *f)
{
	struct answer answer;
	int links[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, links))
		return refuse("cannot freeze: %s", strerror(errno));
	f->child = fork();
	if (!f->child) {
		close(links[0]);
		child(f, links[1]);
	}
	close(links[1]);
	f->link = links[0];
	if (f->child < 0)
		return refuse("cannot freeze: %s", strerror(errno));
	if (!hear(f, &answer))
		return refuse("cannot freeze: %s was not written back within %u s",
			      mnt_fs_get_target(f->mounts.fs[0]), f->limit);
	if (answer.error)
		return explain(f, &answer);
	f->since = monotonic();
	return DONE;
}

int freeze_begin(struct freeze *f, const char *const *devices, size_t nr,
		 unsigned int limit)
{
	int rc;

	memset(f, 0, sizeof(*f));
	f->link = -1;
	f->limit = limit;
	rc = mounts_find(devices, nr, true, &f->mounts);
	if (rc || !f->mounts.nr)
		return rc;
	choose(&f->mounts);
	rc = open_all(f);
	return rc ? rc : start(f);
}

int freeze_end(struct freeze *f)
{
	struct answer answer;
	bool heard;

	if (!f->mounts.nr)
		return DONE;
	send(f->link, "", 1, MSG_NOSIGNAL);
	heard = hear(f, &answer);
	f->ns = monotonic() - f->since;
	if (!heard)
		thaw(f, f->mounts.nr);
	waitpid(f->child, NULL, heard ? 0 : WNOHANG);
	return heard && !answer.late ? DONE : FAILED;
}

void freeze_free(struct freeze *f)
{
	size_t i;

	for (i = 0; f->fds && i < f->mounts.nr; i++) {
		if (f->fds[i] >= 0)
			close(f->fds[i]);
	}
	free(f->fds);
	if (f->link >= 0)
		close(f->link);
	mounts_end(&f->mounts);
}
