/*
 * ctl_watch - "watch": steps and output of a command
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/agents.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

#define YEAR_MS (366 * INT64_C(86400000))

enum { CHUNK = 32 * 1024 };

static const char *const streams[] = { "stdout", "stderr" };

/* ---- what a watcher is told --------------------------------------------- */

static bool
reached(const struct ctl_ask *ask, const struct command *c)
{
	switch (ask->until) {
	case CMD_ACCEPTED:
		return true;
	case CMD_DONE:
		return state_is_end(c->state);
	default:
		return c->state >= ask->until;
	}
}

static void
answer(struct ctl_ask *ask, const json_t *command)
{
	json_t *result = json_copy((json_t *)command);

	json_object_set_new(result, "duplicate", json_boolean(ask->duplicate));
	ask_reply(ask, result);
}

static void
answer_now(struct ctl_ask *ask, const struct command *c)
{
	json_t *o = command_json(c);

	answer(ask, o);
	json_decref(o);
}

/* Takes 'o'. */
static void
record(struct ctl_ask *ask, json_t *o)
{
	if (ask->sink.record != NULL)
		ask->sink.record(ask->sink.arg, o, ask, -1, 0);
	json_decref(o);
}

static void
record_step(struct ctl_ask *ask, const struct command *c)
{
	char at[CLOCK_TEXT_SIZE];

	record(ask,
	    json_pack("{s:s,s:s,s:s}", "command_id", c->id, "state",
		state_word(c->state), "at", clock_text(at, c->updated_ms)));
}

static void
on_step(struct watcher *w, const struct command *c)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;

	record_step(ask, c);
	if (reached(ask, c))
		answer_now(ask, c);
}

static void
on_presence(struct watcher *w, const struct command *c, bool away)
{
	record((struct ctl_ask *)w, json_pack("{s:s,s:s}", "command_id", c->id,
					"agent", away ? "away" : "back"));
}

static void
on_accepted(struct watcher *w, const struct command *c, bool duplicate,
    const struct err *err)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;

	if (err != NULL) {
		ask_fail(ask, err);
		return;
	}
	str_copy(ask->command_id, sizeof ask->command_id, c->id);
	ask->duplicate = duplicate;
	if (ask->until == CMD_ACCEPTED) {
		answer_now(ask, c);
	} else if (c->end == NULL) { /* or on_ended comes */
		w->away = agent_away(c->agent);
		if (w->away)
			on_presence(w, c, true);
		on_step(w, c);
	}
}

static void
on_input(struct watcher *w, const struct command *c, int64_t offset,
    bool resume, bool closed)
{
	json_t *o = json_pack(
	    "{s:s,s:I}", "command_id", c->id, "input", (json_int_t)offset);
	size_t window = core_limits(c->core)->input_window;

	if (resume) {
		json_object_set_new(o, "resume", json_true());
		json_object_set_new(
		    o, "window", json_integer((json_int_t)window));
	}
	if (closed)
		json_object_set_new(o, "closed", json_true());
	record((struct ctl_ask *)w, o);
}

/* ---- output ---------------------------------------------------------------- */

static json_t *
output_json(const char *id, int stream, int64_t offset)
{
	return json_pack("{s:s,s:s,s:I}", "command_id", id, "stream",
	    streams[stream], "offset", (json_int_t)offset);
}

static void
on_output(struct watcher *w, const struct command *c, enum output_stream stream,
    int64_t offset, const char *data, size_t len, bool b64, size_t bytes)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;
	json_t *o = output_json(c->id, (int)stream, offset);

	json_object_set_new(
	    o, b64 ? "data64" : "data", json_stringn(data, len));
	ask->sink.record(
	    ask->sink.arg, o, ask, (int)stream, offset + (int64_t)bytes);
	json_decref(o);
}

/* Until where there was something to be had, -1: nobody knows. */
static int64_t
total(const json_t *command, int stream)
{
	static const char *const kept[] = { "stdout_kept", "stderr_kept" };
	static const char *const bytes[] = { "stdout_bytes", "stderr_bytes" };

	return js_int(
	    command, kept[stream], js_int(command, bytes[stream], -1));
}

