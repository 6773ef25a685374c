#!/usr/bin/env bats
# Local jobs: "ewsctl cron" runs one and tells the hub, "ewsctl jobs" shows.

load lib/ews

setup() {
	ews_setup
	export EWS_STATE_DIR=$D/jobs
	SPOOL=$EWS_STATE_DIR/cron/spool
}

spooled() {
	find "$SPOOL" -name '*.start.*' -o -name '*.end.*' -o -name '*.overlap.*' | wc -l
}

# job_is NAME STATE
job_is() {
	[ "$(ewsctl jobs --exit-zero -o json "$1" | jq -r '.jobs[0].state')" = "$2" ]
}

# A job that runs until $D/go is there; $D/pid is its process.
waiter() {
	cat >"$D/waiter" <<-'H'
		#!/bin/sh
		trap 'echo caught; exit 9' TERM
		echo $$ >"$1/pid.new"
		mv "$1/pid.new" "$1/pid"
		while [ ! -e "$1/go" ]; do sleep 0.05; done
	H
	chmod 755 "$D/waiter"
}

@test "cron: exit status, stdout and stderr are the job's own" {
	run -3 --separate-stderr ewsctl cron j -- sh -c 'printf "a\0b"; printf err >&2; exit 3'
	ewsctl cron j -- sh -c 'printf "a\000\377b"; printf err >&2' >"$D/out" 2>"$D/err"
	cmp "$D/out" <(printf 'a\000\377b')
	cmp "$D/err" <(printf err)
	run -143 ewsctl cron j -- sh -c 'kill -TERM $$'
	run -137 ewsctl cron j -- sh -c 'kill -KILL $$'
	run -0 ewsctl cron j -- cat <<<"from stdin"
	[ "$output" = "from stdin" ]
	run -0 ewsctl cron j printf '%s|' --every -x 'a b' ''
	[ "$output" = "--every|-x|a b||" ]
}

@test "cron: what cannot be started exits 127 or 126 and says why" {
	run -127 --separate-stderr ewsctl cron j -- /nonexistent/job
	[[ $stderr == *"/nonexistent/job"*"No such file"* ]]
	run -126 --separate-stderr ewsctl cron j -- /etc/passwd
	[[ $stderr == *"denied"* ]]
	[ "$(spooled)" -eq 4 ]
	run -64 ewsctl cron j
	run -64 ewsctl cron 'a/b' -- true
}

@test "cron: the job has our environment, as it was" {
	export EWS_SOCKET=/x/sock EWS_OUTPUT=json FOO='a b'
	ewsctl cron j -- env | sort >"$D/with"
	env | sort >"$D/without"
	diff <(grep -v '^_=' "$D/with") <(grep -v '^_=' "$D/without")
}

@test "cron: the hub has the run, its output and how it ended" {
	start_ewsd
	run -3 ewsctl cron backup --every 1d --grace 10m --host air -- sh -c 'echo out; echo err >&2; exit 3'
	[ "$(spooled)" -eq 0 ]
	run -1 ewsctl jobs
	[[ $output == backup*air*"failed(3)"* ]]
	run -0 ewsctl jobs --exit-zero -o json
	jq -e '.jobs[0] | .name == "backup" and .host == "air" and .state == "failed" and .exit_code == 3
	    and .every_ms == 86400000 and .grace_ms == 600000 and .next_due' <<<"$output"
	run -1 ewsctl jobs -o json backup
	jq -e '.runs[0] | .state == "failed" and .output_bytes == 8 and .truncated == false
	    and (.output | contains("out\n") and contains("err\n"))' <<<"$output"
	run -0 ewsctl cron backup --host air -- true
	run -0 ewsctl jobs backup
	[ "${#lines[@]}" -ge 3 ]
	run -1 ewsctl jobs nosuch
	[[ $output == *"no job named nosuch"* ]]
	run -0 ewsctl jobs --forget backup
	run -0 ewsctl jobs
	[ -z "$output" ]
}

