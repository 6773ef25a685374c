#include "ewsctl/fan.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ewsctl/emit.h"
#include "ewsctl/fan_priv.h"
#include "ewsctl/signals.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/prog.h"
#include "lib/str.h"

enum { RETRY_FIRST_MS = 100, RETRY_MAX_MS = 2000 };

void
fan_say(const struct fan *f, const char *fmt, ...)
{
	struct err e = ERR_INIT;
	va_list ap;

	if (conf_bool(f->ask->conf, SET_quiet))
		return;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);
	prog_fail(&e);
}

/* ---- who is next ----------------------------------------------------------- */

/* The first reason stays. */
__attribute__((format(printf, 2, 3))) static void
stop(struct fan *f, const char *fmt, ...)
{
	va_list ap;

	if (f->stopped[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(f->stopped, sizeof f->stopped, fmt, ap);
	va_end(ap);
}

/* Is there one that may begin now? The canaries go alone. */
static bool
may_begin(struct fan *f)
{
	while (f->next < f->n && f->members[f->next].state != FAN_WAITING)
		f->next++;
	if (f->stopped[0] != '\0' || f->next == f->n ||
	    f->n_running == f->parallel)
		return false;
	return f->begun != f->canary || f->n_running == 0;
}

static void
begin_some(struct fan *f)
{
	struct err e = ERR_INIT;

	while (f->ask->ctl != NULL && may_begin(f)) {
		struct fan_member *m = &f->members[f->next++];

		id_uuid7(m->id, clock_wall(&clock_system));
		m->state = FAN_RUNNING;
		f->running[f->n_running++] = m;
		f->begun++;
		if (!fan_begin(f, m, &e)) {
			fan_ended(f, m, NULL, &e);
			err_clear(&e);
		}
	}
}

static void
no_longer_runs(struct fan *f, const struct fan_member *m)
{
	for (size_t i = 0; i < f->n_running; i++) {
		if (f->running[i] != m)
			continue;
		f->running[i] = f->running[--f->n_running];
		return;
	}
}

/* In a word or two, for the summary. */
static void
explain(struct fan_member *m, const struct err *err)
{
	const char *state = js_str(m->result, "state");
	const char *reason = js_str(m->result, "reason");
	int64_t number = js_int(m->result, "signal", 0);
	char *to = m->why;

	if (err != NULL)
		snprintf(to, sizeof m->why, "%s", err->code);
	else if (number > 0)
		snprintf(to, sizeof m->why, "signal %d", (int)number);
	else if (js_get(m->result, "exit_code") != NULL)
		snprintf(to, sizeof m->why, "exit %d",
		    (int)js_int(m->result, "exit_code", 0));
	else
		snprintf(to, sizeof m->why, "%.30s%s%.30s", state,
		    reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static void
judge(struct fan *f, struct fan_member *m)
{
	bool canary = f->begun <= f->canary;

	if (m->state == FAN_DONE)
		f->done++;
	else if (m->state == FAN_OFFLINE)
		f->offline++;
	else
		f->failed++;
	if (m->state != FAN_FAILED)
		return;
	if (canary)
		stop(f, "stopped: %s failed, a canary", m->agent);
	if (f->abort_after > 0 && f->failed >= f->abort_after)
		stop(f, "stopped after %zu that failed", f->failed);
}

void
fan_ended(
    struct fan *f, struct fan_member *m, json_t *result, const struct err *err)
{
	struct err unused = ERR_INIT; /* the summary says it shorter */

	m->request = 0;
	m->result = json_incref(result);
	no_longer_runs(f, m);
	if (err != NULL)
		m->status = err->status;
	else
		m->status = f->handler
				? exit_from_command(result)
				: exit_from_step(result, f->step, &unused);
	if (m->status == EXIT_OK)
		m->state = FAN_DONE;
	else if (m->away && str_eq(js_str(result, "state"), "cancelled"))
		m->state = FAN_OFFLINE;
	else
		m->state = FAN_FAILED;
	explain(m, err);
	f->out->ended(f, m);
	fan_text_free(m->text);
	m->text = NULL;
	if (err != NULL)
		fan_say(f, "%s: %s", m->agent, err->text);
	judge(f, m);
}

/* ---- the run --------------------------------------------------------------------- */

static bool
on_signal(void *arg)
{
	struct fan *f = arg;
	int number;

	while (f->left_by == 0 && (number = signals_next()) != 0) {
		if (number != SIGINT || f->interrupts++ > 0) {
			f->left_by = number;
			continue;
		}
		stop(f, "interrupted");
		if (f->handler)
			fan_say(f,
			    "%zu running get SIGINT; once more leaves "
			    "them running",
			    f->n_running);
		for (size_t i = 0; f->handler && i < f->n_running; i++)
			fan_cancel(f, f->running[i], "INT");
	}
	return f->left_by == 0;
}

static void
fan_all(struct fan *f)
{
	signals_catch();
	emit_watch(on_signal, f);
	for (size_t i = 0; i < f->n; i++)
		if (f->members[i].state == FAN_OFFLINE) {
			snprintf(f->members[i].why, sizeof f->members[i].why,
			    "offline");
			f->out->ended(f, &f->members[i]);
		}
	begin_some(f);
	while (f->n_running > 0 || may_begin(f)) {
		fan_turn(f);
		if (!on_signal(f) || f->late || err_isset(f->err))
			break;
		begin_some(f);
	}
	emit_watch(NULL, NULL);
	signals_release();
}

static void
fan_fini(struct fan *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->members[i].agent);
		json_decref(f->members[i].result);
		fan_text_free(f->members[i].text);
	}
	free(f->members);
	free(f->running);
	json_decref(f->request);
}

/* Takes what f->request holds. */
static int
fan_out(struct fan *f, struct err *err)
{
	const struct conf *c = f->ask->conf;
	struct target *t = NULL;
	int status;

	f->err = err;
	f->until = ask_deadline(conf_int(c, SET_timeout));
	f->parallel = (size_t)conf_int(c, SET_parallel);
	f->canary = (size_t)conf_int(c, SET_canary);
	f->abort_after = (size_t)conf_int(c, SET_abort_after);
	f->running = mem_alloc(f->parallel * sizeof(struct fan_member *));
	backoff_init(&f->backoff, RETRY_FIRST_MS, RETRY_MAX_MS);
	if ((t = fan_target(f->ask, err)) == NULL || !fan_find(f, t, err) ||
	    !fan_need(f, err)) {
		status = err->status;
	} else {
		fan_all(f);
		status = fan_report(f, err);
	}
	target_free(t);
	fan_fini(f);
	return status;
}

/* ---- the verbs ------------------------------------------------------------------ */

/* What all have in common. */
static bool
make_request(struct fan *f, const char *payload, struct err *err)
{
	const struct ask *a = f->ask;

	if (a->argc < 1)
		err_set(err, EXIT_USAGE_, "usage",
		    "with --target goes TYPE, and no AGENT");
	if (err_isset(err) || !fan_flags_ok(a, err))
		return false;
	f->request = ask_send_request(a, "all", a->argv[0], payload, err);
	if (f->request == NULL)
		return false;
	json_object_del(f->request, "timeout_ms"); /* we look to it */
	json_object_set_new(f->request, "argv", json_array());
	return true;
}

static bool
add_arg(struct fan *f, const char *arg, struct err *err)
{
	if (json_array_append_new(
		js_get(f->request, "argv"), json_string(arg)) == 0)
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "an argument is not UTF-8");
	return false;
}

int
fan_run(struct ask *a, struct err *err)
{
	struct fan f = {
		.ask = a, .runs = true, .handler = true, .step = "done"
	};

	f.out = a->out == &output_json          ? &fan_out_json
		: conf_bool(a->conf, SET_group) ? &fan_out_group
						: &fan_out_lines;
	if (!make_request(&f, conf_str(a->conf, SET_payload), err))
		return err->status;
	for (int i = 1; i < a->argc; i++)
		if (!add_arg(&f, a->argv[i], err)) {
			json_decref(f.request);
			return err->status;
		}
	json_object_set_new(f.request, "wait", json_string("done"));
	json_object_set_new(f.request, "stream", json_true());
	return fan_out(&f, err);
}

int
fan_send(struct ask *a, struct err *err)
{
	const char *wait = conf_str(a->conf, SET_wait);
	struct fan f = {
		.ask = a, .handler = str_eq(wait, "done"), .step = wait
	};

	f.out = a->out == &output_json ? &fan_out_json : &fan_out_receipts;
	if (a->argc > 2)
		err_set(err, EXIT_USAGE_, "usage",
		    "usage: ewsctl send --target EXPR TYPE [PAYLOAD]");
	if (err_isset(err) ||
	    !make_request(&f, a->argc > 1 ? a->argv[1] : NULL, err))
		return err->status;
	for (size_t i = 0; i < conf_count(a->conf, SET_arg); i++)
		if (!add_arg(&f, conf_item(a->conf, SET_arg, i), err)) {
			json_decref(f.request);
			return err->status;
		}
	if (js_get(f.request, "cron") == NULL)
		json_object_set_new(f.request, "wait", json_string(wait));
	return fan_out(&f, err);
}
