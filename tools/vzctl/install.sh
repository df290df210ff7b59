#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Puts the tools into a file tree, ready to run:
#
#	install.sh DESTDIR [BINARY]
#
# BINARY is the built vz-tools (default: the one of `cargo build --release`).
# Configuration files that exist already are left alone.
set -eu

die() {
	echo "install.sh: $*" >&2
	exit 1
}

[ $# -ge 1 ] && [ -n "$1" ] || die "usage: install.sh DESTDIR [BINARY]"
dest=${1%/}
src=$(cd "$(dirname "$0")" && pwd)
binary=${2:-${CARGO_TARGET_DIR:-$src/target}/release/vz-tools}
[ -x "$binary" ] || die "$binary is missing: run cargo build --release in $src"

sbin=$dest/usr/sbin
install -d "$sbin" "$dest/etc/vz/conf" "$dest/etc/vz/names" "$dest/etc/vz/templates.d" \
	"$dest/usr/share/vzctl/templates" "$dest/usr/share/vzctl/schema" "$dest/usr/lib/systemd/system" \
	"$dest/usr/share/man/man5" "$dest/usr/share/man/man8" \
	"$dest/usr/share/bash-completion/completions" \
	"$dest/usr/share/zsh/vendor-completions" "$dest/usr/share/fish/vendor_completions.d" \
	"$dest/var/lib/vz/template/cache" "$dest/var/lib/vzctl/vzreboot" "$dest/var/log/vzpkg"
install -d -m 0700 "$dest/var/lib/vz/private" "$dest/var/lib/vz/root" \
	"$dest/var/lib/vz/lock" "$dest/var/lib/vz/dump" "$dest/var/lib/vz/trash" \
	"$dest/var/lib/vz/vztmp"
[ -e "$dest/vz" ] || [ -L "$dest/vz" ] || ln -s var/lib/vz "$dest/vz"

# A running binary cannot be written to, but it can be replaced.
install -m 0755 "$binary" "$sbin/.vz-tools.new"
mv -f "$sbin/.vz-tools.new" "$sbin/vz-tools"
for name in $("$binary" names); do
	ln -sf vz-tools "$sbin/$name"
done

(cd "$src/etc" && find . -type f -not -path './schemas/*') | while read -r file; do
	case $file in
	*.logrotate) to=etc/logrotate.d/$(basename "$file" .logrotate) ;;
	*) to=etc/vz/$file ;;
	esac
	[ -e "$dest/$to" ] || install -D -m 0644 "$src/etc/$file" "$dest/$to"
done
install -m 0644 "$src"/templates/*.toml "$dest/usr/share/vzctl/templates/"
install -m 0644 "$src"/etc/schemas/*.json "$dest/usr/share/vzctl/schema/"
install -m 0644 "$src"/systemd/*.service "$dest/usr/lib/systemd/system/"

# Manual pages and completion come from the same table as the options.
man=$(mktemp -d)
trap 'rm -rf "$man"' EXIT
"$binary" gen-man "$man" 2> "$man/log" || die "cannot make the manual pages"
for section in 5 8; do
	for page in "$man"/*."$section"; do
		[ ! -f "$page" ] || install -m 0644 "$page" "$dest/usr/share/man/man$section/"
	done
done
"$binary" vzctl completion bash > "$dest/usr/share/bash-completion/completions/vzctl"
"$binary" vzctl completion zsh > "$dest/usr/share/zsh/vendor-completions/_vzctl"
"$binary" vzctl completion fish > "$dest/usr/share/fish/vendor_completions.d/vzctl.fish"
# Shells load a file by the command's name; this one knows all of them.
for name in $("$binary" names); do
	[ "$name" = vzctl ] || {
		ln -sf vzctl "$dest/usr/share/bash-completion/completions/$name"
		ln -sf vzctl.fish "$dest/usr/share/fish/vendor_completions.d/$name.fish"
	}
done
