#include "ewsd/dialect/ctl_conn.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "net/frame.h"

/* Above this much unread the connection is not read either. */
enum { UNREAD_MAX = 1 << 20, FRAMES_MAX = 1 << 20 };
#define RPC_ERROR (-32000) /* JSON-RPC 2.0: the server's own errors */

struct ctl_conn {
	const struct ctl_conn_config *config;
	struct client *client;
	struct request *requests; /* not answered */
	struct leaving *leaving; /* output in the queue, in its order */
	char *asker;
	unsigned waiting;
	bool paused;
};

/* One request on its way. */
struct request {
	struct ctl_conn *conn;
	json_t *id;
	bool rpc, silent; /* silent: a notification, not answered */
	struct ctl_ask *ask;
	struct request *prev, *next;
};

/* A piece of output in the queue, whose asker is told when it has left. */
struct leaving {
	struct ctl_ask *ask; /* NULL: it was answered meanwhile */
	int stream;
	int64_t offset;
	struct leaving *prev, *next;
};

/* ---- the queue -------------------------------------------------------------- */

static void
pace(struct ctl_conn *c)
{
	bool pause = c->waiting >= c->config->max_requests ||
		     outq_bytes(&c->client->out) >= UNREAD_MAX;

	if (pause == c->paused || c->client->state == CLIENT_CLOSING)
		return;
	c->paused = pause;
	c->config->pause(c->client->conn, pause);
}

static void
on_written(void *arg, uint64_t tag)
{
	struct client *client = arg;
	struct ctl_conn *c = client->dialect;
	struct leaving l = *c->leaving;
	struct leaving *old = c->leaving;

	(void)tag;
	DL_DELETE(c->leaving, old);
	free(old);
	if (l.ask != NULL)
		ctl_took(l.ask, l.stream, l.offset);
}

static void
on_drained(void *arg)
{
	struct client *client = arg;

	pace(client->dialect);
}

struct outq_config
ctl_conn_out(size_t max_bytes)
{
	return (struct outq_config){ .max_frames = FRAMES_MAX,
		.max_bytes = max_bytes,
		.low_bytes = UNREAD_MAX / 2,
		.written = on_written,
		.drained = on_drained };
}

/* Takes 'o'. Everything goes by one lane, so that it stays in order. */
static bool
put(struct ctl_conn *c, json_t *o, uint64_t tag)
{
	char *text = js_write(o);
	struct frame *f;
	bool sent = false;

	json_decref(o);
	if (text != NULL) {
		f = frame_text_z(text);
		sent = client_send(c->client, f, OUTQ_DATA, tag);
		frame_unref(f);
	}
	free(text);
	return sent;
}

/* ---- answers ---------------------------------------------------------------- */

static json_t *
error_json(const struct err *err, const json_t *extra)
{
	json_t *e = json_object();

	json_object_set_new(e, "code", json_string(err->code));
	json_object_set_new(e, "detail", json_string(err->text));
	json_object_set_new(e, "see", json_string("ewsctl(1)"));
	if (extra != NULL)
		json_object_update(e, (json_t *)extra);
	return e;
}

/* Takes 'result' or 'error'. */
static json_t *
shape(bool rpc, json_t *id, json_t *result, json_t *error)
{
	json_t *o = json_object();

	if (rpc)
		json_object_set_new(o, "jsonrpc", json_string("2.0"));
	json_object_set(o, "id", id != NULL ? id : json_null());
	if (!rpc)
		json_object_set_new(o, "ok", json_boolean(error == NULL));
	if (error == NULL)
		json_object_set_new(o, "result", result);
	else if (!rpc)
		json_object_set_new(o, "error", error);
	else
		json_object_set_new(o, "error",
		    json_pack("{s:i,s:O,s:o}", "code", RPC_ERROR, "message",
			json_object_get(error, "detail"), "data", error));
	return o;
}

static void
request_free(struct request *r)
{
	struct ctl_conn *c = r->conn;
	struct leaving *l;

	DL_FOREACH (c->leaving, l)
		if (l->ask == r->ask)
			l->ask = NULL;
	DL_DELETE(c->requests, r);
	c->waiting--;
	json_decref(r->id);
	free(r);
}

static void
on_reply(void *arg, json_t *result, const struct err *err, const json_t *extra)
{
	struct request *r = arg;
	struct ctl_conn *c = r->conn;

	if (!r->silent)
		put(c,
		    shape(r->rpc, r->id, json_incref(result),
			err != NULL ? error_json(err, extra) : NULL),
		    0);
	request_free(r);
	pace(c);
}

static json_t *
shape_record(const struct request *r, json_t *record)
{
	json_t *o = json_pack("{s:O,s:O}", "id", r->id, "record", record);

	if (!r->rpc)
		return o;
	return json_pack(
	    "{s:s,s:s,s:o}", "jsonrpc", "2.0", "method", "record", "params", o);
}

