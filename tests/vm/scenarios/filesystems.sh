#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What people put on disks: ext4, XFS, btrfs, swap, LVM, partitions; each is
# destroyed and restored. Online resize, with what udev hears of it.
#
# kmemleak: no
# timeout: 180
# modules: null_blk ext4 xfs btrfs dm-mod
# programs: noise

. "${0%/*}/lib.sh"

mnt=/tmp/mnt
mkdir -p $mnt
# Real files, a few of them on the kernel where that takes long.
files=$(by_speed /usr/bin /cpblk)

# Kernel uevents go to a file, without udevd too.
udevadm monitor --kernel --property >/tmp/uevents &
monitor=$!
at_exit kill $monitor

trash()
{
	noise write "$1" 0 "$2"
}

# destroy_and_restore NAME FSCK... : a filesystem on the volume $NAME
destroy_and_restore()
{
	local name=$1 dev
	shift

	dev=$(dev_for "$name")
	mount "$dev" $mnt
	cp -r "$files" $mnt/
	sync -f $mnt
	cpblk snap "$name"
	rm -rf "${mnt:?}/${files##*/}"
	umount $mnt
	trash "$dev" 8
	cpblk restore "$name@v1"
	# What was mounted at the checkpoint has a log to replay.
	mount "$dev" $mnt
	diff -r --no-dereference "$files" "$mnt/${files##*/}"
	umount $mnt
	"$@" "$dev"
	ok "$name: every file is back"
}

make_store fs 128 1536

cpblk create ext4 512M
mkfs.ext4 -q "$(dev_for ext4)"
destroy_and_restore ext4 e2fsck -fn

cpblk create xfs 320M
mkfs.xfs -q "$(dev_for xfs)"
destroy_and_restore xfs xfs_repair -n

# What takes long there and has nothing for the driver that the others have not.
slow=$(by_speed '' slow)
if [ -z "$slow" ]; then
	cpblk create btrfs 320M
	mkfs.btrfs -q "$(dev_for btrfs)"
	destroy_and_restore btrfs btrfs check --readonly
fi

# Online resize, with a filesystem mounted.
dev=$(dev_for ext4)
mount "$dev" $mnt
cpblk resize ext4 +256M
[ "$(blockdev --getsize64 "$dev")" = $((768 << 20)) ] || fail "not resized"
resize2fs "$dev"
[ "$(($(stat -f -c '%b * %S' $mnt)))" -gt $((600 << 20)) ] || fail "ext4 did not grow"
expect_fail "shrink" cpblk resize ext4 512M
expect_fail "mounted" cpblk resize --shrink ext4 512M
umount $mnt
e2fsck -fn "$dev"
wait_for 5 grep -q '^RESIZE=1' /tmp/uevents
wait_for 5 grep -q '^CPBLK_RESTORE=1' /tmp/uevents
# Sizes go back with a restore, and data beyond the end is gone for good.
cpblk restore ext4@v1
[ "$(blockdev --getsize64 "$dev")" = $((512 << 20)) ] || fail "the size was not restored"
e2fsck -p "$dev"
dev=$(dev_for xfs)
noise write "$dev" 8 1
# Nor is it there for who has it open, from the page cache.
exec 9<"$dev"
dd if="$dev" of=/dev/null bs=1M skip=8 count=1 status=none
cpblk resize xfs --shrink 1M
cpblk resize xfs 320M
cmp -n $(($(by_speed 319 15) << 20)) -i $((1 << 20)):0 "$dev" /dev/zero
exec 9<&-
ok "resize"

cpblk create swap 64M
dev=$(dev_for swap)
mkswap "$dev"
cpblk snap swap
swapon "$dev"
expect_fail "swap" cpblk restore swap@v1
expect_fail "swap" cpblk remove swap
swapoff "$dev"
trash "$dev" 1
cpblk restore swap@v1
swapon "$dev"
swapoff "$dev"
ok "swap"

logical_volumes()
{
	cpblk create lvm 256M
	dev=$(dev_for lvm)
	pvcreate -qq -y "$dev"
	vgcreate -qq vg "$dev"
	lvcreate -qq -y -n lv -L 64M vg
	trash /dev/vg/lv 16
	sum=$(noise sum /dev/vg/lv 0 16)
	cpblk snap lvm
	expect_fail "used by dm-" cpblk restore lvm@v1
	lvcreate -qq -y -n other -L 16M vg
	trash /dev/vg/lv 8
	vgchange -qq -an vg
	cpblk restore lvm@v1
	vgchange -qq -ay vg
	[ "$(noise sum /dev/vg/lv 0 16)" = "$sum" ] || fail "the logical volume is another"
	[ ! -e /dev/vg/other ] || fail "a logical volume is left over"
	vgchange -qq -an vg
	ok "LVM"
}
[ -n "$slow" ] || logical_volumes

cpblk create parts 64M
dev=$(dev_for parts)
printf '%s\n' 'label: gpt' 'size=16MiB' 'size=8MiB' | sfdisk -q "$dev"
wait_for 5 test -b "${dev}p2"
trash "${dev}p2" 8
sum=$(noise sum "${dev}p2" 0 8)
cpblk snap parts
trash "${dev}p2" 8
printf '%s\n' 'label: dos' 'size=4MiB' | sfdisk -q --wipe always "$dev"
wait_for 5 test ! -e "${dev}p2"
cpblk restore parts@v1
wait_for 5 test -b "${dev}p2"
[ "$(blockdev --getsize64 "${dev}p1")" = $((16 << 20)) ] || fail "another p1"
[ "$(noise sum "${dev}p2" 0 8)" = "$sum" ] || fail "another p2"
mkfs.ext4 -q "${dev}p1"
mount "${dev}p1" $mnt
expect_fail "mounted on $mnt" cpblk restore parts@v1
umount $mnt
cpblk attach parts@v1
[ "$(noise sum "$(dev_for parts@v1)p2" 0 8)" = "$sum" ] || fail "p2 of the checkpoint"
cpblk detach parts@v1
ok "partitions"

finish_store fs "$META" "$DATA"
