#include "ewsagent/work.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsagent/handlers.h"
#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

struct job *
work_find(struct work *w, const char *id)
{
	struct job *j;

	HASH_FIND(hh, w->jobs, id, strlen(id), j);
	return j;
}

void
work_tell(struct work *w, const json_t *data, bool v1)
{
	json_t *plain;

	if (w->loading) /* work_resend will */
		return;
	if (v1) {
		w->config.events->ack(w->config.arg, data);
		return;
	}
	plain = result_plain(data);
	w->config.events->ack(w->config.arg, plain);
	json_decref(plain);
}

/* A PROTOCOL 2 hub is told ends only: 2.6 knows no more for certain. */
void
work_tell_step(struct work *w, const struct job *j, const char *status)
{
	json_t *data;

	if (!j->v1)
		return;
	data = result_step(j->id, status);
	work_tell(w, data, true);
	json_decref(data);
}

void
work_tell_end(struct work *w, const struct job *j)
{
	json_t *data = js_read_object(j->result, strlen(j->result), NULL);

	if (data != NULL)
		work_tell(w, data, j->v1);
	json_decref(data);
}

void
work_soon(struct work *w, uint64_t ms)
{
	uint64_t due = uv_now(loop_uv(w->config.loop)) + ms;

	if (timer_active(w->tick) && w->tick_due <= due)
		return;
	w->tick_due = due;
	timer_set(w->tick, (int64_t)ms);
}

/* From the loop, so that its callee may free us. */
static void
tell_idle(struct work *w)
{
	if (!w->stopping || w->idle_told || w->slots > 0 || w->taking > 0 ||
	    w->saving > 0)
		return;
	w->idle_told = true;
	if (w->config.events->idle != NULL)
		w->config.events->idle(w->config.arg);
}

static void
on_tick(void *arg)
{
	struct work *w = arg;

	work_save_ends(w);
	work_start_again(w);
	work_pump(w);
	tell_idle(w);
}

static void
on_prune(void *arg)
{
	struct work *w = arg;

	w->unpruned = 0;
	ledger_prune(w->ledger,
	    clock_wall(w->config.clock) - w->config.ledger_keep_ms,
	    w->config.ledger_keep);
	timer_set(w->prune, WORK_PRUNE_MS);
}

static void
wake(void *arg)
{
	struct work *w = arg;

	loop_wake(w->waker);
}

static void
on_wake(void *arg)
{
	struct work *w = arg;

	ledger_drain(w->ledger);
}

static bool
send_output(void *arg, const json_t *data)
{
	struct work *w = arg;

	return w->config.events->output(w->config.arg, data);
}

/* Its output went with the process that kept it. */
static char *
without_output(const char *text)
{
	json_t *result = js_read_object(text, strlen(text), NULL);
	char *less = NULL;

	if (result != NULL) {
		result_kept(result, 0, 0);
		less = js_write(result);
	}
	json_decref(result);
	return less != NULL ? less : mem_dup(text);
}

/* Nothing is done yet: the ledger is being read. */
static void
on_entry(void *arg, const struct ledger_entry *e)
{
	struct work *w = arg;
	struct job *j = job_load(e->id, e->command);

	j->owner = w;
	HASH_ADD_KEYPTR(hh, w->jobs, j->id, strlen(j->id), j);
	if (e->state == LEDGER_ENDED && e->result != NULL) {
		j->state = JOB_ENDED;
		j->result =
		    j->stream ? without_output(e->result) : mem_dup(e->result);
		j->saved = true;
		free(j->text);
		j->text = NULL;
		DL_APPEND(w->ended, j);
		w->n_ended++;
	} else {
		j->state =
		    e->state == LEDGER_RECEIVED ? JOB_QUEUED : JOB_STARTING;
	}
}

/* What was started may have done its work or half of it: nobody knows, so
 * it is not run again (DESIGN 4.3). */
static void
resume(struct work *w)
{
	struct job *j, *next;

	w->loading = true;
	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state == JOB_QUEUED) {
			job_queue_add(&w->queue, j);
		} else if (j->state == JOB_STARTING) {
			work_end_early(j, "interrupted",
			    "the agent was gone while the handler ran");
		}
	}
	w->loading = false;
}

static bool
open_dirs(struct work *w, struct err *err)
{
	struct outputs_config out = { .keep = w->config.output_max,
		.max = w->config.spool_max,
		.max_ended = WORK_ENDED_MAX,
		.chunk = w->config.output_chunk,
		.window = w->config.output_window,
		.send = send_output,
		.done = work_output_done,
		.arg = w };
	const char *dir = w->config.state_dir;
	char spool[PATH_SIZE];

	if (!handlers_dir(w->handlers, w->config.handlers, err) ||
	    !path_private_dir(dir, err) ||
	    !path_join(w->cwd, dir, "run", err) ||
	    !path_private_dir(w->cwd, err) ||
	    !path_join(spool, dir, "spool", err))
		return false;
	out.dir = spool;
	w->outputs = outputs_new(&out, err);
	return w->outputs != NULL;
}

