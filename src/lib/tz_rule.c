#include "lib/tz_rule.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "lib/day.h"

static bool
take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

static bool
take_number(const char **s, int min, int max, int *out)
{
	int n = 0, digits = 0;

	for (; **s >= '0' && **s <= '9' && digits < 4; ++*s, digits++)
		n = n * 10 + (**s - '0');
	*out = n;
	return digits > 0 && n >= min && n <= max;
}

/* "CET", "<+0530>": at least three characters, and no use to us. */
static bool
skip_name(const char **s)
{
	const char *from = *s;
	bool quoted = take_char(s, '<');

	if (quoted)
		from++;
	while (isalpha((unsigned char)**s) ||
	       (quoted && **s != '\0' && strchr("0123456789+-", **s) != NULL))
		++*s;
	return *s - from >= 3 && (!quoted || take_char(s, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool
take_time(const char **s, int max_hours, int32_t *out)
{
	int sign = **s == '-' ? -1 : 1, h, m = 0, sec = 0;

	if (**s == '+' || **s == '-')
		++*s;
	if (!take_number(s, 0, max_hours, &h))
		return false;
	if (take_char(s, ':')) {
		if (!take_number(s, 0, 59, &m))
			return false;
		if (take_char(s, ':') && !take_number(s, 0, 59, &sec))
			return false;
	}
	*out = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool
take_day(const char **s, struct tz_change *c)
{
	if (take_char(s, 'J')) {
		c->kind = TZ_JULIAN;
		return take_number(s, 1, 365, &c->day);
	}
	if (!take_char(s, 'M')) {
		c->kind = TZ_ZERO_BASED;
		return take_number(s, 0, 365, &c->day);
	}
	c->kind = TZ_WEEKDAY;
	return take_number(s, 1, 12, &c->month) && take_char(s, '.') &&
	       take_number(s, 1, 5, &c->week) && take_char(s, '.') &&
	       take_number(s, 0, 6, &c->day);
}

static bool
take_change(const char **s, struct tz_change *c)
{
	if (!take_char(s, ',') || !take_day(s, c))
		return false;
	c->seconds = 2 * 3600;
	return !take_char(s, '/') || take_time(s, 167, &c->seconds);
}

bool
tz_rule_parse(struct tz_rule *r, const char *text)
{
	const char *s = text;
	int32_t west;

	memset(r, 0, sizeof *r);
	if (!skip_name(&s) || !take_time(&s, 24, &west))
		return false;
	r->std = -west;
	r->dst = r->std + 3600;
	if (*s == '\0')
		return true;
	r->changes = true;
	if (!skip_name(&s))
		return false;
	if (*s != ',') {
		if (!take_time(&s, 24, &west))
			return false;
		r->dst = -west;
	}
	return take_change(&s, &r->start) && take_change(&s, &r->end) &&
	       *s == '\0';
}

/* The day of the n-th such weekday of a month; 5: of the last. */
static int64_t
nth_weekday(const struct tz_change *c, int64_t year)
{
	int64_t first = day_number(year, c->month, 1);
	int length = day_month_length(year, c->month);
	int day = (c->day - day_weekday(first) + 7) % 7 + (c->week - 1) * 7;

	return first + (day < length ? day : day - 7);
}

static int64_t
change_day(const struct tz_change *c, int64_t year)
{
	int64_t first = day_number(year, 1, 1);

	switch (c->kind) {
	case TZ_JULIAN:
		return first + c->day - 1 + (day_leap(year) && c->day >= 60);
	case TZ_ZERO_BASED:
		return first + c->day;
	default:
		return nth_weekday(c, year);
	}
}

static int64_t
change_at(const struct tz_change *c, int64_t year, int32_t offset)
{
	return change_day(c, year) * DAY_SECONDS + c->seconds - offset;
}

static int64_t
year_of(int64_t at)
{
	return day_civil(day_of_seconds(at)).year;
}

/*
 * A change may be a week outside of its year, so the neighbours are asked
 * too. Where the summer ends at the moment in which it starts again (a
 * zone that has it all year), the start counts.
 */
int32_t
tz_rule_offset(const struct tz_rule *r, int64_t at)
{
	int64_t latest = INT64_MIN, year = year_of(at), y, t;
	int32_t offset = r->std;

	if (!r->changes)
		return offset;
	for (y = year - 1; y <= year + 1; y++) {
		t = change_at(&r->end, y, r->dst);
		if (t <= at && t >= latest) {
			latest = t;
			offset = r->std;
		}
		t = change_at(&r->start, y, r->std);
		if (t <= at && t >= latest) {
			latest = t;
			offset = r->dst;
		}
	}
	return offset;
}

int64_t
tz_rule_next(const struct tz_rule *r, int64_t at)
{
	int64_t next = INT64_MAX, year = year_of(at), y, t;

	if (!r->changes)
		return next;
	for (y = year - 1; y <= year + 2; y++) {
		t = change_at(&r->start, y, r->std);
		if (t > at && t < next)
			next = t;
		t = change_at(&r->end, y, r->dst);
		if (t > at && t < next)
			next = t;
	}
	return next;
}
