#!/bin/sh
# million.sh - is the hub still quick with a million stored commands?
#
#	make bench-million
#	EWS_BENCH_ROWS=100000 sh tests/bench/million.sh
#
# Fills a store by SQL: EWS_BENCH_ROWS commands of 100 agents that have ended
# within the last 30 days, one in a hundred of them badly, and as many that
# wait as a hub takes (EWS_BENCH_WAITING). Then:
#
#	ready	from exec to READY: after a good end, after a kill -9, with
#		those that wait, and when nine tenths shall be forgotten
#	page	a page of 100 by `ewsctl`: the newest, one deep in, of one
#		agent, of a rare state, of a rare type (no index serves that,
#		so all is gone through), what is dead
#	run	a whole `ewsctl run`
#	send	how long a send waits: while nothing else goes on, while one
#		looks for a rare type all the time, and while retention forgets
#	memory	of the hub, resident
#
# Exit status 1 if ready took more than 1 s, a page more than 500 ms (of a rare
# type: 5 s), a run more than 500 ms, a send more than 100 ms (at the 99th
# percentile; the slowest is printed, too: a sync of the disk alone may take
# that long), or the memory more than 64 MiB and 1 KiB for each that waits.
here=$(dirname "$0")
. "$here/common.sh"

rows=${EWS_BENCH_ROWS:-1000000}
seconds=${EWS_BENCH_SECONDS:-20}
waiting=${EWS_BENCH_WAITING:-100000}
status=0

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# judge WHAT MS LIMIT
judge() {
	printf '%-28s %6d ms\n' "$1" "$2"
	[ "$2" -le "$3" ] || { echo "  more than $3 ms"; status=1; }
}

fill() {
	sqlite3 "$dir/state/ews.db" <<-SQL
	PRAGMA synchronous = OFF;
	BEGIN;
	CREATE TEMP TABLE made AS
	    WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL
	        SELECT n + 1 FROM n WHERE n < $rows)
	    SELECT n AS seq, 'fill-' || n AS id,
	        'agent' || (n % 100) AS agent,
	        (unixepoch() - 30 * 86400) * 1000 +
	            n * (30 * 86400000 / $rows) AS at,
	        CASE n % 100 WHEN 7 THEN 'failed' ELSE 'done' END AS state
	    FROM n;
	UPDATE made SET state = 'cancelled' WHERE seq = 5;
	INSERT INTO commands (seq, id, agent, type, state, ended, priority,
	    flags, attempts, created_ms, updated_ms, deadline_ms, asker,
	    exit_code, duration_ms, reason)
	    SELECT seq, id, agent, 'effect', state, 1, 1, 0, 1, at, at + 50,
	        0, 'uid:0', iif(state = 'done', 0, NULL), 20,
	        iif(state = 'failed', 'no_handler', NULL) FROM made;
	INSERT INTO payloads SELECT seq, 'none',
	    '{"fill":"' || hex(zeroblob(100)) || '"}' FROM made;
	INSERT INTO history (seq, n, at_ms, state)
	    SELECT seq, k.column1, at + k.column1 * 10, k.column2 FROM made,
	        (VALUES (1, 'accepted'), (2, 'delivered'), (3, 'started'),
	            (4, 'done')) AS k;
	COMMIT;
	SQL
	sync	# or the hub's first syncs would wait for all of this
}

drop_waiting() {
	sqlite3 "$dir/state/ews.db" "DELETE FROM commands WHERE ended = 0"
}

# They have a digest of their content, so the hub itself makes them.
fill_waiting() {
	drop_waiting
	# shellcheck disable=SC2086 # a list of flags
	again $all --queue-agent "$waiting" --queue-total "$waiting"
	jq -cn "range($waiting) | {agent: \"later\", type: \"effect\"}" |
	    ewsctl -q send --queue-unknown --lines - >/dev/null || status=1
	end "$hub"
}

