// SPDX-License-Identifier: GPL-2.0
/*
 * Stores: the list of those that are open, opening and closing them.
 *
 * The list is under stores_lock, which is held for no longer than a look at
 * it. A store that was found may be used as long as there is a reference, but
 * its engine only as long as it is not dead: whoever uses that takes
 * store->op, or store->alive for reading, and looks at store->dead.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "cpblk.h"
#include "event.h"
#include "hook.h"

static DEFINE_MUTEX(stores_lock);
static LIST_HEAD(stores);
static u64 next_serial = 1;

/* ---- Looking for stores ---- */

static void store_free(struct kref *ref)
{
	struct cpblk_store *s = container_of(ref, struct cpblk_store, ref);

	kfree(s->meta_path);
	kfree(s->data_path);
	kfree(s);
}

void cpblk_store_put(struct cpblk_store *s)
{
	kref_put(&s->ref, store_free);
}

static struct cpblk_store *find(const char *name)
{
	struct cpblk_store *s;

	lockdep_assert_held(&stores_lock);
	list_for_each_entry(s, &stores, list)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/** cpblk_store_find() - the open store of that name, with a reference, or NULL */
struct cpblk_store *cpblk_store_find(const char *name)
{
	struct cpblk_store *s;

	mutex_lock(&stores_lock);
	s = find(name);
	if (s)
		kref_get(&s->ref);
	mutex_unlock(&stores_lock);
	return s;
}

/** cpblk_store_next() - the open store with the smallest serial from @serial on */
struct cpblk_store *cpblk_store_next(u64 serial)
{
	struct cpblk_store *s, *found = NULL;

	mutex_lock(&stores_lock);
	list_for_each_entry(s, &stores, list)
		if (s->serial >= serial && (!found || s->serial < found->serial))
			found = s;
	if (found)
		kref_get(&found->ref);
	mutex_unlock(&stores_lock);
	return found;
}

/* ---- Memory ---- */

static unsigned long shrink_count(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct cpblk_store *s = cpblk_shrinker_data(shrinker);
	struct cpb_status st;

	cpb_status(s->engine, &st);
	return st.cached_blocks - min(st.cached_blocks, st.dirty_blocks);
}

static unsigned long shrink_scan(struct shrinker *shrinker,
				 struct shrink_control *sc)
{
	struct cpblk_store *s = cpblk_shrinker_data(shrinker);

