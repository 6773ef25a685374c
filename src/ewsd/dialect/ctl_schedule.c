/*
 * ctl_schedule - work for later: the times of a "send", and schedules
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/agents.h"
#include "ewsd/core/schedule.h"
#include "ewsd/dialect/ctl_priv.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "lib/str.h"

#define AHEAD_MAX_MS (10 * 366 * INT64_C(86400000))

/* One answer is one line of at most 1 MiB. */
enum { LIST_BYTES = 900 * 1024, LIST_MAX = 10000, LIST_USUAL = 1000 };
enum { TERM_SIGNAL = 15, GRACE_MS = 5000 };

/* ---- the times of a send ------------------------------------------------- */

static bool
take_late(const json_t *request, struct command_request *r, struct err *err)
{
	const char *late = "run";

	if (!js_take_str(request, "late", &late, err))
		return false;
	r->late_skip = strcmp(late, "skip") == 0;
	if (r->late_skip || strcmp(late, "run") == 0)
		return true;
	err_set(err, EXIT_DATA, "bad_argument", "late: must be run or skip");
	return false;
}

/* What belongs to another kind of request. */
static bool
kinds_ok(
    const json_t *request, const struct command_request *r, struct err *err)
{
	bool cron = js_get(request, "cron") != NULL;
	bool at = js_get(request, "at_ms") != NULL;
	const char *why = NULL;

	if (r->at_edge && !at)
		why = "at_edge: needs at_ms";
	else if (r->at_edge && r->priority == PRIO_IMMEDIATE)
		why = "at_edge: no agent holds what has priority immediate";
	else if (cron && at)
		why = "cron: not with at_ms";
	else if (cron && (r->stream || r->stdin_stream))
		why = "cron: nobody is there for stream or stdin";
	else if (cron && r->id != NULL)
		why = "command_id: with cron it is schedule_id";
	else if (!cron && (js_get(request, "schedule_id") != NULL ||
			      js_get(request, "tz") != NULL))
		why = "schedule_id, tz: only with cron";
	if (why != NULL)
		err_set(err, EXIT_DATA, "bad_argument", "%s", why);
	return why == NULL;
}

/* Before the closing brace; all that is there stays as it is. */
static char *
append_send_at(
    const char *text, size_t len, const char *at, bool empty, size_t *out_len)
{
	struct buf b;
	char *out;

	while (text[len - 1] != '}')
		len--;
	buf_init(&b, SIZE_MAX / 2);
	buf_add(&b, text, len - 1);
	buf_printf(&b, "%s\"send_at\":\"%s\"}", empty ? "" : ",", at);
	out = buf_take(&b, out_len);
	buf_fini(&b);
	return out;
}

/* One that is null gives way: a key must not stand there twice. */
static char *
replace_send_at(json_t *o, const char *at, size_t *len)
{
	char *out;

	json_object_set_new(o, "send_at", json_string(at));
	out = js_write(o);
	*len = out != NULL ? strlen(out) : 0;
	return out;
}

/* PROTOCOL 2.5: the time of this type is in its payload. The rest of the
 * payload's bytes stay as they are. */
static bool
add_send_at(struct command_request *r, char **heap, struct err *err)
{
	const char *text = r->payload != NULL ? r->payload : "{}";
	size_t len = r->payload != NULL ? r->payload_len : 2;
	json_t *o = js_read_object(text, len, err);
	char at[CLOCK_TEXT_SIZE];

	if (o == NULL)
		return false;
	clock_text(at, r->run_at_ms);
	if (js_get(o, "send_at") == NULL) {
		*heap = json_object_get(o, "send_at") != NULL
			    ? replace_send_at(o, at, &r->payload_len)
			    : append_send_at(text, len, at,
				  json_object_size(o) == 0, &r->payload_len);
		r->payload = *heap;
	}
	json_decref(o);
	return r->payload != NULL;
}

bool
ctl_take_time(const struct ctl_ask *ask, const json_t *request,
    struct command_request *r, char **heap, struct err *err)
{
	int64_t now = core_wall(ask_core(ask));

