/*
 * watch - who waits for a command, and what becomes of its agent meanwhile
 */
#include <utlist.h>

#include "ewsd/core/core_priv.h"

enum { LOOK_MS = 1000 };

void
watch_list(struct command *c)
{
	if (c->watched)
		return;
	c->watched = true;
	c->core->n_watched++;
	DL_APPEND2(c->agent->queues->watched, c, watched_prev, watched_next);
}

void
watch_forget(struct command *c)
{
	if (!c->watched)
		return;
	c->watched = false;
	c->core->n_watched--;
	DL_DELETE2(c->agent->queues->watched, c, watched_prev, watched_next);
}

bool
agent_away(const struct agent *a)
{
	return a->kind == LINK_NONE && !agent_polls(a);
}

void
watch_join(struct command *c, struct watcher *w)
{
	w->command = c;
	w->told = c->stored;
	w->duplicate = false;
	w->away = agent_away(c->agent);
	w->taken[0] = w->from[0];
	w->taken[1] = w->from[1];
	w->moved_mono = core_mono(c->core);
	w->behind = false;
	DL_APPEND(c->watchers, w);
	watch_list(c);
	if (w->input != NULL)
		input_join(c, w);
	if (w->output != NULL)
		output_align(c);
}

void
command_watch(struct command *c, struct watcher *w)
{
	watch_join(c, w);
	command_settle(c);
}

void
watcher_stop(struct watcher *w)
{
	struct command *c = w->command;

	if (c == NULL)
		return;
	DL_DELETE(c->watchers, w);
	w->command = NULL;
	if (w->input != NULL)
		input_leave(c, w);
	if (w->output != NULL) {
		output_linger(c);
		output_credit(c, OUTPUT_STDOUT);
		output_credit(c, OUTPUT_STDERR);
		output_align(c);
	}
	command_settle(c); /* it may have been the last reason to stay */
}

/* ---- the link ----------------------------------------------------------- */

static void
tell_presence(struct agent *a)
{
	bool away = agent_away(a);
	struct watcher *w;
	struct command *c;

	DL_FOREACH2(a->queues->watched, c, watched_next)
	{
		DL_FOREACH (c->watchers, w) {
			if (!w->told || w->away == away || w->presence == NULL)
				continue;
			w->away = away;
			w->presence(w, c, away);
		}
	}
}

void
watch_link_lost(struct agent *a, enum link_kind kind)
{
	struct command *c;

	DL_FOREACH2(a->queues->watched, c, watched_next)
	{
		output_link_lost(c, kind);
		input_link_lost(c, kind);
	}
}

void
watch_presence(struct agent *a)
{
	tell_presence(a);
}

void
agent_attach_outputs(struct agent *a)
{
	struct command *c;

	DL_FOREACH2(a->queues->watched, c, watched_next)
	{
		if (a->kind == LINK_WEBSOCKET)
			output_detached(c);
		output_align(c);
		output_credit(c, OUTPUT_STDOUT);
		output_credit(c, OUTPUT_STDERR);
		input_room(c);
	}
}

void
agent_unsaid(struct agent *a)
{
	struct command *c;

	DL_FOREACH2(a->queues->watched, c, watched_next)
	{
		output_detached(c);
		input_unsaid(c);
	}
}

void
agent_input_room(struct agent *a)
{
	struct command *c;

	DL_FOREACH2(a->queues->watched, c, watched_next)
	input_room(c);
}

/* ---- time ---------------------------------------------------------------- */

static void
look_at(struct command *c)
{
	if (c->watchers == NULL && !output_lingers(c) && !input_wanted(c))
		watch_forget(c);
	if (c->end == NULL)
		input_tick(c);
	output_tick(c); /* last: it may free it */
}

void
watch_tick(struct core *core)
{
	int64_t now = core_mono(core);
	struct command *c, *next;
	struct agent *a;

	if (core->n_watched == 0 || now - core->watch_mono < LOOK_MS)
		return;
	core->watch_mono = now;
	for (a = core->agents; a != NULL; a = a->hh.next) {
		if (a->queues->watched == NULL)
			continue;
		tell_presence(a);
		DL_FOREACH_SAFE2(a->queues->watched, c, next, watched_next)
		look_at(c);
	}
}
