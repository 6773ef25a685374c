/*
 * requeue - ended badly, and somebody sees to it
 *
 * A command that expired, was refused, is dead, was interrupted, or could
 * not be started (store_filter's 'dead') is sent again as a new one, or
 * dropped: in both cases it is listed no more.
 */
#ifndef EWS_EWSD_REQUEUE_H
#define EWS_EWSD_REQUEUE_H

#include <stdbool.h>

#include "ewsd/core/core.h"

enum { REQUEUE_MAX = 1000 }; /* in one call */

/* When it is on disk; 'all' is lent, the oldest first, and says what was
 * done (store_seen.done). 'more': there are others that match. With err
 * (queue_full when nothing had room, io, draining) nothing was done. */
typedef void requeue_fn(void *arg, const struct store_seen *all, size_t n,
    bool more, const struct err *);

/* Which ones: store_filter's id, agent, type, states and reason. What was
 * damaged on disk, or had a streamed stdin, cannot be sent again and is
 * passed over. 'asker' is who wants it. False with err when too much
 * waits; then 'fn' is not called. */
bool requeue_again(struct core *, const struct store_filter *,
    const char *asker, requeue_fn *, void *arg, struct err *);
bool requeue_drop(struct core *, const struct store_filter *, requeue_fn *,
    void *arg, struct err *);

#endif
