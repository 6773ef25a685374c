#!/usr/bin/env bats
# The agent's link: it comes back, it falls back, it does not fight.

load lib/ews

QUICK=(--reconnect-min 50ms --reconnect-max 400ms --poll-interval 200ms)

# wsproxy between agent and hub; `proxy LINE` steers it
start_proxy() {
	wsproxy --listen 0 --to "$HUB_PORT" --control "$SOCK/proxy" >"$D/proxy.out" 2>"$D/proxy.log" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.out"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.out")
}

proxy() {
	echo "$*" | sockline "$SOCK/proxy"
}

link_is() {
	[ "$(ewsctl --socket "$SOCK/${2:-mini}.sock" status --jq .state)" = "$1" ]
}

@test "connected: the agent's log has the lines, and no HTTP request is made" {
	start_ewsd
	start_proxy
	start_agent mini "${QUICK[@]}"
	for i in 1 2 3 4 5; do ewsctl run mini echo $i; done
	run -0 proxy counts
	[ "$(jq -c '[.upgrades, .requests]' <<<"$output")" = '[1,0]' ]
	for line in 'Connecting to WebSocket: ' '✅ WebSocket connected' \
	    '✅ WebSocket connected - real-time mode enabled' \
	    '🔌 WebSocket connected - real-time command delivery enabled' \
	    'Command delivery: Real-time via WebSocket 🚀' \
	    '📥 WEBSOCKET COMMAND RECEIVED' '📥 Received command via WebSocket: ' \
	    '📤 SENDING COMMAND ACK via WebSocket' 'executed successfully'; do
		grep -qF "$line" "$D/mini.log" || { echo "no line: $line"; return 1; }
	done
	run -1 grep -qF "$SECRET" "$D/mini.log"
}

@test "WebSockets refused: commands run by polling, output and exit status too" {
	start_ewsd
	start_proxy
	proxy mode refuse-upgrade
	start_agent_nowait mini "${QUICK[@]}"
	until_true 20 link_is polling
	run -0 ewsctl run --queue-unknown mini echo hello
	[ "$output" = hello ]
	handler seven <<-'H'
		#!/bin/sh
		echo err >&2
		exit 7
	H
	run -7 --separate-stderr ewsctl run mini seven
	[ "$stderr" = err ]
	[ "$(ewsctl commands -o json --jq '.commands[0].delivery_method')" = http ]
	grep -qF '🔌 WebSocket disconnected - falling back to HTTP polling' "$D/mini.log" ||
	    grep -qF 'Command delivery: HTTP polling every' "$D/mini.log"
	proxy mode pass
	until_true 20 link_is connected
	grep -qF 'HTTP polling paused (using WebSocket)' "$D/mini.log"
	run -0 ewsctl run mini echo again
}

@test "polling is quick: a command does not wait for the interval" {
	start_ewsd
	start_proxy
	proxy mode refuse-upgrade
	start_agent_nowait mini --poll-interval 60s --reconnect-min 60s
	until_true 20 agent_is mini polling
	start=$(date +%s)
	run -0 ewsctl run mini echo hello
	[ $(($(date +%s) - start)) -lt 10 ]
}

@test "the WebSocket taken away in the middle of 1,000 commands: each once, in order" {
	start_ewsd
	start_proxy
	handler effect <<-H
		#!/bin/sh
		echo "\$1" >>"$D/effects"
	H
	start_agent mini "${QUICK[@]}" --concurrency 1
	seq 1000 | jq -c '{agent:"mini",type:"effect",argv:[tostring]}' >"$D/lines"
	ewsctl send --lines "$D/lines" --wait=done --timeout 120s >"$D/ids" 3>&- &
	sender=$!
	done_() { [ "$(wc -l <"$D/effects")" -ge "$1" ]; }
	until_true 60 done_ 200
	proxy mode refuse-upgrade
	proxy cut-upgrades
	until_true 60 done_ 500
	proxy mode pass
	wait $sender
	[ "$(sort -n "$D/effects" | uniq -d | wc -l)" -eq 0 ]
	cmp "$D/effects" <(seq 1000)
	[ "$(wc -l <"$D/ids")" -eq 1000 ]
	grep -qF 'falling back to HTTP polling' "$D/mini.log"
	until_true 20 link_is connected
	grep -qF 'HTTP polling paused (using WebSocket)' "$D/mini.log"
}

