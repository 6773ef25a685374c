#include "readers.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsd/dialect/edge_ack.h"
#include "ewsd/dialect/edge_output.h"
#include "ewsd/door/routes.h"
#include "ewsd/settings.h"
#include "lib/clock.h"
#include "lib/cron.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/line.h"
#include "lib/secret.h"
#include "lib/str.h"
#include "lib/tz_rule.h"
#include "net/gate.h"

static char *
text_of(const char *bytes, size_t len)
{
	char *text = malloc(len + 1);

	assert(text != NULL);
	memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

/* ---- heads ------------------------------------------------------------ */

/* What passed must be what the rest of the hub relies on. */
static void
check_head(struct head *h)
{
	static const char *const names[] = { "hub.example", NULL };
	char part[ROUTE_PART_SIZE], allow[ROUTE_ALLOW_SIZE];
	struct gate_refusal no;
	char *id;

	assert(h->path[0] == '/' && h->n_headers <= GATE_HEADERS_MAX);
	assert(str_utf8(h->path, strlen(h->path), false));
	assert(strstr(h->path, "/../") == NULL && !str_ends(h->path, "/.."));
	for (size_t i = 0; i < h->n_headers; i++)
		assert(strpbrk(h->headers[i].value, "\r\n") == NULL);
	if (gate_judge(h, 1 << 20, &no)) {
		assert(h->content_length <= 1 << 20);
		assert(!h->upgrade || strcmp(h->method, "GET") == 0);
		assert(gate_header(h, "Host") != NULL);
		route_find(h->method, h->upgrade, h->path, NULL, part, allow);
	} else {
		assert(no.status >= 400 && no.status < 600 && no.why != NULL);
	}
	gate_host_ok(h, names);
	gate_origin_ok(h, names);
	gate_list_has(gate_header(h, "Connection"), "upgrade");
	id = gate_query(h, "edge_agent_id");
	assert(id == NULL || strlen(id) < strlen(h->query));
	free(id);
}

/* In two pieces it must be the same as in one. */
static void
read_head(char *bytes, size_t len)
{
	long whole = gate_end(bytes, len, 0);
	size_t half = len / 2;
	long first = gate_end(bytes, half, 0);
	struct gate_refusal no;
	struct head *h;

	assert(whole <= (long)len);
	if (first == 0)
		assert(gate_end(bytes, len, half) == whole);
	else
		assert(first == whole || whole < 0);
	if (whole <= 0)
		return;
	h = gate_parse(bytes, (size_t)whole, &no);
	if (h == NULL) {
		assert(no.status >= 400 && no.why != NULL);
		return;
	}
	check_head(h);
	gate_head_free(h);
}

static const char *const heads[] = {
	"GET /edge/ws?edge_agent_id=a%20b&x=1 HTTP/1.1\r\nHost: "
	"127.0.0.1:80\r\n"
	"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ews.v1, x\r\n"
	"Authorization: Bearer abc\r\nOrigin: http://hub.example\r\n\r\n",
	"POST /api/v1/ops/send HTTP/1.1\r\nHost: hub.example\r\n"
	"Content-Length: 12\r\nContent-Type: application/json\r\n"
	"X-Forwarded-For: 1.2.3.4, ::1\r\n\r\n{\"a\":1}",
	"GET /edge/agents/%E2%82%AC/status HTTP/1.0\r\nHost: [::1]:1\r\n\r\n",
	NULL,
};
static const char *const head_words[] = { "\r\n", "\r\n\r\n", "\n", ": ",
	" HTTP/1.1", "Content-Length: ", "18446744073709551616", "-1",
	"Transfer-Encoding: chunked\r\n", "Host: a\r\n", "%00", "%2e%2e/",
	"/../", "Upgrade: h2c\r\n", "Connection: ", "&",
	"edge_agent_id=", NULL };

/* ---- JSON and messages ------------------------------------------------- */

static void
read_members(const char *text, size_t len, const json_t *o)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)o, key, value)
	{
		size_t n = 0;
		const char *span;
		json_t *again;

		span = js_span(text, len, key, &n);
		assert(span != NULL && span >= text && span + n <= text + len);
		again = js_read(span, n, NULL);
		assert(again != NULL && json_equal(again, value));
		json_decref(again);
	}
}

static void
read_ack(const json_t *message, bool ours)
{
	struct edge_ack e;

	if (!edge_ack_read(&e, edge_fields(message), ours))
		return;
	assert(id_name_ok(e.ack.id));
	assert(e.ack.exit_code >= -1 && e.ack.exit_code <= 255);
	edge_ack_fini(&e);
}

