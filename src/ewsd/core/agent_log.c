/*
 * agent_log - what an agent's link went through, for "why AGENT"
 *
 * A link that flaps costs so many lines a minute and no more; refusals,
 * which a stranger can cause, one line a minute with their count.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { MINUTE_MS = 60 * 1000, LINES_MAX = 30, SKEW_WARN_MS = 5000 };

struct agent_lines {
	int64_t since; /* monotonic: of this minute's lines */
	unsigned lines, held; /* held: not written this minute */
	int64_t refused_at; /* monotonic: the last line about one; 0 */
	unsigned refused; /* since then */
	char why[120]; /* of the last one */
};

static struct agent_lines *
lines_of(struct agent *a)
{
	if (a->lines == NULL)
		a->lines = mem_alloc(sizeof *a->lines);
	return a->lines;
}

static void
write_line(struct agent *a, const char *what, const char *text)
{
	struct store_agent_line *l = later_line(a);

	str_copy(l->what, sizeof l->what, what);
	str_escape(l->text, sizeof l->text, text, strlen(text));
	if (a->core->draining) /* no tick may come */
		later_flush(a->core);
}

static void
tell_held(struct agent *a)
{
	struct agent_lines *s = lines_of(a);
	char text[80];

	if (s->held == 0)
		return;
	snprintf(text, sizeof text, "%u more lines within a minute", s->held);
	s->held = 0;
	write_line(a, "held", text);
}

void
agent_log(struct agent *a, const char *what, const char *fmt, ...)
{
	struct agent_lines *s = lines_of(a);
	int64_t now = core_mono(a->core);
	char text[200];
	va_list ap;

	if (now - s->since >= MINUTE_MS || s->lines == 0) {
		tell_held(a);
		s->since = now;
		s->lines = 0;
	}
	if (s->lines >= LINES_MAX) {
		s->held++;
		return;
	}
	s->lines++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	write_line(a, what, text);
}

/* ---- refusals ----------------------------------------------------------- */

static void
tell_refused(struct agent *a)
{
	struct agent_lines *s = lines_of(a);
	char text[200];

	if (s->refused > 1)
		snprintf(
		    text, sizeof text, "%s (%u times)", s->why, s->refused);
	else
		str_copy(text, sizeof text, s->why);
	s->refused = 0;
	s->refused_at = core_mono(a->core);
	write_line(a, "refused", text);
}

void
agent_refused(
    struct core *core, const char *id, const char *address, const char *why)
{
	struct agent *a = id != NULL ? agent_find(core, id) : NULL;
	struct agent_lines *s;

	if (a == NULL) /* a name that nobody has costs nothing */
		return;
	s = lines_of(a);
	s->refused++;
	snprintf(s->why, sizeof s->why, "%s, from %.50s", why, address);
	if (s->refused_at == 0 || core_mono(core) - s->refused_at >= MINUTE_MS)
		tell_refused(a);
}

void
agent_log_settle(struct agent *a)
{
	if (a->lines != NULL && a->lines->refused > 0)
		tell_refused(a);
	if (a->lines != NULL)
		tell_held(a);
	later_flush(a->core);
}

/* ---- coming and going ------------------------------------------------------ */

void
agent_log_up(struct agent *a, const struct link_about *by)
{
	const char *how = by->kind == LINK_POLL ? "polls" : "websocket";

	if (by->kind == LINK_POLL && agent_polls(a))
		return; /* not the first one */
	if (by->instance != NULL)
		agent_log(a, "connected", "%s, from %s, instance %s", how,
		    by->address, by->instance);
	else
		agent_log(a, "connected", "%s, from %s", how, by->address);
}

void
agent_log_gone(struct agent *a, const char *why)
{
	char span[40];

	agent_log(a, "disconnected", "%.120s, after %s", why,
	    clock_span_text(
		span, sizeof span, core_wall(a->core) - a->connected_ms));
}

void
agent_log_greeted(struct agent *a)
{
	const char *version = js_str(a->about, "version");
	char skew[40] = "";

	if (a->skew_known)
		snprintf(skew, sizeof skew, ", its clock is %+" PRId64 " ms",
		    a->skew_ms);
	agent_log(a, "greeted", "version %.40s%s",
	    version != NULL ? version : "unknown", skew);
}

void
agent_clock(struct agent *a, int64_t at_ms)
{
	a->skew_known = true;
	a->skew_ms = at_ms - core_wall(a->core);
	if (a->skew_ms > SKEW_WARN_MS || a->skew_ms < -SKEW_WARN_MS)
		log_warn("agent %s: its clock is %+" PRId64
			 " ms off: times that it tells are wrong by that",
		    log_q(a->id), a->skew_ms);
}
