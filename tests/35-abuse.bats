#!/usr/bin/env bats
# What strangers send to the port before anything is accepted.

load lib/ews

setup() {
	ews_setup
	start_ewsd
}

# raw STATUS < head: the first line of the answer has this status
raw() {
	local want=$1
	shift
	got=$(wsprobe raw --port "$HUB_PORT" --timeout 12 "$@" 2>/dev/null | head -n 1 | cut -d' ' -f2)
	[ "$got" = "$want" ] || { echo "got '$got' instead of $want"; return 1; }
}

head_of() {
	printf '%s\r\n' "$@" ''
}

upgrade() {
	local line=$1
	shift
	head_of "$line" 'Host: 127.0.0.1' 'Upgrade: websocket' 'Connection: Upgrade' \
	    "Authorization: Bearer $SECRET" "$@"
}

WS='GET /edge/ws?edge_agent_id=a HTTP/1.1'
KEY='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
V13='Sec-WebSocket-Version: 13'

@test "handshakes: method, version, key" {
	upgrade 'POST /edge/ws?edge_agent_id=a HTTP/1.1' "$KEY" "$V13" | raw 405
	upgrade 'GET /edge/ws?edge_agent_id=a HTTP/1.0' "$KEY" "$V13" | raw 400
	for v in 'X: 1' 'Sec-WebSocket-Version: 12' 'Sec-WebSocket-Version: 99'; do
		upgrade "$WS" "$KEY" "$v" | raw 426
	done
	upgrade "$WS" "$KEY" | wsprobe raw --port "$HUB_PORT" 2>/dev/null | grep -qi '^sec-websocket-version: 13'
	for k in 'X: 1' 'Sec-WebSocket-Key: abc' 'Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==' \
	    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEyMzQ1' "$KEY"$'\r\n'"$KEY"; do
		upgrade "$WS" "$k" "$V13" | raw 400
	done
	head_of "$WS" 'Host: 127.0.0.1' 'Upgrade: websocket' "Authorization: Bearer $SECRET" "$KEY" "$V13" |
	    wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|426) '
	upgrade "$WS" "$KEY" "$V13" 'Sec-WebSocket-Protocol: nosuch' | raw 400
	upgrade "$WS" "$KEY" "$V13" 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99, permessage-deflate' |
	    wsprobe raw --port "$HUB_PORT" --timeout 1 2>/dev/null | head -n 20 >"$D/a" || true
	head -n 1 "$D/a" | grep -q ' 101 '
	run -1 grep -qi '^sec-websocket-extensions' "$D/a"
}

@test "upgrades to other things never switch" {
	head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1' 'Connection: Upgrade, HTTP2-Settings' 'Upgrade: h2c' 'HTTP2-Settings: AAMAAABkAAQAAP__' |
	    raw 200
	for u in foo "$(head -c 200 /dev/zero | tr '\0' '!')"; do
		head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1' 'Connection: Upgrade' "Upgrade: $u" |
		    wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (200|400) '
	done
	printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' | wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|405|501|505) '
}

@test "methods: CONNECT, TRACE and unknown ones are answered at once" {
	for m in 'CONNECT x:1' 'TRACE /' 'NOSUCH /' 'get /health'; do
		head_of "$m HTTP/1.1" 'Host: 127.0.0.1' | wsprobe raw --port "$HUB_PORT" --timeout 2 2>/dev/null |
		    head -n 1 | grep -qE ' (400|405|501) '
	done
}

@test "targets: dots, NUL, escapes, length" {
	head_of 'GET /../etc/passwd HTTP/1.1' 'Host: 127.0.0.1' | wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|404) '
	head_of 'GET /%2e%2e/etc/passwd HTTP/1.1' 'Host: 127.0.0.1' | wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|404) '
	head_of 'GET /health%00 HTTP/1.1' 'Host: 127.0.0.1' | raw 400
	head_of 'GET /health%zz HTTP/1.1' 'Host: 127.0.0.1' | raw 400
	head_of "GET /$(head -c 9000 /dev/zero | tr '\0' x) HTTP/1.1" 'Host: 127.0.0.1' | raw 414
}

