#!/usr/bin/env bats
# From shell to handler and back: every byte arrives once, whatever is cut
# or killed between them, and nobody's memory grows with what passes.

load lib/ews

# EWS_MB: how much goes through at once; a sanitizer makes all of it slow
MB=${EWS_MB:-100}
[ "$EWS_BUILD" != san ] || MB=${EWS_MB:-20}
BYTES=$((MB * 1048576))

# through_proxy: the agents' way to the hub; cut_link ends what goes by it
through_proxy() {
	wsproxy --listen 0 --to "$HUB_PORT" --control "$SOCK/proxy" >"$D/proxy.out" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.out"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.out")
}

cut_link() {
	echo cut | sockline "$SOCK/proxy"
}

# one that comes back soon
start_quick_agent() {
	start_agent mini --reconnect-min 20ms --reconnect-max 200ms "$@"
}

# random BYTES: always the same ones, of every kind
random() {
	head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null
}

sha256() {
	openssl dgst -sha256 -r | cut -d' ' -f1
}

size_of() {
	if [ -e "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi
}

reached() {
	[ "$(size_of "$1")" -ge "$2" ]
}

peak_kib() {
	if [ -r "/proc/$1/status" ]; then
		sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
	else
		ps -o rss= -p "$1" | tr -d ' '
	fi
}

# Hub, agent and the shim of its one handler are below 64 MiB; a sanitizer
# keeps freed memory for a while.
all_are_flat() {
	local pid
	for pid in "$HUB_PID" "$AGENT_PID" "$(cat "$D"/mini/agent/jobs/*/lock)"; do
		peak=$(peak_kib "$pid")
		echo "peak of $(ps -o comm= -p "$pid"): $peak KiB"
		[ "$EWS_BUILD" = san ] || [ "$peak" -lt 65536 ] || return 1
	done
}

@test "100 MB (EWS_MB) of output, the link cut ten times: the same SHA-256, memory flat" {
	start_ewsd
	through_proxy
	start_quick_agent
	handler big <<-H
		#!/bin/sh
		head -c $BYTES /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null
		while [ ! -e "$D/go" ]; do sleep 0.05; done
	H
	ewsctl run mini big >"$D/got" 2>"$D/said" 3>&- &
	runner=$!
	for n in 1 2 3 4 5 6 7 8 9 10; do
		until_true 60 reached "$D/got" $((n * (BYTES / 11)))
		cut_link
	done
	all_are_flat
	touch "$D/go"
	wait $runner
	[ "$(sha256 <"$D/got")" = "$(random $BYTES | sha256)" ]
}

@test "100 MB (EWS_MB) of input, the link cut ten times: the same SHA-256, memory flat" {
	start_ewsd
	through_proxy
	start_quick_agent
	handler take <<-H
		#!/bin/sh
		cat >"$D/taken"
		while [ ! -e "$D/go" ]; do sleep 0.05; done
		echo over
	H
	random $BYTES | ewsctl run --stdin mini take >"$D/got" 2>"$D/said" 3>&- &
	runner=$!
	for n in 1 2 3 4 5 6 7 8 9 10; do
		until_true 60 reached "$D/taken" $((n * (BYTES / 11)))
		cut_link
	done
	until_true 60 reached "$D/taken" $BYTES
	all_are_flat
	touch "$D/go"
	wait $runner
	[ "$(cat "$D/got")" = over ]
	[ "$(sha256 <"$D/taken")" = "$(random $BYTES | sha256)" ]
}

@test "link cut, sender killed, hub killed during one handler: both streams whole, exit 7" {
	start_ewsd
	through_proxy
	start_quick_agent
	handler talk <<-H
		#!/bin/sh
		i=0
		while [ \$i -lt 40 ]; do
			head -c 250000 /dev/zero | tr '\0' "\$((i % 10))"; echo
			{ head -c 50000 /dev/zero | tr '\0' "\$((i % 7))"; echo; } >&2
			i=\$((i + 1))
			while [ \$i = 30 ] && [ ! -e "$D/go" ]; do sleep 0.02; done
		done
		exit 7
	H
	ewsctl run --id c1 mini talk >"$D/first" 2>"$D/first.err" 3>&- &
	first=$!
	until_true 20 reached "$D/first" 1000000
	cut_link
	until_true 20 reached "$D/first" 2000000
	kill -9 $first
	ewsctl -q attach c1 >"$D/second" 2>"$D/second.err" 3>&- &
	second=$!
	until_true 20 reached "$D/second" 1500000
	cut_link
	until_true 20 reached "$D/second" 3000000
	end_process "$HUB_PID" KILL
	restart_ewsd
	touch "$D/go"
	status=0
	wait $second || status=$?
	[ $status -eq 7 ]
	"$D/handlers/talk" >"$D/want" 2>"$D/want.err" || [ $? -eq 7 ]
	cmp "$D/want" "$D/second"
	cmp "$D/want.err" "$D/second.err"
	cmp -n "$(size_of "$D/first")" "$D/want" "$D/first"
	# nobody reads any more: the agent keeps nothing of it
	[ -d "$D/mini/agent/jobs" ]
	nothing_kept() { [ -z "$(ls "$D/mini/agent/jobs")" ]; }
	until_true 10 nothing_kept
}

@test "a second reader that stands still does not hold the first one up" {
	start_ewsd
	start_agent
	handler big <<-H
		#!/bin/sh
		seq 1000
		while [ ! -e "$D/go" ]; do sleep 0.02; done
		seq 1001 1000000
	H
	ewsctl run --id c1 mini big >"$D/got" 3>&- &
	runner=$!
	until_true 10 reached "$D/got" 3893
	mkfifo "$D/pipe"
	ewsctl attach c1 >"$D/pipe" 2>"$D/said" 3>&- &
	idle=$!
	exec 20<"$D/pipe"
	head -c 1000 <&20 >"$D/idle"
	touch "$D/go"
	until_true 20 reached "$D/got" 6888896
	wait $runner
	cmp "$D/got" <(seq 1000000)
	cat <&20 >>"$D/idle"
	exec 20<&-
	wait $idle
	cmp "$D/got" "$D/idle"
}

@test "the hub killed when the end is stored and the reader is not through" {
	start_ewsd
	start_quick_agent
	handler big <<-'H'
		#!/bin/sh
		head -c 20000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null
	H
	mkfifo "$D/pipe"
	ewsctl run --id c1 mini big >"$D/pipe" 2>"$D/said" 3>&- &
	runner=$!
	exec 20<"$D/pipe"
	head -c 1000000 <&20 >"$D/got"
	until_true 20 command_is c1 done
	end_process "$HUB_PID" KILL
	restart_ewsd
	cat <&20 >>"$D/got"
	exec 20<&-
	wait $runner
	[ "$(sha256 <"$D/got")" = "$(random 20000000 | sha256)" ]
}

@test "attach to one that was sent to an absent agent: says so, and stays" {
	start_ewsd
	start_agent
	end_process "$AGENT_PID"
	until_true 10 agent_is mini offline
	handler hello <<-'H'
		#!/bin/sh
		echo hello
	H
	[ "$(ewsctl send --id c1 mini hello)" = c1 ]
	ewsctl attach c1 >"$D/got" 2>"$D/said" 3>&- &
	reader=$!
	until_true 10 grep -q 'is away; waiting' "$D/said"
	start_agent
	wait $reader
	[ "$(cat "$D/got")" = hello ]
	grep -q 'is back' "$D/said"
}

# by its agent, which heard that the hub has the end
is_forgotten() {
	ewsctl -o json command "$1" | grep -q 'confirmed to the agent'
}

@test "attach after the end: as much as the setting keeps, the gap, the exit status" {
	start_ewsd --output-keep 1000 --output-wait 1s
	start_agent
	handler seq <<-'H'
		#!/bin/sh
		seq 5000
		echo complaint >&2
		exit 3
	H
	run -3 ewsctl send --wait=done --id c1 mini seq
	until_true 10 is_forgotten c1 # till then its agent has all of it
	for turn in 1 2; do
		run -3 --separate-stderr ewsctl attach c1
		[ "$output" = "$(seq 5000 | tail -c 1000)" ]
		[[ $stderr == *"22893 bytes of stdout are gone"* ]]
		[[ $stderr == *complaint* ]]
		[ $turn -eq 2 ] || { end_process "$HUB_PID" KILL; restart_ewsd; }
	done
}

@test "the sender of input killed, another takes over: nothing twice, nothing of its own lost" {
	start_ewsd
	through_proxy
	start_quick_agent
	handler slow <<-H
		#!/bin/sh
		head -c 1000
		while [ ! -e "$D/go" ]; do sleep 0.02; done
		exec cat
	H
	mkfifo "$D/stdin"
	ewsctl run --id c1 --stdin mini slow <"$D/stdin" >"$D/first" 3>&- &
	first=$!
	exec 9>"$D/stdin"
	seq 100000 | head -c 200000 >&9
	until_true 10 reached "$D/first" 1000
	cut_link
	until_true 10 agent_is mini online
	kill -9 $first
	exec 9>&-
	seq 500001 900000 >"$D/more"
	ewsctl attach --stdin c1 <"$D/more" >"$D/got" 2>"$D/said" 3>&- &
	second=$!
	until_true 10 reached "$D/got" 1000
	touch "$D/go"
	wait $second
	cmp "$D/more" <(tail -c "$(size_of "$D/more")" "$D/got")
	before=$(($(size_of "$D/got") - $(size_of "$D/more")))
	[ $before -ge 1000 ]
	cmp <(head -c $before "$D/got") <(seq 100000 | head -c $before)
}

@test "input goes on where it was when the link is cut and the hub killed" {
	start_ewsd
	through_proxy
	start_quick_agent
	handler take <<-H
		#!/bin/sh
		exec cat >"$D/taken"
	H
	mkfifo "$D/stdin"
	ewsctl run --stdin mini take <"$D/stdin" 2>"$D/said" 3>&- &
	runner=$!
	random 8000000 >"$D/input"
	exec 9>"$D/stdin" # what `start` gives its programs is another one
	head -c 4000000 "$D/input" >&9
	cut_link
	end_process "$HUB_PID" KILL
	restart_ewsd
	until_true 20 agent_is mini online
	cut_link
	tail -c 4000000 "$D/input" >&9
	exec 9>&-
	wait $runner
	cmp "$D/input" "$D/taken"
}

@test "output and input go by poll, too, the link cut and the hub killed under them" {
	start_ewsd
	through_proxy
	echo mode refuse-upgrade | sockline "$SOCK/proxy"
	start_agent_nowait mini --reconnect-min 20ms --reconnect-max 200ms
	until_true 20 agent_is mini polling
	handler cat <<-'H'
		#!/bin/sh
		exec cat
	H
	random 3000000 >"$D/input"
	ewsctl run --stdin mini cat <"$D/input" >"$D/got" 3>&- &
	runner=$!
	until_true 30 reached "$D/got" 500000
	cut_link
	until_true 30 reached "$D/got" 1000000
	cut_link
	until_true 30 reached "$D/got" 1500000
	end_process "$HUB_PID" KILL
	restart_ewsd
	wait $runner
	cmp "$D/input" "$D/got"
}

@test "the agent killed twice while bytes go both ways: its handler goes on, nothing is lost" {
	start_ewsd
	start_quick_agent
	handler cat <<-'H'
		#!/bin/sh
		exec cat
	H
	random 20000000 >"$D/input"
	ewsctl run --stdin mini cat <"$D/input" >"$D/got" 2>"$D/said" 3>&- &
	runner=$!
	for n in 5000000 12000000; do
		until_true 30 reached "$D/got" $n
		end_process "$AGENT_PID" KILL
		start_quick_agent
	done
	wait $runner
	cmp "$D/input" "$D/got"
}

@test "from WebSocket to poll and back, link cut, hub and agent killed, both ways at once" {
	start_ewsd
	through_proxy
	start_quick_agent
	handler echoes <<-'H'
		#!/bin/sh
		echo begins >&2
		cat
		echo ends >&2
		exit 5
	H
	random 6000000 >"$D/input"
	ewsctl -q run --stdin mini echoes <"$D/input" >"$D/got" 2>"$D/said" 3>&- &
	runner=$!
	n=0
	for step in poll cut hub websocket agent poll agent websocket cut hub; do
		n=$((n + 1))
		until_true 30 reached "$D/got" $((n * 500000))
		case $step in
		poll)
			echo mode refuse-upgrade | sockline "$SOCK/proxy"
			cut_link
			;;
		websocket) echo mode pass | sockline "$SOCK/proxy" ;;
		cut) cut_link ;;
		hub)
			end_process "$HUB_PID" KILL
			restart_ewsd
			;;
		agent)
			end_process "$AGENT_PID" KILL
			start_agent_nowait mini --reconnect-min 20ms --reconnect-max 200ms
			;;
		esac
	done
	status=0
	wait $runner || status=$?
	[ $status -eq 5 ]
	cmp "$D/input" "$D/got"
	[ "$(cat "$D/said")" = $'begins\nends' ]
}

