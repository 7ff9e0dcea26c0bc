#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checkpoints every 100 ms under load are causal cuts, and stay as they are.
# progs/stomp.c knows what each of them may hold.
#
# timeout: 120
# modules: null_blk
# programs: stomp

. "${0%/*}/lib.sh"

log=/tmp/load.log

make_store load 128 1024
cpblk create vm "$(by_speed 16M 4M)"
stomp run $log load vm "$(by_speed 6 3)" "$(by_speed 16 8)" 100 snap
stomp verify $log load vm
ok "each checkpoint is a causal cut"

# Every second one goes, and the store is closed and opened: the rest stays.
names=$(cpblk ls --json vm | sed -n 's/.*"checkpoint": "\(v[0-9]*[02468]\)".*/vm@\1/p')
# shellcheck disable=SC2086 # a list
cpblk rm $names >/dev/null
cpblk sync --reclaim
cpblk close
check_store "$META" "$DATA"
cpblk open "$META" "$DATA"
stomp verify $log load vm
ok "the others stay as they are"

# The same with a program that others wrote.
cpblk create fio "$(by_speed 64M 16M)"
fio --name=fio --filename="$(dev_for fio)" --ioengine=libaio --iodepth=16 \
	--direct=1 --rw=randwrite --bsrange=512-128k \
	--blockalign=512 --verify=crc32c --verify_backlog=64 --do_verify=1 \
	--time_based=1 --runtime=5 --randseed=7 --output-format=terse \
	--output=/tmp/fio.out &
fio=$!
while kill -0 $fio 2>/dev/null; do
	cpblk snap fio >/dev/null
	sleep 0.1
done
wait $fio || {
	cat /tmp/fio.out
	fail "fio found wrong data"
}
ok "fio verifies with $(cpblk ls --json fio | grep -c '"checkpoint":') checkpoints taken"
rm $log
finish_store load "$META" "$DATA"
