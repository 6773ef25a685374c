#!/usr/bin/env bats
# The disk is full, the file is not what it was: nothing acknowledged that is
# not stored, nothing executed that was not sent, never an empty start.
# EWS_QUEUE=100000 makes the long form of the last test.

load lib/ews

QUEUE=${EWS_QUEUE:-800}

effects_handler() {
	handler effect <<-H
		#!/bin/sh
		echo "\$EWS_COMMAND_ID" >>"$D/effects"
	H
}

admin_hub() {
	(umask 077; echo admin-key-of-this-test >"$D/admin")
	start_ewsd --admin-key-file "$D/admin" "$@"
}

admin() {
	http "$@" -H 'X-Admin-Key: admin-key-of-this-test' \
	    -H 'Content-Type: application/json'
}

is() {
	jq -e "$1" <<<"$output" >/dev/null || { echo "not $1: $output"; false; }
}

# No page fits into a file of 4096 bytes beside its headers: for the hub the
# disk is full. Its log can still grow that far.
fill_disk() {
	command -v prlimit >/dev/null || skip "no prlimit(1) here"
	prlimit --pid "$HUB_PID" --fsize=4096:
}

free_disk() {
	prlimit --pid "$HUB_PID" --fsize=unlimited:
}

store_is() {
	[ "$(ewsctl stats --jq ".store.$1")" = "$2" ]
}

# results that the agent keeps because the hub has not thanked for them
unconfirmed() {
	echo '{"id":1,"op":"status"}' | sockline "$SOCK/mini.sock" |
	    jq .result.unconfirmed
}

all_confirmed() {
	[ "$(unconfirmed)" = 0 ]
}

effects_are() {
	[ "$(sort "$D/effects")" = "$(printf '%s\n' "$@" | sort)" ]
}

# refused_start STATUS TEXT [COMMAND...]: the hub does not start, says why,
# and every file is as it was before.
refused_start() {
	local want=$1 text=$2 before
	shift 2
	[ $# -gt 0 ] || set -- ewsd
	before=$(fingerprint)
	run timeout 20 "$@" --listen 127.0.0.1:0 --state-dir "$D/state"
	if [ "$status" != "$want" ] || [[ $output != *"$text"* ]]; then
		echo "not $want and \"$text\": $status and $output"
		return 1
	fi
	if [ "$(fingerprint)" != "$before" ]; then
		echo "was $before"
		echo "is $(fingerprint)"
		return 1
	fi
}

# the lock file, the shared memory and an empty WAL are no data
fingerprint() {
	local file
	for file in "$D"/state/*; do
		case $file in
		*.lock | *-shm) ;;
		*-wal) [ ! -s "$file" ] || echo "${file##*/} $(cksum <"$file")" ;;
		*) echo "${file##*/} $(readlink "$file") $(cksum <"$file")" ;;
		esac
	done
}

# end_hub [SIGNAL]
end_hub() {
	kill "-${1:-TERM}" "$HUB_PID"
	gone "$HUB_PID" 15
	forget "$HUB_PID"
}

# a hub that has two commands for an agent, and is gone
a_past() {
	start_ewsd
	ewsctl send --queue-unknown --id one mini effect
	ewsctl send --queue-unknown --id two mini effect
	end_hub "$@"
}

DB() {
	echo "$D/state/ews.db"
}

sql() {
	sqlite3 "$(DB)" "$1"
}

# ---- the disk is full -----------------------------------------------------------

@test "a full disk: senders are refused by each door, and later not" {
	admin_hub
	fill_disk
	run -74 ewsctl send --queue-unknown --id refused mini effect
	[[ $output == *"not stored"* ]]
	admin POST /api/v1/ops/send -d '{"agent":"mini","type":"effect","queue_unknown":true}'
	[ "$status" = 507 ]
	is '.code == "io" and .status == 507 and (.detail | contains("not stored"))'
	admin POST /edge/command/schedule -d '{"user_phone":"+13105550100","thread_id":"+1310","message_text":"Hello!","send_at":"'"$(jq -rn 'now + 60 | todate')"'"}'
	[ "$status" = 507 ]
	is '.code == "io"'
	store_is failing true
	[ "$(ewsctl stats --jq .commands_waiting)" = 0 ]
	free_disk
	until_true 20 ewsctl send --queue-unknown --id again mini effect
	store_is failing false
	run -1 ewsctl command refused
	[ "$(ewsctl commands --jq '[.commands[].command_id] | join(" ")')" = again ]
}

