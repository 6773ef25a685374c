/*
 * ack - what an agent says of a command (PROTOCOL 2.6, ews-protocol(7))
 *
 * Of our agents the first end counts, of foreign ones the last.
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

static const struct {
	const char *reason;
	enum command_state state;
} reasons[] = {
	{ "no_handler", CMD_FAILED },
	{ "timeout", CMD_FAILED },
	{ "start_failed", CMD_FAILED },
	{ "lost", CMD_FAILED },
	{ "not_allowed", CMD_REFUSED },
	{ "cancelled", CMD_CANCELLED },
	{ "interrupted", CMD_INTERRUPTED },
	{ "expired", CMD_EXPIRED },
};

static enum command_state
end_of(const struct agent *a, const struct command_ack *k)
{
	if (k->word == ACK_COMPLETED)
		return CMD_DONE;
	if (a->ours && k->reason == NULL &&
	    (k->exit_code >= 0 || k->signal != 0))
		return CMD_DONE; /* it ran to its end, whatever its code */
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (str_eq(reasons[i].reason, k->reason))
			return reasons[i].state;
	return CMD_FAILED;
}

static struct store_outcome
outcome_of(const struct command_ack *k)
{
	struct store_outcome o = { .exit_code = k->exit_code,
		.signal = k->signal,
		.duration_ms = k->duration_ms,
		.stdout_bytes = k->stdout_bytes,
		.stderr_bytes = k->stderr_bytes,
		.reason = k->reason,
		.error = k->error,
		.detail = k->detail };

	if (k->word == ACK_COMPLETED && o.exit_code < 0)
		o.exit_code = 0; /* so that "run" ends with 0 */
	return o;
}

static bool
is_final(const struct command_ack *k)
{
	return k->word == ACK_COMPLETED || k->word == ACK_FAILED;
}

/* The agent's clock is not ours: a time before the command was made would
 * let retention take it at once, one to come would keep it. */
static int64_t
time_of(struct core *core, const struct command_ack *k, int64_t created_ms)
{
	int64_t now = core_wall(core);

	if (k->at_ms < created_ms || k->at_ms > now)
		return now;
	return k->at_ms;
}

static void
at_once(command_saved_fn *done, void *arg)
{
	if (done != NULL)
		done(arg);
}

static void
note_late(struct core *core, const struct agent *a, const struct command_ack *k,
    const char *what)
{
	core->stats.acks_late++;
	log_limited(a->id, LOG_INFO, "agent %s: ack of %s %s", log_q(a->id),
	    log_q(k->id), what);
}

/* ---- of a command that is not in memory ------------------------------- */

struct late {
	struct core *core;
	char agent[129];
	struct command_ack ack; /* its texts are ours */
	command_saved_fn *done;
	void *arg;
};

static void
late_free(struct late *l)
{
	free((char *)l->ack.id);
	free((char *)l->ack.error);
	free((char *)l->ack.reason);
	free((char *)l->ack.detail);
	free(l);
}

/* Our agent sends an end again until it hears that we have it, and keeps
 * the output for that long, which somebody may come back for. */
static void
confirm(struct agent *a, const struct command_ack *k,
    const struct store_command *c, const struct store_history *h, size_t n)
{
	struct command *again =
	    c != NULL && is_final(k) ? command_revive(a->core, c, h, n) : NULL;

	if (again != NULL)
		output_limit(again, k->stdout_kept, k->stderr_kept);
	else if (is_final(k) && a->ours && a->ops != NULL &&
		 a->ops->confirm != NULL)
		a->ops->confirm(a->link, k->id);
}

/* A foreign agent may say it again, later and otherwise (PROTOCOL 2.6). */
static bool
say_again(struct late *l, struct agent *a, int64_t created_ms)
{
	struct store_outcome how = outcome_of(&l->ack);
	struct store_step step = { .state = end_of(a, &l->ack),
		.at_ms = time_of(l->core, &l->ack, created_ms),
		.note = "a later ack",
		.outcome = &how };
	struct saved *s = saved_new(l->done, l->arg);

	if (store_step(l->core->config.store, l->ack.id, &step, saved_done, s))
		return true;
	free(s);
	return false;
}

