/*
 * agents - the named edges, known and queued for while they are away
 *
 * An agent has at most one link at a time: a WebSocket or a parked poll.
 * The dialect that owns the link hands in link_ops; the core never sees a
 * frame.
 */
#ifndef EWS_EWSD_AGENTS_H
#define EWS_EWSD_AGENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ewsd/core/command.h"
#include "ewsd/core/core.h"
#include "lib/hash.h"

enum link_kind { LINK_NONE, LINK_WEBSOCKET, LINK_POLL };
/* "none", "websocket", "http" */
const char *link_word(enum link_kind);

struct link_ops {
	/* Writes one command towards the agent. True: it is on its way, and
	 * command_written or command_unwritten follows (it may follow at
	 * once, before this returns). False: no room; agent_pump is called
	 * again when there is. */
	bool (*deliver)(void *link, struct command *);
	/* These need ews.v1; NULL on links without it. */
	void (*cancel)(
	    void *link, const struct command *, int signal, int64_t grace_ms);
	/* The asker has taken the output up to 'offset'. */
	void (*credit)(void *link, const struct command *, enum output_stream,
	    int64_t offset);
	/* Output is wanted from here on. False: not now. */
	bool (*attach)(
	    void *link, const struct command *, const int64_t from[2]);
	/* Nobody wants the output any more. */
	void (*stop)(void *link, const char *command_id);
	/* False: no room; agent_input_room is called when there is. */
	bool (*input)(
	    void *link, const struct command *, const struct input_chunk *);
	/* The end of this command is on our disk. */
	void (*confirm)(void *link, const char *command_id);
	/* A config_update; the object is lent. True: handed over. */
	bool (*config)(void *link, const json_t *);
	/* Another connection took this one's place: close with 1000
	 * "New connection established". The link is detached already. */
	void (*replaced)(void *link);
};

struct agent {
	struct core *core;
	char id[129];
	enum link_kind kind;
	const struct link_ops *ops;
	void *link;
	bool ours; /* speaks ews.v1: recognises repeats */
	char instance[40]; /* of our agents; "" */
	char address[64];
	json_t *about; /* hello: version, tags, handlers; or NULL */
	json_t *status; /* its last status message; or NULL */
	json_t *config; /* not yet handed over; or NULL */
	int64_t first_ms, last_ms; /* wall: first and last seen */
	int64_t connected_ms; /* wall: since when the link is up */
	int64_t ping_ms; /* wall: its last ping message, 0 */
	uint64_t connects, messages_in, messages_out; /* of this link */
	size_t waiting, waiting_bytes; /* commands not ended */
	size_t window; /* of its hello; or the limit */
	int64_t polled_ms; /* wall: its last poll, 0 */
	json_t *tags; /* given here: sorted array; or NULL */
	int64_t skew_ms; /* its clock is ahead by so much ... */
	bool skew_known; /* ... as it said in its last hello */
	/* the rest is for core/ only */
	bool greeted; /* may be sent commands */
	bool passes; /* foreign: says what it has got by poll */
	struct agent_queues *queues;
	struct agent_flap *flap;
	struct agent_lines *lines; /* agent_log.c */
	UT_hash_handle hh;
};

struct agent *agent_find(struct core *, const char *id); /* NULL */
/* Makes it known; NULL with err (bad name, too many). */
struct agent *agent_get(struct core *, const char *id, struct err *);
typedef void agent_fn(void *arg, struct agent *);
void agent_each(struct core *, agent_fn *, void *arg); /* by name */

/*
 * May a connection of this id and instance come in now? False while two
 * instances fight (PROTOCOL 2.3): refuse with 503 and Retry-After of
 * *retry_ms. 'peer' tells instances of foreign agents apart (address:port
 * is not enough: pass the address).
 */
bool agent_admit(struct core *, const char *id, int64_t *retry_ms);

struct link_about {
	enum link_kind kind;
	const struct link_ops *ops;
	void *link;
	bool ours;
	const char *instance; /* or NULL */
	const char *address;
};
/* The link is up: replaces an older one, flushes the queue. For a
 * websocket the pump runs at once, or, if 'ours', when agent_pump is
 * called after its hello. */
void agent_attach(struct agent *, const struct link_about *);
/* The link is gone; ignored unless 'link' is the present one. Commands that
 * were written and not received go back to the queue (ours, or repeatable)
 * or become unacked (PROTOCOL 2.7). */
void agent_detach(struct agent *, void *link, const char *why);
/* Its hello: 'about' is lent and copied; window 0 keeps the limit. */
void agent_hello(
    struct agent *, const char *instance, const json_t *about, size_t window);
/* Delivers what the link takes, highest priority first. */
void agent_pump(struct agent *);
/* Something is on its way to the link of a foreign agent ("delivered" is
 * written to disk before it is sent): deliver follows. A poll that does not
 * wait is answered when this is false, or after a while. */
bool agent_busy(const struct agent *);
/* Does it know what came to ews.v1 later ("run_at", "stdin")? Not an older
 * one of ours, which would pass over the word and run the command. Of one
 * that said nothing of itself yet: true. */
bool agent_can(const struct agent *, const char *what);
/* Anything came in: last seen. */
void agent_heard(struct agent *);
/* Merges and stores; handed over now or at the next connection. */
bool agent_config(struct agent *, const json_t *update, struct err *);

/* Its time of day, just come: for clock_skew_ms. */
void agent_clock(struct agent *, int64_t at_ms);

/* Words for choosing agents: 1..64 of [a-z0-9_.:-]; at most 64 are given.
 * 'add' and 'remove' are arrays, or NULL. 'done' comes when it is on disk;
 * false with err (bad_argument, too_many): nothing has changed. */
enum { TAG_MAX = 64, TAGS_MAX = 64 };
bool tag_ok(const char *);
bool agent_tag(struct agent *, const json_t *add, const json_t *remove,
    store_done_fn *done, void *arg, struct err *);
/* Sorted array of its own (of its hello), or of all; gives. */
json_t *agent_tags_own(const struct agent *);
json_t *agent_tags(const struct agent *);

/* A connection or request of a known agent was refused; 'why' is static. */
void agent_refused(
    struct core *, const char *id, const char *address, const char *why);
/* Before its log is read: what was held back is told, and in the store's
 * hands. */
void agent_log_settle(struct agent *);

/* For the answers: gives the object of DESIGN 7's "agent". */
json_t *agent_json(const struct agent *, bool full);

#endif
