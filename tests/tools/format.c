// SPDX-License-Identifier: GPL-2.0
/*
 * The commands that work on the devices themselves, on real files: format, check,
 * dump, metadata; and the engine on what they wrote.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/files.h"
#include "fake.h"

#define MIB (1ULL << 20)

#define says(text, part) \
	cr_expect_not_null(strstr(text, part), "'%s' is not in '%s'", part, text)

static char folder[4096];

static void make(const char *name, uint64_t size)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);

	cr_assert(fd >= 0 && !ftruncate(fd, (off_t)size));
	close(fd);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	fake_reset();
	snprintf(folder, sizeof(folder), "%s/cpblk-format-XXXXXX",
		 tmp && *tmp ? tmp : P_tmpdir);
	cr_assert(mkdtemp(folder) && !chdir(folder));
	make("meta", 64 * MIB);
	make("data", 256 * MIB);
}

static void teardown(void)
{
	static const char *const names[] = { "meta", "data", "small", "other", "image",
					    "cut" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	cr_assert(!chdir("/") && !rmdir(folder));
	fake_end();
}

TestSuite(format, .init = setup, .fini = teardown);

static int open_files(struct cpb_files *files, const char *meta, const char *data,
		      struct cpb_store **store, char why[CPB_ERROR_LEN])
{
	u64 meta_bytes = 0, data_bytes = 0;

	why[0] = '\0';
	files->meta = open(meta, O_RDWR);
	files->data = open(data, O_RDWR);
	cpb_file_size(files->meta, &meta_bytes);
	cpb_file_size(files->data, &data_bytes);
	return cpb_open(&cpb_files_ops, files, meta_bytes >> CPB_BLOCK_SHIFT,
			data_bytes, 1, 0, store, why);
}

static int close_files(struct cpb_files *files, struct cpb_store *store)
{
	int rc = store ? cpb_close(store) : 0;

	close(files->meta);
	close(files->data);
	return rc;
}

static int open_store(const char *meta, const char *data, struct cpb_status *st,
		      char why[CPB_ERROR_LEN])
{
	struct cpb_store *store = NULL;
	struct cpb_files files = { };
	int rc = open_files(&files, meta, data, &store, why), closed;

	if (!rc)
		cpb_status(store, st);
	closed = close_files(&files, rc ? NULL : store);
	return rc ? rc : closed;
}

Test(format, the_engine_opens_it)
{
	char why[CPB_ERROR_LEN];
	struct cpb_status st;

	cr_expect_eq(run("format", "tank", "meta", "data", "-c", "64K", NULL), 0);
	says(out, "store tank: 64 MiB of metadata on meta, 256 MiB of data on data, chunks of 64 KiB");
	cr_assert_eq(open_store("meta", "data", &st, why), 0, "%s", why);
	cr_expect_str_eq(st.name, "tank");
	cr_expect_eq(st.chunk_shift, 16);
	cr_expect_eq(st.nr_volumes, 0);
	cr_expect_eq(st.data_used, 0);
	/* And again, from what the first time left. */
	cr_assert_eq(open_store("meta", "data", &st, why), 0, "%s", why);
	cr_expect_neq(open_store("data", "meta", &st, why), 0);
	cr_expect_str_not_empty(why);
}

Test(format, a_journal_of_its_own_size)
{
	char why[CPB_ERROR_LEN];
	struct cpb_status st;

	cr_expect_eq(run("format", "tank", "meta", "data", "-j", "2M", NULL), 0);
	cr_assert_eq(open_store("meta", "data", &st, why), 0, "%s", why);
	cr_expect_eq(st.journal_blocks << CPB_BLOCK_SHIFT, 2 * MIB);
}