@test "a full disk: what was stored is delivered, its end is kept till it fits" {
	effects_handler
	start_ewsd
	ewsctl send --queue-unknown --id one mini effect
	ewsctl send --queue-unknown --id two mini effect
	fill_disk
	run -74 ewsctl send --queue-unknown mini effect
	start_agent
	until_true 20 effects_are one two
	# the agent has to keep its results: nothing of them is stored
	until_true 20 store_is 'waiting > 1' true
	command_is one accepted
	[ "$(ewsctl stats --jq .commands_done)" = 2 ]
	[ "$(unconfirmed)" = 2 ]
	free_disk
	until_true 20 command_is one done
	until_true 20 command_is two done
	until_true 20 all_confirmed
	ewsctl run mini effect
	[ "$(wc -l <"$D/effects")" -eq 3 ]
}

@test "a full disk: a foreign agent is sent nothing, and its ack not thanked" {
	start_ewsd
	edge_ws luna1 say here hold >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 agent_is luna1 online
	ewsctl send --id one luna1 send_message_now
	until_true 10 grep -q '"one"' "$D/seen"
	fill_disk
	run -74 ewsctl send luna1 send_message_now
	curl -sS -m 40 -o "$D/acked" "$HUB/edge/command/ack" \
	    -H "Authorization: Bearer $SECRET" \
	    -H 'Content-Type: application/json' \
	    -d '{"command_id":"one","success":true}' 3>&- &
	acking=$!
	until_true 10 store_is 'waiting > 0' true
	kill -0 $acking
	[ ! -s "$D/acked" ]
	free_disk
	wait $acking
	[ "$(cat "$D/acked")" = '{"acknowledged":true}' ]
	command_is one done
	# no "delivered" on disk, no delivery
	ewsctl send --id two luna1 send_message_now
	until_true 10 grep -q '"two"' "$D/seen"
}

@test "a full disk: a cancel is not called done before it is stored" {
	effects_handler
	start_ewsd
	ewsctl send --queue-unknown --id one mini effect
	ewsctl send --queue-unknown --id two mini effect
	run -0 ewsctl cancel one
	fill_disk
	run -74 ewsctl cancel two
	[[ $output == *"taken back, but the disk refuses"* ]]
	free_disk
	until_true 20 command_is two cancelled
	start_agent
	ewsctl run --id three mini effect
	[ "$(cat "$D/effects")" = three ]
}

# a call that is not answered while the disk refuses
hanging_call() {
	curl -sS -m 60 -o "$D/hung" -X POST "$HUB$1" -d "$2" \
	    -H "Authorization: Bearer $SECRET" \
	    -H 'Content-Type: application/json' 2>/dev/null 3>&- &
	PIDS+=($!)
}

@test "a full disk: a hub that is stopped ends at once, and loses no command" {
	effects_handler
	start_ewsd --drain 200ms
	ewsctl send --queue-unknown --id one mini effect
	edge_ws luna1 say here hold >"$D/seen" 3>&- &
	PIDS+=($!)
	until_true 10 agent_is luna1 online
	ewsctl send --id two luna1 send_message_now
	until_true 10 grep -q '"two"' "$D/seen"
	edge_http POST /edge/sync -d '{"edge_agent_id":"maxi","protocol":"ews.v1","instance":"i2","wait":0,"frames":[]}'
	ewsctl send --id three maxi effect
	edge_http POST /edge/sync -d '{"edge_agent_id":"maxi","protocol":"ews.v1","instance":"i2","wait":0,"frames":[]}'
	[[ $output == *'"three"'* ]]
	until_true 10 command_is three delivered
	fill_disk
	run -74 ewsctl send mini effect
	start_agent
	until_true 20 effects_are one
	# calls that wait for the disk: one is there at the end, one has left
	hanging_call /edge/command/ack '{"command_id":"two","success":true}'
	edge_http POST /edge/sync -m 1 -d '{"edge_agent_id":"maxi","protocol":"ews.v1","instance":"i2","wait":0,"frames":[{"type":"command_ack","data":{"command_id":"three","status":"executing"}}]}' || true
	hanging_call /edge/sync '{"edge_agent_id":"maxi","protocol":"ews.v1","instance":"i2","wait":0,"frames":[{"type":"command_ack","data":{"command_id":"three","status":"completed"}}]}'
	until_true 20 ended 3
	end_hub
	[ ! -s "$D/hung" ]
	restart_ewsd
	until_true 20 command_is one done
	command_is two unacked
	[ "$(cat "$D/effects")" = one ]
}

