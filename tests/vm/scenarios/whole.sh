#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A write that finds no space has changed nothing, however many chunks it is of:
# not where some of them would still have found one, nor at its edges.
#
# timeout: 300
# kernels: 6.1 6.12
# modules: null_blk
# programs: whole noise

. "${0%/*}/lib.sh"

# chunks: how many are in use
chunks()
{
	cpblk sync --reclaim
	echo $(($(cpblk status --json | number_of data_used) / 4096))
}

# write AT_KB KB: something, as one bio
write()
{
	dd if=/dev/urandom of=/tmp/whole-new bs=1K count="$2" status=none
	dd if=/tmp/whole-new of="$dev" bs="$2"K count=1 seek="$1"K oflag=direct,seek_bytes \
		conv=notrunc status=none
}

# refused WHAT COMMAND...: for lack of space, and the disk is as before
refused()
{
	local what=$1 used

	shift
	dd if="$dev" of=/tmp/whole-old bs=1M iflag=direct status=none
	used=$(chunks)
	expect_fail "No space left" "$@"
	blockdev --flushbufs "$dev"
	cmp "$dev" /tmp/whole-old || fail "$what has changed something"
	[ "$(chunks)" = "$used" ] || fail "$what has used up chunks: $(chunks), not $used"
	ok "$what has changed nothing"
}

# discard COUNT: so many chunks, every other one of the disk's from 16 MiB on
discard()
{
	fio --name=discard --filename="$dev" --rw=trim:4k --bs=4k \
		--offset=$(((16 << 20) + at * 4096)) --size=16m --number_ios="$1" \
		--output-format=terse --output=/tmp/whole-fio
	at=$((at + 2 * $1))
}
at=0

# free_chunks COUNT: by discarding so many
free_chunks()
{
	local before

	before=$(chunks)
	discard "$1"
	[ $((before - $(chunks))) = "$1" ] || fail "not $1 chunks were freed"
}

make_store whole 64 33
cpblk create vm 64M
dev=$(dev_for vm)

# ---- One write

# Full, but for scattered chunks, one fewer than 1 MiB is of.
noise write "$dev" 0 64 2>/dev/null || :
free_chunks 255
refused "a write of 1 MiB" write $((40 << 10)) 1024
refused "a write of 1 MiB over another" write 4096 1024
free_chunks 1
write $((40 << 10)) 1024
cmp -n $((1 << 20)) /tmp/whole-new <(dd if="$dev" bs=1M skip=40 count=1 \
	iflag=direct status=none) || fail "1 MiB is not what was written"
expect_fail "No space left" write $((60 << 10)) 4
ok "with one chunk more it is done"

# At no chunk's beginning or end: 16 KiB are of five chunks.
free_chunks 4
refused "a write of five chunks, two in part" write $(((42 << 10) + 2)) 16
refused "a write over five chunks, two in part" write 4098 16
free_chunks 1
write 4098 16
ok "with one chunk more it is done, too"

# Zeroes need none but for their edges, of which there are two. What was written
# over gave five chunks back.
write $((42 << 10)) 20
free_chunks 1
refused "zeroes with two edges" \
	blkdiscard -z -o $((4098 << 10)) -l $((64 << 10)) "$dev"
free_chunks 1
blkdiscard -z -o $((4098 << 10)) -l $((64 << 10)) "$dev"
cmp -n $((64 << 10)) /dev/zero <(dd if="$dev" bs=1K skip=4098 count=64 status=none)
ok "zeroes with two edges"

# ---- Automatic checkpoints make room for all of it

cpblk set auto-delete=100
for ((i = 0; i < 4; i++)); do
	cpblk snap --auto vm >/dev/null
	discard 128
done
write $((44 << 10)) 1024
expect_fail "no checkpoint" cpblk hold vm@v1
ok "automatic checkpoints made room"
cpblk set auto-delete=0
cpblk rm --all-but-last 0 vm

# ---- Many

blkdiscard "$dev"
cpblk sync --reclaim
whole "$dev" 12 4 "$(by_speed 20 60)" | tee /tmp/whole-said
grep -q ' [1-9][0-9]* refused' /tmp/whole-said || fail "nothing was refused"
ok "with many writers each write is done as a whole, or not at all"
blkdiscard "$dev"
finish_store whole "$META" "$DATA"
rm /tmp/whole-said /tmp/whole-new /tmp/whole-old /tmp/whole-fio