@test "Host: absent, twice, unknown names, addresses" {
	head_of 'GET /health HTTP/1.1' | raw 400
	head_of 'GET /health HTTP/1.1' 'Host: a' 'Host: b' | raw 400
	head_of 'GET /health HTTP/1.1' 'Host: evil.example' | raw 421
	upgrade "$WS" "$KEY" "$V13" | sed 's/Host: .*/Host: evil.example\r/' | raw 421
	for h in 127.0.0.1 "127.0.0.1:$HUB_PORT" localhost '[::1]:1'; do
		head_of 'GET /health HTTP/1.1' "Host: $h" | raw 200
	done
}

@test "Origin: foreign ones are refused, the hub's own is not" {
	upgrade "$WS" "$KEY" "$V13" 'Origin: http://evil.example' | raw 403
	upgrade "$WS" "$KEY" "$V13" 'Origin: null' | raw 403
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=a' --header "Authorization: Bearer $SECRET" \
	    --header "Origin: http://127.0.0.1:$HUB_PORT" ping expect-pong
}

@test "heads: too large, too many, folded, NUL, bare CR or LF" {
	head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1' "X: $(head -c 20000 /dev/zero | tr '\0' x)" | raw 431
	head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1' $(seq -f 'X%.0f:1' 2000) |
	    wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|431) '
	head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1' 'X: a' ' folded' | raw 400
	printf 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n' | raw 400
	printf 'GET /health HTTP/1.1\nHost: 127.0.0.1\n\n' | raw 400
	printf 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rb\r\n\r\n' | raw 400
	head_of 'GET /health HTTP/1.1' 'Host : 127.0.0.1' | raw 400
}

@test "lengths: negative, huge, signed, twice, with chunked" {
	for cl in 'Content-Length: -5' 'Content-Length: +3' 'Content-Length: 1 2' \
	    'Content-Length: 3'$'\r\n''Content-Length: 3' \
	    'Content-Length: 3'$'\r\n''Transfer-Encoding: chunked'; do
		head_of 'POST /edge/sync HTTP/1.1' 'Host: 127.0.0.1' "Authorization: Bearer $SECRET" "$cl" |
		    wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|411|501) ' || { echo "$cl"; return 1; }
	done
	for cl in 100000000000000000000 18446744073709551617; do
		head_of 'POST /edge/sync HTTP/1.1' 'Host: 127.0.0.1' "Authorization: Bearer $SECRET" "Content-Length: $cl" |
		    wsprobe raw --port "$HUB_PORT" 2>/dev/null | head -n 1 | grep -qE ' (400|413) '
	done
	head_of 'POST /edge/sync HTTP/1.1' 'Host: 127.0.0.1' "Authorization: Bearer $SECRET" | raw 411
}

@test "a body that does not come is 408, and nothing is stored" {
	end_process "$HUB_PID"
	restart_ewsd --body-timeout 500ms --head-timeout 500ms
	{ head_of 'POST /edge/command/ack HTTP/1.1' 'Host: 127.0.0.1' "Authorization: Bearer $SECRET" \
	    'Content-Type: application/json' 'Content-Length: 100'; printf '{"x'; } | raw 408
}

@test "slowloris: half a head is answered 408 at the deadline; others are quick meanwhile" {
	end_process "$HUB_PID"
	restart_ewsd --head-timeout 1s
	printf 'GET /health HTTP/1.1\r\nHos' | raw 408
	for i in $(seq 50); do
		printf 'GET /health HTTP/1.1\r\nHos' | wsprobe raw --port "$HUB_PORT" --timeout 20 >/dev/null 2>&1 3>&- &
		PIDS+=($!)
	done
	run -0 curl -sS -m 1 "$HUB/health"
}

