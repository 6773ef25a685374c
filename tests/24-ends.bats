#!/usr/bin/env bats
# Ends that somebody has to see to, and what the hub knows of its agents.

load lib/ews

# op OP [MEMBERS]: one request as it is; the result in $output, the exit
# status is that of its error
op() {
	run ewsctl raw "{\"id\":1,\"op\":\"$1\"${2:+,$2}}"
	output=$(jq -c '.result // .error' <<<"$output")
}

field() {
	jq -r "$1" <<<"$output"
}

# expired ID...: commands whose time is over
expired() {
	local id
	for id in "$@"; do
		op send "\"agent\":\"mini\",\"type\":\"${TYPE:-echo}\",\"command_id\":\"$id\",\"queue_unknown\":true,\"ttl_ms\":1"
	done
	for id in "$@"; do
		until_true 10 command_is "$id" expired
	done
}

# dead_are IDS [MEMBERS]: newest first
dead_are() {
	op dead "$2"
	[ "$(field '[.commands[].command_id] | join(" ")')" = "$1" ] ||
	    { echo "dead are: $output"; return 1; }
}

note_of() {
	ewsctl command "$1" -o json | jq -r '.history[].note // empty'
}

logged() {
	op agent_log "\"agent\":\"$1\""
	[[ $(field '.log[] | .what + ": " + .text') == *"$2"* ]]
}

@test "dead: what came to nothing is listed with its reason, by filter and page" {
	start_ewsd
	expired c1 c2
	TYPE=other expired c3
	op send '"agent":"mini","type":"echo","command_id":"c4"'
	ewsctl cancel c4
	dead_are "c3 c2 c1"
	[ "$(field '.commands[0].state')" = expired ]
	[ "$(field '.commands[0].reason')" = ttl ]
	dead_are "c2 c1" '"type":"echo"'
	dead_are "" '"state":["dead","refused"]'
	dead_are "" '"agent":"nobody"'
	dead_are "c3 c2" '"limit":2'
	dead_are c1 "\"limit\":2,\"before\":$(field .next)"
	op dead '"state":"nosuch"'
	[ "$status" -eq 65 ]
}

@test "requeue: a new command, both know of each other, once" {
	start_ewsd
	expired c1
	op requeue '"command_id":"c1"'
	[ "$status" -eq 0 ]
	id=$(field '.requeued[0].to')
	[ "$(field '.requeued | length')" -eq 1 ]
	[ "$(field .more)" = false ]
	[[ $(note_of c1) == *"requeued_as $id"* ]]
	[[ $(note_of "$id") == *"requeued_from c1"* ]]
	[ "$(ewsctl command c1 -o json | jq .cleared)" = true ]
	[ "$(ewsctl command "$id" -o json | jq 'has("expires_at")')" = true ]
	until_true 10 command_is "$id" expired # its time to live began anew
	dead_are "$id"
	op requeue '"command_id":"c1"'
	[ "$status" -eq 1 ]
	[[ $(field .detail) == *"$id"* ]]
	op drop '"command_id":"c1"'
	[ "$status" -eq 1 ]
}

@test "requeue: what was meant is said, and delivered" {
	start_ewsd
	expired c1 c2
	op requeue
	[ "$status" -eq 65 ]
	op requeue '"command_id":"c1","all":true'
	[ "$status" -eq 65 ]
	op requeue '"command_id":"nosuch"'
	[ "$status" -eq 1 ]
	op requeue '"command_id":""'
	[ "$status" -eq 1 ]
	op send '"agent":"mini","type":"x","command_id":"live"'
	op requeue '"command_id":"live"'
	[ "$status" -eq 65 ]
	[[ $(field .detail) == *"not ended"* ]]
	op send '"agent":"mini","type":"x","command_id":"late","ttl_ms":3600000'
	TYPE=slow expired c3
	op requeue '"all":true,"type":"slow"'
	[ "$(field '.requeued[0].from')" = c3 ]
	dead_are "c2 c1" '"type":"echo"'
}

@test "requeue: a refused command is sent again when its handler is there" {
	start_ewsd
	start_agent mini
	run -127 ewsctl run mini later
	op dead '"reason":"no_handler"'
	[ "$(field '.commands | length')" -eq 1 ]
	handler later <<-'H'
		#!/bin/sh
		echo here
	H
	op requeue '"all":true'
	id=$(field '.requeued[0].to')
	until_true 10 command_is "$id" done
	dead_are ""
}

