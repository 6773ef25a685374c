/*
 * auth_set - the secrets that are valid now, and where they come from
 */
#ifndef EWS_EWSD_AUTH_SET_H
#define EWS_EWSD_AUTH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/err.h"

struct auth_secret {
	char *text;
	uint32_t serial; /* the same as long as the text stays */
};

struct auth_set {
	struct auth_secret secrets[2]; /* the present one first */
	size_t n;
	char *admin, *registration; /* or NULL */
	bool made;
};

bool auth_set_load(struct auth_set *, const struct conf *, struct err *);
void auth_set_fini(struct auth_set *);
/* Secrets that were in 'old' keep their serial. */
void auth_set_inherit(struct auth_set *, const struct auth_set *old);

#endif
