#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes build/node.img: Debian with systemd, the tools and the template cache.
. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	as_root env VZ_OWNER="$(id -u):$(id -g)" HOME="$HOME" XDG_CACHE_HOME="${XDG_CACHE_HOME:-}" "$0" "$@"
	exit
fi

suite=trixie
size=8G
packages=systemd,systemd-sysv,dbus,iproute2,e2fsprogs,zstd,xz-utils,procps,psmisc,kmod,less,vim-tiny,bash-completion,quota
node=$VZ_TOP/scripts/node
store=$VZ_CACHE/node
template=$VZ_CACHE/template/debian-13-x86_64.tar.zst
mkdir -p "$store"
take_lock "$VZ_BUILD/.node.lock"
take_lock "$store/.lock"

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

# The base system: the same for every clone, made once.
base=$store/base-$(printf '%s' "$suite $packages 1" | sha256sum | cut -c1-16).tar
if [ ! -f "$base" ]; then
	say "making the node's base system (Debian $suite, about 100 MB to download)"
	work=$(mktemp -d "$store/make.XXXXXX")
	proxies=()
	while IFS= read -r line; do
		proxies+=(--aptopt="$line")
	done < <(apt-config dump | grep -E '^Acquire::(http|https)::.*[Pp]roxy' || true)
	mmdebstrap --quiet --mode=root --architectures=amd64 --variant=minbase --include="$packages" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--aptopt='Acquire::Retries "3"' "${proxies[@]}" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		"$suite" "$work/base.tar" \
		"deb [signed-by=$DEBIAN_KEYRING] $(host_mirror) $suite main" >&2 ||
		die "mmdebstrap could not make the node's base system (the first run needs the network)"
	mv "$work/base.tar" "$base"
	rm -rf "$work"
fi

[ -f "$template" ] || die "the template cache $template is missing: run make template"
image=$VZ_BUILD/node.img
key=$(hash_of "$node" "$VZ_TOP/scripts/node-image.sh" "$VZ_BUILD/tools/release/vz-tools" \
	"$VZ_TOP"/tools/vzctl/{install.sh,etc,systemd,templates})-$(stat -c '%s %Y' "$base" "$template" | sha256sum | cut -c1-16)
[ -f "$image" ] && [ "$(cat "$image.key" 2>/dev/null)" = "$key" ] && exit 0

say "making the node image"
work=$(mktemp -d "$VZ_BUILD/node.XXXXXX")
root=$work/root
mkdir "$root"
tar -xf "$base" -C "$root" --exclude='./dev/*'
"$VZ_TOP/tools/vzctl/install.sh" "$root" "$VZ_BUILD/tools/release/vz-tools" >&2

echo node >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 node\n::1 localhost\n' >"$root/etc/hosts"
: >"$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
sed -i 's/^root:[^:]*:/root::/' "$root/etc/shadow"
# The mirror is the build host's business.
rm -f "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/*
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*

install -d "$root/usr/lib/vz-node" "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system.conf.d"
install -m 755 "$node"/bin/* "$root/usr/lib/vz-node/"
install -m 644 "$node"/units/* "$root/etc/systemd/system/"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n' >"$root/etc/systemd/journald.conf.d/node.conf"
printf '[Manager]\nDefaultTimeoutStopSec=30s\nDefaultDeviceTimeoutSec=30s\n' >"$root/etc/systemd/system.conf.d/node.conf"
systemctl --root="$root" --quiet enable vz-console.service vz-tests.service vz.service vzeventd.service
# Every unit costs seconds under emulation; none of these has work to do here.
systemctl --root="$root" --quiet mask serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer \
	e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer systemd-tmpfiles-clean.timer \
	systemd-journal-flush.service systemd-update-utmp.service systemd-firstboot.service ldconfig.service \
	systemd-machine-id-commit.service systemd-pcrmachine.service systemd-logind.service \
	modprobe@configfs.service modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service \
	systemd-modules-load.service systemd-random-seed.service systemd-remount-fs.service \
	systemd-tmpfiles-setup-dev-early.service systemd-sysusers.service systemd-update-done.service \
	systemd-journal-catalog-update.service tmp.mount dev-hugepages.mount sys-fs-fuse-connections.mount \
	dbus.service dbus.socket systemd-hostnamed.socket systemd-sysext.socket 2>/dev/null
ln -sf multi-user.target "$root/usr/lib/systemd/system/default.target"

install -d "$root/var/lib/vz/template/cache"
cp "$template" "${template%.tar.zst}.manifest.json" "$root/var/lib/vz/template/cache/"

truncate -s "$size" "$work/node.img"
# Quota and project: per-VE disk limits are the file system's own.
mke2fs -q -t ext4 -F -O quota,project -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 -L node \
	-d "$root" "$work/node.img" 2>"$work/mke2fs.log" || die "mke2fs: $(cat "$work/mke2fs.log")"
rm -f "$image.key"
mv "$work/node.img" "$image"
printf '%s\n' "$key" >"$image.key"
if [ -n "${VZ_OWNER:-}" ]; then
	chown "$VZ_OWNER" "$image" "$image.key"
	chown -R "$VZ_OWNER" "$store"
fi
say "$image ($(du -m "$image" | cut -f1) MiB)"
