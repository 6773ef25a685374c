/*
 * http - one request on one connection, answered once
 *
 * Every answer says "Connection: close" and ends the connection: the
 * library must never see a second request on one (DESIGN 5). What the
 * peer sent behind the first request is not taken.
 */
#ifndef EWS_NET_HTTP_H
#define EWS_NET_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/gate.h"

struct http_request;
struct ws_peer;

/* All lent until the answer. */
const struct head *http_head(const struct http_request *);
const struct ws_peer *http_peer(const struct http_request *);
const char *http_body(const struct http_request *, size_t *len);
void *http_who(const struct http_request *); /* the verdict's 'who' */

/* "Name: value" for the answer; copied. Before answering. */
void
http_add_header(struct http_request *, const char *name, const char *value);
/* Once, now or later; the request is gone after it. The body is copied. */
void http_answer(struct http_request *, int status, const char *type,
    const char *body, size_t len);
void http_answer_json(struct http_request *, int status, const json_t *);
/* RFC 9457 problem document; 'code' of codes.def. */
void http_problem(
    struct http_request *, int status, const char *code, const char *detail);

/* For whoever answers later: called once if the peer hangs up first; the
 * request is gone after it. */
void http_on_gone(struct http_request *, void (*)(void *arg), void *arg);

/* "Not Found" for 404. */
const char *http_reason(int status);

#endif
