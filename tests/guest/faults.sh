#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vzctl create and start are killed, and fail, at each of their steps: nothing
# is left. The steps are those the tools name themselves.
# time limit: 1200
. "$(dirname "$0")/lib.bash"

id=150
template=vztest-mini-x86_64

points() { # COMMAND
	vz-tools fault-points | awk -v c="$1" '$1 == c { print $2 }'
}

mini_template $template
mapfile -t create_points < <(points create)
mapfile -t start_points < <(points start)
[ ${#create_points[@]} -gt 0 ] || create_points=(none)
[ ${#start_points[@]} -gt 0 ] || start_points=(none)

have_points() {
	[ "${create_points[0]}" != none ]
	[ "${start_points[0]}" != none ]
}

create_killed() { # STEP
	# A step that is not reached would make the test prove nothing.
	status 137 env VZ_FAULT_KILL="$1" vzctl create $id --ostemplate $template --name victim
	gone 60 left_at_all $id
}

create_fails() { # STEP
	local got=0
	VZ_FAULT=$1 vzctl create $id --ostemplate $template --name victim || got=$?
	[ $got -ne 0 ]
	nothing left_at_all $id || { left_at_all $id; return 1; }
}

create_works() {
	vzctl create $id --ostemplate $template --name victim
	vzctl start $id
	same "$(vzctl exec2 $id 'id -u')" 0
	vzctl stop $id
	gone 20 left_running $id
}

stopped() {
	is_state $id "exist unmounted down" && nothing left_running $id && [ ! -e /var/lib/vz/lock/$id.lck ]
}

start_killed() { # STEP
	local got=0
	VZ_FAULT_KILL=$1 vzctl start $id || got=$?
	# Killed itself, or its child was.
	[ $got -ne 0 ]
	soon 60 stopped || { state $id; left_running $id; return 1; }
}

start_fails() { # STEP
	local got=0
	VZ_FAULT=$1 vzctl start $id || got=$?
	[ $got -ne 0 ]
	soon 20 stopped || { state $id; left_running $id; return 1; }
}

# Killed at a random moment rather than at a named step.
start_killed_anywhere() {
	local n=$((100 / ${VZ_SCALE:-10})) i pid
	for ((i = 0; i < n; i++)); do
		vzctl start $id &
		pid=$!
		sleep 0.$((RANDOM % 10))
		kill -KILL $pid 2>/dev/null || true
		wait $pid || true
		# Either it had done its work, or nothing is left of it.
		soon 60 settled || { state $id; left_running $id; return 1; }
		vzctl stop $id --fast
		soon 60 stopped
	done
}

settled() {
	stopped || is_state $id "exist mounted running"
}

destroy() {
	vzctl destroy $id
	gone 20 left_at_all $id
	rm -f /var/lib/vz/template/cache/$template.tar.zst
}

plan $((4 + 2 * (${#create_points[@]} + ${#start_points[@]})))
must fault-points have_points
for step in "${create_points[@]}"; do
	try "create-killed-$step" create_killed "$step"
	try "create-fails-$step" create_fails "$step"
done
must create-works create_works
for step in "${start_points[@]}"; do
	try "start-killed-$step" start_killed "$step"
	try "start-fails-$step" start_fails "$step"
done
try start-killed-anywhere start_killed_anywhere
try destroy destroy
finish
