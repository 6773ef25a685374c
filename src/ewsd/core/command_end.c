/*
 * command_end - exactly one end: stored, told, confirmed, forgotten
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

struct saved *
saved_new(command_saved_fn *fn, void *arg)
{
	struct saved *s = mem_alloc(sizeof *s);

	s->fn = fn;
	s->arg = arg;
	return s;
}

void
saved_done(void *saved, const struct err *err)
{
	struct saved *s = saved;

	(void)err; /* comes only when the hub ends */
	if (s->fn != NULL)
		s->fn(s->arg);
	free(s);
}

void
command_set_end(struct command *c, const struct store_outcome *how)
{
	struct store_outcome none = STORE_OUTCOME_INIT;
	struct command_end *e = mem_alloc(sizeof *e);

	if (how == NULL)
		how = &none;
	e->outcome = *how;
	e->outcome.reason = mem_dup(how->reason);
	e->outcome.error = mem_dup(how->error);
	e->outcome.detail = mem_dup(how->detail);
	e->saved = true;
	c->end = e;
	command_uncount(c);
}

static void
tell_ended(struct command *c, struct watcher *w)
{
	DL_DELETE(c->watchers, w);
	w->command = NULL;
	if (c->end->result == NULL)
		c->end->result = command_json(c);
	w->ended(w, c, c->end->result);
}

void
command_settle(struct command *c)
{
	struct watcher *w, *next;

	if (c->end == NULL)
		return;
	DL_FOREACH_SAFE (c->watchers, w, next)
		if (w->told && output_complete(c, w))
			tell_ended(c, w);
	if (c->watchers == NULL && c->end->saved)
		command_drop(c);
}

struct saving {
	struct command *command; /* kept until it is saved */
	command_saved_fn *fn;
	void *arg;
};

static void
saved(void *arg, const struct err *err)
{
	struct saving s = *(struct saving *)arg;
	struct command *c = s.command;
	struct agent *a = c->agent;

	free(arg);
	c->end->saved = true;
	if (err == NULL && a->ops != NULL && a->ops->confirm != NULL)
		a->ops->confirm(a->link, c->id);
	if (s.fn != NULL)
		s.fn(s.arg);
	command_settle(c);
}

static bool
save(struct command *c, int64_t at_ms, const char *note, struct saving *s)
{
	struct store_step step = { .state = c->state,
		.at_ms = at_ms,
		.note = note,
		.outcome = &c->end->outcome,
		.lazy = c->agent->ours && s->fn == NULL };

	return store_step(c->core->config.store, c->id, &step, saved, s);
}

/* The store has four times its bound waiting: the core keeps it. */
static void
keep_unsaved(struct command *c, struct saving *s)
{
	c->place = PLACE_NONE;
	c->end->unsaved = s;
	DL_APPEND(c->core->unsaved, c);
	log_limited("unsaved", LOG_ERROR,
	    "store: cannot take the end of %s now; kept in memory", c->id);
}

void
command_retry_unsaved(struct core *core)
{
	struct command *c;

	while ((c = core->unsaved) != NULL) {
		if (!save(c, c->updated_ms, NULL, c->end->unsaved))
			return;
		DL_DELETE(core->unsaved, c);
		c->end->unsaved = NULL;
	}
}

/* The hub ends without it: whoever waits for the disk hears of it, or would
 * be lost with it. */
void
command_give_up_unsaved(struct core *core)
{
	struct command *c;

	while ((c = core->unsaved) != NULL) {
		struct saving *s = c->end->unsaved;

		DL_DELETE(core->unsaved, c);
		c->end->unsaved = NULL;
		if (s->fn != NULL)
			s->fn(s->arg);
		free(s);
	}
}

static void
count_end(struct command *c)
{
	struct stats *st = &c->core->stats;

	if (c->state == CMD_DONE)
		st->commands_done++;
	else
		st->commands_failed++;
}

/* The next sync may name it as the last one it got. */
static void
remember_passed(struct command *c)
{
	struct agent_queues *q = c->agent->queues;

	if (c->offer <= q->passed.offer)
		return;
	q->passed.offer = c->offer;
	str_copy(q->passed.id, sizeof q->passed.id, c->id);
}

void
command_finish(struct command *c, enum command_state state,
    const struct store_outcome *how, int64_t at_ms, const char *note,
    command_saved_fn *done, void *arg)
{
	struct saving *s = mem_alloc(sizeof *s);
	struct agent *a = c->agent;

	remember_passed(c);
	command_no_tag(c);
	queue_take(c);
	a->queues->hold_until = 0;
	c->state = state;
	c->updated_ms = at_ms;
	command_set_end(c, how);
	c->end->saved = false;
	count_end(c);
	log_debug("command %s: %s", log_q(c->id), state_word(state));
	s->command = c;
	s->fn = done;
	s->arg = arg;
	if (!save(c, at_ms, note, s))
		keep_unsaved(c, s);
	command_settle(c); /* never frees it: it is not saved yet */
	agent_pump(a);
}
