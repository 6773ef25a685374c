/*
 * exec - what a handler is given: arguments, environment, input
 *
 * The environment is made from nothing (ABUSE 59, 65): PATH as configured,
 * HOME, USER, LOGNAME, LANG=C.UTF-8; TZ and TMPDIR as the agent has them;
 * and EWS_COMMAND_ID, EWS_COMMAND_TYPE, EWS_AGENT_ID, EWS_PRIORITY,
 * EWS_DEADLINE_MS (its run time limit), EWS_HUB (without user and query).
 * The input is the payload as compact JSON without a newline; "{}" if the
 * command has none.
 */
#ifndef EWS_EWSAGENT_EXEC_H
#define EWS_EWSAGENT_EXEC_H

#include <jansson.h>

#include "ewsagent/job.h"
#include "ewsagent/work.h"

enum { EXEC_ENV_MAX = 16 };

struct exec {
	char **argv; /* NULL at its end */
	char *env[EXEC_ENV_MAX + 1];
	char *input; /* the owner may take it */
};

/* False when memory is out or the job's text is not readable. exec_fini
 * either way. */
bool exec_init(struct exec *, const struct job *, int64_t deadline_ms,
    const struct work_config *);
void exec_fini(struct exec *);

#endif
