#!/usr/bin/env bats
# What one handler may do: handlers.conf, commands that wait for their time,
# the order of the queue, and what a crash of everything leaves.

load lib/ews

QUICK=(--reconnect-min 50ms --reconnect-max 400ms --poll-interval 200ms)

agent_status() {
	ewsctl --socket "$SOCK/mini.sock" status --jq "$1"
}

agent_says() {
	[ "$(agent_status "$1")" = "$2" ]
}

logged() {
	grep -qF -- "$1" "$D/mini.log"
}

conf() {
	cat >"$D/handlers/handlers.conf"
	chmod 600 "$D/handlers/handlers.conf"
}

# waits until $D/go is there, not for ever: a killed shim leaves it behind
wait_for_go() {
	echo "i=0; while [ ! -e '$D/go' ] && [ \$i -lt 1500 ]; do i=\$((i + 1)); sleep 0.02; done"
}

slow_handler() {
	handler "$1" <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		$(wait_for_go)
		echo done
	H
}

# the agent and the shims of all that it runs, without warning
kill_all() {
	local shims
	shims=$(agent_status '.running[].pid')
	kill -KILL "$AGENT_PID"
	# shellcheck disable=SC2086
	kill -KILL $shims
	gone "$AGENT_PID" 10
	forget "$AGENT_PID"
}

effects_of() {
	grep -c "$1" "$D/effects"
}

# a hub that speaks PROTOCOL 2 only; `hub LINE` tells it something
start_hub() {
	(umask 077; echo a-secret-of-this-test >"$D/state/secret")
	mkfifo "$D/hub.in"
	oldhub "$@" <"$D/hub.in" >"$D/hub.txt" 2>"$D/hub.log" 3>&- &
	PIDS+=($!)
	exec 21>"$D/hub.in"
	until_true 10 grep -q ready "$D/hub.txt"
	HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/hub.txt")
}

hub() {
	printf '%s\n' "$*" >&21
}

saw() {
	[ "$(grep -cE -- "$2" "$D/hub.txt")" -ge "$1" ]
}

# acks ID: status and error of each ack, over WebSocket
acks() {
	sed -n 's/^ws //p' "$D/hub.txt" |
	    jq -r "select(.type == \"command_ack\" and .data.command_id == \"$1\")
	        | .data | [.status, .error // empty] | join(\": \")"
}

in_ms() {
	date -u -d "@$(awk "BEGIN { printf \"%.3f\", $(date +%s.%N) + $1 / 1000 }")" +%Y-%m-%dT%H:%M:%S.%3NZ
}

@test "agent and shim killed, policy once: interrupted, and not run again" {
	slow_handler slow
	start_ewsd
	start_agent mini "${QUICK[@]}"
	id=$(ewsctl send mini slow)
	until_true 10 test -s "$D/effects"
	until_true 10 agent_says '(.running | length)' 1
	kill_all
	start_agent mini "${QUICK[@]}"
	until_true 10 command_is "$id" interrupted
	touch "$D/go"
	run -0 ewsctl run mini slow
	[ "$(effects_of "$id")" -eq 1 ]
}

@test "agent and shim killed, policy idempotent: run again, done once" {
	slow_handler slow
	conf <<-'C'
		[slow]
		policy = idempotent
	C
	start_ewsd
	start_agent mini "${QUICK[@]}"
	id=$(ewsctl send mini slow)
	until_true 10 test -s "$D/effects"
	until_true 10 agent_says '(.running | length)' 1
	kill_all
	touch "$D/go"
	start_agent mini "${QUICK[@]}"
	until_true 10 command_is "$id" done
	[ "$(effects_of "$id")" -eq 2 ]
	[ "$(agent_status .counts.run_again)" -eq 1 ]
}

@test "agent and shim killed, policy probe: done, not done, unknown" {
	slow_handler slow
	handler slow.probe <<-H
		#!/bin/sh
		cat >"$D/payload"
		echo "\$0 \$*" >"$D/args"
		echo "probe \$EWS_COMMAND_ID" >>"$D/probes"
		exit \$(cat "$D/answer")
	H
	conf <<-'C'
		[slow]
		policy = probe
	C
	start_ewsd
	start_agent mini "${QUICK[@]}"
	[ "$(agent_status .policies.slow)" = probe ]
	for answer in 0 1 2; do
		rm -f "$D/go" "$D/effects" "$D/probes"
		echo $answer >"$D/answer"
		id=$(ewsctl raw '{"id":1,"op":"send","agent":"mini","type":"slow","payload":{"n":5},"argv":["a b"]}' |
		    jq -r .result.command_id)
		until_true 10 test -s "$D/effects"
		until_true 10 agent_says '(.running | length)' 1
		kill_all
		touch "$D/go"
		start_agent mini "${QUICK[@]}"
		case $answer in
		2) until_true 10 command_is "$id" interrupted ;;
		*) until_true 10 command_is "$id" done ;;
		esac
		[ "$(cat "$D/probes")" = "probe $id" ]
		[ "$(cat "$D/payload")" = '{"n":5}' ]
		[[ $(cat "$D/args") == *'/slow.probe a b' ]]
		[ "$(effects_of "$id")" -eq $((answer == 1 ? 2 : 1)) ]
	done
}

