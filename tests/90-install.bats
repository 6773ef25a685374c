#!/usr/bin/env bats
# What is installed, and the documentation: every example is run.

load lib/ews

@test "make install and uninstall, with PREFIX and DESTDIR" {
	make -s -C "$ROOT" install DESTDIR="$D/root" PREFIX=/opt/ews $([ "$EWS_BUILD" = san ] && echo SAN=1)
	for f in bin/ewsd bin/ewsagent bin/ewsctl share/man/man1/ewsctl.1 share/man/man5/ews.conf.5 \
	    share/man/man8/ewsd.8 share/man/man8/ewsagent.8 share/bash-completion/completions/ewsctl \
	    share/zsh/site-functions/_ewsctl share/fish/vendor_completions.d/ewsctl.fish \
	    share/ews/handlers/echo; do
		[ -f "$D/root/opt/ews/$f" ] || { echo "not installed: $f"; return 1; }
	done
	"$D/root/opt/ews/bin/ewsctl" --version
	if [ "$(uname -s)" = Linux ]; then
		grep -q '^ExecStart=/opt/ews/bin/ewsd' "$D/root/opt/ews/lib/systemd/system/ewsd.service"
	fi
	make -s -C "$ROOT" uninstall DESTDIR="$D/root" PREFIX=/opt/ews
	[ -z "$(find "$D/root" -type f)" ]
}

@test "deps: where it may not install it says in one sentence what to do" {
	# a machine without jq and bats, and a user who may not install
	mkdir "$SOCK/bin"
	for tool in sh uname id sed cat pkg-config; do
		ln -s "$(command -v $tool)" "$SOCK/bin/$tool"
	done
	ln -s /bin/true "$SOCK/bin/apt-get"
	as=()
	if [ "$(id -u)" = 0 ]; then
		chmod 755 "$SOCK"
		as=("$(command -v setpriv)" --reuid=65534 --regid=65534 --clear-groups)
	fi
	PATH=$SOCK/bin run -1 "${as[@]}" /bin/sh -s <"$ROOT/share/deps.sh"
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == "deps: "*" jq "* ]]
}

@test "the plists and the units hold what the programs take" {
	for f in "$ROOT"/share/launchd/*.plist "$ROOT"/share/systemd/*.service; do
		for flag in $(grep -oE -- '--[a-z-]+' "$f" | sort -u); do
			name=$(basename "$f" | grep -oE 'ewsd|ewsagent')
			"$name" --help | grep -q -- "$flag" || { echo "$f: $flag"; return 1; }
		done
	done
}

@test "completions: every verb and every flag, and the shells take them" {
	for p in ewsd ewsagent ewsctl; do
		bash -n "$BUILD/completions/$p.bash"
		zsh -n "$BUILD/completions/_$p"
		fish -n "$BUILD/completions/$p.fish"
		for flag in $($p --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
			grep -q -- "$flag" "$BUILD/completions/$p.bash" ||
			    grep -q -- "--no-" <<<"$flag" || { echo "$p $flag"; return 1; }
		done
	done
	# shellcheck disable=SC2030
	complete_() {
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		COMPREPLY=()
		_ewsctl
		printf '%s\n' "${COMPREPLY[@]}"
	}
	source "$BUILD/completions/ewsctl.bash"
	[[ $(complete_ ewsctl ru) == run* ]]
	[[ $(complete_ ewsctl --outp) == --output* ]]
	[[ $(complete_ ewsctl -o '') == *json* ]]
	start_ewsd
	start_agent mini
	[[ $(complete_ ewsctl run mi) == mini* ]]
	[[ $(complete_ ewsctl --output json --timeout 1s run mi) == mini* ]]
	[ "$(complete_ ewsctl wait a)" = agent ]
	[ "$(complete_ ewsctl wait agent '')" = mini ]
	[ "$(complete_ ewsctl wait agent mini o | xargs)" = "online offline" ]
	[ "$(complete_ ewsctl schedules p)" = pause ]
	[ "$(complete_ ewsctl dead r)" = requeue ]
	[ "$(complete_ ewsctl help att)" = attach ]
	ewsctl send --cron @daily --schedule-id nightly mini echo
	[ "$(complete_ ewsctl schedules pause '')" = nightly ]
	# a stranger's name is no code
	cd "$D"
	ewsctl send --id plain mini echo
	ewsctl send --id '$(touch pwned)' mini echo
	[ "$(complete_ ewsctl attach '')" = plain ]
	[ ! -e pwned ]
}

@test "the manual has every flag and every key" {
	for p in ewsd ewsagent ewsctl; do
		page=$(ls "$BUILD"/man/$p.[18])
		mandoc -Tascii "$page" | col -b >"$D/page"
		for flag in $($p --help | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z][a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u); do
			grep -q -- "$flag" "$D/page" || { echo "$p: $flag"; return 1; }
		done
	done
	mandoc -Tascii "$BUILD/man/ews.conf.5" | col -b >"$D/page"
	for key in $(ewsd --state-dir "$D/state" --print-config | sed -n 's/^\([a-z-]*\) =.*/\1/p'); do
		grep -q -- "$key" "$D/page" || { echo "ews.conf: $key"; return 1; }
	done
}

