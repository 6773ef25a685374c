/*
 * Our server and our client over loopback, in one loop; where a peer must
 * misbehave, a bare socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net/timer.h"
#include "net/ws.h"

enum { GUARD_MS = 15000, BIG = 300000 };

/* One end of a WebSocket, either side. */
struct end {
	struct world *world;
	struct ws *ws;
	struct outq out;
	char *got; /* the last message */
	size_t got_len;
	unsigned messages;
	bool opened, closed, failed;
	int code, status;
	int64_t retry_after;
	char reason[200], subprotocol[64];
};

struct world {
	struct loop *loop;
	struct ws_host *host;
	struct ws_listener *listener;
	struct timer *guard;
	bool expired;
	struct end server, client;
	struct http_request *request; /* parked */
	unsigned requests, admitted, who_gone, refused;
	bool request_gone;
	bool late; /* answer later */
	size_t answer_size;
	char body[4096];
	const char *select; /* the subprotocol of the verdict */
	int verdict;
	int refused_status;
};

static const char *const protocols[] = { "ews.v1", "crew", NULL };

static void
lost_frame(void *arg, uint64_t tag)
{
	(void)arg;
	(void)tag;
}

static const struct outq_config out_config = { .max_frames = 1000,
	.max_bytes = 64 << 20,
	.low_bytes = 1000,
	.lost = lost_frame };

static void
end_init(struct end *e, struct world *w)
{
	memset(e, 0, sizeof *e);
	e->world = w;
	outq_init(&e->out, &out_config, e);
}

static void
say(struct end *e, const char *text, size_t len)
{
	struct frame *f = frame_text(text, len);

	assert_true(outq_put(&e->out, f, OUTQ_DATA, 0));
	frame_unref(f);
	ws_want_write(e->ws);
}

static void
on_message(void *arg, char *text, size_t len)
{
	struct end *e = arg;

	free(e->got);
	e->got = mem_dupn(text, len);
	e->got_len = len;
	e->messages++;
	if (e == &e->world->server && len > 5 && memcmp(text, "echo ", 5) == 0)
		say(e, text + 5, len - 5);
	if (e == &e->world->server && str_starts(e->got, "close "))
		ws_close(e->ws, atoi(e->got + 6), "as you wish");
}

static void
on_closed(void *arg, int code, const char *reason)
{
	struct end *e = arg;

	assert_false(e->closed);
	e->closed = true;
	e->code = code;
	str_copy(e->reason, sizeof e->reason, reason);
	e->ws = NULL;
	outq_fini(&e->out);
}

static void
on_admit(void *arg, const struct head *head, const struct ws_peer *peer,
    struct ws_verdict *v)
{
	struct world *w = arg;

	assert_true(peer->loopback);
	assert_non_null(gate_header(head, "host"));
	w->admitted++;
	v->who = w;
	v->subprotocol = w->select;
	v->status = w->verdict;
	if (w->verdict == 503)
		str_copy(v->headers, sizeof v->headers, "Retry-After: 7\r\n");
	if (w->verdict == 403)
		str_copy(v->body, sizeof v->body, "{\"success\":false}");
}

static void
on_who_gone(void *arg, void *who)
{
	struct world *w = arg;

	assert_ptr_equal(who, w);
	w->who_gone++;
}

static void
on_request_gone(void *arg)
{
	struct world *w = arg;

	w->request_gone = true;
	w->request = NULL;
}

static void
answer(struct world *w, struct http_request *r)
{
	char *body = malloc(w->answer_size + 1);

	memset(body, 'a', w->answer_size);
	http_add_header(r, "X-Test", "yes");
	http_answer(r, 200, "text/plain", body, w->answer_size);
	free(body);
}

