#include "ewsagent/work_priv.h"
#include "lib/log.h"

/* With what is on its way to the pipe. */
static uint64_t
taken_of(const struct job *j)
{
	uint64_t taken = j->run != NULL ? run_input_offset(j->run) : 0;

	return taken > j->input_done ? taken : j->input_done;
}

/* The offset is what the handler's pipe has, not what is on its way there:
 * so the window bounds both (repeats are dropped by run_input). */
static void
tell(struct job *j, bool resume)
{
	struct work *w = j->owner;
	json_t *data = json_pack("{s:s, s:I}", "command_id", j->id, "offset",
	    (json_int_t)j->input_done);

	if (resume) {
		json_object_set_new(data, "resume", json_true());
		json_object_set_new(
		    data, "taken", json_integer((json_int_t)taken_of(j)));
		if (j->run != NULL && run_input_eof(j->run))
			json_object_set_new(data, "eof", json_true());
	}
	if (j->input_closed)
		json_object_set_new(data, "closed", json_true());
	j->input_owed = !w->config.events->input_ack(w->config.arg, data);
	json_decref(data);
}

/* Of an adopted one the shim says first how far it is. */
void
work_input_ready(struct job *j)
{
	if (!j->input || j->input_known || j->adopted)
		return;
	j->input_known = true;
	tell(j, true);
}

void
work_input_taken(struct job *j, uint64_t offset, bool closed)
{
	bool first = !j->input_known;

	if (!j->input)
		return;
	j->input_known = true;
	j->input_done = offset;
	j->input_closed = closed;
	tell(j, first && !closed);
}

void
work_input_resume(struct job *j)
{
	if (!j->input || !j->input_known || j->state != JOB_RUNNING)
		return;
	j->input_gap = false;
	tell(j, !j->input_closed);
}

void
work_input_room(struct job *j)
{
	if (j->input_owed && j->state == JOB_RUNNING)
		tell(j, !j->input_closed);
}

static void
refuse(struct work *w, const char *id, uint64_t offset)
{
	json_t *data = json_pack("{s:s, s:I, s:b}", "command_id", id, "offset",
	    (json_int_t)offset, "closed", 1);

	w->config.events->input_ack(w->config.arg, data);
	json_decref(data);
}

static bool
fits(const struct job *j, uint64_t offset, size_t len)
{
	uint64_t end = j->input_done + WORK_INPUT_WINDOW;

	return offset <= end && len <= end - offset;
}

void
work_input(struct work *w, const char *id, uint64_t offset, const char *bytes,
    size_t len, bool eof)
{
	struct job *j = work_find(w, id);

	if (j == NULL || j->state == JOB_ENDED || !j->input) {
		refuse(w, id, offset);
		return;
	}
	/* before it runs nobody takes it: work_input_ready asks for it */
	if (j->run == NULL || !j->input_known || j->probing)
		return;
	if (j->input_closed) {
		tell(j, false);
	} else if (fits(j, offset, len) &&
		   run_input(j->run, offset, bytes, len, eof)) {
		j->input_gap = false;
	} else if (!j->input_gap) {
		j->input_gap = true; /* once: more is on its way */
		log_debug("command %s: its input has a gap", log_q(id));
		tell(j, true);
	}
}
