#!/usr/bin/env bats
# Handlers: what reaches them, which may run, and what becomes of them
# whatever happens to the agent meanwhile.

load lib/ews

QUICK=(--reconnect-min 50ms --reconnect-max 400ms --poll-interval 200ms)

start_proxy() {
	wsproxy --listen 0 --to "$HUB_PORT" --control "$SOCK/proxy" >"$D/proxy.txt" 2>"$D/proxy.log" 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.txt"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.txt")
}

proxy() {
	echo "$*" | sockline "$SOCK/proxy"
}

agent_status() {
	ewsctl --socket "$SOCK/mini.sock" status --jq "$1"
}

agent_says() {
	[ "$(agent_status "$1")" = "$2" ]
}

link_is() {
	agent_says .state "$1"
}

# ends the agent without warning; its handlers live on
kill_agent() {
	kill -KILL "$AGENT_PID"
	gone "$AGENT_PID" 10
	forget "$AGENT_PID"
}

history() {
	ewsctl command "$1" -o json | jq -r '[.history[].state // empty] | join(" ")'
}

# waits until $D/go is there, not for ever: a killed agent leaves it behind
wait_for_go() {
	echo "i=0; while [ ! -e '$D/go' ] && [ \$i -lt 1500 ]; do i=\$((i + 1)); sleep 0.02; done"
}

# 1,000 strings out of a seed: what shells, JSON and C stumble over
random_strings() {
	jq -nc --argjson seed "$1" '
	def next: (. * 1103515 + 12345) % 2147483648;
	def char($r): ($r / 65536 | floor) as $n
	    | ["\u0027", "\"", "\\", "`", "$(id)", ";", "&", "|", "*", "?",
	      "~", "\n", "\r", "\t", " ", "-", "--", "#", "%s", "\u0001",
	      "\u001b", "\u007f", "\u0080", "é", "\u2028", "\ufeff", "\uffff",
	      "😀", "$HOME", "\\0", "!", "<", ">", "(", "{a,b}"] as $odd
	    | if $n % 3 == 0 then $odd[($n / 3 | floor) % ($odd | length)]
	      elif $n % 3 == 1 then [32 + ($n / 3 | floor) % 95] | implode
	      else [1 + ($n / 3 | floor) % 55295] | implode end;
	[foreach range(1000) as $i ({ s: $seed };
	    .n = (.s / 65536 | floor) % 24 | .s |= next | .t = ""
	    | reduce range(.n) as $j (.; .t += char(.s) | .s |= next);
	    .t)]'
}

