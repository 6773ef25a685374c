#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/tz.h"
#include "lib/tz_priv.h"

#include "check.h"
#include "scratch.h"

static int64_t
seconds(const char *text)
{
	int64_t ms;

	assert_true(clock_parse(text, &ms));
	return ms / 1000;
}

static struct tz *
zone(const char *name)
{
	struct err err = ERR_INIT;
	struct tz *tz = tz_open(name, &err);

	if (tz == NULL)
		fail_msg("%s: %s", name, err.text);
	assert_string_equal(tz_name(tz), name);
	return tz;
}

static void
offsets_are_those_of_the_zone(void **state)
{
	static const struct {
		const char *zone, *at;
		int offset;
	} cases[] = {
		{ "UTC", "2026-07-01T00:00:00Z", 0 },
		{ "Europe/Berlin", "2026-01-01T00:00:00Z", 3600 },
		{ "Europe/Berlin", "2026-03-29T00:59:59Z", 3600 },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z", 7200 },
		{ "Europe/Berlin", "2026-10-25T00:59:59Z", 7200 },
		{ "Europe/Berlin", "2026-10-25T01:00:00Z", 3600 },
		{ "Europe/Berlin", "2099-07-01T00:00:00Z", 7200 },
		{ "Europe/Berlin", "2399-12-01T00:00:00Z", 3600 },
		{ "Europe/Dublin", "2060-07-01T00:00:00Z", 3600 },
		{ "Europe/Dublin", "2060-12-01T00:00:00Z", 0 },
		{ "America/New_York", "2050-03-13T06:59:59Z", -5 * 3600 },
		{ "America/New_York", "2050-03-13T07:00:00Z", -4 * 3600 },
		{ "America/Sao_Paulo", "2060-01-01T00:00:00Z", -3 * 3600 },
		{ "Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700 },
		{ "Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39600 },
		{ "Australia/Lord_Howe", "2060-07-01T00:00:00Z", 37800 },
		{ "Pacific/Apia", "2011-12-30T09:59:59Z", -10 * 3600 },
		{ "Pacific/Apia", "2011-12-30T10:00:00Z", 14 * 3600 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		struct tz *tz = zone(cases[i].zone);

		if (tz_offset(tz, seconds(cases[i].at)) != cases[i].offset)
			fail_msg("%s at %s: %d", cases[i].zone, cases[i].at,
			    tz_offset(tz, seconds(cases[i].at)));
		tz_free(tz);
	}
}

static void
the_next_change_is_told_also_beyond_the_table(void **state)
{
	static const struct {
		const char *zone, *after, *change; /* NULL: never */
	} cases[] = {
		{ "UTC", "2026-01-01T00:00:00Z", NULL },
		{ "Asia/Kathmandu", "2026-01-01T00:00:00Z", NULL },
		{ "Europe/Berlin", "2026-01-01T00:00:00Z",
		    "2026-03-29T01:00:00Z" },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z",
		    "2026-10-25T01:00:00Z" },
		{ "Europe/Berlin", "2037-12-01T00:00:00Z",
		    "2038-03-28T01:00:00Z" },
		{ "Australia/Lord_Howe", "2090-01-01T00:00:00Z",
		    "2090-04-01T15:00:00Z" },
		{ "Pacific/Apia", "2011-12-01T00:00:00Z",
		    "2011-12-30T10:00:00Z" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		struct tz *tz = zone(cases[i].zone);
		int64_t want = cases[i].change != NULL
				   ? seconds(cases[i].change)
				   : INT64_MAX;

		assert_int_equal(
		    tz_next_change(tz, seconds(cases[i].after)), want);
		tz_free(tz);
	}
}

/* The C library reads the same files in its own way. */
static void
the_system_agrees(void **state)
{
	static const char *const zones[] = { "Europe/Berlin", "Europe/Dublin",
		"America/New_York", "America/Sao_Paulo", "Africa/Casablanca",
		"Africa/Monrovia", "Asia/Kathmandu", "Asia/Gaza",
		"Australia/Lord_Howe", "Pacific/Apia", "America/Nuuk",
		"Antarctica/Troll" };
	enum { STEP = 100003 };
	static const int64_t first = -3000000000, last = 8000000000;
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(zones); i++) {
		struct tz *tz = zone(zones[i]);
		int64_t change = tz_next_change(tz, first), at;

		setenv("TZ", zones[i], 1);
		tzset();
		for (at = first; at < last; at += STEP) {
			time_t t = (time_t)at;
			struct tm tm;

			localtime_r(&t, &tm);
			if (tm.tm_gmtoff != tz_offset(tz, at))
				fail_msg("%s at %lld", zones[i], (long long)at);
		}
		while (change < last) {
			assert_int_not_equal(
			    tz_offset(tz, change - 1), tz_offset(tz, change));
			change = tz_next_change(tz, change);
		}
		tz_free(tz);
	}
	unsetenv("TZ");
	tzset();
}

static void
a_name_that_is_no_zone_is_refused(void **state)
{
	static const char *const names[] = { "", "/etc/passwd", "../x",
		"Europe/../Europe/Berlin", "Mars/Olympus", "Europe", "a b",
		"Europe/Berlin\n", "zone.tab", "CET-1CEST,M3.5.0,M10.5.0/3",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaa" };
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(names); i++) {
		struct err err = ERR_INIT;

		assert_null(tz_open(names[i], &err));
		assert_int_equal(err.status, EXIT_DATA);
		assert_string_equal(err.code, "bad_argument");
	}
}

static void
the_ends_of_time_are_survived(void **state)
{
	struct tz *tz = zone("Europe/Berlin");

	(void)state;
	assert_true(tz_next_change(tz, INT64_MIN) < 0);
	assert_int_equal(tz_next_change(tz, INT64_MAX), INT64_MAX);
	tz_offset(tz, INT64_MIN);
	tz_offset(tz, INT64_MAX);
	tz_free(tz);
}

static void
every_form_of_a_rule_is_read(void **state)
{
	static const struct {
		const char *rule, *at;
		int offset;
	} cases[] = {
		{ "UTC0", "2026-07-01T00:00:00Z", 0 },
		{ "<+0530>-5:30", "2026-07-01T00:00:00Z", 19800 },
		{ "LMT+0:44:30", "2026-07-01T00:00:00Z", -2670 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01T00:00:00Z", 7200 },
		{ "AAA0BBB,J60,J300", "2024-03-01T01:59:59Z", 0 },
		{ "AAA0BBB,J60,J300", "2024-03-01T02:00:00Z", 3600 },
		{ "AAA0BBB,59,300", "2024-02-29T02:00:00Z", 3600 },
		{ "AAA0BBB-2:30,59/0,300", "2026-03-01T00:00:00Z", 9000 },
		/* a change before its day, one days after it */
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z",
		    -7200 },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z",
		    -3600 },
		{ "EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z",
		    7200 },
		{ "EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z",
		    10800 },
		/* all the year */
		{ "EST5EDT,0/0,J365/25", "2026-01-01T04:30:00Z", -14400 },
		{ "EST5EDT,0/0,J365/25", "2026-12-31T23:59:59Z", -14400 },
		/* the summer over the new year, and a negative one */
		{ "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z",
		    39600 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		struct tz_rule r;

		if (!tz_rule_parse(&r, cases[i].rule))
			fail_msg("%s", cases[i].rule);
		if (tz_rule_offset(&r, seconds(cases[i].at)) != cases[i].offset)
			fail_msg("%s at %s", cases[i].rule, cases[i].at);
	}
}

static void
half_a_rule_is_none(void **state)
{
	static const char *const texts[] = { "", "CET", "CE-1", "CET-1CEST",
		"CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/168", "CET-1CEST,J0,J3",
		"CET-1CEST,366,3", "CET-25", "CET-1:60", "<+01-1", "CET-1x",
		"CET-1CEST,M3.5.0,M10.5.0 " };
	struct tz_rule r;
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(texts); i++)
		if (tz_rule_parse(&r, texts[i]))
			fail_msg("%s was read", texts[i]);
}

/* A file of version 2 with one change: at 1000, from UTC to UTC+1. */
static const unsigned char small[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\1\0\0\0\4"
				     "\0\0\0\0\0\0AAA\0"
				     "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\0\0\0\1\0\0\0\2\0\0\0\4"
				     "\0\0\0\0\0\0\3\xe8"
				     "\1"
				     "\0\0\0\0\0\0"
				     "\0\0\x0e\x10\0\0"
				     "AAA\0"
				     "\nBBB-1\n";

static bool
read_copy(const unsigned char *bytes, size_t len, struct tz *tz)
{
	char *copy = malloc(len > 0 ? len : 1); /* ASan sees its end */
	bool ok;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	memset(tz, 0, sizeof *tz);
	ok = tz_read(tz, copy, len);
	free(copy);
	return ok;
}

static void
drop(struct tz *tz)
{
	free(tz->times);
	free(tz->offsets);
}

static void
a_file_that_is_cut_anywhere_is_refused(void **state)
{
	struct tz tz;
	size_t len;

	(void)state;
	assert_true(read_copy(small, sizeof small - 1, &tz));
	assert_int_equal(tz.n, 1);
	assert_int_equal(tz_offset(&tz, 999), 0);
	assert_int_equal(tz_offset(&tz, 1000), 3600);
	drop(&tz);
	for (len = 0; len < sizeof small - 1; len++) {
		if (read_copy(small, len, &tz))
			fail_msg("%zu bytes were read", len);
		drop(&tz);
	}
}

/* Whatever is read then answers, and comes to an end. */
static void
a_damaged_file_does_no_harm(void **state)
{
	unsigned char copy[sizeof small];
	struct tz tz;
	size_t i;
	int bit;

	(void)state;
	for (i = 0; i < sizeof small - 1; i++) {
		for (bit = 0; bit < 9; bit++) {
			memcpy(copy, small, sizeof copy);
			copy[i] = bit < 8 ? copy[i] ^ (1 << bit) : 0xff;
			if (read_copy(copy, sizeof small - 1, &tz)) {
				tz_offset(&tz, 5000);
				tz_next_change(&tz, 0);
			}
			drop(&tz);
		}
	}
}

static void
a_damaged_file_is_told_with_its_name(void **state)
{
	struct err err = ERR_INIT;

	scratch_text(*state, "Broken", "TZif2 and no more", 0644);
	setenv("TZDIR", ((struct scratch *)*state)->dir, 1);
	assert_null(tz_open("Broken", &err));
	unsetenv("TZDIR");
	assert_non_null(strstr(err.text, "Broken is no zone file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_those_of_the_zone),
		cmocka_unit_test(the_next_change_is_told_also_beyond_the_table),
		cmocka_unit_test(the_system_agrees),
		cmocka_unit_test(a_name_that_is_no_zone_is_refused),
		cmocka_unit_test(the_ends_of_time_are_survived),
		cmocka_unit_test(every_form_of_a_rule_is_read),
		cmocka_unit_test(half_a_rule_is_none),
		cmocka_unit_test(a_file_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(a_damaged_file_does_no_harm),
		SCRATCH_TEST(a_damaged_file_is_told_with_its_name),
	};

	return RUN_TESTS(tests);
}
