/*
 * work - the commands at the edge: taken, held, queued, run, answered
 *
 * Between the link (which speaks with the hub) and the handlers (which are
 * programs). Takes the data of `command` frames, enters them into the
 * ledger, holds them until their time, runs at most 'concurrency' handlers
 * at a time, each under a shim that outlives us, and says what became of
 * them. Works the same while the link is down, and goes on after a restart
 * where it was.
 */
#ifndef EWS_EWSAGENT_WORK_H
#define EWS_EWSAGENT_WORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "net/loop.h"

enum { WORK_INPUT_WINDOW = 256 << 10, WORK_KEEP_MAX = 256 << 10 };

struct work;

enum work_ack {
	WORK_STEP, /* told once; may get lost */
	WORK_STORED, /* the same, but a PROTOCOL 2 hub wants it */
	WORK_END /* told again by work_resend until work_confirmed */
};

struct work_events {
	/* A command_ack's data to be sent; lent. False: no room now; of an
	 * end work_room says when to try again. */
	bool (*ack)(void *arg, enum work_ack, const json_t *data);
	/* An output or input_ack frame's data; lent. False: no room now (the
	 * link is down or full); work_room says when to try again. */
	bool (*output)(void *arg, const json_t *data);
	bool (*input_ack)(void *arg, const json_t *data);
	/* Nothing is on its way to the disk (for a graceful stop); may be
	 * NULL. */
	void (*idle)(void *arg);
};

struct work_config {
	struct loop *loop;
	struct clock *clock;
	const char *state_dir; /* ledger.db, jobs/ */
	const char *shim; /* path of ewsagent-shim */
	const char *boot; /* of the machine; NULL if not known */
	const char *handlers; /* directory */
	const char *handlers_conf; /* NULL: handlers.conf in it */
	const char *agent_id, *hub_url; /* for EWS_AGENT_ID, EWS_HUB */
	const char *path; /* PATH of the handlers */
	unsigned concurrency; /* 4 */
	size_t queue_max; /* taken and not started: 1000 */
	size_t held_max; /* taken, and not yet their time: 10,000 */
	int64_t deadline_ms; /* when the command says none: 1 h */
	int64_t grace_ms; /* between TERM and KILL: 5 s */
	uint64_t output_max; /* bytes kept per stream: 1 GiB; the rest is
				 * drained, counted, digested */
	uint64_t spool_max; /* bytes of all spools: 4 GiB */
	size_t output_chunk, output_window; /* until the hub's hello */
	int64_t ledger_keep_ms; /* 30 days */
	uint64_t ledger_keep; /* and 100,000 */
	const struct work_events *events;
	void *arg;
};

/* Opens the ledger, and picks up what an earlier agent left: what runs is
 * followed on, what ended is told, what never ran is queued again; of what
 * ran and has no end the handler's policy decides (handlers_conf.h). NULL
 * with err. */
struct work *work_new(const struct work_config *, struct err *);
/* Starts and takes nothing more, then calls idle. What runs goes on. */
void work_stop(struct work *);
void work_free(struct work *);
/* Reads handlers.conf again; a wrong one changes nothing: err. */
bool work_reload(struct work *, struct err *);

/* The data of a command frame; 'v1' false for a hub that speaks PROTOCOL 2
 * only: then acks have its fields only, and no output is sent. A command
 * known to the ledger is answered, not run. */
void work_take(struct work *, const json_t *data, bool v1);
/* One that is not known here is answered as lost. */
void work_cancel(struct work *, const char *id, int signal, int64_t grace_ms);
/* Send output from these offsets on, on this link. */
void work_attach(struct work *, const char *id, uint64_t out, uint64_t err);
void work_output_acked(struct work *, const char *id, const char *stream,
    int64_t offset, bool stop);
void work_input(struct work *, const char *id, uint64_t offset,
    const char *bytes, size_t len, bool eof);
void work_confirmed(struct work *, const char *id);
/* A new link: tells every end, in order, and where input goes on; output is
 * followed again when the hub attaches. */
void work_resend(struct work *);
void work_room(struct work *);
/* 'keep': bytes of each stream that an end carries. */
void work_limits(
    struct work *, size_t output_chunk, size_t output_window, size_t keep);
void work_keep(struct work *, size_t keep);

/* Names of the handlers that may run; gives an array of strings. */
json_t *work_handlers(struct work *);
/* Gives: running, queued, held, waiting (for room for a process),
 * unconfirmed, spool_bytes, policies, counts. */
json_t *work_status(struct work *);
/* Ends that the hub has not confirmed. */
size_t work_unconfirmed(const struct work *);
/* Ended commands whose output is followed and not all taken. */
size_t work_unsent(const struct work *);

#endif
