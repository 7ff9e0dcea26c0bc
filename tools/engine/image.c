// SPDX-License-Identifier: GPL-2.0
/*
 * Metadata images: see image.h.
 */
#include <sys/types.h>
#include <zstd.h>

#include "image.h"

#define LEVEL		3
#define WINDOW_LOG	22	/* what reading one takes in memory at most, as a power of two */
#define END		(~0ULL)

static_assert(sizeof(struct cpb_image_header) == 136 + CPB_BLOCK_SIZE, "header");

static u32 header_crc(const struct cpb_image_header *h)
{
	size_t at = offsetof(struct cpb_image_header, meta_blocks);

	return port_crc(0, (const u8 *)h + at, sizeof(*h) - at);
}

void cpb_image_seal(struct cpb_image_header *h)
{
	h->crc = cpu_to_le32(header_crc(h));
}

/* ---- Which blocks ---- */

/**
 * struct used - what of a metadata device goes into an image
 * @map: a bit for each block
 * @blocks: of the device that the store uses
 */
struct used {
	unsigned long *map;
	u64 blocks;
};

static u32 block_crc(const void *block)
{
	return port_crc(0, (const u8 *)block + sizeof(__le32),
			CPB_BLOCK_SIZE - sizeof(__le32));
}

static bool whole(const struct cpb_disk_header *h, u32 magic, u64 addr)
{
	return le32_to_cpu(h->magic) == magic && le64_to_cpu(h->self) == addr &&
	       le32_to_cpu(h->crc) == block_crc(h);
}

static void set_all(struct used *u, u64 from, u64 nr)
{
	for (; nr && from < u->blocks; nr--, from++)
		u->map[from / BITS_PER_LONG] |= BIT(from % BITS_PER_LONG);
}

/* The newest valid superblock in @sb, or false. */
static bool find_super(const struct cpb_ops *ops, void *ctx, struct cpb_disk_super *sb)
{
	struct cpb_disk_super *other = port_alloc_block();
	bool first = !ops->read(ctx, 0, sb) && whole(&sb->h, CPB_MAGIC_SUPER, 0);
	bool second = !ops->read(ctx, CPB_SB_SECOND, other) &&
		      whole(&other->h, CPB_MAGIC_SUPER, CPB_SB_SECOND);

	if (second && (!first || le64_to_cpu(other->h.txn) > le64_to_cpu(sb->h.txn)))
		memcpy(sb, other, CPB_BLOCK_SIZE);
	port_free_block(other);
	return first || second;
}

/* The batches from the journal's tail on, and what may have been torn behind. */
static void use_journal(const struct cpb_ops *ops, void *ctx,
			const struct cpb_disk_super *sb, struct used *u)
{
	u64 start = le64_to_cpu(sb->journal_start), nr = le64_to_cpu(sb->journal_blocks);
	u64 at = le64_to_cpu(sb->journal_tail), seq = le64_to_cpu(sb->journal_seq);
	struct cpb_disk_batch *b = port_alloc_block();
	u64 left = nr, blocks;
	bool wrapped = false;

	while (left) {
		if (at < nr && !ops->read(ctx, start + at, b) &&
		    le32_to_cpu(b->h.magic) == CPB_MAGIC_BATCH &&
		    le64_to_cpu(b->h.base) == seq) {
			blocks = min(max(le32_to_cpu(b->blocks), 1U), 64U);
			set_all(u, start + at, min(blocks, nr - at));
			at += blocks;
			left -= min(left, blocks);
			seq++;
			wrapped = false;
		} else if (at && !wrapped) {
			if (at < nr)
				set_all(u, start + at, min(64ULL, nr - at));
			at = 0;
			wrapped = true;
		} else {
			break;
		}
	}
	set_all(u, start, min(64ULL, nr));
	port_free_block(b);
}

static void use_bitmap(const struct cpb_ops *ops, void *ctx,
		       const struct cpb_disk_super *sb, struct used *u, u64 i)
{
	struct cpb_disk_header *h = port_alloc_block();
	u64 place = le64_to_cpu(sb->bitmap_place[i / 64]) >> i % 64 & 1;
	u64 addr = le64_to_cpu(sb->bitmap_start) + 2 * i + place, b;
	const u8 *map = (const u8 *)(h + 1);

	if (ops->read(ctx, addr, h) || !whole(h, CPB_MAGIC_BITMAP, addr))
		set_all(u, i * CPB_SPACE_BITS, CPB_SPACE_BITS);
	for (b = 0; whole(h, CPB_MAGIC_BITMAP, addr) && b < CPB_SPACE_BITS; b++)
		if (map[b / 8] >> b % 8 & 1)
			set_all(u, i * CPB_SPACE_BITS + b, 1);
	port_free_block(h);
}

