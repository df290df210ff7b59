#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What must hold for every commit besides the tests; check.sh [STEP...].
. "$(dirname "$0")/lib.sh"

cd "$VZ_TOP"
out=$VZ_BUILD/check
linux=$VZ_BUILD/linux
mkdir -p "$out"
bad=()

# Our own files by kind; generated and linked trees are not ours to judge.
ours() { find "$@" -type f -not -path '*/target/*' 2>/dev/null | sort; }
kernel_rust() { ours kernel fs security rust | grep '\.rs$' || true; }
kernel_c() { ours kernel fs security include rust | grep '\.[ch]$' || true; }
test_c() { ours tests/selftests tests/bench | grep '\.[ch]$' || true; }
shell_scripts() { grep -lsIE '^#!/bin/(ba|busybox )?sh' $(ours scripts .ci tests tools/vzctl) || true; }

step_scripts() {
	local file
	while read -r file; do
		bash -n "$file" || return 1
	done < <(shell_scripts)
	python3 -m py_compile scripts/*.py tests/qemu/*.py tests/bench/*.py &&
		python3 tests/qemu/test_report.py 2>&1 &&
		python3 tests/bench/test_judge.py 2>&1 &&
		python3 tests/bench/test_trace.py 2>&1
}

# Every file a compiler or shell reads names its licence in the first lines.
step_spdx() {
	local file status=0
	while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0' && continue
		echo "$file: no SPDX line"
		status=1
	done < <(ours kernel fs security include rust tests scripts tools/vzctl .ci Makefile |
		grep -E '\.(rs|c|h|S|sh|py|service)$|/(Makefile|Kconfig|run)$|^Makefile$' || true)
	return $status
}

step_rustfmt() {
	local files status=0
	files=$(kernel_rust)
	# shellcheck disable=SC2086
	[ -z "$files" ] || /usr/bin/rustfmt --check --edition 2021 --config-path "$linux/.rustfmt.toml" \
		$files || status=1
	"$VZ_TOP/scripts/tools.sh" fmt --check || status=1
	return $status
}

step_clippy_tools() {
	"$VZ_TOP/scripts/tools.sh" clippy --quiet --workspace --all-targets -- -D warnings
}

step_rustdoc_tools() {
	RUSTDOCFLAGS='-D warnings' "$VZ_TOP/scripts/tools.sh" doc --quiet --workspace --no-deps
}

# The subsystem directories again with clippy as the compiler; only what it says
# of our own files counts.
step_clippy_kernel() {
	local dirs=() dir log=$out/clippy.log
	for dir in kernel/ve kernel/ubc kernel/fairsched kernel/cpt fs/vzquota; do
		[ ! -f "$dir/Makefile" ] || dirs+=("$dir/")
	done
	"$VZ_TOP/scripts/kernel.sh" clippy prepare >"$log" 2>&1 || { tail -n 40 "$log"; return 1; }
	# A file judged before would not be judged again.
	(cd "$linux/vz-clippy" && find "${dirs[@]}" -name '*.o' -delete 2>/dev/null) || true
	"$VZ_TOP/scripts/kernel.sh" clippy "${dirs[@]}" >>"$log" 2>&1 || { tail -n 40 "$log"; return 1; }
	awk '
		/^(warning|error)/ { block = $0 "\n"; open = 1; next }
		open { block = block $0 "\n" }
		open && /^ *--> / && /(kernel\/(ve|ubc|fairsched|cpt)|fs\/vzquota)\// { ours = 1 }
		/^$/ { if (open && ours) { printf "%s", block; found = 1 } open = 0; ours = 0 }
		END { if (open && ours) { printf "%s", block; found = 1 } exit found }' "$log"
}

# rustdoc has no target for crates outside rust/: the command that compiled the
# crate is repeated with rustdoc in its place.
step_rustdoc_kernel() {
	local saved args word status=0 doc=$out/rustdoc
	for saved in "$linux"/vz-clippy/kernel/{ve,ubc,fairsched,cpt}/.*.o.cmd "$linux"/vz-clippy/fs/vzquota/.*.o.cmd; do
		[ -f "$saved" ] && grep -q 'crate-type rlib' "$saved" || continue
		eval "args=($(sed -n 's/^savedcmd_[^ ]* := //p' "$saved" | sed 's/;.*//; s/\$\$/$/g'))"
		local command=() drop=
		for word in "${args[@]}"; do
			if [ -n "$drop" ]; then
				drop=
				continue
			fi
			case $word in
			*/rustc | */clippy-driver) command+=(/usr/bin/rustdoc --output "$doc" -D warnings) ;;
			--crate-type | --out-dir) drop=1 ;;
			--emit=* | --remap-path-scope=* | -Wclippy::* | -Aclippy::*) ;;
			*) command+=("$word") ;;
			esac
		done
		(cd "$linux/vz-clippy" && env RUSTC_BOOTSTRAP=1 "${command[@]}") || status=1
	done
	return $status
}

