/* why_command - what became of one command, and what it waits for */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ewsctl/why.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/state.h"
#include "lib/str.h"

enum { QUEUE_MAX = 1000 };

struct story {
	struct ask *ask;
	const json_t *command, *agent; /* agent: NULL if not to be had */
	json_t *now, *advice;
	const char *id, *name;
};

/* ---- the timeline --------------------------------------------------------- */

static const char *
meaning(const char *state)
{
	static const char *const meanings[] = {
#define COMMAND_STATE(name, word, end, help) help,
#include "lib/states.def"
#undef COMMAND_STATE
	};
	enum command_state s;

	return state != NULL && state_from(state, &s) ? meanings[s] : NULL;
}

static bool
is_end(const char *state)
{
	enum command_state s;

	return state != NULL && state_from(state, &s) && state_is_end(s);
}

static char *
step_text(const json_t *command, const json_t *h)
{
	const char *text = js_str(h, "text"), *method = js_str(h, "method");
	const char *state = js_str(h, "state");

	if (str_eq(state, "accepted") && text == NULL)
		return mem_printf("%s for %s, asked for by %s",
		    js_str(command, "type"), js_str(command, "agent"),
		    js_str(command, "asker"));
	if (text == NULL)
		text = meaning(state);
	if (text == NULL)
		text = "";
	return method != NULL ? mem_printf("by %s: %s", method, text)
			      : mem_dup(text);
}

/* What the handler wrote, next to its end. */
static void
add_bytes(json_t *timeline, const json_t *command, int64_t before)
{
	char text[128];

	if (js_get(command, "stdout_bytes") == NULL)
		return;
	snprintf(text, sizeof text,
	    "%" PRId64 " bytes on stdout, %" PRId64 " on stderr%s",
	    js_int(command, "stdout_bytes", 0),
	    js_int(command, "stderr_bytes", 0),
	    js_bool(command, "truncated", false) ? ", not all of it kept" : "");
	why_line(
	    timeline, js_str(command, "updated_at"), "output", text, before);
}

static json_t *
timeline_of(const json_t *command)
{
	json_t *timeline = json_array(), *h;
	int64_t before = 0;
	size_t i;

	json_array_foreach(js_get(command, "history"), i, h)
	{
		const char *note = js_str(h, "note");
		char *text = step_text(command, h);

		before = why_line(timeline, js_str(h, "at"),
		    note != NULL ? "note" : js_str(h, "state"),
		    note != NULL ? note : text, before);
		free(text);
		if (is_end(js_str(h, "state")))
			add_bytes(timeline, command, before);
	}
	return timeline;
}

/* ---- what it waits for ---------------------------------------------------- */

static int
rank(const json_t *command)
{
	static const char *const words[] = { "low", "normal", "high",
		"immediate" };

	for (int i = 0; i < 4; i++)
		if (str_eq(js_str(command, "priority"), words[i]))
			return i;
	return 1;
}

/* The list is newest first: those behind ours are older. */
static int64_t
before_us(const struct story *s, const json_t *list)
{
	int64_t n = 0;
	bool older = false;
	json_t *c;
	size_t i;

	json_array_foreach(list, i, c)
	{
		if (str_eq(js_str(c, "command_id"), s->id))
			older = true;
		else if (rank(c) > rank(s->command) ||
			 (older && rank(c) == rank(s->command)))
			n++;
	}
	return n;
}

static int64_t
queue_before(const struct story *s)
{
	json_t *r =
	    json_pack("{s:s, s:s, s:i, s:[s,s]}", "op", "commands", "agent",
		s->name, "limit", QUEUE_MAX, "state", "accepted", "delivered");
	struct err none = ERR_INIT;
	json_t *result = ask_call(s->ask, r, &none);
	int64_t n = before_us(s, js_get(result, "commands"));

	json_decref(result);
	return n;
}

static bool
is_away(const struct story *s)
{
	return str_eq(js_str(s->agent, "status"), "offline");
}

static void
waits(struct story *s)
{
	int64_t n = queue_before(s);
	char before[64];

	if (n == 0)
		str_copy(before, sizeof before, "nothing");
	else
		snprintf(before, sizeof before, "%" PRId64 " command%s", n,
		    n == 1 ? "" : "s");
	if (!why_seen(s->agent)) {
		why_say(s->now, "It waits for %s, which has never connected.",
		    s->name);
		why_say(s->advice, "Is that its name? See ewsctl agents.");
	} else if (is_away(s)) {
		why_say(s->now,
		    "It waits for %s, which was last seen %s ago and has "
		    "%s before it.",
		    s->name, why_ago(s->agent, "last_seen"), before);
		why_say(s->advice, "ewsctl why %s tells of its link.", s->name);
	} else {
		why_say(s->now,
		    "It is %s's turn to take it: %s is %s and has "
		    "%s before it.",
		    s->name, s->name, js_str(s->agent, "status"), before);
	}
}

static bool
is_early(const struct story *s)
{
	return why_ms(s->command, "run_at") > clock_wall(&clock_system);
}

static const char *
from_now(const struct story *s)
{
	static char text[32];

	return clock_span_text(text, sizeof text,
	    why_ms(s->command, "run_at") - clock_wall(&clock_system));
}

static void
waits_for_its_time(struct story *s)
{
	if (!is_early(s))
		why_say(s->now, "Its time has come.");
	else
		why_say(s->now, "It waits for its time, %s: %s from now.",
		    js_str(s->command, "run_at"), from_now(s));
	why_say(s->advice, "ewsctl schedules cancel %s takes it back.", s->id);
}

