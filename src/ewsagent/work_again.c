#include <stdlib.h>
#include <string.h>

#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* No command has such an id. */
#define PROBE_ID "probe/"

char *
work_probe_id(const struct job *j)
{
	return mem_printf(PROBE_ID "%s", j->id);
}

bool
work_keeps_run(void *arg, const char *id)
{
	struct work *w = arg;
	bool probe = str_starts(id, PROBE_ID);
	const struct job *j = work_find(w, probe ? id + strlen(PROBE_ID) : id);

	return j != NULL && (probe ? j->ask : j->runs > 0);
}

/* 'runs' has the start that is under way. */
bool
work_ran_before(const struct job *j)
{
	return j->runs > (j->state == JOB_STARTING ? 1 : 0);
}

/* To its old place in the queue, as if it had never been started. */
static void
queue_again(struct job *j)
{
	struct work *w = j->owner;

	j->state = JOB_QUEUED;
	work_release(w, j);
	job_queue_add(&w->queue, j);
	work_soon(w, 0); /* not now: the ledger may be being read */
}

static void
run_again(struct job *j)
{
	struct work *w = j->owner;
	bool followed;

	j->state = JOB_QUEUED; /* no start of it is under way */
	if (j->cancelled) {
		work_end_cancelled(j);
		return;
	}
	if (!ledger_again(w->ledger, j->id, j->runs)) {
		work_end_early(j, "interrupted", "the ledger is full");
		return;
	}
	followed = j->output != NULL && output_attached(j->output);
	output_free(j->output);
	j->output = NULL;
	run_forget(w->runs, j->id);
	queue_again(j);
	if (followed) /* its output begins again */
		work_attach(w, j->id, 0, 0);
	work_watch_expiry(j);
}

static void
ask_probe(struct job *j)
{
	j->ask = true;
	queue_again(j);
}

static bool
is_worn_out(const struct job *j)
{
	return j->runs >= WORK_RUNS_MAX;
}

/* Whether it did its work nobody knows; not run again blindly unless its
 * handler was declared to bear it (DESIGN 4.3). */
void
work_lost(struct job *j, const char *why)
{
	struct work *w = j->owner;

	switch (work_rules(j)->policy) {
	case POLICY_IDEMPOTENT:
		if (is_worn_out(j)) {
			work_end_early(j, "interrupted", why);
			break;
		}
		log_warn("command %s is run again: %s", log_q(j->id), why);
		w->counts.run_again++;
		run_again(j);
		break;
	case POLICY_PROBE:
		log_warn(
		    "command %s: its probe is asked: %s", log_q(j->id), why);
		ask_probe(j);
		break;
	default:
		work_end_early(j, "interrupted", why);
	}
}

/* ---- the probe ---------------------------------------------------------- */

static void
probe_unknown(struct job *j, const struct run_end *end)
{
	char error[ERR_TEXT_MAX] = "its shim was gone while the handler ran,"
				   " and its probe could not be asked";

	if (end != NULL && end->signal != 0)
		snprintf(error, sizeof error,
		    "interrupted, and its probe was killed by signal %d",
		    end->signal);
	else if (end != NULL)
		snprintf(error, sizeof error,
		    "interrupted, and its probe does not know: exit status %d",
		    end->code);
	work_end_early(j, "interrupted", error);
}

/* 'end' is NULL if it could not be asked. */
void
work_probed(struct job *j, const struct run_end *end)
{
	struct work *w = j->owner;
	bool answered = end != NULL && end->why == RUN_SELF && end->signal == 0;
	char *id = work_probe_id(j);

	run_forget(w->runs, id);
	free(id);
	j->run = NULL;
	j->probing = j->ask = false;
	w->counts.probed += answered && end->code <= 1;
	if (answered && end->code == 0) {
		work_end(j, result_probed(j->id, j->started_ms,
				clock_wall(w->config.clock)));
	} else if (answered && end->code == 1 && is_worn_out(j)) {
		work_end_early(j, "interrupted",
		    "its probe says that it is not done, and it was run often"
		    " enough");
	} else if (answered && end->code == 1) {
		log_info("command %s: its probe says that it is not done",
		    log_q(j->id));
		w->counts.run_again++;
		run_again(j);
	} else {
		probe_unknown(j, end);
	}
}

/* An agent before us may have asked already. */
static bool
find_probe(struct job *j)
{
	struct work *w = j->owner;
	char *id = work_probe_id(j);
	struct err err = ERR_INIT;
	struct run_end end;
	enum run_found found = run_find(w->runs, id, j, &j->run, &end, &err);

	free(id);
	if (found != RUN_ALIVE && found != RUN_ENDED)
		return false;
	j->ask = j->probing = true;
	j->state = JOB_STARTING;
	if (found == RUN_ALIVE) {
		j->adopted = true;
		work_seize(w, j);
	} else {
		work_probed(j, &end);
	}
	return true;
}

/* ---- what an agent before us started ------------------------------------ */

static void
adopt(struct job *j)
{
	struct work *w = j->owner;

	log_info("command %s is still running: picked up", log_q(j->id));
	j->state = JOB_RUNNING;
	j->adopted = true;
	j->started_mono = clock_mono(w->config.clock);
	work_seize(w, j);
	w->counts.adopted++;
}

static void
find_end(struct job *j, const struct run_end *end)
{
	struct work *w = j->owner;

	w->counts.adopted++;
	work_end_run(j, end);
}

void
work_know(struct job *j, const struct ledger_entry *e)
{
	const struct work *w = j->owner;

	j->runs = e->runs;
	j->started_ms = e->started_ms;
	j->this_boot =
	    w->config.boot != NULL && str_eq(e->boot, w->config.boot);
}

void
work_settle(struct job *j)
{
	struct work *w = j->owner;
	struct err err = ERR_INIT;
	struct run_end end;

	j->state = JOB_STARTING;
	switch (run_find(w->runs, j->id, j, &j->run, &end, &err)) {
	case RUN_ALIVE:
		adopt(j);
		return;
	case RUN_ENDED:
		find_end(j, &end);
		return;
	case RUN_FAILED:
		work_end_early(j, "start_failed", err.text);
		return;
	case RUN_NONE:
		if (j->this_boot) {
			j->runs--;
			run_again(j);
			return;
		}
		break;
	case RUN_LOST:
		break;
	}
	if (work_rules(j)->policy == POLICY_PROBE && find_probe(j))
		return;
	work_lost(j, "the machine or its shim was gone while the handler ran");
}
