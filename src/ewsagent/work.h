/*
 * work - the commands at the edge: taken, queued, run, answered
 *
 * Between the link (which speaks with the hub) and the handlers (which are
 * programs). Takes the data of `command` frames, enters them into the
 * ledger, runs at most 'concurrency' handlers at a time, immediate before
 * high before normal before low, each in the order taken, and says what
 * became of them. Works the same while the link is down.
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

struct work;

struct work_events {
	/* A command_ack's data to be sent; the object is lent. Ends are kept
	 * until work_confirmed and told again by work_resend; other acks are
	 * told once and may get lost. */
	void (*ack)(void *arg, const json_t *data);
	/* An output frame's data; lent. False: no room now (the link is
	 * down or full); work_output_room says when to try again. */
	bool (*output)(void *arg, const json_t *data);
	/* Nothing runs, nothing waits (for a graceful stop); may be NULL. */
	void (*idle)(void *arg);
};

struct work_config {
	struct loop *loop;
	struct clock *clock;
	const char *state_dir; /* ledger.db, spool/ */
	const char *handlers; /* directory */
	const char *agent_id, *hub_url; /* for EWS_AGENT_ID, EWS_HUB */
	const char *path; /* PATH of the handlers */
	unsigned concurrency; /* 4 */
	size_t queue_max; /* taken and not started: 1000 */
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

/* Opens the ledger; what was received and not started is queued again,
 * what was started and has no end ends as interrupted. NULL with err. */
struct work *work_new(const struct work_config *, struct err *);
/* Asks what runs to end (TERM, after grace KILL), then calls idle. */
void work_stop(struct work *);
void work_free(struct work *);

/* The data of a command frame; 'v1' false for a hub that speaks PROTOCOL 2
 * only: then acks have its fields only, and no output is sent. A command
 * known to the ledger is answered, not run. */
void work_take(struct work *, const json_t *data, bool v1);
void work_cancel(struct work *, const char *id, int signal, int64_t grace_ms);
void work_output_acked(struct work *, const char *id, const char *stream,
    int64_t offset, bool stop);
void work_confirmed(struct work *, const char *id);
/* A new link: tells every end that is not confirmed, in order, and starts
 * sending output again from the last acked offsets. */
void work_resend(struct work *);
void work_output_room(struct work *);
void work_limits(struct work *, size_t output_chunk, size_t output_window);

/* Names of the handlers that may run; gives an array of strings. */
json_t *work_handlers(struct work *);
/* Gives: running, queued, waiting (for room for a process), unconfirmed,
 * spool_bytes, counts. */
json_t *work_status(struct work *);
/* Is nothing of this id unanswered (for PROTOCOL 2 hubs)? */
size_t work_unconfirmed(const struct work *);
/* Ended commands of whose output the hub has not had all. */
size_t work_unsent(const struct work *);

#endif
