/*
 * output - what handlers write, to each watcher once and in order
 *
 * The hub keeps none of it: the agent has all, and is told from where its
 * readers want it ("attach") and how far they are. What a watcher has not
 * taken yet is in that watcher's hands, and the agent may be only so far
 * ahead of the slowest; but of one that stands still while others wait for
 * more. Such a one is left behind, and the agent goes back for it later.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ewsd/core/output_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* ews-protocol(7), limits: when an agent is told of its window. An answer to
 * a poll may be lost on its way: then all is said again. */
enum {
	CREDIT_STEP = 32 * 1024,
	POLL_SILENCE_MS = 15000,
	ANSWER_MS = 10000, /* to begin with what it has of an ended one */
	STALL_MS = 2000 /* so long others wait for a reader */
};

struct output_state *
output_state(struct command *c)
{
	if (c->output == NULL) {
		c->output = mem_alloc(sizeof *c->output);
		c->output->limit[OUTPUT_STDOUT] = -1;
		c->output->limit[OUTPUT_STDERR] = -1;
		c->output->moved_mono = core_mono(c->core);
	}
	return c->output;
}

void
output_free(struct output_state *o)
{
	if (o == NULL)
		return;
	free(o->kept_bytes[0]);
	free(o->kept_bytes[1]);
	free(o);
}

void
output_moved(struct command *c)
{
	output_state(c)->moved_mono = core_mono(c->core);
}

/* ---- what the agent is told ----------------------------------------------- */

bool
output_wanted(const struct command *c)
{
	const struct watcher *w;

	DL_FOREACH (c->watchers, w)
		if (w->output != NULL)
			return true;
	return false;
}

/* One that is waited for. */
static bool
is_reader(const struct watcher *w)
{
	return w->output != NULL && !w->behind;
}

/* From where; false: nobody wants any now. */
static bool
wanted(const struct command *c, int64_t from[2])
{
	const struct watcher *w;
	bool any = false;

	DL_FOREACH (c->watchers, w) {
		if (!is_reader(w))
			continue;
		for (int s = 0; s < 2; s++)
			if (!any || w->from[s] < from[s])
				from[s] = w->from[s];
		any = true;
	}
	return any;
}

/* How far everybody is who wants it. */
static int64_t
taken(const struct command *c, enum output_stream s)
{
	int64_t least = INT64_MAX;
	const struct watcher *w;

	DL_FOREACH (c->watchers, w)
		if (is_reader(w) && w->taken[s] < least)
			least = w->taken[s];
	return least;
}

/* Each attach lets the agent send another window: not on top of one that
 * is still unread. */
static bool
has_room(const struct command *c)
{
	const struct watcher *w;

	DL_FOREACH (c->watchers, w)
		for (int s = 0; is_reader(w) && s < 2; s++)
			if (w->from[s] - w->taken[s] > OUTPUT_WINDOW / 2)
				return false;
	return true;
}

static bool
may_attach(const struct command *c)
{
	const struct agent *a = c->agent;

	if (!a->ours || !a->greeted || a->ops == NULL || a->ops->attach == NULL)
		return false;
	return c->end != NULL ? !(c->output != NULL && c->output->gone)
			      : c->place == PLACE_SENT;
}

static void
attached(struct command *c, const int64_t from[2])
{
	struct output_state *o = output_state(c);

	if (o->attached == LINK_NONE)
		o->allowed[0] = o->allowed[1] = 0;
	o->attached = c->agent->kind;
	o->answered = false;
	for (int s = 0; s < 2; s++) {
		o->at[s] = o->credited[s] = from[s];
		if (o->allowed[s] < from[s] + OUTPUT_WINDOW)
			o->allowed[s] = from[s] + OUTPUT_WINDOW;
	}
	output_moved(c);
}

static void
detach(struct command *c)
{
	struct agent *a = c->agent;

	if (c->output == NULL || c->output->attached == LINK_NONE ||
	    a->ops == NULL || a->ops->stop == NULL)
		return;
	c->output->attached = LINK_NONE;
	a->ops->stop(a->link, c->id);
}

