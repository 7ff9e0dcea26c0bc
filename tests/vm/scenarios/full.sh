#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Full devices: writes fail, the rest goes on, and once there is space again so
# do writes, with no further step: after deleting, after growing, and where
# automatic checkpoints go by themselves.
#
# timeout: 240
# modules: loop

. "${0%/*}/lib.sh"

dir=/tmp/full
mkdir -p $dir
mount -t tmpfs -o size=700m full $dir
at_exit umount $dir
truncate -s 16M $dir/meta
truncate -s 65M $dir/data
cpblk format -c 4K full $dir/meta $dir/data
cpblk open $dir/meta $dir/data
cpblk create vm 1G
dev=$(dev_for vm)
cpblk events >$dir/events &
events=$!
sleep 1

# write FROM COUNT: so many MiB of something
write()
{
	dd if=/dev/urandom of="$dev" bs=1M seek="$1" count="$2" oflag=direct \
		conv=notrunc status=none
}

# until_full BLOCK-SIZE: all over the disk, until a write fails
until_full()
{
	fio --name=fill --filename="$dev" --ioengine=libaio --iodepth=8 --direct=1 \
		--rw=randwrite --norandommap --bs="$1" --io_size=4G \
		--output-format=terse --output=$dir/fio.out || :
	grep -q 'No space left' $dir/fio.out || dmesg | grep -q 'no space is left'
}

# idle_check: nothing is lost or wrong
idle_check()
{
	cpblk sync --reclaim
	cpblk close
	cpblk check $dir/meta $dir/data
	cpblk open $dir/meta $dir/data
	dev=$(dev_for vm)
}

# ---- All of the data ----
write 0 40
cpblk snap vm@first
expect_fail write 40 40
cpblk status | grep -q 'FULL'
cpblk df
sum=$(dd if="$dev" bs=1M count=40 iflag=direct status=none | sha256sum)
cpblk snap vm@at-full
blkdiscard -o $((50 << 20)) -l $((1 << 20)) "$dev"
cpblk restore vm@first
[ "$(dd if="$dev" bs=1M count=40 iflag=direct status=none | sha256sum)" = "$sum" ]
# With everything gone but what was just written, writing goes on by itself.
for c in $(cpblk ls vm --json | sed -n 's/.*"checkpoint": "\(.*\)",.*/\1/p'); do
	cpblk rm "vm@$c"
done
blkdiscard "$dev"
write 0 60
idle_check
ok "a full data device"

# ---- Grown while it is full ----
expect_fail write 60 60
truncate -s 97M $dir/data
cpblk grow
write 60 30
truncate -s 33M $dir/data
expect_fail cpblk grow
truncate -s 97M $dir/data
idle_check
ok "a larger data device"

# ---- Automatic checkpoints go ----
cpblk set auto-delete=95
blkdiscard "$dev"
cpblk sync --reclaim
for i in $(seq 1 12); do
	cpblk snap --auto vm
	write 0 24
done
cpblk hold vm@v1 2>/dev/null && fail "the oldest one is still there"
cpblk set auto-delete=0
ok "automatic deletion"

# ---- All of the metadata ----
blkdiscard "$dev"
cpblk policy vm --keep-last 0 >/dev/null
for c in $(cpblk ls vm --json | sed -n 's/.*"checkpoint": "\(.*\)",.*/\1/p'); do
	cpblk rm "vm@$c"
done
truncate -s 600M $dir/data
cpblk grow
cpblk sync --reclaim
for i in $(seq 1 400); do
	cpblk snap vm >/dev/null
	fio --name=fill --filename="$dev" --ioengine=libaio --iodepth=8 --direct=1 \
		--rw=randwrite --norandommap --bs=4k --io_size=8M \
		--output-format=terse --output=$dir/fio.out || break
done
cpblk df
cpblk status | grep -q 'FULL'
cpblk snap vm@last
cpblk restore vm@last
cpblk rm "vm@v1..last" 
cpblk sync --reclaim
write 0 20
idle_check
ok "a full metadata device"

truncate -s 32M $dir/meta
cpblk grow
write 20 20
idle_check
ok "a larger metadata device"

kill $events
wait $events || :
cat $dir/events
grep -q 'space.*full' $dir/events
grep -q 'space.*low' $dir/events
grep -q 'grown' $dir/events
grep -q 'checkpoint-deleted.*vm@v1$' $dir/events
cpblk close
