/*
 * edge_sync - POST /edge/sync: the whole protocol by polling
 */
#include <string.h>

#include "ewsd/dialect/edge_sync.h"
#include "ewsd/settings.h"
#include "lib/json.h"
#include "lib/str.h"

/* Every id is acknowledged, so that the agent stops repeating it. */
static bool
take_events(struct sync *s, struct call *call)
{
	json_t *list = js_get(call->body, "pending_events"), *event;
	const char *field = "pending_events";
	size_t i;

	if (list == NULL) {
		list = js_get(call->body, "events");
		field = "events";
	}
	if (list != NULL && !json_is_array(list)) {
		call_invalid(call->req, field, "value is not a valid list",
		    "type_error.list");
		return false;
	}
	json_array_foreach(list, i, event)
	{
		json_t *id = js_get(event, "event_id");

		if (json_is_string(id))
			json_array_append(s->events, id);
	}
	return true;
}

static void
take_frames(struct sync *s, const json_t *frames)
{
	const json_t *frame;
	size_t i;

	json_array_foreach(frames, i, frame)
	{
		s->pending++; /* before: it may be told at once */
		if (!edge_take(&s->link, frame, sync_saved, s))
			s->pending--;
	}
}

/* How long it may be held, in milliseconds. */
static int64_t
wait_of(const struct call *call, bool ours)
{
	int64_t max = conf_int(call->edge->config.conf, SET_poll_wait_max);
	json_t *wait = js_get(call->body, "wait");
	double ms = json_number_value(wait) * 1000;

	if (!ours || !(ms > 0))
		return 0;
	return ms < (double)max ? (int64_t)ms : max;
}

/* First the frames, with the link closed to commands: they may be about
 * commands that would otherwise be sent again right now. */
static void
begin(struct sync *s, struct call *call)
{
	struct agent *a = s->link.agent;
	struct link_about about = { LINK_POLL,
		s->link.ours ? &edge_ops_ours : &edge_ops_foreign, &s->link,
		s->link.ours, js_str(call->body, "instance"),
		http_peer(call->req)->address };
	const char *last = js_str(call->body, "last_command_id");
	json_t *hello = js_get(call->body, "hello");
	bool attach = a->kind != LINK_WEBSOCKET;

	sync_begin(s, call->req);
	agent_heard(a);
	edge_take_status(&s->link, js_get(call->body, "status"));
	if (last != NULL)
		command_passed(call->core, a, last);
	if (attach)
		agent_attach(a, &about);
	if (s->link.ours && json_is_object(hello)) {
		s->hello = true;
		edge_take_hello(&s->link, hello);
	}
	if (s->link.ours)
		take_frames(s, js_get(call->body, "frames"));
	if (attach && a->link == &s->link) {
		s->attached = true;
		agent_attach_outputs(a);
		agent_pump(a);
	} else {
		s->until = 0; /* its WebSocket has all the news */
	}
}

void
edge_call_sync(struct call *call)
{
	bool ours = str_eq(js_str(call->body, "protocol"), EDGE_SUBPROTOCOL);
	struct err err = ERR_INIT;
	const char *id;
	struct agent *a;
	struct sync *s;

	if (!edge_identify(call, &id))
		return;
	if (id == NULL) {
		call_invalid(call->req, "edge_agent_id", "field required",
		    "value_error.missing");
		return;
	}
	a = agent_get(call->core, id, &err);
	if (a == NULL) {
		call_problem(call->req, &err);
		return;
	}
	s = sync_new(call->edge, a, ours, wait_of(call, ours));
	s->link.serial = call->who->serial;
	if (take_events(s, call))
		begin(s, call);
	else
		sync_free(s);
}
