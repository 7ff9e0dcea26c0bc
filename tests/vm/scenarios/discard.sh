#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Discards: those of a volume free its chunks at once, and what is free is
# discarded on the data device in the background. What is kept stays, and nobody
# runs out of space for it. And zeroes that become holes.
#
# timeout: 300
# programs: nonzero noise
# kernels: 6.1 6.12

. "${0%/*}/lib.sh"

make_store tank 32 128
cpblk create vm 512M
dev=$(dev_for vm)
queue=/sys/block/${dev##*/}/queue

# fill FROM COUNT: so many MiB of something
fill()
{
	noise write "$dev" "$1" "$2"
}

# zero FROM COUNT: write zeroes
zero()
{
	dd if=/dev/zero of="$dev" bs=1M seek="$1" count="$2" oflag=direct \
		conv=notrunc status=none
}

# sum DEVICE FROM COUNT
sum()
{
	noise sum "$1" "$2" "$3"
}

# discard FROM COUNT: so many MiB of the volume
discard()
{
	blkdiscard -o $(($1 << 20)) -l $(($2 << 20)) "$dev"
}

# used: KiB that volumes and checkpoints hold
used()
{
	echo $(($(cpblk status --json | number_of data_used) >> 10))
}

# uses MIB: that is what they hold
uses()
{
	local is

	is=$(used)
	[ "$is" = $(($1 << 10)) ] || fail "$is KiB are used and not $1 MiB"
}

# there: KiB of the data device that are not zero, behind what is in front
there()
{
	nonzero "$DATA" 1
}

# holds KIB: the data device does, but for what each CPU has taken to write to next
holds()
{
	local is

	is=$(there)
	[ "$is" -ge "$1" ] && [ "$is" -le $(($1 + 4096 * $(nproc))) ]
}

# rests: no discard has reached the data device for a while
rests()
{
	local before now

	before=$(<"/sys/block/${DATA#/dev/}/stat")
	sleep 1.5
	now=$(<"/sys/block/${DATA#/dev/}/stat")
	[ "$before" = "$now" ]
}

# Looking reads all of the device, and discarding gives way to who reads it.
rests_and_holds()
{
	rests && holds "$1"
}

# discarded MIB: the data device gets to hold no more than that
discarded()
{
	wait_for 60 rests_and_holds $(($1 << 10))
}

[ "$(<"$queue/discard_granularity")" = 4096 ] || fail "granularity is not a chunk"
[ "$(<"$queue/discard_max_bytes")" -gt $((1 << 30)) ] || fail "small discards only"

# ---- Zeroes

fill 0 8
zero 8 8
uses 16
cpblk set zero-detect=on
zero 8 8
uses 8
cpblk snap vm@zeroes
kept=$(sum "$dev" 0 16)
zero 0 32
uses 8
cmp -n $((32 << 20)) "$dev" /dev/zero ||
	fail "zeroes read as something else"
cpblk attach vm@zeroes >/dev/null
[ "$(sum "$(dev_for vm@zeroes)" 0 16)" = "$kept" ] || fail "the checkpoint has changed"
cpblk detach vm@zeroes
# A chunk with one byte of something, between zeroes, is written.
printf x | dd of="$dev" bs=1 seek=$(((40 << 20) + 70000)) conv=notrunc status=none
mixed=$(sum "$dev" 40 1)
dd if="$dev" of=/tmp/discard-mixed bs=1M skip=40 count=1 iflag=direct status=none
dd if=/tmp/discard-mixed of="$dev" bs=1M seek=41 oflag=direct conv=notrunc status=none
rm /tmp/discard-mixed
[ "$(sum "$dev" 41 1)" = "$mixed" ] || fail "a byte between zeroes is lost"
[ "$(used)" = $(((8 << 10) + 8)) ] || fail "two chunks are $(used) KiB"
cpblk rm vm@zeroes
discard 0 512
cpblk sync --reclaim
uses 0
fill 0 110
expect_fail "No space left" fill 110 30
zero 0 140
cpblk sync --reclaim
uses 0
cpblk set zero-detect=default
ok "zeroes become holes"

# ---- What is free is discarded, what is not is not

discarded 0
fill 0 64
cpblk snap vm@keep
kept=$(sum "$dev" 0 64)
fill 0 32
uses 96
discard 16 16
uses 80
cpblk sync
discarded 80
discard 48 16
before=$(sum "$dev" 0 64)
cpblk sync
sleep 2
[ "$(there)" -ge $((80 << 10)) ] || fail "something was discarded that a checkpoint has: $(there)"
ok "what was only the volume's was discarded"
cpblk attach vm@keep >/dev/null
[ "$(sum "$(dev_for vm@keep)" 0 64)" = "$kept" ] || fail "the checkpoint has changed"
cpblk detach vm@keep
cpblk rm vm@keep
cpblk sync --reclaim
uses 32
discarded 32
[ "$(sum "$dev" 0 64)" = "$before" ] || fail "the volume has changed"
discard 0 16
cpblk sync
discarded 16
ok "and what a deleted checkpoint had"

# ---- Scattered, in small batches, beside others that write

discard 0 512
cpblk set discard-batch=1
fio --name=verify --filename="$dev" --ioengine=libaio --iodepth=8 --direct=1 \
	--rw=randwrite --bs=4k --size=24M --io_size=96M --norandommap \
	--eta=never --verify=crc32c --verify_fatal=1 --serialize_overlap=1 --output=/tmp/discard-fio &
fio=$!
for ((i = 0; i < 12; i++)); do
	cpblk snap vm >/dev/null
	fill $((64 + i)) 2
	discard $((64 + i)) 1
	[ $i -lt 2 ] || cpblk rm "vm@v$((i - 1))"
	sleep 0.3
done
wait $fio || {
	cat /tmp/discard-fio
	fail "fio found something else than it wrote"
}
rm /tmp/discard-fio
cpblk rm --all-but-last 0 vm
before=$(sum "$dev" 0 80)
cpblk sync --reclaim
wait_for 60 holds "$(used)"
[ "$(sum "$dev" 0 80)" = "$before" ] || fail "the volume has changed"
ok "beside others who write"

# ---- Nobody is told that it is full while something is being discarded

pause=(0 0.9 1.1 1.4)
for ((i = 0; i < 4; i++)); do
	discard 0 512
	cpblk sync
	sleep "${pause[i]}"
	fill 0 120
done
ok "a full disk, freed and filled again and again"

# ---- Off

discard 0 512
cpblk sync
discarded 0
cpblk set discard=off discard-batch=default
fill 0 32
discard 0 512
cpblk sync --reclaim
sleep 3
[ "$(there)" -ge $((32 << 10)) ] || fail "discarded what was not to be"
cpblk set discard=on
ok "discards can be turned off"
finish_store tank "$META" "$DATA"
