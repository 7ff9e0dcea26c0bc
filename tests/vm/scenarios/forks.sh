#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A hundred forks, and what udev makes of them.
#
# timeout: 120
# kernels: 6.1 6.12
# modules: null_blk ext4

. "${0%/*}/lib.sh"

start_udev
make_store tank 64 256
cpblk create c 32M
mkfs.ext4 -q -U 11111111-2222-3333-4444-555555555555 "$(dev_for c)"
cpblk snap c@golden

# original: what has the filesystem's UUID is the volume, and no fork
original()
{
	local golden

	udevadm settle
	golden=$(readlink -f /dev/disk/by-uuid/11111111-2222-3333-4444-555555555555)
	[ "$golden" = "$(dev_for c)" ] || fail "the filesystem is found on $golden"
}

original
start=$(date +%s%N)
cpblk fork --no-scan c@golden vm{1..100} >/tmp/forks
figure fork_100_ms $((($(date +%s%N) - start) / 1000000))

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
original
udevadm info -q property "$(dev_for vm1)" | grep ID_FS_UUID && fail "a fork was scanned"
cpblk close
cpblk open "$META" "$DATA"
serials | cmp - /tmp/serials || fail "serial numbers have changed"
[ -e "/dev/disk/by-id/cpblk-$(head -n 1 /tmp/serials | cut -d " " -f 2)" ] || fail "no link by serial"
ok "100 forks: distinct, stable, and not taken for the original"
finish_store tank "$META" "$DATA"
