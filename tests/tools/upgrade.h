/*
 * upgrade - the request that turns HTTP into a WebSocket, and its answer
 *
 * A header that the caller gives replaces ours of the same name; one that
 * is given without a value ("Name:") is left out. So any wrong handshake can
 * be made.
 */
#ifndef TOOLS_UPGRADE_H
#define TOOLS_UPGRADE_H

#include <stdio.h>

#include "wire.h"

struct upgrade {
	const char *method;
	const char *host;
	const char *port;
	const char *path;
	const char *protocol; /* offered, or NULL */
	char **headers; /* "Name: value", ended by NULL */

	int status; /* of the answer */
	char *head; /* its lines, each ended by CR LF */
	bool whole; /* false: the head never became complete */
};

/* False when no answer came in time; 'whole' and 'status' say more. */
bool upgrade_ask(struct upgrade *, struct wire *, int64_t deadline);

/* What is wrong with an answer of 101, or NULL. */
const char *upgrade_flaw(const struct upgrade *);

/* Gives the value of a header of the answer, lent, or NULL. */
const char *
upgrade_header(const struct upgrade *, const char *name, size_t *len);

/* Writes status line, headers and body of a refusal, as text. */
void
upgrade_print(const struct upgrade *, struct wire *, FILE *, int64_t deadline);

void upgrade_fini(struct upgrade *);

#endif