static void
on_request(void *arg, struct http_request *r)
{
	struct world *w = arg;
	size_t len;
	const char *body = http_body(r, &len);

	assert_ptr_equal(http_who(r), w);
	w->requests++;
	snprintf(w->body, sizeof w->body, "%s %.*s", http_head(r)->path,
	    (int)len, body);
	if (w->late) {
		w->request = r;
		http_on_gone(r, on_request_gone, w);
	} else {
		answer(w, r);
	}
}

static void *
on_open(void *arg, struct ws *ws, const struct head *head,
    const struct ws_peer *peer, void *who)
{
	struct world *w = arg;

	assert_ptr_equal(who, w);
	assert_true(head->upgrade);
	assert_true(peer->loopback);
	w->server.ws = ws;
	w->server.opened = true;
	str_copy(w->server.subprotocol, sizeof w->server.subprotocol,
	    ws_subprotocol(ws));
	ws_set_outq(ws, &w->server.out);
	return &w->server;
}

static void
on_refused(void *arg, const struct ws_peer *peer, int status, const char *why)
{
	struct world *w = arg;

	assert_true(peer->loopback);
	assert_true(why[0] != '\0');
	w->refused++;
	w->refused_status = status;
}

static const struct ws_events server_events = { .admit = on_admit,
	.who_gone = on_who_gone,
	.request = on_request,
	.open = on_open,
	.message = on_message,
	.closed = on_closed,
	.refused = on_refused };

static void
on_failed(void *arg, int status, int64_t retry_after, const char *why)
{
	struct end *e = arg;

	assert_false(e->failed || e->opened);
	e->failed = true;
	e->status = status;
	e->retry_after = retry_after;
	str_copy(e->reason, sizeof e->reason, why);
}

static void
on_client_open(void *arg, struct ws *ws)
{
	struct end *e = arg;

	assert_false(e->failed || e->opened);
	e->opened = true;
	e->ws = ws;
	str_copy(e->subprotocol, sizeof e->subprotocol, ws_subprotocol(ws));
	ws_set_outq(ws, &e->out);
}

static const struct ws_client_events client_events = { on_failed,
	on_client_open, on_message, on_closed };

static void
on_guard(void *arg)
{
	struct world *w = arg;

	w->expired = true;
}

/* Runs the loop until what we wait for is there. */
#define WAIT(w, what)                                                          \
	do {                                                                   \
		while (!(what) && !(w)->expired)                               \
			uv_run(loop_uv((w)->loop), UV_RUN_ONCE);               \
		assert_true(what);                                             \
	} while (0)

static struct ws_config base_config = { .max_message = 1 << 20,
	.max_body = 1000,
	.max_conns = 50,
	.max_pending = 40,
	.head_ms = 5000,
	.body_ms = 5000,
	.ping_ms = 20000,
	.dead_ms = 45000,
	.max_fragments = 20,
	.max_pings = 100 };

static struct world *
world_with(const struct ws_config *config, const char *cert, const char *key)
{
	struct world *w = mem_alloc(sizeof *w);
	struct ws_config c = *config;
	struct ws_listen listen = {
		.host = "127.0.0.1", .tls_cert = cert, .tls_key = key
	};
	struct err err = ERR_INIT;

	w->loop = loop_new();
	c.loop = w->loop;
	c.clock = &clock_system;
	c.events = &server_events;
	c.arg = w;
	c.subprotocols = protocols;
	w->host = ws_host_new(&c, &err);
	assert_non_null(w->host);
	w->listener = ws_listen(w->host, &listen, &err);
	if (w->listener == NULL)
		fail_msg("%s", err.text);
	w->guard = timer_new(w->loop, on_guard, w);
	timer_set(w->guard, GUARD_MS);
	w->answer_size = 2;
	end_init(&w->server, w);
	end_init(&w->client, w);
	return w;
}

static struct world *
world_new(void)
{
	return world_with(&base_config, NULL, NULL);
}

