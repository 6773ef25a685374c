#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"

bool
work_unlist(struct job *j)
{
	struct work *w = j->owner;

	if (j->state == JOB_QUEUED) {
		job_queue_remove(&w->queue, j);
	} else if (j->waiting) {
		DL_DELETE(w->again, j);
		w->n_again--;
		j->waiting = false;
	} else if (j->state != JOB_HELD) {
		return false;
	}
	work_unhold(j);
	return true;
}

void
work_end_cancelled(struct job *j)
{
	work_end_early(j, "cancelled",
	    work_ran_before(j) ? "cancelled before it ran again"
			       : "cancelled before it ran");
}

/* Is it true that it will not run? Of one whose probe is to be asked only
 * that will tell. */
static bool
cancel_waiting(struct job *j)
{
	if (j->state == JOB_ENDED || j->run != NULL || j->ask)
		return false;
	j->cancelled = true; /* where the ledger has yet to answer */
	if (work_unlist(j))
		work_end_cancelled(j);
	return true;
}

/* ---- one that is not in memory ----------------------------------------- */

struct lookup {
	struct work *work;
	char *id;
	int signal;
	int64_t grace_ms;
};

/* The hub still waits for an end that will not come. */
static void
tell_lost(struct work *w, const char *id)
{
	json_t *data =
	    result_failed(id, "lost", "the agent does not know this command",
		clock_wall(w->config.clock));

	work_tell(w, WORK_STEP, data, true);
	json_decref(data);
}

static void
tell_known(struct work *w, const struct ledger_entry *known)
{
	json_t *result =
	    js_read_object(known->result, strlen(known->result), NULL);

	if (result != NULL)
		work_tell(w, WORK_STEP, result, true);
	json_decref(result);
}

static void
on_looked_up(void *arg, const struct ledger_entry *known, const struct err *err)
{
	struct lookup *l = arg;
	struct work *w = l->work;
	struct job *j = w->closing ? NULL : work_find(w, l->id);

	if (w->closing || err != NULL) {
		/* unknown for now: the hub will ask again */
	} else if (j == NULL && known == NULL) {
		tell_lost(w, l->id);
	} else if (j == NULL && known->result != NULL) {
		tell_known(w, known);
	} else {
		if (j == NULL)
			work_recover(w, known);
		work_cancel(w, l->id, l->signal, l->grace_ms);
	}
	free(l->id);
	free(l);
}

static void
cancel_unknown(struct work *w, const char *id, int signal, int64_t grace_ms)
{
	struct lookup *l = mem_alloc(sizeof *l);

	log_info("cancel of command %s: not known here", log_q(id));
	l->work = w;
	l->id = mem_dup(id);
	l->signal = signal;
	l->grace_ms = grace_ms;
	if (ledger_find(w->ledger, id, on_looked_up, l, NULL))
		return;
	free(l->id);
	free(l);
}

void
work_cancel(struct work *w, const char *id, int signal, int64_t grace_ms)
{
	struct job *j = work_find(w, id);

	if (j == NULL) {
		cancel_unknown(w, id, signal, grace_ms);
		return;
	}
	if (signal <= 0 || signal >= NSIG)
		signal = SIGTERM;
	if (grace_ms < 0)
		grace_ms = w->config.grace_ms;
	if (j->state == JOB_ENDED) {
		work_tell_end(w, j);
	} else if (!cancel_waiting(j)) {
		j->cancelled = true; /* its shim may be lost: not again */
		if (!j->ask)
			run_ask(j->run, signal, grace_ms, RUN_CANCELLED);
	}
}

/* ---- cancel_scheduled (PROTOCOL 2.5) ----------------------------------- */

/* Its schedule id is the command's (PROTOCOL 2.7.4). */
void
work_own(struct job *j)
{
	struct work *w = j->owner;
	json_t *data = js_read_object(j->text, j->size, NULL);
	const char *id = js_str(js_get(data, "payload"), "schedule_id");
	struct job *other = id == NULL ? NULL : work_find(w, id);
	const char *error = NULL;

	if (id == NULL)
		error = "Failed to cancel message: schedule_id is required";
	else if (other == NULL || other == j || !cancel_waiting(other))
		error = "Message ID not found or already sent";
	work_end(j, result_own(j->id, error, clock_wall(w->config.clock)));
	json_decref(data);
}
