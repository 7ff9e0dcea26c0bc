// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps a virtual machine that never runs, until it is killed:
 *
 *	kvmhold
 *
 * When there is a machine, a processor whose APIC is off, or one whose APIC has not been
 * set up, KVM has the kernel patch its code, and back when there is none any more: with
 * each guest that starts, is reset or ends. A machine that has all of these for good
 * leaves nothing to patch. An emulated processor may run into the breakpoint that stood
 * in the code meanwhile when it is gone, and the kernel then dies.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "prog.h"

static int must(int fd, unsigned long request, void *arg, const char *what)
{
	int rc = ioctl(fd, request, arg);

	if (rc < 0)
		die("can't %s: %m", what);
	return rc;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, cpu;
	struct kvm_sregs sregs;

	if (kvm < 0)
		die("no /dev/kvm: %m");
	vm = must(kvm, KVM_CREATE_VM, NULL, "make a machine");
	must(vm, KVM_CREATE_IRQCHIP, NULL, "make its APICs");
	/* Set up as little as when it comes to be. */
	must(vm, KVM_CREATE_VCPU, (void *)0, "make a processor");
	cpu = must(vm, KVM_CREATE_VCPU, (void *)1, "make another one");
	must(cpu, KVM_GET_SREGS, &sregs, "ask for registers");
	sregs.apic_base &= ~(1ULL << 11);
	must(cpu, KVM_SET_SREGS, &sregs, "turn the APIC off");
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}
