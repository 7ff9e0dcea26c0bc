# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What cpblk is compared with, all on devices of the same kind. A set of devices
# is made and taken down as a whole; in it each peer has
#
#	peer_disk PEER		sets DISK, what is read and written
#	peer_below PEER		sets BELOW to the devices under it, and META to the one
#				of them that has only metadata, if there is one
#	peer_fresh PEER		a volume in which nothing was written, if the peer has
#				such a thing
#	peer_taker PEER		sets TAKER, the words by which taker.h knows it
#	peer_take, peer_drop	one checkpoint; none any more
#
# SET is the name of the set, V the size of each volume in MiB.

# In this order: cpblk right after those that most of its figures compare it with.
PEERS=(raw linear cpblk thin snapshot xfs)
# Checkpoints of the others; raw and linear have none.
TAKERS=(thin snapshot xfs cpblk)
declare -A DEV

# What null_blk has not written yet it has no memory for, and getting that takes
# longer than all the rest. So all of each device is written once; with FUA, which
# goes by the cache. And none takes discards, which give the memory back: cpblk sends
# them by itself, the others don't.
make_device()
{
	make_null_blk "$SET-$1" "$2" "$CACHE_MB" discard=0 "${SETTINGS[@]}"
	DEV[$1]=$REPLY
	dd if=/dev/zero of="$REPLY" bs=1M count="$2" oflag=direct,dsync status=none
}

# dm NAME TABLE...: a device-mapper device
dm()
{
	dmsetup create "$SET-$1" --table "${*:2}"
	at_exit dmsetup remove --retry "$SET-$1"
}

sectors()
{
	blockdev --getsz "$1"
}

# make_set SET V [SETTING...]
make_set()
{
	SET=$1
	V=$2
	SETTINGS=("${@:3}")
	# XFS wants 300 MiB. Ten checkpoints of all of a map that random writes have changed
	# must have room in the metadata.
	local big=$((V > 128 ? V * 5 / 2 : 384)) tree=$((V > 256 ? V / 4 : 64))
	local size=$((V * 2048))

	# Raw and dm-linear are the same device.
	make_device base "$V"
	dm linear 0 $size linear "${DEV[base]}" 0

	make_device thin-meta "$tree"
	make_device thin-data $big
	dm thin-pool 0 $((big * 2048)) thin-pool "${DEV[thin-meta]}" \
		"${DEV[thin-data]}" 128 0 1 skip_block_zeroing
	dmsetup message "$SET-thin-pool" 0 "create_thin 0"
	dm thin 0 $size thin "/dev/mapper/$SET-thin-pool" 0

	make_device org "$V"
	make_device cow $((V * 3 / 2))
	dm snapshot 0 $size snapshot-origin "${DEV[org]}"

	make_device xfs $big
	mkfs.xfs -q -f -K -m reflink=1 "${DEV[xfs]}"
	mkdir -p "/mnt/$SET"
	mount -o nodiscard "${DEV[xfs]}" "/mnt/$SET"
	at_exit umount "/mnt/$SET"
	LOOP=
	at_exit no_loop
	peer_fresh xfs

	make_device meta "$tree"
	make_device data $big
	cpblk format "$SET" "${DEV[meta]}" "${DEV[data]}"
	cpblk open "${DEV[meta]}" "${DEV[data]}"
	at_exit cpblk close "$SET"
	cpblk -s "$SET" create vol "${V}M"
}

# drop_set: all that at_exit was told since this
drop_set()
{
	local command

	for command in "${AT_EXIT[@]}"; do
		eval "$command"
	done
	AT_EXIT=()
	DEV=()
}

no_loop()
{
	[ -z "$LOOP" ] || losetup -d "$LOOP"
	LOOP=
}

peer_disk()
{
	case $1 in
	raw)	DISK=${DEV[base]} ;;
	xfs)	DISK=$LOOP ;;
	cpblk)	DISK=$(dev_for "$SET/vol") ;;
	*)	DISK=/dev/mapper/$SET-$1 ;;
	esac
}

peer_below()
{
	META=
	case $1 in
	raw | linear)	BELOW=("${DEV[base]}") ;;
	thin)		BELOW=("${DEV[thin-data]}" "${DEV[thin-meta]}")
			META=${DEV[thin-meta]} ;;
	snapshot)	BELOW=("${DEV[org]}" "${DEV[cow]}") ;;
	xfs)		BELOW=("${DEV[xfs]}") ;;
	cpblk)		BELOW=("${DEV[data]}" "${DEV[meta]}")
			META=${DEV[meta]} ;;
	esac
}

peer_fresh()
{
	case $1 in
	thin)
		dmsetup remove --retry "$SET-thin"
		dmsetup message "$SET-thin-pool" 0 "delete 0"
		dmsetup message "$SET-thin-pool" 0 "create_thin 0"
		dmsetup create "$SET-thin" --table \
			"0 $((V * 2048)) thin /dev/mapper/$SET-thin-pool 0"
		;;
	xfs)
		no_loop
		rm -f "/mnt/$SET/vol"
		truncate -s "${V}M" "/mnt/$SET/vol"
		LOOP=$(losetup -f --show --direct-io=on "/mnt/$SET/vol")
		;;
	cpblk)
		cpblk -s "$SET" remove vol
		cpblk sync --reclaim "$SET"
		cpblk -s "$SET" create vol "${V}M"
		;;
	esac
}

peer_taker()
{
	case $1 in
	thin)	TAKER=(thin "$SET-thin-pool" "$SET-thin") ;;
	xfs)	TAKER=(xfs "/mnt/$SET/vol" "/mnt/$SET") ;;
	cpblk)	TAKER=(cpblk "$SET" vol) ;;
	*)	return 1 ;;
	esac
}

# dm-snapshot's chunks have 4 KiB, as cpblk's. Its store is new each time.
peer_take()
{
	if [ "$1" != snapshot ]; then
		peer_taker "$1"
		take once "/tmp/taken-$SET-$1" "${TAKER[@]}"
		return
	fi
	dd if=/dev/zero of="${DEV[cow]}" bs=4k count=1 oflag=direct status=none
	dmsetup suspend "$SET-snapshot"
	dmsetup create "$SET-snap" --table \
		"0 $((V * 2048)) snapshot ${DEV[org]} ${DEV[cow]} P 8"
	dmsetup resume "$SET-snapshot"
}

peer_drop()
{
	if [ "$1" = snapshot ]; then
		dmsetup remove --retry "$SET-snap"
	else
		peer_taker "$1"
		take drop "/tmp/taken-$SET-$1" "${TAKER[@]}"
	fi
	# What is left to free in the background would be at work while others are measured.
	case $1 in
	cpblk)
		cpblk sync --reclaim "$SET"
		;;
	xfs)
		fsfreeze -f "/mnt/$SET"
		fsfreeze -u "/mnt/$SET"
		;;
	esac
}
