#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What fsync() costs: flushes that the devices get for each, and bytes, with both
# parts of a store on disks of their own and on one disk, where what is written
# between two of them has FUA and where it is too much for that; and with sixteen
# streams at once, how many of them one commit serves. The devices do the counting,
# but for the last.
#
# timeout: 120
# kernels: 6.1 6.12
# modules: null_blk

. "${0%/*}/lib.sh"

# A disk with a cache that takes its time, as sleeping is what groups commits.
slow_disk()
{
	make_null_blk "$1" "$2" 64 irqmode=2 completion_nsec=200000 hw_queue_depth=16 "${@:3}"
}

# flushed DISK...: the flushes that they have completed
flushed()
{
	local disk sum=0 stat

	for disk; do
		read -ra stat <"/sys/block/${disk#/dev/}/stat"
		sum=$((sum + stat[15]))
	done
	echo $sum
}

# writes DISK: the write requests that it has completed
writes()
{
	local stat

	read -ra stat <"/sys/block/${1#/dev/}/stat"
	echo "${stat[4]}"
}

# bytes_to DISK: what it was sent, and has completed
bytes_to()
{
	local stat

	read -ra stat <"/sys/block/${1#/dev/}/stat"
	echo $((stat[6] * 512))
}

journal_commits()
{
	cpblk status --json | number_of journal_commits
}

# ratio FIGURE NUMBER OF MOST: NUMBER / OF is MOST at most
ratio()
{
	local value

	value=$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", a / b }')
	figure "$1" "$value"
	awk -v v="$value" -v most="$4" 'BEGIN { exit v > most }' ||
		fail "$1 is $value, more than $4"
}

# stream JOBS WRITES [EVERY]: each job writes that often, with an fsync() behind
# each, or behind every so many
stream()
{
	fio --name=stream --filename="$(dev_for vm)" --ioengine=psync --rw=randwrite \
		--bs=4k --size=8M --offset_increment=1M --numjobs="$1" \
		--io_size=$(($2 * 4))k --norandommap --fsync="${3-1}" --direct=1 \
		--output-format=terse --output=/tmp/fio.out
}

# The trees are not written back meanwhile: that has flushes of its own.
open_store()
{
	cpblk open "$META" "$DATA"
	cpblk set flush-interval=3600
}

count=$(by_speed 1000 200)
slow_disk meta 64
META=$REPLY
slow_disk data 256
DATA=$REPLY
cpblk format two "$META" "$DATA"
open_store
cpblk create vm 64M
before=$(flushed "$META" "$DATA")
written=$(writes "$META") bytes=$(bytes_to "$META")
stream 1 "$count"
# The first ones, until it is seen how it goes on.
ratio flushes_per_fsync_two_disks $(($(flushed "$META" "$DATA") - before)) "$count" 0.1
# These have FUA, so it is not counted as a flush of its own.
ratio journal_writes_per_fsync $(($(writes "$META") - written)) "$count" 1.1
# One sector, as the device takes that, and what the trees wrote once.
ratio journal_bytes_per_fsync $(($(bytes_to "$META") - bytes)) "$count" 1200

before=$(flushed "$META" "$DATA")
stream 1 "$count" 4
ratio flushes_per_fsync_of_4_two_disks $(($(flushed "$META" "$DATA") - before)) \
	$((count / 4)) 2

# One commit is one write to the journal, as was counted above; now the trees are
# written back too, since so many records fill it.
written=$(journal_commits)
stream 16 $((count / 4))
ratio commits_per_fsync_16 $(($(journal_commits) - written)) $((count * 4)) 0.5
finish_store two "$META" "$DATA"

# A journal that is written round and round: the trees are written back before it is
# full, so that no FLUSH has to wait for that. Looked at as often as can be.
kib=$(by_speed 1024 256)
cpblk format --force --journal "${kib}K" small "$META" "$DATA"
cpblk open "$META" "$DATA"
cpblk create vm 64M
while cpblk status --json | number_of journal_used; do
	sleep 0.01
done >/tmp/used &
watcher=$!
written=$(journal_commits)
stream 16 $((count * kib / 1024))
written=$(($(journal_commits) - written))
kill $watcher
wait $watcher || :
((written > 3 * kib / 4)) || fail "the journal was not written round three times: $written batches"
ratio journal_fullest "$(sort -n /tmp/used | tail -n 1)" $((kib << 10)) 0.8
ok "$written batches, seen $(wc -l </tmp/used) times"
finish_store small "$META" "$DATA"

# A device that takes nothing less than a block.
slow_disk wide 64 blocksize=4096
META=$REPLY
cpblk format --force wide "$META" "$DATA"
open_store
cpblk create vm 64M
bytes=$(bytes_to "$META")
stream 1 50
bytes=$((($(bytes_to "$META") - bytes) / 50))
((bytes > 3900 && bytes < 5000)) || fail "$bytes bytes for each fsync() on a device of 4 KiB sectors"
finish_store wide "$META" "$DATA"

slow_disk disk 320
disk=$REPLY
printf '%s\n' 'label: gpt' 'size=64MiB' 'size=240MiB' | sfdisk -q "$disk"
META=$disk$([[ $disk = *[0-9] ]] && echo p || :)1
DATA=${META%1}2
wait_for 5 test -b "$DATA"
cpblk format one "$META" "$DATA"
open_store
cpblk create vm 64M
before=$(flushed "$disk")
stream 1 "$count"
ratio flushes_per_fsync_one_disk $(($(flushed "$disk") - before)) "$count" 0.1
before=$(flushed "$disk")
stream 1 "$count" 4
ratio flushes_per_fsync_of_4_one_disk $(($(flushed "$disk") - before)) $((count / 4)) 1.05
finish_store one "$META" "$DATA"
