#!/usr/bin/env bats
# What is urgent overtakes what is not, what is not urgent still has its
# turn, and equals keep their order, however they travel.

load lib/ews

QUICK=(--reconnect-min 50ms --reconnect-max 400ms --poll-interval 200ms)

agent_status() {
	ewsctl --socket "$SOCK/mini.sock" status --jq "$1"
}

agent_says() {
	[ "$(agent_status "$1")" = "$2" ]
}

# notes its argument; and one that waits until $D/go is there, not for ever
handlers() {
	handler effect <<-H
		#!/bin/sh
		echo "\${1:-\$EWS_COMMAND_ID}" >>"$D/effects"
	H
	handler wait <<-H
		#!/bin/sh
		echo "\${1:-\$EWS_COMMAND_ID}" >>"$D/effects"
		i=0
		while [ ! -e "$D/go" ] && [ \$i -lt 1500 ]; do
			i=\$((i + 1))
			sleep 0.02
		done
	H
	: >"$D/effects"
}

# lines TYPE PRIORITY FROM TO: "PRIORITY N" is the argument of each
lines() {
	local k
	for ((k = $3; k <= $4; k++)); do
		echo "{\"agent\":\"mini\",\"type\":\"$1\",\"priority\":\"$2\",\"argv\":[\"$2 $k\"]}"
	done
}

# the same for a hub of PROTOCOL 2, whose commands have no arguments
old_lines() {
	local k
	for ((k = $3; k <= $4; k++)); do
		echo "{\"command_id\":\"$2 $k\",\"command_type\":\"$1\",\"priority\":\"$2\",\"payload\":{}}"
	done
}

# send_lines TYPE PRIORITY FROM TO
send_lines() {
	lines "$@" | ewsctl send --queue-unknown --lines - >/dev/null
}

effects() {
	[ "$(wc -l <"$D/effects")" -ge "$1" ]
}

waiting_is() {
	[ "$(ewsctl stats --jq .commands_waiting)" = "$1" ]
}

# effect WORD: where in the order is it?
place_of() {
	grep -nx "$1" "$D/effects" | cut -d: -f1
}

@test "critical and immediate overtake 10,000 low ones that wait at the hub" {
	handlers
	start_ewsd --queue-agent 20000
	send_lines effect low 1 10000
	send_lines effect critical 1 1
	send_lines effect immediate 2 2
	waiting_is 10002
	start_agent_nowait mini "${QUICK[@]}" --concurrency 1
	until_true 20 effects 3
	[ "$(head -n 3 "$D/effects" | tr '\n' ,)" = 'critical 1,immediate 2,low 1,' ]
	# and while they run
	run -0 ewsctl run --priority critical mini effect now
	[ "$(place_of now)" -lt 5000 ]
	[ "$(ewsctl stats --jq .commands_waiting)" -gt 5000 ]
}

@test "immediate overtakes 10,000 low ones in the agent's own queue" {
	handlers
	(umask 077; echo a-secret-of-this-test >"$D/state/secret")
	mkfifo "$D/hub.in"
	oldhub <"$D/hub.in" >"$D/hub.txt" 2>"$D/hub.log" 3>&- &
	PIDS+=($!)
	exec 21>"$D/hub.in"
	until_true 10 grep -q ready "$D/hub.txt"
	HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/hub.txt")
	start_agent_nowait mini "${QUICK[@]}" --queue 20000 --concurrency 1
	until_true 10 grep -q '^open' "$D/hub.txt"
	old_lines wait normal 1 1 >&21
	until_true 10 effects 1
	old_lines effect low 1 10000 >&21
	until_true 60 agent_says .queued 10000
	old_lines effect immediate 1 1 >&21
	until_true 10 agent_says .queued 10001
	touch "$D/go"
	until_true 10 effects 3
	[ "$(head -n 3 "$D/effects" | tr '\n' ,)" = 'normal 1,immediate 1,low 1,' ]
}

