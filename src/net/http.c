#include "net/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/mem.h"
#include "net/http_priv.h"

enum { HEADERS_MAX = 16384, HEAD_MAX = 32768 };

#define PROBLEM "application/problem+json"

const char *
http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} known[] = { { 100, "Continue" }, { 200, "OK" }, { 201, "Created" },
		{ 202, "Accepted" }, { 204, "No Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" },
		{ 303, "See Other" }, { 304, "Not Modified" },
		{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
		{ 408, "Request Timeout" }, { 409, "Conflict" },
		{ 410, "Gone" }, { 411, "Length Required" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" }, { 426, "Upgrade Required" },
		{ 428, "Precondition Required" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" } };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (known[i].status == status)
			return known[i].reason;
	}
	return status < 400 ? "OK" : "Error";
}

struct http_request *
http_request_new(const struct ws_config *config, struct head *head,
    const struct ws_peer *peer, void *who, http_reply_fn *reply, void *arg)
{
	struct http_request *r = mem_try(sizeof *r);

	if (r == NULL)
		return NULL;
	r->events = config->events;
	r->events_arg = config->arg;
	r->reply = reply;
	r->reply_arg = arg;
	r->head = head;
	r->peer = *peer;
	r->who = who;
	/* the announced length was judged against the limit */
	buf_init(&r->body,
	    (size_t)(head->content_length > 0 ? head->content_length : 0));
	buf_init(&r->headers, HEADERS_MAX);
	return r;
}

static void
request_free(struct http_request *r)
{
	gate_head_free(r->head);
	buf_fini(&r->body);
	buf_fini(&r->headers);
	free(r);
}

void
http_deliver(struct http_request *r)
{
	r->delivered = true;
	r->events->request(r->events_arg, r);
}

void
http_gone(struct http_request *r)
{
	r->reply = NULL;
	if (!r->delivered) {
		if (r->events->who_gone != NULL)
			r->events->who_gone(r->events_arg, r->who);
		request_free(r);
	} else if (r->gone != NULL) {
		r->gone(r->gone_arg);
		request_free(r);
	}
	/* else its owner still holds it and will answer into the void */
}

const struct head *
http_head(const struct http_request *r)
{
	return r->head;
}

const struct ws_peer *
http_peer(const struct http_request *r)
{
	return &r->peer;
}

const char *
http_body(const struct http_request *r, size_t *len)
{
	*len = r->body.len;
	return r->body.len > 0 ? r->body.bytes : "";
}

void *
http_who(const struct http_request *r)
{
	return r->who;
}

void
http_on_gone(struct http_request *r, void (*fn)(void *arg), void *arg)
{
	r->gone = fn;
	r->gone_arg = arg;
}

static void
add_line(struct buf *b, const char *name, const char *value)
{
	/* nothing of ours holds a line end; a stranger's might */
	assert(strpbrk(name, "\r\n") == NULL);
	if (strpbrk(value, "\r\n") == NULL)
		buf_printf(b, "%s: %s\r\n", name, value);
}

void
http_add_header(struct http_request *r, const char *name, const char *value)
{
	add_line(&r->headers, name, value);
}

/* 204 and 304 have no body, and do not speak of its length. */
static char *
compose(int status, const char *headers, const char *type, const char *body,
    size_t body_len, bool head_only, size_t *len)
{
	bool bare = status == 204 || status == 304;
	struct buf b;

	buf_init(&b, HEAD_MAX + body_len);
	buf_printf(&b, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
	if (type != NULL && !bare)
		add_line(&b, "Content-Type", type);
	if (!bare)
		buf_printf(&b, "Content-Length: %zu\r\n", body_len);
	buf_text(&b, "Connection: close\r\n");
	if (headers != NULL)
		buf_text(&b, headers);
	buf_text(&b, "\r\n");
	if (!head_only && !bare && body_len > 0)
		buf_add(&b, body, body_len);
	return buf_take(&b, len);
}

void
http_answer(struct http_request *r, int status, const char *type,
    const char *body, size_t body_len)
{
	if (r->reply != NULL) {
		size_t len = 0;
		char *bytes = compose(status,
		    r->headers.len > 0 ? r->headers.bytes : NULL, type, body,
		    body_len, strcmp(r->head->method, "HEAD") == 0, &len);

		r->reply(r->reply_arg, bytes, len);
	}
	request_free(r);
}

void
http_answer_json(struct http_request *r, int status, const json_t *json)
{
	char *text = js_write(json);

	if (text == NULL)
		http_answer(r, 500, NULL, NULL, 0);
	else
		http_answer(r, status, "application/json", text, strlen(text));
	free(text);
}

static char *
problem(int status, const char *code, const char *detail)
{
	struct buf b;

	buf_init(&b, 8192);
	buf_text(&b, "{\"type\":\"about:blank\",\"title\":");
	buf_json(&b, http_reason(status), strlen(http_reason(status)));
	buf_printf(&b, ",\"status\":%d", status);
	if (code != NULL) {
		buf_text(&b, ",\"code\":");
		buf_json(&b, code, strlen(code));
	}
	buf_text(&b, ",\"detail\":");
	buf_json(&b, detail, strlen(detail));
	buf_text(&b, "}\n");
	return buf_take(&b, NULL);
}

void
http_problem(
    struct http_request *r, int status, const char *code, const char *detail)
{
	char *text = problem(status, code, detail);

	if (text == NULL)
		http_answer(r, status, NULL, NULL, 0);
	else
		http_answer(r, status, PROBLEM, text, strlen(text));
	free(text);
}

static char *
refusal(int status, const char *headers, const char *type, const char *body,
    size_t *len)
{
	*len = 0;
	if (body == NULL)
		return NULL;
	return compose(status, headers, type, body, strlen(body), false, len);
}

char *
http_refusal(int status, const char *why, const char *header, size_t *len)
{
	char *body = problem(status, NULL, why);
	char line[256] = "";
	char *bytes;

	if (header != NULL)
		snprintf(line, sizeof line, "%s\r\n", header);
	bytes = refusal(status, line, PROBLEM, body, len);
	free(body);
	return bytes;
}

char *
http_refusal_verdict(const struct ws_verdict *v, size_t *len)
{
	char *body, *bytes;

	if (v->body[0] != '\0')
		return refusal(
		    v->status, v->headers, "application/json", v->body, len);
	body = problem(v->status, NULL,
	    v->why[0] != '\0' ? v->why : http_reason(v->status));
	bytes = refusal(v->status, v->headers, PROBLEM, body, len);
	free(body);
	return bytes;
}
