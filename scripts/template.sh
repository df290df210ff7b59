#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the Debian 13 template cache, or that of a RECIPE which is not shipped,
# with the vzpkg that was just built: template.sh [NAME RECIPE]. It is kept per
# user and made again when its recipe changes.
. "$(dirname "$0")/lib.sh"

name=${1:-debian-13-x86_64}
recipe=${2:-$VZ_TOP/tools/vzctl/templates/$name.toml}
store=$VZ_CACHE/template
cache=$store/$name.tar.zst
mkdir -p "$store"
take_lock "$store/.lock"

key=$(hash_of "$recipe")
[ -s "$cache" ] && [ "$(cat "$cache.key" 2>/dev/null)" = "$key" ] && exit 0

say "making the template cache $name (about 100 MB to download)"
work=$(mktemp -d "$store/make.XXXXXX")
trap 'as_root rm -rf "$work"' EXIT
root=$work/root
tools=$VZ_BUILD/tools/release/vz-tools
# The tools as they will be on the node, below a directory of their own.
"$VZ_TOP/tools/vzctl/install.sh" "$root" "$tools" >&2
[ $# = 0 ] || cp "$recipe" "$root/etc/vz/templates.d/"
if [ -n "${VZ_MIRROR:-}" ]; then
	mkdir -p "$root/etc/apt"
	(. /etc/os-release && echo "deb $VZ_MIRROR $VERSION_CODENAME main" >"$root/etc/apt/sources.list")
fi
# One executable has all the tools in it; its name says which one it is.
as_root env PATH="$VZ_PATH" VZ_SYSROOT="$root" \
	bash -c 'exec -a vzpkg "$0" "$@"' "$tools" create cache "$name" >&2 ||
	die "vzpkg could not make the template cache (the first run needs the network)"
made=$root/var/lib/vz/template/cache/$name
[ -s "$made.tar.zst" ] || die "vzpkg said nothing and left no $name.tar.zst"
give_back "$work"
mv "$made.manifest.json" "${cache%.tar.zst}.manifest.json"
mv "$made.tar.zst" "$cache"
printf '%s\n' "$key" >"$cache.key"