static int find_used(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
		     struct cpb_image_header *h, struct used *u)
{
	struct cpb_disk_super *sb = port_alloc_block();
	bool valid = find_super(ops, ctx, sb);
	u64 start = le64_to_cpu(sb->bitmap_start), i, nr;
	u64 slots = le64_to_cpu(sb->bitmap_slots);

	u->blocks = min(meta_blocks, CPB_META_BLOCKS_MAX);
	if (valid) {
		h->txn = sb->h.txn;
		memcpy(h->uuid, sb->h.uuid, sizeof(h->uuid));
		memcpy(h->name, sb->name, sizeof(h->name) - 1);
		if (le64_to_cpu(sb->meta_blocks) < u->blocks &&
		    le64_to_cpu(sb->meta_blocks) > CPB_AREA_START)
			u->blocks = le64_to_cpu(sb->meta_blocks);
	}
	nr = DIV_ROUND_UP(u->blocks, CPB_SPACE_BITS);
	u->map = port_alloc(DIV_ROUND_UP(u->blocks, BITS_PER_LONG) * sizeof(long));
	if (!u->map) {
		port_free_block(sb);
		return -ENOMEM;
	}
	/* A superblock that makes no sense says nothing: then it is all of it. */
	if (!valid || start > u->blocks || nr > slots || nr > CPB_BITMAPS_MAX ||
	    slots > (u->blocks - start) / 2 ||
	    le64_to_cpu(sb->journal_start) > u->blocks ||
	    le64_to_cpu(sb->journal_blocks) > u->blocks) {
		set_all(u, 0, u->blocks);
	} else {
		for (i = 0; i < nr; i++)
			use_bitmap(ops, ctx, sb, u, i);
		/* Bitmaps have it as in use; of the journal only a part is. */
		for (i = 0; i < le64_to_cpu(sb->journal_blocks); i++)
			u->map[(le64_to_cpu(sb->journal_start) + i) / BITS_PER_LONG] &=
				~BIT((le64_to_cpu(sb->journal_start) + i) % BITS_PER_LONG);
		use_journal(ops, ctx, sb, u);
		set_all(u, 0, 1);
		set_all(u, CPB_SB_SECOND, 1);
		set_all(u, start, 2 * slots);
	}
	port_free_block(sb);
	return 0;
}

/* ---- Saving ---- */

struct saver {
	ZSTD_CCtx *zstd;
	int (*write)(void *arg, const void *data, size_t size);
	void *arg;
	u32 crc;
	u8 out[65536];
};

