/*
 * queue - the lists that one agent's commands are in
 *
 * A command that has not ended is in one of them: waiting by priority and
 * seq, being written ahead (foreign agents), or sent.
 */
#include <utlist.h>

#include "ewsd/core/core_priv.h"

/* Every so often the oldest goes first, so that every priority progresses. */
enum {
	OVERTAKE_MAX = 15,
	URGENT_ROOM = 32, /* above normal, where others fill the window */
	HOLD_MS = 1000
};

void
queue_put(struct command *c)
{
	struct command **list = &c->agent->queues->queued[c->priority];
	struct command *at = *list;

	c->place = PLACE_QUEUED;
	planned_put(c);
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
		if (c->place == PLACE_ORPHAN)
			q->orphans--;
	}
	queue_landed(c);
	c->place = PLACE_NONE;
}

/* ---- the window --------------------------------------------------------- */

static bool
is_urgent(int priority)
{
	return priority > PRIO_NORMAL;
}

static void
take_off(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	c->in_flight = true;
	q->in_flight++;
	q->urgent += is_urgent((int)c->priority);
}

void
queue_landed(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	if (!c->in_flight)
		return;
	c->in_flight = false;
	q->in_flight--;
	q->urgent -= is_urgent((int)c->priority);
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
	/* A foreign agent may keep a message for days, and ours what it was
	 * given before its time: such have no window. */
	if (c->agent->ours ? (c->flags & STORE_AT_EDGE) == 0
			   : place == PLACE_HANDED)
		take_off(c);
}

static bool
has_room(const struct agent *a)
{
	const struct agent_queues *q = a->queues;

	return q->in_flight + q->n_ahead < a->window;
}

/* A full window is no reason to wait for what is urgent: our agent may have
 * a slot that none of the others can use. Not more than the window again, so
 * that it has others in it and these end: then it is their turn. */
static bool
has_room_for(const struct agent *a, int priority)
{
	size_t more = a->window < URGENT_ROOM ? a->window : URGENT_ROOM;

	return has_room(a) ||
	       (a->ours && is_urgent(priority) && a->queues->urgent < more);
}

/* ---- whose turn it is --------------------------------------------------- */

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

	if (q->overtaken >= OVERTAKE_MAX && has_room(a))
		return oldest(q);
	for (int p = PRIO_COUNT - 1; p >= 0; p--)
		if (q->queued[p] != NULL)
			return has_room_for(a, p) ? q->queued[p] : NULL;
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
