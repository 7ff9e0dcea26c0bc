// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/block/cpblkN/cpblk/: what the device is of. The udev rule makes its
 * names of these. They take no lock: a removal waits until they have been read,
 * with locks held.
 */
#include <linux/device.h>
#include <linux/sysfs.h>
#include <linux/uuid.h>

#include "cpblk.h"

static struct cpblk_disk *to_disk(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static ssize_t store_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", to_disk(dev)->store->name);
}
static DEVICE_ATTR_RO(store);

static ssize_t volume_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", to_disk(dev)->volume_name);
}
static DEVICE_ATTR_RO(volume);

static ssize_t checkpoint_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_disk(dev)->point_name);
}
static DEVICE_ATTR_RO(checkpoint);

static ssize_t generation_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_disk(dev)->generation));
}
static DEVICE_ATTR_RO(generation);

static ssize_t uuid_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%pUb\n", to_disk(dev)->uuid);
}
static DEVICE_ATTR_RO(uuid);

static ssize_t noscan_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%d\n", to_disk(dev)->noscan);
}
static DEVICE_ATTR_RO(noscan);

static struct attribute *disk_attrs[] = {
	&dev_attr_store.attr,
	&dev_attr_volume.attr,
	&dev_attr_checkpoint.attr,
	&dev_attr_generation.attr,
	&dev_attr_uuid.attr,
	&dev_attr_noscan.attr,
	NULL,
};

/* A checkpoint has no generation, and only it has the checkpoint's name. */
static umode_t disk_attr_visible(struct kobject *kobj, struct attribute *attr,
				 int n)
{
	struct cpblk_disk *d = to_disk(kobj_to_dev(kobj));

	if (attr == &dev_attr_checkpoint.attr && d->volume)
		return 0;
	if (attr == &dev_attr_generation.attr && !d->volume)
		return 0;
	return attr->mode;
}

static const struct attribute_group disk_group = {
	.name = "cpblk",
	.attrs = disk_attrs,
	.is_visible = disk_attr_visible,
};

const struct attribute_group *cpblk_disk_groups[] = {
	&disk_group,
	NULL,
};
