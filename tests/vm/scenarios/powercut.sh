#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Power cuts: both devices lose what is in their caches while volumes are
# written to, checkpointed, restored, forked and deleted. The store opens by
# itself, is whole, and has what was acknowledged. progs/ledger.h says what is
# compared. And who never asks for a FLUSH loses what he wrote in the last
# flush-interval, but no more.
#
# kmemleak: no
# timeout: 300
# modules: configfs
# programs: powercut

. "${0%/*}/lib.sh"

# One request at a time: else null_blk of 6.1 loses count of its cache.
make_null_blk cut-meta 16 64 hw_queue_depth=1
META=$REPLY
make_null_blk cut-data 32 64 hw_queue_depth=1
DATA=$REPLY
cpblk format cut "$META" "$DATA"
cpblk open "$META" "$DATA"

# Grace periods are most of what opening and closing takes.
echo 1 >/sys/kernel/rcu_expedited
at_exit eval "echo 0 >/sys/kernel/rcu_expedited"

points null_blk powercut cut cut-meta cut-data "$(by_speed 90 10)" "$(seed)"
cpblk open "$META" "$DATA"

# lost_with INTERVAL: is what was written some seconds ago lost?
lost_with()
{
	cpblk set flush-interval="$1"
	printf '%4096s' "with $1" >/tmp/late
	dd if=/tmp/late of="$(dev_for late)" bs=4k oflag=direct status=none
	sleep "$(by_speed 3 8)"
	cut_power
	cpblk close cut || :
	power_on 64
	cpblk open "$META" "$DATA" >/dev/null
	! cmp -n 4096 /tmp/late "$(dev_for late)"
}

cpblk create late 1M
lost_with 3600 || fail "nobody has flushed what was written, and it is there: this shows nothing"
! lost_with 1 || fail "what was written was lost long after the flush-interval"
ok "what was not flushed is there after flush-interval, and not before"
finish_store cut "$META" "$DATA"
