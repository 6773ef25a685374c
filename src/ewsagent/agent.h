/*
 * agent - link, poll, post, work and door, put together
 */
#ifndef EWS_EWSAGENT_AGENT_H
#define EWS_EWSAGENT_AGENT_H

#include "ewsagent/options.h"
#include "lib/err.h"

struct agent;

/* Opens the ledger and the control socket; a second agent on the same
 * state directory is refused. The options are lent. NULL with err. */
struct agent *agent_new(struct options *, struct err *);
/* Until SIGTERM or SIGINT and all is settled; READY goes to 'ready_fd' (if
 * > 0) when the first attempt has begun. SIGHUP reads the secret and
 * handlers.conf again. */
void agent_run(struct agent *, int ready_fd);
void agent_free(struct agent *);

#endif