ended() {
	[ "$(ewsctl stats --jq .commands_done)" = "$1" ]
}

# Somebody else writes: for the hub the disk takes its time. Until let_go.
hold_disk() {
	mkfifo "$D/sql"
	sqlite3 "$(DB)" <"$D/sql" >"$D/sql.out" 3>&- &
	HOLDER=$!
	exec 8>"$D/sql"
	echo "BEGIN IMMEDIATE; SELECT 'held';" >&8
	until_true 10 grep -q held "$D/sql.out"
}

let_go() {
	echo "ROLLBACK;" >&8
	exec 8>&-
	wait "$HOLDER"
}

@test "a slow disk: who cannot wait is told no id, nor that it is accepted" {
	start_ewsd
	hold_disk
	echo '{"id":1,"op":"send","agent":"mini","type":"effect","command_id":"one","queue_unknown":true,"timeout_ms":200}' |
	    sockline --timeout 10 "$SOCK/ewsd.sock" >"$D/answer"
	let_go
	output=$(cat "$D/answer")
	is '.ok == false and .error.code == "deadline"'
	is '.error | has("command_id") or has("state") | not'
	# it came through after all: the same id again is no second one
	ewsctl send --queue-unknown --id one mini effect
	[ "$(ewsctl stats --jq .commands_waiting)" = 1 ]
}

@test "a disk that is full at the start: refused, and the file is as it was" {
	a_past
	refused_start 74 "" bash -c 'ulimit -S -f 4; exec ewsd "$@"' ewsd
	restart_ewsd
	[ "$(ewsctl stats --jq .commands_waiting)" = 2 ]
}

# ---- the file is not what it was ------------------------------------------------

@test "a database cut off anywhere is refused with advice" {
	a_past
	cp "$(DB)" "$D/whole"
	size=$(wc -c <"$D/whole")
	for n in 0 1 50 100 4096 $((size / 2)) $((size - 1)); do
		head -c "$n" "$D/whole" >"$(DB)"
		refused_start 78 "is truncated: restore a backup" ||
		    { echo "cut off at $n"; false; }
	done
	cp "$D/whole" "$(DB)"
	restart_ewsd
	[ "$(ewsctl stats --jq .commands_waiting)" = 2 ]
}

@test "somebody else's file, and that of a newer hub, are refused untouched" {
	a_past
	cp "$(DB)" "$D/whole"
	sql 'PRAGMA application_id = 7'
	refused_start 78 "belongs to another program"
	cp "$D/whole" "$(DB)"
	sql 'PRAGMA user_version = 1000'
	refused_start 78 "newer version"
	printf 'dear diary, %0200d\n' 1 >"$(DB)"
	refused_start 78 "no SQLite database: move it away"
	rm "$(DB)"
	mkdir "$(DB)"
	run -78 ewsd --listen 127.0.0.1:0 --state-dir "$D/state"
	[[ $output == *"no regular file"* || $output == *"Is a directory"* ]]
}

@test "garbage inside of the database is refused or told, never an empty start" {
	a_past
	size=$(wc -c <"$(DB)")
	dd if=/dev/zero of="$(DB)" bs=4096 seek=1 count=$((size / 4096 - 1)) \
	    conv=notrunc 2>/dev/null
	run timeout 20 ewsd --listen 127.0.0.1:0 --state-dir "$D/state"
	[ "$status" = 74 ] || [ "$status" = 78 ]
	[[ $output == *ews.db* && $output == *malformed* ]]
}

