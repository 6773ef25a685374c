/*
 * queue - the lists that one agent's commands are in
 *
 * A command that has not ended is in one of them: waiting by priority and
 * seq, being written ahead (foreign agents), or sent.
 */
#include <utlist.h>

#include "ewsd/core/core_priv.h"

/* Every so often the oldest goes first, so that every priority progresses. */
enum { OVERTAKE_MAX = 15, HOLD_MS = 1000 };

void
queue_put(struct command *c)
{
	struct command **list = &c->agent->queues->queued[c->priority];
	struct command *at = *list;

	c->place = PLACE_QUEUED;
	if (at == NULL || at->prev->seq < c->seq) { /* prev: the tail */
		DL_APPEND(*list, c);
		return;
	}
	while (at->seq < c->seq)
		at = at->next;
	DL_PREPEND_ELEM(*list, at, c);
}

void
queue_take(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	switch (c->place) {
	case PLACE_NONE:
		return;
	case PLACE_QUEUED:
		DL_DELETE(q->queued[c->priority], c);
		break;
	case PLACE_AHEAD:
	case PLACE_READY:
		DL_DELETE(q->ahead, c);
		q->n_ahead--;
		break;
	default:
		DL_DELETE(q->sent, c);
		if (c->in_flight)
			q->in_flight--;
		if (c->place == PLACE_ORPHAN)
			q->orphans--;
	}
	c->in_flight = false;
	c->place = PLACE_NONE;
}

void
queue_sent(struct command *c, enum command_place place)
{
	struct agent_queues *q = c->agent->queues;

	queue_take(c);
	c->place = place;
	if (place == PLACE_AHEAD) {
		DL_APPEND(q->ahead, c);
		q->n_ahead++;
		return;
	}
	DL_APPEND(q->sent, c);
	/* A foreign agent may keep a message for days: it has no window. */
	c->in_flight = c->agent->ours || place == PLACE_HANDED;
	if (c->in_flight)
		q->in_flight++;
}

bool
queue_room(const struct agent *a)
{
	const struct agent_queues *q = a->queues;

	return q->in_flight + q->n_ahead < a->window;
}

static struct command *
oldest(struct agent_queues *q)
{
	struct command *first = NULL;

	for (int p = 0; p < PRIO_COUNT; p++)
		if (q->queued[p] != NULL &&
		    (first == NULL || q->queued[p]->seq < first->seq))
			first = q->queued[p];
	return first;
}

struct command *
queue_next(struct agent *a)
{
	struct agent_queues *q = a->queues;

	if (q->overtaken >= OVERTAKE_MAX)
		return oldest(q);
	for (int p = PRIO_COUNT - 1; p >= 0; p--)
		if (q->queued[p] != NULL)
			return q->queued[p];
	return NULL;
}

/* 'c' was sent. */
void
queue_count_overtaken(struct command *c)
{
	struct agent_queues *q = c->agent->queues;
	struct command *first = oldest(q);

	if (first != NULL && first->priority < c->priority)
		q->overtaken++;
	else
		q->overtaken = 0;
}

void
queue_hold(struct agent *a)
{
	a->queues->hold_until = core_mono(a->core) + HOLD_MS;
	a->core->held = true;
}

void
queue_again(struct command *c, const char *why)
{
	command_no_tag(c);
	queue_take(c);
	if (why != NULL)
		command_step(c, CMD_ACCEPTED, why, NULL, NULL);
	queue_put(c);
}
