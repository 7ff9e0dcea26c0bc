# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# I/O: what fio is told for each row, and the order of things in a round.
#
# A row's name is DEVICES.JOB, and behind that a phase: nothing, before there is
# a checkpoint; ".after" one was taken; ".5hz", one is taken each 200 ms. IOPS, or
# MiB/s where it is in sequence.

# Once through a fresh volume is soon done, and not the same twice: so often a round.
PASSES=3

# Rates that a bar compares, on ram: PHASE JOB PEER. The speed of an emulated
# machine changes by a factor of two from one second to the next with what its
# neighbours leave it of the cache, so these are measured RACES times more, briefly
# and one right after the other. In sequence first, while the volume is fresh.
RACED_FRESH=(
	"fresh seqwrite linear"
	"fresh seqwrite cpblk"
	"fresh seqread linear"
	"fresh seqread cpblk"
)
RACED=(
	"before randwrite linear"
	"before randwrite cpblk"
	"after randwrite cpblk"
	"5hz randwrite cpblk"
	"before randread linear"
	"before randread cpblk"
	"before fsync1 raw"
	"before fsync1 cpblk"
	"after fsync1 cpblk"
)

# No two runs of fio choose the same places.
SEED=0

# wanted NAME: was it asked for?
wanted()
{
	[ "$ROWS" = all ] || [[ " $ROWS " = *" $1 "* ]]
}

# jobs_of DEVICE PEER PHASE: sets JOBS
jobs_of()
{
	local job all=()

	case $1.$3 in
	ram.fresh)
		all=(firstwrite seqwrite seqread) ;;
	ram.*)
		all=(randread randwrite mixed seqreadold seqwriteold fsync1 fsync16) ;;
	200us.before)
		all=(randread randwrite fsync1 fsync16) ;;
	200us.after)
		all=(randwrite fsync1) ;;
	2ms.before)
		all=(fsync1 fsync16) ;;
	2ms.after)
		all=(fsync1) ;;
	esac
	case $2.$3 in
	raw.after | linear.after | raw.5hz | linear.5hz | snapshot.5hz)
		all=() ;;
	esac
	JOBS=()
	for job in "${all[@]}"; do
		! wanted "$job" || JOBS+=("$job")
	done
}

# name_of JOB PHASE: sets ROW
name_of()
{
	ROW=$DEVICE.$1
	case $2 in
	after | 5hz)	ROW+=.$2 ;;
	esac
}

# args_of JOB: sets ARGS
args_of()
{
	ARGS=(--time_based --runtime="$TIME" --norandommap --bs=4k --iodepth=32)
	case $1 in
	randread)	ARGS+=(--rw=randread) ;;
	randwrite)	ARGS+=(--rw=randwrite) ;;
	mixed)		ARGS+=(--rw=randrw --rwmixread=70) ;;
	seqreadold)	ARGS+=(--rw=read --bs=128k) ;;
	seqwriteold)	ARGS+=(--rw=write --bs=128k) ;;
	fsync1)		ARGS+=(--rw=randwrite --iodepth=1 --fsync=1) ;;
	fsync16)	ARGS+=(--rw=randwrite --iodepth=1 --fsync=1 --numjobs=16) ;;
	# Each place once: what is written twice is not fresh.
	firstwrite)	ARGS=(--runtime="$TIME" --bs=4k --iodepth=32 --rw=randwrite) ;;
	seqwrite)	ARGS=(--bs=128k --iodepth=32 --rw=write) ;;
	seqread)	ARGS+=(--rw=read --bs=128k) ;;
	esac
}

# count: sets FLUSHES and BYTES, what the devices BELOW completed so far, and
# METABYTES, those of META
count()
{
	local disk stat

	FLUSHES=0 BYTES=0 METABYTES=0
	for disk in "${BELOW[@]}"; do
		read -ra stat <"/sys/block/${disk#/dev/}/stat"
		FLUSHES=$((FLUSHES + stat[15]))
		BYTES=$((BYTES + stat[6] * 512))
		[ "$disk" != "$META" ] || METABYTES=$((stat[6] * 512))
	done
}