static void
is_under_way(struct story *s, const char *state)
{
	const char *ago = why_ago(s->command, "updated_at");

	if (str_eq(state, "delivered"))
		why_say(s->now,
		    "It was sent to %s %s ago, which has not said yet that "
		    "it has it.",
		    s->name, ago);
	else if (str_eq(state, "received") && is_early(s))
		why_say(s->now,
		    "%s has it and waits for its time, %s: %s from now, link "
		    "or no link.",
		    s->name, js_str(s->command, "run_at"), from_now(s));
	else if (str_eq(state, "received"))
		why_say(s->now,
		    "%s has had it for %s and has not started it yet: it "
		    "waits for others to end.",
		    s->name, ago);
	else
		why_say(
		    s->now, "Its handler has run at %s for %s.", s->name, ago);
	if (is_away(s))
		why_say(s->now,
		    "%s was last seen %s ago; it tells the end when it is "
		    "back.",
		    s->name, why_ago(s->agent, "last_seen"));
	if (str_eq(state, "started"))
		why_say(s->advice, "ewsctl attach %s shows its output.", s->id);
}

static void
is_unacked(struct story *s)
{
	why_say(s->now,
	    "It was sent to %s, and the link died before an answer: perhaps "
	    "it ran. %s cannot recognise a repeat, so it is not sent again.",
	    s->name, s->name);
	why_say(s->advice,
	    "If it may run twice: ewsctl cancel %s, and send it again.", s->id);
}

/* ---- how it ended --------------------------------------------------------- */

static void
ran(struct story *s)
{
	int64_t took = js_int(s->command, "duration_ms", -1);
	int64_t number = js_int(s->command, "signal", 0);
	char span[32], how[64];

	if (number > 0)
		snprintf(how, sizeof how, "signal %" PRId64, number);
	else
		snprintf(how, sizeof how, "exit status %" PRId64,
		    js_int(s->command, "exit_code", 0));
	if (took < 0)
		why_say(s->now, "It ran to its end, with %s.", how);
	else
		why_say(s->now, "It ran to its end, with %s, in %s.", how,
		    clock_span_text(span, sizeof span, took));
}

/* The one that was sent in its place, or NULL. */
static const char *
heir_of(const json_t *command)
{
	static const char word[] = "requeued_as ";
	const char *heir = NULL;
	json_t *h;
	size_t i;

	json_array_foreach(js_get(command, "history"), i, h)
	{
		const char *note = js_str(h, "note");

		if (note != NULL && str_starts(note, word))
			heir = note + sizeof word - 1;
	}
	return heir;
}

/* As the hub lists it among the dead. */
static bool
can_requeue(const json_t *command, const char *state, const char *reason)
{
	if (js_bool(command, "cleared", false))
		return false;
	return str_eq(state, "expired") || str_eq(state, "dead") ||
	       str_eq(state, "refused") || str_eq(state, "interrupted") ||
	       (str_eq(state, "failed") &&
		   (str_eq(reason, "no_handler") || str_eq(reason, "lost") ||
		       str_eq(reason, "start_failed")));
}

static void
ended(struct story *s, const char *state)
{
	const char *reason = js_str(s->command, "reason");
	const char *error = js_str(s->command, "error");
	const char *heir = heir_of(s->command);

	if (str_eq(reason, state))
		reason = NULL; /* once is enough */
	if (str_eq(state, "done"))
		ran(s);
	else
		why_say(s->now, "It ended %s ago as %s%s%s%s: %s%s%s.",
		    why_ago(s->command, "updated_at"), state,
		    reason != NULL ? " (" : "", reason != NULL ? reason : "",
		    reason != NULL ? ")" : "", meaning(state),
		    error != NULL ? "; " : "", error != NULL ? error : "");
	if (heir != NULL)
		why_say(s->now, "It was sent again as %s.", heir);
	else if (js_bool(s->command, "cleared", false))
		why_say(
		    s->now, "It was dropped: ewsctl dead shows it no more.");
	else if (can_requeue(s->command, state, reason))
		why_say(
		    s->advice, "ewsctl dead requeue %s sends it again.", s->id);
	if (str_eq(reason, "no_handler"))
		why_say(s->advice, "ewsctl agent %s lists the handlers it has.",
		    s->name);
}

static void
tell(struct story *s)
{
	const char *state = js_str(s->command, "state");
	enum command_state known;

	if (state == NULL || !state_from(state, &known))
		return;
	if (state_is_end(known))
		ended(s, state);
	else if (known == CMD_SCHEDULED)
		waits_for_its_time(s);
	else if (known == CMD_ACCEPTED)
		waits(s);
	else if (known == CMD_UNACKED)
		is_unacked(s);
	else
		is_under_way(s, state);
}

json_t *
why_command(struct ask *a, json_t *command)
{
	struct err none = ERR_INIT;
	struct story s = { .ask = a,
		.command = command,
		.now = json_array(),
		.advice = json_array(),
		.id = js_str(command, "command_id"),
		.name = js_str(command, "agent") };
	json_t *agent = ask_call(
	    a, json_pack("{s:s, s:s}", "op", "agent", "agent", s.name), &none);

	s.agent = agent;
	tell(&s);
	return json_pack("{s:s, s:o, s:o*, s:o, s:o, s:o}", "what", "command",
	    "command", command, "agent", agent, "timeline",
	    timeline_of(command), "now", s.now, "do", s.advice);
}
