#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check, its repair, dump and metadata images on block devices: refused while
# the store is open, and of use when it is closed.
#
# kmemleak: no
# timeout: 120
# modules: null_blk

. "${0%/*}/lib.sh"

# exits CODE COMMAND...: the command ends with that exit code; what it said is
# in $SAID.
exits()
{
	local want=$1 rc=0

	shift
	SAID=$("$@" 2>&1) || rc=$?
	[ $rc = "$want" ] || fail "exit code $rc, not $want: $*: $SAID"
}

# block_of STRUCTURE: the metadata block where it begins.
block_of()
{
	cpblk dump "$META" "$DATA" "$@" |
		sed -n 's/.*[,:] block \([0-9]*\).*/\1/p' | head -1
}

# spoil BLOCK: something else is in it.
spoil()
{
	dd if=/dev/urandom of="$META" bs=4096 seek="$1" count=1 oflag=direct status=none
}

sum()
{
	dd if="$1" bs=1M iflag=direct status=none | md5sum
}

# contents: what the volume and its checkpoint hold.
contents()
{
	cpblk open "$META" "$DATA" >/dev/null
	sum "$(dev_for vm)"
	cpblk attach vm@v1 >/dev/null
	sum "$(dev_for vm@v1)"
	cpblk detach vm@v1 >/dev/null
	cpblk close tank >/dev/null
}

make_store tank 64 64
cpblk create vm 8M
disk=$(dev_for vm)
dd if=/dev/urandom of="$disk" bs=64k count=128 oflag=direct status=none
cpblk snap vm
dd if=/dev/urandom of="$disk" bs=4k count=50 seek=100 oflag=direct status=none

image=/tmp/tank.image
at_exit rm -f $image
expect_fail "in use" cpblk check "$META" "$DATA"
expect_fail "in use" cpblk check --repair "$META" "$DATA"
expect_fail "in use" cpblk dump "$META" "$DATA"
expect_fail "in use" cpblk metadata save "$META" "$DATA" $image
[ ! -e $image ] || fail "a refused save leaves a file"
cpblk close tank
cpblk metadata save "$META" "$DATA" $image
before=$(contents)
ok "all of it is refused while the store is open"

exits 0 cpblk check "$META" "$DATA"
exits 0 cpblk check --repair "$META" "$DATA"
for part in space dead "map vm" objects; do
	# shellcheck disable=SC2086 # two words
	[ -n "$(block_of $part)" ] || fail "dump shows no block of: $part"
done
dead=$(block_of dead)
space=$(block_of space)
spoil "$dead"
spoil "$space"
damaged=$(sum "$META")
exits 4 cpblk check "$META" "$DATA"
[[ $SAID = *"$space"* ]] || fail "the check does not name block $space: $SAID"
[ "$(sum "$META")" = "$damaged" ] || fail "a check has written"
exits 0 cpblk check --repair "$META" "$DATA"
exits 0 cpblk check "$META" "$DATA"
[ "$(contents)" = "$before" ] || fail "a repair without loss has changed something"
ok "free space and deadlists are made anew"

spoil "$(block_of map vm@v1)"
exits 8 cpblk check "$META" "$DATA"
exits 8 cpblk check --repair "$META" "$DATA"
[[ $SAID = *vm@v1* ]] || fail "what was lost is not named: $SAID"
exits 0 cpblk check "$META" "$DATA"
cpblk open "$META" "$DATA"
[ "$(sum "$(dev_for vm)")" = "$(head -1 <<<"$before")" ] ||
	fail "the volume has changed, of which all could be read"
expect_fail "in use" cpblk metadata load --force $image "$META"
cpblk close tank
ok "a checkpoint that can't be read is given up, and named"

expect_fail "this very store" cpblk metadata load $image "$META"
spoil 0
spoil 256
exits 1 cpblk check "$META" "$DATA"
head -c 5000 $image >$image.cut
at_exit rm -f $image.cut
expect_fail "not whole|damaged" cpblk metadata load $image.cut "$META"
cpblk metadata load $image "$META"
exits 0 cpblk check "$META" "$DATA"
[ "$(contents)" = "$before" ] || fail "it is not what was saved"
ok "metadata come back from their image"
