/* When schedules fire, and what became of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ewsd/core/schedule_priv.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum {
	COUNT_MAX = 10000, /* missed ones counted after one pause */
	TICK_STEPS = 20000, /* looks at a cron line in one tick */
	RETRY_MS = 1000, /* after the disk refused */
	BACK_MS = 3 * 3600 * 1000 /* a clock that goes back: look anew */
};

#define schedule_of(item)                                                      \
	((struct schedule *)((char *)(item)-offsetof(struct schedule, due)))

struct fire {
	struct watcher watcher; /* first */
	struct core *core;
	char schedule[SCHEDULE_ID_MAX + 1];
	/* as it was, for a disk that refuses */
	int64_t next_ms, last_ms;
	uint64_t missed;
	char last[129];
	int64_t late_ms;
};

/* What is due by now, all of it at once. */
struct round {
	int64_t due_ms; /* the last that is due */
	int64_t next_ms; /* 0: never again */
	uint64_t missed; /* those before it */
};

/* The last due time that is not after 'now'. 'first' is one. */
static int64_t
last_due(const struct schedule *s, int64_t first, int64_t now, int *steps)
{
	int64_t in = first, out = now; /* one due in [in, ...]; none > out */

	while (out - in > 1) {
		int64_t half = in + (out - in) / 2;
		int64_t t = cron_next(&s->cron, s->tz, half);

		--*steps;
		if (t > 0 && t <= now)
			in = t;
		else
			out = half;
	}
	return in;
}

static uint64_t
count_before(const struct schedule *s, int64_t first, int64_t last, int *steps)
{
	uint64_t n = 0;

	if (s->cron.every_ms > 0)
		return (uint64_t)((last - first) / s->cron.every_ms);
	for (; first > 0 && first < last && n < COUNT_MAX; n++, --*steps)
		first = cron_next(&s->cron, s->tz, first);
	return n;
}

static struct round
look(const struct schedule *s, int64_t now, int *steps)
{
	struct round r = { .due_ms = s->row.next_ms };
	int64_t next = cron_next(&s->cron, s->tz, r.due_ms);

	--*steps;
	if (next > 0 && next <= now) {
		r.due_ms = last_due(s, next, now, steps);
		r.missed = count_before(s, s->row.next_ms, r.due_ms, steps);
		next = cron_next(&s->cron, s->tz, r.due_ms);
	}
	r.next_ms = next > 0 ? next : 0;
	return r;
}

/* ---- not fired ------------------------------------------------------------ */

static void
miss(struct schedule *s, const struct round *r, const char *why)
{
	char text[200];

	s->row.missed += r->missed + 1;
	s->row.next_ms = r->next_ms;
	snprintf(text, sizeof text, "%llu, %s",
	    (unsigned long long)r->missed + 1, why);
	log_limited(
	    s->id, LOG_WARN, "schedule %s: missed %s", log_q(s->id), text);
	schedule_save(s, "missed", text);
	schedule_arm(s);
}

/* ---- fired ------------------------------------------------------------------ */

static void
name_firing(char *out, size_t size, const struct schedule *s, int64_t due_ms)
{
	time_t t = (time_t)(due_ms / 1000);
	char stamp[20];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(out, size, "%s.%s", s->id, stamp);
}

static void
set_last(struct schedule *s, const char *id)
{
	str_copy(s->last, sizeof s->last, id);
	s->row.last_command = s->last[0] != '\0' ? s->last : NULL;
}

static void
fire_soon(struct schedule *s)
{
	schedule_arm(s);
	if (s->due.place != 0)
		due_put(&s->core->schedules->due, &s->due,
		    core_wall(s->core) + RETRY_MS);
}

/* Nothing of it is on disk: again in a while. */
static void
undo(struct schedule *s, const struct fire *f)
{
	s->row.next_ms = f->next_ms;
	s->row.last_ms = f->last_ms;
	s->row.missed = f->missed;
	s->row.fired--;
	set_last(s, f->last);
	fire_soon(s);
}

static void
settle(struct schedule *s, const struct fire *f, const struct command *c,
    bool duplicate, const struct err *err)
{
	s->busy = false;
	if (err != NULL && strcmp(err->code, "conflict") != 0) {
		log_limited(s->id, LOG_WARN, "schedule %s: not fired now: %s",
		    log_q(s->id), err->text);
		undo(s, f);
		return;
	}
	if (err != NULL)
		s->row.missed++;
	if (err != NULL || duplicate)
		s->row.fired--;
	else if (f->late_ms > 0) {
		char text[64];

		store_note(s->core->config.store, c->id, core_wall(s->core),
		    planned_late_text(text, sizeof text, f->late_ms));
	}
	schedule_arm(s);
}

static void
on_accepted(struct watcher *w, const struct command *c, bool duplicate,
    const struct err *err)
{
	struct fire *f = (struct fire *)w;
	struct schedule *s;

	HASH_FIND_STR(f->core->schedules->table, f->schedule, s);
	if (s != NULL && s->busy)
		settle(s, f, c, duplicate, err);
	watcher_stop(w);
	free(f);
}

static void
on_ended(struct watcher *w, const struct command *c, const json_t *result)
{
	(void)w; /* not reached: nobody watches that long */
	(void)c;
	(void)result;
}

static struct fire *
fire_new(const struct schedule *s, int64_t late_ms)
{
	struct fire *f = mem_alloc(sizeof *f);

	f->watcher.accepted = on_accepted;
	f->watcher.ended = on_ended;
	f->core = s->core;
	f->next_ms = s->row.next_ms;
	f->last_ms = s->row.last_ms;
	f->missed = s->row.missed;
	f->late_ms = late_ms;
	str_copy(f->schedule, sizeof f->schedule, s->id);
	str_copy(f->last, sizeof f->last, s->last);
	return f;
}

