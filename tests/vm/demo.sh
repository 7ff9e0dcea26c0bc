#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tour: a disk full of real files is destroyed, and restored in
# milliseconds. Shown on the terminal by "make demo".
#
# timeout: 170
# disks: 256M 8G
# modules: ext4
# kernel-headers: yes

. "${0%/*}/lib.sh"

STEP=0

# chapter TEXT: what comes next.
chapter()
{
	STEP=$((STEP + 1))
	printf '\n\e[1m%d. %s\e[0m\n' $STEP "$*"
}

# typed COMMAND...: as if it were typed, without running it.
typed()
{
	printf '\e[32m$\e[0m %s\n' "${*@Q}" |
		sed "s/'\([a-zA-Z0-9@/.,=_:+*-]*\)'/\1/g"
}

show()
{
	typed "$@"
	"$@"
}

tell()
{
	printf '  %s\n' "$@"
}

# timed COMMAND...: as if it were typed; sets MS to what the kernel says it took.
timed()
{
	local report

	report=$(show "$@" | tee /dev/ttyS1) || return
	report=${report##*durable after }
	MS=${report%%)*}
}

checksums()
{
	(cd /mnt && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

start_udev 2>/dev/null
mkdir -p /mnt
printf '\e[1mcpblk on Linux %s: two disks, %s and %s\e[0m\n' "$(uname -r)" \
	"$(lsblk -dno SIZE /dev/vda | tr -d ' ')" "$(lsblk -dno SIZE /dev/vdb | tr -d ' ')"

chapter "A store on two disks, and a disk of 64 GiB in it, larger than both"
show cpblk format tank /dev/vda /dev/vdb
show cpblk open /dev/vda /dev/vdb
show cpblk create vm1 64G
disk=/dev/cpblk/tank/vm1

chapter "A filesystem with the source files of a Linux kernel's headers"
show mkfs.ext4 -q $disk
show mount $disk /mnt
show tar -C /mnt -xf /cpblk/headers.tar
sync
checksums >/tmp/before
files=$(wc -l </tmp/before)
tell "$files files, $(du -sh /mnt | cut -f 1), a checksum of each taken"
[ "$files" -ge 10000 ] || fail "only $files files"

chapter "A checkpoint, with the filesystem mounted"
sync
timed cpblk snap vm1 -m "all is well"
snap=$MS

chapter "Disaster: every file deleted, random bytes over the start and the middle"
typed rm -rf "/mnt/*"
mnt=/mnt
rm -rf "${mnt:?}"/*
tell "$(find /mnt -type f | wc -l) files left"
umount /mnt
show dd if=/dev/urandom of=$disk bs=1M count=64 oflag=direct status=none
show dd if=/dev/urandom of=$disk bs=1M count=64 seek=32K oflag=direct status=none
! mount $disk /mnt 2>/tmp/mount || fail "the disk is not damaged"
tell "$(sed 's/^/mount: /; s/mount: mount: /mount: /; q' /tmp/mount)"

chapter "Back again"
timed cpblk restore vm1@v1
restore=$MS
show mount $disk /mnt
checksums >/tmp/after
cmp /tmp/before /tmp/after || fail "the files differ"
tell "all $files files are there, and every checksum is equal"
umount /mnt
typed e2fsck -fn $disk
e2fsck -fn $disk >/tmp/fsck 2>&1 || fail "e2fsck: $(cat /tmp/fsck)"
tell "e2fsck finds nothing wrong: $(tail -n 1 /tmp/fsck | sed 's/^[^:]*: //')"

chapter "Nothing is lost, not even the disaster: 'cpblk undo vm1' would bring it back"
show cpblk log

chapter "A second disk from the checkpoint, at once, sharing all its data"
show cpblk fork vm1@v1 vm2
mount /dev/cpblk/tank/vm2 /mnt
echo "only here" >/mnt/new
tell "$(find /mnt -type f | wc -l) files on vm2, one of them new"
umount /mnt
mount $disk /mnt
tell "$(find /mnt -type f | wc -l) files on vm1"
umount /mnt
show cpblk log
show cpblk status
show cpblk close

report=$(cpblk check --json /dev/vda /dev/vdb)
[ "$(number_of chunks_allocated <<<"$report")" = \
	"$(number_of chunks_reachable <<<"$report")" ] || fail "chunks leaked"
printf '\n\e[1mA disk of 64 GiB: checkpoint in %s, restore in %s (kernel time, until durable)\e[0m\n' \
	"$snap" "$restore"
