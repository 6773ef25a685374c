#!/usr/bin/env bats
# Settings: precedence, mistakes, secrets; for hub and agent.

load lib/ews

@test "flag over environment over file over default" {
	printf 'max-line = 70000\n' >"$D/c.conf"
	chmod 600 "$D/c.conf"
	value() { sed -n 's/^max[-_]line *= *\([^ ]*\).*# *\(.*\)/\1 \2/p'; }
	common=(ewsd --state-dir "$D/state" --print-config)
	run -0 "${common[@]}"
	[[ $(value <<<"$output") == *default* ]]
	run -0 "${common[@]}" --config "$D/c.conf"
	[[ $(value <<<"$output") == 70000*c.conf:1* ]]
	run -0 env EWS_MAX_CONNECTIONS=7 ewsd --state-dir "$D/state" --print-config
	[[ $output == *"max-connections = 7"*"EWS_MAX_CONNECTIONS"* ]]
	run -0 env EWS_MAX_CONNECTIONS=7 ewsd --state-dir "$D/state" --max-connections 9 --print-config
	[[ $output == *"max-connections = 9"*"--max-connections"* ]]
}

@test "wrong flags are 64, nothing is started" {
	check() {
		run -64 --separate-stderr "$@"
		[ -n "$stderr" ]
	}
	for p in ewsd ewsagent; do
		check $p --nosuch
		check $p --ready-fd abc
		check $p --ready-fd -1
		check $p --log-level loud
		check $p --log-level
		check $p extra argument
	done
	for listen in 127.0.0.1:99999 127.0.0.1:abc :1 127.0.0.1:1,nonsense 127.0.0.1:1,tls; do
		run -78 ewsd --listen "$listen" --check-config
		[[ $output == *"$listen"* ]]
	done
	check ewsd --max-connections 0
	[ ! -e "$D/state/ews.db" ]
}

@test "a file with a mistake is refused with its line" {
	check() {
		printf '%b' "$1" >"$D/c.conf"
		chmod "${2:-600}" "$D/c.conf"
		run -78 ewsd --config "$D/c.conf" --check-config
		[[ $output == *c.conf* ]]
	}
	check 'max-line = 70000\nnosuch = 1\n'
	[[ $output == *c.conf:2* ]]
	check 'max-line = 70000\nmax-line = 80000\n'
	check 'max-line = many\n'
	check '[section]\nmax-line = 70000\n'
	check 'max-line = 70\0000\n'
	check 'nonsense\n'
	check "max-line = $(head -c 100000 /dev/zero | tr '\0' 1)\n"
	check 'max-line = 70000\n' 666
	run -78 ewsd --config "$D" --check-config
	mkfifo "$D/fifo"
	run -78 timeout 10 ewsd --config "$D/fifo" --check-config
	run -78 ewsd --config "$D/nosuch" --check-config
}

@test "a hub without a secret serves loopback only" {
	run -78 timeout 10 ewsd --listen 0.0.0.0:0 --state-dir "$D/state"
	[[ $output == *secret* ]]
	start_ewsd
	[ "${#SECRET}" -eq 64 ]
	cat "$D/ewsd.log" "$D/ewsd.out" >"$D/said"
	grep -q "$D/state/secret" "$D/said"
	[ "$(grep -cE '^ *(\$ )?ews(ctl|agent) ' "$D/said")" -eq 3 ]
	run -1 grep -qF "$SECRET" "$D/said"
}

@test "the empty and the well-known secret are refused" {
	for secret in '' CHANGE_THIS_SECRET_IN_PRODUCTION; do
		EDGE_SECRET=$secret run -78 timeout 10 ewsd --listen 127.0.0.1:0 --state-dir "$D/state"
		[[ $output == *secret* || $output == *SECRET* ]]
	done
}

@test "a secret that others can read is refused" {
	echo abcdefghijklmnopqrstuvwxyz >"$D/s"
	chmod 644 "$D/s"
	run -78 timeout 10 ewsd --listen 127.0.0.1:0 --state-dir "$D/state" --secret-file "$D/s"
	[[ $output == *"$D/s"* ]]
	run -78 timeout 10 ewsagent --hub http://127.0.0.1:1 --id a --state-dir "$D/a" --secret-file "$D/s" --handlers "$D/handlers"
}