@test "cut again and again while commands flow: each runs once" {
	start_ewsd
	start_proxy
	handler effect <<-H
		#!/bin/sh
		echo "\$1" >>"$D/effects"
	H
	start_agent mini "${QUICK[@]}"
	seq 300 | jq -c '{agent:"mini",type:"effect",argv:[tostring]}' >"$D/lines"
	ewsctl send --lines "$D/lines" --wait=done --timeout 120s >"$D/ids" 3>&- &
	sender=$!
	while kill -0 $sender 2>/dev/null; do
		proxy cut >/dev/null
		sleep 0.3
	done
	wait $sender
	cmp <(sort -n "$D/effects") <(seq 300)
}

@test "the hub restarts: 1012, and the agent is back within 2 s" {
	start_ewsd
	start_agent mini
	end_process "$HUB_PID"
	restart_ewsd
	start=$(date +%s%N)
	until_true 5 agent_is mini online
	[ $((($(date +%s%N) - start) / 1000000)) -lt 2000 ]
	grep -qF 'Server restart detected (1012) - reconnecting immediately' "$D/mini.log"
	grep -qF 'WebSocket closed: code=1012, reason=Service Restart' "$D/mini.log"
	run -0 ewsctl run mini echo hello
}

@test "an agent held for a while registers once" {
	start_ewsd
	start_agent mini --stable-after 1s
	for i in $(seq 10); do ewsctl run mini echo x; done
	[ "$(ewsctl stats --jq .connects)" = 1 ]
	[ "$(grep -c 'Edge agent mini connected from' "$D/ewsd.log")" -eq 1 ]
}

@test "two agents of one id: at most 5 takeovers, one stays, the other says so" {
	start_ewsd
	start_agent mini "${QUICK[@]}"
	SOCKTWO=$SOCK/two.sock
	start two ewsagent --hub "$HUB" --id mini --state-dir "$D/two" --secret-file "$D/state/secret" \
	    --socket "$SOCKTWO" --handlers "$D/handlers" "${QUICK[@]}"
	said() { grep -q 'another agent' "$D/mini.log" "$D/two.log"; }
	until_true 30 said
	until_true 20 agent_is mini online
	before=$(ewsctl stats --jq .takeovers)
	[ "$before" -le 5 ]
	for i in $(seq 10); do ewsctl run mini echo x; done
	[ "$(ewsctl stats --jq .takeovers)" -le 5 ]
}

@test "a wrong secret: one clear sentence, long waits" {
	start_ewsd
	(umask 077; echo wrong-secret-of-this-test >"$D/wrong")
	start mini ewsagent --hub "$HUB" --id mini --state-dir "$D/mini" --secret-file "$D/wrong" \
	    --socket "$SOCK/mini.sock" --handlers "$D/handlers" "${QUICK[@]}"
	until_true 20 link_is refused
	grep -qiE 'refuse|403' "$D/mini.log"
	[ "$(grep -c 'Connecting to WebSocket' "$D/mini.log")" -le 2 ]
}

@test "signed tokens instead of the raw secret" {
	start_ewsd --no-raw-secret
	start_agent mini --token-form hmac --phone +13105550100
	run -0 ewsctl run mini echo hello
}

@test "a secret does not cross a network unencrypted" {
	start_ewsd
	run -78 timeout 10 ewsagent --hub http://hub.example.org --id mini --state-dir "$D/mini" \
	    --secret-file "$D/state/secret" --handlers "$D/handlers"
	[[ $output == *https* || $output == *insecure* ]]
}

@test "a second agent on one state directory refuses" {
	start_ewsd
	start_agent mini
	run timeout 10 ewsagent --hub "$HUB" --id mini --state-dir "$D/mini" --socket "$SOCK/x.sock" \
	    --secret-file "$D/state/secret" --handlers "$D/handlers"
	[ "$status" -eq 78 ] || [ "$status" -eq 75 ]
	[[ $output == *"in use"* ]]
}

@test "SIGTERM ends the agent and nothing else: the next one picks its handlers up" {
	start_ewsd
	start_agent mini
	handler slow <<-H
		#!/bin/sh
		echo \$\$ >"$D/pid"
		echo up
		i=0; while [ ! -e "$D/go" ] && [ \$i -lt 1500 ]; do i=\$((i + 1)); sleep 0.02; done
		exit 9
	H
	ewsctl run mini slow >"$D/got" 3>&- &
	runner=$!
	PIDS+=($runner)
	until_true 10 test -s "$D/pid"
	until_true 10 grep -q up "$D/got"
	start=$(date +%s%N)
	kill -TERM "$AGENT_PID"
	wait "$AGENT_PID"
	[ $((($(date +%s%N) - start) / 1000000)) -lt 2500 ]
	until_true 10 agent_is mini offline
	kill -0 "$(cat "$D/pid")"
	start_agent mini
	touch "$D/go"
	code=0
	wait $runner || code=$?
	[ "$code" -eq 9 ]
	[ "$(cat "$D/got")" = up ]
}
