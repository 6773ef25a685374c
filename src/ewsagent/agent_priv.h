/*
 * agent_priv - what agent.c (together), agent_ways.c (the two ways to the
 * hub) and agent_stop.c (the end) share
 */
#ifndef EWS_EWSAGENT_AGENT_PRIV_H
#define EWS_EWSAGENT_AGENT_PRIV_H

#include "ewsagent/agent.h"
#include "ewsagent/door_unix.h"
#include "ewsagent/intake.h"
#include "ewsagent/link.h"
#include "ewsagent/outbox.h"
#include "ewsagent/poll.h"
#include "ewsagent/post.h"
#include "ewsagent/work.h"
#include "net/loop.h"
#include "net/timer.h"

enum agent_stage {
	AGENT_RUNS,
	AGENT_ENDS_WORK, /* what is on its way to the disk gets there */
	AGENT_ENDS_TALK, /* the last acks leave */
	AGENT_ENDS_LINK /* the close is on its way */
};

struct agent {
	struct options *options;
	struct loop *loop;
	struct clock *clock;
	struct work *work;
	struct outbox *outbox;
	struct post *post;
	struct link *link;
	struct poll *poll;
	struct door_unix *door;
	struct intake intake;
	struct timer *end; /* looks whether the stage is over */
	enum agent_stage stage;
	int64_t stage_until; /* monotonic */
	int64_t poll_since_ms; /* wall */
	char *hub_id; /* from its hello, or NULL */
	int64_t hub_epoch;
};

/* agent_ways.c */
extern const struct intake_events agent_intake_events;
bool agent_ways_new(struct agent *, struct err *);
void agent_ways_free(struct agent *);

/* agent_status.c */
json_t *agent_status(void *agent); /* of the control socket */
json_t *agent_sync_status(void *agent); /* for the hub, in a sync */

/* agent_stop.c */
void agent_stop(struct agent *);
void agent_idle(void *agent); /* work has ended */
void agent_on_end(void *agent);

#endif
