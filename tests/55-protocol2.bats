#!/usr/bin/env bats
# ewsagent and a hub that knows nothing but PROTOCOL 2.

load lib/ews

QUICK=(--reconnect-min 50ms --reconnect-max 400ms --poll-interval 200ms)

# start_hub [FLAG...]: `hub LINE` tells it something, $D/hub.txt is what it saw
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

# saw COUNT PATTERN: the hub has seen as many such lines
saw() {
	[ "$(grep -cE -- "$2" "$D/hub.txt")" -ge "$1" ]
}

logged() {
	grep -qF -- "$1" "$D/mini.log"
}

has_line() {
	until_true 20 logged "$1" || { echo "no line: $1"; return 1; }
}

# acks ID: what the hub was told of a command, one JSON object a line
acks() {
	sed -n -e 's/^ws //p' "$D/hub.txt" |
	    jq -c "select(.type == \"command_ack\" and .data.command_id == \"$1\")"
}

count_handler() {
	handler count <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID \$1" >>"$D/effects"
		jq -r .n >>"$D/effects"
	H
	handler seven <<-'H'
		#!/bin/sh
		echo out
		echo no good >&2
		exit 7
	H
}

@test "by WebSocket: run once, acked with the fields of 2.6 and no others" {
	count_handler
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	hub '{"command_id":"c1","command_type":"count","payload":{"n":1},"timestamp":"2025-11-05T20:25:00.000Z","priority":"normal"}'
	hub '{"command_id":"c2","command_type":"seven","payload":{}}'
	hub '{"command_id":"c3","command_type":"nosuch","payload":{}}'
	for id in c1 c2 c3; do until_true 20 saw 1 "^ws .*\"$id\""; done
	[ "$(cat "$D/effects")" = $'c1 \n1' ]
	[ "$(acks c1 | jq -c '[keys, (.data | keys), .data.status]')" = \
	    '[["data","type"],["command_id","completed_at","status"],"completed"]' ]
	[[ $(acks c1 | jq -r .data.completed_at) =~ ^20..-..-..T..:..:......Z$ ]]
	[ "$(acks c2 | jq -c '[(.data | keys), .data.status]')" = \
	    '[["command_id","completed_at","error","status"],"failed"]' ]
	[[ $(acks c2 | jq -r .data.error) == *'exit status 7'*'no good'* ]]
	[ "$(acks c3 | jq -c '[(.data | keys), .data.status]')" = \
	    '[["command_id","completed_at","error","status"],"failed"]' ]
	# nothing but pings and acks goes to such a hub, and no HTTP
	[ -z "$(sed -n 's/^ws //p' "$D/hub.txt" | jq -r .type | grep -vxE 'ping|command_ack')" ]
	[ -z "$(grep -E '^(sync|ack) ' "$D/hub.txt")" ]
	has_line '✅ Command c1 executed successfully'
	has_line '❌ Command c2 failed: exit status 7: no good'
	has_line '❌ Command c3 failed: '
}

@test "by sync and HTTP ack: run once, acked with the fields of 2.8" {
	count_handler
	start_hub --no-ws
	start_agent_nowait mini "${QUICK[@]}"
	hub '{"command_id":"c1","command_type":"count","payload":{"n":1}}'
	hub '{"command_id":"c2","command_type":"seven","payload":{}}'
	until_true 20 saw 1 '^ack .*"c1"'
	until_true 20 saw 1 '^ack .*"c2"'
	[ "$(cat "$D/effects")" = $'c1 \n1' ]
	ack() { sed -n 's/^ack //p' "$D/hub.txt" | jq -c "select(.command_id == \"$1\")"; }
	[ "$(ack c1 | jq -c '[keys, .success, .error]')" = '[["command_id","error","success","timestamp"],true,null]' ]
	[[ $(ack c1 | jq -r .timestamp) =~ ^20..-..-..T..:..:......Z$ ]]
	[ "$(ack c2 | jq -c '[keys, .success]')" = '[["command_id","error","success","timestamp"],false]' ]
	[[ $(ack c2 | jq -r .error) == *'exit status 7'*'no good'* ]]
	# it goes on polling, says what it got last, and acks nothing twice
	polls=$(grep -c '^sync ' "$D/hub.txt")
	until_true 20 saw $((polls + 3)) '^sync '
	[ "$(grep '^sync ' "$D/hub.txt" | tail -n 1 | cut -c6- | jq -r '[.edge_agent_id, .last_command_id] | join(" ")')" = 'mini c2' ]
	[ "$(grep -c '^ack ' "$D/hub.txt")" -eq 2 ]
	has_line '🔌 WebSocket disconnected - falling back to HTTP polling'
	has_line 'Command delivery: HTTP polling every 1s'
}