@test "cron: the last 64 KiB of the output are kept, and the record says so" {
	start_ewsd
	ewsctl cron big --host h -- sh -c 'seq 1 100000; printf "\377end"' >"$D/out"
	cmp "$D/out" <(seq 1 100000; printf '\377end')
	run -0 ewsctl jobs -o json big
	jq -e '.runs[0] | .truncated and .output_bytes == 588899' <<<"$output"
	jq -r '.runs[0].output64' <<<"$output" | base64 -d >"$D/kept"
	cmp "$D/kept" <(tail -c 65536 "$D/out")
	# text stays text: no half character at its front
	ewsctl cron utf --host h -- sh -c 'yes ü | tr -d "\n" | head -c 100000; printf x' >/dev/null
	run -0 ewsctl jobs -o json utf
	jq -e '.runs[0].output | length == 32768 and startswith("ü")' <<<"$output"
}

@test "cron: --quiet-unless-failed shows all of it, or nothing" {
	run -0 --separate-stderr ewsctl cron q --quiet-unless-failed -- sh -c 'echo out; echo err >&2'
	[ -z "$output$stderr" ]
	run -1 --separate-stderr ewsctl cron q --quiet-unless-failed -- sh -c 'echo out; echo err >&2; exit 1'
	[ "$output" = out ]
	[ "$stderr" = err ]
	ewsctl cron q --quiet-unless-failed -- sh -c 'seq 1 300000; exit 2' >"$D/out" || [ $? -eq 2 ]
	cmp "$D/out" <(seq 1 300000)
}

@test "cron: a second one at the same time exits 75 and is told" {
	start_ewsd
	waiter
	ewsctl cron w --host h -- "$D/waiter" "$D" 3>&- &
	first=$!
	PIDS+=($first)
	until_true 10 test -e "$D/pid"
	until_true 10 job_is w running
	run -75 ewsctl cron w --host h -- touch "$D/ran"
	[[ $output == *"goes on"* ]]
	[ ! -e "$D/ran" ]
	run -0 ewsctl cron w --host h --overlap -- true
	run -0 ewsctl cron other -- true
	touch "$D/go"
	wait $first
	forget $first
	run -0 ewsctl jobs -o json w
	jq -e '[.runs[].state] | sort == ["ok", "ok", "overlap"]' <<<"$output"
	jq -e '.jobs[0].last_overlap' <<<"$output"
}

@test "cron: signals are passed on to the job, and its answer is ours" {
	waiter
	ewsctl cron s -- "$D/waiter" "$D" >"$D/out" 3>&- &
	pid=$!
	PIDS+=($pid)
	until_true 10 test -e "$D/pid"
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	forget $pid
	[ $status -eq 9 ]
	[ "$(cat "$D/out")" = caught ]
	until_true 5 not_running "$(cat "$D/pid")"
}

@test "cron: what the job left behind in the background is not waited for" {
	sleep_pid() { cat "$D/bg"; }
	run -0 timeout 20 ewsctl cron bg -- sh -c 'sleep 600 & echo $! >'"$D/bg"'; echo done'
	[ "$output" = done ]
	kill "$(sleep_pid)"
}

@test "cron: without a hub the job runs, and the hub is told next time, in order" {
	run -0 ewsctl cron a --host h -- true
	run -4 ewsctl cron b --host h -- sh -c 'exit 4'
	[ "$(spooled)" -eq 4 ]
	[ "$(stat -c %a "$SPOOL" 2>/dev/null || stat -f %Lp "$SPOOL")" = 700 ]
	start_ewsd
	run -0 ewsctl cron c --host h -- true
	[ "$(spooled)" -eq 0 ]
	run -1 ewsctl jobs -o json
	[ "$(jq -c '[.jobs[] | [.name, .state]]' <<<"$output")" = '[["a","ok"],["b","failed"],["c","ok"]]' ]
}

@test "cron: a hub that hangs delays nobody for more than two seconds" {
	start_ewsd
	kill -STOP "$HUB_PID"
	before=$(date +%s)
	run -0 ewsctl cron j -- true
	[ $(($(date +%s) - before)) -le 4 ]
	kill -CONT "$HUB_PID"
	[ "$(spooled)" -eq 2 ]
	run -0 ewsctl cron j -- true
	[ "$(spooled)" -eq 0 ]
	run -0 ewsctl jobs -o json j
	jq -e '[.runs[].state] == ["ok", "ok"]' <<<"$output"
}

