#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Power cuts: both devices lose what is in their caches while volumes are
# written to, checkpointed, restored, forked and deleted. The store opens by
# itself, is whole, and has what was acknowledged. progs/ledger.h says what is
# compared.
#
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
finish_store cut "$META" "$DATA"
