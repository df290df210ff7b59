#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes build/guest.tar, a disk of the guest tests: the Debian 13 template with
# Apache in it, for VEs that have no network to install it from.
. "$(dirname "$0")/lib.sh"

name=debian-13-x86_64-apache
recipe=$VZ_BUILD/$name.toml
disk=$VZ_BUILD/guest.tar
take_lock "$VZ_BUILD/.guest.lock"

sed -e "s/^name = .*/name = \"$name\"/" -e '/^aliases = /d' -e 's/^packages = \[/&\n  "apache2",/' \
	"$VZ_TOP/tools/vzctl/templates/debian-13-x86_64.toml" >"$recipe"
"$VZ_TOP/scripts/template.sh" "$name" "$recipe"
cache=$VZ_CACHE/template/$name.tar.zst
[ "$disk" -nt "$cache" ] && exit 0
tar -cf "$disk.new" -C "$VZ_CACHE/template" "$name.tar.zst" "$name.manifest.json"
mv "$disk.new" "$disk"
