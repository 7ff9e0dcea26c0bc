// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk format: writes a new, empty store.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/files.h"
#include "tool.h"

static const char about[] =
	"METADATA holds the maps and the history: 1/200 of DATA is plenty, 16 MiB the\n"
	"least. DATA holds what the volumes hold. Devices that hold something or are in\n"
	"use are refused; so is a file that does not exist (make one with truncate).\n"
	"SIZE is written like 512M, 10G, 1TiB. Chunks are 4K (the default) to 1M, a\n"
	"power of two.";

struct target {
	const char *path;
	const char *what;
	int fd;
	u64 bytes;
	struct stat st;
};

/* Says what keeps a device or file from being overwritten; DONE if nothing. */
static int check_free(struct target *t, bool force)
{
	char text[USE_MAX], name[CPBLK_DEVICE_MAX + 1];
	int rc;

	if (S_ISREG(t->st.st_mode) && loop_of_file(t->fd, name))
		return refuse("%s is in use as /dev/%s: close what uses that first",
			      t->path, name);
	if (force)
		return DONE;
	rc = probe_device(t->fd, text);
	if (rc < 0)
		return refuse("cannot read %s: %s", t->path, strerror(-rc));
	if (rc > 0)
		return refuse("%s holds %s: with --force that is lost", t->path, text);
	return DONE;
}

/*
 * A device that is mounted, or that a driver has claimed, does not open with
 * O_EXCL. Not even --force gets behind a store that is open.
 */
