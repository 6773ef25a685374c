#!/usr/bin/env bats
# A handler that will not end, will not be quiet, or comes a thousand times:
# it harms nobody but itself, and what became of it is told.
# EWS_FLOOD=10000000000 is the long form of what one handler writes.

load lib/ews

FLOOD=${EWS_FLOOD:-1000000000}
[ "$FLOOD" -le 1000000000 ] || BATS_TEST_TIMEOUT=600
RSS_MAX=65536 # KiB; the sanitizers need more themselves
[ "${EWS_BUILD:-opt}" != san ] || RSS_MAX=524288

agent_status() {
	ewsctl --socket "$SOCK/mini.sock" status --jq "$1"
}

agent_says() {
	[ "$(agent_status "$1")" = "$2" ]
}

conf() {
	cat >"$D/handlers/handlers.conf"
	chmod 600 "$D/handlers/handlers.conf"
}

# run_to CODE ARG...: ewsctl run, its outputs in $D/out and $D/err, and how
# long it took in $TOOK (ms)
run_to() {
	local want=$1 status=0 before=${EPOCHREALTIME/./}
	shift
	ewsctl run "$@" >"$D/out" 2>"$D/err" || status=$?
	TOOK=$(((${EPOCHREALTIME/./} - before) / 1000))
	[ $status -eq "$want" ] || { echo "exit status $status"; return 1; }
}

# the pids that a handler has written into $D/pids are gone
handlers_gone() {
	local pid
	while read -r pid; do
		not_running "$pid" || return 1
	done <"$D/pids"
}

@test "a handler that ignores TERM is killed after the grace, with what it started" {
	handler deaf <<-H
		#!/bin/sh
		trap '' TERM HUP INT
		echo \$\$ >>"$D/pids"
		(echo begun; while :; do sleep 1; done) &
		echo \$! >>"$D/pids"
		while :; do sleep 1; done
	H
	start_ewsd
	start_agent mini --grace 300ms
	run_to 124 --deadline 500ms mini deaf
	[ "$TOOK" -ge 800 ]
	[ "$TOOK" -lt 4000 ]
	[ "$(cat "$D/out")" = begun ]
	until_true 5 handlers_gone
	[ "$(wc -l <"$D/pids")" -eq 2 ]
	run -0 ewsctl run mini echo well
	until_true 5 agent_says '.running | length' 0
}

@test "killed at its deadline, its daemons in other sessions go with it" {
	[ "$(uname -s)" = Linux ] || skip "orphans are found on Linux"
	handler breeder <<-H
		#!/bin/sh
		trap '' TERM
		setsid sh -c 'trap "" TERM; echo \$\$ >>"$D/pids"; while :; do sleep 1; done' &
		(setsid sh -c 'echo \$\$ >>"$D/pids"; exec sleep 100' &)
		echo \$\$ >>"$D/pids"
		while :; do sleep 1; done
	H
	start_ewsd
	start_agent mini --grace 300ms
	run_to 124 --deadline 1s mini breeder
	[ "$TOOK" -lt 6000 ]
	[ "$(wc -l <"$D/pids")" -eq 3 ]
	until_true 10 handlers_gone
}

@test "a daemon that keeps the handler's stdout does not keep its end" {
	command -v setsid >/dev/null || skip "there is no setsid"
	handler daemon <<-H
		#!/bin/sh
		echo out
		setsid sh -c 'echo \$\$ >"$D/pid.new"; mv "$D/pid.new" "$D/pid"; exec sleep 100' &
		while [ ! -e "$D/pid" ]; do sleep 0.01; done
		exit 3
	H
	start_ewsd
	start_agent mini
	run_to 3 mini daemon
	[ "$TOOK" -lt 5000 ]
	[ "$(cat "$D/out")" = out ]
	# it ended by itself, and so it was meant to stay
	run ! not_running "$(cat "$D/pid")"
	kill -KILL "$(cat "$D/pid")"
	until_true 5 agent_says '.running | length' 0
}

