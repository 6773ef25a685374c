/*
 * ctl_input - "input": bytes for the standard input of a handler
 */
#include <string.h>
#include <utlist.h>

#include "ewsd/dialect/ctl_priv.h"
#include "ewsd/dialect/edge_output.h"
#include "lib/exit.h"
#include "lib/json.h"

/* The send or watch with "stdin" that the same connection has open. */
static struct ctl_ask *
sender_of(const struct ctl_ask *ask, const char *id, struct err *err)
{
	struct ctl_ask *other;

	DL_FOREACH (ask->dialect->asks, other)
		if (ask->sink.peer != NULL &&
		    other->sink.peer == ask->sink.peer &&
		    other->watcher.input != NULL &&
		    strcmp(other->command_id, id) == 0)
			break;
	if (other == NULL)
		err_set(err, EXIT_DATA, "bad_argument",
		    "this connection has no send or watch of %s with stdin",
		    id);
	else if (other->watcher.command == NULL)
		err_set(err, EXIT_NEGATIVE, "too_late",
		    "command %s has ended already", id);
	else
		return other;
	return NULL;
}

static bool
take_chunk(const json_t *request, struct input_chunk *k, struct err *err)
{
	const json_t *text = js_get(request, "data");
	const json_t *b64 = js_get(request, "data64");
	const json_t *data = text != NULL ? text : b64;

	k->offset = -1;
	if (!js_take_int(
		request, "offset", 0, COMMAND_OFFSET_MAX, &k->offset, err) ||
	    !js_take_bool(request, "eof", &k->eof, err))
		return false;
	k->b64 = text == NULL && b64 != NULL;
	k->data = data != NULL ? json_string_value(data) : "";
	k->len = k->bytes = json_string_length(data);
	if (k->b64 && k->len > 0 && k->data != NULL)
		k->bytes = edge_b64_bytes(k->data, k->len);
	if (k->offset < 0 || k->data == NULL || (text != NULL && b64 != NULL) ||
	    (k->len > 0 && k->bytes == 0)) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "input: needs an offset, and data or data64 or eof");
		return false;
	}
	return true;
}

void
ctl_op_input(struct ctl_ask *ask, const json_t *request)
{
	struct input_chunk k = { 0 };
	struct err err = ERR_INIT;
	struct ctl_ask *sender;
	const char *id;

	if (ctl_need_str(request, "command_id", &id, &err) &&
	    take_chunk(request, &k, &err) &&
	    (sender = sender_of(ask, id, &err)) != NULL &&
	    command_input(&sender->watcher, &k, &err))
		ask_reply(ask, json_object());
	else
		ask_fail(ask, &err);
}