step_checkpatch() {
	local status=0 cp patches
	# GIT_DIR: its licence check wants Python modules; step_spdx does that.
	cp=(env PATH="$VZ_PATH" GIT_DIR=none perl "$linux/scripts/checkpatch.pl" --root="$linux" --quiet --terse
		--show-types --max-line-length=100 --no-summary)
	mapfile -t patches < <(sed 's/#.*//' patches/series 2>/dev/null | awk 'NF { print "patches/" $1 }')
	# A series has no chain of sign-offs, MAINTAINERS here lists its files, and
	# prototypes follow the style of the headers they are put into.
	[ ${#patches[@]} -eq 0 ] ||
		"${cp[@]}" --strict --ignore MISSING_SIGN_OFF,NO_AUTHOR_SIGN_OFF,FILE_PATH_CHANGES,AVOID_EXTERNS,FUNCTION_ARGUMENTS \
			"${patches[@]}" || status=1
	# The hooks take pointers without side effects; what is exported is defined
	# by a macro; trace events look the same everywhere in the kernel.
	# shellcheck disable=SC2046
	"${cp[@]}" --strict --ignore LINE_SPACING,STATIC_CONST_CHAR_ARRAY,MACRO_ARG_REUSE,EXPORT_SYMBOL \
		-f $(kernel_c | grep -v '^include/trace/') || status=1
	# The macros these ask for exist in the kernel only.
	# shellcheck disable=SC2046
	"${cp[@]}" --ignore PREFER_DEFINED_ATTRIBUTE_MACRO,ARRAY_SIZE,VOLATILE,EMBEDDED_FUNCTION_NAME,SPLIT_STRING,ENOSYS,MACRO_WITH_FLOW_CONTROL,STRCPY,NAKED_SSCANF \
		-f $(test_c) || status=1
	return $status
}

# Applies the series one patch at a time to a copy of upstream in which all our
# options are off, and compiles the C files of each patch. (That the whole series
# compiles with the options on is what "make kernel" shows.)
step_patches() {
	local copy=$out/linux key patch objects
	key=$(hash_of patches KERNEL configs include scripts/kernel.sh scripts/source.py)
	[ "$(cat "$out/patches.ok" 2>/dev/null)" != "$key" ] || return 0
	rm -f "$out/patches.ok"
	mkdir -p "$copy"
	rsync -a --delete --exclude=/vz-* --exclude=/.vz --link-dest="$linux/" "$linux/" "$copy/" || return 1
	scripts/source.py upstream "$copy" || return 1
	coproc STEPS { exec scripts/source.py steps "$copy"; }
	local from=${STEPS[0]} to=${STEPS[1]} pid=$STEPS_PID
	while read -r patch objects <&"$from"; do
		echo "$patch: ${objects:-no C file}"
		# shellcheck disable=SC2086
		VZ_SRC=$copy scripts/kernel.sh plain prepare $objects >"$out/patches.log" 2>&1 || {
			tail -n 40 "$out/patches.log"
			kill "$pid" 2>/dev/null
			return 1
		}
		echo next >&"$to"
	done
	wait "$pid" || return 1
	echo "$key" >"$out/patches.ok"
}

# Steps run as conditions, where errexit is off: each says how it went.
steps=("$@")
[ $# -gt 0 ] || steps=(scripts spdx rustfmt clippy_tools rustdoc_tools checkpatch patches clippy_kernel rustdoc_kernel)
"$VZ_TOP/scripts/source.sh"
for step in "${steps[@]}"; do
	start=$SECONDS
	say "check: $step"
	if "step_$step"; then
		say "check: $step passed ($((SECONDS - start)) s)"
	else
		say "check: $step FAILED"
		bad+=("$step")
	fi
done
[ ${#bad[@]} -eq 0 ] || die "make check: ${bad[*]} failed"
say "make check: all passed"