@test "a symbolic link in the database's place is not followed" {
	a_past
	mv "$(DB)" "$D/elsewhere"
	ln -s "$D/elsewhere" "$(DB)"
	before=$(cksum <"$D/elsewhere")
	refused_start 78 "is a symbolic link"
	[ "$(cksum <"$D/elsewhere")" = "$before" ]
	rm "$(DB)"
	ln -s "$D/nowhere" "$(DB)"
	refused_start 78 "is a symbolic link"
	[ ! -e "$D/nowhere" ]
}

@test "the database or its WAL taken away after a crash is refused" {
	a_past KILL
	[ -s "$(DB)-wal" ]
	mv "$(DB)" "$D/db"
	refused_start 78 "is gone, but was in use"
	[ ! -e "$(DB)" ]
	mv "$D/db" "$(DB)"
	mv "$(DB)-wal" "$D/wal"
	refused_start 78 "has lost its -wal file"
	ln -s "$D/wal" "$(DB)-wal"
	refused_start 78 "no regular file"
	rm "$(DB)-wal"
	mv "$D/wal" "$(DB)-wal"
	restart_ewsd
	command_is one accepted
	command_is two accepted
}

@test "a torn WAL: its tail is dropped, what stands before it is there" {
	a_past KILL
	# the last frame was not written whole, and so never acknowledged
	head -c 100 /dev/urandom >>"$(DB)-wal"
	restart_ewsd
	command_is one accepted
	command_is two accepted
	[ "$(ewsctl stats --jq .commands_waiting)" = 2 ]
}

@test "a payload that the disk changed is dead, told, and never executed" {
	effects_handler
	start_ewsd
	for id in bytes type target state fine; do
		ewsctl send --queue-unknown --id "$id" mini effect '{"amount":100}'
	done
	end_hub
	sql "UPDATE payloads SET payload = replace(payload, '100', '900')
	    WHERE seq = (SELECT seq FROM commands WHERE id = 'bytes')"
	sql "UPDATE commands SET type = 'echo' WHERE id = 'type'"
	sql "UPDATE commands SET agent = 'maxi' WHERE id = 'target'"
	sql "UPDATE commands SET state = 'done' WHERE id = 'state'"
	restart_ewsd
	start_agent
	start_agent maxi
	until_true 20 command_is fine done
	for id in bytes type target state; do
		command_is "$id" dead
		[ "$(ewsctl command "$id" -o json | jq -r .reason)" = checksum ]
		grep -q "command $id.*not delivered" "$D/ewsd.log"
	done
	[ "$(ewsctl commands --state dead --jq '.commands | length')" = 4 ]
	[ "$(cat "$D/effects")" = fine ]
	# it stays so
	end_hub
	restart_ewsd
	command_is bytes dead
	until_true 20 agent_is mini online
	ewsctl run mini effect
	[ "$(wc -l <"$D/effects")" -eq 2 ]
}

@test "a priority that the disk changed is an ordinary one" {
	effects_handler
	start_ewsd
	ewsctl send --queue-unknown --id wild mini effect
	ewsctl send --queue-unknown --id minus mini effect
	end_hub
	sql "UPDATE commands SET priority = 7777777 WHERE id = 'wild'"
	sql "UPDATE commands SET priority = -9 WHERE id = 'minus'"
	restart_ewsd
	[ "$(ewsctl command wild -o json | jq -r .priority)" = normal ]
	start_agent
	until_true 20 effects_are wild minus
}

# ---- the directory --------------------------------------------------------------

@test "a second hub on the same state is refused; after a crash it may" {
	a_past KILL
	restart_ewsd
	run -78 ewsd --listen 127.0.0.1:0 --state-dir "$D/state" \
	    --socket "$SOCK/second.sock"
	[[ $output == *"in use by another ewsd (pid $HUB_PID)"* ]]
	[ ! -e "$SOCK/second.sock" ]
	command_is one accepted
	ewsctl send --queue-unknown mini effect
	end_hub KILL
	restart_ewsd
	[ "$(ewsctl stats --jq .commands_waiting)" = 3 ]
}

