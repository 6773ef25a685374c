/*
 * auth - who may come in (PROTOCOL 2.2)
 *
 * Holds the shared secrets (two at once while they are rotated), the admin
 * key and the registration token. Every comparison takes constant time,
 * and a wrong id costs what a right one does (ABUSE 76). Failures are
 * counted by address, successes never (DESIGN 11.9).
 */
#ifndef EWS_EWSD_AUTH_H
#define EWS_EWSD_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/conf.h"
#include "lib/err.h"

struct auth;

/* Settings secret, secret_file, secret_file_old, raw_secret, admin_key,
 * admin_key_file, registration_token and its file. Without any secret, one
 * is made in the state directory (0600). NULL with err (EXIT_CONFIG): an
 * empty or well-known secret, a file that others can read. */
struct auth *auth_new(const struct conf *, struct clock *, struct err *);
/* Reads the files again; on error the old secrets stay. */
bool auth_reload(struct auth *, struct err *);
void auth_free(struct auth *);
/* Was the secret made by us? Then only loopback should be served. */
bool auth_made(const struct auth *);
/* Changes with every reload that changed something. */
unsigned auth_generation(const struct auth *);

enum auth_answer {
	AUTH_OK,
	AUTH_MISSING, /* nothing, or nothing that we know */
	AUTH_WRONG, /* forged, expired, malformed */
	AUTH_FOREIGN /* good, but of another id */
};

/* Who somebody proved to be. */
struct auth_who {
	bool admin, edge;
	bool bound; /* the credential itself names 'id' */
	char id[129]; /* of an edge; "" if it named none */
	uint32_t serial; /* of the secret used; 0: none */
};

/* The value of Authorization: "Bearer SECRET" or "Bearer TOKEN" (forms A
 * and B). 'claimed' is the id that the request names, or NULL; a token for
 * another one is foreign. Fills 'who' if AUTH_OK. */
enum auth_answer auth_bearer(struct auth *, const char *authorization,
    const char *claimed, struct auth_who *who);

/* METHOD:PATH:TS:BODY under a secret; 'ts' in Unix seconds within five
 * minutes of now. The path is the target as sent. */
struct auth_signed {
	const char *id, *ts, *signature; /* headers; NULL: missing */
	const char *method, *path, *body;
	size_t body_len;
};
enum auth_answer
auth_signature(struct auth *, const struct auth_signed *, struct auth_who *who);

/* X-Admin-Key, or the same key as a bearer; either may be NULL. Without a
 * configured key nobody is admin. */
enum auth_answer auth_admin(struct auth *, const char *key,
    const char *authorization, struct auth_who *who);

/* The token in the body of /edge/register: the registration token, the
 * secret, or a form B token of this very id. */
bool auth_registration(struct auth *, const char *token, const char *id);
/* A form B token for this id; gives. */
char *auth_token(struct auth *, const char *id, const char *phone);

/* Is the secret of this serial still valid? */
bool auth_still(const struct auth *, uint32_t serial);

/* Counts one failure of this address. 0: within its burst; else seconds to
 * tell in Retry-After: the answer is 429. */
int auth_failed(struct auth *, const char *address);

#endif