@test "critical does not wait behind low ones that may not run yet" {
	handlers
	printf '[wait]\nconcurrency = 1\n' >"$D/handlers/handlers.conf"
	chmod 600 "$D/handlers/handlers.conf"
	start_ewsd
	start_agent mini "${QUICK[@]}" --concurrency 4
	send_lines wait low 1 1000
	until_true 10 effects 1
	until_true 10 agent_says '.queued > 250' true
	run -0 ewsctl run --timeout 10s --priority immediate mini effect urgent
	[ "$(place_of urgent)" -eq 2 ]
}

@test "commands that an agent keeps for later do not stop what is for now" {
	handlers
	start_ewsd
	start_agent mini "${QUICK[@]}"
	at=$((($(date +%s) + 3600) * 1000))
	for ((k = 0; k < 400; k++)); do
		echo "{\"agent\":\"mini\",\"type\":\"effect\",\"at_edge\":true,\"at_ms\":$at}"
	done | ewsctl send --lines - >/dev/null
	until_true 10 agent_says .held 400
	run -0 ewsctl run --timeout 10s mini effect now
	[ "$(cat "$D/effects")" = now ]
}

# The high ones never run out; the low ones are older than most of them.
@test "low ones have their turn under a steady stream of high ones" {
	handlers
	start_ewsd
	start_agent_nowait mini "${QUICK[@]}" --concurrency 4
	send_lines effect high 1 300
	send_lines effect low 1 12
	n=300
	until grep -qx 'low 12' "$D/effects"; do
		if [ "$(ewsctl stats --jq .commands_waiting)" -lt 300 ]; then
			send_lines effect high $((n + 1)) $((n + 200))
			n=$((n + 200))
		fi
		[ "$n" -lt 4000 ]
	done
	# it was a steady stream
	waiting=$(ewsctl stats --jq .commands_waiting)
	echo "# low 12 was at place $(place_of 'low 12'), with $waiting waiting" >&3
	[ "$waiting" -gt 0 ]
	for ((k = 1; k <= 12; k++)); do
		[ "$(place_of "low $k")" -le $((300 + 16 * k + 100)) ]
	done
}

in_order() {
	cmp <(grep "^$1 " "$D/effects") <(seq "$2" | sed "s/^/$1 /")
}

link_is() {
	[ "$(agent_status .state)" = "$1" ]
}

proxy() {
	echo "$*" | sockline "$SOCK/proxy" >/dev/null
}

@test "equals keep their order over WebSocket, poll, reconnects, a new hub and a new agent" {
	handlers
	start_ewsd
	wsproxy --listen 0 --to "$HUB_PORT" --control "$SOCK/proxy" >"$D/proxy.out" 2>"$D/proxy.log" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.out"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.out")
	start_agent mini "${QUICK[@]}" --concurrency 1 --queue 5
	{
		for ((k = 1; k <= 150; k++)); do
			lines effect low $k $k
			lines effect normal $k $k
			lines effect high $k $k
		done
	} >"$D/lines"
	ewsctl send --lines "$D/lines" >/dev/null
	until_true 20 effects 50
	proxy mode refuse-upgrade
	proxy cut-upgrades
	until_true 20 effects 120
	link_is polling
	proxy cut
	until_true 20 effects 170
	# nothing was handed back, and so overtaken by what came after it
	agent_says .counts.queue_full 0
	proxy mode pass
	until_true 20 effects 220
	end_process "$HUB_PID" KILL
	restart_ewsd
	until_true 20 effects 280
	end_process "$AGENT_PID" KILL
	start_agent_nowait mini "${QUICK[@]}" --concurrency 1 --queue 5
	until_true 20 effects 340
	end_process "$AGENT_PID" TERM
	start_agent_nowait mini "${QUICK[@]}" --concurrency 1
	until_true 30 waiting_is 0
	for priority in low normal high; do in_order $priority 150; done
}
