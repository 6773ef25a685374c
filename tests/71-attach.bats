#!/usr/bin/env bats
# Output that can be followed again from any place, input that arrives whole.

load lib/ews

HELLO='{"type":"hello","data":{"instance":"i1","can":["run_at","stdin"]}}'

executing() {
	printf '{"type":"command_ack","data":{"command_id":"%s","status":"executing"}}' "$1"
}

# output ID OFFSET TEXT
output() {
	printf '{"type":"output","data":{"command_id":"%s","stream":"stdout","offset":%s,"data":"%s"}}' "$@"
}

# completed ID BYTES [MEMBERS]
completed() {
	printf '{"type":"command_ack","data":{"command_id":"%s","status":"completed","exit_code":0,"stdout_bytes":%s,"stderr_bytes":0%s}}' "$1" "$2" "${3:+,$3}"
}

# probe STEP...: an ews.v1 agent "mini" in the background, $PROBE_PID; what
# it is sent goes to $D/agent.out.
probe() {
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=mini' \
	    --header "Authorization: Bearer $SECRET" --timeout 30 \
	    --protocol ews.v1 recv-match '"hello"' send "$HELLO" "$@" \
	    >>"$D/agent.out" 2>&1 3>&- &
	PROBE_PID=$!
	PIDS+=("$PROBE_PID")
	until_true 20 agent_is mini online
}

# ask NAME LINE...: requests on one control connection that stays open; the
# answers go to $D/NAME.
ask() {
	local name=$1 fifo=$D/$1.in
	shift
	mkfifo "$fifo"
	sockline --timeout 60 "$SOCK/ewsd.sock" <"$fifo" >"$D/$name" 2>&1 3>&- &
	PIDS+=($!)
	exec {ASK}>"$fifo"
	printf '%s\n' "$@" >&"$ASK"
}

has() {
	grep -qF -- "$2" "$D/$1"
}

# what of a stream came in the records of $D/NAME, and where it began
text_of() {
	jq -rj 'select(.record.stream == "stdout") | .record | .data // (.data64 | @base64d)' "$D/$1"
}

@test "a reader begins where it wants; the agent is told the lowest place" {
	start_ewsd
	probe recv-match '"command_id":"c1"' send "$(executing c1)" \
	    recv-match '"attach"' send "$(output c1 3 def)" \
	    recv-match '"attach"' send "$(output c1 0 abcdef)" \
	    send "$(completed c1 6)" recv-match '"acked"'
	ewsctl send --id c1 mini echo
	until_true 10 command_is c1 started
	ask late '{"id":1,"op":"watch","command_id":"c1","stream":true,"stdout_from":3}'
	until_true 10 has late '"def"'
	ask all '{"id":1,"op":"watch","command_id":"c1","stream":true}'
	until_true 10 has late '"ok":true'
	until_true 10 has all '"ok":true'
	wait "$PROBE_PID"
	[ "$(text_of late)" = def ]
	[ "$(text_of all)" = abcdef ]
	[ "$(grep -c '"attach"' "$D/agent.out")" -eq 2 ]
	has agent.out '{"command_id":"c1","stdout":3,"stderr":0}'
	has agent.out '{"command_id":"c1","stdout":0,"stderr":0}'
}

@test "nobody reads any more: the agent is told to stop" {
	start_ewsd
	probe recv-match '"command_id":"c1"' send "$(executing c1)" \
	    send "$(output c1 0 abc)" recv-match '"stop":true'
	ask one '{"id":1,"op":"send","command_id":"c1","agent":"mini","type":"echo","stream":true,"wait":"done"}'
	until_true 10 has one '"abc"'
	has agent.out '"stream":true'
	exec {ASK}>&-
	wait "$PROBE_PID"
}

@test "after the end: what was kept, the gap before it, then the result" {
	start_ewsd
	probe recv-match '"command_id":"c1"' \
	    send "$(completed c1 14 '"kept":{"stdout":{"offset":10,"data64":"bGHDpA=="},"stderr":{"offset":0,"data":""}}')" \
	    recv-match '"acked"'
	ewsctl send --id c1 mini echo
	until_true 10 command_is c1 done
	for turn in 1 2; do
		ask "end$turn" '{"id":1,"op":"watch","command_id":"c1","stream":true}' \
		    '{"id":2,"op":"watch","command_id":"c1","stream":true,"stdout_from":12}' \
		    '{"id":3,"op":"watch","command_id":"c1"}'
		for n in 1 2 3; do until_true 10 has "end$turn" "\"id\":$n,\"ok\":true"; done
		has "end$turn" '"gap":"stdout","from":0,"to":10'
		[ "$(jq -rj 'select(.id == 1) | .record.data // empty' "$D/end$turn")" = 'laä' ]
		[ "$(jq -rj 'select(.id == 2) | .record.data // empty' "$D/end$turn")" = 'ä' ]
		[ "$(grep -c '"id":3' "$D/end$turn")" -eq 1 ]
		[ $turn -eq 2 ] || { end_process "$HUB_PID"; restart_ewsd; }
	done
}

