/*
 * ws_priv - what ws*.c share
 *
 *   ws_listen  accepts          -> a guest
 *   ws_guest   plain socket of ours: reads and judges the head, serves
 *              one HTTP request or hands a checked handshake on -> a sock
 *   ws_sock    socket of the library before it is a WebSocket: the rest
 *              of a handshake; on TLS also gate and HTTP      -> a ws
 *   ws_conn    an established WebSocket, either side
 *   ws_wheel   pings, deadlines
 *   ws_client  attempts to connect (ws_url reads the URL)     -> a ws
 *   ws         the library's context and its callback
 */
#ifndef EWS_NET_WS_PRIV_H
#define EWS_NET_WS_PRIV_H

#include <libwebsockets.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/buf.h"
#include "net/http_priv.h"
#include "net/timer.h"
#include "net/ws.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: the socket has SO_NOSIGPIPE instead */
#endif

enum {
	WS_BUCKETS = 8, /* connections looked at in turn */
	WS_SERV_BUF = 24576, /* the library's read buffer; holds any head */
	WS_RX_SIZE = 1024, /* the largest chunk it hands us; it keeps
			    * that much for each connection */
	WS_RX_PLAIN = 512, /* the same where no subprotocol was chosen */
	WS_SCRATCH = 65536, /* gathered for one write */
	WS_TX_MAX = 1 << 20, /* one write of the library */
	WS_SLICE = 2000, /* connections written to in one turn */
	WS_HOLD = 8, /* turns to wait for the rest of a burst */
	WS_FLUSH_MS = 1000, /* for what is queued before a close frame */
	WS_ACK_MS = 5000, /* for the peer's answer to it */
	WS_ASSEMBLE_MS = 60000, /* for all fragments of one message */
	WS_LINGER_MS = 1000,
	WS_SWEEP_MS = 100,
	WS_SWEEP_SOON_MS = 10,
	WS_REASON_MAX = 123 /* RFC 6455 section 5.5 */
};

/* What the library keeps for us with each of its sockets. */
enum ws_kind { KIND_SOCK, KIND_WS, KIND_ATTEMPT };

struct ws_link {
	enum ws_kind kind;
	struct ws_host *host;
	struct lws *wsi;
};

struct ws_listener {
	struct ws_host *host;
	struct ws_listener *next; /* kept until the host goes: peers
					 * point to 'dialect' */
	char *name, *dialect, *tls_cert, *tls_key;
	int port, fd;
	bool open;
	uv_poll_t poll;
	struct timer *retry;
	struct lws_vhost *vhost; /* TLS: of new connections */
};

enum guest_state {
	GUEST_HEAD,
	GUEST_BODY,
	GUEST_PARKED,
	GUEST_WRITE,
	GUEST_LINGER,
	GUEST_ENDED
};

/* A plain socket that is ours. */
struct guest {
	uv_poll_t poll;
	bool has_poll;
	bool nap; /* looked at again by the sweep, not by an event */
	bool linger; /* it may still be sending when we have answered */
	struct ws_host *host;
	struct guest *prev, *next;
	struct guest *reply_next;
	int fd;
	enum guest_state state;
	int64_t deadline; /* of loop time */
	struct ws_peer peer;
	size_t seen; /* bytes of the head looked at; bytes discarded */
	struct http_request *req;
	char *out;
	size_t out_at, out_len;
};

enum sock_state {
	SOCK_HEAD,
	SOCK_UPGRADE,
	SOCK_BODY,
	SOCK_PARKED,
	SOCK_WRITE,
	SOCK_DONE
};

/* A socket of the library that is no WebSocket yet. */
struct sock {
	struct ws_link link; /* first */
	struct sock *prev, *next;
	enum sock_state state;
	bool gated; /* plain: its head was judged before */
	bool linger; /* its body was not read to the end */
	bool queued; /* in 'replies' */
	struct sock *reply_next;
	int64_t deadline;
	struct ws_peer peer;
	struct head *head;
	void *who;
	const char *subprotocol;
	struct http_request *req;
	char *out;
	size_t out_at, out_len;
};

enum ws_state {
	WS_OPEN,
	WS_CLOSING, /* the queue is given time to leave */
	WS_CLOSE_SENT, /* the library has our close frame */
	WS_PEER_CLOSED, /* the peer closed first: nothing more is sent */
	WS_BROKEN /* a write failed */
};

struct ws {
	struct ws_link link; /* first */
	struct ws *prev, *next; /* in its bucket */
	struct ws *dirty_prev, *dirty_next;
	struct ws *ready_prev, *ready_next;
	unsigned bucket;
	bool client, dirty, ready;
	bool ping_due; /* client: the next writable sends it */
	bool in_frame, binary;
	enum ws_state state;
	void *user;
	void (*message)(void *, char *, size_t);
	void (*closed)(void *, int, const char *);
	struct outq *out;
	char *subprotocol;
	int code;
	char *reason;
	int64_t deadline; /* of a close: monotonic */
	int64_t heard, opened, pinged;
	int64_t moved; /* when output last left, or there was none */
	struct buf in; /* a message in several chunks */
	unsigned fragments;
	int64_t in_since;
	int64_t pongs_since;
	unsigned pongs;
	struct ws_counts counts;
};

