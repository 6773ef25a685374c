/*
 * tz_rule - the footer of a zone file: "CET-1CEST,M3.5.0,M10.5.0/3"
 *
 * POSIX's TZ with what RFC 8536 3.3.1 adds: times of a change from -167 to
 * 167 hours. Private to tz.
 */
#ifndef EWS_LIB_TZ_RULE_H
#define EWS_LIB_TZ_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum tz_day {
	TZ_JULIAN, /* Jn: 1 to 365, February 29 is never counted */
	TZ_ZERO_BASED, /* n: 0 to 365, February 29 counts */
	TZ_WEEKDAY /* Mm.w.d */
};

struct tz_change {
	enum tz_day kind;
	int day; /* of the year, or the week's (0: Sunday) */
	int month, week; /* of TZ_WEEKDAY; week 5 is the last */
	int32_t seconds; /* after that day's midnight, by the old clock */
};

struct tz_rule {
	int32_t std, dst; /* seconds east of UTC */
	bool changes;
	struct tz_change start, end; /* of the summer */
};

/* False if it is no such rule, to its last byte. */
bool tz_rule_parse(struct tz_rule *, const char *text);
int32_t tz_rule_offset(const struct tz_rule *, int64_t at);
/* The next time after 'at' at which the rule has a change, or INT64_MAX. */
int64_t tz_rule_next(const struct tz_rule *, int64_t at);

#endif
