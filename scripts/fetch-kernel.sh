#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the path of the kernel source package named by KERNEL, fetching it once.
. "$(dirname "$0")/lib.sh"

store=$VZ_CACHE/kernel
pinned=$store/$KERNEL_SHA256.deb
mkdir -p "$store"
take_lock "$store/.lock"

checked() { [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$KERNEL_SHA256" ]; }

if [ -f "$pinned" ]; then
	if [ -f "$pinned.ok" ] || checked "$pinned"; then
		: >"$pinned.ok"
		printf '%s\n' "$pinned"
		exit 0
	fi
	say "the cached kernel package is damaged, fetching it again"
	rm -f "$pinned" "$pinned.ok"
fi

# A stand-in taken earlier because the pinned version had left the archive.
if [ -f "$store/instead-of-$KERNEL_DEB_VERSION" ]; then
	other=$store/$(cat "$store/instead-of-$KERNEL_DEB_VERSION")
	if [ -f "$other" ]; then
		say "using $(basename "$other" .deb) instead of $KERNEL_DEB_VERSION"
		printf '%s\n' "$other"
		exit 0
	fi
fi

say "fetching $KERNEL_PACKAGE $KERNEL_DEB_VERSION"
private_apt "$KERNEL_SUITE" apt-get -q update --error-on=any >&2 ||
	die "cannot read $KERNEL_SUITE from the Debian mirror of this machine: the first run needs the network"

versions=$(private_apt "$KERNEL_SUITE" apt-cache madison "$KERNEL_PACKAGE" | awk -F'|' '{ gsub(/ /, "", $2); print $2 }')
version=$KERNEL_DEB_VERSION
if ! grep -qxF "$version" <<<"$versions"; then
	version=$(grep -E "^${KERNEL_VERSION%.*}\." <<<"$versions" | sort -V | tail -n 1 || true)
	[ -n "$version" ] || die "the archive has no $KERNEL_PACKAGE ${KERNEL_VERSION%.*}.y any more"
	say "$KERNEL_DEB_VERSION has left the archive, taking $version: the series may not apply"
fi

work=$(mktemp -d "$store/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && private_apt "$KERNEL_SUITE" apt-get -q download "$KERNEL_PACKAGE=$version" >&2) ||
	die "the download of $KERNEL_PACKAGE $version was interrupted: run make again"
deb=$(find "$work" -name '*.deb')

if [ "$version" = "$KERNEL_DEB_VERSION" ]; then
	checked "$deb" ||
		die "checksum mismatch: $KERNEL_PACKAGE $version is not the file pinned in KERNEL; nothing was kept"
	mv "$deb" "$pinned"
	: >"$pinned.ok"
	printf '%s\n' "$pinned"
else
	mv "$deb" "$store/$version.deb"
	printf '%s\n' "$version.deb" >"$store/instead-of-$KERNEL_DEB_VERSION"
	printf '%s\n' "$store/$version.deb"
fi
