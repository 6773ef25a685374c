/*
 * door_unix - the agent's own control socket (DESIGN 7)
 *
 * JSON lines: status, ping, ops. Also answers in the shape of JSON-RPC 2.0
 * to who asks in it.
 */
#ifndef EWS_EWSAGENT_DOOR_UNIX_H
#define EWS_EWSAGENT_DOOR_UNIX_H

#include <jansson.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "net/loop.h"

struct door_unix;

struct door_unix_config {
	struct loop *loop;
	struct clock *clock;
	const char *path;
	json_t *(*status)(void *arg); /* gives */
	void *arg;
};

struct door_unix *door_unix_new(const struct door_unix_config *, struct err *);
void door_unix_free(struct door_unix *);

#endif
