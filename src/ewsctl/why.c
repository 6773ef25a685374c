#include "ewsctl/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/str.h"

int64_t
why_ms(const json_t *object, const char *key)
{
	const char *text = js_str(object, key);
	int64_t ms;

	return text != NULL && clock_parse(text, &ms) ? ms : 0;
}

bool
why_seen(const json_t *agent)
{
	return why_ms(agent, "last_seen") > why_ms(agent, "first_seen") ||
	       js_int(agent, "messages_received", 0) > 0 ||
	       js_bool(agent, "connected", false);
}

const char *
why_ago(const json_t *object, const char *key)
{
	static char texts[4][32];
	static unsigned turn;
	int64_t ms = why_ms(object, key);

	if (ms == 0)
		return "some time";
	return clock_span_text(
	    texts[turn++ % 4], sizeof *texts, clock_wall(&clock_system) - ms);
}

void
why_say(json_t *list, const char *fmt, ...)
{
	char text[WHY_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* cut inside of a character, it is no string */
	text[str_utf8_cut(text, strlen(text))] = '\0';
	json_array_append_new(list, json_string(text));
}

int64_t
why_line(json_t *timeline, const char *at, const char *step, const char *text,
    int64_t before)
{
	int64_t ms = 0, now = clock_wall(&clock_system);
	json_t *line = json_pack(
	    "{s:s*, s:s*, s:s*}", "at", at, "step", step, "text", text);

	if (at != NULL && clock_parse(at, &ms)) {
		json_object_set_new(
		    line, "ago_ms", json_integer(now > ms ? now - ms : 0));
		if (before > 0)
			json_object_set_new(line, "since_ms",
			    json_integer(ms > before ? ms - before : 0));
	}
	json_array_append_new(timeline, line);
	return ms > 0 ? ms : before;
}
