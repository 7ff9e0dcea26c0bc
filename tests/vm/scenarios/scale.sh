#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checkpoint and restore take the same time whatever is mapped: the kernel's
# own times with few and many extents, measured in turns.
#
# timeout: 240
# modules: null_blk dm-mod
# programs: map

. "${0%/*}/lib.sh"

few=10000
many=$(by_speed 1000000 100000)
rounds=31

# The data itself is dropped, all but the store's label at its beginning: the
# maps are what this is about.
make_store_without_data()
{
	local name=$1 sectors=$((16 << 21))

	make_null_blk "$name-meta" "$2" 1
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

# median: of the numbers on stdin
median()
{
	sort -n | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'
}

# ratio NAME FEW MANY: no more than 1.5
ratio()
{
	local r

	r=$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", b / a }')
	echo "$1: $2 ns with $few extents, $3 ns with $many"
	figure "$1" "$r"
	awk -v r="$r" 'BEGIN { exit r > 1.5 }' || fail "$1 is $r"
}

make_store_without_data few 64
stores=("$META" "$DATA")
make_store_without_data many "$(by_speed 512 128)"
stores+=("$META" "$DATA")
for store in few many; do
	cpblk -s $store create vm 64G
	map "$(dev_for $store/vm)" ${!store}
	cpblk sync $store
	chunks=$(cpblk -s $store ls --json | number_of referenced)
	[ $((chunks / 4096)) -ge ${!store} ] || fail "only $chunks bytes are mapped"
	cpblk -s $store snap vm -n base
done

for ((i = 0; i < rounds; i++)); do
	for store in few many; do
		map "$(dev_for $store/vm)" 16 $i
		cpblk -s $store snap --json vm | number_of total_ns >>/tmp/snap.$store
	done
done
for ((i = 0; i < rounds; i++)); do
	for store in few many; do
		map "$(dev_for $store/vm)" 16 $i
		cpblk -s $store restore --json vm@base |
			number_of total_ns >>/tmp/restore.$store
	done
done
ratio snap_scale "$(median </tmp/snap.few)" "$(median </tmp/snap.many)"
ratio restore_scale "$(median </tmp/restore.few)" "$(median </tmp/restore.many)"
rm /tmp/{snap,restore}.{few,many}

finish_store few "${stores[0]}" "${stores[1]}"
finish_store many "${stores[2]}" "${stores[3]}"
