#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# I/O errors on both devices, at every kind of block, while volumes are written
# to, checkpointed, restored, forked and deleted: what was completed is read on,
# a store that can't be written any more is read-only and says so once, and
# without the errors it opens, is whole, and has what was acknowledged.
# progs/errors.c has the list, progs/ledger.h says what is compared.
#
# timeout: 240
# modules: null_blk dm-mod dm-flakey dm-delay
# programs: errors scattered noise

. "${0%/*}/lib.sh"

# slice NAME DISK: all of the disk, as /dev/mapper/NAME
slice()
{
	dmsetup create "$1" --table "0 $(blockdev --getsz "$2") linear $2 0"
	at_exit dmsetup remove --retry "$1"
}

# times_said: that the store is read-only, by the kernel log
times_said()
{
	dmesg | grep -c 'store err is read-only now' || :
}

make_null_blk meta-disk 16
meta=$REPLY
make_null_blk data-disk 16
data=$REPLY
slice err-meta "$meta"
slice err-data "$data"

# Grace periods are most of what opening and closing takes.
echo 1 >/sys/kernel/rcu_expedited
at_exit eval "echo 0 >/sys/kernel/rcu_expedited"

cpblk format err /dev/mapper/err-meta /dev/mapper/err-data
cpblk open /dev/mapper/err-meta /dev/mapper/err-data
cpblk events >/tmp/events &
events=$!
said=$(times_said)
rc=0
# Each takes seconds: all of them on one kernel, some on the other.
every=3
[[ $(uname -r) != 6.12.* ]] || every=$(by_speed 1 9)
errors err err-meta err-data "$meta" "$data" "$(seed)" $every \
	>/tmp/errors 2>&1 || rc=$?
kill $events
wait $events || :
cat /tmp/errors
last=$(tail -n 1 /tmp/errors)
[[ $last =~ ^([0-9]+)\ faults,\ ([0-9]+)\ read-only,\ ([0-9]+)\ violations$ ]] ||
	fail "errors did not get to its end: $last"
figure error_points "${BASH_REMATCH[1]}"
figure error_violations "${BASH_REMATCH[3]}"
[ $rc = 0 ] || fail "${BASH_REMATCH[3]} violations"
broken=${BASH_REMATCH[2]}

# Once for each time; opening and closing with a fault may have added some.
said=$(($(times_said) - said))
[ $said -ge "$broken" ] || fail "the kernel log says $said times what happened $broken times"
told=$(grep -c store-failed /tmp/events || :)
[ "$told" = $said ] || fail "$told events for $said lines in the kernel log"
ok "$broken times read-only, each said once"

# under NAME TARGET...: what is below /dev/mapper/NAME from now on
under()
{
	dmsetup load "$1" --table "0 $(blockdev --getsz "/dev/mapper/$1") ${*:2}"
	dmsetup suspend --nolockfs "$1"
	dmsetup resume "$1"
}

# What was being made when the store failed has no device, and that is said. A store
# that fails before makes nothing.
for ((i = 0; i < 10; i++)); do
	cpblk open /dev/mapper/err-meta /dev/mapper/err-data
	under err-meta error
	expect_fail "." cpblk create late 1M
	! cpblk ls --json | has '"late"' || break
	cpblk close err || :
	under err-meta linear "$meta" 0
done
[ $i -lt 10 ] || fail "nothing was made, so there is nothing to see"
for command in "snap late" "resize late 2M" "remove late"; do
	# shellcheck disable=SC2086 # a command
	expect_fail "late has no device" cpblk $command
done
expect_fail "not flushed" cpblk close err
under err-meta linear "$meta" 0
ok "a volume without a device"

