/*
 * ctl_jobs - "job_record", "jobs", "job", "job_forget": local jobs
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/jobs.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/str.h"

#define SPAN_MAX (JOB_SPAN_MAX_DAYS * INT64_C(86400000))

/* An answer is one line of at most 1 MiB (DESIGN 11.4). */
enum { LIST_BYTES = 900 * 1024, LIST_MAX = 10000, RUNS_MAX = 1000 };

/* ---- job_record ------------------------------------------------------------- */

static void
on_noted(void *arg, const struct err *err)
{
	struct ctl_ask *ask = arg;

	if (ask_stored(ask, err))
		ask_reply(ask, json_object());
}

static bool
take_event(const json_t *request, enum store_job_event *out, struct err *err)
{
	const char *word;

	if (!ctl_need_str(request, "event", &word, err))
		return false;
	if (str_eq(word, "start"))
		*out = JOB_START;
	else if (str_eq(word, "end"))
		*out = JOB_END;
	else if (str_eq(word, "overlap"))
		*out = JOB_OVERLAP;
	else
		err_set(err, EXIT_DATA, "bad_argument",
		    "event: must be start, end or overlap");
	return !err_isset(err);
}

/* 'room' holds what was base64. */
static bool
take_output(const json_t *request, struct store_job_record *r,
    char room[JOB_OUTPUT_MAX], struct err *err)
{
	const char *text = NULL, *coded = NULL;

	if (!js_take_str(request, "output", &text, err) ||
	    !js_take_str(request, "output64", &coded, err))
		return false;
	if (text != NULL) {
		r->output = text;
		r->output_len = strlen(text);
	} else if (coded != NULL) {
		r->output = room;
		if (!str_unb64(room, JOB_OUTPUT_MAX, coded, &r->output_len))
			r->output_len = SIZE_MAX;
	}
	if (r->output_len > JOB_OUTPUT_MAX) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "output: more than %d bytes, or not base64",
		    JOB_OUTPUT_MAX);
		return false;
	}
	r->output_bytes = r->output != NULL ? (int64_t)r->output_len : -1;
	return js_take_int(request, "output_bytes", r->output_bytes,
	    INT64_MAX / 2, &r->output_bytes, err);
}

static bool
take_record(const json_t *request, struct store_job_record *r,
    char room[JOB_OUTPUT_MAX], struct err *err)
{
	int64_t code = -1, number = 0;

	if (!ctl_need_str(request, "host", &r->host, err) ||
	    !ctl_need_str(request, "name", &r->name, err) ||
	    !ctl_need_str(request, "run_id", &r->run_id, err) ||
	    !take_event(request, &r->event, err) ||
	    !js_take_int(request, "at_ms", 1, INT64_MAX / 4, &r->at_ms, err) ||
	    !js_take_int(request, "every_ms", 0, SPAN_MAX, &r->every_ms, err) ||
	    !js_take_int(request, "grace_ms", 0, SPAN_MAX, &r->grace_ms, err) ||
	    !js_take_int(request, "exit_code", 0, 255, &code, err) ||
	    !js_take_int(request, "signal", 1, 128, &number, err) ||
	    !js_take_int(
		request, "duration_ms", 0, SPAN_MAX, &r->duration_ms, err) ||
	    !take_output(request, r, room, err))
		return false;
	r->exit_code = (int)code;
	r->signal = (int)number;
	if (strlen(r->run_id) > 128 || *r->run_id == '\0')
		err_set(err, EXIT_DATA, "bad_argument",
		    "run_id: must have 1 to 128 bytes");
	if (r->at_ms == 0)
		err_set(err, EXIT_DATA, "bad_argument", "at_ms: is missing");
	return !err_isset(err);
}

void
ctl_op_job_record(struct ctl_ask *ask, const json_t *request)
{
	struct store_job_record r = { .exit_code = -1, .duration_ms = -1 };
	char room[JOB_OUTPUT_MAX];
	struct err err = ERR_INIT;

	if (!take_record(request, &r, room, &err)) {
		ask_fail(ask, &err);
		return;
	}
	ask_to_store(ask);
	if (!job_record(ask_core(ask), &r, on_noted, ask, &err))
		ask_store_failed(ask, &err);
}

/* ---- jobs ---------------------------------------------------------------------- */

struct list {
	json_t *items;
	size_t bytes;
	const char *after, *after_host; /* NULL: from the first */
	const char *name, *host; /* the last one in */
	bool cut;
};

static bool
has_room(struct list *l, const json_t *o)
{
	l->bytes += json_dumpb(o, NULL, 0, JSON_COMPACT) + 1;
	l->cut = l->bytes > LIST_BYTES || json_array_size(l->items) >= LIST_MAX;
	return !l->cut;
}

static bool
is_behind(const struct list *l, const char *name, const char *host)
{
	int order;

	if (l->after == NULL)
		return true;
	order = strcmp(name, l->after);
	if (order == 0 && l->after_host != NULL)
		order = strcmp(host, l->after_host);
	return order > 0;
}

