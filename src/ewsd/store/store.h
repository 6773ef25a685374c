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
	int64_t late_ms; /* fired so long after run_at; 0: in time */
	bool cleared; /* ended badly, and somebody has seen to it */
	const char *digest; /* store_digest when accepted; NULL in lists */
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
	int64_t late_ms; /* fired so late; 0: stays */
	int64_t stored_ms; /* when its acceptance was on disk, for the
				 * history; 0: said before */
	bool turned_down; /* takes one delivery back from the count */
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
	const char *tags; /* JSON array of those given here, or NULL */
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
 * the 1000th line of a command's history on, notes and steps leave no line;
 * an end still does. */
bool
store_note(struct store *, const char *id, int64_t at_ms, const char *note);
/* Many of them, lazily; a command that is gone since is passed over. */
struct store_remark {
	char id[129];
	int64_t at_ms;
	const char *note; /* static: not copied */
};
bool store_notes(struct store *, const struct store_remark *, size_t n);

/* SHA-256, in hex, over what makes two commands the same: id, agent, type,
 * argv and payload. False with err when memory is out. */
enum { STORE_DIGEST_SIZE = 65 };
bool store_digest(
    const struct store_command *, char out[STORE_DIGEST_SIZE], struct err *);

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

/* The last of its output; NULL if none was kept. Lent during the callback. */
typedef void
store_kept_fn(void *arg, const struct store_kept *, const struct err *);
bool store_kept(
    struct store *, const char *id, store_kept_fn *, void *arg, struct err *);

struct store_filter {
	const char *agent; /* NULL: all */
	const char *type; /* NULL: all */
	unsigned states; /* bits 1 << state; 0: all */
	uint64_t before_seq; /* 0: from the newest */
	unsigned limit; /* 1..10000 */
	/* Only with 'dead': those that ended so that somebody has to see to
	 * them, and nobody has. */
	bool dead;
	const char *id, *reason; /* NULL: all */
	bool sendable; /* can be sent again; with their payloads (whose
				 * checksum is wrong: reason "checksum") */
	size_t bytes; /* of payloads, stop after; 0: any */
};
typedef void store_list_fn(void *arg, const struct store_command *, size_t n,
    const struct err *); /* newest first; payload may be NULL */
bool store_list(struct store *, const struct store_filter *, store_list_fn *,
    void *arg, struct err *);

/* What became of ended commands that somebody saw to, all in one
 * transaction, so that a kill neither loses nor doubles one. */
struct store_seen {
	char from[129];
	char to[129]; /* sent again as store_renew says; "": dropped */
	uint64_t seq; /* of the new one */
	bool done; /* false: it was not dead any more */
};
typedef void store_seen_fn(
    void *arg, const struct store_seen *, size_t n, const struct err *);
/* 'asker' is who sends them again. False with err when too much waits. */
bool
store_see(struct store *, const struct store_seen *, size_t n, int64_t now_ms,
    const char *asker, store_seen_fn *, void *arg, struct err *);
/* The new command for an old one: same content, priority and deadline; no
 * time to wait for, the time to live anew. Texts are lent from both. */
struct store_command store_renew(const struct store_command *old,
    const char *id, uint64_t seq, int64_t now_ms, const char *asker);

/* The log of an agent's link. Lazily; all but the newest 'keep' of each
 * agent are forgotten. */
struct store_agent_line {
	char agent[129], what[16], text[200];
	int64_t at_ms;
};
bool store_agent_log(struct store *, const struct store_agent_line *, size_t n,
    unsigned keep, store_done_fn *, void *arg);
/* The newest 'limit' lines of one, oldest first; lent. */
typedef void store_agent_lines_fn(
    void *arg, const struct store_agent_line *, size_t n, const struct err *);
bool store_agent_lines(struct store *, const char *agent, unsigned limit,
    store_agent_lines_fn *, void *arg, struct err *);

/* Upserts; NULL fields stay, an empty 'config' clears it. */
bool store_agent(
    struct store *, const struct store_agent *, store_done_fn *, void *arg);

/* Forgets finished commands that ended before 'before_ms' or are not among
 * the newest 'keep' finished ones (either is enough). The oldest first, a few
 * to a commit, so that none is held up; goes on while there are more. */
bool store_prune(struct store *, int64_t before_ms, uint64_t keep);

/*
 * Schedules: what fires again and again. Times are Unix milliseconds.
 */
struct store_schedule {
	const char *id, *agent, *type;
	const char *request; /* JSON object: payload, priority... */
	const char *cron, *tz;
	const char *asker; /* or NULL */
	const char *last_command; /* or NULL */
	bool late_skip, paused;
	int64_t created_ms;
	int64_t next_ms; /* 0: never again */
	int64_t last_ms; /* due time of the last firing; 0: none */
	uint64_t fired, missed;
};
typedef void store_schedule_fn(void *arg, const struct store_schedule *);
/* At the start, in this thread, by id. False with err. */
bool store_load_schedules(
    struct store *, store_schedule_fn *, void *arg, struct err *);

/* What happened to it, for its history: the newest 100 lines are kept. */
struct store_line {
	int64_t at_ms;
	const char *what; /* a word: "created", "missed"... */
	const char *text; /* or NULL */
};
/* A new one: false with err when too much waits, 'done' after the sync. */
bool store_schedule_add(struct store *, const struct store_schedule *,
    const struct store_line *, store_done_fn *done, void *arg, struct err *);
/* Stores paused, next_ms and missed of one that is there. With 'done' a
 * disk error is its answer; without, it is tried until the disk takes it. */
bool store_schedule_set(struct store *, const struct store_schedule *,
    const struct store_line *, store_done_fn *done, void *arg, struct err *);
/* Forgets it with its history. */
bool store_schedule_drop(struct store *, const char *id, store_done_fn *done,
    void *arg, struct err *);

/* A firing: as store_accept, and in the same transaction the schedule's
 * row becomes 'after', so that no kill loses or doubles it. If the command
 * was there already, it counts as fired before; in a conflict as missed. */
struct store_firing {
	const struct store_schedule *after;
	const char *text; /* for its history: the command's id... */
};
bool store_fire(struct store *, const struct store_command *,
    const struct store_firing *, store_accept_fn *, void *arg, struct err *);

/* The arguments are lent during the callback; oldest first. */
typedef void store_lines_fn(
    void *arg, const struct store_line *, size_t n, const struct err *);
bool store_schedule_log(
    struct store *, const char *id, store_lines_fn *, void *arg, struct err *);

struct store_stats {
	uint64_t commits, writes, failures, sync_us_last, sync_us_max;
	size_t waiting;
	bool failing;
};
void store_stats(struct store *, struct store_stats *);

#endif
