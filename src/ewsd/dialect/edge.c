#include "ewsd/dialect/edge.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/dialect/edge_priv.h"
#include "ewsd/settings.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum {
	MINUTE_MS = 60000,
	NAMES_MAX = 20000, /* agents whose rates are remembered */
	LOOK_MS = 1000, /* between two looks at all links */
	PINGS_MAX = 50 /* application pings a second */
};

const char *const edge_subprotocols[] = { EDGE_SUBPROTOCOL, NULL };

static void
on_written(void *arg, uint64_t tag)
{
	struct client *client = arg;
	struct edge_link *l = client->dialect;
	struct command *c = command_by_tag(client->core, tag);

	if (c != NULL && l != NULL)
		log_info("Sent command %s to %s (type: %s)", log_q(c->id),
		    log_q(l->agent->id), c->type);
	command_written(client->core, tag);
}

static void
on_lost(void *arg, uint64_t tag)
{
	struct client *client = arg;

	command_unwritten(client->core, tag);
}

static void
on_drained(void *arg)
{
	struct client *client = arg;
	struct edge_link *l = client->dialect;

	if (l == NULL || client->state != CLIENT_OPEN || l->agent->link != l)
		return;
	agent_pump(l->agent);
	agent_input_room(l->agent);
}

/* One command fits whatever is set: or its link would be closed as too slow,
 * and the next one, for ever. */
static size_t
out_bytes(const struct conf *conf)
{
	size_t set = (size_t)conf_int(conf, SET_out_queue_bytes);
	/* its payload, its arguments, and what is around them */
	size_t one = 2 * (size_t)conf_int(conf, SET_max_payload) + 4096;

	return set > one ? set : one;
}

static struct rate *
per_minute(const struct edge_config *config, size_t setting)
{
	return rate_new(
	    (unsigned)conf_int(config->conf, setting), MINUTE_MS, NAMES_MAX);
}

struct edge *
edge_new(const struct edge_config *config)
{
	struct edge *e = mem_alloc(sizeof *e);

	e->config = *config;
	e->born_mono = core_mono(config->core);
	e->auth_generation = auth_generation(config->auth);
	e->out.max_bytes = out_bytes(config->conf);
	e->out.max_frames =
	    (uint32_t)conf_int(config->conf, SET_out_queue_frames);
	e->out.low_bytes = 1; /* told when empty: then agent_pump */
	e->out.written = on_written;
	e->out.lost = on_lost;
	e->out.drained = on_drained;
	e->connects = per_minute(config, SET_agent_connects);
	e->messages = per_minute(config, SET_agent_messages);
	e->requests = per_minute(config, SET_agent_requests);
	return e;
}

void
edge_free(struct edge *e)
{
	if (e == NULL)
		return;
	sync_abandon(e);
	rate_free(e->connects);
	rate_free(e->messages);
	rate_free(e->requests);
	free(e);
}

static int
seconds(int64_t ms)
{
	return (int)((ms + 999) / 1000);
}

int
edge_connect_rate(struct edge *e, const char *id)
{
	return seconds(rate_take(e->connects, id, core_mono(e->config.core)));
}

int
edge_request_rate(struct edge *e, const char *id)
{
	return seconds(rate_take(e->requests, id, core_mono(e->config.core)));
}

const struct outq_config *
edge_outq(struct edge *e)
{
	return &e->out;
}

unsigned
edge_count(const struct edge *e)
{
	return e->n_links;
}

int64_t
edge_uptime_ms(const struct edge *e)
{
	return core_mono(e->config.core) - e->born_mono;
}

static void
attach(struct edge_link *l, const struct edge_opening *o)
{
	struct link_about about = { LINK_WEBSOCKET,
		l->ours ? &edge_ops_ours : &edge_ops_foreign, l, l->ours,
		o->instance, o->address };
	struct edge *e = l->edge;
	struct agent *a = l->agent;
	unsigned long long n;

	l->client->dialect = l;
	DL_APPEND(e->links, l);
	e->n_links++;
	log_info("Edge agent %s connected from IP %s", log_q(a->id),
	    log_q(o->address));
	if (l->ours)
		edge_send_hello(l);
	a->last_ms = core_wall(e->config.core);
	agent_attach(a, &about);
	n = core_stats(e->config.core)->agents_connected;
	log_info("[WebSocket] Connected: %s (total: %llu), "
		 "Active connections: %llu",
	    log_q(a->id), n, n);
}

bool
edge_open(struct edge *e, struct client *client, const struct edge_opening *o)
{
	struct err err = ERR_INIT;
	struct agent *a = agent_get(e->config.core, o->who->id, &err);
	struct edge_link *l;

	if (a == NULL) {
		log_limited(o->address, LOG_WARN, "Edge agent %s refused: %s",
		    log_q(o->who->id), err.text);
		client_close(client, CLOSE_LATER, "no room for more agents");
		return false;
	}
	l = mem_alloc(sizeof *l);
	edge_link_init(l, e, a, o->ours);
	l->client = client;
	l->serial = o->who->serial;
	l->heard_ms = o->heard_ms;
	client->slow_code = l->ours ? CLOSE_SLOW : CLOSE_LATER;
	attach(l, o);
	return true;
}

