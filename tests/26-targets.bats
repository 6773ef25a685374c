#!/usr/bin/env bats
# Many machines: run and send with --target.

load lib/ews

# handlers that know who runs them
fleet_handlers() {
	handler who <<-'H'
		#!/bin/sh
		echo "I am $EWS_AGENT_ID"
		echo "err of $EWS_AGENT_ID" >&2
	H
	handler picky <<-'H'
		#!/bin/sh
		case " $* " in *" $EWS_AGENT_ID "*) exit 3 ;; esac
		echo fine
	H
	handler wait_go <<-'H'
		#!/bin/sh
		trap 'exit 130' INT
		echo "begun"
		touch "$1/begun.$EWS_AGENT_ID"
		while [ ! -e "$1/go" ]; do sleep 0.05; done
		echo "ended"
	H
}

# fleet NAME...: a hub, handlers, agents
fleet() {
	start_ewsd
	fleet_handlers
	for a in "$@"; do
		start_agent "$a"
	done
}

begun() {
	[ "$(find "$D" -maxdepth 1 -name 'begun.*' | wc -l)" -eq "$1" ]
}

@test "run --target: every line has its agent, the streams stay apart, one summary" {
	fleet air mini mini2
	run -0 ewsctl run --target 'mini*' who 2>"$D/err"
	ewsctl run --target 'mini*' who >"$D/out" 2>"$D/err"
	diff <(LC_ALL=C sort "$D/out") - <<-'E'
		mini2: I am mini2
		mini: I am mini
	E
	diff <(LC_ALL=C sort "$D/err") - <<-'E'
		ewsctl: 2 of 2 done
		mini2: err of mini2
		mini: err of mini
	E
	ewsctl run -q --target all --target mini who >"$D/out" 2>"$D/err"
	[ "$(cut -d: -f1 "$D/out" | sort | xargs)" = "air mini mini2" ]
	run -1 grep ewsctl "$D/err"
	run -0 ewsctl run -q --target '!mini*' who
	[[ $output == *"air: I am air"* ]]
}

@test "run --target: flags behind TYPE belong to the handler" {
	fleet mini
	handler args <<-'H'
		#!/bin/sh
		printf '<%s>' "$@"
	H
	run -0 ewsctl run -q --target mini args --target x -o json '' 'a b'
	[ "$output" = 'mini: <--target><x><-o><json><><a b>' ]
}

@test "run --target: half lines are completed, long ones cut, bytes kept" {
	fleet mini
	handler odd <<-'H'
		#!/bin/sh
		printf 'a\377b\n\nno end'
		printf 'x' >&2
	H
	ewsctl run -q --target mini odd >"$D/out" 2>"$D/err"
	cmp "$D/out" <(printf 'mini: a\377b\nmini: \nmini: no end\n')
	cmp "$D/err" <(printf 'mini: x\n')
	handler long <<-'H'
		#!/bin/sh
		head -c 200000 /dev/zero | tr '\0' x
	H
	ewsctl run -q --target mini long >"$D/out"
	[ "$(wc -l <"$D/out")" -eq 4 ]
	[ "$(tr -cd x <"$D/out" | wc -c)" -eq 200000 ]
}

@test "run --target --group: each agent in one piece, however much it says" {
	fleet air mini
	handler much <<-'H'
		#!/bin/sh
		seq -f "$EWS_AGENT_ID %.0f" 1 150000
	H
	ewsctl run -q --target all --group much >"$D/out"
	[ "$(grep -c '^==' "$D/out")" -eq 2 ]
	for a in air mini; do
		diff <(sed -n "/^== $a: done/,/^==/p" "$D/out" | grep -v '^==') \
		    <(seq -f "$a %.0f" 1 150000)
	done
}

@test "run --target: an exit status, an absent agent, and the need" {
	fleet a b c
	ewsctl send --queue-unknown gone echo
	run -1 --separate-stderr ewsctl run --target all picky b
	[[ $stderr == *"2 of 4 done, 2 failed (b: exit 3, gone: offline)"* ]]
	[[ $output == *"a: fine"* ]]
	run -0 ewsctl run --target all --need 50% picky b
	run -0 ewsctl run --target all --need 2 picky b
	run -1 ewsctl run --target all --need 51% picky b
	run -1 ewsctl run --target all --need 5 picky
	[[ $output == *"only 4 agents match"* ]]
	run -1 ewsctl run --target nobody picky
	[[ $output == *"no agent matches"* ]]
	# nothing waits for the absent one now
	run -0 ewsctl commands gone -o json
	jq -e '.commands | length == 1' <<<"$output"
}

