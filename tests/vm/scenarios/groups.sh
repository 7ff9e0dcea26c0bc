#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Groups: checkpoints and restores of several volumes, all or none. Many forks
# at once, and what udev makes of them.
#
# timeout: 120
# kernels: 6.1 6.12
# modules: null_blk ext4

. "${0%/*}/lib.sh"

start_udev
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

# It is one write to the journal, replayed as one.
writes()
{
	cpblk status --json | number_of journal_commits
}

cpblk close
cpblk open "$META" "$DATA"
cpblk group @web | grep -c web | grep -x 2 || fail "the group was forgotten"
mkfs.ext4 -q -U 11111111-2222-3333-4444-555555555555 "$(dev_for c)"
cpblk snap c@golden
udevadm settle
golden=$(readlink -f /dev/disk/by-uuid/11111111-2222-3333-4444-555555555555)
[ "$golden" = "$(dev_for c)" ] || fail "the filesystem is found on $golden"
before=$(writes)
start=$(date +%s%N)
cpblk fork --no-scan c@golden vm{1..100} >/tmp/forks
figure fork_100_ms $((($(date +%s%N) - start) / 1000000))
after=$(writes)
[ $((after - before)) -le 2 ] || fail "$((after - before)) writes to the journal"
[ "$(wc -l </tmp/forks)" = 100 ] || fail "$(wc -l </tmp/forks) forks"
expect_fail "there is a volume 'vm7' already" cpblk fork c@golden new1 new2 vm7
cpblk ls | grep -w new1 && fail "some of the volumes were made"

# Hidden from scans, but with a serial number of their own, also the next time.
serials()
{
	udevadm settle
	udevadm info --export-db | awk -F= '
		/^E: CPBLK_NAME=vm[0-9]/ { name = $2 }
		/^E: ID_SERIAL=/ { serial = $2 }
		/^$/ { if (name) print name, serial; name = serial = "" }' | sort
}

serials >/tmp/serials
[ "$(cut -d " " -f 2 /tmp/serials | sort -u | grep -c .)" = 100 ] || fail "serial numbers are not distinct"
golden=$(readlink -f /dev/disk/by-uuid/11111111-2222-3333-4444-555555555555)
[ "$golden" = "$(dev_for c)" ] || fail "a fork was taken for the original: $golden"
udevadm info -q property "$(dev_for vm1)" | grep ID_FS_UUID && fail "a fork was scanned"
cpblk close
cpblk open "$META" "$DATA"
serials | cmp - /tmp/serials || fail "serial numbers have changed"
[ -e "/dev/disk/by-id/cpblk-$(head -n 1 /tmp/serials | cut -d " " -f 2)" ] || fail "no link by serial"
ok "100 forks: distinct, stable, and not taken for the original"
finish_store tank "$META" "$DATA"
