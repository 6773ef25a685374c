/*
 * link - the WebSocket to the hub: tried, kept alive, tried again
 *
 * Follows linkplan for the when. Knows messages only as bytes, but for the
 * ping of PROTOCOL 2.5, which is how it notices that nobody is there.
 */
#ifndef EWS_EWSAGENT_LINK_H
#define EWS_EWSAGENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/linkplan.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "net/loop.h"
#include "net/outq.h"

struct link;

enum link_state {
	LINK_DISCONNECTED, /* not started, or stopped */
	LINK_CONNECTING,
	LINK_CONNECTED,
	LINK_WAITING, /* for the next try */
	LINK_REFUSED /* waiting long: secret, id, or place is taken */
};

/* All from the loop. */
struct link_events {
	/* 'v1': the hub speaks ews.v1. A link with v1 is given up when
	 * link_ready is not called within pong_timeout. */
	void (*open)(void *arg, bool v1);
	void (*message)(void *arg, char *text, size_t len);
	void (*closed)(void *arg); /* was open */
	/* A message with that tag has left (outq.h). */
	void (*written)(void *arg, uint64_t tag);
	void (*room)(void *arg); /* link_send may work again */
	/* There will be no link for a while: poll. */
	void (*poll)(void *arg);
};

struct link_config {
	struct loop *loop;
	struct clock *clock;
	const char *url, *agent_id, *instance; /* lent */
	const char *ca_file, *proxy; /* lent; or NULL */
	/* Gives the Authorization line; once for each attempt. */
	char *(*authorization)(void *arg);
	int64_t connect_ms, ping_ms, pong_ms;
	size_t max_message, output_window;
	struct linkplan_config plan;
	const struct link_events *events;
	void *arg;
};

struct link *link_new(const struct link_config *, struct err *);
/* Not from a callback; no event comes any more. Runs the loop for a
 * moment (ws_host_free). */
void link_free(struct link *);

void link_start(struct link *);
/* Closes without a code and tries no more; 'closed' comes if it was open. */
void link_stop(struct link *);
bool link_stopped(const struct link *); /* nothing is open any more */
/* Stops waiting and tries now (a new secret). */
void link_retry(struct link *);

/* The hub has said hello. */
void link_ready(struct link *);
void link_pong(struct link *);
/* The hub said when to come back (retry frame). */
void link_come_back(struct link *, int64_t after_ms);

/* False if there is no link, or no room. */
bool link_send(
    struct link *, const char *text, size_t len, enum outq_lane, uint64_t tag);
size_t link_queued(const struct link *); /* bytes not written yet */
bool link_open(const struct link *);
bool link_usable(const struct link *); /* open, and hello was said if v1 */
bool link_v1(const struct link *);

enum link_state link_state(const struct link *);
unsigned link_attempts(const struct link *); /* since it was stable */
int64_t link_since(const struct link *); /* wall ms of the last change */

#endif