static void
world_free(struct world *w)
{
	timer_free(w->guard);
	ws_host_free(w->host);
	loop_free(w->loop);
	outq_fini(&w->server.out);
	outq_fini(&w->client.out);
	free(w->server.got);
	free(w->client.got);
	free(w);
}

static struct ws_attempt *
dial(struct world *w, const char *scheme, const char *host, const char *path,
    const char *offer)
{
	static const char *const headers[] = { "X-Edge-Agent-Id: e1",
		"Authorization: Bearer t", NULL };
	char url[200];
	struct ws_connect want = { .url = url,
		.headers = headers,
		.subprotocol = offer,
		.timeout_ms = 5000,
		.events = &client_events,
		.arg = &w->client };
	struct err err = ERR_INIT;
	struct ws_attempt *a;

	snprintf(url, sizeof url, "%s://%s:%d%s", scheme, host,
	    ws_listener_port(w->listener), path);
	a = ws_connect(w->host, &want, &err);
	assert_non_null(a);
	return a;
}

static void
connect_both(struct world *w)
{
	dial(w, "ws", "127.0.0.1", "/edge/ws?edge_agent_id=e1", NULL);
	WAIT(w, w->client.opened || w->client.failed);
	if (w->client.failed)
		fail_msg("%s", w->client.reason);
	WAIT(w, w->server.opened);
}

static int
bare_connect(struct world *w)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)ws_listener_port(w->listener)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
bare_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* Reads until the end of the stream, or until 'enough' is in it. */
static char *
bare_read(struct world *w, int fd, const char *enough, size_t *len)
{
	struct buf b;

	buf_init(&b, 64 << 20);
	while (!w->expired) {
		char bytes[65536];
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);

		if (n > 0)
			buf_add(&b, bytes, (size_t)n);
		else if (n == 0)
			break;
		else if (errno != EAGAIN) {
			buf_text(&b, "[reset]");
			break;
		}
		if (enough != NULL && b.len > 0 &&
		    strstr(b.bytes, enough) != NULL)
			break;
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	assert_false(w->expired);
	return buf_take(&b, len);
}

static char *
exchange(struct world *w, const char *text)
{
	int fd = bare_connect(w);
	char *got;

	bare_send(fd, text);
	got = bare_read(w, fd, NULL, NULL);
	close(fd);
	return got;
}

#define HANDSHAKE                                                              \
	"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"        \
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                 \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void
a_message_goes_there_and_back(void **state)
{
	struct world *w = world_new();

	(void)state;
	connect_both(w);
	say(&w->client, "echo hi", 7);
	WAIT(w, w->client.messages == 1);
	assert_string_equal(w->client.got, "hi");
	assert_int_equal(w->admitted, 1);
	assert_int_equal(w->who_gone, 0);
	world_free(w);
}

static void
big_messages_pass_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 1019, 1024, 4096,
		65535, 65536, 65537, BIG };
	struct world *w = world_new();
	char *text = malloc(BIG + 6);

	(void)state;
	memcpy(text, "echo ", 5);
	for (size_t i = 0; i < BIG; i++)
		text[5 + i] = (char)('a' + i % 26);
	connect_both(w);
	for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
		say(&w->client, text, 5 + sizes[i]);
		WAIT(w, w->client.messages == i);
		assert_int_equal(w->client.got_len, sizes[i]);
		assert_memory_equal(w->client.got, text + 5, sizes[i]);
	}
	free(text);
	world_free(w);
}

static void
many_messages_keep_their_order(void **state)
{
	struct world *w = world_new();

	(void)state;
	connect_both(w);
	for (unsigned i = 0; i < 500; i++) {
		char text[2000];

		memset(text, 'x', sizeof text);
		memcpy(text, "echo ", 5);
		snprintf(text + 5, 20, "%u", i);
		say(&w->client, text, sizeof text);
	}
	WAIT(w, w->client.messages == 500);
	assert_string_equal(w->client.got, "499");
	world_free(w);
}

