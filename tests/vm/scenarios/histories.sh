#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Random histories: with all work done, what is allocated is what is reachable,
# data chunks and metadata blocks, and what a dry run says is what comes back.
#
# kmemleak: no
# timeout: 180
# modules: null_blk
# programs: histories

. "${0%/*}/lib.sh"

histories=$(by_speed 20 4)
make_null_blk meta 32
META=$REPLY
make_null_blk data 256
DATA=$REPLY
leaks=0

# Visible ones, as :NUMBER.
points() { cpblk log --json | awk '/"checkpoint_id":/ { id = $2 } /"hidden": false/ { print ":" id + 0 }'; }

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

# Grace periods are most of what opening and closing takes.
echo 1 >/sys/kernel/rcu_expedited
at_exit eval "echo 0 >/sys/kernel/rcu_expedited"

for ((h = 1; h <= histories; h++)); do
	cpblk format --force s "$META" "$DATA" >/dev/null
	cpblk open "$META" "$DATA" >/dev/null
	cpblk create vol 8M >/dev/null
	histories s $h 60
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
