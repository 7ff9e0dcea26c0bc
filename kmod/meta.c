// SPDX-License-Identifier: GPL-2.0
/*
 * How the engine reaches its two devices: blocks of metadata, flushes, the data
 * device's label, and discards. Everything here waits for its I/O, in process context;
 * but for the block of a FLUSH that is alone.
 *
 * Writing metadata is what memory may be waiting for, so nothing allocates
 * without a reserve, and nothing below may start I/O to find memory.
 */
#include <linux/blk-cgroup.h>
#include <linux/ioprio.h>
#include <linux/ktime.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>

#include "cpblk.h"
#include "netlink.h"

/** struct batch - bios that are waited for together */
struct batch {
	atomic_t pending;
	blk_status_t status;
	struct completion done;
};

static void batch_init(struct batch *b)
{
	atomic_set(&b->pending, 1);
	b->status = BLK_STS_OK;
	init_completion(&b->done);
}

static void batch_end_io(struct bio *bio)
{
	struct batch *b = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(b->status, bio->bi_status);
	bio_put(bio);
	if (atomic_dec_and_test(&b->pending))
		complete(&b->done);
}

static void batch_submit(struct batch *b, struct bio *bio)
{
	bio->bi_private = b;
	bio->bi_end_io = batch_end_io;
	atomic_inc(&b->pending);
	submit_bio(bio);
}

static int batch_wait(struct batch *b)
{
	if (!atomic_dec_and_test(&b->pending))
		wait_for_completion_io(&b->done);
	return blk_status_to_errno(b->status);
}

/* The first failure is the one that has turned the store read-only. */
static int noted(struct cpblk_store *s, struct block_device *bdev, int ret)
{
	if (unlikely(ret))
		cmpxchg(&s->failed_bdev, NULL, bdev);
	return ret;
}

/** cpblk_store_error() - why the store has failed, or "" if it has not */
void cpblk_store_error(struct cpblk_store *s, const struct cpb_status *st,
		       char text[CPBLK_ERROR_LEN])
{
	struct block_device *bdev = READ_ONCE(s->failed_bdev);

	if (st->error[0] && bdev)
		snprintf(text, CPBLK_ERROR_LEN, "%s, %pg failed", st->error, bdev);
	else
		strscpy(text, st->error, CPBLK_ERROR_LEN);
}

static sector_t block_sector(u64 block)
{
	return block << (CPB_BLOCK_SHIFT - SECTOR_SHIFT);
}

/*
 * The engine's blocks are whole pages of the kernel's own memory. Less than a physical
 * block the device would have to read, merge and write again.
 */
static void add_block(struct bio *bio, void *data, unsigned int spare)
{
	spare -= spare % bdev_physical_block_size(bio->bi_bdev);
	__bio_add_page(bio, virt_to_page(data), CPB_BLOCK_SIZE - spare,
		       offset_in_page(data));
}

static int one_block(struct cpblk_store *s, struct block_device *bdev,
		     u64 block, void *data, blk_opf_t opf)
{
	unsigned int noio = memalloc_noio_save();
	struct bio *bio;
	int ret;

	bio = bio_alloc_bioset(bdev, 1, opf | REQ_META | REQ_SYNC, GFP_NOIO,
			       &s->meta_bios);
	bio->bi_iter.bi_sector = block_sector(block);
	add_block(bio, data, 0);
	ret = submit_bio_wait(bio);
	bio_put(bio);
	memalloc_noio_restore(noio);
	return noted(s, bdev, ret);
}

static int read_block(void *ctx, u64 block, void *data)
{
	struct cpblk_store *s = ctx;

	return one_block(s, s->meta.bdev, block, data, REQ_OP_READ | REQ_PRIO);
}

static int label(void *ctx, void *data, bool write)
{
	struct cpblk_store *s = ctx;

	return one_block(s, s->data.bdev, 0, data, !write ? REQ_OP_READ :
			 REQ_OP_WRITE | REQ_PREFLUSH | REQ_FUA);
}

static int flush(struct cpblk_store *s, struct block_device *bdev)
{
	unsigned int noio = memalloc_noio_save();
	int ret = blkdev_issue_flush(bdev);

	memalloc_noio_restore(noio);
	return noted(s, bdev, ret);
}

static int flush_data(void *ctx)
{
	struct cpblk_store *s = ctx;

	return cpblk_cache_take(s) ? flush(s, s->data.bdev) : 0;
}

static bool data_clean(void *ctx)
{
	return cpblk_cache_clean(ctx);
}

/* How many from @vec on are neighbours on the device, with nothing spare between. */
static unsigned int neighbours(const struct cpb_vec *vec, unsigned int nr)
{
	unsigned int i;

	nr = min(nr, BIO_MAX_VECS);
	for (i = 1; i < nr; i++)
		if (vec[i].block != vec[0].block + i || vec[i - 1].spare)
			break;
	return i;
}

