#!/usr/bin/env bats
# The WebSocket side of the edge protocol, as agents of foreign make see it.

load lib/ews

setup() {
	ews_setup
	start_ewsd
}

# hmac ID PHONE TIME [SECRET]: an authorization token of the second form
hmac() {
	local sig
	sig=$(printf '%s' "$1:$2:$3" | openssl dgst -sha256 -hmac "${4:-$SECRET}" -r | cut -d' ' -f1)
	printf '%s' "$1:$2:$3:$sig" | openssl base64 -A
}

# probe AUTHORIZATION PATH STEP...
probe() {
	local auth=$1 path=$2
	shift 2
	wsprobe --port "$HUB_PORT" --path "$path" --header "Authorization: $auth" "$@"
}

# a foreign agent in the background; messages in $D/ID.seen
foreign() {
	local id=$1
	shift
	edge_ws "$id" say here "$@" >"$D/$id.seen" 2>"$D/$id.err" 3>&- &
	PIDS+=($!)
	FOREIGN_PID=$!
	until_true 10 grep -q here "$D/$id.seen"
	until_true 10 agent_is "$id" online
}

@test "the raw secret comes in, and the hub says nothing first" {
	edge_ws luna1 no-message 300
}

@test "a signed token comes in; altered, old, future or foreign ones do not" {
	now=$(date +%s)
	probe "Bearer $(hmac luna1 +13105550100 "$now")" '/edge/ws?edge_agent_id=luna1' no-message 100
	for token in "$(hmac luna1 +13105550100 "$now" wrong)" \
	    "$(hmac luna1 +13105550100 $((now - 90001)))" \
	    "$(hmac luna1 +13105550100 $((now + 600)))" \
	    "$(hmac luna2 +13105550100 "$now")" \
	    "$(hmac luna1 +13105550100 "$now")x" bm9uc2Vuc2U= ''; do
		probe "Bearer $token" '/edge/ws?edge_agent_id=luna1' expect-status 403
	done
}

@test "refusals come at the HTTP stage, with their status" {
	probe "Bearer wrong" '/edge/ws?edge_agent_id=luna1' expect-status 403
	probe "Basic $SECRET" '/edge/ws?edge_agent_id=luna1' expect-status 403
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=luna1' expect-status 403
	probe "Bearer $SECRET" '/edge/ws' expect-status 403
	probe "Bearer $SECRET" '/edge/ws?edge_agent_id=' expect-status 403
	probe "Bearer $SECRET" '/nosuch' expect-status 404
	probe "Bearer $SECRET" '/edge/ws?edge_agent_id=luna1' --header 'X-Edge-Agent-Id: luna2' expect-status 403
	grep -q 'WebSocket connection rejected: missing auth header' "$D/ewsd.log"
	grep -q 'Token verification failed for edge_agent_id=luna1' "$D/ewsd.log"
}

@test "an id with a plus sign: the header decides" {
	edge_ws '+13105550100' --header 'X-Edge-Agent-Id: +13105550100' ping expect-pong
	until_true 5 ewsctl agent '+13105550100'
}

@test "ping is answered by pong" {
	edge_ws luna1 send '{"type":"ping"}' recv-match '"pong"' \
	    send '{"type":"ping","data":null,"x":1}' recv-match '"pong"'
}

@test "a second connection of an id closes the first; statistics show one" {
	edge_ws luna1 say here recv-close 1000 'New connection established' >"$D/first" 3>&- &
	first=$!
	until_true 10 agent_is luna1 online
	edge_ws luna1 say here send '{"type":"ping"}' recv-match pong hold >"$D/second" 3>&- &
	PIDS+=($!)
	wait $first
	until_true 10 grep -q pong "$D/second"
	[ "$(ewsctl stats --jq .agents_connected)" = 1 ]
	grep -q 'Replaced old connection for luna1' "$D/ewsd.log"
}

