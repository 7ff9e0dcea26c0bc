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
cpblk set auto-delete=0
ok "the oldest automatic checkpoints made room"

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
