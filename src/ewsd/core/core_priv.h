/*
 * core_priv - what the files of core/ share; included only there
 */
#ifndef EWS_EWSD_CORE_PRIV_H
#define EWS_EWSD_CORE_PRIV_H

#include "ewsd/core/agents.h"
#include "ewsd/core/client.h"
#include "ewsd/core/command.h"
#include "ewsd/core/core.h"
#include "ewsd/core/due.h"
#include "ewsd/core/schedule.h"
#include "lib/hash.h"

struct core {
	struct core_config config;
	struct agent *agents;
	struct command *by_id, *by_tag;
	struct client *clients;
	struct command *unsaved; /* ends that the store's queue refused */
	struct due planned; /* commands */
	struct schedules *schedules;
	struct jobs *jobs;
	struct stats stats;
	uint64_t last_seq, last_tag, last_client;
	size_t waiting, waiting_bytes;
	struct later *later; /* lines for histories and agents' logs */
	int64_t pruned_mono; /* when retention last ran */
	int64_t born_mono;
	int64_t watch_mono; /* when watch_tick last looked */
	size_t n_watched; /* commands in the lists of these */
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
	unsigned urgent; /* of these: above normal */
	unsigned n_ahead, orphans;
	unsigned overtaken; /* deliveries while a lower one waited */
	int64_t hold_until; /* monotonic: its own queue is full */
	uint64_t offers; /* deliveries by poll so far */
	struct {
		char id[129];
		uint64_t offer;
	} passed; /* the last one offered that has ended */
	bool pumping, again;
	struct command *watched; /* with watchers, or input to come */
};

/* How it ended. */
struct command_end {
	struct store_outcome outcome; /* its texts are ours */
	json_t *result; /* made for the watchers */
	bool saved; /* on disk */
	bool confirm; /* and our agent has not been told yet */
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
/* As command_step: accepted again; the delivery does not count. */
void command_turned_down(struct command *, const char *note);
void command_tell_step(struct command *);
/* For its next step: when it was on disk, said once. */
int64_t command_stored_ms(struct command *);
size_t command_weight(const struct command *);
/* command_submit.c: its acceptance is on disk: tells, queues, pumps. */
void command_accepted(struct command *);
void command_new_tag(struct command *);
void command_no_tag(struct command *);

/* command_submit.c: has it the form; is its agent known? Err if not. */
bool command_form_ok(
    const struct core *, const struct command_request *, struct err *);
struct agent *
command_target(struct core *, const struct command_request *, struct err *);
/* Is there room for one more of that size? Err if not. */
bool command_room(
    const struct core *, const struct agent *, size_t bytes, struct err *);

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

/* watch.c */
void watch_list(struct command *); /* into the list that watch_tick reads */
void watch_forget(struct command *);
void watch_join(struct command *, struct watcher *);
void watch_link_lost(struct agent *, enum link_kind);
void watch_presence(struct agent *); /* it has come or gone */
void watch_tick(struct core *);

/* output.c */
void output_free(struct output_state *);
bool output_complete(const struct command *, const struct watcher *);
/* Of a stream only so much can be had from the agent; -1: all. */
void output_limit(struct command *, int64_t out, int64_t err);
/* The agent has nothing more of it. */
void output_gone(struct command *);
/* The last of it, for the store; forgotten once that has it. */
void output_keep(struct command *, const struct store_kept *);
const struct store_kept *output_kept(const struct command *); /* NULL */
void output_keep_free(struct command *);
/* A watcher came or left, the command was sent, the link came up: says
 * "attach" or "stop" where the agent does not know. */
void output_align(struct command *);
/* May its delivery say that output is wanted from the start? */
bool output_from_start(const struct command *);
void output_started(struct command *); /* its delivery said so */
void output_detached(struct command *); /* the agent knows of nothing */
/* The agent begins anew, by poll: an answer was lost, or it was restarted. */
void output_anew(struct command *);
void output_link_lost(struct command *, enum link_kind);
/* A watcher left or took some: the agent may send more. */
void output_credit(struct command *, enum output_stream);
/* A reader has left early: it may come back. */
void output_linger(struct command *);
void output_read(struct command *); /* one has read all */
/* Is one awaited? Then neither forget nor confirm. */
bool output_lingers(const struct command *);
void output_tick(struct command *); /* may free it */

/* input.c */
void input_free(struct input_state *);
void input_join(struct command *, struct watcher *);
void input_leave(struct command *, const struct watcher *);
void input_expect(struct command *); /* one that has a stdin */
void input_link_lost(struct command *, enum link_kind);
void input_unsaid(struct command *); /* what was forwarded may be lost */
void input_room(struct command *);
/* Its agent takes none: ended as refused. */
bool input_refuse(struct command *);
/* Why the hub ended it, or NULL. */
const char *input_error(const struct command *);
bool input_wanted(const struct command *); /* keep it in the list */
void input_tick(struct command *); /* may free it */

/* queue.c */
void queue_put(struct command *); /* at its place by seq */
void queue_take(struct command *); /* out of whatever list */
void queue_sent(struct command *, enum command_place);
struct command *queue_next(struct agent *); /* NULL: none may go now */
/* Leaves the window, if it counts in it. */
void queue_landed(struct command *);
void queue_count_overtaken(struct command *);
/* Nothing more for a while; then core_tick pumps. */
void queue_hold(struct agent *);
/* Back to wait; with a reason, as a step in its history. */
void queue_again(struct command *, const char *why);

/* planned.c: in the heap if it waits for its time or has an end of it;
 * queue_put calls this, too. */
void planned_put(struct command *);
void planned_take(struct command *);
void planned_tick(struct core *);
/* How late that is; 0 if it is nothing to speak of (1 s). */
int64_t planned_late(int64_t due_ms, int64_t now_ms);
/* "fired 3 s late", or NULL for 0. */
const char *planned_late_text(char *out, size_t size, int64_t late_ms);
/* Would the agent hold a command of this type until its time? */
bool planned_edge_can(const struct agent *, const char *type);
/* The agent that came cannot: then the hub holds it; true if so. */
bool planned_hold(struct command *);

/* schedule.c */
bool schedules_load(struct core *, struct err *);
void schedules_free(struct core *);
void schedules_tick(struct core *);

/* conflict.c: another content under the same id? Then err has both digests.
 * The other one knows that from the store already. */
bool conflict_in_memory(
    const struct command *, const struct command_request *, struct err *);
void conflict_in_store(
    const struct command *given, const struct store_command *old, struct err *);

/* evict.c: the oldest of lowest priority that were not delivered make room
 * for another command, which does not rank below them. Is there enough? */
bool evict_can(const struct core *, const struct agent *, size_t bytes,
    enum command_priority);
void evict_for(struct command *);
/* Delivered as often as may be, and never received? Ends it then. */
bool evict_worn_out(struct command *);

/* later.c: what nobody waits for, gathered until the next tick. */
void later_free(struct core *);
void later_flush(struct core *);
/* A note for a command's history; 'note' is static. */
void later_note(struct core *, const char *id, const char *note);
/* The next line of an agent's log, to be filled; lent until the loop. */
struct store_agent_line *later_line(struct agent *);

/* agent_log.c: a line for the log of the agent's link. */
void agent_log(struct agent *, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void agent_log_up(struct agent *, const struct link_about *);
void agent_log_gone(struct agent *, const char *why);
void agent_log_greeted(struct agent *);

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
