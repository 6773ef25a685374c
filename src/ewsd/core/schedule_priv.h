/*
 * schedule_priv - what the files about schedules share
 */
#ifndef EWS_EWSD_SCHEDULE_PRIV_H
#define EWS_EWSD_SCHEDULE_PRIV_H

#include "ewsd/core/core_priv.h"
#include "lib/cron.h"
#include "lib/tz.h"

struct schedule {
	struct core *core;
	char *id;
	/* Texts of our own, but last_command: that is 'last'. */
	struct store_schedule row;
	char last[129]; /* the last command; "" */
	struct cron cron;
	const struct tz *tz; /* of schedules.zones; NULL: cannot be read */
	size_t weight; /* bytes of the request */
	bool stored; /* its making is on disk */
	bool busy; /* a firing is on its way to the disk */
	bool going; /* its end is on its way to the disk */
	struct due_item due;
	UT_hash_handle hh;
};

struct zone {
	struct tz *tz;
	struct zone *next;
};

struct schedules {
	struct schedule *table;
	struct due due;
	struct zone *zones; /* kept: there are some hundreds at most */
	size_t bytes;
	uint64_t made; /* order of making */
	int64_t wall, mono; /* of the last tick */
};

/* In the table and nowhere else; the row is copied. */
struct schedule *schedule_make(struct core *, const struct store_schedule *);
void schedule_drop(struct schedule *); /* out of it, and freed */
/* Also one that is not yet, or soon no more, on disk; or NULL. */
struct schedule *schedule_any(struct core *, const char *id);
/* '*tz' is lent by the core. False with err. */
bool schedule_parse(struct core *, const char *text, const char *zone,
    struct cron *, const struct tz **tz, struct err *);
/* Into the heap, if it has a next time and may fire. */
void schedule_arm(struct schedule *);
/* Its next time may be one of a clock that was set back since. */
void schedule_loaded(struct schedule *);
/* Stores paused, next and missed; nobody waits. */
void schedule_save(struct schedule *, const char *what, const char *text);

#endif
