/*
 * command_submit - the way in: judge, store, tell, queue
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

bool
command_form_ok(
    const struct core *core, const struct command_request *r, struct err *err)
{
	size_t max = core->config.limits->payload;
	size_t argv = r->argv != NULL ? strlen(r->argv) : 0;

	if (!id_name_ok(r->agent))
		err_set(err, EXIT_DATA, "bad_argument",
		    "agent: not a name (1 to %d bytes, no \"/\", no control "
		    "characters)",
		    ID_NAME_MAX);
	else if (!id_type_ok(r->type))
		err_set(err, EXIT_DATA, "bad_argument",
		    "type: 1 to 64 letters, digits, \"_\", \".\" or \"-\"");
	else if (r->id != NULL && !id_name_ok(r->id))
		err_set(err, EXIT_DATA, "bad_argument",
		    "command_id: not a name (1 to %d bytes, no \"/\", no "
		    "control characters)",
		    ID_NAME_MAX);
	else if (r->payload_len > max || argv > max)
		err_set(err, EXIT_DATA, "too_large",
		    "the %s has %zu bytes, the limit is %zu",
		    argv > max ? "argv" : "payload",
		    argv > max ? argv : r->payload_len, max);
	else
		return true;
	return false;
}

static bool
full(size_t depth, size_t limit, size_t more, const char *what, struct err *err)
{
	if (depth + more <= limit)
		return false;
	err_set(err, EXIT_RETRY, "queue_full", "%s: %zu of %zu", what, depth,
	    limit);
	return true;
}

bool
command_room(const struct core *core, const struct agent *a, size_t bytes,
    struct err *err)
{
	const struct core_limits *l = core->config.limits;
	char what[200];

	snprintf(what, sizeof what, "the queue of %s is full, commands", a->id);
	if (full(a->waiting, l->queue_agent, 1, what, err))
		return false;
	snprintf(what, sizeof what, "the queue of %s is full, bytes", a->id);
	return !full(
		   a->waiting_bytes, l->queue_agent_bytes, bytes, what, err) &&
	       !full(core->waiting, l->queue_total, 1,
		   "the hub's queue is full, commands", err) &&
	       !full(core->waiting_bytes, l->queue_total_bytes, bytes,
		   "the hub's queue is full, bytes", err);
}

static bool
room_for(const struct core *core, const struct agent *a,
    const struct command_request *r, size_t bytes, struct err *err)
{
	return (r->evict_oldest && evict_can(core, a, bytes, r->priority)) ||
	       command_room(core, a, bytes, err);
}

struct agent *
command_target(
    struct core *core, const struct command_request *r, struct err *err)
{
	struct agent *a = agent_find(core, r->agent);

	if (a != NULL)
		return a;
	if (r->queue_unknown)
		return agent_get(core, r->agent, err);
	err_set(
	    err, EXIT_NEGATIVE, "agent_unknown", "no agent named %s", r->agent);
	return NULL;
}

/* Watchers that wait to hear that it was accepted. */
static void
tell_accepted(struct command *c, bool duplicate)
{
	struct watcher *w, *next;

	c->stored = true;
	DL_FOREACH_SAFE (c->watchers, w, next) {
		if (w->told)
			continue;
		w->told = true;
		w->accepted(w, c, duplicate || w->duplicate, NULL);
	}
}

/* The same for one that has ended: the last watcher to leave frees it, but
 * not before all are told. */
static void
tell_accepted_ended(struct command *c)
{
	bool saved = c->end->saved;

	c->end->saved = false;
	tell_accepted(c, true);
	c->end->saved = saved;
	command_settle(c);
}

static void
tell_refused(struct command *c, const struct err *err)
{
	struct watcher *w;

	c->core->stats.commands_refused++;
	while ((w = c->watchers) != NULL) {
		DL_DELETE(c->watchers, w);
		w->command = NULL;
		w->accepted(w, NULL, false, err);
	}
	command_drop(c);
}

