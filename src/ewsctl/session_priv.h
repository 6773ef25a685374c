/*
 * session_priv - what session.c (the hub), session_take.c (the answers) and
 * session_signal.c share
 */
#ifndef EWS_EWSCTL_SESSION_PRIV_H
#define EWS_EWSCTL_SESSION_PRIV_H

#include "ewsctl/input.h"
#include "ewsctl/session.h"
#include "lib/backoff.h"

struct session {
	struct ask *ask;
	const json_t *request; /* the first one */
	const char *id, *agent; /* or NULL */
	unsigned flags;
	bool stream;
	struct input *input; /* or NULL */

	int64_t until; /* monotonic: --timeout */
	struct backoff backoff;
	int64_t retry_at; /* without a connection: when to try again */
	int64_t lost_at; /* since then we wait for the hub */
	/* on this connection; 0: none */
	int64_t request_id, cancel_id, ping_id;
	bool known; /* the hub has the command on its disk */
	bool lost; /* and a person was told so */
	struct err why; /* the connection was lost */

	int64_t passed[2]; /* bytes of stdout and stderr */
	bool gap; /* some never came */
	char step[32]; /* the last one told */
	unsigned interrupts;
	int left_by; /* the signal */
	bool over;
	json_t *result;
	struct err *err;
};

/* One answer of the hub; lent. */
void session_take(struct session *, const json_t *answer);
/* The connection is of no use any more. */
void session_lost(struct session *, const struct err *);
/* A sentence for a person, unless --quiet. */
void session_say(const struct session *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the signals that came. False when one ends us. */
bool session_on_signal(void *session);
/* The handler gets a signal, and ten minutes to obey. */
void session_signal(struct session *, const char *name);
/* It ended: are there bytes that never came? */
void session_check_output(struct session *);

#endif
