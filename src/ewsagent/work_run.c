#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsagent/exec.h"
#include "ewsagent/handlers.h"
#include "ewsagent/work_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/str.h"

void
work_seize(struct work *w, struct job *j)
{
	if (j->slot)
		return;
	j->slot = true;
	w->slots++;
	job_queue_enter(&w->queue, j);
}

void
work_release(struct work *w, struct job *j)
{
	if (!j->slot)
		return;
	j->slot = false;
	w->slots--;
	job_queue_leave(&w->queue, j);
}

const struct handler_rules *
work_rules(const struct job *j)
{
	const struct work *w = j->owner;

	return handlers_conf_find(w->conf, j->type);
}

/* Before it is taken, and again before it runs: files change. */
bool
work_judge(struct work *w, struct job *j, char path[PATH_SIZE], struct err *err)
{
	switch (handlers_find(w->handlers, j->type, path, err)) {
	case HANDLER_OK:
		break;
	case HANDLER_NONE:
		j->own = str_eq(j->type, "cancel_scheduled");
		if (j->own)
			break;
		job_refuse(j, "no_handler", err->text);
		break;
	case HANDLER_REFUSED:
		job_refuse(j, "not_allowed", err->text);
		break;
	case HANDLER_LATER:
		return false;
	}
	if (j->expires_ms > 0 && j->expires_ms <= clock_wall(w->config.clock))
		job_refuse(j, "expired", "its time was over before it ran");
	return true;
}

static int64_t
deadline_of(const struct job *j)
{
	const struct work *w = j->owner;

	const struct handler_rules *rules = work_rules(j);

	if (j->deadline_ms > 0)
		return j->deadline_ms;
	return rules->deadline_ms > 0 ? rules->deadline_ms
				      : w->config.deadline_ms;
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
	if (++w->n_again == 1 && !w->trying) /* the others come with it */
		work_soon(w, (uint64_t)backoff_next(&w->backoff));
}

/* ---- news of the process ------------------------------------------------ */

static void
on_started(void *arg, int64_t started_ms)
{
	struct job *j = arg;
	struct work *w = j->owner;

	backoff_reset(&w->backoff);
	if (j->probing)
		return;
	j->state = JOB_RUNNING;
	j->started_ms = started_ms;
	work_tell_step(w, j, "executing");
	work_input_ready(j);
}

static void
on_output(void *arg, int stream, uint64_t kept)
{
	struct job *j = arg;
	struct work *w = j->owner;

	if (j->probing || !j->v1)
		return;
	if (j->output == NULL)
		j->output = output_new(w->outputs, j->id, j);
	if (!output_kept_now(j->output, stream, kept)) {
		log_limited("spool", LOG_WARN,
		    "command %s: no room, its further output is only counted",
		    log_q(j->id));
		run_stop_keeping(j->run);
	}
}

static void
on_input(void *arg, uint64_t offset, bool closed)
{
	struct job *j = arg;

	if (!j->probing)
		work_input_taken(j, offset, closed);
}

static void
on_end(void *arg, const struct run_end *end)
{
	struct job *j = arg;

	j->run = NULL;
	if (j->probing)
		work_probed(j, end);
	else
		work_end_run(j, end);
}

static void
on_failed(void *arg, bool later, const char *error)
{
	struct job *j = arg;

	j->run = NULL;
	j->state = JOB_STARTING;
	if (later && j->adopted && !j->this_boot && !j->probing)
		work_lost(j, error); /* of another boot it proves nothing */
	else if (later)
		wait_for_room(j, error);
	else if (j->probing)
		work_probed(j, NULL);
	else
		work_end_early(j, "start_failed", error);
}

static void
on_lost(void *arg)
{
	struct job *j = arg;

	j->run = NULL;
	if (j->probing)
		work_probed(j, NULL);
	else
		work_lost(j, "its shim was gone while the handler ran");
}

const struct run_events work_run_events = { .started = on_started,
	.output = on_output,
	.input = on_input,
	.end = on_end,
	.failed = on_failed,
	.lost = on_lost };

/* ---- start -------------------------------------------------------------- */

static void
run(struct job *j, struct run_spec *spec)
{
	struct work *w = j->owner;
	struct err err = ERR_INIT;
	bool later = false;

	j->adopted = false;
	j->run = run_start(w->runs, spec, j, &later, &err);
	if (j->run != NULL)
		return;
	if (later)
		wait_for_room(j, err.text);
	else if (j->probing)
		work_probed(j, NULL);
	else
		work_end_early(j, "start_failed", err.text);
}

