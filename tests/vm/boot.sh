# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# One boot of a guest: what it is given, and what the host makes of what it
# says. Sourced, never run. Uses KERNEL (a name), MODE (test, demo or shell)
# and WORK (a folder that is removed at the end).

. "$VM/rootfs.sh"
. "$VM/qemu.sh"
. "$VM/nested.sh"

# shellcheck disable=SC2153 # KERNEL is the caller's

# Emulation with all debug options on takes its time.
slowness()
{
	[ "$KERNEL" = debug ] && echo 4 || echo 1
}

# make_initrd SCENARIO-FILE...: sets INITRD. Behind the cached base goes what
# changes from run to run; the kernel unpacks one after the other.
make_initrd()
{
	local root=$WORK/root file name part program path base rows cols

	new_root "$root"
	mkdir -p "$root"/cpblk/{guest,scenarios}
	cp "$VM"/guest/* "$root/cpblk/guest/"
	cp "$VM/scenarios/lib.sh" "$@" "$root/cpblk/scenarios/"
	[ ! -e "$VM/shell.sh" ] || cp "$VM/shell.sh" "$root/cpblk/scenarios/"
	[ ! -e "$BUILD/$KERNEL/cpblk.ko" ] ||
		cp "$BUILD/$KERNEL/cpblk.ko" "$root/cpblk/"
	# The tool that starts quickly, and the one that users have.
	if [ -x "$BUILD/tools/cpblk" ]; then
		add_programs "$root" "$BUILD/progs/quick/cpblk"
		install -D "$BUILD/tools/cpblk" "$root/cpblk/installed/cpblk"
		add_libraries "$root" "$BUILD/tools/cpblk"
		# Where a static program looks for it that loads a library.
		install -D /lib64/ld-linux-x86-64.so.2 \
			"$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
	fi
	for file in "$TOP"/tools/*.rules "$TOP"/tools/*/*.rules; do
		[ ! -e "$file" ] || install -D -m 644 "$file" \
			"$root/usr/lib/udev/rules.d/${file##*/}"
	done

	printf '%s\n' "${CPBLK_OPTIONS-}" >"$root/cpblk/options"

	: >"$root/cpblk/list"
	for file; do
		name=$(basename "$file" .sh)
		echo "$name|$(timeout_of "$file")|$(header "$file" modules '')|$(header "$file" module yes)"
		[ "$(header "$file" nested no)" = no ] || add_nested "$root" >&2
		[ "$(header "$file" kernel-headers no)" = no ] ||
			tar -C "$(kernel_dir "$KERNEL")/root/usr/src" \
				-cf "$root/cpblk/headers.tar" .
		for part in $(header "$file" parts ''); do
			cp "${file%/*}/$part" "$root/cpblk/scenarios/"
		done
		for program in $(header "$file" programs ''); do
			path=$program
			[ ! -x "$BUILD/progs/$program" ] ||
				path=$BUILD/progs/$program
			add_programs "$root" "$path" >&2
		done
	done >>"$root/cpblk/list"

	# For the prompt, which is to fill the terminal it is shown in.
	read -r rows cols < <(stty size 2>/dev/null </dev/tty || echo 24 80)
	cat >"$root/cpblk/plan" <<-EOF
		token=$TOKEN
		mode=$MODE
		boot=$BOOT
		disks='${DISKS[*]-}'
		hung_task_secs=$((60 * $(slowness)))
		module_depends='$(modinfo -F depends "$root/cpblk/cpblk.ko" 2>/dev/null | tr , ' ')'
		rows=$rows
		cols=$cols
		term=${TERM:-vt100}
	EOF

	INITRD=$WORK/initrd
	base=$("$VM/build-base" "$KERNEL")
	{
		cat "$base"
		pack "$root"
	} >"$INITRD"
}

