#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Power cuts under filesystems, with work that lives on fsync() and fio beside
# it: both devices lose what is in their caches. The store opens by itself, the
# filesystem replays its log and is clean, and what fsync() answered for is there.
#
# kmemleak: no
# timeout: 300
# modules: configfs ext4 xfs
# programs: files

. "${0%/*}/lib.sh"

mnt=/tmp/mnt
threads=4
violations=0
cuts=0
mkdir -p $mnt

# One request at a time: else null_blk of 6.1 loses count of its cache.
make_null_blk cut-meta 16 64 hw_queue_depth=1
META=$REPLY
make_null_blk cut-data 512 64 hw_queue_depth=1
DATA=$REPLY
cpblk format cut "$META" "$DATA"
cpblk open "$META" "$DATA"

# Grace periods are most of what opening and closing takes.
echo 1 >/sys/kernel/rcu_expedited
at_exit eval "echo 0 >/sys/kernel/rcu_expedited"

wrong()
{
	echo "VIOLATION: $*"
	violations=$((violations + 1))
}

# cut_under NAME FSCK...: once, with the filesystem on the volume $NAME mounted.
cut_under()
{
	local name=$1 workers

	shift
	mount "$(dev_for "$name")" $mnt
	files work "/tmp/$name.ledger" $mnt $threads &
	workers=$!
	fio --name=fio --filename="$(dev_for beside)" --direct=1 --rw=randwrite \
		--bsrange=512-64k --blockalign=512 --fdatasync=8 --time_based=1 --runtime=60 \
		--output=/dev/null >/dev/null 2>&1 &
	workers+=" $!"
	sleep "0.$((RANDOM % 8 + 2))"
	[ $((RANDOM % 2)) = 0 ] || cpblk snap "$name" beside >/dev/null
	sleep "0.$((RANDOM % 9))"
	cut_power
	# shellcheck disable=SC2086 # a list; fio says that its disk is gone
	wait $workers || :
	umount $mnt
	cpblk close cut || :
	# 1 MiB is too little, so that part of what is in it gets written.
	power_on $((RANDOM % 2 ? 64 : 1))

	cuts=$((cuts + 1))
	cpblk check "$META" "$DATA" || wrong "the store is damaged"
	cpblk open "$META" "$DATA" >/dev/null
	mount "$(dev_for "$name")" $mnt
	files verify "/tmp/$name.ledger" $mnt $threads || wrong "$name lost something"
	umount $mnt
	"$@" "$(dev_for "$name")" >/tmp/fsck 2>&1 || {
		cat /tmp/fsck
		wrong "$name is damaged"
	}
}

RANDOM=$(($(seed) % 32768))
cpblk create beside 64M
cpblk create ext4 64M
mkfs.ext4 -q "$(dev_for ext4)"
cpblk create xfs 320M
mkfs.xfs -q "$(dev_for xfs)"
for ((i = 0; i < $(by_speed 8 2); i++)); do
	cut_under ext4 e2fsck -fn
	cut_under xfs xfs_repair -n
done
figure powercut_points_files $cuts
figure powercut_violations_files $violations
[ $violations = 0 ] || fail "$violations violations"
finish_store cut "$META" "$DATA"
