/*
 * command_json - commands and agents as the control socket shows them
 */
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/str.h"

static void
put_outcome(json_t *o, const struct store_outcome *how)
{
	json_t *detail = NULL;

	js_put_int(o, "exit_code", how->exit_code, -1);
	js_put_int(o, "signal", how->signal, 0);
	js_put_int(o, "duration_ms", how->duration_ms, -1);
	js_put_int(o, "stdout_bytes", how->stdout_bytes, -1);
	js_put_int(o, "stderr_bytes", how->stderr_bytes, -1);
	js_put_str(o, "reason", how->reason);
	js_put_str(o, "error", how->error);
	if (how->detail != NULL)
		detail = js_read_object(how->detail, strlen(how->detail), NULL);
	if (detail != NULL)
		json_object_update_missing(o, detail);
	json_decref(detail);
}

struct shown {
	const char *id, *agent, *type, *asker, *method;
	enum command_state state;
	int priority;
	int64_t created_ms, updated_ms;
	unsigned attempts;
	int64_t run_at_ms, expires_ms, late_ms;
	const char *schedule;
};

static json_t *
show(const struct shown *s)
{
	json_t *o = json_object();
	const char *method = s->method != NULL ? s->method : "queued";

	js_put_str(o, "command_id", s->id);
	js_put_str(o, "agent", s->agent);
	js_put_str(o, "type", s->type);
	js_put_str(o, "state", state_word(s->state));
	js_put_str(
	    o, "priority", priority_word((enum command_priority)s->priority));
	js_put_time(o, "created_at", s->created_ms);
	js_put_time(o, "updated_at", s->updated_ms);
	js_put_int(o, "attempts", s->attempts, -1);
	js_put_str(o, "delivery_method", method);
	json_object_set_new(o, "delivered_via_websocket",
	    json_boolean(str_eq(method, "websocket")));
	js_put_str(o, "asker", s->asker);
	js_put_time(o, "run_at", s->run_at_ms);
	js_put_time(o, "expires_at", s->expires_ms);
	js_put_str(o, "schedule_id", s->schedule);
	js_put_int(o, "late_ms", s->late_ms, 0);
	return o;
}

/* How it was sent, or will be at once. */
static const char *
route(const struct command *c)
{
	const struct agent *a = c->agent;

	if (c->method != NULL)
		return c->method;
	if (c->end == NULL && a->kind == LINK_WEBSOCKET && a->greeted)
		return link_word(LINK_WEBSOCKET);
	if (c->end == NULL && agent_polls(a))
		return link_word(LINK_POLL);
	return NULL;
}

json_t *
command_json(const struct command *c)
{
	struct shown s = { c->id, c->agent->id, c->type, c->asker, route(c),
		c->state, (int)c->priority, c->created_ms, c->updated_ms,
		c->attempts, c->run_at_ms, c->expires_ms, c->late_ms,
		c->schedule };
	json_t *o = show(&s);

	if (c->end != NULL)
		put_outcome(o, &c->end->outcome);
	return o;
}

json_t *
command_stored_json(const struct store_command *c)
{
	struct shown s = { c->id, c->agent, c->type, c->asker, c->method,
		c->state, c->priority, c->created_ms, c->updated_ms,
		c->attempts, c->run_at_ms, c->expires_ms, c->late_ms,
		c->schedule };
	json_t *o = show(&s);

	put_outcome(o, &c->outcome);
	js_put_str(o, "digest", c->digest);
	if (c->cleared)
		json_object_set_new(o, "cleared", json_true());
	return o;
}

json_t *
command_history_json(const struct store_history *h, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		js_put_str(o, h[i].is_note ? "note" : "state",
		    h[i].is_note ? h[i].note : state_word(h[i].state));
		js_put_time(o, "at", h[i].at_ms);
		js_put_str(o, "method", h[i].method);
		if (!h[i].is_note)
			js_put_str(o, "text", h[i].note);
		json_array_append_new(list, o);
	}
	return list;
}

static void
put_about(json_t *o, const struct agent *a)
{
	static const char *const keys[] = { "version", "handlers", NULL };

	for (int i = 0; a->about != NULL && keys[i] != NULL; i++) {
		json_t *v = json_object_get(a->about, keys[i]);

		if (v != NULL)
			json_object_set(o, keys[i], v);
	}
	json_object_set_new(o, "tags", agent_tags(a));
	json_object_set_new(o, "own_tags", agent_tags_own(a));
	json_object_set_new(o, "given_tags",
	    a->tags != NULL ? json_copy(a->tags) : json_array());
	if (a->skew_known)
		json_object_set_new(
		    o, "clock_skew_ms", json_integer(a->skew_ms));
}

/* One that commands only wait for has not. */
static bool
ever_seen(const struct agent *a)
{
	return a->last_ms > a->first_ms || a->messages_in > 0 ||
	       a->kind != LINK_NONE;
}

json_t *
agent_json(const struct agent *a, bool full)
{
	bool up = a->kind == LINK_WEBSOCKET, polls = agent_polls(a);
	json_t *o = json_object();

	js_put_str(o, "agent", a->id);
	js_put_str(o, "status", up ? "online" : polls ? "polling" : "offline");
	json_object_set_new(o, "connected", json_boolean(up));
	js_put_str(o, "link",
	    link_word(up      ? LINK_WEBSOCKET
		      : polls ? LINK_POLL
			      : LINK_NONE));
	json_object_set_new(o, "ews", json_boolean(a->ours));
	js_put_str(o, "instance", a->instance[0] != '\0' ? a->instance : NULL);
	put_about(o, a);
	js_put_time(o, "first_seen", a->first_ms);
	if (ever_seen(a))
		js_put_time(o, "last_seen", a->last_ms);
	if (up) {
		js_put_time(o, "connected_at", a->connected_ms);
		js_put_str(o, "address", a->address);
	}
	js_put_int(o, "pending_commands", (int64_t)a->waiting, -1);
	js_put_int(o, "messages_sent", (int64_t)a->messages_out, -1);
	js_put_int(o, "messages_received", (int64_t)a->messages_in, -1);
	js_put_time(o, "last_ping_at", a->ping_ms);
	if (full && a->status != NULL)
		json_object_set(o, "last_status", a->status);
	if (full && a->config != NULL)
		json_object_set(o, "pending_config", a->config);
	return o;
}
