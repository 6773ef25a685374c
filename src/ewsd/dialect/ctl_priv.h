/*
 * ctl_priv - what the files of the ctl dialect share
 */
#ifndef EWS_EWSD_CTL_PRIV_H
#define EWS_EWSD_CTL_PRIV_H

#include "ewsd/core/core.h"
#include "ewsd/dialect/ctl.h"

struct ctl_dialect {
	struct ctl_config config;
	int64_t started_mono;
	struct ctl_ask *asks; /* that are not answered */
};

struct ctl_ask {
	struct watcher watcher; /* first: callbacks get it */
	struct ctl_dialect *dialect;
	struct ctl_sink sink;
	char *asker;
	enum command_state until; /* ACCEPTED, DELIVERED, RECEIVED, DONE */
	int64_t deadline; /* monotonic; 0: none */
	json_t *result; /* waits for what was kept; or NULL */
	void (*on_deadline)(struct ctl_ask *); /* NULL: an error */
	void (*on_tick)(struct ctl_ask *); /* looks again; or NULL */
	char agent[129]; /* "" if it is about none */
	bool wants_online; /* of wait_agent */
	json_t *plan; /* of schedule_cancel: what is taken back; or NULL */
	char command_id[129]; /* "" if it is about none */
	size_t
	    page; /* of a list: how many were asked for; of a cancel: looks */
	bool duplicate;
	bool starting; /* inside ctl_request */
	bool answered, gone;
	bool at_store; /* a callback of the store has the address */
	struct ctl_ask *prev, *next;
};

/* One handler of ops.def: answers at once or later. */
typedef void ctl_op_fn(struct ctl_ask *, const json_t *request);
#define OP(name, help) ctl_op_fn ctl_op_##name;
#include "ewsd/dialect/ops.def"
#undef OP

/* The one answer; takes 'result'. The ask may be gone after either. */
void ask_reply(struct ctl_ask *, json_t *result);
void ask_fail(struct ctl_ask *, const struct err *);
/* Takes 'extra'. */
void ask_fail_extra(struct ctl_ask *, const struct err *, json_t *extra);
/* Before a call of the store, and first thing in its callback: false then
 * if nobody waits any more (the ask is freed). */
void ask_to_store(struct ctl_ask *);
bool ask_from_store(struct ctl_ask *);
/* The call failed at once, and its callback will not come. */
void ask_store_failed(struct ctl_ask *, const struct err *);
/* First thing in a callback that has nothing to do with an error but to pass
 * it on: false if that was done, or nobody waits. */
bool ask_stored(struct ctl_ask *, const struct err *);
struct core *ask_core(const struct ctl_ask *);

/* ctl_cancel.c: takes 'ask->command_id' back; answers. */
void ctl_take_back(struct ctl_ask *, int signal, int64_t grace_ms);

/* ctl_schedule.c: "at_ms", "ttl_ms", "late", "at_edge" and "cron" of a
 * request; 'r' has its payload. *heap is a payload made anew, or NULL. */
bool ctl_take_time(const struct ctl_ask *, const json_t *request,
    struct command_request *r, char **heap, struct err *);
/* The request has "cron": makes a schedule instead of a command. */
void ctl_send_cron(
    struct ctl_ask *, const json_t *request, struct command_request *);

/* ctl_watch.c: "wait", "stream", "stdin", "timeout_ms"... of send and watch,
 * and the watcher that goes with them. False with err. */
bool ask_take_watch(
    struct ctl_ask *, const json_t *request, const char *wait, struct err *);

/* ctl_read.c: "agent", "type" and "state", a word or several; a page of such
 * commands, by "limit" and "before"; the agent that "agent" names, or NULL
 * with err. */
bool
ctl_take_filter(const json_t *request, struct store_filter *, struct err *);
void ctl_list(struct ctl_ask *, const json_t *request, struct store_filter *);
struct agent *
ctl_take_agent(struct ctl_ask *, const json_t *request, struct err *);

/* A string that has to be there; false with err. */
bool ctl_need_str(
    const json_t *request, const char *key, const char **out, struct err *);

#endif
