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
	if (!w->stopping || w->idle_told || w->taking > 0 || w->saving > 0)
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

struct job *
work_load(struct work *w, const struct ledger_entry *e)
{
	struct job *j = job_load(e->id, e->command);

	j->owner = w;
	HASH_ADD_KEYPTR(hh, w->jobs, j->id, strlen(j->id), j);
	work_know(j, e);
	return j;
}

/* Nothing is done yet: the ledger is being read. */
static void
on_entry(void *arg, const struct ledger_entry *e)
{
	struct work *w = arg;
	struct job *j = work_load(w, e);

	j->stored_told = j->scheduled && !j->v1; /* when it was taken */
	if (e->state == LEDGER_ENDED && e->result != NULL) {
		j->state = JOB_ENDED;
		j->result = mem_dup(e->result);
	} else {
		j->state =
		    e->state == LEDGER_RECEIVED ? JOB_QUEUED : JOB_STARTING;
	}
}

static bool
pick_up(struct work *w, struct err *err)
{
	struct job *j, *next;

	if (!ledger_load(w->ledger, on_entry, w, err))
		return false;
	w->loading = true;
	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state == JOB_ENDED)
			work_load_end(j);
		else if (j->state == JOB_QUEUED)
			work_enqueue(j);
		else
			work_settle(j);
	}
	w->loading = false;
	runs_sweep(w->runs, work_keeps_run, w);
	return true;
}

static unsigned
limit_of(void *arg, const char *type)
{
	const struct work *w = arg;

	return handlers_conf_find(w->conf, type)->concurrency;
}

static struct handlers_conf *
read_conf(const struct work *w, struct err *err)
{
	const char *set = w->config.handlers_conf;
	char path[PATH_SIZE];

	if (set != NULL)
		return handlers_conf_load(set, false, w->handlers, err);
	if (!path_join(path, w->handlers, "handlers.conf", err))
		return NULL;
	return handlers_conf_load(path, true, w->handlers, err);
}

bool
work_reload(struct work *w, struct err *err)
{
	struct handlers_conf *conf = read_conf(w, err);

	if (conf == NULL)
		return false;
	handlers_conf_free(w->conf);
	w->conf = conf;
	work_soon(w, 0); /* more of one may run now */
	return true;
}

static struct outputs *
make_outputs(struct work *w)
{
	return outputs_new(&(struct outputs_config){
	    .max = w->config.spool_max,
	    .max_ended = WORK_ENDED_MAX,
	    .chunk = w->config.output_chunk,
	    .window = w->config.output_window,
	    .read = work_output_read,
	    .send = work_output_send,
	    .done = work_output_done,
	    .drop = work_output_drop,
	    .arg = w,
	});
}

static bool
open_runs(struct work *w, struct err *err)
{
	char jobs[PATH_SIZE];
	struct runs_config c = {
		.loop = w->config.loop,
		.dir = jobs,
		.shim = w->config.shim,
		.events = &work_run_events,
	};

	if (!path_join(jobs, w->config.state_dir, "jobs", err))
		return false;
	w->runs = runs_new(&c, err);
	return w->runs != NULL;
}

static bool
open_dirs(struct work *w, struct err *err)
{
	const char *dir = w->config.state_dir;

	if (!handlers_dir(w->handlers, w->config.handlers, err))
		return false;
	w->conf = read_conf(w, err);
	return w->conf != NULL && path_private_dir(dir, err) &&
	       path_join(w->cwd, dir, "run", err) &&
	       path_private_dir(w->cwd, err);
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
	c.boot = w->config.boot;
	w->ledger = ledger_open(&c, err);
	return w->ledger != NULL;
}

static char *
copy(const char *text)
{
	return text == NULL ? NULL : mem_dup(text);
}

static void
copy_config(struct work *w, const struct work_config *config)
{
	w->config = *config;
	w->config.state_dir = mem_dup(config->state_dir);
	w->config.handlers = mem_dup(config->handlers);
	w->config.shim = copy(config->shim);
	w->config.boot = copy(config->boot);
	w->config.handlers_conf = copy(config->handlers_conf);
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
	w->alarm = timer_new(config->loop, work_alarm, w);
	w->outputs = make_outputs(w);
	job_queue_init(&w->queue, limit_of, w);
	w->keep = WORK_KEEP;
	if (!open_dirs(w, err) || !open_ledger(w, err) || !open_runs(w, err) ||
	    !pick_up(w, err)) {
		work_free(w);
		return NULL;
	}
	timer_set(w->prune, 0);
	work_soon(w, 0);
	return w;
}

static void
free_config(struct work_config *c)
{
	free((char *)c->state_dir);
	free((char *)c->handlers);
	free((char *)c->shim);
	free((char *)c->boot);
	free((char *)c->handlers_conf);
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
	if (w->runs != NULL)
		runs_free(w->runs);
	w->runs = NULL;
	if (w->ledger != NULL)
		ledger_close(w->ledger);
	HASH_ITER (hh, w->jobs, j, next) {
		HASH_DEL(w->jobs, j);
		job_free(j);
	}
	outputs_free(w->outputs);
	job_queue_fini(&w->queue);
	agenda_fini(&w->agenda);
	handlers_conf_free(w->conf);
	loop_waker_free(w->waker);
	timer_free(w->tick);
	timer_free(w->prune);
	timer_free(w->alarm);
	free_config(&w->config);
	free(w);
}

/* What waits is in the ledger, what runs has its shim. */
void
work_stop(struct work *w)
{
	w->stopping = true;
	timer_stop(w->alarm);
	work_soon(w, 0);
}
