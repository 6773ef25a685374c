#!/bin/sh
# run.sh - what a message, a handshake and a connection cost the hub
#
#	make bench
#	EWS_BENCH_CONNS="1000 10000" EWS_BENCH_ROUNDS=3 sh tests/bench/run.sh
#
# Three servers by turns, so that each stands beside the others on the same
# machine at the same time:
#
#	floor	a bare loop with one send() for each connection
#	net	src/net alone: the hub's gate, frames, queues and writes,
#		without core and store (if tools/fan is built)
#	ewsd	the hub; its messages are durable commands, each for one agent,
#		from `ewsctl send --lines` until the last agent has its own
#
# Figures are medians over the rounds; CPU is that of the server alone, user
# and system, in microseconds:
#
#	all	one message to everybody: for each delivery
#	one	a message to one agent after the other: for each delivery,
#		hearing of it from the publisher included; up to 1,000
#		connections, because load's poll() of more disturbs it
#	command	ewsd only: the same with all that makes it durable: JSON in,
#		row, sync, answer, frame, step. Of it 'loop' is the event loop's
#		thread and 'store' the thread with SQLite and the syncs
#	ended	ewsd only: and both acks of the agent, until it has ended
#	connect	a handshake; for ewsd with its credential, the hellos and the
#		agent's row
#	KiB	resident, for each idle connection; for ewsd with all that it
#		knows of a new agent
#
# Settings, by environment: EWS_BENCH_CONNS, EWS_BENCH_ROUNDS,
# EWS_BENCH_FANOUT (deliveries of 'all'), EWS_BENCH_COMMANDS (at least),
# EWS_BENCH_LATENCY=0 leaves latency.sh out, EWS_BENCH_DIR where the store is,
# EWS_BENCH_SLOW seconds for one load. The last line of stdout is JSON.
here=$(dirname "$0")
. "$here/common.sh"

conns=${EWS_BENCH_CONNS:-1000 10000}
rounds=${EWS_BENCH_ROUNDS:-3}
fanout=${EWS_BENCH_FANOUT:-100000}
commands=${EWS_BENCH_COMMANDS:-10000}
slow=${EWS_BENCH_SLOW:-45}

# measure SERVER MODE FLAG...: one line of load into the heap of results.
measure() {
	server=$1 mode=$2
	shift 2
	load --conns "$n" --port "$port" --server-pid "$pid" --settle 700 \
	    --timeout "$slow" "$@" >"$dir/load.out" 2>"$dir/load.err" || {
		echo "load at $server, $mode, $n connections:" >&2
		cat "$dir/load.err" >&2
		exit 1
	}
	threads=null
	[ -s "$dir/threads" ] && threads=$(cat "$dir/threads")
	rm -f "$dir/threads"
	grep '^{' "$dir/load.out" | jq -c --arg server "$server" \
	    --arg mode "$mode" --argjson threads "$threads" \
	    '. + {$server, $mode, $threads}' >>"$dir/results"
}

# bare SERVER PROGRAM: floor and net are told the same way.
bare() {
	for mode in all one; do
		[ $mode = all ] || [ "$n" -le 1000 ] || continue
		begin "$1" "$2" 0
		port=${said#ready }
		if [ $mode = all ]; then
			measure "$1" all --pub /pub \
			    --messages $(((fanout + n - 1) / n))
		else
			measure "$1" one --pub /pub --unicast \
			    --inflight 256 --messages 20000
		fi
		end "$pid"
	done
}

# Publishes: one command for each agent, as often as needed. Where the
# kernel tells, also what each thread used meanwhile, once all have left.
cat >"$dir/publish" <<'SCRIPT'
threads() {
	loop=0 store=0
	for t in /proc/"$hub"/task/*; do
		read -r ns _ <"$t/schedstat" || return
		case $t in
		*/"$hub") loop=$ns ;;
		*) store=$((store + ns)) ;;
		esac
	done
}
each() {
	i=0
	while [ $i -lt "$times" ]; do
		seq 0 $((n - 1)) | sed "s/.*/{\"agent\":\"bench-&\",\
\"type\":\"bench\",\"payload\":{\"text\":\"$pad\"}}/"
		i=$((i + 1))
	done
}
pad=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
threads 2>/dev/null
loop0=$loop store0=$store
each | ewsctl send -q --lines - -w "$step" >/dev/null || exit
threads 2>/dev/null
[ "$loop" = 0 ] || echo "{\"loop\":$((loop - loop0)),\
\"store\":$((store - store0))}" >"$dir/threads"
SCRIPT

