#include <signal.h>
#include <stdlib.h>
#include <utlist.h>

#include "ewsagent/exec.h"
#include "ewsagent/handlers.h"
#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/exit.h"
#include "lib/log.h"

static const char stopped[] = "the agent was stopped before it ran";

void
work_release(struct work *w, struct job *j)
{
	if (j->slot)
		w->slots--;
	j->slot = false;
}

/* Before it is taken, and again before it runs: files change. */
bool
work_judge(struct work *w, struct job *j, char path[PATH_SIZE], struct err *err)
{
	switch (handlers_find(w->handlers, j->type, path, err)) {
	case HANDLER_OK:
		break;
	case HANDLER_NONE:
		job_refuse(j, "no_handler", err->text);
		break;
	case HANDLER_REFUSED:
		job_refuse(j, "not_allowed", err->text);
		break;
	case HANDLER_LATER:
		return false;
	}
	return true;
}

static void
on_output(void *arg, int stream, const char *bytes, size_t len)
{
	struct job *j = arg;

	output_add(j->output, stream, bytes, len);
}

static void
on_end(void *arg, const struct run_end *end)
{
	struct job *j = arg;
	struct clock *clock = ((struct work *)j->owner)->config.clock;

	output_end(j->output);
	work_end(j, result_ended(j, end, clock_wall(clock),
			clock_mono(clock) - j->started_mono));
}

const struct run_events work_run_events = { on_output, on_end };

static int64_t
deadline_of(const struct job *j)
{
	const struct work *w = j->owner;

	return j->deadline_ms > 0 ? j->deadline_ms : w->config.deadline_ms;
}

/* Its slot stays its own, so that a machine at its end gets no more load. */
static void
wait_for_room(struct job *j, const char *why)
{
	struct work *w = j->owner;

	if (clock_mono(w->config.clock) - j->started_mono >= deadline_of(j)) {
		work_end_early(j, "start_failed", why);
		return;
	}
	log_limited(
	    "spawn", LOG_WARN, "command %s waits: %s", log_q(j->id), why);
	j->waiting = true;
	DL_APPEND(w->again, j);
	w->n_again++;
	work_soon(w, (uint64_t)backoff_next(&w->backoff));
}

static void
on_running(struct job *j)
{
	struct work *w = j->owner;

	j->state = JOB_RUNNING;
	j->started_ms = clock_wall(w->config.clock);
	j->started_mono = clock_mono(w->config.clock);
	free(j->text);
	j->text = NULL;
	backoff_reset(&w->backoff);
	work_tell_step(w, j, "executing");
}

static void
launch(struct job *j, const char *path)
{
	struct work *w = j->owner;
	int64_t deadline = deadline_of(j);
	struct err err = ERR_INIT;
	struct run_spec spec;
	bool later = false;
	struct exec e;

	if (!exec_init(&e, j, deadline, &w->config)) {
		exec_fini(&e);
		work_end_early(j, "start_failed", "memory is out");
		return;
	}
	spec = (struct run_spec){ { path, e.argv, e.env, w->cwd }, e.input,
		deadline, w->config.grace_ms };
	e.input = NULL;
	j->output = output_new(w->outputs, j->id, j->stream, j);
	j->run = run_start(w->runs, &spec, j, &later, &err);
	exec_fini(&e);
	if (j->run != NULL) {
		on_running(j);
		return;
	}
	output_free(j->output);
	j->output = NULL;
	if (later)
		wait_for_room(j, err.text);
	else
		work_end_early(j, "start_failed", err.text);
}

void
work_start(struct job *j)
{
	struct work *w = j->owner;
	struct err err = ERR_INIT;
	char path[PATH_SIZE];

	if (j->cancelled) {
		work_end_early(j, "cancelled", "cancelled before it ran");
		return;
	}
	if (w->stopping) {
		work_end_early(j, "interrupted", stopped);
		return;
	}
	if (!work_judge(w, j, path, &err))
		wait_for_room(j, err.text);
	else if (j->reason != NULL)
		work_end_early(j, j->reason, j->error);
	else
		launch(j, path);
}

void
work_start_again(struct work *w)
{
	struct job *list = w->again, *j, *next;

	w->again = NULL;
	w->n_again = 0;
	DL_FOREACH_SAFE (list, j, next) {
		DL_DELETE(list, j);
		j->waiting = false;
		work_start(j);
	}
}

static void
on_started(void *arg, const struct err *err)
{
	struct job *j = arg;
	struct work *w = j->owner;

	if (w->closing)
		return;
	if (err == NULL) {
		j->started_mono = clock_mono(w->config.clock);
		work_start(j);
		return;
	}
	work_release(w, j);
	if (err->status == EXIT_NEGATIVE) { /* no longer 'received' */
		work_end_early(j, "lost", err->text);
		return;
	}
	log_error("command %s waits: %s", log_q(j->id), err->text);
	j->state = JOB_QUEUED;
	job_queue_back(&w->queue, j);
	work_soon(w, WORK_RETRY_MS);
}

/* False: later. */
static bool
start_next(struct work *w, struct job *j)
{
	if (j->reason == NULL &&
	    !ledger_start(w->ledger, j->id, clock_wall(w->config.clock),
		on_started, j, NULL)) {
		work_soon(w, WORK_RETRY_MS);
		return false;
	}
	job_queue_remove(&w->queue, j);
	if (j->reason != NULL) {
		work_end_early(j, j->reason, j->error);
		return true;
	}
	j->state = JOB_STARTING;
	j->slot = true;
	w->slots++;
	return true;
}

void
work_pump(struct work *w)
{
	struct job *j;

	while (
	    !w->stopping && !w->loading && w->slots < w->config.concurrency) {
		j = job_queue_first(&w->queue);
		if (j == NULL || !start_next(w, j))
			return;
	}
}

static void
stop_waiting(struct work *w, struct job *j)
{
	DL_DELETE(w->again, j);
	w->n_again--;
	j->waiting = false;
}

static bool
cancel_waiting(struct work *w, struct job *j)
{
	if (j->state == JOB_QUEUED)
		job_queue_remove(&w->queue, j);
	else if (j->waiting)
		stop_waiting(w, j);
	else
		return false;
	work_end_early(j, "cancelled", "cancelled before it ran");
	return true;
}

void
work_cancel(struct work *w, const char *id, int signal, int64_t grace_ms)
{
	struct job *j = work_find(w, id);

	if (j == NULL) {
		log_info("cancel of command %s: not known here", log_q(id));
		return;
	}
	if (signal <= 0 || signal >= NSIG)
		signal = SIGTERM;
	if (grace_ms < 0)
		grace_ms = w->config.grace_ms;
	if (j->state == JOB_RUNNING)
		run_ask(j->run, signal, grace_ms, RUN_CANCELLED);
	else if (j->state == JOB_ENDED)
		work_tell_end(w, j);
	else if (!cancel_waiting(w, j))
		j->cancelled = true; /* the ledger answers soon */
}

void
work_stop(struct work *w)
{
	struct job *j, *next;

	w->stopping = true;
	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state == JOB_RUNNING) {
			run_ask(
			    j->run, SIGTERM, w->config.grace_ms, RUN_STOPPED);
		} else if (j->waiting) {
			stop_waiting(w, j);
			work_end_early(j, "interrupted", stopped);
		}
	}
	work_soon(w, 0);
}
