#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compiles the kernel selftests into build/selftests.
. "$(dirname "$0")/lib.sh"

take_lock "$VZ_BUILD/.selftests.lock"
log=$VZ_BUILD/selftests.log
PATH=$VZ_PATH make -s -j"$(nproc)" -C "$VZ_TOP/tests/selftests" OUT="$VZ_BUILD/selftests" >"$log" 2>&1 || {
	cat "$log" >&2
	die "the selftests do not compile"
}