static void
on_record(
    void *arg, json_t *record, struct ctl_ask *ask, int stream, int64_t offset)
{
	struct request *r = arg;
	struct ctl_conn *c = r->conn;
	struct leaving *l;

	if (r->silent || !put(c, shape_record(r, record), stream >= 0))
		return;
	if (stream < 0)
		return;
	l = mem_alloc(sizeof *l);
	l->ask = ask;
	l->stream = stream;
	l->offset = offset;
	DL_APPEND(c->leaving, l);
}

/* ---- requests ------------------------------------------------------------------ */

static void
complain(struct ctl_conn *c, json_t *id, bool rpc, const struct err *err)
{
	put(c, shape(rpc, id, NULL, error_json(err, NULL)), 0);
}

static void
start(struct ctl_conn *c, const json_t *line, const char *op,
    const json_t *request, const char *text, size_t len)
{
	struct request *r = mem_alloc(sizeof *r);
	struct ctl_sink sink = { .reply = on_reply,
		.record = on_record,
		.arg = r,
		.peer = c,
		.asker = c->asker,
		.text = text,
		.len = len };
	json_t *id = json_object_get(line, "id");
	struct ctl_ask *ask;

	r->conn = c;
	r->rpc = json_object_get(line, "jsonrpc") != NULL;
	r->silent = r->rpc && id == NULL;
	r->id = id != NULL ? json_incref(id) : json_null();
	c->waiting++;
	DL_APPEND(c->requests, r);
	ask = ctl_request(c->config->ctl, &sink, op, request);
	if (ask != NULL) /* or 'r' is answered and gone */
		r->ask = ask;
	pace(c);
}

/* {"jsonrpc":"2.0","id","method","params"} */
static void
start_rpc(struct ctl_conn *c, const json_t *line, const char *text, size_t len)
{
	const char *method = js_str(line, "method");
	json_t *params = js_get(line, "params"), *none = NULL;
	struct err err = ERR_INIT;
	size_t span_len = 0;
	const char *span;

	if (method == NULL || (params != NULL && !json_is_object(params))) {
		err_set(&err, EXIT_DATA, "bad_argument",
		    "method must be a string and params an object");
		complain(c, json_object_get(line, "id"), true, &err);
		return;
	}
	if (params == NULL)
		params = none = json_object();
	span = js_span(text, len, "params", &span_len);
	start(c, line, method, params, none == NULL ? span : NULL, span_len);
	json_decref(none);
}

static void
take(struct ctl_conn *c, const json_t *line, const char *text, size_t len)
{
	const char *op = js_str(line, "op");
	struct err err = ERR_INIT;

	if (json_object_get(line, "jsonrpc") != NULL) {
		start_rpc(c, line, text, len);
		return;
	}
	if (op != NULL) {
		start(c, line, op, line, text, len);
		return;
	}
	err_set(&err, EXIT_USAGE_, "unknown_op", "op: is missing");
	complain(c, json_object_get(line, "id"), false, &err);
}

void
ctl_conn_line(struct ctl_conn *c, const char *text, size_t len)
{
	struct err err = ERR_INIT;
	json_t *line;

	if (c->client->state == CLIENT_CLOSING)
		return;
	line = js_read_object(text, len, &err);
	if (line == NULL)
		complain(c, NULL, false, &err);
	else
		take(c, line, text, len);
	json_decref(line);
}

void
ctl_conn_overlong(struct ctl_conn *c, size_t limit)
{
	struct err err = ERR_INIT;

	err_set(&err, EXIT_DATA, "too_large",
	    "a line may have %zu bytes; the connection is closed", limit);
	complain(c, NULL, false, &err);
}

/* ---- its life --------------------------------------------------------------------- */

struct ctl_conn *
ctl_conn_new(
    const struct ctl_conn_config *config, void *door_conn, const char *asker)
{
	struct ctl_conn *c = mem_alloc(sizeof *c);

	c->config = config;
	c->asker = mem_dup(asker);
	c->client = client_new(
	    config->core, config->door, door_conn, config->out, asker);
	c->client->dialect = c;
	c->client->slow_code = CLOSE_SLOW;
	return c;
}

struct outq *
ctl_conn_outq(struct ctl_conn *c)
{
	return &c->client->out;
}

void
ctl_conn_close(struct ctl_conn *c, const char *why)
{
	client_close(c->client, CLOSE_NORMAL, why);
}

void
ctl_conn_gone(struct ctl_conn *c)
{
	struct request *r, *next_request;
	struct leaving *l, *next;

	c->client->state = CLIENT_CLOSING;
	DL_FOREACH_SAFE (c->requests, r, next_request) {
		if (r->ask != NULL)
			ctl_forget(r->ask);
		request_free(r);
	}
	DL_FOREACH_SAFE (c->leaving, l, next)
		free(l);
	client_gone(c->client);
	free(c->asker);
	free(c);
}