@test "a probe is no handler: not listed, and no command runs it" {
	handler pay.probe <<-H
		#!/bin/sh
		echo ran >"$D/effects"
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	run -0 ewsctl agent mini --jq '.handlers | index("pay.probe")'
	[ "$output" = null ]
	run -126 ewsctl run mini pay.probe
	[ ! -e "$D/effects" ]
}

@test "handlers.conf: concurrency, deadline and cap of one handler" {
	slow_handler one
	handler quick <<<'#!/bin/sh'
	handler late <<-'H'
		#!/bin/sh
		exec sleep 60
	H
	handler loud <<-'H'
		#!/bin/sh
		head -c 300000 /dev/zero | tr '\0' x
	H
	conf <<-'C'
		[one]
		concurrency = 1
		[late]
		deadline = 200ms
		grace = 0
		[loud]
		output_max = 1000
	C
	start_ewsd
	start_agent mini "${QUICK[@]}"
	for i in 1 2 3; do ewsctl send mini one; done >"$D/ids"
	until_true 10 agent_says .queued 2
	run -0 ewsctl run mini quick
	[ "$(agent_status '[.running[].type] | join(" ")')" = one ]
	run -124 ewsctl run mini late
	run -0 ewsctl run --deadline 20s mini quick
	[ "$(ewsctl run mini loud | wc -c)" -eq 1000 ]
	touch "$D/go"
	while read -r id; do until_true 10 command_is "$id" done; done <"$D/ids"
	cmp "$D/effects" "$D/ids"
}

