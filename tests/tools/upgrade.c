/*
 * upgrade - the request that turns HTTP into a WebSocket, and its answer
 */
#include "upgrade.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wskey.h"

enum { HEAD_MAX = 65536 };

static char key[WSKEY_LEN + 1];

static const char *
given(const struct upgrade *u, const char *name)
{
	size_t n = strlen(name);

	for (char **h = u->headers; *h != NULL; h++)
		if (strncasecmp(*h, name, n) == 0 && (*h)[n] == ':')
			return *h;
	return NULL;
}

static bool
has_value(const char *header)
{
	const char *colon = strchr(header, ':');

	return colon == NULL || colon[1 + strspn(colon + 1, " ")] != '\0';
}

static void __attribute__((format(printf, 4, 5))) put_header(struct bytes *b,
    const struct upgrade *u, const char *name, const char *fmt, ...)
{
	char value[4096];
	va_list ap;

	if (given(u, name) != NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	bytes_put(b, name, strlen(name));
	bytes_put(b, ": ", 2);
	bytes_put(b, value, strlen(value));
	bytes_put(b, "\r\n", 2);
}

static void
put_request(struct bytes *b, const struct upgrade *u)
{
	bytes_put(b, u->method, strlen(u->method));
	bytes_put(b, " ", 1);
	bytes_put(b, u->path, strlen(u->path));
	bytes_put(b, " HTTP/1.1\r\n", 11);
	put_header(b, u, "Host",
	    strchr(u->host, ':') != NULL ? "[%s]:%s" : "%s:%s", u->host,
	    u->port);
	put_header(b, u, "Upgrade", "websocket");
	put_header(b, u, "Connection", "Upgrade");
	put_header(b, u, "Sec-WebSocket-Key", "%s", key);
	put_header(b, u, "Sec-WebSocket-Version", "13");
	if (u->protocol != NULL)
		put_header(b, u, "Sec-WebSocket-Protocol", "%s", u->protocol);
	for (char **h = u->headers; *h != NULL; h++) {
		if (!has_value(*h))
			continue;
		bytes_put(b, *h, strlen(*h));
		bytes_put(b, "\r\n", 2);
	}
	bytes_put(b, "\r\n", 2);
}

static bool
read_head(struct upgrade *u, struct wire *w, int64_t deadline)
{
	size_t len;

	while ((len = wskey_head_len(w->in.at, w->in.len)) == 0)
		if (w->in.len > HEAD_MAX || !wire_fill(w, deadline))
			return false;
	u->head = strndup(w->in.at, len - 2);
	bytes_eat(&w->in, len);
	return u->head != NULL;
}

bool
upgrade_ask(struct upgrade *u, struct wire *w, int64_t deadline)
{
	struct bytes b = { 0 };

	wskey_make(key);
	put_request(&b, u);
	wire_write(w, b.at, b.len, deadline); /* it may refuse half-way */
	bytes_fini(&b);
	u->whole = read_head(u, w, deadline);
	return u->whole &&
	       sscanf(u->head, "HTTP/1.%*1[01] %3d", &u->status) == 1;
}

const char *
upgrade_header(const struct upgrade *u, const char *name, size_t *len)
{
	size_t n = strlen(name);
	const char *line = u->head;

	while ((line = strchr(line, '\n')) != NULL) {
		line++;
		if (strncasecmp(line, name, n) != 0 || line[n] != ':')
			continue;
		line += n + 1;
		line += strspn(line, " \t");
		*len = strcspn(line, "\r\n");
		return line;
	}
	return NULL;
}

static bool
header_is(const struct upgrade *u, const char *name, const char *value)
{
	size_t n;
	const char *v = upgrade_header(u, name, &n);

	return v != NULL && n == strlen(value) && strncasecmp(v, value, n) == 0;
}

/* Is 'one' an item of the comma-separated 'offered'? */
static bool
is_offered(const char *offered, const char *one, size_t len)
{
	while (offered != NULL) {
		offered += strspn(offered, ", ");
		if (strncmp(offered, one, len) == 0 &&
		    strchr(", ", offered[len]) != NULL)
			return true;
		offered = strchr(offered, ',');
	}
	return false;
}

static const char *
our_key(const struct upgrade *u)
{
	const char *h = given(u, "Sec-WebSocket-Key");

	if (h == NULL)
		return key;
	h = strchr(h, ':') + 1;
	return h + strspn(h, " ");
}

const char *
upgrade_flaw(const struct upgrade *u)
{
	char answer[WSKEY_ANSWER_LEN + 1];
	const char *k = our_key(u), *v;
	size_t n;

	wskey_answer(k, strlen(k), answer);
	v = upgrade_header(u, "Sec-WebSocket-Accept", &n);
	if (v == NULL || n != strlen(answer) || memcmp(v, answer, n) != 0)
		return "Sec-WebSocket-Accept is missing or wrong";
	if (!header_is(u, "Upgrade", "websocket"))
		return "no Upgrade: websocket";
	if (!header_is(u, "Connection", "Upgrade"))
		return "no Connection: Upgrade";
	v = upgrade_header(u, "Sec-WebSocket-Protocol", &n);
	if (v != NULL && !is_offered(u->protocol, v, n))
		return "a subprotocol that was not offered";
	if (upgrade_header(u, "Sec-WebSocket-Extensions", &n) != NULL)
		return "an extension, of which we can none";
	return NULL;
}

static void
print_body(const struct upgrade *u, struct wire *w, FILE *out, int64_t deadline)
{
	size_t n, want = (size_t)-1;
	const char *v = upgrade_header(u, "Content-Length", &n);

	if (v != NULL)
		want = strtoul(v, NULL, 10);
	while (w->in.len < want && wire_fill(w, deadline))
		;
	n = w->in.len < want ? w->in.len : want;
	if (n == 0)
		return;
	fwrite(w->in.at, 1, n, out);
	if (w->in.at[n - 1] != '\n')
		fputc('\n', out);
	bytes_eat(&w->in, n);
}

void
upgrade_print(
    const struct upgrade *u, struct wire *w, FILE *out, int64_t deadline)
{
	fprintf(out, "HTTP %d\n", u->status);
	for (const char *p = strchr(u->head, '\n') + 1; *p != '\0'; p++)
		if (*p != '\r')
			fputc(*p, out);
	fputc('\n', out);
	if (u->status != 101)
		print_body(u, w, out, deadline);
	fflush(out);
}

void
upgrade_fini(struct upgrade *u)
{
	free(u->head);
	u->head = NULL;
}
