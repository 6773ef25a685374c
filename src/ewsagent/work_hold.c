#include "ewsagent/work_priv.h"
#include "lib/log.h"

static int64_t
now_of(const struct work *w)
{
	return clock_wall(w->config.clock);
}

bool
work_is_early(const struct work *w, const struct job *j)
{
	return j->due_ms > now_of(w);
}

static void
set_alarm(struct work *w)
{
	const struct job *j = agenda_first(&w->agenda);
	int64_t ms;

	if (j == NULL || w->stopping) {
		timer_stop(w->alarm);
		return;
	}
	ms = j->wake_ms - now_of(w);
	if (ms < 0)
		ms = 0;
	timer_set(w->alarm, ms < WORK_AGENDA_MS ? ms : WORK_AGENDA_MS);
}

static void
watch(struct job *j, int64_t ms)
{
	struct work *w = j->owner;

	agenda_set(&w->agenda, j, ms);
	if (agenda_first(&w->agenda) == j)
		set_alarm(w);
}

/* Of one that waits for its slot. */
void
work_watch_expiry(struct job *j)
{
	if (j->expires_ms > 0)
		watch(j, j->expires_ms);
}

void
work_hold(struct job *j)
{
	int64_t ms = j->due_ms;

	if (j->expires_ms > 0 && j->expires_ms < ms)
		ms = j->expires_ms;
	j->state = JOB_HELD;
	watch(j, ms);
}

void
work_unhold(struct job *j)
{
	struct work *w = j->owner;

	agenda_remove(&w->agenda, j);
	if (!j->held)
		return;
	j->held = false;
	w->n_held--;
	w->held_bytes -= j->size;
}

static void
ring(struct job *j, int64_t now)
{
	if (j->expires_ms > 0 && j->expires_ms <= now) {
		work_unlist(j);
		work_end_early(j, "expired", "its time was over before it ran");
	} else {
		log_info("command %s: its time has come", log_q(j->id));
		work_unhold(j);
		work_enqueue(j);
	}
}

void
work_alarm(void *arg)
{
	struct work *w = arg;
	struct job *j;
	int64_t now;

	while (!w->stopping && (j = agenda_first(&w->agenda)) != NULL &&
	       j->wake_ms <= (now = now_of(w)))
		ring(j, now);
	set_alarm(w);
	work_pump(w);
}