Test(format, refuses_what_is_there)
{
	cr_expect_eq(run("format", "tank", "meta", "data", NULL), 0);
	cr_expect_eq(run("format", "pool", "meta", "data", NULL), 1);
	says(err, "meta holds the metadata of a cpblk store 'tank': with --force that is lost");
	make("meta", 64 * MIB);
	cr_expect_eq(run("format", "pool", "meta", "data", NULL), 1);
	says(err, "data holds the data of a cpblk store 'tank'");
	cr_expect_eq(run("format", "pool", "meta", "data", "--force", NULL), 0);
	cr_expect_eq(system("PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F -L precious other 64M"), 0);
	cr_expect_eq(run("format", "tank", "other", "data", NULL), 1);
	says(err, "other holds ext4 'precious'");
	cr_expect_eq(run("format", "tank", "other", "data", "-f", NULL), 0);
	/* Nothing of it is left to be found. */
	cr_expect_neq(system("PATH=$PATH:/sbin:/usr/sbin blkid -p other >/dev/null"), 0);
}

Test(format, refuses_what_cannot_be)
{
	cr_expect_eq(run("format", "tank", "meta", "meta", NULL), 1);
	says(err, "meta and meta are one");
	cr_expect_eq(run("format", "tank", "meta", "nowhere", NULL), 1);
	says(err, "cannot open nowhere: No such file or directory");
	cr_expect_eq(run("format", "tank", "meta", "/dev/null", NULL), 1);
	says(err, "/dev/null is neither a block device nor a file");
	make("small", 1 * MIB);
	cr_expect_eq(run("format", "tank", "small", "data", NULL), 1);
	says(err, "cannot write store 'tank' to small and data: ");
	cr_expect_eq(run("format", "tank", "meta", "small", NULL), 1);
	cr_expect_eq(run("format", "HEAD", "meta", "data", NULL), 2);
	says(err, "'HEAD' is not a name for a store");
	cr_expect_eq(run("format", "tank", "meta", "data", "-c", "5000", NULL), 2);
	cr_expect_eq(run("format", "tank", "meta", "data", "-c", "2M", NULL), 2);
	says(err, "chunks are 4K to 1M, a power of two");
}

/* ---- What is in a store ---- */

TestSuite(offline, .init = setup, .fini = teardown);

/* A volume "vm" of which all is mapped, with a checkpoint, some of it dropped. */
static void fill_store(void)
{
	char why[CPB_ERROR_LEN];
	struct cpb_files files = { };
	struct cpb_store *store;
	struct cpb_volume *v;
	struct cpb_run r;
	u64 at;

	cr_assert_eq(run("format", "tank", "meta", "data", NULL), 0);
	cr_assert_eq(open_files(&files, "meta", "data", &store, why), 0, "%s", why);
	cr_assert_eq(cpb_create(store, "vm", 4 * MIB, (const u8 *)"0123456789abcde", 0,
				&v, why), 0);
	for (at = 0; at < 1200; at++) {
		if (at == 1000)
			cr_assert_eq(cpb_snap(store, &v, 1, "v1", "", 0, NULL, why), 0);
		while (cpb_write_begin(store, 0, 1, &r) == -EAGAIN)
			cr_assert_eq(cpb_write_wait(store), 0);
		/* In no order, so that each is an extent. */
		while (cpb_write_end(v, at * 7 % 1000, &r, NULL) == -EAGAIN)
			cr_assert_eq(cpb_prepare(v, at * 7 % 1000, 1), 0);
		if (at % 200 == 199)
			cr_assert_eq(cpb_commit(store), 0);
	}
	cr_assert_eq(close_files(&files, store), 0);
}

/* The block that a line of the last output names. */
static off_t block_named(void)
{
	const char *at = strstr(out, " block ");

	cr_assert_not_null(at, "no block in '%s'", out);
	return (off_t)strtoull(at + 7, NULL, 10) << CPB_BLOCK_SHIFT;
}

static void spoil(off_t at)
{
	int fd = open("meta", O_WRONLY);

	cr_assert_eq(pwrite(fd, "something else", 14, at + 200), 14);
	close(fd);
}

