// SPDX-License-Identifier: GPL-2.0
/*
 * What a device holds before it is formatted: a store of cpblk, or anything
 * that libblkid knows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <blkid/blkid.h>

#include "engine/files.h"
#include "tool.h"

/* A store's superblock, or the label of a data device. */
static bool probe_store(int fd, char text[USE_MAX])
{
	union {
		struct cpb_disk_header h;
		struct cpb_disk_super super;
		struct cpb_disk_label label;
		char bytes[CPB_BLOCK_SIZE];
	} block;
	u32 magic;

	if (pread(fd, &block, sizeof(block), 0) != sizeof(block))
		return false;
	/* Not just the magic: another owner may have left it in place. */
	if (port_crc(0, block.bytes + sizeof(block.h.crc),
		     CPB_BLOCK_SIZE - sizeof(block.h.crc)) !=
	    le32_to_cpu(block.h.crc))
		return false;
	magic = le32_to_cpu(block.h.magic);
	if (magic == CPB_MAGIC_SUPER)
		snprintf(text, USE_MAX, "the metadata of a cpblk store '%.63s'",
			 (const char *)block.super.name);
	else if (magic == CPB_MAGIC_LABEL)
		snprintf(text, USE_MAX, "the data of a cpblk store '%.63s'",
			 (const char *)block.label.name);
	else
		return false;
	return true;
}

static blkid_probe new_probe(int fd)
{
	blkid_probe probe = blkid_new_probe();

	if (probe && blkid_probe_set_device(probe, fd, 0, 0)) {
		blkid_free_probe(probe);
		probe = NULL;
	}
	if (!probe)
		return NULL;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID |
					  BLKID_SUBLKS_MAGIC |
					  BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	return probe;
}

static const char *value(blkid_probe probe, const char *key)
{
	const char *data = NULL;

	blkid_probe_lookup_value(probe, key, &data, NULL);
	return data;
}

int probe_device(int fd, char text[USE_MAX])
{
	const char *type, *table, *label, *uuid;
	blkid_probe probe;
	int rc;

	text[0] = '\0';
	if (probe_store(fd, text))
		return 1;
	probe = new_probe(fd);
	if (!probe)
		return errno ? -errno : -ENOMEM;
	rc = blkid_do_safeprobe(probe);
	if (rc < 0 && rc != -2) {
		rc = errno ? -errno : -EIO;
		goto out;
	}
	type = value(probe, "TYPE");
	table = value(probe, "PTTYPE");
	label = value(probe, "LABEL");
	uuid = value(probe, "UUID");
	if (rc == -2)
		snprintf(text, USE_MAX, "signatures of several filesystems");
	else if (type && label)
		snprintf(text, USE_MAX, "%s '%s'", type, show_text(label));
	else if (type && uuid)
		snprintf(text, USE_MAX, "%s with the UUID %s", type,
			 show_text(uuid));
	else if (type)
		snprintf(text, USE_MAX, "%s", type);
	else if (table)
		snprintf(text, USE_MAX, "a partition table (%s)", table);
	rc = text[0] != '\0';
out:
	blkid_free_probe(probe);
	return rc;
}

int probe_wipe(int fd)
{
	blkid_probe probe = new_probe(fd);
	int rc = 0;

	if (!probe)
		return errno ? -errno : -ENOMEM;
	while (!rc && !blkid_do_probe(probe))
		rc = blkid_do_wipe(probe, 0) ? -EIO : 0;
	blkid_free_probe(probe);
	return rc;
}