/* Each run of neighbours is one bio; all are under way at once. */
static int write_runs(struct cpblk_store *s, const struct cpb_vec *vec,
		      unsigned int nr, blk_opf_t opf)
{
	unsigned int i, j, len;
	struct blk_plug plug;
	struct batch batch;
	struct bio *bio;

	batch_init(&batch);
	blk_start_plug(&plug);
	for (i = 0; i < nr; i += len) {
		len = neighbours(vec + i, nr - i);
		bio = bio_alloc_bioset(s->meta.bdev, len, opf, GFP_NOIO,
				       &s->meta_bios);
		bio->bi_iter.bi_sector = block_sector(vec[i].block);
		for (j = 0; j < len; j++)
			add_block(bio, vec[i + j].data, vec[i + j].spare);
		batch_submit(&batch, bio);
	}
	blk_finish_plug(&plug);
	return noted(s, s->meta.bdev, batch_wait(&batch));
}

/*
 * A device flush takes longest, so there are as few of them as can be: where
 * both devices are one disk a single one covers both, and where the blocks are
 * one run it travels with the write.
 */
static int write_blocks(void *ctx, const struct cpb_vec *vec, unsigned int nr,
			unsigned int flags)
{
	struct cpblk_store *s = ctx;
	bool preflush = flags & CPB_WRITE_PREFLUSH;
	bool fua = flags & CPB_WRITE_FUA;
	bool one_run = nr && neighbours(vec, nr) == nr;
	blk_opf_t opf = REQ_OP_WRITE | REQ_META | REQ_SYNC;
	unsigned int noio;
	int ret = 0;

	noio = memalloc_noio_save();
	if (flags & CPB_WRITE_FLUSH_DATA && cpblk_cache_take(s)) {
		if (s->one_disk)
			preflush = true;
		else
			ret = flush(s, s->data.bdev);
	}
	if (!ret && one_run) {
		if (preflush)
			opf |= REQ_PREFLUSH;
		if (fua)
			opf |= REQ_FUA;
		ret = write_runs(s, vec, nr, opf);
	} else if (!ret) {
		if (preflush)
			ret = flush(s, s->meta.bdev);
		if (!ret)
			ret = write_runs(s, vec, nr, opf);
		if (!ret && fua)
			ret = flush(s, s->meta.bdev);
	}
	memalloc_noio_restore(noio);
	return ret;
}

static void alone_end_io(struct bio *bio)
{
	struct cpblk_store *s = bio->bi_private;
	int ret = noted(s, s->meta.bdev, blk_status_to_errno(bio->bi_status));

	bio_uninit(bio);
	cpblk_alone_done(s, ret);
}

/**
 * cpblk_write_alone() - write the block that cpb_flush_begin() gave
 * @s: the store
 * @vec: the block
 *
 * Does not wait: cpblk_alone_done() is called when it is durable.
 */
void cpblk_write_alone(struct cpblk_store *s, const struct cpb_vec *vec)
{
	struct bio *bio = &s->alone.bio;

	bio_init(bio, s->meta.bdev, &s->alone.bvec, 1,
		 REQ_OP_WRITE | REQ_META | REQ_SYNC | REQ_FUA);
	/* Others wait for it: it is not held up with the I/O of who sends it. */
	bio_associate_blkg_from_css(bio, blkcg_root_css);
	bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	bio->bi_iter.bi_sector = block_sector(vec->block);
	bio->bi_private = s;
	bio->bi_end_io = alone_end_io;
	add_block(bio, vec->data, vec->spare);
	submit_bio(bio);
}

/*
 * A failure is no failure of the store: what was to be forgotten is still there,
 * and nobody reads it.
 */
static int discard(void *ctx, const struct cpb_discard *piece, unsigned int nr)
{
	struct cpblk_store *s = ctx;
	unsigned int noio = memalloc_noio_save();
	struct blk_plug plug;
	struct batch batch;
	struct bio *bio;
	int ret;

	batch_init(&batch);
	blk_start_plug(&plug);
	for (; nr--; piece++) {
		bio = bio_alloc_bioset(s->data.bdev, 0, REQ_OP_DISCARD, GFP_NOIO,
				       &s->meta_bios);
		bio->bi_iter.bi_sector = piece->byte >> SECTOR_SHIFT;
		bio->bi_iter.bi_size = piece->len;
		batch_submit(&batch, bio);
	}
	blk_finish_plug(&plug);
	ret = batch_wait(&batch);
	memalloc_noio_restore(noio);
	return ret;
}

/** cpblk_set_discards() - the store is open: tell the engine what its device can */
void cpblk_set_discards(struct cpblk_store *s)
{
	struct block_device *bdev = s->data.bdev;
	u64 most = (u64)bdev_max_discard_sectors(bdev) << SECTOR_SHIFT;

	if (!most)
		return;
	/* A bio has its size in 32 bits. */
	cpb_set_discards(s->engine,
			 max(bdev_discard_granularity(bdev),
			     bdev_logical_block_size(bdev)),
			 bdev_discard_alignment(bdev), min_t(u64, most, SZ_1G));
}

static u64 now(void *ctx)
{
	return ktime_get_real_ns();
}

static void change(void *ctx)
{
	cpblk_nl_changed();
}

const struct cpb_ops cpblk_engine_ops = {
	.read = read_block,
	.write = write_blocks,
	.flush_data = flush_data,
	.data_clean = data_clean,
	.label = label,
	.discard = discard,
	.kick = cpblk_kick,
	.change = change,
	.now = now,
};