@test "handlers.conf: the one of the manual and the one of the examples are right" {
	mkdir "$D/manual" "$D/examples"
	(umask 077; echo a-secret-of-this-test >"$D/secret")
	awk '/^\.Sh HANDLERS/ { in_it = 1 } /^\.Ed/ { on = 0 }
	    on && in_it; /^\.Bd -literal/ { on = 1 } /^\.Sh SIGNALS/ { exit }' \
	    "$ROOT/share/man/ewsagent.8" >"$D/manual/handlers.conf"
	grep -qx 'policy = probe' "$D/manual/handlers.conf"
	for h in deploy pay pay.probe; do
		printf '#!/bin/sh\nexit 0\n' >"$D/manual/$h"
	done
	cp "$ROOT"/share/examples/handlers/* "$ROOT/share/examples/handlers.conf" "$D/examples"
	for d in manual examples; do
		chmod 755 "$D/$d" "$D/$d"/*
		chmod 644 "$D/$d/handlers.conf"
		ewsagent --check-config --hub http://127.0.0.1:1 --id mini \
		    --secret-file "$D/secret" --handlers "$D/$d"
	done
	rm "$D/manual/pay" # it is read, and not passed over
	run -78 ewsagent --check-config --hub http://127.0.0.1:1 --id mini \
	    --secret-file "$D/secret" --handlers "$D/manual"
	[[ $output == *'[pay]: there is no handler of this name'* ]]
}

@test "handlers.conf with a mistake: 78 at the start with its line; at SIGHUP the old one stays" {
	slow_handler slow
	conf <<<'[slow]
polcy = once'
	run -78 timeout 10 ewsagent --hub http://127.0.0.1:1 --id mini --state-dir "$D/mini" \
	    --secret-file /dev/null --handlers "$D/handlers" --socket "$SOCK/mini.sock"
	[[ $output == *'handlers.conf:2: unknown key "polcy"'* ]]
	run -78 ewsagent --check-config --id mini --handlers "$D/handlers"
	[[ $output == *'handlers.conf:2: '* ]]
	conf <<<'[slow]
policy = idempotent'
	start_ewsd
	start_agent mini "${QUICK[@]}"
	conf <<<'[nosuch]'
	kill -HUP "$AGENT_PID"
	until_true 10 logged 'handlers.conf:1: [nosuch]: there is no handler of this name'
	[ "$(agent_status .policies.slow)" = idempotent ]
	conf <<<'[slow]
policy = once'
	kill -HUP "$AGENT_PID"
	until_true 10 agent_says .policies.slow once
	chmod 666 "$D/handlers/handlers.conf"
	kill -HUP "$AGENT_PID"
	until_true 10 logged 'the old one stays'
}

@test "held: fires on its time without a hub, and both acks are told" {
	handler schedule_message <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 saw 1 '^open'
	hub "{\"command_id\":\"m1\",\"command_type\":\"schedule_message\",\"payload\":{\"send_at\":\"$(in_ms 1500)\"}}"
	hub '{"command_id":"m2","command_type":"schedule_message","payload":{"send_at":"nope"}}'
	hub '{"command_id":"m3","command_type":"schedule_message","payload":{"send_at":"2999-01-01T00:00:00Z"}}'
	hub '{"command_id":"m4","command_type":"schedule_message","payload":{"send_at":"2999-01-01T00:00:00Z"},"priority":"immediate"}'
	until_true 20 saw 1 '^ws .*"m4"'
	until_true 20 saw 1 '^ws .*"m3"'
	until_true 20 saw 1 '^ws .*"m2"'
	[ "$(acks m1)" = completed ]
	[ "$(acks m2)" = 'failed: Invalid timestamp: nope' ]
	agent_says .held 2
	hub 'ws off'
	hub 'close 1001 away'
	until_true 20 grep -qx m1 "$D/effects"
	cmp "$D/effects" <(printf '%s\n' m4 m1)
	hub 'ws on'
	until_true 20 saw 1 '^(ack|ws) .*"m1".*'
	told() { [ "$(grep -cE '^(ws|ack) .*"m1"' "$D/hub.txt")" -ge 2 ]; }
	until_true 20 told
	# cancelled by its id, answered truthfully
	hub '{"command_id":"x1","command_type":"cancel_scheduled","payload":{"schedule_id":"m3"}}'
	hub '{"command_id":"x2","command_type":"cancel_scheduled","payload":{"schedule_id":"m1"}}'
	until_true 20 saw 1 '^(ws|ack) .*"x1"'
	until_true 20 saw 1 '^(ws|ack) .*"x2".*not found or already sent'
	until_true 10 agent_says .held 0
}

@test "held: kept over kill -9, and fired by the next agent when it came due meanwhile" {
	handler schedule_message <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 saw 1 '^open'
	hub "{\"command_id\":\"m1\",\"command_type\":\"schedule_message\",\"payload\":{\"send_at\":\"$(in_ms 1000)\"}}"
	hub '{"command_id":"m2","command_type":"schedule_message","payload":{"send_at":"2999-01-01T00:00:00Z"}}'
	until_true 20 saw 1 '^ws .*"m2"'
	kill -KILL "$AGENT_PID"
	gone "$AGENT_PID" 10
	forget "$AGENT_PID"
	sleep 1.1 # its time passes while nobody is there
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 grep -qx m1 "$D/effects"
	agent_says .held 1
	until_true 20 saw 2 '^ws .*"m1"'
}

@test "low never starves: behind a stream of urgent ones it still goes" {
	handler effect <<-H
		#!/bin/sh
		echo "\$1" >>"$D/effects"
	H
	slow_handler slow
	start_ewsd
	start_agent mini "${QUICK[@]}" --concurrency 1
	ewsctl send mini slow >/dev/null
	until_true 10 test -s "$D/effects"
	{
		echo '{"agent":"mini","type":"effect","argv":["low"],"priority":"low"}'
		seq 60 | jq -c '{agent:"mini",type:"effect",argv:[tostring],priority:"high"}'
	} >"$D/lines"
	ewsctl send --lines "$D/lines" >/dev/null
	until_true 10 agent_says .queued 61
	: >"$D/effects"
	touch "$D/go"
	all() { [ "$(wc -l <"$D/effects")" -eq 61 ]; }
	until_true 30 all
	[ "$(grep -nx low "$D/effects" | cut -d: -f1)" -eq 16 ]
}

@test "the ledger across restarts: nothing runs twice, nothing is lost, nothing stays" {
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		echo out
	H
	start_ewsd
	start_agent mini "${QUICK[@]}" --concurrency 2
	seq 100 | jq -c '{agent:"mini",type:"effect"}' >"$D/lines"
	ewsctl send --lines "$D/lines" >"$D/ids"
	for i in 1 2 3 4; do
		end_process "$AGENT_PID"
		start_agent_nowait mini "${QUICK[@]}" --concurrency 2
	done
	all_ended() { [ "$(ewsctl stats --jq .commands_waiting)" = 0 ]; }
	until_true 60 all_ended
	cmp <(sort "$D/effects") <(sort "$D/ids")
	ewsctl commands --limit 1000 -o json | jq -r '.commands[].state' | sort -u >"$D/states"
	[ "$(cat "$D/states")" = done ]
	until_true 10 agent_says '[.unconfirmed, .spool_bytes] | join(" ")' '0 0'
	until_true 10 test -z "$(ls -A "$D/mini/agent/jobs")"
}

@test "expires: not started by then it never is, waiting or held" {
	slow_handler slow
	handler schedule_message <<<'#!/bin/sh'
	start_hub
	start_agent_nowait mini "${QUICK[@]}" --concurrency 1
	until_true 20 saw 1 '^open'
	hub '{"command_id":"a","command_type":"slow","payload":{}}'
	until_true 10 test -s "$D/effects"
	hub "{\"command_id\":\"b\",\"command_type\":\"slow\",\"payload\":{},\"expires\":\"$(in_ms 300)\"}"
	hub "{\"command_id\":\"c\",\"command_type\":\"slow\",\"payload\":{},\"run_at\":\"2999-01-01T00:00:00Z\",\"expires\":\"$(in_ms 300)\"}"
	hub '{"command_id":"d","command_type":"slow","payload":{},"expires":"2020-01-01T00:00:00Z"}'
	for id in b c d; do until_true 10 saw 1 "^ws .*\"$id\".*its time was over before it ran"; done
	touch "$D/go"
	until_true 10 saw 1 '^ws .*"a".*completed'
	[ "$(cat "$D/effects")" = a ]
	[ "$(agent_status .counts.expired)" -eq 3 ]
}
