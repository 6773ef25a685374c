#include "ewsagent/agent_priv.h"
#include "lib/log.h"

enum {
	LOOK_MS = 20,
	WORK_MS = 5000, /* for the disk, which may refuse for ever */
	TALK_MS = 3000, /* for the last acks to leave and be confirmed */
	LINK_MS = 2000 /* for the close */
};

static void
enter(struct agent *a, enum agent_stage stage, int64_t ms)
{
	a->stage = stage;
	a->stage_until = clock_mono(a->clock) + ms;
	timer_set(a->end, 0);
}

/* Handlers run on, and the next agent picks them up. Commands that come now
 * are not taken; the hub gives them to it, too. */
void
agent_stop(struct agent *a)
{
	if (a->stage != AGENT_RUNS) {
		log_warn("asked to stop again: leaving at once");
		loop_stop(a->loop);
		return;
	}
	log_info("stopping");
	enter(a, AGENT_ENDS_WORK, WORK_MS);
	a->intake.stopping = true;
	work_stop(a->work);
}

void
agent_idle(void *arg)
{
	struct agent *a = arg;

	if (a->stage == AGENT_ENDS_WORK)
		enter(a, AGENT_ENDS_TALK, TALK_MS);
}

static bool
has_talked(const struct agent *a)
{
	if (!link_usable(a->link) && !poll_works(a->poll))
		return true;
	return post_idle(a->post) && work_unconfirmed(a->work) == 0 &&
	       work_unsent(a->work) == 0;
}

void
agent_on_end(void *arg)
{
	struct agent *a = arg;
	bool late = clock_mono(a->clock) >= a->stage_until;

	if (a->stage == AGENT_ENDS_WORK && late) {
		log_warn("the disk takes nothing: the next agent tells what"
			 " is not written");
		a->stage = AGENT_ENDS_TALK;
	}
	if (a->stage == AGENT_ENDS_TALK && (late || has_talked(a))) {
		poll_stop(a->poll);
		link_stop(a->link);
		enter(a, AGENT_ENDS_LINK, LINK_MS);
	} else if (a->stage == AGENT_ENDS_LINK &&
		   (late || link_stopped(a->link))) {
		log_info("stopped");
		loop_stop(a->loop);
	} else {
		timer_set(a->end, LOOK_MS);
	}
}
