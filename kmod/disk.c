// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices: of a volume's head, or of a checkpoint (read-only). How they
 * come and go, and what a restore does to the page cache over them.
 *
 * All functions are called under store->op. A struct cpblk_disk lives as long
 * as anyone has its gendisk, which may be longer than the store; only its
 * names are looked at by then.
 */
#include <linux/idr.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/pagemap.h>

#include "cpblk.h"

static DEFINE_IDA(disk_ida);

/* Disks that are still there, and who waits until there are none. */
static atomic_t nr_disks = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(no_disks);

static void count_out(void)
{
	if (atomic_dec_and_test(&nr_disks))
		wake_up(&no_disks);
}

CPBLK_DEFINE_OPEN(disk_open, gd)
{
	struct cpblk_disk *d = gd->private_data;

	lockdep_assert_held(&gd->open_mutex);
	return d->removing ? -ENXIO : 0;
}

static void disk_free(struct gendisk *gd)
{
	struct cpblk_disk *d = gd->private_data;

	cpblk_gate_exit(&d->gate);
	ida_free(&disk_ida, d->index);
	kfree(d);
	count_out();
}

static const struct block_device_operations disk_ops = {
	.owner = THIS_MODULE,
	.submit_bio = cpblk_submit_bio,
	.open = disk_open,
	.free_disk = disk_free,
};

/* Take down what a disk is of; its size and whether it takes no writes. Lists held. */
static void describe_volume(struct cpblk_disk *d, u64 *size, bool *readonly)
{
	struct cpb_volume_info info;

	cpb_volume_info(d->volume, &info);
	d->id = info.id;
	d->volume_id = info.id;
	d->generation = info.generation;
	d->noscan = info.flags & CPB_VOLUME_NOSCAN;
	strscpy(d->volume_name, info.name, sizeof(d->volume_name));
	memcpy(d->uuid, info.uuid, sizeof(d->uuid));
	*size = info.head.size;
	*readonly = d->store->readonly || info.flags & CPB_VOLUME_READONLY;
}

static noinline_for_stack void describe_its_volume(struct cpblk_disk *d,
						   struct cpb_volume *v)
{
	struct cpb_volume_info info;

	cpb_volume_info(v, &info);
	d->noscan = info.flags & CPB_VOLUME_NOSCAN;
	strscpy(d->volume_name, info.name, sizeof(d->volume_name));
	memcpy(d->uuid, info.uuid, sizeof(d->uuid));
}

static void describe_point(struct cpblk_disk *d, u64 *size, bool *readonly)
{
	struct cpb_store *engine = d->store->engine;
	struct cpb_point_info point;
	struct cpb_volume *v;

	cpb_point_info(engine, d->point, &point);
	d->id = point.id;
	d->volume_id = point.volume;
	strscpy(d->point_name, point.name, sizeof(d->point_name));
	v = cpb_volume_by_id(engine, point.volume);
	if (v)
		describe_its_volume(d, v);
	*size = point.size;
	*readonly = true;
}

/**
 * cpblk_disk_new() - make the block device of a volume or a checkpoint
 * @s: the store
 * @v: the volume, or NULL
 * @p: without @v: the checkpoint, pinned
 *
 * Return: the disk, on store->disks, or an ERR_PTR.
 */
struct cpblk_disk *cpblk_disk_new(struct cpblk_store *s, struct cpb_volume *v,
				  struct cpb_point *p)
{
	struct cpblk_disk *d;
	struct gendisk *gd;
	bool readonly;
	u64 size;
	int ret;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&nr_disks);
	d->store = s;
	d->volume = v;
	d->point = v ? cpb_head(v) : p;
	ret = cpblk_gate_init(&d->gate);
	if (ret)
		goto err_free;
	d->index = ida_alloc(&disk_ida, GFP_KERNEL);
	if (d->index < 0) {
		ret = d->index;
		goto err_gate;
	}
	gd = cpblk_disk_alloc(s->data.bdev, 1U << s->chunk_shift);
	if (IS_ERR(gd)) {
		ret = PTR_ERR(gd);
		goto err_ida;
	}
	d->gd = gd;
	gd->fops = &disk_ops;
	gd->private_data = d;
	snprintf(gd->disk_name, sizeof(gd->disk_name), "cpblk%d", d->index);

	cpb_hold_lists(s->engine);
	if (v) {
		describe_volume(d, &size, &readonly);
		cpb_set_owner(v, d);
	} else {
		describe_point(d, &size, &readonly);
	}
	cpb_drop_lists(s->engine);
	set_capacity(gd, size >> SECTOR_SHIFT);
	set_disk_ro(gd, readonly);

	ret = device_add_disk(NULL, gd, cpblk_disk_groups);
	if (ret)
		goto err_disk;
	mutex_lock(&s->disks_lock);
	list_add_tail(&d->list, &s->disks);
	mutex_unlock(&s->disks_lock);
	return d;