@test "a hub with a smaller window for input is obeyed" {
	start_ewsd --input-window 64K
	start_agent
	handler cat <<-'H'
		#!/bin/sh
		exec cat
	H
	random 2000000 >"$D/input"
	ewsctl run --stdin mini cat <"$D/input" >"$D/got"
	cmp "$D/input" "$D/got"
}

@test "a sender that is slow is not one that went away" {
	start_ewsd --input-grace 300ms
	start_agent
	handler cat <<-'H'
		#!/bin/sh
		exec cat
	H
	mkfifo "$D/stdin"
	ewsctl run --stdin mini cat <"$D/stdin" >"$D/got" 3>&- &
	runner=$!
	exec 9>"$D/stdin"
	echo a >&9
	until_true 10 reached "$D/got" 2
	sleep 2 # the grace, and the hub's look at it each second
	echo b >&9
	exec 9>&-
	wait $runner
	[ "$(cat "$D/got")" = $'a\nb' ]
}

@test "no input, no output: /dev/null, a closed stdin, a handler that says nothing" {
	start_ewsd
	start_agent
	handler count <<-'H'
		#!/bin/sh
		wc -c | tr -d ' '
	H
	handler deaf <<-'H'
		#!/bin/sh
		exit 4
	H
	[ "$(ewsctl run --stdin mini count </dev/null)" = 0 ]
	run -4 --separate-stderr ewsctl run --stdin mini deaf </dev/null
	[ -z "$output" ]
	run -4 --separate-stderr ewsctl run --stdin mini deaf <"$ROOT/Makefile"
	[ -z "$output" ]
	[ "$(bash -c 'exec timeout 20 ewsctl run --stdin mini count <&-')" = 0 ]
}

@test "a handler that reads no more ends its sender's pipe, and all is well" {
	start_ewsd
	start_agent
	handler few <<-'H'
		#!/bin/sh
		head -c 5
	H
	run -0 timeout 60 sh -c "yes | ewsctl run --stdin mini few"
	[ "$output" = $'y\ny\ny' ]
}
