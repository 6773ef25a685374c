/*
 * edge_out - what goes towards an agent, by WebSocket or in a poll's answer
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/dialect/edge_priv.h"
#include "ewsd/settings.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/prog.h"
#include "lib/str.h"

enum { FRAME_MAX = 64 << 20, CONFIRMS_MAX = 1 << 20 };

static const char *const streams[] = { "stdout", "stderr" };

void
edge_link_init(struct edge_link *l, struct edge *e, struct agent *a, bool ours)
{
	l->edge = e;
	l->agent = a;
	l->ours = ours;
	l->opened_mono = core_mono(e->config.core);
	buf_init(&l->confirms, CONFIRMS_MAX);
}

static void
credit_free(struct edge_link *l, struct edge_credit *c)
{
	DL_DELETE(l->credits, c);
	free(c);
}

void
edge_link_fini(struct edge_link *l)
{
	while (l->credits != NULL)
		credit_free(l, l->credits);
	buf_fini(&l->confirms);
	if (l->is_dirty)
		DL_DELETE2(l->edge->dirty, l, dirty_prev, dirty_next);
	l->is_dirty = false;
}

void
edge_link_dirty(struct edge_link *l)
{
	if (l->is_dirty)
		return;
	l->is_dirty = true;
	DL_APPEND2(l->edge->dirty, l, dirty_prev, dirty_next);
}

/* Sends what 'b' holds and empties it. */
static bool
send_buf(struct edge_link *l, struct buf *b, enum outq_lane lane, uint64_t tag)
{
	bool ok = false;

	if (!b->failed) {
		struct frame *f = frame_text(b->bytes, b->len);

		ok = client_send(l->client, f, lane, tag);
		frame_unref(f);
	}
	buf_fini(b);
	if (ok && tag == 0) { /* the core counts commands */
		l->agent->messages_out++;
		core_stats(l->edge->config.core)->messages_out++;
	}
	return ok;
}

bool
edge_send(struct edge_link *l, const char *type, const char *data,
    enum outq_lane lane)
{
	struct buf b;

	if (l->sync != NULL)
		return sync_frame(l->sync, type, data);
	buf_init(&b, FRAME_MAX);
	buf_printf(&b, "{\"type\":\"%s\"", type);
	if (data != NULL) {
		buf_text(&b, ",\"data\":");
		buf_text(&b, data);
	}
	buf_text(&b, "}");
	return send_buf(l, &b, lane, 0);
}

void
edge_send_hello(struct edge_link *l)
{
	struct core *core = l->edge->config.core;
	const struct conf *conf = l->edge->config.conf;
	struct store *store = core_store(core);
	char now[CLOCK_TEXT_SIZE], text[640];
	int64_t keep = conf_int(conf, SET_output_keep);

	/* both streams as base64 in the body of one request */
	if (l->sync != NULL && keep > conf_int(conf, SET_max_body) / 4)
		keep = conf_int(conf, SET_max_body) / 4;
	snprintf(text, sizeof text,
	    "{\"hub_id\":\"%s\",\"epoch\":%llu,\"version\":\"%s\","
	    "\"time\":\"%s\",\"ping_interval_ms\":%lld,\"limits\":{"
	    "\"message\":%lld,\"output_chunk\":%d,\"output_window\":%d,"
	    "\"output_keep\":%lld,\"input_window\":%lld}}",
	    store_hub_id(store), (unsigned long long)store_epoch(store),
	    prog_version(), clock_text(now, core_wall(core)),
	    (long long)conf_int(conf, SET_ping_interval),
	    (long long)conf_int(conf, SET_max_message), EDGE_CHUNK, EDGE_WINDOW,
	    (long long)keep, (long long)conf_int(conf, SET_input_window));
	edge_send(l, "hello", text, OUTQ_CONTROL);
}

/* Clients of unknown make know two words (PROTOCOL 2.5). */
static const char *
priority_for(const struct edge_link *l, const struct command *c)
{
	if (l->ours ||
	    conf_bool(l->edge->config.conf, SET_priority_passthrough))
		return priority_word(c->priority);
	return c->priority >= PRIO_HIGH ? "immediate" : "normal";
}

/* The payload's bytes go as they were stored. */
void
edge_command_text(
    struct buf *b, const struct edge_link *l, const struct command *c)
{
	char at[CLOCK_TEXT_SIZE];

