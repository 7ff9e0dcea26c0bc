#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Random histories: with all work done, what is allocated is what is reachable,
# data chunks and metadata blocks, and what a dry run says is what comes back.
#
# timeout: 400
# modules: null_blk

. "${0%/*}/lib.sh"

histories=$(by_speed 20 5)
make_null_blk meta 32
META=$REPLY
make_null_blk data 256
DATA=$REPLY
leaks=0

volumes() { cpblk ls --json | sed -n 's/.*"volume": "\(.*\)".*/\1/p'; }

# Visible ones, as :NUMBER.
points() { cpblk log --json | awk '/"checkpoint_id":/ { id = $2 } /"hidden": false/ { print ":" id + 0 }'; }

# pick COMMAND: one of the lines that it prints, in REPLY.
pick()
{
	local list

	mapfile -t list < <("$@")
	REPLY=
	[ ${#list[@]} = 0 ] || REPLY=${list[RANDOM % ${#list[@]}]}
}

step()
{
	local v p dev at

	pick volumes
	v=$REPLY
	pick points
	p=$REPLY
	case $((RANDOM % 10)) in
	0 | 1)
		cpblk snap "$v" ;;
	2)
		[ -z "$p" ] || cpblk fork "$p" "vol$((++made))" ;;
	3)
		[ -z "$p" ] || cpblk restore "$v" "$p" ;;
	4 | 5)
		[ -z "$p" ] || cpblk rm "$p" ;;
	6)
		[ "$(volumes | wc -l)" -lt 2 ] || cpblk remove --keep-checkpoints "$v" ;;
	7)
		dev=$(dev_for "$v")
		blkdiscard -o $((RANDOM % 64 * 65536)) -l $((RANDOM % 16 * 65536 + 65536)) \
			"$dev" ;;
	*)
		dev=$(dev_for "$v")
		at=$((RANDOM % 900))
		dd if=/dev/urandom of="$dev" bs=4k count=$((RANDOM % 100 + 1)) seek=$at \
			oflag=direct status=none ;;
	esac >/dev/null
}

# What deleting all checkpoints would free, and what it does.
last_words()
{
	local before said all

	cpblk sync --reclaim
	mapfile -t all < <(points)
	[ ${#all[@]} -gt 0 ] || return 0
	before=$(cpblk status --json | number_of data_used)
	said=$(cpblk rm --dry-run --json "${all[@]}" | number_of would_free)
	cpblk rm --wait "${all[@]}" >/dev/null
	[ $((before - $(cpblk status --json | number_of data_used))) = "$said" ] ||
		fail "a dry run said $said"
}

for ((h = 1; h <= histories; h++)); do
	RANDOM=$h
	made=0
	cpblk format --force s "$META" "$DATA" >/dev/null
	cpblk open "$META" "$DATA" >/dev/null
	cpblk create vol 8M >/dev/null
	for ((i = 0; i < 20; i++)); do
		step
	done
	[ $((h % 2)) = 0 ] || last_words
	cpblk sync --reclaim
	cpblk close >/dev/null
	report=$(cpblk check --json "$META" "$DATA") || {
		echo "$report"
		fail "history $h: the store is damaged"
	}
	for kind in chunks blocks; do
		[ "$(number_of ${kind}_allocated <<<"$report")" = \
			"$(number_of ${kind}_reachable <<<"$report")" ] || leaks=$((leaks + 1))
	done
done
figure vm_history_leaks $leaks
[ $leaks = 0 ] || fail "$leaks histories leak"
ok "$histories histories leave nothing behind"
