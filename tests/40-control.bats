#!/usr/bin/env bats
# The control socket, with what strangers may send to it.

load lib/ews

setup() {
	ews_setup
	start_ewsd
}

ask() {
	sockline --timeout 10 "$@" "$SOCK/ewsd.sock"
}

code() {
	jq -r '.error.code' <<<"$1"
}

@test "the socket is ours alone, from its first moment" {
	[ "$(stat -c %a "$SOCK/ewsd.sock" 2>/dev/null || stat -f %Lp "$SOCK/ewsd.sock")" = 600 ]
	[ "$(stat -c %a "$D/state/secret" 2>/dev/null || stat -f %Lp "$D/state/secret")" = 600 ]
}

@test "bad JSON is told, and the connection stays" {
	printf '%s\n' 'x' '' '   ' '[]' '7' '{"id":1,"op":"ping"} trailing' \
	    '{"id":1,"id":2,"op":"ping"}' '{"id":"a\u0000b","op":"ping"}' \
	    "$(head -c 100000 /dev/zero | tr '\0' '[')" \
	    '{"id":9,"op":"ping"}' >"$D/in"
	run -0 ask --lines 10 <"$D/in"
	for i in 0 1 2 3 4 5 7; do
		[ "$(code "${lines[$i]}")" = bad_json ] || { echo "${lines[$i]}"; return 1; }
	done
	[ "$(code "${lines[6]}")" = duplicate_key ]
	[ "$(code "${lines[8]}")" = too_deep ]
	[ "$(jq -c '[.id, .ok]' <<<"${lines[9]}")" = '[9,true]' ]
}

@test "an overlong line is told and closed; others are not held up" {
	head -c 10000000 /dev/zero | tr '\0' x >"$D/in"
	run -0 ask --raw <"$D/in"
	[ "$(code "$output")" = too_large ]
	ewsctl ping
}

@test "every known field with every wrong type is refused, none crashes" {
	good='{"op":"send","agent":"a","type":"t","payload":{},"argv":["x"],"priority":"normal","command_id":"i","deadline_ms":1,"stream":false,"at_least_once":false,"queue_unknown":true,"wait":"accepted","timeout_ms":1000}'
	jq -c --argjson wrong '[true, 7, -1, 1e300, "\u0001", [], {}, [1], {"a":1}]' '
	    . as $g | keys[] as $k | select($k != "op") | $wrong[] as $w |
	    select(($w | type) != ($g[$k] | type) or ($w == -1) or ($w == 1e300) or ($w == "\u0001")) |
	    select(($k == "payload" and ($w | type) == "object") or ($k == "argv" and ($w | type) == "array" and ($w | length) == 0) | not) |
	    $g + {($k): $w, id: $k}' <<<"$good" >"$D/in"
	n=$(wc -l <"$D/in")
	run -0 ask --lines "$n" <"$D/in"
	[ "${#lines[@]}" -eq "$n" ]
	for line in "${lines[@]}"; do
		[ "$(jq -r .ok <<<"$line")" = false ] || { echo "$line"; return 1; }
	done
	ewsctl ping
}

@test "ranges are named in the refusal" {
	run -0 ask --lines 1 <<<'{"id":1,"op":"send","agent":"a","type":"t","queue_unknown":true,"timeout_ms":-5}'
	[ "$(code "$output")" = bad_argument ]
	[[ $output == *timeout_ms*[0-9]* ]]
	run -0 ask --lines 1 <<<'{"id":1,"op":"send","agent":"a","type":"t","queue_unknown":true,"priority":"extreme"}'
	[[ $output == *priority*normal* ]]
}

@test "unknown operations and fields" {
	run -0 ask --lines 2 <<<'{"id":1,"op":"nosuch"}
{"id":2,"op":"ping","nosuch":1}'
	[ "$(code "${lines[0]}")" = unknown_op ]
	[ "$(jq .ok <<<"${lines[1]}")" = true ]
}

@test "a payload over its limit is refused; at the limit it is taken" {
	pad() { printf '{"id":1,"op":"send","agent":"a","type":"t","queue_unknown":true,"payload":{"x":"%s"}}\n' "$(head -c "$1" /dev/zero | tr '\0' x)"; }
	pad $((262144 - 8)) >"$D/in"
	run -0 ask --lines 1 <"$D/in"
	[ "$(jq .ok <<<"$output")" = true ]
	pad $((262144 - 7)) >"$D/in"
	run -0 ask --lines 1 <"$D/in"
	[ "$(code "$output")" = too_large ]
}

