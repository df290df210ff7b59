#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# cargo for tools/vzctl: tools.sh [build|test|CARGO-ARGUMENT...]
. "$(dirname "$0")/lib.sh"

cd "$VZ_TOP/tools/vzctl"
export CARGO_TARGET_DIR=$VZ_BUILD/tools PATH=$VZ_PATH
unset RUSTFLAGS
mkdir -p "$CARGO_TARGET_DIR"

# Crates are fetched once per user; afterwards nothing asks the network.
online() {
	local crates=$VZ_CACHE/crates-$(sha256sum Cargo.lock | cut -c1-16)
	[ -f "$crates" ] && "$VZ_CARGO" fetch --quiet --locked --offline 2>/dev/null && return
	"$VZ_CARGO" fetch --quiet --locked ||
		die "cargo could not fetch the crates of tools/vzctl (the first run needs the network)"
	: >"$crates"
}

case ${1:-build} in
build)
	online
	exec "$VZ_CARGO" build --quiet --release --locked --offline
	;;
fmt)
	exec "$VZ_CARGO" "$@"
	;;
*)
	online
	command=$1
	shift
	exec "$VZ_CARGO" "$command" --locked --offline "$@"
	;;
esac
