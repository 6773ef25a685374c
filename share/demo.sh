#!/bin/sh
# A hub, an agent, a command, its answer; then everything is tidied up.
# Run by `make demo` from the top of the tree; needs bin/ built.
set -eu

bin=$PWD/bin
dir=$(mktemp -d "${TMPDIR:-/tmp}/ews-demo.XXXXXX")
pids=
tidy() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap tidy EXIT
trap 'exit 130' INT TERM

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}
if [ ! -t 1 ] || [ -n "${NO_COLOR-}" ]; then
	say() { printf '\n%s\n' "$*"; }
fi

# Shows a command as it would be typed, and runs it.
show() {
	printf '$ %s\n' "$*"
	"$@"
}

# Starts a program and waits until it says READY.
start() {
	mkfifo "$dir/ready"
	"$@" --ready-fd 9 9>"$dir/ready" 2>"$dir/$(basename "$1").log" &
	pids="$! $pids"
	if ! grep -q READY "$dir/ready"; then
		cat "$dir/$(basename "$1").log" >&2
		exit 1
	fi
	rm "$dir/ready"
}

mkdir -m 700 "$dir/state" "$dir/edge" "$dir/run"
cp -R share/examples/handlers "$dir/handlers"
chmod -R go-w "$dir/handlers"
export EWS_RUNTIME_DIR="$dir/run"
PATH=$bin:$PATH

say "A hub on this machine, on a free port, with a secret of its own"
start ewsd --listen 127.0.0.1:0 --state-dir "$dir/state"
hub=http://$(head -n 1 "$dir/run/ewsd.port")
echo "listening on $hub"

say "An agent called mini, which connects out to it"
start ewsagent --hub "$hub" --id mini --state-dir "$dir/edge" \
    --secret-file "$dir/state/secret" --handlers "$dir/handlers"
# a command waits for its agent, so there is nothing to wait for here
show ewsctl run --queue-unknown mini echo "hello from the edge"
show ewsctl agents

say "A command: its output and its exit status are the handler's"
show ewsctl run mini sysinfo
say "Queued, with an id; nothing accepted is ever lost"
echo "\$ ewsctl send --wait=done mini echo '{\"text\":\"hi\"}'"
id=$(ewsctl send --wait=done mini echo '{"text":"hi"}')
echo "$id"
say "What became of it"
show ewsctl why "$id"
say "That was it. Next: README.md, and ewsctl --help"
