#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Full devices: writes fail, the rest goes on, and once there is space again so
# do writes, with no further step: after deleting, after growing, and where
# automatic checkpoints go by themselves.
#
# timeout: 300
# modules: loop
# programs: whole noise
# kernels: 6.1 6.12

. "${0%/*}/lib.sh"

dir=/tmp/full
mkdir -p $dir
mount -t tmpfs -o size=500m full $dir
at_exit umount $dir
truncate -s 16M $dir/meta
truncate -s 65M $dir/data
cpblk format full $dir/meta $dir/data
cpblk open $dir/meta $dir/data
cpblk create vm 1G
dev=$(dev_for vm)
cpblk events >/tmp/full-events &
events=$!
sleep 1

# fill FROM COUNT: so many MiB of something
fill()
{
	noise write "$dev" "$1" "$2"
}

# scatter MIB: so many MiB, 4 KiB at a time, all over the disk
scatter()
{
	noise scatter "$dev" 1024 "$1"
}

# sum: of the first 40 MiB
sum()
{
	noise sum "$dev" 0 40
}

# busy: time that the kernel has spent on both processors, in hundredths of a second
busy()
{
	local user nice system rest

	# shellcheck disable=SC2034
	read -r rest user nice system rest </proc/stat
	echo "$system"
}

# check_closed: nothing is lost, or counted wrongly
check_closed()
{
	cpblk sync --reclaim
	cpblk close
	check_store $dir/meta $dir/data
	cpblk open $dir/meta $dir/data >/dev/null
	dev=$(dev_for vm)
}

# delete_all: checkpoints of the volume
delete_all()
{
	cpblk rm --all-but-last 0 vm
}

# ---- All of the data

fill 0 40
cpblk snap vm@first
before=$(sum)
expect_fail "No space left" fill 40 40
cpblk status
cpblk df
[ "$(sum)" = "$before" ] || fail "a full device reads something else"
cpblk snap vm@at-full
blkdiscard -o $((50 << 20)) -l $((1 << 20)) "$dev"
cpblk restore vm@first
[ "$(sum)" = "$before" ] || fail "a full device was restored to something else"
ok "reading, discarding, checkpoints and restoring go on at 100 %"
delete_all
blkdiscard "$dev"
fill 0 60
check_closed
ok "with all deleted, writing goes on"

# ---- Grown while it is full

expect_fail "No space left" fill 60 60
truncate -s 97M $dir/data
cpblk grow
fill 60 30
check_closed
ok "on a larger data device, too"

# ---- Automatic checkpoints go

cpblk set auto-delete=95
blkdiscard "$dev"
cpblk sync --reclaim
for ((i = 1; i <= 10; i++)); do
	cpblk snap --auto vm >/dev/null
	fill 0 24
done
expect_fail "no checkpoint" cpblk hold vm@v1
ok "the oldest automatic checkpoints made room"

# What was overwritten since the last one is free with the next transaction: none has to
# go for that. 60 of 96 MiB stay in use; 36 more are written five times.
delete_all
blkdiscard "$dev"
cpblk sync --reclaim
fill 0 48
cpblk snap --auto vm@kept >/dev/null
for ((i = 0; i < 20; i++)); do
	fill 48 12
done
sleep 1
cpblk hold vm@kept
ok "none went for what a transaction gives back"

# Nor is there anything to do all the time where none can go.
cpblk set auto-delete=50
sleep 1
before=$(busy)
sleep 2
[ $(($(busy) - before)) -lt 100 ] || fail "the kernel is busy, and has nothing to do"
ok "nothing happens if none can go"

# A restore waits for what is in the page cache to be written. That finds no space, and
# nothing can go for it while the restore is under way: it is not waited for.
cpblk set auto-delete=99
expect_fail "No space left" fill 60 60
head -c $((4 << 20)) /dev/urandom >/tmp/full-noise
exec 9<>"$dev"
dd if=/tmp/full-noise of="$dev" bs=1M seek=200 conv=notrunc status=none
rm /tmp/full-noise
timeout 60 cpblk restore --no-safety vm@kept || fail "a restore waits for space"
exec 9<&-
ok "a restore does not wait for space"

# What is not held any more goes at once.
kept()
{
	cpblk ls vm | has kept
}
cpblk set auto-delete=20
kept || fail "it went though it is held"
cpblk release vm@kept
wait_for 10 eval "! kept"
cpblk set auto-delete=0
ok "what can go does"

# ---- All of the metadata

delete_all
blkdiscard "$dev"
truncate -s 400M $dir/data
cpblk grow
cpblk sync --reclaim
# Many small extents, of which each round then changes some in every leaf.
scatter 64
cpblk create other 64M
for ((i = 1; i <= 400; i++)); do
	cpblk snap vm >/dev/null || break
	scatter 4 || break
done
[ $i -le 400 ] || fail "the metadata device is not full"
cpblk df
whole "$(dev_for other)" 8 4 10 | tee /tmp/full-whole
grep -q ' [1-9][0-9]* refused' /tmp/full-whole || fail "nothing was refused"
ok "writes that find no metadata change nothing"
cpblk snap other >/dev/null
expect_fail "is full: delete checkpoints" cpblk fork --no-scan other@HEAD f{1..200}
cpblk restore --no-safety other@HEAD >/dev/null
ok "nor do forks"
cpblk restore vm@HEAD >/dev/null
delete_all
cpblk sync --reclaim
fill 0 20
check_closed
ok "a full metadata device, after $i rounds"
truncate -s 32M $dir/meta
cpblk grow
fill 20 20
check_closed
ok "a larger metadata device"

kill $events
wait $events || :
cat /tmp/full-events
for event in full low grown; do
	grep -q "$event" /tmp/full-events || fail "no event says $event"
done
cpblk close
rm /tmp/full-events /tmp/full-whole
