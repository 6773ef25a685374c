/*
 * work_priv - what work*.c share; nobody else includes this
 *
 * work.c         the whole: start, stop
 * work_tell.c    what the hub is told, and follows
 * work_take.c    a command comes: known, refused, held, queued
 * work_hold.c    a command waits: for its time, or until it expires
 * work_run.c     a command runs: slot, start, process
 * work_cancel.c  a command is to end
 * work_again.c   a command was started before: found, run again, asked for
 * work_end.c     a command ends: result, ledger, confirmation
 * work_input.c   what the hub sends to a handler's stdin
 * work_status.c  for people
 */
#ifndef EWS_EWSAGENT_WORK_PRIV_H
#define EWS_EWSAGENT_WORK_PRIV_H

#include "ewsagent/agenda.h"
#include "ewsagent/handlers_conf.h"
#include "ewsagent/job.h"
#include "ewsagent/jobqueue.h"
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
	WORK_AGENDA_MS = 30000, /* clocks jump: look at least so often */
	WORK_PRUNE_MS = 3600000,
	WORK_PRUNE_ENDS = 500, /* half of what one pruning takes */
	WORK_LEDGER_JOBS = 4096,
	WORK_ENDS_MAX = 1000, /* not confirmed, beyond what may be queued */
	WORK_ENDED_MAX = 1000, /* followed outputs not acknowledged */
	WORK_RUNS_MAX = 5, /* of one command that never came to an end */
	WORK_KEEP = 64 << 10, /* where the hub says nothing */
	WORK_URGENT_ROOM = 32, /* high and immediate, in a full queue */
	WORK_QUEUE_BYTES = 64 << 20 /* and as much for those held */
};

#define WORK_COUNTS(X)                                                         \
	X(taken)                                                               \
	X(repeated)                                                            \
	X(completed)                                                           \
	X(failed)                                                              \
	X(no_handler)                                                          \
	X(not_allowed)                                                         \
	X(start_failed)                                                        \
	X(timeout)                                                             \
	X(cancelled)                                                           \
	X(interrupted)                                                         \
	X(expired)                                                             \
	X(queue_full)                                                          \
	X(held)                                                                \
	X(adopted)                                                             \
	X(run_again)                                                           \
	X(probed)

struct work_counts {
#define COUNT(name) uint64_t name;
	WORK_COUNTS(COUNT)
#undef COUNT
};

struct work {
	struct work_config config; /* its texts are copies */
	char handlers[PATH_SIZE], cwd[PATH_SIZE];
	struct handlers_conf *conf;
	struct ledger *ledger;
	struct loop_waker *waker;
	struct runs *runs;
	struct outputs *outputs;
	struct job *jobs; /* by id: every one in memory */
	struct job_queue queue;
	struct agenda agenda; /* held ones, and those that may expire */
	struct job *ended; /* not confirmed, in the order of their ends */
	size_t n_ended;
	struct job *again; /* started in the ledger, wait for a process */
	size_t n_again;
	bool trying; /* those of 'again' */
	size_t n_held, held_bytes;
	struct backoff backoff;
	size_t keep; /* bytes of each stream in an end */
	unsigned slots; /* used */
	size_t taking; /* on their way into the queue */
	size_t taking_bytes;
	unsigned unpruned; /* ends since the ledger was pruned */
	size_t saving; /* results on their way to the disk */
	struct timer *tick, *prune, *alarm;
	uint64_t tick_due;
	bool loading; /* work_new: nobody can be told yet */
	bool telling;
	bool stopping, idle_told, closing;
	struct work_counts counts;
};

void work_soon(struct work *, uint64_t ms); /* on_tick */
struct job *work_find(struct work *, const char *id);
/* From the ledger; it waits for nothing yet. */
struct job *work_load(struct work *, const struct ledger_entry *);

/* work_tell.c: in the form that its hub understands. */
void work_tell(struct work *, enum work_ack, const json_t *data, bool v1);
void work_tell_step(struct work *, const struct job *, const char *status);
void work_tell_stored(struct work *, struct job *);
void work_tell_end(struct work *, struct job *); /* is in the ledger */
size_t work_output_read(void *arg, const char *id, int stream, uint64_t offset,
    char *dst, size_t size);
bool work_output_send(void *arg, const json_t *data);
void work_output_done(void *arg, void *owner);
void work_output_drop(void *arg, void *owner);

/* work_take.c */
void work_enqueue(struct job *);
/* The ledger has it, and we did not. */
void work_recover(struct work *, const struct ledger_entry *);

/* work_hold.c */
bool work_is_early(const struct work *, const struct job *);
void work_hold(struct job *);
void work_watch_expiry(struct job *);
void work_unhold(struct job *); /* takes it off the agenda */
void work_alarm(void *work);

/* work_run.c */
void work_pump(struct work *);
/* Gives it a reason if it may not run. False: later. */
bool
work_judge(struct work *, struct job *, char path[PATH_SIZE], struct err *);
void work_start(struct job *); /* is in the ledger as started */
void work_start_again(struct work *);
void work_seize(struct work *, struct job *); /* a slot */
void work_release(struct work *, struct job *);
const struct handler_rules *work_rules(const struct job *);
extern const struct run_events work_run_events;

/* work_cancel.c */
/* Takes it off its list: it waits for nothing. False: it is on none. */
bool work_unlist(struct job *);
void work_end_cancelled(struct job *);
void work_own(struct job *); /* what the agent does itself */

/* work_again.c */
void work_know(struct job *, const struct ledger_entry *);
void work_settle(struct job *); /* the ledger has it as started */
/* It was executed before, and nothing tells the end of that. */
bool work_ran_before(const struct job *);
/* It was executed, and nothing tells its end. */
void work_lost(struct job *, const char *why);
char *work_probe_id(const struct job *); /* gives */
void work_probed(struct job *, const struct run_end *);
bool work_keeps_run(void *work, const char *id);

/* work_end.c; result is taken. The job may be gone afterwards. Early: it did
 * not run, or not to an end; of one that ran before it is 'interrupted'. */
void work_end(struct job *, json_t *result);
void work_end_early(struct job *, const char *reason, const char *error);
void work_end_run(struct job *, const struct run_end *);
void work_load_end(struct job *);
void work_save_ends(struct work *);
void work_forget(struct job *); /* if nothing needs it any more */

/* work_input.c */
void work_input_ready(struct job *); /* the handler runs, and reads */
void work_input_taken(struct job *, uint64_t offset, bool closed);
void work_input_resume(struct job *); /* on a new link */
void work_input_room(struct job *);

#endif
