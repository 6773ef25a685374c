#!/usr/bin/env bats
# Work for later: at, ttl, late, cron, cancel; and that a kill of the hub
# neither loses nor doubles what was due.

load lib/ews

# op JSON: the whole answer; its parts by jq
op() {
	ewsctl raw "$1"
}

result() {
	op "$1" | jq -ce 'select(has("result")) | .result'
}

now_ms() {
	date +%s%3N
}

effects_handler() {
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
}

effects() {
	[ "$(wc -l <"$D/effects")" -ge "$1" ]
}

kill_hub() {
	kill -KILL "$HUB_PID"
	gone "$HUB_PID" 10
	forget "$HUB_PID"
}

history_has() {
	ewsctl command "$1" -o json |
	    jq -e --arg t "$2" '[.history[] | .note, .text] | any(. != null and contains($t))'
}

# ---- at ---------------------------------------------------------------------

@test "at: scheduled, kept over a restart of the hub, then done" {
	effects_handler
	start_ewsd
	start_agent mini --reconnect-min 10ms --reconnect-max 100ms
	at=$(($(now_ms) + 2500))
	run -0 result '{"op":"send","agent":"mini","type":"effect","command_id":"c1","at_ms":'$at'}'
	[ "$(jq -r .state <<<"$output")" = scheduled ]
	kill_hub
	restart_ewsd
	command_is c1 scheduled
	[ ! -e "$D/effects" ]
	until_true 10 command_is c1 done
	[ "$(now_ms)" -ge "$at" ]
	[ "$(cat "$D/effects")" = c1 ]
	run -0 ewsctl command c1 -o json
	[ "$(jq -r 'has("late_ms")' <<<"$output")" = false ]
	[ "$(jq -r '[.history[].state] | index("scheduled") < index("accepted")' <<<"$output")" = true ]
}

@test "at: while the hub is down it is late: run says so, skip expires" {
	start_ewsd --late-after 500ms
	at=$(($(now_ms) + 300))
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","command_id":"run","at_ms":'$at'}'
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","command_id":"skip","late":"skip","at_ms":'$at'}'
	kill_hub
	while [ "$(now_ms)" -lt $((at + 1500)) ]; do sleep 0.05; done
	restart_ewsd --late-after 500ms
	until_true 10 command_is run accepted
	run -0 ewsctl command run -o json
	[ "$(jq .late_ms <<<"$output")" -ge 1500 ]
	history_has run 'late'
	until_true 10 command_is skip expired
	[ "$(ewsctl command skip -o json | jq -r .reason)" = late ]
}

@test "at: a time out of range, and what does not go together, is refused" {
	start_ewsd
	for extra in '"at_ms":-1' '"at_ms":99999999999999999' '"at_ms":"soon"' \
	    '"ttl_ms":0' '"ttl_ms":-5' '"ttl_ms":9999999999999999' '"late":"never"' \
	    '"at_edge":true' '"at_edge":true,"at_ms":5,"priority":"immediate"' '"cron":"* * * * *","at_ms":5' '"tz":"UTC"' \
	    '"cron":"* * * * *","command_id":"x"' '"cron":"61 * * * *"' \
	    '"cron":"* * * * *","tz":"../etc/passwd"' '"cron":7'; do
		run -65 op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo",'"$extra"'}'
		[ "$(jq -r .error.code <<<"$output")" = bad_argument ] || { echo "$extra: $output"; return 1; }
	done
}

# ---- ttl --------------------------------------------------------------------

@test "ttl: not delivered in time it expires, with the reason; delivered it lives" {
	start_ewsd
	op '{"op":"send","agent":"away","queue_unknown":true,"type":"echo","command_id":"c1","ttl_ms":300}'
	until_true 10 command_is c1 expired
	[ "$(ewsctl command c1 -o json | jq -r .reason)" = ttl ]
	start_agent mini
	run -0 result '{"op":"send","agent":"mini","type":"echo","ttl_ms":60000,"wait":"done"}'
	[ "$(jq -r .state <<<"$output")" = done ]
	[ "$(jq -r 'has("expires_at")' <<<"$output")" = true ]
}

# ---- cron -------------------------------------------------------------------

