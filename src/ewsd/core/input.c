/*
 * input - what a sender writes to its handler's stdin, passed through
 *
 * The hub holds none of it. The agent says how far the handler has read and
 * from where to go on; what cannot be passed on now is dropped and asked for
 * again. A handler whose sender went away in the middle is ended: it must
 * not take a part for the whole.
 */
#include <signal.h>
#include <stdlib.h>

#include "ewsd/core/core_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"

enum { ASK_MS = 2000, POLL_SILENCE_MS = 15000, KILL_AFTER_MS = 5000 };

struct input_state {
	struct watcher *sender; /* or NULL */
	int64_t acked; /* in the handler's pipe */
	int64_t expect; /* everything before was passed on */
	int64_t eof; /* its end was passed on, there; -1 */
	int64_t doubted; /* asked for anew though it was taken; -1 */
	int64_t alone_mono; /* since when it has no sender */
	int64_t moved_mono;
	bool ready; /* the agent has said where to begin, on this link */
	bool begun; /* or on an earlier one */
	bool closed; /* the handler takes no more */
	bool lost; /* something was dropped: to be asked for */
	bool joins; /* the sender is new, and was not told yet */
	bool ended; /* by us, as nobody sends */
};

void
input_free(struct input_state *in)
{
	free(in);
}

void
input_expect(struct command *c)
{
	int64_t now = core_mono(c->core);

	if (!(c->flags & STORE_STDIN))
		return;
	if (c->input == NULL) {
		c->input = mem_alloc(sizeof *c->input);
		c->input->eof = c->input->doubted = -1;
		c->input->alone_mono = c->input->moved_mono = now;
	}
	watch_list(c);
}

static bool
is_done(const struct input_state *in)
{
	return in->closed || in->eof >= 0;
}

bool
input_wanted(const struct command *c)
{
	return c->input != NULL && c->end == NULL && !is_done(c->input);
}

const char *
input_error(const struct command *c)
{
	return c->input != NULL && c->input->ended
		   ? "the sender of its input went away"
		   : NULL;
}

/* Always what the handler has: a sender forgets all before. When it resumes
 * there, what is on its way already goes no second time. */
static void
tell(struct command *c, bool resume)
{
	struct input_state *in = c->input;

	if (resume)
		in->joins = in->lost = false;
	if (in->sender != NULL)
		in->sender->input(in->sender, c, in->acked, resume, in->closed);
}

bool
input_refuse(struct command *c)
{
	struct store_outcome how = STORE_OUTCOME_INIT;

	if (!(c->flags & STORE_STDIN) || agent_can(c->agent, "stdin"))
		return false;
	how.reason = "not_allowed";
	how.error = c->agent->ours
			? "the agent is too old to take input: upgrade it"
			: "the agent speaks no ews.v1 and takes no input";
	command_finish(
	    c, CMD_REFUSED, &how, core_wall(c->core), NULL, NULL, NULL);
	return true;
}

/* ---- who sends ---------------------------------------------------------- */

/* What an earlier sender has on its way arrives first: a new one cannot
 * say what it was. */
static void
tell_joined(struct command *c)
{
	struct input_state *in = c->input;

	if (in->joins && in->ready && (in->closed || in->acked >= in->expect))
		tell(c, true);
}

void
input_join(struct command *c, struct watcher *w)
{
	input_expect(c);
	if (c->input == NULL)
		return;
	c->input->sender = w;
	c->input->joins = true;
	tell_joined(c);
}

void
input_leave(struct command *c, const struct watcher *w)
{
	if (c->input == NULL || c->input->sender != w)
		return;
	c->input->sender = NULL;
	c->input->alone_mono = core_mono(c->core);
}

/* ---- towards the agent ---------------------------------------------------- */

static bool
link_is_up(const struct command *c)
{
	const struct agent *a = c->agent;

	return a->greeted && a->ops != NULL && a->ops->input != NULL &&
	       c->place == PLACE_SENT;
}

static bool
may_send(struct watcher *w, const struct input_chunk *k, struct err *err)
{
	const struct command *c = w->command;
	const struct input_state *in = c->input;
	size_t window = c->core->config.limits->input_window;

	if (in == NULL)
		err_set(err, EXIT_DATA, "bad_argument",
		    "command %s was sent without stdin", c->id);
	else if (c->end != NULL)
		err_set(err, EXIT_NEGATIVE, "too_late",
		    "command %s has ended already: %s", c->id,
		    state_word(c->state));
	else if (in->sender != w)
		err_set(err, EXIT_DATA, "conflict",
		    "another one sends the input of %s", c->id);
	else if (in->ready && k->offset <= in->expect &&
		 k->offset + (int64_t)k->bytes > in->acked + (int64_t)window)
		err_set(err, EXIT_RETRY, "too_many",
		    "input of %s: more than %zu bytes beyond what it has taken",
		    c->id, window);
	else
		return true;
	return false;
}