@test "1,000 random arguments and a payload reach the handler octet by octet" {
	start_ewsd
	start_agent mini
	handler args <<-'H'
		#!/bin/sh
		[ $# -eq 0 ] || printf '%s\0' "$@"
	H
	handler input <<-'H'
		#!/bin/sh
		exec cat
	H
	seed=$((RANDOM * 32768 + RANDOM))
	echo "seed $seed"
	random_strings "$seed" >"$D/strings"
	jq -j '.[] | ., "\u0000"' "$D/strings" >"$D/want"
	[ "$(tr -cd '\0' <"$D/want" | wc -c)" -eq 1000 ]
	xargs -0 ewsctl run mini args <"$D/want" >"$D/got"
	cmp "$D/want" "$D/got"
	jq -c '{k: .}' "$D/strings" >"$D/payload"
	ewsctl run --payload - mini input <"$D/payload" >"$D/got"
	cmp <(jq -S . "$D/payload") <(jq -S . "$D/got")
}

@test "bytes that are no text are refused, never bent" {
	start_ewsd
	start_agent mini
	run -65 ewsctl run mini echo $'\xff\xfe'
	run -65 ewsctl raw '{"id":1,"op":"send","agent":"mini","type":"echo","argv":["a\u0000b"]}'
	[ "$(ewsctl stats --jq .commands_accepted)" = 0 ]
}

@test "names that lead elsewhere are no handlers, for the hub nor for the agent" {
	handler ran <<-H
		#!/bin/sh
		echo ran >>"$D/effects"
	H
	cp "$D/handlers/ran" "$D/outside"
	cp "$D/handlers/ran" "$D/handlers/.hidden"
	mkdir "$D/handlers/sub"
	cp "$D/handlers/ran" "$D/handlers/sub/ran"
	names=(../outside ../../bin/sh "$D/outside" sub/ran ./ran '' . .. .hidden 'ran ' $'ran\n' sub)
	start_ewsd
	start_agent mini
	for name in "${names[@]}"; do
		got=0
		ewsctl run mini "$name" 2>/dev/null || got=$?
		[[ $got =~ ^(65|126|127)$ ]] || { echo "'$name': $got"; return 1; }
	done
	end_process "$AGENT_PID"
	end_process "$HUB_PID"
	# a hub of foreign make may pass on anything
	mkfifo "$D/hub.in"
	oldhub <"$D/hub.in" >"$D/hub.txt" 2>"$D/hub.log" 3>&- &
	PIDS+=($!)
	exec 21>"$D/hub.in"
	until_true 10 grep -q ready "$D/hub.txt"
	HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/hub.txt")
	start_agent_nowait mini "${QUICK[@]}"
	for i in "${!names[@]}"; do
		jq -nc --arg id "n$i" --arg t "${names[i]}" '{command_id:$id,command_type:$t,payload:{}}' >&21
	done
	told() { [ "$(grep -c '"failed"' "$D/hub.txt")" -eq ${#names[@]} ]; }
	until_true 20 told
	[ ! -e "$D/effects" ]
}

@test "files that others could have changed, or that are no programs, do not run" {
	start_ewsd
	start_agent mini
	body="#!/bin/sh
echo ran >>'$D/effects'"
	for name in link suid sgid group other noexec folder pipe good; do
		handler $name <<<"$body"
	done
	cd "$D/handlers"
	mv link ../target; ln -s ../target link
	chmod 4755 suid
	chmod 2755 sgid
	chmod 775 group
	chmod 757 other
	chmod 644 noexec
	rm folder pipe; mkdir folder; mkfifo -m 755 pipe
	while read -r name why; do
		run -126 ewsctl run mini $name
		[[ $output == *"$why"* ]] || { echo "$name: $output"; return 1; }
	done <<-'END'
		link symbolic link
		suid set-uid
		sgid set-gid
		group writable by its group
		other writable by others
		noexec not executable
		folder no regular file
		pipe no regular file
	END
	[ ! -e "$D/effects" ]
	# none of them is offered either
	run -0 ewsctl --socket "$SOCK/mini.sock" status --jq '.handlers | join(" ")'
	[[ " $output " == *' good '* ]]
	for name in link suid sgid group other noexec folder pipe; do
		[[ " $output " != *" $name "* ]] || { echo "$name is offered"; return 1; }
	done
	run -0 ewsctl run mini good
	[ "$(cat "$D/effects")" = ran ]
}

@test "a directory that others can write to is not trusted, nor what is in it" {
	start_ewsd
	start_agent mini
	for mode in 775 757; do
		chmod $mode "$D/handlers"
		run -126 ewsctl run mini echo hello
		[[ $output == *'handlers directory'*writable* ]]
	done
	chmod 755 "$D/handlers"
	run -0 ewsctl run mini echo hello
	# gone: nothing can run, and it may come back
	mv "$D/handlers" "$D/away"
	run -127 ewsctl run mini echo hello
	mv "$D/away" "$D/handlers"
	run -0 ewsctl run mini echo hello
}

@test "a handler that vanishes between queue and start: no_handler" {
	start_ewsd
	start_agent mini --concurrency 1
	handler slow <<<"#!/bin/sh
$(wait_for_go)"
	ewsctl send mini slow
	id=$(ewsctl send mini echo)
	until_true 10 agent_says .queued 1
	rm "$D/handlers/echo"
	touch "$D/go"
	until_true 10 command_is "$id" failed
	[ "$(ewsctl command "$id" --jq .reason)" = no_handler ]
}

@test "the environment: these names and no others, whatever the agent was given" {
	start_ewsd
	export BASH_ENV=/nonexistent ENV=/nonexistent IFS=x FOO=bar http_proxy=http://x \
	    LD_LIBRARY_PATH=/nonexistent PERL5OPT=-w CDPATH=/ EDGE_SECRET=$SECRET
	start_agent mini
	# awk says what it was given; a shell would add to it
	handler env <<-'H'
		#!/usr/bin/awk -f
		BEGIN { for (n in ENVIRON) if (n !~ /^AWK(LIB)?PATH$/) print n "=" ENVIRON[n] }
	H
	ewsctl run --payload '{"LD_PRELOAD":"/x","EWS_HUB":"x","PATH":"/x"}' mini env >"$D/env"
	names=$(cut -d= -f1 "$D/env" | grep -vxE 'TZ|TMPDIR|USER|LOGNAME' | sort | tr '\n' ' ')
	[ "$names" = 'EWS_AGENT_ID EWS_COMMAND_ID EWS_COMMAND_TYPE EWS_DEADLINE_MS EWS_HUB EWS_PAYLOAD_FILE EWS_PRIORITY HOME LANG PATH ' ]
	grep -qx 'EWS_AGENT_ID=mini' "$D/env"
	grep -qx 'EWS_COMMAND_TYPE=env' "$D/env"
	grep -qx 'PATH=/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' "$D/env"
	run ! grep -F "$SECRET" "$D/env"
}

@test "descriptors: stdin, stdout and stderr, and none that the agent had" {
	start_ewsd
	exec 21>"$D/leak" 22</dev/null 40>"$D/leak"
	start_agent mini
	exec 21>&- 22<&- 40>&-
	handler fds <<-'H'
		#!/bin/sh
		ls /dev/fd
	H
	# 3 is the directory that ls reads
	for i in 1 2; do
		run -0 ewsctl run mini fds
		[ "$(tr '\n' ' ' <<<"$output")" = '0 1 2 3 ' ]
	done
}

@test "a handler that ignores TERM is killed after the grace, with what it started" {
	start_ewsd
	start_agent mini --grace 700ms
	handler deaf <<-H
		#!/bin/sh
		trap '' TERM
		sleep 300 &
		echo \$! >"$D/child"
		echo \$\$ >"$D/pid"
		echo up
		while :; do sleep 0.05; done
	H
	run -124 --separate-stderr ewsctl run --deadline 300ms mini deaf
	[ "$output" = up ]
	until_true 5 not_running "$(cat "$D/pid")"
	until_true 5 not_running "$(cat "$D/child")"
	end=$(ewsctl commands --jq '.commands[0] | [.state, .reason, .signal] | join(" ")')
	[ "$end" = 'failed timeout 9' ]
	[ "$(ewsctl commands --jq '.commands[0].duration_ms')" -ge 1000 ]
	# the same by cancel, and with the grace that it says
	rm "$D/pid"
	id=$(ewsctl send mini deaf)
	until_true 10 test -s "$D/pid"
	ewsctl cancel --grace 100ms "$id"
	until_true 5 not_running "$(cat "$D/pid")"
	until_true 10 command_is "$id" cancelled
}

@test "output in every form: none, closed, half a character, NULs, a signal, fast lines" {
	start_ewsd
	start_agent mini
	handler form <<-'H'
		#!/bin/sh
		case $1 in
		none) ;;
		closed) exec >&- 2>&-; sleep 0.1 ;;
		half) printf 'a\303' ;;
		nul) printf '\0\0\0' ;;
		bad) printf '\377\376\200' >&2; printf 'x\355\240\200y' ;;
		signal) printf 'before'; kill -9 $$ ;;
		fast) seq 300000 ;;
		esac
	H
	for form in none closed half nul bad fast; do
		"$D/handlers/form" $form >"$D/want" 2>"$D/want2"
		ewsctl run mini form $form >"$D/got" 2>"$D/got2"
		cmp "$D/want" "$D/got" || { echo "$form differs"; return 1; }
		cmp "$D/want2" "$D/got2" || { echo "$form differs"; return 1; }
		ewsctl commands --limit 1 --jq '.commands[0] | [.stdout_bytes, .stderr_bytes, .digest] | @json' >"$D/end"
		[ "$(jq -c '.[:2]' "$D/end")" = "[$(wc -c <"$D/want" | tr -d ' '),$(wc -c <"$D/want2" | tr -d ' ')]" ]
	done
	got=0
	ewsctl run mini form signal >"$D/got" 2>/dev/null || got=$?
	[ $got -eq 137 ]
	[ "$(cat "$D/got")" = before ]
}

