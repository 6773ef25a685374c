/*
 * door_admit - may this head come in? (PROTOCOL 2.2, ABUSE A, I, N, O)
 *
 * In the order of what it costs: place, route, credentials, limits. What
 * it answers tells nobody whether an id or a token exists.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/agents.h"
#include "ewsd/door/door_priv.h"
#include "ewsd/settings.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

struct admission {
	struct door_net *door;
	const struct head *head;
	const struct ws_peer *peer;
	struct ws_verdict *verdict;
	struct visit *visit;
};

static void add_line(struct ws_verdict *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
add_line(struct ws_verdict *v, const char *fmt, ...)
{
	size_t len = strlen(v->headers);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->headers + len, sizeof v->headers - len, fmt, ap);
	va_end(ap);
	str_copy(v->headers + strlen(v->headers),
	    sizeof v->headers - strlen(v->headers), "\r\n");
}

/* The foreign systems' shape; 'why' is for people, and static. */
static bool
refuse(struct admission *m, int status, const char *why)
{
	struct ws_verdict *v = m->verdict;

	v->status = status;
	str_copy(v->why, sizeof v->why, why);
	snprintf(v->body, sizeof v->body, "{\"detail\":\"%s\"}", why);
	return false;
}

static bool
refuse_later(struct admission *m, int status, int64_t wait_s, const char *why)
{
	core_stats(m->door->config.core)->refused_limit++;
	add_line(m->verdict, "Retry-After: %lld",
	    (long long)(wait_s > 0 ? wait_s : 1));
	return refuse(m, status, why);
}

/* A name that nobody configured may be an attacker's that points here: on
 * loopback, and wherever names are configured (ABUSE O). */
static bool
place_ok(struct admission *m)
{
	const struct door_net *d = m->door;

	if ((m->peer->loopback || d->host_names[0] != NULL) &&
	    !gate_host_ok(m->head, d->host_names)) {
		core_stats(d->config.core)->refused_form++;
		return refuse(m, 421, "Misdirected Request");
	}
	if (!gate_origin_ok(m->head, d->origins)) {
		core_stats(d->config.core)->refused_auth++;
		return refuse(m, 403, "Origin not allowed");
	}
	if (core_draining(d->config.core))
		return refuse_later(m, 503, 1, "Service Restart");
	return true;
}

static bool
route_ok(struct admission *m)
{
	const struct head *h = m->head;
	struct visit *v = m->visit;
	char part[ROUTE_PART_SIZE], allow[ROUTE_ALLOW_SIZE];

	v->route = route_find(h->method, h->upgrade, h->path, m->peer->dialect,
	    v->part, v->allow);
	if (v->route != NULL)
		return true;
	if (v->allow[0] == '\0' || h->upgrade)
		return refuse(m, 404, "Not Found");
	if (str_eq(h->method, "OPTIONS"))
		return true;
	if (str_eq(h->method, "GET") &&
	    route_find("GET", true, h->path, m->peer->dialect, part, allow)) {
		add_line(m->verdict, "Upgrade: websocket");
		return refuse(m, 426, "Upgrade Required");
	}
	add_line(m->verdict, "Allow: %s", v->allow);
	return refuse(m, 405, "Method Not Allowed");
}

/* ---- credentials ------------------------------------------------------ */

/* Do they differ only as "+" and space do (PROTOCOL 2.1)? */
static bool
differ_by_plus(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if (*a != *b &&
		    !((*a == '+' && *b == ' ') || (*a == ' ' && *b == '+')))
			return false;
	return *a == *b;
}

/* The id that the handshake names; NULL: none, or two. Freed by the
 * caller. */
static char *
claimed_id(const struct head *h)
{
	const char *header = gate_header(h, "X-Edge-Agent-Id");
	char *id = gate_query(h, "edge_agent_id");

	if (id == NULL || header == NULL || str_eq(id, header))
		return id;
	if (!differ_by_plus(id, header)) {
		free(id);
		return NULL;
	}
	free(id);
	return mem_dup(header);
}

