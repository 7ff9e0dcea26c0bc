#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What "make shell" has ready before its prompt: an open store in two files, a
# volume with a filesystem and a checkpoint, and udev for its name.

cd /root || exit
modprobe -a loop ext4
mkdir -p /mnt
# The debug kernel has none of what udev needs.
[ ! -e /proc/sys/fs/inotify ] || systemd-udevd --daemon 2>/dev/null
truncate -s 128M meta
truncate -s 4G data
{
	cpblk format tank meta data
	cpblk open meta data
	cpblk create vm1 16G
	mkfs.ext4 -q /dev/cpblk0
	cpblk snap vm1 -m "an empty filesystem"
} >/dev/null

cat <<-'END'

	The store tank is open. Its volume vm1 has an ext4 filesystem:
	    mount /dev/cpblk0 /mnt          use it
	    cpblk snap vm1                  a checkpoint
	    umount /mnt; cpblk restore vm1@v1
	    cpblk log; cpblk status; cpblk --help
	"exit" ends the machine.

END