@test "output-keep 0 keeps nothing: a gap is all" {
	start_ewsd --output-keep 0
	probe recv-match '"command_id":"c1"' \
	    send "$(completed c1 3 '"kept":{"stdout":{"offset":0,"data":"abc"}}')" \
	    recv-match '"acked"'
	has agent.out '"output_keep":0'
	ewsctl send --id c1 mini echo
	until_true 10 command_is c1 done
	ask one '{"id":1,"op":"watch","command_id":"c1","stream":true}'
	until_true 10 has one '"ok":true'
	has one '"gap":"stdout","from":0,"to":3'
}

@test "an agent that is away is told of, first thing, and that it is back" {
	start_ewsd
	ewsctl send --queue-unknown --id c1 mini echo
	ask one '{"id":1,"op":"watch","command_id":"c1"}'
	until_true 10 has one '"state":"accepted"'
	[[ $(head -n 1 "$D/one") == *'"agent":"away"'* ]]
	probe recv-match '"command_id":"c1"' hold
	until_true 10 has one '"agent":"back"'
	end_process "$PROBE_PID"
	away_twice() { [ "$(grep -c '"agent":"away"' "$D/one")" -eq 2 ]; }
	until_true 10 away_twice
}

@test "an agent that stays away after the end: the kept part, and no hang" {
	start_ewsd --output-wait 1s
	probe recv-match '"command_id":"c1"' send "$(output c1 0 abc)" \
	    send "$(completed c1 20 '"kept":{"stdout":{"offset":15,"data":"tail!"}}')" \
	    sleep 300 close
	ask one '{"id":1,"op":"send","command_id":"c1","agent":"mini","type":"echo","stream":true,"wait":"done"}'
	until_true 20 has one '"ok":true'
	has one '"gap":"stdout","from":3,"to":15'
	[ "$(text_of one)" = 'abctail!' ]
}

@test "input: from where the agent says, with its acks, to the end" {
	start_ewsd
	probe recv-match '"command_id":"c1"' send "$(executing c1)" \
	    send '{"type":"input_ack","data":{"command_id":"c1","offset":0,"resume":true}}' \
	    recv-match '"offset":0' \
	    send '{"type":"input_ack","data":{"command_id":"c1","offset":3}}' \
	    recv-match '"eof":true' \
	    send '{"type":"input_ack","data":{"command_id":"c1","offset":5,"closed":true}}' \
	    send "$(completed c1 0)" recv-match '"acked"'
	ask one '{"id":1,"op":"send","command_id":"c1","agent":"mini","type":"cat","stdin":true,"wait":"done"}'
	until_true 10 has one '"input":0,"resume":true'
	has agent.out '"stdin":true'
	echo '{"id":2,"op":"input","command_id":"c1","offset":0,"data":"a\u0001c"}' >&"$ASK"
	until_true 10 has one '"input":3'
	echo '{"id":3,"op":"input","command_id":"c1","offset":3,"data64":"/wA=","eof":true}' >&"$ASK"
	until_true 10 has one '"input":5,"closed":true'
	until_true 10 has one '"id":1,"ok":true'
	has one '"id":2,"ok":true,"result":{}'
	has agent.out '"offset":0,"data":"a\u0001c"'
	has agent.out '"offset":3,"data64":"/wA=","eof":true'
	wait "$PROBE_PID"
}

@test "input that cannot be: no stdin, another connection, nonsense" {
	start_ewsd
	probe recv-match '"command_id":"c1"' send "$(executing c1)" hold
	ask one '{"id":1,"op":"send","command_id":"c1","agent":"mini","type":"cat","stdin":true,"wait":"done"}'
	until_true 10 has one '"started"'
	ask two '{"id":1,"op":"watch","command_id":"c1"}' \
	    '{"id":2,"op":"input","command_id":"c1","offset":0,"data":"x"}' \
	    '{"id":3,"op":"input","command_id":"c1","data":"x"}' \
	    '{"id":4,"op":"input","command_id":"c1","offset":0,"data64":"x"}' \
	    '{"id":5,"op":"input","command_id":"nobody","offset":0,"eof":true}' \
	    '{"id":6,"op":"input","offset":0,"eof":true}'
	until_true 10 has two '"id":6'
	[ "$(grep -c '"code":"bad_argument"' "$D/two")" -eq 5 ]
	ask three '{"id":1,"op":"send","command_id":"c2","agent":"mini","type":"echo"}' \
	    '{"id":2,"op":"watch","command_id":"c2","stdin":true}'
	until_true 10 has three '"id":2'
	has three 'stdin: command c2 was sent without'
}