static bool
add_job(void *arg, const char *name, const char *host, json_t *o)
{
	struct list *l = arg;

	if (!is_behind(l, name, host) || !has_room(l, o)) {
		json_decref(o);
		return !l->cut;
	}
	json_array_append_new(l->items, o);
	l->name = name;
	l->host = host;
	return true;
}

void
ctl_op_jobs(struct ctl_ask *ask, const json_t *request)
{
	const char *name = NULL, *host = NULL;
	struct list l = { 0 };
	struct err err = ERR_INIT;
	json_t *o;

	if (!js_take_str(request, "name", &name, &err) ||
	    !js_take_str(request, "host", &host, &err) ||
	    !js_take_str(request, "after", &l.after, &err) ||
	    !js_take_str(request, "after_host", &l.after_host, &err)) {
		ask_fail(ask, &err);
		return;
	}
	l.items = json_array();
	job_each(ask_core(ask), name, host, add_job, &l);
	o = json_pack("{s:o}", "jobs", l.items);
	if (l.cut && l.name != NULL) {
		json_object_set_new(o, "next", json_string(l.name));
		json_object_set_new(o, "next_host", json_string(l.host));
	}
	ask_reply(ask, o);
}

/* ---- job ------------------------------------------------------------------------ */

static void
put_output(json_t *o, const struct store_job_run *r)
{
	char *coded;

	if (r->output_bytes < 0)
		return;
	json_object_set_new(o, "output_bytes", json_integer(r->output_bytes));
	json_object_set_new(o, "truncated",
	    json_boolean(r->output_bytes > (int64_t)r->output_len));
	if (r->output_len == 0)
		return;
	if (str_utf8(r->output, r->output_len, false)) {
		json_object_set_new(
		    o, "output", json_stringn(r->output, r->output_len));
		return;
	}
	coded = str_b64(r->output, r->output_len);
	json_object_set_new(o, "output64", json_string(coded));
	free(coded);
}

static const char *
run_state(const struct store_job_run *r)
{
	if (r->overlap)
		return "overlap";
	if (r->ended_ms == 0)
		return "running"; /* or nobody told of its end */
	return r->signal > 0 || r->exit_code > 0 ? "failed" : "ok";
}

static json_t *
run_json(const struct store_job_run *r)
{
	json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "run_id", r->run_id, "name",
	    r->name, "host", r->host, "state", run_state(r));

	js_put_time(o, r->overlap ? "at" : "start", r->started_ms);
	js_put_time(o, "end", r->overlap ? 0 : r->ended_ms);
	js_put_int(o, "exit_code", r->exit_code, -1);
	js_put_int(o, "signal", r->signal, 0);
	js_put_int(o, "duration_ms", r->duration_ms, -1);
	put_output(o, r);
	return o;
}

static void
on_runs(
    void *arg, const struct store_job_run *r, size_t n, const struct err *err)
{
	struct ctl_ask *ask = arg;
	struct list l = { 0 };
	uint64_t next = 0;
	json_t *o, *one;

	if (!ask_stored(ask, err))
		return;
	l.items = json_array();
	for (size_t i = 0; i < n && has_room(&l, one = run_json(&r[i])); i++) {
		json_array_append_new(l.items, one);
		one = NULL;
		next = r[i].n;
	}
	if (l.cut)
		json_decref(one);
	o = json_pack("{s:o}", "runs", l.items);
	if (l.cut || (n > 0 && n >= ask->page))
		json_object_set_new(o, "next", json_integer((json_int_t)next));
	ask_reply(ask, o);
}

void
ctl_op_job(struct ctl_ask *ask, const json_t *request)
{
	struct store_job_filter f = { 0 };
	int64_t limit = 20, before = 0;
	struct err err = ERR_INIT;

	if (!ctl_need_str(request, "name", &f.name, &err) ||
	    !js_take_str(request, "host", &f.host, &err) ||
	    !js_take_int(request, "limit", 1, RUNS_MAX, &limit, &err) ||
	    !js_take_int(request, "before", 0, INT64_MAX, &before, &err)) {
		ask_fail(ask, &err);
		return;
	}
	f.limit = (unsigned)limit;
	f.before = (uint64_t)before;
	ask->page = (size_t)limit;
	ask_to_store(ask);
	if (!store_job_runs(core_store(ask_core(ask)), &f, on_runs, ask, &err))
		ask_store_failed(ask, &err);
}

void
ctl_op_job_forget(struct ctl_ask *ask, const json_t *request)
{
	const char *name, *host;
	struct err err = ERR_INIT;

	if (!ctl_need_str(request, "name", &name, &err) ||
	    !ctl_need_str(request, "host", &host, &err)) {
		ask_fail(ask, &err);
		return;
	}
	ask_to_store(ask);
	if (!job_forget(ask_core(ask), host, name, on_noted, ask, &err))
		ask_store_failed(ask, &err);
}