@test "a command has type, data and payload; its ack ends it" {
	foreign luna1 ack-all completed 1 hold
	run -0 ewsctl send --wait=done --timeout 10s -o json luna1 send_message_now '{"thread_id":"+1310","text":"hi"}'
	result=$(tail -n 1 <<<"$output")
	[ "$(jq -r .state <<<"$result")" = done ]
	[ "$(jq -r .delivery_method <<<"$result")" = websocket ]
	command=$(grep '"command"' "$D/luna1.seen")
	[ "$(jq -r .data.command_type <<<"$command")" = send_message_now ]
	[ "$(jq -r .data.payload.text <<<"$command")" = hi ]
	[ "$(jq -r .data.priority <<<"$command")" = normal ]
	[ "$(jq -r '.data | has("command_id") and has("timestamp")' <<<"$command")" = true ]
	grep -q 'Edge agent luna1 connected' "$D/ewsd.log"
	grep -q 'Sent command .* to luna1 (type: send_message_now)' "$D/ewsd.log"
}

@test "high becomes immediate on the wire, low becomes normal" {
	foreign luna1 ack-all completed 2 hold
	ewsctl send --wait=done --timeout 10s --priority high luna1 a
	ewsctl send --wait=done --timeout 10s --priority low luna1 b
	[ "$(grep -o '"priority":"[a-z]*"' "$D/luna1.seen" | tr -d '\n')" = '"priority":"immediate""priority":"normal"' ]
}

@test "acks in every shape are understood" {
	n=0
	for ack in '"status":"completed","completed_at":"2025-12-09T20:47:14.123Z"' \
	    '"success":true,"error":null,"timestamp":"2025-11-05T20:30:00.000Z"' \
	    '"status":"completed","success":false'; do
		n=$((n + 1))
		ewsctl send --queue-unknown --id "c$n" "a$n" x >/dev/null
		edge_ws "a$n" recv send "{\"type\":\"command_ack\",\"data\":{\"command_id\":\"c$n\",$ack}}" \
		    send '{"type":"ping"}' recv-match pong
		until_true 5 command_is "c$n" done
	done
	# failed, both shapes; beside "type"; in "payload"; as binary frame
	for ack in '{"type":"command_ack","data":{"command_id":"ID","status":"failed","error":"no"}}' \
	    '{"type":"command_ack","command_id":"ID","success":false,"error":"no"}' \
	    '{"type":"command_ack","payload":{"command_id":"ID","status":"failed","error":"no"}}'; do
		n=$((n + 1))
		ewsctl send --queue-unknown --id "c$n" "a$n" x >/dev/null
		edge_ws "a$n" recv send-bin "${ack/ID/c$n}" send '{"type":"ping"}' recv-match pong
		until_true 5 command_is "c$n" failed
		[ "$(ewsctl command "c$n" -o json | jq -r .error)" = no ]
	done
	# not terminal
	for status in received pending executing; do
		n=$((n + 1))
		ewsctl send --queue-unknown --id "c$n" "a$n" x >/dev/null
		edge_ws "a$n" recv send "{\"type\":\"command_ack\",\"data\":{\"command_id\":\"c$n\",\"status\":\"$status\"}}" \
		    send '{"type":"ping"}' recv-match pong
		run -0 ewsctl command "c$n" -o json
		[[ $(jq -r .state <<<"$output") =~ ^(received|started)$ ]]
	done
}

@test "a late failed overrides completed; an unknown id is ignored" {
	ewsctl send --queue-unknown --id c1 luna1 x >/dev/null
	edge_ws luna1 recv ack completed \
	    send '{"type":"command_ack","data":{"command_id":"nosuch","status":"completed"}}' \
	    send '{"type":"command_ack","data":{"command_id":"c1","status":"failed","error":"after all"}}' \
	    send '{"type":"ping"}' recv-match pong
	until_true 5 command_is c1 failed
	[ "$(ewsctl command c1 -o json | jq -r '[.history[].state // empty] | index("done") != null')" = true ]
}

@test "the first completed of a schedule_message is not its end" {
	ewsctl send --queue-unknown --id c1 luna1 schedule_message '{"thread_id":"t","message_text":"x","send_at":"2030-01-01T00:00:00Z"}' >/dev/null
	edge_ws luna1 recv ack completed send '{"type":"ping"}' recv-match pong
	until_true 5 command_is c1 received
	edge_ws luna1 send '{"type":"command_ack","data":{"command_id":"c1","status":"completed"}}' send '{"type":"ping"}' recv-match pong
	until_true 5 command_is c1 done
}

@test "another agent's ack is as if unknown" {
	ewsctl send --queue-unknown --id c1 luna1 x >/dev/null
	edge_ws luna2 send '{"type":"command_ack","data":{"command_id":"c1","status":"completed"}}' send '{"type":"ping"}' recv-match pong
	command_is c1 accepted
}

