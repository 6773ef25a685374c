/*
 * token - the credential that this agent shows (PROTOCOL 2.2)
 *
 * The shared secret itself, or a token signed with it that is made anew for
 * every connection. The secret comes from the environment or a file, and a
 * file is read again when asked (SIGHUP).
 */
#ifndef EWS_EWSAGENT_TOKEN_H
#define EWS_EWSAGENT_TOKEN_H

#include <stdbool.h>

#include "lib/clock.h"
#include "lib/err.h"

struct token;

struct token_config {
	const char *secret; /* from the environment, or NULL */
	const char *file; /* else from there, or NULL */
	bool hmac; /* form B instead of the secret itself */
	const char *id, *phone; /* inside form B */
	struct clock *clock;
};

/* Copies the configuration. NULL with err if there is no good secret. */
struct token *token_new(const struct token_config *, struct err *);
void token_free(struct token *);

/* Reads the file again; on error the old secret stays. */
bool token_reload(struct token *, struct err *);

/* Gives "Authorization: Bearer TOKEN". */
char *token_header(const struct token *);

#endif
