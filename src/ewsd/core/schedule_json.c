/* Schedules as the control socket shows them. */
#include <string.h>

#include "ewsd/core/schedule_priv.h"
#include "lib/clock.h"
#include "lib/json.h"

json_t *
schedule_json(const struct schedule *s, bool full)
{
	const struct store_schedule *r = &s->row;
	json_t *o = json_object(), *request;

	js_put_str(o, "schedule_id", s->id);
	js_put_str(o, "kind", "cron");
	js_put_str(o, "agent", r->agent);
	js_put_str(o, "type", r->type);
	js_put_str(o, "cron", r->cron);
	js_put_str(o, "tz", r->tz);
	json_object_set_new(o, "next", json_null());
	js_put_time(o, "next", schedule_next(s));
	json_object_set_new(o, "paused", json_boolean(r->paused));
	js_put_str(o, "late", r->late_skip ? "skip" : "run");
	js_put_time(o, "last", r->last_ms);
	js_put_str(o, "last_command_id", r->last_command);
	json_object_set_new(o, "fired", json_integer((json_int_t)r->fired));
	json_object_set_new(o, "missed", json_integer((json_int_t)r->missed));
	js_put_str(o, "asker", r->asker);
	js_put_time(o, "created_at", r->created_ms);
	if (!full)
		return o;
	request = js_read_deep(r->request, s->weight, JS_DEPTH_WRAPPED, NULL);
	if (request != NULL)
		json_object_update_missing(o, request);
	json_decref(request);
	return o;
}

static void
put_parsed(json_t *o, const char *key, const char *text, size_t len)
{
	json_t *v = text != NULL ? js_read(text, len, NULL) : NULL;

	if (v != NULL)
		json_object_set_new(o, key, v);
}

json_t *
command_plan_json(const struct command *c, bool full)
{
	json_t *o = json_object();

	js_put_str(o, "schedule_id", c->id);
	js_put_str(o, "kind", "once");
	js_put_str(o, "agent", c->agent->id);
	js_put_str(o, "type", c->type);
	js_put_str(o, "state", state_word(c->state));
	js_put_time(o, "next", c->run_at_ms);
	json_object_set_new(o, "paused", json_false());
	js_put_str(o, "late", c->flags & STORE_LATE_SKIP ? "skip" : "run");
	if (c->flags & STORE_AT_EDGE)
		json_object_set_new(o, "at_edge", json_true());
	json_object_set_new(o, "fired", json_integer(0));
	json_object_set_new(o, "missed", json_integer(0));
	js_put_str(o, "asker", c->asker);
	js_put_time(o, "created_at", c->created_ms);
	if (!full)
		return o;
	js_put_str(o, "priority", priority_word(c->priority));
	put_parsed(o, "payload", c->payload, c->payload_len);
	put_parsed(o, "argv", c->argv, c->argv != NULL ? strlen(c->argv) : 0);
	return o;
}