# io JOB PHASE PEER: one measurement, with what it cost below where it writes
io()
{
	local flushes bytes metabytes fields value writes

	name_of "$1" "$2"
	args_of "$1"
	peer_disk "$3"
	peer_below "$3"
	count
	flushes=$FLUSHES bytes=$BYTES metabytes=$METABYTES
	fio --name=bench --filename="$DISK" --eta=never --direct=1 --ioengine=io_uring \
		--group_reporting --output-format=terse --terse-version=3 \
		--randseed=$((++SEED)) --output=/tmp/fio.out "${ARGS[@]}"
	count
	IFS=';' read -ra fields < <(grep '^3;' /tmp/fio.out)
	case $1 in
	seq*)	value=$(((fields[6] + fields[47]) / 1024)) ;;
	*)	value=$((fields[7] + fields[48])) ;;
	esac
	tell "SAMPLE $ROW $3 $ROUND $value"

	case $1 in
	randwrite | fsync*)
		writes=$((fields[46] / 4))
		awk -v row="$ROW" -v peer="$3 $ROUND" -v n=$writes \
			-v f=$((FLUSHES - flushes)) -v b=$((BYTES - bytes)) \
			-v m=$((METABYTES - metabytes)) -v meta="$META" 'BEGIN {
			if (!n)
				exit
			print "SAMPLE", row ".flushes", peer, f / n
			print "SAMPLE", row ".written", peer, b / n / 4096
			if (meta)
				print "SAMPLE", row ".metabytes", peer, m / n
		}' | tee /dev/ttyS1
		;;
	esac
}

# one PHASE JOB PEER
one()
{
	local pid keep

	case $1 in
	fresh)
		[ "$2" = seqread ] || peer_fresh "$3"
		io "$2" "$1" "$3"
		;;
	before)
		io "$2" "$1" "$3"
		;;
	after)
		peer_take "$3"
		io "$2" "$1" "$3"
		peer_drop "$3"
		;;
	5hz)
		peer_taker "$3"
		# What is written in sequence is too much to keep.
		keep=1000
		[ "$2" != seqwriteold ] || keep=2
		take every 200 $keep "/tmp/taken-$SET-$3" "${TAKER[@]}" >/tmp/taken &
		pid=$!
		io "$2" "$1" "$3"
		kill $pid
		wait $pid
		tell "INFO $DEVICE $2 $3: $(</tmp/taken) checkpoints"
		peer_drop "$3"
		;;
	esac
}

# each PHASE JOB: with one peer after the other
each()
{
	local peer

	for peer in "${PEERS[@]}"; do
		jobs_of "$DEVICE" "$peer" "$1"
		[[ " ${JOBS[*]} " = *" $2 "* ]] || continue
		one "$1" "$2" "$peer"
		# The file below XFS is in the page cache. Written back later, it would take
		# time from others; kept, memory, and their metadata would be read again.
		[ "$peer" != xfs ] || {
			sync
			echo 1 >/proc/sys/vm/drop_caches
		}
	done
}

# io_round: what is compared comes close together, as the machine may be slower for
# a while; what needs a fresh volume comes first, and what is read at random was
# written at random, so that there is a map to look it up in
io_round()
{
	local phase job pass TIME=${RUNTIME}s

	each fresh firstwrite
	for ((pass = 0; pass < PASSES; pass++)); do
		each fresh seqwrite
	done
	each fresh seqread
	for job in randwrite randread mixed seqreadold seqwriteold fsync1 fsync16; do
		for phase in before after 5hz; do
			each $phase $job
		done
	done
}

# race WHAT...: each of these once
race()
{
	local what phase job peer TIME=500ms

	for what; do
		read -r phase job peer <<<"$what"
		! wanted "$job" || one "$phase" "$job" "$peer"
	done
}

races()
{
	local i

	for ((i = 1; i <= RACES; i++)); do
		ROUND=$((ROUNDS + i))
		race "${RACED_FRESH[@]}"
	done
	for ((i = 1; i <= RACES; i++)); do
		ROUND=$((ROUNDS + i))
		race "${RACED[@]}"
	done
}

# raced PHASE JOB PEER: sets COUNT, how often
raced()
{
	local what

	COUNT=0
	[ "$DEVICE" = ram ] || return 0
	for what in "${RACED_FRESH[@]}" "${RACED[@]}"; do
		[ "$what" != "$*" ] || COUNT=$RACES
	done
}

# expect_io: what the rounds and races will measure
expect_io()
{
	local phase peer job count

	for DEVICE in $DEVICES; do
		for phase in fresh before after 5hz; do
			for peer in "${PEERS[@]}"; do
				jobs_of "$DEVICE" "$peer" $phase
				for job in "${JOBS[@]}"; do
					name_of "$job" $phase
					raced $phase "$job" "$peer"
					count=$ROUNDS
					[ "$job" != seqwrite ] || count=$((ROUNDS * PASSES))
					tell "EXPECT $ROW $peer $((count + COUNT))"
				done
			done
		done
	done
}
