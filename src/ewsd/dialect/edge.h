/*
 * edge - the language of Archety's edge agents and of our own
 *
 * PROTOCOL 2 towards anybody on /edge/ws and /edge/…; ews.v1 (DESIGN 6)
 * towards who negotiated it. Acks, output and polls come in here, commands
 * go out.
 */
#ifndef EWS_EWSD_EDGE_H
#define EWS_EWSD_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsd/core/auth.h"
#include "ewsd/core/client.h"
#include "ewsd/core/core.h"
#include "ewsd/dialect/call.h"
#include "lib/conf.h"

#define EDGE_SUBPROTOCOL "ews.v1"

struct edge;

struct edge_config {
	struct core *core;
	struct auth *auth;
	const struct conf *conf; /* all lent */
};
struct edge *edge_new(const struct edge_config *);
/* The connections have all ended before. */
void edge_free(struct edge *);

/* Every 100 ms: parked polls, hellos, silence, revoked secrets. */
void edge_tick(struct edge *);
/* At the end of a turn, before the connections are flushed: confirmations
 * and credits are gathered into one frame, polls answered. */
void edge_turn(struct edge *);
void edge_goodbye(struct edge *);

/* May one more connection attempt, or request, of this foreign agent come
 * now? 0, or the seconds to tell in Retry-After. */
int edge_connect_rate(struct edge *, const char *id);
int edge_request_rate(struct edge *, const char *id);

/* WebSocket. 'out' for client_new: */
extern const char *const edge_subprotocols[];
const struct outq_config *edge_outq(struct edge *);
struct edge_opening {
	const struct auth_who *who;
	const char *instance; /* X-Ews-Instance, or NULL */
	const char *address;
	bool ours; /* ews.v1 was negotiated */
	/* When it last sent anything, monotonic; of the door. */
	int64_t (*heard_ms)(void *conn);
};
/* Sets client->dialect. False: it was refused and is being closed. */
bool edge_open(struct edge *, struct client *, const struct edge_opening *);
void edge_message(struct client *, char *text, size_t len);
/* Before client_gone. */
void edge_closed(struct client *, int code, const char *reason);

/* HTTP (PROTOCOL 2.8) */
call_fn edge_call_sync; /* POST /edge/sync */
call_fn edge_call_ack; /* POST /edge/command/ack, /edge/ack_command */
call_fn edge_call_register; /* POST /edge/register */
call_fn edge_call_schedule; /* POST /edge/command/schedule */
call_fn edge_call_heartbeat; /* POST /orchestrator/heartbeat */
call_fn edge_call_stats; /* GET /edge/websocket/stats */
call_fn edge_call_agent; /* GET /edge/agents/{id}[/status] */

/* For GET /health: WebSockets of agents; since edge_new. */
unsigned edge_count(const struct edge *);
int64_t edge_uptime_ms(const struct edge *);

#endif
