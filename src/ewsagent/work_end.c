#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/str.h"

static void
on_saved(void *arg, const struct err *err)
{
	struct job *j = arg;
	struct work *w = j->owner;

	j->saving = false;
	w->saving--;
	if (err != NULL && err->status != EXIT_NEGATIVE) {
		/* only when the ledger closes */
		log_error("command %s: its end is not stored: %s", log_q(j->id),
		    err->text);
		return;
	}
	j->saved = true; /* or an earlier end is, and stands */
	if (w->stopping)
		work_soon(w, 0);
	work_tell_end(w, j);
	work_forget(j);
}

static void
save(struct job *j)
{
	struct work *w = j->owner;

	j->saving = ledger_end(w->ledger, j->id, j->result,
	    clock_wall(w->config.clock), on_saved, j);
	if (j->saving)
		w->saving++;
	else
		work_soon(w, WORK_RETRY_MS);
}

void
work_save_ends(struct work *w)
{
	struct job *j, *next;

	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state == JOB_ENDED && !j->saved && !j->saving)
			save(j);
	}
}

/* Freed only when it is on disk, the hub has it, and what it follows of its
 * output, too; the ledger hears of it as late, so that after a restart the
 * hub is told the end once more, and says whether it needs the rest. */
void
work_forget(struct job *j)
{
	struct work *w = j->owner;

	if (w->closing || j->state != JOB_ENDED || !j->saved || !j->confirmed ||
	    (j->output != NULL && !output_done(j->output)))
		return;
	ledger_confirm(w->ledger, j->id);
	if (j->runs > 0)
		run_forget(w->runs, j->id);
	HASH_DEL(w->jobs, j);
	job_free(j);
}

static void
count_end(struct work_counts *c, const char *status, const char *reason)
{
	const struct {
		const char *word;
		uint64_t *count;
	} table[] = {
		{ "no_handler", &c->no_handler },
		{ "not_allowed", &c->not_allowed },
		{ "start_failed", &c->start_failed },
		{ "timeout", &c->timeout },
		{ "cancelled", &c->cancelled },
		{ "interrupted", &c->interrupted },
		{ "expired", &c->expired },
	};
	size_t i;

	for (i = 0; i < sizeof table / sizeof *table; i++) {
		if (str_eq(reason, table[i].word)) {
			++*table[i].count;
			return;
		}
	}
	++*(str_eq(status, "completed") ? &c->completed : &c->failed);
}

static void
note(struct work *w, const struct job *j, const json_t *result)
{
	const char *status = js_str(result, "status");

	count_end(&w->counts, status, js_str(result, "reason"));
	if (str_eq(status, "completed"))
		log_info("✅ Command %s executed successfully", log_q(j->id));
	else
		log_warn("❌ Command %s failed: %s", log_q(j->id),
		    log_q(js_str(result, "error")));
}

/* Its place among those that ended. */
static void
append(struct job *j)
{
	struct work *w = j->owner;

	work_unhold(j);
	j->state = JOB_ENDED;
	j->run = NULL;
	j->ask = false;
	free(j->text);
	j->text = NULL;
	DL_APPEND(w->ended, j);
	w->n_ended++;
}

/* It is told when it is on disk: then even a new agent would say the same. */
void
work_end(struct job *j, json_t *result)
{
	struct work *w = j->owner;

	assert(j->state != JOB_ENDED);
	append(j);
	j->result = js_write(result);
	if (j->result == NULL)
		abort(); /* small, and of our own making */
	note(w, j, result);
	json_decref(result);
	work_release(w, j);
	save(j);
	work_pump(w);
	if (j->output != NULL)
		output_end(j->output);
}

/* A hub that speaks PROTOCOL 2 only asks for no output. */
void
work_end_run(struct job *j, const struct run_end *end)
{
	struct work *w = j->owner;

	if (j->output == NULL && j->v1)
		j->output = output_new(w->outputs, j->id, j);
	for (int i = 0; j->output != NULL && i < OUTPUT_STREAMS; i++)
		output_kept_now(j->output, i, end->streams[i].kept);
	work_end(j, result_ended(j->id, end, j->v1));
}

static uint64_t
spooled(const struct job *j, const json_t *result, int stream)
{
	static const char *const keys[OUTPUT_STREAMS][2] = {
		{ "stdout_kept", "stdout_bytes" },
		{ "stderr_kept", "stderr_bytes" }
	};
	const struct work *w = j->owner;
	int64_t n =
	    js_int(result, keys[stream][0], js_int(result, keys[stream][1], 0));
	char byte;

	if (n <= 0 ||
	    run_read(w->runs, j->id, stream, (uint64_t)n - 1, &byte, 1) != 1)
		return 0;
	return (uint64_t)n;
}

/* Of an agent before us, and not confirmed. What is left of its output can
 * still be had. */
void
work_load_end(struct job *j)
{
	struct work *w = j->owner;
	json_t *result = js_read_object(j->result, strlen(j->result), NULL);
	uint64_t out, err;
	char *less;

	append(j);
	j->saved = true;
	if (j->v1 && result != NULL) {
		out = spooled(j, result, OUTPUT_STDOUT);
		err = spooled(j, result, OUTPUT_STDERR);
		result_kept(result, out, err);
		less = js_write(result);
		if (less != NULL) {
			free(j->result);
			j->result = less;
		}
		j->output = output_new(w->outputs, j->id, j);
		output_kept_now(j->output, OUTPUT_STDOUT, out);
		output_kept_now(j->output, OUTPUT_STDERR, err);
		output_end(j->output);
	}
	json_decref(result);
}

void
work_end_early(struct job *j, const char *reason, const char *error)
{
	struct work *w = j->owner;
	char text[ERR_TEXT_MAX];

	if (work_ran_before(j) && !str_eq(reason, "cancelled") &&
	    !str_eq(reason, "interrupted")) {
		snprintf(text, sizeof text,
		    "interrupted, and not run again: %.300s", error);
		reason = "interrupted";
		error = text;
	}
	work_end(j,
	    result_failed(j->id, reason, error, clock_wall(w->config.clock)));
}

void
work_confirmed(struct work *w, const char *id)
{
	struct job *j = work_find(w, id);

	if (j == NULL || j->state != JOB_ENDED || j->confirmed)
		return;
	j->confirmed = true;
	DL_DELETE(w->ended, j);
	w->n_ended--;
	if (++w->unpruned >= WORK_PRUNE_ENDS)
		timer_set(w->prune, 0);
	work_forget(j);
}