static void
read_json(char *bytes, size_t len)
{
	struct err err = ERR_INIT;
	json_t *any = js_read(bytes, len, &err);
	char *text;

	if (any == NULL) {
		assert(err.code != NULL && err.text[0] != '\0');
		return;
	}
	text = js_write(any);
	assert(text != NULL && str_utf8(text, strlen(text), false));
	free(text);
	if (json_is_object(any)) {
		read_members(bytes, len, any);
		read_ack(any, true);
		read_ack(any, false);
	}
	json_decref(any);
}

/* The short way must agree with the common one. */
static void
read_output(char *bytes, size_t len)
{
	struct edge_output o = { 0 };
	json_t *message;
	const json_t *fields, *data;

	if (!str_utf8(bytes, len, false))
		return; /* the transport refuses it */
	message = js_read_object(bytes, len, NULL);
	if (edge_output_read(bytes, len, &o)) {
		assert(o.data >= bytes && o.data + o.len <= bytes + len);
		assert(id_name_ok(o.id) && o.offset >= 0 && message != NULL);
		fields = edge_fields(message);
		data = js_get(fields, o.b64 ? "data64" : "data");
		assert(json_string_length(data) == o.len);
		assert(memcmp(json_string_value(data), o.data, o.len) == 0);
		assert(js_int(fields, "offset", -1) == o.offset);
		assert(str_eq(js_str(fields, "command_id"), o.id));
	}
	json_decref(message);
}

static const char *const messages[] = {
	"{\"type\":\"output\",\"data\":{\"command_id\":\"c-1\","
	"\"stream\":\"stdout\",\"offset\":0,\"data\":\"a\\n\\u20acb\"}}",
	"{\"type\":\"output\",\"data\":{\"command_id\":\"c-1\","
	"\"stream\":\"stderr\",\"offset\":77,\"data64\":\"AAECAw==\"}}",
	"{\"type\":\"command_ack\",\"data\":{\"command_id\":\"c1\",\"status\":"
	"\"completed\",\"completed_at\":\"2025-12-09T20:47:14.123Z\","
	"\"exit_code\":0,\"tail\":{\"stdout\":\"x\"}}}",
	"{\"type\":\"command_ack\",\"command_id\":\"c1\",\"success\":true,"
	"\"error\":null,\"timestamp\":1762374600.5}",
	"{\"type\":\"hello\",\"data\":{\"instance\":\"i\",\"tags\":[1,-2.5e3,"
	"[],{}],\"window\":9007199254740993}}",
	NULL,
};
static const char *const json_words[] = { "{", "}", "[", "]", ",", ":", "\"",
	"\\", "\\u0000", "\\ud800", "\\udc00", "\\u00e9", "null", "true",
	"1e400", "\"data\":", "\"data64\":", "\"command_id\":", "\"offset\":",
	"9223372036854775808", "-0", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	"\xc0\x80", "\xed\xa0\x80", "\xef\xbb\xbf", NULL };

/* ---- lines, settings, encodings ---------------------------------------- */

enum { LINE_MAX_BYTES = 64 };

static bool
on_line(void *arg, char *text, size_t len)
{
	assert(len <= LINE_MAX_BYTES && text[len] == '\0');
	assert(memchr(text, '\n', len) == NULL);
	++*(size_t *)arg;
	return true;
}

static void
read_lines(char *bytes, size_t len)
{
	size_t whole = 0, pieces = 0, at = 0;
	struct line *l = line_new(LINE_MAX_BYTES, on_line, &whole);
	bool ok = line_feed(l, bytes, len), also = true;

	line_free(l);
	l = line_new(LINE_MAX_BYTES, on_line, &pieces);
	for (size_t n = 1; at < len && also; at += n, n = n % 7 + 1) {
		if (n > len - at)
			n = len - at;
		also = line_feed(l, bytes + at, n);
	}
	assert(ok == also && whole == pieces);
	assert(!ok || line_pending(l) <= LINE_MAX_BYTES);
	line_free(l);
}

static const char *const lines[] = { "one\ntwo\r\nthree", "\n\n\n",
	"{\"op\":\"ping\",\"id\":1}\n{\"op\":\"ops\"}\n", NULL };
static const char *const line_words[] = { "\n", "\r\n", "\n\n",
	"0123456789012345678901234567890123456789012345678901234567890123",
	NULL };

