#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Virtual machines: QEMU runs here, and its guests live on disks of cpblk. What
# they were told is durable is in checkpoints, restores and forks of their disks.
#
# A machine of its own, as what spares the kernel being patched stays until its end.
#
# timeout: 240
# boot: own
# kernels: 6.1 6.12
# modules: null_blk
# programs: guestdisk kvmhold qmpfault
# nested: yes

. "${0%/*}/lib.sh"
. /cpblk/nested/lib.sh

PASSED=0

# passed WHAT: one more of the scenarios.
passed()
{
	PASSED=$((PASSED + 1))
	ok "$*"
}

# has_records NAME N: the guest came up with at least N records, none missing.
has_records()
{
	guest_hear "$1" '^(up|bad) ' "${3-0}"
	[[ $REPLY = up* ]] || fail "$1 does not have what was acknowledged: $REPLY"
	[ "${REPLY#up }" -ge "$2" ] || fail "$1 has ${REPLY#up } records, and $2 were acknowledged"
}

# ---- 1. A checkpoint while it writes, and a fork of that boots

fork_while_writing()
{
	local acknowledged

	guest_say vm root
	guest_past vm root 20
	acknowledged=$(guest_last vm root)
	cpblk -s vm snap root@busy
	cpblk -s vm fork root@busy fork
	guest_start fork "$(dev_for fork)"
	has_records fork $((acknowledged + 1))
	guest_kill fork
	guest_ask vm idle '^idle'
	cpblk -s vm remove fork
	passed "a fork has all records up to the checkpoint"
}

# ---- 2. Ruined from inside, and restored beneath it

# The machine that the agent is for, and its volumes.
MACHINE=vm
VOLUMES=(root first)

# agent [-f HOW WHEN COMMAND] [OPTION...]: answers for the guest from now on; with
# -f, something goes wrong between it and QEMU (qmpfault)
agent()
{
	local qmp=$GUESTS/$MACHINE/qmp

	if [ "${1-}" = -f ]; then
		qmp=/tmp/qmp
		qmpfault $qmp "$GUESTS/$MACHINE/qmp" "${@:2:3}" >/tmp/fault &
		PROXY=$!
		wait_for 10 test -S $qmp
		shift 4
	fi
	: >/tmp/agent
	cpblk -s vm hook qemu --qmp "$qmp" "$@" "${VOLUMES[@]}" >/tmp/agent 2>&1 &
	AGENT=$!
	wait_for 20 grep -q '^answering' /tmp/agent
}

# agent_end: it may have been killed; what it said is for the log
agent_end()
{
	local pid

	for pid in $AGENT ${PROXY-}; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	unset PROXY
	sed 's/^/agent: /' /tmp/agent
}

ruined()
{
	local records from

	guest_say vm root
	guest_past vm root $(($(guest_last vm root) + 10))
	guest_ask vm idle '^idle'
	records=$(($(guest_last vm root) + 1))
	cpblk -s vm snap root@good
	agent
	guest_ask vm "run busybox rm -rf /records /data; busybox dd if=/dev/zero of=/dev/vda bs=64k count=400 conv=fsync" '^ran|[Kk]ernel panic'
	from=$(lines "$GUESTS/vm/log")
	cpblk -s vm restore root@good
	has_records vm "$records" "$from"
	[ "${REPLY#up }" = "$records" ] || fail "it came back with $REPLY, and not $records"
	agent_end
	passed "a guest that ruined its disk comes back by reset"
}

# ---- 3. A disk that nothing in the guest has mounted, restored as it runs

# guest_reads N: the first record of its second disk
guest_reads()
{
	guest_ask vm "peek /dev/vdb" '^peek'
	[ "$REPLY" = "peek $1" ] || fail "the guest reads $REPLY, and not $1"
}

resumed()
{
	guest_ask vm "poke /dev/vdb 111" '^poke 111'
	cpblk -s vm snap first@old
	guest_ask vm "poke /dev/vdb 222" '^poke 222'
	guest_reads 222
	agent --then resume
	cpblk -s vm restore first@old
	guest_reads 111
	agent_end
	passed "a guest that goes on reads what was restored"
}

# ---- 4. Whoever takes part dies or is silent