/* The hub said so after a restart, when it could not know that the agent
 * had got it already: the agent knows better. */
static bool
guessed(const struct store_command *c)
{
	return c->state == CMD_EXPIRED &&
	       (str_eq(c->outcome.reason, "ttl") ||
		   str_eq(c->outcome.reason, "late"));
}

static void
on_late(void *arg, const struct store_command *c, const struct store_history *h,
    size_t n, const struct err *err)
{
	struct late *l = arg;
	struct agent *a = agent_find(l->core, l->agent);
	bool known = c != NULL && str_eq(c->agent, l->agent);
	bool waits = false;

	if (err == NULL && a != NULL) {
		note_late(l->core, a, &l->ack,
		    known ? "after its end" : "that is not known");
		if (known && (!a->ours || guessed(c)) && is_final(&l->ack))
			waits = say_again(l, a, c->created_ms);
		else if (known)
			store_note(l->core->config.store, l->ack.id,
			    core_wall(l->core), "an ack after the end");
		confirm(a, &l->ack, known && a->ours ? c : NULL, h, n);
	}
	if (!waits)
		at_once(l->done, l->arg);
	late_free(l);
}

static void
ack_unknown(struct core *core, struct agent *from, const struct command_ack *k,
    command_saved_fn *done, void *arg)
{
	struct late *l = mem_alloc(sizeof *l);

	l->core = core;
	str_copy(l->agent, sizeof l->agent, from->id);
	l->ack = *k;
	l->ack.id = mem_dup(k->id);
	l->ack.error = mem_dup(k->error);
	l->ack.reason = mem_dup(k->reason);
	l->ack.detail = mem_dup(k->detail);
	l->done = done;
	l->arg = arg;
	later_flush(core); /* command_revive reads them */
	if (store_get(core->config.store, k->id, on_late, l, NULL))
		return;
	late_free(l);
	at_once(done, arg); /* said again later, or never mind */
}

/* ---- of one that has not ended ---------------------------------------- */

/* The agent has it, whatever we thought where it is. */
static void
to_sent(struct command *c)
{
	if (c->place != PLACE_SENT) {
		queue_sent(c, PLACE_SENT);
		c->written = true;
	}
}

static void
progress(struct command *c, enum command_state state, const char *note,
    command_saved_fn *done, void *arg)
{
	if (c->state >= state) {
		at_once(done, arg);
		return;
	}
	to_sent(c);
	command_step(c, state, note, saved_done, saved_new(done, arg));
	agent_pump(c->agent); /* a foreign one has left the window */
}

/* Its own queue is full: not an end. */
static void
put_back(struct command *c)
{
	queue_again(c, NULL);
	queue_hold(c->agent);
	command_turned_down(c, "the agent's queue is full");
}

static void
final_ack(struct command *c, const struct command_ack *k,
    command_saved_fn *done, void *arg)
{
	struct agent *a = c->agent;
	struct store_outcome how = outcome_of(k);

	if (a->ours && str_eq(k->reason, "queue_full")) {
		put_back(c);
		at_once(done, arg);
		return;
	}
	if (!a->ours && k->word == ACK_COMPLETED && !c->stored_once &&
	    strcmp(c->type, "schedule_message") == 0) {
		c->stored_once = true;
		progress(c, CMD_RECEIVED, "acked completed: it is scheduled",
		    done, arg);
		return;
	}
	output_limit(c, k->stdout_kept, k->stderr_kept);
	output_keep(c, k->kept);
	command_finish(c, end_of(a, k), &how,
	    time_of(c->core, k, c->created_ms), NULL, done, arg);
}

