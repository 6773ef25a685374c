/*
 * oldhub_conn - one connection: a WebSocket or some HTTP requests
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oldhub.h"
#include "wsframe.h"
#include "wskey.h"

enum { PIECE = 65536, HEAD_MAX = 65536, VALUE_MAX = 256 };

void
conn_new(struct oldhub *h, int fd)
{
	struct conn *c = calloc(1, sizeof *c);
	int on = 1;

	if (c == NULL)
		abort();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->fd = fd;
	c->next = h->conns;
	h->conns = c;
}

void
conn_free(struct conn *c)
{
	close(c->fd);
	bytes_fini(&c->in);
	bytes_fini(&c->out);
	bytes_fini(&c->text);
	free(c);
}

/* One line, whatever is in it. */
static void
tell(const char *what, const char *text, size_t len)
{
	printf("%s ", what);
	for (size_t i = 0; i < len; i++)
		putchar(iscntrl((unsigned char)text[i]) ? ' ' : text[i]);
	putchar('\n');
}

static bool
says(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

/* ---- HTTP ----------------------------------------------------------- */

/* A header's value, cut to fit; false if there is none. */
static bool
header(const char *head, size_t len, const char *name, char value[VALUE_MAX])
{
	size_t n = strlen(name), size;
	const char *p = head, *end;

	while ((p = memmem(p, len - (size_t)(p - head), "\r\n", 2)) != NULL) {
		p += 2;
		end = memmem(p, len - (size_t)(p - head), "\r\n", 2);
		if (end == NULL || (size_t)(end - p) <= n ||
		    strncasecmp(p, name, n) != 0 || p[n] != ':')
			continue;
		for (p += n + 1; *p == ' '; p++)
			continue;
		size = (size_t)(end - p);
		if (size >= VALUE_MAX)
			size = VALUE_MAX - 1;
		memcpy(value, p, size);
		value[size] = '\0';
		return true;
	}
	return false;
}

static void
put_text(struct bytes *b, const char *text)
{
	bytes_put(b, text, strlen(text));
}

static void
answer(struct conn *c, const char *status, const char *body, size_t len)
{
	char head[256];

	snprintf(head, sizeof head,
	    "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    status, len);
	put_text(&c->out, head);
	bytes_put(&c->out, body, len);
}

/* {"detail":…}: a refusal ends the connection. */
static void
refuse(struct conn *c, const char *status)
{
	char body[80];

	snprintf(body, sizeof body, "{\"detail\":\"%s\"}", status + 4);
	tell("refused", status, 3);
	answer(c, status, body, strlen(body));
	c->closing = true;
}

static void
answer_sync(struct oldhub *h, struct conn *c)
{
	struct bytes body = { 0 };
	char *end;

	put_text(&body, "{\"commands\":[");
	while (h->commands.len > 0) {
		end = memchr(h->commands.at, '\n', h->commands.len);
		bytes_put(
		    &body, h->commands.at, (size_t)(end - h->commands.at));
		bytes_eat(&h->commands, (size_t)(end + 1 - h->commands.at));
		if (h->commands.len > 0)
			put_text(&body, ",");
	}
	put_text(&body, "],\"ack_events\":[],\"config_updates\":");
	put_text(&body, h->updates != NULL ? h->updates : "{}");
	put_text(&body, "}");
	free(h->updates);
	h->updates = NULL;
	answer(c, "200 OK", body.at, body.len);
	bytes_fini(&body);
}

/* "POST PATH " */
static bool
is_post(const char *head, const char *path)
{
	size_t n = strlen(path);

	return strncmp(head, "POST ", 5) == 0 &&
	       strncmp(head + 5, path, n) == 0 && head[5 + n] == ' ';
}

/* An id that begins with "bad" is refused. */
static void
request(struct oldhub *h, struct conn *c, const char *head, const char *body,
    size_t len)
{
	static const char yes[] = "{\"acknowledged\":true}";

	if (is_post(head, "/edge/sync")) {
		tell("sync", body, len);
		answer_sync(h, c);
	} else if (!is_post(head, h->ack_path)) {
		refuse(c, "404 Not Found");
	} else if (says(body, len, "\"command_id\":\"bad")) {
		refuse(c, "422 Unprocessable Entity");
	} else {
		tell("ack", body, len);
		answer(c, "200 OK", yes, sizeof yes - 1);
	}
}

static void
upgrade(struct oldhub *h, struct conn *c, const char *head, size_t len)
{
	char key[VALUE_MAX], offer[VALUE_MAX] = "";
	char digest[WSKEY_ANSWER_LEN + 1];
	bool offers = header(head, len, "Sec-WebSocket-Protocol", offer);

	tell("upgrade", offer, strlen(offer));
	if (h->no_ws) {
		refuse(c, "503 Service Unavailable");
	} else if (strncmp(head, "GET /edge/ws", 12) != 0) {
		refuse(c, "404 Not Found");
	} else if (!header(head, len, "Sec-WebSocket-Key", key) ||
		   (h->refuse_protocol && offers)) {
		refuse(c, "400 Bad Request");
	} else {
		wskey_answer(key, strlen(key), digest);
		put_text(&c->out,
		    "HTTP/1.1 101 Switching Protocols\r\n"
		    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Accept: ");
		put_text(&c->out, digest);
		put_text(&c->out, "\r\n\r\n");
		c->ws = true;
		tell("open", "", 0);
	}
}

/* False: more must come first. */
static bool
take_request(struct oldhub *h, struct conn *c)
{
	size_t head = wskey_head_len(c->in.at, c->in.len);
	char value[VALUE_MAX];
	size_t len = 0;

	if (head == 0) {
		c->closing |= c->in.len > HEAD_MAX;
		return false;
	}
	if (header(c->in.at, head, "Upgrade", value)) {
		upgrade(h, c, c->in.at, head);
		bytes_eat(&c->in, head);
		return true;
	}
	if (header(c->in.at, head, "Content-Length", value))
		len = (size_t)strtoul(value, NULL, 10);
	if (c->in.len < head + len)
		return false;
	request(h, c, c->in.at, c->in.at + head, len);
	bytes_eat(&c->in, head + len);
	return true;
}

/* ---- WebSocket ------------------------------------------------------- */

void
conn_frame(struct conn *c, const char *type, const char *data, size_t len)
{
	struct bytes text = { 0 };

	put_text(&text, "{\"type\":\"");
	put_text(&text, type);
	put_text(&text, "\"");
	if (len > 0) {
		put_text(&text, ",\"data\":");
		bytes_put(&text, data, len);
	}
	put_text(&text, "}");
	wsframe_put(&c->out, WS_FIN | WS_TEXT, text.at, text.len, NULL);
	bytes_fini(&text);
}

void
conn_close(struct conn *c, int code, const char *reason)
{
	char body[125] = { (char)(code >> 8), (char)code };
	size_t len = strlen(reason);

	if (len > sizeof body - 2)
		len = sizeof body - 2;
	memcpy(body + 2, reason, len);
	wsframe_put(&c->out, WS_FIN | WS_CLOSE, body, len + 2, NULL);
	c->closing = true;
}

static void
message(struct oldhub *h, struct conn *c)
{
	tell("ws", c->text.at, c->text.len);
	if (!h->no_pong && says(c->text.at, c->text.len, "\"type\":\"ping\""))
		conn_frame(c, "pong", "", 0);
	bytes_eat(&c->text, c->text.len);
}

static void
peer_closes(struct conn *c, const char *body, size_t len)
{
	const unsigned char *p = (const unsigned char *)body;

	printf("close %d\n", len < 2 ? 1005 : p[0] << 8 | p[1]);
	wsframe_put(&c->out, WS_FIN | WS_CLOSE, body, len, NULL);
	c->closing = true;
}

static bool
take_frame(struct oldhub *h, struct conn *c)
{
	struct wsframe f;
	size_t len;
	char *body;

	if (!wsframe_parse(c->in.at, c->in.len, &f) ||
	    c->in.len < f.head + f.len)
		return false;
	if (!f.masked) {
		tell("unmasked", "", 0);
		conn_close(c, 1002, "");
		return false;
	}
	body = c->in.at + f.head;
	len = (size_t)f.len;
	wsframe_mask(body, len, f.mask);
	switch (f.first & 0xf) {
	case WS_TEXT:
	case WS_MORE:
		bytes_put(&c->text, body, len);
		if ((f.first & WS_FIN) != 0)
			message(h, c);
		break;
	case WS_CLOSE:
		peer_closes(c, body, len);
		break;
	case WS_PING:
		wsframe_put(&c->out, WS_FIN | WS_PONG, body, len, NULL);
		break;
	}
	bytes_eat(&c->in, f.head + len);
	return true;
}

/* ---- bytes ------------------------------------------------------------ */

bool
conn_read(struct oldhub *h, struct conn *c)
{
	ssize_t n = read(c->fd, bytes_room(&c->in, PIECE), PIECE);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	c->in.len += (size_t)n;
	while (!c->closing && (c->ws ? take_frame(h, c) : take_request(h, c)))
		continue;
	return true;
}

bool
conn_write(struct conn *c)
{
	ssize_t n;

	if (c->out.len == 0)
		return !c->closing;
	n = write(c->fd, c->out.at, c->out.len);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	bytes_eat(&c->out, (size_t)n);
	return c->out.len > 0 || !c->closing;
}
