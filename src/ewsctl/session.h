/*
 * session - one command followed to its end, whatever the hub does meanwhile
 *
 * When the hub hangs up, it comes back until --reconnect or --timeout is
 * over: a send whose answer never came is repeated with the same id, which
 * the hub takes for the same command; afterwards it watches from the bytes
 * on that it has passed on, so that each comes out once.
 */
#ifndef EWS_EWSCTL_SESSION_H
#define EWS_EWSCTL_SESSION_H

#include "ewsctl/ask.h"

enum session_flag {
	SESSION_HANDLER = 1, /* the status is the handler's (DESIGN 8) */
	SESSION_INTERRUPT = 2, /* the first Ctrl-C is for the handler */
	SESSION_STDIN = 4, /* our stdin is for the handler */
	SESSION_JOINS = 8 /* there before us: to ask again changes nothing */
};

/*
 * The request is a send or a watch of command 'id' (NULL: it is about a
 * schedule or an agent).
 * Passes records to the output; gives the result, or NULL with err, or
 * without when a signal ended it; in *status what the shell is to see.
 */
json_t *session_run(struct ask *, const json_t *request, const char *id,
    unsigned flags, int *status, struct err *);

#endif