	/* Who allocates so may be the engine, with the locks that this takes. */
	if (!(sc->gfp_mask & __GFP_IO))
		return SHRINK_STOP;
	return cpb_shrink(s->engine, sc->nr_to_scan);
}

/* ---- Opening ---- */

static struct cpblk_store *store_new(const struct cpblk_open *o)
{
	struct cpblk_store *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	kref_init(&s->ref);
	mutex_init(&s->op);
	/* Who had the data device before may have left something in its cache. */
	s->cache.dirty = true;
	init_rwsem(&s->alive);
	mutex_init(&s->disks_lock);
	INIT_LIST_HEAD(&s->list);
	INIT_LIST_HEAD(&s->disks);
	s->readonly = o->readonly;
	mutex_lock(&stores_lock);
	s->serial = next_serial++;
	mutex_unlock(&stores_lock);
	s->meta_path = kstrdup(o->meta_path, GFP_KERNEL);
	s->data_path = kstrdup(o->data_path, GFP_KERNEL);
	if (s->meta_path && s->data_path)
		return s;
	cpblk_store_put(s);
	return NULL;
}

static int open_device(struct cpblk_store *s, struct cpblk_bdev *b,
		       const char *path, char *why)
{
	int ret = cpblk_bdev_open(b, path, !s->readonly, s);

	switch (ret) {
	case 0:
		break;
	case -EBUSY:
		return cpblk_refuse(why, ret, "%s is in use", path);
	case -ENOTBLK:
		return cpblk_refuse(why, ret, "%s is not a block device", path);
	case -ENOENT:
		return cpblk_refuse(why, ret, "there is no %s", path);
	default:
		return cpblk_refuse(why, ret, "%s can't be opened (error %d)",
				    path, -ret);
	}
	if (!s->readonly && bdev_read_only(b->bdev))
		return cpblk_refuse(why, -EROFS,
				    "%s is read-only; open the store read-only",
				    path);
	return 0;
}

static int open_devices(struct cpblk_store *s, char *why)
{
	int ret;

	ret = open_device(s, &s->meta, s->meta_path, why);
	if (ret)
		return ret;
	ret = open_device(s, &s->data, s->data_path, why);
	if (ret)
		return ret;
	/* One holder may hold a device twice, so it has to be looked for. */
	if (s->meta.bdev == s->data.bdev)
		return cpblk_refuse(why, -EINVAL,
				    "metadata and data need a device each, and both are %s",
				    s->data_path);
	if (bdev_is_zoned(s->data.bdev) || bdev_is_zoned(s->meta.bdev))
		return cpblk_refuse(why, -EINVAL, "zoned devices can't be used");
	s->one_disk = s->meta.bdev->bd_disk == s->data.bdev->bd_disk;
	return 0;
}

static void close_devices(struct cpblk_store *s)
{
	cpblk_bdev_close(&s->data);
	cpblk_bdev_close(&s->meta);
}

static int store_publish(struct cpblk_store *s, char *why)
{
	int ret = 0;

	mutex_lock(&stores_lock);
	if (find(s->name)) {
		ret = cpblk_refuse(why, -EEXIST,
				   "another store that is called %s is open",
				   s->name);
	} else {
		kref_get(&s->ref);
		list_add_tail(&s->list, &stores);
	}
	mutex_unlock(&stores_lock);
	return ret;
}

static void store_unpublish(struct cpblk_store *s)
{
	mutex_lock(&stores_lock);
	list_del_init(&s->list);
	mutex_unlock(&stores_lock);
	cpblk_store_put(s);
}

static int open_engine(struct cpblk_store *s, char *why)
{
	struct cpb_status st;
	int ret;

	ret = cpb_open(&cpblk_engine_ops, s,
		       bdev_nr_bytes(s->meta.bdev) >> CPB_BLOCK_SHIFT,
		       bdev_nr_bytes(s->data.bdev), nr_cpu_ids,
		       s->readonly ? CPB_OPEN_READONLY : 0, &s->engine, why);
	if (ret)
		return ret;
	cpb_status(s->engine, &st);
	strscpy(s->name, st.name, sizeof(s->name));
	memcpy(s->uuid, st.uuid, sizeof(s->uuid));
	s->chunk_shift = st.chunk_shift;
	cpblk_set_discards(s);
	return 0;
}

static void del_disks(struct cpblk_store *s)
{
	struct cpblk_disk *d;

	/* Their I/O has ended when they were reserved. */
	cpb_hold_lists(s->engine);
	list_for_each_entry(d, &s->disks, list)
		if (!d->volume)
			cpb_unpin(d->point);
	cpb_drop_lists(s->engine);
	cpblk_disks_del(s);
}

/* Nobody can open them any more; NULL, or the one that is in use. */
static struct cpblk_disk *reserve_disks(struct cpblk_store *s)
{
	struct cpblk_disk *d, *busy = NULL;

