#include <assert.h>
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

/* Freed only when it is on disk, the hub has it, and its output, too; the
 * ledger hears of it as late, so that after a restart the hub is told that
 * the rest of the output will not come. */
void
work_forget(struct job *j)
{
	struct work *w = j->owner;

	if (j->state != JOB_ENDED || !j->saved || !j->confirmed ||
	    j->output != NULL)
		return;
	ledger_confirm(w->ledger, j->id);
	HASH_DEL(w->jobs, j);
	job_free(j);
}

/* The hub may have the end already, and wait for bytes that will not come:
 * it is told until it confirms once more. */
static void
tell_lost(struct work *w, struct job *j)
{
	json_t *result = js_read_object(j->result, strlen(j->result), NULL);
	char *text;

	if (result == NULL) /* memory is out */
		return;
	result_kept(result, output_kept(j->output, OUTPUT_STDOUT),
	    output_kept(j->output, OUTPUT_STDERR));
	text = js_write(result);
	json_decref(result);
	if (text == NULL)
		return;
	free(j->result);
	j->result = text;
	if (j->confirmed) {
		j->confirmed = false;
		DL_APPEND(w->ended, j);
		w->n_ended++;
	}
	work_tell_end(w, j);
}

void
work_output_done(void *arg, void *owner)
{
	struct job *j = owner;

	if (output_lost(j->output))
		tell_lost(arg, j);
	output_free(j->output);
	j->output = NULL;
	work_forget(j);
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

void
work_end(struct job *j, json_t *result)
{
	struct work *w = j->owner;

	assert(j->state != JOB_ENDED);
	j->state = JOB_ENDED;
	j->run = NULL;
	free(j->text);
	j->text = NULL;
	j->result = js_write(result);
	if (j->result == NULL)
		abort(); /* small, and of our own making */
	if (j->output != NULL && output_done(j->output)) {
		output_free(j->output);
		j->output = NULL;
	}
	DL_APPEND(w->ended, j);
	w->n_ended++;
	note(w, j, result);
	json_decref(result);
	work_release(w, j);
	save(j);
	work_tell_end(w, j);
	work_pump(w);
}

void
work_end_early(struct job *j, const char *reason, const char *error)
{
	struct work *w = j->owner;

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
