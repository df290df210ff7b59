#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compiles the benchmark program into build/bench and fetches crun.
. "$(dirname "$0")/lib.sh"

mkdir -p "$VZ_BUILD/bench"
take_lock "$VZ_BUILD/bench/.lock"
log=$VZ_BUILD/bench/compile.log
PATH=$VZ_PATH make -s -j"$(nproc)" -C "$VZ_TOP/tests/bench" OUT="$VZ_BUILD/bench/program" >"$log" 2>&1 || {
	cat "$log" >&2
	die "the benchmark program does not compile"
}
"$VZ_TOP/scripts/crun.sh"
