/*
 * link - an agent's one link: coming, going, and what it is sent
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
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

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

static void
on_ahead(void *arg, const struct err *err)
{
	struct ahead h = *(struct ahead *)arg;
	struct command *c = command_by_tag(h.core, h.tag);

	free(arg);
	if (c == NULL || c->place != PLACE_AHEAD || err != NULL)
		return;	/* its link went meanwhile */
	c->place = PLACE_READY;
	agent_pump(c->agent);
}

static bool
write_ahead(struct command *c)
{
	struct ahead *h = mem_alloc(sizeof *h);
	struct store_step step = { .state = CMD_DELIVERED, .attempt = true,
		.at_ms = core_wall(c->core),
		.method = link_word(c->agent->kind) };

	queue_sent(c, PLACE_AHEAD);
	command_new_tag(c);
	h->core = c->core;
	h->tag = c->tag;
	if (store_step(c->core->config.store, c->id, &step, on_ahead, h))
		return true;
	free(h);
	queue_again(c, NULL);
	return false;
}

/* Sent in the answer to a poll of an agent that says what it has got. */
static bool
was_offered(const struct command *c)
{
	return c->agent->passes && c->method == link_word(LINK_POLL);
}

/* One that was written before is not sent again blindly. */
static bool
send_foreign(struct command *c)
{
	bool offered = c->agent->kind == LINK_POLL && was_offered(c);

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

	while (may_send(a) && q->ahead != NULL &&
	    q->ahead->place == PLACE_READY)
		if (!send_ready(q->ahead))
			return;
	if (q->hold_until > core_mono(a->core))
		return;
	while (may_send(a) && queue_room(a) && (c = queue_next(a)) != NULL) {
		queue_take(c);
		queue_count_overtaken(c);
		if (a->ours ? !send_ours(c) : !send_foreign(c))
			return;
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
	struct store_step step = { .state = CMD_DELIVERED, .attempt = true,
		.at_ms = core_wall(c->core), .method = c->method };

	if (c->state >= CMD_RECEIVED)
		return;	/* the ack was faster */
	if (c->agent->ours)
		store_step(c->core->config.store, c->id, &step, NULL, NULL);
	if (c->state == CMD_DELIVERED)
		return;
	c->state = CMD_DELIVERED;
	c->updated_ms = step.at_ms;
	command_tell_step(c);
}

static void
ask_cancel(struct command *c)
{
	struct agent *a = c->agent;

	if (c->cancel_signal != 0 && a->ops != NULL && a->ops->cancel != NULL)
		a->ops->cancel(a->link, c, c->cancel_signal,
		    c->cancel_grace_ms);
}

/* Keeps its place in 'sent'; a foreign one leaves the window. */
static void
settle_place(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	if (c->place == PLACE_ORPHAN)
		q->orphans--;
	c->place = PLACE_SENT;
	if (c->in_flight && !c->agent->ours) {
		c->in_flight = false;
		q->in_flight--;
	}
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
	if (orphan)
		link_lost(c, "its connection was replaced");
	else
		ask_cancel(c);
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

/* ---- coming and going ------------------------------------------------- */

/* Written and not yet received; its link is gone. */
static void
lost_sent(struct command *c, const char *why)
{
	struct agent *a = c->agent;

	if (c->state != CMD_DELIVERED)
		return;
	if (a->ours || agent_repeatable(c))
		queue_again(c, c->offer != 0 ? NULL : why);
	else if (was_offered(c))
		queue_again(c, NULL);
	else
		command_step(c, CMD_UNACKED, why, NULL, NULL);
}

void
link_lost(struct command *c, const char *why)
{
	struct agent *a = c->agent;

	if (c->place == PLACE_SENT) {
		lost_sent(c, why);
	} else if (c->place == PLACE_HANDED && !a->ours) {
		c->place = PLACE_ORPHAN;	/* may still leave */
		a->queues->orphans++;
	} else if (c->place == PLACE_HANDED) {
		queue_again(c, NULL);
	} else if (c->place == PLACE_AHEAD || c->place == PLACE_READY) {
		queue_again(c, "not sent: the connection ended");
	}
}

/* From the back, so that each goes to the front of its queue. */
static void
lose_list(struct command *list, const char *why)
{
	struct command *c, *before;

	if (list == NULL)
		return;
	for (c = list->prev; c != NULL; c = before) {
		before = c == list ? NULL : c->prev;
		link_lost(c, why);
	}
}

static void
unlink_link(struct agent *a, const char *why)
{
	if (a->kind == LINK_POLL)
		a->polled_ms = core_wall(a->core);
	if (a->kind == LINK_WEBSOCKET)
		a->core->stats.agents_connected--;
	lose_list(a->queues->ahead, why);
	lose_list(a->queues->sent, why);
	a->kind = LINK_NONE;
	a->ops = NULL;
	a->link = NULL;
	a->greeted = false;
}

void
agent_detach(struct agent *a, void *link, const char *why)
{
	if (a->link != link || link == NULL)
		return;
	if (a->kind == LINK_WEBSOCKET) {
		log_info("agent %s: gone (%s)", log_q(a->id), log_q(why));
		a->last_ms = core_wall(a->core);
		agent_save(a);
	}
	unlink_link(a, why);
}

static void
replace(struct agent *a, const struct link_about *by)
{
	const struct link_ops *ops = a->ops;
	void *link = a->link;

	if (link == NULL)
		return;
	if (a->kind == LINK_WEBSOCKET && by->kind == LINK_WEBSOCKET) {
		a->core->stats.takeovers++;
		flap_takeover(a, by);
	}
	unlink_link(a, "replaced by a new connection");
	if (ops->replaced != NULL)
		ops->replaced(link);
}

static void
come_up(struct agent *a, const struct link_about *by)
{
	a->kind = by->kind;
	a->ops = by->ops;
	a->link = by->link;
	a->ours = by->ours;
	a->window = a->core->config.limits->inflight;
	a->greeted = !by->ours || by->kind == LINK_POLL;
	str_copy(a->address, sizeof a->address, by->address);
	if (by->instance != NULL)
		str_copy(a->instance, sizeof a->instance, by->instance);
	else if (!by->ours)
		a->instance[0] = '\0';
}

void
agent_attach(struct agent *a, const struct link_about *by)
{
	bool changed = a->kind != by->kind && by->kind == LINK_WEBSOCKET;

	replace(a, by);
	come_up(a, by);
	if (by->kind == LINK_POLL) {
		a->polled_ms = core_wall(a->core);
		return;	/* pumped by who answers it */
	}
	a->core->stats.agents_connected++;
	a->core->stats.connects++;
	a->connected_ms = core_wall(a->core);
	a->connects++;
	a->messages_in = a->messages_out = 0;
	a->ping_ms = 0;
	if (changed)
		log_info("agent %s: connected from %s%s", log_q(a->id),
		    by->address, by->ours ? " (ews.v1)" : "");
	agent_save(a);
	if (!by->ours)
		agent_pump(a);
}

void
agent_hello(struct agent *a, const char *instance, const json_t *about,
    size_t window)
{
	size_t limit = a->core->config.limits->inflight;
	struct command *c, *next;

	if (instance != NULL)
		str_copy(a->instance, sizeof a->instance, instance);
	json_decref(a->about);
	a->about = json_deep_copy(about);
	a->window = window > 0 && window < limit ? window : limit;
	a->greeted = true;
	agent_save(a);
	DL_FOREACH_SAFE(a->queues->sent, c, next)
		if (c->state == CMD_RECEIVED || c->state == CMD_STARTED)
			ask_cancel(c);
}
