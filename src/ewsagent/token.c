#include "ewsagent/token.h"

#include <stdlib.h>
#include <string.h>

#include "lib/exit.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/secret.h"

struct token {
	char *secret, *file, *id, *phone;
	bool hmac;
	struct clock *clock;
};

/* It goes into a header line: nothing in it may end one. */
static bool
judge(const char *secret, const char *from, struct err *err)
{
	bool good = secret[0] != '\0' && strlen(secret) <= 1024;

	for (const char *p = secret; *p != '\0'; p++)
		good =
		    good && (unsigned char)*p > ' ' && (unsigned char)*p < 0x7f;
	if (!good)
		err_set(err, EXIT_CONFIG, "config",
		    "%s: the secret must be 1 to 1024 printable ASCII"
		    " characters without space",
		    from);
	return good;
}

bool
token_reload(struct token *t, struct err *err)
{
	char *secret;

	if (t->file == NULL)
		return true;
	secret = path_read_secret(t->file, err);
	if (secret == NULL)
		return false;
	if (!judge(secret, t->file, err)) {
		free(secret);
		return false;
	}
	free(t->secret);
	t->secret = secret;
	return true;
}

struct token *
token_new(const struct token_config *config, struct err *err)
{
	struct token *t = mem_alloc(sizeof *t);

	t->hmac = config->hmac;
	t->clock = config->clock;
	t->id = mem_dup(config->id);
	t->phone = mem_dup(config->phone);
	if (config->secret != NULL) {
		t->secret = mem_dup(config->secret);
		if (judge(t->secret, "EDGE_SECRET", err))
			return t;
	} else if (config->file == NULL) {
		err_set(err, EXIT_CONFIG, "config",
		    "no secret: set EDGE_SECRET or --secret-file FILE");
	} else {
		t->file = mem_dup(config->file);
		if (token_reload(t, err))
			return t;
	}
	token_free(t);
	return NULL;
}

void
token_free(struct token *t)
{
	if (t == NULL)
		return;
	free(t->secret);
	free(t->file);
	free(t->id);
	free(t->phone);
	free(t);
}

char *
token_header(const struct token *t)
{
	char *signed_token, *line;

	if (!t->hmac)
		return mem_printf("Authorization: Bearer %s", t->secret);
	signed_token = secret_token(
	    t->secret, t->id, t->phone, clock_wall(t->clock) / 1000);
	line = mem_printf("Authorization: Bearer %s", signed_token);
	free(signed_token);
	return line;
}
