/*
 * door_net - WebSocket and HTTP on the hub's listeners
 *
 * Judges every head before anything is accepted (Host, Origin, route,
 * credentials, limits: PROTOCOL 2.2), then hands what comes to the
 * dialect that the path names. Knows bytes and peers, no messages.
 */
#ifndef EWS_EWSD_DOOR_NET_H
#define EWS_EWSD_DOOR_NET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ewsd/core/auth.h"
#include "ewsd/core/core.h"
#include "ewsd/dialect/ctl.h"
#include "lib/clock.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "net/loop.h"

struct door_net;

struct door_net_config {
	struct loop *loop;
	struct clock *clock;
	struct core *core;
	struct auth *auth;
	struct ctl_dialect *ctl; /* NULL: no /api/v1/ops */
	const struct conf *conf; /* all lent for the life of the door */
};

/* Not listening yet. NULL with err. */
struct door_net *door_net_new(const struct door_net_config *, struct err *);
/* "HOST:PORT[,dialect=NAME][,tls]"; a bare number is a port on 127.0.0.1.
 * While auth_made (nobody chose a secret) only loopback is served. */
bool door_net_listen(struct door_net *, const char *spec, struct err *);
json_t *door_net_names(struct door_net *); /* gives ["HOST:PORT",...] */
/* Certificates; the old ones stay on error. Connections whose secret is
 * no longer valid are closed at the next tick after auth_reload. */
bool door_net_reload(struct door_net *, struct err *);
void door_net_stop_listening(struct door_net *);
/* 1012 "Service Restart" to /edge/ws clients (ews.v1 ones get a retry frame
 * before); parked polls are answered. After door_net_stop_listening. */
void door_net_goodbye(struct door_net *);
/* Connections that have not ended. */
unsigned door_net_live(struct door_net *);
/* Closes what is left. Not from a callback; before core_free. */
void door_net_free(struct door_net *);
/* Every 100 ms: parked polls, hello deadline, silence. */
void door_net_tick(struct door_net *);

/* The route table, one line each. */
void door_net_describe_routes(FILE *);
/* Have no two routes the same method and path? */
bool door_net_routes_ok(struct err *);

#endif