struct ws_attempt {
	struct ws_link link; /* first */
	struct ws_attempt *prev, *next;
	struct ws_client_events events;
	void *arg;
	char *name, *path, *subprotocol;
	char *headers; /* lines */
	int port;
	bool tls;
	char *proxy_name;
	int proxy_port;
	uv_getaddrinfo_t dns;
	bool dns_busy, gone;
	struct addrinfo *addresses, *next_address;
	char address[64]; /* the one that is tried */
	int64_t timeout_ms;
	struct timer *watchdog;
	struct timer *soon; /* failures are told from the loop */
	bool failed;
	int status;
	int64_t retry_after;
	char chosen[64]; /* by the server, of the subprotocols */
	char why[256];
};

struct ws_name {
	struct ws_name *next;
	char text[];
};

struct ws_host {
	struct ws_config config;
	char *ca_file;
	struct ws_name *names; /* of vhosts */
	struct lws_context *context;
	struct lws_protocols *protocols;
	void *foreign[1];
	struct lws_vhost *plain, *client;
	struct ws_listener *listeners;
	struct guest *guests, *graveyard;
	struct guest *replies; /* to be written at the end of the turn */
	struct sock *socks, *sock_replies;
	struct sock *adopting; /* not yet known to be taken */
	bool choked; /* a sock waits for room: sweep soon */
	struct ws *buckets[WS_BUCKETS];
	struct ws *dirty, *ready;
	bool more_comes; /* a read ended inside a small frame */
	unsigned held; /* turns that the flush was held back for it */
	struct ws_attempt *attempts;
	unsigned n_guests, n_pending, n_lingering, n_socks, n_servers;
	unsigned max_lingering; /* over it, an answer may be lost */
	unsigned serial; /* of vhosts and of buckets */
	unsigned turn; /* of the wheel */
	bool stopping;
	struct timer *sweep, *wheel;
	int64_t wheel_ms;
	int64_t wheel_now; /* of its last tick: a clock that costs nothing */
	const unsigned char *serv_buf; /* the library's, once known */
	unsigned char *scratch; /* LWS_PRE + WS_SCRATCH */
};

/* ws.c */
int
ws_callback(struct lws *, enum lws_callback_reasons, void *, void *, size_t);
struct lws_vhost *ws_vhost(struct ws_host *, const char *name, const char *cert,
    const char *key, const char *proxy);
int64_t ws_now(const struct ws_host *); /* monotonic, the clock's */
int64_t ws_loop_now(const struct ws_host *); /* the loop's */
/* The first line of the library's log since ws_log_reset, or "": the
 * cause; later ones are its consequences. */
const char *ws_log_why(void);
void ws_log_reset(void);
/* Arms the library's timers: it does so only after its own events. */
void ws_nudge(struct ws_host *);

/* ws_admit.c: asks the owner. False: refused, see the verdict. */
bool ws_admit(struct ws_host *, const struct head *, struct ws_peer *,
    struct ws_verdict *);
void ws_refused(
    struct ws_host *, const struct ws_peer *, int status, const char *why);
bool ws_overloaded(const struct ws_host *);

/* ws_listen.c: after all are closed and the loop has run. */
void listeners_free(struct ws_host *);

/* ws_guest.c */
void guest_new(struct ws_host *, int fd, const struct ws_peer *);
void guest_refuse_new(struct ws_host *, int fd, const struct ws_peer *,
    int status, const char *why);
/* Takes the descriptor of an answered connection: reads it away. */
void guest_linger(struct ws_host *, int fd, const struct ws_peer *);
void guests_turn(struct ws_host *); /* writes answers, buries the dead */
void guests_sweep(struct ws_host *, int64_t now);
void guests_free(struct ws_host *);

/* ws_sock.c. Takes the descriptor, the head and 'who'. */
void sock_adopt(struct ws_host *, struct lws_vhost *, int fd,
    const struct ws_peer *, struct head *, const struct ws_verdict *);
int sock_event(struct sock *, enum lws_callback_reasons, void *in, size_t);
void socks_turn(struct ws_host *);
void socks_sweep(struct ws_host *, int64_t now);
void socks_free(struct ws_host *); /* those the library knew nothing of */

/* ws_tls.c: the gate behind TLS, from the library's tokens. */
struct head *tls_head(struct lws *, struct gate_refusal *);

/* ws_conn.c */
struct ws *ws_new(struct ws_host *, struct lws *, const char *subprotocol);
bool ws_has_output(const struct ws *);
int ws_event(struct ws *, enum lws_callback_reasons, void *in, size_t);
void ws_turn(struct ws_host *);
void ws_kill(struct ws *); /* no close frame; frees it */
void ws_finish(struct ws *); /* sends the close frame, or gives up */
/* ws_message.c. */
void ws_receive(struct ws *, char *in, size_t);
void ws_pong(struct ws *);
int ws_close_code(const struct ws *, const unsigned char *in, size_t);
/* ws_wheel.c */
void ws_wheel_start(struct ws_host *);
void ws_wheel_tick(void *host);
void ws_ping(struct ws *);

/* ws_client.c */
int
attempt_event(struct ws_attempt *, enum lws_callback_reasons, void *in, size_t);
void attempts_free(struct ws_host *);
/* ws_url.c. "host", "host:port", "[v6]:port"; gives the name, or NULL. */
char *attempt_place(const char *text, size_t len, int *port);
bool attempt_url(struct ws_attempt *, const char *url);
/* Joins lines; gives, or NULL if they are too long. */
char *attempt_headers(const char *const *lines);

#endif
