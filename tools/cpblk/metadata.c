// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk metadata: all metadata of a store that is not open, to a file and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/image.h"
#include "idle.h"
#include "target.h"
#include "tool.h"

static const char about[] =
	"save writes all metadata in use of the store on METADATA and DATA to FILE, damaged\n"
	"or not: before a repair, as a backup, or to show somebody what is wrong. There is\n"
	"nothing in it of what the volumes hold, but the names and messages.\n"
	"load writes it to METADATA, which may be another device. It is as good as the data\n"
	"device is still what it was: what was written, and what was freed and written\n"
	"over, since FILE was saved is not in it, so the volumes may hold a mixture. So\n"
	"load an image of a store that was not opened since, or check what came of it.\n"
	"A store opens only with the data device that it was made with, by the label on\n"
	"that. With DATA the label is written too: onto a device that lost it, or onto an\n"
	"empty file, to look at a store without its data.";

/* ---- save ---- */

static int write_file(void *arg, const void *data, size_t size)
{
	const char *from = data;
	int fd = *(int *)arg;
	ssize_t n;

	while (size) {
		n = write(fd, from, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		size -= (size_t)n;
	}
	return 0;
}

/**
 * struct image - the file that an image goes to
 * @path: its name
 * @fresh: what it is called until all of it is there, or empty: it is a pipe or the like
 * @fd: it, or -1
 */
struct image {
	const char *path;
	char fresh[PATH_MAX];
	int fd;
};

static bool same_file(const struct stat *st, const char *path)
{
	struct stat other;

	return !stat(path, &other) && st->st_dev == other.st_dev &&
	       st->st_ino == other.st_ino;
}

/* An image that is there stays until the new one is whole; nothing else is overwritten. */
static int image_open(struct image *im, char **paths, bool force)
{
	struct stat st;

	im->path = paths[2];
	im->fresh[0] = 0;
	if (stat(im->path, &st))
		st.st_mode = S_IFREG;
	else if (S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode))
		return refuse("%s is not a file, which an image is written to", im->path);
	else if (same_file(&st, paths[0]) || same_file(&st, paths[1]))
		return refuse("%s is what the store is on: the image needs a file of its own",
			      im->path);
	else if (!force)
		return refuse("%s exists: with --force it is overwritten", im->path);
	if (S_ISREG(st.st_mode) &&
	    snprintf(im->fresh, PATH_MAX, "%s.new", im->path) >= PATH_MAX)
		return refuse("the name %s is too long", im->path);
	im->fd = open(im->fresh[0] ? im->fresh : im->path, O_WRONLY | O_CLOEXEC |
		      (im->fresh[0] ? O_CREAT | O_EXCL : 0), 0600);
	if (im->fd < 0)
		return refuse("cannot write to %s: %s", im->fresh[0] ? im->fresh : im->path,
			      strerror(errno));
	return DONE;
}

static int image_end(struct image *im, int rc)
{
	if (!rc && fsync(im->fd) && errno != EINVAL)
		rc = -errno;
	if (!rc && im->fresh[0] && rename(im->fresh, im->path))
		rc = -errno;
	if (!rc)
		return DONE;
	if (im->fresh[0])
		unlink(im->fresh);
	return refuse("cannot save the metadata to %s: %s", im->path, strerror(-rc));
}

static int save(char **paths, bool force)
{
	struct image im = { .fd = -1 };
	struct cpb_image_header h;
	char bytes[TEXT_MAX];
	struct idle idle;
	u64 blocks = 0;
	int rc = idle_open(&idle, paths[0], paths[1], false);

	if (rc == DONE)
		rc = image_open(&im, paths, force);
	if (rc == DONE)
		rc = image_end(&im, cpb_image_save(&idle_ops, &idle, idle.meta_blocks,
						   idle.data_bytes, write_file, &im.fd,
						   &h, &blocks));
	if (rc == DONE) {
		printf("%llu blocks, %s of metadata, are in %s\n",
		       (unsigned long long)blocks,
		       show_size(blocks << CPB_BLOCK_SHIFT, bytes), paths[2]);
		if (h.unread)
			printf("%llu blocks can't be read, and are not in it\n",
			       (unsigned long long)le64_to_cpu(h.unread));
	}
	if (im.fd >= 0)
		close(im.fd);
	idle_close(&idle);
	return rc;
}