static int compress(struct saver *w, const void *data, size_t size, bool end)
{
	ZSTD_inBuffer in = { data, size, 0 };
	size_t left;
	int err;

	do {
		ZSTD_outBuffer out = { w->out, sizeof(w->out), 0 };

		left = ZSTD_compressStream2(w->zstd, &out, &in,
					    end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -ENOMEM;
		err = out.pos ? w->write(w->arg, w->out, out.pos) : 0;
		if (err)
			return err;
	} while (end ? left : in.pos < in.size);
	return 0;
}

static bool is_zero(const u8 *data)
{
	return !data[0] && !memcmp(data, data + 1, CPB_BLOCK_SIZE - 1);
}

static int save_blocks(struct saver *w, const struct cpb_ops *ops, void *ctx,
		       const struct used *u, u64 *blocks)
{
	struct {
		__le64 addr;
		u8 data[CPB_BLOCK_SIZE];
	} b;
	struct {
		__le64 end, nr;
		__le32 crc;
	} __attribute__((packed)) last;
	int err = 0;
	u64 i;

	for (i = 0; i < u->blocks && !err; i++) {
		if (!(u->map[i / BITS_PER_LONG] >> i % BITS_PER_LONG & 1) ||
		    ops->read(ctx, i, b.data) || is_zero(b.data))
			continue;
		b.addr = cpu_to_le64(i);
		w->crc = port_crc(w->crc, &b, sizeof(b));
		err = compress(w, &b, sizeof(b), false);
		++*blocks;
	}
	last.end = cpu_to_le64(END);
	last.nr = cpu_to_le64(*blocks);
	last.crc = cpu_to_le32(w->crc);
	return err ? err : compress(w, &last, sizeof(last), true);
}

/* Blocks that are in use and can't be read; the header has to say so. */
static u64 count_unread(const struct cpb_ops *ops, void *ctx, const struct used *u)
{
	u8 *data = port_alloc_block();
	u64 i, nr = 0;

	for (i = 0; i < u->blocks; i++)
		if (u->map[i / BITS_PER_LONG] >> i % BITS_PER_LONG & 1)
			nr += !!ops->read(ctx, i, data);
	port_free_block(data);
	return nr;
}

int cpb_image_save(const struct cpb_ops *ops, void *ctx, u64 meta_blocks,
		   u64 data_bytes, int (*write)(void *arg, const void *data, size_t size),
		   void *arg, struct cpb_image_header *h, u64 *blocks)
{
	struct saver *w = port_alloc(sizeof(*w));
	struct used u = { };
	int err = w ? 0 : -ENOMEM;

	*blocks = 0;
	memset(h, 0, sizeof(*h));
	if (!err)
		err = find_used(ops, ctx, meta_blocks, h, &u);
	if (err)
		goto out;
	memcpy(h->magic, CPB_IMAGE_MAGIC, sizeof(h->magic));
	h->version = cpu_to_le32(CPB_IMAGE_VERSION);
	h->meta_blocks = cpu_to_le64(u.blocks);
	h->data_bytes = cpu_to_le64(data_bytes);
	h->time = cpu_to_le64(ops->now(ctx));
	h->unread = cpu_to_le64(count_unread(ops, ctx, &u));
	if (ops->label(ctx, h->label, false))
		memset(h->label, 0, sizeof(h->label));
	cpb_image_seal(h);

	w->write = write;
	w->arg = arg;
	w->zstd = ZSTD_createCCtx();
	if (!w->zstd ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_windowLog, WINDOW_LOG)))
		err = -ENOMEM;
	if (!err)
		err = write(arg, h, sizeof(*h));
	if (!err)
		err = save_blocks(w, ops, ctx, &u, blocks);
	ZSTD_freeCCtx(w->zstd);
out:
	port_free(u.map);
	port_free(w);
	return err;
}

/* ---- Loading ---- */

/**
 * struct loader - an image being read
 * @item: a block with its address, or the end, as far as it has come
 * @have: bytes of it
 * @next: the smallest address that may come
 * @ended: the end was there, and was right
 */
struct loader {
	const struct cpb_image_source *source;
	ZSTD_DCtx *zstd;
	int (*block)(void *arg, u64 addr, const void *data);
	void *arg;
	char *why;
	u64 meta_blocks, next, nr;
	u32 crc;
	bool ended;
	size_t have;
	u8 item[sizeof(__le64) + CPB_BLOCK_SIZE];
	u8 in[65536], out[65536];
};

static int bad(char *why, const char *text)
{
	snprintf(why, CPB_ERROR_LEN, "%s", text);
	return -EINVAL;
}

