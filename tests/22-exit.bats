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

@test "130 and 143: we are interrupted, the command goes on, and how to follow it is said" {
	start_ewsd
	start_agent mini
	mkfifo "$D/go"
	handler wait <<-H
		#!/bin/sh
		trap 'echo x >>"$D/asked"' INT
		echo x >>"$D/started"
		exec 4<>"$D/go"
		until read -r line <&4; do :; done
	H
	n=0
	for sig in INT TERM; do
		n=$((n + 1))
		set -m # else a background job ignores SIGINT
		ewsctl run --id "w$n" mini wait 2>"$D/said" 3>&- &
		pid=$!
		set +m
		PIDS+=("$pid")
		until_true 10 lines_are "$D/started" $n
		if [ $sig = INT ]; then # the first one is the handler's
			kill -INT $pid
			until_true 10 test -s "$D/asked"
			until_true 10 grep -q 'once more' "$D/said"
		fi
		kill -$sig $pid
		got=0
		wait $pid || got=$?
		forget $pid
		echo "$sig: $got"
		[ "$sig$got" = INT130 ] || [ "$sig$got" = TERM143 ]
		grep -q "ewsctl attach w$n" "$D/said"
		command_is w$n started
		echo done >"$D/go"
		until_true 10 has_ended w$n
	done
}

# done, or cancelled by the SIGINT that it did not mind
has_ended() {
	[ "$(ewsctl command "$1" --jq .exit_code)" = 0 ]
}

lines_are() {
	[ "$(wc -l <"$1")" -eq "$2" ]
}

@test "255: the hub is lost while the handler runs, and does not come back" {
	start_ewsd
	start_agent mini
	handler slow <<-H
		#!/bin/sh
		echo x >>"$D/started"
		exec sleep 2
	H
	ewsctl run --id s --reconnect 500ms mini slow 2>"$D/said" 3>&- &
	pid=$!
	PIDS+=("$pid")
	until_true 10 test -s "$D/started"
	end_process "$HUB_PID" KILL
	got=0
	wait $pid || got=$?
	forget $pid
	[ "$got" -eq 255 ]
	grep -q 'the outcome is not known: .*ewsctl attach s' "$D/said"
}

@test "75: the hub is stopping; of a handler it is 255" {
	start_ewsd
	ewsctl send --id r --queue-unknown --reconnect 0 --wait=received absent echo 2>"$D/r.said" 3>&- &
	r=$!
	ewsctl send --id d --queue-unknown --reconnect 0 --wait=done absent echo 2>"$D/d.said" 3>&- &
	d=$!
	PIDS+=("$r" "$d")
	waiting() { [ "$(ewsctl commands absent -o json | jq '.commands | length')" = 2 ]; }
	until_true 10 waiting
	kill -TERM "$HUB_PID"
	got=0
	wait $r || got=$?
	forget $r
	[ "$got" -eq 75 ]
	grep -q 'stopping.*ewsctl command r' "$D/r.said"
	got=0
	wait $d || got=$?
	forget $d
	[ "$got" -eq 255 ]
	grep -q 'not known: .*stopping.*ewsctl attach d' "$D/d.said"
}
