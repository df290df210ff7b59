#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An unmodified Debian 13 with systemd in a VE: boots, works, reboots, goes.
# time limit: 1800
. "$(dirname "$0")/lib.bash"

id=101
template=debian-13-x86_64
# Units that may fail, with the reason. There is none.
exceptions=()

create() {
	vzctl create $id --ostemplate $template --hostname web1.example --name web1
	same "$(state $id)" "exist unmounted down"
	status 44 vzctl create $id --ostemplate $template
	same "$(readlink -f /etc/vz/names/web1)" /etc/vz/conf/$id.conf
}

# Files on disk belong to the VE's own range of ids.
shifted_tree() {
	local base
	base=$(stat -c %u /var/lib/vz/private/$id)
	[ "$base" -gt 0 ]
	same $((base % 262144)) 0
	same "$(stat -c %u:%g /var/lib/vz/private/$id/usr/bin/env)" "$base:$base"
	same "$(stat -c %a /var/lib/vz/private)" 700
	# Nothing in the tree belongs to the node's root.
	same "$(find /var/lib/vz/private/$id -xdev -uid -262144 -print -quit)" ""
}

start() {
	vzctl start $id --wait
	same "$(state $id)" "exist mounted running"
	status 32 vzctl start $id
	status 32 vzctl destroy $id
}

multi_user() {
	soon 300 in_ve $id 'systemctl is-active multi-user.target'
	soon 120 in_ve $id '! systemctl list-jobs --no-legend | grep .'
}

no_failed_units() {
	local failed unit
	failed=$(in_ve $id 'systemctl list-units --failed --no-legend --plain' | awk '{ print $1 }')
	for unit in "${exceptions[@]}"; do
		failed=$(grep -vxF "$unit" <<<"$failed" || true)
	done
	for unit in $failed; do
		in_ve $id "systemctl status --no-pager -l $unit" || true
	done
	same "$failed" ""
	same "$(in_ve $id 'systemctl is-system-running')" running
}

virtualization() {
	same "$(in_ve $id systemd-detect-virt)" openvz
	same "$(in_ve $id 'systemd-detect-virt --container')" openvz
}

identity() {
	same "$(in_ve $id hostname)" web1.example
	same "$(in_ve $id 'id -u')" 0
	same "$(in_ve $id 'cat /proc/1/comm')" systemd
	same "$(in_ve $id 'readlink /proc/1/exe')" /usr/lib/systemd/systemd
	same "$(in_ve $id "sed -n 's/^envID:\t//p' /proc/self/status")" $id
}

services() {
	local unit
	for unit in ssh cron rsyslog; do
		same "$(in_ve $id "systemctl is-active $unit")" active
	done
}

sshd_answers() {
	local banner
	banner=$(in_ve $id 'exec 3<>/dev/tcp/127.0.0.1/22; read -r -t 20 line <&3; echo "$line"')
	[[ $banner == SSH-2.0-* ]]
}

rsyslog_writes() {
	in_ve $id 'logger -t vztest the-line-of-the-test'
	soon 30 in_ve $id 'grep -q the-line-of-the-test /var/log/syslog'
}

cron_table() {
	in_ve $id 'echo "* * * * * root touch /run/cron-was-here" >/etc/cron.d/vztest'
}

cron_runs() {
	soon 150 in_ve $id 'test -e /run/cron-was-here'
}

# apt installs a package from a file, its program runs, dpkg removes it.
package() {
	local dir
	dir=$(mktemp -d)
	mkdir -p "$dir/p/DEBIAN" "$dir/p/usr/bin"
	cat >"$dir/p/DEBIAN/control" <<-EOF
		Package: vztest
		Version: 1.0
		Architecture: all
		Maintainer: Nobody <nobody@localhost>
		Depends: bash
		Description: prints one line
	EOF
	printf '#!/bin/bash\necho "vztest runs as $(id -un)"\n' >"$dir/p/usr/bin/vztest"
	chmod 755 "$dir/p/usr/bin/vztest"
	dpkg-deb --root-owner-group -b "$dir/p" "$dir/vztest.deb"
	vzctl exec2 $id 'cat >/root/vztest.deb' <"$dir/vztest.deb"
	rm -rf "$dir"
	in_ve $id 'DEBIAN_FRONTEND=noninteractive apt-get install -y /root/vztest.deb'
	same "$(in_ve $id vztest)" "vztest runs as root"
	in_ve $id 'dpkg -r vztest'
	status 127 in_ve $id vztest
}

