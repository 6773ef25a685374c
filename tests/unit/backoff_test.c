#include "lib/backoff.h"

#include "check.h"

/* The wait lies within [base, base * 1.25]. */
static void
assert_about(int64_t ms, int64_t base)
{
	assert_in_range(ms, base, base + base / 4);
}

static void
a_wait_doubles_up_to_its_maximum(void **state)
{
	static const int64_t expected[] = { 1000, 2000, 4000, 8000, 16000,
		32000, 60000, 60000 };
	struct backoff b;
	size_t i;

	(void)state;
	backoff_init(&b, 1000, 60000);
	for (i = 0; i < N_OF(expected); i++)
		assert_about(backoff_next(&b), expected[i]);
	assert_int_equal(b.attempts, N_OF(expected));
}

static void
a_reset_starts_over(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, 1000, 60000);
	backoff_next(&b);
	backoff_next(&b);
	backoff_reset(&b);
	assert_int_equal(b.attempts, 0);
	assert_about(backoff_next(&b), 1000);
}

static void
ten_thousand_attempts_do_not_overflow(void **state)
{
	struct backoff b;
	int i;

	(void)state;
	backoff_init(&b, 1000, 60000);
	for (i = 0; i < 10000; i++)
		assert_in_range(backoff_next(&b), 1000, 75000);
}

static void
agents_do_not_come_back_together(void **state)
{
	int64_t first = 0, seen = 0;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		struct backoff b;
		int64_t ms;

		backoff_init(&b, 60000, 60000);
		ms = backoff_next(&b);
		if (i == 0)
			first = ms;
		else if (ms != first)
			seen++;
	}
	assert_true(seen > 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_doubles_up_to_its_maximum),
		cmocka_unit_test(a_reset_starts_over),
		cmocka_unit_test(ten_thousand_attempts_do_not_overflow),
		cmocka_unit_test(agents_do_not_come_back_together),
	};

	return RUN_TESTS(tests);
}
