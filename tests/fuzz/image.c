// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata images that a fuzzer makes up.
 *
 * If the first byte is odd, the rest is the image. Else it says what is in one
 * that is right outside: the header's fields, then items, each an address and
 * a byte that its block is full of; what is left is as it is. Whatever it is,
 * reading it must end, with a sentence if it fails, and addresses rise and stay
 * below what the header says.
 */
#include <zstd.h>

#include "../../tools/engine/image.h"
#include "fuzz.h"

#define IMAGE_MAX	(1U << 18)

struct memory {
	const u8 *data;
	size_t size, at;
};

static ssize_t read_memory(void *ctx, void *data, size_t size)
{
	struct memory *m = ctx;
	/* In portions, so that nothing comes at once. */
	size_t n = min_t(size_t, min(size, m->size - m->at), 777);

	memcpy(data, m->data + m->at, n);
	m->at += n;
	return (ssize_t)n;
}

struct order {
	const struct cpb_image_header *h;
	u64 next;
};

static int in_order(void *arg, u64 addr, const void *data)
{
	struct order *o = arg;

	(void)data;
	if (addr < o->next || addr >= le64_to_cpu(o->h->meta_blocks))
		abort();
	o->next = addr + 1;
	return 0;
}

static void load(const u8 *data, size_t size)
{
	struct memory m = { data, size, 0 };
	struct cpb_image_source source = { read_memory, &m };
	struct cpb_image_header h;
	struct order o = { &h, 0 };
	char why[CPB_ERROR_LEN];
	u64 blocks;
	int err;

	err = cpb_image_load(&source, &h, in_order, &o, &blocks, why);
	if (err && !why[0]) {
		fprintf(stderr, "fuzz: an image is refused without a sentence\n");
		abort();
	}
}

/* Blocks by their address and one byte, as an image has them. */
static size_t make_items(const u8 *data, size_t size, u8 *items)
{
	size_t at = 0, take = sizeof(__le64) + 1;

	while (size >= take && at + sizeof(__le64) + CPB_BLOCK_SIZE < IMAGE_MAX / 2) {
		memcpy(items + at, data, sizeof(__le64));
		at += sizeof(__le64);
		memset(items + at, data[take - 1], CPB_BLOCK_SIZE);
		at += CPB_BLOCK_SIZE;
		data += take;
		size -= take;
	}
	size = min(size, IMAGE_MAX / 2 - at);
	memcpy(items + at, data, size);
	return at + size;
}

static size_t put_end(u8 *items, size_t size)
{
	__le64 end = ~0ULL;
	__le64 nr = cpu_to_le64(size / (sizeof(__le64) + CPB_BLOCK_SIZE));
	__le32 crc = cpu_to_le32(port_crc(0, items, size));

	memcpy(items + size, &end, sizeof(end));
	memcpy(items + size + 8, &nr, sizeof(nr));
	memcpy(items + size + 16, &crc, sizeof(crc));
	return size + 20;
}

void fuzz_image(const u8 *data, size_t size)
{
	struct cpb_image_header *h;
	u8 *image, *items;
	size_t n;
	bool end;

	if (size < 3)
		return;
	if (data[0] & 1) {
		load(data + 1, size - 1);
		return;
	}
	image = calloc(1, IMAGE_MAX);
	items = calloc(1, IMAGE_MAX / 2 + 32);
	if (!image || !items)
		abort();
	end = data[0] & 2;
	h = (void *)image;
	memcpy(h->magic, CPB_IMAGE_MAGIC, sizeof(h->magic));
	h->version = cpu_to_le32(CPB_IMAGE_VERSION);
	h->meta_blocks = cpu_to_le64(300 + data[1] * 256ULL);
	cpb_image_seal(h);
	n = make_items(data + 2, size - 2, items);
	if (end)
		n = put_end(items, n);
	n = ZSTD_compress(image + sizeof(*h), IMAGE_MAX - sizeof(*h), items, n, 1);
	if (!ZSTD_isError(n))
		load(image, sizeof(*h) + n);
	free(image);
	free(items);
}