	if (js_int(request, "at_ms", 0) > now + AHEAD_MAX_MS) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "at_ms: is more than ten years ahead");
		return false;
	}
	if (!js_take_int(
		request, "at_ms", 1, now + AHEAD_MAX_MS, &r->run_at_ms, err) ||
	    !js_take_int(request, "ttl_ms", 1, AHEAD_MAX_MS, &r->ttl_ms, err) ||
	    !js_take_bool(request, "at_edge", &r->at_edge, err) ||
	    !take_late(request, r, err) || !kinds_ok(request, r, err))
		return false;
	if (r->at_edge && strcmp(r->type, "schedule_message") == 0)
		return add_send_at(r, heap, err);
	return true;
}

/* ---- making one ------------------------------------------------------------ */

static void
on_schedule(
    void *arg, const struct schedule *s, bool duplicate, const struct err *err)
{
	struct ctl_ask *ask = arg;
	json_t *o;

	if (!ask_stored(ask, err))
		return;
	o = schedule_json(s, true);
	json_object_set_new(o, "duplicate", json_boolean(duplicate));
	ask_reply(ask, o);
}

static void
still_at_disk(struct ctl_ask *ask)
{
	struct err err = ERR_INIT;

	err_set(&err, EXIT_DEADLINE, "deadline",
	    "the disk has not taken the schedule yet; it may still");
	ask_fail(ask, &err);
}

void
ctl_send_cron(
    struct ctl_ask *ask, const json_t *request, struct command_request *k)
{
	struct schedule_request r = { .command = k, .tz = "UTC" };
	struct err err = ERR_INIT;

	if (!js_take_str(request, "cron", &r.cron, &err) ||
	    !js_take_str(request, "tz", &r.tz, &err) ||
	    !js_take_str(request, "schedule_id", &k->id, &err)) {
		ask_fail(ask, &err);
		return;
	}
	ask->on_deadline = still_at_disk;
	ask_to_store(ask);
	if (!schedule_submit(ask_core(ask), &r, on_schedule, ask, &err))
		ask_store_failed(ask, &err);
}

/* ---- showing them ------------------------------------------------------------ */

struct plan {
	int64_t next;
	const char *id;
	const struct schedule *schedule; /* or */
	const struct command *command;
};

struct plans {
	const char *agent; /* or NULL: all */
	struct plan *all;
	size_t n, cap;
};

static void
add(struct plans *p, const char *agent, const struct plan *one)
{
	if (p->agent != NULL && strcmp(p->agent, agent) != 0)
		return;
	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 64 : 2 * p->cap;
		p->all = mem_realloc(p->all, p->cap * sizeof *p->all);
	}
	p->all[p->n++] = *one;
}

static void
add_schedule(void *arg, const struct schedule *s)
{
	add(arg, schedule_agent(s),
	    &(struct plan){ schedule_next(s), schedule_id(s), s, NULL });
}

static void
add_command(void *arg, const struct command *c)
{
	add(arg, c->agent->id, &(struct plan){ c->run_at_ms, c->id, NULL, c });
}

/* What comes next first; what never comes last. */
static int
by_next(const void *a, const void *b)
{
	const struct plan *x = a, *y = b;

	if (x->next != y->next)
		return x->next == 0 ? 1
		       : y->next == 0
			   ? -1
			   : (x->next > y->next) - (x->next < y->next);
	return strcmp(x->id, y->id);
}

static json_t *
plan_json(const struct plan *p)
{
	return p->schedule != NULL ? schedule_json(p->schedule, false)
				   : command_plan_json(p->command, false);
}

void
ctl_op_schedules(struct ctl_ask *ask, const json_t *request)
{
	struct plans p = { 0 };
	struct err err = ERR_INIT;
	int64_t limit = LIST_USUAL;
	json_t *list = json_array();
	size_t bytes = 0, i;

	if (!js_take_str(request, "agent", &p.agent, &err) ||
	    !js_take_int(request, "limit", 1, LIST_MAX, &limit, &err)) {
		json_decref(list);
		ask_fail(ask, &err);
		return;
	}
	schedule_each(ask_core(ask), add_schedule, &p);
	command_each_planned(ask_core(ask), add_command, &p);
	if (p.n > 0)
		qsort(p.all, p.n, sizeof *p.all, by_next);
	for (i = 0; i < p.n && i < (size_t)limit && bytes < LIST_BYTES; i++) {
		json_t *o = plan_json(&p.all[i]);

		bytes += json_dumpb(o, NULL, 0, JSON_COMPACT) + 1;
		json_array_append_new(list, o);
	}
	free(p.all);
	ask_reply(
	    ask, json_pack("{s:o,s:b}", "schedules", list, "more", i < p.n));
}

