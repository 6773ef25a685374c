#!/usr/bin/env bats
# Each handler has a shim that outlives the agent: whoever is killed, what
# became of the handler is told, and it started once.

load lib/ews

QUICK=(--reconnect-min 50ms --reconnect-max 400ms --poll-interval 200ms)

agent_status() {
	ewsctl --socket "$SOCK/mini.sock" status --jq "$1"
}

agent_says() {
	[ "$(agent_status "$1")" = "$2" ]
}

# runs until $D/go is there, and says on both streams what happens
slow_handler() {
	handler slow <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		echo before
		i=0
		while [ ! -e "$D/go" ] && [ \$i -lt 1500 ]; do
			i=\$((i + 1))
			sleep 0.02
		done
		echo after
		echo error >&2
		exit 7
	H
}

# a hub, an agent, and a handler that waits; its command is $id
start_slow() {
	slow_handler
	start_ewsd
	start_agent mini "${QUICK[@]}"
	id=$(ewsctl send mini slow)
	until_true 10 test -s "$D/effects"
	until_true 10 agent_says '.running | length' 1
}

# done with 7, both streams as they were written, one start
check_slow() {
	until_true 10 command_is "$id" done
	[ "$(ewsctl command "$id" --jq .exit_code)" = 7 ]
	[ "$(wc -l <"$D/effects")" -eq 1 ]
	[ "$(ewsctl command "$id" --jq .stdout_bytes)" = 13 ]
	[ "$(ewsctl command "$id" --jq .tail.stdout)" = $'before\nafter' ]
}

end_written() {
	compgen -G "$D/mini/agent/jobs/*/end" >/dev/null
}

no_jobs() {
	[ -z "$(compgen -G "$D/mini/agent/jobs/*")" ]
}

@test "agent killed by kill -9 while a handler runs: exit status and output are told" {
	slow_handler
	start_ewsd
	start_agent mini "${QUICK[@]}"
	ewsctl run mini slow >"$D/run.out" 2>"$D/run.err" 3>&- &
	running=$!
	until_true 10 test -s "$D/effects"
	id=$(cat "$D/effects")
	end_process "$AGENT_PID" KILL
	start_agent mini "${QUICK[@]}"
	until_true 10 agent_says '.running[0].command_id' "$id"
	touch "$D/go"
	status=0
	wait $running || status=$?
	[ $status -eq 7 ]
	[ "$(cat "$D/run.out")" = $'before\nafter' ]
	grep -qx error "$D/run.err"
	until_true 10 command_is "$id" done
	[ "$(wc -l <"$D/effects")" -eq 1 ]
	until_true 10 no_jobs
}

@test "agent ended by SIGTERM: the handler runs on, the next agent picks it up" {
	start_slow
	end_process "$AGENT_PID" TERM
	[ "$(wc -l <"$D/effects")" -eq 1 ]
	run ! end_written
	start_agent mini "${QUICK[@]}"
	until_true 10 agent_says '.running[0].command_id' "$id"
	touch "$D/go"
	check_slow
}

@test "agent killed before it heard of the end: done" {
	start_slow
	end_process "$AGENT_PID" KILL
	touch "$D/go"
	until_true 10 end_written
	run command_is "$id" started
	start_agent mini "${QUICK[@]}"
	check_slow
	until_true 10 no_jobs
}

@test "agent and shim killed together: interrupted, and never run again" {
	start_slow
	shim=$(agent_status '.running[0].pid')
	kill -KILL "$AGENT_PID" "$shim"
	gone "$AGENT_PID" 10
	forget "$AGENT_PID"
	until_true 10 not_running "$shim"
	start_agent mini "${QUICK[@]}"
	until_true 10 command_is "$id" interrupted
	[ "$(wc -l <"$D/effects")" -eq 1 ]
}

@test "the shim alone killed: interrupted at once, and its handler ends with it" {
	handler alone <<-H
		#!/bin/sh
		echo \$\$ >"$D/pid.new"
		mv "$D/pid.new" "$D/pid"
		exec sleep 100
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	id=$(ewsctl send mini alone)
	until_true 10 test -s "$D/pid"
	until_true 10 agent_says '.running | length' 1
	kill -KILL "$(agent_status '.running[0].pid')"
	until_true 10 command_is "$id" interrupted
	if [ "$(uname -s)" = Linux ]; then
		until_true 10 not_running "$(cat "$D/pid")"
	else
		kill -KILL "$(cat "$D/pid")"
	fi
}

@test "a command is cancelled under the next agent, too" {
	start_slow
	end_process "$AGENT_PID" KILL
	start_agent mini "${QUICK[@]}"
	until_true 10 agent_says '.running[0].command_id' "$id"
	ewsctl cancel "$id"
	until_true 10 command_is "$id" cancelled
	[ "$(wc -l <"$D/effects")" -eq 1 ]
}

@test "a deadline is kept while there is no agent" {
	handler sleepy <<-H
		#!/bin/sh
		echo up >>"$D/effects"
		exec sleep 100
	H
	start_ewsd
	start_agent mini "${QUICK[@]}" --deadline 1s --grace 100ms
	id=$(ewsctl send mini sleepy)
	until_true 10 test -s "$D/effects"
	until_true 10 agent_says '.running | length' 1
	end_process "$AGENT_PID" KILL
	until_true 10 end_written
	start_agent mini "${QUICK[@]}"
	until_true 10 command_is "$id" failed
	[ "$(wc -l <"$D/effects")" -eq 1 ]
}

@test "agent ended by SIGTERM while its disk takes nothing: it leaves, and the next tells the end" {
	command -v prlimit >/dev/null || skip "no prlimit(1) here"
	start_slow
	prlimit --pid "$AGENT_PID" --fsize=4096:
	touch "$D/go"
	until_true 10 agent_says .unconfirmed 1
	end_process "$AGENT_PID" TERM
	run ! command_is "$id" done
	start_agent mini "${QUICK[@]}"
	check_slow
}

@test "a state directory too long for a socket: refused at the start, with the limit" {
	start_ewsd
	long=$D/$(printf 'x%.0s' {1..120})
	run -78 ewsagent --hub "$HUB" --id mini --state-dir "$long" \
	    --secret-file "$D/state/secret" --socket "$SOCK/a.sock" \
	    --handlers "$D/handlers"
	[[ $output == *"too long"*" bytes and not "*"--state-dir"* ]]
}
