#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vz.service starts VEs by BOOTORDER (higher first), stops them the other way
# round, and starts again what was running.
# time limit: 600
. "$(dirname "$0")/lib.bash"

template=vztest-mini-x86_64
log=/var/log/vzctl.log

prepare() {
	local id
	mini_template $template
	systemctl stop vz.service
	for id in 161 162 163 164; do
		vzctl create $id --ostemplate $template
	done
	vzctl set 161 --onboot yes --bootorder 1 --save
	vzctl set 162 --onboot yes --bootorder 30 --save
	vzctl set 163 --onboot yes --bootorder 2 --save
	vzctl set 164 --onboot no --save
}

# Order in which VEs reached a state, from the log.
order() { # WORD
	awk -v w="$1" '$NF == w { printf "%s ", $(NF - 2) }' "$log"
}

running() {
	vzlist -H -o veid | tr -d ' ' | tr '\n' ' '
}

boot() {
	: >"$log"
	systemctl start vz.service
	same "$(running)" "161 162 163 "
	same "$(order started)" "162 163 161 "
}

shutdown() {
	: >"$log"
	systemctl stop vz.service
	same "$(running)" ""
	same "$(order stopped)" "161 163 162 "
	for id in 161 162 163; do
		same "$(state $id)" "exist unmounted down"
		same "$(ls /sys/fs/cgroup/ve 2>/dev/null | grep -x $id || true)" ""
	done
}

# ONBOOT unset: started if it was running at the last shutdown. ONBOOT=no: not.
was_running() {
	vzctl set 163 --onboot unset --save
	vzctl set 161 --onboot no --save
	vzctl start 163
	vzctl start 164
	systemctl start vz.service
	systemctl stop vz.service
	systemctl start vz.service
	same "$(running)" "162 163 "
	systemctl stop vz.service
}

# One that cannot start is reported and does not keep the others.
one_fails() {
	vzctl set 161 --onboot yes --save
	mv /var/lib/vz/private/162 /var/lib/vz/private/away
	systemctl start vz.service || true
	same "$(running)" "161 163 "
	mv /var/lib/vz/private/away /var/lib/vz/private/162
	systemctl stop vz.service
	systemctl reset-failed vz.service || true
}

cleanup() {
	local id
	for id in 161 162 163 164; do
		vzctl stop $id --fast
		vzctl destroy $id
		gone 20 left_at_all $id
	done
	rm -f /var/lib/vz/template/cache/$template.tar.zst
}

plan 6
must prepare prepare
must boot boot
must shutdown shutdown
try was-running was_running
try one-fails one_fails
try cleanup cleanup
finish