static void
ack_live(struct command *c, const struct command_ack *k, command_saved_fn *done,
    void *arg)
{
	switch (k->word) {
	case ACK_RECEIVED:
		progress(c, CMD_RECEIVED, k->error, done, arg);
		break;
	case ACK_EXECUTING:
		if (c->state >= CMD_STARTED)
			output_anew(c);
		progress(c, CMD_STARTED, k->error, done, arg);
		break;
	case ACK_NOTE:
		store_note(c->core->config.store, c->id, core_wall(c->core),
		    k->error != NULL ? k->error : "an ack without sense");
		at_once(done, arg);
		break;
	default:
		final_ack(c, k, done, arg);
	}
}

/* Was it ever sent? A crash may have lost our note of that. */
static bool
may_have(const struct command *c)
{
	return c->stored &&
	       (c->attempts > 0 || c->loaded || c->place == PLACE_HANDED ||
		   c->place == PLACE_ORPHAN || c->place == PLACE_SENT);
}

/* Its end is being synced, or its askers still read. Our agent may say once
 * more how it ended when the rest of its output cannot be had: nobody shall
 * wait for that. */
static void
late_ack(struct command *c, const struct command_ack *k, command_saved_fn *done,
    void *arg)
{
	struct agent *from = c->agent;

	note_late(c->core, from, k, "after its end");
	if (from->ours && is_final(k))
		output_limit(c, k->stdout_kept, k->stderr_kept);
	if (from->ours && is_final(k))
		output_anew(c);
	if (from->ours && str_eq(k->reason, "lost"))
		output_gone(c);
	if (!from->ours)
		ack_unknown(c->core, from, k, done, arg);
	else /* confirmed once nobody reads any more */
		at_once(done, arg);
	command_settle(c); /* last: it may free it */
}

void
command_acked(struct core *core, struct agent *from,
    const struct command_ack *k, command_saved_fn *done, void *arg)
{
	struct command *c = command_find(core, k->id);

	if (c == NULL) {
		ack_unknown(core, from, k, done, arg);
	} else if (c->agent != from || !may_have(c)) {
		note_late(core, from, k, "that it was never sent");
		at_once(done, arg);
	} else if (c->end != NULL) {
		late_ack(c, k, done, arg);
	} else {
		ack_live(c, k, done, arg);
	}
}

/* ---- a foreign agent that polls tells what it has got ------------------- */

struct passed {
	uint64_t upto; /* in the order of offers */
	bool known; /* the agent named one that we know */
};

static void
passed_one(struct command *c, const struct passed *p)
{
	if (c->offer == 0 || c->offer > p->upto || c->state >= CMD_RECEIVED ||
	    c->method != link_word(LINK_POLL))
		return;
	to_sent(c);
	if (p->known)
		command_step(
		    c, CMD_RECEIVED, "passed by last_command_id", NULL, NULL);
	else if (c->state != CMD_UNACKED)
		command_step(c, CMD_UNACKED,
		    "the agent's last_command_id is not known", NULL, NULL);
}

/* The place in the order of offers; what we cannot place passes all, since
 * a message too few is better than one twice. */
static struct passed
passed_by(struct agent *a, const char *last_id)
{
	struct command *c;

	if (last_id == NULL)
		return (struct passed){ 0, true };
	c = command_find(a->core, last_id);
	if (c != NULL && c->agent == a)
		return (struct passed){ c->offer, true };
	if (strcmp(a->queues->passed.id, last_id) == 0)
		return (struct passed){ a->queues->passed.offer, true };
	return (struct passed){ a->queues->offers, false };
}

void
command_passed(struct core *core, struct agent *a, const char *last_id)
{
	struct passed p = passed_by(a, last_id);
	struct agent_queues *q = a->queues;
	struct command *c, *next;

	(void)core;
	a->passes = true;
	for (int i = 0; i < PRIO_COUNT; i++) {
		for (c = q->queued[i]; c != NULL; c = next) {
			next = c->next;
			passed_one(c, &p);
		}
	}
	for (c = q->sent; c != NULL; c = next) {
		next = c->next;
		passed_one(c, &p);
	}
}
