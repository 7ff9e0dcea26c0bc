# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What scenarios share. A scenario starts with
#
#	. "${0%/*}/lib.sh"
#
# and passes if it gets to its end: any command that fails ends it.

set -Eeuo pipefail
trap 'failed "line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND"' ERR

# Says so in the log, and keeps the first failure for the harness's verdict.
failed()
{
	echo "FAILED: $*" >&2
	[ -s /tmp/failure ] || echo "$*" >/tmp/failure
}

# Device-mapper programs make their device nodes themselves, until there is udev.
export DM_DISABLE_UDEV=1

# at_exit COMMAND...: runs when the scenario ends, last come first served.
AT_EXIT=()
at_exit()
{
	AT_EXIT=("$(printf '%q ' "$@")" "${AT_EXIT[@]}")
}

# A scenario that fails leaves stores open: they would be in the way of its
# at_exit commands, and hide why it failed behind a module that does not unload.
close_all()
{
	local disk name pid

	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null
	done
	wait
	for disk in /dev/cpblk[0-9]*; do
		while umount "$disk" 2>/dev/null; do :; done
	done
	cpblk status | sed -n 's/^store \([^ ]*\) .*/\1/p' | while read -r name; do
		cpblk close "$name"
	done
}

run_at_exit()
{
	local rc=$? command

	trap - ERR
	set +e
	[ $rc = 0 ] || [ ! -e /sys/module/cpblk ] || close_all
	for command in "${AT_EXIT[@]}"; do
		eval "$command" || {
			failed "at exit: $command"
			[ $rc -ne 0 ] || rc=1
		}
	done
	exit $rc
}
trap run_at_exit EXIT

# fail MESSAGE...: ends the scenario.
fail()
{
	trap - ERR
	failed "line ${BASH_LINENO[0]}: $*"
	exit 1
}

# ok MESSAGE...: says what was shown to work, and when, for the reader of the log.
ok()
{
	echo "ok: $* ($SECONDS s)"
}

# expect_fail REGEX COMMAND...: the command must fail, and say why.
expect_fail()
{
	local regex=$1 output rc=0

	shift
	output=$("$@" 2>&1) || rc=$?
	[ $rc -ne 0 ] || fail "succeeded, but must fail: $*"
	# 128 and more is death by a signal: no way to refuse.
	[ $rc -lt 124 ] || fail "died with $rc: $*: $output"
	[[ $output =~ $regex ]] || fail "said '$output', not '$regex': $*"
	ok "refused: $*: $output"
}

