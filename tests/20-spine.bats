#!/usr/bin/env bats
# The main job: a shell, the hub, an agent, a handler, and back.

load lib/ews

@test "run: the handler's output and its exit status" {
	start_ewsd
	start_agent mini
	run -0 --separate-stderr ewsctl run mini echo hello
	[ "$output" = hello ]
	[ -z "$stderr" ]
}

@test "run: every exit status from 0 to 255 comes back" {
	start_ewsd
	start_agent mini
	handler status <<-'H'
		#!/bin/sh
		exit "$1"
	H
	for want in $(seq 0 255); do
		got=0
		ewsctl run mini status "$want" 2>/dev/null || got=$?
		[ "$got" -eq "$want" ] || { echo "$want came as $got"; return 1; }
	done
}

@test "run: a handler that dies by a signal is 128 and the signal" {
	start_ewsd
	start_agent mini
	handler die <<-'H'
		#!/bin/sh
		kill -"$1" $$
	H
	for want in 1 2 3 6 8 9 10 11 12 13 14 15; do
		got=0
		ewsctl run mini die "$want" 2>/dev/null || got=$?
		[ "$got" -eq $((128 + want)) ] ||
		    { echo "signal $want came as $got"; return 1; }
	done
}

@test "run: stdout and stderr come back apart" {
	start_ewsd
	start_agent mini
	handler both <<-'H'
		#!/bin/sh
		echo out; echo err >&2; exit 7
	H
	run -7 --separate-stderr ewsctl run mini both
	[ "$output" = out ]
	[ "$stderr" = err ]
}

@test "run: output is seen while the handler still runs" {
	start_ewsd
	start_agent mini
	mkfifo "$D/go"
	handler live <<-H
		#!/bin/sh
		echo first
		cat "$D/go"
	H
	ewsctl run mini live >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q first "$D/seen"
	echo second >"$D/go"
	wait ${PIDS[-1]}
	[ "$(cat "$D/seen")" = $'first\nsecond' ]
}

@test "run: arguments and payload arrive as they were given" {
	start_ewsd
	start_agent mini
	handler show <<-'H'
		#!/bin/sh
		for a; do printf '<%s>' "$a"; done
		jq -c .
	H
	run -0 ewsctl run --payload '{"k":["; rm -rf *","$(id)"]}' mini show \
	    'a b' '$(id)' '`id`' '; ls' '*' -n --flag '' $'new\nline' "quo'te"
	[ "$output" = $'<a b><$(id)><`id`><; ls><*><-n><--flag><><new\nline><quo\'te>{"k":["; rm -rf *","$(id)"]}' ]
}

@test "send: prints an id, and the command is done" {
	start_ewsd
	start_agent mini
	handler touchfile <<-H
		#!/bin/sh
		jq -r .name >>"$D/effects"
	H
	run -0 ewsctl send --wait=done mini touchfile '{"name":"x"}'
	[[ $output =~ ^[0-9a-f-]{36}$ ]]
	[ "$(cat "$D/effects")" = x ]
	run -0 ewsctl command "$output" -o json
	[ "$(jq -r .state <<<"$output")" = done ]
	[ "$(jq -r '[.history[].state // empty] | join(" ")' <<<"$output")" = "accepted delivered started done" ] ||
	    [ "$(jq -r '[.history[].state // empty] | join(" ")' <<<"$output")" = "accepted delivered received started done" ]
}

@test "send: the payload may come from stdin" {
	start_ewsd
	start_agent mini
	run -0 ewsctl send --wait=done mini echo - <<<'{"text":"hi"}'
}

@test "send: an unknown agent is refused at once, unless asked for" {
	start_ewsd
	run -1 ewsctl send nobody echo
	[[ $output == *"nobody"* ]]
	run -0 ewsctl send --queue-unknown nobody echo
}

@test "send: an absent agent's command waits for it" {
	start_ewsd
	id=$(ewsctl send --queue-unknown mini echo)
	command_is "$id" accepted
	start_agent mini
	until_true 10 command_is "$id" done
}

@test "send: the same id is one command; other content is a conflict" {
	start_ewsd
	start_agent mini
	handler count <<-H
		#!/bin/sh
		echo x >>"$D/effects"
	H
	ewsctl send --wait=done --id job-1 mini count '{"a":1}'
	run -0 ewsctl send --id job-1 -o json mini count '{"a":1}'
	[ "$(jq -r .duplicate <<<"$output")" = true ]
	run -65 ewsctl send --id job-1 mini count '{"a":2}'
	[ "$(wc -l <"$D/effects")" -eq 1 ]
	end_process "$HUB_PID"
	restart_ewsd
	run -0 ewsctl send --id job-1 -o json mini count '{"a":1}'
	[ "$(jq -r .duplicate <<<"$output")" = true ]
	[ "$(wc -l <"$D/effects")" -eq 1 ]
}

