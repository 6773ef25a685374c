/*
 * store - what must survive: commands with their lives, agents, counters
 *
 * Writes are queued and answered after the sync (group commit, lib/db.h);
 * the loop never waits for the disk. Ids are texts, times Unix
 * milliseconds. Another engine is another file behind this header.
 */
#ifndef EWS_EWSD_STORE_H
#define EWS_EWSD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/state.h"

struct store;

/* How a handler, or whoever answered for it, said a command ended. */
struct store_outcome {
	int exit_code; /* -1: none */
	int signal; /* 0: none */
	int64_t duration_ms; /* -1: unknown */
	int64_t stdout_bytes, stderr_bytes; /* -1: unknown */
	const char *reason; /* a word: "no_handler", "timeout"; or NULL */
	const char *error; /* a sentence, or NULL */
	const char *detail; /* JSON text of what else was said, or NULL */
};
#define STORE_OUTCOME_INIT                                                     \
	{                                                                      \
		-1, 0, -1, -1, -1, NULL, NULL, NULL                            \
	}

struct store_command {
	const char *id, *agent, *type;
	const char *payload; /* JSON text; "{}" when none was given */
	size_t payload_len;
	const char *argv; /* JSON array of strings, or NULL */
	const char *asker; /* who sent it: "uid:501", "http:admin" */
	int priority; /* 0 low, 1 normal, 2 high, 3 immediate */
	enum command_state state;
	uint64_t seq; /* order of acceptance; unique */
	int64_t created_ms, updated_ms;
	int64_t deadline_ms; /* the handler may run that long; 0: the agent's */
	unsigned flags; /* enum store_flag */
	const char *method; /* of the last delivery: "websocket", or NULL */
	unsigned attempts; /* deliveries */
	int64_t run_at_ms; /* not before; 0: at once */
	int64_t expires_ms; /* not started by then: expired; 0: never */
	const char *schedule; /* the schedule that fired it, or NULL */
	bool cleared; /* ended badly, and somebody has seen to it */
	struct store_outcome outcome;
};
enum store_flag {
	STORE_STREAM = 1, /* output is wanted live */
	STORE_AT_LEAST_ONCE = 2, /* may be sent again to a foreign agent */
	STORE_AT_EDGE = 4, /* the agent holds it until run_at */
	STORE_STDIN = 8, /* the handler's stdin is streamed */
	STORE_LATE_SKIP = 16 /* fired late: expired instead */
};

/* The last part of what a handler wrote, as an end carries it. */
struct store_kept {
	struct {
		int64_t first; /* offset of the first byte */
		const char *bytes;
		size_t len; /* 0: nothing of this stream */
	} streams[2];
};

/* One step of a command's life. Fields that are NULL or -1 stay. */
struct store_step {
	enum command_state state;
	int64_t at_ms;
	const char *method; /* how it was delivered, or NULL */
	const char *note; /* for the history, or NULL */
	const struct store_outcome *outcome; /* for ends, or NULL */
	const struct store_kept *kept; /* for ends, or NULL */
	bool attempt; /* counts one delivery */
	bool lazy; /* nobody waits for it: it may rest for some
				 * ms, to share the sync of others */
};

struct store_config {
	const char *path; /* DIR/ews.db */
	size_t max_jobs;
	void (*wake)(void *arg); /* from the writer: call store_drain */
	void *arg;
	int retry_ms; /* between attempts while the disk refuses; 0: 1000 */
};

/* NULL with err: locked by another hub, foreign, newer, damaged... */
struct store *store_open(const struct store_config *, struct err *);
void store_close(struct store *); /* commits and tells what waits first */
void store_drain(struct store *);
void store_flush(struct store *); /* waits; for shutdown and tests */

/* Random at the first start, then the same. Lent. */
const char *store_hub_id(const struct store *);
uint64_t store_epoch(const struct store *); /* one more at each start */
uint64_t store_last_seq(const struct store *);

/*
 * At the start, in this thread: everything that has not ended, by seq. A
 * row whose checksum is wrong is marked dead on disk and comes with state
 * CMD_DEAD so that it is reported. False with err.
 */
typedef void store_command_fn(void *arg, const struct store_command *);
bool store_load(struct store *, store_command_fn *, void *arg, struct err *);
struct store_agent {
	const char *id;
	const char *instance; /* of our own agents, or NULL */
	const char *about; /* JSON object: version, tags, handlers...; NULL */
	const char *config; /* JSON object not yet handed over, or NULL */
	int64_t first_ms, last_ms;
};
typedef void store_agent_fn(void *arg, const struct store_agent *);
bool
store_load_agents(struct store *, store_agent_fn *, void *arg, struct err *);

/* Accepting: 'done' comes after the sync. What is lent is copied. A 'seq' of
 * 0 is given the next one; store_last_seq tells it at once. */
enum store_accepted { STORE_NEW, STORE_DUPLICATE, STORE_CONFLICT };
typedef void store_accept_fn(void *arg, enum store_accepted,
    const struct store_command *existing, /* of a duplicate, conflict */
    const struct err *); /* NULL unless the disk refused */
/* A duplicate has the same agent, type, payload, argv; same digest. False
 * with err (EXIT_RETRY) when too much waits. */
bool store_accept(struct store *, const struct store_command *,
    store_accept_fn *, void *arg, struct err *);

/* A step; kept and tried again if the disk refuses. 'done' may be NULL.
 * False when four times max_jobs wait already. An outcome's signal is taken
 * as it is when there is an exit code. */
typedef void store_done_fn(void *arg, const struct err *);
bool store_step(struct store *, const char *id, const struct store_step *,
    store_done_fn *, void *arg);

/* A fact for the history that changes no state (a second ack, say). From
 * the 1000th line of a command's history on, notes are dropped. */
bool
store_note(struct store *, const char *id, int64_t at_ms, const char *note);

/* Reading. The arguments are lent during the callback. A command that has
 * not ended and whose checksum is wrong comes as CMD_DEAD. The history is
 * the newest 1000 lines, oldest first. */
struct store_history {
	enum command_state state;
	bool is_note; /* then 'state' means nothing */
	int64_t at_ms;
	const char *method, *note;
};
typedef void
store_get_fn(void *arg, const struct store_command *, /* NULL: none */
    const struct store_history *, size_t n, const struct err *);
bool store_get(
    struct store *, const char *id, store_get_fn *, void *arg, struct err *);

struct store_filter {
	const char *agent; /* NULL: all */
	const char *type; /* NULL: all */
	unsigned states; /* bits 1 << state; 0: all */
	uint64_t before_seq; /* 0: from the newest */
	unsigned limit; /* 1..10000 */
};
typedef void store_list_fn(void *arg, const struct store_command *, size_t n,
    const struct err *); /* newest first; payload may be NULL */
bool store_list(struct store *, const struct store_filter *, store_list_fn *,
    void *arg, struct err *);

/* Upserts; NULL fields stay, an empty 'config' clears it. */
bool store_agent(
    struct store *, const struct store_agent *, store_done_fn *, void *arg);

/* Forgets finished commands that ended before 'before_ms' or are not among
 * the newest 'keep' finished ones (either is enough). The oldest first, 1000
 * to a commit, so that none is held up; goes on while there are more. */
bool store_prune(struct store *, int64_t before_ms, uint64_t keep);

struct store_stats {
	uint64_t commits, writes, failures, sync_us_last, sync_us_max;
	size_t waiting;
	bool failing;
};
void store_stats(struct store *, struct store_stats *);

#endif
