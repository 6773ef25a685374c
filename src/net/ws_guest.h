/*
 * ws_guest - what the two halves of a guest share
 *
 *   ws_guest       its life: waiting, answering, lingering, ending
 *   ws_guest_head  its request: head, verdict, body
 */
#ifndef EWS_NET_WS_GUEST_H
#define EWS_NET_WS_GUEST_H

#include "net/ws_priv.h"

extern char guest_bytes[WS_SCRATCH]; /* one guest at a time */

void guest_enter(struct guest *, enum guest_state, int64_t ms);
/* From anywhere; the memory stays until the end of the turn. */
void guest_end(struct guest *);
void guest_watch(struct guest *, int events);
void guest_rest(struct guest *);
void
guest_refuse(struct guest *, int status, const char *why, const char *header);
void guest_refuse_verdict(struct guest *, const struct ws_verdict *);
/* An http_reply_fn. */
void guest_reply(void *guest, char *answer, size_t len);

/* Looks at what has come of the head, without taking it. */
void guest_look(struct guest *);
void guest_read_body(struct guest *);

#endif
