/*
 * door_http - HTTP requests: the body, then the handler of the route
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/door/door_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/str.h"

/* The signature form covers the body, so it is judged only now. */
static bool
signature_ok(struct door_net *d, struct http_request *req, struct visit *v)
{
	const char *address = http_peer(req)->address;
	char after[16];
	size_t len;
	const char *body = http_body(req, &len);
	int wait_s;

	if (!v->signature ||
	    door_signature_ok(d, http_head(req), body, len, &v->who))
		return true;
	core_stats(d->config.core)->refused_auth++;
	wait_s = auth_failed(d->config.auth, address);
	if (wait_s == 0) {
		call_detail(req, 403, "Forbidden");
		return false;
	}
	snprintf(after, sizeof after, "%d", wait_s);
	http_add_header(req, "Retry-After", after);
	call_detail(req, 429, "Too Many Requests");
	return false;
}

/* NULL: answered. An empty body is an empty object. */
static json_t *
read_body(struct http_request *req)
{
	struct err err = ERR_INIT;
	size_t len;
	const char *text = http_body(req, &len);
	json_t *any;

	if (len == 0)
		return json_object();
	any = js_read(text, len, &err);
	if (any == NULL) {
		call_problem(req, &err);
		return NULL;
	}
	if (json_is_object(any))
		return any;
	json_decref(any);
	call_invalid(req, NULL, "value is not a valid dict", "type_error.dict");
	return NULL;
}

static void
dispatch(struct door_net *d, struct http_request *req, struct visit *v)
{
	struct call call = { .req = req,
		.who = &v->who,
		.part = v->part,
		.core = d->config.core,
		.edge = d->edge,
		.ctl = d->config.ctl };

	if (!signature_ok(d, req, v))
		return;
	if (str_eq(v->route->method, "POST")) {
		call.body = read_body(req);
		if (call.body == NULL)
			return;
	}
	v->route->call(&call);
	json_decref(call.body);
}

void
door_request(void *arg, struct http_request *req)
{
	struct door_net *d = arg;
	struct visit *v = http_who(req);

	core_stats(d->config.core)->http_requests++;
	if (v->route == NULL) { /* OPTIONS */
		http_add_header(req, "Allow", v->allow);
		http_answer(req, 204, NULL, NULL, 0);
	} else {
		dispatch(d, req, v);
	}
	free(v);
}
