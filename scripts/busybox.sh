#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Puts a static busybox at build/busybox. Taken out of its package rather than
# installed, because the package would replace the host's own busybox.
. "$(dirname "$0")/lib.sh"

store=$VZ_CACHE/busybox
mkdir -p "$store"
take_lock "$store/.lock"
if [ ! -x "$store/busybox" ]; then
	say "fetching busybox-static"
	work=$(mktemp -d "$store/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	private_apt trixie apt-get -q update --error-on=any >&2 ||
		die "cannot read the Debian mirror of this machine: the first run needs the network"
	(cd "$work" && private_apt trixie apt-get -q download busybox-static >&2) ||
		die "the download of busybox-static was interrupted: run make again"
	dpkg-deb -x "$work"/*.deb "$work/root"
	mv "$(find "$work/root" -name busybox -type f -perm -u+x | head -n 1)" "$store/busybox"
fi
cmp -s "$store/busybox" "$VZ_BUILD/busybox" || cp "$store/busybox" "$VZ_BUILD/busybox"
