#include "ewsd/door/door_unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "ewsd/dialect/ctl_conn.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "net/jsock.h"

struct door_unix {
	struct door_unix_config config;
	struct ctl_conn_config conn_config;
	struct outq_config out;
	struct jsock *sock;
	struct guest *guests;
	bool freed; /* waits for its last connection */
};

struct guest {
	struct door_unix *door;
	struct jsock_conn *sock;
	struct ctl_conn *conn;
	struct guest *prev, *next;
};

static void
want_write(void *conn)
{
	struct guest *g = conn;

	jsock_want_write(g->sock);
}

static void
want_close(void *conn, int code, const char *why)
{
	struct guest *g = conn;

	(void)code;
	if (code == CLOSE_SLOW)
		log_limited("control socket", LOG_WARN,
		    "control socket: a connection is closed (%s)", why);
	jsock_close(g->sock);
}

static const struct door door = { "unix", want_write, want_close };

static void
pause_reading(void *conn, bool paused)
{
	struct guest *g = conn;

	jsock_pause(g->sock, paused);
}

static void *
on_open(void *arg, struct jsock_conn *sock, const struct unix_peer *peer)
{
	struct door_unix *d = arg;
	struct guest *g = mem_alloc(sizeof *g);
	char asker[32];

	snprintf(asker, sizeof asker, "uid:%lu", (unsigned long)peer->uid);
	g->door = d;
	g->sock = sock;
	g->conn = ctl_conn_new(&d->conn_config, g, asker);
	jsock_set_outq(sock, ctl_conn_outq(g->conn));
	DL_APPEND(d->guests, g);
	return g;
}

static void
on_line(void *conn, char *text, size_t len)
{
	struct guest *g = conn;

	ctl_conn_line(g->conn, text, len);
}

static void
on_overlong(void *conn)
{
	struct guest *g = conn;

	ctl_conn_overlong(g->conn, g->door->config.max_line);
}

static void
on_closed(void *conn)
{
	struct guest *g = conn;
	struct door_unix *d = g->door;

	DL_DELETE(d->guests, g);
	ctl_conn_gone(g->conn);
	free(g);
	if (d->freed && d->guests == NULL)
		free(d);
}

static const struct jsock_events events = { on_open, on_line, on_overlong,
	on_closed };

struct door_unix *
door_unix_new(const struct door_unix_config *config, struct err *err)
{
	struct door_unix *d = mem_alloc(sizeof *d);
	struct jsock_config jc = { .loop = config->loop,
		.path = config->path,
		.mode = config->group == (gid_t)-1 ? 0600 : 0660,
		.group = config->group,
		.max_line = config->max_line,
		.max_conns = config->max_conns,
		.events = &events,
		.arg = d };

	d->config = *config;
	d->out = ctl_conn_out(config->queue_bytes);
	d->conn_config = (struct ctl_conn_config){ .core = config->core,
		.ctl = config->ctl,
		.door = &door,
		.pause = pause_reading,
		.max_requests = config->max_requests,
		.out = &d->out };
	d->sock = jsock_listen(&jc, err);
	if (d->sock != NULL)
		return d;
	free(d);
	return NULL;
}

void
door_unix_stop_listening(struct door_unix *d)
{
	jsock_stop(d->sock);
}

void
door_unix_goodbye(struct door_unix *d)
{
	struct guest *g;

	DL_FOREACH (d->guests, g)
		ctl_conn_close(g->conn, "the hub is stopping");
}

unsigned
door_unix_live(const struct door_unix *d)
{
	return jsock_count(d->sock);
}

void
door_unix_free(struct door_unix *d)
{
	if (d == NULL)
		return;
	d->freed = true;
	jsock_free(d->sock);
	if (d->guests == NULL)
		free(d);
}
