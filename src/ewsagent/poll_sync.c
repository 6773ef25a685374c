#include <stdlib.h>
#include <string.h>

#include "ewsagent/poll_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* A hub takes JSON bodies of 256 KiB (DESIGN 11.4). */
enum { FRAMES_MAX = 192 * 1024 };

static unsigned
next_batch(struct poll *p)
{
	if (++p->batches == 0)
		p->batches = 1;
	return p->batches;
}

/* ---- what a sync says ---------------------------------------------- */

static void
add_frame(void *arg, const struct outbox_item *item)
{
	json_t *frames = arg;
	json_t *f = js_read_object(item->text, item->len, NULL);

	if (f != NULL)
		json_array_append_new(frames, f);
}

static json_t *
sync_body(struct poll *p, struct sync *s)
{
	const struct poll_config *c = &p->config;
	json_t *frames = json_array();

	s->frames = p->mode == POLL_PLAIN ? 0
					  : outbox_lend(c->outbox, s->batch,
						FRAMES_MAX, add_frame, frames);
	s->held = p->mode == POLL_V1 && s->frames == 0 && p->offered_ms > 0;
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:o, s:[], s:o, s:o*}",
	    "edge_agent_id", c->agent_id, "protocol", "ews.v1", "instance",
	    c->instance, "last_command_id", p->last_command, "frames", frames,
	    "hello", c->events->hello(c->arg), "pending_events", "status",
	    c->events->status(c->arg), "wait",
	    s->held ? json_integer(p->offered_ms / 1000) : NULL);
}

struct fetch_call *
poll_post(struct poll *p, const char *url, json_t *body, int64_t timeout_ms,
    fetch_fn *fn, void *arg)
{
	const struct poll_config *c = &p->config;
	char *lines[] = {
		c->authorization(c->arg),
		mem_printf("X-Edge-Agent-Id: %s", c->agent_id),
		mem_printf("X-Ews-Instance: %s", c->instance),
		NULL,
	};
	char *text = js_write(body);
	struct fetch_call *call;

	json_decref(body);
	if (text == NULL)
		text = mem_dup("{}");
	call = fetch_post(p->fetch, url, (const char *const *)lines, text,
	    strlen(text), timeout_ms, fn, arg);
	for (size_t i = 0; lines[i] != NULL; i++)
		free(lines[i]);
	return call;
}

void
poll_sync(struct poll *p)
{
	struct sync *s = p->syncs[0].call == NULL ? &p->syncs[0] : &p->syncs[1];
	json_t *body;

	for (int i = 0; i < SYNCS; i++)
		p->syncs[i].passed = true;
	s->passed = false;
	s->poll = p;
	s->batch = next_batch(p);
	s->begun_ms = clock_mono(p->config.clock);
	body = sync_body(p, s);
	s->call = poll_post(p, p->sync_url, body,
	    p->config.timeout_ms + (s->held ? p->offered_ms : 0), poll_synced,
	    s);
}

/* ---- what the hub answers ------------------------------------------ */

static void
take_commands(struct poll *p, const json_t *commands, bool v1)
{
	size_t i;
	json_t *cmd;

	json_array_foreach(commands, i, cmd)
	{
		const char *id = js_str(cmd, "command_id");

		if (id != NULL) {
			free(p->last_command);
			p->last_command = v1 ? NULL : mem_dup(id);
		}
		p->config.events->command(p->config.arg, cmd, v1);
	}
}

static void
learn(struct poll *p, const json_t *answer)
{
	const json_t *offer = js_get(answer, "poll");
	bool v1 =
	    json_is_array(js_get(answer, "frames")) || json_is_object(offer);
	int64_t ms = js_int(offer, "wait", 0) * 1000;
	int64_t max = p->config.wait_ms;

	if (p->mode != (v1 ? POLL_V1 : POLL_PLAIN))
		log_info("the hub %s ews.v1 over HTTP",
		    v1 ? "speaks" : "does not speak");
	p->mode = v1 ? POLL_V1 : POLL_PLAIN;
	p->offered_ms = ms < 0 ? 0 : ms < max ? ms : max;
	if (p->offered_ms < 1000)
		p->offered_ms = 0; /* the wire counts in seconds */
}

