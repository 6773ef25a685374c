/*
 * edge_admin - what administrators ask about agents (PROTOCOL 2.8)
 */
#include <string.h>
#include <utlist.h>

#include "ewsd/dialect/edge_priv.h"
#include "lib/clock.h"
#include "lib/id.h"
#include "lib/json.h"

static void
add_connected(void *arg, struct agent *a)
{
	if (a->kind == LINK_WEBSOCKET)
		json_array_append_new(arg, json_string(a->id));
}

static json_int_t
average_age(const struct edge *e)
{
	int64_t now = core_mono(e->config.core), sum = 0;
	const struct edge_link *l;

	DL_FOREACH (e->links, l)
		sum += now - l->opened_mono;
	return e->n_links > 0 ? sum / e->n_links / 1000 : 0;
}

void
edge_call_stats(struct call *call)
{
	const struct stats *st = core_stats(call->core);
	json_t *ids = json_array(), *o;

	agent_each(call->core, add_connected, ids);
	o = json_pack("{s:I,s:o,s:I,s:I,s:I}", "active_connections",
	    (json_int_t)json_array_size(ids), "connected_agents", ids,
	    "total_messages_sent", (json_int_t)st->messages_out,
	    "total_messages_received", (json_int_t)st->messages_in,
	    "average_connection_duration_seconds", average_age(call->edge));
	http_answer_json(call->req, 200, o);
	json_decref(o);
}

static json_t *
time_or_null(int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	return ms > 0 ? json_string(clock_text(text, ms)) : json_null();
}

static json_t *
websocket_json(const struct agent *a)
{
	bool up = a->kind == LINK_WEBSOCKET;
	int64_t age_ms = core_wall(a->core) - a->connected_ms;

	return json_pack("{s:b,s:o,s:I,s:I,s:I,s:o}", "connected", up,
	    "connected_at", time_or_null(up ? a->connected_ms : 0),
	    "connection_duration_seconds",
	    (json_int_t)(up && age_ms > 0 ? age_ms / 1000 : 0), "messages_sent",
	    (json_int_t)a->messages_out, "messages_received",
	    (json_int_t)a->messages_in, "last_ping_at",
	    time_or_null(a->ping_ms));
}

/* "status" and the like are the same words as on the control socket. */
void
edge_call_agent(struct call *call)
{
	const struct agent *a =
	    id_name_ok(call->part) ? agent_find(call->core, call->part) : NULL;
	json_t *o, *full;

	if (a == NULL) {
		call_detail(call->req, 404, "Edge agent not found");
		return;
	}
	full = agent_json(a, false);
	o = json_pack("{s:s,s:O,s:o,s:I,s:O*,s:o}", "edge_agent_id", a->id,
	    "status", js_get(full, "status"), "last_seen",
	    time_or_null(a->last_ms), "pending_commands",
	    (json_int_t)a->waiting, "last_status", a->status, "websocket",
	    websocket_json(a));
	json_decref(full);
	http_answer_json(call->req, 200, o);
	json_decref(o);
}
