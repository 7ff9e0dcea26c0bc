# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What is not I/O: how long checkpoints, restores, forks and deletions take with
# few and with many extents, and opening; how long a stream of writes stalls; what
# metadata is written and how much memory the maps take.
#
# Data is dropped here, but for the label at the beginning of a store: the maps are
# what this is about, and data for five million extents has no room in memory.

# How many times in each round.
TIMES=5

# samples PREFIX SUFFIX PEER: of lines "WHAT VALUE"
samples()
{
	local what value

	while read -r what value; do
		tell "SAMPLE $1$what$2 $3 $ROUND $value"
	done
}

# ---- On the devices of the I/O, with the maps that it left

stalls()
{
	local peer

	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		for peer in thin xfs cpblk; do
			peer_disk $peer
			peer_taker $peer
			! wanted stall || {
				stall "$DISK" 3 $TIMES "${TAKER[@]}" >/tmp/lines
				samples "$DEVICE.stall." "" $peer </tmp/lines
			}
			! wanted ops || {
				latency ops "$DISK" $TIMES "${TAKER[@]}" >/tmp/lines
				samples "$DEVICE.ops." "" $peer </tmp/lines
			}
		done
	done
}

# ---- Stores without data

# make_empty NAME META_MB [SETTING...]: sets META, whose pages are all there, and
# DATA, which has none
make_empty()
{
	local sectors=$((32 << 21)) label

	SET=$1
	SETTINGS=("${@:3}")
	make_device meta "$2"
	dm meta "0 $(sectors "${DEV[meta]}") linear ${DEV[meta]} 0"
	META=/dev/mapper/$1-meta
	make_device label 1
	label=${DEV[label]}
	make_null_blk "$1-none" $((sectors / 2048)) "$CACHE_MB" memory_backed=0
	DEV[none]=$REPLY
	dm data "0 2048 linear $label 0
2048 $((sectors - 2048)) linear $REPLY 0"
	DATA=/dev/mapper/$1-data
}

# new_store NAME META_MB SIZE: open, with a volume "vm" of that size
new_store()
{
	make_empty "$1" "$2"
	cpblk format "$1" "$META" "$DATA"
	cpblk open "$META" "$DATA"
	at_exit cpblk close "$1"
	cpblk -s "$1" create vm "$3"
}

# KiB that nobody has, or that hold pages of files. Free pages that a CPU keeps for
# itself are not in MemFree.
memory_left()
{
	echo 1 >/proc/sys/vm/drop_caches
	awk '/^(MemFree|Buffers|Cached):/ { sum += $2 }
		$1 == "count:" { sum += 4 * $2 }
		END { printf "%d\n", sum }' /proc/meminfo /proc/zoneinfo
}

# make_mapped EXTENTS: a store mN with a volume of so many extents
make_mapped()
{
	local before

	new_store "m$1" $((64 + $1 / 5000)) 64G
	before=$(memory_left)
	map "$(dev_for "m$1/vm")" "$1"
	cpblk sync "m$1"
	ROUND=1
	! wanted memory || awk -v b=$((before - $(memory_left))) -v n="$1" \
		'BEGIN { print "memory", b * 1024 / n }' | samples "" ".$1" cpblk
	tell "INFO $1 extents are mapped"
}

# thin_mapped BLOCKS: a thin device tN with so many
thin_mapped()
{
	make_empty "t$1" 128
	dm pool "0 $(sectors "$DATA") thin-pool $META $DATA 128 0 1 skip_block_zeroing"
	dmsetup message "t$1-pool" 0 "create_thin 0"
	dm thin "0 $((16 << 21)) thin /dev/mapper/t$1-pool 0"
	map "/dev/mapper/t$1-thin" "$1" 0 16
	tell "INFO $1 blocks of dm-thin are mapped"
}

op_rounds()
{
	local n disk

	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		for n in $EXTENTS; do
			disk=$(dev_for "m$n/vm")
			latency ops "$disk" $TIMES cpblk "m$n" vm >/tmp/lines
			samples ops. ".$n" cpblk </tmp/lines
		done
		for n in $THIN_BLOCKS; do
			latency ops "/dev/mapper/t$n-thin" $TIMES thin "t$n-pool" "t$n-thin" \
				>/tmp/lines
			samples ops. ".$n" thin </tmp/lines
		done
	done
}

# under NAME TARGET...: what is below its metadata device from now on
under()
{
	local size

	size=$(sectors "/dev/mapper/$1-meta")
	dmsetup load "$1-meta" --table "0 $size ${*:2}"
	dmsetup suspend --nolockfs "$1-meta"
	dmsetup resume "$1-meta"
}

# open_again HOW EXTENTS
open_again()
{
	latency open "/dev/mapper/m$2-meta" "/dev/mapper/m$2-data" >/tmp/lines
	sed -i "s/^open/$1/" /tmp/lines
	samples open. ".$2" cpblk </tmp/lines
}

# After closing, and after the metadata device was gone all of a sudden, with the
# same writes in the journal.
open_rounds()
{
	local n below

	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		for n in $EXTENTS; do
			cpblk close "m$n"
			open_again clean "$n"
			cpblk sync "m$n"
			map "$(dev_for "m$n/vm")" 5000 "$ROUND"
			dd if=/dev/zero of="$(dev_for "m$n/vm")" bs=4k count=1 \
				conv=fsync,notrunc status=none
			below=$(dmsetup table "m$n-meta" | cut -d ' ' -f 4)
			under "m$n" error
			expect_fail "not flushed" cpblk close "m$n"
			under "m$n" linear "$below" 0
			open_again crash "$n"
		done
	done
}

