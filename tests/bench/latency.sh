#!/bin/sh
# latency.sh - how long a command takes to its handler, and there and back
#
#	sh tests/bench/latency.sh [--json]
#
# One hub, one agent, both with their default settings, stores on the disk
# of EWS_BENCH_DIR:
#
#	start	from before a line is given to `ewsctl send --lines` to the
#		first instruction of the handler: sync at the hub, delivery,
#		sync at the agent, fork and exec; EWS_BENCH_RATE (100) a second
#		for EWS_BENCH_SECONDS (10)
#	run	a whole `ewsctl run` of a handler that does nothing, one
#		at a time, EWS_BENCH_TRIPS (60) times
#	sync	by turns with run: append of a page and fdatasync, same disk
here=$(dirname "$0")
. "$here/common.sh"

rate=${EWS_BENCH_RATE:-100}
seconds=${EWS_BENCH_SECONDS:-10}
trips=${EWS_BENCH_TRIPS:-60}
stopwatch=$(command -v stopwatch) || {
	echo "stopwatch is not built" >&2
	exit 69
}

mkdir -m 700 "$dir/handlers" "$dir/agent"
cp "$stopwatch" "$dir/handlers/stamp"
cp "$stopwatch" "$dir/handlers/nothing"
chmod 755 "$dir/handlers"/*

begin_hub --log-level info
begin agent ewsagent --hub "http://127.0.0.1:$port" --id bench \
    --state-dir "$dir/agent" --secret-file "$dir/state/secret" \
    --handlers "$dir/handlers" --ready-fd 9
tries=0
until ewsctl -q run bench nothing >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { echo "no agent came" >&2; exit 1; }
	sleep 0.1
done

stopwatch pace bench stamp "$rate" "$seconds" "$dir/late" |
    ewsctl -q send --lines - -w "done" >/dev/null || exit
sort -n "$dir/late" >"$dir/sorted"
started=$(($(wc -l <"$dir/sorted")))
# percent P: of the sorted times
percent() {
	sed -n "$((started * $1 / 100 + 1))p" "$dir/sorted"
}
p50=$(percent 50) p99=$(percent 99)
trip=$(stopwatch trip "$trips" "$dir" ewsctl -q run bench nothing) || exit

summary=$(echo "$trip" | jq -cR --argjson p50 "$p50" --argjson p99 "$p99" \
    --argjson started "$started" --argjson rate "$rate" \
    --argjson sent $((rate * seconds)) '
split(" ") | map(tonumber) | { $rate, $sent, $started, start_p50_us: $p50,
    start_p99_us: $p99, run_p50_us: .[0], run_p99_us: .[1],
    sync_p50_us: .[2], sync_p99_us: .[3],
    run_in_syncs: (.[0] / .[2] * 100 | round / 100) }')
if [ "${1:-}" = --json ]; then
	echo "$summary"
	exit
fi
echo "$summary" | jq -r '
"\(.rate) commands a second, \(.started) of \(.sent) started",
"send to handler   p50 \(.start_p50_us) us   p99 \(.start_p99_us) us",
"ewsctl run        p50 \(.run_p50_us) us   p99 \(.run_p99_us) us",
"one sync          p50 \(.sync_p50_us) us   p99 \(.sync_p99_us) us",
"ewsctl run is \(.run_in_syncs) syncs"'
echo "$summary"