@test "pipelined requests: the first is answered, the rest is not taken" {
	body='{"edge_agent_id":"a"}'
	get=$(head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1'; echo x)
	get=${get%x}
	post=$(head_of 'POST /edge/sync HTTP/1.1' 'Host: 127.0.0.1' "Authorization: Bearer $SECRET" \
	    'Content-Type: application/json' "Content-Length: ${#body}"; printf '%sx' "$body")
	post=${post%x}
	getbody=$(head_of 'GET /health HTTP/1.1' 'Host: 127.0.0.1' 'Content-Length: 10'; echo 0123456789x)
	getbody=${getbody%x}
	for mix in "$get$post" "$get$getbody" "$post$post" "$post$get" "$get$get"; do
		printf '%s' "$mix" | wsprobe raw --port "$HUB_PORT" --timeout 5 >"$D/a" 2>"$D/e" ||
		    [ $? -eq 5 ]
		[ "$(grep -c '^HTTP/1.1 ' "$D/a")" -eq 1 ]
		grep -q '^HTTP/1.1 200' "$D/a"
		grep -qi '^connection: close' "$D/a"
	done
	# and the hub does not spin: its processor time stands still
	used() { ps -o cputimes= -p "$HUB_PID" | tr -d ' '; }
	before=$(used)
	sleep 1.2
	[ "$(used)" -le $((before + 1)) ]
	ewsctl ping
}

@test "connections over the limit get 503; afterwards all is well" {
	end_process "$HUB_PID"
	restart_ewsd --max-connections 5
	for i in 1 2 3 4 5; do
		edge_ws "a$i" say here hold >"$D/o$i" 3>&- &
		PIDS+=($!)
		until_true 10 agent_is "a$i" online
	done
	http GET /health
	[ "$status" = 503 ]
	ewsctl ping
	kill "${PIDS[-1]}"
	until_true 10 agent_is a5 offline
	http GET /health
	[ "$status" = 200 ]
}

@test "a peer that answers no ping is closed with 1011" {
	end_process "$HUB_PID"
	restart_ewsd --ping-interval 200ms --silence 600ms --edge-silence 600ms
	edge_ws a --no-pong recv-close 1011 'keepalive ping timeout'
	edge_ws a sleep 100 ping expect-pong
}

@test "a million refusals are a handful of log lines" {
	for i in $(seq 300); do
		printf 'nonsense\r\n\r\n'  | wsprobe raw --port "$HUB_PORT" >/dev/null 2>&1 || true
	done
	[ "$(wc -l <"$D/ewsd.log")" -lt 150 ]
}

# ---- the rest of the hub meanwhile ---------------------------------------

# open_many N TEXT: connections of this very shell, in $FDS
open_many() {
	local i fd
	trap '' PIPE
	FDS=()
	for i in $(seq "$1"); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$HUB_PORT" || return 1
		FDS+=("$fd")
		# those that were refused may be gone already
		printf '%s' "$2" >&"$fd" 2>/dev/null || true
	done
}

close_many() {
	local fd
	for fd in "${FDS[@]}"; do
		exec {fd}>&-
	done
	FDS=()
}

idle() {
	local before
	before=$(ps -o cputimes= -p "$HUB_PID" | tr -d ' ')
	sleep 1.2
	[ "$(ps -o cputimes= -p "$HUB_PID" | tr -d ' ')" -le $((before + 1)) ]
}

@test "a thousand half heads do not keep a correct client waiting" {
	ulimit -n 4096 || skip "too few descriptors"
	open_many 1000 $'GET /health HTTP/1.1\r\nHos'
	run -0 curl -sS -m 1 -o /dev/null -w '%{http_code}' "$HUB/health"
	[ "$output" = 200 ]
	edge_ws a send '{"type":"ping"}' recv-match pong
	close_many
}

@test "out of descriptors: 503, idle, the operator is served; afterwards all is well" {
	end_process "$HUB_PID"
	start ewsd bash -c 'ulimit -n 128; exec ewsd "$@"' ewsd --listen "127.0.0.1:$HUB_PORT" --state-dir "$D/state" --head-timeout 60s
	HUB_PID=$PID
	grep -q 'the limit on open files is 128' "$D/ewsd.log"
	open_many 228 $'GET /health HTTP/1.1\r\nHos'
	run -0 timeout 2 ewsctl ping
	# the late ones were told, or hung up on when there were too many
	told=0
	for fd in "${FDS[@]:64}"; do
		read -r -t 5 line <&"$fd" 2>/dev/null || continue
		[[ $line != 'HTTP/1.1 503'* ]] || told=$((told + 1))
	done
	[ "$told" -ge 10 ]
	idle
	run -1 grep -qi 'too many open files' "$D/ewsd.log"
	[ "$(wc -l <"$D/ewsd.log")" -lt 100 ]
	close_many
	until_true 10 curl -sSf -m 2 -o /dev/null "$HUB/health"
	edge_ws a send '{"type":"ping"}' recv-match pong
}

@test "wrong tokens by the hundred: 429 after the burst, few lines, good ones unaffected" {
	curl -sS -o /dev/null -w '%{http_code}\n' -H 'Authorization: Bearer wrong' -d '{}' "$HUB/edge/sync?n=[1-400]" >"$D/codes"
	[ "$(grep -c 403 "$D/codes")" -le 30 ]
	[ "$(grep -c 429 "$D/codes")" -ge 370 ]
	[ "$(wc -l <"$D/ewsd.log")" -lt 80 ]
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=a' --header 'Authorization: Bearer wrong' expect-status 429 >"$D/h"
	grep -qi '^retry-after: [1-9]' "$D/h"
	edge_ws a send '{"type":"ping"}' recv-match pong
}

@test "an invalid token leaves the connected agent of that id alone" {
	edge_ws a say here recv-match pong hold >"$D/first" 2>&1 3>&- &
	PIDS+=($!)
	until_true 10 agent_is a online
	wsprobe --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=a' --header 'Authorization: Bearer wrong' expect-status 403
	agent_is a online
	[ "$(ewsctl stats --jq .takeovers)" = 0 ]
}

@test "Origin: those on the list, and only those; * is all" {
	end_process "$HUB_PID"
	restart_ewsd --origin https://good.example
	upgrade "$WS" "$KEY" "$V13" 'Origin: https://evil.example' | raw 403
	upgrade "$WS" "$KEY" "$V13" 'Origin: https://good.example.evil.example' | raw 403
	edge_ws a --header 'Origin: https://good.example' send '{"type":"ping"}' recv-match pong
	end_process "$HUB_PID"
	restart_ewsd --origin '*'
	edge_ws a --header 'Origin: https://any.example' send '{"type":"ping"}' recv-match pong
	# and still nobody comes in without a credential
	upgrade "$WS" "$KEY" "$V13" 'Origin: https://any.example' | sed '/^Authorization/d' | raw 403
	# no answer opens the hub to a browser's scripts with credentials
	curl -sS -D "$D/h" -o /dev/null -X OPTIONS -H 'Origin: https://any.example' -H 'Access-Control-Request-Method: POST' "$HUB/edge/sync"
	curl -sS -D - -o /dev/null -H 'Origin: https://any.example' "$HUB/health" >>"$D/h"
	run -1 grep -qi '^access-control-allow-credentials' "$D/h"
}

@test "cookies and query arguments are no credential" {
	head_of 'GET /edge/ws?edge_agent_id=a&token=SECRET&access_token=SECRET HTTP/1.1' 'Host: 127.0.0.1' 'Upgrade: websocket' \
	    'Connection: Upgrade' "$KEY" "$V13" "Cookie: token=$SECRET; Authorization=Bearer $SECRET" | sed "s/SECRET/$SECRET/g" | raw 403
}

@test "a form or plain text changes nothing" {
	for type in application/x-www-form-urlencoded text/plain multipart/form-data ''; do
		got=$(curl -sS -o /dev/null -w '%{http_code}' -X POST "$HUB/edge/sync" -H "Authorization: Bearer $SECRET" \
		    -H "Content-Type: $type" -d '{"edge_agent_id":"form"}')
		[ "$got" = 415 ] || { echo "$type: $got"; return 1; }
	done
	run -1 ewsctl agent form
}

@test "X-Forwarded-For counts from a trusted proxy only" {
	edge_ws a --header 'X-Forwarded-For: 203.0.113.9' send '{"type":"ping"}' recv-match pong
	grep -q 'Edge agent a connected from IP 127.0.0.1' "$D/ewsd.log"
	run -1 grep -q 203.0.113.9 "$D/ewsd.log"
	end_process "$HUB_PID"
	restart_ewsd --trusted-proxy 127.0.0.1
	edge_ws b --header 'X-Forwarded-For: 6.6.6.6, 203.0.113.9' send '{"type":"ping"}' recv-match pong
	grep -q 'Edge agent b connected from IP 203.0.113.9' "$D/ewsd.log"
	# a proxy's own line below the client's
	upgrade "$WS" "$KEY" "$V13" 'X-Forwarded-For: 6.6.6.6' 'X-Forwarded-For: 203.0.113.10' | raw 101 --timeout 1
	grep -q 'Edge agent a connected from IP 203.0.113.10' "$D/ewsd.log"
	# whose failures are whose; an IPv6 network counts as one
	curl -sS -o /dev/null -w '%{http_code}\n' -H 'X-Forwarded-For: 203.0.113.66' -H 'Authorization: Bearer wrong' \
	    -d '{}' "$HUB/edge/sync?n=[1-40]" | grep -q 429
	got=$(curl -sS -o /dev/null -w '%{http_code}' -H 'X-Forwarded-For: 203.0.113.9' -H 'Authorization: Bearer wrong' -d '{}' "$HUB/edge/sync")
	[ "$got" = 403 ]
	for i in $(seq 40); do
		got=$(curl -sS -o /dev/null -w '%{http_code}' -H "X-Forwarded-For: 2001:db8::$i" -H 'Authorization: Bearer wrong' -d '{}' "$HUB/edge/sync")
		[ "$got" != 429 ] || break
	done
	[ "$got" = 429 ]
}

@test "IPv6: a listener on [::1]" {
	end_process "$HUB_PID"
	start ewsd ewsd --listen '[::1]:0' --state-dir "$D/state" || skip "no IPv6 here"
	HUB_PID=$PID
	HUB_PORT=$(sed 's/.*://' "$SOCK/ewsd.port")
	[ "$(curl -g -sS -m 5 -o /dev/null -w '%{http_code}' "http://[::1]:$HUB_PORT/health")" = 200 ]
	edge_ws six --host ::1 send '{"type":"ping"}' recv-match pong
	grep -q 'Edge agent six connected from IP ::1' "$D/ewsd.log"
	AGENT_HUB="http://[::1]:$HUB_PORT" start_agent mini
	run -0 ewsctl run mini echo six
	[ "$output" = six ]
}

@test "frames: control frames too long, close codes, at the limit exactly" {
	edge_ws a frame 89 "$(printf 'aa%.0s' $(seq 126))" recv-eof || edge_ws a frame 89 "$(printf 'aa%.0s' $(seq 126))" recv-close 1002
	edge_ws a frame 09 00 recv-close 1002
	for code in 0000 03e7 03ec 03ed 03ee 03f7 03f8 0bb7 1388 ffff; do
		edge_ws "c$code" frame 88 "$code" recv-close 1002 || { echo "close $code"; return 1; }
	done
	edge_ws a frame 88 03e8ff recv-eof || edge_ws a frame 88 03e8ff recv-close 1007
	edge_ws a send-size 1048576 send '{"type":"ping"}' recv-match pong
	edge_ws a fragments 900 "{\"type\":\"ping\"$(head -c 2000 /dev/zero | tr '\0' ' ')}" recv-match pong
	edge_ws a --no-mask send '{"type":"ping"}' recv-close 1002
}

@test "the secret is in no log, nor in what the hub tells, at debug level either" {
	end_process "$HUB_PID"
	restart_ewsd --log-level debug
	start_agent mini --log-level debug
	ewsctl run mini echo x
	edge_ws a send "{\"type\":\"status\",\"data\":{}}" send '{"type":"ping"}' recv-match pong
	wsprobe --port "$HUB_PORT" --path "/edge/ws?edge_agent_id=a&token=$SECRET" --header "Authorization: Bearer ${SECRET}x" expect-status 403
	curl -sS -o /dev/null "$HUB/edge/sync?secret=$SECRET" -X POST -d '{}' -H "Authorization: Basic $SECRET"
	curl -sS "$HUB/health" >"$D/told"
	ewsctl stats -o json >>"$D/told"
	ewsctl agents -o json >>"$D/told"
	grep -q debug "$D/ewsd.log"
	run -1 grep -qF "$SECRET" "$D"/*.log "$D/told"
}

@test "some thousand mutated requests and frames: another agent's commands still run" {
	start_agent mini
	storm "$HUB_PORT" "$D/state/secret" "${EWS_STORM:-1200}" 7 3>&- &
	pid=$!
	PIDS+=($pid)
	turns=0
	while kill -0 $pid 2>/dev/null; do
		turns=$((turns + 1))
		run -0 timeout 10 ewsctl run mini echo "still $turns"
		[ "$output" = "still $turns" ]
	done
	wait $pid
	[ $turns -gt 3 ]
	run -0 timeout 10 ewsctl run mini echo done
	[ "$(ewsctl stats --jq .messages_bad)" -gt 10 ]
	kill -0 "$HUB_PID"
}