# An operation that was done when the store failed is done, though it may be undone when
# that is opened again: nobody has a device of what is gone, or one of two contents.
cpblk open /dev/mapper/err-meta /dev/mapper/err-data
cpblk create gone 1M
dev=$(dev_for gone)
# Nothing is left to do in the background, which would fail first.
cpblk sync --reclaim err
under err-meta error
expect_fail "gone is removed, but the store has failed" cpblk remove gone
[ ! -e "$dev" ] || fail "what was removed has a device"
expect_fail "not flushed" cpblk close err
under err-meta linear "$meta" 0
cpblk open /dev/mapper/err-meta /dev/mapper/err-data
cpblk create back 1M
dev=$(dev_for back)
noise write "$dev" 0 1
cpblk snap back
sum=$(noise sum "$dev" 0 1)
noise write "$dev" 0 1
generation=$(<"/sys/block/${dev##*/}/cpblk/generation")
exec 9<"$dev"
dd if="$dev" of=/dev/null bs=1M status=none
cpblk sync --reclaim err
under err-meta error
expect_fail "it is restored, but the store has failed" cpblk restore back@v1
[ "$(noise sum "$dev" 0 1)" = "$sum" ] || fail "it is not restored"
dd if="$dev" of=/tmp/cached bs=1M status=none
dd if="$dev" of=/tmp/read bs=1M iflag=direct status=none
cmp /tmp/cached /tmp/read
rm /tmp/cached /tmp/read
[ "$(<"/sys/block/${dev##*/}/cpblk/generation")" != "$generation" ] ||
	fail "the generation is the one of before"
exec 9<&-
expect_fail "not flushed" cpblk close err
under err-meta linear "$meta" 0
ok "removed and restored when the store failed"

cpblk open /dev/mapper/err-meta /dev/mapper/err-data
finish_store err /dev/mapper/err-meta /dev/mapper/err-data

# sliced NAME [CACHE_MB]: a store on a slice, NAME-data, with a volume of 2 MiB
sliced()
{
	make_null_blk "$1-meta" 16
	meta=$REPLY
	make_null_blk "$1-disk" 16 "${@:2}"
	data=$REPLY
	slice "$1-data" "$data"
	cpblk format "$1" "$meta" "/dev/mapper/$1-data"
	cpblk open "$meta" "/dev/mapper/$1-data"
	cpblk create vm 2M
	dev=$(dev_for vm)
}

# After a write that failed a flush asks the device, although nothing was written
# since the last one: filesystems count on that. It fails before anything is written
# if what it merges into can't be read.
sliced part 1
dd if=/dev/urandom of="$dev" bs=4k count=1 oflag=direct conv=fsync status=none
sync "$dev"
under part-data flakey "$data" 0 0 100
expect_fail "Input/output error" dd if=/dev/zero of="$dev" bs=512 count=1 oflag=direct status=none
expect_fail "Input/output error" sync "$dev"
under part-data linear "$data" 0
expect_fail "not flushed|read-only" cpblk close part
cpblk open "$meta" /dev/mapper/part-data
ok "a flush after a write that failed"
finish_store part "$meta" /dev/mapper/part-data

# One read that is two of the disk's: the second one fails at once, and the first is
# slow and ends well. The block layer keeps the error where that one's state is.
sliced two
noise write "$dev" 0 1
printf 'the last of it! %.0s' {1..256} |
	dd of="$dev" bs=4k seek=256 count=1 iflag=fullblock oflag=direct status=none
bytes=$(((1 << 20) + 4096))
[ "$(scattered "$dev" $bytes)" = $bytes ] || fail "a whole read is not one"
at=$(strings -t d -n 30 "$data" | awk '/the last of it/ && !n++ { print $1 / 512 }')
all=$(blockdev --getsz "$data")
dmsetup load two-data <<-EOT
	0 $at delay $data 0 300
	$at 8 error
	$((at + 8)) $((all - at - 8)) delay $data $((at + 8)) 300
EOT
dmsetup suspend --nolockfs two-data
dmsetup resume two-data
expect_fail "Input/output error" scattered "$dev" $bytes
[ "$(scattered "$dev" $((1 << 20)))" = $((1 << 20)) ] || fail "the first part can't be read"
under two-data linear "$data" 0
ok "an error of a part of a read"
finish_store two "$meta" /dev/mapper/two-data
