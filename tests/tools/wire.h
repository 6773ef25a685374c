/*
 * wire - one TCP or TLS connection with deadlines
 *
 * It goes on reading while it writes, so that a peer which answers during
 * a flood never blocks both of us. Waiting is by poll().
 */
#ifndef TOOLS_WIRE_H
#define TOOLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum { WIRE_FOREVER = -1 };

struct wire_to {
	const char *host;
	const char *port;
	const char *ca; /* NULL: what the system trusts */
	bool tls;
	bool insecure; /* any certificate will do */
	int rcvbuf; /* 0: what the system gives */
};

enum wire_end { WIRE_OPEN, WIRE_CLOSED, WIRE_RESET };

struct wire {
	int fd;
	void *tls; /* SSL *, or NULL */
	enum wire_end end; /* how the peer's direction ended */
	bool deaf; /* the peer takes no more bytes */
	short want; /* events the last call was short of */
	struct bytes in; /* read, but not yet eaten by our user */
};

/* Milliseconds of a clock that never jumps. */
int64_t wire_now(void);

/* A deadline so many milliseconds from now; 0 is no deadline. */
int64_t wire_in_ms(long ms);

/* Ends the program with status 3 when there is no connection to be had. */
void wire_open(struct wire *, const struct wire_to *, int64_t deadline);

/* Waits for more bytes: false on the deadline or when none can come. */
bool wire_fill(struct wire *, int64_t deadline);

/* False when not all of it could be written. */
bool wire_write(struct wire *, const void *, size_t, int64_t deadline);

void wire_shut(struct wire *); /* no more bytes from us */
void wire_abort(struct wire *); /* RST instead of FIN */
void wire_fini(struct wire *);

#endif