# ---- Metadata for each write: whole transactions of random writes, 1 GiB

transactions()
{
	cpblk status --json "$1" | number_of txn
}

# written: sets META_BYTES and CHUNKS, which the devices have taken
written()
{
	local stat

	read -ra stat <"/sys/block/$1/stat"
	META_BYTES=$((stat[6] * 512))
	read -ra stat <"/sys/block/$2/stat"
	CHUNKS=$((stat[6] / 8))
}

# next_transaction: waits until there is one
next_transaction()
{
	local txn

	txn=$(transactions "$1")
	until [ "$(transactions "$1")" != "$txn" ]; do
		sleep 0.2
	done
}

metadata()
{
	local meta data pid bytes chunks

	new_store metadata 256 1G
	meta=${DEV[meta]#/dev/} data=${DEV[none]#/dev/}
	dd if=/dev/zero of="$(dev_for metadata/vm)" bs=1M count=1024 oflag=direct status=none
	fio --name=bench --filename="$(dev_for metadata/vm)" --eta=never --direct=1 \
		--ioengine=io_uring --rw=randwrite --bs=4k --iodepth=32 --norandommap \
		--time_based --runtime=600 --output=/tmp/fio.metadata &
	pid=$!
	# One to come to the steady state.
	next_transaction metadata
	next_transaction metadata
	written "$meta" "$data"
	bytes=$META_BYTES chunks=$CHUNKS
	next_transaction metadata
	next_transaction metadata
	written "$meta" "$data"
	kill -INT $pid
	wait $pid || :
	ROUND=1
	awk -v b=$((META_BYTES - bytes)) -v n=$((CHUNKS - chunks)) \
		'BEGIN { if (n) print "metadata_bytes", b / n }' | samples "" "" cpblk
	tell "INFO $((CHUNKS - chunks)) writes in two transactions"
}

# ---- A long history, and many volumes

# The store hN with N checkpoints of one volume; gN with N forks of one.
histories()
{
	local n

	for n in $MANY; do
		new_store "h$n" 1024 1G
		many make "h$n" vm "$n" 0
		tell "INFO $n checkpoints are there"
	done
	for n in $FORKS; do
		new_store "g$n" 256 1G
		many make "g$n" vm 1 0
		many forks "g$n" vm "$n" f
		tell "INFO $n forks are there"
	done
}

# as_they_are STORE ROW SUFFIX
as_they_are()
{
	latency ops "$(dev_for "$1/vm")" $TIMES cpblk "$1" vm >/tmp/lines
	latency list "$1" vm >>/tmp/lines
	latency reopen "$1" "/dev/mapper/$1-meta" "/dev/mapper/$1-data" >>/tmp/lines
	samples "$2." "$3" cpblk </tmp/lines
}

history_rounds()
{
	local n

	for ((ROUND = 1; ROUND <= ROUNDS; ROUND++)); do
		for n in $MANY; do
			as_they_are "h$n" many ".$n"
		done
		for n in $FORKS; do
			as_they_are "g$n" forks ".$n"
		done
	done
}

# ---- All of it

operations()
{
	local n

	! wanted many || {
		histories
		history_rounds
		drop_set
	}

	! wanted metadata || {
		metadata
		drop_set
	}
	wanted ops || wanted open || wanted memory || return 0
	for n in $EXTENTS; do
		make_mapped "$n"
	done
	! wanted ops || {
		for n in $THIN_BLOCKS; do
			thin_mapped "$n"
		done
		op_rounds
	}
	! wanted open || open_rounds
	drop_set
}

expect_all()
{
	local peer n what

	expect_io
	! wanted stall || [[ " $DEVICES " != *" ram "* ]] || {
		for peer in thin xfs cpblk; do
			for what in p999 quiet checkpoint checkpoint-took; do
				tell "EXPECT ram.stall.$what $peer $ROUNDS"
			done
		done
		tell "EXPECT ram.stall.restore cpblk $ROUNDS"
	}
	! wanted ops || {
		[[ " $DEVICES " != *" ram "* ]] || for peer in thin xfs cpblk; do
			tell "EXPECT ram.ops.checkpoint $peer $ROUNDS"
		done
		for n in $EXTENTS; do
			for what in checkpoint restore fork remove delete; do
				tell "EXPECT ops.$what.$n cpblk $ROUNDS"
			done
		done
		for n in $THIN_BLOCKS; do
			tell "EXPECT ops.checkpoint.$n thin $ROUNDS"
			tell "EXPECT ops.delete.$n thin $ROUNDS"
		done
	}
	! wanted open || for n in $EXTENTS; do
		tell "EXPECT open.clean.$n cpblk $ROUNDS"
		tell "EXPECT open.crash.$n cpblk $ROUNDS"
	done
	! wanted memory || for n in $EXTENTS; do
		tell "EXPECT memory.$n cpblk 1"
	done
	! wanted many || for what in checkpoint restore fork remove delete list volumes \
		close open; do
		for n in $MANY; do
			tell "EXPECT many.$what.$n cpblk $ROUNDS"
		done
		for n in $FORKS; do
			tell "EXPECT forks.$what.$n cpblk $ROUNDS"
		done
	done
	! wanted metadata || tell "EXPECT metadata_bytes cpblk 1"
}
