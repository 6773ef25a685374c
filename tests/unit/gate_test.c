#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net/gate.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS                                                                     \
	"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"                \
	"Connection: Upgrade\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define END "\r\n"

enum { BODY_MAX = 1000 };

/* As a listener does it: 0 or the status. */
static int
judge(const char *bytes, size_t len, struct head **out)
{
	struct gate_refusal no;
	long end = gate_end(bytes, len, 0);

	*out = NULL;
	if (end <= 0)
		return end == 0 ? 1 : (int)-end;
	*out = gate_parse(bytes, (size_t)end, &no);
	if (*out == NULL) {
		assert_non_null(no.why);
		return no.status;
	}
	if (gate_judge(*out, BODY_MAX, &no))
		return 0;
	assert_non_null(no.why);
	return no.status;
}

static const struct {
	const char *what, *bytes;
	int status; /* 0: passes, 1: not all there */
} cases[] = {
	{ "plain", GET END, 0 },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\n\r\n", 0 },
	{ "nothing", "", 1 },
	{ "half", GET, 1 },
	{ "half of the blank line", GET "\r", 1 },
	{ "body behind", POST "Content-Length: 5\r\n\r\nhello", 0 },
	{ "handshake", WS KEY V13 END, 0 },
	{ "handshake, odd case",
	    "GET /ws HTTP/1.1\r\nhOST: h\r\nuPGRADE: WebSocket\r\n"
	    "cONNECTION: keep-alive, uPGRADE\r\n" KEY V13 END,
	    0 },
	/* ABUSE A */
	{ "A1 POST",
	    "POST /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n" KEY V13 END,
	    405 },
	{ "A1 PUT",
	    "PUT /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nContent-Length: 0\r\n" KEY V13 END,
	    405 },
	{ "A2",
	    "GET /ws HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n" KEY V13 END,
	    400 },
	{ "A3 none", WS KEY END, 426 },
	{ "A3 12", WS KEY "Sec-WebSocket-Version: 12\r\n" END, 426 },
	{ "A3 99", WS KEY "Sec-WebSocket-Version: 99\r\n" END, 426 },
	{ "A3 twice", WS KEY V13 V13 END, 426 },
	{ "A4 none", WS V13 END, 400 },
	{ "A4 short", WS V13 "Sec-WebSocket-Key: abc\r\n" END, 400 },
	{ "A4 no base64",
	    WS V13 "Sec-WebSocket-Key: dGhl!HNhbXBsZSBub25jZQ==\r\n" END, 400 },
	{ "A4 15 octets",
	    WS V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" END, 400 },
	{ "A4 twice", WS V13 KEY KEY END, 400 },
	{ "A5",
	    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n" KEY V13 END,
	    426 },
	{ "A5 close",
	    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	    "Connection: close\r\n" KEY V13 END,
	    426 },
	{ "A6", GET "Connection: Upgrade\r\nUpgrade: h2c\r\n" END, 0 },
	{ "A7", GET "Upgrade: \x01\r\n" END, 400 },
	{ "A7 foo", GET "Connection: Upgrade\r\nUpgrade: foo\r\n" END, 400 },
	{ "A7 twice", WS "Upgrade: websocket\r\n" KEY V13 END, 400 },
	{ "A8 CONNECT", "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n", 405 },
	{ "A8 CONNECT authority", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
	    400 },
	{ "A8 TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405 },
	{ "A8 unknown", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501 },
	{ "A8 lower case", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 501 },
	{ "A9 ..", "GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 .. at the end", "GET /a/.. HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 %2e%2e", "GET /%2e%2E/b HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 ..%2f", "GET /..%2fb HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 ...", "GET /.../b HTTP/1.1\r\nHost: h\r\n\r\n", 0 },
	{ "A9 %00", "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 %zz", "GET /a%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 %0a", "GET /a%0ab HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 %ff", "GET /a%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 absolute", "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 star", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A9 fragment", "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "A10 list", WS KEY V13 "Sec-WebSocket-Protocol: a, b\r\n" END, 0 },
	{ "A10 bad list", WS KEY V13 "Sec-WebSocket-Protocol: a b\r\n" END,
	    400 },
	{ "A10 empty list", WS KEY V13 "Sec-WebSocket-Protocol:\r\n" END, 400 },
	{ "A11 no Host", "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "A11 two Hosts", GET "Host: h\r\n" END, 400 },
	{ "A11 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },
	{ "A11 Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
	{ "A11 Host with user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400 },
	{ "A12 folding", GET "X: a\r\n b\r\n" END, 400 },
	{ "A12 bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400 },
	{ "A12 bare LF in a header", GET "X: a\nY: b\r\n" END, 400 },
	{ "A12 bare CR", GET "X: a\rb\r\n" END, 400 },
	{ "A12 empty line first", "\r\n" GET END, 400 },
	{ "A12 TLS", "\x16\x03\x01\x02\x05", 400 },
	{ "A12 space before colon", GET "X : a\r\n" END, 400 },
	{ "A12 no colon", GET "X\r\n" END, 400 },
	{ "A12 no name", GET ": a\r\n" END, 400 },
	{ "A12 name of two words", GET "X Y: a\r\n" END, 400 },
	{ "A12 DEL", GET "X: a\x7f\r\n" END, 400 },
	{ "A12 obs-text", GET "X: \xe4\r\n" END, 0 },
	{ "A12 tab", GET "X:\ta\tb\t\r\n" END, 0 },
	{ "A15",
	    WS KEY V13 "Sec-WebSocket-Extensions: permessage-deflate; "
		       "server_max_window_bits=99999\r\n"
		       "Sec-WebSocket-Extensions: x\r\n" END,
	    0 },
	{ "no version", "GET /\r\nHost: h\r\n\r\n", 400 },
	{ "two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", 505 },
	{ "HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505 },
	{ "HTTP/11", "GET / HTTP/11\r\nHost: h\r\n\r\n", 400 },
	{ "8 bit target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	/* ABUSE D */
	{ "D42 negative", POST "Content-Length: -5\r\n" END, 400 },
	{ "D42 plus", POST "Content-Length: +5\r\n" END, 400 },
	{ "D42 1e20", POST "Content-Length: 100000000000000000000\r\n" END,
	    400 },
	{ "D42 2^66", POST "Content-Length: 73786976294838206464\r\n" END,
	    400 },
	{ "D42 hex", POST "Content-Length: 0x5\r\n" END, 400 },
	{ "D42 empty", POST "Content-Length:\r\n" END, 400 },
	{ "D42 twice", POST "Content-Length: 3\r\nContent-Length: 30\r\n" END,
	    400 },
	{ "D42 list", POST "Content-Length: 3, 3\r\n" END, 400 },
	{ "D42 both",
	    POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" END,
	    400 },
	{ "D43 chunked", POST "Transfer-Encoding: chunked\r\n" END, 411 },
	{ "D43 gzip", POST "Transfer-Encoding: gzip, chunked\r\n" END, 501 },
	{ "D43 no length", POST END, 411 },
	{ "D44 at the limit", POST "Content-Length: 1000\r\n" END, 0 },
	{ "D44 over the limit", POST "Content-Length: 1001\r\n" END, 413 },
	{ "GET with a body", GET "Content-Length: 5\r\n" END, 0 },
	{ "DELETE", "DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n", 0 },
	{ "handshake with a body", WS KEY V13 "Content-Length: 5\r\n" END,
	    400 },
	{ "handshake with length 0", WS KEY V13 "Content-Length: 0\r\n" END,
	    0 },
};

static void
every_head_gets_its_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct head *h;
		int got = judge(cases[i].bytes, strlen(cases[i].bytes), &h);

		if (got != cases[i].status)
			fail_msg("%s: %d, not %d", cases[i].what, got,
			    cases[i].status);
		gate_head_free(h);
	}
}

/* Byte by byte, the verdict on the end is the same and never too early. */
static void
a_head_may_come_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t len = strlen(cases[i].bytes);
		long whole = gate_end(cases[i].bytes, len, 0), got = 0;

		for (size_t n = 1; n <= len && got == 0; n++) {
			char *exact = mem_dupn(cases[i].bytes, n);

			got = gate_end(exact, n, n - 1);
			free(exact);
			if (got > 0)
				assert_int_equal(got, n);
		}
		assert_int_equal(got, whole);
	}
}

static void
a_nul_is_400(void **state)
{
	static const char head[] =
	    "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
	struct head *h;

	(void)state;
	assert_int_equal(judge(head, sizeof head - 1, &h), 400);
}

static int
judge_buf(struct buf *b)
{
	struct head *h;
	int got = judge(b->bytes, b->len, &h);

	gate_head_free(h);
	buf_fini(b);
	return got;
}

static void
what_is_too_large_is_414_or_431(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_text(&b, "GET /");
	for (int i = 0; i < 9000; i++)
		buf_text(&b, "a");
	buf_text(&b, " HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(judge_buf(&b), 414);
	buf_text(&b, "GET /");
	for (int i = 0; i < 20000; i++)
		buf_text(&b, "a");
	assert_int_equal(judge_buf(&b), 414);
	buf_text(&b, "GET /?a");
	for (int i = 0; i < 60; i++)
		buf_text(&b, "&a");
	buf_text(&b, " HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(judge_buf(&b), 414);
	buf_text(&b, GET "X: ");
	for (int i = 0; i < 20000; i++)
		buf_text(&b, "a");
	assert_int_equal(judge_buf(&b), 431);
	buf_text(&b, GET);
	for (int i = 0; i < 2000; i++)
		buf_text(&b, "X: a\r\n");
	buf_text(&b, "\r\n");
	assert_int_equal(judge_buf(&b), 431);
	buf_text(&b, GET);
	for (int i = 0; i < 99; i++)
		buf_text(&b, "X: a\r\n");
	buf_text(&b, "\r\n");
	assert_int_equal(judge_buf(&b), 0);
}

static void
a_head_tells_its_parts(void **state)
{
	static const char bytes[] =
	    "GET /a%20b/%C3%A4?x=1&y=%41+b&x=2&z HTTP/1.1\r\nHost:h \r\n"
	    "X-Y: \t v w \t\r\n\r\n";
	struct head *h;
	char *value;

	(void)state;
	assert_int_equal(judge(bytes, sizeof bytes - 1, &h), 0);
	assert_string_equal(h->method, "GET");
	assert_string_equal(h->path, "/a b/\xc3\xa4");
	assert_string_equal(h->query, "x=1&y=%41+b&x=2&z");
	assert_string_equal(h->target, "/a%20b/%C3%A4?x=1&y=%41+b&x=2&z");
	assert_int_equal(h->minor, 1);
	assert_int_equal(h->content_length, -1);
	assert_false(h->upgrade);
	assert_string_equal(gate_header(h, "HOST"), "h");
	assert_string_equal(gate_header(h, "x-y"), "v w");
	assert_null(gate_header(h, "x"));
	value = gate_query(h, "x");
	assert_string_equal(value, "1");
	free(value);
	value = gate_query(h, "y");
	assert_string_equal(value, "A+b");
	free(value);
	assert_null(gate_query(h, "z"));
	assert_null(gate_query(h, "q"));
	gate_head_free(h);
}

static void
tokens_are_judged_like_bytes(void **state)
{
	struct gate_refusal no;
	struct head *h = gate_head_new("GET", "/ws?a=1", 1, &no);

	(void)state;
	assert_non_null(h);
	assert_true(gate_head_add(h, "host", "h"));
	assert_true(gate_head_add(h, "upgrade", "websocket"));
	assert_true(gate_head_add(h, "connection", "Upgrade"));
	assert_true(gate_head_add(h, "sec-websocket-version", "13"));
	assert_true(
	    gate_head_add(h, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="));
	assert_false(gate_head_add(h, "x y", "v"));
	assert_false(gate_head_add(h, "x", "a\nb"));
	assert_true(gate_judge(h, BODY_MAX, &no));
	assert_true(h->upgrade);
	assert_string_equal(h->path, "/ws");
	gate_head_free(h);
	assert_null(gate_head_new("GET", "/../x", 1, &no));
	assert_int_equal(no.status, 400);
	assert_null(gate_head_new("GET", "", 1, &no));
	h = gate_head_new("GET", "/", 1, &no);
	for (int i = 0; i < GATE_HEADERS_MAX; i++)
		assert_true(gate_head_add(h, "x", "y"));
	assert_false(gate_head_add(h, "x", "y"));
	gate_head_free(h);
}

static void
lists_have_words_not_parts_of_words(void **state)
{
	(void)state;
	assert_true(gate_list_has("keep-alive, Upgrade", "upgrade"));
	assert_true(gate_list_has("a,b", "b"));
	assert_false(gate_list_has("upgraded", "upgrade"));
	assert_false(gate_list_has("no-upgrade", "upgrade"));
	assert_false(gate_list_has("", "upgrade"));
	assert_false(gate_list_has(NULL, "upgrade"));
}

static struct head *
head_with(const char *host, const char *origin)
{
	struct gate_refusal no;
	struct head *h = gate_head_new("GET", "/", 1, &no);

	if (host != NULL)
		assert_true(gate_head_add(h, "Host", host));
	if (origin != NULL)
		assert_true(gate_head_add(h, "Origin", origin));
	return h;
}

static void
only_names_of_ours_are_a_host(void **state)
{
	static const char *const names[] = { "hub.example", NULL };
	static const struct {
		const char *host;
		bool ok;
	} hosts[] = { { "localhost", true }, { "LocalHost:8765", true },
		{ "127.0.0.1", true }, { "127.0.0.1:8765", true },
		{ "192.168.1.5:80", true }, { "[::1]:8765", true },
		{ "[fe80::1]", true }, { "hub.example", true },
		{ "Hub.Example:443", true }, { "evil.example", false },
		{ "hub.example.evil", false }, { "127.0.0.1.evil", false },
		{ "[::1", false }, { "[evil]", false }, { "::1", false },
		{ "localhost.evil", false }, { NULL, false } };

	(void)state;
	for (size_t i = 0; i < N_OF(hosts); i++) {
		struct head *h = head_with(hosts[i].host, NULL);

		if (gate_host_ok(h, names) != hosts[i].ok)
			fail_msg("%s", hosts[i].host);
		gate_head_free(h);
	}
}

static void
only_our_own_origin_or_a_listed_one_may(void **state)
{
	static const char *const listed[] = { "https://ok.example", NULL };
	static const char *const any[] = { "*", NULL };
	static const struct {
		const char *origin;
		const char *const *origins;
		bool ok;
	} tries[] = { { NULL, NULL, true }, { "http://h:8765", NULL, true },
		{ "https://h:8765", NULL, true },
		{ "HTTP://h:8765", NULL, false }, { "http://h", NULL, false },
		{ "http://h:1", NULL, false }, { "http://evil", NULL, false },
		{ "null", NULL, false }, { "", NULL, false },
		{ "https://ok.example", listed, true },
		{ "https://ok.example.evil", listed, false },
		{ "http://ok.example", listed, false },
		{ "null", listed, false }, { "http://evil", any, true } };
	struct head *h;

	(void)state;
	for (size_t i = 0; i < N_OF(tries); i++) {
		h = head_with("h:8765", tries[i].origin);
		if (gate_origin_ok(h, tries[i].origins) != tries[i].ok)
			fail_msg("%s", tries[i].origin);
		gate_head_free(h);
	}
	h = head_with("h:80", "http://h");
	assert_true(gate_origin_ok(h, NULL));
	gate_head_free(h);
	h = head_with("h", "https://h:443");
	assert_true(gate_origin_ok(h, NULL));
	gate_head_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_head_gets_its_status),
		cmocka_unit_test(a_head_may_come_in_any_pieces),
		cmocka_unit_test(a_nul_is_400),
		cmocka_unit_test(what_is_too_large_is_414_or_431),
		cmocka_unit_test(a_head_tells_its_parts),
		cmocka_unit_test(tokens_are_judged_like_bytes),
		cmocka_unit_test(lists_have_words_not_parts_of_words),
		cmocka_unit_test(only_names_of_ours_are_a_host),
		cmocka_unit_test(only_our_own_origin_or_a_listed_one_may),
	};

	return RUN_TESTS(tests);
}