/* The store had it, ended: 'c' stands in for it until all are told. */
static void
stand_in(struct command *c, const struct store_command *old)
{
	c->state = old->state;
	c->created_ms = old->created_ms;
	c->updated_ms = old->updated_ms;
	c->attempts = old->attempts;
	c->method = old->method != NULL && strcmp(old->method, "http") == 0
			? link_word(LINK_POLL)
		    : old->method != NULL ? link_word(LINK_WEBSOCKET)
					  : NULL;
	c->loaded = true;
	c->run_at_ms = old->run_at_ms;
	c->expires_ms = old->expires_ms;
	c->late_ms = old->late_ms;
	c->flags = old->flags;
	c->core->stats.commands_duplicate++;
	command_set_end(c, &old->outcome);
	if (core_mono(c->core) - c->core->born_mono >=
	    c->core->config.limits->output_wait_ms)
		output_gone(c); /* but for what the store has kept */
	tell_accepted_ended(c);
}

static void
accepted(struct command *c)
{
	struct agent *a = c->agent;

	c->core->stats.commands_accepted++;
	c->stored_ms = core_wall(c->core);
	if (c->state == CMD_SCHEDULED)
		planned_put(c);
	else
		queue_put(c);
	tell_accepted(c, false);
	if (c->cancel_signal != 0) { /* taken back meanwhile */
		command_finish(c, CMD_CANCELLED, NULL, core_wall(c->core), NULL,
		    NULL, NULL);
		return;
	}
	if (c->evicts)
		evict_for(c);
	agent_pump(a);
}

void
command_accepted(struct command *c)
{
	accepted(c);
}

static void
stored(void *arg, enum store_accepted how, const struct store_command *old,
    const struct err *failure)
{
	struct command *c = arg;
	struct err err = ERR_INIT;

	if (failure != NULL) {
		err_set(&err, EXIT_IO, "io", "the command was not stored: %s",
		    failure->text);
		tell_refused(c, &err);
	} else if (how == STORE_CONFLICT) {
		conflict_in_store(c, old, &err);
		tell_refused(c, &err);
	} else if (how == STORE_DUPLICATE) {
		stand_in(c, old);
	} else {
		accepted(c);
	}
}

/* The id is in memory already. */
static bool
repeated(struct command *c, const struct command_request *r, struct watcher *w,
    struct err *err)
{
	if (conflict_in_memory(c, r, err))
		return false;
	c->core->stats.commands_duplicate++;
	if (w == NULL)
		return true;
	watch_join(c, w);
	w->duplicate = true;
	w->told = false; /* it has to hear it, now or with the first */
	if (c->end != NULL)
		tell_accepted_ended(c);
	else if (c->stored)
		tell_accepted(c, true);
	return true;
}

static unsigned
flags_of(const struct command_request *r)
{
	return (r->stream ? STORE_STREAM : 0u) |
	       (r->at_least_once ? STORE_AT_LEAST_ONCE : 0u) |
	       (r->stdin_stream ? STORE_STDIN : 0u) |
	       (r->at_edge ? STORE_AT_EDGE : 0u) |
	       (r->late_skip ? STORE_LATE_SKIP : 0u);
}

/* At the hub, until run_at_ms; a firing's time has come. */
static bool
waits_here(const struct command_request *r)
{
	return r->run_at_ms != 0 && !r->at_edge && r->firing == NULL;
}

/* The time to live counts from when it may run. What the agent holds and
 * must not run late expires there. */
static int64_t
expires(
    const struct command_request *r, const struct core_limits *l, int64_t now)
{
	int64_t from = r->run_at_ms > now ? r->run_at_ms : now;
	int64_t ttl = r->ttl_ms > 0 ? from + r->ttl_ms : 0;
	int64_t late =
	    r->at_edge && r->late_skip ? r->run_at_ms + l->late_after_ms : 0;

	return ttl == 0 || (late != 0 && late < ttl) ? late : ttl;
}