void
output_align(struct command *c)
{
	const struct output_state *o = c->output;
	struct agent *a = c->agent;
	int64_t from[2];

	if (!output_wanted(c))
		detach(c);
	if (!wanted(c, from) || !may_attach(c))
		return;
	if (o != NULL && o->attached != LINK_NONE && from[0] >= o->at[0] &&
	    from[1] >= o->at[1])
		return;
	if (has_room(c) && a->ops->attach(a->link, c, from))
		attached(c, from);
}

bool
output_from_start(const struct command *c)
{
	int64_t from[2];

	return wanted(c, from) && from[0] == 0 && from[1] == 0;
}

void
output_started(struct command *c)
{
	attached(c, (const int64_t[2]){ 0, 0 });
}

void
output_detached(struct command *c)
{
	if (c->output != NULL)
		c->output->attached = LINK_NONE;
}

void
output_anew(struct command *c)
{
	if (c->output == NULL || c->output->attached != LINK_POLL)
		return;
	c->output->attached = LINK_NONE;
	output_align(c);
}

/* Polls are one after another what a connection is: the agent remembers. */
void
output_link_lost(struct command *c, enum link_kind kind)
{
	if (c->output != NULL && kind == LINK_WEBSOCKET)
		c->output->attached = LINK_NONE;
}

void
output_credit(struct command *c, enum output_stream s)
{
	struct output_state *o = c->output;
	struct agent *a = c->agent;
	int64_t upto = taken(c, s);

	if (o == NULL || o->attached == LINK_NONE || upto == INT64_MAX ||
	    a->ops == NULL || a->ops->credit == NULL)
		return;
	if (upto <= o->credited[s] ||
	    (upto < o->at[s] && upto - o->credited[s] < CREDIT_STEP))
		return;
	o->credited[s] = upto;
	if (o->at[s] < upto)
		o->at[s] = upto;
	if (o->allowed[s] < upto + OUTPUT_WINDOW)
		o->allowed[s] = upto + OUTPUT_WINDOW;
	a->ops->credit(a->link, c, s, upto);
}

/* ---- readers that stand still --------------------------------------------- */

static bool
is_hungry(const struct watcher *w)
{
	return is_reader(w) && !watcher_pending(w);
}

static void
leave_behind(struct command *c)
{
	int64_t now = core_mono(c->core);
	struct watcher *w, *other;

	DL_FOREACH (c->watchers, other)
		if (is_hungry(other))
			break;
	if (other == NULL)
		return;
	DL_FOREACH (c->watchers, w)
		if (is_reader(w) && watcher_pending(w) &&
		    now - w->moved_mono >= STALL_MS)
			w->behind = true;
	output_credit(c, OUTPUT_STDOUT);
	output_credit(c, OUTPUT_STDERR);
}

void
watcher_took(struct watcher *w, enum output_stream s, int64_t offset)
{
	struct command *c = w->command;

	if (c == NULL || offset <= w->taken[s])
		return;
	w->taken[s] = offset;
	w->moved_mono = core_mono(c->core);
	output_moved(c);
	if (!watcher_pending(w))
		w->behind = false; /* the agent goes back to where it is */
	output_credit(c, s);
	output_align(c); /* there may be room for it now */
	command_settle(c); /* it may have waited for this */
}

/* ---- time ---------------------------------------------------------------------- */

/* A reader that stands still is not the agent's fault. */
static bool
is_waited_for(const struct command *c)
{
	const struct watcher *w;
	bool waits = false;

	DL_FOREACH (c->watchers, w) {
		if (w->output == NULL)
			continue;
		if (watcher_pending(w))
			return false;
		waits = true;
	}
	return waits;
}

void
output_tick(struct command *c)
{
	int64_t wait = c->core->config.limits->output_wait_ms, silent;
	struct output_state *o = c->output;

	if (o == NULL) {
		command_settle(c);
		return;
	}
	leave_behind(c);
	if (!is_waited_for(c))
		output_moved(c);
	silent = core_mono(c->core) - o->moved_mono;
	if (o->attached == LINK_POLL && silent >= POLL_SILENCE_MS) {
		o->attached = LINK_NONE;
		output_align(c); /* now, or with the next poll */
	}
	if (o->attached == LINK_WEBSOCKET && !o->answered && wait > ANSWER_MS)
		wait = ANSWER_MS;
	if (c->end != NULL && silent >= wait)
		o->gone = true;
	command_settle(c); /* last: it may free it */
}
