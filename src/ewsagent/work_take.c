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
	if (result != NULL && j->v1)
		result_kept(result, 0, 0);
	if (result != NULL)
		work_tell(w, WORK_STORED, result, j->v1);
	else
		log_error("command %s: its result is damaged", log_q(j->id));
	json_decref(result);
}

/* It came twice because the link was lost in between: who wanted its output
 * wants it still. */
static void
answer_again(struct work *w, struct job *j, const json_t *data)
{
	w->counts.repeated++;
	if (j->v1 && js_bool(data, "stream", false) &&
	    (j->output == NULL || !output_attached(j->output)))
		work_attach(w, j->id, 0, 0);
	if (j->state == JOB_ENDED)
		work_tell_end(w, j);
	else if (j->state == JOB_RUNNING)
		work_tell_step(w, j, "executing");
	else if (j->state != JOB_TAKING)
		work_tell_stored(w, j);
}

static void
discard(struct job *j)
{
	struct work *w = j->owner;

	work_release(w, j);
	work_unhold(j);
	HASH_DEL(w->jobs, j);
	job_free(j);
	work_pump(w);
}

static void
count_held(struct work *w, struct job *j)
{
	if (j->held)
		return;
	j->held = true;
	w->n_held++;
	w->held_bytes += j->size;
}

void
work_enqueue(struct job *j)
{
	struct work *w = j->owner;

	if (work_is_early(w, j)) {
		count_held(w, j);
		work_hold(j);
	} else {
		j->state = JOB_QUEUED;
		job_queue_add(&w->queue, j);
		work_watch_expiry(j);
	}
}

static void
store(struct job *j)
{
	struct work *w = j->owner;

	work_unhold(j);
	work_enqueue(j);
	w->counts.held += j->held;
	work_tell_stored(w, j);
	work_pump(w);
}

/* The hub has it again, and gives it to us later (ews-protocol(7)). */
static void
hand_back(struct work *w, const struct job *j, const char *why)
{
	json_t *data = result_failed(
	    j->id, "queue_full", why, clock_wall(w->config.clock));

	w->counts.queue_full++;
	work_tell(w, WORK_STORED, data, j->v1);
	json_decref(data);
}

/* In the ledger, and not with us: a disk that failed when it was first
 * taken wrote it all the same. */
static void
take_over(struct job *j, const struct ledger_entry *known)
{
	work_release(j->owner, j);
	work_know(j, known);
	if (known->state == LEDGER_RECEIVED)
		store(j);
	else
		work_settle(j);
}

void
work_recover(struct work *w, const struct ledger_entry *known)
{
	struct job *j = work_load(w, known);

	if (known->state == LEDGER_RECEIVED)
		work_enqueue(j);
	else
		work_settle(j);
}

static void
on_taken(void *arg, const struct ledger_entry *known, const struct err *err)
{
	struct job *j = arg;
	struct work *w = j->owner;

	if (!j->slot && !j->held) {
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
		ledger_untake(w->ledger, j->id);
		discard(j);
	} else if (known != NULL && known->result != NULL) {
		answer_known(w, j, known);
		discard(j);
	} else if (known != NULL) {
		take_over(j, known);
	} else if (j->reason != NULL) {
		work_end_early(j, j->reason, j->error);
	} else if (j->cancelled || j->slot || j->own) {
		j->state = JOB_STARTING;
		j->runs = j->slot;
		j->started_mono = clock_mono(w->config.clock);
		if (j->scheduled && !j->v1 && !j->cancelled)
			work_tell_stored(w, j); /* its time came with it */
		work_start(j);
	} else {
		store(j);
	}
}

static bool
is_full_held(const struct work *w, const struct job *j)
{
	return w->n_held >= w->config.held_max ||
	       w->held_bytes + j->size > WORK_QUEUE_BYTES;
}

/* As many as our hello asked for always fit: one that is handed back comes
 * after those that were sent after it. The urgent may be a few more. */
static bool
is_full_queue(const struct work *w, const struct job *j)
{
	size_t max = w->config.queue_max + w->config.concurrency;

	if (j->priority < JOB_NORMAL)
		max += WORK_URGENT_ROOM;
	return w->queue.count + w->taking + w->slots >= max ||
	       w->queue.bytes + w->taking_bytes + j->size > WORK_QUEUE_BYTES;
}

/* Those that ended are with the hub when it gives us the next, but may not
 * be confirmed yet. */
static bool
is_full(const struct work *w, const struct job *j)
{
	if (w->n_ended >= w->config.queue_max + WORK_ENDS_MAX)
		return true;
	return work_is_early(w, j) ? is_full_held(w, j) : is_full_queue(w, j);
}

/* One sync instead of two where nobody is overtaken. */
static bool
may_start(const struct work *w, const struct job *j)
{
	return j->reason == NULL && !j->own && !work_is_early(w, j) &&
	       w->slots < w->config.concurrency && w->queue.count == 0 &&
	       w->taking == 0 && job_queue_has_room(&w->queue, j->type);
}

static void
enter(struct work *w, struct job *j)
{
	struct err err = ERR_INIT;

	bool start = may_start(w, j);

	if (!ledger_take(w->ledger, j->id, j->text, start,
		clock_wall(w->config.clock), on_taken, j, &err)) {
		log_limited("ledger", LOG_ERROR, "command %s is not taken: %s",
		    log_q(j->id), err.text);
		hand_back(w, j, err.text);
		job_free(j);
		return;
	}
	HASH_ADD_KEYPTR(hh, w->jobs, j->id, strlen(j->id), j);
	w->counts.taken++;
	if (j->stream)
		work_attach(w, j->id, 0, 0);
	if (start) {
		work_seize(w, j);
	} else if (work_is_early(w, j)) {
		count_held(w, j);
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
		answer_again(w, j, data);
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