static bool
has_signature(const struct head *h)
{
	return gate_header(h, "Authorization") == NULL &&
	       gate_header(h, "X-Signature") != NULL &&
	       gate_header(h, "X-Timestamp") != NULL &&
	       gate_header(h, "X-Edge-Agent-Id") != NULL;
}

bool
door_signature_ok(struct door_net *d, const struct head *h, const char *body,
    size_t len, struct auth_who *who)
{
	struct auth_signed s = { gate_header(h, "X-Edge-Agent-Id"),
		gate_header(h, "X-Timestamp"), gate_header(h, "X-Signature"),
		h->method, h->target, body, len };

	return auth_signature(d->config.auth, &s, who) == AUTH_OK;
}

static bool
refuse_failure(struct admission *m, int status, const char *why)
{
	int wait_s = auth_failed(m->door->config.auth, m->peer->address);

	core_stats(m->door->config.core)->refused_auth++;
	if (wait_s > 0)
		return refuse_later(m, 429, wait_s, "Too Many Requests");
	return refuse(m, status, why);
}

/* For clients that test for it: accept, then close with 4001. */
static bool
refuse_upgrade(struct admission *m, const char *why)
{
	bool after = conf_bool(m->door->config.conf, SET_accept_close);

	if (refuse_failure(m, 403, why) || m->verdict->status != 403 || !after)
		return false;
	memset(m->verdict, 0, sizeof *m->verdict);
	m->visit->refuse = why;
	return true;
}

static bool
upgrade_ok(struct admission *m, const char *id)
{
	const struct head *h = m->head;
	const char *bearer = gate_header(h, "Authorization");
	struct auth_who *who = &m->visit->who;
	enum auth_answer answer;

	if (id == NULL || !id_name_ok(id))
		return refuse_upgrade(m, "Edge agent not registered");
	if (has_signature(h))
		answer = door_signature_ok(m->door, h, "", 0, who) ? AUTH_OK
								   : AUTH_WRONG;
	else
		answer = auth_bearer(m->door->config.auth, bearer, id, who);
	if (answer == AUTH_OK) {
		str_copy(who->id, sizeof who->id, id);
		return true;
	}
	agent_refused(m->door->config.core, id, m->peer->address,
	    answer == AUTH_MISSING ? "no credential" : "wrong credential");
	if (answer == AUTH_MISSING) {
		log_limited(m->peer->address, LOG_WARN,
		    "WebSocket connection rejected: missing auth header");
		return refuse_upgrade(
		    m, "Missing or invalid Authorization header");
	}
	log_limited(m->peer->address, LOG_WARN,
	    "Token verification failed for edge_agent_id=%s", log_q(id));
	return refuse_upgrade(m, "Invalid token");
}

/* Our own agents are not counted: they know when to come back. */
static bool
upgrade_now(struct admission *m)
{
	const char *id = m->visit->who.id;
	int64_t wait_ms = 0;
	int wait_s;

	if (m->visit->refuse != NULL)
		return true;
	m->visit->ours = gate_list_has(
	    gate_header(m->head, "Sec-WebSocket-Protocol"), EDGE_SUBPROTOCOL);
	if (!agent_admit(m->door->config.core, id, &wait_ms)) {
		agent_refused(m->door->config.core, id, m->peer->address,
		    "two agents use this id");
		return refuse_later(
		    m, 503, (wait_ms + 999) / 1000, "Two agents use this id");
	}
	wait_s = m->visit->ours ? 0 : edge_connect_rate(m->door->edge, id);
	if (wait_s > 0) {
		agent_refused(m->door->config.core, id, m->peer->address,
		    "too many connection attempts");
		return refuse_later(m, 429, wait_s, "Too Many Requests");
	}
	if (m->visit->ours)
		m->verdict->subprotocol = EDGE_SUBPROTOCOL;
	return true;
}

