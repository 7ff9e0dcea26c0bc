#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the block layer is told of a volume, and I/O at all alignments with one
# writer: so each sector has exactly one permitted content. Flushes reach the
# data device, and the journal.
#
# kmemleak: no
# timeout: 120
# modules: null_blk
# programs: stomp

. "${0%/*}/lib.sh"

# limit NAME VALUE
limit()
{
	local is

	is=$(cat "/sys/block/${dev#/dev/}/queue/$1")
	[ "$is" = "$2" ] || fail "$1 is '$is', not '$2'"
}

# flushes: that the data device has completed.
flushes()
{
	awk '{ print $16 }' "/sys/block/${DATA#/dev/}/stat"
}

for chunk in 4096 65536 1048576; do
	make_store q$chunk 32 512 --chunk $chunk
	cpblk create vm 16M
	dev=$(dev_for vm)
	limit logical_block_size 512
	limit physical_block_size $chunk
	limit minimum_io_size $chunk
	limit discard_granularity $chunk
	limit write_cache "write back"
	limit fua 1
	limit rotational 0
	for name in discard_max_bytes write_zeroes_max_bytes; do
		[ "$(cat "/sys/block/${dev#/dev/}/queue/$name")" -ge $chunk ] ||
			fail "no $name"
	done
	stomp run /tmp/log q$chunk vm "$(by_speed 2 4)" 1 300 snap
	stomp verify /tmp/log q$chunk vm

	# Holes give their space back.
	blkdiscard "$dev"
	cmp -n $((16 << 20)) "$dev" /dev/zero
	[ "$(cpblk ls --json | number_of referenced)" = 0 ] || fail "not empty"
	dd if=/dev/urandom of="$dev" bs=1M count=4 oflag=direct status=none
	blkdiscard --zeroout -o 512 -l $((3 << 20)) "$dev"
	cmp -n $((3 << 20)) -i 512:0 "$dev" /dev/zero

	stat=$(awk '{ print ($1 > 0 && $5 > 0 && $12 > 0) }' "/sys/block/${dev#/dev/}/stat")
	[ "$stat" = 1 ] || fail "no I/O statistics: $(cat "/sys/block/${dev#/dev/}/stat")"
	ok "chunks of $chunk"
	finish_store q$chunk "$META" "$DATA"
done

# A RAM disk with a cache, so that flushes go there.
make_null_blk meta 32 1
META=$REPLY
make_null_blk data 64 1
DATA=$REPLY
cpblk format flush "$META" "$DATA"
cpblk open "$META" "$DATA"
cpblk create vm 16M
dev=$(dev_for vm)
journal=$(cpblk status --json | number_of journal_commits)
before=$(flushes)
# Two writes each: a single one would have FUA.
for ((i = 0; i < 10; i++)); do
	dd if=/dev/zero of="$dev" bs=4k count=2 seek=$i oflag=direct \
		conv=notrunc,fdatasync status=none
done
[ $(($(flushes) - before)) -ge 10 ] || fail "flushes do not reach the data device"
[ $(($(cpblk status --json | number_of journal_commits) - journal)) -ge 10 ] ||
	fail "flushes do not reach the journal"
journal=$(cpblk status --json | number_of journal_commits)
dd if=/dev/zero of="$dev" bs=4k count=10 oflag=direct,dsync status=none
[ $(($(cpblk status --json | number_of journal_commits) - journal)) -ge 10 ] ||
	fail "FUA does not reach the journal"
ok "FLUSH and FUA"
finish_store flush "$META" "$DATA"
