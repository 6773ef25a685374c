#include "ewsd/core/core.h"

#include <stdlib.h>

#include "ewsd/core/core_priv.h"
#include "ewsd/core/jobs.h"
#include "lib/mem.h"

enum { PRUNE_EVERY_MS = 10 * 1000 };

struct core *
core_new(const struct core_config *config, struct err *err)
{
	struct core *core = mem_alloc(sizeof *core);

	core->config = *config;
	core->born_mono = core_mono(core);
	core->last_seq = store_last_seq(config->store);
	if (!core_load(core, err) || !jobs_load(core, err)) {
		core_free(core);
		return NULL;
	}
	return core;
}

void
core_free(struct core *core)
{
	struct command *c, *next_command;
	struct agent *a, *next_agent;

	if (core == NULL)
		return;
	command_give_up_unsaved(core);
	HASH_ITER (by_id, core->by_id, c, next_command)
		command_drop(c);
	HASH_ITER (hh, core->agents, a, next_agent)
		agent_free(a);
	jobs_free(core);
	schedules_free(core);
	due_fini(&core->planned);
	later_free(core);
	free(core);
}

static void
prune(struct core *core)
{
	const struct core_limits *l = core->config.limits;
	int64_t now = core_mono(core);

	if (core->pruned_mono != 0 && now - core->pruned_mono < PRUNE_EVERY_MS)
		return;
	core->pruned_mono = now;
	store_prune(core->config.store, core_wall(core) - l->retain_ms,
	    l->retain_count);
}

/* Holds that are over. */
static void
pump_held(struct core *core)
{
	struct agent *a;

	if (!core->held)
		return;
	core->held = false;
	for (a = core->agents; a != NULL; a = a->hh.next) {
		struct agent_queues *q = a->queues;

		if (q->hold_until > core_mono(core))
			core->held = true;
		if (q->hold_until == 0 || q->hold_until > core_mono(core))
			continue;
		q->hold_until = 0;
		agent_pump(a);
	}
}

void
core_tick(struct core *core)
{
	command_retry_unsaved(core);
	later_flush(core);
	pump_held(core);
	jobs_tick(core);
	watch_tick(core);
	planned_tick(core);
	schedules_tick(core);
	prune(core);
}

void
core_drain(struct core *core)
{
	core->draining = true;
	later_flush(core);
}

bool
core_draining(const struct core *core)
{
	return core->draining;
}

struct store *
core_store(const struct core *core)
{
	return core->config.store;
}

const struct core_limits *
core_limits(const struct core *core)
{
	return core->config.limits;
}

struct stats *
core_stats(struct core *core)
{
	return &core->stats;
}

void
core_gauges(struct core *core)
{
	struct stats *s = &core->stats;
	struct agent *a;

	s->agents_polling = 0;
	for (a = core->agents; a != NULL; a = a->hh.next)
		if (agent_polls(a))
			s->agents_polling++;
	s->commands_waiting = core->waiting;
	s->commands_waiting_bytes = core->waiting_bytes;
}

int64_t
core_wall(const struct core *core)
{
	return clock_wall(core->config.clock);
}

int64_t
core_mono(const struct core *core)
{
	return clock_mono(core->config.clock);
}
