#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tool in a real system: files in place of devices, names made by udev,
# events, what it refuses and how it says so.
#
# timeout: 240
# kernels: 6.1 6.12
# modules: ext4 loop null_blk

. "${0%/*}/lib.sh"

# As it is installed, with its shared libraries.
PATH=/cpblk/installed:$PATH

mkdir -p /tmp/tool /tmp/mnt
cd /tmp/tool
start_udev

# link PATH DEVICE: udev's name for a device.
link()
{
	[ "$(readlink -f "$1")" = "/dev/$2" ] ||
		fail "$1 is $(readlink -f "$1"), and not /dev/$2"
}

# rc CODE COMMAND...: ends with this exit code.
rc()
{
	local want=$1 is=0

	shift
	"$@" >/tmp/tool/said 2>&1 || is=$?
	[ $is = "$want" ] || fail "exit code $is, not $want: $*: $(</tmp/tool/said)"
}

# ---- Files

truncate -s 64M meta
truncate -s 256M data
expect_fail 'no store .*is open' cpblk snap vm
cpblk events >events.txt 2>&1 &
events=$!
cpblk events --json >events.json 2>&1 &
events_json=$!
sleep 1
cpblk format tank meta data
expect_fail "data holds the data of a cpblk store 'tank', meta the metadata" \
	cpblk open data meta
cpblk open meta data
[ "$(losetup -n -O BACK-FILE | grep -c /tmp/tool/)" = 2 ] || fail "no loop devices"
expect_fail 'in use already, as /dev/loop' cpblk open meta data
expect_fail 'in use as /dev/loop' cpblk format -f tank meta data
expect_fail 'in use as /dev/loop' cpblk check meta data
cpblk status | has '/tmp/tool/data (/dev/loop' || fail "status hides the file"

# ---- Names

cpblk create vm1 1G | has /dev/cpblk/tank/vm1 || fail "create does not say the name"
link /dev/cpblk/tank/vm1 cpblk0
mkfs.ext4 -q -L files /dev/cpblk/tank/vm1
udevadm settle
[ -e /dev/disk/by-label/files ] || fail "what is on a volume is not found"
cpblk snap vm1@one -m "a message"
cpblk attach vm1@one
link /dev/cpblk/tank/vm1@one cpblk1
[ "$(</sys/block/cpblk1/ro)" = 1 ] || fail "a checkpoint can be written"
link /dev/disk/by-label/files cpblk0
e2fsck -fn /dev/cpblk/tank/vm1@one
cpblk fork vm1@one quiet --no-scan
link /dev/cpblk/tank/quiet cpblk2
link /dev/disk/by-label/files cpblk0
! udevadm info -q property /dev/cpblk2 | has ID_FS || fail "it was scanned"
parts=$(printf 'size=10M\nsize=20M\n')
cpblk create parted 100M
sfdisk -q /dev/cpblk/tank/parted <<<"$parts"
udevadm settle
link /dev/cpblk/tank/parted-part2 cpblk3p2
ok "names"

# ---- Refusals

rc 2 cpblk
rc 2 cpblk frobnicate
rc 2 cpblk snap
rc 0 cpblk --help
rc 1 cpblk snap nope
expect_fail "no volume '?nope" cpblk snap nope
expect_fail "no volume 'nope'" cpblk restore nope@one
expect_fail "no checkpoint 'two'; 'cpblk ls vm1'" cpblk restore vm1@two
expect_fail "there is a volume 'vm1' already" cpblk create vm1 1G
expect_fail 'attached' cpblk rm vm1@one
expect_fail 'cuts off the last 512 MiB' cpblk resize vm1 512M
mount /dev/cpblk/tank/vm1 /tmp/mnt
expect_fail 'cpblk0 is mounted on /tmp/mnt; .*--force' cpblk restore vm1@one
expect_fail 'volume vm1 is mounted on /tmp/mnt' cpblk remove vm1
expect_fail 'volume vm1 \(/dev/cpblk0\) is mounted on /tmp/mnt' cpblk close
umount /tmp/mnt
mount -o ro,noload /dev/cpblk/tank/vm1@one /tmp/mnt
expect_fail 'cpblk1 is mounted on /tmp/mnt' cpblk detach vm1@one
umount /tmp/mnt
make_null_blk spare 64 1
disk=$REPLY
mkfs.ext4 -q -L precious "$disk"
truncate -s 64M other
expect_fail "holds ext4 'precious'" cpblk format other "$disk" other
mount "$disk" /tmp/mnt
expect_fail 'in use: it is mounted on /tmp/mnt' cpblk format other "$disk" other
umount /tmp/mnt
mkswap -q "$disk"
expect_fail 'holds swap' cpblk format other "$disk" other
ok "refusals"

# ---- Two stores

truncate -s 64M data2
cpblk format -f pool "$disk" data2
cpblk open "$disk" data2
expect_fail 'in use by a driver' cpblk format -f again "$disk" other
expect_fail 'several stores are open \(.*\): say which one with -s STORE' cpblk snap vm1
cpblk -s pool create vm1 64M
link /dev/cpblk/pool/vm1 cpblk4
cpblk snap vm1 -s tank
[ "$(cpblk ls | grep -c vm1)" = 2 ] || fail "ls does not list both stores"
cpblk close pool
[ ! -e /dev/cpblk/pool/vm1 ] || { udevadm settle; [ ! -e /dev/cpblk/pool/vm1 ]; }
ok "two stores"

# ---- Going back and forth

dd if=/dev/urandom of=/dev/cpblk0 bs=64K count=4 oflag=direct status=none
sum=$(dd if=/dev/cpblk0 bs=64K count=4 iflag=direct status=none | sha256sum)
first=$(dd if=/dev/cpblk1 bs=64K count=4 iflag=direct status=none | sha256sum)
now()
{
	[ "$(dd if=/dev/cpblk0 bs=64K count=4 iflag=direct status=none | sha256sum)" = "$1" ] ||
		fail "not what the disk must hold"
}
cpblk restore vm1@one
now "$first"
cpblk undo vm1
now "$sum"
cpblk undo vm1
now "$first"
expect_fail 'generation' cpblk restore vm1@one --if-generation 1
cpblk restore vm1@one --if-generation "$(</sys/block/cpblk0/cpblk/generation)"
cpblk restore --no-safety vm1@one
cpblk resize vm1 2G
[ "$(blockdev --getsize64 /dev/cpblk0)" = $((2 << 30)) ] || fail "resize"
cpblk resize --shrink vm1 1G
cpblk log
cpblk log --json vm1 | has '"message": "a message"' || fail "log --json"
ok "restore and undo"

# ---- The end

cpblk detach vm1@one
cpblk rm vm1@one
cpblk remove quiet parted
cpblk close
! losetup -n -O BACK-FILE | has /tmp/tool/ || fail "a loop device is left"
cpblk check meta data
cpblk open --read-only meta data
expect_fail 'read-only' cpblk snap vm1
cpblk status | has 'read-only' || fail "status does not say read-only"
cpblk close

kill $events $events_json
for event in store-opened store-closed volume-created volume-removed \
	volume-resized snapped restored forked checkpoint-deleted attached detached; do
	grep -q " $event" events.txt || fail "no event $event: $(<events.txt)"
	grep -q "\"event\":\"$event\"" events.json || fail "no event $event in JSON"
done
ok "$(wc -l <events.txt) events"
cd /
rm -r /tmp/tool
