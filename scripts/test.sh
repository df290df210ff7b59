#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Every test there is, the cheapest first; test.sh SCALE.
# A stage that fails does not keep the next ones from running.
. "$(dirname "$0")/lib.sh"

scale=$1
passed=0
failures=()
out=$VZ_BUILD/test
rm -rf "$out"
mkdir -p "$out"
cd "$VZ_TOP"

failed() { failures+=("$1"); }

stage_make() { # TARGET...
	local target
	for target; do
		make "$target" && continue
		failed "make $target"
		return 1
	done
}

# Host tests: lines "test NAME ... ok|FAILED|ignored" of cargo.
tools_tests() {
	local log=$out/tools.log status=0
	say "tests of the tools"
	"$VZ_TOP/scripts/tools.sh" test --workspace --no-fail-fast >"$log" 2>&1 || status=$?
	passed=$((passed + $(grep -cE '^test .* \.\.\. ok$' "$log" || true)))
	while read -r name; do
		failed "tools: $name"
	done < <(sed -nE 's/^test (.*) \.\.\. FAILED$/\1/p' "$log")
	if [ "$status" != 0 ]; then
		tail -n 80 "$log"
		grep -qE '^test .* \.\.\. FAILED$' "$log" || failed "tools: cargo test stopped with status $status"
	fi
}

guests() { # KIND
	local json=$out/$1.json status=0 name
	tests/qemu/run.py "$1" --scale "$scale" --summary "$json" || status=$?
	if [ ! -s "$json" ]; then
		failed "$1: the runner stopped with status $status"
		return
	fi
	passed=$((passed + $(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["passed"])' "$json")))
	while read -r name; do
		[ -z "$name" ] || failed "$1: $name"
	done < <(python3 -c 'import json,sys; print("\n".join(json.load(open(sys.argv[1]))["failed"]))' "$json")
}

if stage_make tools; then
	tools_tests
fi
if stage_make quick-debug; then
	if stage_make selftests; then
		guests kselftest
	fi
	if stage_make node guest-disk; then
		guests guest
	fi
fi

echo
for name in "${failures[@]}"; do
	echo "FAILED: $name"
done
echo "$passed passed, ${#failures[@]} failed"
[ ${#failures[@]} -eq 0 ]
