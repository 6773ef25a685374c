#include "ewsagent/link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ewsagent/link_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

static const char ping[] = "{\"type\":\"ping\"}";
static const char taken_reason[] = "New connection established";

static void
enter(struct link *l, enum link_state state)
{
	if (l->state == state)
		return;
	l->state = state;
	l->since_ms = clock_wall(l->config.clock);
}

/* ---- when ---------------------------------------------------------- */

static void
say_plan(const struct linkplan_next *n, const char *id)
{
	if (n->why == PLAN_AT_ONCE)
		log_info("Server restart detected (1012) -"
			 " reconnecting immediately");
	else if (n->why == PLAN_PLAIN)
		log_info("the hub refuses the subprotocol ews.v1:"
			 " trying without");
	else
		log_info("Scheduling WebSocket reconnect attempt #%u in"
			 " %" PRId64 "ms",
		    n->attempt, n->wait_ms);
	if (n->why == PLAN_REFUSED && n->say)
		log_error(
		    "the hub refuses agent %s: check its secret"
		    " (EDGE_SECRET or --secret-file) and --id; trying again"
		    " now and then, at once after SIGHUP",
		    log_q(id));
	if (n->why == PLAN_TAKEN)
		log_warn(
		    "another agent with the id %s connected: stepping back",
		    log_q(id));
	if (n->why == PLAN_TAKEN && n->say)
		log_error("another agent uses the id %s and took the link"
			  " over three times: give one of the two another --id",
		    log_q(id));
}

static void
follow(struct link *l, struct linkplan_next n)
{
	if (l->stopping)
		return;
	say_plan(&n, l->config.agent_id);
	enter(l, n.why == PLAN_REFUSED || n.why == PLAN_TAKEN ? LINK_REFUSED
							      : LINK_WAITING);
	timer_set(l->retry, n.wait_ms);
	if (n.poll)
		l->config.events->poll(l->config.arg);
}

static void
attempt(struct link *l)
{
	struct err err = ERR_INIT;

	enter(l, LINK_CONNECTING);
	log_info("Connecting to WebSocket: %s", l->config.url);
	if (!conn_try(l, linkplan_plain(&l->plan), &err))
		link_failed(l, 0, -1, err.text);
}

static void
on_retry(void *arg)
{
	struct link *l = arg;

	log_info(
	    "Attempting WebSocket reconnect (attempt #%u)", l->plan.attempts);
	attempt(l);
}

/* ---- what became of it --------------------------------------------- */

void
link_failed(struct link *l, int status, int64_t after_ms, const char *why)
{
	if (l->stopping)
		return;
	if (status != 0)
		log_warn("WebSocket attempt failed: HTTP %d: %s", status,
		    log_q(why));
	else
		log_warn("WebSocket attempt failed: %s", log_q(why));
	follow(l, linkplan_failed(&l->plan, status, after_ms));
}

static void
say_connected(struct link *l)
{
	log_info("✅ WebSocket connected");
	if (!l->greeted)
		log_info("✅ WebSocket connected - real-time mode enabled");
	log_info("🔌 WebSocket connected - real-time command delivery"
		 " enabled");
	log_info("HTTP polling paused (using WebSocket)");
	if (!l->greeted)
		log_info("Command delivery: Real-time via WebSocket 🚀");
	l->greeted = true;
}

void
link_opened(struct link *l)
{
	struct conn *c = l->current;

	linkplan_opened(&l->plan, clock_mono(l->config.clock));
	enter(l, LINK_CONNECTED);
	l->told_ms = -1;
	c->ready = !c->v1;
	say_connected(l);
	timer_set(l->pulse, l->config.ping_ms);
	if (!c->ready)
		timer_set(l->silence, l->config.pong_ms);
	l->config.events->open(l->config.arg, c->v1);
}

void
link_closed(struct link *l, int code, const char *reason)
{
	bool taken = code == 1000 && str_eq(reason, taken_reason);
	bool empty = reason == NULL || reason[0] == '\0';

	log_info("WebSocket closed: code=%d, reason=%s", code,
	    empty ? "Unknown" : log_q(reason));
	timer_stop(l->pulse);
	timer_stop(l->silence);
	enter(l, LINK_DISCONNECTED);
	l->config.events->closed(l->config.arg);
	if (!l->stopping)
		follow(l, linkplan_closed(&l->plan, code, taken, l->told_ms,
			      clock_mono(l->config.clock)));
}

/* ---- is anybody there? --------------------------------------------- */

static void
on_pulse(void *arg)
{
	struct link *l = arg;

	if (!link_send(l, ping, sizeof ping - 1, OUTQ_CONTROL, 0))
		log_debug("no room for a ping");
	/* also then: a queue that does not move is a dead link */
	timer_set(l->silence, l->config.pong_ms);
}

/* The old socket may hang in its close for long: it is let go of, and a
 * new one tried meanwhile. */
