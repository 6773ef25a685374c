#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/cron.h"
#include "lib/day.h"
#include "lib/exit.h"

#include "check.h"

static int64_t
ms_of(const char *text)
{
	int64_t ms;

	assert_true(clock_parse(text, &ms));
	return ms;
}

static struct tz *
zone(const char *name)
{
	struct err err = ERR_INIT;
	struct tz *tz = tz_open(name, &err);

	if (tz == NULL)
		fail_msg("%s: %s", name, err.text);
	return tz;
}

static void
parse(struct cron *c, const char *text)
{
	struct err err = ERR_INIT;

	if (!cron_parse(c, text, &err))
		fail_msg("%s: %s", text, err.text);
}

/* 'cron' after 'after' in 'tz' is due at 'due' (NULL: never), and so on. */
struct due {
	const char *cron, *tz, *after, *due[4];
};

static void
check_due(const struct due *d)
{
	struct tz *tz = zone(d->tz);
	int64_t at = ms_of(d->after);
	char text[CLOCK_TEXT_SIZE];
	struct cron c;
	int i;

	parse(&c, d->cron);
	for (i = 0; i < 4 && d->due[i] != NULL; i++) {
		at = cron_next(&c, tz, at);
		if (at != ms_of(d->due[i]))
			fail_msg("%s in %s after %s, no. %d: %s, not %s",
			    d->cron, d->tz, d->after, i, clock_text(text, at),
			    d->due[i]);
	}
	if (i == 0)
		assert_int_equal(cron_next(&c, tz, at), -1);
	tz_free(tz);
}

static void
check_all(const struct due *d, size_t n)
{
	for (; n > 0; n--, d++)
		check_due(d);
}

