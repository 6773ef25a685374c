/*
 * ctl_conn - one connection that speaks JSON lines (DESIGN 7)
 *
 * Lines in, requests to the ctl dialect, answers out in order. Also
 * answers JSON-RPC 2.0 requests in their shape.
 */
#ifndef EWS_EWSD_CTL_CONN_H
#define EWS_EWSD_CTL_CONN_H

#include <stddef.h>

#include "ewsd/core/client.h"
#include "ewsd/dialect/ctl.h"

struct ctl_conn;

struct ctl_conn_config {
	struct core *core;
	struct ctl_dialect *ctl;
	const struct door *door;
	/* Stop or go on reading: too much is asked, or not read. */
	void (*pause)(void *door_conn, bool paused);
	unsigned max_requests;
	const struct outq_config *out; /* of ctl_conn_out */
};

/* The callbacks of an outq that such a connection writes from; the bounds
 * are the caller's to fill. */
struct outq_config ctl_conn_out(size_t max_bytes);

/* 'config' is lent for the life of the connection; 'asker' is copied. */
struct ctl_conn *ctl_conn_new(
    const struct ctl_conn_config *, void *door_conn, const char *asker);
struct outq *ctl_conn_outq(struct ctl_conn *);
void ctl_conn_line(struct ctl_conn *, const char *text, size_t len);
void ctl_conn_overlong(struct ctl_conn *, size_t limit);
/* Ends it in order: what is queued leaves first. */
void ctl_conn_close(struct ctl_conn *, const char *why);
/* It has ended: frees. */
void ctl_conn_gone(struct ctl_conn *);

#endif