err_disk:
	if (v) {
		cpb_hold_lists(s->engine);
		cpb_set_owner(v, NULL);
		cpb_drop_lists(s->engine);
	}
	/* Does not call disk_free() for a disk that was not added. */
	put_disk(gd);
err_ida:
	ida_free(&disk_ida, d->index);
err_gate:
	cpblk_gate_exit(&d->gate);
err_free:
	kfree(d);
	count_out();
	return ERR_PTR(ret);
}

/**
 * cpblk_disk_reserve() - let nobody open it any more, and end its I/O
 * @d: the device
 *
 * Return: 0, or -EBUSY if someone has it open.
 */
int cpblk_disk_reserve(struct cpblk_disk *d)
{
	mutex_lock(&d->gd->open_mutex);
	if (disk_openers(d->gd)) {
		mutex_unlock(&d->gd->open_mutex);
		return -EBUSY;
	}
	d->removing = true;
	mutex_unlock(&d->gd->open_mutex);
	cpblk_gate_close(&d->gate, CPBLK_GATE_SHUT);
	return 0;
}

/** cpblk_disk_unreserve() - it stays after all */
void cpblk_disk_unreserve(struct cpblk_disk *d)
{
	/* Bios that come to a shut gate are not kept, so there are none. */
	cpblk_gate_open(&d->gate);
	mutex_lock(&d->gd->open_mutex);
	d->removing = false;
	mutex_unlock(&d->gd->open_mutex);
}

static void unlist(struct cpblk_disk *d)
{
	mutex_lock(&d->store->disks_lock);
	list_del(&d->list);
	mutex_unlock(&d->store->disks_lock);
}

static void take_down(struct cpblk_disk *d)
{
	del_gendisk(d->gd);
	/* For those who are about to leave the gate. */
	synchronize_rcu();
	put_disk(d->gd);
}

/** cpblk_disk_del() - take down a disk that was reserved; @d may be gone then */
void cpblk_disk_del(struct cpblk_disk *d)
{
	unlist(d);
	take_down(d);
}

static void del_work(struct work_struct *work)
{
	take_down(container_of(work, struct cpblk_disk, del_work));
}

/**
 * cpblk_disks_del() - take down all disks of a store, which were reserved
 * @s: the store
 *
 * Side by side: each one has to wait for grace periods, which they then share. One
 * after the other, ten thousand take minutes. They have a queue of their own, as they
 * would hold up who else is on one of the kernel's.
 */
void cpblk_disks_del(struct cpblk_store *s)
{
	struct workqueue_struct *wq = NULL;
	struct cpblk_disk *d;

	if (!list_empty(&s->disks) && !list_is_singular(&s->disks))
		wq = alloc_workqueue("cpblk_del", WQ_UNBOUND, 256);
	while ((d = list_first_entry_or_null(&s->disks, struct cpblk_disk, list))) {
		unlist(d);
		INIT_WORK(&d->del_work, del_work);
		if (wq)
			queue_work(wq, &d->del_work);
		else
			take_down(d);
	}
	if (wq)
		destroy_workqueue(wq);
}

static struct cpblk_disk *find_attached(struct cpblk_store *s, u64 point_id)
{
	struct cpblk_disk *d;

	lockdep_assert_held(&s->disks_lock);
	list_for_each_entry(d, &s->disks, list)
		if (!d->volume && d->id == point_id)
			return d;
	return NULL;
}

/** cpblk_find_attached() - the device of a checkpoint, or NULL */
struct cpblk_disk *cpblk_find_attached(struct cpblk_store *s, u64 point_id)
{
	struct cpblk_disk *d;

	mutex_lock(&s->disks_lock);
	d = find_attached(s, point_id);
	mutex_unlock(&s->disks_lock);
	return d;
}