Test(offline, dump)
{
	static const char *const parts[] = {
		"super", "label", "objects", "dead", "space", "bitmaps", "journal"
	};
	struct json_object *o;
	size_t i;

	fill_store();
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		cr_expect_eq(run("dump", "meta", "data", parts[i], NULL), 0);
		cr_expect_eq(run("dump", "--json", "meta", "data", parts[i], NULL), 0);
		o = json_tokener_parse(out);
		cr_expect(json_object_is_type(o, json_type_array), "%s: %s", parts[i],
			  out);
		json_object_put(o);
	}
	cr_expect_eq(run("dump", "meta", "data", "objects", NULL), 0);
	says(out, "name vm");
	says(out, "name v1");
	cr_expect_eq(run("dump", "meta", "data", "map", "vm@v1", NULL), 0);
	says(out, "vchunk 0");
	cr_expect_eq(run("dump", "meta", "data", "map", "nobody", NULL), 1);
	says(err, "nobody");
	cr_expect_eq(run("dump", "meta", "data", "nothing", NULL), 2);
	says(err, "there is no 'nothing' to show");
	/* What is damaged is shown as that. */
	cr_expect_eq(run("dump", "meta", "data", "dead", NULL), 0);
	spoil(block_named());
	run("dump", "meta", "data", "dead", NULL);
	cr_expect(strstr(out, "damaged") || strstr(out, "checksum"), "%s", out);
}

Test(offline, repair)
{
	fill_store();
	cr_expect_eq(run("check", "meta", "data", NULL), 0);
	cr_expect_eq(run("dump", "meta", "data", "dead", NULL), 0);
	spoil(block_named());
	cr_expect_eq(run("check", "meta", "data", NULL), 4);
	cr_expect_eq(run("check", "meta", "data", NULL), 4, "a check has written");
	cr_expect_eq(run("check", "--repair", "meta", "data", NULL), 0);
	cr_expect_eq(run("check", "meta", "data", NULL), 0);
	cr_expect_eq(run("dump", "meta", "data", "map", "vm@v1", NULL), 0);
	spoil(block_named());
	cr_expect_eq(run("check", "meta", "data", NULL), 8);
	cr_expect_eq(run("check", "--repair", "meta", "data", NULL), 8);
	says(out, "vm@v1");
	cr_expect_eq(run("check", "meta", "data", NULL), 0);
}

Test(offline, metadata_image)
{
	struct cpb_status was, st;
	char why[CPB_ERROR_LEN];

	fill_store();
	cr_assert_eq(open_store("meta", "data", &was, why), 0, "%s", why);
	cr_expect_eq(run("metadata", "save", "meta", "data", "image", NULL), 0);
	cr_expect_eq(run("metadata", "save", "meta", "data", "image", NULL), 1);
	says(err, "image exists: with --force it is overwritten");
	cr_expect_eq(run("metadata", "save", "--force", "meta", "data", "data", NULL), 1);
	says(err, "data is what the store is on: the image needs a file of its own");
	cr_expect_eq(run("metadata", "save", "--force", "meta", "data", ".", NULL), 1);
	says(err, ". is not a file, which an image is written to");
	cr_expect_eq(run("check", "meta", "data", NULL), 0);
	cr_expect_eq(run("metadata", "save", "--force", "meta", "data", "image", NULL), 0);
	cr_expect_neq(access("image.new", F_OK), 0);
	cr_expect_eq(run("metadata", "load", "image", "meta", NULL), 1);
	says(err, "meta holds this very store");
	make("meta", 64 * MIB);
	cr_expect_eq(system("head -c 300 image >cut"), 0);
	cr_expect_eq(run("metadata", "load", "cut", "meta", NULL), 1);
	says(err, "cannot load cut");
	cr_expect_eq(run("metadata", "load", "image", "meta", NULL), 0);
	cr_expect_eq(run("check", "meta", "data", NULL), 0);
	cr_assert_eq(open_store("meta", "data", &st, why), 0, "%s", why);
	cr_expect_eq(st.data_used, was.data_used);
	cr_expect_eq(st.nr_checkpoints, 1);
}
