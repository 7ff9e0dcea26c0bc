// SPDX-License-Identifier: GPL-2.0
/*
 * Coverage-guided damage: what libFuzzer makes up is a list of changes of the
 * store that tests/damage builds; each changed block gets a checksum that is
 * right, or the changes would all end at that. Then the store is opened, read,
 * used, checked and closed. It must end, without a sanitizer's report, and
 * what fails must say why.
 *
 *	fuzz --target=super|tree|objects|journal|image [libFuzzer's options] CORPUS
 *
 * A change is a block, an offset, a length, and as many bytes. Metadata images
 * are another matter: image.c.
 */
#include "../damage/cases.h"
#include "fuzz.h"

#define CHANGES	16

struct change {
	u8 block, length;
	u8 offset[2];
};

struct kind {
	const char *name;
	u32 magic[4];
};

static const struct kind kinds[] = {
	{ "super", { CPB_MAGIC_SUPER, CPB_MAGIC_LABEL, CPB_MAGIC_BITMAP } },
	{ "tree", { CPB_MAGIC_MAP, CPB_MAGIC_DEAD } },
	{ "objects", { CPB_MAGIC_OBJECTS, CPB_MAGIC_INDEX, CPB_MAGIC_SPACE } },
	{ "journal", { CPB_MAGIC_BATCH } },
};

static struct base base;
static struct cases cases;
static struct image disk;
static struct view view;
static const struct target *targets[256];
static unsigned int nr_targets;
static bool images;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=64:quarantine_size_mb=4";
}

static void choose(const struct kind *k)
{
	unsigned int i, j;

	for (i = 0; i < cases.nr_targets; i++) {
		const struct cpb_disk_header *h =
			(const void *)image_peek(&base.disk, cases.target[i].addr);

		for (j = 0; j < ARRAY_SIZE(k->magic); j++)
			if (h->magic && le32_to_cpu(h->magic) == k->magic[j])
				targets[nr_targets++] = &cases.target[i];
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char option[] = "--target=";
	unsigned int k;
	int i;

	nr_targets = 0;
	images = false;
	if (!base.disk.meta_blocks) {
		base_build(&base);
		cases_make(&cases, &base);
		image_copy(&disk, &base.disk);
	}
	for (i = 1; i < *argc; i++)
		images |= !strcmp((*argv)[i], "--target=image");
	for (i = 1; i < *argc; i++)
		for (k = 0; k < ARRAY_SIZE(kinds); k++)
			if (!strncmp((*argv)[i], option, strlen(option)) &&
			    !strcmp((*argv)[i] + strlen(option), kinds[k].name))
				choose(&kinds[k]);
	if (!nr_targets && !images) {
		fprintf(stderr, "usage: fuzz --target=super|tree|objects|journal|image ...\n");
		exit(2);
	}
	return 0;
}

static void change_block(u64 addr, unsigned int at, const u8 *data, size_t len)
{
	memcpy(image_block(&disk, addr) + at, data, len);
	base_reseal(&base, &disk, addr);
}

static void change_all(const u8 *data, size_t size)
{
	unsigned int n, at;
	struct change c;

	for (n = 0; n < CHANGES && size > sizeof(c); n++) {
		const struct target *t;
		size_t len;

		memcpy(&c, data, sizeof(c));
		data += sizeof(c);
		size -= sizeof(c);
		t = targets[c.block % nr_targets];
		at = (c.offset[0] | c.offset[1] << 8) % CPB_BLOCK_SIZE;
		len = min(min(1 + c.length % 64UL, size), (size_t)CPB_BLOCK_SIZE - at);
		change_block(t->addr, at, data, len);
		if (t->twin)
			change_block(t->twin, at, data, len);
		data += len;
		size -= len;
	}
}

/* What fails without a sentence is as bad as a crash. */
static void explained(struct cpb_store *s, const char *why, const char *what)
{
	struct cpb_status st;

	cpb_status(s, &st);
	if (why[0] || (st.readonly && st.error[0]))
		return;
	fprintf(stderr, "fuzz: %s failed without a sentence\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char why[CPB_ERROR_LEN] = "";
	struct complaints found;
	const char *what = "reading";
	struct cpb_store *s;
	int err;

	if (images) {
		fuzz_image(data, size);
		return 0;
	}
	image_reset(&disk);
	change_all(data, size);
	err = use_open(&disk, 0, &s, why);
	port_rcu_barrier();
	if (err) {
		if (!why[0])
			abort();
		return 0;
	}
	err = view_read(s, &disk, &view);
	if (!err)
		err = use_all(s, &disk, &view, &what, why);
	if (err && err != -ENOSPC)
		explained(s, why, what);
	use_check(s, &found);
	use_close(s);
	return 0;
}
