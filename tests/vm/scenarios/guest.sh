#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Virtual machines: QEMU runs here, and its guests live on disks of cpblk. What
# they were told is durable is in checkpoints, restores and forks of their disks.
#
# timeout: 240
# kernels: 6.1 6.12
# modules: null_blk
# programs: guestdisk
# nested: yes

. "${0%/*}/lib.sh"
. /cpblk/nested/lib.sh

PASSED=0

# passed WHAT: one more of the scenarios.
passed()
{
	PASSED=$((PASSED + 1))
	ok "$*"
}

# has_records NAME N: the guest came up with at least N records, none missing.
has_records()
{
	guest_hear "$1" '^(up|bad) ' "${3-0}"
	[[ $REPLY = up* ]] || fail "$1 does not have what was acknowledged: $REPLY"
	[ "${REPLY#up }" -ge "$2" ] || fail "$1 has ${REPLY#up } records, and $2 were acknowledged"
}

# ---- 1. A checkpoint while it writes, and a fork of that boots

fork_while_writing()
{
	local acknowledged

	guest_say vm root
	guest_past vm root 20
	acknowledged=$(guest_last vm root)
	cpblk -s vm snap root@busy
	cpblk -s vm fork root@busy fork
	guest_start fork "$(dev_for fork)"
	has_records fork $((acknowledged + 1))
	guest_kill fork
	guest_ask vm idle '^idle'
	cpblk -s vm remove fork
	passed "a fork has all records up to the checkpoint"
}

# ---- 5. A checkpoint of two disks that are written in turn

two_disks()
{
	local load

	guest_say vm "pair /dev/vdb /dev/vdc"
	guest_past vm pair 5
	while :; do
		dd if=/dev/zero of="$(dev_for load)" bs=64K count=64 oflag=direct status=none
		sleep 0.05
	done &
	load=$!
	guestdisk pairs vm first second 100
	kill $load
	wait $load || true
	guest_ask vm idle '^idle'
	passed "no checkpoint of two disks has the second record without the first"
}

# ---- 6. The data device fills up beneath the guest

full_device()
{
	local from events=$GUESTS/vm/events last

	guest_say vm "fill /dev/vdd"
	hear 90 "$events" 0 '"event": "STOP"'
	heard "$events" 0 'BLOCK_IO_ERROR.*"nospace": true' || fail "it stopped for another reason"
	last=$(guest_last vm fill)
	cpblk -s small rm --wait ballast@v1
	from=$(lines "$events")
	guest_qemu vm cont
	hear 30 "$events" "$from" '"event": "RESUME"'
	guest_past vm fill $((last + 10))
	guest_ask vm idle '^idle'
	! heard "$GUESTS/vm/log" 0 '^error' || fail "the guest saw an error: $REPLY"
	guestdisk fill "$(dev_for fill)" $(($(guest_last vm fill) + 1))
	passed "a full device stops the guest, which goes on with nothing lost"
}

make_store small 16 24
SMALL=("$META" "$DATA")
cpblk create fill 256M
cpblk create ballast 16M
dd if=/dev/urandom of="$(dev_for ballast)" bs=1M count=12 oflag=direct status=none
cpblk snap ballast
blkdiscard "$(dev_for ballast)"

make_store vm 64 768
for disk in "root 32M" "first 16M" "second 16M" "load 16M"; do
	# shellcheck disable=SC2086 # name and size
	cpblk -s vm create $disk
done
dd if="$NESTED/disk" of="$(dev_for root)" bs=1M oflag=direct status=none

at_exit guests_end
guest_start vm "$(dev_for root)" "$(dev_for first)" "$(dev_for second)" "$(dev_for fill)"
has_records vm 0

fork_while_writing
two_disks
full_device

guests_end
cpblk -s vm remove root first second load
finish_store vm "$META" "$DATA"
finish_store small "${SMALL[@]}"
figure guest_scenarios_passed $PASSED
