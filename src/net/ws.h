/*
 * ws - WebSocket server and client, and the HTTP server beside it
 *
 * The library's context on our loop. Everything that a stranger may do
 * wrong before a connection is established is answered here by way of
 * net/gate.h; everything after comes as an event. Messages are whole, text
 * is valid UTF-8 (binary is passed on as text if it is UTF-8, PROTOCOL
 * 1.2), within max_message. Nothing here knows what messages mean.
 */
#ifndef EWS_NET_WS_H
#define EWS_NET_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "net/gate.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/outq.h"

struct ws_host; /* the context: listeners, server and client sockets */
struct ws; /* one established WebSocket, either side */
struct ws_listener;

/* What is known of a connection before anything is accepted. */
struct ws_peer {
	char address[64]; /* of the socket, without port; a trusted
				 * proxy's X-Forwarded-For where configured */
	int port;
	bool tls, loopback; /* of the socket, whatever a header says */
	const char *dialect; /* of the listener, or NULL */
};

/* The answer to "may this head come in?". */
struct ws_verdict {
	int status; /* 0: come in; else the HTTP refusal */
	char body[512]; /* JSON; "" makes a problem document of 'why' */
	char why[160];
	char headers[256]; /* lines ending in CRLF, or "" */
	const char *subprotocol; /* static, to select; or NULL */
	int64_t body_max; /* of this request; 0: the host's */
	void *who; /* handed on to open() or http_who() */
};

struct ws_events {
	/* Every well-formed head, upgrade or not, before anything is
	 * accepted. When the peer vanishes between admit and open/request,
	 * who_gone gets 'who'. */
	void (*admit)(void *arg, const struct head *, const struct ws_peer *,
	    struct ws_verdict *);
	void (*who_gone)(void *arg, void *who);
	/* A request with its whole body; answered now or later (http.h). */
	void (*request)(void *arg, struct http_request *);
	/* Established. Returns the connection's own 'conn' argument for the
	 * events below, and must call ws_set_outq. NULL refuses (closed). */
	void *(*open)(void *arg, struct ws *, const struct head *,
	    const struct ws_peer *, void *who);
	void (*message)(void *conn, char *text, size_t len);
	/* Once, from the loop, never from inside ws_close or ws_want_write.
	 * 'code' 1005: none was given, 1006: cut. 'ws' is gone after it. */
	void (*closed)(void *conn, int code, const char *reason);
	/* Refused before a head was judged good, for counting and logging:
	 * 'why' as in the answer. May be NULL. */
	void (*refused)(
	    void *arg, const struct ws_peer *, int status, const char *why);
};

struct ws_config {
	struct loop *loop;
	struct clock *clock;
	const struct ws_events *events; /* of the server side; lent */
	void *arg;
	const char *const *subprotocols; /* that may be selected; NULL ends */
	size_t max_message; /* bytes; more closes with 1009 */
	size_t max_body; /* of HTTP requests, unless the verdict says */
	unsigned max_conns; /* HTTP 503 above; descriptors stay in reserve */
	unsigned max_pending; /* sockets whose head is not complete */
	int64_t head_ms; /* to send the head: 5000 */
	int64_t body_ms; /* to send the body: 10000 */
	int64_t ping_ms; /* ping after that much silence: 20000 */
	int64_t dead_ms; /* silent that long: 1011: 45000 */
	unsigned max_fragments; /* per message: 1000, then 1008 */
	unsigned max_pings; /* per second: 100, then 1008 */
	const char *const *trusted_proxies; /* addresses; NULL ends */
	const char *ca_file; /* client side: besides the system's, or NULL */
};

struct ws_host *ws_host_new(const struct ws_config *, struct err *);
/* Closes what is left without ceremony, runs the loop until the library is
 * done, frees. Not from a callback. */
void ws_host_free(struct ws_host *);

struct ws_listen {
	const char *host; /* "127.0.0.1", "::1", "0.0.0.0", a name */
	int port; /* 0: any */
	const char *dialect; /* copied; or NULL */
	const char *tls_cert, *tls_key; /* files, or NULL for plain */
};
/* Binds and accepts; NULL with err. */
struct ws_listener *
ws_listen(struct ws_host *, const struct ws_listen *, struct err *);
int ws_listener_port(const struct ws_listener *); /* really bound */
const char *ws_listener_name(const struct ws_listener *); /* HOST:PORT */
/* New connections use the certificate and key as they are now on disk; on
 * error the old ones stay in service. */
bool ws_listener_reload(struct ws_listener *, struct err *);
/* Stops listening at once. Half-read heads are still served. */
void ws_listener_close(struct ws_listener *);

/* Connections, both kinds, pending ones included. */
unsigned ws_host_count(const struct ws_host *);

/* From open(): where frames to write are taken from; lent until closed. */
void ws_set_outq(struct ws *, struct outq *);
/* There is something in the queue. It leaves at the end of this turn. */
void ws_want_write(struct ws *);
/* Queued control frames and data are given a short time to leave, then the
 * close frame goes out. From anywhere, any number of times; first wins. */
void ws_close(struct ws *, int code, const char *reason);
const char *ws_subprotocol(const struct ws *); /* "" if none */
int64_t ws_heard_ms(const struct ws *); /* monotonic: last frame came in */
int64_t ws_opened_ms(const struct ws *); /* monotonic */
struct ws_counts {
	uint64_t frames_in, frames_out, bytes_in, bytes_out;
};
void ws_counts(const struct ws *, struct ws_counts *);

/*
 * The client side: one attempt at one URL. Exactly one of open or failed
 * is called, later, from the loop; after open come message and closed.
 */
struct ws_attempt;
struct ws_client_events {
	/* 'status' is the HTTP status of a refusal, 0 if none came;
	 * retry_after_ms -1 if not told. 'why' is a sentence. The attempt is
	 * gone after it. */
	void (*failed)(
	    void *arg, int status, int64_t retry_after_ms, const char *why);
	void (*open)(void *arg, struct ws *); /* must call ws_set_outq */
	void (*message)(void *arg, char *text, size_t len);
	void (*closed)(void *arg, int code, const char *reason);
};
struct ws_connect {
	const char *url; /* ws:// or wss://, path and query included */
	const char *const *headers; /* "Name: value", NULL ends */
	const char *subprotocol; /* offered, or NULL */
	int64_t timeout_ms; /* to established, DNS included */
	const char *proxy; /* "host:port" of an HTTP proxy, or NULL */
	const struct ws_client_events *events;
	void *arg;
};
/* NULL with err only if the URL is nonsense; then no event comes. */
struct ws_attempt *
ws_connect(struct ws_host *, const struct ws_connect *, struct err *);
/* No event comes any more. */
void ws_attempt_cancel(struct ws_attempt *);

#endif