/* What is sent, from the request that was stored; 'o' is js_read of it. */
static void
read_request(const struct schedule *s, const json_t *o,
    struct command_request *r, char **argv)
{
	json_t *list = js_get(o, "argv");

	r->payload =
	    js_span(s->row.request, s->weight, "payload", &r->payload_len);
	r->argv = *argv = list != NULL ? js_write(list) : NULL;
	priority_from(
	    js_str(o, "priority") != NULL ? js_str(o, "priority") : "normal",
	    &r->priority);
	r->deadline_ms = js_int(o, "deadline_ms", 0);
	r->ttl_ms = js_int(o, "ttl_ms", 0);
	r->at_least_once = js_bool(o, "at_least_once", false);
	r->evict_oldest = js_get(o, "evict") != NULL;
}

static const char *
firing_text(
    char *out, size_t size, const char *id, int64_t late_ms, uint64_t missed)
{
	char late[64] = "fired in time", before[48] = "";

	planned_late_text(late, sizeof late, late_ms);
	if (missed > 0)
		snprintf(before, sizeof before, ", %llu before it missed",
		    (unsigned long long)missed);
	snprintf(out, size, "%s: %s%s", id, late, before);
	return out;
}

static bool
submit(struct schedule *s, const struct round *r, const char *id,
    struct fire *f, struct err *err)
{
	json_t *o =
	    js_read_deep(s->row.request, s->weight, JS_DEPTH_WRAPPED, NULL);
	struct store_firing firing = { &s->row, NULL };
	char text[256];
	char *argv = NULL;
	struct command_request k = { .agent = s->row.agent,
		.type = s->row.type,
		.id = id,
		.asker = s->row.asker,
		.priority = PRIO_NORMAL,
		.run_at_ms = r->due_ms,
		.late_ms = f->late_ms,
		.schedule = s->id,
		.firing = &firing,
		.queue_unknown = true };
	bool ok;

	firing.text = firing_text(text, sizeof text, id, f->late_ms, r->missed);
	read_request(s, o, &k, &argv);
	ok = command_submit(s->core, &k, &f->watcher, err);
	free(argv);
	json_decref(o);
	return ok;
}

/* Refused, though it has the form and its queue has room: too much waits for
 * the disk just now. */
static bool
will_do_soon(const struct schedule *s, const struct err *refused)
{
	const struct agent *a = agent_find(s->core, s->row.agent);
	struct err err = ERR_INIT;

	return refused->status == EXIT_RETRY && !s->core->draining &&
	       a != NULL && command_room(s->core, a, s->weight, &err);
}

static void
fire(struct schedule *s, const struct round *r, int64_t now)
{
	struct fire *f = fire_new(s, planned_late(r->due_ms, now));
	struct store_schedule before = s->row;
	struct err err = ERR_INIT;
	struct command *there;
	char id[129];

	name_firing(id, sizeof id, s, r->due_ms);
	there = command_find(s->core, id);
	if (there != NULL && !str_eq(there->schedule, s->id)) {
		free(f);
		miss(s, r, "a command of that id exists");
		return;
	}
	if (there != NULL) { /* the clock went back */
		s->row.next_ms = r->next_ms;
		schedule_save(s, NULL, NULL);
		schedule_arm(s);
		free(f);
		return;
	}
	s->busy = true;
	s->row.next_ms = r->next_ms;
	s->row.last_ms = r->due_ms;
	s->row.missed += r->missed;
	s->row.fired++;
	set_last(s, id);
	if (submit(s, r, id, f, &err))
		return;
	s->busy = false;
	s->row = before;
	set_last(s, f->last);
	free(f);
	if (will_do_soon(s, &err))
		fire_soon(s);
	else
		miss(s, r, err.text);
}

/* ---- time ------------------------------------------------------------------- */

static void
fire_due(struct schedule *s, int64_t now, int *steps)
{
	int64_t most = s->core->config.limits->late_after_ms;
	struct round r = look(s, now, steps);

	due_take(&s->core->schedules->due, &s->due);
	if (s->row.late_skip && now - r.due_ms > most)
		miss(s, &r, "their time passed while nobody could fire");
	else
		fire(s, &r, now);
}

/* The clock went back: what would be due before the next time we know? */
static void
look_anew(struct schedule *s, int64_t now)
{
	int64_t t;

	if (s->tz == NULL || s->busy || s->row.paused)
		return;
	t = cron_next(&s->cron, s->tz, now);
	if (t <= 0 || (s->row.next_ms != 0 && t >= s->row.next_ms))
		return;
	s->row.next_ms = t;
	schedule_save(s, "moved", "the hub's clock went back");
	schedule_arm(s);
}

void
schedule_loaded(struct schedule *s)
{
	int64_t now = core_wall(s->core);

	if (now < s->row.last_ms - BACK_MS || now < s->row.created_ms - BACK_MS)
		look_anew(s, now);
}

static bool
went_back(struct schedules *all, int64_t wall, int64_t mono)
{
	bool first = all->mono == 0;
	int64_t gain = (wall - all->wall) - (mono - all->mono);

	all->wall = wall;
	all->mono = mono;
	return !first && gain < -BACK_MS;
}

void
schedules_tick(struct core *core)
{
	struct schedules *all = core->schedules;
	int64_t now = core_wall(core);
	struct schedule *s, *next;
	int steps = TICK_STEPS;
	struct due_item *i;

	if (went_back(all, now, core_mono(core)))
		HASH_ITER (hh, all->table, s, next)
			look_anew(s, now);
	while (!core->draining && steps > 0 &&
	       (i = due_first(&all->due, now)) != NULL)
		fire_due(schedule_of(i), now, &steps);
}
