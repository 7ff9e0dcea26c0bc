// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk format: writes a new, empty store.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "target.h"
#include "tool.h"

static const char about[] =
	"METADATA holds the maps and the history: 1/200 of DATA is plenty, 16 MiB the\n"
	"least. DATA holds what the volumes hold. Devices that hold something or are in\n"
	"use are refused; so is a file that does not exist (make one with truncate).\n"
	"SIZE is written like 512M, 10G, 1TiB. Chunks are 4K (the default) to 1M, a\n"
	"power of two.";

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
	struct target meta = { .fd = -1 }, data = { .fd = -1 };
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
	rc = target_open(&meta, force);
	if (rc == DONE)
		rc = target_free(&meta, force);
	/* Before it is opened: one device would keep itself from being opened. */
	if (rc == DONE && !stat(data.path, &data.st) && target_same(&meta, &data))
		rc = refuse("metadata and data need a device each, %s and %s are one",
			    meta.path, data.path);
	if (rc == DONE)
		rc = target_open(&data, force);
	if (rc == DONE)
		rc = target_free(&data, force);
	if (rc == DONE)
		rc = format(&meta, &data, &params);
	if (meta.fd >= 0)
		close(meta.fd);
	if (data.fd >= 0)
		close(data.fd);
	return rc == DONE ? report(&meta, &data, &params) : rc;
}
