#include "lib/clock.h"

#include "check.h"

static void
a_fake_clock_stands_still_until_advanced(void **state)
{
	struct clock c;
	int64_t mono;

	(void)state;
	clock_fake(&c, 1000);
	mono = clock_mono(&c);
	assert_int_equal(clock_wall(&c), 1000);
	clock_advance(&c, 86400000);
	assert_int_equal(clock_wall(&c), 86401000);
	assert_int_equal(clock_mono(&c) - mono, 86400000);
}

static void
the_system_clock_is_of_this_century_and_goes_on(void **state)
{
	int64_t mono = clock_mono(&clock_system);

	(void)state;
	assert_true(clock_wall(&clock_system) > 1700000000000);
	assert_true(clock_mono(&clock_system) >= mono);
}

static void
times_are_written_in_utc_with_milliseconds(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1762374600007, "2025-11-05T20:30:00.007Z" },
		{ 2147483648000, "2038-01-19T03:14:08.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ -1, "1970-01-01T00:00:00.000Z" },
	};
	char text[CLOCK_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++)
		assert_string_equal(
		    clock_text(text, cases[i].ms), cases[i].text);
}

static void
every_form_of_a_time_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2025-11-05T20:30:00.007Z", 1762374600007 },
		{ "2025-11-05t20:30:00z", 1762374600000 },
		{ "2025-11-05 20:30:00", 1762374600000 },
		{ "2025-11-05T20:30:00.123456", 1762374600123 },
		{ "2025-11-05T21:30:00+01:00", 1762374600000 },
		{ "2025-11-05T15:00:00.5-0530", 1762374600500 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "@1762374600", 1762374600000 },
		{ "@1762374600.25", 1762374600250 },
		{ "1762374600", 1762374600000 },
		{ "1762374600.5", 1762374600500 },
		{ "1762374600007", 1762374600007 },
		{ "0", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		int64_t ms = -1;

		if (!clock_parse(cases[i].text, &ms) || ms != cases[i].ms)
			fail_msg("%s gives %lld", cases[i].text, (long long)ms);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = { "", "@", "@-5", "-1", " 1", "1 ",
		"tomorrow", "2025-11-05", "2025-13-05T00:00:00Z",
		"2025-02-29T00:00:00Z", "2025-11-31T00:00:00Z",
		"2025-11-05T24:00:00Z", "2025-11-05T20:60:00Z",
		"2025-11-05T20:30:00.Z", "2025-11-05T20:30:00ZZ",
		"2025-11-05T20:30:00+1", "2025-11-05T20:30:00+24:00",
		"1969-12-31T23:59:59Z", "1e9", "1.", "99999999999999999999",
		"@99999999999999", "2025-11-05T20:30:0\xd9\xa1" };
	size_t i;

	(void)state;
	assert_false(clock_parse(NULL, &(int64_t){ 0 }));
	for (i = 0; i < N_OF(cases); i++) {
		int64_t ms;

		if (clock_parse(cases[i], &ms))
			fail_msg("\"%s\" passed", cases[i]);
	}
}

static void
spans_are_read_with_their_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "500ms", 500 },
		{ "10s", 10000 },
		{ "10m", 600000 },
		{ "1h30m", 5400000 },
		{ "2d", 172800000 },
		{ "1d1h1m1s1ms", 90061001 },
		{ "7", 7000 },
		{ "0", 0 },
		{ "3660d", 316224000000 },
	};
	static const char *const wrong[] = { "", "s", "-1s", "+1s", "1x",
		"1.5s", "30m1h", "1h1h", "1h30", "10 s", " 10s", "10S", "4000d",
		"99999999999999999999s", "3660d1ms", "1msd", "5sm" };
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++)
		if (!clock_span(cases[i].text, 1000, &ms) || ms != cases[i].ms)
			fail_msg("%s gives %lld", cases[i].text, (long long)ms);
	for (i = 0; i < N_OF(wrong); i++)
		if (clock_span(wrong[i], 1000, &ms))
			fail_msg("\"%s\" passed", wrong[i]);
	assert_false(clock_span(NULL, 1000, &ms));
	assert_true(clock_span("250", 1, &ms));
	assert_int_equal(ms, 250);
}

static void
spans_are_written_for_people(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0 ms" },
		{ 999, "999 ms" },
		{ 1500, "1.5 s" },
		{ 30000, "30 s" },
		{ 180000, "3 min" },
		{ 5400000, "1.5 h" },
		{ 172800000, "2 d" },
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++)
		assert_string_equal(
		    clock_span_text(text, sizeof text, cases[i].ms),
		    cases[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fake_clock_stands_still_until_advanced),
		cmocka_unit_test(
		    the_system_clock_is_of_this_century_and_goes_on),
		cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
		cmocka_unit_test(every_form_of_a_time_is_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(spans_are_read_with_their_units),
		cmocka_unit_test(spans_are_written_for_people),
	};

	return RUN_TESTS(tests);
}
