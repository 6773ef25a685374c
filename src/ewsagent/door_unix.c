#include "ewsagent/door_unix.h"

#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "net/jsock.h"

enum { LINE_MAX_ = 1 << 20, CONNS_MAX = 32, OUT_MAX = 4 << 20 };

struct door_unix {
	struct door_unix_config config;
	struct jsock *sock;
};

struct visitor {
	struct door_unix *door;
	struct jsock_conn *conn;
	struct outq out;
};

/* ---- operations ---------------------------------------------------- */

static json_t *
op_status(struct door_unix *d)
{
	return d->config.status(d->config.arg);
}

static json_t *
op_ping(struct door_unix *d)
{
	char now[CLOCK_TEXT_SIZE];

	return json_pack("{s:b, s:s}", "pong", 1, "time",
	    clock_text(now, clock_wall(d->config.clock)));
}

static json_t *op_ops(struct door_unix *);

static const struct op {
	const char *name;
	json_t *(*run)(struct door_unix *);
	const char *help;
} ops[] = {
	{ "status", op_status, "the link, the commands, the counts" },
	{ "ping", op_ping, "is it alive?" },
	{ "ops", op_ops, "this list" },
};

static json_t *
op_ops(struct door_unix *d)
{
	json_t *list = json_array();

	(void)d;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "op", ops[i].name, "help",
			      ops[i].help));
	return json_pack("{s:o}", "ops", list);
}

/* ---- questions and answers ----------------------------------------- */

static void
say(struct visitor *v, json_t *answer)
{
	char *text = js_write(answer);
	struct frame *f;

	json_decref(answer);
	if (text == NULL)
		return;
	f = frame_text_z(text);
	if (outq_put(&v->out, f, OUTQ_DATA, 0))
		jsock_want_write(v->conn);
	else
		jsock_close(v->conn); /* asks and does not read */
	frame_unref(f);
	free(text);
}

/* JSON-RPC 2.0 section 5.1: -32601 is "method not found". */
static void
complain(struct visitor *v, const json_t *ask, const char *code,
    const char *detail, int rpc_code)
{
	json_t *id = js_get(ask, "id");

	if (js_str(ask, "jsonrpc") != NULL)
		say(v, json_pack("{s:s, s:O?, s:{s:i, s:s, s:{s:s}}}",
			   "jsonrpc", "2.0", "id", id, "error", "code",
			   rpc_code, "message", detail, "data", "code", code));
	else
		say(v, json_pack("{s:O?, s:b, s:{s:s, s:s, s:s}}", "id", id,
			   "ok", 0, "error", "code", code, "detail", detail,
			   "see", "ewsagent(8)"));
}

static void
answer(struct visitor *v, const json_t *ask, json_t *result)
{
	json_t *id = js_get(ask, "id");

	if (js_str(ask, "jsonrpc") != NULL)
		say(v, json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id,
			   "result", result));
	else
		say(v, json_pack("{s:O?, s:b, s:o}", "id", id, "ok", 1,
			   "result", result));
}

static void
on_line(void *conn, char *text, size_t len)
{
	struct visitor *v = conn;
	struct err err = ERR_INIT;
	json_t *ask = js_read_object(text, len, &err);
	const char *name;

	if (ask == NULL) {
		complain(v, NULL, err.code, err.text, 0);
		return;
	}
	name = js_str(ask, js_str(ask, "jsonrpc") != NULL ? "method" : "op");
	for (size_t i = 0; name != NULL && i < sizeof ops / sizeof *ops; i++) {
		if (str_eq(name, ops[i].name)) {
			answer(v, ask, ops[i].run(v->door));
			json_decref(ask);
			return;
		}
	}
	complain(
	    v, ask, "unknown_op", "no such operation; try \"ops\"", -32601);
	json_decref(ask);
}

static void
on_overlong(void *conn)
{
	complain(conn, NULL, "too_large", "a line has at most 1 MiB", 0);
}

/* ---- life ---------------------------------------------------------- */

static const struct outq_config out_config = {
	.max_frames = 1024,
	.max_bytes = OUT_MAX,
	.low_bytes = OUT_MAX / 2,
};

static void *
on_open(void *arg, struct jsock_conn *conn, const struct unix_peer *peer)
{
	struct visitor *v = mem_alloc(sizeof *v);

	(void)peer;
	v->door = arg;
	v->conn = conn;
	outq_init(&v->out, &out_config, v);
	jsock_set_outq(conn, &v->out);
	return v;
}

static void
on_closed(void *conn)
{
	struct visitor *v = conn;

	outq_fini(&v->out);
	free(v);
}

static const struct jsock_events events = {
	.open = on_open,
	.line = on_line,
	.overlong = on_overlong,
	.closed = on_closed,
};

struct door_unix *
door_unix_new(const struct door_unix_config *config, struct err *err)
{
	struct door_unix *d = mem_alloc(sizeof *d);
	struct jsock_config sock = {
		.loop = config->loop,
		.path = config->path,
		.mode = 0600,
		.group = (gid_t)-1,
		.max_line = LINE_MAX_,
		.max_conns = CONNS_MAX,
		.events = &events,
		.arg = d,
	};

	d->config = *config;
	d->sock = jsock_listen(&sock, err);
	if (d->sock == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

void
door_unix_free(struct door_unix *d)
{
	if (d == NULL)
		return;
	jsock_stop(d->sock);
	jsock_free(d->sock);
	free(d);
}