@test "cron: the spool is bounded; the oldest that ended go first, and that is told" {
	ewsctl cron j -- true
	for f in "$SPOOL"/*.end.*; do end=$f; done
	old=00000000-0000-7000-8000-00000000
	# one that has no end yet is older than all
	cp "$end" "$SPOOL/${old}0000.start.${old}0000"
	for i in $(seq 1001 1998); do
		cp "$end" "$SPOOL/${old}$i.end.${old}$i"
	done
	[ "$(spooled)" -eq 1001 ]
	run -0 --separate-stderr ewsctl cron j -- true
	[[ $stderr == *"records were dropped"* ]]
	[ "$(spooled)" -eq 1000 ]
	[ -e "$SPOOL/${old}0000.start.${old}0000" ]
	[ ! -e "$SPOOL/${old}1001.end.${old}1001" ]
	[ ! -e "$SPOOL/${old}1003.end.${old}1003" ]
	[ -e "$SPOOL/${old}1004.end.${old}1004" ]
	[ -e "$end" ]
}

@test "cron: it works as cron calls it: no environment, no terminal" {
	bin=$(command -v ewsctl)
	start_ewsd
	run -0 env -i "$bin" --socket "$SOCK/ewsd.sock" --state-dir "$D/jobs" cron j --host h -- /bin/echo hi </dev/null
	[ "$output" = hi ]
	run -0 ewsctl jobs
	[[ $output == j*ok* ]]
}

@test "cron: a state directory that cannot be used is told, and the job runs" {
	touch "$D/file"
	run -0 --separate-stderr ewsctl cron j --state-dir "$D/file" -- echo ran
	[ "$output" = ran ]
	[[ $stderr == *"no record is kept"* ]]
}

@test "jobs: a missed run and an overrunning one are told once and shown" {
	start_ewsd
	waiter
	run -0 ewsctl cron m --host h --every 1s --grace 1 -- true
	ewsctl cron o --host h --every 1s --grace 1 -- "$D/waiter" "$D" 3>&- &
	pid=$!
	PIDS+=($pid)
	until_true 10 job_is m missed
	until_true 10 job_is o overrun
	run -1 ewsctl jobs
	[[ $output == *m*missed*o*overrun* ]]
	run -0 ewsctl jobs --exit-zero
	until_true 5 grep -q 'job m on h: missed: no start since' "$D/ewsd.log"
	until_true 5 grep -q 'job o on h: overrun: it runs since' "$D/ewsd.log"
	touch "$D/go"
	wait $pid
	forget $pid
	[ "$(grep -c 'job m on h: missed' "$D/ewsd.log")" -eq 1 ]
	# a restarted hub knows them all
	end_process "$HUB_PID"
	restart_ewsd
	run -0 ewsctl jobs --exit-zero
	[ "${#lines[@]}" -eq 2 ]
}

@test "jobs: records that make no sense are refused" {
	start_ewsd
	bad() {
		run ewsctl raw "{\"id\":1,\"op\":\"job_record\",$1}"
		[[ $output == *bad_argument* ]]
	}
	ok='"host":"h","name":"j","run_id":"r","event":"start","at_ms":1'
	bad '"name":"j"'
	bad "${ok/start/begin}"
	bad "${ok/\"name\":\"j\"/\"name\":\"a/b\"}"
	bad "${ok/:1/:0}"
	bad "$ok,\"exit_code\":256"
	bad "$ok,\"output64\":\"!!\""
	bad "$ok,\"output\":\"abc\",\"output_bytes\":2"
	bad "$ok,\"output\":\"$(head -c 65537 /dev/zero | tr '\0' x)\""
	run -0 ewsctl raw "{\"id\":1,\"op\":\"job_record\",$ok}"
	run -0 ewsctl raw "{\"id\":1,\"op\":\"job_record\",$ok}"
	run -0 ewsctl jobs -o json j
	jq -e '.runs | length == 1' <<<"$output"
}
