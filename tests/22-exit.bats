#!/usr/bin/env bats
# The exit statuses that need more than a command and an agent.

load lib/ews

# as another user than the one who owns the sockets
as_stranger() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		chmod 000 "$SOCK/ewsd.sock"
		"$@"
	fi
}

@test "70: a mistake of ours or no descriptors left for jq" {
	run -70 bash -c 'exec 3>&- 4>&- 5>&-; ulimit -n 4; exec ewsctl --jq . ping'
	[[ $output == *jq* ]]
}

@test "74: a result file that cannot be written" {
	start_ewsd
	start_agent mini
	run -74 ewsctl run --result-file /nosuch/dir/file mini echo hello
	[[ $output == *"/nosuch/dir/file"*"nothing was sent"* ]]
	run -74 ewsctl send --lines /nosuch/file
}

@test "74: stdout that cannot be written" {
	start_ewsd
	# a descriptor that is open for reading only
	run -74 bash -c 'ewsctl ping 1</dev/null'
}

@test "76: what answers is no hub" {
	wsproxy --listen 0 --to 1 --control "$SOCK/odd.sock" >"$D/proxy.out" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.out"
	run -76 ewsctl --socket "$SOCK/odd.sock" ping
}

@test "77: the socket is not for strangers" {
	start_ewsd
	chmod 755 "$SOCK"
	run -77 as_stranger "$(command -v ewsctl)" --socket "$SOCK/ewsd.sock" ping
}

@test "130 and 143: interrupted, and the command goes on" {
	start_ewsd
	start_agent mini
	mkfifo "$D/go"
	handler wait <<-H
		#!/bin/sh
		echo x >>"$D/started"
		cat "$D/go"
	H
	n=0
	for sig in INT TERM; do
		n=$((n + 1))
		set -m # else a background job ignores SIGINT
		ewsctl run mini wait 2>"$D/said" 3>&- &
		pid=$!
		set +m
		until_true 10 grep -c x "$D/started"
		until_true 10 lines_are "$D/started" $n
		kill -$sig $pid
		got=0
		wait $pid || got=$?
		echo "$sig: $got"
		[ "$sig$got" = INT130 ] || [ "$sig$got" = TERM143 ]
		grep -q 'ewsctl command' "$D/said"
		echo done >"$D/go"
	done
	both_done() { [ "$(ewsctl commands --state done -o json | jq '.commands | length')" = 2 ]; }
	until_true 10 both_done
}

lines_are() {
	[ "$(wc -l <"$1")" -eq "$2" ]
}

@test "255: the hub is lost while the handler runs" {
	start_ewsd
	start_agent mini
	handler slow <<-H
		#!/bin/sh
		echo x >>"$D/started"
		exec sleep 2
	H
	ewsctl run mini slow 2>"$D/said" 3>&- &
	pid=$!
	until_true 10 test -s "$D/started"
	end_process "$HUB_PID" KILL
	got=0
	wait $pid || got=$?
	[ "$got" -eq 255 ]
	grep -q 'not known' "$D/said"
}

@test "75: the hub is stopping" {
	start_ewsd
	start_agent mini
	handler slow <<-H
		#!/bin/sh
		echo x >>"$D/started"
		exec sleep 3
	H
	ewsctl send --wait=received mini slow
	ewsctl send --queue-unknown --wait=done absent echo 2>"$D/said" 3>&- &
	pid=$!
	waiting() { [ "$(ewsctl commands absent -o json | jq '.commands | length')" = 1 ]; }
	until_true 10 waiting
	kill -TERM "$HUB_PID"
	got=0
	wait $pid || got=$?
	[ "$got" -eq 75 ] || [ "$got" -eq 255 ]
	grep -qE 'stopping|not known' "$D/said"
}
