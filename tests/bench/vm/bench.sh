#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The benchmark: what I/O and operations cost on cpblk and on what it is compared
# with. Each measurement is a line for the host,
#
#	SAMPLE ROW PEER ROUND VALUE
#
# as soon as it is there; "EXPECT ROW PEER COUNT" says before that how many there
# are to be. tests/bench/report makes a table of them.
#
# timeout: 7200
# modules: null_blk dm-mod dm-thin-pool dm-snapshot xfs loop
# programs: map take latency stall many
# parts: peers.sh rows.sh operations.sh
# memory: 14336

. "${0%/*}/lib.sh"
. "${0%/*}/peers.sh"
. "${0%/*}/rows.sh"
. "${0%/*}/operations.sh"

# What tests/bench/run does not say otherwise. A write cache of 1 MiB: a FLUSH has
# something to do, and is soon done.
ROWS=all ROUNDS=3 RACES=25 RUNTIME=2 DEVICES="ram 200us 2ms" EXTENTS="10000 1000000 5000000"
# Blocks of 64 KiB that a thin device has; to provision more takes too long.
THIN_BLOCKS="10000 100000"
# Checkpoints in a store; forks of one checkpoint.
MANY="100 10000 100000" FORKS="100 10000"
SIZE=1024 CACHE_MB=1
# shellcheck source=/dev/null
. /cpblk/options

tell()
{
	echo "$*"
	echo "$*" >/dev/ttyS1
}

# Pages of null_blk's cache are locked by who writes them back, even when he is
# put to sleep; others turn round and round for him, on his processor too. Only
# a kernel that can be preempted anywhere gets out of that.
[ ! -w /sys/kernel/debug/sched/preempt ] || echo full >/sys/kernel/debug/sched/preempt

expect_all
for DEVICE in $DEVICES; do
	case $DEVICE in
	ram)	make_set ram "$SIZE" ;;
	200us)	make_set 200us 128 irqmode=2 completion_nsec=200000 ;;
	2ms)	make_set 2ms 128 irqmode=2 completion_nsec=2000000 ;;
	*)	fail "no devices are called $DEVICE" ;;
	esac
	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		tell "INFO $SECONDS s: $DEVICE, round $ROUND of $ROUNDS"
		io_round
	done
	if [ "$DEVICE" = ram ]; then
		tell "INFO $SECONDS s: $RACES races of what bars compare"
		races
		stalls
	fi
	drop_set
done
operations
tell "INFO $SECONDS s: all is measured"
