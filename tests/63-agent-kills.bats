#!/usr/bin/env bats
# The agent dies, alone or with everything on its machine: no command starts
# twice, each ends, and what became of it is told.
# EWS_AGENT_KILLS=1000 makes the long form (`make agent-kills`): that many
# kills, with 20 commands for each, and a kill at every step of the agent.

load lib/ews

KILLS=${EWS_AGENT_KILLS:-12}
LONG=$((KILLS >= 100))
EACH=$((LONG ? 20 : 25))
[ "$LONG" -eq 0 ] || BATS_TEST_TIMEOUT=1800

# agent [VARIABLE=VALUE...]: without a word of when it is ready
agent() {
	env "$@" ewsagent --hub "$HUB" --id mini --state-dir "$D/mini" \
	    --secret-file "$D/state/secret" --socket "$SOCK/mini.sock" \
	    --handlers "$D/handlers" --concurrency 8 --log-level warn \
	    --reconnect-min 10ms --reconnect-max 50ms \
	    >>"$D/mini.out" 2>>"$D/mini.log" 3>&- &
	AGENT_PID=$!
	PIDS+=("$AGENT_PID")
}

agent_died() {
	wait "$AGENT_PID" 2>/dev/null || true
	forget "$AGENT_PID"
}

# What else the agent has started goes with it, as if the machine had.
# Stopped first, so that nothing is started meanwhile.
kill_machine() {
	local shims
	kill -STOP "$AGENT_PID"
	shims=$(pgrep -P "$AGENT_PID" || true)
	# shellcheck disable=SC2086
	kill -KILL "$AGENT_PID" $shims 2>/dev/null || true
	agent_died
	for pid in $shims; do until_true 10 not_running "$pid"; done
}

# moment MS: sleeps up to so long
moment() {
	sleep "0.$(printf %03d $((RANDOM % $1)))"
}

# begun N: until this life has started so many, or has nothing to start
begun() {
	until_true 20 has_begun $(($(wc -l <"$D/effects") + $1))
}

has_begun() {
	[ "$(wc -l <"$D/effects")" -ge "$1" ] || all_ended
}

# handlers [SECONDS]: one that is over at once, and one that is met at its
# work, so long; the second says when it is done, too.
handlers() {
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
	handler slow <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
		echo begun
		sleep ${1:-0.1}
		echo "\$EWS_COMMAND_ID" >>"$D/finished"
		exit 3
	H
	: >"$D/effects"
	: >"$D/finished"
	: >"$D/ids"
}

# give N TYPE...: sends N of these types in turn
give() {
	local n=$1
	shift
	for ((k = 0; k < n; k++)); do
		echo "{\"agent\":\"mini\",\"type\":\"${*:k % $# + 1:1}\"}"
	done >"$D/lines"
	ewsctl send --queue-unknown --lines "$D/lines" >>"$D/ids"
}

all_ended() {
	[ "$(ewsctl stats --jq .commands_waiting)" = 0 ]
}

# "ID STATE EXIT_CODE TYPE" of every command, in $D/ends
read_ends() {
	local before=0
	: >"$D/ends"
	while [ "$before" != null ]; do
		ewsctl commands mini --limit 1000 --before "$before" -o json >"$D/page"
		jq -r '.commands[] | [.command_id, .state, .exit_code, .type] | @tsv' "$D/page" >>"$D/ends"
		before=$(jq .next "$D/page")
	done
}

# How often is each state there? "done 17 interrupted 3"
states() {
	cut -f 2 "$D/ends" | sort | uniq -c | awk '{ printf "%s%s %s", s, $2, $1; s = " " }'
}

nothing_left() {
	[ -z "$(ls -A "$D/mini/agent/jobs")" ]
}

@test "the agent killed again and again ($KILLS kills, $((KILLS * EACH)) commands): each runs once, and is done" {
	handlers
	start_ewsd --queue-agent 100000
	for ((i = 0; i < KILLS; i++)); do
		give $EACH effect effect slow effect
		agent
		# also while it starts, but not only
		if ((i % 4)); then begun $((RANDOM % (2 * EACH))); fi
		moment 300
		kill -KILL "$AGENT_PID"
		agent_died
	done
	echo "# $(wc -l <"$D/effects") of $((KILLS * EACH)) started in the $KILLS lives" >&3
	agent
	until_true $((LONG ? 600 : 100)) all_ended
	[ "$(wc -l <"$D/ids")" -eq $((KILLS * EACH)) ]
	cmp <(sort "$D/effects") <(sort "$D/ids")
	read_ends
	[ "$(states)" = "done $((KILLS * EACH))" ]
	cmp <(awk -F '\t' '$3 == 3 { print $1 }' "$D/ends" | sort) <(sort "$D/finished")
	until_true 10 nothing_left
}

# the agent of a round is gone, or has done all that it was given
round_over() {
	not_running "$AGENT_PID" || { all_ended && nothing_left; }
}

# killed PID: that is how it ended
killed() {
	local status=0
	wait "$1" || status=$?
	forget "$1"
	[ $status -eq 137 ]
}

# a new installation is given three commands, and dies at its step $1
round() {
	rm -rf "$D/mini"
	handlers
	give 3 effect slow effect
	agent LD_PRELOAD="$BUILD/tools/killlib.so" KILL_OF=ewsagent KILL_AT="$1" \
	    ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0"
	until_true 20 round_over
	kill -TERM "$AGENT_PID" 2>/dev/null || true
	until_true 10 not_running "$AGENT_PID"
}