	list_for_each_entry(d, &s->disks, list) {
		if (cpblk_disk_reserve(d)) {
			busy = d;
			break;
		}
	}
	if (busy)
		list_for_each_entry_continue_reverse(d, &s->disks, list)
			cpblk_disk_unreserve(d);
	return busy;
}

static int add_disks(struct cpblk_store *s, char *why)
{
	struct cpblk_disk *d;
	struct cpb_volume *v;
	u64 id = 0;

	for (;;) {
		cpb_hold_lists(s->engine);
		v = cpb_volume_next(s->engine, id);
		if (v) {
			struct cpb_volume_info info;

			cpb_volume_info(v, &info);
			id = info.id;
		}
		cpb_drop_lists(s->engine);
		if (!v)
			return 0;
		/* Volumes go in operations only, and this is one. */
		d = cpblk_disk_new(s, v, NULL);
		if (IS_ERR(d))
			return cpblk_refuse(why, PTR_ERR(d),
					    "a device can't be made (error %ld)",
					    -PTR_ERR(d));
	}
}

/* Everything behind the disks. The store must be off the list, or be dead. */
static int store_down(struct cpblk_store *s)
{
	int ret = 0;

	cpblk_work_stop(s);
	cpblk_shrinker_unregister(&s->shrinker);
	/* Ends what is still between a gate and its last access to the store. */
	cpblk_work_exit(s);
	if (s->engine)
		ret = cpb_close(s->engine);
	/* If it had failed before, that was told then. */
	if (ret && !s->failed)
		pr_crit("cpblk: store %s: closing it, not all could be written back (error %d)\n",
			s->name, ret);
	cpblk_partial_exit(s);
	cpblk_io_exit(s);
	bioset_exit(&s->meta_bios);
	close_devices(s);
	return ret;
}

/**
 * cpblk_store_open() - bring up a store and its devices
 * @o: what to open, and how
 * @why: on error, gets the reason
 *
 * Return: the store with a reference, or an ERR_PTR.
 */
struct cpblk_store *cpblk_store_open(const struct cpblk_open *o, char *why)
{
	struct cpblk_store *s;
	int ret;

	s = store_new(o);
	if (!s)
		return ERR_PTR(cpblk_refuse(why, -ENOMEM, "out of memory"));
	mutex_lock(&s->op);
	/* What gives no reason of its own has run out of memory. */
	cpblk_refuse(why, -ENOMEM, "out of memory");
	ret = cpblk_work_init(s);
	if (!ret)
		ret = bioset_init(&s->meta_bios, 8, 0, BIOSET_NEED_BVECS);
	if (!ret)
		ret = open_devices(s, why);
	if (!ret)
		ret = open_engine(s, why);
	if (!ret)
		ret = cpblk_io_init(s);
	if (!ret)
		ret = cpblk_partial_init(s);
	if (!ret)
		ret = cpblk_shrinker_register(&s->shrinker, shrink_count,
					      shrink_scan, s, s->name);
	if (!ret)
		ret = store_publish(s, why);
	if (ret)
		goto err_down;
	cpblk_work_start(s);
	ret = add_disks(s, why);
	if (ret)
		goto err_disks;
	/* As long as a store is open the module stays. */
	__module_get(THIS_MODULE);
	cpblk_event_store(CPBLK_EVENT_STORE_OPENED, s, NULL);
	mutex_unlock(&s->op);
	return s;

err_disks:
	down_write(&s->alive);
	s->dead = true;
	up_write(&s->alive);
	store_unpublish(s);
	while (reserve_disks(s))
		msleep(20);
	del_disks(s);
err_down:
	s->dead = true;
	store_down(s);
	mutex_unlock(&s->op);
	cpblk_store_put(s);
	return ERR_PTR(ret);
}

/* ---- Closing ---- */

/**
 * cpblk_store_close() - write everything back and take a store down
 * @s: the store
 * @why: on error, gets the reason
 *
 * store->op is held. Refused while a device is in use.
 */
int cpblk_store_close(struct cpblk_store *s, char *why)
{
	struct cpblk_disk *busy;
	int ret;

	list_for_each_entry(busy, &s->disks, list) {
		ret = cpblk_hook_busy(busy, NULL, why);
		if (ret)
			return ret;
	}
	busy = reserve_disks(s);
	if (busy)
		return cpblk_refuse(why, -EBUSY, "%s (%s%s%s) is in use",
				    busy->gd->disk_name, busy->volume_name,
				    busy->volume ? "" : "@", busy->point_name);
	down_write(&s->alive);
	s->dead = true;
	up_write(&s->alive);
	cpblk_hook_store_gone(s);
	del_disks(s);
	ret = store_down(s);
	cpblk_event_store(CPBLK_EVENT_STORE_CLOSED, s, NULL);
	store_unpublish(s);
	module_put(THIS_MODULE);
	if (ret)
		cpblk_refuse(why, ret,
			     "it is closed, but what was not flushed may be lost, as not all could be written back (error %d)",
			     -ret);
	return ret;
}
