// SPDX-License-Identifier: GPL-2.0
/*
 * The devices of a store that is not open, for commands that run the engine
 * themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idle.h"
#include "tool.h"

/* Opens a device or file of a store that nobody has open. */
static int open_one(const char *path, const char *what, bool write, int *fd,
		    u64 *bytes)
{
	char use[USE_MAX], name[CPBLK_DEVICE_MAX + 1] = "";
	struct stat st;
	int rc = stat(path, &st);

	/* Block devices that are mounted or held don't open with O_EXCL. */
	if (!rc)
		*fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC |
			   (S_ISBLK(st.st_mode) ? O_EXCL : 0));
	if (rc || *fd < 0) {
		if (errno != EBUSY)
			return refuse("cannot open %s: %s", path, strerror(errno));
		device_name(st.st_rdev, name);
		if (device_use(name, use))
			return refuse("%s is %s, so it is not the %s of an idle store",
				      path, use, what);
		return refuse("%s is in use, perhaps as part of an open store: close that first",
			      path);
	}
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return refuse("%s is neither a block device nor a file", path);
	if (S_ISREG(st.st_mode) && loop_of_file(*fd, name))
		return refuse("%s is in use as /dev/%s: close what uses that first",
			      path, name);
	/* The driver writes past the page cache, which may have old blocks. */
	posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
	rc = cpb_file_size(*fd, bytes);
	return rc ? refuse("cannot get the size of %s: %s", path, strerror(-rc)) :
		    DONE;
}

/* ---- Progress ---- */

void idle_progress(struct idle *idle, const char *doing, u64 expected)
{
	bar_end();
	idle->doing = bar_wanted() ? doing : NULL;
	idle->expected = expected;
	idle->reads = 0;
}

/* ---- The engine's way to them ---- */

static int idle_read(void *ctx, u64 block, void *data)
{
	struct idle *idle = ctx;

	idle->reads++;
	if (idle->doing)
		bar_show(idle->doing, idle->reads, idle->expected, "");
	return cpb_files_ops.read(&idle->files, block, data);
}

static int idle_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
		      unsigned int flags)
{
	struct idle *idle = ctx;

	return cpb_files_ops.write(&idle->files, vec, nr, flags);
}

static int idle_flush_data(void *ctx)
{
	struct idle *idle = ctx;

	return cpb_files_ops.flush_data(&idle->files);
}

static int idle_label(void *ctx, void *data, bool write)
{
	struct idle *idle = ctx;

	return cpb_files_ops.label(&idle->files, data, write);
}

static void idle_kick(void *ctx, unsigned int why)
{
	(void)ctx;
	(void)why;
}

static u64 idle_now(void *ctx)
{
	struct idle *idle = ctx;

	return cpb_files_ops.now(&idle->files);
}

const struct cpb_ops idle_ops = {
	.read = idle_read,
	.write = idle_write,
	.flush_data = idle_flush_data,
	.label = idle_label,
	.kick = idle_kick,
	.now = idle_now,
};

int idle_open(struct idle *idle, const char *meta, const char *data, bool write)
{
	u64 bytes = 0;
	int rc;

	memset(idle, 0, sizeof(*idle));
	idle->files = (struct cpb_files){ .meta = -1, .data = -1 };
	rc = open_one(meta, "metadata", write, &idle->files.meta, &bytes);
	idle->meta_blocks = bytes >> CPB_BLOCK_SHIFT;
	if (rc == DONE && data)
		rc = open_one(data, "data", write, &idle->files.data,
			      &idle->data_bytes);
	return rc;
}

void idle_close(struct idle *idle)
{
	idle_progress(idle, NULL, 0);
	if (idle->files.meta >= 0)
		close(idle->files.meta);
	if (idle->files.data >= 0)
		close(idle->files.data);
}
