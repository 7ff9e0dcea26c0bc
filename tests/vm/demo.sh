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

# show COMMAND...: as if it were typed.
show()
{
	printf '\e[32m$\e[0m %s\n' "${*@Q}" | sed "s/'\([a-zA-Z0-9@/.,=_:+-]*\)'/\1/g"
	"$@"
}

tell()
{
	printf '  %s\n' "$@"
}

# ms_of KEY JSON: nanoseconds in a report of cpblk, as milliseconds.
ms_of()
{
	awk -v ns="$(number_of "$1" <<<"$2")" 'BEGIN { printf "%.1f", ns / 1e6 }'
}

checksums()
{
	(cd /mnt && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

start_udev
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
tar -C /mnt -xf /cpblk/headers.tar
sync
checksums >/tmp/before
files=$(wc -l </tmp/before)
tell "$files files, $(du -sh /mnt | cut -f 1), a checksum of each taken"
[ "$files" -ge 10000 ] || fail "only $files files"

chapter "A checkpoint, with the filesystem mounted"
sync
show cpblk snap vm1 -m "all is well"
snap=$(cpblk snap --json vm1@again)

chapter "Disaster: every file deleted, random bytes over the middle of the disk"
find /mnt -mindepth 1 -delete
tell "all deleted: $(find /mnt -type f | wc -l) files left"
umount /mnt
show dd if=/dev/urandom of=$disk bs=1M seek=128 count=128 oflag=direct status=none
e2fsck -fn $disk >/tmp/fsck 2>&1 && fail "the disk is not damaged"
tell "e2fsck: $(grep -c '?' /tmp/fsck) complaints, the first: $(grep -m 1 '?' /tmp/fsck | cut -c 1-60)"

chapter "Back again"
restore=$(cpblk restore --json vm1@again)
tell "cpblk restore vm1@again: $(ms_of total_ns "$restore") ms"
show mount $disk /mnt
checksums >/tmp/after
cmp /tmp/before /tmp/after || fail "the files differ"
tell "all $files files are there, every checksum is equal"
umount /mnt
show e2fsck -fn $disk >/tmp/fsck 2>&1 || fail "e2fsck: $(cat /tmp/fsck)"
tell "e2fsck finds nothing: $(tail -n 1 /tmp/fsck | sed 's/.*: //')"

chapter "Nothing is lost, not even the disaster: it is in the history"
show cpblk log
tell "'cpblk undo vm1' would bring it back"

chapter "A second disk from the checkpoint, at once, sharing all its data"
show cpblk fork vm1@v1 vm2
mount /dev/cpblk/tank/vm2 /mnt
echo "only here" >/mnt/new
tell "$(find /mnt -type f | wc -l) files on the second disk, one of them new"
umount /mnt
mount $disk /mnt
tell "$(find /mnt -type f | wc -l) files on the first one"
umount /mnt
show cpblk log
show cpblk status
show cpblk close
leaked=$(cpblk check --json /dev/vda /dev/vdb)
[ "$(number_of chunks_allocated <<<"$leaked")" = \
	"$(number_of chunks_reachable <<<"$leaked")" ] || fail "chunks leaked"

printf '\n\e[1mOn a disk of 64 GiB: checkpoint %s ms, restore %s ms, in the kernel, until durable.\e[0m\n' \
	"$(ms_of total_ns "$snap")" "$(ms_of total_ns "$restore")"
