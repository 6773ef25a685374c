/*
 * ctl - our own operations: "send", "agents", "stats"... (DESIGN 7)
 *
 * Transport-neutral: the control socket (ctl_conn.h) and HTTP
 * (POST /api/v1/ops/OP) hand requests in and get answers out by way of a
 * sink. The operations are listed in dialect/ops.def.
 */
#ifndef EWS_EWSD_CTL_H
#define EWS_EWSD_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ewsd/core/command.h"
#include "lib/err.h"

struct ctl_dialect;
struct ctl_ask; /* one operation that is not answered yet */

struct ctl_config {
	struct core *core;
	/* Gives a JSON array of "HOST:PORT"; may be NULL. */
	json_t *(*listeners)(void *arg);
	void *arg;
};
struct ctl_dialect *ctl_dialect_new(const struct ctl_config *);
void ctl_dialect_free(struct ctl_dialect *);
/* Often: the time-outs of those who wait. */
void ctl_dialect_tick(struct ctl_dialect *);
/* The hub stops: everything that waits is answered with "draining". */
void ctl_dialect_drain(struct ctl_dialect *);

struct ctl_sink {
	/* The one answer: either the 'result' (lent) or 'err' is given.
	 * 'extra' (lent, or NULL) are members for the error object beside
	 * its code, such as command_id. Nothing follows. */
	void (*reply)(void *arg, json_t *result, const struct err *err,
	    const json_t *extra);
	/* A record before it (lent); NULL where only one answer fits: then
	 * "stream" is refused. 'ask' and 'stream' (-1: no output) name what
	 * ctl_took is called with once the record has left. */
	void (*record)(void *arg, json_t *record, struct ctl_ask *ask,
	    int stream, int64_t offset);
	void *arg;
	const void *peer; /* the connection; NULL: it has no more to say */
	const char *asker; /* "uid:501", "http:admin"; copied */
	int64_t wait_max_ms; /* longest wait; 0: any */
	/* The request object as it came (lent for ctl_request), so that the
	 * payload's bytes are kept; or NULL. */
	const char *text;
	size_t len;
};

/*
 * One request; it is lent ("op" and "id" in it are not looked at). The
 * answer comes at once, then NULL is returned, or later, then the ask is
 * returned, good until the reply or ctl_forget.
 */
struct ctl_ask *ctl_request(struct ctl_dialect *, const struct ctl_sink *,
    const char *op, const json_t *request);
/* Who asked has gone: no answer comes any more. */
void ctl_forget(struct ctl_ask *);
/* Output up to 'offset' has left towards who asked. */
void ctl_took(struct ctl_ask *, int stream, int64_t offset);

/* {"ops":[{"op","help"}]}; gives. */
json_t *ctl_ops_json(void);

/* The HTTP status and the exit status of a code of codes.def (500 and
 * EXIT_INTERNAL for an unknown one). */
int ctl_code_http(const char *code);

#endif
