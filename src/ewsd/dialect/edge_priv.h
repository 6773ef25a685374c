/*
 * edge_priv - what the files of this dialect share; included only there
 */
#ifndef EWS_EWSD_EDGE_PRIV_H
#define EWS_EWSD_EDGE_PRIV_H

#include "ewsd/core/agents.h"
#include "ewsd/core/rate.h"
#include "ewsd/dialect/edge.h"
#include "lib/buf.h"
#include "net/outq.h"

enum {
	EDGE_CHUNK = 32768, /* raw bytes of one output frame */
	EDGE_WINDOW = 262144, /* of output not yet credited */
};

struct edge {
	struct edge_config config;
	struct outq_config out;
	struct rate *connects, *messages, *requests;
	struct edge_link *links; /* WebSockets */
	struct edge_link *dirty; /* have something for edge_turn */
	struct sync *syncs;
	unsigned n_links, auth_generation;
	int64_t born_mono;
	int64_t looked_mono; /* when all links were last looked at */
};

/* Credit that was given and not yet told. */
struct edge_credit {
	char id[129];
	int64_t taken[2], told[2]; /* per enum output_stream */
	bool stop; /* nobody wants any more */
	struct edge_credit *prev, *next;
};

/* One way to an agent: a WebSocket, or a poll that is not answered yet. */
struct edge_link {
	struct edge *edge;
	struct agent *agent; /* lives as long as the core */
	struct client *client; /* of a WebSocket; or NULL */
	struct sync *sync; /* of a poll; or NULL */
	bool ours;
	bool greeted; /* its hello came */
	bool is_dirty;
	uint32_t serial; /* of the secret it came in with */
	int64_t opened_mono;
	int64_t (*heard_ms)(void *conn);
	int64_t ping_second; /* in which 'pings' were counted */
	unsigned pings;
	struct buf confirms; /* command ids to confirm: "a","b" */
	struct edge_credit *credits;
	struct edge_link *prev, *next; /* edge->links */
	struct edge_link *dirty_prev, *dirty_next;
};

/* edge_out.c: towards the agent */
void
edge_link_init(struct edge_link *, struct edge *, struct agent *, bool ours);
void edge_link_fini(struct edge_link *);
void edge_link_dirty(struct edge_link *);
/* Sends the confirmations and credits that gathered; 'all': also small
 * credits. */
void edge_link_flush(struct edge_link *, bool all);
/* The object of PROTOCOL 2.5. */
void edge_command_text(
    struct buf *, const struct edge_link *, const struct command *);
/* One frame: {"type":TYPE,"data":DATA}. */
bool edge_send(
    struct edge_link *, const char *type, const char *data, enum outq_lane);
void edge_send_hello(struct edge_link *);
extern const struct link_ops edge_ops_ours, edge_ops_foreign;

/* edge_in.c: from the agent. 'saved' is told when what an ack changed is on
 * disk: once for each edge_take that answers true. */
bool edge_take(struct edge_link *, const json_t *message,
    command_saved_fn *saved, void *arg);
/* The short way for output; false: it is none, take the other. */
bool edge_take_output(struct edge_link *, char *text, size_t len);
void edge_take_hello(struct edge_link *, const json_t *fields);
void edge_take_status(struct edge_link *, const json_t *status);

/* edge_answer.c: the poll side of edge_out.c */
bool sync_frame(struct sync *, const char *type, const char *data);
/* May a frame of so many bytes join what is to be answered? */
bool sync_has_room(const struct sync *, size_t len);
bool sync_deliver(struct sync *, const struct command *);
bool sync_config(struct sync *, const json_t *update);
void sync_replaced(struct sync *);
void sync_turn(struct sync *);
void sync_tick(struct edge *);
void sync_goodbye(struct edge *);
/* The edge goes; what still waits for the disk frees itself. */
void sync_abandon(struct edge *);

/* edge_http.c: which agent a call is about: the authenticated one; the
 * body's only where the credential names none (ABUSE 78). Answers the
 * request and returns false if they disagree or the rate is passed. *id is
 * NULL if nobody is named. */
bool edge_identify(struct call *, const char **id);
/* "user_phone" must be E.164; out is "edge_" and its digits. Answers 422
 * otherwise. */
bool edge_call_phone(struct call *, const char **phone, char id[32]);

#endif
