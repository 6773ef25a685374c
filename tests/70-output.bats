#!/usr/bin/env bats
# Handler output: live, apart, any bytes, any size, in bounded memory.

load lib/ews

peak_kib() {
	if [ -r "/proc/$1/status" ]; then
		sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
	else
		ps -o rss= -p "$1" | tr -d ' '
	fi
}

# a sanitizer keeps freed memory for a while
limit_kib() {
	[ "$EWS_BUILD" = san ] && echo 600000 || echo "$1"
}

@test "100 MB come through whole, and nobody's memory grows with them" {
	start_ewsd
	start_agent mini
	handler big <<-'H'
		#!/bin/sh
		head -c 104857600 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null
	H
	want=$("$D/handlers/big" | openssl dgst -sha256 -r | cut -d' ' -f1)
	got=$(ewsctl run mini big | openssl dgst -sha256 -r | cut -d' ' -f1)
	[ "$got" = "$want" ]
	[ "$(peak_kib "$HUB_PID")" -lt "$(limit_kib 65536)" ]
	[ "$(peak_kib "$AGENT_PID")" -lt "$(limit_kib 65536)" ]
}

@test "any bytes: NUL, half characters, all 256" {
	start_ewsd
	start_agent mini
	handler bytes <<-'H'
		#!/bin/sh
		i=0
		while [ $i -lt 256 ]; do printf "\\$(printf %o $i)"; i=$((i + 1)); done
		printf '\303'; sleep 0.05; printf '\244 \360\237'; sleep 0.05; printf '\232\200\n'
	H
	ewsctl run mini bytes >"$D/got"
	"$D/handlers/bytes" >"$D/want"
	cmp "$D/got" "$D/want"
}

@test "stdout and stderr, much of both, stay apart and in order" {
	start_ewsd
	start_agent mini
	handler both <<-'H'
		#!/bin/sh
		i=0
		while [ $i -lt 3000 ]; do echo "out $i"; echo "err $i" >&2; i=$((i + 1)); done
	H
	ewsctl run mini both >"$D/out" 2>"$D/err"
	cmp "$D/out" <(seq -f 'out %.0f' 0 2999)
	cmp "$D/err" <(seq -f 'err %.0f' 0 2999)
}

@test "a reader that stops costs only itself" {
	start_ewsd
	start_agent mini
	handler big <<-'H'
		#!/bin/sh
		head -c 50000000 /dev/zero | tr '\0' x
	H
	mkfifo "$D/pipe"
	ewsctl run mini big >"$D/pipe" 3>&- &
	PIDS+=($!)
	exec 20<"$D/pipe"
	IFS= read -r -N 1000 -u 20 _
	# while it stands still the others are quick and memory is flat
	for i in 1 2 3 4 5; do [ "$(ewsctl run mini echo $i)" = $i ]; done
	[ "$(peak_kib "$HUB_PID")" -lt "$(limit_kib 65536)" ]
	[ "$(wc -c <&20)" -eq 49999000 ]
	exec 20<&-
}

@test "output past the cap is counted, not kept; the end says truncated" {
	start_ewsd
	start_agent mini --output-max 100000
	handler big <<-'H'
		#!/bin/sh
		head -c 300000 /dev/zero | tr '\0' x
	H
	[ "$(ewsctl run mini big | wc -c)" -eq 100000 ]
	run -0 ewsctl commands -o json
	[ "$(jq '.commands[0].stdout_bytes' <<<"$output")" -eq 300000 ]
}

@test "a command that nobody follows keeps the last words only" {
	start_ewsd
	start_agent mini
	handler talk <<-'H'
		#!/bin/sh
		head -c 300000 /dev/zero | tr '\0' x
		echo last words
		echo complaint >&2
		exit 3
	H
	run -3 ewsctl send --wait=done mini talk
	id=${lines[0]}
	run -0 ewsctl command "$id" -o json
	[[ $(jq -r .tail.stdout <<<"$output") == *"last words"* ]]
	[[ $(jq -r .error <<<"$output") == *"exit status 3"*complaint* ]]
	until_true 5 test -z "$(ls -A "$D"/mini/agent/spool "$D"/mini/spool 2>/dev/null | grep -v :)"
}

@test "a daemon that keeps stdout does not hold the command up" {
	start_ewsd
	start_agent mini
	handler daemon <<-H
		#!/bin/sh
		sleep 300 &
		echo \$! >"$D/daemon"
		echo started
	H
	start=$(date +%s)
	run -0 ewsctl run mini daemon
	[ "$output" = started ]
	[ $(($(date +%s) - start)) -lt 60 ]
	until_true 20 not_running "$(cat "$D/daemon")"
}

@test "the link cut in the middle of output: every byte once" {
	start_ewsd
	wsproxy --listen 0 --to "$HUB_PORT" --control "$SOCK/proxy" >"$D/proxy.out" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 grep -q ready "$D/proxy.out"
	AGENT_HUB=http://127.0.0.1:$(sed -n 's/^ready //p' "$D/proxy.out")
	start_agent mini --reconnect-min 20ms --reconnect-max 200ms
	handler count <<-'H'
		#!/bin/sh
		i=0
		while [ $i -lt 200 ]; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); i=$((i + 1)); sleep 0.01; done
	H
	ewsctl run mini count >"$D/got" 3>&- &
	runner=$!
	for n in 20000 60000 120000; do
		more() { [ "$(wc -l <"$D/got")" -gt $n ]; }
		until_true 60 more
		echo cut | sockline "$SOCK/proxy"
	done
	wait $runner
	cmp "$D/got" <(seq 200000)
}
