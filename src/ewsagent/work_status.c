#include "ewsagent/handlers.h"
#include "ewsagent/work_priv.h"

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

static void
set(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *
counts(const struct work_counts *c)
{
	json_t *o = json_object();

#define SET(name) set(o, #name, c->name);
	WORK_COUNTS(SET)
#undef SET
	return o;
}

json_t *
work_status(struct work *w)
{
	json_t *o = json_object();

	json_object_set_new(o, "running", running(w));
	set(o, "queued", w->queue.count);
	set(o, "held", w->n_held);
	set(o, "waiting", w->n_again); /* for room for a process */
	set(o, "unconfirmed", w->n_ended);
	set(o, "spool_bytes", outputs_bytes(w->outputs));
	json_object_set_new(o, "policies", handlers_conf_policies(w->conf));
	json_object_set_new(o, "counts", counts(&w->counts));
	return o;
}

json_t *
work_handlers(struct work *w)
{
	return handlers_list(w->handlers);
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
