/*
 * floor - the least that a WebSocket hub can do
 *
 *	floor [--coalesce] PORT
 *
 * What any hub costs above this is its own: one thread, one send() for each
 * connection of a frame that was built once; no limits, no time-outs, no
 * thought. A message "* PAYLOAD" on a connection to /pub goes to all other
 * connections, "N PAYLOAD" to the one whose path ends in the number N. With
 * --coalesce all messages that were read in one turn of the loop go out by
 * one send() for each connection. It answers pings, prints "ready PORT" and
 * listens on loopback; PORT 0 is any. Not a hub: it believes everything.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tools/bytes.h"
#include "../tools/listener.h"
#include "../tools/number.h"
#include "../tools/wsframe.h"
#include "../tools/wskey.h"
#include "poller.h"

enum { READY_MAX = 512, PIECE = 65536, NUMBERS = 1 << 17 };

struct conn {
	int fd;
	int place; /* in 'live', or -1 */
	int number; /* at the end of its path, or -1 */
	bool up;
	bool publisher;
	struct bytes in; /* only what is not complete */
	struct bytes out; /* only what the kernel did not take */
};

static struct conn **by_fd;
static struct conn **live;
static struct conn *by_number[NUMBERS];
static int nlive, listener;
static bool coalesce;
static struct bytes batch; /* frames for all, built once */

static void
drop(struct conn *c)
{
	if (c->place != -1) {
		live[c->place] = live[--nlive];
		live[c->place]->place = c->place;
	}
	if (c->number != -1 && by_number[c->number] == c)
		by_number[c->number] = NULL;
	by_fd[c->fd] = NULL;
	poller_remove(c->fd);
	close(c->fd);
	bytes_fini(&c->in);
	bytes_fini(&c->out);
	free(c);
}

/* Errors are left to the next read. */
static void
put(struct conn *c, const char *p, size_t n)
{
	ssize_t done = 0;

	if (c->out.len == 0) {
		done = send(c->fd, p, n, 0);
		if (done == (ssize_t)n)
			return;
		if (done == -1 && errno != EAGAIN)
			return;
		done = done == -1 ? 0 : done;
		poller_want_out(c->fd, true);
	}
	bytes_put(&c->out, p + done, n - (size_t)done);
}

static void
put_rest(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.at, c->out.len, 0);

	if (n > 0)
		bytes_eat(&c->out, (size_t)n);
	if (c->out.len > 0)
		return;
	bytes_fini(&c->out);
	poller_want_out(c->fd, false);
}

static void
fan_out(void)
{
	if (batch.len == 0)
		return;
	for (int i = 0; i < nlive; i++)
		put(live[i], batch.at, batch.len);
	bytes_eat(&batch, batch.len);
}

static void
publish(const char *text, size_t n)
{
	const char *blank = memchr(text, ' ', n);
	struct bytes one = { 0 };
	size_t skip;
	int to;

	if (blank == NULL)
		return;
	skip = (size_t)(blank + 1 - text);
	if (*text == '*') {
		wsframe_put(
		    &batch, WS_FIN | WS_TEXT, text + skip, n - skip, NULL);
		if (!coalesce)
			fan_out();
		return;
	}
	to = atoi(text);
	if (to < 0 || to >= NUMBERS || by_number[to] == NULL)
		return;
	wsframe_put(&one, WS_FIN | WS_TEXT, text + skip, n - skip, NULL);
	put(by_number[to], one.at, one.len);
	bytes_fini(&one);
}

/* Takes part as a subscriber under the number that ends its path. */
static void
subscribe(struct conn *c, const char *path)
{
	const char *end = path + strcspn(path, " "), *digits = end;

	while (digits > path && isdigit((unsigned char)digits[-1]))
		digits--;
	if (digits < end && atoi(digits) < NUMBERS) {
		c->number = atoi(digits);
		by_number[c->number] = c;
	}
	c->place = nlive;
	live[nlive++] = c;
}

static size_t
shake_hands(struct conn *c, char *p, size_t n)
{
	size_t head = wskey_head_len(p, n);
	char *key, *path;
	char answer[WSKEY_ANSWER_LEN + 1], text[256];

	if (head == 0)
		return 0;
	p[head - 4] = '\0';
	key = strcasestr(p, "\nsec-websocket-key:");
	path = strchr(p, ' ');
	if (key == NULL || path == NULL || strlen(key) < 20 + WSKEY_LEN)
		return n;
	wskey_answer(key + 20, WSKEY_LEN, answer);
	c->publisher = strncmp(path + 1, "/pub", 4) == 0;
	if (!c->publisher)
		subscribe(c, path + 1);
	put(c, text,
	    (size_t)snprintf(text, sizeof text,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		answer));
	c->up = true;
	return head;
}

