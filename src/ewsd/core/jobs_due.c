/* which job is late, missed or overruns */
#include "ewsd/core/jobs_priv.h"
#include "lib/log.h"

const char *
job_state_word(enum job_state state)
{
	static const char *const words[] = { "ok", "late", "running", "failed",
		"missed", "overrun" };

	return words[state];
}

/* An attempt that met a run of its own
 * shows that somebody starts it; a run longer than "every" ate the next. */
int64_t
job_counted_from(const struct job *j)
{
	int64_t from = j->start_ms > 0 ? j->start_ms : j->first_ms;

	if (j->end_ms == 0 && j->start_ms > 0)
		return from; /* it runs: that is measured from its start */
	if (j->end_ms - j->start_ms > j->every_ms)
		from = j->end_ms;
	return j->overlap_ms > from ? j->overlap_ms : from;
}

/* What was due while this hub was down may wait in a spool: it has the
 * grace to come. 0: nobody said how often. */
static int64_t
overdue_at(const struct core *core, const struct job *j)
{
	int64_t at = job_counted_from(j) + j->every_ms + j->grace_ms;
	int64_t born = core->jobs->born_ms;

	if (j->every_ms == 0)
		return 0;
	return at >= born ? at : born + j->grace_ms;
}

enum job_state
job_state_of(const struct core *core, const struct job *j)
{
	int64_t now = core_wall(core), over = overdue_at(core, j);
	bool runs = j->start_ms > 0 && j->end_ms == 0;

	if (over != 0 && now >= over)
		return runs ? JOB_OVERRUN : JOB_MISSED;
	if (runs)
		return JOB_RUNNING;
	if (j->signal > 0 || j->exit_code > 0)
		return JOB_FAILED;
	if (over != 0 && now >= job_counted_from(j) + j->every_ms)
		return JOB_LATE;
	return JOB_OK;
}

void
job_plan(struct core *core, struct job *j)
{
	int64_t over = overdue_at(core, j);

	if (over != 0 && core_wall(core) < over) {
		if (j->overdue)
			log_info("job %s on %s: started again", log_q(j->name),
			    log_q(j->key));
		j->overdue = false;
		due_put(&core->jobs->due, &j->due, over);
	} else if (over != 0 && !j->overdue) {
		due_put(&core->jobs->due, &j->due, over);
	} else {
		due_take(&core->jobs->due, &j->due);
	}
}

static void
tell_overdue(const struct core *core, const struct job *j)
{
	bool runs = job_state_of(core, j) == JOB_OVERRUN;
	char since[CLOCK_TEXT_SIZE], every[32], grace[32];

	clock_text(since, j->start_ms > 0 ? j->start_ms : j->first_ms);
	clock_span_text(every, sizeof every, j->every_ms);
	clock_span_text(grace, sizeof grace, j->grace_ms);
	log_limited("jobs", LOG_WARN,
	    "job %s on %s: %s %s (every %s, grace %s)", log_q(j->name),
	    log_q(j->key),
	    runs ? "overrun: it runs since" : "missed: no start since", since,
	    every, grace);
}

void
jobs_tick(struct core *core)
{
	struct due *due = &core->jobs->due;
	struct due_item *item;

	while ((item = due_first(due, core_wall(core))) != NULL) {
		struct job *j = (struct job *)item;

		due_take(due, item);
		j->overdue = true;
		tell_overdue(core, j);
	}
}
