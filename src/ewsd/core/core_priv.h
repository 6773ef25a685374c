/*
 * core_priv - what the files of core/ share; included only there
 */
#ifndef EWS_EWSD_CORE_PRIV_H
#define EWS_EWSD_CORE_PRIV_H

#include "ewsd/core/agents.h"
#include "ewsd/core/client.h"
#include "ewsd/core/command.h"
#include "ewsd/core/core.h"
#include "lib/hash.h"

struct core {
	struct core_config config;
	struct agent *agents;
	struct command *by_id, *by_tag;
	struct client *clients;
	struct command *unsaved; /* ends that the store's queue refused */
	struct stats stats;
	uint64_t last_seq, last_tag, last_client;
	size_t waiting, waiting_bytes;
	int64_t pruned_mono; /* when retention last ran */
	bool draining;
	bool held; /* some agent's hold_until is set */
};

/* Where a command is in its agent's lists. */
enum command_place {
	PLACE_NONE, /* not yet on disk, or ended */
	PLACE_QUEUED, /* waits in queued[priority], in seq order */
	PLACE_AHEAD, /* foreign: "delivered" is being synced first */
	PLACE_READY, /* foreign: that is on disk; the link has no room */
	PLACE_HANDED, /* the link has it, not written yet */
	PLACE_ORPHAN, /* foreign: handed to a link that is gone since */
	PLACE_SENT /* written; or unacked */
};

struct agent_queues {
	struct command *queued[PRIO_COUNT];
	struct command *ahead; /* AHEAD and READY, in order */
	struct command *sent; /* HANDED, ORPHAN and SENT, in order */
	unsigned in_flight; /* of 'sent': counted in the window */
	unsigned n_ahead, orphans;
	unsigned overtaken; /* deliveries while a lower one waited */
	int64_t hold_until; /* monotonic: its own queue is full */
	uint64_t offers; /* deliveries by poll so far */
	struct {
		char id[129];
		uint64_t offer;
	} passed; /* the last one offered that has ended */
	bool pumping, again;
};

/* How it ended. */
struct command_end {
	struct store_outcome outcome; /* its texts are ours */
	json_t *result; /* made for the watchers */
	bool saved; /* on disk */
	struct saving *unsaved; /* while the store has no room for it */
};

/* command.c */
struct command *
command_make(struct core *, const struct store_command *, struct agent *);
void command_drop(struct command *); /* unlinks and frees */
void command_uncount(struct command *); /* no longer waits */
/* A step on its way: tells the store (lazily: the step may be lost if the
 * store has no room) and the watchers. */
void command_step(struct command *, enum command_state, const char *note,
    store_done_fn *, void *arg);
void command_tell_step(struct command *);
void command_new_tag(struct command *);
void command_no_tag(struct command *);

/* command_end.c: takes it out of everything, stores, tells. 'done' may be
 * NULL. */
void command_finish(struct command *, enum command_state,
    const struct store_outcome *, int64_t at_ms, const char *note,
    command_saved_fn *done, void *arg);
/* It was ended before: only fills in how. */
void command_set_end(struct command *, const struct store_outcome *);
/* Calls 'ended' of the watchers whose output is complete; may free it. */
void command_settle(struct command *);
/* Tries again to store what the store's queue refused. */
void command_retry_unsaved(struct core *);
void command_give_up_unsaved(struct core *);

/* output.c */
void output_free(struct output_state *);
bool output_complete(const struct command *, const struct watcher *);
/* Of a stream only so much was kept at the edge; -1: all. */
void output_kept(struct command *, int64_t out, int64_t err);
void output_watch(struct command *, struct watcher *);
/* A watcher left or took some: the agent may send more. */
void output_credit(struct command *, enum output_stream);

/* queue.c */
void queue_put(struct command *); /* at its place by seq */
void queue_take(struct command *); /* out of whatever list */
void queue_sent(struct command *, enum command_place);
struct command *queue_next(struct agent *); /* NULL: none may go now */
bool queue_room(const struct agent *);
void queue_count_overtaken(struct command *);
/* Nothing more for a while; then core_tick pumps. */
void queue_hold(struct agent *);
/* Back to wait; with a reason, as a step in its history. */
void queue_again(struct command *, const char *why);

/* agents.c, link.c */
void agent_save(struct agent *);
void agent_free(struct agent *);
bool agent_repeatable(const struct command *);
/* It was written and its link is gone: back, or unacked. */
void link_lost(struct command *, const char *why);
/* link_send.c: sent in the answer to a poll of an agent that says what it
 * has got? */
bool link_was_offered(const struct command *);
/* Asks the agent what was asked of us. */
void link_ask_cancel(struct command *);
bool agent_polls(const struct agent *);
/* flap.c: a WebSocket is about to take the place of another one. */
void flap_takeover(struct agent *, const struct link_about *);

/* Starts the load of DESIGN 4. */
bool core_load(struct core *, struct err *);

/* The store's callback for a command_saved_fn; both may be NULL. */
struct saved {
	command_saved_fn *fn;
	void *arg;
};
void saved_done(void *saved, const struct err *);
struct saved *saved_new(command_saved_fn *, void *arg);

#endif
