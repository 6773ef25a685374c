/*
 * jobs - local jobs of cron and the like, as "ewsctl cron" tells of them
 *
 * The hub starts none of them. It notes each run and says which job has
 * missed one: no start for longer than its "every" and "grace"; and which
 * one overruns: it still runs after that time.
 */
#ifndef EWS_EWSD_JOBS_H
#define EWS_EWSD_JOBS_H

#include <jansson.h>
#include <stdbool.h>

#include "ewsd/core/core.h"
#include "ewsd/store/store_jobs.h"

enum {
	JOB_OUTPUT_MAX = 64 * 1024, /* bytes of output with one end */
	JOB_SPAN_MAX_DAYS = 3660
};

enum job_state {
	JOB_OK, /* its last run ended with 0 */
	JOB_LATE, /* its next start is due, the grace is not over */
	JOB_RUNNING,
	JOB_FAILED, /* its last run ended with something else */
	JOB_MISSED,
	JOB_OVERRUN
};
const char *job_state_word(enum job_state);

/* One record: 'done' is called when it is on disk, and only then counts. The
 * same event of a run a second time changes nothing. False with err: a bad
 * name (bad_argument), or as many jobs as may be (too_many). */
bool job_record(struct core *, const struct store_job_record *,
    store_done_fn *done, void *arg, struct err *);

/* By name, then host; the object is given. False stops. 'name' and 'host'
 * NULL: any. */
typedef bool job_fn(void *arg, const char *name, const char *host, json_t *);
void job_each(
    struct core *, const char *name, const char *host, job_fn *, void *arg);

/* Forgets a job with its runs. False with err where there is none. */
bool job_forget(struct core *, const char *host, const char *name,
    store_done_fn *done, void *arg, struct err *);

/* core.c */
bool jobs_load(struct core *, struct err *);
void jobs_free(struct core *);
void jobs_tick(struct core *);

#endif