	buf_text(b, "{\"command_id\":");
	buf_json(b, c->id, strlen(c->id));
	buf_printf(b, ",\"command_type\":\"%s\",\"payload\":", c->type);
	buf_add(b, c->payload, c->payload_len);
	buf_printf(b, ",\"timestamp\":\"%s\",\"priority\":\"%s\"",
	    clock_text(at, c->created_ms), priority_for(l, c));
	if (l->ours) {
		if (c->argv != NULL) {
			buf_text(b, ",\"argv\":");
			buf_text(b, c->argv);
		}
		if (c->deadline_ms > 0)
			buf_printf(
			    b, ",\"deadline\":%lld", (long long)c->deadline_ms);
		if (c->flags & STORE_AT_EDGE)
			buf_printf(b, ",\"run_at\":\"%s\"",
			    clock_text(at, c->run_at_ms));
		if (c->expires_ms > 0)
			buf_printf(b, ",\"expires\":\"%s\"",
			    clock_text(at, c->expires_ms));
		if (c->streams)
			buf_text(b, ",\"stream\":true");
		if (c->flags & STORE_STDIN)
			buf_text(b, ",\"stdin\":true");
		if (!(c->flags & STORE_AT_LEAST_ONCE))
			buf_text(b, ",\"policy\":\"once\"");
	}
	buf_text(b, "}");
}

/* Low on room: the rest stays where it can be taken back and overtaken. */
static bool
has_room(const struct edge_link *l, const struct command *c)
{
	const struct outq *q = &l->client->out;
	size_t waiting = outq_bytes(q);

	return waiting == 0 ||
	       (waiting + c->payload_len + 1024 < q->config->max_bytes / 2 &&
		   q->lanes[OUTQ_DATA].count < q->config->max_frames / 2);
}

static bool
deliver(void *link, struct command *c)
{
	struct edge_link *l = link;
	struct buf b;

	if (l->sync != NULL)
		return sync_deliver(l->sync, c);
	if (l->client->state == CLIENT_CLOSING || !has_room(l, c))
		return false;
	buf_init(&b, FRAME_MAX);
	buf_text(&b, "{\"type\":\"command\",\"data\":");
	edge_command_text(&b, l, c);
	buf_text(&b, "}");
	return send_buf(l, &b, OUTQ_DATA, c->tag);
}

static void
cancel(void *link, const struct command *c, int signal, int64_t grace_ms)
{
	struct edge_link *l = link;
	struct buf b;

	buf_init(&b, 4096);
	buf_text(&b, "{\"command_id\":");
	buf_json(&b, c->id, strlen(c->id));
	buf_printf(&b, ",\"signal\":%d,\"grace_ms\":%lld}", signal,
	    (long long)grace_ms);
	if (!b.failed)
		edge_send(l, "cancel", b.bytes, OUTQ_CONTROL);
	buf_fini(&b);
}

static struct edge_credit *
credit_of(struct edge_link *l, const char *id)
{
	struct edge_credit *k;

	DL_FOREACH (l->credits, k)
		if (strcmp(k->id, id) == 0)
			return k;
	k = mem_alloc(sizeof *k);
	str_copy(k->id, sizeof k->id, id);
	DL_APPEND(l->credits, k);
	return k;
}

static void
credit(
    void *link, const struct command *c, enum output_stream s, int64_t offset)
{
	struct edge_link *l = link;
	struct edge_credit *k = credit_of(l, c->id);

	if (offset > k->taken[s])
		k->taken[s] = offset;
	edge_link_dirty(l);
}

static bool
attach(void *link, const struct command *c, const int64_t from[2])
{
	struct edge_link *l = link;
	struct edge_credit *k;
	struct buf b;
	bool ok;

	buf_init(&b, 4096);
	buf_text(&b, "{\"command_id\":");
	buf_json(&b, c->id, strlen(c->id));
	buf_printf(&b, ",\"stdout\":%lld,\"stderr\":%lld}",
	    (long long)from[OUTPUT_STDOUT], (long long)from[OUTPUT_STDERR]);
	ok = !b.failed && edge_send(l, "attach", b.bytes, OUTQ_CONTROL);
	buf_fini(&b);
	if (!ok)
		return false;
	k = credit_of(l, c->id);
	k->stop = false;
	for (int s = 0; s < 2; s++)
		k->taken[s] = k->told[s] = from[s];
	return true;
}

static void
stop(void *link, const char *command_id)
{
	struct edge_link *l = link;

	credit_of(l, command_id)->stop = true;
	edge_link_dirty(l);
}

/* A newer agent reads up to a megabyte; control characters take six bytes
 * of text, base64 less than two. */
static void
input_text(struct buf *b, const struct input_chunk *k)
{
	size_t begun = b->len;
	char *b64;

	if (k->b64) {
		buf_printf(b, ",\"data64\":\"%.*s\"", (int)k->len, k->data);
		return;
	}
	buf_text(b, ",\"data\":");
	buf_json(b, k->data, k->len);
	if (b->failed || b->len - begun <= 2 * k->len + 1024)
		return;
	b->len = begun;
	b64 = str_b64(k->data, k->len);
	buf_printf(b, ",\"data64\":\"%s\"", b64);
	free(b64);
}