@test "200 commands at once: never more than 4 run, all end, in order" {
	start_ewsd
	start_agent mini --concurrency 4
	handler busy <<-H
		#!/bin/sh
		echo "+ \$1" >>"$D/log"
		sleep 0.02
		echo "- \$1" >>"$D/log"
	H
	seq 200 | jq -c '{agent:"mini",type:"busy",argv:[tostring]}' >"$D/lines"
	ewsctl send --lines "$D/lines" --wait=done --timeout 60s >"$D/ids"
	[ "$(wc -l <"$D/ids")" -eq 200 ]
	most=$(awk '$1 == "+" && ++n > most { most = n } $1 == "-" { n-- } END { print most, n }' "$D/log")
	[[ $most =~ ^[234]\ 0$ ]] || { echo "at most and left: $most"; return 1; }
	[ "$(grep -c '^+' "$D/log")" -eq 200 ]
	cmp <(sed -n 's/^- //p' "$D/log" | sort -n) <(seq 200)
	# started in the order sent: a process may be at most 3 places late
	awk '$1 == "+" { n++; d = $2 - n; if (d > 3 || d < -3) exit 1 }' "$D/log"
	[ "$(ewsctl commands --limit 300 --jq '[.commands[] | select(.state == "done")] | length')" = 200 ]
}