static void
the_servers_close_code_arrives(void **state)
{
	static const int codes[] = { 1000, 1001, 1008, 1011, 1012, 1013, 4001,
		4013 };

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct world *w = world_new();

		connect_both(w);
		ws_close(w->server.ws, codes[i], "so it is");
		ws_close(w->server.ws, 4999, "too late");
		WAIT(w, w->client.closed && w->server.closed);
		assert_int_equal(w->client.code, codes[i]);
		assert_string_equal(w->client.reason, "so it is");
		assert_int_equal(w->server.code, codes[i]);
		world_free(w);
	}
}

static void
the_clients_close_code_arrives(void **state)
{
	struct world *w = world_new();

	(void)state;
	connect_both(w);
	ws_close(w->client.ws, 4321, "had enough");
	WAIT(w, w->client.closed && w->server.closed);
	assert_int_equal(w->server.code, 4321);
	assert_string_equal(w->server.reason, "had enough");
	assert_int_equal(w->client.code, 4321);
	world_free(w);
}

static void
what_is_queued_leaves_before_the_close(void **state)
{
	struct world *w = world_new();
	char *text = mem_alloc(BIG);

	(void)state;
	connect_both(w);
	memset(text, 'q', BIG);
	say(&w->server, text, BIG);
	ws_close(w->server.ws, 1000, "");
	WAIT(w, w->client.closed);
	assert_int_equal(w->client.messages, 1);
	assert_int_equal(w->client.got_len, BIG);
	assert_int_equal(w->client.code, 1000);
	free(text);
	world_free(w);
}

static void
a_message_over_the_limit_is_1009(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	char *text = mem_alloc(5001);

	(void)state;
	c.max_message = 5000;
	w = world_with(&c, NULL, NULL);
	memset(text, 'x', 5001);
	connect_both(w);
	say(&w->client, text, 5000);
	WAIT(w, w->server.messages == 1);
	say(&w->client, text, 5001);
	WAIT(w, w->client.closed);
	assert_int_equal(w->client.code, 1009);
	assert_int_equal(w->server.messages, 1);
	free(text);
	world_free(w);
}

static void
the_path_chooses_the_subprotocol(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->select = "crew";
	dial(w, "ws", "localhost", "/", "ews.v1, crew");
	WAIT(w, w->client.opened || w->client.failed);
	assert_true(w->client.opened);
	assert_string_equal(w->client.subprotocol, "crew");
	assert_string_equal(w->server.subprotocol, "crew");
	world_free(w);
}

static void
a_known_subprotocol_may_be_passed_over(void **state)
{
	struct world *w = world_new();

	(void)state;
	dial(w, "ws", "localhost", "/", "ews.v1");
	WAIT(w, w->client.opened || w->client.failed);
	assert_true(w->client.opened);
	assert_string_equal(w->client.subprotocol, "");
	world_free(w);
}

static void
only_unknown_subprotocols_are_400(void **state)
{
	struct world *w = world_new();

	(void)state;
	dial(w, "ws", "127.0.0.1", "/", "mqtt");
	WAIT(w, w->client.failed);
	assert_int_equal(w->client.status, 400);
	assert_int_equal(w->who_gone, 1);
	world_free(w);
}

static void
a_refusal_tells_its_status(void **state)
{
	static const int statuses[] = { 401, 403, 404, 429, 503 };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct world *w = world_new();

		w->verdict = statuses[i];
		dial(w, "ws", "127.0.0.1", "/", NULL);
		WAIT(w, w->client.failed);
		assert_int_equal(w->client.status, statuses[i]);
		assert_int_equal(
		    w->client.retry_after, statuses[i] == 503 ? 7000 : -1);
		world_free(w);
	}
}

