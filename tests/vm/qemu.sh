# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# How a kernel is started in QEMU. Sourced, never run.

# Not microvm, though it boots a little quicker: it has no timer to check the
# processor's clock against, and on a busy host its kernels hang early. What no
# guest uses is off, since looking for it takes time too.
QEMU=(
	qemu-system-x86_64 -machine "q35,sata=off,smbus=off,usb=off,i8042=off"
	-nodefaults -no-user-config -display none -no-reboot
)
# Without "rep movsb", SMAP, SMEP and a fifth level of page tables a program starts in
# half the time, and large copies take a third, as measured on 6.12.
# QEMU 7.2 leaves rubbish in the flags after cmpxchg16b: a kernel that is interrupted
# right then goes on in single steps and with strings backwards. 6.12 died of it.
TCG=(-cpu "max,erms=off,fsrm=off,smap=off,smep=off,la57=off,cx16=off")
KVM=(-accel kvm -cpu host)
# The clock counts instructions, one each nanosecond, whatever else the host does.
ICOUNT=(-accel "tcg,thread=single" "${TCG[@]}" -icount "shift=0,sleep=off")

# Messages of warnings and worse go to the console as they come. Speculation
# flaws need no mitigation here, and a kernel at fixed addresses is easier to
# debug. An oops ends the machine.
CMDLINE="console=ttyS0 printk.time=1 loglevel=5 log_buf_len=4M oops=panic"
CMDLINE+=" panic=-1 mitigations=off nokaslr tsc=reliable 8250.nr_uarts=2"
CMDLINE+=" rcupdate.rcu_cpu_stall_timeout=60"

# accel_for KERNEL-DIR: sets ACCEL to what emulates the processors, each in a thread of
# its own unless THREADS is "single". /dev/kvm may be there and yet hang a kernel, so a
# boot that only ends again shows whether it works; the answer is kept.
accel_for()
{
	local kernel=$1 tcg answer tmp

	tcg=(-accel "tcg,thread=${THREADS-multi}" "${TCG[@]}")
	case ${CPBLK_ACCEL-} in
	kvm)	ACCEL=("${KVM[@]}"); return ;;
	tcg)	ACCEL=("${tcg[@]}"); return ;;
	icount)	ACCEL=("${ICOUNT[@]}"); return ;;
	esac

	answer=$CACHE/accel/$(uname -r)-${kernel##*/}
	if [ ! -e "$answer" ]; then
		mkdir -p "$CACHE/accel"
		tmp=$(mktemp -d)
		mkdir "$tmp/root"
		cp "$(command -v busybox)" "$tmp/root/busybox"
		printf '%s\n' '#!/busybox sh' '/busybox echo kvm works' \
			'/busybox reboot -f' >"$tmp/root/init"
		chmod +x "$tmp/root/init"
		pack "$tmp/root" >"$tmp/initrd"
		if [ -w /dev/kvm ] && timeout 8 "${QEMU[@]}" "${KVM[@]}" -m 512 \
			-kernel "$kernel/vmlinuz" -initrd "$tmp/initrd" \
			-append "$CMDLINE" -serial stdio </dev/null 2>&1 |
			grep -q 'kvm works'; then
			echo kvm >"$answer"
		else
			echo tcg >"$answer"
		fi
		rm -rf "$tmp"
	fi
	if [ "$(<"$answer")" = kvm ]; then
		ACCEL=("${KVM[@]}")
	else
		ACCEL=("${tcg[@]}")
	fi
}

# qemu_command KERNEL-DIR INITRD MEMORY_MB LOG DISK...: sets COMMAND. ttyS0
# goes to the log, ttyS1 to stdin and stdout. Uses OPTIONS, more
# of them for the kernel, and THREADS.
qemu_command()
{
	local kernel=$1 initrd=$2 memory=$3 log=$4 disk

	shift 4
	accel_for "$kernel"
	COMMAND=(
		"${QEMU[@]}" "${ACCEL[@]}" -smp "${CPBLK_CPUS:-2}" -m "$memory"
		-kernel "$kernel/vmlinuz" -initrd "$initrd"
		-append "$CMDLINE ${OPTIONS-} rdinit=/cpblk/guest/init"
		-serial "file:$log"
		-chardev "stdio,id=host,signal=off" -serial chardev:host
		-device virtio-rng-pci
	)
	for disk; do
		# The host need not survive the guest's power cuts: what QEMU was
		# given counts as on disk.
		COMMAND+=(-drive "if=none,id=${disk##*/},file=$disk,format=raw,cache=unsafe,discard=unmap"
			-device "virtio-blk-pci,drive=${disk##*/}")
	done
}
