#include "ewsd/dialect/hub_calls.h"

#include <stdlib.h>
#include <string.h>

#include "ewsd/core/client.h"
#include "ewsd/core/stats.h"
#include "ewsd/dialect/ctl.h"
#include "ewsd/dialect/edge.h"
#include "lib/buf.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/prog.h"

enum { WAIT_MAX_MS = 30000, METRICS_MAX = 1 << 20 };

/* The union of what the clients of several systems look for (PROTOCOL 6);
 * strangers hear no numbers. */
void
hub_call_health(struct call *call)
{
	const char *status = core_draining(call->core) ? "draining" : "healthy";
	json_t *o =
	    json_pack("{s:s,s:s}", "status", status, "version", prog_version());

	if (http_peer(call->req)->loopback) {
		json_int_t up = edge_uptime_ms(call->edge) / 1000;
		json_int_t sockets = edge_count(call->edge);

		json_object_set_new(
		    o, "active_connections", json_integer(sockets));
		json_object_set_new(
		    o, "websocket_clients", json_integer(sockets));
		json_object_set_new(o, "uptime_seconds", json_integer(up));
		json_object_set_new(o, "uptime", json_integer(up));
	}
	http_answer_json(call->req, 200, o);
	json_decref(o);
}

static void
add_metric(struct buf *b, const char *name, bool gauge, const char *help,
    uint64_t value)
{
	const char *suffix = gauge ? "" : "_total";

	buf_printf(b, "# HELP ews_%s%s %s\n# TYPE ews_%s%s %s\n", name, suffix,
	    help, name, suffix, gauge ? "gauge" : "counter");
	buf_printf(
	    b, "ews_%s%s %llu\n", name, suffix, (unsigned long long)value);
}

void
hub_call_metrics(struct call *call)
{
	const struct stats *st = core_stats(call->core);
	struct buf b;

	core_gauges(call->core);
	buf_init(&b, METRICS_MAX);
#define STAT(name, gauge, help) add_metric(&b, #name, gauge, help, st->name);
#include "ewsd/core/stats.def"
#undef STAT
	add_metric(&b, "uptime_seconds", true, "seconds since the hub started",
	    (uint64_t)edge_uptime_ms(call->edge) / 1000);
	http_answer(call->req, 200, "text/plain; version=0.0.4; charset=utf-8",
	    b.bytes, b.len);
	buf_fini(&b);
}

/* An operation that is not answered yet. */
struct op {
	struct http_request *req;
	struct ctl_ask *ask;
};

static void
op_gone(void *arg)
{
	struct op *op = arg;

	if (op->ask != NULL)
		ctl_forget(op->ask);
	free(op);
}

static json_t *
problem(const struct err *err, const json_t *extra)
{
	int status = ctl_code_http(err->code);
	json_t *o = json_pack("{s:s,s:s,s:i,s:s,s:s}", "type", "about:blank",
	    "title", http_reason(status), "status", status, "code", err->code,
	    "detail", err->text);

	if (extra != NULL)
		json_object_update_missing(o, (json_t *)extra);
	return o;
}

static void
op_reply(void *arg, json_t *result, const struct err *err, const json_t *extra)
{
	struct op *op = arg;
	json_t *o;
	char *text;

	http_on_gone(op->req, NULL, NULL);
	if (result != NULL) {
		http_answer_json(op->req, 200, result);
	} else {
		o = problem(err, extra);
		text = js_write(o);
		http_answer(op->req, ctl_code_http(err->code),
		    "application/problem+json", text != NULL ? text : "{}",
		    text != NULL ? strlen(text) : 2);
		free(text);
		json_decref(o);
	}
	free(op);
}

void
hub_call_op(struct call *call)
{
	struct op *op;
	struct ctl_sink sink = { .reply = op_reply,
		.asker = "http:admin",
		.wait_max_ms = WAIT_MAX_MS };
	struct ctl_ask *ask;

	if (call->ctl == NULL) {
		call_detail(call->req, 404, "Not Found");
		return;
	}
	op = mem_alloc(sizeof *op);
	op->req = call->req;
	http_on_gone(call->req, op_gone, op);
	sink.arg = op;
	sink.text = http_body(call->req, &sink.len);
	if (sink.len == 0)
		sink.text = NULL;
	ask = ctl_request(call->ctl, &sink, call->part, call->body);
	if (ask != NULL) /* else it was answered, and 'op' is gone */
		op->ask = ask;
}
