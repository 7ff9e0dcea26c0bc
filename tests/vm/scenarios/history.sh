#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Holding, deleting sets and ranges and what that frees, policies; and what of
# that is kept across closing.
#
# kmemleak: no
# timeout: 180
# modules: null_blk
# programs: many

. "${0%/*}/lib.sh"

make_store tank 64 256
cpblk create vm1 64M
dev=$(dev_for vm1)

# fill NUMBER: a MiB of its own at NUMBER MiB.
fill()
{
	dd if=/dev/urandom of="$dev" bs=1M count=1 seek="$1" oflag=direct status=none
}

names()
{
	cpblk ls --json vm1 | sed -n 's/.*"checkpoint": "\(.*\)".*/\1/p' | xargs
}

for i in 1 2 3 4 5 6 7 8; do
	fill "$i"
	cpblk snap vm1
done

cpblk hold vm1@v3 -m "the last good one"
expect_fail "vm1@v3: checkpoint 'v3' is held \(the last good one\): release it first" \
	cpblk rm vm1@v3
expect_fail "checkpoint 'v3' is held" cpblk rm vm1@v2..v4
expect_fail "checkpoint 'v3' is held" cpblk remove vm1
[ "$(names)" = "v1 v2 v3 v4 v5 v6 v7 v8" ] || fail "left: $(names)"
cpblk ls vm1 | grep '(held: the last good one)'
cpblk log | grep '(held: the last good one)'

# A hold is there after closing, and after replay.
cpblk close
cpblk open "$META" "$DATA"
dev=$(dev_for vm1)
expect_fail "is held \(the last good one\)" cpblk rm vm1@v3
ok "a hold is kept"

# Sets: all or none.
cpblk rm vm1@v1..v2 vm1@v5
[ "$(names)" = "v3 v4 v6 v7 v8" ] || fail "left: $(names)"
expect_fail "no checkpoint 'v5'" cpblk rm vm1@v8 vm1@v5
cpblk rm --all-but-last 2 vm1 | grep 'vm1@v3 stays: it is held: the last good one'
[ "$(names)" = "v3 v7 v8" ] || fail "left: $(names)"
cpblk release vm1@v3
expect_fail "checkpoint 'v3' is not held" cpblk release vm1@v3

# What --dry-run says is what comes back, where the history branches too.
used()
{
	cpblk status --json | number_of data_used
}

# must_free SET...: deleting it frees what it was said to.
must_free()
{
	local before said

	before=$(used)
	said=$(cpblk rm --dry-run --json "$@" | number_of would_free)
	[ "$(used)" = "$before" ] || fail "a dry run changed something"
	cpblk rm --wait "$@"
	[ $((before - $(used))) = "$said" ] ||
		fail "deleting $*: freed $((before - $(used))), said $said"
	ok "deleting $* freed $said bytes, as was said"
}

cpblk fork vm1@v7 vm2
cpblk fork vm1@v3 vm3
fill 3
fill 7
cpblk snap vm1@branch
cpblk ls vm1
cpblk ls --json vm1 | has '"unique": null' && fail "a unique size is not known"
must_free vm1@v7
must_free vm1@v3 vm1@v8
must_free --volumes vm3
must_free --volumes vm2 vm1@branch

# A policy, and pruning by it.
for i in 1 2 3 4 5; do
	cpblk snap "vm1@p$i"
done
cpblk policy vm1 --keep-last 2 --max-age 1d
cpblk hold vm1@p1
cpblk close
cpblk open "$META" "$DATA"
dev=$(dev_for vm1)
cpblk policy vm1 | grep -x 'vm1: --keep-last 2 --max-age 1d'
cpblk prune --dry-run
[ "$(names)" = "p1 p2 p3 p4 p5" ] || fail "left: $(names)"
cpblk prune vm1
[ "$(names)" = "p1 p4 p5" ] || fail "left: $(names)"
cpblk snap vm1@p6 --prune
[ "$(names)" = "p1 p5 p6" ] || fail "left: $(names)"
cpblk release vm1@p1
cpblk policy vm1 --clear

# The space is free when --wait comes back. What only deleted ones had: all of
# it, as the disk is discarded.
blkdiscard "$dev"
[ "$(cpblk status --json | number_of data_used)" != 0 ] || fail "nothing was used"
cpblk rm --wait vm1@..
[ "$(cpblk status --json | number_of data_used)" = 0 ] ||
	fail "$(cpblk status --json | number_of data_used) bytes are still used"
ok "deleting a range gave all space back"

# Many at once: more than one request takes.
many make tank vm1 300 0
cpblk rm --wait vm1@c1.. >/dev/null
[ -z "$(names)" ] || fail "left: $(names)"
finish_store tank "$META" "$DATA"
