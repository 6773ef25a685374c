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

/* All has been read; was_settled knows them again. */
static const char note_told[] = "confirmed to the agent";
static const char note_over[] =
    "the agent hears when it is back that all is here";

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
	if (w->output != NULL)
		output_read(c);
	if (c->end->result == NULL)
		c->end->result = command_json(c);
	w->ended(w, c, c->end->result);
}

/* Our agent forgets it then, with all its output; one that is away hears it
 * when it says so again. */
static void
confirm(const struct command *c)
{
	const struct agent *a = c->agent;
	bool told = a->ops != NULL && a->ops->confirm != NULL;

	if (!c->end->confirm || !a->ours)
		return;
	if (told)
		a->ops->confirm(a->link, c->id);
	if (c->written && c->state != CMD_DEAD) /* the agent's own word */
		later_note(c->core, c->id, told ? note_told : note_over);
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
	if (c->watchers != NULL || !c->end->saved || output_lingers(c))
		return;
	output_align(c); /* says that nobody wants the rest */
	confirm(c);
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

	free(arg);
	c->end->saved = true;
	c->end->confirm = err == NULL;
	output_keep_free(c);
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
		.stored_ms = command_stored_ms(c),
		.kept = output_kept(c),
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
	planned_take(c);
	a->queues->hold_until = 0;
	c->state = state;
	c->updated_ms = at_ms;
	command_set_end(c, how);
	c->end->saved = false;
	if (state == CMD_CANCELLED && input_error(c) != NULL) {
		free((char *)c->end->outcome.error);
		c->end->outcome.error = mem_dup(input_error(c));
	}
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

/* Then everybody has had its output, and an end that crossed our word on its
 * way here keeps nothing alive. */
static bool
was_settled(const struct store_history *h, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (h[i].is_note && (str_eq(h[i].note, note_told) ||
					str_eq(h[i].note, note_over)))
			return true;
	return false;
}

struct command *
command_revive(struct core *core, const struct store_command *sc,
    const struct store_history *h, size_t n)
{
	struct agent *a = agent_find(core, sc->agent);
	struct command *c = command_find(core, sc->id);
	int64_t age = core_mono(core) - core->born_mono;

	if (c != NULL)
		return c;
	if (age >= core->config.limits->output_wait_ms || a == NULL ||
	    !a->ours || !(sc->flags & STORE_STREAM) || was_settled(h, n) ||
	    (sc->outcome.stdout_bytes <= 0 && sc->outcome.stderr_bytes <= 0))
		return NULL;
	c = command_make(core, sc, a);
	if (c == NULL)
		return NULL;
	c->stored = c->loaded = true;
	command_set_end(c, &sc->outcome);
	c->end->confirm = true;
	output_linger(c);
	return c;
}
