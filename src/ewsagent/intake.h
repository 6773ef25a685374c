/*
 * intake - what the hub says, by whichever way it came
 *
 * One frame in (ews.v1, or PROTOCOL 2.5), calls on work and on the
 * agent out. Never answers by itself; nonsense is logged and dropped, as
 * the original agent does (PROTOCOL 2.4).
 */
#ifndef EWS_EWSAGENT_INTAKE_H
#define EWS_EWSAGENT_INTAKE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/work.h"

struct intake_events {
	void (*hello)(void *arg, const json_t *data);
	void (*pong)(void *arg);
	void (*retry)(void *arg, int64_t after_ms);
	void (*config)(void *arg, const json_t *data);
};

struct intake {
	struct work *work; /* lent */
	const struct intake_events *events;
	void *arg;
	bool stopping; /* commands are left to the hub */
};

enum intake_way { INTAKE_WEBSOCKET, INTAKE_HTTP };

void intake_text(struct intake *, char *text, size_t len, bool v1);
void
intake_frame(struct intake *, const json_t *frame, enum intake_way, bool v1);
void
intake_command(struct intake *, const json_t *data, enum intake_way, bool v1);

#endif