@test "cron: fires again and again, each once, named by its time" {
	effects_handler
	start_ewsd
	start_agent mini
	run -0 result '{"op":"send","agent":"mini","type":"effect","schedule_id":"tick","cron":"@every 1s","payload":{"n":1}}'
	[ "$(jq -r '.schedule_id + " " + .kind + " " + .tz' <<<"$output")" = "tick cron UTC" ]
	until_true 20 effects 3
	[ -z "$(sort "$D/effects" | uniq -d)" ]
	[ -z "$(grep -vE '^tick\.[0-9]{8}T[0-9]{6}Z$' "$D/effects")" ]
	id=$(head -n 1 "$D/effects")
	[ "$(ewsctl command "$id" -o json | jq -r .schedule_id)" = tick ]
	run -0 result '{"op":"schedule","schedule_id":"tick"}'
	[ "$(jq -r .payload.n <<<"$output")" = 1 ]
	[ "$(jq -r '.history[0].what' <<<"$output")" = created ]
	[ "$(jq '.fired' <<<"$output")" -ge 3 ]
}

@test "cron: the same again is a duplicate, another content a conflict" {
	start_ewsd
	s='{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","schedule_id":"s","cron":"0 3 * * *","tz":"UTC"'
	[ "$(result "$s}" | jq .duplicate)" = false ]
	[ "$(result "$s}" | jq .duplicate)" = true ]
	run -65 op "$s"',"payload":{"other":1}}'
	[ "$(jq -r .error.code <<<"$output")" = conflict ]
}

@test "schedules: list, show, pause, resume, cancel" {
	start_ewsd
	at=$(($(now_ms) + 3600000))
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","schedule_id":"s","cron":"@every 1s"}'
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","command_id":"once","at_ms":'$at'}'
	run -0 result '{"op":"schedules"}'
	[ "$(jq -r '[.schedules[] | .schedule_id + ":" + .kind] | join(" ")' <<<"$output")" = "s:cron once:once" ]
	run -0 result '{"op":"schedules","agent":"other"}'
	[ "$(jq '.schedules | length' <<<"$output")" -eq 0 ]
	run -0 result '{"op":"schedule_pause","schedule_id":"s"}'
	[ "$(jq -r '[.paused, .next] | @json' <<<"$output")" = '[true,null]' ]
	fired=$(result '{"op":"schedule","schedule_id":"s"}' | jq .fired)
	kill_hub
	restart_ewsd
	run -0 result '{"op":"schedule","schedule_id":"s"}'
	[ "$(jq -r '[.paused, .fired, .missed] | @json' <<<"$output")" = "[true,$fired,0]" ]
	run -0 result '{"op":"schedule_resume","schedule_id":"s"}'
	[ "$(jq -r .paused <<<"$output")" = false ]
	fires() {
		[ "$(result '{"op":"schedule","schedule_id":"s"}' | jq .fired)" -gt "$fired" ]
	}
	until_true 10 fires
	run -0 result '{"op":"schedule_cancel","schedule_id":"s"}'
	run -1 op '{"op":"schedule","schedule_id":"s"}'
	[ "$(jq -r .error.code <<<"$output")" = schedule_unknown ]
	run -65 op '{"op":"schedule_pause","schedule_id":"once"}'
	[[ $(jq -r .error.detail <<<"$output") == *"cancelled but not paused"* ]]
	run -0 result '{"op":"schedule_cancel","schedule_id":"once"}'
	[ "$(jq -r '.schedule_id + " " + .answer' <<<"$output")" = "once cancelled" ]
	command_is once cancelled
	kill_hub
	restart_ewsd
	run -0 result '{"op":"schedules"}'
	[ "$(jq '.schedules | length' <<<"$output")" -eq 0 ]
}

@test "cron: what the hub was down for is fired once, late; the rest is missed" {
	start_ewsd
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","schedule_id":"s","cron":"@every 1s"}'
	kill_hub
	down=$(now_ms)
	while [ "$(now_ms)" -lt $((down + 4500)) ]; do sleep 0.1; done
	restart_ewsd
	missed() {
		[ "$(result '{"op":"schedule","schedule_id":"s"}' | jq .missed)" -ge 3 ]
	}
	until_true 10 missed
	run -0 result '{"op":"schedule","schedule_id":"s"}'
	[ "$(jq .missed <<<"$output")" -le 6 ]
	[[ $(jq -r '[.history[].text] | join(" ")' <<<"$output") == *missed* ]]
}

