#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dm-log-writes keeps all that is written to both devices, slices of one disk,
# while volumes are written to, checkpointed, restored, forked and deleted. The
# log is replayed to every FLUSH and FUA: each time the store opens by itself, is
# whole, and has what was acknowledged up to there.
#
# timeout: 400
# kernels: 6.1 6.12
# modules: null_blk dm-mod dm-log-writes
# programs: logwrites

. "${0%/*}/lib.sh"

META_MB=16
DATA_MB=8

# slices NAME DISK: a store's two devices, as /dev/mapper/NAME-meta and -data.
slices()
{
	dmsetup create "$1-meta" --table "0 $((META_MB * 2048)) linear $2 0"
	at_exit dmsetup remove --retry "$1-meta"
	dmsetup create "$1-data" --table \
		"0 $((DATA_MB * 2048)) linear $2 $((META_MB * 2048))"
	at_exit dmsetup remove --retry "$1-data"
}

# The log, and a disk to replay it on; a disk with a cache to be logged.
make_brd 2 512
make_null_blk to-log $((META_MB + DATA_MB)) 64 hw_queue_depth=1
dmsetup create logged --table \
	"0 $(((META_MB + DATA_MB) * 2048)) log-writes $REPLY /dev/ram0"
at_exit dmsetup remove --retry logged
slices log /dev/mapper/logged
dmsetup create copy --table "0 $(((META_MB + DATA_MB) * 2048)) linear /dev/ram1 0"
at_exit dmsetup remove --retry copy
slices copy /dev/mapper/copy

# Grace periods are most of what opening and closing takes.
echo 1 >/sys/kernel/rcu_expedited
at_exit eval "echo 0 >/sys/kernel/rcu_expedited"

cpblk format log /dev/mapper/log-meta /dev/mapper/log-data
cpblk open /dev/mapper/log-meta /dev/mapper/log-data
points log_writes logwrites log /dev/mapper/log-{meta,data} /dev/ram0 logged \
	/dev/mapper/copy /dev/mapper/copy-{meta,data} "$(by_speed 85 12)" "$(seed)"
