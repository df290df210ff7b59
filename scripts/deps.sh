#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs the Debian packages that are missing on this machine.
. "$(dirname "$0")/lib.sh"

llvm="clang-$VZ_LLVM lld-$VZ_LLVM llvm-$VZ_LLVM libclang-$VZ_LLVM-dev"
# shellcheck disable=SC2086
set -- $VZ_RUST_PACKAGES $llvm \
	make gcc libc6-dev patch bc flex bison libelf-dev libssl-dev python3 perl cpio kmod \
	rsync xz-utils zstd ccache binutils \
	qemu-system-x86 mmdebstrap e2fsprogs util-linux debian-archive-keyring ca-certificates

installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package} ' "$@" 2>/dev/null || true)"
missing=()
for package; do
	[[ $installed == *" installed $package "* ]] || missing+=("$package")
done

take_lock "$VZ_CACHE/.deps.lock"
if [ ${#missing[@]} -gt 0 ]; then
	say "installing with apt: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt=(apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
	as_root "${apt[@]}" update >&2 ||
		die "apt-get update failed: the first run needs the network and working apt sources"
	for package in "${missing[@]}"; do
		apt-cache show "$package" >/dev/null 2>&1 ||
			die "package $package is not in the apt sources of this machine (Debian $(host_release) needs its security suite enabled)"
	done
	as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends \
		-o Dpkg::Options::=--force-confold "${missing[@]}" >&2 ||
		die "apt could not install: ${missing[*]}"
fi

if [ -n "$VZ_BINDGEN_VERSION" ] && [ ! -x "$VZ_BINDGEN" ]; then
	say "building bindgen $VZ_BINDGEN_VERSION (Debian $(host_release)'s own is too old for the kernel)"
	root=${VZ_BINDGEN%/bin/bindgen}
	rm -rf "$root.tmp"
	PATH=$VZ_PATH CARGO_TARGET_DIR="$root.tmp/target" "$VZ_CARGO" install --quiet --locked \
		--root "$root.tmp" bindgen-cli --version "$VZ_BINDGEN_VERSION" >&2 ||
		die "cargo could not build bindgen-cli $VZ_BINDGEN_VERSION (the first run needs the network)"
	rm -rf "$root.tmp/target" "$root"
	mv "$root.tmp" "$root"
fi
