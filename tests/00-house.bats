#!/usr/bin/env bats
# The house: includes point one way, and what may not be in the source.

load lib/ews

setup() { cd "$ROOT" || return 1; }
teardown() { :; }

@test "includes point one way: main > hub > door > dialect > core > store, client > net > lib" {
	run ! grep -rnE '#include "(net|ewsd|ewsagent|ewsctl)/' src/lib
	run ! grep -rnE '#include "(ewsd|ewsagent|ewsctl)/' src/net
	run ! grep -rnE '#include "(net|ewsd/(core|door|dialect|hub))' src/ewsd/store
	run ! grep -rnE '#include "ewsd/(door|dialect|hub)' src/ewsd/core
	run ! grep -rnE '#include "ewsd/(door|hub)' src/ewsd/dialect
	run ! grep -rnE '#include "ewsd/hub' src/ewsd/door
	run ! grep -rnE '#include "(ewsagent|ewsctl)/' src/ewsd
	run ! grep -rnE '#include "(ewsd|ewsctl)/' src/ewsagent
	run ! grep -rnE '#include "(ewsd|ewsagent|net)/' src/ewsctl
}

@test "only net/ws and net/http know libwebsockets" {
	run -0 grep -rlE '#include <libwebsockets' src
	for f in $output; do
		[[ $f =~ ^src/net/(ws|http)[a-z_]*\.[ch]$ ]]
	done
}

@test "nothing passes through a shell" {
	run ! grep -rnE '\b(system|popen|wordexp|execlp|execl)\(' src
}

@test "SQL is never put together from values" {
	run ! grep -rnE 'sqlite3_(exec|mprintf|prepare[_a-z0-9]*)\([^;]*(printf|mem_printf|strcat)' src
	run ! grep -rniE '"(select|insert|update|delete) [^"]*%[sdl]' src
}

@test "the system's differences are in src/lib/port*.c only" {
	run ! grep -rnE '\b(epoll_|inotify_|signalfd|timerfd|accept4|pipe2|eventfd|SO_PEERCRED|prctl|getrandom|F_FULLFSYNC|PR_SET)' src \
	    --include='*.[ch]' --exclude='port*'
}

@test "no function is longer than 60 lines" {
	# a function begins at column 0 with its name and ends with "}" there
	run -0 awk 'FNR == 1 { start = 0 }
	    /^[a-z_]+\(/ { start = FNR; name = $0 }
	    /^}/ && start { if (FNR - start > 60) { print FILENAME ": " name; bad = 1 } start = 0 }
	    END { exit bad }' $(find src -name '*.c')
}

@test "every source file is in the Makefile's lists" {
	for f in $(find src -name '*.c'); do
		grep -qF "$f" Makefile || { echo "not built: $f"; return 1; }
	done
}

@test "every unit test is in the Makefile's list" {
	for f in tests/unit/*_test.c; do
		n=$(basename "$f" _test.c)
		sed -n '/^UNIT = /,/^$/p' Makefile | grep -qw "$n" ||
		    { echo "not run: $f"; return 1; }
	done
}

@test "no test negates in passing: a line that begins with ! cannot fail" {
	run -1 grep -nE '^[[:space:]]+! [^|]*$' tests/*.bats
}

@test "the shell scripts are clean" {
	shellcheck share/*.sh share/examples/handlers/* .ci/run
}

@test "the man pages are clean" {
	mandoc -Tlint -Wwarning "$BUILD"/man/*
}

@test "deps is silent where nothing is missing" {
	run -0 sh share/deps.sh
	[ -z "$output" ]
}
