#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Each sample that is shipped carries a Debian 13 with sshd, cron, rsyslog and
# Apache: all of them start, and nothing is refused.
# time limit: 1800
. "$(dirname "$0")/lib.bash"

# A VE has no network to install anything from: the tests' disk has a template
# with Apache in it (scripts/guest-disk.sh).
template=debian-13-x86_64-apache
cache=/var/lib/vz/template/cache
# Two run at a time, for time's sake; 0 is none.
ids=(105 106)
rounds=("basic light" "vswap-256m vswap-512m" "vswap-1g vswap-2g" "vswap-4g 0")
samples=()
for file in /etc/vz/conf/ve-*.conf-sample; do
	name=${file##*/ve-}
	samples+=("${name%.conf-sample}")
done

# What a sample says to the tools.
values() { # SAMPLE
	grep '^[A-Z]' "/etc/vz/conf/ve-$1.conf-sample"
}

# Every one has its turn; two names of one thing need not start twice.
shipped() {
	same "${samples[*]}" "$(printf '%s\n' ${rounds[*]} vswap-1024m | grep -vx 0 | sort | xargs)"
	same "$(values vswap-1024m)" "$(values vswap-1g)"
}

create() {
	local id pid pids=()
	tar -xf /dev/vdc -C $cache
	for id in "${ids[@]}"; do
		vzctl create "$id" --ostemplate $template --config basic --hostname "web$id.example" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	same "$(vzlist -a -H -o ctid,origin_sample | xargs)" "${ids[0]} basic ${ids[1]} basic"
}

start() { # SAMPLE SAMPLE
	local i=0 name now=()
	for id in "${ids[@]}"; do
		vzctl stop "$id" --fast
	done
	for name; do
		[ "$name" = 0 ] || {
			vzctl set "${ids[i]}" --applyconfig "$name" --save
			now+=("${ids[i]}")
		}
		i=$((i + 1))
	done
	vzctl start "${now[@]}" --wait --parallel 2
	echo "after $SECONDS s"
}

# Sizes with a suffix are pages.
number() {
	case $1 in
	unlimited) echo 9223372036854775807 ;;
	*G) echo $((${1%G} * 262144)) ;;
	*M) echo $((${1%M} * 256)) ;;
	*) echo "$1" ;;
	esac
}

# The limits in the kernel are those of the sample.
limits_hold() { # ID SAMPLE
	local name value held count=0
	while IFS='=' read -r name value; do
		value=${value//\"/}
		held=$(awk -v n="${name,,}" '$1 == n { print $4 ":" $5 }' "/proc/bc/$1/resources")
		[ -n "$held" ] || continue
		same "$name $held" "$name $(number "${value%:*}"):$(number "${value#*:}")"
		count=$((count + 1))
	done < <(values "$2")
	case $2 in
	vswap-*) same $count 2 ;;
	*) same $count 20 ;;
	esac
}

# On the node with swappages, inside with the lines that stand for nothing.
nothing_refused() { # ID
	awk 'NF != 6 || $6 != 0 { bad = 1; print } END { exit bad || NR != 21 }' "/proc/bc/$1/resources"
	in_ve "$1" 'cat /proc/user_beancounters' |
		awk 'NR > 2 && $NF != 0 { bad = 1; print } END { exit bad || NR != 26 }'
}

carries() { # ID SAMPLE
	limits_hold "$1" "$2"
	same "$(in_ve "$1" '
		for unit in ssh cron rsyslog apache2 multi-user.target; do
			echo "$unit $(systemctl is-active $unit)"
		done
		exec 3<>/dev/tcp/127.0.0.1/80
		printf "GET / HTTP/1.0\r\nHost: web\r\n\r\n" >&3
		head -n 1 <&3 | tr -d "\r"
		systemctl --failed --no-legend --plain
		systemctl is-system-running')" "ssh active
cron active
rsyslog active
apache2 active
multi-user.target active
HTTP/1.1 200 OK
running"
	nothing_refused "$1"
	vzubc --top 6 "$1"
}

destroy() {
	local id
	for id in "${ids[@]}"; do
		vzctl stop "$id" --fast
		vzctl destroy "$id"
		gone 20 left_at_all "$id"
	done
	rm -f $cache/$template.*
}

plan $((3 + ${#rounds[@]} + ${#samples[@]} - 1))
must shipped shipped
must create create
for round in "${rounds[@]}"; do
	read -r first second <<<"$round"
	try "start-$first-$second" start "$first" "$second"
	try "$first" carries "${ids[0]}" "$first"
	[ "$second" = 0 ] || try "$second" carries "${ids[1]}" "$second"
done
try destroy destroy
echo "# real time: $SECONDS s"
finish
