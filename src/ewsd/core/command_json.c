/*
 * command_json - commands and agents as the control socket shows them
 */
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/str.h"

static void
put_text(json_t *o, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(o, key, json_string(text));
}

static void
put_int(json_t *o, const char *key, int64_t n, int64_t none)
{
	if (n != none)
		json_object_set_new(o, key, json_integer(n));
}

static void
put_time(json_t *o, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (ms > 0)
		put_text(o, key, clock_text(text, ms));
}

static void
put_outcome(json_t *o, const struct store_outcome *how)
{
	json_t *detail = NULL;

	put_int(o, "exit_code", how->exit_code, -1);
	put_int(o, "signal", how->signal, 0);
	put_int(o, "duration_ms", how->duration_ms, -1);
	put_int(o, "stdout_bytes", how->stdout_bytes, -1);
	put_int(o, "stderr_bytes", how->stderr_bytes, -1);
	put_text(o, "reason", how->reason);
	put_text(o, "error", how->error);
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
};

static json_t *
show(const struct shown *s)
{
	json_t *o = json_object();
	const char *method = s->method != NULL ? s->method : "queued";

	put_text(o, "command_id", s->id);
	put_text(o, "agent", s->agent);
	put_text(o, "type", s->type);
	put_text(o, "state", state_word(s->state));
	put_text(
	    o, "priority", priority_word((enum command_priority)s->priority));
	put_time(o, "created_at", s->created_ms);
	put_time(o, "updated_at", s->updated_ms);
	put_int(o, "attempts", s->attempts, -1);
	put_text(o, "delivery_method", method);
	json_object_set_new(o, "delivered_via_websocket",
	    json_boolean(str_eq(method, "websocket")));
	put_text(o, "asker", s->asker);
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
		c->attempts };
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
		c->attempts };
	json_t *o = show(&s);

	put_outcome(o, &c->outcome);
	return o;
}

json_t *
command_history_json(const struct store_history *h, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		put_text(o, h[i].is_note ? "note" : "state",
		    h[i].is_note ? h[i].note : state_word(h[i].state));
		put_time(o, "at", h[i].at_ms);
		put_text(o, "method", h[i].method);
		if (!h[i].is_note)
			put_text(o, "text", h[i].note);
		json_array_append_new(list, o);
	}
	return list;
}

static void
put_about(json_t *o, const struct agent *a)
{
	static const char *const keys[] = { "version", "tags", "handlers",
		NULL };

	for (int i = 0; a->about != NULL && keys[i] != NULL; i++) {
		json_t *v = json_object_get(a->about, keys[i]);

		if (v != NULL)
			json_object_set(o, keys[i], v);
	}
}

json_t *
agent_json(const struct agent *a, bool full)
{
	bool up = a->kind == LINK_WEBSOCKET, polls = agent_polls(a);
	json_t *o = json_object();

	put_text(o, "agent", a->id);
	put_text(o, "status", up ? "online" : polls ? "polling" : "offline");
	json_object_set_new(o, "connected", json_boolean(up));
	put_text(o, "link",
	    link_word(up      ? LINK_WEBSOCKET
		      : polls ? LINK_POLL
			      : LINK_NONE));
	json_object_set_new(o, "ews", json_boolean(a->ours));
	put_text(o, "instance", a->instance[0] != '\0' ? a->instance : NULL);
	put_about(o, a);
	put_time(o, "first_seen", a->first_ms);
	put_time(o, "last_seen", a->last_ms);
	if (up) {
		put_time(o, "connected_at", a->connected_ms);
		put_text(o, "address", a->address);
	}
	put_int(o, "pending_commands", (int64_t)a->waiting, -1);
	put_int(o, "messages_sent", (int64_t)a->messages_out, -1);
	put_int(o, "messages_received", (int64_t)a->messages_in, -1);
	put_time(o, "last_ping_at", a->ping_ms);
	if (full && a->status != NULL)
		json_object_set(o, "last_status", a->status);
	if (full && a->config != NULL)
		json_object_set(o, "pending_config", a->config);
	return o;
}
