#!/usr/bin/env bats
# ewsctl by itself: usage, help, and what it says without a hub.

load lib/ews

@test "ewsctl: --help explains every verb, with examples, on stdout" {
	run -0 --separate-stderr ewsctl --help
	[ -z "$stderr" ]
	for verb in $(sed -n 's/^VERB(\([a-z]*\),.*/\1/p' "$ROOT/src/ewsctl/verbs.def"); do
		[[ $output == *$'\n'"  $verb "* ]]
	done
	[[ $output == *"examples:"* ]]
}

@test "ewsctl: help VERB explains one" {
	for verb in $(sed -n 's/^VERB(\([a-z]*\),.*/\1/p' "$ROOT/src/ewsctl/verbs.def"); do
		run -0 ewsctl help "$verb"
		[[ ${lines[0]} == "usage: ewsctl [flags] $verb"* ]]
		[[ $output == *"examples:"*"  ewsctl "*"$verb"* ]]
		all=$output
		run -0 ewsctl "$verb" --help
		[ "$output" = "$all" ]
	done
}

@test "ewsctl: --version" {
	run -0 ewsctl --version
	[[ $output =~ ^ewsctl\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "ewsctl: nothing asked is a wrong command line" {
	run -64 ewsctl
}

@test "ewsctl: wrong command lines exit 64 and say why on stderr" {
	check() {
		run -64 --separate-stderr ewsctl "$@"
		[ -z "$output" ]
		[[ $stderr == ewsctl:* ]]
	}
	check nosuchverb
	check --nosuchflag ping
	check ping extra
	check agent
	check run onlyagent
	check send onlyagent
	check --timeout
	check --timeout abc ping
	check --timeout -5s ping
	check --wait=never send a b
	check -o yaml ping
	check --limit 0 commands
	check --limit 99999 commands
	check --priority extreme send a b
	check "--$(head -c 100000 /dev/zero | tr '\0' x)" ping
	check help nosuchverb
}

@test "ewsctl: a flag that the verb has not is told, and not ignored" {
	check() {
		local said=$1
		shift
		run -64 --separate-stderr ewsctl "$@"
		[ -z "$output" ]
		[[ $stderr == *"$said"* ]] || { echo "$stderr"; return 1; }
	}
	check "--agent goes with ewsctl dead, schedules" commands --agent mini
	check "not with agents; see ewsctl help agents" -n 5 agents
	check "--arg goes with ewsctl send" run --arg x a b
	check "--wait goes with ewsctl send" run --wait=accepted a b
	for flag in --parallel=2 --canary=1 --abort-after=1 --need=1 --group; do
		check "${flag%=*} goes with --target" run "$flag" a b
	done
	check "--tz goes with --at" send --tz Europe/Berlin a b
	# what stands in a file is for the verbs that know it
	printf 'limit = 5\nparallel = 2\ntz = UTC\n' >"$D/c.conf"
	for verb in agents "run a b" "send a b"; do
		# shellcheck disable=SC2086 # words
		run -69 ewsctl --config "$D/c.conf" $verb
	done
}

@test "ewsctl: a time that is too long says how long it may be" {
	for t in 99999999h 99999999999999999999 100000h; do
		run -64 ewsctl run --ttl "$t" a b
		[[ $output == *"--ttl"*"at most 365 d"* ]]
	done
}

@test "ewsctl: data that is wrong exits 65" {
	mkdir -p "$SOCK"
	run -65 ewsctl send a b '{"x":'
	[[ $output == *"payload"* ]]
	run -65 ewsctl send a b '[1]'
	run -65 ewsctl send a b '{"x":1,"x":2}'
	run -65 ewsctl send a b $'{"x":"\xff"}'
	run -65 ewsctl send $'\xff' b
}

@test "ewsctl: no hub is exit 69 and says what to do" {
	for verb in ping stats agents "agent a" "send a b" "run a b" \
	    "command x" "cancel x" "commands"; do
		# shellcheck disable=SC2086 # words
		run -69 --separate-stderr ewsctl $verb
		[ -z "$output" ]
		[[ $stderr == *"no hub answers"*ewsd* ]]
	done
}

@test "ewsctl: a socket's path over the system's limit says so" {
	long=/tmp/$(head -c 200 /dev/zero | tr '\0' x)
	run ewsctl --socket "$long" ping
	[ "$status" -ne 0 ]
	[[ $output == *"bytes"* ]]
}

@test "ewsctl: a settings file with a mistake names file and line" {
	printf 'output = json\nnosuch = 1\n' >"$D/c.conf"
	run -78 ewsctl --config "$D/c.conf" ping
	[[ $output == *"c.conf:2"*nosuch* ]]
}