@test "run --target: wrong command lines exit 64, wrong targets 65" {
	start_ewsd
	run -64 ewsctl run --target all
	run -64 ewsctl run --target all --id x echo
	run -64 ewsctl run --target all --stdin echo
	run -64 ewsctl run --target all --need many echo
	run -65 ewsctl run --target tags:x echo
	run -65 ewsctl run --target 'a,,b' echo
	end_process "$HUB_PID"
	run -69 ewsctl run --target all echo
}

@test "run --target --canary: the first go alone; one that fails stops all the rest" {
	fleet a b c d
	run -1 --separate-stderr ewsctl run --target all --canary 1 picky a
	[[ $stderr == *"0 of 4 done, 1 failed (a: exit 3), 3 not started; stopped: a failed, a canary"* ]]
	run -1 --separate-stderr ewsctl run --target all --canary 2 picky b
	[[ $stderr == *"1 of 4 done, 1 failed (b: exit 3), 2 not started"* ]]
	# while it runs no other does
	ewsctl run --target all --canary 1 wait_go "$D" >"$D/out" 2>&1 3>&- &
	pid=$!
	PIDS+=($pid)
	until_true 10 begun 1
	[ -e "$D/begun.a" ]
	until_true 10 grep -q begun "$D/out"
	begun 1
	touch "$D/go"
	wait $pid
	forget $pid
	begun 4
	# an absent one is no canary
	ewsctl send --queue-unknown 0gone echo
	run -0 ewsctl run --target all --canary 1 --need 4 picky
}

@test "run --target --parallel and --abort-after" {
	fleet a b c d
	ewsctl run --target all --parallel 2 wait_go "$D" >"$D/out" 2>"$D/err" 3>&- &
	pid=$!
	PIDS+=($pid)
	until_true 10 begun 2
	until_true 10 eval '[ "$(grep -c begun "$D/out")" -eq 2 ]'
	begun 2
	touch "$D/go"
	wait $pid
	forget $pid
	begun 4
	run -1 --separate-stderr ewsctl run --target all --parallel 1 --abort-after 2 picky a b c d
	[[ $stderr == *"0 of 4 done, 2 failed (a: exit 3, b: exit 3), 2 not started; stopped after 2 that failed"* ]]
}

@test "run --target -o json: one object a line; --result-file has each" {
	fleet a b
	ewsctl send --queue-unknown gone echo
	run -1 --separate-stderr ewsctl run --target all -o json --result-file "$D/result" picky b
	[ "$(jq -s 'map(select(.outcome)) | length' <<<"$output")" -eq 3 ]
	[ "$(jq -rs 'map(select(.stream)) | .[0].agent' <<<"$output")" = a ]
	jq -e '.exit_status == 1 and .said_by == "ewsctl"
	    and .result.matched == 3 and .result.done == 1 and .result.failed == 2
	    and (.result.agents | map({(.agent): .outcome}) | add) == {"a":"done","b":"failed","gone":"offline"}
	    and (.result.agents[] | select(.agent == "b") | .exit_status == 3 and .why == "exit 3"
	        and .result.exit_code == 3 and .command_id == .result.command_id)' "$D/result"
}

@test "run --target: the time given is over: 124, and what goes on is named" {
	fleet a b
	run -124 --separate-stderr ewsctl run --target all --parallel 1 --timeout 1s wait_go "$D"
	[[ $stderr == *"0 of 2 done, 1 not ended, 1 not started; the time given is over"* ]]
	[[ $stderr =~ "a goes on as "([0-9a-f-]+) ]]
	touch "$D/go"
	until_true 10 command_is "${BASH_REMATCH[1]}" done
}

@test "run --target: Ctrl-C once ends what runs, and no more is begun" {
	fleet a b
	# an INT that is ignored, as in the background, would stay so
	(trap - INT; exec env --default-signal=INT ewsctl run --target all --parallel 1 wait_go "$D" >"$D/out" 2>"$D/err" 3>&-) &
	pid=$!
	PIDS+=($pid)
	until_true 10 begun 1
	kill -INT $pid
	status=0
	wait $pid || status=$?
	forget $pid
	[ $status -eq 130 ]
	grep -q '0 of 2 done, 1 failed (a: exit 130), 1 not started; interrupted' "$D/err"
	begun 1
}

