/*
 * oldhub - a small hub that speaks PROTOCOL 2 and nothing newer
 *
 *	oldhub [--port N] [--refuse-protocol] [--no-ws] [--no-pong]
 *	    [--ack-path PATH]
 *
 * Serves WebSockets on /edge/ws (no subprotocol is ever chosen), POST
 * /edge/sync and POST /edge/command/ack (or PATH) on loopback. An ack whose
 * id begins with "bad" gets 422. Prints "ready PORT",
 * then one line for each thing that happens:
 *
 *	upgrade OFFERED    the subprotocols that were offered
 *	open               the WebSocket is
 *	refused STATUS     a request was
 *	ws TEXT            a message came
 *	sync BODY, ack BODY
 *	close CODE         the peer closed; 1005: without a code
 *	gone               a WebSocket's connection ended
 *
 * A line on stdin that begins with '{' is a command (PROTOCOL 2.5): it goes
 * out by the open WebSocket, else it waits for one or for a sync. Others:
 *
 *	config JSON        config_update by WebSocket, else in the next sync
 *	close CODE REASON  closes the WebSocket
 *	ws on|off          whether upgrades are taken (as --no-ws)
 *
 * SIGTERM ends it.
 */
#include <err.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"
#include "number.h"
#include "oldhub.h"

enum { USAGE = 2, FIXED = 2, CONNS_MAX = 64, PIECE = 65536 };

static const struct option longs[] = { { "port", required_argument, NULL, 'p' },
	{ "refuse-protocol", no_argument, NULL, 'r' },
	{ "no-ws", no_argument, NULL, 'n' },
	{ "no-pong", no_argument, NULL, 'g' },
	{ "ack-path", required_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' }, { 0 } };

static const char usage[] =
    "usage: oldhub [--port N] [--refuse-protocol] [--no-ws] [--no-pong]\n"
    "              [--ack-path PATH]\n";

static struct conn *
open_ws(struct oldhub *h)
{
	struct conn *c;

	for (c = h->conns; c != NULL; c = c->next)
		if (c->ws && !c->closing)
			return c;
	return NULL;
}

/* Queued commands, to the WebSocket if there is one. */
static void
deliver(struct oldhub *h)
{
	struct conn *c = open_ws(h);
	char *end;
	size_t len;

	while (c != NULL && h->commands.len > 0) {
		end = memchr(h->commands.at, '\n', h->commands.len);
		len = (size_t)(end - h->commands.at);
		conn_frame(c, "command", h->commands.at, len);
		bytes_eat(&h->commands, len + 1);
	}
}

static void
configure(struct oldhub *h, const char *json)
{
	struct conn *c = open_ws(h);

	if (c != NULL) {
		conn_frame(c, "config_update", json, strlen(json));
		return;
	}
	free(h->updates);
	h->updates = strdup(json);
}

static void
obey(struct oldhub *h, char *line)
{
	struct conn *c = open_ws(h);
	char *reason;
	long code;

	if (line[0] == '{') {
		bytes_put(&h->commands, line, strlen(line));
		bytes_put(&h->commands, "\n", 1);
	} else if (strncmp(line, "config ", 7) == 0) {
		configure(h, line + 7);
	} else if (strncmp(line, "close ", 6) == 0 && c != NULL) {
		code = strtol(line + 6, &reason, 10);
		conn_close(c, (int)code, reason + (*reason == ' '));
	} else if (strncmp(line, "ws ", 3) == 0) {
		h->no_ws = strcmp(line + 3, "off") == 0;
	} else {
		warnx("not understood: %s", line);
	}
}

/* False at the end of stdin. */
static bool
read_operator(struct oldhub *h)
{
	static struct bytes in;
	ssize_t n = read(STDIN_FILENO, bytes_room(&in, PIECE), PIECE);
	char *end;

	if (n <= 0)
		return false;
	in.len += (size_t)n;
	while (in.len > 0 && (end = memchr(in.at, '\n', in.len)) != NULL) {
		*end = '\0';
		obey(h, in.at);
		bytes_eat(&in, (size_t)(end + 1 - in.at));
	}
	return true;
}

static void
serve(struct oldhub *h, const struct pollfd *fds, size_t n)
{
	struct conn **at = &h->conns, *c;
	size_t i;
	bool ok;

	while ((c = *at) != NULL) {
		for (i = 0; i < n && fds[i].fd != c->fd; i++)
			continue;
		ok = i == n || fds[i].revents == 0 || conn_read(h, c);
		if (ok)
			deliver(h);
		if (ok && conn_write(c)) {
			at = &c->next;
			continue;
		}
		if (c->ws)
			puts("gone");
		*at = c->next;
		conn_free(c);
	}
}

static void
run(struct oldhub *h, int listener)
{
	struct pollfd fds[FIXED + CONNS_MAX];
	bool operator_reads = true;
	struct conn *c;
	size_t n;
	int fd;

	for (;;) {
		fds[0] = (struct pollfd){ listener, POLLIN, 0 };
		fds[1] = (struct pollfd){ operator_reads ? STDIN_FILENO : -1,
			POLLIN, 0 };
		n = FIXED;
		for (c = h->conns; c != NULL && n < FIXED + CONNS_MAX;
		     c = c->next)
			fds[n++] = (struct pollfd){ c->fd,
				(short)(POLLIN |
					(c->out.len > 0 ? POLLOUT : 0)),
				0 };
		if (poll(fds, n, -1) == -1)
			continue;
		if (fds[1].revents != 0)
			operator_reads = read_operator(h);
		serve(h, fds + FIXED, n - FIXED);
		if (fds[0].revents != 0 &&
		    (fd = accept(listener, NULL, NULL)) != -1)
			conn_new(h, fd);
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	struct oldhub h = { .ack_path = "/edge/command/ack" };
	int port = 0, listener, c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			port = (int)number(optarg, 0, 65535);
			break;
		case 'r':
			h.refuse_protocol = true;
			break;
		case 'n':
			h.no_ws = true;
			break;
		case 'a':
			h.ack_path = optarg;
			break;
		case 'g':
			h.no_pong = true;
			break;
		default:
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : USAGE;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	listener = listener_tcp(port, &port);
	printf("ready %d\n", port);
	fflush(stdout);
	run(&h, listener);
}
