/*
 * schedule - sends the same command again and again (cron)
 *
 * A firing is one command whose id is the schedule's, a dot and the time it
 * was due (YYYYMMDDTHHMMSSZ); it is stored together with the schedule's next
 * time, so that none happens twice and none is lost. Times that passed
 * while nobody could fire count as missed; with late "run" the last of them
 * is fired late, with "skip" only if it is no more than late_after old. A
 * clock that goes back by more than 3 hours makes the schedules look anew
 * for their next time; by less, they wait for it.
 */
#ifndef EWS_EWSD_SCHEDULE_H
#define EWS_EWSD_SCHEDULE_H

#include <jansson.h>
#include <stdbool.h>

#include "ewsd/core/core.h"
#include "lib/err.h"

struct command_request;
struct schedule;

enum { SCHEDULE_ID_MAX = 111 }; /* a firing's id has 17 bytes more */

struct schedule_request {
	/* What is sent; of its times ttl_ms counts, and late_skip. 'id' is
	 * the schedule's, or NULL. */
	const struct command_request *command;
	const char *cron, *tz; /* lib/cron.h; a zone's name */
};

/* What was asked is on disk ('duplicate': it was there), or 'err' says why
 * not and 's' is NULL. Lent for the call. */
typedef void schedule_done_fn(
    void *arg, const struct schedule *s, bool duplicate, const struct err *err);

/* False with err at once: 'done' is not called then. Also for the others. */
bool schedule_submit(struct core *, const struct schedule_request *,
    schedule_done_fn *done, void *arg, struct err *);
struct schedule *schedule_find(struct core *, const char *id); /* or NULL */
/* While paused nothing is fired and nothing counts as missed. */
bool schedule_pause(struct schedule *, bool paused, schedule_done_fn *done,
    void *arg, struct err *);
/* Commands that it has fired go on. */
bool schedule_cancel(
    struct schedule *, schedule_done_fn *done, void *arg, struct err *);

typedef void schedule_fn(void *arg, const struct schedule *);
void schedule_each(struct core *, schedule_fn *, void *arg); /* any order */
const char *schedule_agent(const struct schedule *);
const char *schedule_id(const struct schedule *);
int64_t schedule_next(const struct schedule *); /* wall; 0: none */

/* The object of the operations; 'full' with what is sent. Gives. */
json_t *schedule_json(const struct schedule *, bool full);

#endif
