#!/usr/bin/env bats
# The HTTP side of the edge protocol.

load lib/ews

setup() {
	ews_setup
	(umask 077; echo admin-key-of-this-test >"$D/admin")
	start_ewsd --admin-key-file "$D/admin"
}

admin() {
	http "$@" -H 'X-Admin-Key: admin-key-of-this-test' \
	    -H 'Content-Type: application/json'
}

is() {
	jq -e "$1" <<<"$output" >/dev/null ||
	    { echo "not: $1 in HTTP $status: $output"; return 1; }
}

@test "health is open and the keys are there" {
	http GET /health
	[ "$status" = 200 ]
	is '.status == "healthy" and (.version | type) == "string"'
}

@test "unknown paths are 404, wrong methods 405" {
	http GET /nosuch
	[ "$status" = 404 ]
	is '.detail == "Not Found"'
	edge_http GET /edge/sync
	[ "$status" = 405 ]
	for method in TRACE NOSUCH; do
		http "$method" /health
		[[ $status =~ ^(405|501)$ ]]
	done
}

@test "no or wrong credentials are refused on every route that needs them" {
	ewsd --describe routes | while read -r method path auth _; do
		# the upgrade has tests of its own; register's token is in its body
		[ "$method" != WS ] && [ "$auth" != open ] && [ "$auth" != body ] || continue
		p=${path//\{\}/x}
		for header in 'X-None: 1' 'Authorization: Bearer wrong' \
		    'Authorization: Basic x' 'X-Admin-Key: wrong' 'X-Admin-Key:'; do
			got=$(curl -sS -m 10 -o /dev/null -w '%{http_code}' -X "$method" \
			    "$HUB$p" -H "$header" -H 'Content-Type: application/json' -d '{}')
			[[ $got =~ ^(401|403|404|429|426|400)$ ]] && [ "$got" != 200 ] ||
			    { echo "$method $path $header: $got"; exit 1; }
		done
	done
}

@test "sync hands out what is queued, once, in order; ack ends it" {
	for i in 1 2 3; do ewsctl send --queue-unknown --id "c$i" edge_1 send_message_now >/dev/null; done
	body='{"edge_agent_id":"edge_1","last_command_id":null,"pending_events":[{"event_id":"evt_1","event_type":"message_sent"},{"event_id":"evt_2"}],"status":{"scheduled_messages":5}}'
	edge_http POST /edge/sync -d "$body"
	[ "$status" = 200 ]
	is '[.commands[].command_id] == ["c1","c2","c3"]'
	is '.ack_events == ["evt_1","evt_2"]'
	is '.commands[0] | .command_type == "send_message_now" and (.payload | type) == "object"'
	[ "$(ewsctl command c1 -o json | jq -r .delivery_method)" = http ]
	edge_http POST /edge/sync -d '{"edge_agent_id":"edge_1","last_command_id":"c3"}'
	is '.commands == []'
	edge_http POST /edge/command/ack -d '{"command_id":"c1","success":true,"error":null,"timestamp":"2025-11-05T20:30:00.000Z"}' -H 'X-Edge-Agent-Id: edge_1'
	[ "$status" = 200 ]
	is '.acknowledged == true'
	command_is c1 done
	edge_http POST /edge/ack_command -d '{"command_id":"c2","success":false,"error":"no"}' -H 'X-Edge-Agent-Id: edge_1'
	is '.acknowledged == true'
	command_is c2 failed
	edge_http POST /edge/command/ack -d '{"command_id":"nosuch","success":true}' -H 'X-Edge-Agent-Id: edge_1'
	[ "$status" = 200 ]
}

@test "the other shape of sync" {
	ewsctl send --queue-unknown --id c1 mac-mini-primary x >/dev/null
	edge_http POST /edge/sync -d '{"edge_agent_id":"mac-mini-primary","version":"1.0.0","capabilities":["schedule"],"events":[],"status":"active","last_sync":"2025-11-14T10:00:00"}'
	[ "$status" = 200 ]
	is '.commands[0].command_id == "c1"'
}

@test "an answer lost on its way: never sent again by itself to a foreign agent" {
	ewsctl send --queue-unknown --id c1 edge_1 send_message_now >/dev/null
	edge_http POST /edge/sync -d '{"edge_agent_id":"edge_1","last_command_id":null}'
	is '.commands | length == 1'
	edge_ws edge_1 no-message 300
}

@test "what a sync handed out is not pushed, and the other way round" {
	edge_ws edge_1 say here hold >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 agent_is edge_1 online
	ewsctl send --id c1 edge_1 x >/dev/null
	until_true 5 grep -q c1 "$D/seen"
	edge_http POST /edge/sync -d '{"edge_agent_id":"edge_1","last_command_id":null}'
	is '.commands == []'
}

@test "register: both bodies, and a wrong token" {
	end_process "$HUB_PID"
	(umask 077; echo regtoken >"$D/reg")
	restart_ewsd --registration-token-file "$D/reg"
	http POST /edge/register -H 'Content-Type: application/json' -d '{"user_phone":"+13105550100","registration_token":"regtoken"}'
	[ "$status" = 200 ]
	is '.edge_agent_id == "edge_13105550100" and (.auth_token | length) > 0'
	http POST /edge/register -H 'Content-Type: application/json' -d '{"user_phone":"+13105550100","apple_id":null,"version":"2.0.0","capabilities":["transport"],"auth_token":"regtoken"}'
	[ "$status" = 200 ]
	http POST /edge/register -H 'Content-Type: application/json' -d '{"user_phone":"+13105550100","registration_token":"wrong"}'
	[[ $status =~ ^40[13]$ ]]
	http POST /edge/register -H 'Content-Type: application/json' -d '{"user_phone":"no phone","registration_token":"regtoken"}'
	[ "$status" = 422 ]
}

@test "schedule: pushed when connected, queued when not, refused when wrong" {
	at=$(jq -rn 'now + 86400 | todate')
	good='{"user_phone":"+13105550100","thread_id":"+1310","message_text":"Hello!","send_at":"'$at'","is_group":false}'
	admin POST /edge/command/schedule -d "$good"
	[ "$status" = 200 ]
	is '.status == "scheduled" and .delivered_via_websocket == false and .delivery_method == "http"'
	is '.command_id | startswith("cmd_")'
	edge_ws edge_13105550100 recv-match schedule_message >"$D/seen"
	grep -q '"message_text":"Hello!"' "$D/seen"
	edge_ws edge_13105550100 say here ack-all completed 1 hold >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 agent_is edge_13105550100 online
	admin POST /edge/command/schedule -d "$good"
	is '.delivered_via_websocket == true and .delivery_method == "websocket"'
	http POST /edge/command/schedule -H 'Content-Type: application/json' -d "$good"
	[[ $status =~ ^40[13]$ ]]
	admin POST /edge/command/schedule -d '{"user_phone":"+13105550100"}'
	[ "$status" = 422 ]
	is '.detail[0].loc[0] == "body"'
	admin POST /edge/command/schedule -d "${good/$at/soon}"
	[ "$status" = 422 ]
}

@test "statistics and agent status, for the administrator" {
	edge_ws edge_1 say here hold >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 agent_is edge_1 online
	admin GET /edge/websocket/stats
	[ "$status" = 200 ]
	is '.active_connections == 1 and .connected_agents == ["edge_1"]'
	is 'has("total_messages_sent") and has("total_messages_received") and has("average_connection_duration_seconds")'
	admin GET /edge/agents/edge_1/status
	is '.edge_agent_id == "edge_1" and .status == "online" and .websocket.connected == true and .pending_commands == 0'
	admin GET /edge/agents/edge_1
	[ "$status" = 200 ]
	admin GET /edge/agents/nobody/status
	[ "$status" = 404 ]
	is '.detail == "Edge agent not found"'
	http GET /edge/websocket/stats -H 'X-Admin-Key: wrong'
	[ "$status" = 403 ]
}

@test "operations over HTTP, for the administrator" {
	admin POST /api/v1/ops/send -d '{"agent":"a","type":"t","queue_unknown":true,"command_id":"c1"}'
	[ "$status" = 200 ]
	is '.state == "accepted"'
	command_is c1 accepted
	admin POST /api/v1/ops/agent -d '{"agent":"nobody"}'
	[ "$status" = 404 ]
	is '.code == "agent_unknown"'
	admin POST /api/v1/ops/nosuch -d '{}'
	[ "$status" = 404 ]
}

@test "an id in the body is never believed over the one that was proved" {
	ewsctl send --queue-unknown --id c1 edge_1 x >/dev/null
	now=$(date +%s)
	sig=$(printf 'edge_2:+1:%s' "$now" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
	token=$(printf 'edge_2:+1:%s:%s' "$now" "$sig" | openssl base64 -A)
	http POST /edge/sync -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"edge_agent_id":"edge_1"}'
	[ "$status" = 403 ]
	http POST /edge/command/ack -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"command_id":"c1","success":true}'
	[ "$status" = 200 ]
	command_is c1 accepted
}

