# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Guests of a test VM: starting them, and talking to the program in them
# (recorder.c) and to their QEMU. Sourced by scenarios with "# nested: yes".

NESTED=/cpblk/nested
GUESTS=/tmp/guests
declare -A GUEST_PID

# Whose processor can do it runs them itself, an emulated one too; that is many
# times quicker than to emulate an emulator.
modprobe kvm-amd 2>/dev/null || modprobe kvm-intel 2>/dev/null || true
# From here on no code of the kernel is patched for a guest, up to the end of the machine:
# see kvmhold.c.
if [ -e /dev/kvm ]; then
	kvmhold >/tmp/kvmhold &
	disown
	wait_for 10 grep -q '^holding' /tmp/kvmhold
fi

# guest_start [-b] NAME DISK...: its disks are /dev/vda and on, the first one with its
# root filesystem; -b: a bare machine, whose firmware finds nothing to boot. $GUESTS/NAME has log, what it says, and events, what QEMU does;
# qmp and agent are sockets.
guest_start()
{
	local name dir disk disks=() kernel=(-kernel "$NESTED/kernel" -append
		"console=ttyS0 quiet root=/dev/vda rw init=/recorder tsc=reliable no_timer_check panic=1")

	if [ "$1" = -b ]; then
		kernel=()
		shift
	fi
	name=$1
	dir=$GUESTS/$name
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	mkfifo "$dir"/{serial,events}.{in,out}
	cat "$dir/serial.out" >"$dir/log" &
	cat "$dir/events.out" >"$dir/events" &
	for disk; do
		disks+=(-drive "if=none,id=disk${#disks[@]},file=$disk,format=raw,cache=none"
			-device "virtio-blk-pci,drive=disk${#disks[@]}")
	done
	qemu-system-x86_64 \
		-machine q35,sata=off,smbus=off,usb=off,i8042=off \
		-accel kvm -accel tcg -cpu qemu64,cx16=off -nodefaults -no-user-config -display none -m 64 \
		-bios qboot.rom "${kernel[@]}" \
		-chardev "pipe,id=serial,path=$dir/serial" -serial chardev:serial \
		-chardev "pipe,id=events,path=$dir/events" \
		-mon chardev=events,mode=control \
		-qmp "unix:$dir/qmp,server=on,wait=off" \
		-device virtio-serial-pci \
		-chardev "socket,id=agent,path=$dir/agent,server=on,wait=off" \
		-device virtserialport,chardev=agent,name=org.qemu.guest_agent.0 \
		"${disks[@]}" >"$dir/qemu" 2>&1 &
	GUEST_PID[$name]=$!
	guest_qemu "$name" qmp_capabilities
}

# guest_kill NAME: as if QEMU had died.
guest_kill()
{
	kill -KILL "${GUEST_PID[$1]}"
	wait "${GUEST_PID[$1]}" 2>/dev/null || true
	unset "GUEST_PID[$1]"
}

# guests_end: the end of all that are left; for at_exit.
guests_end()
{
	local name

	for name in "${!GUEST_PID[@]}"; do
		guest_kill "$name"
	done
}

# guest_say NAME ORDER: to the program in it.
guest_say()
{
	echo "$2" >"$GUESTS/$1/serial.in"
}

# guest_qemu NAME COMMAND: to its QEMU; answers are in events.
guest_qemu()
{
	echo "{\"execute\": \"$2\"}" >"$GUESTS/$1/events.in"
}

# lines FILE: how many it has.
lines()
{
	wc -l <"$1"
}

# heard FILE FROM REGEX: the first line after line FROM that is like this and is there
# as a whole: the last one may still be coming. One process, which starts quickly: this
# is asked over and over beside an emulated machine.
heard()
{
	from=$2 regex=$3 busybox awk '
		BEGIN { RS = "\001" }
		{
			gsub(/\r/, "")
			n = split($0, line, "\n")
			for (i = ENVIRON["from"] + 1; i < n && !found; i++) {
				if (line[i] ~ ENVIRON["regex"]) {
					print line[i]
					found = 1
				}
			}
		}
		END { exit !found }' "$1"
}

# hear SECONDS FILE FROM REGEX: waits for it; sets REPLY to it.
hear()
{
	local end=$((SECONDS + $1))

	until REPLY=$(heard "${@:2}"); do
		[ $SECONDS -lt $end ] || {
			tail -n 20 "$2" "${2%/*}/qemu" "${2%/*}/events"
			fail "never heard: $4"
		}
		sleep 0.05
	done
}

# guest_hear NAME REGEX [FROM]: in what it says.
guest_hear()
{
	hear 90 "$GUESTS/$1/log" "${3-0}" "$2"
}

# guest_ask NAME ORDER REGEX: an order and the answer to it: REPLY.
guest_ask()
{
	local from

	from=$(lines "$GUESTS/$1/log")
	guest_say "$1" "$2"
	guest_hear "$1" "$3" "$from"
}

# guest_last NAME WORD: the number behind the last line "WORD N", or -1.
guest_last()
{
	busybox awk -v word="$2" '
		BEGIN { RS = "\001"; last = -1 }
		{
			gsub(/\r/, "")
			n = split($0, line, "\n")
			for (i = 1; i < n; i++)
				if (line[i] ~ "^" word " [0-9]+$")
					last = substr(line[i], length(word) + 2)
		}
		END { print last }' "$GUESTS/$1/log"
}

# guest_past NAME WORD N: until it has got that far.
guest_past()
{
	local end=$((SECONDS + 90))

	until [ "$(guest_last "$1" "$2")" -ge "$3" ]; do
		[ $SECONDS -lt $end ] || {
			tail -n 20 "$GUESTS/$1/log"
			fail "the guest never wrote '$2 $3'"
		}
		sleep 0.1
	done
}
