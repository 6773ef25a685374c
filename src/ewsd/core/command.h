/*
 * command - durable work for one agent; has exactly one end
 *
 * Commands that have not ended are in memory, payload included, bounded
 * by core_limits; ended ones are in the store only. A watcher is told of
 * every step while it waits.
 */
#ifndef EWS_EWSD_COMMAND_H
#define EWS_EWSD_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ewsd/core/core.h"
#include "lib/hash.h"
#include "lib/state.h"

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR };
enum command_priority {
	PRIO_LOW,
	PRIO_NORMAL,
	PRIO_HIGH,
	PRIO_IMMEDIATE,
	PRIO_COUNT
};
/* Words of PROTOCOL 2.5: low deferred normal high immediate critical. */
bool priority_from(const char *word, enum command_priority *);
const char *priority_word(enum command_priority);

struct command {
	struct core *core;
	char id[129];
	char type[65];
	struct agent *agent; /* lives as long as the core */
	char *payload; /* JSON text */
	size_t payload_len;
	char *argv; /* JSON array text, or NULL */
	char *asker;
	enum command_state state;
	enum command_priority priority;
	uint64_t seq, tag; /* tag: for outq, unique, not 0 */
	int64_t created_ms, updated_ms, deadline_ms;
	int64_t run_at_ms, expires_ms; /* wall; 0: at once, never */
	char *schedule; /* the schedule that fired it, or NULL */
	unsigned flags, attempts; /* store_flag */
	const char *method; /* of the last delivery: static, or NULL */
	bool in_flight; /* counted in the agent's window */
	bool stored; /* its acceptance is on disk */
	struct watcher *watchers;
	struct output_state *output; /* of streams; or NULL */
	struct command_end *end; /* how it ended; NULL: it has not */
	/* the rest is for core/ only */
	int place; /* enum command_place */
	uint64_t offer; /* order of delivery by poll */
	bool loaded; /* from the store: may have been sent */
	bool written; /* whole, to some link */
	bool stored_once; /* foreign schedule_message: acked once */
	int cancel_signal; /* asked for; 0: not */
	int64_t cancel_grace_ms;
	struct command *prev, *next; /* in one of the agent's lists */
	UT_hash_handle by_id, by_tag;
};

struct command_request {
	const char *agent, *type;
	const char *id; /* chosen by the asker, or NULL */
	const char *payload; /* JSON text, or NULL: {} */
	size_t payload_len;
	const char *argv; /* JSON array text, or NULL */
	const char *asker;
	enum command_priority priority;
	int64_t deadline_ms; /* 0: the agent's own */
	int64_t run_at_ms; /* not before (wall); 0: at once */
	int64_t ttl_ms; /* not started within: expired; 0: for ever */
	const char *schedule; /* the schedule that fires it, or NULL */
	bool at_edge; /* the agent holds it until run_at_ms */
	bool late_skip; /* run_at_ms missed: expired, not run late */
	bool stdin_stream; /* the handler's stdin is streamed */
	bool evict_oldest; /* a full queue: the oldest makes room */
	bool stream, at_least_once;
	bool queue_unknown; /* an agent never seen is no error */
};

/*
 * Who waits for a command. Embedded in the waiter's own memory; unlinked
 * by watcher_stop or after 'ended'. The command is lent for the call.
 */
struct watcher {
	/* Accepted and on disk ('duplicate': it was before), or refused:
	 * 'err' set, 'c' NULL, the watcher is unlinked. */
	void (*accepted)(struct watcher *, const struct command *c,
	    bool duplicate, const struct err *err);
	void (*step)(struct watcher *, const struct command *);
	/* NULL: output not wanted. The data is a JSON string's bytes (UTF-8)
	 * or, if 'b64', base64 text of the bytes; len counts the text, and
	 * 'bytes' what it stands for. Call watcher_took when passed on. */
	void (*output)(struct watcher *, const struct command *,
	    enum output_stream, int64_t offset, const char *data, size_t len,
	    bool b64, size_t bytes);
	/* The end, after all output that was announced; the watcher is
	 * unlinked. The result object is lent. */
	void (*ended)(
	    struct watcher *, const struct command *, const json_t *result);
	struct command *command; /* NULL when not linked */
	bool told, duplicate; /* accepted was called; with what */
	struct watcher *prev, *next;
	int64_t taken[2]; /* output passed on, per stream */
};

/* Checks, stores, then w->accepted is called, then the pump. False with err
 * at once: w is not linked. 'w' may be NULL. */
bool command_submit(struct core *, const struct command_request *,
    struct watcher *w, struct err *);
struct command *command_find(struct core *, const char *id);
struct command *command_by_tag(struct core *, uint64_t tag);
/* Watches one that has not ended. */
void command_watch(struct command *, struct watcher *);
void watcher_stop(struct watcher *);
/* Output up to here has left towards the asker: gives the agent credit. */
void watcher_took(struct watcher *, enum output_stream, int64_t offset);

/* From links: by tag, because the command may have ended meanwhile. */
void command_written(struct core *, uint64_t tag);
void command_unwritten(struct core *, uint64_t tag);

/* PROTOCOL 2.6, normalised by the dialect. */
enum ack_word {
	ACK_RECEIVED,
	ACK_EXECUTING,
	ACK_COMPLETED,
	ACK_FAILED,
	ACK_NOTE
};
struct command_ack {
	const char *id;
	enum ack_word word;
	int64_t at_ms; /* completed_at or timestamp; 0: now */
	const char *error; /* or NULL */
	const char *reason; /* ews.v1: "no_handler", "not_allowed",
				 * "timeout", "cancelled", "interrupted",
				 * "start_failed", "lost"; or NULL */
	int exit_code; /* -1 */
	int signal; /* 0 */
	int64_t duration_ms, stdout_bytes, stderr_bytes; /* -1 */
	int64_t stdout_kept, stderr_kept; /* can be had; -1: all */
	const char *detail; /* JSON text kept as it is, or NULL */
};
#define COMMAND_ACK_INIT                                                       \
	{                                                                      \
		NULL, ACK_NOTE, 0, NULL, NULL, -1, 0, -1, -1, -1, -1, -1, NULL \
	}
/* 'from' is who said it: acks for another's command are ignored as unknown.
 * 'done' (or NULL) is called when what it changed is on disk, or at once if
 * it changed nothing. */
typedef void command_saved_fn(void *arg);
void command_acked(struct core *, struct agent *from,
    const struct command_ack *, command_saved_fn *done, void *arg);
/*
 * A sync of a foreign agent says: everything up to this id was delivered
 * (PROTOCOL 2.8); NULL: nothing yet. Call it for agents that say so at all,
 * after attaching and before pumping: what was offered by poll and not passed
 * is offered again; without such a word it is unacked.
 */
void command_passed(struct core *, struct agent *, const char *last_id);

/* One output frame; offsets count raw bytes. Bytes seen before are dropped,
 * nobody to take them means credit at once. */
void command_output(struct core *, struct agent *from, const char *id,
    enum output_stream, int64_t offset, const char *data, size_t len, bool b64,
    size_t bytes);

/* "cancelled" at once if not delivered; "cancelling" if the agent was asked;
 * err too_late, command_unknown (also for ended ones: see the store), or
 * agent_absent. */
bool command_cancel(struct core *, const char *id, int signal, int64_t grace_ms,
    const char **answer, struct err *);

/* The objects that the control socket and the HTTP calls answer with. */
json_t *command_json(const struct command *);
json_t *command_stored_json(const struct store_command *);
json_t *command_history_json(const struct store_history *, size_t n);

#endif