# The VE sees the beancounters of its own, with real numbers.
beancounters() {
	local text
	text=$(in_ve $id 'cat /proc/user_beancounters')
	same "$(head -n 1 <<<"$text")" "Version: 2.5"
	same "$(grep -c : <<<"${text#*$'\n'}")" 1
	grep -q "^ *$id:  kmemsize " <<<"$text"
	same "$(wc -l <<<"$text")" 26
	awk '$1 == "numproc" && $2 >= 5 { ok++ }
	     $1 == "numfile" && $2 >= 50 { ok++ }
	     $1 == "numothersock" && $2 >= 5 { ok++ }
	     $1 == "privvmpages" && $2 >= 1000 { ok++ }
	     $1 == "physpages" && $2 >= 1000 { ok++ }
	     END { exit ok != 5 }' <<<"$text" || { echo "$text"; return 1; }
	same "$(grep -c '' /proc/bc/$id/resources)" 21
}

barrier() { # NAME
	in_ve $id 'cat /proc/user_beancounters' | awk -v n="$1" '$1 == n { print $4 ":" $5 }'
}

# A limit set on the node holds inside at once, and is kept in the config.
set_live() {
	vzctl set $id --numproc 400:410 --save
	same "$(barrier numproc)" 400:410
	grep -qx 'NUMPROC="400:410"' /etc/vz/conf/$id.conf
	status 21 vzctl set $id --numproc nonsense
	same "$(barrier numproc)" 400:410
}

# At the barrier processes inside are refused, on the node they are not.
numproc_refuses() {
	local held fails
	held=$(awk '$1 == "numproc" { print $2 }' /proc/bc/$id/resources)
	vzctl set $id --numproc $((held + 20))
	in_ve $id 'for i in {1..60}; do sleep 5 & done; wait' >/dev/null 2>&1 || true
	fails=$(awk '$1 == "numproc" { print $6 }' /proc/bc/$id/resources)
	vzctl set $id --numproc 400:410
	[ "$fails" -gt 0 ]
	in_ve $id true
}

exec_status() {
	status 0 vzctl exec2 $id true
	status 7 vzctl exec2 $id 'exit 7'
	status 8 vzctl exec $id 'exit 7'
	status 0 vzctl exec $id true
	status 137 vzctl exec2 $id 'kill -9 $$'
	status 127 vzctl exec2 $id no-such-command-here
	same "$(echo 'echo $((6 * 7))' | vzctl exec2 $id -)" 42
	same "$(vzctl exec3 $id echo 'a b' '$HOME')" 'a b $HOME'
	same "$(head -c 300000 /dev/zero | vzctl exec2 $id 'wc -c')" 300000
	status 14 vzctl exec2 9999 true
}

# enter gives a terminal of the VE, not of the node.
enter() {
	local text
	text=$(printf 'tty\necho user=$(id -u) virt=$(systemd-detect-virt)\nexit\n' |
		timeout 120 script -qec "vzctl enter $id" /dev/null |
		sed 's/\x1b\[[?0-9;]*[a-zA-Z]//g' | tr -d '\r')
	grep -q '^/dev/pts/[0-9]' <<<"$text" || { echo "$text"; return 1; }
	grep -q '^user=0 virt=openvz' <<<"$text" || { echo "$text"; return 1; }
}

# kill -9 -1 by root of the VE: its init restarts services, the node lives on.
kill_everybody() {
	local before=$BASHPID
	vzctl start $id --wait
	vzctl exec2 $id 'kill -9 -1' || true
	kill -0 "$before"
	soon 120 in_ve $id 'systemctl is-active ssh'
	same "$(state $id)" "exist mounted running"
	vzctl stop $id --fast
}

# reboot inside: the VE comes back by itself, as a new one.
reboot_inside() {
	systemctl is-active vzeventd || systemctl start vzeventd
	in_ve $id 'touch /run/before-reboot /root/on-disk'
	in_ve $id 'systemctl reboot' || true
	soon 300 in_ve $id 'test ! -e /run/before-reboot'
	soon 300 in_ve $id 'systemctl is-active multi-user.target'
	in_ve $id 'test -e /root/on-disk'
	# What was saved holds for the new one.
	same "$(barrier numproc)" 400:410
}

# poweroff inside: stopped and unmounted, with nobody's help.
poweroff_inside() {
	in_ve $id 'systemctl poweroff' || true
	soon 300 is_state $id "exist unmounted down"
	gone 30 left_running $id
	status 31 vzctl exec2 $id true
}

stop() {
	vzctl start $id --wait
	vzctl stop $id
	same "$(state $id)" "exist unmounted down"
	gone 20 left_running $id
	# Again: said so, and no error.
	vzctl stop $id
}

restart_fast() {
	vzctl start $id
	vzctl restart $id --fast
	same "$(state $id)" "exist mounted running"
	vzctl stop $id --fast
	gone 20 left_running $id
}

destroy() {
	vzctl destroy $id
	[ -e /etc/vz/conf/$id.conf.destroyed ]
	gone 20 left_at_all $id
	same "$(vzlist -a -H -o veid)" ""
	same "$(state $id)" "deleted unmounted down"
}

plan 24
must create create
must shifted-tree shifted_tree
must start start
must multi-user multi_user
try no-failed-units no_failed_units
try virtualization virtualization
try identity identity
try services services
try cron-table cron_table
try sshd-answers sshd_answers
try rsyslog-writes rsyslog_writes
try package package
try beancounters beancounters
try set-live set_live
try numproc-refuses numproc_refuses
try exec-status exec_status
try enter enter
try cron-runs cron_runs
must reboot-inside reboot_inside
must poweroff-inside poweroff_inside
must stop stop
must restart-fast restart_fast
must kill-everybody kill_everybody
must destroy destroy
finish