@test "agent killed by kill -9: what ran runs on, what waited runs once" {
	handler slow <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		$(wait_for_go)
		exit 6
	H
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
	start_ewsd
	start_agent mini "${QUICK[@]}" --concurrency 1
	ran=$(ewsctl send mini slow)
	for i in 1 2 3 4 5; do ewsctl send mini effect; done >"$D/waited"
	until_true 10 test -s "$D/effects"
	until_true 10 agent_says .queued 5
	kill_agent
	start_agent mini "${QUICK[@]}" --concurrency 1
	until_true 10 agent_says '.running[0].command_id' "$ran"
	[ "$(wc -l <"$D/effects")" -eq 1 ]
	touch "$D/go"
	until_true 10 command_is "$ran" done
	[ "$(ewsctl command "$ran" --jq .exit_code)" = 6 ]
	while read -r id; do
		until_true 10 command_is "$id" done
	done <"$D/waited"
	cmp "$D/effects" <(echo "$ran"; cat "$D/waited")
	# asked for again it is answered, and not run
	kill_agent
	start_agent mini "${QUICK[@]}" --concurrency 1
	ewsctl run mini effect
	command_is "$ran" done
	[ "$(grep -c "$ran" "$D/effects")" -eq 1 ]
	[ "$(wc -l <"$D/effects")" -eq 7 ]
}