bool
command_input(struct watcher *w, const struct input_chunk *k, struct err *err)
{
	int64_t end = k->offset + (int64_t)k->bytes;
	struct command *c = w->command;
	struct input_state *in = c->input;

	if (!may_send(w, k, err))
		return false;
	if (in->closed || !in->ready || in->joins)
		return true; /* it will be said from where */
	if (end <= in->expect && !k->eof)
		return true; /* that is on its way */
	in->lost = k->offset > in->expect || !link_is_up(c) ||
		   !c->agent->ops->input(c->agent->link, c, k);
	if (in->lost)
		return true;
	in->moved_mono = core_mono(c->core);
	if (end > in->expect)
		in->expect = end;
	if (k->eof)
		in->eof = end;
	return true;
}

void
input_room(struct command *c)
{
	struct input_state *in = c->input;

	if (in == NULL || !in->ready || in->closed || !link_is_up(c))
		return;
	tell_joined(c);
	if (in->lost && !in->joins)
		tell(c, true);
}

void
input_unsaid(struct command *c)
{
	struct input_state *in = c->input;

	if (in == NULL || in->closed)
		return;
	in->lost = in->expect > in->acked || in->eof >= 0;
	in->expect = in->acked;
	in->eof = -1;
	in->moved_mono = core_mono(c->core);
	watch_list(c);
}

void
input_link_lost(struct command *c, enum link_kind kind)
{
	if (c->input == NULL || kind != LINK_WEBSOCKET)
		return;
	c->input->ready = c->input->lost = false;
	c->input->moved_mono = core_mono(c->core);
}

/* ---- from the agent --------------------------------------------------------- */

/* What lies between the two is in its hands, and not in the handler's. */
static void
begin_again(struct command *c, int64_t offset, const struct input_ack *ack)
{
	struct input_state *in = c->input;

	in->acked = in->expect = offset;
	if (ack->taken > offset && ack->taken <= COMMAND_OFFSET_MAX)
		in->expect = ack->taken;
	in->lost = false;
	if (in->eof >= 0)
		in->alone_mono = core_mono(c->core);
	in->eof = ack->eof ? in->expect : -1;
	in->ready = in->begun = true;
}

/* Does it ask for what it has taken? That may be an old word that a poll
 * has brought twice; a handler that was run again insists. */
static bool
is_doubtful(struct input_state *in, int64_t offset)
{
	bool again = offset == in->doubted;

	in->doubted = -1;
	if (offset >= in->acked || again)
		return false;
	in->doubted = offset;
	return true;
}

void
command_input_acked(struct core *core, struct agent *from, const char *id,
    const struct input_ack *ack)
{
	struct command *c = command_find(core, id);
	int64_t offset = ack->offset;
	struct input_state *in;

	if (c == NULL || c->agent != from || c->end != NULL || offset < 0 ||
	    offset > COMMAND_OFFSET_MAX)
		return;
	input_expect(c);
	in = c->input;
	if (in == NULL)
		return;
	in->moved_mono = core_mono(core);
	in->closed |= ack->closed;
	if (ack->resume) {
		if (is_doubtful(in, offset))
			offset = in->acked;
		begin_again(c, offset, ack);
	} else if (offset > in->acked) {
		in->acked = offset;
		if (in->expect < offset)
			in->expect = offset;
	}
	if (!in->joins)
		tell(c, ack->resume);
	tell_joined(c);
}

/* ---- time ---------------------------------------------------------------------- */

/* Nobody sends, and it is not complete. What the agent has not said yet may
 * be that it is. */
static bool
is_abandoned(const struct command *c)
{
	const struct input_state *in = c->input;
	int64_t grace = c->core->config.limits->input_grace_ms;

	return in->sender == NULL && !is_done(in) && !in->ended && c->stored &&
	       (in->ready || c->place == PLACE_QUEUED) &&
	       core_mono(c->core) - in->alone_mono >= grace;
}

static void
abandon(struct command *c)
{
	struct err err = ERR_INIT;
	const char *answer;

	c->input->ended = true;
	if (!command_cancel(
		c->core, c->id, SIGTERM, KILL_AFTER_MS, &answer, &err)) {
		c->input->ended = false; /* its agent is away: later */
		return;
	}
	log_info("command %s: %s: cancelled", log_q(c->id), input_error(c));
}

void
input_tick(struct command *c)
{
	static const struct input_ack none;
	struct input_state *in = c->input;
	int64_t silent;

	if (in == NULL || in->closed)
		return;
	silent = core_mono(c->core) - in->moved_mono;
	if (!in->begun && !c->loaded && c->state == CMD_STARTED &&
	    link_is_up(c) && silent >= ASK_MS) {
		begin_again(c, in->acked, &none);
		tell(c, true);
	}
	if (agent_polls(c->agent) && silent >= POLL_SILENCE_MS)
		input_unsaid(c);
	input_room(c);
	if (is_abandoned(c))
		abandon(c);
}
