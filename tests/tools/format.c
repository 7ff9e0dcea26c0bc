// SPDX-License-Identifier: GPL-2.0
/* cpblk format on real files, and the engine on what it wrote. */
#include <criterion/criterion.h>
#include <fcntl.h>
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
	static const char *const names[] = { "meta", "data", "small", "other" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	cr_assert(!chdir("/") && !rmdir(folder));
	fake_end();
}

TestSuite(format, .init = setup, .fini = teardown);

static int open_store(const char *meta, const char *data, struct cpb_status *st,
		      char why[CPB_ERROR_LEN])
{
	struct cpb_files files = {
		.meta = open(meta, O_RDWR), .data = open(data, O_RDWR)
	};
	u64 meta_bytes = 0, data_bytes = 0;
	struct cpb_store *store;
	int rc;

	why[0] = '\0';
	cpb_file_size(files.meta, &meta_bytes);
	cpb_file_size(files.data, &data_bytes);
	rc = cpb_open(&cpb_files_ops, &files, meta_bytes >> CPB_BLOCK_SHIFT,
		      data_bytes, 1, 0, &store, why);
	if (!rc) {
		cpb_status(store, st);
		rc = cpb_close(store);
	}
	close(files.meta);
	close(files.data);
	return rc;
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