/* ---- one of them -------------------------------------------------------------- */

/* Answers if there is none of that name. */
static bool
take_one(struct ctl_ask *ask, const json_t *request, struct schedule **s,
    struct command **c)
{
	struct err err = ERR_INIT;
	const char *id;

	*c = NULL;
	*s = NULL;
	if (!ctl_need_str(request, "schedule_id", &id, &err)) {
		ask_fail(ask, &err);
		return false;
	}
	*s = schedule_find(ask_core(ask), id);
	if (*s == NULL)
		*c = command_find(ask_core(ask), id);
	if (*c != NULL && !command_is_planned(*c))
		*c = NULL;
	if (*s != NULL || *c != NULL) {
		str_copy(ask->command_id, sizeof ask->command_id, id);
		return true;
	}
	err_set(&err, EXIT_NEGATIVE, "schedule_unknown",
	    "no schedule %s, and no command of that id waits for its time", id);
	ask_fail(ask, &err);
	return false;
}

static json_t *
lines_json(const struct store_line *l, size_t n)
{
	json_t *list = json_array();
	char at[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_pack("{s:s,s:s}", "at",
		    clock_text(at, l[i].at_ms), "what", l[i].what);

		if (l[i].text != NULL)
			json_object_set_new(o, "text", json_string(l[i].text));
		json_array_append_new(list, o);
	}
	return list;
}

static void
on_lines(
    void *arg, const struct store_line *l, size_t n, const struct err *failure)
{
	struct ctl_ask *ask = arg;
	struct err err = ERR_INIT;
	struct schedule *s;
	json_t *o;

	if (!ask_from_store(ask))
		return;
	s = schedule_find(ask_core(ask), ask->command_id);
	if (failure != NULL)
		err = *failure;
	else if (s == NULL)
		err_set(&err, EXIT_NEGATIVE, "schedule_unknown",
		    "schedule %s was cancelled just now", ask->command_id);
	if (err_isset(&err)) {
		ask_fail(ask, &err);
		return;
	}
	o = schedule_json(s, true);
	json_object_set_new(o, "history", lines_json(l, n));
	ask_reply(ask, o);
}

void
ctl_op_schedule(struct ctl_ask *ask, const json_t *request)
{
	struct err err = ERR_INIT;
	struct schedule *s;
	struct command *c;

	if (!take_one(ask, request, &s, &c))
		return;
	if (s == NULL) {
		ask_reply(ask, command_plan_json(c, true));
		return;
	}
	ask_to_store(ask);
	if (!store_schedule_log(core_store(ask_core(ask)), ask->command_id,
		on_lines, ask, &err))
		ask_store_failed(ask, &err);
}

static void
set_paused(struct ctl_ask *ask, const json_t *request, bool paused)
{
	struct err err = ERR_INIT;
	struct schedule *s;
	struct command *c;

	if (!take_one(ask, request, &s, &c))
		return;
	if (s == NULL) {
		err_set(&err, EXIT_DATA, "bad_argument",
		    "schedule_id: %s is one command, which can be cancelled "
		    "but not paused",
		    ask->command_id);
		ask_fail(ask, &err);
		return;
	}
	ask_to_store(ask);
	if (!schedule_pause(s, paused, on_schedule, ask, &err))
		ask_store_failed(ask, &err);
}

void
ctl_op_schedule_pause(struct ctl_ask *ask, const json_t *request)
{
	set_paused(ask, request, true);
}

void
ctl_op_schedule_resume(struct ctl_ask *ask, const json_t *request)
{
	set_paused(ask, request, false);
}

void
ctl_op_schedule_cancel(struct ctl_ask *ask, const json_t *request)
{
	struct err err = ERR_INIT;
	struct schedule *s;
	struct command *c;

	if (!take_one(ask, request, &s, &c))
		return;
	if (s == NULL) {
		ask->plan = command_plan_json(c, true);
		ctl_take_back(ask, TERM_SIGNAL, GRACE_MS);
		return;
	}
	ask_to_store(ask);
	if (!schedule_cancel(s, on_schedule, ask, &err))
		ask_store_failed(ask, &err);
}
