#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts crun and its libraries at build/bench/crun, out of their packages: the
# host need not have them.
. "$(dirname "$0")/lib.sh"

packages=(crun libc6 libcap2 libseccomp2 libsystemd0 libyajl2)
store=$VZ_CACHE/crun
mkdir -p "$store" "$VZ_BUILD/bench"
take_lock "$store/.lock"

# Every library that a program of the tree wants is in the tree.
complete() {
	local dir=$1 lib
	while read -r lib; do
		[ -e "$dir/usr/lib/x86_64-linux-gnu/$lib" ] || die "no package of $0 has $lib, which crun needs"
	done < <(readelf -d "$dir/usr/bin/crun" "$dir"/usr/lib/x86_64-linux-gnu/*.so* 2>/dev/null |
		sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
}

if [ ! -x "$store/root/usr/bin/crun" ]; then
	say "fetching ${packages[*]}"
	work=$(mktemp -d "$store/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	private_apt trixie apt-get -q update --error-on=any >&2 ||
		die "cannot read the Debian mirror of this machine: the first run needs the network"
	(cd "$work" && private_apt trixie apt-get -q download "${packages[@]}" >&2) ||
		die "the download of ${packages[*]} was interrupted: run make again"
	for deb in "$work"/*.deb; do
		dpkg-deb -x "$deb" "$work/all"
	done
	# The program, the loader and the libraries; nothing else of libc.
	root=$work/root
	lib=usr/lib/x86_64-linux-gnu
	mkdir -p "$root/usr/bin" "$root/$lib" "$root/usr/lib64"
	cp -a "$work/all/usr/bin/crun" "$root/usr/bin/"
	find "$work/all/$lib" -maxdepth 1 -name '*.so*' -exec cp -a -t "$root/$lib" {} +
	ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/usr/lib64/"
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	complete "$root"
	rm -rf "$store/root"
	mv "$root" "$store/root"
fi
rsync -a --delete "$store/root/" "$VZ_BUILD/bench/crun/"
