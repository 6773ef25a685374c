/* why_schedule - what a schedule has done, and what comes next */
#include <inttypes.h>

#include "ewsctl/why.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/str.h"

static json_t *
timeline_of(const json_t *schedule)
{
	json_t *timeline = json_array(), *h;
	int64_t before = 0;
	size_t i;

	json_array_foreach(js_get(schedule, "history"), i, h)
	{
		before = why_line(timeline, js_str(h, "at"), js_str(h, "what"),
		    js_str(h, "text"), before);
	}
	return timeline;
}

static void
say_next(json_t *now, json_t *advice, const json_t *s)
{
	int64_t ms = why_ms(s, "next") - clock_wall(&clock_system);
	const char *id = js_str(s, "schedule_id");
	char text[32];

	if (js_bool(s, "paused", false)) {
		why_say(now, "It is paused.");
		why_say(
		    advice, "ewsctl schedules resume %s lets it go on.", id);
	} else if (js_str(s, "next") == NULL) {
		why_say(now, "It will not come again.");
	} else {
		clock_span_text(text, sizeof text, ms > 0 ? ms : 0);
		why_say(now, "It sends %s to %s next at %s: %s from now.",
		    js_str(s, "type"), js_str(s, "agent"), js_str(s, "next"),
		    text);
	}
}

static void
say_past(json_t *now, json_t *advice, const json_t *s)
{
	const char *last = js_str(s, "last_command_id");
	int64_t fired = js_int(s, "fired", 0), missed = js_int(s, "missed", 0);

	why_say(now, "It has come %" PRId64 " time%s; %" PRId64 " missed.",
	    fired, fired == 1 ? "" : "s", missed);
	if (last != NULL)
		why_say(advice, "ewsctl why %s tells of the last one.", last);
}

json_t *
why_schedule(json_t *s)
{
	json_t *now = json_array(), *advice = json_array(), *report;

	say_next(now, advice, s);
	say_past(now, advice, s);
	report = json_pack("{s:s, s:O, s:o, s:o, s:o}", "what", "schedule",
	    "schedule", s, "timeline", timeline_of(s), "now", now, "do",
	    advice);
	json_decref(s);
	return report;
}