static void
answer(struct conn *c, unsigned op, const char *p, size_t n)
{
	struct bytes b = { 0 };

	wsframe_put(&b, (uint8_t)(WS_FIN | op), p, n, NULL);
	put(c, b.at, b.len);
	bytes_fini(&b);
}

/* Returns how much of it was used; false in '*stay' after a close. */
static size_t
take_frame(struct conn *c, char *p, size_t n, bool *stay)
{
	struct wsframe f;
	char *body;

	if (!wsframe_parse(p, n, &f) || n - f.head < f.len)
		return 0;
	body = p + f.head;
	if (f.masked)
		wsframe_mask(body, (size_t)f.len, f.mask);
	switch (f.first & 0xf) {
	case WS_TEXT:
		if (c->publisher)
			publish(body, (size_t)f.len);
		break;
	case WS_PING:
		answer(c, WS_PONG, body, (size_t)f.len);
		break;
	case WS_CLOSE:
		answer(c, WS_CLOSE, body, (size_t)f.len);
		*stay = false;
		break;
	}
	return f.head + (size_t)f.len;
}

static void
hear(struct conn *c)
{
	static char buf[PIECE];
	ssize_t n = recv(c->fd, buf, sizeof buf, 0);
	char *p = buf;
	size_t left, used;
	bool stay = n > 0 || (n == -1 && errno == EAGAIN), kept;

	left = n > 0 ? (size_t)n : 0;
	kept = c->in.len > 0;
	if (kept) {
		bytes_put(&c->in, buf, left);
		p = c->in.at;
		left = c->in.len;
	}
	while (stay && left > 0) {
		used = c->up ? take_frame(c, p, left, &stay)
			     : shake_hands(c, p, left);
		if (used == 0)
			break;
		p += used;
		left -= used;
	}
	if (!stay)
		drop(c);
	else if (kept && left > 0)
		bytes_eat(&c->in, c->in.len - left);
	else if (kept)
		bytes_fini(&c->in);
	else
		bytes_put(&c->in, p, left);
}

static void
welcome(void)
{
	struct conn *c;
	int fd, on = 1;

	while ((fd = accept(listener, NULL, NULL)) != -1) {
		c = calloc(1, sizeof *c);
		if (c == NULL)
			errx(1, "out of memory");
		fcntl(fd, F_SETFL, O_NONBLOCK);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		*c = (struct conn){ .fd = fd, .place = -1, .number = -1 };
		by_fd[fd] = c;
		poller_add(fd);
	}
}

static int
most_descriptors(void)
{
	enum { PLENTY = 1 << 18 };
	struct rlimit rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max < PLENTY ? rl.rlim_max : PLENTY;
	setrlimit(RLIMIT_NOFILE, &rl);
	getrlimit(RLIMIT_NOFILE, &rl);
	return (int)rl.rlim_cur;
}

static void
turn(void)
{
	struct ready r[READY_MAX];
	int n = poller_wait(r, READY_MAX);

	for (int i = 0; i < n; i++) {
		struct conn *c = by_fd[r[i].fd];

		if (r[i].fd == listener) {
			welcome();
			continue;
		}
		if (c != NULL && r[i].out && c->out.len > 0)
			put_rest(c);
		if (c != NULL && r[i].in)
			hear(c);
	}
	fan_out();
}

int
main(int argc, char **argv)
{
	char warm[WSKEY_ANSWER_LEN + 1];
	int port, most = most_descriptors();

	if (argc > 1 && strcmp(argv[1], "--coalesce") == 0) {
		coalesce = true;
		argc--;
		argv++;
	}
	if (argc != 2)
		errx(2, "usage: floor [--coalesce] PORT");
	signal(SIGPIPE, SIG_IGN);
	by_fd = calloc((size_t)most, sizeof(struct conn *));
	live = calloc((size_t)most, sizeof(struct conn *));
	if (by_fd == NULL || live == NULL)
		errx(1, "out of memory");
	wskey_answer("", 0, warm); /* else the first client pays */
	poller_init(most);
	listener = listener_tcp((int)number(argv[1], 0, 65535), &port);
	printf("ready %d\n", port);
	fflush(stdout);
	poller_add(listener);
	for (;;)
		turn();
}
