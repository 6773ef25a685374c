/*
 * call - one HTTP request on its way through a dialect
 *
 * The door has judged head and credentials and read the body; the dialect
 * answers 'req' once, now or later (net/http.h).
 */
#ifndef EWS_EWSD_CALL_H
#define EWS_EWSD_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include "ewsd/core/auth.h"
#include "ewsd/core/core.h"
#include "net/http.h"
#include "net/ws.h"

struct ctl_dialect;
struct edge;

struct call {
	struct http_request *req;
	const struct auth_who *who; /* lent for the call */
	const char *part; /* what {} in the path stands for; or NULL */
	json_t *body; /* an object, of POST; lent for the call */
	struct core *core;
	struct edge *edge;
	struct ctl_dialect *ctl; /* NULL: not to be had */
};
typedef void call_fn(struct call *);

/* {"detail":TEXT}: the error shape of the foreign systems. */
void call_detail(struct http_request *, int status, const char *text);
/* 422 {"detail":[{"loc":["body",FIELD],"msg":…,"type":…}]} (PROTOCOL 3.6);
 * 'field' NULL: the body itself. */
void call_invalid(struct http_request *, const char *field, const char *msg,
    const char *type);
/* A problem document from what went wrong. */
void call_problem(struct http_request *, const struct err *);

/* A member that must be, or may be, a string; answers 422 otherwise.
 * Lent by the body. */
bool call_str(struct call *, const char *field, const char **out);
bool call_str_maybe(struct call *, const char *field, const char **out);

#endif
