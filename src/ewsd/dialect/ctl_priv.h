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
struct core *ask_core(const struct ctl_ask *);

/* A string that has to be there; false with err. */
bool ctl_need_str(
    const json_t *request, const char *key, const char **out, struct err *);

#endif
