#include <stdlib.h>
#include <string.h>

#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/json.h"
#include "lib/log.h"

/* It has ended long ago, and the hub has forgotten that it was told. */
static void
answer_known(
    struct work *w, const struct job *j, const struct ledger_entry *known)
{
	json_t *result =
	    js_read_object(known->result, strlen(known->result), NULL);

	w->counts.repeated++;
	if (result != NULL && j->stream)
		result_kept(result, 0, 0);
	if (result != NULL)
		work_tell(w, result, j->v1);
	else
		log_error("command %s: its result is damaged", log_q(j->id));
	json_decref(result);
}

static void
answer_again(struct work *w, const struct job *j)
{
	w->counts.repeated++;
	if (j->state == JOB_ENDED)
		work_tell_end(w, j);
	else if (j->state == JOB_RUNNING)
		work_tell_step(w, j, "executing");
	else if (j->state != JOB_TAKING)
		work_tell_step(w, j, "received");
}

static void
discard(struct job *j)
{
	struct work *w = j->owner;

	work_release(w, j);
	HASH_DEL(w->jobs, j);
	job_free(j);
	work_pump(w);
}

static void
enqueue(struct job *j)
{
	struct work *w = j->owner;

	j->state = JOB_QUEUED;
	job_queue_add(&w->queue, j);
	work_tell_step(w, j, "received");
	work_pump(w);
}

/* The hub has it again, and gives it to us later (ews-protocol(7)). */
static void
hand_back(struct work *w, const struct job *j, const char *why)
{
	json_t *data = result_failed(
	    j->id, "queue_full", why, clock_wall(w->config.clock));

	w->counts.queue_full++;
	work_tell(w, data, j->v1);
	json_decref(data);
}

/* In the ledger, and not with us: a disk that failed when it was first
 * taken wrote it all the same. */
static void
take_over(struct job *j, enum ledger_state state)
{
	work_release(j->owner, j);
	if (state == LEDGER_RECEIVED)
		enqueue(j);
	else
		work_end_early(
		    j, "interrupted", "nobody knows whether it was run");
}

static void
on_taken(void *arg, const struct ledger_entry *known, const struct err *err)
{
	struct job *j = arg;
	struct work *w = j->owner;

	if (!j->slot) {
		w->taking--;
		w->taking_bytes -= j->size;
	}
	if (w->stopping)
		work_soon(w, 0);
	if (w->closing)
		return;
	if (err != NULL) {
		log_error(
		    "command %s is not taken: %s", log_q(j->id), err->text);
		hand_back(w, j, err->text);
		discard(j);
	} else if (known != NULL && known->result != NULL) {
		answer_known(w, j, known);
		discard(j);
	} else if (known != NULL) {
		take_over(j, known->state);
	} else if (j->reason != NULL) {
		work_end_early(j, j->reason, j->error);
	} else if (j->cancelled || j->slot) {
		j->state = JOB_STARTING;
		j->started_mono = clock_mono(w->config.clock);
		work_start(j);
	} else {
		enqueue(j);
	}
}

static bool
is_full(const struct work *w, const struct job *j)
{
	size_t max = w->config.queue_max;

	return w->queue.count + w->taking >= max || w->n_ended >= max ||
	       w->queue.bytes + w->taking_bytes + j->size > WORK_QUEUE_BYTES;
}

/* One sync instead of two where nobody is overtaken. */
static bool
may_start(const struct work *w, const struct job *j)
{
	return j->reason == NULL && w->slots < w->config.concurrency &&
	       w->queue.count == 0 && w->taking == 0;
}

static void
enter(struct work *w, struct job *j)
{
	struct err err = ERR_INIT;

	HASH_ADD_KEYPTR(hh, w->jobs, j->id, strlen(j->id), j);
	j->slot = may_start(w, j);
	if (!ledger_take(w->ledger, j->id, j->text, j->slot,
		clock_wall(w->config.clock), on_taken, j, &err)) {
		log_limited("ledger", LOG_ERROR, "command %s is not taken: %s",
		    log_q(j->id), err.text);
		hand_back(w, j, err.text);
		HASH_DEL(w->jobs, j);
		job_free(j);
		return;
	}
	w->counts.taken++;
	if (j->slot) {
		w->slots++;
	} else {
		w->taking++;
		w->taking_bytes += j->size;
	}
}

void
work_take(struct work *w, const json_t *data, bool v1)
{
	const char *id = js_str(data, "command_id");
	struct job *j = id == NULL ? NULL : work_find(w, id);
	struct err err = ERR_INIT;
	char path[PATH_SIZE];

	if (j != NULL) {
		answer_again(w, j);
		return;
	}
	if (w->stopping) /* the hub keeps it */
		return;
	j = job_new(data, v1);
	if (j == NULL) {
		log_limited("command", LOG_WARN,
		    "a command without a usable id is ignored");
		return;
	}
	j->owner = w;
	if (is_full(w, j)) {
		log_limited("queue", LOG_WARN, "command %s: the queue is full",
		    log_q(j->id));
		hand_back(w, j, "the agent's queue is full");
		job_free(j);
		return;
	}
	if (j->priority == JOB_IMMEDIATE)
		log_info(
		    "⚡ Processing IMMEDIATE priority command %s", log_q(j->id));
	work_judge(w, j, path, &err); /* later: the start will tell */
	enter(w, j);
}
