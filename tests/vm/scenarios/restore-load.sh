#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Restores and undos of a raw device under load, and what those see who have
# it open meanwhile, also through the page cache.
#
# kmemleak: no
# timeout: 120
# modules: null_blk
# programs: stomp

. "${0%/*}/lib.sh"

log=/tmp/restore.log

# sum: of the first 4 MiB, through the page cache.
sum()
{
	dd if="$dev" bs=1M count=4 status=none | sha256sum
}

# cached: how many KiB of the device are in the page cache.
cached()
{
	awk '/^Buffers:/ { print $2 }' /proc/meminfo
}

generation()
{
	cat "/sys/block/${dev#/dev/}/cpblk/generation"
}

make_store restore 128 1024
cpblk create vm "$(by_speed 16M 4M)"
stomp run $log restore vm 6 "$(by_speed 12 8)" 100 restore
stomp verify $log restore vm
rm $log
ok "whatever was restored under load is what it must be"

cpblk create raw 64M
dev=$(dev_for raw)
dd if=/dev/urandom of="$dev" bs=1M count=4 oflag=direct status=none
old=$(sum)
cpblk snap raw
# From here on somebody has it open, so its page cache stays.
exec 3<"$dev"
dd if=/dev/urandom of="$dev" bs=1M count=4 oflag=direct status=none
new=$(sum)
[ "$new" != "$old" ] || fail "the write is not seen"
[ "$(cached)" -ge 4096 ] || fail "this is not about the page cache"
before=$(generation)
cpblk restore raw@v1
[ "$(sum)" = "$old" ] || fail "the cache has the content from before the restore"
[ "$(generation)" = $((before + 1)) ] || fail "the generation is $(generation)"
cpblk undo raw
[ "$(sum)" = "$new" ] || fail "undo went elsewhere"
cpblk undo raw
[ "$(sum)" = "$old" ] || fail "undo of undo went elsewhere"
[ "$(generation)" = $((before + 3)) ] || fail "the generation is $(generation)"
ok "who has the device open sees the restored content"

# What is only in the page cache is written back first: it is not lost.
dd if=/dev/urandom of="$dev" bs=1M count=4 conv=notrunc status=none
dirty=$(sum)
cpblk restore raw@v1
[ "$(sum)" = "$old" ] || fail "dirty pages survived the restore"
cpblk undo raw
[ "$(sum)" = "$dirty" ] || fail "the safety checkpoint lacks dirty pages"
ok "dirty pages are in the safety checkpoint"

expect_fail "generation" cpblk restore --if-generation "$before" raw@v1
cpblk restore --no-safety --if-generation "$(generation)" raw@v1
expect_fail "no restore to undo" cpblk undo raw
exec 3<&-
finish_store restore "$META" "$DATA"