@test "text that looks like SQL, formats or escapes is stored as it came" {
	for text in "'; drop table commands; --" '%s%n%x' $'\e[31mred' '${HOME}'; do
		json=$(jq -nc --arg t "$text" '{x:$t}')
		id=$(ewsctl send --queue-unknown a t "$json")
		[ "$(ewsctl command "$id" -o json | jq -r .payload.x)" = "$text" ]
		run -0 ewsctl command "$id"
		[[ $output != *$'\e['* ]]
	done
	run -0 ewsctl send --queue-unknown "'; drop table agents; --" t
	ewsctl agent "'; drop table agents; --"
}

@test "ids that are no ids are refused" {
	for id in '' ' x' $'a\nb' '..' 'a/b' "$(head -c 129 /dev/zero | tr '\0' x)"; do
		json=$(jq -nc --arg i "$id" '{id:1,op:"send",agent:$i,type:"t",queue_unknown:true}')
		run -0 ask --lines 1 <<<"$json"
		[ "$(jq .ok <<<"$output")" = false ] || { echo "$json"; return 1; }
	done
}

@test "JSON-RPC 2.0 is answered in its shape" {
	run -0 ask --lines 2 <<<'{"jsonrpc":"2.0","id":5,"method":"ping","params":{}}
{"jsonrpc":"2.0","id":6,"method":"agent","params":{"agent":"nobody"}}'
	[ "$(jq -c '[.jsonrpc,.id,.result.pong]' <<<"${lines[0]}")" = '["2.0",5,true]' ]
	[ "$(jq -r '.error.code | type' <<<"${lines[1]}")" = number ]
	[ "$(jq -r .id <<<"${lines[1]}")" = 6 ]
}

@test "a full queue refuses the sender with 75, depth and limit" {
	end_process "$HUB_PID"
	restart_ewsd --queue-agent 3
	for i in 1 2 3; do ewsctl send --queue-unknown a t >/dev/null; done
	run -75 ewsctl send a t
	[[ $output == *3* ]]
	run -0 ewsctl send --queue-unknown b t
}

@test "connections over the limit are told so; the others work" {
	end_process "$HUB_PID"
	restart_ewsd --max-control 3
	for i in 1 2 3; do
		mkfifo "$D/f$i"
		sockline --timeout 60 "$SOCK/ewsd.sock" <"$D/f$i" >"$D/o$i" 3>&- &
		PIDS+=($!)
		eval "exec $((20 + i))>$D/f$i"
		echo '{"id":1,"op":"ping"}' >&$((20 + i))
		until_true 10 grep -q pong "$D/o$i"
	done
	run -75 ewsctl ping
	end_process "${PIDS[-1]}"
	until_true 10 ewsctl ping
	exec 21>&- 22>&- 23>&-
}

@test "two hubs on one state directory: the second refuses" {
	run ewsd --listen 127.0.0.1:0 --state-dir "$D/state" --socket "$SOCK/other.sock"
	[ "$status" -eq 78 ] || [ "$status" -eq 75 ]
	[[ $output == *"in use"* ]]
	ewsctl ping
}

@test "a socket file left by a crash is replaced, a live one is not" {
	end_process "$HUB_PID" KILL
	[ -S "$SOCK/ewsd.sock" ]
	restart_ewsd
	ewsctl ping
	run ! ewsd --listen 127.0.0.1:0 --state-dir "$D/other"
	ewsctl ping
}

@test "a symlink or a file in the socket's place refuses the start" {
	end_process "$HUB_PID"
	ln -s /tmp/nosuch "$SOCK/l.sock"
	run ! ewsd --listen 127.0.0.1:0 --state-dir "$D/state" --socket "$SOCK/l.sock"
	[ -L "$SOCK/l.sock" ]
	echo precious >"$SOCK/f.sock"
	run ! ewsd --listen 127.0.0.1:0 --state-dir "$D/state" --socket "$SOCK/f.sock"
	[ "$(cat "$SOCK/f.sock")" = precious ]
}

@test "an asker that hangs up costs nobody anything" {
	start_agent mini
	handler slow <<-H
		#!/bin/sh
		echo x >>"$D/effects"
		exec sleep 1
	H
	ewsctl run mini slow 3>&- &
	pid=$!
	until_true 10 test -s "$D/effects"
	kill -KILL $pid
	wait $pid || true
	until_true 10 ewsctl commands --state done --jq '.commands[0].command_id // error'
	ewsctl run mini echo still
}
