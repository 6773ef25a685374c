/*
 * options - the settings with their defaults worked out and checked
 */
#ifndef EWS_EWSAGENT_OPTIONS_H
#define EWS_EWSAGENT_OPTIONS_H

#include <stdbool.h>

#include "ewsagent/hub_url.h"
#include "ewsagent/self.h"
#include "ewsagent/settings.h"
#include "ewsagent/token.h"
#include "lib/path.h"

struct options {
	const struct conf *conf; /* lent */
	struct self self; /* without its instance */
	struct hub_url hub;
	struct token *token;
	char base_dir[PATH_SIZE]; /* DIR: the hub of this machine has its own */
	char state_dir[PATH_SIZE]; /* DIR/agent */
	char handlers[PATH_SIZE];
	char shim[PATH_SIZE];
	char socket[PATH_SIZE]; /* after options_make_dirs */
};

/* Makes nothing on disk. False with err. */
bool options_init(struct options *, const struct conf *, struct err *);
void options_fini(struct options *);

/* Makes the directories that are missing, and finds the one for the socket
 * among them. */
bool options_make_dirs(struct options *, struct err *);

#endif
