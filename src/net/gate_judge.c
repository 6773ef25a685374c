#include <string.h>

#include "lib/str.h"
#include "net/gate.h"
#include "net/gate_priv.h"

/* The library's own buffers for these two end at 127 bytes; beyond it
 * hangs up without an answer. */
enum { LIST_MAX = 120, PROTOCOL_MAX = 63 };

static size_t
count(const struct head *h, const char *name, const char **value)
{
	size_t n = 0;

	*value = NULL;
	for (size_t i = 0; i < h->n_headers; i++) {
		if (!str_ieq(h->headers[i].name, name))
			continue;
		if (n++ == 0)
			*value = h->headers[i].value;
	}
	return n;
}

static bool
judge_method(const struct head *h, struct gate_refusal *no)
{
	static const char *const served[] = { "GET", "HEAD", "POST", "PUT",
		"PATCH", "DELETE", "OPTIONS", NULL };

	for (size_t i = 0; served[i] != NULL; i++) {
		if (strcmp(h->method, served[i]) == 0)
			return true;
	}
	if (strcmp(h->method, "CONNECT") != 0 &&
	    strcmp(h->method, "TRACE") != 0)
		return gate_refuse(no, 501, "The method is not known here.");
	gate_refuse(no, 405, "The method is not allowed.");
	no->header = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
	return false;
}

static bool
judge_host(const struct head *h, struct gate_refusal *no)
{
	const char *host;

	if (count(h, "Host", &host) != 1)
		return gate_refuse(no, 400, "One Host header is needed.");
	if (*host == '\0' || host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
					       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					       "0123456789.-_:[]")] != '\0')
		return gate_refuse(no, 400, "The Host header is malformed.");
	return true;
}

static bool
judge_length(struct head *h, int64_t body_max, struct gate_refusal *no)
{
	const char *length, *coding;
	size_t n = count(h, "Content-Length", &length);
	uint64_t v = 0;

	if (count(h, "Transfer-Encoding", &coding) > 0) {
		if (n > 0)
			return gate_refuse(no, 400,
			    "Both Content-Length and Transfer-Encoding.");
		if (!str_ieq(coding, "chunked"))
			return gate_refuse(
			    no, 501, "The transfer coding is not known here.");
		return gate_refuse(no, 411, "Send the Content-Length.");
	}
	if (n > 1 || (n == 1 && !str_u64(length, 0, INT64_MAX, &v)))
		return gate_refuse(no, 400, "The Content-Length is malformed.");
	if (n == 1 && v > (uint64_t)(body_max > 0 ? body_max : 0))
		return gate_refuse(no, 413, "The body is too large.");
	if (n == 1)
		h->content_length = (int64_t)v;
	else if (h->method[0] == 'P') /* POST, PUT, PATCH */
		return gate_refuse(no, 411, "Send the Content-Length.");
	return true;
}

/* Tokens by comma, at least one. */
static bool
is_list(const char *list)
{
	for (;;) {
		size_t len;

		list += strspn(list, " \t");
		len = strcspn(list, " \t,");
		if (len > PROTOCOL_MAX || !gate_token(list, len))
			return false;
		list += len + strspn(list + len, " \t");
		if (*list == '\0')
			return true;
		if (*list++ != ',')
			return false;
	}
}

static bool
judge_key(const struct head *h, struct gate_refusal *no)
{
	unsigned char nonce[16];
	const char *key;
	size_t len;

	if (count(h, "Sec-WebSocket-Key", &key) != 1)
		return gate_refuse(no, 400, "One Sec-WebSocket-Key is needed.");
	if (strlen(key) != 24 || !str_unb64(nonce, sizeof nonce, key, &len) ||
	    len != sizeof nonce)
		return gate_refuse(no, 400,
		    "The Sec-WebSocket-Key must be 16 bytes in base64.");
	return true;
}

static bool
judge_lists(const struct head *h, struct gate_refusal *no)
{
	const char *connection, *protocol;
	size_t n = count(h, "Sec-WebSocket-Protocol", &protocol);

	if (count(h, "Connection", &connection) != 1 ||
	    !gate_list_has(connection, "upgrade")) {
		gate_refuse(no, 426, "Send Connection: Upgrade.");
		no->header = "Upgrade: websocket";
		return false;
	}
	if (strlen(connection) > LIST_MAX || !is_list(connection))
		return gate_refuse(no, 400, "The Connection is malformed.");
	if (n > 1 ||
	    (n == 1 && (strlen(protocol) > LIST_MAX || !is_list(protocol))))
		return gate_refuse(
		    no, 400, "The Sec-WebSocket-Protocol is malformed.");
	return true;
}

/* RFC 6455 section 4.2.1. */
static bool
judge_handshake(struct head *h, struct gate_refusal *no)
{
	const char *version;

	if (strcmp(h->method, "GET") != 0) {
		gate_refuse(no, 405, "A WebSocket starts with GET.");
		no->header = "Allow: GET";
		return false;
	}
	if (h->minor != 1)
		return gate_refuse(no, 400, "A WebSocket needs HTTP/1.1.");
	if (count(h, "Sec-WebSocket-Version", &version) != 1 ||
	    strcmp(version, "13") != 0) {
		gate_refuse(no, 426, "WebSocket version 13 is spoken here.");
		no->header = "Sec-WebSocket-Version: 13";
		return false;
	}
	if (!judge_key(h, no) || !judge_lists(h, no))
		return false;
	h->upgrade = true;
	return true;
}

static bool
judge_upgrade(struct head *h, struct gate_refusal *no)
{
	const char *upgrade;
	size_t n = count(h, "Upgrade", &upgrade);

	if (n == 0)
		return true;
	if (n == 1 && str_ieq(upgrade, "websocket"))
		return judge_handshake(h, no);
	if (n == 1 && str_ieq(upgrade, "h2c"))
		return true; /* an offer that we do not take up */
	return gate_refuse(no, 400, "The Upgrade is not known here.");
}

bool
gate_judge(struct head *h, int64_t body_max, struct gate_refusal *no)
{
	*no = (struct gate_refusal){ 0 };
	if (!judge_method(h, no) || !judge_host(h, no) ||
	    !judge_upgrade(h, no) || !judge_length(h, body_max, no))
		return false;
	if (h->upgrade && h->content_length > 0)
		return gate_refuse(no, 400, "A handshake has no body.");
	return true;
}
