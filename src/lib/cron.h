/*
 * cron - when a schedule is due next
 *
 * Five fields (minute hour day-of-month month day-of-week) as crontab(5)
 * has them: *, lists, ranges, steps, names of months and days, 7 for
 * Sunday; a day matches if either day field does, when both are
 * restricted. Also @hourly @daily @midnight @weekly @monthly @yearly
 * @annually, and "@every SPAN" (clock_span.c), counted from the epoch.
 *
 * Wall clock of a zone: a time that a change of the clock skips runs at
 * the first moment after the gap; one that occurs twice runs once, at its
 * first occurrence; fields with "*" or a step in minutes and hours follow
 * real time through both.
 */
#ifndef EWS_LIB_CRON_H
#define EWS_LIB_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/tz.h"

struct cron {
	uint64_t minutes; /* bit n: minute n */
	uint32_t hours, days, months; /* bit n; days and months from 1 */
	uint8_t weekdays; /* bit 0: Sunday */
	bool any_day, any_weekday; /* that field is "*" */
	bool steady; /* minutes and hours follow real time */
	int64_t every_ms; /* of @every; 0: the fields count */
};

/* False with err (EXIT_DATA, bad_argument): says which field and why. */
bool cron_parse(struct cron *, const char *text, struct err *);
/* The first time after 'after_ms' (Unix ms), or -1 if there is none within
 * nine years (February 30th). 'tz' is lent. */
int64_t cron_next(const struct cron *, const struct tz *, int64_t after_ms);

#endif