# attempt CODE WHAT: a restore of the second disk that ends with this exit code, in
# time, and leaves the disk as it was, "kept", or "restored"
attempt()
{
	local rc=0 start=$SECONDS now

	dd if=/tmp/new of="$(dev_for first)" bs=64K oflag=direct status=none
	timeout -s KILL 60 cpblk -s vm restore first@old >/tmp/said 2>&1 || rc=$?
	cat /tmp/said
	[ $rc = "$1" ] || fail "exit code $rc"
	[ $((SECONDS - start)) -le 15 ] || fail "it took $((SECONDS - start)) s"
	now=$(state)
	case $now in
	"$OLD")	now=restored ;;
	"$NEW")	now=kept ;;
	esac
	[ "$now" = "$2" ] || fail "the disk is $now, and not $2"
}

# state: of the second disk
state()
{
	dd if="$(dev_for first)" bs=64K count=16 iflag=direct status=none | sha256sum
}

# goes_on: the guest runs, and has the disk that there is
goes_on()
{
	wait_for 20 grep -qE "the guest goes on|reset the guest, and it runs" /tmp/agent
	[ "${1-}" != again ] || guest_hear vm '^up ' "$2"
	guest_ask vm "peek /dev/vdb" '^peek'
}

# fault HOW WHEN COMMAND CODE WHAT [OPTION...]: and an attempt meanwhile. If the
# agent dies of it, the next one sees to the guest.
fault()
{
	local how=$1 from

	from=$(lines "$GUESTS/vm/log")
	agent -f "${@:1:3}" --timeout 3 "${@:6}"
	attempt "$4" "$5"
	wait_for 10 grep -q "^$how" /tmp/fault
	if [ "$how" = kill ]; then
		agent_end
		agent --timeout 3 "${@:6}"
	fi
	if [[ " $* " = *" resume "* ]]; then
		goes_on
	else
		goes_on again "$from"
	fi
	agent_end
}

died_or_silent()
{
	dd if=/dev/urandom of=/tmp/new bs=64K count=16 status=none
	OLD=$(state)
	NEW=$(sha256sum </tmp/new)

	fault kill before stop 1 kept --then resume
	fault kill after stop 1 kept --then resume
	fault silent before stop 1 kept --then resume
	grep -q "does not answer" /tmp/said || fail "no reason is given"
	fault silent after stop 1 kept --then resume
	fault kill before cont 0 restored --then resume
	fault kill after cont 0 restored --then resume
	fault silent before cont 0 restored --then resume
	fault kill before system_reset 0 restored
	fault kill after system_reset 0 restored

	# Between its answer and the end, for which another hook waits.
	cat >/tmp/killer <<-'END'
		#!/bin/bash
		[ "$CPBLK_STEP" = prepare ] || exit 0
		until grep -q "stopped the guest" /tmp/agent; do sleep 0.1; done
		sleep 0.5
		kill -KILL "$(</tmp/agent.pid)"
		sleep 0.5
	END
	chmod +x /tmp/killer
	cpblk -s vm hook exec first -- /tmp/killer >/tmp/killer.log 2>&1 &
	KILLER=$!
	wait_for 10 grep -q '^answering' /tmp/killer.log
	for policy in "1 kept" "0 restored --go-on"; do
		# shellcheck disable=SC2086 # words
		set -- $policy
		agent --then resume "${@:3}"
		echo $AGENT >/tmp/agent.pid
		attempt "$1" "$2"
		agent_end
		agent --then resume
		goes_on
		agent_end
	done
	kill $KILLER
	wait $KILLER

	# An agent that is silent itself, with both policies; QEMU that is.
	agent --timeout 2
	kill -STOP $AGENT
	attempt 1 kept
	agent_end
	agent --timeout 2 --go-on
	kill -STOP $AGENT
	attempt 0 restored
	agent_end
	agent --timeout 2 --then resume
	kill -STOP "${GUEST_PID[vm]}"
	attempt 1 kept
	kill -CONT "${GUEST_PID[vm]}"
	guest_ask vm "peek /dev/vdb" '^peek'
	agent_end

	# No machine any more: nobody has to be stopped.
	agent
	guest_kill vm
	attempt 0 restored
	agent_end
	passed "whoever dies or is silent, the disk is one of the two"
}

# ---- 5. A checkpoint of two disks that are written in turn

two_disks()
{
	local load

	guest_say vm "pair /dev/vdb /dev/vdc"
	guest_past vm pair 5
	while :; do
		dd if=/dev/zero of="$(dev_for load)" bs=64K count=64 oflag=direct status=none
		sleep 0.05
	done &
	load=$!
	guestdisk pairs vm first second 100
	kill $load
	wait $load || true
	guest_ask vm idle '^idle'
	passed "no checkpoint of two disks has the second record without the first"
}

# ---- 6. The data device fills up beneath the guest

