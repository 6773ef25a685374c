/*
 * link_send - what an agent is sent, and what became of it
 *
 * Our own agents recognise repeats, so a command is sent first and its
 * step stored after. A foreign agent does not: "delivered" is on disk
 * before the first byte is sent, so that no crash makes us send it twice
 * (PROTOCOL 2.7).
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/mem.h"

static const char *const repeatable[] = { "cancel_scheduled", "set_rule",
	"update_plan", "context_update", "context_reset", NULL };

bool
agent_repeatable(const struct command *c)
{
	if (c->flags & STORE_AT_LEAST_ONCE)
		return true;
	for (int i = 0; repeatable[i] != NULL; i++)
		if (strcmp(repeatable[i], c->type) == 0)
			return true;
	return false;
}

bool
agent_busy(const struct agent *a)
{
	return a->queues->n_ahead > 0;
}

/* ---- sending ---------------------------------------------------------- */

static bool
hand_over(struct command *c)
{
	struct agent *a = c->agent;

	queue_sent(c, PLACE_HANDED);
	c->method = link_word(a->kind);
	c->streams = a->ours && output_from_start(c);
	output_detached(c);
	command_new_tag(c);
	if (a->ops->deliver(a->link, c))
		return true;
	command_no_tag(c);
	return false;
}

static bool
send_ours(struct command *c)
{
	if (hand_over(c))
		return true;
	queue_take(c);
	queue_put(c);
	return false;
}

struct ahead {
	struct core *core;
	uint64_t tag;
};

/* Nothing else would pump again. */
static void
wait_for_disk(struct command *c)
{
	queue_again(c, NULL);
	queue_hold(c->agent);
}

static void
on_ahead(void *arg, const struct err *err)
{
	struct ahead h = *(struct ahead *)arg;
	struct command *c = command_by_tag(h.core, h.tag);

	free(arg);
	if (c == NULL || c->place != PLACE_AHEAD)
		return; /* its link went meanwhile */
	if (err != NULL) {
		wait_for_disk(c);
		return;
	}
	c->place = PLACE_READY;
	agent_pump(c->agent);
}

static bool
write_ahead(struct command *c)
{
	struct ahead *h = mem_alloc(sizeof *h);
	struct store_step step = { .state = CMD_DELIVERED,
		.attempt = true,
		.at_ms = core_wall(c->core),
		.stored_ms = command_stored_ms(c),
		.method = link_word(c->agent->kind) };

	queue_sent(c, PLACE_AHEAD);
	command_new_tag(c);
	h->core = c->core;
	h->tag = c->tag;
	if (store_step(c->core->config.store, c->id, &step, on_ahead, h))
		return true;
	free(h);
	wait_for_disk(c);
	return false;
}

/* Sent in the answer to a poll of an agent that says what it has got. */
bool
link_was_offered(const struct command *c)
{
	return c->agent->passes && c->method == link_word(LINK_POLL);
}

/* One that was written before is not sent again blindly. */
static bool
send_foreign(struct command *c)
{
	bool offered = c->agent->kind == LINK_POLL && link_was_offered(c);

	if (c->written && !agent_repeatable(c) && !offered) {
		queue_sent(c, PLACE_SENT);
		command_step(c, CMD_UNACKED, "was sent before", NULL, NULL);
		return true;
	}
	return write_ahead(c);
}

static bool
send_ready(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	if (hand_over(c))
		return true;
	queue_take(c);
	c->place = PLACE_READY;
	DL_PREPEND(q->ahead, c);
	q->n_ahead++;
	return false;
}

static void
hand_over_config(struct agent *a)
{
	if (a->config == NULL || a->ops->config == NULL ||
	    !a->ops->config(a->link, a->config))
		return;
	json_decref(a->config);
	a->config = NULL;
	agent_save(a);
}

static bool
may_send(const struct agent *a)
{
	return a->link != NULL && a->greeted && a->queues->orphans == 0;
}

static void
pump(struct agent *a)
{
	struct agent_queues *q = a->queues;
	struct command *c;

	while (
	    may_send(a) && q->ahead != NULL && q->ahead->place == PLACE_READY)
		if (!send_ready(q->ahead))
			return;
	if (q->hold_until > core_mono(a->core))
		return;
	while (may_send(a) && (c = queue_next(a)) != NULL) {
		if (planned_hold(c) || evict_worn_out(c) || input_refuse(c))
			continue;
		queue_take(c);
		if (a->ours ? !send_ours(c) : !send_foreign(c))
			return;
		queue_count_overtaken(c);
	}
}

void
agent_pump(struct agent *a)
{
	struct agent_queues *q = a->queues;

	q->again = true;
	if (q->pumping || !may_send(a))
		return;
	hand_over_config(a);
	q->pumping = true;
	while (q->again) {
		q->again = false;
		pump(a);
	}
	q->pumping = false;
}

/* ---- what became of it ------------------------------------------------ */

static void
delivered(struct command *c)
{
	struct store_step step = { .state = CMD_DELIVERED,
		.attempt = true,
		.at_ms = core_wall(c->core),
		.method = c->method,
		.lazy = true };

	if (c->state >= CMD_RECEIVED)
		return; /* the ack was faster */
	step.stored_ms = command_stored_ms(c);
	if (c->agent->ours)
		store_step(c->core->config.store, c->id, &step, NULL, NULL);
	if (c->state == CMD_DELIVERED)
		return;
	c->state = CMD_DELIVERED;
	c->updated_ms = step.at_ms;
	command_tell_step(c);
}

void
link_ask_cancel(struct command *c)
{
	struct agent *a = c->agent;

	if (c->cancel_signal != 0 && a->ops != NULL && a->ops->cancel != NULL)
		a->ops->cancel(
		    a->link, c, c->cancel_signal, c->cancel_grace_ms);
}

/* Keeps its place in 'sent'; a foreign one leaves the window. */
static void
settle_place(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	if (c->place == PLACE_ORPHAN)
		q->orphans--;
	c->place = PLACE_SENT;
	if (!c->agent->ours)
		queue_landed(c);
}

/* It may have been told with the command itself. */
static void
said_output(struct command *c)
{
	if (c->streams)
		output_started(c);
	c->streams = false;
	if (c->agent->link != NULL)
		output_align(c);
}

void
command_written(struct core *core, uint64_t tag)
{
	struct command *c = command_by_tag(core, tag);
	struct agent *a;
	bool orphan;

	if (c == NULL)
		return;
	a = c->agent;
	a->messages_out++;
	core->stats.messages_out++;
	core->stats.commands_delivered++;
	c->attempts++;
	c->written = true;
	if (a->kind == LINK_POLL)
		c->offer = ++a->queues->offers;
	if (c->place != PLACE_HANDED && c->place != PLACE_ORPHAN)
		return;
	orphan = c->place == PLACE_ORPHAN;
	settle_place(c);
	delivered(c);
	said_output(c);
	if (orphan)
		link_lost(c, "its connection was replaced");
	else
		link_ask_cancel(c);
	if (!a->ours)
		agent_pump(a);
}

void
command_unwritten(struct core *core, uint64_t tag)
{
	struct command *c = command_by_tag(core, tag);
	struct agent *a;
	bool orphan;

	if (c == NULL || (c->place != PLACE_HANDED && c->place != PLACE_ORPHAN))
		return;
	a = c->agent;
	orphan = c->place == PLACE_ORPHAN;
	/* On disk a foreign one is "delivered" already. */
	queue_again(c, a->ours ? NULL : "not sent: the connection ended");
	if (orphan)
		agent_pump(a);
}
