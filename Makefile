# SPDX-License-Identifier: GPL-2.0
#
# Builds the module and the tool, and runs the tests: see "make help".

KDIR ?= /lib/modules/$(shell uname -r)/build
OUT ?= build/module
KERNEL ?= 6.1
DEMO_KERNEL ?= 6.12

vm := tests/vm
have_headers := $(wildcard $(KDIR)/Makefile)

.PHONY: all
all: $(if $(have_headers),module) tools
ifeq ($(have_headers),)
	@echo "no kernel headers in $(KDIR): the module was not built"
endif

# Kbuild leaves objects beside the sources, so it gets a copy of them in $(OUT).
# Copies keep their times: only what changed is compiled again.
.PHONY: module
module:
	@mkdir -p $(OUT)
	@find $(OUT) -name '*.[chS]' ! -name '*.mod.c' -delete
	@cp -p --parents Kbuild $$(find kmod include -name '*.[chS]') $(OUT)
	$(MAKE) -C $(KDIR) M=$(abspath $(OUT)) W=1 modules

.PHONY: tools
tools:
	$(MAKE) -C tools O=$(abspath build/tools)

.PHONY: install
install: all
ifneq ($(have_headers),)
	$(MAKE) -C $(KDIR) M=$(abspath $(OUT)) modules_install
endif
	$(MAKE) -C tools O=$(abspath build/tools) install

.PHONY: check
check:
	$(vm)/check

.PHONY: check-unit
check-unit:
	$(MAKE) -C tests/unit check O=$(abspath build/unit) \
		RESULTS=$(abspath build/results)

.PHONY: check-sim
check-sim:
	$(MAKE) -C tests/sim check O=$(abspath build/sim) \
		RESULTS=$(abspath build/results)

SOAK ?= 1000
.PHONY: soak
soak:
	$(MAKE) -C tests/sim soak SOAK=$(SOAK) O=$(abspath build/sim)

.PHONY: check-damage
check-damage:
	$(MAKE) -C tests/damage check O=$(abspath build/damage) \
		RESULTS=$(abspath build/results)

.PHONY: check-golden
check-golden:
	$(MAKE) -s -C tests/golden check O=$(abspath build/golden) \
		RESULTS=$(abspath build/results)

.PHONY: check-fuzz
check-fuzz:
	$(MAKE) -C tests/fuzz check O=$(abspath build/fuzz) \
		RESULTS=$(abspath build/results)

SECONDS ?= 300
.PHONY: fuzz
fuzz:
	$(MAKE) -C tests/fuzz fuzz SECONDS=$(SECONDS) O=$(abspath build/fuzz)

.PHONY: bench
bench: export KERNEL := $(KERNEL)
bench:
	@tests/bench/run

.PHONY: bench-engine
bench-engine:
	@$(MAKE) -s -C tests/bench engine O=$(abspath build/bench)

.PHONY: check-vm
check-vm:
	$(vm)/check vm

.PHONY: demo
demo:
	@$(vm)/setup $(DEMO_KERNEL)
	@$(vm)/run --demo $(DEMO_KERNEL) $(vm)/demo.sh

.PHONY: shell
shell:
	@$(vm)/setup $(KERNEL)
	@$(vm)/run --shell $(KERNEL)

.PHONY: sparse
sparse:
	$(vm)/sparse

.PHONY: checkpatch
checkpatch:
	$(vm)/checkpatch

.PHONY: clean
clean:
	rm -rf build

.PHONY: help
help:
	@echo 'make             the tool, and the module if KDIR has kernel headers'
	@echo 'make module      the module  (KDIR=headers OUT=folder)'
	@echo 'make tools       the tool, build/tools/cpblk'
	@echo 'make install     module and tool, for the running kernel'
	@echo 'make demo        a tour in a virtual machine'
	@echo 'make shell       a prompt in a virtual machine  (KERNEL=6.1|6.12|debug)'
	@echo 'make check       all tests: unit tests, then VMs on all three kernels'
	@echo 'make check-unit  unit tests only'
	@echo 'make soak        simulated power cuts for hours  (SOAK=histories)'
	@echo 'make check-damage damaged stores only'
	@echo 'make check-golden stores made by this and earlier versions'
	@echo 'make check-fuzz  damaged stores that a fuzzer makes up, for a moment'
	@echo 'make fuzz        the same for longer  (SECONDS=n for each part)'
	@echo 'make check-vm    VM tests only'
	@echo 'make bench       what I/O and operations cost  (KERNEL=6.1|6.12)'
	@echo 'make bench-engine what the operations of the engine cost, in userspace'
	@echo 'make sparse      semantic checks of the kernel code'
	@echo 'make checkpatch  style checks'
	@echo 'make clean       removes build/'
