/*
 * peer - the hub at the other end of a WebSocket, seen from a test
 *
 * It puts fragments together, answers pings and the closing handshake, and
 * judges what the hub sends by RFC 6455: a breach ends the program.
 */
#ifndef TOOLS_PEER_H
#define TOOLS_PEER_H

#include "wire.h"

enum peer_event {
	PEER_TEXT, /* 'msg' holds it, with a NUL behind it */
	PEER_PONG, /* 'pong' holds what it carried */
	PEER_CLOSED, /* 'code' and 'reason' say how */
	PEER_LATE, /* the deadline passed first */
};

struct peer {
	struct wire wire;
	bool bare; /* do not mask */
	bool mute; /* do not answer pings and closes */
	long limit_ms; /* patience of one step; 0 has no end */

	struct bytes msg;
	bool in_parts; /* 'msg' waits for its last fragment */
	char pong[126];
	bool closed; /* a close frame or the end of the stream */
	bool said_close;
	int code; /* 1005 an empty close frame, 1006 none */
	char reason[124];
	char *last_command; /* text of the last command, or NULL */
};

enum peer_event peer_next(struct peer *, int64_t deadline);

/* False when the peer takes no more. */
bool peer_send(struct peer *, unsigned first, const void *, size_t);

/* A 'code' of 0 sends an empty close frame. */
bool peer_close(struct peer *, int code, const char *reason);

void peer_fini(struct peer *);

#endif
