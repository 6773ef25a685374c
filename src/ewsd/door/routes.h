/*
 * routes - which path speaks which language, and who may use it
 *
 * One table for the whole hub (DESIGN 11.1). "WS" as a method is a
 * WebSocket handshake; "{}" in a path is one segment of it.
 */
#ifndef EWS_EWSD_ROUTES_H
#define EWS_EWSD_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ewsd/dialect/call.h"
#include "lib/err.h"

enum route_auth {
	ROUTE_OPEN, /* anybody */
	ROUTE_BODY, /* the handler judges a token in the body */
	ROUTE_EDGE, /* bearer or signature of an edge */
	ROUTE_ADMIN, /* the admin key */
	ROUTE_EITHER /* edge or admin */
};

struct route {
	const char *method, *path;
	enum route_auth auth;
	call_fn *call; /* NULL for WS */
	const char *dialect, *help;
};

enum { ROUTE_PART_SIZE = 129, ROUTE_ALLOW_SIZE = 64 };

/* The route of a request; HEAD goes where GET goes. 'dialect' of the
 * listener limits it, NULL does not. 'part' gets what {} stands for.
 * NULL: none; then 'allow' lists the methods that the path has, or is "". */
const struct route *route_find(const char *method, bool upgrade,
    const char *path, const char *dialect, char part[ROUTE_PART_SIZE],
    char allow[ROUTE_ALLOW_SIZE]);

/* Could a request be meant for two of them? False with err then: the hub
 * does not start (DESIGN 11.1). */
bool routes_distinct(const struct route *, size_t n, struct err *);
bool routes_ok(struct err *); /* the hub's own */
void routes_describe(FILE *);

#endif