static void
nobody_there_is_a_failure_without_status(void **state)
{
	struct world *w = world_new();

	(void)state;
	ws_listener_close(w->listener);
	dial(w, "ws", "127.0.0.1", "/", NULL);
	WAIT(w, w->client.failed);
	assert_int_equal(w->client.status, 0);
	assert_non_null(strstr(w->client.reason, "cannot connect"));
	world_free(w);
}

static void
a_cancelled_attempt_is_silent(void **state)
{
	struct world *w = world_new();
	struct ws_attempt *a = dial(w, "ws", "127.0.0.1", "/", NULL);

	(void)state;
	ws_attempt_cancel(a);
	a = dial(w, "ws", "127.0.0.1", "/", NULL);
	WAIT(w, w->admitted > 0 || ws_host_count(w->host) > 0);
	ws_attempt_cancel(a);
	for (int i = 0; i < 20; i++)
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	assert_false(w->client.opened || w->client.failed);
	world_free(w);
}

static void
a_server_that_never_answers_times_out(void **state)
{
	struct world *w = world_new();
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char url[64];
	struct ws_connect want = { .url = url,
		.timeout_ms = 100,
		.events = &client_events,
		.arg = &w->client };

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	listen(fd, 5);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ntohs(sin.sin_port));
	assert_non_null(ws_connect(w->host, &want, NULL));
	WAIT(w, w->client.failed);
	assert_non_null(strstr(w->client.reason, "no answer"));
	close(fd);
	world_free(w);
}

static void
nonsense_urls_are_refused(void **state)
{
	static const char *const urls[] = { "", "ftp://h/", "ws://", "ws://:1/",
		"ws://h:0/", "ws://h:99999/", "ws://h:x/", "ws://u@h/",
		"ws://[::1/", "ws://h/a b", "ws://h/#f" };
	struct world *w = world_new();

	(void)state;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct ws_connect want = { .url = urls[i],
			.timeout_ms = 100,
			.events = &client_events,
			.arg = &w->client };
		struct err err = ERR_INIT;

		assert_null(ws_connect(w->host, &want, &err));
		assert_true(err_isset(&err));
	}
	world_free(w);
}

static void
a_silent_peer_is_pinged_and_stays(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	struct ws_counts counts;
	int64_t opened;

	(void)state;
	c.ping_ms = 30;
	c.dead_ms = 100;
	w = world_with(&c, NULL, NULL);
	connect_both(w);
	opened = ws_opened_ms(w->server.ws);
	WAIT(w,
	    w->server.ws == NULL || ws_heard_ms(w->server.ws) > opened + 400);
	assert_non_null(w->server.ws);
	ws_counts(w->server.ws, &counts);
	assert_int_equal(counts.frames_in, 0);
	world_free(w);
}

static void
a_dead_peer_is_closed_with_1011(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	int fd;

	(void)state;
	c.ping_ms = 30;
	c.dead_ms = 100;
	w = world_with(&c, NULL, NULL);
	fd = bare_connect(w);
	bare_send(fd, HANDSHAKE "\r\n");
	WAIT(w, w->server.opened);
	free(bare_read(w, fd, "keepalive ping timeout", NULL));
	close(fd);
	WAIT(w, w->server.closed);
	assert_int_equal(w->server.code, 1011);
	world_free(w);
}

