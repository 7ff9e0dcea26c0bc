/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that this driver is built for, 6.1 and
 * 6.12. Nothing else in the driver looks at the kernel's version.
 */
#ifndef CPBLK_COMPAT_H
#define CPBLK_COMPAT_H

#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#include <net/genetlink.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define CPBLK_SINCE_6_12 1
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0) && \
	LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define CPBLK_SINCE_6_12 0
#else
#error "cpblk is for Linux 6.1 and for 6.12 and later"
#endif

/* ---- A block device that someone else drives, held exclusively ---- */

/** struct cpblk_bdev - the device and what it takes to let go of it */
struct cpblk_bdev {
	struct block_device *bdev;
#if CPBLK_SINCE_6_12
	struct file *file;
#else
	fmode_t mode;
#endif
};

/** cpblk_bdev_open() - hold @path for @holder alone; 0 or an error */
static inline int cpblk_bdev_open(struct cpblk_bdev *d, const char *path,
				  bool write, void *holder)
{
#if CPBLK_SINCE_6_12
	struct file *file;

	file = bdev_file_open_by_path(path, BLK_OPEN_READ |
				      (write ? BLK_OPEN_WRITE : 0), holder, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	d->file = file;
	d->bdev = file_bdev(file);
#else
	struct block_device *bdev;

	d->mode = FMODE_READ | FMODE_EXCL | (write ? FMODE_WRITE : 0);
	bdev = blkdev_get_by_path(path, d->mode, holder);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	d->bdev = bdev;
#endif
	return 0;
}

/** cpblk_bdev_close() - let go of it; nothing happens if it is not open */
static inline void cpblk_bdev_close(struct cpblk_bdev *d)
{
	if (!d->bdev)
		return;
#if CPBLK_SINCE_6_12
	bdev_fput(d->file);
#else
	blkdev_put(d->bdev, d->mode);
#endif
	d->bdev = NULL;
}

/* ---- Block devices of our own ---- */

/**
 * cpblk_claim() - keep others from holding @bdev exclusively
 *
 * Return: 0, then bd_abort_claiming() must follow; -EBUSY: someone holds it.
 */
static inline int cpblk_claim(struct block_device *bdev, void *holder)
{
#if CPBLK_SINCE_6_12
	return bd_prepare_to_claim(bdev, holder, NULL);
#else
	return bd_prepare_to_claim(bdev, holder);
#endif
}

/** cpblk_bdev_mapping() - its page cache */
static inline struct address_space *cpblk_bdev_mapping(struct block_device *bdev)
{
#if CPBLK_SINCE_6_12
	return bdev->bd_mapping;
#else
	return bdev->bd_inode->i_mapping;
#endif
}

/**
 * cpblk_disk_alloc() - a disk whose I/O ends up on @data
 * @chunk: bytes; smaller or unaligned writes are possible, and slow
 *
 * Return: the disk, or an ERR_PTR.
 */
static inline struct gendisk *cpblk_disk_alloc(struct block_device *data,
					       unsigned int chunk)
{
#if CPBLK_SINCE_6_12
	struct queue_limits lim;

	blk_set_stacking_limits(&lim);
	lim.logical_block_size = bdev_logical_block_size(data);
	lim.physical_block_size = chunk;
	lim.io_min = chunk;
	lim.dma_alignment = bdev_dma_alignment(data);
	lim.discard_granularity = chunk;
	lim.max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
	lim.max_discard_segments = 1;
	lim.max_write_zeroes_sectors = UINT_MAX >> SECTOR_SHIFT;
	lim.max_zone_append_sectors = 0;
	lim.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA | BLK_FEAT_IO_STAT;
	if (bdev_nowait(data))
		lim.features |= BLK_FEAT_NOWAIT;
	if (bdev_stable_writes(data))
		lim.features |= BLK_FEAT_STABLE_WRITES;
	return blk_alloc_disk(&lim, NUMA_NO_NODE);
#else
	struct gendisk *gd = blk_alloc_disk(NUMA_NO_NODE);
	struct request_queue *q;

	if (!gd)
		return ERR_PTR(-ENOMEM);
	q = gd->queue;
	blk_set_stacking_limits(&q->limits);
	blk_queue_logical_block_size(q, bdev_logical_block_size(data));
	blk_queue_physical_block_size(q, chunk);
	blk_queue_io_min(q, chunk);
	blk_queue_dma_alignment(q, bdev_dma_alignment(data));
	q->limits.discard_granularity = chunk;
	blk_queue_max_discard_sectors(q, UINT_MAX >> SECTOR_SHIFT);
	blk_queue_max_discard_segments(q, 1);
	blk_queue_max_write_zeroes_sectors(q, UINT_MAX >> SECTOR_SHIFT);
	q->limits.max_zone_append_sectors = 0;
	blk_queue_write_cache(q, true, true);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	blk_queue_flag_set(QUEUE_FLAG_IO_STAT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
	if (bdev_nowait(data))
		blk_queue_flag_set(QUEUE_FLAG_NOWAIT, q);
	if (bdev_stable_writes(data))
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	return gd;
#endif
}

/* CPBLK_DEFINE_OPEN() - head of a function that is block_device_operations.open */
#if CPBLK_SINCE_6_12
#define CPBLK_DEFINE_OPEN(name, gd)					\
static int name(struct gendisk *gd, blk_mode_t mode)
#else
#define CPBLK_DEFINE_OPEN(name, gd)					\
static int name##_disk(struct gendisk *gd);				\
static int name(struct block_device *bdev, fmode_t mode)		\
{									\
	return name##_disk(bdev->bd_disk);				\
}									\
static int name##_disk(struct gendisk *gd)
#endif

/* ---- Memory ---- */

/** struct cpblk_shrinker - a shrinker with a pointer of its owner's */
struct cpblk_shrinker {
#if CPBLK_SINCE_6_12
	struct shrinker *shrinker;
#else
	struct shrinker shrinker;
	void *data;
	bool registered;
#endif
};

typedef unsigned long cpblk_shrink_fn(struct shrinker *shrinker,
				      struct shrink_control *sc);

static inline int cpblk_shrinker_register(struct cpblk_shrinker *c,
					  cpblk_shrink_fn *count,
					  cpblk_shrink_fn *scan, void *data,
					  const char *name)
{
#if CPBLK_SINCE_6_12
	c->shrinker = shrinker_alloc(0, "cpblk-%s", name);
	if (!c->shrinker)
		return -ENOMEM;
	c->shrinker->count_objects = count;
	c->shrinker->scan_objects = scan;
	c->shrinker->private_data = data;
	shrinker_register(c->shrinker);
	return 0;
#else
	int ret;

	c->shrinker.count_objects = count;
	c->shrinker.scan_objects = scan;
	c->shrinker.seeks = DEFAULT_SEEKS;
	c->data = data;
	ret = register_shrinker(&c->shrinker, "cpblk-%s", name);
	c->registered = !ret;
	return ret;
#endif
}

/** cpblk_shrinker_unregister() - nothing happens if it is not registered */
static inline void cpblk_shrinker_unregister(struct cpblk_shrinker *c)
{
#if CPBLK_SINCE_6_12
	if (c->shrinker)
		shrinker_free(c->shrinker);
	c->shrinker = NULL;
#else
	if (c->registered)
		unregister_shrinker(&c->shrinker);
	c->registered = false;
#endif
}

static inline void *cpblk_shrinker_data(struct shrinker *shrinker)
{
#if CPBLK_SINCE_6_12
	return shrinker->private_data;
#else
	return container_of(shrinker, struct cpblk_shrinker, shrinker)->data;
#endif
}

/* ---- Netlink ---- */

/** cpblk_dump_attrs() - the attributes of a dump's request */
static inline struct nlattr **cpblk_dump_attrs(struct netlink_callback *cb)
{
#if CPBLK_SINCE_6_12
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/**
 * cpblk_get_file() - a reference to the file of an open socket; NULL: the last one is
 * gone
 *
 * What keeps the socket from being orphaned must be held.
 */
static inline struct file *cpblk_get_file(struct socket *sock)
{
#if CPBLK_SINCE_6_12
	return get_file_active(&sock->file);
#else
	return sock->file && get_file_rcu(sock->file) ? sock->file : NULL;
#endif
}

#endif /* CPBLK_COMPAT_H */
