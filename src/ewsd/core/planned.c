/*
 * planned - commands that wait for their time, or run out of it
 *
 * Times are the wall clock's. A command is fired when its run_at has come,
 * and ends as expired when nobody took it by expires; what our agent may
 * have got already is the agent's to judge.
 */
#include <stdio.h>
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/clock.h"

/* Of one tick, so that the loop goes on: the rest follows in the next. */
enum { TICK_MAX = 2000, LATE_MS = 1000 };

#define command_of(item)                                                       \
	((struct command *)((char *)(item)-offsetof(struct command, due)))

/* Nobody can have got it: it was not written to any link. */
static bool
may_expire(const struct command *c)
{
	return c->expires_ms != 0 && !c->written &&
	       (c->place == PLACE_QUEUED || c->place == PLACE_AHEAD ||
		   c->place == PLACE_READY);
}

void
planned_put(struct command *c)
{
	c->due.order = c->seq;
	if (c->state == CMD_SCHEDULED)
		due_put(&c->core->planned, &c->due, c->run_at_ms);
	else if (c->expires_ms != 0 && !c->written)
		due_put(&c->core->planned, &c->due, c->expires_ms);
}

void
planned_take(struct command *c)
{
	due_take(&c->core->planned, &c->due);
}

int64_t
planned_late(int64_t due_ms, int64_t now_ms)
{
	return now_ms - due_ms > LATE_MS ? now_ms - due_ms : 0;
}

const char *
planned_late_text(char *out, size_t size, int64_t late_ms)
{
	char span[32];

	if (late_ms == 0)
		return NULL;
	snprintf(out, size, "fired %s late",
	    clock_span_text(span, sizeof span, late_ms));
	return out;
}

static void
expire(struct command *c, const char *reason, const char *note)
{
	struct store_outcome how = STORE_OUTCOME_INIT;

	how.reason = reason;
	command_finish(
	    c, CMD_EXPIRED, &how, core_wall(c->core), note, NULL, NULL);
}

static void
fire(struct command *c)
{
	char text[64];
	struct store_step step = { .state = CMD_ACCEPTED,
		.at_ms = core_wall(c->core) };

	c->late_ms = planned_late(c->run_at_ms, step.at_ms);
	step.late_ms = c->late_ms;
	step.note = planned_late_text(text, sizeof text, c->late_ms);
	if ((c->flags & STORE_LATE_SKIP) != 0 &&
	    c->late_ms > c->core->config.limits->late_after_ms) {
		expire(c, "late", "its time passed while nobody could fire it");
		return;
	}
	c->state = CMD_ACCEPTED;
	c->updated_ms = step.at_ms;
	step.stored_ms = command_stored_ms(c);
	/* if the store has no room for it, a restart fires it again, and
	 * the agent recognises that or "delivered" was written first */
	store_step(c->core->config.store, c->id, &step, NULL, NULL);
	queue_put(c);
	command_tell_step(c);
	agent_pump(c->agent);
}

void
planned_tick(struct core *core)
{
	int64_t now = core_wall(core);
	struct due_item *i;

	for (int n = 0; n < TICK_MAX; n++) {
		struct command *c;

		i = due_first(&core->planned, now);
		if (i == NULL)
			return;
		c = command_of(i);
		planned_take(c);
		if (c->end == NULL && c->state == CMD_SCHEDULED)
			fire(c);
		else if (c->end == NULL && may_expire(c))
			expire(c,
			    (c->flags & STORE_AT_EDGE) != 0 &&
				    (c->flags & STORE_LATE_SKIP) != 0
				? "late"
				: "ttl",
			    NULL);
	}
}

/* "schedule_message" has its time in the payload; no other type has. */
bool
planned_edge_can(const struct agent *a, const char *type)
{
	return a->ours ? agent_can(a, "run_at")
		       : strcmp(type, "schedule_message") == 0;
}

bool
planned_hold(struct command *c)
{
	if ((c->flags & STORE_AT_EDGE) == 0 ||
	    planned_edge_can(c->agent, c->type) ||
	    c->run_at_ms <= core_wall(c->core))
		return false;
	queue_take(c);
	command_step(c, CMD_SCHEDULED, "the agent cannot hold it: the hub does",
	    NULL, NULL);
	planned_put(c);
	return true;
}

bool
command_is_planned(const struct command *c)
{
	if (c->end != NULL || !c->stored)
		return false;
	return c->state == CMD_SCHEDULED ||
	       ((c->flags & STORE_AT_EDGE) != 0 && c->state < CMD_STARTED &&
		   c->run_at_ms > core_wall(c->core));
}

void
command_each_planned(struct core *core, command_fn *fn, void *arg)
{
	struct command *c, *next;

	HASH_ITER (by_id, core->by_id, c, next)
		if (command_is_planned(c))
			fn(arg, c);
}