@test "the manual explains every state of a command" {
	mandoc -Tascii "$BUILD/man/ewsctl.1" | col -bx >"$D/page"
	for state in $(sed -nE 's/^COMMAND_STATE\([A-Z]+, "([a-z]+)".*/\1/p' "$ROOT/src/lib/states.def"); do
		grep -qE -- "^ +$state( |$)" "$D/page" || { echo "$state"; return 1; }
	done
}

# The commands of README (fenced, sh), of the manual (literal displays) and
# of the help: one a line, continued lines joined.
examples() {
	awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on' "$ROOT/README.md"
	awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on' "$ROOT"/share/man/*.[18] | sed 's/\\e$/\\/'
	for p in ewsctl ewsd ewsagent; do $p --help | sed -n '/xamples\{0,1\}:/,/^$/p'; done
}

@test "every example with ewsctl works as it is printed" {
	start_ewsd
	start_agent mini
	handler greet <<-'H'
		#!/bin/sh
		name=$(jq -r '.name // "nobody"')
		echo "hello, $name"
	H
	handler backup <<<'#!/bin/sh'
	handler cat < <(printf '#!/bin/sh\nexec cat\n')
	handler digest < <(printf '#!/bin/sh\nexec openssl dgst -sha256\n')
	export id
	ewsctl send --id example-1 --wait=done mini echo
	ewsctl tag mini +web +eu
	export EWS_STATE_DIR=$D/jobs # of ewsctl cron
	n=0
	mkdir -p "$D/x"
	examples | sed -e ':a' -e '/[\\|]$/N; s/\\\n */ /; s/|\n */| /; ta' |
	    sed -nE 's/^[ $]*((0 3 \* \* \* )?)((id=\$\()?(ewsctl|jq|tar) .*)$/\3/p' |
	    sed 's/  *# .*$//' | sort -u >"$D/examples"
	while IFS= read -r line; do
		n=$((n + 1))
		id=example-1
		case $line in
		*ewsagent.sock*) line=${line/\/run\/ewsagent\/ewsagent.sock/$SOCK/mini.sock} ;;
		*'schedules '*nightly) ewsctl send --cron @daily --schedule-id nightly mini echo ;;
		*'--schedule-id nightly'*) ewsctl schedules cancel nightly || true ;;
		'ewsctl cancel'*) id=$(ewsctl send --queue-unknown absent echo) ;;
		esac
		(cd "$D/x" && bash -euc "$line") >"$D/said" 2>&1 </dev/null ||
		    { echo "$line"; cat "$D/said"; return 1; }
	done <"$D/examples"
	[ $n -ge 45 ]
}

@test "every example with ewsd and ewsagent is accepted" {
	mkdir -p "$D/x/handlers" "$D/x/.config/ews"
	chmod 700 "$D/x/handlers" "$D/x/.config/ews"
	(umask 077; openssl rand -hex 32 >"$D/x/.config/ews/secret")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$D/x/FILE" \
	    -out "$D/x/cert" -subj /CN=x 2>/dev/null
	export HOME=$D/x EWS_SECRET_FILE=$D/x/.config/ews/secret
	examples | sed -e ':a' -e '/\\$/N; s/\\\n */ /; ta' | sed -nE 's/^[ $]*((ewsd|ewsagent) .*)$/\1/p' |
	    sed 's/  *# .*$//' | sort -u >"$D/examples"
	[ "$(wc -l <"$D/examples")" -ge 6 ]
	while IFS= read -r line; do
		line=$(sed 's/--describe routes/&/; t; s/$/ --check-config/' <<<"$line")
		(cd "$D/x" && bash -euc "$line") >"$D/said" 2>&1 </dev/null ||
		    { echo "$line"; cat "$D/said"; return 1; }
	done <"$D/examples"
}

@test "the demo shows a command and its answer, and leaves nothing behind" {
	cd "$ROOT"
	before=$(pgrep -f "$ROOT/bin/ews" | wc -l || true)
	TMPDIR=$D run -0 timeout 60 sh share/demo.sh
	[[ $output == *"hello from the edge"* ]]
	[[ $output == *'"host"'* ]]
	[ -z "$(ls -d "$D"/ews-demo.* 2>/dev/null)" ]
}