/* Sends bytes behind a handshake and returns all that came back. */
static char *
after_handshake(struct world *w, const char *bytes, size_t n, size_t *len)
{
	int fd = bare_connect(w);
	char *got;

	bare_send(fd, HANDSHAKE "\r\n");
	got = bare_read(w, fd, "\r\n\r\n", NULL);
	assert_true(str_starts(got, "HTTP/1.1 101 "));
	free(got);
	assert_int_equal(send(fd, bytes, n, 0), n);
	got = mem_alloc(256);
	*len = 0;
	while (w->server.messages == 0 && *len < 4 && !w->expired) {
		ssize_t got_now = recv(fd, got + *len, 255 - *len, 0);

		*len += got_now > 0 ? (size_t)got_now : 0;
		if (got_now == 0)
			break;
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	close(fd);
	assert_false(w->expired);
	return got;
}

static void
bad_frames_close_with_their_code(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
		int code;
	} cases[] = {
#define FRAME(what, bytes, code) { what, bytes, sizeof bytes - 1, code }
		FRAME("unmasked", "\x81\x02hi", 1002),
		FRAME("unmasked, 126 bytes announced",
		    "\x81\x7e\x00\x7e"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789012345",
		    1002),
		FRAME("rsv", "\xc1\x80\1\2\3\4", 1002),
		FRAME("opcode 3", "\x83\x80\1\2\3\4", 1002),
		FRAME("continuation first", "\x80\x80\1\2\3\4", 1002),
		FRAME("bad utf-8", "\x81\x82\0\0\0\0\xc3\x28", 1007),
		FRAME(
		    "binary that is no text", "\x82\x82\0\0\0\0\xff\xfe", 1003),
		FRAME("2^62 announced", "\x81\xff\x40\0\0\0\0\0\0\0\1\2\3\4x",
		    1009),
		FRAME("one byte of close", "\x88\x81\0\0\0\0x", 1002),
#undef FRAME
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new();
		size_t len;
		char *got;

		got = after_handshake(w, cases[i].bytes, cases[i].len, &len);
		if (w->server.messages > 0)
			fail_msg("%s: taken", cases[i].what);
		if (len < 4 || (unsigned char)got[0] != 0x88 ||
		    ((unsigned char)got[2] << 8 | (unsigned char)got[3]) !=
			cases[i].code)
			fail_msg("%s: %zu bytes, code %d", cases[i].what, len,
			    len >= 4 ? (unsigned char)got[2] << 8 |
					   (unsigned char)got[3]
				     : 0);
		free(got);
		world_free(w);
	}
}

static void
fragments_make_one_message(void **state)
{
	static const char bytes[] = "\x01\x82\0\0\0\0ab\x89\x80\0\0\0\0"
				    "\x00\x81\0\0\0\0c\x80\x80\0\0\0\0";
	struct world *w = world_new();
	size_t len;

	(void)state;
	free(after_handshake(w, bytes, sizeof bytes - 1, &len));
	assert_int_equal(w->server.messages, 1);
	assert_string_equal(w->server.got, "abc");
	world_free(w);
}

static void
too_many_fragments_are_1008(void **state)
{
	struct world *w = world_new();
	char bytes[25 * 6];
	size_t len;
	char *got;

	(void)state;
	for (int i = 0; i < 25; i++)
		memcpy(bytes + 6 * i,
		    i == 0 ? "\x01\x80\0\0\0\0" : "\x00\x80\0\0\0\0", 6);
	got = after_handshake(w, bytes, sizeof bytes, &len);
	assert_memory_equal(got + 2, "\x03\xf0", 2);
	free(got);
	world_free(w);
}

static void
binary_utf8_is_a_message(void **state)
{
	struct world *w = world_new();
	size_t len;

	(void)state;
	free(after_handshake(w, "\x82\x82\0\0\0\0{}", 8, &len));
	assert_string_equal(w->server.got, "{}");
	world_free(w);
}