full_device()
{
	local from events=$GUESTS/vm/events last

	guest_say vm "fill /dev/vdd"
	hear 90 "$events" 0 '"event": "STOP"'
	heard "$events" 0 'BLOCK_IO_ERROR.*"nospace": true' || fail "it stopped for another reason"
	last=$(guest_last vm fill)
	cpblk -s small rm --wait ballast@v1
	from=$(lines "$events")
	guest_qemu vm cont
	hear 30 "$events" "$from" '"event": "RESUME"'
	guest_past vm fill $((last + 10))
	guest_ask vm idle '^idle'
	! heard "$GUESTS/vm/log" 0 '^error' || fail "the guest saw an error: $REPLY"
	guestdisk fill "$(dev_for fill)" $(($(guest_last vm fill) + 1))
	passed "a full device stops the guest, which goes on with nothing lost"
}

# ---- Freezing through the guest agent

frozen()
{
	local point

	guest_say vm root
	guest_ask vm agent '^agent'
	agent --agent "$GUESTS/vm/agent"
	wait_for 30 cpblk -s vm snap root@frozen
	grep -q "froze 1 filesystems" /tmp/agent || fail "nothing was frozen"
	wait_for 10 grep -q "thawed the guest" /tmp/agent
	guest_past vm root $(($(guest_last vm root) + 3))
	cpblk -s vm attach root@frozen
	point=$(dev_for vm/root@frozen)
	! dumpe2fs -h "$point" 2>/dev/null | grep needs_recovery ||
		fail "the frozen filesystem has something to recover"
	e2fsck -fn "$point"
	cpblk -s vm detach root@frozen

	# If it can't be frozen, that is said in time, and nothing is done.
	guest_ask vm "run busybox killall -KILL qemu-ga" '^ran 0'
	expect_fail "does not answer" cpblk -s vm snap root@unfrozen
	guest_past vm root $(($(guest_last vm root) + 3))
	guest_ask vm idle '^idle'
	agent_end
	ok "filesystems of the guest are frozen for a checkpoint, and thawed"
}

# ---- What a restore with the agent takes

# restore_time FIGURE VOLUME: from the request to the machine running: the median of
# five, in milliseconds
restore_time()
{
	local events=$GUESTS/bare/events times=() from start

	dd if=/dev/urandom of="$(dev_for "$2")" bs=1M count=16 oflag=direct status=none
	cpblk -s vm snap "$2@timed" >/dev/null
	for _ in 1 2 3 4 5; do
		from=$(lines "$events")
		start=$(guestdisk restore vm "$2" timed)
		hear 30 "$events" "$from" '"event": "RESUME"'
		[[ $REPLY =~ \"seconds\":\ ([0-9]+),\ \"microseconds\":\ ([0-9]+) ]]
		times+=($(((BASH_REMATCH[1] * 1000000 + 10#${BASH_REMATCH[2]} - start) / 1000)))
		# What the firmware does then is not the next restore's.
		sleep 1
	done
	echo "restoring $2: ${times[*]} ms"
	figure "$1" "$(printf '%s\n' "${times[@]}" | sort -n | sed -n 3p)"
}

# QEMU that was given a kernel copies it at each reset, which is a part of the guest's
# own boot: so this machine has none.
restore_times()
{
	guest_start -b bare "$(dev_for one)" "$(dev_for hundred)"
	MACHINE=bare
	VOLUMES=(one hundred)
	agent
	restore_time guest_restore_ms_1g one
	restore_time guest_restore_ms_100g hundred
	agent_end
	guest_kill bare
}

make_store small 16 24
SMALL=("$META" "$DATA")
cpblk create fill 256M
cpblk create ballast 16M
dd if=/dev/urandom of="$(dev_for ballast)" bs=1M count=12 oflag=direct status=none
cpblk snap ballast
blkdiscard "$(dev_for ballast)"

make_store vm 64 768
for disk in "root 32M" "first 16M" "second 16M" "load 16M" \
	"one 1G" "hundred 100G"; do
	# shellcheck disable=SC2086 # name and size
	cpblk -s vm create $disk
done
dd if="$NESTED/disk" of="$(dev_for root)" bs=1M oflag=direct status=none

at_exit guests_end
guest_start vm "$(dev_for root)" "$(dev_for first)" "$(dev_for second)" "$(dev_for fill)"
has_records vm 0

fork_while_writing
two_disks
full_device
frozen
resumed
ruined
died_or_silent
restore_times

guests_end
cpblk -s vm remove root first second load one hundred
finish_store vm "$META" "$DATA"
finish_store small "${SMALL[@]}"
figure guest_scenarios_passed $PASSED
