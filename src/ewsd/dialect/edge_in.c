/*
 * edge_in - what comes from an agent, by WebSocket or as frames of a poll
 *
 * No error frames on this path: they would only fill the agent's log
 * (PROTOCOL 2.6). What makes no sense is counted and logged.
 */
#include <string.h>

#include "ewsd/dialect/edge_ack.h"
#include "ewsd/dialect/edge_output.h"
#include "ewsd/dialect/edge_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/str.h"

enum { STATUS_MAX = 16384, HELLO_MAX = 16384 };

struct taking {
	struct edge_link *link;
	const json_t *message, *fields;
	command_saved_fn *saved;
	void *arg;
	bool awaits; /* 'saved' will be told */
};

static void
bad(const struct taking *t, const char *what)
{
	const char *id = t->link->agent->id;

	core_stats(t->link->edge->config.core)->messages_bad++;
	log_limited(id, LOG_WARN, "Edge agent %s: %s", log_q(id), what);
}

static void
take_ping(struct taking *t)
{
	struct agent *a = t->link->agent;

	a->ping_ms = core_wall(t->link->edge->config.core);
	if (t->link->client != NULL)
		edge_send(t->link, "pong", NULL, OUTQ_CONTROL);
}

static void
take_nothing(struct taking *t)
{
	(void)t;
}

static void
take_ack(struct taking *t)
{
	struct edge_ack e;

	if (!edge_ack_read(&e, t->fields, t->link->ours)) {
		bad(t, "command_ack without a command_id");
		return;
	}
	if (e.ack.word == ACK_NOTE)
		bad(t, "command_ack without a known status");
	t->awaits = t->saved != NULL;
	command_acked(t->link->edge->config.core, t->link->agent, &e.ack,
	    t->saved, t->arg);
	edge_ack_fini(&e);
}

/* Does its text stay below 'max'? */
static bool
is_small(const json_t *o, size_t max)
{
	return json_dumpb(o, NULL, 0, JSON_COMPACT) <= max;
}

void
edge_take_status(struct edge_link *l, const json_t *status)
{
	if (!json_is_object(status) || !is_small(status, STATUS_MAX))
		return;
	json_decref(l->agent->status);
	l->agent->status = json_deep_copy(status);
}

static void
take_status(struct taking *t)
{
	if (t->fields != t->message)
		edge_take_status(t->link, t->fields);
}

void
edge_take_hello(struct edge_link *l, const json_t *o)
{
	const char *instance = js_str(o, "instance");
	int64_t window = js_int(o, "window", 0);

	if (!is_small(o, HELLO_MAX)) {
		log_limited(l->agent->id, LOG_WARN,
		    "Edge agent %s: hello is too large", log_q(l->agent->id));
		return;
	}
	if (instance != NULL && strlen(instance) >= sizeof l->agent->instance)
		instance = NULL;
	l->greeted = true;
	if (edge_time(js_get(o, "time")) > 0)
		agent_clock(l->agent, edge_time(js_get(o, "time")));
	agent_hello(l->agent, instance, o,
	    window > 0 && window < 1000000 ? (size_t)window : 0);
}

static void
take_hello(struct taking *t)
{
	edge_take_hello(t->link, t->fields);
	agent_attach_outputs(t->link->agent);
	agent_pump(t->link->agent);
}

static void
pass_output(struct edge_link *l, const struct edge_output *o)
{
	command_output(l->edge->config.core, l->agent, o->id, o->stream,
	    o->offset, o->data, o->len, o->b64, o->bytes);
}

static void
take_output(struct taking *t)
{
	const json_t *o = t->fields, *data = js_get(o, "data");
	const char *id = js_str(o, "command_id"), *stream = js_str(o, "stream");
	struct edge_output out = { .offset = js_int(o, "offset", -1),
		.b64 = data == NULL };

	if (data == NULL)
		data = js_get(o, "data64");
	out.data = json_string_value(data);
	out.len = out.bytes = json_string_length(data);
	if (out.b64 && out.data != NULL)
		out.bytes = edge_b64_bytes(out.data, out.len);
	if (id == NULL || stream == NULL || out.offset < 0 || out.bytes == 0 ||
	    out.bytes > EDGE_CHUNK || !str_copy(out.id, sizeof out.id, id) ||
	    !edge_stream_from(stream, strlen(stream), &out.stream)) {
		bad(t, "output that makes no sense");
		return;
	}
	pass_output(t->link, &out);
}

static void
take_input_ack(struct taking *t)
{
	const json_t *o = t->fields;
	const char *id = js_str(o, "command_id");

	if (id == NULL) {
		bad(t, "input_ack without a command_id");
		return;
	}
	command_input_acked(t->link->edge->config.core, t->link->agent, id,
	    &(struct input_ack){ .offset = js_int(o, "offset", -1),
		.taken = js_int(o, "taken", 0),
		.resume = js_bool(o, "resume", false),
		.eof = js_bool(o, "eof", false),
		.closed = js_bool(o, "closed", false) });
}

bool
edge_take_output(struct edge_link *l, char *text, size_t len)
{
	struct edge_output o;

	if (!l->ours || !edge_output_read(text, len, &o))
		return false;
	if (o.bytes <= EDGE_CHUNK)
		pass_output(l, &o);
	else
		core_stats(l->edge->config.core)->messages_bad++;
	return true;
}

static const struct {
	const char *type;
	bool ours; /* needs ews.v1 */
	void (*take)(struct taking *);
} types[] = {
	{ "output", true, take_output },
	{ "input_ack", true, take_input_ack },
	{ "command_ack", false, take_ack },
	{ "ping", false, take_ping },
	{ "pong", true, take_nothing },
	{ "status", false, take_status },
	{ "hello", true, take_hello },
};

bool
edge_take(struct edge_link *l, const json_t *message, command_saved_fn *saved,
    void *arg)
{
	const char *type = js_str(message, "type");
	struct taking t = { l, message, edge_fields(message), saved, arg,
		false };

	for (size_t i = 0; type != NULL && i < sizeof types / sizeof *types;
	     i++) {
		if (strcmp(types[i].type, type) == 0 &&
		    (l->ours || !types[i].ours)) {
			types[i].take(&t);
			return t.awaits;
		}
	}
	core_stats(l->edge->config.core)->messages_bad++;
	log_limited(l->agent->id, LOG_WARN,
	    "Unknown message type: %s (from %s)",
	    log_q(type != NULL ? type : "none"), log_q(l->agent->id));
	return false;
}
