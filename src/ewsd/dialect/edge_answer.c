/*
 * edge_answer - what goes towards an agent that polls
 *
 * A sync is a link of its own for as long as it is not answered. The
 * answer waits until what the request changed is on disk, and, if an
 * ews.v1 agent asked for it, until there is something to say.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/dialect/edge_sync.h"
#include "ewsd/settings.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum {
	ANSWER_MAX = 4 << 20, /* bytes; one command always fits */
	ANSWER_AIM = 512 << 10 /* no further command above */
};

static struct core *
core_of(const struct sync *s)
{
	return s->link.edge->config.core;
}

struct sync *
sync_new(struct edge *e, struct agent *a, bool ours, int64_t wait_ms)
{
	int64_t now = core_mono(e->config.core);
	struct sync *s = mem_alloc(sizeof *s);

	edge_link_init(&s->link, e, a, ours);
	s->link.sync = s;
	s->until = now + wait_ms;
	s->late = s->until + SYNC_SAVE_MS;
	buf_init(&s->commands, ANSWER_MAX);
	buf_init(&s->frames, ANSWER_MAX);
	s->events = json_array();
	DL_APPEND(e->syncs, s);
	return s;
}

void
sync_free(struct sync *s)
{
	if (s->link.edge != NULL) {
		DL_DELETE(s->link.edge->syncs, s);
		edge_link_fini(&s->link);
	}
	buf_fini(&s->commands);
	buf_fini(&s->frames);
	json_decref(s->events);
	json_decref(s->config);
	free(s);
}

/* What was to be told of these commands' fate is told once. */
static void
settle(struct sync *s, void (*tell)(struct core *, uint64_t))
{
	unsigned n = s->n_tags;

	s->n_tags = 0;
	for (unsigned i = 0; i < n; i++)
		tell(core_of(s), s->tags[i]);
}

static void
detach(struct sync *s, const char *why)
{
	bool attached = s->attached;

	s->attached = false;
	if (attached)
		agent_detach(s->link.agent, &s->link, why);
}

static void
on_gone(void *arg)
{
	struct sync *s = arg;

	s->req = NULL;
	if (s->frames.len > 0)
		agent_unsaid(s->link.agent);
	settle(s, command_unwritten);
	detach(s, "the poll was given up");
	if (s->pending == 0)
		sync_free(s);
}

void
sync_begin(struct sync *s, struct http_request *req)
{
	s->req = req;
	http_on_gone(req, on_gone, s);
	edge_link_dirty(&s->link);
}

void
sync_saved(void *arg)
{
	struct sync *s = arg;

	s->pending--;
	if (s->req != NULL)
		edge_link_dirty(&s->link);
	else if (s->pending == 0)
		sync_free(s);
}

static void
add(struct buf *list, const char *type, const char *data)
{
	if (list->len > 0)
		buf_text(list, ",");
	buf_printf(list, "{\"type\":\"%s\"", type);
	if (data != NULL) {
		buf_text(list, ",\"data\":");
		buf_text(list, data);
	}
	buf_text(list, "}");
}

bool
sync_frame(struct sync *s, const char *type, const char *data)
{
	if (s->req == NULL)
		return false;
	add(&s->frames, type, data);
	if (!s->frames.failed)
		edge_link_dirty(&s->link);
	return !s->frames.failed;
}

bool
sync_has_room(const struct sync *s, size_t len)
{
	return s->req != NULL &&
	       (s->frames.len == 0 || s->frames.len + len <= ANSWER_AIM);
}

bool
sync_deliver(struct sync *s, const struct command *c)
{
	size_t size = s->commands.len + s->frames.len;
	struct buf *to = s->link.ours ? &s->frames : &s->commands;

	if (s->req == NULL || !s->attached)
		return false;
	s->full = s->n_tags == SYNC_COMMANDS ||
		  (size > 0 && size + c->payload_len > ANSWER_AIM);
	if (s->full)
		return false;
	if (to->len > 0)
		buf_text(to, ",");
	if (s->link.ours)
		buf_text(to, "{\"type\":\"command\",\"data\":");
	edge_command_text(to, &s->link, c);
	if (s->link.ours)
		buf_text(to, "}");
	s->tags[s->n_tags++] = c->tag;
	edge_link_dirty(&s->link);
	return true;
}

bool
sync_config(struct sync *s, const json_t *update)
{
	if (s->req == NULL)
		return false;
	if (s->config == NULL)
		s->config = json_object();
	json_object_update(s->config, (json_t *)update);
	edge_link_dirty(&s->link);
	return true;
}

