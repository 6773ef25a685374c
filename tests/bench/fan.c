/*
 * fan - the hub's way out and nothing else: src/net with no core behind it
 *
 *	fan PORT
 *
 * Stands between floor and ewsd: the same gate, handshake, frames, queues
 * and writes as the hub, but no agents, no JSON, no store. Told what to send
 * as floor is: "* PAYLOAD" on a connection to /pub goes to all other
 * connections as one shared frame, "N PAYLOAD" to the one whose path ends in
 * the number N. Prints "ready PORT" and listens on loopback; PORT 0 is any.
 */
#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/number.h"
#include "lib/mem.h"
#include "net/ws.h"

enum { NUMBERS = 1 << 17 };

struct member {
	struct ws *ws;
	struct outq out;
	int place; /* in 'live', or -1 */
	int number; /* at the end of its path, or -1 */
};

static struct member *live[NUMBERS];
static struct member *by_number[NUMBERS];
static int nlive;

static const struct outq_config bounds = {
	.max_frames = 1024, .max_bytes = 1 << 20, .low_bytes = 1 << 19
};

static void
admit(void *arg, const struct head *head, const struct ws_peer *peer,
    struct ws_verdict *v)
{
	(void)arg;
	(void)head;
	(void)peer;
	v->status = 0;
}

static void
request(void *arg, struct http_request *req)
{
	(void)arg;
	http_problem(req, 404, "not_found", "There is nothing here.");
}

static void
subscribe(struct member *m, const char *target)
{
	const char *end = target + strlen(target), *digits = end;

	while (digits > target && isdigit((unsigned char)digits[-1]))
		digits--;
	if (digits < end && atoi(digits) < NUMBERS) {
		m->number = atoi(digits);
		by_number[m->number] = m;
	}
	m->place = nlive;
	live[nlive++] = m;
}

static void *
open_member(void *arg, struct ws *ws, const struct head *head,
    const struct ws_peer *peer, void *who)
{
	struct member *m = mem_alloc(sizeof *m);

	(void)arg;
	(void)peer;
	(void)who;
	m->ws = ws;
	m->place = m->number = -1;
	outq_init(&m->out, &bounds, m);
	ws_set_outq(ws, &m->out);
	if (nlive < NUMBERS && strncmp(head->target, "/pub", 4) != 0)
		subscribe(m, head->target);
	return m;
}

static void
put(struct member *m, struct frame *f)
{
	if (m != NULL && outq_put(&m->out, f, OUTQ_DATA, 0))
		ws_want_write(m->ws);
}

static void
on_message(void *conn, char *text, size_t len)
{
	const struct member *m = conn;
	const char *blank = memchr(text, ' ', len);
	struct frame *f;
	int to;

	if (m->place != -1 || blank == NULL)
		return;
	f = frame_text(blank + 1, len - (size_t)(blank + 1 - text));
	to = atoi(text);
	if (*text != '*')
		put(to >= 0 && to < NUMBERS ? by_number[to] : NULL, f);
	else
		for (int i = 0; i < nlive; i++)
			put(live[i], f);
	frame_unref(f);
}

static void
on_closed(void *conn, int code, const char *reason)
{
	struct member *m = conn;

	(void)code;
	(void)reason;
	if (m->place != -1) {
		live[m->place] = live[--nlive];
		live[m->place]->place = m->place;
	}
	if (m->number != -1 && by_number[m->number] == m)
		by_number[m->number] = NULL;
	outq_fini(&m->out);
	free(m);
}

static const struct ws_events events = { .admit = admit,
	.request = request,
	.open = open_member,
	.message = on_message,
	.closed = on_closed };

static void
stop(void *loop, int signal)
{
	(void)signal;
	loop_stop(loop);
}

int
main(int argc, char **argv)
{
	struct ws_config config = { .clock = &clock_system,
		.events = &events,
		.max_message = 1 << 20,
		.max_body = 1 << 18,
		.max_conns = 16384,
		.max_pending = 2048,
		.head_ms = 5000,
		.body_ms = 10000,
		.ping_ms = 20000,
		.dead_ms = 45000,
		.max_fragments = 1000,
		.max_pings = 100 };
	struct ws_listen here = { .host = "127.0.0.1" };
	struct ws_listener *listener = NULL;
	struct ws_host *host;
	struct err e = ERR_INIT;

	if (argc != 2)
		errx(2, "usage: fan PORT");
	here.port = (int)number(argv[1], 0, 65535);
	config.loop = loop_new();
	config.arg = config.loop;
	loop_on_signal(config.loop, SIGTERM, stop, config.loop);
	host = ws_host_new(&config, &e);
	if (host != NULL)
		listener = ws_listen(host, &here, &e);
	if (listener == NULL)
		errx(1, "%s", e.text);
	printf("ready %d\n", ws_listener_port(listener));
	fflush(stdout);
	loop_run(config.loop);
	ws_listener_close(listener);
	ws_host_free(host);
	loop_free(config.loop);
	return 0;
}