/* Of one that was replaced nothing is said: its agent is still there. */
static void
log_closed(const struct edge_link *l)
{
	int64_t ms = core_mono(l->edge->config.core) - l->opened_mono;

	if (l->agent->link == l)
		log_info("Edge agent %s disconnected (duration: %llds)",
		    log_q(l->agent->id), (long long)ms / 1000);
}

void
edge_closed(struct client *client, int code, const char *reason)
{
	struct edge_link *l = client->dialect;
	char why[200];

	if (l == NULL)
		return;
	snprintf(why, sizeof why, "connection closed (%d%s%.100s)", code,
	    *reason != '\0' ? " " : "", reason);
	log_closed(l);
	client->dialect = NULL;
	agent_detach(l->agent, l, why);
	DL_DELETE(l->edge->links, l);
	l->edge->n_links--;
	edge_link_fini(l);
	free(l);
}

/* A pong for each ping, always (PROTOCOL 12.4), short of a flood. */
static bool
is_ping_flood(struct edge_link *l, const json_t *message)
{
	int64_t second = core_mono(l->edge->config.core) / 1000;

	if (!str_eq(js_str(message, "type"), "ping"))
		return false;
	if (second != l->ping_second) {
		l->ping_second = second;
		l->pings = 0;
	}
	return ++l->pings > PINGS_MAX;
}

/* Acks and pings must never be lost; the rest of a foreign agent's talk is
 * only information. */
static bool
is_too_much(struct edge_link *l, const json_t *message)
{
	const char *type = js_str(message, "type"), *id = l->agent->id;

	if (l->ours || str_eq(type, "ping") || str_eq(type, "command_ack"))
		return false;
	return rate_take(
		   l->edge->messages, id, core_mono(l->edge->config.core)) > 0;
}

void
edge_message(struct client *client, char *text, size_t len)
{
	struct edge_link *l = client->dialect;
	struct err err = ERR_INIT;
	json_t *message;

	if (l == NULL || client->state == CLIENT_CLOSING)
		return;
	agent_heard(l->agent);
	if (edge_take_output(l, text, len))
		return;
	message = js_read_object(text, len, &err);
	if (message == NULL) {
		core_stats(client->core)->messages_bad++;
		log_limited(l->agent->id, LOG_WARN,
		    "Edge agent %s: invalid JSON received: %s",
		    log_q(l->agent->id), err.text);
		return;
	}
	if (is_ping_flood(l, message)) {
		client_close(client, CLOSE_POLICY, "too many pings");
	} else if (is_too_much(l, message)) {
		core_stats(client->core)->messages_bad++;
		log_limited(l->agent->id, LOG_WARN,
		    "Edge agent %s: too many messages, not looked at",
		    log_q(l->agent->id));
	} else {
		edge_take(l, message, NULL, NULL);
	}
	json_decref(message);
}

void
edge_turn(struct edge *e)
{
	struct edge_link *l;

	while ((l = e->dirty) != NULL) {
		l->is_dirty = false;
		DL_DELETE2(e->dirty, l, dirty_prev, dirty_next);
		if (l->sync != NULL)
			sync_turn(l->sync);
		else if (l->client->state == CLIENT_OPEN)
			edge_link_flush(l, false);
	}
}

/* Foreign agents' silence is the transport's matter (edge-silence). */
static void
look_at(struct edge_link *l, bool secrets_changed)
{
	struct edge *e = l->edge;
	const struct conf *conf = e->config.conf;
	int64_t now = core_mono(e->config.core);

	if (l->client->state != CLIENT_OPEN)
		return;
	edge_link_flush(l, true);
	if (secrets_changed && !auth_still(e->config.auth, l->serial))
		client_close(l->client, CLOSE_POLICY, "Unauthorized");
	else if (!l->ours)
		return;
	else if (!l->greeted &&
		 now - l->opened_mono > conf_int(conf, SET_hello_timeout))
		client_close(l->client, CLOSE_POLICY, "no hello");
	else if (now - l->heard_ms(l->client->conn) >
		 conf_int(conf, SET_silence))
		client_close(
		    l->client, CLOSE_INTERNAL, "keepalive ping timeout");
}

void
edge_tick(struct edge *e)
{
	unsigned generation = auth_generation(e->config.auth);
	bool changed = generation != e->auth_generation;
	int64_t now = core_mono(e->config.core);
	struct edge_link *l;

	sync_tick(e);
	if (!changed && now - e->looked_mono < LOOK_MS)
		return;
	e->looked_mono = now;
	e->auth_generation = generation;
	DL_FOREACH (e->links, l)
		look_at(l, changed);
}

void
edge_goodbye(struct edge *e)
{
	struct edge_link *l;

	/* 1012 alone says "at once": a successor may be listening already */
	DL_FOREACH (e->links, l) {
		edge_link_flush(l, true);
		client_close(l->client, CLOSE_RESTART, "Service Restart");
	}
	sync_goodbye(e);
}
