// SPDX-License-Identifier: GPL-2.0
/*
 * Block I/O for the engine in userspace: plain files and block devices through
 * the page cache, made durable by fdatasync() where the engine asks for it.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "files.h"

/* Neighbouring blocks that go out in one call. */
#define RUN_MAX 64

int cpb_file_size(int fd, u64 *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*bytes = (u64)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, bytes))
		return -errno;
	return 0;
}

static int read_at(int fd, void *data, size_t len, u64 at)
{
	char *to = data;
	ssize_t n;

	while (len) {
		n = pread(fd, to, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;	/* beyond the end */
		to += n;
		at += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_at(int fd, struct iovec *iov, int nr, u64 at)
{
	ssize_t n;

	while (nr) {
		n = pwritev(fd, iov, nr, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		at += (u64)n;
		while (nr && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			nr--;
		}
		if (nr) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int flush(int fd)
{
	return fdatasync(fd) ? -errno : 0;
}

static int files_read(void *ctx, u64 block, void *data)
{
	struct cpb_files *files = ctx;

	return read_at(files->meta, data, CPB_BLOCK_SIZE, block * CPB_BLOCK_SIZE);
}

static int by_block(const void *a, const void *b)
{
	const struct cpb_vec *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* Writes @nr blocks, sorted, in runs. */
static int write_sorted(int fd, const struct cpb_vec *vec, unsigned int nr)
{
	struct iovec iov[RUN_MAX];
	unsigned int i = 0, run;
	int rc;

	while (i < nr) {
		for (run = 0; run < RUN_MAX && i + run < nr; run++) {
			if (vec[i + run].block != vec[i].block + run)
				break;
			iov[run].iov_base = vec[i + run].data;
			iov[run].iov_len = CPB_BLOCK_SIZE;
		}
		rc = write_at(fd, iov, (int)run, vec[i].block * CPB_BLOCK_SIZE);
		if (rc)
			return rc;
		i += run;
	}
	return 0;
}

static int files_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		       unsigned int flags)
{
	struct cpb_files *files = ctx;
	struct cpb_vec *sorted;
	int rc = 0;

	if (flags & CPB_WRITE_FLUSH_DATA)
		rc = flush(files->data);
	if (!rc && (flags & CPB_WRITE_PREFLUSH))
		rc = flush(files->meta);
	if (rc)
		return rc;
	if (nr) {
		sorted = reallocarray(NULL, nr, sizeof(*sorted));
		if (!sorted)
			return -ENOMEM;
		memcpy(sorted, vec, nr * sizeof(*sorted));
		qsort(sorted, nr, sizeof(*sorted), by_block);
		rc = write_sorted(files->meta, sorted, nr);
		free(sorted);
	}
	if (!rc && (flags & CPB_WRITE_FUA))
		rc = flush(files->meta);
	return rc;
}

static int files_flush_data(void *ctx)
{
	struct cpb_files *files = ctx;

	return flush(files->data);
}

static int files_label(void *ctx, void *data, bool write)
{
	struct iovec iov = { data, CPB_BLOCK_SIZE };
	struct cpb_files *files = ctx;
	int rc;

	if (!write)
		return read_at(files->data, data, CPB_BLOCK_SIZE, 0);
	rc = write_at(files->data, &iov, 1, 0);
	return rc ? rc : flush(files->data);
}

/* Work that is due is done by whoever runs the engine, when it likes. */
static void files_kick(void *ctx, unsigned int why)
{
	(void)ctx;
	(void)why;
}

static u64 files_now(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &now);
	return (u64)now.tv_sec * 1000000000ULL + (u64)now.tv_nsec;
}

const struct cpb_ops cpb_files_ops = {
	.read = files_read,
	.write = files_write,
	.flush_data = files_flush_data,
	.label = files_label,
	.kick = files_kick,
	.now = files_now,
};