static bool
to_store(struct core *core, const struct store_command *sc,
    const struct store_firing *firing, struct command *c, struct err *err)
{
	struct store *store = core->config.store;

	if (firing != NULL)
		return store_fire(store, sc, firing, stored, c, err);
	return store_accept(store, sc, stored, c, err);
}

static bool
take_in(struct core *core, const struct command_request *r, struct agent *a,
    struct watcher *w, struct err *err)
{
	int64_t now = core_wall(core);
	char uuid[ID_UUID_SIZE];
	struct store_command sc = { .id = r->id,
		.agent = r->agent,
		.type = r->type,
		.payload = r->payload,
		.payload_len = r->payload_len,
		.argv = r->argv,
		.asker = r->asker,
		.priority = (int)r->priority,
		.state = waits_here(r) ? CMD_SCHEDULED : CMD_ACCEPTED,
		.seq = core->last_seq + 1,
		.created_ms = now,
		.updated_ms = now,
		.deadline_ms = r->deadline_ms,
		.run_at_ms = r->run_at_ms,
		.expires_ms = expires(r, core_limits(core), now),
		.schedule = r->schedule,
		.late_ms = r->late_ms,
		.flags = flags_of(r),
		.outcome = STORE_OUTCOME_INIT };
	struct command *c;

	if (sc.payload == NULL) {
		sc.payload = "{}";
		sc.payload_len = 2;
	}
	if (sc.id == NULL) {
		id_uuid7(uuid, now);
		sc.id = uuid;
	}
	c = command_make(core, &sc, a);
	if (c == NULL) {
		err_set(err, EXIT_RETRY, "queue_full", "out of memory");
		return false;
	}
	c->evicts = r->evict_oldest;
	if (!to_store(core, &sc, r->firing, c, err)) {
		command_drop(c);
		return false;
	}
	core->last_seq++;
	if (w != NULL)
		watch_join(c, w);
	return true;
}

/* An agent that speaks no ews.v1 holds only what has its own time, and takes
 * no input; nor does an old one of ours. One that never came may yet turn out
 * to be a new one; if not, the hub holds the one (planned_hold) and ends the
 * other (input_refuse). */
static bool
edge_can(
    const struct agent *a, const struct command_request *r, struct err *err)
{
	bool came =
	    a->ours || a->link != NULL || a->connects > 0 || a->polled_ms != 0;
	bool input = r->stdin_stream && !agent_can(a, "stdin");
	bool hold = r->at_edge && !planned_edge_can(a, r->type);

	if (!came || (!input && !hold))
		return true;
	if (a->ours)
		err_set(err, EXIT_DATA, "bad_argument",
		    "%s: the ewsagent of %s is too old for that: upgrade it",
		    input ? "stdin" : "at_edge", a->id);
	else if (input)
		err_set(err, EXIT_DATA, "bad_argument",
		    "stdin: %s speaks no ews.v1 and takes no input", a->id);
	else
		err_set(err, EXIT_DATA, "bad_argument",
		    "at_edge: %s speaks no ews.v1 and holds only "
		    "schedule_message, not %s",
		    a->id, r->type);
	return false;
}

static bool
submit(struct core *core, const struct command_request *r, struct watcher *w,
    struct err *err)
{
	size_t argv = r->argv != NULL ? strlen(r->argv) : 0;
	struct command *old;
	struct agent *a;

	if (core->draining) {
		err_set(err, EXIT_RETRY, "draining", "the hub is stopping");
		return false;
	}
	if (!command_form_ok(core, r, err))
		return false;
	old = r->id != NULL ? command_find(core, r->id) : NULL;
	if (old != NULL)
		return repeated(old, r, w, err);
	a = command_target(core, r, err);
	return a != NULL && edge_can(a, r, err) &&
	       room_for(core, a, r, r->payload_len + argv, err) &&
	       take_in(core, r, a, w, err);
}

bool
command_submit(struct core *core, const struct command_request *r,
    struct watcher *w, struct err *err)
{
	if (w != NULL)
		w->command = NULL;
	if (submit(core, r, w, err))
		return true;
	core->stats.commands_refused++;
	return false;
}
