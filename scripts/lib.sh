# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of this directory; sourced, never run.

set -euo pipefail
umask 022
unset MAKEFLAGS MFLAGS MAKELEVEL RUSTUP_TOOLCHAIN

VZ_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VZ_BUILD=$VZ_TOP/build
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
VZ_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/openvz
export HOME VZ_TOP VZ_BUILD VZ_CACHE
mkdir -p "$VZ_BUILD" "$VZ_CACHE"

# shellcheck source=../KERNEL
. "$VZ_TOP/KERNEL"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo for the few steps that need it.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -E "$@"
	else
		die "this step needs root: run make as root or install sudo ($1)"
	fi
}

# Files that root made in the user's directories go back to the user.
give_back() {
	[ "$(id -u)" = 0 ] || as_root chown -R "$(id -u):$(id -g)" "$@"
}

# take_lock NAME: one holder of NAME at a time, for this process's lifetime.
# In $VZ_BUILD for the clone's own things, in $VZ_CACHE for shared ones.
take_lock() {
	local file=$1 fd
	exec {fd}>"$file"
	if ! flock -n "$fd"; then
		say "waiting for another make to finish (${file##*/})"
		flock "$fd"
	fi
}

# The Debian release of the build host: 12 or 13.
host_release() {
	local id='' VERSION_ID='' ID=''
	[ -r /etc/os-release ] && . /etc/os-release
	id=$ID
	[ "$id" = debian ] && printf '%s\n' "$VERSION_ID"
}

# Sets the names of the toolchain that fits the host; see README.md.
case $(host_release) in
12)
	VZ_LLVM=22
	VZ_RUST_PACKAGES='rustc-web rust-web-src cargo-web rust-web-clippy rustfmt-web'
	VZ_BINDGEN_VERSION=0.72.1
	VZ_BINDGEN=$VZ_CACHE/bindgen-$VZ_BINDGEN_VERSION/bin/bindgen
	;;
*)
	VZ_LLVM=19
	VZ_RUST_PACKAGES='rustc rust-src cargo rust-clippy rustfmt bindgen'
	VZ_BINDGEN_VERSION=
	VZ_BINDGEN=/usr/bin/bindgen
	;;
esac
VZ_CARGO=/usr/bin/cargo

# A PATH on which a rustup or Python of the user's is never found first.
VZ_PATH=/usr/sbin:/usr/bin:/sbin:/bin

# Environment of every compile that may use ccache. Another clone hits too:
# paths below the clone are hashed relative to it.
export CCACHE_DIR=${CCACHE_DIR:-$VZ_CACHE/ccache}
export CCACHE_BASEDIR=$VZ_TOP CCACHE_NOHASHDIR=1
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-8G}

# free_mib DIR: free space of the file system that holds DIR.
free_mib() { df --output=avail -BM "$1" | tail -n 1 | tr -dc 0-9; }

# One hash over the content of the named files and directories, the same in
# every clone.
hash_of() {
	find -L "$@" -type f -not -name '*.swp' -not -name '*~' -print0 2>/dev/null |
		sort -z | xargs -0 -r sha256sum | sed "s|$VZ_TOP/||" | sha256sum | cut -c1-32
}

# The URI of the main Debian archive in the host's own apt sources.
host_mirror() {
	local codename uri
	if [ -n "${VZ_MIRROR:-}" ]; then
		printf '%s\n' "$VZ_MIRROR"
		return
	fi
	codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
	uri=$(apt-get indextargets --format '$(RELEASE)|$(REPO_URI)' 'Created-By: Packages' |
		awk -F'|' -v c="$codename" \
			'$1 == c || $1 == "stable" || $1 == "oldstable" { print $2; exit }')
	[ -n "$uri" ] ||
		die "no Debian archive for '$codename' in the apt sources of this machine; set VZ_MIRROR=URI"
	printf '%s\n' "${uri%/}"
}

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# private_apt SUITE COMMAND...: apt with its own lists and SUITE as only source.
# The host's apt settings (proxies) hold, its sources and lists are not touched.
private_apt() {
	local suite=$1 dir=$VZ_CACHE/apt/$1 mirror
	shift
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	[ -r "$DEBIAN_KEYRING" ] || die "$DEBIAN_KEYRING is missing: install debian-archive-keyring"
	mirror=$(host_mirror)
	printf 'deb [signed-by=%s] %s %s main\n' "$DEBIAN_KEYRING" "$mirror" "$suite" >"$dir/sources.list"
	APT_LISTCHANGES_FRONTEND=none "${@:1:1}" \
		-o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Architecture=amd64 -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Acquire::Retries=3 "${@:2}"
}
