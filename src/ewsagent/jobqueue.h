/*
 * jobqueue - the jobs that wait for a slot, and whose turn it is
 *
 * The most urgent first, equals in the order they came. Jobs of one type are
 * a lane: a lane that runs as many as its limit allows lets the others pass.
 * But the oldest of a lane that JOB_OVERTAKE_MAX younger, more urgent ones
 * have passed while its lane had room is owed a turn: one start in
 * JOB_OVERTAKE_MAX + 1 is for the oldest of those.
 */
#ifndef EWS_EWSAGENT_JOBQUEUE_H
#define EWS_EWSAGENT_JOBQUEUE_H

#include "ewsagent/job.h"

enum { JOB_OVERTAKE_MAX = 15 };

struct job_lane {
	char *type;
	struct job *lists[JOB_PRIORITIES];
	size_t count;
	unsigned running;
	unsigned passed; /* its oldest, by how many */
	UT_hash_handle hh;
};

struct job_queue {
	struct job_lane *lanes; /* by type */
	size_t count, bytes;
	uint64_t seqs;
	unsigned since; /* starts since the last owed turn */
	/* How many of a type may run at a time; 0: any number. */
	unsigned (*limit)(void *arg, const char *type);
	void *arg;
};

void job_queue_init(
    struct job_queue *, unsigned (*limit)(void *, const char *), void *arg);
/* The jobs themselves stay their owner's. */
void job_queue_fini(struct job_queue *);

/* One that was in it before gets its old place back. */
void job_queue_add(struct job_queue *, struct job *);
void job_queue_remove(struct job_queue *, struct job *);
/* Whose turn it is; NULL if none may start now. Changes nothing. */
struct job *job_queue_next(const struct job_queue *);
/* It is started: counts who was passed. Takes it out, too. */
void job_queue_start(struct job_queue *, struct job *);

/* May one more of this type run? */
bool job_queue_has_room(const struct job_queue *, const char *type);
/* It occupies its lane, and no longer does. */
void job_queue_enter(struct job_queue *, struct job *);
void job_queue_leave(struct job_queue *, struct job *);

#endif
