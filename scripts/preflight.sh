#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Refuses early, with one clear line, what would fail late.
# preflight.sh [MIB]: MIB of disk the target needs when nothing is built yet.
. "$(dirname "$0")/lib.sh"

need=${1:-2000}

[ "$(uname -m)" = x86_64 ] ||
	die "the node is an x86_64 machine and so must the build host be; this is $(uname -m)"

case $(host_release) in
12 | 13) ;;
*) die "the build host must be Debian 12 or 13 (its toolchain packages are used)" ;;
esac

[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
	die "packages and disk images need root: run make as root or install sudo"

case $VZ_TOP in
*[[:space:]:]*) die "the kernel cannot be built below a path with a blank or a colon: $VZ_TOP" ;;
esac

for dir in "$VZ_BUILD" "$VZ_CACHE"; do
	free=$(free_mib "$dir")
	[ "$free" -lt "$need" ] || continue
	# What is already on disk has not to be written again.
	have=$(du -sm "$VZ_BUILD" | cut -f1)
	more=$((need > have ? need - have : 500))
	[ "$free" -ge "$more" ] ||
		die "$dir has $free MiB free and this target needs $more MiB more: free some space and run make again"
done
