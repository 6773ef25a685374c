#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "net/ws_priv.h"

enum { VALUE_MAX = GATE_HEAD_MAX };

/* What the library has no token for and gives by name only. */
static const char *const by_name[] = { "x-admin-key:", "x-edge-agent-id:",
	"x-edge-protocol-version:", "x-edge-timestamp:", "x-signature:",
	"x-timestamp:", "x-api-key:", "x-ews-ticket:", "idempotency-key:",
	"expect:", "last-event-id:", NULL };

/* "name=value" as decoded by the library, encoded again. */
static void
add_argument(struct buf *target, const char *text, char before)
{
	const char *equals = strchr(text, '=');
	char *name = mem_dupn(
	    text, equals != NULL ? (size_t)(equals - text) : strlen(text));
	char *value = equals != NULL ? str_percent(equals + 1) : NULL;
	char *coded = str_percent(name);

	buf_add(target, &before, 1);
	buf_text(target, coded);
	if (value != NULL) {
		buf_text(target, "=");
		buf_text(target, value);
	}
	free(name);
	free(value);
	free(coded);
}

static void
add_path(struct buf *target, const char *path, size_t len)
{
	while (len > 0) {
		const char *slash = memchr(path, '/', len);
		size_t n = slash != NULL ? (size_t)(slash - path) : len;
		char *part = mem_dupn(path, n);
		char *coded = str_percent(part);

		buf_text(target, coded);
		free(part);
		free(coded);
		if (slash == NULL)
			return;
		buf_text(target, "/");
		path = slash + 1;
		len -= n + 1;
	}
}

static char *
target_of(struct lws *wsi, const char *path, size_t len)
{
	char *argument = mem_try(VALUE_MAX);
	struct buf target;

	buf_init(&target, 4 * VALUE_MAX);
	add_path(&target, path, len);
	for (int i = 0; argument != NULL; i++) {
		int n = lws_hdr_copy_fragment(
		    wsi, argument, VALUE_MAX, WSI_TOKEN_HTTP_URI_ARGS, i);

		if (n < 0)
			break;
		add_argument(&target, argument, i == 0 ? '?' : '&');
	}
	free(argument);
	return buf_take(&target, NULL);
}

static const char *
method_of(struct lws *wsi)
{
	static const struct {
		enum lws_token_indexes token;
		const char *name;
	} methods[] = { { WSI_TOKEN_GET_URI, "GET" },
		{ WSI_TOKEN_POST_URI, "POST" },
		{ WSI_TOKEN_OPTIONS_URI, "OPTIONS" },
		{ WSI_TOKEN_PUT_URI, "PUT" }, { WSI_TOKEN_PATCH_URI, "PATCH" },
		{ WSI_TOKEN_DELETE_URI, "DELETE" },
		{ WSI_TOKEN_HEAD_URI, "HEAD" } };

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (lws_hdr_total_length(wsi, methods[i].token) > 0)
			return methods[i].name;
	}
	return NULL;
}

static int
minor_of(struct lws *wsi)
{
	char version[16];

	return lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) > 0 &&
		       strcmp(version, "HTTP/1.1") == 0
		   ? 1
		   : 0;
}

static bool
add_tokens(struct lws *wsi, struct head *h, char *value)
{
	for (int t = 0; t < WSI_TOKEN_COUNT; t++) {
		const char *text = (const char *)lws_token_to_string(t);
		char name[64];
		size_t len = text == NULL ? 0 : strlen(text);

		/* "host:" is a header, "get " and ":method" are not */
		if (len < 2 || len >= sizeof name || text[len - 1] != ':' ||
		    text[0] == ':' || lws_hdr_total_length(wsi, t) <= 0)
			continue;
		memcpy(name, text, len);
		name[len - 1] = '\0';
		if (lws_hdr_copy(wsi, value, VALUE_MAX, t) < 0 ||
		    !gate_head_add(h, name, value))
			return false;
	}
	return true;
}

static bool
add_named(struct lws *wsi, struct head *h, char *value)
{
	for (size_t i = 0; by_name[i] != NULL; i++) {
		char name[64];
		int len = (int)strlen(by_name[i]);

		if (lws_hdr_custom_copy(
			wsi, value, VALUE_MAX, by_name[i], len) < 0)
			continue;
		str_copy(name, sizeof name, by_name[i]);
		name[len - 1] = '\0';
		if (!gate_head_add(h, name, value))
			return false;
	}
	return true;
}

struct head *
tls_head(struct lws *wsi, struct gate_refusal *no)
{
	const char *method = method_of(wsi);
	char *path, *target, *value;
	struct head *h;
	int len;

	*no = (struct gate_refusal){ 400, "The request is malformed.", NULL };
	if (method == NULL || lws_http_get_uri_and_method(wsi, &path, &len) < 0)
		return NULL;
	target = target_of(wsi, path, (size_t)len);
	if (target == NULL)
		return NULL;
	h = gate_head_new(method, target, minor_of(wsi), no);
	free(target);
	if (h == NULL)
		return NULL;
	value = mem_try(VALUE_MAX);
	if (value == NULL || !add_tokens(wsi, h, value) ||
	    !add_named(wsi, h, value)) {
		*no = (struct gate_refusal){ 400, "A header is malformed.",
			NULL };
		gate_head_free(h);
		h = NULL;
	}
	free(value);
	return h;
}
