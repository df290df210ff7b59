#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a kernel from build/linux.
#   kernel.sh FLAVOUR [--if-changed | MAKE-ARGUMENT...]
# FLAVOUR: release, debug; clippy (release, with clippy for rustc);
#          plain (the series with VE, UBC and Rust switched off);
#          stock (upstream, from build/stock-linux, for comparison).
# With --if-changed nothing runs unless an input is newer than the last build.
. "$(dirname "$0")/lib.sh"

flavour=$1
shift
src=$VZ_BUILD/linux
fragments=("$VZ_TOP/configs/base.config")
options=()
case $flavour in
release) ;;
debug) fragments+=("$VZ_TOP/configs/debug.config") ;;
clippy) options+=(CLIPPY=1) ;;
plain) fragments+=("$VZ_TOP/configs/plain.config") ;;
stock)
	fragments+=("$VZ_TOP/configs/stock.config")
	src=$VZ_BUILD/stock-linux
	;;
*) die "no such kernel: $flavour" ;;
esac

# "make check" compiles copies of the source with their own output.
[ -z "${VZ_SRC:-}" ] || src=$VZ_SRC
# A direct child of the source tree, so that kbuild uses relative paths.
out=$src/vz-$flavour

mkdir -p "$out"
[ -n "${VZ_SRC:-}" ] || ln -sfn "${src##*/}/vz-$flavour" "$VZ_BUILD/$flavour"
take_lock "$out/.vz-lock"

stamp=$out/.vz-built
key=$(cat "${fragments[@]}" "$VZ_TOP/scripts/kernel.sh" | sha256sum | cut -c1-32)-$(
	dpkg-query -W -f '${Package} ${Version}\n' "clang-$VZ_LLVM" "lld-$VZ_LLVM" 'rustc*' 2>/dev/null |
		sha256sum | cut -c1-16)

if [ "${1:-}" = --if-changed ]; then
	shift
	if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] &&
		[ -z "$(find -L "$src" \( -path "$src/vz-*" -o -path "$src/.vz" \) -prune -o \
			-type f -newer "$stamp" -not -name '.*.swp' -not -name '*~' -print -quit)" ]; then
		exit 0
	fi
fi

mk() {
	local env=(PATH="/usr/lib/ccache:$VZ_PATH" KBUILD_BUILD_USER=vz KBUILD_BUILD_HOST=node)
	[ -z "$VZ_BINDGEN_VERSION" ] || env+=(LIBCLANG_PATH="/usr/lib/llvm-$VZ_LLVM/lib")
	env "${env[@]}" \
		make --no-print-directory -C "$src" O="$out" -j"$(nproc)" LLVM="-$VZ_LLVM" \
		CC="ccache clang-$VZ_LLVM" HOSTRUSTC=/usr/bin/rustc RUSTC=/usr/bin/rustc \
		RUSTDOC=/usr/bin/rustdoc RUSTFMT=/usr/bin/rustfmt CLIPPY_DRIVER=/usr/bin/clippy-driver \
		BINDGEN="$VZ_BINDGEN" "${options[@]}" "$@"
}

# configure: tinyconfig + fragments; a changed Kconfig is picked up by kbuild.
configure() {
	local want=$out/.vz-config.want
	if [ -f "$out/.config" ] && [ "$(cat "$want" 2>/dev/null)" = "$key" ]; then
		mk olddefconfig >/dev/null
		verify
		return
	fi
	say "configuring the $flavour kernel"
	rm -f "$want"
	mk tinyconfig >/dev/null
	(cd "$src" && PATH=$VZ_PATH scripts/kconfig/merge_config.sh -m -Q -O "$out" "$out/.config" "${fragments[@]}") \
		>"$out/.vz-merge.log" || die "merging the configuration failed, see $out/.vz-merge.log"
	mk olddefconfig >/dev/null
	verify
	printf '%s\n' "$key" >"$want"
}

# Everything the fragments ask for must really be set: the last word on each.
verify() {
	local bad
	bad=$(awk -v config="$out/.config" '
		function note(line,   m) {
			if (match(line, /^CONFIG_[A-Za-z0-9_]+=/)) {
				m = substr(line, 1, RLENGTH - 1); v = substr(line, RLENGTH + 1)
			} else if (match(line, /^# CONFIG_[A-Za-z0-9_]+ is not set/)) {
				m = substr(line, 3); sub(/ .*/, "", m); v = "n"
			} else
				return ""
			return m
		}
		BEGIN { while ((getline line < config) > 0) if (m = note(line)) have[m] = v }
		{ if (m = note($0)) want[m] = v }
		END {
			for (m in want) {
				h = (m in have) ? have[m] : "n"
				if (h != want[m]) print m " is " h ", wanted " want[m]
			}
		}' "${fragments[@]}")
	[ -z "$bad" ] || {
		rm -f "$out/.vz-config.want"
		die "configuration of the $flavour kernel:
$bad"
	}
}

# Says that the build is alive: often on a terminal, seldom in a log file.
heartbeat() {
	local log=$1 pause=120 end='\n'
	[ ! -t 2 ] || { pause=3 end='\r'; }
	while sleep $pause; do
		printf "    %s files compiled$end" "$(grep -cE '^  (CC|AS|RUSTC) ' "$log")" >&2
	done
}

configure
if [ $# -gt 0 ]; then
	mk -s "$@"
	exit
fi

# The newest input seen by this build is older than this file.
touch "$stamp.new"
say "building the $flavour kernel"
start=$SECONDS
log=$out/.vz-build.log
: >"$log"
heartbeat "$log" &
heart=$!
trap 'kill $heart 2>/dev/null' EXIT
mk bzImage >"$log" || die "the $flavour kernel does not build (log: $log)"
printf '%s\n' "$key" >"$stamp.new.key"
touch -r "$stamp.new" "$stamp.new.key"
mv "$stamp.new.key" "$stamp"
rm -f "$stamp.new"
say "$VZ_BUILD/$flavour/arch/x86/boot/bzImage ($((SECONDS - start)) s)"
