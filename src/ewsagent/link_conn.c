#include <stdlib.h>
#include <utlist.h>

#include "ewsagent/link_priv.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { HEADERS = 4 };

static bool
is_current(const struct conn *c)
{
	return c->link->current == c;
}

static void
on_failed(void *arg, int status, int64_t after_ms, const char *why)
{
	struct conn *c = arg;
	struct link *l = c->link;
	bool current = is_current(c);

	c->attempt = NULL;
	if (current)
		l->current = NULL;
	conn_forget(c);
	if (current)
		link_failed(l, status, after_ms, why);
}

static void
on_open(void *arg, struct ws *ws)
{
	struct conn *c = arg;

	c->attempt = NULL;
	c->ws = ws;
	c->v1 = str_eq(ws_subprotocol(ws), "ews.v1");
	c->last_pong_ms = clock_mono(c->link->config.clock);
	ws_set_outq(ws, &c->out);
	if (is_current(c))
		link_opened(c->link);
	else
		ws_close(ws, 1000, "");
}

static void
on_message(void *arg, char *text, size_t len)
{
	struct conn *c = arg;
	struct link *l = c->link;

	if (is_current(c) && !l->stopping)
		l->config.events->message(l->config.arg, text, len);
}

static void
on_closed(void *arg, int code, const char *reason)
{
	struct conn *c = arg;
	struct link *l = c->link;
	bool current = is_current(c);

	c->ws = NULL;
	if (current)
		l->current = NULL;
	/* 'reason' is lent by the connection's owner, not by 'c' */
	conn_forget(c);
	if (current)
		link_closed(l, code, reason);
}

static const struct ws_client_events events = {
	.failed = on_failed,
	.open = on_open,
	.message = on_message,
	.closed = on_closed,
};

bool
conn_try(struct link *l, bool plain, struct err *err)
{
	const struct link_config *cfg = &l->config;
	struct conn *c = mem_alloc(sizeof *c);
	char *lines[HEADERS] = {
		cfg->authorization(cfg->arg),
		mem_printf("X-Edge-Agent-Id: %s", cfg->agent_id),
		mem_printf("X-Ews-Instance: %s", cfg->instance),
		NULL,
	};
	struct ws_connect to = {
		.url = cfg->url,
		.headers = (const char *const *)lines,
		.subprotocol = plain ? NULL : "ews.v1",
		.timeout_ms = cfg->connect_ms,
		.proxy = cfg->proxy,
		.events = &events,
		.arg = c,
	};

	c->link = l;
	outq_init(&c->out, &l->outq, c);
	DL_APPEND(l->conns, c);
	c->attempt = ws_connect(l->host, &to, err);
	for (size_t i = 0; lines[i] != NULL; i++)
		free(lines[i]);
	if (c->attempt == NULL) {
		conn_forget(c);
		return false;
	}
	l->current = c;
	return true;
}

void
conn_forget(struct conn *c)
{
	if (c->attempt != NULL)
		ws_attempt_cancel(c->attempt);
	DL_DELETE(c->link->conns, c);
	outq_fini(&c->out);
	free(c);
}

bool
conn_send(struct conn *c, const char *text, size_t len, enum outq_lane lane,
    uint64_t tag)
{
	struct frame *f;
	bool fits;

	if (c->ws == NULL)
		return false;
	f = frame_text(text, len);
	fits = outq_put(&c->out, f, lane, tag);
	frame_unref(f);
	if (fits)
		ws_want_write(c->ws);
	return fits;
}