begin_agent() {
	mkdir -m 700 "$dir/handlers" "$dir/agent"
	printf '#!/bin/sh\n' >"$dir/handlers/true"
	chmod 755 "$dir/handlers/true"
	begin agent ewsagent --hub "http://127.0.0.1:$port" --id bench \
	    --state-dir "$dir/agent" --secret-file "$dir/state/secret" \
	    --handlers "$dir/handlers" --ready-fd 9
	ewsctl -q wait agent bench online --timeout 20s || status=1
}

# again [FLAG...]: the hub on the same store; $hub, $took
again() {
	before=$(now_ms)
	begin ewsd ewsd --listen 127.0.0.1:0 --state-dir "$dir/state" \
	    --ready-fd 9 "$@"
	took=$(($(now_ms) - before))
	hub=$pid
	port=$(head -n 1 "$run/ewsd.port")
	port=${port##*:}
}

# page WHAT MS ARG...: of ewsctl
page() {
	what=$1 limit=$2
	shift 2
	before=$(now_ms)
	ewsctl "$@" >"$dir/page" || { echo "ewsctl $*: $?"; status=1; }
	judge "$what" $(($(now_ms) - before)) "$limit"
}

# memory WHAT LIMIT_KIB: of the hub
memory() {
	kib=$(($(ps -o rss= -p "$hub")))
	printf '%-28s %6d KiB\n' "memory $1" "$kib"
	[ "$kib" -le "$2" ] || { echo "  more than $2 KiB"; status=1; }
}

# waits WHAT FROM SECONDS LIMIT_MS
waits() {
	result=$(ackrun time "$run/ewsd.sock" "$2" "$3") || status=1
	echo "$1: $result"
	p99=$(echo "$result" | sed 's/.* p99 \([0-9]*\) us.*/\1/')
	[ "$p99" -le $(($4 * 1000)) ] || { echo "  more than $4 ms"; status=1; }
}

look() {
	while ewsctl commands --type rare --limit 100 >/dev/null 2>&1; do
		:
	done
}

begin_hub
end "$hub"
before=$(now_ms)
fill
echo "$rows commands in $(($(now_ms) - before)) ms," \
    "$(($(wc -c <"$dir/state/ews.db") / 1048576)) MiB"

all="--retain 300d --retain-count 100000000"
for round in 1 2 3; do
	# shellcheck disable=SC2086 # a list of flags
	again $all
	judge "ready" "$took" 1000
	[ $round = 3 ] || end "$hub"
done
memory "at the start" 65536
page "newest" 500 commands --limit 100
page "deep in" 500 commands --limit 100 --before $((rows / 2))
page "one agent" 500 commands agent7 --limit 100
page "one agent, deep in" 500 commands agent7 --limit 100 --before $((rows / 10))
page "a rare state" 500 commands --state cancelled --limit 100
page "a rare state of an agent" 500 commands agent5 --state cancelled --limit 100
page "a rare type" 5000 commands --type rare --limit 100
page "dead" 500 dead --limit 100
page "dead of one agent" 500 dead --agent agent7 --limit 100
page "one command" 500 command fill-$((rows / 2))
page "stats" 500 stats
page "agents" 500 agents
begin_agent
page "run" 500 run bench true
waits "send" 1 5 100
look &
looker=$!
waits "send while looking" 5001 5 100
kill "$looker"
wait "$looker" 2>/dev/null
memory "after that" 65536
kill -KILL "$hub"
end "$hub"
# shellcheck disable=SC2086
again $all
judge "ready after kill -9" "$took" 1000
end "$hub"
fill_waiting
# shellcheck disable=SC2086
again $all
judge "ready, $waiting wait" "$took" 1000
memory "$waiting wait" $((65536 + waiting))
end "$hub"
drop_waiting
again --retain 3d --retain-count 100000000
judge "ready, and much to forget" "$took" 1000
waits "send while pruning" 10001 "$seconds" 100
kill -KILL "$hub"
end "$hub"
# shellcheck disable=SC2086
again $all
judge "ready after kill -9 in that" "$took" 1000
end "$hub"
echo "left: $(sqlite3 "$dir/state/ews.db" \
    'SELECT count(*) FROM commands WHERE ended = 1')"
exit $status
