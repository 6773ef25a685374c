/*
 * fan_priv - what fan.c (who is next), fan_who.c (who is meant), fan_link.c
 * (the hub), fan_out.c (the output) and fan_report.c (the end) share
 */
#ifndef EWS_EWSCTL_FAN_PRIV_H
#define EWS_EWSCTL_FAN_PRIV_H

#include "ewsctl/fan.h"
#include "lib/backoff.h"
#include "lib/id.h"
#include "lib/target.h"

enum fan_state {
	FAN_WAITING, /* at the end: not started */
	FAN_RUNNING, /* at the end: nobody knows */
	FAN_DONE,
	FAN_FAILED,
	FAN_OFFLINE
};

/* One agent. */
struct fan_member {
	char *agent;
	char id[ID_UUID_SIZE]; /* of its command; "": not begun */
	enum fan_state state;
	int64_t request; /* on this connection; 0: none */
	int64_t look; /* the same: is the agent still there? */
	bool known; /* the hub has the command on its disk */
	bool received; /* and the agent has it */
	bool away; /* it went before that: taken back */
	int status; /* of its end, as for run */
	char why[64]; /* "exit 3" */
	json_t *result; /* of its end; or NULL */
	int64_t passed[2]; /* bytes of stdout and stderr */
	struct fan_text *text; /* of one that runs; or NULL */
};

struct fan_out;
struct fan {
	struct ask *ask;
	const struct fan_out *out;
	json_t *request; /* of each, but for agent and id */
	bool runs; /* with output; else it is a send */
	bool handler; /* the status is the handler's */
	const char *step; /* what all are to reach: "done", "accepted" */
	struct fan_member *members; /* by name */
	size_t n, next; /* to begin */
	struct fan_member **running;
	size_t n_running;

	size_t parallel, canary, abort_after, need;
	size_t begun, done, failed, offline;
	char stopped[160]; /* why no more are begun; "": they are */

	int64_t until, retry_at; /* monotonic */
	struct backoff backoff;
	bool lost; /* a person was told so */
	int64_t lost_at;
	unsigned interrupts;
	int left_by; /* the signal */
	bool late; /* --timeout is over */
	struct err *err; /* what ends all */
};

/* fan.c */
/* Its end, from the hub's answer: 'result' (lent) or 'err'. */
void fan_ended(
    struct fan *, struct fan_member *, json_t *result, const struct err *err);
/* A sentence for a person, unless --quiet. */
void fan_say(const struct fan *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* fan_who.c */
struct target *fan_target(const struct ask *, struct err *); /* gives */
bool fan_find(struct fan *, const struct target *, struct err *);
bool fan_need(struct fan *, struct err *); /* of those that were found */
bool fan_flags_ok(const struct ask *, struct err *);

/* fan_link.c */
bool fan_begin(struct fan *, struct fan_member *, struct err *);
/* Its command gets a signal, or is taken back. */
void fan_cancel(struct fan *, const struct fan_member *, const char *signal);
/* Waits for the hub, a signal or the time, and deals with what came. */
void fan_turn(struct fan *);

/* fan_out.c */
struct fan_out {
	/* A record of the hub; 'stream' 0, 1, or -1 with no bytes. */
	void (*record)(struct fan *, struct fan_member *, json_t *record,
	    int stream, const char *bytes, size_t len);
	void (*ended)(struct fan *, struct fan_member *);
};
extern const struct fan_out fan_out_lines, fan_out_group, fan_out_json,
    fan_out_receipts;
void fan_text_free(struct fan_text *);

/* fan_report.c */
const char *fan_outcome(const struct fan *, const struct fan_member *);
json_t *
fan_member_json(const struct fan *, const struct fan_member *); /* gives */
/* The summary and --result-file; gives the exit status. */
int fan_report(struct fan *, struct err *);

#endif
