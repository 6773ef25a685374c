/*
 * send_steps - the steps of a script that write
 *
 * A step that does not hold ends the program with status 1 and says why.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acks.h"
#include "number.h"
#include "steps.h"
#include "wsframe.h"

enum { FAILED = 1, USAGE = 2 };

static int64_t
patience(const struct peer *p)
{
	return wire_in_ms(p->limit_ms);
}

static void
must_send(struct peer *p, unsigned first, const void *text, size_t n)
{
	if (p->said_close || !peer_send(p, first, text, n))
		errx(FAILED, "send: the peer takes no more");
}

void
do_send(struct peer *p, char **arg, int n)
{
	(void)n;
	must_send(p, WS_FIN | WS_TEXT, arg[0], strlen(arg[0]));
}

void
do_send_bin(struct peer *p, char **arg, int n)
{
	(void)n;
	must_send(p, WS_FIN | WS_BINARY, arg[0], strlen(arg[0]));
}

void
do_send_file(struct peer *p, char **arg, int n)
{
	FILE *f = fopen(arg[0], "r");
	struct bytes b = { 0 };
	size_t got;

	(void)n;
	if (f == NULL)
		err(USAGE, "%s", arg[0]);
	while ((got = fread(bytes_room(&b, 65536), 1, 65536, f)) > 0)
		b.len += got;
	fclose(f);
	must_send(p, WS_FIN | WS_TEXT, b.at, b.len);
	bytes_fini(&b);
}

void
do_send_size(struct peer *p, char **arg, int n)
{
	size_t len = (size_t)number(arg[0], 2, 1L << 30);
	char *text = malloc(len);

	(void)n;
	if (text == NULL)
		errx(USAGE, "too large");
	memset(text, 'a', len);
	text[0] = text[len - 1] = '"';
	peer_send(p, WS_FIN | WS_TEXT, text, len);
	free(text);
}

void
do_send_raw(struct peer *p, char **arg, int n)
{
	struct bytes b = { 0 };

	(void)n;
	unhex(arg[0], &b);
	if (!wire_write(&p->wire, b.at, b.len, patience(p)))
		errx(FAILED, "send-raw: the peer takes no more");
	bytes_fini(&b);
}

void
do_frame(struct peer *p, char **arg, int n)
{
	struct bytes first = { 0 }, body = { 0 };

	(void)n;
	unhex(arg[0], &first);
	unhex(arg[1], &body);
	if (first.len != 1)
		errx(USAGE, "frame: the first octet is two hex digits");
	must_send(p, (unsigned char)*first.at, body.at, body.len);
	bytes_fini(&first);
	bytes_fini(&body);
}

void
do_fragments(struct peer *p, char **arg, int n)
{
	long parts = number(arg[0], 1, 100000000);
	size_t len = strlen(arg[1]), at = 0;

	(void)n;
	for (long i = 0; i < parts; i++) {
		size_t end = len * (size_t)(i + 1) / (size_t)parts;
		unsigned first = i == 0 ? WS_TEXT : WS_MORE;

		if (i == parts - 1)
			first |= WS_FIN;
		if (!peer_send(p, first, arg[1] + at, end - at))
			return;
		at = end;
	}
}

void
do_flood_ping(struct peer *p, char **arg, int n)
{
	long pings = number(arg[0], 1, 1000000000);
	char text[24];

	(void)n;
	for (long i = 1; i <= pings; i++) {
		int len = snprintf(text, sizeof text, "%ld", i);

		if (!peer_send(p, WS_FIN | WS_PING, text, (size_t)len))
			return;
	}
}

void
do_announce(struct peer *p, char **arg, int n)
{
	static const uint8_t zero[4]; /* so that 'pad' needs no mask */
	char head[WSFRAME_HEAD_MAX];
	size_t len = wsframe_head(head, WS_FIN | WS_TEXT,
	    strtoull(arg[0], NULL, 0), p->bare ? NULL : zero);

	(void)n;
	wire_write(&p->wire, head, len, patience(p));
}

void
do_pad(struct peer *p, char **arg, int n)
{
	long left = number(arg[0], 0, 1L << 40);
	char a[4096];

	(void)n;
	memset(a, 'a', sizeof a);
	while (left > 0) {
		size_t piece = left < 4096 ? (size_t)left : sizeof a;

		if (!wire_write(&p->wire, a, piece, patience(p)))
			return;
		left -= (long)piece;
	}
}

void
do_ping(struct peer *p, char **arg, int n)
{
	const char *text = n > 0 ? arg[0] : "wsprobe";

	must_send(p, WS_FIN | WS_PING, text, strlen(text));
}

void
do_ack(struct peer *p, char **arg, int n)
{
	(void)n;
	if (p->last_command == NULL)
		errx(USAGE, "ack: no command was received yet");
	if (!acks_send(p, arg[0]))
		errx(FAILED, "ack: the peer takes no more");
}

void
do_close(struct peer *p, char **arg, int n)
{
	int code = n > 0 ? (int)number(arg[0], 0, 65535) : 0;

	peer_close(p, code, n > 1 ? arg[1] : "");
}

void
do_abort(struct peer *p, char **arg, int n)
{
	(void)arg;
	(void)n;
	wire_abort(&p->wire);
	p->closed = true;
	p->code = 1006;
}
