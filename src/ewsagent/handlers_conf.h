/*
 * handlers_conf - what handlers.conf says of each handler
 *
 * INI: [*] for all, [NAME] for one, whose file must be there. NAME.probe may
 * have a section, too (deadline and grace only). The file decides what is
 * run again after a crash, so it is judged as the handlers are: ours or
 * root's, and nobody else's to write.
 */
#ifndef EWS_EWSAGENT_HANDLERS_CONF_H
#define EWS_EWSAGENT_HANDLERS_CONF_H

#include <jansson.h>
#include <stdint.h>

#include "lib/err.h"

/* After a crash nobody knows whether the handler did its work. Then: */
enum handler_policy {
	POLICY_ONCE, /* it ends as interrupted */
	POLICY_IDEMPOTENT, /* it is run again */
	POLICY_PROBE /* NAME.probe is asked */
};

struct handler_rules {
	enum handler_policy policy;
	int64_t deadline_ms, grace_ms; /* -1: the agent's own */
	int64_t output_max; /* bytes of each stream; -1: the agent's own */
	unsigned concurrency; /* 0: any number */
};

struct handlers_conf;

/* 'dir' has the handlers. An absent file is an empty one if 'may_be_absent'.
 * NULL with err: FILE:LINE and what is wrong there. */
struct handlers_conf *handlers_conf_load(
    const char *path, bool may_be_absent, const char *dir, struct err *);
void handlers_conf_free(struct handlers_conf *);

/* Of a handler, or of a probe by its full name. Lent. */
const struct handler_rules *
handlers_conf_find(const struct handlers_conf *, const char *name);
/* {NAME: word} of those that have a section; gives. */
json_t *handlers_conf_policies(const struct handlers_conf *);

#endif
