/* Schedules are made, paused and cancelled: told when it is on disk. */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/schedule_priv.h"
#include "lib/buf.h"
#include "lib/exit.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

/* ---- what waits for the disk ------------------------------------------ */

struct asked {
	struct core *core;
	char *id;
	schedule_done_fn *done;
	void *arg;
	bool paused; /* that was asked */
};

static struct asked *
asked_new(struct schedule *s, schedule_done_fn *done, void *arg)
{
	struct asked *a = mem_alloc(sizeof *a);

	*a =
	    (struct asked){ s->core, mem_dup(s->id), done, arg, s->row.paused };
	return a;
}

static void
asked_free(struct asked *a)
{
	free(a->id);
	free(a);
}

static struct store_line
line_now(const struct schedule *s, const char *what, const char *text)
{
	return (struct store_line){ core_wall(s->core), what, text };
}

void
schedule_save(struct schedule *s, const char *what, const char *text)
{
	struct store_line line = line_now(s, what, text);

	if (!store_schedule_set(
		s->core->config.store, &s->row, &line, NULL, NULL, NULL))
		log_limited("schedules", LOG_WARN,
		    "schedule %s: the store has no room to note: %s",
		    log_q(s->id), what);
}

/* ---- making ------------------------------------------------------------ */

static void
on_made(void *arg, const struct err *err)
{
	struct asked *a = arg;
	struct schedule *s = schedule_any(a->core, a->id);

	if (err == NULL) {
		s->stored = true;
		schedule_arm(s);
	}
	a->done(a->arg, err == NULL ? s : NULL, false, err);
	if (err != NULL)
		schedule_drop(s);
	asked_free(a);
}

/* The request as it is stored: the payload's bytes as they came. */
static char *
request_text(const struct command_request *r)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	buf_text(&b, "{\"payload\":");
	if (r->payload != NULL)
		buf_add(&b, r->payload, r->payload_len);
	else
		buf_text(&b, "{}");
	if (r->argv != NULL) {
		buf_text(&b, ",\"argv\":");
		buf_text(&b, r->argv);
	}
	buf_printf(&b, ",\"priority\":\"%s\"", priority_word(r->priority));
	if (r->deadline_ms > 0)
		buf_printf(
		    &b, ",\"deadline_ms\":%lld", (long long)r->deadline_ms);
	if (r->ttl_ms > 0)
		buf_printf(&b, ",\"ttl_ms\":%lld", (long long)r->ttl_ms);
	if (r->at_least_once)
		buf_text(&b, ",\"at_least_once\":true");
	if (r->evict_oldest)
		buf_text(&b, ",\"evict\":\"oldest\"");
	buf_text(&b, "}");
	return buf_take(&b, NULL);
}

static bool
form_ok(struct core *core, const struct command_request *r, struct err *err)
{
	if (core->draining)
		err_set(err, EXIT_RETRY, "draining", "the hub is stopping");
	else if (r->id != NULL &&
		 (!id_name_ok(r->id) || strlen(r->id) > SCHEDULE_ID_MAX))
		err_set(err, EXIT_DATA, "bad_argument",
		    "schedule_id: not a name (1 to %d bytes, no \"/\", no "
		    "control characters)",
		    SCHEDULE_ID_MAX);
	else
		return command_form_ok(core, r, err);
	return false;
}

static bool
has_room(struct core *core, size_t bytes, struct err *err)
{
	const struct core_limits *l = core->config.limits;
	const struct schedules *all = core->schedules;

	if (HASH_COUNT(all->table) >= l->schedules)
		err_set(err, EXIT_RETRY, "queue_full",
		    "the hub has %u schedules, that is the limit",
		    HASH_COUNT(all->table));
	else if (all->bytes + bytes > l->schedules_bytes)
		err_set(err, EXIT_RETRY, "queue_full",
		    "the hub's schedules are full, bytes: %zu of %zu",
		    all->bytes, l->schedules_bytes);
	else
		return true;
	return false;
}

static bool
repeated(struct schedule *s, const struct store_schedule *row,
    schedule_done_fn *done, void *arg, struct err *err)
{
	if (!str_eq(s->row.agent, row->agent) ||
	    !str_eq(s->row.type, row->type) ||
	    !str_eq(s->row.request, row->request) ||
	    !str_eq(s->row.cron, row->cron) || !str_eq(s->row.tz, row->tz) ||
	    s->row.late_skip != row->late_skip)
		err_set(err, EXIT_DATA, "conflict",
		    "schedule %s exists with another content", s->id);
	else if (!s->stored || s->going)
		err_set(err, EXIT_RETRY, "too_many",
		    "schedule %s is just being made or cancelled", s->id);
	else
		done(arg, s, true, NULL);
	return !err_isset(err);
}

