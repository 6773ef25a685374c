/*
 * jsock - JSON lines over Unix sockets, the server's side
 *
 * Cuts lines, checks who is there, writes from an outq. Knows nothing of
 * what the lines mean.
 */
#ifndef EWS_NET_JSOCK_H
#define EWS_NET_JSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"
#include "lib/unix.h"
#include "net/loop.h"
#include "net/outq.h"

struct jsock; /* the listener */
struct jsock_conn;

struct jsock_events {
	/* Returns 'conn' for the events below and must call
	 * jsock_set_outq; NULL refuses. */
	void *(*open)(void *arg, struct jsock_conn *, const struct unix_peer *);
	/* One line; may be empty. */
	void (*line)(void *conn, char *text, size_t len);
	/* A line passed max_line: said before the connection is closed, so
	 * that an error can be queued. */
	void (*overlong)(void *conn);
	/* Once, from the loop, never from inside jsock_close. */
	void (*closed)(void *conn);
};

struct jsock_config {
	struct loop *loop;
	const char *path;
	mode_t mode; /* 0600 or 0660 */
	gid_t group; /* that may connect; (gid_t)-1: none */
	size_t max_line;
	unsigned max_conns; /* one more is told {"ok":false,...too_many} */
	const struct jsock_events *events;
	void *arg;
};

struct jsock *jsock_listen(const struct jsock_config *, struct err *);
/* Stops listening, unlinks the file; connections go on. */
void jsock_stop(struct jsock *);
/* Closes every connection and frees when the last is gone. */
void jsock_free(struct jsock *);
unsigned jsock_count(const struct jsock *);

void jsock_set_outq(struct jsock_conn *, struct outq *);
void jsock_want_write(struct jsock_conn *);
/* What is queued is written first, for at most a second. */
void jsock_close(struct jsock_conn *);
/* Stops and goes on reading lines: backpressure on who asks too much. */
void jsock_pause(struct jsock_conn *, bool paused);

#endif
