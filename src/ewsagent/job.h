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
	JOB_QUEUED, /* there; waits for a slot */
	JOB_STARTING, /* has a slot; on its way to 'started', or waits for
			 * the machine to have room for a process */
	JOB_RUNNING,
	JOB_ENDED /* has a result; waits for disk, hub, or output */
};

struct job {
	char *id, *type;
	char *text; /* as in the ledger; NULL once it was started */
	size_t size; /* of the text */
	enum job_priority priority;
	enum job_state state;
	bool v1, stream;
	bool slot; /* holds one of the 'concurrency' */
	bool waiting; /* STARTING: for room for a process */
	bool cancelled; /* before it ran */
	int64_t deadline_ms; /* 0: it says none */
	int64_t started_ms, started_mono;
	const char *reason; /* it cannot run: a word of an ack, and why */
	char error[ERR_TEXT_MAX];
	struct run *run;
	struct output *output;
	char *result; /* JSON text of the final ack */
	bool saving, saved, confirmed; /* the result, in the ledger */
	struct job *prev, *next; /* of one list, by its state */
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

/* One after another: four queues, the most urgent first. */
struct job_queue {
	struct job *lists[JOB_PRIORITIES];
	size_t count, bytes;
};
void job_queue_add(struct job_queue *, struct job *);
void job_queue_back(struct job_queue *, struct job *); /* to the front */
void job_queue_remove(struct job_queue *, struct job *);
struct job *job_queue_first(const struct job_queue *);

#endif
