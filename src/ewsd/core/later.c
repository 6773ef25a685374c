/*
 * later - lines that nobody waits for, many to a write
 *
 * Notes for histories, and what an agent's link went through. They rest
 * until the next tick (100 ms); a kill loses them.
 */
#include <stdlib.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

enum { REMARKS = 500, LINES = 500 };

struct later {
	struct store_remark remarks[REMARKS];
	struct store_agent_line lines[LINES];
	size_t n_remarks, n_lines;
};

static struct later *
later_of(struct core *core)
{
	if (core->later == NULL)
		core->later = mem_alloc(sizeof *core->later);
	return core->later;
}

void
later_free(struct core *core)
{
	free(core->later);
	core->later = NULL;
}

/* What the store has no room for is lost: it is only for the curious. */
void
later_flush(struct core *core)
{
	const struct core_limits *limits = core->config.limits;
	struct store *store = core->config.store;
	struct later *l = core->later;

	if (l == NULL)
		return;
	if (l->n_remarks > 0)
		store_notes(store, l->remarks, l->n_remarks);
	if (l->n_lines > 0 && !store_agent_log(store, l->lines, l->n_lines,
				  limits->agent_log_keep, NULL, NULL))
		log_limited("agent_log", LOG_WARN,
		    "store: no room for %zu lines of agents' logs", l->n_lines);
	l->n_remarks = l->n_lines = 0;
}

void
later_note(struct core *core, const char *id, const char *note)
{
	struct later *l = later_of(core);
	struct store_remark *r = &l->remarks[l->n_remarks++];

	str_copy(r->id, sizeof r->id, id);
	r->at_ms = core_wall(core);
	r->note = note;
	if (l->n_remarks == REMARKS)
		later_flush(core);
}

struct store_agent_line *
later_line(struct agent *a)
{
	struct core *core = a->core;
	struct later *l = later_of(core);
	struct store_agent_line *line;

	if (l->n_lines == LINES)
		later_flush(core);
	line = &l->lines[l->n_lines++];
	str_copy(line->agent, sizeof line->agent, a->id);
	line->at_ms = core_wall(core);
	return line;
}
