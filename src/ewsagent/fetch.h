/*
 * fetch - HTTP POST of JSON by libcurl on our loop
 *
 * Redirects are not followed (they would carry the secret along), the
 * environment's proxies are not used, answers are bounded.
 */
#ifndef EWS_EWSAGENT_FETCH_H
#define EWS_EWSAGENT_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "net/loop.h"

struct fetch;
struct fetch_call;

struct fetch_config {
	struct loop *loop;
	const char *ca_file; /* lent; or NULL */
	const char *proxy; /* lent; "host:port" or NULL for none */
	int64_t connect_ms;
	size_t answer_max; /* bytes; more is a failure */
};

struct fetch_answer {
	int status; /* 0: no answer came, and 'why' says why */
	const char *why;
	const char *body; /* with a NUL behind it that is not counted */
	size_t len;
	int64_t retry_after_ms; /* -1: not told */
};
/* Once, from the loop; the call is gone after it. All lent. */
typedef void fetch_fn(void *arg, const struct fetch_answer *);

struct fetch *fetch_new(const struct fetch_config *, struct err *);
/* Cancels what is open. */
void fetch_free(struct fetch *);

/* Takes 'body' (heap). 'headers' are "Name: value", NULL ends. Never
 * calls back from inside. */
struct fetch_call *
fetch_post(struct fetch *, const char *url, const char *const *headers,
    char *body, size_t len, int64_t timeout_ms, fetch_fn *, void *arg);
/* No callback any more; NULL is fine. */
void fetch_cancel(struct fetch_call *);

uint64_t fetch_count(const struct fetch *); /* requests ever begun */

#endif