static bool
misses_output(const struct ctl_ask *ask, const json_t *command)
{
	const struct watcher *w = &ask->watcher;

	return w->output != NULL && (w->from[0] < total(command, 0) ||
					w->from[1] < total(command, 1));
}

static void
record_gap(struct ctl_ask *ask, int stream, int64_t upto)
{
	int64_t *from = &ask->watcher.from[stream];

	if (*from >= upto)
		return;
	record(ask, json_pack("{s:s,s:s,s:I,s:I}", "command_id",
			ask->command_id, "gap", streams[stream], "from",
			(json_int_t)*from, "to", (json_int_t)upto));
	*from = upto;
}

static void
record_bytes(struct ctl_ask *ask, int stream, const char *bytes, size_t len)
{
	json_t *o =
	    output_json(ask->command_id, stream, ask->watcher.from[stream]);

	if (str_utf8(bytes, len, false)) {
		json_object_set_new(o, "data", json_stringn(bytes, len));
	} else {
		char *b64 = str_b64(bytes, len);

		json_object_set_new(o, "data64", json_string(b64));
		free(b64);
	}
	ask->watcher.from[stream] += (int64_t)len;
	record(ask, o);
}

static void
record_kept(struct ctl_ask *ask, int stream, const struct store_kept *kept)
{
	int64_t *from = &ask->watcher.from[stream];
	const char *at = kept->streams[stream].bytes, *end;

	if (kept->streams[stream].len == 0)
		return;
	end = at + kept->streams[stream].len;
	record_gap(ask, stream, kept->streams[stream].first);
	if (*from - kept->streams[stream].first >= end - at)
		return;
	at += *from - kept->streams[stream].first;
	while (at < end) {
		size_t len = (size_t)(end - at);

		if (len > CHUNK && (len = str_utf8_cut(at, CHUNK)) == 0)
			len = CHUNK;
		record_bytes(ask, stream, at, len);
		at += len;
	}
}

static void
on_kept(void *arg, const struct store_kept *kept, const struct err *err)
{
	struct ctl_ask *ask = arg;

	(void)err; /* then it is all a gap */
	if (!ask_from_store(ask))
		return;
	for (int s = 0; s < 2; s++) {
		if (kept != NULL)
			record_kept(ask, s, kept);
		record_gap(ask, s, total(ask->result, s));
	}
	answer(ask, ask->result);
}

/* The end of one that the agent has no more of: what the disk has kept, and
 * what is missing. */
static void
answer_kept(struct ctl_ask *ask, const json_t *command)
{
	struct err err = ERR_INIT;

	if (!misses_output(ask, command)) {
		answer(ask, command);
		return;
	}
	ask->result = json_copy((json_t *)command);
	ask_to_store(ask);
	if (!store_kept(
		core_store(ask_core(ask)), ask->command_id, on_kept, ask, &err))
		on_kept(ask, NULL, &err);
}

static void
on_ended(struct watcher *w, const struct command *c, const json_t *result)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;

	record_step(ask, c);
	answer_kept(ask, result);
}

/* ---- reading the request -------------------------------------------------- */

static bool
take_until(struct ctl_ask *ask, const char *word, struct err *err)
{
	static const enum command_state steps[] = { CMD_ACCEPTED, CMD_DELIVERED,
		CMD_RECEIVED, CMD_STARTED, CMD_DONE };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (strcmp(state_word(steps[i]), word) == 0) {
			ask->until = steps[i];
			return true;
		}
	}
	err_set(err, EXIT_DATA, "bad_argument",
	    "wait: must be accepted, delivered, received, started or done");
	return false;
}

static bool
take_streams(struct ctl_ask *ask, const json_t *request, struct err *err)
{
	bool stream = false, input = false;
	int64_t *from = ask->watcher.from;

	if (!js_take_bool(request, "stream", &stream, err) ||
	    !js_take_bool(request, "stdin", &input, err) ||
	    !js_take_int(
		request, "stdout_from", 0, COMMAND_OFFSET_MAX, &from[0], err) ||
	    !js_take_int(
		request, "stderr_from", 0, COMMAND_OFFSET_MAX, &from[1], err))
		return false;
	if ((stream || input) && ask->sink.record == NULL) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "%s: only the control socket can",
		    stream ? "stream" : "stdin");
		return false;
	}
	if (stream)
		ask->watcher.output = on_output;
	if (input)
		ask->watcher.input = on_input;
	return true;
}