static void
on_silence(void *arg)
{
	struct link *l = arg;
	struct conn *c = l->current;
	int64_t ago = clock_mono(l->config.clock) - c->last_pong_ms;

	if (!c->ready) {
		log_warn("the hub said no hello in %" PRId64 "ms",
		    l->config.pong_ms);
		ws_close(c->ws, 1008, "no hello");
		return;
	}
	log_warn("Pong timeout: no response in %" PRId64 "ms (last pong"
		 " %" PRId64 "ms ago)",
	    l->config.pong_ms, ago);
	log_warn("Force-closing zombie WebSocket connection");
	l->current = NULL;
	ws_close(c->ws, 1001, "pong timeout");
	link_closed(l, 1006, "pong timeout");
}

void
link_pong(struct link *l)
{
	struct conn *c = l->current;

	if (c == NULL || c->ws == NULL)
		return;
	c->last_pong_ms = clock_mono(l->config.clock);
	if (!c->ready)
		return;
	timer_stop(l->silence);
	timer_set(l->pulse, l->config.ping_ms);
}

void
link_ready(struct link *l)
{
	if (l->current == NULL || l->current->ready)
		return;
	l->current->ready = true;
	timer_stop(l->silence);
	timer_set(l->pulse, l->config.ping_ms);
}

void
link_come_back(struct link *l, int64_t after_ms)
{
	l->told_ms = after_ms;
}

/* ---- what goes out ------------------------------------------------- */

static void
on_written(void *arg, uint64_t tag)
{
	struct conn *c = arg;
	struct link *l = c->link;

	l->config.events->written(l->config.arg, tag);
}

static void
on_drained(void *arg)
{
	struct conn *c = arg;
	struct link *l = c->link;

	if (l->current == c)
		l->config.events->room(l->config.arg);
}

bool
link_send(struct link *l, const char *text, size_t len, enum outq_lane lane,
    uint64_t tag)
{
	return l->current != NULL &&
	       conn_send(l->current, text, len, lane, tag);
}

size_t
link_queued(const struct link *l)
{
	return link_open(l) ? outq_bytes(&l->current->out) : 0;
}

/* ---- life ---------------------------------------------------------- */

static const struct ws_events no_server = { 0 };

struct link *
link_new(const struct link_config *config, struct err *err)
{
	struct link *l = mem_alloc(sizeof *l);
	struct ws_config host = {
		.loop = config->loop,
		.clock = config->clock,
		.events = &no_server,
		.arg = l,
		.max_message = config->max_message,
		.max_body = 0,
		.max_conns = 8,
		.max_pending = 1,
		.head_ms = 5000,
		.body_ms = 5000,
		.ping_ms = config->ping_ms * 2,
		.dead_ms = config->ping_ms * 2 + config->pong_ms * 4,
		.max_fragments = 1000,
		.max_pings = 100,
		.ca_file = config->ca_file,
	};

	l->config = *config;
	l->told_ms = -1;
	l->since_ms = clock_wall(config->clock);
	l->outq = (struct outq_config){
		.max_frames = 1024,
		.max_bytes = config->output_window * 2 + config->max_message,
		.low_bytes = config->output_window / 2,
		.written = on_written,
		.drained = on_drained,
	};
	linkplan_init(&l->plan, &config->plan);
	l->host = ws_host_new(&host, err);
	if (l->host == NULL) {
		free(l);
		return NULL;
	}
	l->retry = timer_new(config->loop, on_retry, l);
	l->pulse = timer_new(config->loop, on_pulse, l);
	l->silence = timer_new(config->loop, on_silence, l);
	return l;
}

void
link_start(struct link *l)
{
	attempt(l);
}

void
link_stop(struct link *l)
{
	struct conn *c = l->current;

	l->stopping = true;
	timer_stop(l->retry);
	timer_stop(l->pulse);
	timer_stop(l->silence);
	if (c != NULL && c->ws != NULL) {
		ws_close(c->ws, 1005, "");
	} else if (c != NULL) {
		l->current = NULL;
		conn_forget(c);
	}
	if (l->current == NULL)
		enter(l, LINK_DISCONNECTED);
}

bool
link_stopped(const struct link *l)
{
	return l->current == NULL;
}

void
link_retry(struct link *l)
{
	linkplan_forgive(&l->plan);
	if (l->current == NULL && !l->stopping && timer_active(l->retry)) {
		timer_stop(l->retry);
		attempt(l);
	}
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	l->stopping = true;
	l->current = NULL;
	timer_free(l->retry);
	timer_free(l->pulse);
	timer_free(l->silence);
	ws_host_free(l->host);
	while (l->conns != NULL) { /* those it has told nothing of */
		l->conns->attempt = NULL;
		conn_forget(l->conns);
	}
	free(l);
}

bool
link_open(const struct link *l)
{
	return l->current != NULL && l->current->ws != NULL;
}

bool
link_usable(const struct link *l)
{
	return link_open(l) && l->current->ready;
}

bool
link_v1(const struct link *l)
{
	return link_open(l) && l->current->v1;
}

enum link_state
link_state(const struct link *l)
{
	return l->state;
}

unsigned
link_attempts(const struct link *l)
{
	return l->plan.attempts;
}

int64_t
link_since(const struct link *l)
{
	return l->since_ms;
}