@test "the same id twice, by either way, even after a restart: answered, not run" {
	count_handler
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	cmd='{"command_id":"c1","command_type":"count","payload":{"n":1}}'
	hub "$cmd"
	until_true 20 saw 1 '^ws .*"c1"'
	hub "$cmd"
	until_true 20 saw 2 '^ws .*"c1"'
	end_process "$AGENT_PID"
	start_agent_nowait mini "${QUICK[@]}"
	hub "$cmd"
	until_true 20 saw 3 '^ws .*"c1"'
	hub 'ws off'
	hub 'close 1001 away'
	hub "$cmd"
	until_true 20 saw 1 '^ack .*"c1"'
	[ "$(cat "$D/effects")" = $'c1 \n1' ]
	[ "$(acks c1 | sort -u | wc -l)" -eq 1 ]
}

@test "a hub that refuses the subprotocol with 400 is asked without, at once" {
	start_hub --refuse-protocol
	start_agent_nowait mini --reconnect-min 60s --poll-interval 60s
	hub '{"command_id":"c1","command_type":"echo","payload":{}}'
	until_true 20 saw 1 '^ws .*"c1"'
	[ "$(grep -E '^(upgrade|refused|open|sync)' "$D/hub.txt" | tr '\n' '|')" = 'upgrade ews.v1|refused 400|upgrade |open |' ]
}

@test "a ping each interval, on and on while pongs come" {
	start_hub
	start_agent_nowait mini --ping-interval 100ms --pong-timeout 5s
	until_true 20 saw 5 '^ws \{"type":"ping"\}'
	[ "$(grep -c '^open' "$D/hub.txt")" -eq 1 ]
	run ! grep -E '^(gone|close)' "$D/hub.txt"
	# and not more often than that
	before=$(grep -c '"ping"' "$D/hub.txt")
	start=$(date +%s%N)
	until_true 20 saw $((before + 10)) '"ping"'
	[ $((($(date +%s%N) - start) / 1000000)) -ge 800 ]
}

@test "no pong: the zombie is let go and another link made" {
	start_hub --no-pong
	start_agent_nowait mini "${QUICK[@]}" --ping-interval 100ms --pong-timeout 150ms
	until_true 20 saw 2 '^open'
	until_true 20 grep -qE 'Pong timeout: no response in 150ms \(last pong [0-9]+ms ago\)' "$D/mini.log"
	has_line 'Force-closing zombie WebSocket connection'
	has_line 'WebSocket closed: code=1006, reason=pong timeout'
	until_true 20 grep -qE 'Scheduling WebSocket reconnect attempt #1 in [0-9]+ms' "$D/mini.log"
	has_line 'Attempting WebSocket reconnect (attempt #1)'
}

@test "a network that swallows everything is noticed by the missing pong" {
	start_hub
	wsproxy --listen 0 --to "${HUB##*:}" --control "$SOCK/proxy" >"$D/proxy.txt" 2>"$D/proxy.log" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.txt"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.txt")
	start_agent_nowait mini "${QUICK[@]}" --ping-interval 100ms --pong-timeout 300ms --connect-timeout 300ms
	until_true 20 saw 1 '"ping"'
	echo 'mode stall' | sockline "$SOCK/proxy"
	has_line 'Pong timeout: no response in 300ms'
	has_line 'Force-closing zombie WebSocket connection'
	echo 'mode pass' | sockline "$SOCK/proxy"
	hub '{"command_id":"c1","command_type":"echo","payload":{}}'
	until_true 20 saw 1 '"c1".*"completed"|"c1","success":true'
}

@test "config_update: sync_interval is obeyed, from a sync or a WebSocket" {
	start_hub --no-ws
	hub 'config {"sync_interval":1,"max_batch_size":7}'
	start_agent_nowait mini --poll-interval 600s --reconnect-min 50ms --reconnect-max 100ms
	until_true 30 saw 4 '^sync '
	hub 'ws on'
	until_true 20 saw 1 '^open'
	hub 'config {"sync_interval":2}'
	hub '{"command_id":"c1","command_type":"echo","payload":{}}'
	until_true 20 saw 1 '^ws .*"c1"'
	before=$(grep -c '^sync ' "$D/hub.txt")
	hub 'ws off'
	hub 'close 1001 away'
	until_true 30 saw $((before + 3)) '^sync '
	has_line 'Command delivery: HTTP polling every 600s'
	has_line 'Command delivery: HTTP polling every 2s'
	has_line 'HTTP polling paused (using WebSocket)'
}

@test "close 1012: back at once, and the log says so" {
	start_hub
	start_agent_nowait mini --reconnect-min 60s
	until_true 20 saw 1 '^open'
	hub 'close 1012 Service Restart'
	until_true 20 saw 2 '^open'
	has_line 'WebSocket closed: code=1012, reason=Service Restart'
	has_line 'Server restart detected (1012) - reconnecting immediately'
	# once: the second time it waits as usual
	hub 'close 1012 Service Restart'
	until_true 20 grep -qE 'Scheduling WebSocket reconnect attempt #[0-9]+ in [67][0-9]{4}ms' "$D/mini.log"
}

