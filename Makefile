# SPDX-License-Identifier: GPL-2.0
# A hardware node and its containers: "make help" says what there is.

SHELL := /bin/bash
S := scripts
# Sub-makes have their own -j; the steps here follow each other.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# Disk space in MiB that must be free when nothing is built yet.
DISK_RUN := 6000
DISK_TEST := 10000
DISK_BENCH := 10000

# make shell FLAVOUR=debug boots the kernel of the tests.
FLAVOUR := release

# make test FULL=1 runs the stated counts, otherwise a tenth of them.
SCALE := $(if $(filter 1,$(FULL)),1,10)

.PHONY: help run shell node guest-disk kernel kernel-debug tools template selftests busybox source \
	patches test kselftest guest-test tools-test check bench bench-trace objsize kernel-stock clean \
	distclean deps preflight quick-release quick-debug quick-stock

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  T=SUB:TEST[/CASE]   the test(s) of make kselftest: ve, ve:enter, guest:debian"
	@echo "  P=NAME.patch        the patch that make patches gives new edits to"
	@echo "  B=ROW...            rows of make bench, each by its beginning: fork tcp"
	@echo "  BENCH=quick         make bench without the stock kernel, fewer repetitions"
	@echo "  FULL=1              the stated counts in make test, not a tenth of them"
	@echo "  FLAVOUR=debug       make run and make shell with the kernel of the tests"
	@echo "  VZ_ACCEL=kvm        let QEMU use /dev/kvm (default: emulate, which works everywhere)"

preflight:
	@$(S)/preflight.sh $(DISK_RUN)

deps: preflight
	@$(S)/deps.sh

source: deps
	@FORCE=$(FORCE) $(S)/source.sh

patches: deps ## write edits made in build/linux back into patches/
	@$(S)/source.sh refresh $(P)

kernel: source ## build the kernel of the node
	@$(S)/kernel.sh release

kernel-debug: source ## build the kernel that the tests boot
	@$(S)/kernel.sh debug

quick-release: source
	@$(S)/kernel.sh release --if-changed

quick-debug: source
	@$(S)/kernel.sh debug --if-changed

kernel-stock: deps ## build the unpatched kernel that make bench compares with
	@$(S)/preflight.sh $(DISK_BENCH)
	@$(S)/source.sh stock
	@$(S)/kernel.sh stock

quick-stock: deps
	@$(S)/preflight.sh $(DISK_BENCH)
	@$(S)/source.sh stock
	@$(S)/kernel.sh stock --if-changed

tools: deps ## build the user-space tools
	@$(S)/tools.sh build

template: tools
	@$(S)/template.sh

node: tools template ## build the disk image of the node
	@$(S)/node-image.sh

guest-disk: tools
	@$(S)/guest-disk.sh

run: quick-$(FLAVOUR) node ## boot the node, show the life of a VE, then give a shell
	@tests/qemu/run.py console --demo --flavour $(FLAVOUR)

shell: quick-$(FLAVOUR) node ## boot the node and give a shell
	@tests/qemu/run.py console --flavour $(FLAVOUR)

selftests: deps
	@$(S)/busybox.sh
	@$(S)/selftests.sh

ifneq ($(filter guest%,$(T)),)
kselftest: quick-debug node guest-disk
	@tests/qemu/run.py guest --scale $(SCALE) $(foreach t,$(T),--only $(t))
else
kselftest: quick-debug selftests ## run kernel tests, all or T=ve:lifecycle
	@tests/qemu/run.py kselftest --scale $(SCALE) $(foreach t,$(T),--only $(t))
endif

guest-test: quick-debug node guest-disk ## run the tests that need a whole node
	@tests/qemu/run.py guest --scale $(SCALE)

tools-test: deps ## run the tests of the tools on this machine
	@$(S)/tools.sh test --quiet

test: ## run every test; the last line is "N passed, N failed"
	@$(S)/preflight.sh $(DISK_TEST)
	@$(S)/test.sh $(SCALE)

check: deps ## rustfmt, clippy, checkpatch, rustdoc, each patch compiles
	@$(S)/preflight.sh $(DISK_TEST)
	@$(S)/check.sh

bench: $(if $(filter quick,$(BENCH)),,quick-stock) quick-release ## count instructions: ours, stock, in a VE, in crun
	@$(S)/busybox.sh
	@$(S)/bench.sh
	@tests/bench/bench.py $(if $(filter quick,$(BENCH)),--quick) $(foreach b,$(B),--only $(b))

ifeq ($(filter bench-trace,$(MAKECMDGOALS))$(B),bench-trace)
$(error one row, please: make bench-trace B=udp-socket)
endif
bench-trace: quick-release ## which functions the instructions of a row go to: B=udp-socket
	@$(S)/busybox.sh
	@$(S)/bench.sh
	@tests/bench/trace.py $(B) $(if $(PLACES),--places $(PLACES)) $(if $(CALL),--call $(CALL))

objsize: quick-release selftests ## measure what processes, files and sockets cost a VE
	@VZ_KERNEL=build/release/arch/x86/boot/bzImage tests/qemu/run.py kselftest --scale 1 --only ubc:objsize
	@sed -n 's/^.*# objsize: //p' build/run/kselftest/*/report.log

clean: ## remove everything built (downloads and compiler cache stay)
	@$(S)/clean.sh

distclean: ## remove the per-user cache too
	@$(S)/clean.sh --cache
