#!/usr/bin/env bats
# A disk that fails wherever it can: what was acknowledged is there.
# EWS_TORTURE=2000 makes the long form (`make torture`): that many cuts of the
# power, a kill and a torn write at every place at which the hub writes, an
# error at many of them. Linux only: the disk is tests/fault/faultlib.c, which
# the hub is started with.

load lib/ews

TORTURE=${EWS_TORTURE:-0}
CUTS=$((TORTURE > 0 ? TORTURE : 100))
# an idle machine takes a tenth of it; in `make check` others run beside, and
# EWS_READY_MS is for whoever lets the long form run on a busy one
READY_MS=${EWS_READY_MS:-$((TORTURE > 0 ? 1000 : 3000))}

setup() {
	[ "$(uname -s)" = Linux ] || skip "faultlib is for Linux"
	ews_setup
	mkdir "$D/cut"
	RUN=0 SLOWEST=0
}

# faulty_ewsd VARIABLE=VALUE...: of faultlib
faulty_ewsd() {
	rm -f "$D"/ready.* # of those that were killed before they were
	start ewsd env LD_PRELOAD="$BUILD/tools/faultlib.so" \
	    ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" \
	    FAULT_DIR="$D/state" "$@" \
	    ewsd --listen 127.0.0.1:0 --state-dir "$D/state"
	local status=$?
	HUB_PID=$PID
	return $status
}

# a hub with another, empty state directory
new_state() {
	rm -rf "$D/state"
	mkdir -m 700 "$D/state"
	: >"$D/ids"
}

# sends commands FROM to TO, and keeps what is acknowledged; that the disk
# refused a cancel is no failure
send() {
	ackrun send "$SOCK/ewsd.sock" "$1" "$2" >>"$D/ids" || [ $? -eq 1 ]
}

check() {
	ackrun check "$SOCK/ewsd.sock" <"$D/ids"
}

# Who does not know what became of his commands sends them again: each is
# there once.
send_again() {
	local n
	send 1 60
	[ "$(grep -c '^c' "$D/ids")" -ge 60 ]
	n=$(ewsctl commands --limit 1000 \
	    --jq '[.commands[].command_id] | "\(length) \(unique | length)"')
	[ "$n" = "60 60" ]
}

kill_hub() {
	kill -KILL "$HUB_PID" 2>/dev/null || true
	gone "$HUB_PID" 10
	forget "$HUB_PID"
}

# killed PID: that is how it ended
killed() {
	local status=0
	wait "$1" || status=$?
	[ $status -eq 137 ]
}

end_hub() {
	end_process "$HUB_PID"
}

# sound_again [VARIABLE=VALUE...]: a hub on a sound disk is ready soon, and has
# everything
sound_again() {
	local before=${EPOCHREALTIME/./} took
	faulty_ewsd "$@"
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	if [ $took -gt "$SLOWEST" ]; then SLOWEST=$took; fi
	[ $took -le "$READY_MS" ] || { echo "ready after $took ms"; return 1; }
	check
}

# record N [VARIABLE=VALUE...]: N commands in two lives of the hub, written
# down in $D/log. Chance shall also cut the power between the two, and in the
# midst of a start.
record() {
	local n=$1
	shift
	new_state
	rm -f "$D/log"
	faulty_ewsd FAULT_LOG="$D/log" "$@"
	send 1 $((n * 3 / 4))
	end_hub
	faulty_ewsd FAULT_LOG="$D/log" "$@"
	send $((n * 3 / 4 + 1)) "$n"
	kill_hub
}

# life FROM: the state in which a hub starts that is sent commands FROM to 60;
# those before were sent to one that was killed
life() {
	new_state
	[ "$1" -gt 1 ] || return 0
	if [ ! -d "$D/former" ]; then
		faulty_ewsd FAULT_NOSYNC=1
		send 1 $(($1 - 1))
		kill_hub
		cp -a "$D/state" "$D/former"
		cp "$D/ids" "$D/former-ids"
	fi
	cp -a "$D/former/." "$D/state"
	cp "$D/former-ids" "$D/ids"
}

# kill_at FROM HOW PLACE: then all is there
kill_at() {
	echo "$2 at $3"
	life "$1"
	faulty_ewsd FAULT="$2 $3" FAULT_NOSYNC=1 2>/dev/null || true
	send "$1" 60 2>/dev/null || true
	# the last places are those of its end
	kill -TERM "$HUB_PID" 2>/dev/null || true
	until_true 10 not_running "$HUB_PID"
	if killed "$HUB_PID"; then DIED=$((DIED + 1)); fi
	RUN=$((RUN + 1))
	forget "$HUB_PID"
	sound_again FAULT_NOSYNC=1
	if [ $((TORTURE > 0 || RUN % 8 == 0)) -eq 1 ]; then send_again; fi
	kill_hub
}

# places FROM HOW_MANY: of a life without a fault, in PLACES; at least so many
places() {
	local all
	life "$1"
	rm -f "$D/log"
	faulty_ewsd FAULT_LOG="$D/log" FAULT_NOSYNC=1
	send "$1" 60
	end_hub
	all=$(powercut places "$D/log" 1 | wc -l)
	[ "$all" -gt 100 ]
	mapfile -t PLACES < <(powercut places "$D/log" \
	    $((TORTURE > 0 ? 1 : all / $2 + 1)))
}

