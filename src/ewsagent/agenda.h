/*
 * agenda - jobs by the time of day at which something of them is due
 *
 * By the wall clock, which may jump: whoever waits asks again after a
 * while, and never sleeps until the time itself.
 */
#ifndef EWS_EWSAGENT_AGENDA_H
#define EWS_EWSAGENT_AGENDA_H

#include "ewsagent/job.h"

struct agenda {
	struct job **jobs; /* a heap: the first is due first */
	size_t count, room;
	uint64_t orders;
};

void agenda_fini(struct agenda *);
/* Enters it, or moves it, to wall time 'ms'. */
void agenda_set(struct agenda *, struct job *, int64_t ms);
void agenda_remove(struct agenda *, struct job *); /* if it is there */
struct job *agenda_first(const struct agenda *); /* or NULL */

#endif
