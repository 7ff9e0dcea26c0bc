#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Several stores with several volumes at once, in files and on devices, on
# volumes far larger than their store. All is there after close and open.
#
# kmemleak: no
# timeout: 120
# modules: null_blk loop ext4 dm-mod dm-delay
# programs: stomp

. "${0%/*}/lib.sh"

secs=3
threads=$(by_speed 8 4)
size=$(by_speed 8M 4M)

make_store one 64 512
one=("$META" "$DATA")
make_store two 64 512 --chunk 64K
two=("$META" "$DATA")
expect_fail "several stores are open|which store|-s" cpblk create vm 1M
for store in one two; do
	cpblk -s $store create vm "$size"
	cpblk -s $store create other "$size"
done
for store in one two; do
	for volume in vm other; do
		stomp run /tmp/$store.$volume $store $volume "$secs" "$threads" 200 snap &
	done
done
for ((i = 0; i < 4; i++)); do
	wait -n
done
# Two at one instant, all or none.
cpblk -s one snap vm other -n both -m "at one instant"
expect_fail "no.*nosuch" cpblk -s one snap vm nosuch
cpblk -s one fork vm@both forked
cmp "$(dev_for one/vm)" "$(dev_for one/forked)"
cpblk close one
expect_fail "no store .one. is open" cpblk -s one ls
cpblk open "${one[@]}"
for store in one two; do
	for volume in vm other; do
		stomp verify /tmp/$store.$volume $store $volume
	done
done
cmp "$(dev_for one/vm)" "$(dev_for one/forked)"
expect_fail "is in use" cpblk open "${one[@]}"
expect_fail "is in use" cpblk check "${two[@]}"
cpblk log -s one vm | has "vm@both.*at one instant"
ok "two stores, four volumes"
finish_store one "${one[@]}"
finish_store two "${two[@]}"

# A store in two files of a filesystem on a RAM disk.
make_null_blk host 256
mkfs.ext4 -q "$REPLY"
mkdir -p /tmp/host
mount "$REPLY" /tmp/host
at_exit umount /tmp/host
meta=/tmp/host/meta
data=/tmp/host/data
expect_fail "No such file" cpblk format files $meta $data
truncate -s 32M $meta
truncate -s 128M $data
cpblk format files $meta $data
cpblk open $meta $data
expect_fail "in use" cpblk open $meta $data
expect_fail "in use" cpblk format files $meta $data
expect_fail "in use" cpblk check $meta $data
cpblk create huge 64T
dev=$(dev_for huge)
[ "$(blockdev --getsize64 "$dev")" = $((64 << 40)) ] || fail "not 64 TiB"
for at in 0 1 12345678 $(((64 << 28) - 8)); do
	dd if=/usr/bin/bash of="$dev" bs=4k count=8 seek=$at oflag=direct conv=notrunc status=none
done
cpblk snap huge
# All of it, in one discard.
blkdiscard "$dev"
cmp -n 32768 "$dev" /dev/zero
cpblk restore huge@v1
cpblk close
check_store $meta $data
wait_for 5 sh -c "! losetup -a | grep /tmp/host"
cpblk open $meta $data
dev=$(dev_for huge)
cmp -n 32768 -i $((12345678 * 4096)):0 "$dev" /usr/bin/bash
dd if="$dev" bs=4k skip=$(((64 << 28) - 8)) status=none | cmp -n 32768 - /usr/bin/bash
expect_fail "size" cpblk create toobig 1E
ok "64 TiB in a file of 128 MiB"
finish_store files $meta $data
rm -f /tmp/one.* /tmp/two.*

# Closed while somebody waits for all to be reclaimed, which takes long with slow reads.
slow()
{
	dmsetup load slow --table "0 $sectors delay $meta 0 $1 $meta 0 0"
	dmsetup suspend --nolockfs slow
	dmsetup resume slow
}

make_null_blk slow-meta 64
meta=$REPLY sectors=$(blockdev --getsz "$REPLY")
make_null_blk slow-data 256
data=$REPLY
dmsetup create slow --table "0 $sectors delay $meta 0 0"
at_exit dmsetup remove --retry slow
cpblk format slow /dev/mapper/slow "$data"
cpblk open /dev/mapper/slow "$data"
size=$(by_speed 64M 16M)
cpblk create big "$size"
fio --name=scatter --filename="$(dev_for big)" --ioengine=libaio --iodepth=32 \
	--direct=1 --rw=randwrite --bs=4k --size="$size" --output=/dev/null
cpblk snap big
blkdiscard "$(dev_for big)"
cpblk close
slow "$(by_speed 100 400)"
cpblk open /dev/mapper/slow "$data"
cpblk rm big@v1
cpblk sync --reclaim >/tmp/said 2>&1 &
wait_for 20 grep -q cpblk_sync "/proc/$!/stack"
cpblk close
! wait $! || fail "all was reclaimed before it was closed"
cat /tmp/said
grep -q "being closed" /tmp/said || fail "another reason is given"
slow 0
cpblk open /dev/mapper/slow "$data"
finish_store slow /dev/mapper/slow "$data"
