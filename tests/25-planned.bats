#!/usr/bin/env bats
# ewsctl, one command: followed through restarts, fed, interrupted, planned,
# explained.

load lib/ews

quick_agent() {
	start_agent mini --reconnect-min 20ms --reconnect-max 200ms "$@"
}

# in_background NAME COMMAND...: Ctrl-C reaches it; $RUNNER, $D/NAME.{out,err}
in_background() {
	local name=$1
	shift
	set -m # else a background job ignores SIGINT
	"$@" >"$D/$name.out" 2>"$D/$name.err" 3>&- &
	RUNNER=$!
	set +m
	PIDS+=("$RUNNER")
}

# ends_with STATUS: the runner, within 30 s
ends_with() {
	local got=0
	until_true 30 not_running "$RUNNER"
	wait "$RUNNER" || got=$?
	forget "$RUNNER"
	[ "$got" -eq "$1" ] || { echo "exit $got, not $1"; cat "$D"/*.err; return 1; }
}

restart_hub() {
	end_process "$HUB_PID" "${1:-TERM}"
	restart_ewsd
}

# A handler that says a line, waits for one in the pipe $D/go, and so on.
talker() {
	mkfifo "$D/go"
	exec {GO}<>"$D/go"
	handler talker <<-H
		#!/bin/sh
		echo one; echo eins >&2
		read -r x <"$D/go"
		echo two; echo zwei >&2
		read -r x <"$D/go"
		echo three; echo drei >&2
		exit 7
	H
}

@test "run: the hub stops and comes back, each byte comes once, the exit status is right" {
	start_ewsd
	quick_agent
	talker
	in_background r ewsctl run mini talker
	until_true 10 grep -q eins "$D/r.err"
	restart_hub
	echo >&"$GO"
	until_true 20 grep -q zwei "$D/r.err"
	restart_hub KILL
	echo >&"$GO"
	ends_with 7
	[ "$(cat "$D/r.out")" = $'one\ntwo\nthree' ]
	[ "$(grep -v ^ewsctl: "$D/r.err")" = $'eins\nzwei\ndrei' ]
	grep -q 'the hub went away' "$D/r.err"
	grep -q 'the hub is back' "$D/r.err"
}

@test "run: the hub is away for the end, too; it is told afterwards" {
	start_ewsd
	quick_agent
	talker
	in_background r ewsctl run -q mini talker
	until_true 10 grep -q eins "$D/r.err"
	end_process "$HUB_PID" KILL
	echo >&"$GO"
	echo >&"$GO"
	restart_ewsd
	ends_with 7
	[ "$(cat "$D/r.out")" = $'one\ntwo\nthree' ]
	[ "$(cat "$D/r.err")" = $'eins\nzwei\ndrei' ]
}

@test "send --wait=done: goes on through a restart, and the command ran once" {
	start_ewsd
	quick_agent
	mkfifo "$D/go"
	handler once <<-H
		#!/bin/sh
		echo x >>"$D/effects"
		read -r x <"$D/go"
		exit 3
	H
	in_background s ewsctl send --wait=done --id job mini once
	until_true 10 test -s "$D/effects"
	restart_hub KILL
	echo >"$D/go"
	ends_with 3
	[ "$(cat "$D/s.out")" = job ]
	[ "$(wc -l <"$D/effects")" -eq 1 ]
}

@test "run: --timeout ends the wait for a hub that does not come back" {
	start_ewsd
	quick_agent
	talker
	in_background r ewsctl run --timeout 2s mini talker
	until_true 10 grep -q eins "$D/r.err"
	end_process "$HUB_PID" KILL
	ends_with 255
	grep -q 'the outcome is not known: no hub answers' "$D/r.err"
}

@test "--reconnect: so long is waited for a hub that went away; then each says what it knows" {
	start_ewsd
	quick_agent
	talker
	in_background r ewsctl run --id t --reconnect 500ms mini talker
	first=$RUNNER
	until_true 10 grep -q eins "$D/r.err"
	in_background a ewsctl attach --reconnect 500ms t
	second=$RUNNER
	until_true 10 grep -q eins "$D/a.err"
	BEFORE=$(requests) OWN=0
	in_background w ewsctl wait command t done --reconnect 500ms
	third=$RUNNER
	in_background g ewsctl wait agent nobody online --reconnect 0
	fourth=$RUNNER
	until_true 10 asked_more 2
	in_background m ewsctl run --target id:mini --reconnect 500ms talker
	fifth=$RUNNER
	until_true 10 grep -q eins "$D/m.err"
	end_process "$HUB_PID" KILL
	for RUNNER in $first $second $fifth; do ends_with 255; done
	for RUNNER in $third $fourth; do ends_with 69; done
	grep -q 'the outcome is not known: no hub answers.*ewsctl attach t' "$D/r.err"
	grep -q 'the outcome is not known: no hub answers.*ewsctl attach t' "$D/a.err"
	grep -q 'no hub answers.*ewsctl command t' "$D/w.err"
	run -1 grep waiting "$D/g.err"
	[ "$(cat "$D/r.out")" = one ]
	# what was said to do, works
	restart_ewsd
	in_background a ewsctl attach t
	until_true 10 grep -q one "$D/a.out"
	kill "$RUNNER"
	ends_with 143
}

requests() {
	ewsctl stats --jq .ctl_requests
}

# asked_more N: so many requests since $BEFORE, our own questions not counted
asked_more() {
	OWN=$((OWN + 1))
	[ $(($(requests) - BEFORE - OWN)) -ge "$1" ]
}

@test "send --lines: lines without an answer are named, with their ids" {
	start_ewsd
	printf '%s\n' '{"agent":"mini","type":"echo","command_id":"a"}' '{"agent":"mini","type":"echo"}' bad >"$D/lines"
	in_background l ewsctl send --queue-unknown --lines "$D/lines" --wait=done -o json
	taken() { [ "$(ewsctl commands mini -o json | jq '.commands | length')" = 2 ]; }
	until_true 10 taken
	end_process "$HUB_PID" KILL
	ends_with 255
	grep -q 'line 1: whether the hub has a is not known: ' "$D/l.err"
	grep -qE 'line 2: whether the hub has [0-9a-f-]{36} is not known: ' "$D/l.err"
	grep -q 'line 3: bad JSON' "$D/l.err"
	[ "$(jq -r .line "$D/l.out" | xargs)" = "1 2 3" ]
	restart_ewsd
	run -0 ewsctl command a
}

@test "attach: from the start, while another run is on, with its exit status" {
	start_ewsd
	quick_agent
	talker
	in_background r ewsctl run --id t mini talker
	first=$RUNNER
	until_true 10 grep -q eins "$D/r.err"
	echo >&"$GO"
	until_true 10 grep -q zwei "$D/r.err"
	in_background a ewsctl attach t
	until_true 10 grep -q zwei "$D/a.err"
	echo >&"$GO"
	ends_with 7
	RUNNER=$first
	ends_with 7
	cmp "$D/r.out" "$D/a.out"
	[ "$(cat "$D/a.out")" = $'one\ntwo\nthree' ]
	[ "$(cat "$D/a.err")" = $'eins\nzwei\ndrei' ]
	# and when it has ended
	run -7 --separate-stderr ewsctl attach t
	[ "$output" = $'one\ntwo\nthree' ]
	[ "$stderr" = $'eins\nzwei\ndrei' ]
	run -1 ewsctl attach nosuch
}

@test "attach: what is kept no more is told, and --strict-output makes it 74" {
	start_ewsd
	quick_agent
	handler much <<-'H'
		#!/bin/sh
		head -c 400000 /dev/zero | tr '\0' x
		echo; echo end
	H
	ewsctl run --id m mini much >"$D/all"
	[ "$(wc -c <"$D/all")" -eq 400005 ]
	kept() { [ "$(ewsctl attach m 2>/dev/null | wc -c)" -lt 400005 ]; }
	until_true 10 kept
	run -0 --separate-stderr ewsctl attach m
	[[ $output == *end ]]
	gone=$((400004 - ${#output}))
	[ $gone -gt 0 ]
	[ "$stderr" = "ewsctl: $gone bytes of stdout are gone" ]
	run -74 ewsctl attach --strict-output m
	run -0 ewsctl run --strict-output mini echo hello
}

@test "attach: an agent that is away is said, and Ctrl-C only detaches" {
	start_ewsd
	ewsctl send --queue-unknown --id q mini echo
	in_background a ewsctl attach q
	until_true 10 grep -q 'is away' "$D/a.err"
	kill -INT "$RUNNER"
	ends_with 130
	command_is q accepted
	in_background a ewsctl attach q
	until_true 10 grep -q 'is away' "$D/a.err"
	quick_agent
	ends_with 0
	grep -q 'is back' "$D/a.err"
}

@test "cancel: cancelled, cancelling, too late, unknown" {
	start_ewsd
	quick_agent
	talker
	sed -i.bak '1a trap "" TERM' "$D/handlers/talker"
	rm -f "$D/handlers/talker.bak"
	ewsctl send --in 1h --id later mini echo
	run -0 ewsctl cancel later
	[ "$output" = "later cancelled" ]
	run -1 ewsctl cancel later
	[[ $output == *"too late: "* ]]
	run -1 ewsctl cancel nosuch
	[[ $output == *"unknown: "* ]]
	in_background r ewsctl run --id t mini talker
	until_true 10 grep -q eins "$D/r.err"
	run -0 ewsctl cancel t --grace 1h
	[ "$output" = "t cancelling" ]
	command_is t started
	run -0 ewsctl cancel t --signal KILL
	[ "$output" = "t cancelled" ]
	ends_with 137
	# the hub answers for an agent that is away: what it has, it may run
	run -124 ewsctl run --id u --timeout 500ms mini talker
	[[ $output == *"ewsctl attach u"* ]]
	end_process "$AGENT_PID"
	until_true 10 agent_is mini offline
	run ewsctl cancel u
	[ "$status" -ne 0 ]
	[[ $output == *mini* ]]
	command_is u started
}

@test "a reader that stands still, of stderr, too, does not hold up Ctrl-C" {
	start_ewsd
	quick_agent
	handler both <<-H
		#!/bin/sh
		trap 'echo x >>"$D/asked"' INT
		(trap '' INT; yes) &
		(trap '' INT; yes >&2) &
		while :; do wait; done
	H
	mkfifo "$D/pipe"
	exec {HELD}<>"$D/pipe"
	set -m
	ewsctl run --id b mini both >"$D/pipe" 2>&1 3>&- &
	RUNNER=$!
	set +m
	PIDS+=("$RUNNER")
	IFS= read -r -u "$HELD" _ # and no more
	kill -INT "$RUNNER"
	until_true 10 test -s "$D/asked" # two at once could be one
	kill -INT "$RUNNER"
	until_true 30 not_running "$RUNNER"
	got=0
	wait "$RUNNER" || got=$?
	forget "$RUNNER"
	[ "$got" -eq 130 ]
	exec {HELD}>&-
	ewsctl cancel b --signal KILL
}

@test "Ctrl-C once: the handler gets SIGINT and says how it ends" {
	start_ewsd
	quick_agent
	handler polite <<-'H'
		#!/bin/sh
		trap 'echo bye; exit 9' INT
		echo ready
		while :; do sleep 0.05; done
	H
	in_background r ewsctl run --id p mini polite
	until_true 10 grep -q ready "$D/r.out"
	kill -INT "$RUNNER"
	ends_with 9
	[ "$(cat "$D/r.out")" = $'ready\nbye' ]
	grep -q 'SIGINT' "$D/r.err"
	handler plain <<-'H'
		#!/bin/sh
		echo ready
		exec sleep 60
	H
	in_background r ewsctl run mini plain
	until_true 10 grep -q ready "$D/r.out"
	kill -INT "$RUNNER"
	ends_with 130
}

@test "Ctrl-C before it runs takes it back; while the hub is away it is told so" {
	start_ewsd
	ewsctl send --queue-unknown --id first mini echo
	in_background r ewsctl run --id q mini echo
	until_true 10 grep -q 'is away' "$D/r.err"
	kill -INT "$RUNNER"
	ends_with 130
	grep -q 'taking q back' "$D/r.err"
	command_is q cancelled
	quick_agent
	talker
	in_background r ewsctl run --id t mini talker
	until_true 10 grep -q eins "$D/r.err"
	end_process "$HUB_PID" KILL
	until_true 10 grep -q 'went away' "$D/r.err"
	kill -INT "$RUNNER"
	until_true 10 grep -q 'no SIGINT for t' "$D/r.err"
	kill -INT "$RUNNER"
	ends_with 130
	grep -q 'ewsctl attach t' "$D/r.err"
	restart_ewsd
	until_true 20 agent_is mini online
	run -0 ewsctl cancel t
}

@test "Ctrl-C twice: it is left running, and we say how to attach" {
	start_ewsd
	quick_agent
	talker
	sed -i.bak '1a trap "echo no" INT' "$D/handlers/talker"
	rm -f "$D/handlers/talker.bak"
	in_background r ewsctl run --id t mini talker
	until_true 10 grep -q eins "$D/r.err"
	kill -INT "$RUNNER"
	until_true 10 grep -q 'once more' "$D/r.err"
	kill -INT "$RUNNER"
	ends_with 130
	grep -q 'ewsctl attach t' "$D/r.err"
	command_is t started
	in_background a ewsctl attach t
	until_true 10 grep -q eins "$D/a.err"
	(while :; do echo; sleep 0.05; done) >&"$GO" 2>/dev/null &
	PIDS+=($!)
	until_true 30 not_running "$RUNNER"
	grep -q three "$D/a.out"
	command_ended() { [ "$(ewsctl command t -o json | jq .exit_code)" = 7 ]; }
	until_true 10 command_ended
}

@test "TERM leaves at once, also while the reader of our output stands still" {
	start_ewsd
	quick_agent
	handler big <<-'H'
		#!/bin/sh
		head -c 50000000 /dev/zero | tr '\0' x
	H
	mkfifo "$D/pipe"
	exec {HELD}<>"$D/pipe"
	set -m
	ewsctl run --id b mini big >"$D/pipe" 2>"$D/r.err" 3>&- &
	RUNNER=$!
	set +m
	PIDS+=("$RUNNER")
	until_true 10 command_is b started
	IFS= read -r -N 1 -u "$HELD" _ # and no more
	kill -TERM "$RUNNER"
	ends_with 143
	grep -q 'ewsctl attach b' "$D/r.err"
	exec {HELD}>&-
}

# open_feed: the pipe $D/feed, which has no end until end_feed. Nobody else
# may inherit its writing side.
open_feed() {
	mkfifo "$D/feed"
	sleep 80 >"$D/feed" 3>&- &
	FEEDER=$!
	PIDS+=("$FEEDER")
}

end_feed() {
	end_process "$FEEDER"
}

@test "run --stdin: 5 MB arrive as they were, also with the hub restarted in the middle" {
	start_ewsd
	quick_agent
	head -c 5000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >"$D/in"
	want=$(openssl dgst -sha256 -r <"$D/in" | cut -d' ' -f1)
	handler digest <<-'H'
		#!/bin/sh
		openssl dgst -sha256 -r | cut -d' ' -f1
	H
	run -0 ewsctl run --stdin mini digest <"$D/in"
	[ "$output" = "$want" ]
	# in three parts, by a pipe
	open_feed
	handler count <<-H
		#!/bin/sh
		head -c 2000000 >"$D/got"
		echo part
		cat >>"$D/got"
		openssl dgst -sha256 -r <"$D/got" | cut -d' ' -f1
	H
	in_background r ewsctl run --stdin mini count <"$D/feed"
	head -c 2100000 "$D/in" >"$D/feed"
	until_true 20 grep -q part "$D/r.out"
	restart_hub KILL
	tail -c +2100001 "$D/in" >"$D/feed"
	end_feed
	ends_with 0
	[ "$(cat "$D/r.out")" = $'part\n'"$want" ]
}

@test "run --stdin: empty input, and a handler that reads no more" {
	start_ewsd
	quick_agent
	handler few <<-'H'
		#!/bin/sh
		exec head -c 10
	H
	handler all <<-'H'
		#!/bin/sh
		cat; echo end
	H
	run -0 ewsctl run --stdin mini all </dev/null
	[ "$output" = end ]
	run -0 ewsctl run --stdin mini all <<<'a line'
	[ "$output" = $'a line\nend' ]
	run -0 timeout 30 sh -c 'yes | ewsctl run --stdin mini few'
	[ "$output" = $'y\ny\ny\ny\ny' ]
	# nobody's end of input: the handler's own is enough
	handler quick <<<'#!/bin/sh'
	open_feed
	run -0 timeout 30 ewsctl run --stdin mini quick <"$D/feed"
	echo 0123456789 >"$D/feed" 3>&- &
	run -0 timeout 30 ewsctl run --stdin mini few <"$D/feed"
	[ "$output" = 0123456789 ]
	end_feed
}

@test "run --stdin: input that cannot be read does not pass for the whole" {
	start_ewsd
	quick_agent
	handler all <<-'H'
		#!/bin/sh
		cat; echo end
	H
	run -74 timeout 30 ewsctl run --id s --stdin mini all <"$D"
	[[ $output == *"stdin: Is a directory"* ]]
	command_is s cancelled
}

@test "run --stdin: answers come while we still feed it" {
	start_ewsd
	quick_agent
	handler upper <<-'H'
		#!/bin/sh
		while read -r line; do echo "<$line>"; done
	H
	open_feed
	in_background r ewsctl run --stdin mini upper <"$D/feed"
	echo first >"$D/feed"
	until_true 10 grep -q '<first>' "$D/r.out"
	echo second >"$D/feed"
	until_true 10 grep -q '<second>' "$D/r.out"
	end_feed
	ends_with 0
}

@test "flags that contradict one another exit 64 and say why" {
	check() {
		local said=$1
		shift
		run -64 --separate-stderr ewsctl "$@"
		[ -z "$output" ]
		[[ $stderr == *"$said"* ]] || { echo "$stderr"; return 1; }
	}
	check "--at and --in" send --at @1 --in 5m a b
	check "--cron" send --cron @daily --in 5m a b
	check "ewsctl send" run --cron @daily a b
	check "--wait" send --cron @daily --wait=done a b
	check "--schedule-id" send --cron @daily --id x a b
	check "--cron" send --schedule-id x a b
	check "--late" send --late skip a b
	check "--at-edge" send --at-edge a b
	check "--cron" send --lines - --cron @daily
	check "--stdin" send --lines - --stdin
	check "--cron" send --stdin --wait=done --cron @daily a b
	check "link" run --stdin --at-edge --in 5m a b
	check "--stdin" run --stdin --payload - a b
	check "--stdin" send --stdin --wait=done a b -
	check "stays" send --stdin a b
	check "no time" send --at tomorrow a b
	check "no time" send --at 1700000000 a b
	check "no time" send --at 2026-11-21T07:00:00 a b
	check "no time" send --at '2026-11-31T07:00:00Z' a b
	check "does not exist" send --at '2026-11-31 07:00' a b
	check "does not exist" send --tz Europe/Berlin --at '2026-03-29 02:30' a b
	check "schedules" schedules nosuch
	check "schedules" schedules show
	check "schedules" schedules list x
	check "dead" dead nosuch
	check "--all" dead requeue
	check "--all" dead drop --agent mini
	check "an ID" dead drop --all x
	check "for the list" dead requeue --all --limit 1
	check "for the list" dead drop --all --before 7
	check "ends in" dead --state started
	check "wait" wait nobody mini
	check "online" wait agent mini done
	check "accepted" wait command x online
	check "+WORD" tag mini web
}

@test "--at: RFC 3339, @unix, and the wall clock of a zone" {
	start_ewsd
	due() {
		local id
		id=$(ewsctl send --queue-unknown "$@" absent echo)
		ewsctl schedules show "$id" -o json | jq -r .next
	}
	[ "$(due --at 2036-07-01T07:00:00+02:00)" = 2036-07-01T05:00:00.000Z ]
	[ "$(due --at @2100000000)" = 2036-07-18T13:20:00.000Z ]
	[ "$(TZ=UTC0 due --at '2036-07-01 07:00')" = 2036-07-01T07:00:00.000Z ]
	[ "$(TZ=UTC-3 due --at '2036-07-01 07:00:30')" = 2036-07-01T04:00:30.000Z ]
	[ "$(due --tz Europe/Berlin --at '2036-07-01 07:00')" = 2036-07-01T05:00:00.000Z ]
	[ "$(due --tz Europe/Berlin --at '2036-01-01 07:00')" = 2036-01-01T06:00:00.000Z ]
	# it occurs twice: the first
	[ "$(due --tz Europe/Berlin --at '2036-10-26 02:30')" = 2036-10-26T00:30:00.000Z ]
}

@test "run --in: waits for its time, and for the end" {
	start_ewsd
	quick_agent
	run -0 ewsctl run --in 300ms mini echo later
	[ "$output" = later ]
	run -124 ewsctl run --in 1h --timeout 300ms mini echo later
}

@test "schedules: made, listed, shown, paused, resumed, cancelled" {
	start_ewsd
	quick_agent
	run -0 ewsctl send --cron '0 7 * * 1' --tz Europe/Berlin --schedule-id weekly mini echo
	[ "$output" = weekly ]
	run -0 ewsctl send --in 1h --id once mini echo
	run -0 ewsctl schedules
	[[ $output == *once*mini*echo*once* ]]
	[[ $output == *weekly*mini*echo*"0 7 * * 1 Europe/Berlin"* ]]
	run -0 ewsctl schedules -o json --agent mini
	[ "$(jq -r '[.schedules[].kind] | sort | join(" ")' <<<"$output")" = "cron once" ]
	run -0 ewsctl schedules pause weekly
	[ "$output" = "weekly paused" ]
	run -0 ewsctl why weekly
	[[ $output == *created*paused*"It is paused."*"-> ewsctl schedules resume weekly"* ]]
	run -0 ewsctl schedules show weekly
	[[ $output == *"0 7 * * 1"*history*created*paused* ]]
	run -0 ewsctl schedules
	[[ $output == *weekly*paused* ]]
	run -0 ewsctl schedules resume weekly -o json
	[ "$(jq .paused <<<"$output")" = false ]
	run -0 ewsctl why weekly
	[[ $output == *"It sends echo to mini next at 20"*" from now."*"It has come 0 times; 0 missed."* ]]
	run -0 ewsctl schedules cancel weekly
	[ "$output" = "weekly cancelled" ]
	run -0 ewsctl schedules cancel once -o json
	[ "$(jq -c '[.answer, .next]' <<<"$output")" = '["cancelled",null]' ]
	run -0 ewsctl schedules
	[ -z "$output" ]
	run -1 ewsctl schedules show weekly
	# the same again is the same, other content is a conflict
	ewsctl send --cron @daily --schedule-id d mini echo
	run -65 ewsctl send --cron '0 25 * * *' mini echo
	[[ $output == *hour* ]]
}

@test "dead: listed with the reason, requeued, dropped" {
	start_ewsd
	quick_agent
	run -127 ewsctl run --id n1 mini nosuch
	run -127 ewsctl run --id n2 mini nosuch
	ewsctl send --id e1 --queue-unknown --ttl 50ms absent echo
	run -1 ewsctl wait command e1 done --timeout 20s
	[[ $output == *expired* ]]
	run -0 ewsctl dead
	[[ $output == *e1*absent*echo*expired* ]]
	[[ $output == *n1*mini*nosuch*failed*no_handler* ]]
	run -0 ewsctl dead --agent mini --type nosuch --state failed --reason no_handler -o json
	[ "$(jq -r '[.commands[].command_id] | sort | join(" ")' <<<"$output")" = "n1 n2" ]
	run -0 ewsctl dead --state expired --state refused -o json
	[ "$(jq -r '.commands[].command_id' <<<"$output")" = e1 ]
	handler nosuch <<<'#!/bin/sh'
	run -0 ewsctl dead requeue n1
	read -r from to <<<"$output"
	[ "$from" = n1 ]
	until_true 10 command_is "$to" done
	run -0 ewsctl why n1
	[[ $output == *"sent again as $to"* ]]
	run -0 ewsctl dead requeue --all --agent mini -o json
	[ "$(jq -r '.requeued[0].from' <<<"$output")" = n2 ]
	run -0 ewsctl dead drop --all
	[ "$output" = "1 dropped" ]
	run -0 ewsctl dead
	[ -z "$output" ]
	run -1 ewsctl dead drop nosuch
	# what was seen to is not offered again
	run -1 ewsctl dead requeue n1
	[[ $output == *"as $to"* ]]
	run -0 ewsctl why e1
	[[ $output == *"It was dropped"* && $output != *"-> "* ]]
	run -0 --separate-stderr ewsctl dead requeue --all --reason ttl
	[ -z "$output" ]
	[[ $stderr == *"there is none"* ]]
}

@test "why: a command, from its acceptance to its end" {
	start_ewsd
	ewsctl send --id w1 --queue-unknown mini echo
	run -0 ewsctl why w1
	[[ $output == *"accepted"*"echo for mini"* ]]
	[[ $output == *"It waits for mini, which has never connected."* ]]
	quick_agent
	until_true 10 command_is w1 done
	run -0 ewsctl why w1
	[[ $output == *"ago "*"+"*delivered*websocket*done*"0 on stderr"* ]]
	[[ $output == *"It ran to its end, with exit status 0, in "* ]]
	run -0 ewsctl why w1 -o json
	[ "$(jq -r .what <<<"$output")" = command ]
	[ "$(jq -r '[.timeline[].step] | index("done") != null' <<<"$output")" = true ]
	[ "$(jq -r '.timeline[1].since_ms >= 0' <<<"$output")" = true ]
	# who is before it
	end_process "$AGENT_PID"
	until_true 10 agent_is mini offline
	for i in 1 2 3; do ewsctl send --id "b$i" mini echo; done
	ewsctl send --id low --priority low mini echo
	ewsctl send --id high --priority high mini echo
	run -0 ewsctl why low
	[[ $output == *"It waits for mini, which was last seen "*" ago and has 4 commands before it."* ]]
	run -0 ewsctl why high
	[[ $output == *"has nothing before it."* ]]
	run -0 ewsctl why b2
	[[ $output == *"has 2 commands before it."* ]]
	ewsctl cancel b2
	run -0 ewsctl why b2
	[[ $output == *"It ended "*" ago as cancelled"* ]]
	ewsctl send --in 1h --id timed mini echo
	run -0 ewsctl why timed
	[[ $output == *"It waits for its time, 20"*" from now."* ]]
	run -1 ewsctl why nobody
	[[ $output == *"no command, agent or schedule nobody"* ]]
	ewsctl send --in 1h --at-edge --id early mini echo
	run -0 ewsctl why early
	[[ $output == *"-> "* ]]
	quick_agent
	until_true 10 command_is early received
	run -0 ewsctl why early
	[[ $output == *"mini has it and waits for its time, 20"*"link or no link."* ]]
}

@test "why: an agent, its link and what is wrong with it" {
	start_ewsd
	quick_agent
	run -0 ewsctl why mini
	[[ $output == *connected*websocket*greeted*"mini is online, for "* ]]
	run -0 ewsctl why mini -o json
	[ "$(jq -r .what <<<"$output")" = agent ]
	[ "$(jq -r '.timeline[0].step' <<<"$output")" = connected ]
	end_process "$AGENT_PID"
	until_true 10 agent_is mini offline
	run -0 ewsctl why mini
	[[ $output == *disconnected*"mini is offline; it was last seen "*"-> "* ]]
	for _ in 1 2 3 4 5; do
		quick_agent
		end_process "$AGENT_PID"
		until_true 10 agent_is mini offline
	done
	run -0 ewsctl why mini
	[[ $output == *"It connected 6 times in the last 10 min."* ]]
}

@test "wait: for an agent to come and go, for the steps of a command" {
	start_ewsd
	ewsctl send --queue-unknown --id w mini echo
	run -124 ewsctl wait agent mini online --timeout 300ms
	in_background w ewsctl wait agent mini
	quick_agent
	ends_with 0
	[ "$(cat "$D/w.out")" = "mini online" ]
	run -0 ewsctl wait command w
	[ "$output" = "w done" ]
	for step in accepted delivered received started done; do
		run -0 ewsctl wait command w $step -o json
		[ "$(jq -r .state <<<"${lines[-1]}")" = done ]
	done
	handler slow <<-'H'
		#!/bin/sh
		exec sleep 60
	H
	ewsctl send --id s mini slow
	run -0 ewsctl wait command s started
	[ "$output" = "s started" ]
	run -124 ewsctl wait command s done --timeout 300ms
	ewsctl cancel s
	run -1 ewsctl wait command s done
	[[ $output == *cancelled* ]]
	in_background w ewsctl wait agent mini offline
	end_process "$AGENT_PID"
	ends_with 0
	run -1 ewsctl wait command nosuch done
}

@test "wait: through a restart of the hub" {
	start_ewsd
	in_background w ewsctl wait agent mini online
	ewsctl send --queue-unknown mini echo
	until_true 10 ewsctl agent mini
	restart_hub
	quick_agent
	ends_with 0
}

@test "tag: given and taken away" {
	start_ewsd
	quick_agent
	run -0 ewsctl tag mini +web +eu -old
	[ "$output" = "mini web eu" ] || [ "$output" = "mini eu web" ]
	run -0 ewsctl tag mini -web
	[ "$output" = "mini eu" ]
	run -0 ewsctl agent mini -o json
	[ "$(jq -c .given_tags <<<"$output")" = '["eu"]' ]
	run -1 ewsctl tag nobody +x
}

@test "send --wait: what ended before the step is told, and is no success" {
	start_ewsd
	late() {
		ewsctl send --queue-unknown --ttl 200ms "$@"
	}
	for step in delivered received started; do
		run -1 --separate-stderr late --wait=$step absent echo
		[[ $stderr == *" has ended: expired"* ]]
	done
	run -125 --separate-stderr late --wait=done absent echo
	[[ $stderr == *"absent echo: expired"* ]]
	run -1 --separate-stderr late --wait=started --lines - \
		<<<'{"agent":"absent","type":"echo"}'
	[[ $stderr == *"line 1: "*" has ended: expired"* ]]
}

@test "agents: one that has never come was never seen" {
	start_ewsd
	ewsctl send --queue-unknown absent echo
	run -0 ewsctl agents
	[[ $output == "absent "*"1 waiting  never seen" ]]
	[ "$(ewsctl agent absent --jq 'has("last_seen")')" = false ]
	start_agent absent
	run -0 ewsctl agents
	[[ $output == "absent "*"seen 20"* ]]
	end_process "$AGENT_PID"
	end_process "$HUB_PID"
	restart_ewsd
	run -0 ewsctl agents
	[[ $output == "absent "*"seen 20"* ]]
}

@test "--at: too far ahead is said in words" {
	start_ewsd
	run -65 ewsctl send --queue-unknown --at 9999-12-31T23:59:59Z a echo
	[[ $output == *"more than ten years ahead"* ]]
}