static bool
open_ledger(struct work *w, struct err *err)
{
	struct ledger_config c = {
		.wake = wake, .arg = w, .max_jobs = WORK_LEDGER_JOBS
	};
	char path[PATH_SIZE];

	if (!path_join(path, w->config.state_dir, "ledger.db", err))
		return false;
	c.path = path;
	w->ledger = ledger_open(&c, err);
	return w->ledger != NULL && ledger_load(w->ledger, on_entry, w, err);
}

static void
copy_config(struct work *w, const struct work_config *config)
{
	w->config = *config;
	w->config.state_dir = mem_dup(config->state_dir);
	w->config.handlers = mem_dup(config->handlers);
	w->config.agent_id = mem_dup(config->agent_id);
	w->config.hub_url = mem_dup(config->hub_url);
	w->config.path = mem_dup(config->path);
}

struct work *
work_new(const struct work_config *config, struct err *err)
{
	struct work *w = mem_alloc(sizeof *w);

	copy_config(w, config);
	backoff_init(&w->backoff, WORK_AGAIN_MS, WORK_AGAIN_MAX_MS);
	w->waker = loop_waker_new(config->loop, on_wake, w);
	w->tick = timer_new(config->loop, on_tick, w);
	w->prune = timer_new(config->loop, on_prune, w);
	w->runs = runs_new(config->loop, &work_run_events);
	if (!open_dirs(w, err) || !open_ledger(w, err)) {
		work_free(w);
		return NULL;
	}
	resume(w);
	timer_set(w->prune, 0);
	work_soon(w, 0);
	return w;
}

static void
free_config(struct work_config *c)
{
	free((char *)c->state_dir);
	free((char *)c->handlers);
	free((char *)c->agent_id);
	free((char *)c->hub_url);
	free((char *)c->path);
}

/* The ledger first: its last callbacks still know the jobs. */
void
work_free(struct work *w)
{
	struct job *j, *next;

	if (w == NULL)
		return;
	w->closing = true;
	w->stopping = true;
	runs_free(w->runs);
	if (w->ledger != NULL)
		ledger_close(w->ledger);
	HASH_ITER (hh, w->jobs, j, next) {
		HASH_DEL(w->jobs, j);
		job_free(j);
	}
	outputs_free(w->outputs);
	loop_waker_free(w->waker);
	timer_free(w->tick);
	timer_free(w->prune);
	free_config(&w->config);
	free(w);
}

void
work_output_acked(struct work *w, const char *id, const char *stream,
    int64_t offset, bool stop)
{
	struct job *j = work_find(w, id);
	int i = output_stream(stream);

	if (j == NULL || j->output == NULL || offset < 0)
		return;
	if (i == -1 && !stop)
		return;
	output_acked(
	    j->output, i == -1 ? OUTPUT_STDOUT : i, (uint64_t)offset, stop);
}

void
work_resend(struct work *w)
{
	struct job *j, *next;

	DL_FOREACH_SAFE (w->ended, j, next)
		work_tell_end(w, j);
	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state == JOB_RUNNING)
			work_tell_step(w, j, "executing");
		else if (j->state == JOB_QUEUED)
			work_tell_step(w, j, "received");
	}
	outputs_resend(w->outputs);
}

void
work_output_room(struct work *w)
{
	outputs_room(w->outputs);
}

void
work_limits(struct work *w, size_t output_chunk, size_t output_window)
{
	outputs_limits(w->outputs, output_chunk, output_window);
}

size_t
work_unconfirmed(const struct work *w)
{
	return w->n_ended;
}

size_t
work_unsent(const struct work *w)
{
	return outputs_unsent(w->outputs);
}

json_t *
work_handlers(struct work *w)
{
	return handlers_list(w->handlers);
}

static json_t *
running(struct work *w)
{
	json_t *list = json_array(), *o;
	char started[CLOCK_TEXT_SIZE];
	struct job *j, *next;

	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state != JOB_RUNNING)
			continue;
		o = json_pack("{s:s, s:s, s:I, s:s}", "command_id", j->id,
		    "type", j->type, "pid", (json_int_t)run_pid(j->run),
		    "started_at", clock_text(started, j->started_ms));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
counts(const struct work_counts *c)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
	    "taken", (json_int_t)c->taken, "repeated", (json_int_t)c->repeated,
	    "completed", (json_int_t)c->completed, "failed",
	    (json_int_t)c->failed, "no_handler", (json_int_t)c->no_handler,
	    "not_allowed", (json_int_t)c->not_allowed, "start_failed",
	    (json_int_t)c->start_failed, "timeout", (json_int_t)c->timeout,
	    "cancelled", (json_int_t)c->cancelled, "interrupted",
	    (json_int_t)c->interrupted, "queue_full",
	    (json_int_t)c->queue_full);
}

json_t *
work_status(struct work *w)
{
	json_t *o = json_object();

	json_object_set_new(o, "running", running(w));
	json_object_set_new(
	    o, "queued", json_integer((json_int_t)w->queue.count));
	json_object_set_new(o, "waiting", /* for room for a process */
	    json_integer((json_int_t)w->n_again));
	json_object_set_new(
	    o, "unconfirmed", json_integer((json_int_t)w->n_ended));
	json_object_set_new(o, "spool_bytes",
	    json_integer((json_int_t)outputs_bytes(w->outputs)));
	json_object_set_new(o, "counts", counts(&w->counts));
	return o;
}
