/* What schedules there are. */
#include "ewsd/core/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "ewsd/core/schedule_priv.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { CRON_MAX = 256 };

/* ---- in memory -------------------------------------------------------- */

static const struct tz *
zone_open(struct schedules *all, const char *name, struct err *err)
{
	struct zone *z;

	for (z = all->zones; z != NULL; z = z->next)
		if (strcmp(tz_name(z->tz), name) == 0)
			return z->tz;
	z = mem_alloc(sizeof *z);
	z->tz = tz_open(name, err);
	if (z->tz == NULL) {
		free(z);
		return NULL;
	}
	z->next = all->zones;
	all->zones = z;
	return z->tz;
}

struct schedule *
schedule_make(struct core *core, const struct store_schedule *row)
{
	struct schedule *s = mem_alloc(sizeof *s);

	s->core = core;
	s->row = *row;
	s->row.id = s->id = mem_dup(row->id);
	s->row.agent = mem_dup(row->agent);
	s->row.type = mem_dup(row->type);
	s->row.request = mem_dup(row->request);
	s->row.cron = mem_dup(row->cron);
	s->row.tz = mem_dup(row->tz);
	s->row.asker = mem_dup(row->asker);
	if (row->last_command != NULL)
		str_copy(s->last, sizeof s->last, row->last_command);
	s->row.last_command = s->last[0] != '\0' ? s->last : NULL;
	s->weight = strlen(row->request);
	s->due.order = ++core->schedules->made;
	core->schedules->bytes += s->weight;
	HASH_ADD_KEYPTR(hh, core->schedules->table, s->id, strlen(s->id), s);
	return s;
}

void
schedule_drop(struct schedule *s)
{
	struct schedules *all = s->core->schedules;

	due_take(&all->due, &s->due);
	all->bytes -= s->weight;
	HASH_DEL(all->table, s);
	free(s->id);
	free((char *)s->row.agent);
	free((char *)s->row.type);
	free((char *)s->row.request);
	free((char *)s->row.cron);
	free((char *)s->row.tz);
	free((char *)s->row.asker);
	free(s);
}

struct schedule *
schedule_any(struct core *core, const char *id)
{
	struct schedule *s;

	HASH_FIND_STR(core->schedules->table, id, s);
	return s;
}

struct schedule *
schedule_find(struct core *core, const char *id)
{
	struct schedule *s = schedule_any(core, id);

	return s != NULL && s->stored && !s->going ? s : NULL;
}

void
schedule_each(struct core *core, schedule_fn *fn, void *arg)
{
	struct schedule *s, *next;

	HASH_ITER (hh, core->schedules->table, s, next)
		if (s->stored && !s->going)
			fn(arg, s);
}

const char *
schedule_agent(const struct schedule *s)
{
	return s->row.agent;
}

const char *
schedule_id(const struct schedule *s)
{
	return s->id;
}

int64_t
schedule_next(const struct schedule *s)
{
	return s->row.paused || s->tz == NULL ? 0 : s->row.next_ms;
}

void
schedule_arm(struct schedule *s)
{
	struct schedules *all = s->core->schedules;

	if (s->row.next_ms == 0 || s->row.paused || s->busy || s->going ||
	    !s->stored || s->tz == NULL)
		due_take(&all->due, &s->due);
	else
		due_put(&all->due, &s->due, s->row.next_ms);
}

bool
schedule_parse(struct core *core, const char *text, const char *zone,
    struct cron *cron, const struct tz **tz, struct err *err)
{
	if (strlen(text) > CRON_MAX) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "cron: longer than %d bytes", CRON_MAX);
		return false;
	}
	if (!cron_parse(cron, text, err))
		return false;
	if (cron->every_ms != 0 && cron->every_ms < 1000) {
		err_set(err, EXIT_DATA, "bad_argument",
		    "cron: not more often than every second");
		return false;
	}
	*tz = zone_open(core->schedules, zone, err);
	return *tz != NULL;
}

/* ---- start and end --------------------------------------------------------- */

static void
load(void *arg, const struct store_schedule *row)
{
	struct schedule *s = schedule_make(arg, row);
	struct err err = ERR_INIT;

	s->stored = true;
	if (!schedule_parse(
		s->core, s->row.cron, s->row.tz, &s->cron, &s->tz, &err)) {
		s->tz = NULL;
		log_error(
		    "schedule %s: cannot fire: %s", log_q(s->id), err.text);
	}
	schedule_arm(s);
	schedule_loaded(s);
}

bool
schedules_load(struct core *core, struct err *err)
{
	core->schedules = mem_alloc(sizeof *core->schedules);
	return store_load_schedules(core->config.store, load, core, err);
}

void
schedules_free(struct core *core)
{
	struct schedules *all = core->schedules;
	struct schedule *s, *next;
	struct zone *z;

	if (all == NULL)
		return;
	HASH_ITER (hh, all->table, s, next)
		schedule_drop(s);
	while ((z = all->zones) != NULL) {
		all->zones = z->next;
		tz_free(z->tz);
		free(z);
	}
	due_fini(&all->due);
	free(all);
}
