/*
 * backoff - how long to wait before the next attempt
 *
 * first_ms doubling to max_ms, plus 0..25 % at random (DESIGN 6). The
 * caller says when the link was stable; only then it starts over.
 */
#ifndef EWS_LIB_BACKOFF_H
#define EWS_LIB_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t first_ms, max_ms;
	unsigned attempts; /* failed attempts in a row */
};

void backoff_init(struct backoff *, int64_t first_ms, int64_t max_ms);
int64_t backoff_next(struct backoff *); /* counts one attempt; ms */
void backoff_reset(struct backoff *);

#endif