# A timeout is for what hangs: on a busy machine all takes a multiple of its time.
timeout_of()
{
	echo $(($(header "$1" timeout 60) * $(slowness) * ${CPBLK_PATIENCE:-3}))
}

# The machine goes away with the script, however that ends.
VM_PID=
stop_vm()
{
	[ -n "$VM_PID" ] || return 0
	kill -KILL "$VM_PID" 2>/dev/null || true
	wait "$VM_PID" 2>/dev/null || true
	VM_PID=
}

# registers LOG: what the processors do of a machine that says nothing, at three moments:
# if its kernel could tell, it would have. No answer means that QEMU itself hangs.
registers()
{
	local out line _

	exec {out}<>"$WORK/monitor.out"
	for _ in 1 2 3; do
		ps -L -o lwp,stat,time,wchan:20,comm -p "$VM_PID" || :
		# Opened like this, it waits for no reader: QEMU may just have ended.
		echo "info registers -a" 1<>"$WORK/monitor.in"
		while IFS= read -r -t 1 -u "$out" line; do
			[[ ! $line =~ ^(CPU#|RIP=) ]] ||
				printf '%s\n' "${line%$'\r'}"
		done
	done >>"$1"
	exec {out}<&-
}

# boot LOG MEMORY SCENARIO-FILE...: boots and listens. Adds to RESULTS one
# line "NAME PASS|FAIL SECONDS REASON" for each scenario that started, and
# sets CRASHED to the scenario that asked for a power cut.
boot()
{
	local log=$1 memory=$2 line rest name state deadline file
	local current='' in grace=${CPBLK_GRACE:-30} THREADS=multi

	shift 2
	# QEMU 7.2 marks which interrupts wait without a lock when an emulated processor
	# leaves a guest: a mark that another thread sets right then is lost. Perhaps of that,
	# a machine fell silent for good. Processors that take turns lose none to each other.
	for file; do
		[ "$(header "$file" nested no)" = no ] || THREADS=single
	done
	TOKEN=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
	CRASHED=
	make_initrd "$@"
	qemu_command "$(kernel_dir "$KERNEL")" "$INITRD" "$memory" "$log" "${DISKS[@]}"

	# Its monitor.
	mkfifo "$WORK"/monitor.{in,out}
	COMMAND+=(-chardev "pipe,id=monitor,path=$WORK/monitor" -mon chardev=monitor)

	exec {in}< <(exec "${COMMAND[@]}" </dev/null 2>&1)
	VM_PID=$!
	deadline=$((SECONDS + (grace + 30) * $(slowness)))
	state="did not start a scenario"

	while :; do
		if ! IFS= read -r -t $((deadline > SECONDS ? deadline - SECONDS : 1)) -u "$in" line; then
			if [ $SECONDS -ge $deadline ]; then
				state="no word for too long: $state"
				registers "$log"
			fi
			break
		fi
		line=${line%$'\r'}
		rest=${line#* }
		case $line in
		"START $TOKEN "*)
			name=${rest#* }
			current=$name
			state="the machine ended without a verdict"
			deadline=$((SECONDS + 60 * $(slowness) + grace))
			for file; do
				[ "$(basename "$file" .sh)" != "$name" ] ||
					deadline=$((SECONDS + $(timeout_of "$file") + grace))
			done
			;;
		"RESULT $TOKEN "*)
			RESULTS+=("${rest#* }")
			current=
			;;
		"END $TOKEN "*)
			break
			;;
		"CRASH $TOKEN "*)
			CRASHED=${rest#* }
			current=
			;;
		*)
			printf '%s\n' "$line"
			;;
		esac
	done
	stop_vm
	exec {in}<&-
	rm "$WORK"/monitor.{in,out}

	if [ -n "$current" ]; then
		RESULTS+=("$current FAIL - $state")
	elif [ -z "$CRASHED" ] && [ ${#RESULTS[@]} = 0 ]; then
		RESULTS+=("start FAIL - $state")
	fi
}
