/*
 * oldhub - what oldhub.c (ports, the operator) and oldhub_conn.c (one
 * connection) share
 */
#ifndef TOOLS_OLDHUB_H
#define TOOLS_OLDHUB_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct oldhub {
	bool refuse_protocol; /* 400 where a subprotocol is offered */
	bool no_ws; /* 503 for upgrades */
	bool no_pong;
	const char *ack_path;
	struct bytes commands; /* JSON lines that nobody took yet */
	char *updates; /* config_updates of the next sync, or NULL */
	struct conn *conns;
};

struct conn {
	int fd;
	bool ws;
	bool closing; /* once 'out' is empty */
	struct bytes in, out, text;
	struct conn *next;
};

void conn_new(struct oldhub *, int fd);
void conn_free(struct conn *);

/* False: it is over. */
bool conn_read(struct oldhub *, struct conn *);
bool conn_write(struct conn *);

/* {"type":TYPE,"data":DATA} */
void conn_frame(struct conn *, const char *type, const char *data, size_t len);
void conn_close(struct conn *, int code, const char *reason);

#endif