# kill_everywhere FROM HOW_MANY
kill_everywhere() {
	local place how hows i=0
	places "$1" "$2"
	DIED=0
	for place in "${PLACES[@]}"; do
		hows=(kill)
		[[ $place != *W ]] || hows=(kill torn)
		[ "$TORTURE" -gt 0 ] || hows=("${hows[i++ % ${#hows[@]}]}")
		for how in "${hows[@]}"; do
			kill_at "$1" "$how" "${place% *}"
		done
	done
	echo "# killed $DIED times at ${#PLACES[@]} places;" \
	    "slowest start $SLOWEST ms" >&3
	# what is written may differ a little from run to run
	[ "$DIED" -ge $((RUN * 9 / 10)) ]
}

@test "the hub killed wherever it writes: what it acknowledged is there" {
	kill_everywhere 1 18
}

@test "killed again while it takes up what a killed one left: it is there" {
	kill_everywhere 46 6
}

# cuts_lose_nothing WHAT: of the record
cuts_lose_nothing() {
	run powercut try "$D/log" "$D/cut" "$CUTS" 1
	echo "# $1: ${lines[-1]}" >&3
	[ "$status" -eq 0 ]
	run powercut try "$D/log" "$D/cut" "$CUTS" 100001 strict
	echo "# $1, names by the letter of POSIX: ${lines[-1]}" >&3
	[ "$status" -eq 0 ]
}

@test "the power cut at any moment: what was acknowledged is there" {
	record $((TORTURE > 0 ? 200 : 60))
	cuts_lose_nothing "power cut"
}

@test "the power cut while the hub starts or ends: it starts again" {
	record 4
	cuts_lose_nothing "power cut in a short life"
}

@test "after a cut of the power the hub itself starts, with everything" {
	record 60
	for ((i = 0; i < (TORTURE > 0 ? CUTS / 4 : 5); i++)); do
		new_state
		powercut build "$D/log" "$D/state" $((i + 7)) >"$D/ids"
		echo "seed $((i + 7))"
		sound_again
		kill_hub
	done
	echo "# $i starts after a cut, slowest $SLOWEST ms" >&3
}

@test "without full syncs the trial finds what is lost" {
	record 60 FAULT_NORMAL=1
	run powercut try "$D/log" "$D/cut" 100 1
	echo "# ${lines[-1]}, with synchronous=NORMAL" >&3
	[ "$status" -eq 1 ]
	[[ $output == *"is lost"* ]]
}

# the disk fails from a certain place on, until it is mended
disk_fails_until_mended() {
	new_state
	touch "$D/broken"
	faulty_ewsd FAULT="$1 from $2" FAULT_WHILE="$D/broken" FAULT_NOSYNC=1
	send 1 60 3>&- &
	local sending=$!
	until_true 10 is_failing
	run -74 ewsctl send --queue-unknown mini effect
	rm "$D/broken"
	wait $sending
	[ "$(ewsctl stats --jq .store.failing)" = false ]
	[ "$(grep -c '^c' "$D/ids")" -eq 60 ]
	check
	kill_hub
	sound_again
	kill_hub
}

is_failing() {
	[ "$(ewsctl stats --jq .store.failing)" = true ]
}

@test "a disk that fails until it is mended: refused, then taken again" {
	for ((at = 200; at < 900; at += TORTURE > 0 ? 31 : 350)); do
		how=enospc
		[ $((RUN++ % 2)) -eq 0 ] || how=eio
		echo "$how from $at on"
		disk_fails_until_mended $how $at
	done
}

# A hub that could not start has promised nothing.
one_error() {
	echo "$1 at $2"
	life 1
	if faulty_ewsd FAULT="$1 $2" FAULT_NOSYNC=1 2>/dev/null; then
		send 1 60
		[ "$(grep -c '^c' "$D/ids")" -eq 60 ]
		end_hub
	else
		kill_hub
	fi
	sound_again FAULT_NOSYNC=1
	kill_hub
}

@test "one write, sync or rename that fails: refused, or done all the same" {
	places 1 4
	local step=$((${#PLACES[@]} / (TORTURE > 0 ? 80 : 6) + 1)) i how hows
	for ((i = 0; i < ${#PLACES[@]}; i += step)); do
		hows=(eio enospc)
		[ "$TORTURE" -gt 0 ] || hows=("${hows[RUN++ % 2]}")
		for how in "${hows[@]}"; do
			one_error "$how" "${PLACES[i]% *}"
		done
	done
}

@test "a disk that fails now and then: nothing acknowledged is lost" {
	local often=307 hows=eio cuts=$CUTS every how
	[ "$TORTURE" -eq 0 ] || {
		often="79 101 211 307" hows="enospc eio" cuts=$((CUTS / 4))
	}
	for every in $often; do
		for how in $hows; do
			record 60 FAULT="$how every $every"
			[ "$(grep -c '^c' "$D/ids")" -eq 60 ]
			run powercut try "$D/log" "$D/cut" "$cuts" 1
			echo "# $how at every ${every}th: ${lines[-1]}" >&3
			[ "$status" -eq 0 ]
			sound_again
			kill_hub
		done
	done
}