@test "EWS_LOOSE_FILES takes a loose file all the same, and says so in the log" {
	echo abcdefghijklmnopqrstuvwxyz >"$D/s"
	printf 'max-line = 70000\n' >"$D/c.conf"
	chmod 666 "$D/s" "$D/c.conf"
	run -78 ewsd --config "$D/c.conf" --secret-file "$D/s" --check-config
	export EWS_LOOSE_FILES=yes
	run -0 ewsd --config "$D/c.conf" --secret-file "$D/s" --check-config
	[[ $output == *"$D/c.conf"*"$D/s"* ]]
	EWS_LOOSE_FILES=1 run -78 ewsd --secret-file "$D/s" --check-config
}

@test "the secret is gone from the environment of hub, agent and handlers" {
	export EDGE_SECRET=0123456789abcdef0123456789abcdef
	start ewsd ewsd --listen 127.0.0.1:0 --state-dir "$D/state"
	HUB=http://$(head -n 1 "$SOCK/ewsd.port")
	handler envall <<-'H'
		#!/bin/sh
		env
	H
	start mini ewsagent --hub "$HUB" --id mini --state-dir "$D/mini" --socket "$SOCK/m.sock" --handlers "$D/handlers"
	run -0 ewsctl run --queue-unknown mini envall
	[[ $output != *0123456789abcdef* ]]
	[[ $output == *EWS_COMMAND_ID=* ]]
}

@test "no secret has a flag" {
	for p in ewsd ewsagent ewsctl; do
		run -64 $p --secret x
		run -64 $p --admin-key x
	done
}

@test "a state directory that others can write is refused" {
	mkdir "$D/loose"
	chmod 777 "$D/loose"
	run ! timeout 10 ewsd --listen 127.0.0.1:0 --state-dir "$D/loose"
	[[ $output == *"$D/loose"* ]]
}

@test "what is in the state directory is ours alone, whatever the umask" {
	(umask 000; start_ewsd && end_process "$HUB_PID")
	run -0 find "$D/state" -mindepth 1 -perm /077
	[ -z "$output" ]
}

@test "--check-config is 0 for good settings; --describe routes lists them" {
	run -0 ewsd --state-dir "$D/state" --check-config
	run -0 ewsd --describe routes
	[[ $output == */edge/ws* ]]
	[[ $output == */edge/sync* ]]
	# no method and path twice, and nothing but GET, POST
	[ -z "$(awk '{ print $1, $2 }' <<<"$output" | sort | uniq -d)" ]
}

@test "--help with examples and --version, on stdout, exit 0" {
	for p in ewsd ewsagent; do
		run -0 --separate-stderr $p --help
		[ -z "$stderr" ]
		[[ $output == *xample* ]]
		run -0 --separate-stderr $p --version
		[[ $output =~ ^$p\ [0-9]+\. ]]
	done
}

@test "odd locale, HOME, TMPDIR change nothing" {
	start ewsd env -i PATH="$PATH" LC_ALL=de_DE.UTF-8 HOME=/nonexistent TMPDIR=/nonexistent \
	    "$(command -v ewsd)" --listen 127.0.0.1:0 --state-dir "$D/state" --runtime-dir "$SOCK"
	run -0 env -i PATH="$PATH" LC_ALL=de_DE.UTF-8 HOME=/nonexistent "$(command -v ewsctl)" --runtime-dir "$SOCK" ping
}

@test "SIGHUP: a new secret is taken, a wrong one leaves the old in service" {
	(umask 077; echo first-secret-of-this-test >"$D/s")
	start_ewsd --secret-file "$D/s"
	SECRET=first-secret-of-this-test
	edge_ws a ping expect-pong
	(umask 077; echo second-secret-of-this-test >"$D/s")
	kill -HUP "$HUB_PID"
	SECRET=second-secret-of-this-test
	until_true 10 edge_ws a ping expect-pong
	chmod 644 "$D/s"
	kill -HUP "$HUB_PID"
	until_true 10 grep -qE 'error|warn' "$D/ewsd.log"
	edge_ws a ping expect-pong
}