@test "send --lines: many in one go, receipts in order, bad lines told" {
	start_ewsd
	start_agent mini
	for i in $(seq 200); do
		echo "{\"agent\":\"mini\",\"type\":\"echo\",\"command_id\":\"n$i\"}"
	done >"$D/lines"
	run -0 ewsctl send --lines "$D/lines" --wait=done
	[ "$output" = "$(seq -f 'n%.0f' 200)" ]
	printf '%s\n' '{"agent":"mini","type":"echo"}' nonsense \
	    '{"agent":"nobody","type":"echo"}' '{"agent":"mini","type":"echo"}' >"$D/lines"
	run -65 --separate-stderr ewsctl send --lines - <"$D/lines"
	[ "${#lines[@]}" -eq 2 ]
	[[ $stderr == *"line 2"*"line 3"* ]]
}

@test "exit status: no handler 127, not allowed 126, time over 124" {
	start_ewsd
	start_agent mini
	run -127 ewsctl run mini nosuch
	handler loose <<<'#!/bin/sh'
	chmod 777 "$D/handlers/loose"
	run -126 ewsctl run mini loose
	handler slow <<-'H'
		#!/bin/sh
		exec sleep 60
	H
	run -124 ewsctl run --deadline 200ms mini slow
	run -124 ewsctl run --timeout 200ms mini slow
}

@test "exit status: a handler that cannot be executed is 125" {
	start_ewsd
	start_agent mini
	handler broken <<<'#!/no/such/interpreter'
	run -125 ewsctl run mini broken
}

@test "cancel: waiting, running, ended, unknown" {
	start_ewsd
	id=$(ewsctl send --queue-unknown mini echo)
	run -0 ewsctl cancel "$id"
	[[ $output == *cancelled* ]]
	command_is "$id" cancelled
	start_agent mini
	handler slow <<-'H'
		#!/bin/sh
		exec sleep 60
	H
	id=$(ewsctl send mini slow)
	until_true 10 command_is "$id" started
	run -0 ewsctl cancel "$id"
	until_true 10 command_is "$id" cancelled
	run -1 ewsctl cancel "$id"
	run -1 ewsctl cancel nosuchid
}

@test "config: arrives now, or when the agent comes" {
	start_ewsd
	start_agent mini
	run -0 ewsctl config mini sync_interval=60 log_level=debug
	[[ $output == *delivered* ]]
	run -1 ewsctl config nobody a=1
	run -64 ewsctl config mini nonsense
}

@test "agents, agent, commands, stats, ping: text and json" {
	start_ewsd
	start_agent mini
	ewsctl run mini echo x
	run -0 ewsctl agents
	[[ $output == *mini*online* ]]
	run -0 ewsctl agents -o json
	[ "$(jq -r '.agents[0].agent' <<<"$output")" = mini ]
	run -0 ewsctl agent mini -o json
	[ "$(jq -r '.handlers | index("echo") != null' <<<"$output")" = true ]
	run -1 ewsctl agent nobody
	run -0 ewsctl commands -o json
	[ "$(jq -r '.commands[0].state' <<<"$output")" = done ]
	run -0 ewsctl commands --state cancelled -o json
	[ "$(jq '.commands | length' <<<"$output")" -eq 0 ]
	run -64 ewsctl commands --state nosuch
	run -0 ewsctl stats --jq .commands_done
	[ "$output" = 1 ]
	run -0 ewsctl ping
	run -0 ewsctl stats -o json
	jq -e .pid <<<"$output"
}

@test "--jq: an expression jq refuses is bad data" {
	start_ewsd
	run -65 ewsctl ping --jq '.a['
}

@test "raw: a line as it is" {
	start_ewsd
	run -0 ewsctl raw '{"id":7,"op":"ping"}'
	[ "$(jq -r .id <<<"$output")" = 7 ]
	run -64 ewsctl raw '{"id":7,"op":"nosuch"}'
	run -65 ewsctl raw 'nonsense'
}

@test "--result-file says who said it" {
	start_ewsd
	start_agent mini
	run -127 ewsctl run --result-file "$D/r" mini nosuch
	[ "$(jq -r .said_by "$D/r")" = agent ]
	[ "$(jq -r .exit_status "$D/r")" = 127 ]
}

@test "ewsctl asks an agent on its own socket" {
	start_ewsd
	start_agent mini
	run -0 ewsctl --socket "$SOCK/mini.sock" status -o json
	[ "$(jq -r .agent <<<"$output")" = mini ]
	[ "$(jq -r .state <<<"$output")" = connected ]
}
