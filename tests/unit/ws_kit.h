/*
 * ws_kit - our server and our client in one loop; where a peer must
 * misbehave, a bare socket
 */
#ifndef EWS_TESTS_WS_KIT_H
#define EWS_TESTS_WS_KIT_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
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

static inline void
lost_frame(void *arg, uint64_t tag)
{
	(void)arg;
	(void)tag;
}

static const struct outq_config out_config = { .max_frames = 1000,
	.max_bytes = 64 << 20,
	.low_bytes = 1000,
	.lost = lost_frame };

static inline void
end_init(struct end *e, struct world *w)
{
	memset(e, 0, sizeof *e);
	e->world = w;
	outq_init(&e->out, &out_config, e);
}

static inline void
say(struct end *e, const char *text, size_t len)
{
	struct frame *f = frame_text(text, len);

	assert_true(outq_put(&e->out, f, OUTQ_DATA, 0));
	frame_unref(f);
	ws_want_write(e->ws);
}

static inline void
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

static inline void
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

static inline void
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

static inline void
on_who_gone(void *arg, void *who)
{
	struct world *w = arg;

	assert_ptr_equal(who, w);
	w->who_gone++;
}

static inline void
on_request_gone(void *arg)
{
	struct world *w = arg;

	w->request_gone = true;
	w->request = NULL;
}

static inline void
answer(struct world *w, struct http_request *r)
{
	char *body = malloc(w->answer_size + 1);

	memset(body, 'a', w->answer_size);
	http_add_header(r, "X-Test", "yes");
	http_answer(r, 200, "text/plain", body, w->answer_size);
	free(body);
}

static inline void
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

static inline void *
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

static inline void
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

static inline void
on_failed(void *arg, int status, int64_t retry_after, const char *why)
{
	struct end *e = arg;

	assert_false(e->failed || e->opened);
	e->failed = true;
	e->status = status;
	e->retry_after = retry_after;
	str_copy(e->reason, sizeof e->reason, why);
}

static inline void
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

static inline void
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

static inline struct world *
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

static inline struct world *
world_new(void)
{
	return world_with(&base_config, NULL, NULL);
}

static inline void
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

static inline struct ws_attempt *
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

static inline void
connect_both(struct world *w)
{
	dial(w, "ws", "127.0.0.1", "/edge/ws?edge_agent_id=e1", NULL);
	WAIT(w, w->client.opened || w->client.failed);
	if (w->client.failed)
		fail_msg("%s", w->client.reason);
	WAIT(w, w->server.opened);
}

static inline int
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

static inline void
bare_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* Reads until the end of the stream, or until 'enough' is in it. */
static inline char *
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

static inline char *
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

#endif
