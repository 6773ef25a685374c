/*
 * self - who this agent is, and what it says of itself
 *
 * The instance is a UUID made once for a state directory: the same agent
 * coming back is the same instance, a second agent of the same name is
 * another one.
 */
#ifndef EWS_EWSAGENT_SELF_H
#define EWS_EWSAGENT_SELF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/id.h"
#include "lib/port.h"

struct self {
	char id[ID_NAME_MAX + 1];
	char instance[ID_UUID_SIZE];
	json_t *tags; /* array of strings */
	char boot[PORT_BOOT_SIZE]; /* of the machine; "" if not known */
	unsigned concurrency;
	int window; /* commands that the hub may give us: not ended */
	int64_t started_ms; /* wall */
};

/* Fills id: 'name', or the host's short name in lower case if NULL. */
bool self_name(struct self *, const char *name, struct err *);
/* Reads STATE_DIR/instance, or makes it (0600). */
bool self_instance(
    struct self *, const char *state_dir, struct clock *, struct err *);
void self_fini(struct self *);

/* The data of a hello frame (ews-protocol(7)); takes 'handlers'; gives. */
json_t *self_hello(const struct self *, json_t *handlers, struct clock *);

#endif
