#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Groups: checkpoints and restores of several volumes, all or none; and many forks
# at once.
#
# kmemleak: no
# timeout: 120
# modules: null_blk ext4
# programs: lists

. "${0%/*}/lib.sh"

make_store tank 64 256
cpblk create a 32M
cpblk create b 32M
cpblk create c 32M
cpblk group @web a b
cpblk group | grep -E 'tank +web +a'

# put VOLUME TEXT, content VOLUME
put()
{
	echo "$2" | dd of="$(dev_for "$1")" bs=4096 conv=sync oflag=direct status=none
}

content()
{
	dd if="$(dev_for "$1")" bs=4096 count=1 iflag=direct status=none | head -n 1
}

put a old-a
put b old-b
put c old-c
cpblk snap @web@one
put a new-a
put b new-b
put c new-c

# A restore of all, which shares the name of its safety checkpoints.
cpblk restore @web@one
[ "$(content a) $(content b) $(content c)" = "old-a old-b new-c" ] ||
	fail "restored: $(content a) $(content b) $(content c)"
cpblk ls a | grep before-restore-1
cpblk ls b | grep before-restore-1
cpblk undo @web
[ "$(content a) $(content b)" = "new-a new-b" ] || fail "undone: $(content a) $(content b)"

# All or none.
cpblk snap b@two
expect_fail "volume a is not restored, nor are the others" cpblk restore @web@two
expect_fail "there is a checkpoint b@two already" cpblk snap @web@two
cpblk ls a | grep two && fail "a checkpoint was taken that was refused"
mkfs.ext4 -q "$(dev_for b)"
mkdir -p /mnt/b
mount "$(dev_for b)" /mnt/b
expect_fail "is mounted or held" cpblk restore @web@one
[ "$(content a)" = new-a ] || fail "half a group was restored"
umount /mnt/b
expect_fail "its generation is 2, not 1" cpblk restore -g 1 a@one
cpblk restore -g 2 a@one
[ "$(cat "/sys/block/$(basename "$(dev_for a)")/cpblk/generation")" = 3 ] ||
	fail "the generation in sysfs is another one"
ok "groups are restored whole or not at all"

# Many forks are one write to the journal, replayed as one.
writes()
{
	cpblk status --json | number_of journal_commits
}

nr=$(by_speed 100 20)
forks=()
for ((i = 1; i <= nr; i++)); do
	forks+=("vm$i")
done
cpblk close
cpblk open "$META" "$DATA"
cpblk group @web | grep -c web | grep -x 2 || fail "the group was forgotten"
cpblk snap c@golden
before=$(writes)
cpblk fork --no-scan c@golden "${forks[@]}" >/tmp/forks
after=$(writes)
[ $((after - before)) -le 2 ] || fail "$((after - before)) writes to the journal"
[ "$(wc -l </tmp/forks)" = "$nr" ] || fail "$(wc -l </tmp/forks) forks"
[ "$(content "vm$nr")" = new-c ] || fail "a fork has $(content "vm$nr")"
expect_fail "there is a volume 'vm7' already" cpblk fork c@golden new1 new2 vm7
cpblk ls | grep -w new1 && fail "some of the volumes were made"
cpblk close
cpblk open "$META" "$DATA"
[ "$(cpblk ls | grep -c 'vm[0-9]')" = "$nr" ] || fail "forks are missing: $(cpblk ls)"
ok "$nr forks are made at once, or none"
finish_store tank "$META" "$DATA"

# The journal is slow, so that an operation goes on when all that it changes has. What
# the debug kernel gets fits into one message: that it is torn is not to be seen there.
make_null_blk slow-meta 64 0 irqmode=2 completion_nsec=5000000
META=$REPLY
make_null_blk slow-data 64
DATA=$REPLY
cpblk format slow "$META" "$DATA"
cpblk open "$META" "$DATA"
cpblk create first 1M
cpblk snap first@golden
forks=()
for ((i = 1; i <= $(by_speed 200 20); i++)); do
	forks+=("vm$i")
done
cpblk fork --no-scan first@golden "${forks[@]}" >/tmp/forks
lists slow first "${forks[-1]}" 3
ok "a list is of one moment"
finish_store slow "$META" "$DATA"