@test "a command for an absent agent is delivered once, when it comes" {
	run -0 ewsctl send --queue-unknown -o json luna1 x
	[ "$(jq -r .delivered_via_websocket <<<"$output")" = false ]
	[ "$(jq -r .delivery_method <<<"$output")" = queued ]
	edge_ws luna1 recv-match '"command"' no-message 200
}

@test "written and cut before the ack: not sent again, but waits as unacked" {
	ewsctl send --queue-unknown --id c1 luna1 send_message_now '{"thread_id":"t","text":"x"}' >/dev/null
	edge_ws luna1 recv-match '"command"' abort
	until_true 5 command_is c1 unacked
	edge_ws luna1 no-message 300
	edge_ws luna1 send '{"type":"command_ack","data":{"command_id":"c1","status":"completed"}}' send '{"type":"ping"}' recv-match pong
	until_true 5 command_is c1 done
}

@test "what may be repeated is: idempotent types, and at-least-once" {
	ewsctl send --queue-unknown --id c1 luna1 set_rule '{}' >/dev/null
	edge_ws luna1 recv-match '"c1"' abort
	edge_ws luna1 recv-match '"c1"' ack completed send '{"type":"ping"}' recv-match pong
	ewsctl send --at-least-once --id c2 luna1 send_message_now >/dev/null
	edge_ws luna1 recv-match '"c2"' abort
	edge_ws luna1 recv-match '"c2"'
}

@test "a hub that dies with a foreign command under way never repeats it" {
	ewsctl send --queue-unknown --id c1 luna1 send_message_now >/dev/null
	foreign luna1 recv-match '"command"' hold
	until_true 5 grep -q '"c1"' "$D/luna1.seen"
	end_process "$HUB_PID" KILL
	restart_ewsd
	command_is c1 unacked
	edge_ws luna1 no-message 300
}

@test "nonsense never disconnects: silence and a log line" {
	edge_ws luna1 send 'not json' send '[]' send '{"type":"ping"' send 'null' \
	    send '{"type":7}' send '{"type":"nosuch","data":{}}' send '' \
	    send '{"type":"ping","type":"ping"}' no-message 200 \
	    send '{"type":"ping"}' recv-match pong
	grep -q 'Unknown message type: nosuch' "$D/ewsd.log"
}

@test "status is kept" {
	edge_ws luna1 send '{"type":"status","data":{"scheduled_messages":3}}' send '{"type":"ping"}' recv-match pong
	[ "$(ewsctl agent luna1 -o json | jq .last_status.scheduled_messages)" = 3 ]
}

@test "config_update arrives; when away, at the next connection" {
	foreign luna1 recv-match config_update
	ewsctl config luna1 sync_interval=60
	wait "$FOREIGN_PID"
	grep -q '"sync_interval":60' "$D/luna1.seen"
	until_true 5 agent_is luna1 offline
	ewsctl config luna1 sync_interval=30
	edge_ws luna1 recv-match '"sync_interval":30'
	edge_ws luna1 no-message 200
}

@test "two agents of one id: the fight is damped" {
	for i in 1 2 3 4 5 6 7 8; do
		edge_ws luna1 --header "X-Ews-Instance: instance-$i" say "open $i" hold >"$D/f$i" 2>&1 3>&- &
		PIDS+=($!)
		until_true 5 grep -qE "^open|HTTP 503" "$D/f$i"
		! grep -q 'HTTP 503' "$D/f$i" || break
	done
	grep -q 'HTTP 503' "$D/f$i"
	[ "$(ewsctl stats --jq .takeovers)" -le 5 ]
	[ "$(ewsctl stats --jq .flaps)" -ge 1 ]
	agent_is luna1 online
}

@test "messages: fragments are put together, too large ones close with 1009" {
	edge_ws luna1 fragments 5 '{"type":"ping"}' recv-match pong
	edge_ws luna1 send-size 1048577 recv-close 1009
	edge_ws luna1 announce 4611686018427387904 pad 1024 recv-close 1009
}

