#!/usr/bin/env bats
# Nothing accepted is lost, no effect happens twice: with kill -9.
# EWS_KILLS=1000 makes the long form (`make kills`).

load lib/ews

KILLS=${EWS_KILLS:-100}

effects_handler() {
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
}

# sends one command after another until $D/stop is there; prints ids
sender() {
	while [ ! -e "$D/stop" ]; do
		ewsctl send --queue-unknown --timeout 5s mini effect 2>/dev/null || true
	done
}

all_done() {
	[ "$(ewsctl stats --jq .commands_waiting)" = 0 ]
}

# every id printed happened, and nothing happened twice
check_effects() {
	sort "$D/ids" >"$D/ids.sorted"
	sort "$D/effects" >"$D/effects.sorted"
	[ -s "$D/ids.sorted" ]
	[ -z "$(uniq -d "$D/effects.sorted")" ]
	[ -z "$(comm -23 "$D/ids.sorted" "$D/effects.sorted")" ]
}

@test "the hub killed again and again while a script sends ($KILLS kills)" {
	effects_handler
	start_ewsd
	start_agent mini --reconnect-min 10ms --reconnect-max 100ms --refused-wait 100ms
	sender >"$D/ids" 3>&- &
	sending=$!
	for ((i = 0; i < KILLS; i++)); do
		sleep "0.$(printf %03d $((RANDOM % 150)))"
		kill -KILL "$HUB_PID"
		gone "$HUB_PID" 10
		forget "$HUB_PID"
		restart_ewsd
	done
	touch "$D/stop"
	wait $sending
	until_true 60 all_done
	check_effects
	echo "# $KILLS kills, $(wc -l <"$D/ids") ids printed, $(wc -l <"$D/effects") effects" >&3
}

@test "hub and agent killed at random: each id runs once, and is done" {
	effects_handler
	start_ewsd
	start_agent mini --reconnect-min 10ms --reconnect-max 100ms
	sender >"$D/ids" 3>&- &
	sending=$!
	for ((i = 0; i < KILLS / 5; i++)); do
		sleep "0.$(printf %03d $((RANDOM % 200)))"
		if ((RANDOM % 2)); then
			kill -KILL "$HUB_PID"
			gone "$HUB_PID" 10
			forget "$HUB_PID"
			restart_ewsd
		else
			kill -KILL "$AGENT_PID"
			gone "$AGENT_PID" 10
			forget "$AGENT_PID"
			start_agent_nowait mini --reconnect-min 10ms --reconnect-max 100ms
		fi
	done
	touch "$D/stop"
	wait $sending
	until_true 60 all_done
	[ -z "$(sort "$D/effects" | uniq -d)" ]
	while read -r id; do
		command_is "$id" done || { echo "$id is not done"; return 1; }
	done <"$D/ids"
}

@test "a graceful stop loses nothing either" {
	effects_handler
	start_ewsd
	start_agent mini --reconnect-min 10ms --reconnect-max 100ms
	sender >"$D/ids" 3>&- &
	sending=$!
	for i in 1 2 3 4 5; do
		sleep 0.2
		end_process "$HUB_PID"
		forget "$HUB_PID"
		restart_ewsd
	done
	touch "$D/stop"
	wait $sending
	until_true 60 all_done
	check_effects
}