# figure NAME VALUE: a measurement, shown by the host.
figure()
{
	echo "FIGURE $1 $2"
	echo "FIGURE $1 $2" >/dev/ttyS1
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for()
{
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "never came true: $*"
		sleep 0.1
	done
}

# has REGEX: in what comes, of which it reads all: a "grep -q", or one with /dev/null for
# its output, ends at the first match, and who still writes then fails for it.
has()
{
	grep "$@" | cat >/dev/null
}

# seed: a number that each kernel has one of its own of.
seed()
{
	echo $((16#$(uname -r | sha256sum | head -c 6)))
}

# points HOW COMMAND...: a program that cuts the power; its last line says how
# often, and how often what was left was wrong.
points()
{
	local how=$1 rc=0 last

	shift
	"$@" >/tmp/points 2>/tmp/points.errors || rc=$?
	cat /tmp/points /tmp/points.errors
	last=$(tail -n 1 /tmp/points)
	[[ $last =~ ^([0-9]+)\ points,\ ([0-9]+)\ violations$ ]] ||
		fail "$1 did not get to its end: $(tail -n 1 /tmp/points.errors)"
	figure "powercut_points_$how" "${BASH_REMATCH[1]}"
	figure "powercut_violations_$how" "${BASH_REMATCH[2]}"
	[ $rc = 0 ] || fail "$1 found ${BASH_REMATCH[2]} violations"
}

# make_brd COUNT SIZE_MB: RAM disks /dev/ram0 and on. No discard, no cache.
make_brd()
{
	modprobe brd rd_nr="$1" rd_size=$(($2 * 1024)) max_part=0
	at_exit rmmod brd
}

# make_null_blk NAME SIZE_MB [CACHE_MB] [ATTRIBUTE=VALUE...]: a RAM disk with
# discard, and with a volatile write cache if CACHE_MB is not 0. Sets REPLY to
# its device.
make_null_blk()
{
	local dir=/sys/kernel/config/nullb/$1 setting

	[ ! -e "/dev/$1" ] || fail "/dev/$1 is another's"
	modprobe null_blk nr_devices=0
	mkdir "$dir"
	at_exit remove_null_blk "$1"
	echo "$2" >"$dir/size"
	echo "${3:-0}" >"$dir/cache_size"
	echo 1 >"$dir/memory_backed"
	echo 1 >"$dir/discard"
	for setting in "${@:4}"; do
		echo "${setting#*=}" >"$dir/${setting%%=*}"
	done
	echo 1 >"$dir/power"
	REPLY=/dev/nullb$(<"$dir/index")
	# 6.12 names the disk as its folder.
	[ -b "$REPLY" ] || REPLY=/dev/$1
	wait_for 5 test -b "$REPLY"
}

# cut_power: of the null_blk devices cut-meta and cut-data, both at the same time;
# what is in their caches is lost
cut_power()
{
	echo 0 >/sys/kernel/config/nullb/cut-meta/power &
	echo 0 >/sys/kernel/config/nullb/cut-data/power
	wait $!
}

# power_on CACHE_MB: of both, which are $META and $DATA
power_on()
{
	local disk

	for disk in cut-meta cut-data; do
		echo "$1" >"/sys/kernel/config/nullb/$disk/cache_size"
		echo 1 >"/sys/kernel/config/nullb/$disk/power"
	done
	wait_for 5 test -b "$META"
	wait_for 5 test -b "$DATA"
}

remove_null_blk()
{
	echo 0 >"/sys/kernel/config/nullb/$1/power"
	rmdir "/sys/kernel/config/nullb/$1"
}

# dev_for [STORE/]VOLUME[@CHECKPOINT]: the device of a volume, or of an attached
# checkpoint, by what sysfs says of it.
dev_for()
{
	local volume=${1##*/} store= point= dir has name

	[[ $1 != */* ]] || store=${1%%/*}
	[[ $volume != *@* ]] || point=${volume#*@}
	for dir in /sys/block/cpblk*/cpblk; do
		# Without a process for each: there may be thousands.
		read -r name 2>/dev/null <"$dir/volume" || continue
		[ "$name" = "${volume%@*}" ] || continue
		read -r name 2>/dev/null <"$dir/store" || continue
		[ -z "$store" ] || [ "$name" = "$store" ] || continue
		has=
		[ ! -e "$dir/checkpoint" ] || read -r has <"$dir/checkpoint" || continue
		[ "$has" = "$point" ] || continue
		dir=${dir%/cpblk}
		echo "/dev/${dir##*/}"
		return
	done
	fail "no device for volume $1"
}

# start_udev: for scenarios that need udev's links and events.
start_udev()
{
	[ -e /proc/sys/fs/inotify ] ||
		fail "no inotify in this kernel, so no udev: see \"# kernels:\""
	unset DM_DISABLE_UDEV
	systemd-udevd --daemon
	at_exit udevadm control --exit
	udevadm trigger --action=add --subsystem-match=block
	udevadm settle
}

# crash: the machine goes down as in a power cut, and comes up with the same
# disks to run the scenario again. BOOT counts from 1. Needs "# disks:".
crash()
{
	echo "CRASH $TOKEN $SCENARIO" >/dev/ttyS1
	stty -F /dev/ttyS1 raw
	echo b >/proc/sysrq-trigger
	sleep 60
}

# by_speed FAST SLOW: FAST, or SLOW on the debug kernel, which is slow.
by_speed()
{
	if [ -e /proc/lockdep ]; then
		echo "$2"
	else
		echo "$1"
	fi
}

# number_of KEY: of a JSON text on stdin, the first number with that key.
number_of()
{
	local json

	# No process for it: that takes half a second on the slowest kernel.
	json=$(</dev/stdin)
	[[ ! $json =~ \"$1\":\ ([0-9]+) ]] || echo "${BASH_REMATCH[1]}"
}

# make_store NAME META_MB DATA_MB [OPTION...]: formats and opens a store on RAM
# disks. Sets META and DATA. Without caches: with one, null_blk of 6.1 may spin
# for ever once several CPUs write and flush at a time.
make_store()
{
	make_null_blk "$1-meta" "$2"
	META=$REPLY
	make_null_blk "$1-data" "$3"
	DATA=$REPLY
	cpblk format "${@:4}" "$1" "$META" "$DATA"
	cpblk open "$META" "$DATA"
}

# check_store META DATA: an independent walk through a closed store finds
# nothing wrong, and nothing allocated that it does not reach.
check_store()
{
	local report leaked

	report=$(cpblk check --json "$1" "$2") || {
		echo "$report"
		fail "the store on $1 and $2 is damaged"
	}
	leaked=$(($(number_of chunks_allocated <<<"$report") -
		$(number_of chunks_reachable <<<"$report")))
	figure leaked_chunks $leaked
	[ $leaked = 0 ] || fail "$leaked chunks leaked on $2"
}

# finish_store NAME META DATA: reclaims, closes and checks it.
finish_store()
{
	cpblk sync --reclaim "$1"
	cpblk close "$1"
	check_store "$2" "$3"
}
