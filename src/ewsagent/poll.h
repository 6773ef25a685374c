/*
 * poll - commands by HTTP while there is no WebSocket
 *
 * POST /edge/sync (PROTOCOL 2.8), with ews.v1 frames both ways when the
 * hub knows them, held open by the hub when it offers that. A hub that
 * knows neither gets its acks one by one at /edge/command/ack, each until
 * it is answered with 200. A request with frames is never held: a second
 * one goes out beside the held one, which the hub then lets go.
 */
#ifndef EWS_EWSAGENT_POLL_H
#define EWS_EWSAGENT_POLL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ewsagent/hub_url.h"
#include "ewsagent/outbox.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "net/loop.h"

struct poll;

struct poll_events {
	/* The data of a command from an answer's "commands". */
	void (*command)(void *arg, const json_t *data, bool v1);
	/* One of an answer's "frames". */
	void (*frame)(void *arg, const json_t *frame);
	void (*config)(void *arg, const json_t *updates);
	/* The end of this command was answered with 200. */
	void (*confirmed)(void *arg, const char *command_id);
	/* An answer was lost, and the hub answers again: all is to be told
	 * as on a new connection. */
	void (*anew)(void *arg);
	/* The outbox may have room again. */
	void (*room)(void *arg);
	/* What to say in a request; both give. */
	json_t *(*hello)(void *arg);
	json_t *(*status)(void *arg);
};

struct poll_config {
	struct loop *loop;
	struct clock *clock;
	const struct hub_url *hub; /* lent */
	const char *agent_id, *instance; /* lent */
	const char *ca_file, *proxy; /* lent; or NULL */
	char *(*authorization)(void *arg); /* gives */
	struct outbox *outbox; /* lent */
	int64_t interval_ms, wait_ms, timeout_ms, connect_ms;
	int64_t retry_first_ms, retry_max_ms;
	int64_t refused_first_ms, refused_max_ms;
	size_t answer_max;
	const struct poll_events *events;
	void *arg;
};

struct poll *poll_new(const struct poll_config *, struct err *);
void poll_free(struct poll *);

/* Any number of times. Stopping ends what is open; what it carried waits
 * in the outbox again. */
void poll_start(struct poll *);
void poll_stop(struct poll *);

/* There is something in the outbox. */
void poll_kick(struct poll *);
/* The hub wants another interval; kept within 1 s..300 s. */
void poll_set_interval(struct poll *, int64_t seconds);

bool poll_on(const struct poll *);
bool poll_works(const struct poll *); /* on, and the last answer was good */
bool poll_v1(const struct poll *); /* works, and frames go along */
uint64_t poll_requests(const struct poll *); /* HTTP requests ever made */

#endif