static bool
has_input_room(const struct edge_link *l, size_t len)
{
	if (l->sync != NULL)
		return sync_has_room(l->sync, len);
	return l->client->state == CLIENT_OPEN &&
	       (outq_bytes(&l->client->out) == 0 ||
		   outq_bytes(&l->client->out) + len <
		       l->client->out.config->max_bytes / 2);
}

static bool
input(void *link, const struct command *c, const struct input_chunk *k)
{
	struct edge_link *l = link;
	struct buf b;
	bool ok;

	buf_init(&b, FRAME_MAX);
	buf_text(&b, "{\"command_id\":");
	buf_json(&b, c->id, strlen(c->id));
	buf_printf(&b, ",\"offset\":%lld", (long long)k->offset);
	if (k->bytes > 0)
		input_text(&b, k);
	if (k->eof)
		buf_text(&b, ",\"eof\":true");
	buf_text(&b, "}");
	ok = !b.failed && has_input_room(l, b.len) &&
	     edge_send(l, "input", b.bytes, OUTQ_DATA);
	buf_fini(&b);
	return ok;
}

static void
confirm(void *link, const char *command_id)
{
	struct edge_link *l = link;

	if (l->confirms.len > 0)
		buf_text(&l->confirms, ",");
	buf_json(&l->confirms, command_id, strlen(command_id));
	edge_link_dirty(l);
}

static bool
config(void *link, const json_t *update)
{
	struct edge_link *l = link;
	char *text;
	bool ok;

	if (l->sync != NULL)
		return sync_config(l->sync, update);
	text = js_write(update);
	ok = text != NULL && edge_send(l, "config_update", text, OUTQ_DATA);
	free(text);
	return ok;
}

/* What is still queued goes to the newer connection, so it must not leave
 * by this one as well. */
static void
replaced(void *link)
{
	struct edge_link *l = link;
	struct client *c = l->client;

	if (l->sync != NULL) {
		sync_replaced(l->sync);
		return;
	}
	log_info("Replaced old connection for %s", log_q(l->agent->id));
	outq_fini(&c->out);
	outq_init(&c->out, &l->edge->out, c);
	client_close(c, CLOSE_NORMAL, "New connection established");
}

const struct link_ops edge_ops_ours = {
	.deliver = deliver,
	.cancel = cancel,
	.credit = credit,
	.attach = attach,
	.stop = stop,
	.input = input,
	.confirm = confirm,
	.config = config,
	.replaced = replaced,
};

const struct link_ops edge_ops_foreign = {
	.deliver = deliver,
	.config = config,
	.replaced = replaced,
};

static void
send_credit(struct edge_link *l, struct edge_credit *k, enum output_stream s)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_text(&b, "{\"command_id\":");
	buf_json(&b, k->id, strlen(k->id));
	buf_printf(&b, ",\"stream\":\"%s\",\"offset\":%lld}", streams[s],
	    (long long)k->taken[s]);
	if (!b.failed && edge_send(l, "output_ack", b.bytes, OUTQ_CONTROL))
		k->told[s] = k->taken[s];
	buf_fini(&b);
}

static void
send_stop(struct edge_link *l, const char *id)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_text(&b, "{\"command_id\":");
	buf_json(&b, id, strlen(id));
	buf_text(&b, ",\"stop\":true}");
	if (!b.failed)
		edge_send(l, "output_ack", b.bytes, OUTQ_CONTROL);
	buf_fini(&b);
}

/* An agent that may still send three quarters of its window can wait for
 * the rest. */
static void
flush_credits(struct edge_link *l, bool all)
{
	struct edge_credit *k, *next;

	DL_FOREACH_SAFE (l->credits, k, next) {
		bool still = command_find(l->edge->config.core, k->id) != NULL;

		if (k->stop) {
			send_stop(l, k->id);
			credit_free(l, k);
			continue;
		}
		for (int s = 0; s < 2; s++) {
			int64_t more = k->taken[s] - k->told[s];

			if (more >= EDGE_WINDOW / 4 ||
			    ((all || !still) && more > 0))
				send_credit(l, k, s);
		}
		if (!still)
			credit_free(l, k);
	}
}

void
edge_link_flush(struct edge_link *l, bool all)
{
	struct buf b;

	flush_credits(l, all);
	if (l->confirms.len == 0 || l->confirms.failed) {
		buf_reset(&l->confirms); /* it will ask again */
		return;
	}
	buf_init(&b, CONFIRMS_MAX + 64);
	buf_text(&b, "{\"command_ids\":[");
	buf_add(&b, l->confirms.bytes, l->confirms.len);
	buf_text(&b, "]}");
	if (!b.failed)
		edge_send(l, "acked", b.bytes, OUTQ_CONTROL);
	buf_fini(&b);
	buf_fini(&l->confirms);
	buf_init(&l->confirms, CONFIRMS_MAX);
}
