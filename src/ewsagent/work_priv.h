/*
 * work_priv - what work*.c share; nobody else includes this
 *
 * work.c       the whole: start, stop, news from the link, status
 * work_take.c  a command comes: known, refused, queued
 * work_run.c   a command runs: slot, start, process
 * work_end.c   a command ends: result, ledger, confirmation
 */
#ifndef EWS_EWSAGENT_WORK_PRIV_H
#define EWS_EWSAGENT_WORK_PRIV_H

#include "ewsagent/job.h"
#include "ewsagent/ledger.h"
#include "ewsagent/output.h"
#include "ewsagent/run.h"
#include "ewsagent/work.h"
#include "lib/backoff.h"
#include "lib/path.h"
#include "net/timer.h"

enum {
	WORK_RETRY_MS = 1000, /* after the ledger refused */
	WORK_AGAIN_MS = 100, /* after no process was to be had, doubling */
	WORK_AGAIN_MAX_MS = 5000,
	WORK_PRUNE_MS = 3600000,
	WORK_PRUNE_ENDS = 500, /* half of what one pruning takes */
	WORK_LEDGER_JOBS = 4096,
	WORK_ENDED_MAX = 1000, /* streamed outputs not acknowledged */
	WORK_QUEUE_BYTES = 64 << 20
};

struct work_counts {
	uint64_t taken, repeated, completed, failed, no_handler, not_allowed,
	    start_failed, timeout, cancelled, interrupted, queue_full;
};

struct work {
	struct work_config config; /* its texts are copies */
	char handlers[PATH_SIZE], cwd[PATH_SIZE];
	struct ledger *ledger;
	struct loop_waker *waker;
	struct runs *runs;
	struct outputs *outputs;
	struct job *jobs; /* by id: every one in memory */
	struct job_queue queue;
	struct job *ended; /* not confirmed, in the order of their ends */
	size_t n_ended;
	struct job *again; /* started in the ledger, wait for a process */
	size_t n_again;
	struct backoff backoff;
	unsigned slots; /* used */
	size_t taking; /* on their way into the queue */
	size_t taking_bytes;
	unsigned unpruned; /* ends since the ledger was pruned */
	size_t saving; /* results on their way to the disk */
	struct timer *tick, *prune;
	uint64_t tick_due;
	bool loading; /* work_new: nobody can be told yet */
	bool stopping, idle_told, closing;
	struct work_counts counts;
};

void work_soon(struct work *, uint64_t ms); /* on_tick */
struct job *work_find(struct work *, const char *id);
/* Tells it in the form that its hub understands. */
void work_tell(struct work *, const json_t *data, bool v1);
void work_tell_step(struct work *, const struct job *, const char *status);
void work_tell_end(struct work *, const struct job *);

/* work_run.c */
void work_pump(struct work *);
/* Gives it a reason if it may not run. False: later. */
bool
work_judge(struct work *, struct job *, char path[PATH_SIZE], struct err *);
void work_start(struct job *); /* is in the ledger as started */
void work_start_again(struct work *);
void work_release(struct work *, struct job *); /* its slot */
extern const struct run_events work_run_events;

/* work_end.c; result is taken. The job may be gone afterwards. */
void work_end(struct job *, json_t *result);
void work_end_early(struct job *, const char *reason, const char *error);
void work_save_ends(struct work *);
void work_forget(struct job *); /* if nothing needs it any more */
void work_output_done(void *arg, void *owner);

#endif
