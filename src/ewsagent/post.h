/*
 * post - what this agent tells the hub, by whichever way is up
 *
 * Acks go into the outbox and from there out by the WebSocket, or along
 * with the next poll. Output goes out only where there is room, so that
 * the spool on disk, not our memory, is what waits.
 */
#ifndef EWS_EWSAGENT_POST_H
#define EWS_EWSAGENT_POST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/link.h"
#include "ewsagent/outbox.h"
#include "ewsagent/poll.h"
#include "ewsagent/work.h"

struct post;

/* All lent; they are freed after the post. */
struct post *post_new(struct outbox *, size_t output_window);
void post_free(struct post *);
void post_connect(struct post *, struct link *, struct poll *, struct work *);

/* False: it did not leave, and is not kept. */
bool post_ack(struct post *, enum work_ack, const json_t *data);
bool post_output(struct post *, const json_t *data);
bool post_input_ack(struct post *, const json_t *data);

/* A new way to the hub is up: everything unconfirmed is told again. */
void post_begin(struct post *);
/* There may be room again. */
void post_pump(struct post *);
/* An ack with that tag has left by the WebSocket. */
void post_written(struct post *, uint64_t tag);
/* Does nothing wait to be sent? */
bool post_idle(const struct post *);

#endif
