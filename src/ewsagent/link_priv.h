/*
 * link_priv - what link.c (when) and link_conn.c (one connection) share
 */
#ifndef EWS_EWSAGENT_LINK_PRIV_H
#define EWS_EWSAGENT_LINK_PRIV_H

#include "ewsagent/link.h"
#include "net/timer.h"
#include "net/ws.h"

/* One try, and the connection that it may become. The link lets go of one
 * that does not answer and goes on with another: closing takes its time. */
struct conn {
	struct conn *prev, *next;
	struct link *link;
	struct ws_attempt *attempt; /* until open */
	struct ws *ws; /* while open */
	struct outq out;
	bool v1, ready;
	int64_t last_pong_ms; /* monotonic; at first when it opened */
};

struct link {
	struct link_config config;
	struct outq_config outq;
	struct ws_host *host;
	struct linkplan plan;
	struct conn *conns; /* all that are not closed yet */
	struct conn *current; /* one of them, or NULL */
	struct timer *retry; /* the next try */
	struct timer *pulse; /* the next ping */
	struct timer *silence; /* a pong, or the hub's hello, is late */
	enum link_state state;
	int64_t since_ms; /* wall */
	int64_t told_ms; /* what a retry frame said, or -1 */
	bool stopping;
	bool greeted; /* it was connected once: some words are said once */
};

/* link_conn.c: false with err if the try could not even begin. */
bool conn_try(struct link *, bool plain, struct err *);
void conn_forget(struct conn *); /* frees; not while open */
bool conn_send(
    struct conn *, const char *text, size_t len, enum outq_lane, uint64_t tag);

/* link.c: news of the current connection. */
void link_opened(struct link *);
void link_failed(struct link *, int status, int64_t after_ms, const char *why);
void link_closed(struct link *, int code, const char *reason);

#endif