@test "state is private whatever the umask; an open directory is refused" {
	rm -rf "$D/state"
	umask 000
	start_ewsd
	umask 077
	[ "$(stat -c %a "$D/state" 2>/dev/null || stat -f %Lp "$D/state")" = 700 ]
	[ -z "$(find "$D/state" -type f -perm /077 2>/dev/null ||
	    find "$D/state" -type f -perm +077)" ]
	ewsctl send --queue-unknown --id one mini effect
	end_hub
	chmod 644 "$(DB)"
	restart_ewsd
	grep -q 'was open to others' "$D/ewsd.log"
	[ -z "$(find "$(DB)" -perm /077 2>/dev/null ||
	    find "$(DB)" -perm +077)" ]
	end_hub
	chmod 777 "$D/state"
	refused_start 78 "writable by others; run chmod go-w"
	chmod 700 "$D/state"
	[ "$(id -u)" = 0 ] || {
		chmod 500 "$D/state"
		refused_start 78 ""
		chmod 700 "$D/state"
	}
	restart_ewsd
	command_is one accepted
}

# ---- more than it can hold ------------------------------------------------------

send_lines() {
	jq -nc --argjson n "$1" 'range(1; $n + 1) |
	    {id: ., op: "send", agent: "mini", type: "effect",
	     command_id: "c\(.)", queue_unknown: true}'
}

@test "$QUEUE commands for an absent agent: no more taken, then all, in order" {
	effects_handler
	start_ewsd --queue-agent "$QUEUE"
	more=$((QUEUE + 50))
	send_lines $more | sockline --timeout 300 "$SOCK/ewsd.sock" >"$D/answers"
	[ "$(wc -l <"$D/answers")" -eq $more ]
	# the first are in, each of the rest is told that it is not
	jq -r 'select(.ok).result.command_id' "$D/answers" >"$D/in"
	seq -f 'c%.0f' 1 "$QUEUE" | cmp - "$D/in"
	[ "$(jq -r 'select(.ok | not).error.code' "$D/answers" | uniq -c |
	    tr -s ' ')" = ' 50 queue_full' ]
	run -75 ewsctl send --queue-unknown mini effect
	[[ $output == *"$QUEUE of $QUEUE"* ]]
	end_hub KILL
	restart_ewsd --queue-agent "$QUEUE"
	[ "$(ewsctl stats --jq .commands_waiting)" = "$QUEUE" ]
	start_agent mini --concurrency 1
	until_true 300 store_has_none
	cmp "$D/in" "$D/effects"
	ewsctl run mini effect
}

store_has_none() {
	[ "$(ewsctl stats --jq .commands_waiting)" = 0 ]
}

@test "the bound in bytes and the hub's own bound refuse just as well" {
	admin_hub --queue-agent-bytes 4096 --queue-total 3
	big=$(jq -nc '{text: ("x" * 3000)}')
	ewsctl send --queue-unknown mini effect "$big"
	run -75 ewsctl send --queue-unknown mini effect "$big"
	[[ $output == *"bytes"* ]]
	# arguments are bytes, too
	run -75 ewsctl send --queue-unknown --arg "$(printf %2000d 1)" mini effect
	[[ $output == *"bytes"* ]]
	ewsctl send --queue-unknown mini effect
	ewsctl send --queue-unknown maxi effect
	run -75 ewsctl send --queue-unknown midi effect
	[[ $output == *"hub's queue is full"* ]]
	[ "$(ewsctl commands --jq '.commands | length')" = 3 ]
	# the gauge is right without anybody having asked for it before
	admin GET /metrics
	grep -qx 'ews_commands_waiting 3' <<<"$output"
}

@test "a command larger than an agent's outgoing queue arrives all the same" {
	effects_handler
	start_ewsd --out-queue-bytes 4096
	start_agent
	big=$(jq -nc '{text: ("x" * 9000)}')
	ewsctl send --id big mini effect "$big"
	ewsctl send --id next --arg "$(printf %5000d 1)" mini effect "$big"
	until_true 20 command_is next done
	command_is big done
	[ "$(ewsctl command big --jq .delivery_method)" = websocket ]
	ewsctl send --queue-unknown luna1 send_message_now "$big"
	edge_ws luna1 recv-match xxxxxxxx >/dev/null
}
