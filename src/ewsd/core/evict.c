/*
 * evict - commands that end because they cannot wait any longer
 *
 * Who sends with evict=oldest to a full queue asks for it; and what was
 * delivered again and again, and never received, would be for ever.
 */
#include <stdio.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"

struct need {
	size_t commands, bytes;
};

static size_t
above(size_t depth, size_t more, size_t limit)
{
	return depth + more > limit ? depth + more - limit : 0;
}

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* What has to go for so much more. */
static struct need
need_for(const struct core *core, const struct agent *a, size_t commands,
    size_t bytes)
{
	const struct core_limits *l = core->config.limits;

	return (
	    struct need){ larger(above(a->waiting, commands, l->queue_agent),
			      above(core->waiting, commands, l->queue_total)),
		larger(above(a->waiting_bytes, bytes, l->queue_agent_bytes),
		    above(core->waiting_bytes, bytes, l->queue_total_bytes)) };
}

static bool
is_evictable(const struct command *c)
{
	return !c->written && c->attempts == 0 && c->state == CMD_ACCEPTED;
}

/* The next one to go after 'c' (NULL: the first). */
static struct command *
next_evictable(
    const struct agent *a, struct command *c, enum command_priority upto)
{
	int p = c != NULL ? (int)c->priority : 0;

	c = c != NULL ? c->next : a->queues->queued[0];
	for (;;) {
		while (c != NULL && !is_evictable(c))
			c = c->next;
		if (c != NULL || p == (int)upto)
			return c;
		c = a->queues->queued[++p];
	}
}

bool
evict_can(const struct core *core, const struct agent *a, size_t bytes,
    enum command_priority upto)
{
	struct need need = need_for(core, a, 1, bytes), found = { 0 };
	struct command *c = NULL;

	if (need.commands == 0 && need.bytes == 0)
		return false;
	while (found.commands < need.commands || found.bytes < need.bytes) {
		c = next_evictable(a, c, upto);
		if (c == NULL)
			return false;
		found.commands++;
		found.bytes += command_weight(c);
	}
	return true;
}

static void
end_dead(struct command *c, const char *reason, const char *error)
{
	struct store_outcome how = STORE_OUTCOME_INIT;

	how.reason = reason;
	how.error = error;
	command_finish(
	    c, CMD_DEAD, &how, core_wall(c->core), error, NULL, NULL);
}

/* It is on disk and counted; others that evict may still be on their way to
 * the disk: it takes no more than its own share. */
void
evict_for(struct command *new)
{
	struct need freed = { 0 };
	char error[200];

	snprintf(error, sizeof error, "the queue was full: %s took its place",
	    new->id);
	for (;;) {
		struct need need = need_for(new->core, new->agent, 0, 0);
		struct command *c =
		    next_evictable(new->agent, NULL, new->priority);

		if (freed.commands >= 1)
			need.commands = 0;
		if (freed.bytes >= command_weight(new))
			need.bytes = 0;
		if (c == new) /* the lowest and oldest of all itself */
			c = next_evictable(new->agent, c, new->priority);
		if (c == NULL || (need.commands == 0 && need.bytes == 0))
			return;
		freed.commands++;
		freed.bytes += command_weight(c);
		log_info("command %s: evicted by %s, agent %s", log_q(c->id),
		    log_q(new->id), log_q(new->agent->id));
		end_dead(c, "evicted", error);
	}
}

bool
evict_worn_out(struct command *c)
{
	unsigned max = c->core->config.limits->max_deliveries;
	char error[100];

	if (max == 0 || c->attempts < max || c->state >= CMD_RECEIVED)
		return false;
	snprintf(error, sizeof error, "delivered %u times and never received",
	    c->attempts);
	log_warn(
	    "command %s for %s: %s", log_q(c->id), log_q(c->agent->id), error);
	end_dead(c, "undeliverable", error);
	return true;
}
