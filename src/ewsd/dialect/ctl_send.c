/*
 * ctl_send - "send": a new command
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

/* ---- reading the request ------------------------------------------------ */

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
take_evict(const json_t *request, struct command_request *r, struct err *err)
{
	const char *word = NULL;

	if (!js_take_str(request, "evict", &word, err))
		return false;
	r->evict_oldest = str_eq(word, "oldest");
	if (word == NULL || r->evict_oldest)
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "evict: must be oldest");
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
	       take_priority(request, r, err) && take_evict(request, r, err) &&
	       ask_take_watch(ask, request, "accepted", err);
}

void
ctl_op_send(struct ctl_ask *ask, const json_t *request)
{
	struct command_request r = { .asker = ask->asker };
	char *payload = NULL, *timed = NULL, *argv = NULL;
	struct err err = ERR_INIT;

	if (!take_send(ask, request, &r, &err) ||
	    !take_argv(request, &argv, &err) ||
	    !take_payload(ask, request, &payload, &r, &err) ||
	    !ctl_take_time(ask, request, &r, &timed, &err)) {
		if (!err_isset(&err))
			err_set(&err, EXIT_RETRY, "too_many", "out of memory");
		ask_fail(ask, &err);
	} else {
		r.argv = argv;
		r.stream = ask->watcher.output != NULL;
		r.stdin_stream = ask->watcher.input != NULL;
		if (js_get(request, "cron") != NULL)
			ctl_send_cron(ask, request, &r);
		else if (!command_submit(
			     ask_core(ask), &r, &ask->watcher, &err))
			ask_fail(ask, &err);
	}
	free(payload);
	free(timed);
	free(argv);
}
