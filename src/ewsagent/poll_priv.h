/*
 * poll_priv - what poll.c (when) and poll_sync.c (what) share
 */
#ifndef EWS_EWSAGENT_POLL_PRIV_H
#define EWS_EWSAGENT_POLL_PRIV_H

#include "ewsagent/fetch.h"
#include "ewsagent/poll.h"
#include "lib/backoff.h"
#include "net/timer.h"

enum poll_mode { POLL_UNKNOWN, POLL_V1, POLL_PLAIN };

/* One sync on its way. */
struct sync {
	struct poll *poll;
	struct fetch_call *call; /* NULL: free */
	unsigned batch; /* of the outbox */
	size_t frames; /* in it */
	bool held; /* the hub may keep it open */
	bool passed; /* a newer one went out: it is let go empty */
	int64_t begun_ms; /* monotonic */
};

enum { SYNCS = 2 };

struct poll {
	struct poll_config config;
	char *sync_url, *ack_urls[2];
	unsigned ack_path; /* which of them this hub has */
	struct fetch *fetch;
	struct timer *pace; /* the next sync, or the end of a rest */
	struct timer *kick; /* gathers what is told in a burst */
	struct backoff retry, refused;
	struct sync syncs[SYNCS];
	struct fetch_call *ack; /* one end to a hub without frames */
	unsigned ack_batch;
	char *ack_id;
	bool ack_end; /* else only that it was stored */
	unsigned batches;
	enum poll_mode mode;
	int64_t interval_ms;
	int64_t offered_ms; /* how long the hub would hold a sync */
	char *last_command; /* id; of hubs without frames */
	bool on, works;
	bool broken; /* an answer was lost, and with it what it said */
	bool due; /* a sync is due */
	bool resting; /* after a failure: nothing goes out */
};

/* poll_sync.c */
void poll_sync(struct poll *); /* sends one; there is a free slot */
void poll_ack_next(struct poll *);
void poll_take(struct poll *, const struct sync *, const json_t *answer);
void poll_forget_ack(struct poll *);
struct fetch_call *poll_post(struct poll *, const char *url, json_t *body,
    int64_t timeout_ms, fetch_fn *, void *arg); /* takes body */

/* poll.c */
void poll_run(struct poll *);
void poll_synced(void *sync, const struct fetch_answer *);
/* A request failed: rests for a while. */
void poll_rest(struct poll *, const struct fetch_answer *);

#endif
