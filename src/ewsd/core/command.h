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
#include "ewsd/core/due.h"
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
	int64_t late_ms; /* fired so long after run_at_ms; 0: in time */
	char *schedule; /* the schedule that fired it, or NULL */
	unsigned flags, attempts; /* store_flag */
	const char *method; /* of the last delivery: static, or NULL */
	bool in_flight; /* counted in the agent's window */
	bool stored; /* its acceptance is on disk */
	struct watcher *watchers;
	struct output_state *output; /* where its readers are; or NULL */
	struct input_state *input; /* of STORE_STDIN; or NULL */
	struct command_end *end; /* how it ended; NULL: it has not */
	/* the rest is for core/ only */
	int place; /* enum command_place */
	uint64_t offer; /* order of delivery by poll */
	bool loaded; /* from the store: may have been sent */
	bool written; /* whole, to some link */
	bool stored_once; /* foreign schedule_message: acked once */
	bool evicts; /* takes the place of the oldest one */
	int64_t stored_ms; /* wall: on disk, and not yet in its history; 0 */
	int cancel_signal; /* asked for; 0: not */
	int64_t cancel_grace_ms;
	struct due_item due; /* until its time, or out of time */
	bool streams; /* its delivery says that output is wanted */
	bool watched; /* in the agent's list of these */
	struct command *prev, *next; /* in one of the agent's lists */
	struct command *watched_prev, *watched_next;
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
	/* its row as it is after this firing: stored with the command */
	const struct store_firing *firing;
	int64_t late_ms; /* of a firing */
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
	/* NULL: output not wanted. It comes from 'from' on, every byte once,
	 * whatever other watchers there are. The data is a JSON string's
	 * bytes (UTF-8) or, if 'b64', base64 text of the bytes; len counts
	 * the text, and 'bytes' what it stands for. Call watcher_took when
	 * passed on. */
	void (*output)(struct watcher *, const struct command *,
	    enum output_stream, int64_t offset, const char *data, size_t len,
	    bool b64, size_t bytes);
	/* NULL: it sends no input. The handler has taken everything before
	 * 'offset'; 'resume': send from there on (the first word of all);
	 * 'closed': it takes no more. */
	void (*input)(struct watcher *, const struct command *, int64_t offset,
	    bool resume, bool closed);
	/* The agent has gone, or is back. May be NULL. */
	void (*presence)(struct watcher *, const struct command *, bool away);
	/* The end, after all output that can be had: 'from' tells how far
	 * that went, the rest is what the store has kept. The watcher is
	 * unlinked. The result object is lent. */
	void (*ended)(
	    struct watcher *, const struct command *, const json_t *result);
	struct command *command; /* NULL when not linked */
	bool told, duplicate; /* accepted was called; with what */
	bool away; /* what 'presence' was told last */
	struct watcher *prev, *next;
	int64_t from[2]; /* per stream: first where to begin, then what comes
			  * next to it */
	int64_t taken[2]; /* left towards the asker */
	int64_t moved_mono; /* when that moved */
	bool behind; /* it stood still; others go on without it */
};

/* Checks, stores, then w->accepted is called, then the pump. False with err
 * at once: w is not linked. 'w' may be NULL. */
bool command_submit(struct core *, const struct command_request *,
    struct watcher *w, struct err *);
struct command *command_find(struct core *, const char *id);
struct command *command_by_tag(struct core *, uint64_t tag);
/* Watches one that is in memory; 'ended' may come before this returns, if
 * it has ended and nothing more is to be had. */
void command_watch(struct command *, struct watcher *);
void watcher_stop(struct watcher *);
/* Output up to here has left towards the asker: gives the agent credit. */
void watcher_took(struct watcher *, enum output_stream, int64_t offset);
/* Is the agent neither connected nor polling? */
bool agent_away(const struct agent *);

/* Of a byte in a stream, as an agent may say it: lengths can be added. */
#define COMMAND_OFFSET_MAX (INT64_C(1) << 60)

/* Input for the handler, in the form that 'output' has it. */
struct input_chunk {
	int64_t offset;
	const char *data; /* "" if it has none */
	size_t len, bytes;
	bool b64, eof;
};
/* From a watcher with 'input'; the last that came is the sender. What cannot
 * be passed on is dropped, and 'input' asks for it again. False with err:
 * bad_argument, too_late, conflict (another one sends), too_many. */
bool command_input(struct watcher *, const struct input_chunk *, struct err *);
/* input_ack of ews-protocol(7) */
struct input_ack {
	int64_t offset;
	bool resume, closed;
	int64_t
	    taken; /* with 'resume': if it is more, to be in the pipe soon */
	bool eof; /* and nothing after it */
};
/* The agent said so. */
void command_input_acked(struct core *, struct agent *from, const char *id,
    const struct input_ack *);

/* The link of an ews.v1 agent is greeted: says which output is wanted. */
void agent_attach_outputs(struct agent *);
/* What was to go out by an unanswered poll has not. */
void agent_unsaid(struct agent *);
/* The link has room again. */
void agent_input_room(struct agent *);

/* One that ended before this hub came up, with its history, and whose output
 * its reader may come back for: NULL if that is over. */
struct command *command_revive(struct core *, const struct store_command *,
    const struct store_history *, size_t n);

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
	const struct store_kept *kept; /* the last of the output, or NULL */
};
#define COMMAND_ACK_INIT                                                       \
	{                                                                      \
		NULL, ACK_NOTE, 0, NULL, NULL, -1, 0, -1, -1, -1, -1, -1,      \
		    NULL, NULL                                                 \
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

/* One output frame; offsets count raw bytes. Each watcher gets of it what it
 * has not seen. */
void command_output(struct core *, struct agent *from, const char *id,
    enum output_stream, int64_t offset, const char *data, size_t len, bool b64,
    size_t bytes);

/* "cancelled" at once if not delivered; "cancelling" if the agent was asked;
 * err too_late, command_unknown (also for ended ones: see the store), or
 * agent_absent. */
bool command_cancel(struct core *, const char *id, int signal, int64_t grace_ms,
    const char **answer, struct err *);

/* Does it wait for its time, here or at its agent? */
bool command_is_planned(const struct command *);
typedef void command_fn(void *arg, const struct command *);
void command_each_planned(struct core *, command_fn *, void *arg);
/* Such a command in the form of schedule_json; 'full' with its payload. */
json_t *command_plan_json(const struct command *, bool full);

/* The objects that the control socket and the HTTP calls answer with. */
json_t *command_json(const struct command *);
json_t *command_stored_json(const struct store_command *);
json_t *command_history_json(const struct store_history *, size_t n);

#endif
