/* jobs and their runs, for people */
#include "ewsctl/jobs_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ewsctl/later_text.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { OUTPUT = 64 * 1024 };

static const char *
how(const json_t *o)
{
	static char out[64];
	int64_t code = js_int(o, "exit_code", -1);
	int64_t number = js_int(o, "signal", 0);

	out[0] = '\0';
	if (number > 0)
		snprintf(out, sizeof out, "(signal %" PRId64 ")", number);
	else if (code > 0)
		snprintf(out, sizeof out, "(%" PRId64 ")", code);
	return out;
}

static const char *
took(const json_t *o)
{
	static char out[64], span[48];
	int64_t ms = js_int(o, "duration_ms", -1);

	if (ms < 0)
		return "";
	clock_span_text(span, sizeof span, ms);
	snprintf(out, sizeof out, "  took %s", span);
	return out;
}

static void
job(const json_t *j)
{
	char state[96];
	const char *due = js_str(j, "next_due");

	snprintf(state, sizeof state, "%s%s", text_cell(j, "state"), how(j));
	printf("%-20s %-16s %-20s started %s%s%s%s\n", text_cell(j, "name"),
	    text_cell(j, "host"), state, text_cell(j, "last_start"), took(j),
	    due != NULL ? "  due " : "",
	    due != NULL ? text_cell(j, "next_due") : "");
}

/* Line by line, behind an indent; a control character is escaped. */
static void
output(const char *text, size_t len)
{
	char *line = mem_alloc(4 * OUTPUT + 8);

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;

		printf("    %s\n", str_escape(line, 4 * OUTPUT + 8, text, n));
		n += end != NULL;
		text += n;
		len -= n;
	}
	free(line);
}

static void
run_output(const json_t *r)
{
	static char bytes[OUTPUT];
	const char *text = js_str(r, "output"), *coded = js_str(r, "output64");
	size_t len = 0;

	if (js_bool(r, "truncated", false))
		printf("    ... the last of %" PRId64 " bytes:\n",
		    js_int(r, "output_bytes", 0));
	if (text != NULL)
		output(text, strlen(text));
	else if (coded != NULL && str_unb64(bytes, sizeof bytes, coded, &len))
		output(bytes, len);
}

static void
run(const json_t *r, bool with_output)
{
	const char *start = js_str(r, "start");
	char state[96];

	snprintf(state, sizeof state, "%s%s", text_cell(r, "state"), how(r));
	printf("  %s  %-16s %-20s%s\n",
	    start != NULL ? text_cell(r, "start") : text_cell(r, "at"),
	    text_cell(r, "host"), state, took(r));
	if (with_output)
		run_output(r);
}

/* Of the runs the newest one that wrote something shows it. */
void
text_jobs(const json_t *result)
{
	bool shown = false;
	size_t i;
	json_t *o;

	json_array_foreach(js_get(result, "jobs"), i, o) job(o);
	json_array_foreach(js_get(result, "runs"), i, o)
	{
		bool show = !shown && js_int(o, "output_bytes", 0) > 0;

		run(o, show);
		shown = shown || show;
	}
	fflush(stdout);
}