/* A newer link has come: this one is answered empty, and what it held goes
 * there. */
void
sync_replaced(struct sync *s)
{
	s->attached = false;
	s->until = 0;
	if (s->frames.len > 0)
		agent_unsaid(s->link.agent);
	buf_reset(&s->commands);
	buf_reset(&s->frames);
	settle(s, command_unwritten);
	if (s->req != NULL)
		edge_link_dirty(&s->link);
}

/* The core writes "delivered" to disk before a foreign agent is sent
 * anything: that is still under way. */
static bool
is_ready(const struct sync *s)
{
	bool news = s->n_tags > 0 || s->frames.len > 0 || s->config != NULL;

	if (s->pending > 0)
		return false;
	if (s->attached && !s->link.ours && !s->full &&
	    agent_busy(s->link.agent))
		return false;
	return news || core_mono(core_of(s)) >= s->until;
}

static void
config_text(struct sync *s, struct buf *b)
{
	int64_t ms = conf_int(s->link.edge->config.conf, SET_sync_interval);
	char *text;

	if (s->config == NULL)
		s->config = json_object();
	if (js_get(s->config, "sync_interval") == NULL)
		json_object_set_new(s->config, "sync_interval",
		    json_integer(ms >= 1000 ? ms / 1000 : 1));
	text = js_write(s->config);
	buf_text(b, text != NULL ? text : "{}");
	free(text);
}

static void
compose(struct sync *s, struct buf *b)
{
	const struct conf *conf = s->link.edge->config.conf;
	char *events = js_write(s->events);

	if (s->hello)
		edge_send_hello(&s->link);
	buf_text(b, "{\"commands\":[");
	buf_add(b, s->commands.bytes, s->commands.len);
	buf_printf(b, "],\"ack_events\":%s,\"config_updates\":",
	    events != NULL ? events : "[]");
	config_text(s, b);
	if (s->link.ours) {
		buf_text(b, ",\"frames\":[");
		buf_add(b, s->frames.bytes, s->frames.len);
		buf_printf(b, "],\"poll\":{\"wait\":%lld}",
		    (long long)conf_int(conf, SET_poll_wait_max) / 1000);
	}
	buf_text(b, "}");
	free(events);
	b->failed |= s->commands.failed || s->frames.failed;
}

static void
log_sent(struct sync *s)
{
	for (unsigned i = 0; i < s->n_tags; i++) {
		struct command *c = command_by_tag(core_of(s), s->tags[i]);

		if (c != NULL)
			log_info("Sent command %s to %s (type: %s)",
			    log_q(c->id), log_q(s->link.agent->id), c->type);
	}
}

static void
refuse(struct sync *s, struct http_request *req)
{
	settle(s, command_unwritten);
	http_add_header(req, "Retry-After", "5");
	call_detail(req, 503, "Not stored in time, try again");
}

static void
answer(struct sync *s)
{
	struct http_request *req = s->req;
	struct buf b;

	buf_init(&b, 2 * ANSWER_MAX);
	compose(s, &b);
	s->req = NULL;
	http_on_gone(req, NULL, NULL);
	if (s->failed || b.failed) {
		refuse(s, req);
	} else {
		log_sent(s);
		http_answer(req, 200, "application/json", b.bytes, b.len);
		settle(s, command_written);
	}
	buf_fini(&b);
	detach(s, "the poll was answered");
	if (s->pending == 0)
		sync_free(s);
}

void
sync_turn(struct sync *s)
{
	if (s->req == NULL)
		return;
	edge_link_flush(&s->link, true);
	if (s->failed || is_ready(s))
		answer(s);
}

void
sync_tick(struct edge *e)
{
	int64_t now = core_mono(e->config.core);
	struct sync *s;

	DL_FOREACH (e->syncs, s) {
		if (s->req == NULL)
			continue;
		s->failed |= now >= s->late;
		if (s->failed || now >= s->until)
			edge_link_dirty(&s->link);
	}
}

void
sync_goodbye(struct edge *e)
{
	struct sync *s;

	DL_FOREACH (e->syncs, s) {
		s->until = 0;
		if (s->req != NULL)
			edge_link_dirty(&s->link);
	}
	edge_turn(e);
}

void
sync_abandon(struct edge *e)
{
	struct sync *s;

	while ((s = e->syncs) != NULL) {
		DL_DELETE(e->syncs, s);
		edge_link_fini(&s->link);
		s->link.edge = NULL;
	}
}