static bool
add(struct core *core, struct store_schedule *row, const struct cron *cron,
    const struct tz *tz, schedule_done_fn *done, void *arg, struct err *err)
{
	struct store_line line;
	struct schedule *s;
	struct asked *a;
	int64_t next = cron_next(cron, tz, row->created_ms);

	if (next < 0) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "cron: \"%s\" never comes", row->cron);
		return false;
	}
	if (!has_room(core, strlen(row->request), err))
		return false;
	row->next_ms = next;
	s = schedule_make(core, row);
	s->cron = *cron;
	s->tz = tz;
	a = asked_new(s, done, arg);
	line = line_now(s, "created", NULL);
	if (store_schedule_add(
		core->config.store, &s->row, &line, on_made, a, err))
		return true;
	asked_free(a);
	schedule_drop(s);
	return false;
}

bool
schedule_submit(struct core *core, const struct schedule_request *r,
    schedule_done_fn *done, void *arg, struct err *err)
{
	const struct command_request *k = r->command;
	struct schedule *old;
	char uuid[ID_UUID_SIZE], *request;
	struct cron cron;
	const struct tz *tz;
	struct store_schedule row = { .id = k->id,
		.agent = k->agent,
		.type = k->type,
		.cron = r->cron,
		.tz = r->tz,
		.asker = k->asker,
		.late_skip = k->late_skip,
		.created_ms = core_wall(core) };
	bool ok;

	if (!form_ok(core, k, err) ||
	    !schedule_parse(core, r->cron, r->tz, &cron, &tz, err) ||
	    command_target(core, k, err) == NULL)
		return false;
	if (row.id == NULL) {
		id_uuid7(uuid, row.created_ms);
		row.id = uuid;
	}
	row.request = request = request_text(k);
	old = schedule_any(core, row.id);
	if (request == NULL) {
		err_set(err, EXIT_RETRY, "queue_full", "out of memory");
		ok = false;
	} else if (old != NULL) {
		ok = repeated(old, &row, done, arg, err);
	} else {
		ok = add(core, &row, &cron, tz, done, arg, err);
	}
	free(request);
	return ok;
}

/* ---- pausing ------------------------------------------------------------- */

/* The disk did not take it, and the asker is told so: it is as before. */
static void
unset(struct schedule *s, const struct asked *a)
{
	if (s->row.paused != a->paused)
		return; /* asked otherwise since */
	s->row.paused = !a->paused;
	schedule_arm(s);
}

static void
on_set(void *arg, const struct err *err)
{
	struct asked *a = arg;
	struct schedule *s = schedule_any(a->core, a->id);
	struct err none = ERR_INIT;

	if (s == NULL && err == NULL) /* cancelled meanwhile */
		err_set(&none, EXIT_NEGATIVE, "schedule_unknown",
		    "schedule %s was cancelled meanwhile", a->id);
	if (s == NULL && err == NULL)
		err = &none;
	if (s != NULL && err != NULL)
		unset(s, a);
	a->done(a->arg, err == NULL ? s : NULL, false, err);
	asked_free(a);
}

bool
schedule_pause(struct schedule *s, bool paused, schedule_done_fn *done,
    void *arg, struct err *err)
{
	struct store_schedule before = s->row;
	struct store_line line =
	    line_now(s, paused ? "paused" : "resumed", NULL);
	struct asked *a;

	if (s->row.paused == paused) {
		done(arg, s, true, NULL);
		return true;
	}
	s->row.paused = paused;
	if (!paused && s->tz != NULL) {
		int64_t next = cron_next(&s->cron, s->tz, core_wall(s->core));

		s->row.next_ms = next > 0 ? next : 0;
	}
	a = asked_new(s, done, arg);
	if (store_schedule_set(
		s->core->config.store, &s->row, &line, on_set, a, err)) {
		schedule_arm(s);
		return true;
	}
	s->row = before;
	asked_free(a);
	return false;
}

/* ---- cancelling ----------------------------------------------------------- */

static void
on_dropped(void *arg, const struct err *err)
{
	struct asked *a = arg;
	struct schedule *s = schedule_any(a->core, a->id);

	s->going = false;
	if (err != NULL)
		schedule_arm(s);
	a->done(a->arg, err == NULL ? s : NULL, false, err);
	if (err == NULL)
		schedule_drop(s);
	asked_free(a);
}

bool
schedule_cancel(
    struct schedule *s, schedule_done_fn *done, void *arg, struct err *err)
{
	struct asked *a = asked_new(s, done, arg);

	s->going = true;
	schedule_arm(s);
	if (store_schedule_drop(
		s->core->config.store, s->id, on_dropped, a, err))
		return true;
	s->going = false;
	schedule_arm(s);
	asked_free(a);
	return false;
}
