/*
 * conflict - one id, and is it one content?
 */
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/exit.h"
#include "lib/str.h"

enum { DIGEST_SHOWN = 16 };

static struct store_command
content_of(const struct command *c)
{
	return (struct store_command){ .id = c->id,
		.agent = c->agent->id,
		.type = c->type,
		.argv = c->argv,
		.payload = c->payload,
		.payload_len = c->payload_len };
}

static struct store_command
asked_for(const struct command_request *r)
{
	return (struct store_command){ .id = r->id,
		.agent = r->agent,
		.type = r->type,
		.argv = r->argv,
		.payload = r->payload != NULL ? r->payload : "{}",
		.payload_len = r->payload != NULL ? r->payload_len : 2 };
}

static void
tell(const char *id, const char *stored, const struct store_command *given,
    struct err *err)
{
	char digest[STORE_DIGEST_SIZE];

	if (!store_digest(given, digest, NULL))
		str_copy(digest, sizeof digest, "unknown");
	err_set(err, EXIT_DATA, "conflict",
	    "command %s exists with another content (sha256 %.*s, given %.*s)",
	    id, DIGEST_SHOWN, stored != NULL ? stored : "unknown", DIGEST_SHOWN,
	    digest);
}

bool
conflict_in_memory(
    const struct command *c, const struct command_request *r, struct err *err)
{
	struct store_command has = content_of(c), given = asked_for(r);
	char digest[STORE_DIGEST_SIZE];

	if (str_eq(has.agent, given.agent) && str_eq(has.type, given.type) &&
	    str_eq(has.argv, given.argv) &&
	    has.payload_len == given.payload_len &&
	    memcmp(has.payload, given.payload, has.payload_len) == 0)
		return false;
	tell(c->id, store_digest(&has, digest, NULL) ? digest : NULL, &given,
	    err);
	return true;
}

void
conflict_in_store(const struct command *given, const struct store_command *old,
    struct err *err)
{
	struct store_command content = content_of(given);

	tell(given->id, old->digest, &content, err);
}