static int read_all(const struct cpb_image_source *source, void *data, size_t size,
		    char *why)
{
	u8 *to = data;
	ssize_t n;

	while (size) {
		n = source->read(source->ctx, to, size);
		if (n < 0) {
			snprintf(why, CPB_ERROR_LEN, "reading it fails (error %d)", (int)n);
			return (int)n;
		}
		if (!n)
			return bad(why, "it is no metadata image of cpblk: too short");
		to += n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_header(const struct cpb_image_source *source,
		       struct cpb_image_header *h, char *why)
{
	int err = read_all(source, h, sizeof(*h), why);

	if (err)
		return err;
	if (memcmp(h->magic, CPB_IMAGE_MAGIC, sizeof(h->magic)))
		return bad(why, "it is no metadata image of cpblk");
	if (le32_to_cpu(h->version) != CPB_IMAGE_VERSION)
		return bad(why, "it is a metadata image of a version that this cpblk does not know");
	if (le32_to_cpu(h->crc) != header_crc(h))
		return bad(why, "the image is damaged: the checksum of its header is wrong");
	if (le64_to_cpu(h->meta_blocks) <= CPB_AREA_START ||
	    le64_to_cpu(h->meta_blocks) > CPB_META_BLOCKS_MAX ||
	    h->name[CPB_NAME_LEN - 1])
		return bad(why, "the image is damaged: its header makes no sense");
	return 0;
}

#define END_SIZE	(2 * sizeof(__le64) + sizeof(__le32))

static u64 word(const u8 *at)
{
	__le64 v;

	memcpy(&v, at, sizeof(v));
	return le64_to_cpu(v);
}

static int take_item(struct loader *l)
{
	u64 addr = word(l->item);
	__le32 crc;

	if (addr == END) {
		memcpy(&crc, l->item + 2 * sizeof(__le64), sizeof(crc));
		if (word(l->item + sizeof(__le64)) != l->nr || le32_to_cpu(crc) != l->crc)
			return bad(l->why, "the image is damaged: the checksum of its blocks is wrong");
		l->ended = true;
		return 0;
	}
	l->crc = port_crc(l->crc, l->item, sizeof(l->item));
	l->next = addr + 1;
	l->nr++;
	return l->block ? l->block(l->arg, addr, l->item + sizeof(__le64)) : 0;
}

/* What comes out of the decompressor, in any portions. */
static int feed(struct loader *l, const u8 *data, size_t size)
{
	size_t want, n;
	u64 addr;
	int err;

	while (size) {
		if (l->ended)
			return bad(l->why, "the image is damaged: there is something behind its end");
		want = sizeof(__le64);
		if (l->have >= want) {
			addr = word(l->item);
			if (addr != END && (addr < l->next || addr >= l->meta_blocks))
				return bad(l->why, "the image is damaged: its blocks are out of order");
			want = addr == END ? END_SIZE : sizeof(l->item);
		}
		n = min(want - l->have, size);
		memcpy(l->item + l->have, data, n);
		l->have += n;
		data += n;
		size -= n;
		if (l->have < want || want == sizeof(__le64))
			continue;
		err = take_item(l);
		if (err)
			return err;
		l->have = 0;
	}
	return 0;
}

static int decompress(struct loader *l)
{
	ZSTD_inBuffer in = { l->in, 0, 0 };
	bool full = false;
	size_t left = 1;
	ssize_t n;
	int err;

	while (left) {
		ZSTD_outBuffer out = { l->out, sizeof(l->out), 0 };

		/* There may be more to come of what it has already. */
		if (in.pos == in.size && !full) {
			n = l->source->read(l->source->ctx, l->in, sizeof(l->in));
			if (n < 0) {
				snprintf(l->why, CPB_ERROR_LEN, "reading it fails (error %d)",
					 (int)n);
				return (int)n;
			}
			if (!n)
				return bad(l->why, "the image is not whole: its end is missing");
			in.size = (size_t)n;
			in.pos = 0;
		}
		left = ZSTD_decompressStream(l->zstd, &out, &in);
		if (ZSTD_isError(left))
			return bad(l->why, "the image is damaged: it can't be decompressed");
		full = out.pos == out.size;
		err = feed(l, l->out, out.pos);
		if (err)
			return err;
	}
	if (!l->ended)
		return bad(l->why, "the image is not whole: its end is missing");
	if (in.pos < in.size || l->source->read(l->source->ctx, l->in, 1))
		return bad(l->why, "the image is damaged: there is something behind its end");
	return 0;
}

int cpb_image_load(const struct cpb_image_source *source, struct cpb_image_header *h,
		   int (*block)(void *arg, u64 addr, const void *data), void *arg,
		   u64 *blocks, char why[CPB_ERROR_LEN])
{
	struct loader *l;
	int err;

	why[0] = 0;
	err = read_header(source, h, why);
	if (err)
		return err;
	l = port_alloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->source = source;
	l->block = block;
	l->arg = arg;
	l->why = why;
	l->meta_blocks = le64_to_cpu(h->meta_blocks);
	l->zstd = ZSTD_createDCtx();
	if (!l->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(l->zstd, ZSTD_d_windowLogMax,
							    WINDOW_LOG)))
		err = -ENOMEM;
	else
		err = decompress(l);
	*blocks = l->nr;
	ZSTD_freeDCtx(l->zstd);
	port_free(l);
	if (err && !why[0])
		snprintf(why, CPB_ERROR_LEN, "reading it fails (error %d)", err);
	return err;
}