@test "drop: no longer listed, still known" {
	start_ewsd
	expired c1 c2 c3
	op drop '"command_id":"c2"'
	[ "$(field .dropped)" -eq 1 ]
	dead_are "c3 c1"
	op drop '"all":true,"state":"expired"'
	[ "$(field .dropped)" -eq 2 ]
	[ "$(field .more)" = false ]
	dead_are ""
	command_is c2 expired
	[[ $(note_of c2) == *dropped* ]]
	op drop '"all":true'
	[ "$(field .dropped)" -eq 0 ]
}

@test "requeue: a hub killed in the middle loses none and doubles none" {
	start_ewsd
	for i in $(seq 200); do
		echo "{\"id\":$i,\"op\":\"send\",\"agent\":\"mini\",\"type\":\"t$i\",\"command_id\":\"c$i\",\"queue_unknown\":true,\"ttl_ms\":1}"
	done | sockline "$SOCK/ewsd.sock" >/dev/null
	until_true 10 eval '[ "$(ewsctl stats --jq .commands_waiting)" = 0 ]'
	for i in $(seq 200); do
		echo "{\"id\":$i,\"op\":\"requeue\",\"command_id\":\"c$i\"}"
	done >"$D/one-by-one"
	echo '{"id":1,"op":"requeue","all":true,"agent":"mini"}' >"$D/by-filter"
	for how in one-by-one one-by-one one-by-one by-filter by-filter by-filter; do
		sockline "$SOCK/ewsd.sock" <"$D/$how" >/dev/null 2>&1 3>&- &
		asking=$!
		sleep "0.0$((RANDOM % 40 + 10))"
		end_process "$HUB_PID" KILL
		wait "$asking" || true
		restart_ewsd
	done
	op requeue '"all":true,"state":"expired"'
	[ "$status" -eq 0 ]
	# every first one has exactly one that came of it
	op commands '"limit":10000'
	[ "$(jq '[.commands[] | select(.command_id | test("^c[0-9]+$"))] | length' <<<"$output")" -eq 200 ]
	[ "$(jq '[.commands[] | select(.command_id | test("^c[0-9]+$")) | select(.cleared)] | length' <<<"$output")" -eq 200 ]
	for i in $(seq 200); do
		[ "$(note_of "c$i" | grep -c '^requeued_as')" -eq 1 ]
	done
	for id in $(jq -r '.commands[] | .command_id | select(test("^c[0-9]+$") | not)' <<<"$output"); do
		note_of "$id" | sed -n 's/^requeued_from //p'
	done >"$D/from"
	[ -z "$(sort "$D/from" | uniq -d | grep '^c[0-9]*$')" ]
	[ "$(grep -c '^c[0-9]*$' "$D/from")" -eq 200 ]
}

@test "evict: a full queue refuses, and makes room only when asked" {
	start_ewsd --queue-agent 3
	op send '"agent":"mini","type":"x","command_id":"n1","queue_unknown":true'
	for id in l1 l2; do
		op send "\"agent\":\"mini\",\"type\":\"x\",\"command_id\":\"$id\",\"priority\":\"low\""
	done
	op send '"agent":"mini","type":"x"'
	[ "$status" -eq 75 ]
	[[ $(field .detail) == *"3 of 3"* ]]
	op send '"agent":"mini","type":"x","command_id":"n2","evict":"oldest"'
	[ "$status" -eq 0 ]
	command_is l1 dead
	op dead '"reason":"evicted"'
	[ "$(field '.commands[0].command_id')" = l1 ]
	[[ $(field '.commands[0].error') == *"n2 took its place"* ]]
	op send '"agent":"mini","type":"x","priority":"low","command_id":"l3","evict":"oldest"'
	command_is l2 dead
	op send '"agent":"mini","type":"x","evict":"newest"'
	[ "$status" -eq 65 ]
	# nothing that was delivered
	edge_ws mini recv recv recv say here hold >"$D/mini.seen" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q here "$D/mini.seen"
	op send '"agent":"mini","type":"x","evict":"oldest"'
	[ "$status" -eq 75 ]
}

