/*
 * handlers_conf_priv - what handlers_conf.c (the rules) and
 * handlers_conf_read.c (the file) share
 */
#ifndef EWS_EWSAGENT_HANDLERS_CONF_PRIV_H
#define EWS_EWSAGENT_HANDLERS_CONF_PRIV_H

#include "ewsagent/handlers_conf.h"
#include "lib/hash.h"

enum rule {
	RULE_DEADLINE,
	RULE_GRACE,
	RULE_OUTPUT,
	RULE_CONCURRENCY,
	RULE_POLICY,
	RULES
};

struct section {
	char *name;
	struct handler_rules rules;
	bool set[RULES];
	int line;
	UT_hash_handle hh;
};

struct handlers_conf {
	struct section *sections; /* without [*] */
	struct section all;
	struct handler_rules probe; /* where it has no section */
};

extern const struct handler_rules handlers_conf_none;

/* RULES if there is none of that name. */
enum rule handlers_conf_rule(const char *word);
bool handlers_conf_set(struct handler_rules *, enum rule, const char *text);
/* "grace: a time from 0 to 10m" */
const char *handlers_conf_allowed(enum rule);
struct section *
handlers_conf_section(const struct handlers_conf *, const char *name);

/* False with err: PATH:LINE and what is wrong there. */
bool handlers_conf_read(struct handlers_conf *, const char *path,
    const char *text, size_t len, const char *dir, struct err *);

#endif
