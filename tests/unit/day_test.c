#include "check.h"
#include "lib/day.h"

static void
days_are_counted_from_1970(void **state)
{
	static const struct {
		int64_t number, year;
		int month, day, weekday;
	} cases[] = {
		{ 0, 1970, 1, 1, 4 },
		{ -1, 1969, 12, 31, 3 },
		{ 59, 1970, 3, 1, 0 },
		{ 11016, 2000, 2, 29, 2 },
		{ 11017, 2000, 3, 1, 3 },
		{ 19782, 2024, 2, 29, 4 },
		{ 20512, 2026, 2, 28, 6 },
		{ 20513, 2026, 3, 1, 0 },
		{ 47540, 2100, 2, 28, 0 },
		{ 47541, 2100, 3, 1, 1 },
		{ -719528, 0, 1, 1, 6 },
		{ -719529, -1, 12, 31, 5 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct day d = day_civil(cases[i].number);

		assert_int_equal(d.year, cases[i].year);
		assert_int_equal(d.month, cases[i].month);
		assert_int_equal(d.day, cases[i].day);
		assert_int_equal(
		    day_weekday(cases[i].number), cases[i].weekday);
		assert_int_equal(
		    day_number(d.year, d.month, d.day), cases[i].number);
	}
}

static void
every_day_of_eight_centuries_follows_the_one_before(void **state)
{
	int64_t number = day_number(1600, 1, 1), end = day_number(2400, 1, 1);
	struct day last = day_civil(number - 1);

	(void)state;
	for (; number < end; number++) {
		struct day d = day_civil(number);
		int length = day_month_length(last.year, last.month);

		assert_int_equal(day_number(d.year, d.month, d.day), number);
		assert_int_equal(d.day, last.day == length ? 1 : last.day + 1);
		if (last.day == length)
			assert_int_equal(d.month, last.month % 12 + 1);
		assert_int_equal(
		    d.year, last.year + (last.month == 12 && d.month == 1));
		last = d;
	}
}

static void
leap_years_are_those_of_the_calendar(void **state)
{
	(void)state;
	assert_true(day_leap(2024));
	assert_false(day_leap(2026));
	assert_false(day_leap(1900));
	assert_false(day_leap(2100));
	assert_true(day_leap(2000));
	assert_true(day_leap(0));
	assert_int_equal(day_month_length(2024, 2), 29);
	assert_int_equal(day_month_length(2100, 2), 28);
	assert_int_equal(day_month_length(2026, 12), 31);
}

static void
seconds_before_1970_are_of_the_day_before(void **state)
{
	(void)state;
	assert_int_equal(day_of_seconds(0), 0);
	assert_int_equal(day_of_seconds(DAY_SECONDS - 1), 0);
	assert_int_equal(day_of_seconds(DAY_SECONDS), 1);
	assert_int_equal(day_of_seconds(-1), -1);
	assert_int_equal(day_of_seconds(-DAY_SECONDS), -1);
	assert_int_equal(day_of_seconds(-DAY_SECONDS - 1), -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_counted_from_1970),
		cmocka_unit_test(
		    every_day_of_eight_centuries_follows_the_one_before),
		cmocka_unit_test(leap_years_are_those_of_the_calendar),
		cmocka_unit_test(seconds_before_1970_are_of_the_day_before),
	};

	return RUN_TESTS(tests);
}