@test "killed again and again while handlers run: each once, each done" {
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		sleep 0.05
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	for ((i = 0; i < 12; i++)); do
		seq 10 | jq -c '{agent:"mini",type:"effect"}' >"$D/lines"
		ewsctl send --lines "$D/lines" >>"$D/ids"
		sleep "0.$(printf %03d $((RANDOM % 120)))"
		kill_agent
		start_agent_nowait mini "${QUICK[@]}"
	done
	all_ended() { [ "$(ewsctl stats --jq .commands_waiting)" = 0 ]; }
	until_true 60 all_ended
	ewsctl commands --limit 1000 -o json | jq -r '.commands[] | [.command_id, .state] | join(" ")' | sort >"$D/ends"
	cmp <(sort "$D/ids" | sed 's/$/ done/') "$D/ends"
	cmp <(sort "$D/effects") <(sort "$D/ids")
}

@test "a result of a time without the hub is told when it is back, once" {
	handler slow <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		$(wait_for_go)
		echo last words
		exit 5
	H
	start_ewsd
	# no polling: a sync let go of in the middle may have told it, too
	start_agent mini "${QUICK[@]}" --fallback-after 1000
	id=$(ewsctl send mini slow)
	until_true 10 command_is "$id" started
	end_process "$HUB_PID"
	touch "$D/go"
	until_true 10 agent_says '[.unconfirmed, (.running | length)] | join(" ")' '1 0'
	restart_ewsd
	until_true 10 command_is "$id" done
	until_true 10 agent_says .unconfirmed 0
	[ "$(ewsctl command "$id" --jq .exit_code)" = 5 ]
	[[ $(ewsctl command "$id" --jq .tail.stdout) == 'last words'* ]]
	[ "$(wc -l <"$D/effects")" -eq 1 ]
	[ "$(ewsctl stats --jq .acks_late)" = 0 ]
	[ "$(history "$id" | tr ' ' '\n' | grep -c '^done$')" -eq 1 ]
	# and an agent that was killed in between tells it, too
	rm "$D/go"
	id=$(ewsctl send mini slow)
	until_true 10 command_is "$id" started
	end_process "$HUB_PID"
	touch "$D/go"
	until_true 10 agent_says .unconfirmed 1
	kill_agent
	restart_ewsd
	start_agent mini "${QUICK[@]}"
	until_true 10 command_is "$id" done
	[ "$(wc -l <"$D/effects")" -eq 2 ]
}

@test "output of a time without link and agent comes, all of it" {
	handler talk <<-H
		#!/bin/sh
		echo first
		$(wait_for_go)
		seq 20000
	H
	start_ewsd
	start_proxy
	start_agent mini "${QUICK[@]}"
	ewsctl run mini talk >"$D/got" 2>/dev/null 3>&- &
	runner=$!
	PIDS+=($runner)
	until_true 10 grep -q first "$D/got"
	proxy mode drop
	proxy cut
	touch "$D/go"
	until_true 10 agent_says .unconfirmed 1
	kill_agent
	start_agent_nowait mini "${QUICK[@]}"
	proxy mode pass
	until_true 15 not_running "$runner"
	wait "$runner"
	cmp "$D/got" <(echo first; seq 20000)
	[ "$(ewsctl commands --jq '.commands[0] | [.state, .truncated // false] | @json')" = '["done",false]' ]
	until_true 10 agent_says '[.unconfirmed, .spool_bytes] | join(" ")' '0 0'
	until_true 10 test -z "$(ls -A "$D/mini/agent/jobs")"
}

@test "agent killed when all has ended, and a reader stands still: all comes" {
	handler big <<-'H'
		#!/bin/sh
		echo first
		head -c 3000000 /dev/zero | tr '\0' x
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	mkfifo "$D/pipe"
	ewsctl run mini big >"$D/pipe" 2>/dev/null 3>&- &
	runner=$!
	PIDS+=($runner)
	exec 20<"$D/pipe"
	IFS= read -r line <&20
	[ "$line" = first ]
	# all is written and it has ended; the reader stands still
	until_true 10 agent_says '(.running | length)' 0
	[ "$(agent_status .spool_bytes)" -gt 0 ]
	kill_agent
	start_agent mini "${QUICK[@]}"
	[ "$(timeout 20 wc -c <&20)" -eq 3000000 ]
	until_true 15 not_running "$runner"
	wait "$runner"
	exec 20<&-
	# it need not be told again
	until_true 10 agent_says '[.unconfirmed, .spool_bytes] | join(" ")' '0 0'
}