static bool
edge_ok(struct admission *m)
{
	const struct head *h = m->head;
	const char *id = gate_header(h, "X-Edge-Agent-Id");
	enum auth_answer answer;

	if (has_signature(h)) {
		m->visit->signature = true;
		return true;
	}
	answer = auth_bearer(m->door->config.auth,
	    gate_header(h, "Authorization"), id, &m->visit->who);
	if (answer == AUTH_OK)
		return true;
	agent_refused(m->door->config.core, id, m->peer->address,
	    answer == AUTH_MISSING ? "no credential" : "wrong credential");
	if (answer == AUTH_MISSING)
		return refuse_failure(
		    m, 401, "Unauthorized - missing relay authentication");
	log_limited(m->peer->address, LOG_WARN,
	    "Token verification failed for edge_agent_id=%s",
	    log_q(id != NULL ? id : "?"));
	return refuse_failure(m, 403, "Forbidden");
}

static enum auth_answer
judge_admin(struct admission *m)
{
	return auth_admin(m->door->config.auth,
	    gate_header(m->head, "X-Admin-Key"),
	    gate_header(m->head, "Authorization"), &m->visit->who);
}

static bool
admin_ok(struct admission *m)
{
	switch (judge_admin(m)) {
	case AUTH_OK:
		return true;
	case AUTH_MISSING:
		return refuse_failure(m, 401, "Unauthorized");
	default:
		return refuse_failure(m, 403, "Forbidden");
	}
}

static bool
who_ok(struct admission *m)
{
	char *id;
	bool ok;

	if (m->visit->route == NULL)
		return true;
	if (m->head->upgrade) {
		id = claimed_id(m->head);
		ok = upgrade_ok(m, id) && upgrade_now(m);
		free(id);
		return ok;
	}
	switch (m->visit->route->auth) {
	case ROUTE_EDGE:
		return edge_ok(m);
	case ROUTE_ADMIN:
		return admin_ok(m);
	case ROUTE_EITHER:
		if (gate_header(m->head, "X-Admin-Key") != NULL)
			return admin_ok(m);
		return judge_admin(m) == AUTH_OK || edge_ok(m);
	default:
		return true;
	}
}

/* ---- bodies ----------------------------------------------------------- */

/* application/json, in UTF-8 if anything is said of that. */
static bool
is_json(const char *type)
{
	static const char json[] = "application/json";
	const char *charset;

	if (type == NULL || strncasecmp(type, json, sizeof json - 1) != 0)
		return false;
	type += sizeof json - 1;
	if (*type != '\0' && *type != ';' && *type != ' ')
		return false;
	charset = strcasestr(type, "charset=");
	if (charset == NULL)
		return true;
	charset += strlen("charset=");
	charset += *charset == '"';
	return strncasecmp(charset, "utf-8", 5) == 0;
}

static bool
body_ok(struct admission *m)
{
	const struct conf *conf = m->door->config.conf;
	int64_t max = conf_int(conf, SET_max_body);

	if (m->visit->route == NULL || m->head->upgrade ||
	    m->head->content_length <= 0)
		return true;
	if (!str_eq(m->visit->route->method, "POST"))
		max = 1; /* nobody looks at it */
	else if (!is_json(gate_header(m->head, "Content-Type")))
		return refuse(m, 415, "Unsupported Media Type");
	else if (str_eq(m->visit->route->path, "/edge/sync") &&
		 max < conf_int(conf, SET_max_message))
		max = conf_int(conf, SET_max_message);
	m->verdict->body_max = max;
	if (m->head->content_length > max)
		return refuse(m, 413, "Content Too Large");
	return true;
}

void
door_admit(void *arg, const struct head *head, const struct ws_peer *peer,
    struct ws_verdict *verdict)
{
	struct admission m = { arg, head, peer, verdict,
		mem_alloc(sizeof *m.visit) };

	if (place_ok(&m) && route_ok(&m) && who_ok(&m) && body_ok(&m))
		verdict->who = m.visit;
	else
		free(m.visit);
}

void
door_who_gone(void *arg, void *who)
{
	(void)arg;
	free(who);
}

void
door_refused(void *arg, const struct ws_peer *peer, int status, const char *why)
{
	struct door_net *d = arg;
	struct stats *st = core_stats(d->config.core);

	(void)peer; /* the transport logs it */
	(void)why;
	if (status == 503)
		st->refused_limit++;
	else
		st->refused_form++;
}
