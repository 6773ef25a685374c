/*
 * cancel - taking a command back
 */
#include "ewsd/core/core_priv.h"
#include "lib/exit.h"

static bool
end_now(struct command *c, const char **answer)
{
	struct store_outcome how = STORE_OUTCOME_INIT;

	how.reason = "cancelled";
	*answer = "cancelled";
	if (c->stored)
		command_finish(c, CMD_CANCELLED, &how, core_wall(c->core), NULL,
		    NULL, NULL);
	return true;
}

static bool
ask(struct command *c, int signal, int64_t grace_ms, const char **answer,
    struct err *err)
{
	struct agent *a = c->agent;

	if (a->ops == NULL) {
		err_set(err, EXIT_NEGATIVE, "agent_absent",
		    "command %s was sent to %s, which is not connected now",
		    c->id, a->id);
		return false;
	}
	if (a->ops->cancel == NULL) {
		err_set(err, EXIT_NEGATIVE, "too_late",
		    "command %s was sent to %s, which cannot take back", c->id,
		    a->id);
		return false;
	}
	c->cancel_signal = signal;
	c->cancel_grace_ms = grace_ms;
	*answer = "cancelling";
	/* While it is on its way, or back in the queue, the agent is asked
	 * once it is written. */
	if (c->place == PLACE_SENT)
		a->ops->cancel(a->link, c, signal, grace_ms);
	return true;
}

bool
command_cancel(struct core *core, const char *id, int signal, int64_t grace_ms,
    const char **answer, struct err *err)
{
	struct command *c = command_find(core, id);

	if (c == NULL) {
		err_set(err, EXIT_NEGATIVE, "command_unknown",
		    "no command %s that has not ended", id);
		return false;
	}
	if (c->end != NULL) {
		err_set(err, EXIT_NEGATIVE, "too_late",
		    "command %s has ended already: %s", id,
		    state_word(c->state));
		return false;
	}
	if (!c->stored)
		c->cancel_signal = signal; /* once it is on disk */
	if (!c->stored || c->state == CMD_UNACKED ||
	    c->state == CMD_SCHEDULED ||
	    (!c->written &&
		(c->place == PLACE_QUEUED || c->place == PLACE_AHEAD ||
		    c->place == PLACE_READY)))
		return end_now(c, answer);
	return ask(c, signal, grace_ms, answer, err);
}
