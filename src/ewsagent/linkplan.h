/*
 * linkplan - when to try again, decided from what became of the last try
 *
 * The rules of DESIGN 6 without socket, timer or log, so that a test can
 * walk through a bad night in a millisecond. Times are monotonic ms.
 */
#ifndef EWS_EWSAGENT_LINKPLAN_H
#define EWS_EWSAGENT_LINKPLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/backoff.h"

struct linkplan_config {
	int64_t first_ms, max_ms; /* reconnect_min, reconnect_max */
	int64_t stable_ms; /* a link that held so long forgives all */
	int64_t refused_first_ms, refused_max_ms; /* after 401, 403 */
	unsigned fallback_after; /* failed tries before polling */
	bool yields; /* steps back when another agent takes our id */
};

enum plan_why {
	PLAN_BACKOFF, /* the usual doubling wait */
	PLAN_AT_ONCE, /* the hub restarts (1012): once without a wait */
	PLAN_PLAIN, /* 400: at once, without offering ews.v1 */
	PLAN_TOLD, /* the hub said when (Retry-After, a retry frame) */
	PLAN_REFUSED, /* our secret or id is not wanted there */
	PLAN_TAKEN /* another agent uses our id */
};

struct linkplan_next {
	enum plan_why why;
	int64_t wait_ms;
	unsigned attempt; /* its number since a link was stable */
	bool poll; /* HTTP polling should bridge the gap */
	bool say; /* the first REFUSED in a row, the third TAKEN */
};

struct linkplan {
	struct linkplan_config config;
	struct backoff usual, refused, taken;
	int64_t opened_ms;
	unsigned attempts; /* since a link was stable */
	unsigned failures; /* tries since the last link */
	unsigned shorts; /* links in a row that were not stable */
	bool restarted; /* one quick return was allowed */
	bool plain; /* ews.v1 was answered with 400 */
};

void linkplan_init(struct linkplan *, const struct linkplan_config *);

/* Should the next try go without the subprotocol? */
bool linkplan_plain(const struct linkplan *);

void linkplan_opened(struct linkplan *, int64_t now_ms);
/* 'status' is the HTTP status of a refusal, 0 if none came; 'after_ms' is
 * what Retry-After said, or -1. */
struct linkplan_next
linkplan_failed(struct linkplan *, int status, int64_t after_ms);
/* 'taken': 1000 "New connection established". 'after_ms' is what a retry
 * frame said, or -1. */
struct linkplan_next linkplan_closed(
    struct linkplan *, int code, bool taken, int64_t after_ms, int64_t now_ms);

/* Something changed (a new secret): the waits start over. */
void linkplan_forgive(struct linkplan *);

#endif