static void
take_frames(struct poll *p, const json_t *answer, bool hello)
{
	json_t *f;
	size_t i;

	json_array_foreach(js_get(answer, "frames"), i, f)
	{
		if (str_eq(js_str(f, "type"), "hello") == hello)
			p->config.events->frame(p->config.arg, f);
	}
}

void
poll_take(struct poll *p, const struct sync *s, const json_t *answer)
{
	const struct poll_events *ev = p->config.events;
	const json_t *updates = js_get(answer, "config_updates");

	learn(p, answer);
	outbox_settle(p->config.outbox, s->batch, p->mode == POLL_V1);
	if (json_is_object(updates) && json_object_size(updates) > 0)
		ev->config(p->config.arg, updates);
	if (p->broken && p->mode == POLL_V1)
		ev->anew(p->config.arg);
	p->broken = false;
	/* first who it is: a hub that was restarted knows nothing of before */
	take_frames(p, answer, true);
	take_frames(p, answer, false);
	take_commands(p, js_get(answer, "commands"), p->mode == POLL_V1);
	ev->room(p->config.arg);
}

/* ---- acks to a hub without frames ---------------------------------- */

struct told {
	json_t *data; /* NULL: nothing for such a hub */
	bool end;
};

static void
copy_item(void *arg, const struct outbox_item *item)
{
	struct told *t = arg;
	json_t *frame = NULL;

	t->end = item->kind == OUTBOX_END;
	if (t->end || item->kind == OUTBOX_STORED)
		frame = js_read_object(item->text, item->len, NULL);
	t->data = json_incref(js_get(frame, "data"));
	json_decref(frame);
}

static json_t *
ack_body(struct poll *p, const json_t *data)
{
	const char *at = js_str(data, "completed_at");
	bool ok = str_eq(js_str(data, "status"), "completed");
	const char *error = js_str(data, "error");
	char now[CLOCK_TEXT_SIZE];

	if (at == NULL)
		at = clock_text(now, clock_wall(p->config.clock));
	if (!ok && error == NULL)
		error = "failed";
	return json_pack("{s:s, s:b, s:s?, s:s}", "command_id",
	    js_str(data, "command_id"), "success", (int)ok, "error",
	    ok ? NULL : error, "timestamp", at);
}

void
poll_forget_ack(struct poll *p)
{
	p->ack = NULL;
	free(p->ack_id);
	p->ack_id = NULL;
}

/* The hub will never take this one: the others shall not wait behind it. */
static bool
is_refused(int status)
{
	return status == 400 || status == 409 || status == 410 ||
	       status == 413 || status == 422;
}

/* There are two paths, and hubs with either (PROTOCOL 2.8). */
static bool
other_path(struct poll *p, int status)
{
	bool other = status == 404 && p->ack_path == 0;

	if (status == 404)
		p->ack_path = !p->ack_path;
	return other;
}

static void
on_acked(void *arg, const struct fetch_answer *a)
{
	struct poll *p = arg;
	char *id = p->ack_id;
	bool over = a->status == 200 || is_refused(a->status);

	p->ack_id = NULL;
	poll_forget_ack(p);
	outbox_settle(p->config.outbox, p->ack_batch, over);
	if (over && a->status != 200)
		log_warn("the hub refuses the ack of command %s: HTTP %d",
		    log_q(id), a->status);
	if (over && p->ack_end)
		p->config.events->confirmed(p->config.arg, id);
	else if (!over && !other_path(p, a->status))
		poll_rest(p, a);
	free(id);
	poll_run(p);
}

/* Steps and output mean nothing to this hub: they are dropped. */
void
poll_ack_next(struct poll *p)
{
	struct told t = { 0 };
	json_t *body;

	while (p->ack == NULL) {
		p->ack_batch = next_batch(p);
		if (outbox_lend(
			p->config.outbox, p->ack_batch, 0, copy_item, &t) == 0)
			return;
		if (js_str(t.data, "command_id") == NULL) {
			outbox_settle(p->config.outbox, p->ack_batch, true);
			json_decref(t.data);
			continue;
		}
		p->ack_id = mem_dup(js_str(t.data, "command_id"));
		p->ack_end = t.end;
		body = ack_body(p, t.data);
		json_decref(t.data);
		p->ack = poll_post(p, p->ack_urls[p->ack_path], body,
		    p->config.timeout_ms, on_acked, p);
	}
}
