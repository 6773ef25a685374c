/* text: for people, and for $(...) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ewsctl/emit.h"
#include "ewsctl/jobs_text.h"
#include "ewsctl/later_text.h"
#include "ewsctl/output.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { CELL = 512 };

const char *
text_cell(const json_t *object, const char *key)
{
	static char cells[8][CELL];
	static unsigned turn;
	char *out = cells[turn++ % 8];
	const char *text = js_str(object, key);

	if (text == NULL)
		text = "-";
	return str_escape(out, CELL, text, strlen(text));
}

static bool
coloured(void)
{
	const char *no = getenv("NO_COLOR");

	return (no == NULL || *no == '\0') && isatty(STDOUT_FILENO);
}

static void
receipt(const json_t *r)
{
	bool plan = js_get(r, "command_id") == NULL; /* of --cron */

	puts(text_cell(r, plan ? "schedule_id" : "command_id"));
	fflush(stdout);
}

static void
nothing(const json_t *unused)
{
	(void)unused;
}

/* A handler's bytes go where the handler wrote them. */
static void
record(const json_t *r)
{
	const char *stream = js_str(r, "stream");
	const char *text = js_str(r, "data"), *coded = js_str(r, "data64");
	int fd = str_eq(stream, "stderr") ? STDERR_FILENO : STDOUT_FILENO;
	size_t len = 0;
	char *bytes;

	if (stream == NULL)
		return;
	if (text != NULL) {
		emit(fd, text, strlen(text));
	} else if (coded != NULL) {
		bytes = mem_alloc(strlen(coded) + 1);
		if (str_unb64(bytes, strlen(coded) + 1, coded, &len))
			emit(fd, bytes, len);
		free(bytes);
	}
}

static void
agents(const json_t *result)
{
	size_t i;
	json_t *a;

	json_array_foreach(js_get(result, "agents"), i, a)
	{
		const char *status = text_cell(a, "status");
		bool seen = js_str(a, "last_seen") != NULL;
		bool green = coloured() && !str_eq(status, "offline");

		printf("%-24s %s%-8s%s %4" PRId64 " waiting  %s %s\n",
		    text_cell(a, "agent"), green ? "\033[32m" : "", status,
		    green ? "\033[0m" : "", js_int(a, "pending_commands", 0),
		    seen ? "seen" : "never",
		    seen ? text_cell(a, "last_seen") : "seen");
	}
	fflush(stdout);
}

static void
value(const char *key, const json_t *v)
{
	char out[CELL];
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	const char *shown = json_is_string(v) ? json_string_value(v) : text;

	if (shown != NULL)
		printf("%-24s %s\n", key,
		    str_escape(out, sizeof out, shown, strlen(shown)));
	free(text);
}

static void
object(const json_t *result)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)result, key, v)
	{
		if (!str_eq(key, "history"))
			value(key, v);
	}
	fflush(stdout);
}

static void
exit_cell(char *out, size_t size, const json_t *c)
{
	int64_t code = js_int(c, "exit_code", -1);
	int64_t number = js_int(c, "signal", 0);

	if (number > 0)
		snprintf(out, size, "(signal %" PRId64 ")", number);
	else if (code >= 0)
		snprintf(out, size, "(%" PRId64 ")", code);
	else
		out[0] = '\0';
}

static void
commands(const json_t *result)
{
	size_t i;
	json_t *c;

	json_array_foreach(js_get(result, "commands"), i, c)
	{
		char exit[32];

		exit_cell(exit, sizeof exit, c);
		printf("%-36s  %s  %-16s %-16s %s%s\n",
		    text_cell(c, "command_id"), text_cell(c, "created_at"),
		    text_cell(c, "agent"), text_cell(c, "type"),
		    text_cell(c, "state"), exit);
	}
	fflush(stdout);
	if (js_int(result, "next", 0) > 0)
		fprintf(stderr, "more: --before %" PRId64 "\n",
		    js_int(result, "next", 0));
}

/* A command, or a schedule. */
static void
command(const json_t *c)
{
	size_t i;
	json_t *h;

	object(c);
	if (json_array_size(js_get(c, "history")) > 0)
		puts("history");
	json_array_foreach(js_get(c, "history"), i, h)
	{
		const char *step = js_str(h, "state") != NULL  ? "state"
				   : js_str(h, "note") != NULL ? "note"
							       : "what";
		const char *text = js_str(h, "text");

		printf("  %s  %s%s%s%s%s\n", text_cell(h, "at"),
		    text_cell(h, step),
		    js_str(h, "method") != NULL ? " by " : "",
		    js_str(h, "method") != NULL ? text_cell(h, "method") : "",
		    text != NULL ? ": " : "",
		    text != NULL ? text_cell(h, "text") : "");
	}
	fflush(stdout);
}

static void
cancel(const json_t *result)
{
	printf("%s %s\n", text_cell(result, "command_id"),
	    text_cell(result, "answer"));
	fflush(stdout);
}

static void
config(const json_t *result)
{
	printf("%s %s\n", text_cell(result, "agent"),
	    js_bool(result, "delivered", false)
		? "delivered"
		: "stored: handed over when it connects");
	fflush(stdout);
}

const struct output output_text = {
	.receipt = receipt,
	.ended = nothing,
	.record = record,
	.agents = agents,
	.agent = object,
	.commands = commands,
	.command = command,
	.cancel = cancel,
	.config = config,
	.object = object,
	.failed = nothing,
	.jobs = text_jobs,
	.schedules = text_schedules,
	.schedule = command,
	.planned = text_planned,
	.dead = text_dead,
	.requeued = text_requeued,
	.dropped = text_dropped,
	.tagged = text_tagged,
	.waited = text_waited,
	.why = text_why,
};
