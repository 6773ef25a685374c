/*
 * ctl_send - "send" and "watch": commands, their steps and their output
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/agents.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

#define YEAR_MS (366 * INT64_C(86400000))

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

static void
record_step(struct ctl_ask *ask, const struct command *c)
{
	char at[CLOCK_TEXT_SIZE];
	json_t *o;

	if (ask->sink.record == NULL)
		return;
	o = json_pack("{s:s,s:s,s:s}", "command_id", c->id, "state",
	    state_word(c->state), "at", clock_text(at, c->updated_ms));
	ask->sink.record(ask->sink.arg, o, ask, -1, 0);
	json_decref(o);
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
	if (ask->until == CMD_ACCEPTED)
		answer_now(ask, c);
	else if (c->end == NULL) /* or on_ended comes at once */
		on_step(w, c);
}

static void
on_ended(struct watcher *w, const struct command *c, const json_t *result)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;

	record_step(ask, c);
	answer(ask, result);
}

static void
on_output(struct watcher *w, const struct command *c, enum output_stream stream,
    int64_t offset, const char *data, size_t len, bool b64, size_t bytes)
{
	struct ctl_ask *ask = (struct ctl_ask *)w;
	json_t *o = json_object();

	json_object_set_new(o, "command_id", json_string(c->id));
	json_object_set_new(o, "stream",
	    json_string(stream == OUTPUT_STDERR ? "stderr" : "stdout"));
	json_object_set_new(o, "offset", json_integer(offset));
	json_object_set_new(
	    o, b64 ? "data64" : "data", json_stringn(data, len));
	ask->sink.record(
	    ask->sink.arg, o, ask, (int)stream, offset + (int64_t)bytes);
	json_decref(o);
}

/* ---- reading the request ------------------------------------------------ */

static bool
take_until(struct ctl_ask *ask, const char *word, struct err *err)
{
	static const enum command_state steps[] = { CMD_ACCEPTED, CMD_DELIVERED,
		CMD_RECEIVED, CMD_DONE };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (strcmp(state_word(steps[i]), word) == 0) {
			ask->until = steps[i];
			return true;
		}
	}
	err_set(err, EXIT_DATA, "bad_argument",
	    "wait: must be accepted, delivered, received or done");
	return false;
}

/* What send and watch have in common. */
static bool
take_wait(struct ctl_ask *ask, const json_t *request, const char *otherwise,
    bool *stream, struct err *err)
{
	int64_t timeout = 0, max = ask->sink.wait_max_ms;
	const char *until = otherwise;

	if (!js_take_str(request, "wait", &until, err) ||
	    !take_until(ask, until, err) ||
	    !js_take_bool(request, "stream", stream, err) ||
	    !js_take_int(request, "timeout_ms", 1, YEAR_MS, &timeout, err))
		return false;
	if (*stream && ask->sink.record == NULL) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "stream: only the control socket can");
		return false;
	}
	if (max > 0 && (timeout == 0 || timeout > max))
		timeout = max;
	if (timeout > 0)
		ask->deadline = core_mono(ask_core(ask)) + timeout;
	ask->watcher = (struct watcher){ .accepted = on_accepted,
		.step = on_step,
		.output = *stream ? on_output : NULL,
		.ended = on_ended };
	return true;
}

static bool
take_argv(const json_t *request, char **argv, struct err *err)
{
	json_t *list = NULL, *item;
	size_t i;

	if (!js_take_array(request, "argv", &list, err))
		return false;
	if (list == NULL || json_array_size(list) == 0)
		return true; /* the same, so that a repeat is one */
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item)) {
			err_set(err, EXIT_DATA, "bad_argument",
			    "argv: must be an array of strings");
			return false;
		}
	}
	*argv = js_write(list);
	return *argv != NULL;
}

/* The payload's own bytes where we have them, so that 0.10 stays 0.10. */
static bool
take_payload(const struct ctl_ask *ask, const json_t *request, char **heap,
    struct command_request *r, struct err *err)
{
	json_t *payload = js_get(request, "payload");

	if (payload == NULL)
		return true;
	if (!json_is_object(payload)) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "payload: must be an object");
		return false;
	}
	if (ask->sink.text != NULL)
		r->payload = js_span(
		    ask->sink.text, ask->sink.len, "payload", &r->payload_len);
	if (r->payload != NULL)
		return true;
	r->payload = *heap = js_write(payload);
	r->payload_len = *heap != NULL ? strlen(*heap) : 0;
	return *heap != NULL;
}

static bool
take_priority(const json_t *request, struct command_request *r, struct err *err)
{
	const char *word = "normal";

	if (!js_take_str(request, "priority", &word, err))
		return false;
	if (priority_from(word, &r->priority))
		return true;
	err_set(err, EXIT_DATA, "bad_argument",
	    "priority: must be low, normal, high or immediate");
	return false;
}

static bool
take_send(struct ctl_ask *ask, const json_t *request, struct command_request *r,
    struct err *err)
{
	return ctl_need_str(request, "agent", &r->agent, err) &&
	       ctl_need_str(request, "type", &r->type, err) &&
	       js_take_str(request, "command_id", &r->id, err) &&
	       js_take_int(
		   request, "deadline_ms", 0, YEAR_MS, &r->deadline_ms, err) &&
	       js_take_bool(request, "at_least_once", &r->at_least_once, err) &&
	       js_take_bool(request, "queue_unknown", &r->queue_unknown, err) &&
	       take_priority(request, r, err) &&
	       take_wait(ask, request, "accepted", &r->stream, err);
}

void
ctl_op_send(struct ctl_ask *ask, const json_t *request)
{
	struct command_request r = { .asker = ask->asker };
	char *payload = NULL, *argv = NULL;
	struct err err = ERR_INIT;

	if (!take_send(ask, request, &r, &err) ||
	    !take_argv(request, &argv, &err) ||
	    !take_payload(ask, request, &payload, &r, &err)) {
		if (!err_isset(&err))
			err_set(&err, EXIT_RETRY, "too_many", "out of memory");
		ask_fail(ask, &err);
	} else {
		r.argv = argv;
		if (!command_submit(ask_core(ask), &r, &ask->watcher, &err))
			ask_fail(ask, &err);
	}
	free(payload);
	free(argv);
}

/* ---- watch --------------------------------------------------------------- */

static void
on_stored(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *err)
{
	struct ctl_ask *ask = arg;
	struct err none = ERR_INIT;

	(void)h;
	(void)n;
	if (!ask_from_store(ask))
		return;
	if (c != NULL) {
		json_t *o = command_stored_json(c);

		answer(ask, o);
		json_decref(o);
		return;
	}
	err_set(&none, EXIT_NEGATIVE, "command_unknown", "no command %s",
	    ask->command_id);
	ask_fail(ask, err != NULL ? err : &none);
}

static void
watch_live(struct ctl_ask *ask, struct command *c)
{
	if (c->end != NULL) {
		answer_now(ask, c);
		return;
	}
	command_watch(c, &ask->watcher);
	if (c->stored)
		on_step(&ask->watcher, c);
}

void
ctl_op_watch(struct ctl_ask *ask, const json_t *request)
{
	struct core *core = ask_core(ask);
	struct err err = ERR_INIT;
	bool stream = false;
	struct command *c;
	const char *id;

	if (!ctl_need_str(request, "command_id", &id, &err) ||
	    !take_wait(ask, request, "done", &stream, &err)) {
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
	if (!store_get(core_store(core), id, on_stored, ask, &err) &&
	    ask_from_store(ask))
		ask_fail(ask, &err);
}
