#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The thin line through every layer: format, open, create, a filesystem,
# checkpoint, destroy, restore, close, open again.
#
# timeout: 120
# modules: ext4 null_blk
# programs: noise

. "${0%/*}/lib.sh"

# Real files, a few of them on the kernel where that takes long.
files=$(by_speed /usr/bin /cpblk)

make_null_blk meta 64 1
meta=$REPLY
make_null_blk data 512 1
data=$REPLY

cpblk format s "$meta" "$data"
cpblk open "$meta" "$data"
cpblk create vm1 1G
dev=$(dev_for vm1)
mkfs.ext4 -q "$dev"
mkdir -p /tmp/mnt
mount "$dev" /tmp/mnt
cp -r "$files" /tmp/mnt/
sync -f /tmp/mnt
cpblk snap vm1 -m "before the accident"
rm -rf "/tmp/mnt/${files##*/}"
umount /tmp/mnt
noise write "$dev" 0 64
# Mounted first: what ext4 keeps in its journal is not in its place yet.
cpblk restore vm1@v1
mount "$dev" /tmp/mnt
diff -r --no-dereference "$files" "/tmp/mnt/${files##*/}"
umount /tmp/mnt
e2fsck -fn "$dev"
cpblk log vm1
cpblk fork vm1@v1 vm2
mount "$(dev_for vm2)" /tmp/mnt
umount /tmp/mnt
e2fsck -fn "$(dev_for vm2)"
cpblk close
cpblk open "$meta" "$data"
dev=$(dev_for vm1)
e2fsck -fn "$dev"
mount "$dev" /tmp/mnt
diff -r --no-dereference "$files" "/tmp/mnt/${files##*/}"
umount /tmp/mnt
cpblk log vm1
cpblk status
cpblk close
ok "everything is there"