@test "run --target: Ctrl-C twice leaves them running and names them" {
	fleet a
	handler deaf <<-'H'
		#!/bin/sh
		trap '' INT
		touch "$1/begun.a"
		while [ ! -e "$1/go" ]; do sleep 0.05; done
	H
	(exec env --default-signal=INT ewsctl run --target all deaf "$D" >"$D/out" 2>"$D/err" 3>&-) &
	pid=$!
	PIDS+=($pid)
	until_true 10 begun 1
	kill -INT $pid
	until_true 10 grep -q 'once more' "$D/err"
	kill -INT $pid
	status=0
	wait $pid || status=$?
	forget $pid
	[ $status -eq 130 ]
	id=$(sed -n 's/.*a goes on as //p' "$D/err")
	touch "$D/go"
	until_true 10 command_is "$id" cancelled
	run -0 ewsctl command "$id" -o json
	[ "$(jq .exit_code <<<"$output")" -eq 0 ]
}

@test "run --target: an agent that goes before its turn is not waited for" {
	fleet a b
	b=$AGENT_PID
	ewsctl run --target all --parallel 1 wait_go "$D" >"$D/out" 2>"$D/err" 3>&- &
	pid=$!
	PIDS+=($pid)
	until_true 10 begun 1
	end_process "$b"
	until_true 10 agent_is b offline
	touch "$D/go"
	status=0
	wait $pid || status=$?
	forget $pid
	[ $status -eq 1 ]
	grep -q '1 of 2 done, 1 failed (b: offline)' "$D/err"
	run -0 ewsctl commands b -o json
	jq -e '.commands[0].state == "cancelled"' <<<"$output"
}

@test "run --target: the hub restarts under it, and all comes out once" {
	fleet a b
	ewsctl run --target all wait_go "$D" >"$D/out" 2>"$D/err" 3>&- &
	pid=$!
	PIDS+=($pid)
	until_true 10 eval '[ "$(grep -c begun "$D/out")" -eq 2 ]'
	end_process "$HUB_PID"
	until_true 10 grep -q 'the hub went away' "$D/err"
	restart_ewsd
	until_true 20 agent_is a online
	until_true 20 agent_is b online
	touch "$D/go"
	wait $pid
	forget $pid
	diff <(LC_ALL=C sort "$D/out") - <<-'E'
		a: begun
		a: ended
		b: begun
		b: ended
	E
	grep -q '2 of 2 done' "$D/err"
}

@test "send --target: an id for each, those who are away too" {
	fleet a b
	ewsctl send --queue-unknown gone echo
	run -0 --separate-stderr ewsctl send --target all echo '{"text":"hi"}'
	[ "${#lines[@]}" -eq 3 ]
	while read -r agent id; do
		run -0 ewsctl command "$id" -o json
		[ "$(jq -r .agent <<<"$output")" = "$agent" ]
	done < <(ewsctl send -q --target all echo)
	run -0 ewsctl send -q --target a --target b --wait done -o json --arg x echo
	jq -se 'length == 2 and all(.outcome == "done" and .exit_status == 0 and .result.state == "done")' <<<"$output"
	run -1 ewsctl send --target a,gone echo
}

@test "send --target: the summary names the step, not an end that nobody saw" {
	fleet a1 a2
	end_process "$AGENT_PID"
	until_true 5 agent_is a2 offline
	run -0 --separate-stderr ewsctl send --target all picky
	[[ $stderr == *"2 of 2 accepted"* ]]
	run -0 --separate-stderr ewsctl send -o json --target all picky
	[ "$(jq -r .outcome <<<"$output" | sort -u)" = accepted ]
	run -1 --separate-stderr ewsctl send --target all --wait=started \
		--ttl 500ms picky
	[[ $stderr == *"1 of 2 started, 1 failed (a2: expired: ttl)"* ]]
}

@test "run --target tag: the agents' tags" {
	start_ewsd
	fleet_handlers
	start_agent a
	start_agent b
	start_agent c
	ewsctl tag a +web +eu
	ewsctl tag b +web
	run -0 ewsctl run -q --target tag:web,tag:eu picky
	[ "$output" = "a: fine" ]
	run -0 ewsctl run -q --target 'tag:web,!tag:eu' picky
	[ "$output" = "b: fine" ]
	run -0 ewsctl run -q --target '!tag:web' picky
	[ "$output" = "c: fine" ]
}
