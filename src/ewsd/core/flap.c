/*
 * flap - two agents under one id throw each other out for ever; not here
 *
 * PROTOCOL 2.3: a few takeovers by a different instance within a short
 * time, and newcomers are refused for a while, so that one of them stays.
 */
#include <stdlib.h>
#include <string.h>

#include "ewsd/core/core_priv.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/str.h"

struct agent_flap {
	int64_t since; /* monotonic: first takeover of this count */
	unsigned count;
	int64_t hold_until;
};

static bool
is_other(const struct agent *a, const struct link_about *by)
{
	if (by->ours && a->ours && by->instance != NULL &&
	    a->instance[0] != '\0')
		return strcmp(a->instance, by->instance) != 0;
	/* Foreign ones show no more than where they come from; behind one
	 * address only the pace tells. */
	return true;
}

void
flap_takeover(struct agent *a, const struct link_about *by)
{
	const struct core_limits *l = a->core->config.limits;
	int64_t now = core_mono(a->core);
	struct agent_flap *f = a->flap;

	if (!is_other(a, by))
		return;
	if (f == NULL)
		f = a->flap = mem_alloc(sizeof *f);
	if (f->count == 0 || now - f->since > l->flap_window_ms) {
		f->since = now;
		f->count = 0;
	}
	if (++f->count < l->flap_takeovers)
		return;
	f->count = 0;
	f->hold_until = now + l->flap_hold_ms;
	agent_log(a, "damped",
	    "%u takeovers within %lld s: two agents use one id; newcomers "
	    "are refused for %lld s",
	    l->flap_takeovers, (long long)l->flap_window_ms / 1000,
	    (long long)l->flap_hold_ms / 1000);
	log_warn(
	    "agent %s: %u takeovers within %lld s, now from %s: two agents "
	    "use one id; newcomers are refused for %lld s",
	    log_q(a->id), l->flap_takeovers,
	    (long long)l->flap_window_ms / 1000, by->address,
	    (long long)l->flap_hold_ms / 1000);
}

bool
agent_admit(struct core *core, const char *id, int64_t *retry_ms)
{
	struct agent *a = agent_find(core, id);
	int64_t left;

	/* Where nobody is connected there is nobody to fight with. */
	if (a == NULL || a->flap == NULL || a->kind != LINK_WEBSOCKET)
		return true;
	left = a->flap->hold_until - core_mono(core);
	if (left <= 0)
		return true;
	core->stats.flaps++;
	*retry_ms = left;
	return false;
}
