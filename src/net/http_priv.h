/*
 * http_priv - what stands behind a request: its back-end
 *
 * A back-end reads the request and writes the answer: ws_guest.c on our
 * own socket, ws_sock.c through the library for TLS.
 */
#ifndef EWS_NET_HTTP_PRIV_H
#define EWS_NET_HTTP_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "net/http.h"
#include "net/ws.h"

/* The whole answer, head included. Takes the bytes; NULL when memory is
 * out: hang up. May be called inside http_deliver. */
typedef void http_reply_fn(void *arg, char *bytes, size_t len);

struct http_request {
	const struct ws_events *events;
	void *events_arg;
	http_reply_fn *reply; /* NULL: the peer is gone */
	void *reply_arg;
	struct head *head;
	struct ws_peer peer;
	void *who;
	struct buf body, headers;
	void (*gone)(void *arg);
	void *gone_arg;
	bool delivered;
};

/* Takes the head and 'who'; NULL when memory is out (nothing taken). */
struct http_request *http_request_new(const struct ws_config *, struct head *,
    const struct ws_peer *, void *who, http_reply_fn *, void *reply_arg);
/* The body is complete: hands it to the owner, who answers sooner or
 * later. */
void http_deliver(struct http_request *);
/* The peer hung up before the answer: tells whoever must know. */
void http_gone(struct http_request *);

/* A whole refusal; gives, NULL when memory is out. 'header' is a line
 * without its end, or NULL. */
char *
http_refusal(int status, const char *why, const char *header, size_t *len);
char *http_refusal_verdict(const struct ws_verdict *, size_t *len);

#endif