@test "a background process of an ended handler ends with its group" {
	handler leaver <<-H
		#!/bin/sh
		sleep 100 &
		echo \$! >"$D/pids"
	H
	start_ewsd
	start_agent mini
	run_to 0 mini leaver
	[ "$TOOK" -lt 5000 ]
	until_true 10 handlers_gone
}

# ---- much output ------------------------------------------------------------

# the highest of NAME's RSS so far goes to $D/rss.NAME
watch_rss() {
	local name pid rss
	while [ ! -e "$D/watched" ]; do
		for name in "$@"; do
			case $name in
			ewsd) pid=$HUB_PID ;;
			agent) pid=$AGENT_PID ;;
			*) pid=$(cat "$D"/mini/agent/jobs/*/lock 2>/dev/null | head -n 1) ;;
			esac
			rss=$(ps -o rss= -p "${pid:-0}" 2>/dev/null || true)
			if [ "${rss:-0}" -gt "$(cat "$D/rss.$name" 2>/dev/null || echo 0)" ]; then
				echo $((rss)) >"$D/rss.$name"
			fi
			du -sk "$D/mini/agent" 2>/dev/null | cut -f 1 >>"$D/disk"
		done
		sleep 0.05
	done
}

start_watching() {
	watch_rss ewsd agent shim 3>&- &
	WATCHER=$!
}

# check_watched KIB NAME...: the memory of these, and the disk
check_watched() {
	local disk=$1
	shift
	touch "$D/watched"
	wait "$WATCHER"
	for name in "$@"; do
		rss=$(cat "$D/rss.$name")
		echo "$name: $rss KiB"
		[ "$rss" -gt 0 ] && [ "$rss" -lt $RSS_MAX ]
	done
	[ "$(sort -n "$D/disk" | tail -n 1)" -lt "$disk" ]
	echo "# KiB: hub $(cat "$D/rss.ewsd"), agent $(cat "$D/rss.agent"), shim $(cat "$D/rss.shim" 2>/dev/null), disk $(sort -n "$D/disk" | tail -n 1); $TOOK ms" >&3
}

@test "$FLOOD bytes of output: drained, counted and digested; kept to the cap" {
	handler flood <<-H
		#!/bin/sh
		head -c $FLOOD /dev/zero
		echo done >&2
		exit 5
	H
	conf <<-'C'
		[flood]
		output_max = 1M
	C
	start_ewsd
	start_agent mini
	start_watching
	run_to 5 mini flood
	check_watched 8192 ewsd agent shim
	[ "$(wc -c <"$D/out")" -eq $((1 << 20)) ]
	grep -qx done "$D/err"
	grep -qF "$((FLOOD - (1 << 20))) bytes of stdout are gone" "$D/err"
	ewsctl commands -o json --jq '.commands[0]' >"$D/command"
	[ "$(jq -c '[.state, .exit_code, .truncated, .stdout_bytes, .stdout_kept, .stderr_bytes]' "$D/command")" = \
	    "[\"done\",5,true,$FLOOD,$((1 << 20)),5]" ]
	if [ "$FLOOD" -le 1000000000 ]; then
		[ "$(jq -r .stdout_sha256 "$D/command")" = "$(head -c "$FLOOD" /dev/zero | openssl dgst -sha256 -r | cut -d ' ' -f 1)" ]
	fi
}

@test "the cap of all output together: what runs is still drained, and its end told" {
	handler flood <<-H
		#!/bin/sh
		head -c 20000000 /dev/zero
	H
	start_ewsd
	start_agent mini --spool-max 1M
	for i in 1 2 3 4; do
		echo '{"agent":"mini","type":"flood"}'
	done >"$D/lines"
	ewsctl send --lines "$D/lines" --wait=done --timeout 30s >"$D/ids"
	[ "$(wc -l <"$D/ids")" -eq 4 ]
	ewsctl commands -o json --jq '.commands[] | [.state, .stdout_bytes]' | sort -u >"$D/ends"
	[ "$(cat "$D/ends")" = '["done",20000000]' ]
	[ "$(agent_status .spool_bytes)" -le $((5 << 20)) ]
}

@test "millions of lines on both streams: all there, in order, and others are served meanwhile" {
	handler lines <<-H
		#!/bin/sh
		touch "$D/begun"
		seq 1500000 &
		seq 1500001 3000000 >&2
		wait
	H
	start_ewsd
	start_agent mini
	start_watching
	begun=${EPOCHREALTIME/./}
	run_to 0 mini lines &
	running=$!
	until_true 10 test -e "$D/begun"
	before=${EPOCHREALTIME/./}
	run -0 ewsctl run --timeout 10s mini echo meanwhile
	[ "$output" = meanwhile ]
	echo "# another command meanwhile: $(((${EPOCHREALTIME/./} - before) / 1000)) ms" >&3
	wait $running
	TOOK=$(((${EPOCHREALTIME/./} - begun) / 1000))
	check_watched 65536 ewsd agent
	cmp "$D/out" <(seq 1500000)
	cmp "$D/err" <(seq 1500001 3000000)
}

# ---- many at once -------------------------------------------------------------

fds() {
	find "/proc/$AGENT_PID/fd" -mindepth 1 2>/dev/null | wc -l
}

# the most that ran at a time, by what they wrote themselves
most_at_once() {
	awk '$1 == "+" { if (++n > most) most = n } $1 == "-" { n-- } END { print most }' "$D/effects"
}

@test "1,000 commands at once: never more than allowed, each once, others answered, nothing left open" {
	handler many <<-H
		#!/bin/sh
		echo "+ \$EWS_COMMAND_ID" >>"$D/effects"
		case \$EWS_COMMAND_ID in
		*[05]) sleep 0.1 ;;
		esac
		echo "- \$EWS_COMMAND_ID" >>"$D/effects"
	H
	conf <<-'C'
		[many]
		concurrency = 7
	C
	start_ewsd
	start_agent mini --concurrency 8
	run -0 ewsctl run mini echo first
	open=$(fds)
	seq 1000 | jq -c '{agent: "mini", type: "many"}' >"$D/lines"
	ewsctl send --lines "$D/lines" >"$D/ids"
	worst=0
	while [ "$(ewsctl stats --jq .commands_waiting)" -gt 100 ]; do
		run_to 0 --priority high --timeout 10s mini echo meanwhile
		if [ "$TOOK" -gt $worst ]; then worst=$TOOK; fi
	done
	[ $worst -gt 0 ]
	until_true 60 agent_says '[.queued, (.running | length), .unconfirmed] | join(" ")' '0 0 0'
	echo "# others answered within $worst ms; at most $(most_at_once) at a time" >&3
	[ $worst -lt 5000 ]
	[ "$(most_at_once)" -le 7 ]
	cmp <(awk '$1 == "+" { print $2 }' "$D/effects" | sort) <(sort "$D/ids")
	cmp <(awk '$1 == "-" { print $2 }' "$D/effects" | sort) <(sort "$D/ids")
	until_true 5 test "$(fds)" -le "$open"
	until_true 5 test -z "$(ls -A "$D/mini/agent/jobs")"
}

@test "no process to be had: tried again later, each runs once" {
	[ "$(uname -s)" = Linux ] || skip "killlib is for Linux"
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
	start_ewsd
	start mini env LD_PRELOAD="$BUILD/tools/killlib.so" KILL_OF=ewsagent FORK_FAILS=15 \
	    ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" \
	    ewsagent --hub "$HUB" --id mini --state-dir "$D/mini" \
	    --secret-file "$D/state/secret" --socket "$SOCK/mini.sock" \
	    --handlers "$D/handlers" --concurrency 4
	until_true 10 agent_is mini online
	seq 20 | jq -c '{agent: "mini", type: "effect"}' >"$D/lines"
	ewsctl send --lines "$D/lines" --wait=done --timeout 30s >"$D/ids"
	cmp <(sort "$D/effects") <(sort "$D/ids")
	[ "$(wc -l <"$D/ids")" -eq 20 ]
	grep -qF 'waits: no process: Resource temporarily unavailable' "$D/mini.log"
	[ "$(ewsctl commands -o json --jq '.commands[].state' | sort -u)" = done ]
}
