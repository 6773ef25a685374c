/*
 * edge_schedule - POST /edge/command/schedule: a message for an agent
 *
 * The answer comes when the command is on disk. An agent that was never
 * seen is queued for (PROTOCOL 2.8).
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/dialect/edge_ack.h"
#include "ewsd/dialect/edge_priv.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

#define YEAR_MS (366LL * 24 * 3600 * 1000)

struct schedule {
	struct watcher watcher; /* first */
	struct http_request *req; /* NULL: the peer has gone */
	json_t *send_at;
};

static void
schedule_free(struct schedule *s)
{
	watcher_stop(&s->watcher);
	json_decref(s->send_at);
	free(s);
}

static void
on_gone(void *arg)
{
	struct schedule *s = arg;

	s->req = NULL;
}

static void
answer(struct schedule *s, const struct command *c)
{
	bool direct = c->agent->kind == LINK_WEBSOCKET;
	json_t *o = json_pack("{s:s,s:s,s:O,s:b,s:s}", "status", "scheduled",
	    "command_id", c->id, "send_at", s->send_at,
	    "delivered_via_websocket", direct, "delivery_method",
	    direct ? "websocket" : "http");

	http_answer_json(s->req, 200, o);
	json_decref(o);
}

static void
on_accepted(struct watcher *w, const struct command *c, bool duplicate,
    const struct err *err)
{
	struct schedule *s = (struct schedule *)w;

	(void)duplicate; /* the id is ours and new */
	if (s->req != NULL && c != NULL)
		answer(s, c);
	else if (s->req != NULL)
		call_problem(s->req, err);
	schedule_free(s);
}

static void
on_ended(struct watcher *w, const struct command *c, const json_t *result)
{
	(void)w; /* not reached: nobody watches that long */
	(void)c;
	(void)result;
}

struct message {
	const char *phone, *thread, *text;
	json_t *send_at, *is_group;
	char id[129];
};

static bool
take_time(struct call *call, struct message *m)
{
	int64_t at;

	m->send_at = js_get(call->body, "send_at");
	if (m->send_at == NULL) {
		call_invalid(call->req, "send_at", "field required",
		    "value_error.missing");
		return false;
	}
	at = edge_time(m->send_at);
	if (at == 0) {
		call_invalid(call->req, "send_at", "invalid datetime format",
		    "value_error.datetime");
		return false;
	}
	if (at > core_wall(call->core) + YEAR_MS) {
		call_invalid(call->req, "send_at", "more than one year ahead",
		    "value_error.datetime");
		return false;
	}
	return true;
}

/* user_phone selects the agent unless edge_agent_id does. */
static bool
take_agent(struct call *call, struct message *m)
{
	const struct auth_who *who = call->who;
	const char *id;
	char of_phone[32];

	if (!call_str_maybe(call, "edge_agent_id", &id))
		return false;
	if (id == NULL || js_get(call->body, "user_phone") != NULL)
		if (!edge_call_phone(call, &m->phone, of_phone))
			return false;
	if (id == NULL)
		id = of_phone;
	if (!id_name_ok(id) || !str_copy(m->id, sizeof m->id, id)) {
		call_invalid(call->req, "edge_agent_id",
		    "value is not a valid name", "value_error");
		return false;
	}
	if (!who->admin && who->bound && !str_eq(who->id, m->id)) {
		core_stats(call->core)->refused_auth++;
		call_detail(call->req, 403, "Forbidden");
		return false;
	}
	return true;
}

static bool
take(struct call *call, struct message *m)
{
	if (!take_agent(call, m) || !call_str(call, "thread_id", &m->thread) ||
	    !call_str(call, "message_text", &m->text) || !take_time(call, m))
		return false;
	m->is_group = js_get(call->body, "is_group");
	if (m->is_group == NULL || json_is_boolean(m->is_group))
		return true;
	call_invalid(call->req, "is_group",
	    "value could not be parsed to a boolean", "type_error.bool");
	return false;
}

/* Agents read send_at as text only. */
static json_t *
time_text(const json_t *send_at)
{
	char text[CLOCK_TEXT_SIZE];

	if (json_is_string(send_at))
		return json_copy((json_t *)send_at);
	return json_string(clock_text(text, edge_time(send_at)));
}

static char *
payload_of(const struct message *m, const json_t *send_at)
{
	json_t *o = json_pack("{s:s,s:s,s:O}", "thread_id", m->thread,
	    "message_text", m->text, "send_at", send_at);
	char *text;

	if (m->is_group != NULL)
		json_object_set(o, "is_group", m->is_group);
	text = js_write(o);
	json_decref(o);
	return text;
}

static void
submit(struct call *call, const struct message *m)
{
	struct schedule *s = mem_alloc(sizeof *s);
	char id[4 + ID_UUID_SIZE] = "cmd_", asker[160];
	struct err err = ERR_INIT;
	char *payload;
	struct command_request r = { .agent = m->id,
		.type = "schedule_message",
		.id = id,
		.asker = asker,
		.priority = PRIO_NORMAL,
		.queue_unknown = true };

	id_uuid7(id + 4, core_wall(call->core));
	snprintf(asker, sizeof asker, "http:%s",
	    call->who->admin           ? "admin"
	    : call->who->id[0] != '\0' ? call->who->id
				       : "edge");
	s->watcher.accepted = on_accepted;
	s->watcher.ended = on_ended;
	s->req = call->req;
	s->send_at = time_text(m->send_at);
	r.payload = payload = payload_of(m, s->send_at);
	r.payload_len = payload != NULL ? strlen(payload) : 0;
	http_on_gone(s->req, on_gone, s);
	if (payload == NULL)
		err_set(&err, EXIT_RETRY, "queue_full", "out of memory");
	if (payload == NULL ||
	    !command_submit(call->core, &r, &s->watcher, &err)) {
		http_on_gone(s->req, NULL, NULL);
		call_problem(s->req, &err);
		schedule_free(s);
	}
	free(payload);
}

void
edge_call_schedule(struct call *call)
{
	struct message m = { 0 };

	if (take(call, &m))
		submit(call, &m);
}