@test "bodies: too large, not JSON, wrong type, wrong charset" {
	head -c 300000 /dev/zero | tr '\0' x >"$D/big"
	edge_http POST /edge/command/ack --data-binary @"$D/big"
	[ "$status" = 413 ]
	edge_http POST /edge/sync -d 'nonsense'
	[ "$status" = 400 ] || [ "$status" = 422 ]
	http POST /edge/sync -H "Authorization: Bearer $SECRET" -H 'Content-Type: text/plain' -d '{}'
	[ "$status" = 415 ]
	http POST /edge/sync -H "Authorization: Bearer $SECRET" -H 'Content-Type: application/json; charset=utf-16' -d '{}'
	[ "$status" = 415 ]
	http POST /edge/sync -H "Authorization: Bearer $SECRET" -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' -d '{}'
	[[ $status =~ ^(411|501|400)$ ]]
}

@test "wrong credentials again and again are 429 with Retry-After" {
	for i in $(seq 40); do
		got=$(curl -sS -o /dev/null -D "$D/h" -w '%{http_code}' -X POST "$HUB/edge/sync" -H 'Authorization: Bearer wrong' -d '{}')
		[ "$got" = 429 ] && break
	done
	[ "$got" = 429 ]
	grep -qi '^retry-after: [0-9]' "$D/h"
	# the limit is on failures: whoever has the secret still comes in
	edge_http POST /edge/sync -d '{"edge_agent_id":"edge_1"}'
	[ "$status" = 200 ]
}
