/*
 * door_priv - what the files of door_net share; included only there
 */
#ifndef EWS_EWSD_DOOR_PRIV_H
#define EWS_EWSD_DOOR_PRIV_H

#include "ewsd/dialect/edge.h"
#include "ewsd/door/door_net.h"
#include "ewsd/door/routes.h"
#include "net/ws.h"

enum { DOOR_LISTENERS_MAX = 16 };

struct door_net {
	struct door_net_config config;
	struct edge *edge;
	struct ws_host *host;
	struct ws_listener *listeners[DOOR_LISTENERS_MAX];
	size_t n_listeners;
	const char **host_names, **origins, **proxies; /* NULL ends each */
};

/* What admit found out of a request; the 'who' of net/ws.h. */
struct visit {
	const struct route *route; /* NULL: OPTIONS */
	struct auth_who who;
	char part[ROUTE_PART_SIZE];
	char allow[ROUTE_ALLOW_SIZE];
	bool ours; /* a WebSocket of ews.v1 */
	bool signature; /* to be judged with the body */
	const char *refuse; /* accept, then close 4001 with this */
};

/* door_admit.c, door_ws.c, door_http.c: the events of net/ws.h */
void door_admit(void *arg, const struct head *, const struct ws_peer *,
    struct ws_verdict *);
void door_who_gone(void *arg, void *who);
void
door_refused(void *arg, const struct ws_peer *, int status, const char *why);
void door_request(void *arg, struct http_request *);
void *door_ws_open(void *arg, struct ws *, const struct head *,
    const struct ws_peer *, void *who);
void door_ws_message(void *conn, char *text, size_t len);
void door_ws_closed(void *conn, int code, const char *reason);

/* Judges METHOD:PATH:TS:BODY; false if it is wrong. */
bool door_signature_ok(struct door_net *, const struct head *, const char *body,
    size_t len, struct auth_who *);

#endif