bool
ask_take_watch(struct ctl_ask *ask, const json_t *request, const char *wait,
    struct err *err)
{
	int64_t timeout = 0, max = ask->sink.wait_max_ms;
	const char *until = wait;

	ask->watcher = (struct watcher){ .accepted = on_accepted,
		.step = on_step,
		.presence = on_presence,
		.ended = on_ended };
	if (!js_take_str(request, "wait", &until, err) ||
	    !take_until(ask, until, err) || !take_streams(ask, request, err) ||
	    !js_take_int(request, "timeout_ms", 1, YEAR_MS, &timeout, err))
		return false;
	if (max > 0 && (timeout == 0 || timeout > max))
		timeout = max;
	if (timeout > 0)
		ask->deadline = core_mono(ask_core(ask)) + timeout;
	return true;
}

/* ---- watch --------------------------------------------------------------- */

static bool
takes_input(struct ctl_ask *ask, const struct command *c)
{
	struct err err = ERR_INIT;

	if (ask->watcher.input == NULL || c->end != NULL ||
	    (c->flags & STORE_STDIN))
		return true;
	err_set(&err, EXIT_DATA, "bad_argument",
	    "stdin: command %s was sent without", c->id);
	ask_fail(ask, &err);
	return false;
}

static void
watch_live(struct ctl_ask *ask, struct command *c)
{
	if (!takes_input(ask, c))
		return;
	if (agent_away(c->agent))
		on_presence(&ask->watcher, c, true);
	if (c->end != NULL && ask->watcher.output == NULL) {
		answer_now(ask, c);
	} else if (c->end != NULL) {
		command_watch(c, &ask->watcher); /* or on_ended comes at once */
	} else {
		command_watch(c, &ask->watcher);
		if (c->stored)
			on_step(&ask->watcher, c);
	}
}

/* More than what was kept: its agent may still have it, if this hub has
 * just come up and the reader with it. */
static struct command *
ask_the_agent(struct ctl_ask *ask, const struct store_command *c,
    const struct store_history *h, size_t n)
{
	struct core *core = ask_core(ask);
	int64_t keep = (int64_t)core_limits(core)->output_keep;
	const int64_t *from = ask->watcher.from;

	if (ask->watcher.output == NULL ||
	    (c->outcome.stdout_bytes - from[0] <= keep &&
		c->outcome.stderr_bytes - from[1] <= keep))
		return NULL;
	return command_revive(core, c, h, n);
}

static void
watch_ended(struct ctl_ask *ask, const struct store_command *c,
    const struct store_history *h, size_t n)
{
	struct command *again = ask_the_agent(ask, c, h, n);
	json_t *o;

	if (again != NULL) {
		watch_live(ask, again);
		return;
	}
	o = command_stored_json(c);
	answer_kept(ask, o);
	json_decref(o);
}

static void
on_stored(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *err)
{
	struct ctl_ask *ask = arg;
	struct err none = ERR_INIT;

	if (!ask_from_store(ask))
		return;
	if (c != NULL) {
		watch_ended(ask, c, h, n);
		return;
	}
	err_set(&none, EXIT_NEGATIVE, "command_unknown", "no command %s",
	    ask->command_id);
	ask_fail(ask, err != NULL ? err : &none);
}

void
ctl_op_watch(struct ctl_ask *ask, const json_t *request)
{
	struct core *core = ask_core(ask);
	struct err err = ERR_INIT;
	struct command *c;
	const char *id;

	if (!ctl_need_str(request, "command_id", &id, &err) ||
	    !ask_take_watch(ask, request, "done", &err)) {
		ask_fail(ask, &err);
		return;
	}
	str_copy(ask->command_id, sizeof ask->command_id, id);
	c = command_find(core, id);
	if (c != NULL) {
		watch_live(ask, c);
		return;
	}
	ask_to_store(ask);
	if (!store_get(core_store(core), id, on_stored, ask, &err))
		ask_store_failed(ask, &err);
}
