/*
 * time_kit - passing time in a core, and what a command became
 */
#ifndef EWS_TESTS_TIME_KIT_H
#define EWS_TESTS_TIME_KIT_H

#include "core_kit.h"

static const int64_t T0 = 1700000000000; /* 2023-11-14T22:13:20Z */

/* Both clocks go on; what that leads to is on disk. */
static inline void
pass(struct kit *k, int64_t ms)
{
	clock_advance(&k->clock, ms);
	core_tick(k->core);
	synced(k);
}

/* Somebody sets the clock. */
static inline void
set_clock(struct kit *k, int64_t wall_ms)
{
	k->clock.fake_wall = wall_ms;
	core_tick(k->core);
	synced(k);
}

struct found {
	char state[20], reason[40], schedule[120];
	char history[2000];
	int64_t late_ms, run_at_ms, expires_ms;
};

static inline void
keep_found(void *arg, const struct store_command *c,
    const struct store_history *h, size_t n, const struct err *err)
{
	struct found *f = arg;

	(void)err;
	pour(f->state, sizeof f->state, "%s",
	    c != NULL ? state_word(c->state) : "none");
	if (c == NULL)
		return;
	pour(f->reason, sizeof f->reason, "%s", or_dash(c->outcome.reason));
	pour(f->schedule, sizeof f->schedule, "%s", or_dash(c->schedule));
	f->late_ms = c->late_ms;
	f->run_at_ms = c->run_at_ms;
	f->expires_ms = c->expires_ms;
	for (size_t i = 0; i < n; i++)
		pour(f->history, sizeof f->history, "%s(%s) ",
		    h[i].is_note ? "note" : state_word(h[i].state),
		    or_dash(h[i].note));
}

/* A command as the disk has it. */
static inline struct found
found(struct kit *k, const char *id)
{
	struct found f = { 0 };

	assert_true(store_get(k->store, id, keep_found, &f, NULL));
	synced(k);
	return f;
}

#endif
