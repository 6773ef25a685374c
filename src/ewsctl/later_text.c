#include "ewsctl/later_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/str.h"

void
text_schedules(const json_t *result)
{
	json_t *s;
	size_t i;

	json_array_foreach(js_get(result, "schedules"), i, s)
	{
		bool paused = js_bool(s, "paused", false);
		bool cron = js_str(s, "cron") != NULL;

		printf("%-36s  %-24s  %-16s %-16s %s%s%s\n",
		    text_cell(s, "schedule_id"),
		    paused ? "paused" : text_cell(s, "next"),
		    text_cell(s, "agent"), text_cell(s, "type"),
		    cron ? text_cell(s, "cron") : "once", cron ? " " : "",
		    cron && js_str(s, "tz") != NULL ? text_cell(s, "tz") : "");
	}
	fflush(stdout);
}

void
text_planned(const json_t *s)
{
	printf("%s %s\n", text_cell(s, "schedule_id"), text_cell(s, "answer"));
	fflush(stdout);
}

void
text_dead(const json_t *result)
{
	json_t *c;
	size_t i;

	json_array_foreach(js_get(result, "commands"), i, c)
	{
		printf("%-36s  %s  %-16s %-16s %s%s%s%s%s\n",
		    text_cell(c, "command_id"), text_cell(c, "updated_at"),
		    text_cell(c, "agent"), text_cell(c, "type"),
		    text_cell(c, "state"),
		    js_str(c, "reason") != NULL ? " " : "",
		    js_str(c, "reason") != NULL ? text_cell(c, "reason") : "",
		    js_str(c, "error") != NULL ? ": " : "",
		    js_str(c, "error") != NULL ? text_cell(c, "error") : "");
	}
	fflush(stdout);
	if (js_int(result, "next", 0) > 0)
		fprintf(stderr, "more: --before %" PRId64 "\n",
		    js_int(result, "next", 0));
}

void
text_requeued(const json_t *result)
{
	json_t *r;
	size_t i;

	json_array_foreach(js_get(result, "requeued"), i, r)
	    printf("%s %s\n", text_cell(r, "from"), text_cell(r, "to"));
	fflush(stdout);
}

void
text_dropped(const json_t *result)
{
	printf("%" PRId64 " dropped\n", js_int(result, "dropped", 0));
	fflush(stdout);
}

void
text_tagged(const json_t *agent)
{
	json_t *tag;
	size_t i;

	printf("%s", text_cell(agent, "agent"));
	json_array_foreach(js_get(agent, "tags"), i, tag)
	{
		char shown[256];
		const char *text = json_string_value(tag);

		if (text != NULL)
			printf(" %s", str_escape(shown, sizeof shown, text,
					  json_string_length(tag)));
	}
	putchar('\n');
	fflush(stdout);
}

/* An agent has a status, a command a state. */
void
text_waited(const json_t *r)
{
	bool command = js_str(r, "command_id") != NULL;

	printf("%s %s\n", text_cell(r, command ? "command_id" : "agent"),
	    text_cell(r, command ? "state" : "status"));
	fflush(stdout);
}

static void
span(char *out, size_t size, const json_t *line, const char *key,
    const char *before, const char *behind)
{
	char text[32];

	out[0] = '\0';
	if (js_get(line, key) != NULL)
		snprintf(out, size, "%s%s%s", before,
		    clock_span_text(text, sizeof text, js_int(line, key, 0)),
		    behind);
}

static void
sentences(const json_t *list, const char *before)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		char shown[1024];
		const char *text = json_string_value(item);

		if (text != NULL)
			printf("%s%s\n", before,
			    str_escape(
				shown, sizeof shown, text, strlen(text)));
	}
}

void
text_why(const json_t *report)
{
	json_t *line;
	size_t i;

	json_array_foreach(js_get(report, "timeline"), i, line)
	{
		char ago[48], since[48];
		bool text = js_str(line, "text") != NULL;

		span(ago, sizeof ago, line, "ago_ms", "", " ago");
		span(since, sizeof since, line, "since_ms", "+", "");
		printf("%s  %14s %10s  %-*s%s%s\n", text_cell(line, "at"), ago,
		    since, text ? 12 : 0, text_cell(line, "step"),
		    text ? " " : "", text ? text_cell(line, "text") : "");
	}
	sentences(js_get(report, "now"), "");
	sentences(js_get(report, "do"), "-> ");
	fflush(stdout);
}