@test "cron: a firing that a full queue refuses is missed, and its history says why" {
	start_ewsd --queue-agent 1
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo"}'
	op '{"op":"send","agent":"mini","queue_unknown":true,"type":"echo","schedule_id":"s","cron":"@every 1s"}'
	missed() {
		result '{"op":"schedule","schedule_id":"s"}' |
		    jq -e '.missed >= 1 and .fired == 0 and ([.history[].text] | join(" ") | contains("queue of mini is full, commands: 1 of 1"))'
	}
	until_true 10 missed
}

@test "cron: 20 kills of the hub lose no firing and double none" {
	effects_handler
	start_ewsd
	start_agent mini --reconnect-min 10ms --reconnect-max 100ms --refused-wait 100ms
	for n in 1 2 3 4 5; do
		op '{"op":"send","agent":"mini","type":"effect","schedule_id":"s'$n'","cron":"@every 1s"}'
	done
	begin=$(now_ms)
	for ((i = 0; i < 20; i++)); do
		# mostly around the full second, when they fire
		sleep "0.$(printf %03d $((RANDOM % 600)))"
		kill_hub
		restart_ewsd
	done
	for n in 1 2 3 4 5; do
		op '{"op":"schedule_cancel","schedule_id":"s'$n'"}' >"$D/s$n"
	done
	end=$(now_ms)
	all_done() {
		[ "$(ewsctl stats --jq .commands_waiting)" = 0 ]
	}
	until_true 30 all_done
	[ -z "$(sort "$D/effects" | uniq -d)" ]
	# what each says it fired is what happened, and fired and missed
	# together are the seconds that went by
	for n in 1 2 3 4 5; do
		fired=$(jq .result.fired "$D/s$n")
		missed=$(jq .result.missed "$D/s$n")
		[ "$(grep -c "^s$n\." "$D/effects")" -eq "$fired" ] || { cat "$D/s$n"; return 1; }
		went=$(((end - begin) / 1000))
		[ $((fired + missed)) -ge $((went - 1)) ]
		[ $((fired + missed)) -le $((went + 2)) ]
	done
}

# ---- cancel -----------------------------------------------------------------

@test "cancel: what waits, what runs, what ended, what never was" {
	start_ewsd
	start_agent mini
	at=$(($(now_ms) + 3600000))
	op '{"op":"send","agent":"mini","type":"echo","command_id":"later","at_ms":'$at'}'
	[ "$(result '{"op":"cancel","command_id":"later"}' | jq -r .answer)" = cancelled ]
	command_is later cancelled
	handler slow <<-'H'
		#!/bin/sh
		exec sleep 60
	H
	op '{"op":"send","agent":"mini","type":"slow","command_id":"runs"}'
	until_true 10 command_is runs started
	[ "$(result '{"op":"cancel","command_id":"runs"}' | jq -r .answer)" = cancelled ]
	command_is runs cancelled
	run -1 op '{"op":"cancel","command_id":"runs"}'
	[ "$(jq -r .error.code <<<"$output")" = too_late ]
	run -1 op '{"op":"cancel","command_id":"never"}'
	[ "$(jq -r .error.code <<<"$output")" = command_unknown ]
}

@test "cancel: a handler that does not listen is told as cancelling" {
	start_ewsd
	start_agent mini
	handler deaf <<-'H'
		#!/bin/sh
		trap '' TERM
		while :; do sleep 0.1; done
	H
	op '{"op":"send","agent":"mini","type":"deaf","command_id":"c1"}'
	until_true 10 command_is c1 started
	[ "$(result '{"op":"cancel","command_id":"c1","grace_ms":3000}' | jq -r .answer)" = cancelling ]
	until_true 10 command_is c1 cancelled
}

@test "cancel: an agent that was sent it and is not there" {
	start_ewsd
	start_agent mini
	handler slow <<-'H'
		#!/bin/sh
		exec sleep 60
	H
	op '{"op":"send","agent":"mini","type":"slow","command_id":"c1"}'
	until_true 10 command_is c1 started
	kill -STOP "$AGENT_PID"
	kill_hub
	restart_ewsd
	run -1 op '{"op":"cancel","command_id":"c1"}'
	[ "$(jq -r .error.code <<<"$output")" = agent_absent ]
	kill -CONT "$AGENT_PID"
	until_true 20 agent_is mini online
	[ "$(result '{"op":"cancel","command_id":"c1"}' | jq -r .answer)" = cancelled ]
}