static int open_device(struct target *t, bool force)
{
	char text[USE_MAX], name[CPBLK_DEVICE_MAX + 1] = "";

	t->fd = open(t->path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (t->fd >= 0)
		return DONE;
	if (errno != EBUSY)
		return refuse("cannot open %s: %s", t->path, strerror(errno));
	device_name(t->st.st_rdev, name);
	if (!device_use(name, text))
		return refuse("%s is in use by a driver, perhaps as part of an open store: close that first",
			      t->path);
	if (!force)
		return refuse("%s is in use: it is %s; with --force what it holds is lost",
			      t->path, text);
	t->fd = open(t->path, O_RDWR | O_CLOEXEC);
	return t->fd >= 0 ? DONE : refuse("cannot open %s: %s", t->path,
					  strerror(errno));
}

static int open_target(struct target *t, bool force)
{
	int rc;

	if (stat(t->path, &t->st))
		return refuse("cannot open %s: %s", t->path, strerror(errno));
	if (S_ISBLK(t->st.st_mode)) {
		if (open_device(t, force))
			return FAILED;
	} else if (S_ISREG(t->st.st_mode)) {
		t->fd = open(t->path, O_RDWR | O_CLOEXEC);
		if (t->fd < 0)
			return refuse("cannot open %s: %s", t->path, strerror(errno));
	} else {
		return refuse("%s is neither a block device nor a file", t->path);
	}
	rc = cpb_file_size(t->fd, &t->bytes);
	if (rc)
		return refuse("cannot get the size of %s: %s", t->path, strerror(-rc));
	return check_free(t, force);
}

static bool same(const struct target *a, const struct target *b)
{
	if (S_ISBLK(a->st.st_mode) && S_ISBLK(b->st.st_mode))
		return a->st.st_rdev == b->st.st_rdev;
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
}

/* A random UUID, as RFC 4122 has it. */
static int random_uuid(u8 uuid[CPB_UUID_LEN])
{
	if (getrandom(uuid, CPB_UUID_LEN, 0) != CPB_UUID_LEN)
		return refuse("no random numbers: %s", strerror(errno));
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return DONE;
}

/* Devices about to be formatted; the engine's ctx, as a struct cpb_files. */
struct fresh {
	struct cpb_files files;
	bool wiped;
};

/* The first write comes when nothing can be refused any more: not before is wiped. */
static int wipe_and_write(void *ctx, const struct cpb_vec *vec, unsigned int nr,
			  unsigned int flags)
{
	struct fresh *fresh = ctx;
	int rc = 0;

	if (!fresh->wiped)
		rc = probe_wipe(fresh->files.meta);
	if (!fresh->wiped && !rc)
		rc = probe_wipe(fresh->files.data);
	if (rc)
		return rc;
	fresh->wiped = true;
	return cpb_files_ops.write(ctx, vec, nr, flags);
}

static int format(struct target *meta, struct target *data, struct cpb_params *p)
{
	struct fresh fresh = { .files = { .meta = meta->fd, .data = data->fd } };
	struct cpb_ops ops = cpb_files_ops;
	char why[CPB_ERROR_LEN] = "";
	int rc;

	if (random_uuid(p->uuid) || random_uuid(p->cookie))
		return FAILED;
	p->meta_blocks = meta->bytes >> CPB_BLOCK_SHIFT;
	p->data_bytes = data->bytes;
	ops.write = wipe_and_write;
	rc = cpb_format(&ops, &fresh, p, why);
	if (rc)
		return refuse("cannot write store '%s' to %s and %s: %s", p->name,
			      meta->path, data->path,
			      why[0] ? why : strerror(-rc));
	return DONE;
}

static int report(const struct target *meta, const struct target *data,
		  const struct cpb_params *p)
{
	char meta_size[TEXT_MAX], data_size[TEXT_MAX], chunk[TEXT_MAX];

	printf("store %s: %s of metadata on %s, %s of data on %s, chunks of %s\n",
	       p->name, show_size(meta->bytes, meta_size), meta->path,
	       show_size(data->bytes, data_size), data->path,
	       show_size(1ULL << p->chunk_shift, chunk));
	printf("'cpblk open %s %s' brings it up\n", meta->path, data->path);
	return DONE;
}

int cmd_format(struct tool *tool, int argc, char **argv)
{
	struct target meta = { .fd = -1, .what = "metadata" };
	struct target data = { .fd = -1, .what = "data" };
	uint64_t chunk = 1ULL << CPB_CHUNK_SHIFT_MIN, journal = 0;
	bool force = false;
	const struct option_row rows[] = {
		{ 'c', "chunk", "SIZE", "unit in which data is allocated (4K)",
		  OPTION_SIZE, &chunk },
		{ 'j', "journal", "SIZE", "part of METADATA for the journal (1/16)",
		  OPTION_SIZE, &journal },
		{ 'f', "force", NULL, "overwrite what the devices hold",
		  OPTION_FLAG, &force },
	};
	struct cpb_params params = { 0 };
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 3, 3);

	if (rc >= 0)
		return rc;
	if (!name_is_valid(argv[0]))
		return bad_name(tool, "store", argv[0]);
	if (chunk < 1ULL << CPB_CHUNK_SHIFT_MIN || chunk > 1ULL << CPB_CHUNK_SHIFT_MAX ||
	    (chunk & (chunk - 1)))
		return wrong_use(tool, "chunks are 4K to 1M, a power of two");
	snprintf(params.name, sizeof(params.name), "%s", argv[0]);
	params.chunk_shift = (unsigned int)__builtin_ctzll(chunk);
	params.journal_blocks = journal >> CPB_BLOCK_SHIFT;

	meta.path = argv[1];
	data.path = argv[2];
	rc = open_target(&meta, force);
	/* Before it is opened: one device would keep itself from being opened. */
	if (rc == DONE && !stat(data.path, &data.st) && same(&meta, &data))
		rc = refuse("metadata and data need a device each, %s and %s are one",
			    meta.path, data.path);
	if (rc == DONE)
		rc = open_target(&data, force);
	if (rc == DONE)
		rc = format(&meta, &data, &params);
	if (meta.fd >= 0)
		close(meta.fd);
	if (data.fd >= 0)
		close(data.fd);
	return rc == DONE ? report(&meta, &data, &params) : rc;
}
