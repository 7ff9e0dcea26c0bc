#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checkpoint and restore take the same time whatever is mapped: the kernel's
# own times with few and many extents, measured in turns.
#
# timeout: 240
# kernels: 6.1 6.12
# modules: null_blk dm-mod
# programs: map

. "${0%/*}/lib.sh"

few=$(by_speed 10000 2000)
many=$(by_speed 1000000 20000)
rounds=$(by_speed 21 5)

# The data itself is dropped, all but the store's label at its beginning: the
# maps are what this is about.
make_store_without_data()
{
	local name=$1 sectors=$((16 << 21))

	make_null_blk "$name-meta" 512
	META=$REPLY
	make_null_blk "$name-label" 1
	label=$REPLY
	make_null_blk "$name-none" $((sectors / 2048)) 0 memory_backed=0
	dmsetup create "$name" <<-EOT
		0 2048 linear $label 0
		2048 $((sectors - 2048)) linear $REPLY 0
	EOT
	at_exit dmsetup remove "$name"
	DATA=/dev/mapper/$name
	cpblk format "$name" "$META" "$DATA"
	cpblk open "$META" "$DATA"
}

# median FILE: of the numbers in it
median()
{
	sort -n "$1" | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'
}

# ratio NAME: of the medians, many to few; no more than 1.5
ratio()
{
	local a b r

	a=$(median "/tmp/$1.few")
	b=$(median "/tmp/$1.many")
	r=$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", b / a }')
	echo "$1: $a ns with $few extents, $b ns with $many"
	figure "$1" "$r"
	awk -v r="$r" 'BEGIN { exit r > 1.5 }' || fail "$1 is $r"
}

make_store_without_data few
stores=("$META" "$DATA")
make_store_without_data many
stores+=("$META" "$DATA")
for store in few many; do
	cpblk -s $store create vm 64G
	map "$(dev_for $store/vm)" ${!store}
	cpblk sync $store
	chunks=$(cpblk -s $store ls --json | number_of referenced)
	[ $((chunks / 4096)) -ge ${!store} ] || fail "only $chunks bytes are mapped"
	cpblk -s $store snap vm -n base
done

# measure NAME COMMAND...: the time of a command, in the kernel, on both stores
# in turns, with a few changes to the volume before each.
measure()
{
	local name=$1 i store
	shift

	for ((i = 0; i < rounds; i++)); do
		for store in few many; do
			map "$(dev_for $store/vm)" 16 $i
			cpblk -s $store "$@" | number_of total_ns >>"/tmp/$name.$store"
		done
	done
}

measure snap_scale snap --json vm
measure restore_scale restore --json vm@base
ratio snap_scale
ratio restore_scale
rm /tmp/*_scale.*

finish_store few "${stores[0]}" "${stores[1]}"
finish_store many "${stores[2]}" "${stores[3]}"
