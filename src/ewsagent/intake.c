#include "ewsagent/intake.h"

#include <stdlib.h>
#include <string.h>

#include "ewsagent/run_end.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { GRACE_MS = 5000, SIGNAL_TERM = 15 };

void
intake_command(
    struct intake *in, const json_t *data, enum intake_way way, bool v1)
{
	const char *id = js_str(data, "command_id");

	if (way == INTAKE_WEBSOCKET) {
		log_info("📥 WEBSOCKET COMMAND RECEIVED");
		log_info("📥 Received command via WebSocket: %s",
		    log_q(id != NULL ? id : "(no id)"));
	} else {
		log_info("📥 Received command via HTTP: %s",
		    log_q(id != NULL ? id : "(no id)"));
	}
	if (in->stopping)
		log_info("stopping: the command stays with the hub");
	else
		work_take(in->work, data, v1);
}

static void
acked(struct intake *in, const json_t *data)
{
	size_t i;
	json_t *id;

	json_array_foreach(
	    js_get(data, "command_ids"), i, id) if (json_is_string(id))
	    work_confirmed(in->work, json_string_value(id));
}

static void
output_ack(struct intake *in, const json_t *data)
{
	const char *id = js_str(data, "command_id");
	const char *stream = js_str(data, "stream");

	if (id != NULL)
		work_output_acked(in->work, id, stream != NULL ? stream : "",
		    js_int(data, "offset", 0), js_bool(data, "stop", false));
}

/* A stream that it does not name goes on from its start. */
static void
attach(struct intake *in, const json_t *data)
{
	const char *id = js_str(data, "command_id");
	int64_t out = js_int(data, "stdout", 0),
		err = js_int(data, "stderr", 0);

	if (id != NULL && out >= 0 && err >= 0)
		work_attach(in->work, id, (uint64_t)out, (uint64_t)err);
}

static void
input(struct intake *in, const json_t *data)
{
	const char *id = js_str(data, "command_id");
	const json_t *text = js_get(data, "data");
	const char *text64 = js_str(data, "data64");
	int64_t offset = js_int(data, "offset", -1);
	bool eof = js_bool(data, "eof", false);
	size_t len = text64 == NULL ? 0 : strlen(text64) / 4 * 3;
	char *bytes;

	if (id == NULL || offset < 0)
		return;
	if (json_is_string(text)) {
		work_input(in->work, id, (uint64_t)offset,
		    json_string_value(text), json_string_length(text), eof);
		return;
	}
	bytes = mem_try(len + 1);
	if (bytes == NULL)
		return;
	if (text64 == NULL || str_unb64(bytes, len + 1, text64, &len))
		work_input(in->work, id, (uint64_t)offset, bytes, len, eof);
	else
		log_limited("bad input", LOG_WARN,
		    "input of command %s is no base64", log_q(id));
	free(bytes);
}

static void
cancel(struct intake *in, const json_t *data)
{
	const char *id = js_str(data, "command_id");
	int64_t number = js_int(data, "signal", SIGNAL_TERM);
	int64_t grace = js_int(data, "grace_ms", GRACE_MS);

	if (id == NULL)
		return;
	if (number < 1 || number > 64)
		number = SIGNAL_TERM;
	if (grace < 0)
		grace = GRACE_MS;
	else if (grace > RUN_GRACE_MAX_MS)
		grace = RUN_GRACE_MAX_MS;
	work_cancel(in->work, id, (int)number, grace);
}

static void
ours(struct intake *in, const char *type, const json_t *data)
{
	if (str_eq(type, "hello"))
		in->events->hello(in->arg, data);
	else if (str_eq(type, "acked"))
		acked(in, data);
	else if (str_eq(type, "output_ack"))
		output_ack(in, data);
	else if (str_eq(type, "attach"))
		attach(in, data);
	else if (str_eq(type, "input"))
		input(in, data);
	else if (str_eq(type, "cancel"))
		cancel(in, data);
	else if (str_eq(type, "retry"))
		in->events->retry(in->arg, js_int(data, "after_ms", -1));
	else
		log_limited("unknown type", LOG_WARN,
		    "Unknown message type: %s", log_q(type));
}

void
intake_frame(
    struct intake *in, const json_t *frame, enum intake_way way, bool v1)
{
	const char *type = js_str(frame, "type");
	const json_t *data = js_get(frame, "data");

	if (type == NULL)
		type = "(none)";
	if (data == NULL) /* an older text has it so (PROTOCOL 2.4) */
		data = js_get(frame, "payload");
	if (str_eq(type, "pong"))
		in->events->pong(in->arg);
	else if (str_eq(type, "command"))
		intake_command(in, data, way, v1);
	else if (str_eq(type, "config_update"))
		in->events->config(in->arg, data);
	else if (v1)
		ours(in, type, data);
	else
		log_limited("unknown type", LOG_WARN,
		    "Unknown message type: %s", log_q(type));
}

void
intake_text(struct intake *in, char *text, size_t len, bool v1)
{
	struct err err = ERR_INIT;
	json_t *frame = js_read_object(text, len, &err);

	if (frame == NULL) {
		log_limited("bad message", LOG_WARN,
		    "a message of the hub is not understood: %s",
		    log_q(err.text));
		return;
	}
	intake_frame(in, frame, INTAKE_WEBSOCKET, v1);
	json_decref(frame);
}
