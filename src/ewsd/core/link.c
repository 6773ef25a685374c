/*
 * link - an agent's one link: coming and going
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/str.h"

/* Written and not yet received; its link is gone. */
static void
lost_sent(struct command *c, const char *why)
{
	struct agent *a = c->agent;

	if (c->state != CMD_DELIVERED)
		return;
	if (a->ours || agent_repeatable(c))
		queue_again(c, c->offer != 0 ? NULL : why);
	else if (link_was_offered(c))
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
		c->place = PLACE_ORPHAN; /* may still leave */
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
	watch_link_lost(a, a->kind);
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
		agent_log_gone(a, why);
		a->last_ms = core_wall(a->core);
		agent_save(a);
	}
	unlink_link(a, why);
	watch_presence(a);
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
		agent_log(
		    a, "replaced", "by a connection from %s", by->address);
		flap_takeover(a, by);
	}
	unlink_link(a, "replaced by a new connection");
	if (ops->replaced != NULL)
		ops->replaced(link);
}

/* A poll without a hello: what the agent said of itself still holds. */
static bool
polls_on(const struct agent *a, const struct link_about *by)
{
	return by->ours && by->kind == LINK_POLL && by->instance != NULL &&
	       strcmp(by->instance, a->instance) == 0;
}

static void
come_up(struct agent *a, const struct link_about *by)
{
	a->kind = by->kind;
	a->ops = by->ops;
	a->link = by->link;
	a->ours = by->ours;
	if (!polls_on(a, by))
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
	agent_log_up(a, by);
	come_up(a, by);
	watch_presence(a);
	if (by->kind == LINK_POLL) {
		a->polled_ms = core_wall(a->core);
		return; /* pumped by who answers it */
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
agent_hello(
    struct agent *a, const char *instance, const json_t *about, size_t window)
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
	if (a->kind == LINK_WEBSOCKET)
		agent_log_greeted(a);
	DL_FOREACH_SAFE (a->queues->sent, c, next)
		if (c->state == CMD_RECEIVED || c->state == CMD_STARTED)
			link_ask_cancel(c);
}