/* ---- load ---- */

static ssize_t read_file(void *ctx, void *data, size_t size)
{
	ssize_t n;

	do
		n = read(*(int *)ctx, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/**
 * struct writer - an image on its way to a device
 * @files: the devices
 * @next: first block that nothing was written to yet
 * @super: the superblocks, which come last
 */
struct writer {
	struct cpb_files files;
	u64 next;
	u8 super[2][CPB_BLOCK_SIZE];
};

static const u8 zeroes[CPB_BLOCK_SIZE];

static int put(struct writer *w, u64 addr, const void *data)
{
	struct cpb_vec vec = { .block = addr, .data = (void *)data };

	return cpb_files_ops.write(&w->files, &vec, 1, 0);
}

/* What no image has is zeroes, so that nothing older is taken for a part of it. */
static int fill(struct writer *w, u64 until)
{
	int rc = 0;

	for (; w->next < until && !rc; w->next++)
		rc = put(w, w->next, zeroes);
	return rc;
}

static int write_block(void *arg, u64 addr, const void *data)
{
	struct writer *w = arg;
	int rc = fill(w, addr);

	if (rc)
		return rc;
	w->next = addr + 1;
	if (addr && addr != CPB_SB_SECOND)
		return put(w, addr, data);
	memcpy(w->super[!!addr], data, CPB_BLOCK_SIZE);
	return put(w, addr, zeroes);
}

static int write_supers(struct writer *w)
{
	struct cpb_vec vec = { .block = CPB_SB_SECOND, .data = w->super[1] };
	int rc = cpb_files_ops.write(&w->files, &vec, 1,
				     CPB_WRITE_PREFLUSH | CPB_WRITE_FUA);

	vec = (struct cpb_vec){ .data = w->super[0] };
	return rc ? rc : cpb_files_ops.write(&w->files, &vec, 1, CPB_WRITE_FUA);
}

/* Read the image once without writing: is it whole? */
static int verify(int fd, const char *path, struct cpb_image_header *h)
{
	struct cpb_image_source source = { read_file, &fd };
	char why[CPB_ERROR_LEN];
	u64 blocks;

	if (cpb_image_load(&source, h, NULL, NULL, &blocks, why))
		return refuse("cannot load %s: %s", path, why);
	if (lseek(fd, 0, SEEK_SET))
		return refuse("cannot load %s: %s", path, strerror(errno));
	return DONE;
}

/* An older image in the place of a newer store of the same name is likely a mistake. */
static int refuse_store(struct target *t, const struct cpb_image_header *h, bool force)
{
	struct cpb_disk_super *sb = port_alloc_block();
	char text[TEXT_MAX];
	int rc = DONE;

	if (!force && pread(t->fd, sb, CPB_BLOCK_SIZE, 0) == CPB_BLOCK_SIZE &&
	    le32_to_cpu(sb->h.magic) == CPB_MAGIC_SUPER &&
	    !memcmp(sb->h.uuid, h->uuid, sizeof(h->uuid)))
		rc = refuse("%s holds this very store, as of transaction %llu, and the image is of transaction %llu, saved %s: with --force what is newer is lost",
			    t->path, (unsigned long long)le64_to_cpu(sb->h.txn),
			    (unsigned long long)le64_to_cpu(h->txn),
			    show_age(time_now(), le64_to_cpu(h->time), text));
	port_free_block(sb);
	return rc;
}

static int open_meta(struct target *t, const struct cpb_image_header *h, bool force)
{
	char need[TEXT_MAX], have[TEXT_MAX];
	int rc = target_open(t, force);

	if (rc == DONE && t->bytes >> CPB_BLOCK_SHIFT < le64_to_cpu(h->meta_blocks))
		rc = refuse("%s is too small: it has %s, the image needs %s", t->path,
			    show_size(t->bytes, have),
			    show_size(le64_to_cpu(h->meta_blocks) << CPB_BLOCK_SHIFT, need));
	if (rc == DONE)
		rc = refuse_store(t, h, force);
	return rc == DONE ? target_free(t, force) : rc;
}

static int open_data(struct target *t, const struct cpb_image_header *h, bool force)
{
	u8 *label = port_alloc_block();
	char need[TEXT_MAX];
	int rc = target_open(t, force);

	if (rc == DONE && !((const struct cpb_disk_label *)h->label)->h.magic)
		rc = refuse("the image has no label for %s: it could not be read when it was saved",
			    t->path);
	if (rc == DONE && t->bytes < le64_to_cpu(h->data_bytes))
		rc = refuse("%s is too small: the store's data device had %s", t->path,
			    show_size(le64_to_cpu(h->data_bytes), need));
	/* The label that is there already is no reason to refuse. */
	if (rc == DONE && (pread(t->fd, label, CPB_BLOCK_SIZE, 0) != CPB_BLOCK_SIZE ||
			   memcmp(label, h->label, CPB_BLOCK_SIZE)))
		rc = target_free(t, force);
	port_free_block(label);
	return rc;
}

static int write_image(int fd, struct target *meta, struct target *data,
		       struct cpb_image_header *h)
{
	struct cpb_image_source source = { read_file, &fd };
	struct writer *w = port_alloc(sizeof(*w));
	char why[CPB_ERROR_LEN];
	u64 blocks = 0;
	int rc;

	if (!w)
		return refuse("there is not enough memory");
	w->files = (struct cpb_files){ .meta = meta->fd, .data = data->fd };
	rc = probe_wipe(meta->fd);
	/* As in formatting: while it is not whole it is nobody's. */
	if (!rc)
		rc = put(w, 0, zeroes);
	if (!rc) {
		struct cpb_vec vec = { .block = CPB_SB_SECOND, .data = (void *)zeroes };

		rc = cpb_files_ops.write(&w->files, &vec, 1, CPB_WRITE_FUA);
	}
	if (!rc)
		rc = cpb_image_load(&source, h, write_block, w, &blocks, why);
	if (!rc)
		rc = fill(w, le64_to_cpu(h->meta_blocks));
	if (!rc && data->fd >= 0)
		rc = cpb_files_ops.label(&w->files, h->label, true);
	if (!rc)
		rc = write_supers(w);
	port_free(w);
	if (rc)
		return refuse("writing to %s failed: %s; it holds no store now", meta->path,
			      strerror(-rc));
	printf("store %s, as of transaction %llu, is on %s: %llu blocks\n", h->name,
	       (unsigned long long)le64_to_cpu(h->txn), meta->path,
	       (unsigned long long)blocks);
	return DONE;
}

static int load(char **paths, const char *data_path, bool force)
{
	struct target meta = { .path = paths[1], .fd = -1 };
	struct target data = { .path = data_path, .fd = -1 };
	struct cpb_image_header h;
	int fd = open(paths[0], O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return refuse("cannot open %s: %s", paths[0], strerror(errno));
	rc = verify(fd, paths[0], &h);
	if (rc == DONE)
		rc = open_meta(&meta, &h, force);
	if (rc == DONE && data_path && !stat(data_path, &data.st) &&
	    target_same(&meta, &data))
		rc = refuse("metadata and data need a device each, %s and %s are one",
			    meta.path, data.path);
	if (rc == DONE && data_path)
		rc = open_data(&data, &h, force);
	if (rc == DONE)
		rc = write_image(fd, &meta, &data, &h);
	if (meta.fd >= 0)
		close(meta.fd);
	if (data.fd >= 0)
		close(data.fd);
	close(fd);
	return rc;
}

int cmd_metadata(struct tool *tool, int argc, char **argv)
{
	bool force = false;
	const struct option_row rows[] = {
		{ 'f', "force", NULL, "overwrite FILE, or what the devices hold",
		  OPTION_FLAG, &force },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 3, 4);

	if (rc >= 0)
		return rc;
	if (!strcmp(argv[0], "save") && argc == 4)
		return save(argv + 1, force);
	if (!strcmp(argv[0], "load"))
		return load(argv + 1, argc == 4 ? argv[3] : NULL, force);
	return wrong_use(tool, strcmp(argv[0], "save") ?
			 "it can only 'save' and 'load'" : "save needs METADATA, DATA and FILE");
}
