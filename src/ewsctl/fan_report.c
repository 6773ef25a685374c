/* what became of all: for a person, for a file, for the shell */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ewsctl/fan_priv.h"
#include "lib/buf.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

enum { NAMED = 10, SUMMARY_MAX = 8192, CELL = 256 };

const char *
fan_outcome(const struct fan *f, const struct fan_member *m)
{
	switch (m->state) {
	case FAN_WAITING:
		return "not started";
	case FAN_RUNNING:
		return "unknown";
	case FAN_DONE:
		return f->step;
	case FAN_FAILED:
		return "failed";
	case FAN_OFFLINE:
		return "offline";
	}
	return "unknown";
}

json_t *
fan_member_json(const struct fan *f, const struct fan_member *m)
{
	json_t *o = json_pack("{s:s, s:s}", "agent", m->agent, "outcome",
	    m->state == FAN_WAITING ? "not_started" : fan_outcome(f, m));
	bool ended = m->state != FAN_WAITING && m->state != FAN_RUNNING;

	if (m->id[0] != '\0')
		json_object_set_new(o, "command_id", json_string(m->id));
	if (ended)
		json_object_set_new(o, "exit_status", json_integer(m->status));
	if (m->state == FAN_FAILED)
		json_object_set_new(o, "why", json_string(m->why));
	if (m->result != NULL)
		json_object_set(o, "result", m->result);
	return o;
}

static json_t *
to_json(const struct fan *f)
{
	json_t *all = json_array();

	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(all, fan_member_json(f, &f->members[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "matched",
	    (json_int_t)f->n, "need", (json_int_t)f->need, "done",
	    (json_int_t)f->done, "failed",
	    (json_int_t)f->failed + (json_int_t)f->offline, "offline",
	    (json_int_t)f->offline, "agents", all);
}

/* ---- the summary --------------------------------------------------------------- */

static void
name_failed(struct buf *b, const struct fan *f)
{
	size_t all = f->failed + f->offline, named = 0;

	for (size_t i = 0; i < f->n && named < NAMED; i++) {
		const struct fan_member *m = &f->members[i];
		char name[CELL];

		if (m->state != FAN_FAILED && m->state != FAN_OFFLINE)
			continue;
		str_escape(name, sizeof name, m->agent, strlen(m->agent));
		buf_printf(b, "%s%s: %s", named++ == 0 ? " (" : ", ", name,
		    m->state == FAN_OFFLINE ? "offline" : m->why);
	}
	if (all > named)
		buf_printf(b, ", and %zu more", all - named);
	if (all > 0)
		buf_text(b, ")");
}

static void
summary(const struct fan *f)
{
	size_t failed = f->failed + f->offline;
	size_t waiting = f->n - f->done - failed - f->n_running;
	struct buf b;

	buf_init(&b, SUMMARY_MAX);
	buf_printf(&b, "ewsctl: %zu of %zu %s", f->done, f->n, f->step);
	if (failed > 0)
		buf_printf(&b, ", %zu failed", failed);
	name_failed(&b, f);
	if (f->n_running > 0)
		buf_printf(&b, ", %zu not ended", f->n_running);
	if (waiting > 0)
		buf_printf(&b, ", %zu not started", waiting);
	if (f->late)
		buf_text(&b, "; the time given is over");
	else if (f->stopped[0] != '\0')
		buf_printf(&b, "; %s", f->stopped);
	fprintf(stderr, "%s\n", b.bytes);
	buf_fini(&b);
}

/* They go on, and this is how to find them. */
static void
name_running(const struct fan *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct fan_member *m = &f->members[i];
		char name[CELL];

		if (m->state == FAN_RUNNING)
			fprintf(stderr, "ewsctl: %s goes on as %s\n",
			    str_escape(
				name, sizeof name, m->agent, strlen(m->agent)),
			    m->id);
	}
}

/* ---- the exit status ------------------------------------------------------------ */

static int
status_of(const struct fan *f)
{
	if (f->left_by != 0)
		return EXIT_SIGNALLED + f->left_by;
	if (f->late)
		return EXIT_DEADLINE;
	if (err_isset(f->err))
		return f->err->status;
	if (f->done >= f->need)
		return EXIT_OK;
	return f->interrupts > 0 ? EXIT_INTERRUPTED : EXIT_NEGATIVE;
}

int
fan_report(struct fan *f, struct err *err)
{
	int status = status_of(f);
	json_t *all;

	fflush(stdout);
	if (f->left_by == 0 &&
	    (status != EXIT_OK || !conf_bool(f->ask->conf, SET_quiet)))
		summary(f);
	name_running(f);
	all = to_json(f);
	status = ask_report(f->ask, all, status, err);
	json_decref(all);
	return status;
}
