/*
 * job - one command at the edge, from its arrival to its confirmed end
 */
#ifndef EWS_EWSAGENT_JOB_H
#define EWS_EWSAGENT_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsagent/output.h"
#include "ewsagent/run.h"
#include "lib/err.h"
#include "lib/hash.h"

enum {
	JOB_ARGS_MAX = 1000,
	JOB_ARGS_BYTES_MAX = 128 * 1024 /* all of them */
};
#define JOB_DEADLINE_MAX_MS (365 * INT64_C(86400000))

enum job_priority {
	JOB_IMMEDIATE,
	JOB_HIGH,
	JOB_NORMAL,
	JOB_LOW,
	JOB_PRIORITIES
};

enum job_state {
	JOB_TAKING, /* on its way into the ledger */
	JOB_HELD, /* there; waits for its time */
	JOB_QUEUED, /* there; waits for a slot */
	JOB_STARTING, /* has a slot; on its way to 'started', or waits for
			 * the machine to have room for a process */
	JOB_RUNNING,
	JOB_ENDED /* has a result; waits for disk, hub, or output */
};

struct job_lane;

struct job {
	char *id, *type;
	char *text; /* as in the ledger; NULL once it has ended */
	size_t size; /* of the text */
	enum job_priority priority;
	enum job_state state;
	bool v1, stream;
	bool input; /* its stdin is what the hub sends */
	bool scheduled; /* PROTOCOL 2.6: acked when stored, too */
	bool stored_told; /* that; twice it would mean that it has run */
	bool slot; /* holds one of the 'concurrency' */
	bool waiting; /* STARTING: for room for a process */
	bool held; /* counted among those that wait for their time */
	bool cancelled; /* before it ran */
	bool own; /* no handler: the agent does it itself */
	bool adopted; /* was started by an agent before us */
	bool ask; /* its probe is to be asked before it may run again */
	bool probing; /* 'run' is the probe's */
	bool this_boot; /* STARTING: since the machine did */
	unsigned runs; /* how often it was started */
	int64_t deadline_ms; /* 0: it says none */
	int64_t due_ms, expires_ms; /* wall; 0: none */
	int64_t started_ms, started_mono;
	const char *reason; /* it cannot run: a word of an ack, and why */
	char error[ERR_TEXT_MAX];
	struct run *run;
	struct output *output;
	uint64_t input_done; /* bytes in the handler's pipe */
	bool input_known, input_closed;
	bool input_gap; /* the hub was asked to go back */
	bool input_owed; /* an input_ack found no room */
	char *result; /* JSON text of the final ack */
	bool saving, saved, confirmed; /* the result, in the ledger */
	bool told; /* the result, on this link */
	struct job *prev, *next; /* of one list, by its state */
	struct job_lane *lane; /* of the queue (jobqueue.h) */
	uint64_t seq;
	size_t place; /* in the agenda, from 1; 0: not there */
	int64_t wake_ms; /* there */
	uint64_t order; /* there: of equals the first goes first */
	void *owner;
	UT_hash_handle hh;
};

/* Reads a command frame's data. NULL if it has no good id; a command that
 * is wrong otherwise becomes a job with a reason. */
struct job *job_new(const json_t *data, bool v1);
/* The same from the ledger's text; one that cannot be read, or is NULL,
 * becomes a job with a reason. */
struct job *job_load(const char *id, const char *text);
void job_free(struct job *);

void job_refuse(struct job *, const char *reason, const char *error);

#endif