@test "frames against the protocol close with their code" {
	edge_ws luna1 frame 88 ff recv-close 1002
	edge_ws luna1 frame 83 00 recv-close 1002
	edge_ws luna1 frame c1 7b7d recv-close 1002
	edge_ws luna1 frame 80 7b7d recv-close 1002
	edge_ws luna1 frame 81 ff recv-close 1007
	edge_ws luna1 frame 82 ff recv-close 1003
	# the library shows us no pings and answers a few of a flood: the
	# connection stays, and so does everything else
	edge_ws luna1 flood-ping 20000 send '{"type":"ping"}' recv-match pong ping last expect-pong last
	edge_ws luna1 fragments 5000 '{"type":"ping"}' recv-close 1008
}

@test "one log line per event, whatever the id" {
	id=$'evil%0aFAKE%20LINE'
	wsprobe --port "$HUB_PORT" --path "/edge/ws?edge_agent_id=$id" --header "Authorization: Bearer $SECRET" expect-status 403
	run -1 grep -q '^FAKE LINE' "$D/ewsd.log"
}

@test "the secret is in no log" {
	edge_ws luna1 send '{"type":"ping"}' recv-match pong
	probe "Bearer ${SECRET}x" "/edge/ws?edge_agent_id=luna1" expect-status 403
	run -1 grep -qF "$SECRET" "$D/ewsd.log"
}

@test "SIGTERM: who is told 1012 finds the listener closed already" {
	# one that answers no close holds the hub while the other looks
	edge_ws luna2 --no-pong say here hold >"$D/mute" 2>&1 3>&- &
	PIDS+=($!)
	edge_ws luna1 say here recv-close 1012 'Service Restart' >"$D/seen" 3>&- &
	agent=$!
	until_true 10 agent_is luna1 online
	until_true 10 agent_is luna2 online
	kill -TERM "$HUB_PID"
	wait $agent
	kill -0 "$HUB_PID" # still there, and yet:
	run -7 curl -sS -m 2 "$HUB/health"
	gone "$HUB_PID" 15
}

@test "every known field with every wrong type: no crash, no disconnect" {
	ewsctl send --queue-unknown --id c1 luna1 x >/dev/null
	good='{"type":"command_ack","data":{"command_id":"c1","status":"received","success":true,"error":"e","completed_at":"2025-12-09T20:47:14.123Z","timestamp":"2025-12-09T20:47:14.123Z","exit_code":1,"signal":1,"duration_ms":1,"stdout_bytes":1,"stdout_kept":1,"reason":"r","tail":{},"stream":"stdout","offset":1,"data":"x","data64":"eA=="}}'
	wrong='[null, true, -1, 1e300, 9007199254740993, "", "\u0001", [], {}, [1], {"a":1}]'
	mapfile -t messages < <(jq -c --argjson wrong "$wrong" '. as $g |
	    (($wrong[] as $w | ($g + {type: $w}, $g + {data: $w}, $w)),
	     ($g.data | keys[] as $k | $wrong[] as $w |
	      (["command_ack","output","hello","status","cancel"][] as $t |
	       {type: $t, data: ($g.data + {($k): $w})})))' <<<"$good")
	[ "${#messages[@]}" -gt 800 ]
	# for our own agents too, who may say more; a hello that is wrong may
	# be refused, the hub may not mind
	for ((i = 0; i < ${#messages[@]}; i += 90)); do
		steps=()
		for m in "${messages[@]:i:90}"; do
			[[ $m == *'"status":"completed"'* ]] || steps+=(send "$m")
		done
		edge_ws "x$i" "${steps[@]}" send '{"type":"ping"}' recv-match pong >/dev/null
		edge_ws "y$i" --protocol ews.v1 recv-match hello \
		    send '{"type":"hello","data":{"instance":"i"}}' "${steps[@]}" sleep 20 >/dev/null 2>&1 || true
	done
	ewsctl ping
	command_is c1 accepted
	for m in "${messages[@]:0:60}"; do
		edge_http POST /edge/sync -d "$m"
		[[ $status =~ ^(200|400|403|413|422|429)$ ]] || { echo "$status $m"; return 1; }
	done
	ewsctl ping
}

@test "SIGTERM: agents get 1012, and the hub ends" {
	edge_ws luna1 say here recv-close 1012 'Service Restart' >"$D/seen" 3>&- &
	agent=$!
	until_true 10 agent_is luna1 online
	kill -TERM "$HUB_PID"
	wait $agent
	gone "$HUB_PID" 10
}