# ---- at the edge --------------------------------------------------------------

@test "at_edge: a foreign agent gets send_at; other types it cannot hold" {
	start_ewsd
	edge_ws foreign say here recv-match send_at hold >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q here "$D/seen"
	until_true 10 agent_is foreign online
	s=$(($(date +%s) + 3600))
	run -65 op '{"op":"send","agent":"foreign","type":"echo","at_edge":true,"at_ms":'$s'000}'
	[ "$(jq -r .error.code <<<"$output")" = bad_argument ]
	[[ $(jq -r .error.detail <<<"$output") == *schedule_message* ]]
	op '{"op":"send","agent":"foreign","type":"schedule_message","payload":{"n":0.10},"at_edge":true,"at_ms":'$s'000}'
	at=$(jq -rn "$s | todate")
	until_true 10 grep -q '"payload":{"n":0.10,"send_at":"'"${at%Z}"'.000Z"}' "$D/seen"
}

@test "at_edge: a send_at that is null gives way to the time that was asked" {
	start_ewsd
	s=$(($(date +%s) + 3600))
	at=$(jq -rn "$s | todate")
	for payload in '{"send_at":null}' '{"n":1,"send_at":null}'; do
		run -0 op '{"op":"send","agent":"a","type":"schedule_message","queue_unknown":true,"payload":'"$payload"',"at_edge":true,"at_ms":'$s'000}'
		id=$(jq -r .result.command_id <<<"$output")
		ewsctl -o json command "$id" >"$D/shown"
		[ "$(jq -r .payload.send_at "$D/shown")" = "${at%Z}.000Z" ]
	done
}

@test "at_edge: fired by the agent on time, with the link down" {
	effects_handler
	start_ewsd
	start_agent mini --reconnect-min 10ms --reconnect-max 100ms
	at=$(($(now_ms) + 3000))
	op '{"op":"send","agent":"mini","type":"effect","command_id":"c1","at_edge":true,"at_ms":'$at'}'
	until_true 2 command_is c1 received
	[ "$(result '{"op":"schedules"}' | jq -r '.schedules[0] | .schedule_id + " " + .state')" = "c1 received" ]
	kill_hub
	until_true 10 effects 1
	[ "$(now_ms)" -ge "$at" ]
	[ "$(now_ms)" -lt $((at + 2000)) ]
	restart_ewsd
	until_true 10 command_is c1 done
	[ "$(cat "$D/effects")" = c1 ]
}

@test "at_edge: what the agent holds can be cancelled" {
	effects_handler
	start_ewsd
	start_agent mini
	at=$(($(now_ms) + 3600000))
	op '{"op":"send","agent":"mini","type":"effect","command_id":"c1","at_edge":true,"at_ms":'$at'}'
	until_true 5 command_is c1 received
	[ "$(result '{"op":"schedule_cancel","schedule_id":"c1"}' | jq -r .answer)" = cancelled ]
	command_is c1 cancelled
}

# ---- by the program -------------------------------------------------------------

@test "ewsctl: send --in, --cron and schedules say the same" {
	effects_handler
	start_ewsd
	start_agent mini
	run -0 ewsctl send --wait=done --in 300ms --id soon mini effect
	[ "$(cat "$D/effects")" = soon ]
	run -0 ewsctl send --cron '@every 1h' --tz UTC --schedule-id hourly mini effect
	run -0 ewsctl schedules -o json
	[ "$(jq -r '.schedules[0].schedule_id' <<<"$output")" = hourly ]
	run -0 ewsctl schedules pause hourly
	run -0 ewsctl schedules show hourly -o json
	[ "$(jq -r .paused <<<"$output")" = true ]
	run -0 ewsctl schedules cancel hourly
	run -1 ewsctl schedules show hourly
	run -0 ewsctl send --at-edge --in 1h --id held mini effect
	run -0 ewsctl schedules cancel held
	command_is held cancelled
}
