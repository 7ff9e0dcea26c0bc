#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A thousand checkpoints and two hundred forks; then they go, first every second
# one, then all, and not a chunk stays behind.
#
# timeout: 180
# kernels: 6.1 6.12
# modules: null_blk
# programs: many

. "${0%/*}/lib.sh"

points=1000
forks=200
# Attaching makes a device, which takes its time.
step=29

# checkpoints REGEX: those of the volume that match, as VM@NAME.
checkpoints()
{
	cpblk ls --json vm | sed -n "s/.*\"checkpoint\": \"\($1\)\".*/vm@\1/p"
}

make_store many 128 512
cpblk create vm 1G
many make many vm "$points" "$forks"
[ "$(checkpoints '.*' | wc -l)" = "$points" ] || fail "not all are listed"
[ "$(cpblk ls --json | grep -c '"volume":')" = $((forks + 1)) ] ||
	fail "not all forks are listed"
[ "$(cpblk log | grep -c ' vm@c')" = "$points" ] || fail "not all are drawn"
[ "$(cpblk log vm | grep -c ' vm@c')" = "$points" ] || fail "not all are drawn"
many verify many vm "$points" $step
ok "$points checkpoints and $forks forks"

cpblk close
check_store "$META" "$DATA"
cpblk open "$META" "$DATA" | tail -n 1
mapfile -t names < <(checkpoints 'c[0-9]*[02468]')
cpblk rm "${names[@]}" | tail -n 1
cpblk sync --reclaim
many verify many vm "$points" $step
ok "half of them are gone, the others are whole"

# What takes more than one request is refused as a whole, too.
mapfile -t names < <(checkpoints '.*')
cpblk hold "${names[-1]}"
expect_fail "nothing is deleted: ${names[-1]} is held" cpblk rm vm@..
[ "$(checkpoints '.*' | wc -l)" = ${#names[@]} ] || fail "some are gone"
expect_fail "nothing is deleted: ${names[-1]} is held" cpblk rm --volumes f1 vm
cpblk ls --json | has '"volume": "f1"' || fail "a volume is gone"
cpblk release "${names[-1]}"
exec 5<"$(dev_for f2)"
expect_fail "nothing is deleted: volume f2 .* is in use" cpblk rm --volumes f1 f2
exec 5<&-
cpblk ls --json | has '"volume": "f1"' || fail "a volume is gone"

mapfile -t names < <(seq "$forks")
cpblk remove "${names[@]/#/f}" | tail -n 1
mapfile -t names < <(checkpoints '.*')
cpblk rm "${names[@]}" | tail -n 1
cpblk sync --reclaim
cpblk status
[ -z "$(checkpoints '.*')" ] || fail "some checkpoints are left"
[ "$(cpblk status --json | number_of nr_hidden)" = 0 ] || fail "some are hidden"
# What is left is what the volume itself has: 64 blocks, fewer after a discard.
used=$(cpblk status --json | number_of data_used)
[ "$used" -le $((64 * 4096)) ] || fail "$used bytes are in use"
many verify many vm "$points" 1
finish_store many "$META" "$DATA"
