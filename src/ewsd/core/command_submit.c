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

static bool
form_ok(
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
		    "command_id: not a name (1 to %d bytes)", ID_NAME_MAX);
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

static bool
has_room(const struct core *core, const struct agent *a, size_t bytes,
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

static struct agent *
target(struct core *core, const struct command_request *r, struct err *err)
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
	c->loaded = true; /* its output went to whoever asked first */
	c->core->stats.commands_duplicate++;
	command_set_end(c, &old->outcome);
	tell_accepted_ended(c);
}

static void
accepted(struct command *c)
{
	struct agent *a = c->agent;

	c->core->stats.commands_accepted++;
	queue_put(c);
	tell_accepted(c, false);
	if (c->cancel_signal != 0) /* taken back meanwhile */
		command_finish(c, CMD_CANCELLED, NULL, core_wall(c->core), NULL,
		    NULL, NULL);
	else
		agent_pump(a);
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
		err_set(&err, EXIT_DATA, "conflict",
		    "command %s exists with another content", c->id);
		tell_refused(c, &err);
	} else if (how == STORE_DUPLICATE) {
		stand_in(c, old);
	} else {
		accepted(c);
	}
}

static bool
same(const struct command *c, const struct command_request *r)
{
	const char *payload = r->payload != NULL ? r->payload : "{}";
	size_t len = r->payload != NULL ? r->payload_len : 2;

	return str_eq(c->agent->id, r->agent) && str_eq(c->type, r->type) &&
	       str_eq(c->argv, r->argv) && c->payload_len == len &&
	       memcmp(c->payload, payload, len) == 0;
}

/* The id is in memory already. */
static bool
repeated(struct command *c, const struct command_request *r, struct watcher *w,
    struct err *err)
{
	if (!same(c, r)) {
		err_set(err, EXIT_DATA, "conflict",
		    "command %s exists with another content", c->id);
		return false;
	}
	c->core->stats.commands_duplicate++;
	if (w == NULL)
		return true;
	command_watch(c, w);
	w->duplicate = true;
	w->told = false; /* it has to hear it, now or with the first */
	if (c->end != NULL)
		tell_accepted_ended(c);
	else if (c->stored)
		tell_accepted(c, true);
	return true;
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
		.state = CMD_ACCEPTED,
		.seq = core->last_seq + 1,
		.created_ms = now,
		.updated_ms = now,
		.deadline_ms = r->deadline_ms,
		.flags = (r->stream ? STORE_STREAM : 0u) |
			 (r->at_least_once ? STORE_AT_LEAST_ONCE : 0u),
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
	if (!store_accept(core->config.store, &sc, stored, c, err)) {
		command_drop(c);
		return false;
	}
	core->last_seq++;
	if (w != NULL)
		command_watch(c, w);
	return true;
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
	if (!form_ok(core, r, err))
		return false;
	old = r->id != NULL ? command_find(core, r->id) : NULL;
	if (old != NULL)
		return repeated(old, r, w, err);
	a = target(core, r, err);
	return a != NULL && has_room(core, a, r->payload_len + argv, err) &&
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