@test "the agent killed at every step it takes: each command runs once, and is done" {
	[ "$(uname -s)" = Linux ] || skip "killlib is for Linux"
	start_ewsd
	died=0
	stride=$((LONG ? 1 : 23))
	for ((at = LONG ? 1 : 1 + RANDOM % stride; ; at += stride)); do
		round $at
		killed "$AGENT_PID" || break
		died=$((died + 1))
		agent
		until_true 20 all_ended
		until_true 10 nothing_left
		kill -KILL "$AGENT_PID"
		agent_died
		cmp <(sort "$D/effects") <(sort "$D/ids") || { echo "at step $at"; return 1; }
	done
	echo "# killed at $died places, up to $((at - stride))" >&3
	[ "$((at - stride))" -gt 100 ]
	read_ends
	[[ $(states) == "done "+([0-9]) ]]
}

# Which commands does the ledger have as started while no record tells their
# end? In $D/unknown, and those that were run five times in $D/fifth, too. On
# the $1=same boot only where the handler was executed.
note_unknown() {
	local dir id
	: >"$D/with.end"
	: >"$D/with.start"
	for dir in "$D"/mini/agent/jobs/*/; do
		id=$(cat "$dir/id" 2>/dev/null || true)
		[ -n "$id" ] || continue
		if [ -e "$dir/end" ]; then echo "$id" >>"$D/with.end"; fi
		if [ -e "$dir/started" ]; then echo "$id" >>"$D/with.start"; fi
	done
	sqlite3 -readonly -separator ' ' "$D/mini/agent/ledger.db" \
	    "SELECT id, runs FROM entries WHERE state = 'started'" |
	    grep -vFf "$D/with.end" >"$D/open" || true
	if [ "$1" = same ]; then
		grep -Ff "$D/with.start" "$D/open" >"$D/open.same" || true
		mv "$D/open.same" "$D/open"
	fi
	awk '{ print $1 }' "$D/open" >>"$D/unknown"
	awk '$2 >= 5 { print $1 }' "$D/open" >>"$D/fifth"
}

# of_type TYPE...: the ids of these, after read_ends
of_type() {
	for type in "$@"; do
		awk -F '\t' -v type="$type" '$4 == type { print $1 }' "$D/ends"
	done | sort
}

# ids of commands in this state
in_state() {
	awk -F '\t' -v state="$1" '$2 == state { print $1 }' "$D/ends" | sort
}

@test "agent, shims and handlers killed together: interrupted where a start had no end; rerun or asked as declared" {
	handlers 0.3
	cp "$D/handlers/slow" "$D/handlers/again"
	cp "$D/handlers/slow" "$D/handlers/asked"
	handler asked.probe <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/probes"
		grep -qx "\$EWS_COMMAND_ID" "$D/finished"
	H
	cat >"$D/handlers/handlers.conf" <<-'C'
		[again]
		policy = idempotent
		[asked]
		policy = probe
	C
	chmod 600 "$D/handlers/handlers.conf"
	start_ewsd --queue-agent 100000
	: >"$D/unknown"
	: >"$D/fifth"
	: >"$D/probes"
	life=()
	for ((i = 0; i < (LONG ? KILLS / 5 : 8); i++)); do
		boot=same
		if [ "$(uname -s)" = Linux ] && ((i % 2)); then boot=new; fi
		give 16 slow again asked effect
		# what this life is told of the boot, the next is told, too,
		# unless the machine "starts anew"
		agent "${life[@]}"
		begun 1
		moment 400
		kill_machine
		if [ $boot = new ]; then
			life=(LD_PRELOAD="$BUILD/tools/killlib.so" KILL_BOOT="boot-$i"
			    ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0")
		fi
		if [ -e "$D/mini/agent/ledger.db" ]; then note_unknown $boot; fi
	done
	agent "${life[@]}"
	until_true $((LONG ? 600 : 100)) all_ended
	read_ends
	echo "# $i deaths: $(states); $(wc -l <"$D/unknown") ends unknown, $(wc -l <"$D/probes") probes" >&3
	sort -u -o "$D/unknown" "$D/unknown"
	sort -u -o "$D/fifth" "$D/fifth"
	of_type slow effect | comm -12 - "$D/unknown" >"$D/once"
	of_type again | comm -12 - "$D/unknown" >"$D/again"
	of_type asked | comm -12 - "$D/unknown" >"$D/asked"
	for type in once again asked; do [ -s "$D/$type" ]; done
	# interrupted where it is unknown; of those that may run again the ones
	# that did so too often, and have not done their work
	{
		cat "$D/once"
		comm -12 "$D/fifth" "$D/again"
		comm -12 "$D/fifth" "$D/asked" | comm -23 - <(sort -u "$D/finished")
	} | sort >"$D/interrupted"
	diff <(in_state interrupted) "$D/interrupted"
	diff <(in_state done) <(sort "$D/ids" | comm -23 - "$D/interrupted")
	# once is once, idempotent is done, and what has a probe is done once
	[ -z "$(sort "$D/effects" | comm -12 - <(of_type slow effect) | uniq -d)" ]
	[ -z "$(comm -12 <(in_state done) "$D/again" | comm -23 - <(sort -u "$D/finished"))" ]
	diff <(in_state done | comm -12 - <(of_type asked)) <(sort "$D/finished" | comm -12 - <(of_type asked))
	diff <(sort -u "$D/probes") "$D/asked"
	until_true 10 nothing_left
}
