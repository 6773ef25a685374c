#include "lib/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/str.h"

static int64_t
now_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t
system_wall(struct clock *c)
{
	(void)c;
	return now_ms(CLOCK_REALTIME);
}

static int64_t
system_mono(struct clock *c)
{
	(void)c;
	return now_ms(CLOCK_MONOTONIC);
}

struct clock clock_system = { system_wall, system_mono, 0, 0 };

static int64_t
fake_wall(struct clock *c)
{
	return c->fake_wall;
}

static int64_t
fake_mono(struct clock *c)
{
	return c->fake_mono;
}

/* The monotonic one does not start at 0, so that nobody relies on it. */
void
clock_fake(struct clock *c, int64_t wall_ms)
{
	*c = (struct clock){ fake_wall, fake_mono, wall_ms, 1000000 };
}

void
clock_advance(struct clock *c, int64_t ms)
{
	c->fake_wall += ms;
	c->fake_mono += ms;
}

int64_t
clock_wall(struct clock *c)
{
	return c->wall_ms(c);
}

int64_t
clock_mono(struct clock *c)
{
	return c->mono_ms(c);
}

static char *
put(char *out, int64_t number, int digits, char end)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		out[i] = (char)('0' + number % 10);
		number /= 10;
	}
	out[digits] = end;
	return out + digits + 1;
}

char *
clock_text(char out[CLOCK_TEXT_SIZE], int64_t unix_ms)
{
	static const int64_t last = 253402300799999; /* of the year 9999 */
	char *p = out;
	struct tm tm;
	time_t s;

	if (unix_ms < 0)
		unix_ms = 0;
	if (unix_ms > last)
		unix_ms = last;
	s = (time_t)(unix_ms / 1000);
	gmtime_r(&s, &tm);
	p = put(p, tm.tm_year + 1900, 4, '-');
	p = put(p, tm.tm_mon + 1, 2, '-');
	p = put(p, tm.tm_mday, 2, 'T');
	p = put(p, tm.tm_hour, 2, ':');
	p = put(p, tm.tm_min, 2, ':');
	p = put(p, tm.tm_sec, 2, '.');
	p = put(p, unix_ms % 1000, 3, 'Z');
	*p = '\0';
	return out;
}

/* Exactly 'n' digits within [min, max]; moves on. */
static bool
take(const char **s, int n, int min, int max, int *out)
{
	int i, value = 0;

	for (i = 0; i < n; i++) {
		if ((*s)[i] < '0' || (*s)[i] > '9')
			return false;
		value = value * 10 + ((*s)[i] - '0');
	}
	*s += n;
	*out = value;
	return value >= min && value <= max;
}

static bool
take_char(const char **s, const char *one_of)
{
	if (**s == '\0' || strchr(one_of, **s) == NULL)
		return false;
	++*s;
	return true;
}

/* ".123456": what is finer than a millisecond is dropped. */
static bool
take_fraction(const char **s, int *ms)
{
	int unit = 100;

	*ms = 0;
	if (!take_char(s, "."))
		return true;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; ++*s) {
		*ms += (**s - '0') * unit;
		unit /= 10;
	}
	return true;
}

/* "Z", "+01:00", "-0530" or nothing, to the end of the text. */
static bool
take_offset(const char *s, int *minutes)
{
	int sign = *s == '-' ? -1 : 1, h, m;

	*minutes = 0;
	if (*s == '\0' || str_ieq(s, "z"))
		return true;
	if (!take_char(&s, "+-") || !take(&s, 2, 0, 23, &h))
		return false;
	take_char(&s, ":");
	if (!take(&s, 2, 0, 59, &m) || *s != '\0')
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

/* timegm accepts 30 February; we do not. */
static bool
day_exists(const struct tm *tm)
{
	struct tm day = { .tm_year = tm->tm_year,
		.tm_mon = tm->tm_mon,
		.tm_mday = tm->tm_mday };

	timegm(&day);
	return day.tm_mday == tm->tm_mday;
}

static bool
parse_date(const char *s, int64_t *unix_ms)
{
	struct tm tm = { 0 };
	int year, month, ms, offset;

	if (!take(&s, 4, 1970, 9999, &year) || !take_char(&s, "-") ||
	    !take(&s, 2, 1, 12, &month) || !take_char(&s, "-") ||
	    !take(&s, 2, 1, 31, &tm.tm_mday) || !take_char(&s, "Tt ") ||
	    !take(&s, 2, 0, 23, &tm.tm_hour) || !take_char(&s, ":") ||
	    !take(&s, 2, 0, 59, &tm.tm_min) || !take_char(&s, ":") ||
	    !take(&s, 2, 0, 60, &tm.tm_sec) || !take_fraction(&s, &ms) ||
	    !take_offset(s, &offset))
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	if (!day_exists(&tm))
		return false;
	*unix_ms = ((int64_t)timegm(&tm) - offset * 60) * 1000 + ms;
	return true;
}

/* Seconds with or without fraction; from 10^11 on, where 'ms_ok',
 * milliseconds: as seconds that were the year 5138. */
static bool
parse_number(const char *s, bool ms_ok, int64_t *unix_ms)
{
	static const uint64_t border = 100000000000, far = 253402300799;
	char whole[24];
	size_t len = strspn(s, "0123456789");
	uint64_t n;
	int ms;

	if (len == 0 || len >= sizeof whole)
		return false;
	memcpy(whole, s, len);
	whole[len] = '\0';
	s += len;
	if (!take_fraction(&s, &ms) || *s != '\0' ||
	    !str_u64(whole, 0, ms_ok ? far * 1000 : far, &n))
		return false;
	if (ms_ok && n >= border)
		*unix_ms = (int64_t)n;
	else
		*unix_ms = (int64_t)n * 1000 + ms;
	return true;
}

bool
clock_parse(const char *text, int64_t *unix_ms)
{
	if (text == NULL)
		return false;
	if (*text == '@')
		return parse_number(text + 1, false, unix_ms);
	return parse_number(text, true, unix_ms) || parse_date(text, unix_ms);
}