static const struct setting table[] = {
#define SETTING(name, kind, flag, env, def, min, max, arg, help)               \
	{ #name, CONF_##kind, flag, env, def, min, max, arg, help },
#include "ewsd/settings.def"
#undef SETTING
};

static void
read_conf(char *bytes, size_t len)
{
	char path[] = "/tmp/ews-fuzz.XXXXXX";
	char name[] = "ewsd", flag[] = "--config";
	char *argv[] = { name, flag, path, NULL };
	struct err err = ERR_INIT;
	int argc = 3, fd = mkstemp(path);
	struct conf *conf;

	assert(fd != -1);
	assert(write(fd, bytes, len) == (ssize_t)len);
	close(fd);
	conf =
	    conf_load(table, sizeof table / sizeof *table, &argc, argv, &err);
	unlink(path);
	if (conf == NULL) {
		assert(err.text[0] != '\0');
		return;
	}
	assert(conf_int(conf, SET_max_message) >= 1024);
	conf_free(conf);
}

static const char *const confs[] = {
	"# a comment\nlisten = 127.0.0.1:0\nlisten = [::1]:0,tls\n"
	"max-message = 2M\nping_interval = 20s ; often\nlog-level = Debug\n",
	"raw-secret = no\nqueue-agent = 17\norigin = *\nhost-name = a b\n",
	NULL,
};
static const char *const conf_words[] = { "\n", " = ", "[s]\n", "listen", "#",
	";", "1G", "99999999999999999999", "true", "\xef\xbb\xbf", "  x\n",
	NULL };

/* What was read must have a next time, or none, and come to an end. */
static void
check_schedule(const char *text)
{
	struct err err = ERR_INIT;
	struct tz *utc = tz_open("UTC", NULL);
	struct tz_rule rule;
	struct cron cron;
	int64_t next;

	if (cron_parse(&cron, text, &err)) {
		next = cron_next(&cron, utc, 1762374600000);
		assert(next == -1 || next > 1762374600000);
	} else {
		assert(err.text[0] != '\0');
	}
	if (tz_rule_parse(&rule, text)) {
		assert(tz_rule_next(&rule, 1762374600) > 1762374600);
		tz_rule_offset(&rule, 1762374600);
	}
	tz_free(utc);
}

static void
check_codes(const char *text, size_t len)
{
	unsigned char raw[256];
	uint64_t n = 0;
	int64_t ms;
	size_t got = 0;
	char *again;

	if (str_unb64(raw, sizeof raw, text, &got)) {
		assert(got <= sizeof raw);
		again = str_b64(raw, got);
		assert(strcmp(again, text) == 0); /* canonical only */
		free(again);
	}
	if (str_unhex(raw, sizeof raw, text, &got))
		assert(got * 2 == len);
	if (str_u64(text, 5, 500, &n))
		assert(n >= 5 && n <= 500);
	str_size(text, &n);
	clock_parse(text, &ms);
	check_schedule(text);
	assert(edge_b64_bytes(text, len) <= len);
	id_name_ok(text);
}

static void
read_codes(char *bytes, size_t len)
{
	char *text = text_of(bytes, len), *coded, *back;
	struct secret_token token;
	size_t cut = str_utf8_cut(bytes, len);
	char out[64];

	assert(cut <= len && cut + 3 >= len);
	str_utf8(bytes, len, true);
	str_escape(out, sizeof out, bytes, len);
	assert(strchr(out, '\n') == NULL);
	assert(str_utf8(out, strlen(out), false));
	check_codes(text, strlen(text));
	coded = str_percent(text);
	back = text_of(coded, strlen(coded));
	assert(str_unpercent(back) && strcmp(back, text) == 0);
	free(back);
	free(coded);
	assert(!secret_token_open(text, "a secret that no sample has", &token));
	if (str_unpercent(text))
		assert(strlen(text) <= len);
	free(text);
}

static const char *const codes[] = { "*/15 1-3,5 * jan-jun mon", "@every 1h30m",
	"CET-1CEST,M3.5.0,M10.5.0/3", "AAECAwQFBgc=", "00ff7F80", "a%20b%C3%A9",
	"18446744073709551615", "64k", "2025-12-09T20:47:14.123+02:00",
	"bHVuYTE6KzEzMTA6MTc2MjM3NDYwMDphYmNk", "\xe2\x82\xac\xf0\x9f\x94\x8c",
	NULL };
static const char *const code_words[] = { "=", "==", "%", "%00", "%zz", "Z",
	"T", "-", "+", "\xf0\x9f", "\xc2", "\x1b[0m", "4294967296", NULL };

const struct reader readers[] = {
	{ "head", read_head, heads, head_words },
	{ "json", read_json, messages, json_words },
	{ "output", read_output, messages, json_words },
	{ "lines", read_lines, lines, line_words },
	{ "codes", read_codes, codes, code_words },
	{ "conf", read_conf, confs, conf_words },
};
const size_t n_readers = sizeof readers / sizeof *readers;