static void
a_request_is_answered_once_and_closed(void **state)
{
	struct world *w = world_new();
	char *got = exchange(w, "GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_true(str_starts(got, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(got, "\r\nX-Test: yes\r\n"));
	assert_true(str_ends(got, "\r\n\r\naa"));
	assert_string_equal(w->body, "/a b ");
	free(got);
	world_free(w);
}

static void
a_body_comes_whole(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);
	char *got;

	(void)state;
	bare_send(fd, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Le");
	WAIT(w, ws_host_count(w->host) == 1);
	bare_send(fd, "ngth: 10\r\n\r\n01234");
	for (int i = 0; i < 20; i++)
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	assert_int_equal(w->requests, 0);
	bare_send(fd, "56789");
	got = bare_read(w, fd, NULL, NULL);
	assert_string_equal(w->body, "/p 0123456789");
	assert_true(str_starts(got, "HTTP/1.1 200 "));
	free(got);
	close(fd);
	world_free(w);
}

static void
head_has_a_length_and_no_body(void **state)
{
	struct world *w = world_new();
	char *got = exchange(w, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_non_null(strstr(got, "\r\nContent-Length: 2\r\n"));
	assert_true(str_ends(got, "\r\n\r\n"));
	free(got);
	world_free(w);
}

static void
pipelined_requests_are_not_taken(void **state)
{
	static const char *const pairs[] = {
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
		"0123456789",
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
		"0123456789",
		"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ndef",
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n"
		"Host: h\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct world *w = world_new();
		char *got = exchange(w, pairs[i]);

		assert_true(str_starts(got, "HTTP/1.1 200 "));
		assert_null(strstr(got, "[reset]"));
		assert_null(strstr(got + 10, "HTTP/1.1"));
		assert_int_equal(w->requests, 1);
		assert_true(str_starts(w->body, "/1"));
		free(got);
		world_free(w);
	}
}

static void
a_large_answer_arrives_whole(void **state)
{
	struct world *w = world_new();
	char *got;
	size_t len;
	int fd;

	(void)state;
	w->answer_size = 9 << 20;
	fd = bare_connect(w);
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	got = bare_read(w, fd, NULL, &len);
	assert_true(len > w->answer_size);
	free(got);
	close(fd);
	world_free(w);
}

static void
a_late_answer_arrives(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);
	char *got;

	(void)state;
	w->late = true;
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\nmore");
	WAIT(w, w->request != NULL);
	http_problem(w->request, 507, "queue_full", "it is full");
	got = bare_read(w, fd, NULL, NULL);
	assert_true(str_starts(got, "HTTP/1.1 507 Insufficient Storage\r\n"));
	assert_non_null(strstr(got, "application/problem+json"));
	assert_non_null(strstr(got, "\"code\":\"queue_full\""));
	free(got);
	close(fd);
	world_free(w);
}

static void
who_hangs_up_before_the_answer_is_told(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);

	(void)state;
	w->late = true;
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	WAIT(w, w->request != NULL);
	close(fd);
	WAIT(w, w->request_gone);
	WAIT(w, ws_host_count(w->host) == 0);
	world_free(w);
}

static void
a_parked_request_ends_with_the_host(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);

	(void)state;
	w->late = true;
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	WAIT(w, w->request != NULL);
	world_free(w);
	close(fd);
}

static void
bad_heads_get_their_status(void **state)
{
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{ "GET / HTTP/1.1\nHost: h\n\n", 400 },
		{ "\x16\x03\x01\x02\x05", 400 },
		{ "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501 },
		{ "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
		{ "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\nHost: h\r\n\r\n", 411 },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
		    413 },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
		    400 },
		{ "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked"
		  "\r\n\r\n0\r\n\r\n",
		    411 },
		{ "GET / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n", 417 },
		{ "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
		  "Connection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
		  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		    426 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new();
		char *got = exchange(w, cases[i].head);

		assert_true(str_starts(got, "HTTP/1.1 "));
		if (atoi(got + 9) != cases[i].status)
			fail_msg("case %zu: %s", i, got);
		assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
		assert_int_equal(w->requests, 0);
		free(got);
		WAIT(w, ws_host_count(w->host) == 0);
		world_free(w);
	}
}

static void
an_offer_of_h2c_is_plain_http(void **state)
{
	struct world *w = world_new();
	char *got = exchange(w,
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings"
	    "\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");

	(void)state;
	assert_true(str_starts(got, "HTTP/1.1 200 "));
	free(got);
	world_free(w);
}