@test "output dropped for room: who waits for it is told the end" {
	handler talk <<-H
		#!/bin/sh
		echo first
		while [ ! -e "$D/go.\$1" ]; do sleep 0.02; done
		head -c 80000 /dev/zero | tr '\0' x
	H
	start_ewsd
	start_proxy
	start_agent mini "${QUICK[@]}" --spool-max 100000
	for i in 1 2; do
		ewsctl run mini talk $i >"$D/got$i" 2>/dev/null 3>&- &
		eval "runner$i=\$!"
		PIDS+=($!)
		until_true 10 grep -q first "$D/got$i"
	done
	proxy mode drop
	proxy cut
	touch "$D/go.1"
	until_true 10 agent_says .unconfirmed 1
	touch "$D/go.2"
	until_true 10 agent_says .unconfirmed 2
	proxy mode pass
	until_true 15 not_running "$runner1"
	until_true 15 not_running "$runner2"
	wait "$runner1"
	wait "$runner2"
	[ "$(cat "$D/got1")" = first ]
	[ "$(wc -c <"$D/got2")" -eq 80006 ]
	# at once, or when nobody has come back for it
	until_true 10 agent_says .spool_bytes 0
	grep -qF 'is dropped: no room' "$D/mini.log"
}

@test "an agent that is stopped keeps what the reader has not taken" {
	handler big <<-'H'
		#!/bin/sh
		echo up
		head -c 3000000 /dev/zero | tr '\0' x
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	mkfifo "$D/pipe"
	ewsctl run mini big >"$D/pipe" 2>/dev/null 3>&- &
	runner=$!
	PIDS+=($runner)
	exec 20<"$D/pipe"
	IFS= read -r line <&20
	[ "$line" = up ]
	until_true 10 agent_says '(.running | length)' 0
	end_process "$AGENT_PID"
	start_agent mini "${QUICK[@]}"
	[ "$(timeout 20 wc -c <&20)" -eq 3000000 ]
	exec 20<&-
}

@test "the agent's disk is full: nothing runs, nothing is lost, it runs once after" {
	command -v prlimit >/dev/null || skip "no prlimit(1) here"
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	# a page of the ledger does not fit beside its headers
	prlimit --pid "$AGENT_PID" --fsize=4096:
	for i in 1 2 3; do ewsctl send mini effect; done >"$D/ids"
	handed_back() { [ "$(agent_status .counts.queue_full)" -ge 3 ]; }
	until_true 10 handed_back
	[ ! -e "$D/effects" ]
	prlimit --pid "$AGENT_PID" --fsize=unlimited:
	while read -r id; do
		until_true 10 command_is "$id" done
	done <"$D/ids"
	cmp <(sort "$D/effects") <(sort "$D/ids")
}

@test "an end that the agent's disk does not take is told when it does" {
	command -v prlimit >/dev/null || skip "no prlimit(1) here"
	handler slow <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		$(wait_for_go)
	H
	start_ewsd
	start_agent mini "${QUICK[@]}"
	id=$(ewsctl send mini slow)
	until_true 10 command_is "$id" started
	prlimit --pid "$AGENT_PID" --fsize=4096:
	touch "$D/go"
	until_true 10 agent_says '(.running | length)' 0
	run ! command_is "$id" done
	prlimit --pid "$AGENT_PID" --fsize=unlimited:
	until_true 10 command_is "$id" done
	ewsctl run mini slow
	kill_agent
	start_agent mini "${QUICK[@]}"
	ewsctl run mini slow
	command_is "$id" done
	[ "$(wc -l <"$D/effects")" -eq 3 ]
}
