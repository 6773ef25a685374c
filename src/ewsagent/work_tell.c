#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsagent/result.h"
#include "ewsagent/work_priv.h"
#include "lib/json.h"
#include "lib/mem.h"

/* ---- acks --------------------------------------------------------------- */

static bool
tell(struct work *w, enum work_ack kind, const json_t *data, bool v1)
{
	json_t *plain;
	bool told;

	if (w->loading || w->closing) /* work_resend will */
		return false;
	if (v1)
		return w->config.events->ack(w->config.arg, kind, data);
	plain = result_plain(data);
	told = w->config.events->ack(w->config.arg, kind, plain);
	json_decref(plain);
	return told;
}

void
work_tell(struct work *w, enum work_ack kind, const json_t *data, bool v1)
{
	tell(w, kind, data, v1);
}

/* A PROTOCOL 2 hub is told ends only: 2.6 knows no more for certain. */
void
work_tell_step(struct work *w, const struct job *j, const char *status)
{
	json_t *data;

	if (!j->v1)
		return;
	data = result_step(j->id, status);
	tell(w, WORK_STEP, data, true);
	json_decref(data);
}

/* Of what is held and queued; PROTOCOL 2.6 has a word for it only where the
 * time came with the command. */
void
work_tell_stored(struct work *w, struct job *j)
{
	json_t *data;

	if (j->v1 || !j->scheduled) {
		work_tell_step(w, j, "received");
		return;
	}
	data = result_stored(j->id, clock_wall(w->config.clock));
	j->stored_told |= tell(w, WORK_STORED, data, false);
	json_decref(data);
}

static void
add_kept(struct work *w, const struct job *j, json_t *data)
{
	json_t *kept, *out, *err;

	if (!j->v1 || j->output == NULL || w->keep == 0)
		return;
	out = output_tail(j->output, OUTPUT_STDOUT, w->keep);
	err = output_tail(j->output, OUTPUT_STDERR, w->keep);
	if (out == NULL && err == NULL)
		return;
	kept = json_pack("{s:o*, s:o*}", "stdout", out, "stderr", err);
	json_object_set_new(data, "kept", kept);
}

void
work_tell_end(struct work *w, struct job *j)
{
	json_t *data;

	if (!j->saved || w->closing)
		return;
	data = js_read_object(j->result, strlen(j->result), NULL);
	if (data == NULL)
		return;
	add_kept(w, j, data);
	j->told = tell(w, WORK_END, data, j->v1);
	json_decref(data);
}

/* In their order: where one finds no room the next ones wait, too. */
static void
tell_ends(struct work *w)
{
	struct job *j, *next;

	if (w->telling)
		return;
	w->telling = true;
	DL_FOREACH_SAFE (w->ended, j, next) {
		if (j->told || !j->saved)
			continue;
		work_tell_end(w, j);
		if (!j->told)
			break;
	}
	w->telling = false;
}

/* ---- output ------------------------------------------------------------- */

size_t
work_output_read(void *arg, const char *id, int stream, uint64_t offset,
    char *dst, size_t size)
{
	const struct work *w = arg;

	return run_read(w->runs, id, stream, offset, dst, size);
}

bool
work_output_send(void *arg, const json_t *data)
{
	struct work *w = arg;

	return w->config.events->output(w->config.arg, data);
}

void
work_output_done(void *arg, void *owner)
{
	(void)arg;
	work_forget(owner);
}

/* The hub may have the end already, and wait for bytes that will not come:
 * it is told until it confirms once more. */
static void
tell_lost(struct work *w, struct job *j, uint64_t out, uint64_t err)
{
	json_t *result = js_read_object(j->result, strlen(j->result), NULL);
	char *text;

	if (result == NULL) /* memory is out */
		return;
	result_kept(result, out, err);
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
work_output_drop(void *arg, void *owner)
{
	struct work *w = arg;
	struct job *j = owner;
	bool followed = output_attached(j->output);
	uint64_t out = followed ? output_acked_to(j->output, OUTPUT_STDOUT) : 0;
	uint64_t err = followed ? output_acked_to(j->output, OUTPUT_STDERR) : 0;

	output_free(j->output);
	j->output = NULL;
	run_forget(w->runs, j->id);
	if (followed || !j->confirmed)
		tell_lost(w, j, out, err);
	work_forget(j);
}

void
work_attach(struct work *w, const char *id, uint64_t out, uint64_t err)
{
	struct job *j = work_find(w, id);

	if (j == NULL || !j->v1)
		return;
	if (j->output == NULL && j->state != JOB_ENDED)
		j->output = output_new(w->outputs, j->id, j);
	if (j->output != NULL)
		output_attach(j->output, out, err);
	else
		work_tell_end(w, j); /* says that there is nothing */
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

/* ---- links -------------------------------------------------------------- */

/* One that the hub confirmed is here for its output: the end is told again,
 * so that the hub attaches, or says once more that it needs nothing. */
static void
unconfirm(struct work *w)
{
	struct job *j, *next;

	HASH_ITER (hh, w->jobs, j, next) {
		j->told = false;
		if (j->state != JOB_ENDED || !j->confirmed)
			continue;
		j->confirmed = false;
		DL_APPEND(w->ended, j);
		w->n_ended++;
	}
}

void
work_resend(struct work *w)
{
	struct job *j, *next;

	outputs_detach(w->outputs);
	unconfirm(w);
	tell_ends(w);
	HASH_ITER (hh, w->jobs, j, next) {
		if (j->state == JOB_RUNNING)
			work_tell_step(w, j, "executing");
		else if ((j->state == JOB_QUEUED || j->state == JOB_HELD) &&
			 !j->stored_told)
			work_tell_stored(w, j);
		work_input_resume(j);
	}
}

void
work_room(struct work *w)
{
	struct job *j, *next;

	tell_ends(w);
	HASH_ITER (hh, w->jobs, j, next)
		work_input_room(j);
	outputs_room(w->outputs);
}

void
work_limits(
    struct work *w, size_t output_chunk, size_t output_window, size_t keep)
{
	work_keep(w, keep);
	outputs_limits(w->outputs, output_chunk, output_window);
}

void
work_keep(struct work *w, size_t keep)
{
	w->keep = keep < WORK_KEEP_MAX ? keep : WORK_KEEP_MAX;
}
