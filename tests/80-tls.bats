#!/usr/bin/env bats
# TLS on a listener of our own, with a certificate of our own making.

load lib/ews

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
	    -keyout "$D/$1.key" -out "$D/$1.pem" -subj "/CN=$2" \
	    -addext "subjectAltName=DNS:$2,IP:127.0.0.1" 2>/dev/null
	chmod 600 "$D/$1.key"
}

start_tls() {
	certificate hub localhost
	start ewsd ewsd --listen 127.0.0.1:0,tls --state-dir "$D/state" --tls-cert "$D/hub.pem" --tls-key "$D/hub.key"
	HUB_PID=$PID
	HUB_PORT=$(sed 's/.*:\([0-9]*\).*/\1/' "$SOCK/ewsd.port")
	HUB=https://localhost:$HUB_PORT
	SECRET=$(cat "$D/state/secret")
}

@test "an agent over wss runs commands" {
	start_tls
	start_agent mini --ca-file "$D/hub.pem"
	run -0 ewsctl run mini echo hello
	[ "$output" = hello ]
}

@test "an unknown certificate is refused, with the reason" {
	start_tls
	start_agent_nowait mini --reconnect-min 100ms
	until_true 20 grep -qiE 'certificate|verif|self.signed' "$D/mini.log"
	run -0 ewsctl --socket "$SOCK/mini.sock" status --jq .state
	[ "$output" != connected ]
}

@test "callers who hang up before the handshake harm nobody" {
	start_tls
	kill -STOP "$HUB_PID" # it finds them when they have gone
	for i in $(seq 60); do
		exec {CALLER}<>"/dev/tcp/127.0.0.1/$HUB_PORT"
		[ $((i % 2)) -eq 0 ] || printf 'no TLS' >&"$CALLER"
		exec {CALLER}>&-
	done
	kill -CONT "$HUB_PID"
	start_agent mini --ca-file "$D/hub.pem"
	run -0 ewsctl run mini echo hello
}

@test "a certificate of another name is refused" {
	certificate hub other.example
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$D/hub.key" \
	    -out "$D/hub.pem" -subj /CN=other.example -addext subjectAltName=DNS:other.example 2>/dev/null
	chmod 600 "$D/hub.key"
	start ewsd ewsd --listen 127.0.0.1:0,tls --state-dir "$D/state" --tls-cert "$D/hub.pem" --tls-key "$D/hub.key"
	HUB=https://localhost:$(sed 's/.*:\([0-9]*\).*/\1/' "$SOCK/ewsd.port")
	start_agent_nowait mini --ca-file "$D/hub.pem" --reconnect-min 100ms
	until_true 20 grep -qiE 'hostname|mismatch|certificate' "$D/mini.log"
	run -1 ewsctl agent mini
}

@test "https: health, sync, refusals" {
	start_tls
	curl -sS --cacert "$D/hub.pem" "$HUB/health" | jq -e '.status == "healthy"'
	[ "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$D/hub.pem" -X POST "$HUB/edge/sync" -d '{}')" = 401 ]
	[ "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$D/hub.pem" -H 'Host: evil.example' "$HUB/health")" = 421 ]
	wsprobe --ca "$D/hub.pem" --host localhost --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=a' \
	    --header "Authorization: Bearer $SECRET" send '{"type":"ping"}' recv-match pong
	wsprobe --insecure --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=a' expect-status 403
	wsprobe --insecure --port "$HUB_PORT" --path '/edge/ws?edge_agent_id=a' --header "Authorization: Bearer $SECRET" \
	    --header 'Sec-WebSocket-Version: 12' expect-status 426
}

@test "pipelined requests over TLS: one answer, no spin" {
	start_tls
	body='{"edge_agent_id":"a"}'
	get=$'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
	post=$(printf 'POST /edge/sync HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$SECRET" ${#body} "$body")
	for mix in "$get$post" "$post$post" "$get$get" "$post$get"; do
		printf '%s' "$mix" | wsprobe raw --insecure --port "$HUB_PORT" --timeout 8 >"$D/a" 2>/dev/null || true
		[ "$(grep -c '^HTTP/1.1 ' "$D/a")" -eq 1 ]
	done
	used() { ps -o cputimes= -p "$HUB_PID" | tr -d ' '; }
	before=$(used)
	sleep 1.2
	[ "$(used)" -le $((before + 1)) ]
	ewsctl ping
}

@test "SIGHUP: new connections get the new certificate, a wrong one changes nothing" {
	start_tls
	start_agent mini --ca-file "$D/hub.pem"
	serial() { openssl s_client -connect "127.0.0.1:$HUB_PORT" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
	old=$(serial)
	certificate hub localhost
	kill -HUP "$HUB_PID"
	changed() { [ "$(serial)" != "$old" ]; }
	until_true 10 changed
	run -0 ewsctl run mini echo "still there"
	new=$(serial)
	echo broken >"$D/hub.pem"
	kill -HUP "$HUB_PID"
	until_true 10 grep -qE ' (error|warn) ' "$D/ewsd.log"
	[ "$(serial)" = "$new" ]
}

@test "a certificate without its key, or a listener without one, refuses the start" {
	certificate hub localhost
	run -78 timeout 10 ewsd --listen 127.0.0.1:0,tls --state-dir "$D/state"
	run -78 timeout 10 ewsd --listen 127.0.0.1:0,tls --state-dir "$D/state" --tls-cert "$D/hub.pem" --tls-key "$D/nosuch"
}
