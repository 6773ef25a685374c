/*
 * client - one connected party, whatever door it came through
 *
 * Owns its queue of outgoing frames. Closed by asking, freed in one place
 * (client_gone).
 */
#ifndef EWS_EWSD_CLIENT_H
#define EWS_EWSD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ewsd/core/core.h"
#include "lib/hash.h"
#include "net/outq.h"

/* What a client asks of its door. None of it calls back at once. */
struct door {
	const char *name; /* "websocket", "unix" */
	void (*want_write)(void *conn);
	void (*want_close)(void *conn, int code, const char *why);
};

enum client_state { CLIENT_OPEN, CLIENT_CLOSING };

struct client {
	struct core *core;
	uint64_t id; /* never reused */
	enum client_state state;
	const struct door *door;
	void *conn; /* the door's */
	void *dialect; /* the dialect's own state */
	struct outq out;
	int slow_code; /* to close with when the queue is full:
				 * 4013 ours, 1013 foreign (DESIGN 11.3) */
	char address[64]; /* for logs */
	UT_hash_handle hh;
};

enum {
	CLOSE_NORMAL = 1000,
	CLOSE_AWAY = 1001,
	CLOSE_PROTOCOL = 1002,
	CLOSE_POLICY = 1008,
	CLOSE_BIG = 1009,
	CLOSE_INTERNAL = 1011,
	CLOSE_RESTART = 1012,
	CLOSE_LATER = 1013,
	CLOSE_SLOW = 4013
};

/* 'out' is lent for good; its callbacks get the client. */
struct client *client_new(struct core *, const struct door *, void *conn,
    const struct outq_config *out, const char *address);
struct client *client_find(struct core *, uint64_t id); /* NULL: gone */
/* Never frees; a full queue closes the client. False then, or if it is
 * closing: nothing was queued and the tag will not be reported. */
bool client_send(struct client *, struct frame *, enum outq_lane, uint64_t tag);
void client_close(struct client *, int code, const char *why);
/* It has ended: called once by the door, from the loop. */
void client_gone(struct client *);
unsigned client_count(const struct core *);

#endif
