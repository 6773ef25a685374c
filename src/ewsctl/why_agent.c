/* why_agent - what became of an agent's link, and what is wrong with it */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ewsctl/why.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/str.h"

/* So often in so long is no coincidence. */
enum { FLAP_TIMES = 5, SKEW_MS = 30000 };
static const int64_t flap_ms = 10 * 60 * 1000;

static void
say_status(json_t *now, const json_t *agent)
{
	const char *name = js_str(agent, "agent");
	const char *status = js_str(agent, "status");

	if (!why_seen(agent))
		why_say(now, "%s has never connected.", name);
	else if (str_eq(status, "offline"))
		why_say(now, "%s is offline; it was last seen %s ago.", name,
		    why_ago(agent, "last_seen"));
	else if (js_str(agent, "connected_at") != NULL)
		why_say(now, "%s is %s, for %s.", name, status,
		    why_ago(agent, "connected_at"));
	else
		why_say(now, "%s is %s; it was last seen %s ago.", name, status,
		    why_ago(agent, "last_seen"));
	if (js_int(agent, "pending_commands", 0) > 0)
		why_say(now, "%" PRId64 " command%s for it.",
		    js_int(agent, "pending_commands", 0),
		    js_int(agent, "pending_commands", 0) == 1 ? " waits"
							      : "s wait");
}

static void
say_skew(json_t *now, json_t *advice, const json_t *agent)
{
	int64_t skew = js_int(agent, "clock_skew_ms", 0);
	char text[32];

	if (llabs(skew) < SKEW_MS)
		return;
	clock_span_text(text, sizeof text, llabs(skew));
	why_say(now, "Its clock is %s %s.", text, skew > 0 ? "fast" : "slow");
	why_say(advice, "Set its clock: with --at-edge it runs early or late "
			"by as much.");
}

/* How often lately; the hub's "what" words. */
static int
lately(const json_t *log, const char *what)
{
	int64_t from = clock_wall(&clock_system) - flap_ms;
	int n = 0;
	json_t *l;
	size_t i;

	json_array_foreach(log, i, l) if (str_eq(js_str(l, "what"), what) &&
					  why_ms(l, "at") >= from) n++;
	return n;
}

static const struct {
	const char *what;
	int times;
	const char *now, *advice;
} faults[] = {
	{ "refused", 1, "It was refused",
	    "Its secret, token or id is not the hub's: the line says which; "
	    "see ewsagent(8), Secrets." },
	{ "replaced", 2, "Another link took its place",
	    "Do two machines use the same id?" },
	{ "damped", 1, "Two that use its id took each other's place",
	    "Stop one of them, or give it another --id." },
	{ "connected", FLAP_TIMES, "It connected",
	    "The link does not hold: look for a proxy that cuts it, at the "
	    "agent's log, and for a second machine of the same id." },
};

static void
say_faults(json_t *now, json_t *advice, const json_t *log)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		int n = lately(log, faults[i].what);

		if (n < faults[i].times)
			continue;
		why_say(now, "%s %d time%s in the last 10 min.", faults[i].now,
		    n, n == 1 ? "" : "s");
		why_say(advice, "%s", faults[i].advice);
	}
}

/* Oldest first, whatever the hub's order. */
static json_t *
timeline_of(const json_t *log)
{
	size_t n = json_array_size(log);
	bool turned = n > 1 && why_ms(json_array_get(log, 0), "at") >
				   why_ms(json_array_get(log, n - 1), "at");
	json_t *timeline = json_array();
	int64_t before = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *l = json_array_get(log, turned ? n - 1 - i : i);

		before = why_line(timeline, js_str(l, "at"), js_str(l, "what"),
		    js_str(l, "text"), before);
	}
	return timeline;
}

json_t *
why_agent(json_t *result)
{
	json_t *agent = js_get(result, "agent"), *log = js_get(result, "log");
	json_t *now = json_array(), *advice = json_array(), *report;

	say_status(now, agent);
	say_skew(now, advice, agent);
	say_faults(now, advice, log);
	if (str_eq(js_str(agent, "status"), "offline") &&
	    json_array_size(advice) == 0)
		why_say(advice, "On that machine: ewsctl --socket SOCKET "
				"status, and the agent's log.");
	report =
	    json_pack("{s:s, s:O, s:o, s:o, s:o}", "what", "agent", "agent",
		agent, "timeline", timeline_of(log), "now", now, "do", advice);
	json_decref(result);
	return report;
}