static void
fields_lists_ranges_steps_and_names(void **state)
{
	static const struct due cases[] = {
		{ "* * * * *", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z" } },
		{ "* * * * *", "UTC", "2025-12-31T23:59:00.001Z",
		    { "2026-01-01T00:00:00Z" } },
		{ "*/15 * * * *", "UTC", "2026-01-01T00:14:59.999Z",
		    { "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z",
			"2026-01-01T00:45:00Z", "2026-01-01T01:00:00Z" } },
		{ "\t5-59/20  8,12 * * * ", "UTC", "2026-01-01T08:30:00Z",
		    { "2026-01-01T08:45:00Z", "2026-01-01T12:05:00Z" } },
		{ "0 9 * * mon-FRI", "UTC", "2026-01-02T09:00:00Z",
		    { "2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z" } },
		{ "0 0 * jan,Jul *", "UTC", "2026-01-31T00:00:00Z",
		    { "2026-07-01T00:00:00Z" } },
		{ "0 0 * * 7", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z" } },
		{ "0 0 * * 0", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z" } },
		{ "0 0 * * 5-7", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z",
			"2026-01-04T00:00:00Z", "2026-01-09T00:00:00Z" } },
		{ "59 23 31 12 *", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z" } },
		{ "30 1-3 * * *", "UTC", "2026-01-01T03:30:00Z",
		    { "2026-01-02T01:30:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
either_day_field_is_enough_when_both_are_restricted(void **state)
{
	static const struct due cases[] = {
		{ "0 0 13 * 5", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z",
			"2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z" } },
		/* a step of "*" restricts nothing: both must match */
		{ "0 0 */2 * 1", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-05T00:00:00Z", "2026-01-19T00:00:00Z" } },
		{ "0 0 1 * *", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-02-01T00:00:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
months_have_their_own_ends(void **state)
{
	static const struct due cases[] = {
		{ "0 0 31 * *", "UTC", "2026-01-31T00:00:00Z",
		    { "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z",
			"2026-07-31T00:00:00Z", "2026-08-31T00:00:00Z" } },
		{ "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z",
		    { "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z" } },
		{ "0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z",
		    { "2104-02-29T00:00:00Z" } },
		{ "*/30 * 29 2 *", "UTC", "2096-02-29T23:30:00Z",
		    { "2104-02-29T00:00:00Z", "2104-02-29T00:30:00Z" } },
		{ "0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", { NULL } },
		{ "0 0 31 4,6,9,11 *", "Europe/Berlin", "2026-01-01T00:00:00Z",
		    { NULL } },
		{ "* * 30 2 *", "Europe/Berlin", "2026-01-01T00:00:00Z",
		    { NULL } },
		{ "0 0 28-31 2 *", "UTC", "2100-02-28T00:00:00Z",
		    { "2101-02-28T00:00:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
words_stand_for_fields(void **state)
{
	static const struct due cases[] = {
		{ "@hourly", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-01T01:00:00Z" } },
		{ "@daily", "Asia/Kathmandu", "2026-01-01T00:00:00Z",
		    { "2026-01-01T18:15:00Z", "2026-01-02T18:15:00Z" } },
		{ "@midnight", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-02T00:00:00Z" } },
		{ "@weekly", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-01-04T00:00:00Z" } },
		{ "@monthly", "UTC", "2026-01-01T00:00:00Z",
		    { "2026-02-01T00:00:00Z" } },
		{ "@yearly", "UTC", "2026-01-01T00:00:00Z",
		    { "2027-01-01T00:00:00Z" } },
		{ " @Annually", "UTC", "2026-01-01T00:00:00Z",
		    { "2027-01-01T00:00:00Z" } },
		{ "@every 90s", "UTC", "1970-01-01T00:01:29.999Z",
		    { "1970-01-01T00:01:30Z", "1970-01-01T00:03:00Z" } },
		{ "@every  1h30m", "Europe/Berlin", "2026-03-29T00:00:00Z",
		    { "2026-03-29T01:30:00Z", "2026-03-29T03:00:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
a_time_in_a_gap_runs_after_it_once(void **state)
{
	static const struct due cases[] = {
		{ "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
		    { "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z",
			"2026-03-30T00:30:00Z" } },
		{ "0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z",
		    { "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z",
			"2026-03-30T00:00:00Z" } },
		{ "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
		    { "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z" } },
		{ "30 2 * 3 *", "America/New_York", "2050-03-12T12:00:00Z",
		    { "2050-03-13T07:00:00Z", "2050-03-14T06:30:00Z" } },
		/* a day that never was */
		{ "0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z",
		    { "2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
a_time_that_comes_twice_runs_once(void **state)
{
	static const struct due cases[] = {
		{ "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
		    { "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z" } },
		/* asked between the two, and within the second */
		{ "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z",
		    { "2026-10-26T01:30:00Z" } },
		{ "0 2,3 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
		    { "2026-10-25T02:00:00Z" } },
		{ "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
		    { "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
stars_and_steps_follow_real_time(void **state)
{
	static const struct due cases[] = {
		{ "30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
		    { "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z",
			"2026-10-25T02:30:00Z" } },
		{ "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:29:00Z",
		    { "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z",
			"2026-03-29T01:30:00Z" } },
		{ "*/20 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z",
		    { "2026-03-30T00:00:00Z" } },
		{ "0 */2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z",
		    { "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z",
			"2026-10-25T03:00:00Z" } },
	};

	(void)state;
	check_all(cases, N_OF(cases));
}

static void
what_is_no_schedule_is_refused_with_its_field(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "five fields" },
		{ "* * * *", "five fields" },
		{ "* * * * * *", "five fields" },
		{ "60 * * * *", "minute \"60\": not from 0 to 59" },
		{ "-1 * * * *", "minute \"-1\"" },
		{ "* 24 * * *", "hour \"24\": not from 0 to 23" },
		{ "* * 0 * *", "day of month \"0\"" },
		{ "* * 32 * *", "day of month \"32\"" },
		{ "* * * 13 *", "month \"13\"" },
		{ "* * * foo *", "nor jan to dec" },
		{ "* * * * 8", "day of week \"8\"" },
		{ "* * * * monday", "nor sun to sat" },
		{ "mon * * * *", "minute \"mon\"" },
		{ "5-1 * * * *", "the range runs backwards" },
		{ "*/0 * * * *", "minute \"*/0\": the step" },
		{ "*/60 * * * *", "minute \"*/60\": the step" },
		{ "* */x * * *", "hour \"*/x\": the step" },
		{ "5/15 * * * *", "a step needs a range" },
		{ "1,,2 * * * *", "minute \"\"" },
		{ "1, * * * *", "minute \"\"" },
		{ "1-2-3 * * * *", "minute \"1-2-3\"" },
		{ "+1 * * * *", "minute \"+1\"" },
		{ "?\x1b[0m * * * *", "minute \"?\\x1b[0m\"" },
		{ "99999999999999999999 * * * *", "minute" },
		{ "@reboot", "\"@reboot\" is none of @hourly" },
		{ "@", "is none of" },
		{ "@every", "is none of" },
		{ "@every ", "no span" },
		{ "@every 0s", "no span" },
		{ "@every 500ms", "at least 1 s" },
		{ "@every -5m", "no span" },
		{ "@dailyx", "is none of" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		struct err err = ERR_INIT;
		struct cron c;

		if (cron_parse(&c, cases[i].text, &err))
			fail_msg("\"%s\" was read", cases[i].text);
		assert_int_equal(err.status, EXIT_DATA);
		assert_string_equal(err.code, "bad_argument");
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("\"%s\": %s", cases[i].text, err.text);
	}
}

static void
an_endless_text_is_refused(void **state)
{
	char text[4096];
	struct cron c;

	(void)state;
	memset(text, '1', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_false(cron_parse(&c, text, NULL));
	memset(text, ' ', sizeof text - 1);
	assert_false(cron_parse(&c, text, NULL));
}

static void
the_ends_of_time_are_survived(void **state)
{
	struct tz *tz = zone("Europe/Berlin");
	struct cron c;

	(void)state;
	parse(&c, "0 0 * * *");
	assert_int_equal(cron_next(&c, tz, INT64_MAX), -1);
	cron_next(&c, tz, INT64_MIN);
	parse(&c, "@every 1h");
	cron_next(&c, tz, INT64_MAX);
	tz_free(tz);
}

/* ---- beside a slow and simple one ------------------------------------- */

static const char *const expressions[] = { "* * * * *", "*/7 * * * *",
	"30 * * * *", "30 2 * * *", "0,15,45 1,2,3 * * *", "0 0 * * *",
	"59 23 * * sun", "15 0-4 * * *", "*/30 2 * * *", "0 */5 * * *",
	"30 1 1-7 * 0", "0 12 */3 * *", "45 1 5,25-31 3,4,10,11 *" };

/* What a wall clock shows, as seconds; by the C library. */
static int64_t
wall(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	localtime_r(&t, &tm);
	return timegm(&tm);
}

static bool
shows(const struct cron *c, int64_t local)
{
	time_t t = (time_t)local;
	struct tm tm;
	bool day, weekday;

	gmtime_r(&t, &tm);
	if (!(c->minutes >> tm.tm_min & 1) || !(c->hours >> tm.tm_hour & 1) ||
	    !(c->months >> (tm.tm_mon + 1) & 1))
		return false;
	day = c->days >> tm.tm_mday & 1;
	weekday = c->weekdays >> tm.tm_wday & 1;
	if (c->any_day || c->any_weekday)
		return day && weekday;
	return day || weekday;
}

/* Goes through a year by the minute: is cron_next right at each? */
struct walk {
	struct cron c;
	struct tz *tz;
	int64_t next; /* as cron_next said */
	int fired;
};

static void
walk_minute(struct walk *w, int64_t at, int64_t local, int64_t highest)
{
	bool due = w->c.steady && shows(&w->c, local);

	if (!w->c.steady)
		for (int64_t l = highest + 60; l <= local && !due; l += 60)
			due = shows(&w->c, l);
	if (due != (w->next == at * 1000))
		fail_msg("%s: %s at %lld", tz_name(w->tz),
		    due ? "missed" : "too much", (long long)at);
	if (due) {
		w->next = cron_next(&w->c, w->tz, at * 1000);
		w->fired++;
	}
}

static void
walk_year(const char *name, const char *from)
{
	enum { N = N_OF(expressions) };
	struct walk walks[N];
	struct tz *tz = zone(name);
	int64_t start = ms_of(from) / 1000, highest, at;

	setenv("TZ", name, 1);
	tzset();
	highest = wall(start);
	for (size_t i = 0; i < N; i++) {
		walks[i] = (struct walk){ .tz = tz };
		parse(&walks[i].c, expressions[i]);
		walks[i].next = cron_next(&walks[i].c, tz, start * 1000);
	}
	for (at = start + 60; at < start + 366 * DAY_SECONDS; at += 60) {
		int64_t local = wall(at);

		for (size_t i = 0; i < N; i++)
			walk_minute(&walks[i], at, local, highest);
		if (local > highest)
			highest = local;
	}
	for (size_t i = 0; i < N; i++)
		assert_true(walks[i].fired > 0);
	unsetenv("TZ");
	tzset();
	tz_free(tz);
}

static void
a_year_by_the_minute_is_the_same(void **state)
{
	static const struct {
		const char *zone, *from;
	} years[] = {
		{ "Europe/Berlin", "2026-01-01T00:00:00Z" },
		{ "America/New_York", "2050-01-01T00:00:00Z" },
		{ "Australia/Lord_Howe", "2027-06-01T00:00:00Z" },
		{ "Pacific/Apia", "2011-06-01T00:00:00Z" },
		{ "Asia/Kathmandu", "2026-01-01T00:00:00Z" },
		{ "Africa/Casablanca", "2026-01-01T00:00:00Z" },
		{ "America/Caracas", "2007-06-01T00:00:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(years); i++)
		walk_year(years[i].zone, years[i].from);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_lists_ranges_steps_and_names),
		cmocka_unit_test(
		    either_day_field_is_enough_when_both_are_restricted),
		cmocka_unit_test(months_have_their_own_ends),
		cmocka_unit_test(words_stand_for_fields),
		cmocka_unit_test(a_time_in_a_gap_runs_after_it_once),
		cmocka_unit_test(a_time_that_comes_twice_runs_once),
		cmocka_unit_test(stars_and_steps_follow_real_time),
		cmocka_unit_test(what_is_no_schedule_is_refused_with_its_field),
		cmocka_unit_test(an_endless_text_is_refused),
		cmocka_unit_test(the_ends_of_time_are_survived),
		cmocka_unit_test(a_year_by_the_minute_is_the_same),
	};

	return RUN_TESTS(tests);
}
