/* what the hub says in a session: steps, output, gaps, the end */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/emit.h"
#include "ewsctl/session_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/prog.h"
#include "lib/str.h"

static const char *const streams[] = { "stdout", "stderr" };

static int
stream_number(const char *name)
{
	return str_eq(name, streams[1]) ? 1 : 0;
}

/* Lost output is told even to who wants it quiet. */
static void
tell_gap(struct session *s, int stream, int64_t bytes)
{
	struct err e = ERR_INIT;

	s->gap = true;
	emit_room(STDERR_FILENO, -1);
	err_set(&e, EXIT_IO, "io", "%" PRId64 " byte%s of %s %s gone", bytes,
	    bytes == 1 ? "" : "s", streams[stream], bytes == 1 ? "is" : "are");
	prog_fail(&e);
}

static void
jump(struct session *s, int stream, int64_t to)
{
	if (to <= s->passed[stream])
		return;
	tell_gap(s, stream, to - s->passed[stream]);
	s->passed[stream] = to;
}

static void
on_gap(struct session *s, const json_t *record)
{
	s->ask->out->record(record);
	jump(s, stream_number(js_str(record, "gap")), js_int(record, "to", 0));
}

/* The bytes of a piece, on the heap; NULL if it has none. */
static char *
bytes_of(const json_t *record, size_t *len)
{
	const json_t *text = js_get(record, "data");
	const char *coded = js_str(record, "data64");
	char *bytes;

	if (json_is_string(text)) {
		*len = json_string_length(text);
		return mem_dupn(json_string_value(text), *len);
	}
	if (coded == NULL || (bytes = mem_try(strlen(coded) + 1)) == NULL)
		return NULL;
	if (str_unb64(bytes, strlen(coded) + 1, coded, len))
		return bytes;
	free(bytes);
	return NULL;
}

/* The rest of a piece whose front came before. */
static void
pass_rest(struct session *s, int stream, const char *bytes, size_t len)
{
	char *coded = str_b64(bytes, len);
	json_t *rest = json_pack("{s:s, s:s, s:I, s:s}", "command_id", s->id,
	    "stream", streams[stream], "offset", (json_int_t)s->passed[stream],
	    "data64", coded);

	s->ask->out->record(rest);
	json_decref(rest);
	free(coded);
}

static void
on_output(struct session *s, const json_t *record)
{
	int stream = stream_number(js_str(record, "stream"));
	int64_t offset = js_int(record, "offset", s->passed[stream]), front;
	size_t len = 0;
	char *bytes = bytes_of(record, &len);

	if (bytes == NULL)
		return;
	jump(s, stream, offset);
	front = s->passed[stream] - offset;
	if (front == 0)
		s->ask->out->record(record);
	else if (front < (int64_t)len)
		pass_rest(s, stream, bytes + front, len - (size_t)front);
	if (front < (int64_t)len)
		s->passed[stream] = offset + (int64_t)len;
	free(bytes);
}

static void
on_presence(struct session *s, const json_t *record)
{
	const char *name = s->agent != NULL ? s->agent : "its agent";
	bool away = str_eq(js_str(record, "agent"), "away");

	s->ask->out->record(record);
	session_say(
	    s, away ? "%s is away; waiting for it" : "%s is back", name);
}

/* A watch begins with the step that we heard of already. */
static void
on_step(struct session *s, const json_t *record)
{
	const char *step = js_str(record, "state");

	if (str_eq(step, s->step))
		return;
	str_copy(s->step, sizeof s->step, step);
	s->ask->out->record(record);
}

static void
on_input(struct session *s, const json_t *record)
{
	if (s->input == NULL || input_told(s->input, record, s->err))
		return;
	session_signal(s, "TERM");
	input_close(s->input);
}

/* A hub that stops still answers: that is no way to be back. */
static void
is_back(struct session *s)
{
	backoff_reset(&s->backoff);
	if (s->lost)
		session_say(s, "the hub is back");
	s->lost = false;
}

static void
on_record(struct session *s, const json_t *record)
{
	if (js_str(record, "command_id") != NULL)
		s->known = true;
	is_back(s);
	if (js_str(record, "stream") != NULL)
		on_output(s, record);
	else if (js_str(record, "gap") != NULL)
		on_gap(s, record);
	else if (js_get(record, "input") != NULL)
		on_input(s, record);
	else if (js_str(record, "agent") != NULL)
		on_presence(s, record);
	else if (js_str(record, "state") != NULL)
		on_step(s, record);
	else
		s->ask->out->record(record);
}

/* The signal that Ctrl-C stands for. */
static void
on_cancel_answer(struct session *s, const json_t *answer)
{
	struct err e = ERR_INIT;

	s->cancel_id = 0;
	if (ctl_failed(answer, &e) && !str_eq(e.code, "too_late"))
		session_say(s, "%s", e.text);
}

static void
on_input_answer(struct session *s, const json_t *answer)
{
	struct err e = ERR_INIT;

	if (s->input == NULL || !ctl_failed(answer, &e))
		return;
	input_close(s->input);
	if (!str_eq(e.code, "too_late"))
		session_say(s, "stdin: %s", e.text);
}

static void
on_end(struct session *s, const json_t *answer)
{
	struct err e = ERR_INIT;

	if (!ctl_failed(answer, &e)) {
		is_back(s);
		s->result = json_incref(js_get(answer, "result"));
		if (s->result == NULL)
			s->result = json_object();
		s->over = true;
	} else if (s->known && e.status == EXIT_RETRY) {
		session_lost(s, &e); /* it stops: perhaps to start again */
	} else {
		bool on = s->id != NULL && e.status == EXIT_DEADLINE;

		err_set(s->err, e.status, e.code, "%.400s%s%s", e.text,
		    on ? "; to follow it: ewsctl attach " : "",
		    on ? s->id : "");
		s->over = true;
	}
}

void
session_take(struct session *s, const json_t *answer)
{
	const json_t *record = js_get(answer, "record");
	int64_t id = js_int(answer, "id", s->request_id);

	if (record != NULL)
		on_record(s, record);
	else if (id == s->request_id)
		on_end(s, answer);
	else if (id == s->ping_id)
		is_back(s);
	else if (id == s->cancel_id)
		on_cancel_answer(s, answer);
	else
		on_input_answer(s, answer);
}

/* What the agent or the hub did not keep comes from nobody. */
void
session_check_output(struct session *s)
{
	static const char *const written[] = { "stdout_bytes", "stderr_bytes" };

	for (int i = 0; s->stream && i < 2; i++)
		jump(s, i, js_int(s->result, written[i], 0));
}
