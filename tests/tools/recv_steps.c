/*
 * recv_steps - the steps of a script that read
 *
 * A step that does not hold ends the program with status 1 and says why.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "acks.h"
#include "number.h"
#include "steps.h"

enum { FAILED = 1 };

static int64_t
patience(const struct peer *p)
{
	return wire_in_ms(p->limit_ms);
}

static void
print_message(struct peer *p)
{
	for (size_t i = 0; i < p->msg.len; i++) {
		char c = p->msg.at[i];

		putchar(c == '\n' || c == '\r' ? ' ' : c);
	}
	putchar('\n');
	acks_remember(p);
}

static void
print_close(const struct peer *p)
{
	printf("close %d%s%s\n", p->code, *p->reason != '\0' ? " " : "",
	    p->reason);
}

/* The next event that is not a pong; 'what' is what the step waits for. */
static bool
next_text(struct peer *p, int64_t deadline, const char *what)
{
	for (;;) {
		switch (peer_next(p, deadline)) {
		case PEER_TEXT:
			return true;
		case PEER_PONG:
			break;
		case PEER_CLOSED:
			errx(FAILED, "%s: closed first (%d %s)", what, p->code,
			    p->reason);
		case PEER_LATE:
			return false;
		}
	}
}

static void
need_text(struct peer *p, int64_t deadline, const char *what)
{
	if (!next_text(p, deadline, what))
		errx(FAILED, "%s: nothing came in time", what);
}

void
do_expect_pong(struct peer *p, char **arg, int n)
{
	int64_t deadline = patience(p);
	enum peer_event ev;

	do {
		ev = peer_next(p, deadline);
		if (ev == PEER_CLOSED)
			errx(FAILED, "expect-pong: closed first (%d %s)",
			    p->code, p->reason);
		if (ev == PEER_LATE)
			errx(FAILED, "expect-pong: none came in time");
		if (ev == PEER_TEXT)
			print_message(p);
	} while (ev != PEER_PONG || (n > 0 && strcmp(p->pong, arg[0]) != 0));
}

void
do_recv(struct peer *p, char **arg, int n)
{
	(void)arg;
	(void)n;
	need_text(p, patience(p), "recv");
	print_message(p);
}

void
do_recv_match(struct peer *p, char **arg, int n)
{
	int64_t deadline = patience(p);

	(void)n;
	do {
		need_text(p, deadline, "recv-match");
		print_message(p);
	} while (strstr(p->msg.at, arg[0]) == NULL);
}

void
do_recv_close(struct peer *p, char **arg, int n)
{
	int64_t deadline = patience(p);
	enum peer_event ev;

	do
		ev = peer_next(p, deadline);
	while (ev == PEER_TEXT || ev == PEER_PONG);
	if (ev == PEER_LATE)
		errx(FAILED, "recv-close: still open");
	print_close(p);
	if (n > 0 && p->code != number(arg[0], 1000, 4999))
		errx(FAILED, "recv-close: %d instead of %s", p->code, arg[0]);
	if (n > 1 && strcmp(p->reason, arg[1]) != 0)
		errx(FAILED, "recv-close: '%s' instead of '%s'", p->reason,
		    arg[1]);
}

void
do_recv_eof(struct peer *p, char **arg, int n)
{
	int64_t deadline = patience(p);

	(void)arg;
	(void)n;
	while (wire_fill(&p->wire, deadline))
		bytes_eat(&p->wire.in, p->wire.in.len);
	if (p->wire.end == WIRE_OPEN)
		errx(FAILED, "recv-eof: the connection is still there");
}

void
do_no_message(struct peer *p, char **arg, int n)
{
	long ms = number(arg[0], 1, 86400000);

	(void)n;
	if (!next_text(p, wire_in_ms(ms), "no-message"))
		return;
	print_message(p);
	errx(FAILED, "no-message: one came");
}

void
do_hold(struct peer *p, char **arg, int n)
{
	int64_t deadline = patience(p);
	enum peer_event ev;

	(void)arg;
	(void)n;
	while ((ev = peer_next(p, deadline)) != PEER_CLOSED) {
		if (ev == PEER_LATE)
			errx(FAILED, "hold: still open at the time-out");
		if (ev == PEER_TEXT)
			print_message(p);
	}
	print_close(p);
}

void
do_ack_all(struct peer *p, char **arg, int n)
{
	long left = n > 1 ? number(arg[1], 1, 1000000000) : -1;
	enum peer_event ev;

	while (left != 0) {
		ev = peer_next(p, patience(p));
		if (ev == PEER_CLOSED && left < 0)
			return;
		if (ev == PEER_CLOSED)
			errx(FAILED, "ack-all: closed, %ld too few (%d %s)",
			    left, p->code, p->reason);
		if (ev == PEER_LATE)
			errx(FAILED, "ack-all: no command in time");
		if (ev != PEER_TEXT || !acks_is_command(p->msg.at))
			continue;
		print_message(p);
		acks_send(p, arg[0]);
		left -= left > 0;
	}
}