@test "a sender that goes away in the middle: the handler is ended" {
	start_ewsd --input-grace 300ms
	probe recv-match '"command_id":"c1"' send "$(executing c1)" \
	    send '{"type":"input_ack","data":{"command_id":"c1","offset":0,"resume":true}}' \
	    recv-match '"cancel"' \
	    send '{"type":"command_ack","data":{"command_id":"c1","status":"failed","reason":"cancelled","signal":15}}' \
	    recv-match '"acked"'
	ask one '{"id":1,"op":"send","command_id":"c1","agent":"mini","type":"cat","stdin":true,"wait":"done"}'
	until_true 10 has one '"resume":true'
	exec {ASK}>&-
	until_true 10 command_is c1 cancelled
	[ "$(ewsctl command c1 -o json | jq -r .error)" = 'the sender of its input went away' ]
}

@test "attach, output, input and kept go by poll, too" {
	start_ewsd
	poll() {
		edge_http POST /edge/sync -d '{"edge_agent_id":"mini","protocol":"ews.v1","instance":"i1","hello":{"instance":"i1","can":["run_at","stdin"]},"wait":0,"frames":['"$1"']}'
		[ "$status" = 200 ]
	}
	poll
	ask one '{"id":1,"op":"send","command_id":"c1","agent":"mini","type":"cat","stdin":true,"stream":true,"wait":"done"}'
	until_true 10 has one accepted
	poll
	[[ $output == *'"command_id":"c1"'*'"stream":true,"stdin":true'* ]]
	poll "$(executing c1)"',{"type":"input_ack","data":{"command_id":"c1","offset":0,"resume":true}}'
	until_true 10 has one '"resume":true'
	poll "$(output c1 0 abc)"
	[[ $output != *attach* ]]
	until_true 10 has one '"abc"'
	poll # the credit for that
	[[ $output == *output_ack* ]]
	# between two polls it has nowhere to go, and is asked for again
	echo '{"id":2,"op":"input","command_id":"c1","offset":0,"data":"hi","eof":true}' >&"$ASK"
	until_true 10 has one '"id":2,"ok":true'
	edge_http POST /edge/sync -d '{"edge_agent_id":"mini","protocol":"ews.v1","instance":"i1","hello":{"instance":"i1"},"wait":20,"frames":[]}' &
	parked=$!
	again() { [ "$(grep -c '"resume":true' "$D/one")" -eq 2 ]; }
	until_true 10 again
	echo '{"id":3,"op":"input","command_id":"c1","offset":0,"data":"hi","eof":true}' >&"$ASK"
	wait $parked
	grep -qF '"type":"input","data":{"command_id":"c1","offset":0,"data":"hi","eof":true}' "$D/body"
	poll "$(completed c1 3 '"kept":{"stdout":{"offset":0,"data":"abc"}}')"
	until_true 10 has one '"id":1,"ok":true'
	[ "$(text_of one)" = abc ]
}

# has_bytes NAME N
has_bytes() {
	[ "$(wc -c <"$D/$1")" -ge "$2" ]
}

@test "two at a time, from the start and from the middle: each has its own" {
	start_ewsd
	start_agent
	handler count <<-H
		#!/bin/sh
		seq 100000
		while [ ! -e "$D/go" ]; do sleep 0.02; done
		seq 100001 200000
	H
	ewsctl run --id c1 mini count >"$D/one" 3>&- &
	one=$!
	until_true 20 has_bytes one 588895
	ewsctl attach c1 >"$D/two" 3>&- &
	two=$!
	ask three '{"id":1,"op":"watch","command_id":"c1","stream":true,"stdout_from":588895}'
	until_true 20 has_bytes two 588895
	touch "$D/go"
	wait $one
	wait $two
	until_true 20 has three '"ok":true'
	cmp "$D/one" <(seq 200000)
	cmp "$D/two" <(seq 200000)
	cmp <(text_of three) <(seq 100001 200000)
}
