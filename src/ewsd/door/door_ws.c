/*
 * door_ws - WebSockets: a client each, and what it says to its dialect
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/client.h"
#include "ewsd/door/door_priv.h"

enum { CLOSE_UNAUTHORIZED = 4001 };

static void
want_write(void *conn)
{
	ws_want_write(conn);
}

static void
want_close(void *conn, int code, const char *why)
{
	ws_close(conn, code, why);
}

static const struct door door = { "websocket", want_write, want_close };

static int64_t
heard_ms(void *conn)
{
	return ws_heard_ms(conn);
}

void *
door_ws_open(void *arg, struct ws *ws, const struct head *head,
    const struct ws_peer *peer, void *who)
{
	struct door_net *d = arg;
	struct visit *v = who;
	struct edge_opening opening = { &v->who,
		gate_header(head, "X-Ews-Instance"), peer->address, v->ours,
		heard_ms };
	struct client *c = client_new(
	    d->config.core, &door, ws, edge_outq(d->edge), peer->address);

	ws_set_outq(ws, &c->out);
	if (v->refuse != NULL)
		client_close(c, CLOSE_UNAUTHORIZED, v->refuse);
	else
		edge_open(d->edge, c, &opening);
	free(v);
	return c;
}

void
door_ws_message(void *conn, char *text, size_t len)
{
	edge_message(conn, text, len);
}

void
door_ws_closed(void *conn, int code, const char *reason)
{
	edge_closed(conn, code, reason != NULL ? reason : "");
	client_gone(conn);
}