# whole MODE STEP FLAG...: the hub itself.
whole() {
	mode=$1 step=$2
	shift 2
	times=$(((commands + n - 1) / n))
	begin_hub --log-level info
	export hub dir n times step
	measure ewsd "$mode" --path '/edge/ws?edge_agent_id=bench-%d' \
	    --secret-file "$dir/state/secret" --protocol ews.v1 \
	    --expect $((times * n)) --publish-cmd "sh '$dir/publish'" "$@"
	end "$hub"
}

round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	for n in $conns; do
		echo "round $round of $rounds: $n connections" >&2
		bare floor floor
		command -v fan >/dev/null && bare net fan
		whole command delivered
		[ $round -gt 1 ] || whole ended "done" --ack
	done
done

latency=null
if [ "${EWS_BENCH_LATENCY:-1}" = 1 ]; then
	latency=$(sh "$here/latency.sh" --json) || exit
fi

jq -cs --argjson latency "$latency" '
def median: map(select(. != null)) | sort |
    if length == 0 then null else .[length / 2 | floor] end;
def of($server; $mode; f): map(select(.server == $server and .mode == $mode) |
    f) | median;
def per($a; $b): if $a == null or $b == null or $b == 0 then null
    else $a / $b * 100 | round / 100 end;
def cents: if . == null then null else . * 100 | round / 100 end;
def sheet($server): {
	all_us: of($server; "all"; .cpu_us_per_delivery) | cents,
	one_us: of($server; "one"; .cpu_us_per_delivery) | cents,
	connect_us: (map(select(.server == $server) |
	    .connect_cpu_us_per_conn) | median | cents),
	kib: (map(select(.server == $server) | .rss_kib_per_conn) | median |
	    cents)
};
def hub: sheet("ewsd") + {
	command_us: of("ewsd"; "command"; .cpu_us_per_delivery) | cents,
	loop_us: of("ewsd"; "command"; if .threads == null then null
	    else .threads.loop / .deliveries / 1000 end) | cents,
	store_us: of("ewsd"; "command"; if .threads == null then null
	    else .threads.store / .deliveries / 1000 end) | cents,
	ended_us: of("ewsd"; "ended"; .cpu_us_per_delivery) | cents,
	commands_per_s: of("ewsd"; "command"; .deliveries_per_s) | cents
} | del(.all_us, .one_us);
{ bench: "ews", rounds: (map(select(.mode == "command")) | group_by(.conns) |
    map(length) | max), sizes: [group_by(.conns)[] |
	{ conns: .[0].conns, floor: sheet("floor"), net: sheet("net"),
	  ewsd: hub } |
	.ratio = { net_all: per(.net.all_us; .floor.all_us),
	    net_one: per(.net.one_us; .floor.one_us),
	    net_connect: per(.net.connect_us; .floor.connect_us),
	    ewsd_connect: per(.ewsd.connect_us; .floor.connect_us),
	    ewsd_command: per(.ewsd.command_us; .floor.one_us) }],
  $latency }' "$dir/results" >"$dir/summary"

jq -r '
def n: if . == null then "-" else tostring end;
"CPU in us; ratio to the floor of the same run in brackets",
(.sizes[] | "",
 "\(.conns) connections        floor       net              ewsd",
 "message to all          \(.floor.all_us | n)\t\(.net.all_us | n) [\(.ratio.net_all | n)]",
 "message to one          \(.floor.one_us | n)\t\(.net.one_us | n) [\(.ratio.net_one | n)]",
 "durable command         -\t-\t\t\(.ewsd.command_us | n) [\(.ratio.ewsd_command | n)] (loop \(.ewsd.loop_us | n), store \(.ewsd.store_us | n)), \(.ewsd.commands_per_s | n) a second",
 "  until it has ended    -\t-\t\t\(.ewsd.ended_us | n)",
 "handshake               \(.floor.connect_us | n)\t\(.net.connect_us | n) [\(.ratio.net_connect | n)]\t\(.ewsd.connect_us | n) [\(.ratio.ewsd_connect | n)]",
 "KiB idle connection     \(.floor.kib | n)\t\(.net.kib | n)\t\t\(.ewsd.kib | n)"),
(.latency | select(. != null) | "",
 "one agent, \(.rate) commands a second: send to handler p50 \(.start_p50_us) us, p99 \(.start_p99_us) us (\(.started) of \(.sent))",
 "ewsctl run: p50 \(.run_p50_us) us = \(.run_in_syncs) syncs of \(.sync_p50_us) us"),
""' "$dir/summary"
cat "$dir/summary"