@test "max deliveries: never received is dead, across restarts" {
	start_ewsd --max-deliveries 3
	op send '"agent":"mini","type":"x","command_id":"c1","queue_unknown":true,"at_least_once":true'
	op send '"agent":"mini","type":"x","command_id":"once"'
	edge_ws mini recv-match '"c1"' recv-match '"once"' abort
	edge_ws mini recv-match '"c1"' abort
	until_true 10 command_is c1 accepted
	end_process "$HUB_PID" KILL
	restart_ewsd --max-deliveries 3
	edge_ws mini recv-match '"c1"' abort
	until_true 10 command_is c1 accepted
	edge_ws mini no-message 300
	command_is c1 dead
	dead_are c1 '"reason":"undeliverable"'
	command_is once unacked
}

@test "one id: same content is the first receipt, other content shows both digests" {
	start_ewsd
	op send '"agent":"mini","type":"x","command_id":"c1","payload":{"a":1},"queue_unknown":true'
	op send '"agent":"mini","type":"x","command_id":"c1","payload":{"a":1},"ttl_ms":5,"priority":"low"'
	[ "$(field .duplicate)" = true ]
	op send '"agent":"mini","type":"x","command_id":"c1","payload":{"a":2}'
	[ "$status" -eq 65 ]
	detail=$(field .detail)
	digest=$(ewsctl command c1 -o json | jq -r .digest)
	[ ${#digest} -eq 64 ]
	[[ $detail =~ sha256\ ${digest:0:16},\ given\ [0-9a-f]{16} ]]
	ewsctl cancel c1
	end_process "$HUB_PID"
	restart_ewsd
	op send '"agent":"mini","type":"x","command_id":"c1","payload":{"a":2}'
	[ "$status" -eq 65 ]
	[ "$(field .detail)" = "$detail" ]
	op send '"agent":"mini","type":"x","command_id":"c1","payload":{"a":1}'
	[ "$(field .duplicate)" = true ]
	[ "$(field .state)" = cancelled ]
}

@test "one id: a command that waits for its time is one, too" {
	start_ewsd
	at=$((($(date +%s) + 3600) * 1000))
	op send "\"agent\":\"mini\",\"type\":\"x\",\"command_id\":\"c1\",\"at_ms\":$at,\"queue_unknown\":true"
	[ "$(field .state)" = scheduled ]
	op send "\"agent\":\"mini\",\"type\":\"x\",\"command_id\":\"c1\",\"at_ms\":$((at + 5000))"
	[ "$(field .duplicate)" = true ]
	[ "$(field .state)" = scheduled ]
	op send "\"agent\":\"mini\",\"type\":\"y\",\"command_id\":\"c1\",\"at_ms\":$at"
	[ "$status" -eq 65 ]
}

@test "tags: an agent's own and those given, across a restart" {
	start_ewsd
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=mini' --protocol ews.v1 \
	    --header "Authorization: Bearer $SECRET" recv-match '"hello"' \
	    send '{"type":"hello","data":{"instance":"i1","tags":["web","Not ok"],"time":"2020-01-01T00:00:00Z"}}' \
	    send '{"type":"ping"}' recv-match pong
	op tag '"agent":"mini","add":["prod","eu"]'
	[ "$(field '.tags | join(" ")')" = "eu prod web" ]
	op tag '"agent":"mini","remove":["eu","nosuch"]'
	[ "$(field '.given_tags | join(" ")')" = prod ]
	[ "$(field '.own_tags | join(" ")')" = web ]
	[ "$(field '.clock_skew_ms < -100000000')" = true ]
	grep -q 'agent mini: its clock is' "$D/ewsd.log"
	op tag '"agent":"mini","add":["No"]'
	[ "$status" -eq 65 ]
	op tag '"agent":"mini","remove":["web"]'
	[ "$status" -eq 65 ]
	op tag '"agent":"nobody","add":["a"]'
	[ "$status" -eq 1 ]
	end_process "$HUB_PID" KILL
	restart_ewsd
	op agent '"agent":"mini"'
	[ "$(field '.tags | join(" ")')" = "prod web" ]
}

@test "wait_agent: comes, goes, and does not" {
	start_ewsd
	op wait_agent '"agent":"mini","state":"offline"'
	[ "$status" -eq 1 ]
	op wait_agent '"agent":"mini","state":"online","timeout_ms":100'
	[ "$status" -eq 124 ]
	ewsctl raw '{"id":1,"op":"wait_agent","agent":"mini","state":"online","timeout_ms":10000}' >"$D/waited" 3>&- &
	waiting=$!
	PIDS+=("$waiting")
	edge_ws mini say here hold >"$D/mini.seen" 3>&- &
	mini=$!
	PIDS+=("$mini")
	wait "$waiting"
	[ "$(jq -r .result.status "$D/waited")" = online ]
	op wait_agent '"agent":"mini","state":"online"'
	[ "$status" -eq 0 ]
	op wait_agent '"agent":"mini","state":"offline","timeout_ms":100'
	[ "$status" -eq 124 ]
	kill "$mini"
	op wait_agent '"agent":"mini","state":"offline","timeout_ms":10000'
	[ "$(field .status)" = offline ]
	op wait_agent '"agent":"mini","state":"gone"'
	[ "$status" -eq 65 ]
}

@test "agent_log: comings, takeovers, refusals, and a fight" {
	start_ewsd
	op agent_log '"agent":"mini"'
	[ "$status" -eq 1 ]
	edge_ws mini say here recv-close 1000 >"$D/first" 3>&- &
	PIDS+=($!)
	until_true 10 agent_is mini online
	edge_ws mini send '{"type":"ping"}' recv-match pong close 1000 bye recv-eof
	until_true 10 agent_is mini offline
	logged mini 'connected: websocket, from 127.0.0.1'
	logged mini 'replaced: by a connection from 127.0.0.1'
	logged mini 'disconnected: connection closed (1000 bye), after'
	for i in $(seq 20); do
		wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=mini' \
		    --header 'Authorization: Bearer wrong' expect-status 403 ||
		    wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=mini' \
			--header 'Authorization: Bearer wrong' expect-status 429
	done >/dev/null 2>&1
	op agent_log '"agent":"mini"'
	[ "$(field '[.log[] | select(.what == "refused")] | length')" -eq 2 ]
	[[ $(field '.log[-1].text') == *"wrong credential, from 127.0.0.1 ("*"times)" ]]
	[ "$(field .agent.agent)" = mini ]
	op agent_log '"agent":"mini","limit":1'
	[ "$(field '.log | length')" -eq 1 ]
}

@test "agent_log: a fight for one id is damped, and its lines survive a kill" {
	start_ewsd --agent-connects 0
	for i in 1 2 3 4 5 6 7 8; do
		edge_ws mini say "open $i" hold >"$D/f$i" 2>&1 3>&- &
		PIDS+=($!)
		until_true 5 grep -qE "^open|HTTP 503" "$D/f$i"
		grep -q 'HTTP 503' "$D/f$i" && break
	done
	until_true 5 logged mini 'damped: 3 takeovers'
	logged mini 'refused: two agents use this id, from 127.0.0.1'
	end_process "$HUB_PID" KILL
	restart_ewsd --agent-log-keep 2
	logged mini 'refused: two agents'
	edge_ws mini send '{"type":"ping"}' recv-match pong close 1000 recv-eof
	until_true 5 logged mini 'after'
	[ "$(field '.log | length')" -eq 2 ]
}

@test "a command's history tells its whole way" {
	start_ewsd
	start_agent mini
	id=$(ewsctl send --wait=done mini echo '{"text":"hi"}')
	until_true 10 eval "note_of $id | grep -q 'confirmed to the agent'"
	history=$(ewsctl command "$id" -o json | jq -r '[.history[] | .state // .note] | join(",")')
	[[ $history =~ ^accepted,on\ disk,delivered,(received,)?started,done,confirmed\ to\ the\ agent$ ]]
	[ "$(ewsctl command "$id" -o json | jq -r '.history[] | select(.state == "delivered") | .method')" = websocket ]
	id=$(ewsctl send --queue-unknown away echo)
	[ "$(note_of "$id")" = "on disk" ]
}

@test "config: a setting that no agent knows is refused" {
	start_ewsd
	edge_ws mini send '{"type":"ping"}' recv-match pong
	op config '"agent":"mini","config":{"sync_intervall":60}'
	[ "$status" -eq 65 ]
	[[ $(field .detail) == *"sync_interval,"*"persona_id"*"sync_intervall"* ]]
	op config '"agent":"mini","config":{"sync_interval":60,"log_level":"debug","poll_interval":5,"max_batch_size":1,"persona_id":"x"}'
	[ "$status" -eq 0 ]
}