/** cpblk_attached_name() - the same with store->alive only; false: there is none */
bool cpblk_attached_name(struct cpblk_store *s, u64 point_id,
			 char device[DISK_NAME_LEN])
{
	struct cpblk_disk *d;

	mutex_lock(&s->disks_lock);
	d = find_attached(s, point_id);
	if (d)
		strscpy(device, d->gd->disk_name, DISK_NAME_LEN);
	mutex_unlock(&s->disks_lock);
	return d;
}

/* ---- Other contents, other size ---- */

static void on_each_bdev(struct cpblk_disk *d, void (*fn)(struct block_device *))
{
	struct block_device *bdev;
	unsigned long i;

	/* Keeps the partitions where they are. */
	mutex_lock(&d->gd->open_mutex);
	xa_for_each(&d->gd->part_tbl, i, bdev)
		fn(bdev);
	mutex_unlock(&d->gd->open_mutex);
}

static void sync_one(struct block_device *bdev)
{
	sync_blockdev(bdev);
}

/**
 * cpblk_disk_sync() - write the page cache back, of partitions too
 * @d: the device
 *
 * What can't be written is lost as it would be at any other time; a full store
 * must not keep anybody from going back.
 */
void cpblk_disk_sync(struct cpblk_disk *d)
{
	on_each_bdev(d, sync_one);
}

static void invalidate_one(struct block_device *bdev)
{
	/*
	 * The first drops what nobody has in hand, also from the per-CPU lists
	 * of buffers; the second waits for pages that are being read, and
	 * takes them from those who have mapped them. Pages that are dirty by
	 * now were written by somebody after the restore was asked for.
	 */
	invalidate_bdev(bdev);
	invalidate_inode_pages2(cpblk_bdev_mapping(bdev));
}

/**
 * cpblk_disk_changed() - forget what was cached of the old content
 * @d: the device
 *
 * Not with the gate closed: it waits for reads.
 */
void cpblk_disk_changed(struct cpblk_disk *d)
{
	struct gendisk *gd = d->gd;

	on_each_bdev(d, invalidate_one);
	/* There may be other partitions. One that is in use stays as it is. */
	mutex_lock(&gd->open_mutex);
	if (!gd->open_partitions)
		bdev_disk_changed(gd, false);
	mutex_unlock(&gd->open_mutex);
}

/**
 * cpblk_disk_cut() - forget what was cached behind a new end
 * @d: the device
 * @bytes: where it ends
 *
 * It would be there again once the disk grows. Not with the gate closed.
 */
void cpblk_disk_cut(struct cpblk_disk *d, u64 bytes)
{
	truncate_pagecache(cpblk_bdev_mapping(d->gd->part0)->host, bytes);
	/* That of its partitions, of which some may end there now. */
	on_each_bdev(d, invalidate_one);
}

/** cpblk_disk_set_size() - from now on; was it another one before? */
bool cpblk_disk_set_size(struct cpblk_disk *d, u64 bytes)
{
	sector_t sectors = bytes >> SECTOR_SHIFT;

	if (get_capacity(d->gd) == sectors)
		return false;
	set_capacity(d->gd, sectors);
	return true;
}

/**
 * cpblk_disk_uevent() - tell udev that the disk is another one
 * @d: the device
 * @resized: its size is another one
 * @restored: checkpoint whose content it has now, or 0
 */
void cpblk_disk_uevent(struct cpblk_disk *d, bool resized, u64 restored)
{
	char generation[48], checkpoint[48];
	char *env[5];
	int n = 0;

	if (resized)
		env[n++] = "RESIZE=1";
	if (restored) {
		snprintf(generation, sizeof(generation), "CPBLK_GENERATION=%llu",
			 d->generation);
		snprintf(checkpoint, sizeof(checkpoint), "CPBLK_CHECKPOINT=%llu",
			 restored);
		env[n++] = "CPBLK_RESTORE=1";
		env[n++] = generation;
		env[n++] = checkpoint;
	}
	/* Room for five, and four at most are set. */
	env[n] = NULL;
	kobject_uevent_env(&disk_to_dev(d->gd)->kobj, KOBJ_CHANGE, env);
}

/** cpblk_disk_exit() - wait until the last disk was let go of by all */
void cpblk_disk_exit(void)
{
	wait_event(no_disks, !atomic_read(&nr_disks));
	ida_destroy(&disk_ida);
}
