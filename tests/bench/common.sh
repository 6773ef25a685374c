# shellcheck shell=sh
# common.sh - what the benchmarks share: a private directory, a hub, an end
#
# Sourced, with $here set. Everything is on loopback and in two directories
# of our own; what is started is ended by its pid, whatever happens.

root=$(cd "$here/../.." && pwd)
build=$root/build/${EWS_BUILD:-opt}
PATH=$build:$build/tools:$root/bin:$PATH
command -v jq >/dev/null || { echo "jq is needed" >&2; exit 69; }

unset EDGE_SECRET ADMIN_KEY EWS_SOCKET EWS_HUB EWS_AGENT_ID PORT \
    EWS_STATE_DIR EWS_HANDLERS EWS_LISTEN EWS_SECRET_FILE
run=$(mktemp -d /tmp/ews.XXXXXX)	# short: a socket's path is
dir=$(mktemp -d "${EWS_BENCH_DIR:-${TMPDIR:-/tmp}}/ewsbench.XXXXXX")
export EWS_RUNTIME_DIR="$run"
pids=

finish() {
	trap - EXIT INT TERM
	for p in $pids; do
		kill "$p" 2>/dev/null
	done
	for p in $pids; do
		wait "$p" 2>/dev/null
	done
	rm -rf "$run" "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# begin WHAT PROGRAM ARG...: its output goes to $dir/WHAT.*; $pid. The first
# line that it says on descriptor 9 or, without --ready-fd, on stdout is in
# $said.
begin() {
	what=$1
	shift
	rm -f "$dir/ready"
	mkfifo "$dir/ready"
	case " $* " in
	*' --ready-fd '*)
		"$@" 9>"$dir/ready" >>"$dir/$what.out" 2>>"$dir/$what.log" &
		;;
	*) "$@" >"$dir/ready" 2>>"$dir/$what.log" & ;;
	esac
	pid=$!
	pids="$pids $pid"
	said=$(timeout 30 head -n 1 "$dir/ready")
	[ -n "$said" ] && return
	echo "$what did not start:" >&2
	cat "$dir/$what.log" >&2
	exit 1
}

# end PID: and waits for its end.
end() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	rest=
	for p in $pids; do
		[ "$p" = "$1" ] || rest="$rest $p"
	done
	pids=$rest
}

# begin_hub [FLAG...]: a new store; $hub, $port.
begin_hub() {
	rm -rf "$dir/state" "$run/ewsd.port"
	mkdir -m 700 "$dir/state"
	begin ewsd ewsd --listen 127.0.0.1:0 --state-dir "$dir/state" \
	    --ready-fd 9 "$@"
	hub=$pid
	port=$(head -n 1 "$run/ewsd.port")
	port=${port##*:}
}