static void
launch(struct job *j, const char *path)
{
	struct work *w = j->owner;
	const struct handler_rules *rules = work_rules(j);
	struct run_spec spec = { .id = j->id, .path = path, .cwd = w->cwd };
	struct exec e;

	spec.deadline_ms = deadline_of(j);
	spec.grace_ms =
	    rules->grace_ms >= 0 ? rules->grace_ms : w->config.grace_ms;
	spec.stdin_stream = j->input;
	spec.output_max = !j->v1                   ? 0
			  : rules->output_max >= 0 ? (uint64_t)rules->output_max
						   : w->config.output_max;
	if (exec_init(&e, j, spec.deadline_ms, &w->config)) {
		spec.argv = e.argv;
		spec.env = e.env;
		spec.payload = e.input;
		run(j, &spec);
	} else {
		work_end_early(j, "start_failed", "memory is out");
	}
	exec_fini(&e);
}

/* As the handler was started, but for its name. */
static void
launch_probe(struct job *j, const char *path)
{
	struct work *w = j->owner;
	const char *name = strrchr(path, '/') + 1;
	const struct handler_rules *rules = handlers_conf_find(w->conf, name);
	char *id = work_probe_id(j);
	struct run_spec spec = { .id = id, .path = path, .cwd = w->cwd };
	struct exec e;

	spec.deadline_ms = rules->deadline_ms;
	spec.grace_ms =
	    rules->grace_ms >= 0 ? rules->grace_ms : w->config.grace_ms;
	j->probing = true;
	if (exec_init(&e, j, spec.deadline_ms, &w->config)) {
		spec.argv = e.argv;
		spec.env = e.env;
		spec.payload = e.input;
		run_forget(w->runs, id);
		run(j, &spec);
	} else {
		work_probed(j, NULL);
	}
	exec_fini(&e);
	free(id);
}

static void
start_probe(struct job *j)
{
	struct work *w = j->owner;
	struct err err = ERR_INIT;
	char path[PATH_SIZE];

	switch (handlers_find_probe(w->handlers, j->type, path, &err)) {
	case HANDLER_OK:
		launch_probe(j, path);
		return;
	case HANDLER_LATER:
		wait_for_room(j, err.text);
		return;
	default:
		log_warn("command %s: %s", log_q(j->id), err.text);
		work_probed(j, NULL);
	}
}

void
work_start(struct job *j)
{
	struct work *w = j->owner;
	struct err err = ERR_INIT;
	char path[PATH_SIZE];

	if (w->stopping) /* it is in the ledger, and was not run */
		return;
	if (j->cancelled && !j->ask)
		work_end_cancelled(j);
	else if (j->ask)
		start_probe(j);
	else if (!work_judge(w, j, path, &err))
		wait_for_room(j, err.text);
	else if (j->reason != NULL)
		work_end_early(j, j->reason, j->error);
	else if (j->own)
		work_own(j);
	else
		launch(j, path);
}

void
work_start_again(struct work *w)
{
	size_t left = w->n_again; /* those that come back go to the end */
	struct job *j;

	w->trying = true;
	/* from the list itself: one that starts may cancel another */
	while (left-- > 0 && (j = w->again) != NULL) {
		DL_DELETE(w->again, j);
		w->n_again--;
		j->waiting = false;
		work_start(j);
	}
	w->trying = false;
	if (w->n_again > 0)
		work_soon(w, (uint64_t)backoff_next(&w->backoff));
}

static void
on_marked(void *arg, const struct err *err)
{
	struct job *j = arg;
	struct work *w = j->owner;

	if (w->closing)
		return;
	if (err == NULL) {
		j->runs++;
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
	job_queue_add(&w->queue, j);
	work_watch_expiry(j);
	work_soon(w, WORK_RETRY_MS);
}

/* False: later. */
static bool
start_next(struct work *w, struct job *j)
{
	bool mark = j->reason == NULL && !j->ask;

	if (mark && !ledger_start(w->ledger, j->id, clock_wall(w->config.clock),
			on_marked, j, NULL)) {
		work_soon(w, WORK_RETRY_MS);
		return false;
	}
	job_queue_start(&w->queue, j);
	work_unhold(j);
	if (j->reason != NULL && !j->ask) {
		work_end_early(j, j->reason, j->error);
		return true;
	}
	j->state = JOB_STARTING;
	work_seize(w, j);
	if (j->ask) {
		j->started_mono = clock_mono(w->config.clock);
		work_start(j);
	}
	return true;
}

void
work_pump(struct work *w)
{
	struct job *j;

	while (
	    !w->stopping && !w->loading && w->slots < w->config.concurrency) {
		j = job_queue_next(&w->queue);
		if (j == NULL || !start_next(w, j))
			return;
	}
}
