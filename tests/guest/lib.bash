# SPDX-License-Identifier: GPL-2.0
# Cases of a guest test as KTAP on stdout. A case is a function; it runs in a
# subshell with errexit, so that any command that fails ends it. Cases build on
# each other: after one run by must() has failed the rest is reported as failed.

case_number=0
case_failed=0
case_stopped=

plan() {
	echo "KTAP version 1"
	echo "1..$1"
}

# Output of a case goes to the report as it comes, so that a hang shows where.
run_case() { # NAME FUNCTION [ARG...]
	local name=$1 status
	shift
	case_number=$((case_number + 1))
	if [ -n "$case_stopped" ]; then
		echo "not ok $case_number $name # not run, $case_stopped failed"
		case_failed=1
		return 1
	fi
	(
		set -eE -o pipefail
		trap 'echo "line $LINENO: $BASH_COMMAND (status $?)"' ERR
		"$@"
	) </dev/null 2>&1 | sed -u 's/^/# /'
	status=${PIPESTATUS[0]}
	case $status in
	0) echo "ok $case_number $name" ;;
	4) echo "ok $case_number $name # SKIP" ;;
	*)
		echo "not ok $case_number $name"
		case_failed=1
		return 1
		;;
	esac
}

# No || after run_case: bash would ignore errexit in all of the case.
try() {
	run_case "$@"
	return 0
}

must() {
	run_case "$@"
	[ $? -eq 0 ] || case_stopped=$1
}

finish() {
	exit $case_failed
}

# status CODE COMMAND...: the command must exit with exactly this status.
status() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ $got -eq "$want" ] && return
	echo "'$*' exited with $got, not $want"
	return 1
}

# same GOT WANT
same() {
	[ "$1" = "$2" ] && return
	printf 'is      [%s]\nshould  [%s]\n' "$1" "$2"
	return 1
}

# soon SECONDS COMMAND...: true within that time.
soon() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $end ]; then
			echo "not in time: $*"
			return 1
		fi
		sleep 0.3
	done
}

# What vzctl status says, without the leading words.
state() {
	local line
	line=$(vzctl status "$1")
	echo "${line#CTID "$1" }"
}

is_state() { # ID WORDS
	[ "$(state "$1")" = "$2" ]
}

in_ve() { # ID SHELL-COMMAND
	vzctl exec2 "$1" "$2" </dev/null
}

# Everything a stopped VE must not leave on the node, one line each.
left_running() { # ID
	local id=$1 dir
	[ ! -e /sys/fs/cgroup/ve/"$id" ] || echo "cgroup ve/$id"
	for dir in /proc/bc/"$id" /proc/bc/"$id"-*; do
		[ ! -e "$dir" ] || echo "$dir"
	done
	grep -E "^ *$id " /proc/vz/veinfo || true
	grep -F "/vz/root/$id" /proc/self/mountinfo || true
	grep -lE "^envID:[[:space:]]$id\$" /proc/[0-9]*/status 2>/dev/null || true
	# What vzctl status shows of a failed command stays.
	find /run/vz/"$id" -mindepth 1 ! -name last_error 2>/dev/null || true
	[ ! -e /var/lib/vzctl/vzreboot/"$id" ] || echo "the mark in vzreboot"
}

# The same for a VE that is not there (any more).
left_at_all() { # ID
	local id=$1 path
	left_running "$id"
	for path in /etc/vz/conf/"$id".conf /var/lib/vz/private/"$id"* /var/lib/vz/root/"$id" /var/lib/vz/lock/"$id".lck; do
		[ ! -e "$path" ] || echo "$path"
	done
	find /etc/vz/names -lname "*/$id.conf" 2>/dev/null || true
}

nothing() { # FUNCTION ID
	local left
	left=$("$@")
	[ -z "$left" ]
}

# gone SECONDS FUNCTION ID: nothing is left within that time.
gone() {
	local seconds=$1
	shift
	soon "$seconds" nothing "$@" && return
	"$@" | sed 's/^/left: /'
	return 1
}

# A template that starts in no time: bash as init, a handful of programs.
mini_template() { # NAME
	local tree program lib cache=/var/lib/vz/template/cache
	[ ! -e "$cache/$1.tar.zst" ] || return 0
	tree=$(mktemp -d)
	mkdir -p "$tree"/{bin,sbin,lib64,usr/bin,usr/sbin,etc,dev,proc,sys,run,tmp,root,var/log}
	chmod 755 "$tree"
	for program in bash sleep cat ls id stat mkdir rm uname; do
		cp "$(type -P $program)" "$tree/bin/"
		while read -r lib; do
			mkdir -p "$tree/$(dirname "$lib")"
			cp -L "$lib" "$tree/$lib"
		done < <(ldd "$(type -P $program)" | grep -o '/[^ )]*')
	done
	ln -s bash "$tree/bin/sh"
	cat >"$tree/sbin/init" <<'INIT'
#!/bin/bash
trap 'exit 0' RTMIN+3 PWR TERM
while :; do
	sleep 1000 &
	wait $!
done
INIT
	chmod 755 "$tree/sbin/init"
	echo 'root:x:0:0:root:/root:/bin/bash' >"$tree/etc/passwd"
	echo 'root:*:20000:0:99999:7:::' >"$tree/etc/shadow"
	chmod 640 "$tree/etc/shadow"
	echo 'root:x:0:' >"$tree/etc/group"
	echo '127.0.0.1 localhost' >"$tree/etc/hosts"
	printf 'ID=debian\nVERSION_ID=13\n' >"$tree/etc/os-release"
	tar -C "$tree" --numeric-owner --owner=0 --group=0 --zstd -cf "$cache/$1.tar.zst" .
	rm -rf "$tree"
}