static void
the_owners_own_body_is_sent(void **state)
{
	struct world *w = world_new();
	char *got;

	(void)state;
	w->verdict = 403;
	got = exchange(w, HANDSHAKE "\r\n");
	assert_true(str_starts(got, "HTTP/1.1 403 Forbidden\r\n"));
	assert_non_null(strstr(got, "\r\nContent-Type: application/json\r\n"));
	assert_true(str_ends(got, "\r\n\r\n{\"success\":false}"));
	free(got);
	world_free(w);
}

static void
half_a_head_is_408(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	char *got;

	(void)state;
	c.head_ms = 100;
	c.body_ms = 100;
	w = world_with(&c, NULL, NULL);
	got = exchange(w, "GET / HTTP/1.1\r\nHo");
	assert_true(str_starts(got, "HTTP/1.1 408 "));
	assert_int_equal(w->refused_status, 408);
	free(got);
	got = exchange(
	    w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
	assert_true(str_starts(got, "HTTP/1.1 408 "));
	assert_int_equal(w->who_gone, 1);
	free(got);
	world_free(w);
}

static void
connections_over_the_limit_get_503(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	int fd[3];
	char *got;

	(void)state;
	c.max_pending = 3;
	w = world_with(&c, NULL, NULL);
	for (int i = 0; i < 3; i++)
		fd[i] = bare_connect(w);
	WAIT(w, ws_host_count(w->host) == 3);
	got = exchange(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(str_starts(got, "HTTP/1.1 503 "));
	assert_non_null(strstr(got, "\r\nRetry-After: "));
	free(got);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	WAIT(w, ws_host_count(w->host) == 0);
	got = exchange(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(str_starts(got, "HTTP/1.1 200 "));
	free(got);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_there_and_back),
		cmocka_unit_test(big_messages_pass_whole),
		cmocka_unit_test(many_messages_keep_their_order),
		cmocka_unit_test(the_servers_close_code_arrives),
		cmocka_unit_test(the_clients_close_code_arrives),
		cmocka_unit_test(what_is_queued_leaves_before_the_close),
		cmocka_unit_test(a_message_over_the_limit_is_1009),
		cmocka_unit_test(the_path_chooses_the_subprotocol),
		cmocka_unit_test(a_known_subprotocol_may_be_passed_over),
		cmocka_unit_test(only_unknown_subprotocols_are_400),
		cmocka_unit_test(a_refusal_tells_its_status),
		cmocka_unit_test(nobody_there_is_a_failure_without_status),
		cmocka_unit_test(a_cancelled_attempt_is_silent),
		cmocka_unit_test(a_server_that_never_answers_times_out),
		cmocka_unit_test(nonsense_urls_are_refused),
		cmocka_unit_test(a_silent_peer_is_pinged_and_stays),
		cmocka_unit_test(a_dead_peer_is_closed_with_1011),
		cmocka_unit_test(bad_frames_close_with_their_code),
		cmocka_unit_test(fragments_make_one_message),
		cmocka_unit_test(too_many_fragments_are_1008),
		cmocka_unit_test(binary_utf8_is_a_message),
		cmocka_unit_test(a_request_is_answered_once_and_closed),
		cmocka_unit_test(a_body_comes_whole),
		cmocka_unit_test(head_has_a_length_and_no_body),
		cmocka_unit_test(pipelined_requests_are_not_taken),
		cmocka_unit_test(a_large_answer_arrives_whole),
		cmocka_unit_test(a_late_answer_arrives),
		cmocka_unit_test(who_hangs_up_before_the_answer_is_told),
		cmocka_unit_test(a_parked_request_ends_with_the_host),
		cmocka_unit_test(bad_heads_get_their_status),
		cmocka_unit_test(an_offer_of_h2c_is_plain_http),
		cmocka_unit_test(the_owners_own_body_is_sent),
		cmocka_unit_test(half_a_head_is_408),
		cmocka_unit_test(connections_over_the_limit_get_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
