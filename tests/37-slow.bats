#!/usr/bin/env bats
# Readers that do not keep up: the hub's memory stays, others are not held.

load lib/ews

setup() {
	ews_setup
}

rss() { ps -o rss= -p "$HUB_PID" | tr -d ' '; }

# fill AGENT: config updates, far more than the system's buffers take
fill() {
	local i text
	text=$(head -c 60000 /dev/zero | tr '\0' x)
	for i in $(seq 200); do
		ewsctl config "$1" "persona_id=$text" >/dev/null || return 1
		[ $((i % 10)) -eq 0 ] || continue
		[ "$(ewsctl stats --jq .slow_readers)" = 0 ] || return 0
	done
}

# slow CODE wsprobe-argument...: reads nothing until it was filled
slow() {
	local code=$1 before
	shift
	start_agent mini
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=slow' --rcvbuf 2048 --timeout 30 \
	    --header "Authorization: Bearer $SECRET" "$@" say here sleep "${NAP:-500}" hold >"$D/slow" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 agent_is slow online
	before=$(rss)
	kill -STOP "${PIDS[-1]}"
	fill slow
	# somebody else is served meanwhile
	began=$(date +%s%N)
	run -0 ewsctl run mini echo quick
	[ $(($(date +%s%N) - began)) -lt 2000000000 ]
	# the sanitizer keeps what was freed
	[ "${EWS_BUILD:-opt}" = san ] || [ $(($(rss) - before)) -lt 12000 ]
	until_true 10 agent_is slow offline
	[ "$(ewsctl stats --jq .slow_readers)" = 1 ]
	grep -q "slow: gone (connection closed ($code reads too slowly))" "$D/ewsd.log"
}

@test "an ews.v1 agent that reads nothing is closed with 4013; others are quick" {
	start_ewsd --log-level debug
	slow 4013 --protocol ews.v1 send '{"type":"hello","data":{"instance":"i"}}'
}

@test "a foreign agent that reads nothing is closed with 1013; others are quick" {
	start_ewsd --log-level debug
	slow 1013
}

@test "whoever talks and never reads is closed, too, by the age of its queue" {
	start_ewsd --silence 1s --edge-silence 1s --ping-interval 300ms
	talk=()
	for i in $(seq 150); do
		talk+=(send '{"type":"ping"}' sleep 100)
	done
	edge_ws deaf --rcvbuf 2048 say here "${talk[@]}" >"$D/deaf" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 agent_is deaf online
	text=$(head -c 100000 /dev/zero | tr '\0' x)
	for i in $(seq 60); do
		ewsctl send deaf filler "{\"text\":\"$text\"}" >/dev/null
	done
	until_true 8 agent_is deaf offline
	grep -q 'deaf: gone (connection closed (1013 reads too slowly))' "$D/ewsd.log"
}