@test "a close without a reason is Unknown" {
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 saw 1 '^open'
	hub 'close 1001'
	has_line 'WebSocket closed: code=1001, reason=Unknown'
}

@test "an agent that is stopped closes without a code" {
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 saw 1 '^open'
	end_process "$AGENT_PID"
	until_true 20 saw 1 '^(close|gone)'
	[ "$(grep -E '^(close|gone|unmasked)' "$D/hub.txt" | head -n 1)" = 'close 1005' ]
}

@test "immediate: overtakes, and the log says so" {
	handler slow <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		while [ ! -e "$D/go" ]; do sleep 0.02; done
	H
	start_hub
	start_agent_nowait mini "${QUICK[@]}" --concurrency 1
	until_true 20 saw 1 '^open'
	for id in c1 c2 c3; do
		hub "{\"command_id\":\"$id\",\"command_type\":\"slow\",\"payload\":{}}"
	done
	until_true 20 test -s "$D/effects"
	hub '{"command_id":"now","command_type":"slow","payload":{},"priority":"immediate"}'
	has_line '⚡ Processing IMMEDIATE priority command now'
	taken() { [ "$(ewsctl --socket "$SOCK/mini.sock" status --jq .queued)" = 3 ]; }
	until_true 20 taken
	touch "$D/go"
	until_true 20 saw 1 '^ws .*"c3"'
	[ "$(tr '\n' ' ' <"$D/effects")" = 'c1 now c2 c3 ' ]
}

@test "an end that fell into a gap is told when there is a way again, once" {
	count_handler
	handler slow <<-H
		#!/bin/sh
		echo up >"$D/up"
		while [ ! -e "$D/go" ]; do sleep 0.02; done
	H
	start_hub
	wsproxy --listen 0 --to "${HUB##*:}" --control "$SOCK/proxy" >"$D/proxy.txt" 2>"$D/proxy.log" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.txt"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.txt")
	start_agent_nowait mini "${QUICK[@]}"
	hub '{"command_id":"c1","command_type":"slow","payload":{}}'
	until_true 20 test -s "$D/up"
	echo 'mode drop' | sockline "$SOCK/proxy"
	echo 'cut' | sockline "$SOCK/proxy"
	touch "$D/go"
	has_line '✅ Command c1 executed successfully'
	run ! saw 1 '"c1"'
	echo 'mode pass' | sockline "$SOCK/proxy"
	until_true 20 saw 1 '^(ws|ack) .*"c1"'
	confirmed() { [ "$(ewsctl --socket "$SOCK/mini.sock" status --jq .unconfirmed)" = 0 ]; }
	until_true 20 confirmed
	[ "$(grep -cE '^(ws|ack) .*"c1"' "$D/hub.txt")" -eq 1 ]
}

@test "what is no message, or of no known type, changes nothing" {
	start_hub
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 saw 1 '^open'
	# a command without an id, without a type, with fields of wrong kinds
	hub '{"command_type":"echo"}'
	hub '{"command_id":"c1"}'
	hub '{"command_id":"c2","command_type":"echo","argv":"x","deadline":-1}'
	hub '{"command_id":"c3","command_type":"echo","payload":{}}'
	hub '{not json'
	hub '{"command_id":"c4","command_type":"echo","payload":{}}'
	until_true 20 saw 1 '"c4".*completed|completed.*"c4"'
	[ "$(acks c1 | jq -r .data.status)" = failed ]
	[ "$(acks c2 | jq -r .data.status)" = failed ]
	[ "$(acks c3 | jq -r .data.status)" = completed ]
	[ "$(grep -c '^open' "$D/hub.txt")" -eq 1 ]
}

@test "acks go to the other documented path where a hub has only that" {
	start_hub --no-ws --ack-path /edge/ack_command
	start_agent_nowait mini "${QUICK[@]}"
	for id in c1 c2; do
		hub "{\"command_id\":\"$id\",\"command_type\":\"echo\",\"payload\":{}}"
	done
	until_true 20 saw 1 '^ack .*"c1"'
	until_true 20 saw 1 '^ack .*"c2"'
	[ "$(grep -c '^refused 404' "$D/hub.txt")" -eq 1 ]
}

@test "an ack that the hub refuses does not hold up the others" {
	start_hub --no-ws
	start_agent_nowait mini "${QUICK[@]}"
	for id in bad1 c1; do
		hub "{\"command_id\":\"$id\",\"command_type\":\"echo\",\"payload\":{}}"
	done
	until_true 20 saw 1 '^ack .*"c1"'
	has_line 'the hub refuses the ack of command bad1: HTTP 422'
	confirmed() { [ "$(ewsctl --socket "$SOCK/mini.sock" status --jq .unconfirmed)" = 0 ]; }
	until_true 20 confirmed
	[ "$(grep -c '^refused 422' "$D/hub.txt")" -eq 1 ]
}
