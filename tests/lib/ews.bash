# shellcheck shell=bash disable=SC2034,SC2154
# ews.bash - what the tests share: private directories, a hub, agents
#
# Every test has its own directory, its own ports, its own sockets. What a
# test starts is ended by pid in teardown; nothing is waited for by time:
# `until_true` asks again and again, with an end, where no event is to be had.

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
BUILD=$ROOT/build/${EWS_BUILD:-opt}
PATH=$BUILD:$BUILD/tools:$ROOT/bin:$PATH
bats_require_minimum_version 1.5.0

ews_setup() {
	D=$(mktemp -d "${BATS_TEST_TMPDIR}/ews.XXXXXX")
	mkdir -m 700 "$D/run" "$D/state" "$D/handlers"
	PIDS=()
	export EWS_RUNTIME_DIR=$D/run
	unset EDGE_SECRET ADMIN_KEY EWS_SOCKET EWS_HUB EWS_AGENT_ID PORT \
	    EWS_STATE_DIR EWS_HANDLERS EWS_LISTEN EWS_SECRET_FILE
	# short, because a socket's path may have 104 bytes
	SOCK=$(mktemp -d /tmp/ews.XXXXXX)
	EWS_RUNTIME_DIR=$SOCK
	cp "$ROOT"/share/examples/handlers/* "$D/handlers/"
	chmod -R go-w "$D/handlers"
}

setup() {
	ews_setup
}

# Only what still runs and is this shell's own: the number of a process that
# has ended may be another's by now.
teardown() {
	local pid running status=0
	running=" $(jobs -pr | tr '\n' ' ')"
	for pid in "${PIDS[@]}"; do
		[[ $running == *" $pid "* ]] || continue
		kill -TERM "$pid" 2>/dev/null || true
		kill -CONT "$pid" 2>/dev/null || true
	done
	for pid in "${PIDS[@]}"; do
		[[ $running == *" $pid "* ]] || continue
		gone "$pid" 15 || { kill -KILL "$pid" 2>/dev/null; status=1; }
	done
	end_shims
	if grep -sE 'ERROR: (Address|Leak|Undefined)|runtime error:|Assertion' \
	    "$D"/*.log; then
		status=1
	fi
	if [ "$BATS_TEST_COMPLETED" != 1 ] || [ $status -ne 0 ]; then
		show_logs
	fi
	rm -rf "$SOCK"
	return $status
}

# Handlers outlive their agent; those of this test end with it.
end_shims() {
	local lock pid
	for lock in "$D"/*/agent/jobs/*/lock; do
		[ -s "$lock" ] || continue
		pid=$(cat "$lock")
		case $(ps -o comm= -p "$pid" 2>/dev/null) in
		*ewsagent-shim*) kill -TERM "$pid" 2>/dev/null || true ;;
		esac
	done
}

show_logs() {
	local log
	for log in "$D"/*.log; do
		[ -s "$log" ] || continue
		echo "--- $(basename "$log")"
		tail -n 60 "$log"
	done
}

# until_true SECONDS COMMAND...: asks every 20 ms.
until_true() {
	local end=$(($(date +%s) + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		if [ "$(date +%s)" -gt "$end" ]; then
			echo "gave up waiting for: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# gone PID SECONDS: the process has ended (a zombie of ours is reaped).
gone() {
	until_true "$2" not_running "$1" || return 1
	wait "$1" 2>/dev/null || true
}

# forget PID: it has ended already; its number may be another's by now.
forget() {
	local pid kept=()
	for pid in "${PIDS[@]}"; do
		[ "$pid" = "$1" ] || kept+=("$pid")
	done
	PIDS=("${kept[@]}")
}

not_running() {
	case $(ps -o stat= -p "$1" 2>/dev/null) in
	'' | Z*) return 0 ;;
	*) return 1 ;;
	esac
}

# start NAME PROGRAM ARG...: in the background, log in $D/NAME.log, returns
# when the program has said READY; its pid is in $PID.
start() {
	local name=$1 fifo=$D/ready.$1.$RANDOM
	shift
	mkfifo "$fifo"
	"$@" --ready-fd 9 9>"$fifo" >>"$D/$name.out" 2>>"$D/$name.log" 3>&- &
	PID=$!
	PIDS+=("$PID")
	# the read ends when the program says READY or has ended
	if [ "$(timeout 30 head -n 1 "$fifo")" != READY ]; then
		echo "$name did not start:" >&2
		cat "$D/$name.log" >&2
		return 1
	fi
	rm -f "$fifo"
}

# start_ewsd [FLAG...]: $HUB_PID, $PORT_, $HUB (URL); its own secret.
start_ewsd() {
	start ewsd ewsd --listen 127.0.0.1:0 --state-dir "$D/state" "$@" ||
	    return 1
	HUB_PID=$PID
	HUB_PORT=$(head -n 1 "$SOCK/ewsd.port")
	HUB_PORT=${HUB_PORT##*:}
	HUB=http://127.0.0.1:$HUB_PORT
	SECRET=$(cat "$D/state/secret" 2>/dev/null || true)
}

# restart_ewsd [FLAG...]: on the same port, so that agents find it again.
restart_ewsd() {
	start ewsd ewsd --listen "127.0.0.1:$HUB_PORT" \
	    --state-dir "$D/state" "$@" || return 1
	HUB_PID=$PID
}

# start_agent [ID [FLAG...]]: connected when it returns. $AGENT_PID.
start_agent() {
	start_agent_nowait "$@" || return 1
	until_true 20 agent_is "${1:-mini}" online
}

start_agent_nowait() {
	local id=${1:-mini}
	shift || true
	start "$id" ewsagent --hub "${AGENT_HUB:-$HUB}" --id "$id" \
	    --state-dir "$D/$id" --secret-file "$D/state/secret" \
	    --socket "$SOCK/$id.sock" --handlers "$D/handlers" "$@" || return 1
	AGENT_PID=$PID
}

agent_is() {
	[ "$(ewsctl agent "$1" -o json | jq -r .status)" = "$2" ]
}

# command_is ID STATE
command_is() {
	[ "$(ewsctl command "$1" -o json | jq -r .state)" = "$2" ]
}

# handler NAME: the script comes on stdin.
handler() {
	cat >"$D/handlers/$1"
	chmod 755 "$D/handlers/$1"
}

# end_process PID [SIGNAL]: and waits for its end.
end_process() {
	kill "-${2:-TERM}" "$1"
	gone "$1" 15
	forget "$1"
}

# A foreign agent's WebSocket: edge_ws ID STEP...
edge_ws() {
	local id=$1
	shift
	wsprobe --port "$HUB_PORT" --path "/edge/ws?edge_agent_id=$id" \
	    --header "Authorization: Bearer $SECRET" "$@"
}

# An HTTP call: http METHOD PATH [curl flags]; status in $status, body in
# $output.
http() {
	local method=$1 path=$2
	shift 2
	run curl -sS -m 40 -o "$D/body" -w '%{http_code}' -X "$method" \
	    "$HUB$path" "$@"
	status=$output
	output=$(cat "$D/body" 2>/dev/null)
}

edge_http() {
	http "$@" -H "Authorization: Bearer $SECRET" \
	    -H 'Content-Type: application/json'
}
