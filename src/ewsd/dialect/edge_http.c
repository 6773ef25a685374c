/*
 * edge_http - the HTTP calls of agents and producers (PROTOCOL 2.8)
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/dialect/edge_ack.h"
#include "ewsd/dialect/edge_priv.h"
#include "ewsd/settings.h"
#include "lib/id.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* An id in a URL may have lost its "+" to a space (PROTOCOL 2.1). */
static bool
same_id(const char *a, const char *b)
{
	for (; *a != '\0' || *b != '\0'; a++, b++)
		if ((*a == '+' ? ' ' : *a) != (*b == '+' ? ' ' : *b))
			return false;
	return true;
}

static void
too_many(struct call *call, int wait_s)
{
	const struct conf *conf = call->edge->config.conf;
	char rate[64], after[16];
	json_t *o;

	snprintf(rate, sizeof rate, "%lld per 1 minute",
	    (long long)conf_int(conf, SET_agent_requests));
	snprintf(after, sizeof after, "%d", wait_s);
	http_add_header(call->req, "Retry-After", after);
	core_stats(call->core)->refused_limit++;
	o = json_pack(
	    "{s:s,s:s}", "error", "Too Many Requests", "detail", rate);
	http_answer_json(call->req, 429, o);
	json_decref(o);
}

bool
edge_identify(struct call *call, const char **id)
{
	const struct auth_who *who = call->who;
	const char *body;
	int wait_s;

	if (!call_str_maybe(call, "edge_agent_id", &body))
		return false;
	*id = who->id[0] != '\0' ? who->id : body;
	if (body != NULL && !id_name_ok(body)) {
		call_invalid(call->req, "edge_agent_id",
		    "value is not a valid name", "value_error");
		return false;
	}
	if (body != NULL && *id != body && !str_eq(body, who->id) &&
	    (who->bound || !same_id(body, who->id))) {
		core_stats(call->core)->refused_auth++;
		call_detail(call->req, 403, "Forbidden");
		return false;
	}
	if (*id == NULL || who->admin ||
	    str_eq(js_str(call->body, "protocol"), EDGE_SUBPROTOCOL))
		return true;
	wait_s = edge_request_rate(call->edge, *id);
	if (wait_s > 0)
		too_many(call, wait_s);
	return wait_s == 0;
}

/* An ack on its way to the disk. */
struct acking {
	struct http_request *req; /* NULL: the peer has gone */
	struct core *core;
	json_t *body;
};

static void
acking_gone(void *arg)
{
	struct acking *k = arg;

	k->req = NULL;
}

static void
acknowledged(void *arg)
{
	static const char body[] = "{\"acknowledged\":true}";
	struct acking *k = arg;

	if (k->req != NULL)
		http_answer(
		    k->req, 200, "application/json", body, sizeof body - 1);
	json_decref(k->body);
	free(k);
}

static void
ack_from(struct acking *k, struct agent *a)
{
	struct edge_ack e;

	if (a == NULL || !edge_ack_read(&e, k->body, a->ours)) {
		core_stats(k->core)->acks_late++;
		acknowledged(k);
		return;
	}
	agent_heard(a);
	command_acked(k->core, a, &e.ack, acknowledged, k);
	edge_ack_fini(&e);
}

static void
ack_stored(void *arg, const struct store_command *c,
    const struct store_history *history, size_t n, const struct err *err)
{
	struct acking *k = arg;

	(void)history;
	(void)n;
	(void)err;
	ack_from(k, c != NULL ? agent_find(k->core, c->agent) : NULL);
}

/* The documented body names no agent, and the raw secret none either: then
 * it is whose command it is. */
static void
ack_anonymous(struct acking *k, const char *command_id)
{
	struct command *c = command_find(k->core, command_id);

	if (c != NULL)
		ack_from(k, c->agent);
	else if (!store_get(
		     core_store(k->core), command_id, ack_stored, k, NULL))
		ack_from(k, NULL);
}

void
edge_call_ack(struct call *call)
{
	const char *id, *command_id;
	struct acking *k;

	if (!call_str(call, "command_id", &command_id) ||
	    !edge_identify(call, &id))
		return;
	k = mem_alloc(sizeof *k);
	k->req = call->req;
	k->core = call->core;
	k->body = json_incref(call->body);
	http_on_gone(call->req, acking_gone, k);
	if (id != NULL)
		ack_from(k, agent_find(call->core, id));
	else
		ack_anonymous(k, command_id);
}

void
edge_call_heartbeat(struct call *call)
{
	static const char body[] = "{\"status\":\"ok\"}";
	struct err err = ERR_INIT;
	const char *id;
	struct agent *a;

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
	agent_heard(a);
	http_answer(call->req, 200, "application/json", body, sizeof body - 1);
}

static bool
id_of_phone(char out[32], const char *phone)
{
	size_t digits = phone[0] == '+' ? strspn(phone + 1, "0123456789") : 0;

	if (digits < 2 || digits > 15 || phone[1] == '0' ||
	    phone[1 + digits] != '\0')
		return false;
	snprintf(out, 32, "edge_%s", phone + 1);
	return true;
}

bool
edge_call_phone(struct call *call, const char **phone, char id[32])
{
	if (!call_str(call, "user_phone", phone))
		return false;
	if (id_of_phone(id, *phone))
		return true;
	call_invalid(call->req, "user_phone",
	    "string does not match regex \"^\\+[1-9]\\d{1,14}$\"",
	    "value_error.str.regex");
	return false;
}

static void
not_registered(struct call *call)
{
	const char *address = http_peer(call->req)->address;
	int wait_s = auth_failed(call->edge->config.auth, address);
	char after[16];

	core_stats(call->core)->refused_auth++;
	log_limited(
	    address, LOG_WARN, "registration refused for %s", log_q(address));
	if (wait_s == 0) {
		call_detail(call->req, 403, "Invalid registration token");
		return;
	}
	snprintf(after, sizeof after, "%d", wait_s);
	http_add_header(call->req, "Retry-After", after);
	call_detail(call->req, 429, "Too Many Requests");
}

void
edge_call_register(struct call *call)
{
	const char *phone, *token, *other;
	struct err err = ERR_INIT;
	char id[32], *made;
	json_t *o;

	if (!call_str_maybe(call, "registration_token", &token) ||
	    !call_str_maybe(call, "auth_token", &other))
		return;
	if (token == NULL)
		token = other;
	if (token == NULL) {
		call_invalid(call->req, "registration_token", "field required",
		    "value_error.missing");
		return;
	}
	if (!edge_call_phone(call, &phone, id))
		return;
	if (!auth_registration(call->edge->config.auth, token, id)) {
		not_registered(call);
		return;
	}
	if (agent_get(call->core, id, &err) == NULL) {
		call_problem(call->req, &err);
		return;
	}
	made = auth_token(call->edge->config.auth, id, phone);
	o = json_pack("{s:s,s:s}", "edge_agent_id", id, "auth_token", made);
	http_answer_json(call->req, 200, o);
	json_decref(o);
	free(made);
}
