#include "check.h"

#include "ewsagent/linkplan.h"
#include "lib/clock.h"

static const struct linkplan_config config = {
	.first_ms = 1000,
	.max_ms = 60000,
	.stable_ms = 30000,
	.refused_first_ms = 60000,
	.refused_max_ms = 600000,
	.fallback_after = 1,
	.yields = true,
};

/* The random part is 0..25 % on top. */
static void
assert_about(int64_t ms, int64_t base)
{
	assert_in_range(ms, base, base + base / 4);
}

static void
failed_tries_wait_twice_as_long_each_time_up_to_a_minute(void **state)
{
	static const int64_t waits[] = { 1000, 2000, 4000, 8000, 16000, 32000,
		60000, 60000 };
	struct linkplan p;

	(void)state;
	linkplan_init(&p, &config);
	for (size_t i = 0; i < N_OF(waits); i++) {
		struct linkplan_next n = linkplan_failed(&p, 0, -1);

		assert_int_equal(n.why, PLAN_BACKOFF);
		assert_about(n.wait_ms, waits[i]);
		assert_int_equal(n.attempt, i + 1);
	}
}

static void
what_an_answer_means_for_the_next_try(void **state)
{
	static const struct {
		int status;
		int64_t after_ms;
		enum plan_why why;
		int64_t wait_ms;
		bool poll;
	} cases[] = {
		{ 0, -1, PLAN_BACKOFF, 1000, true },
		{ 404, -1, PLAN_BACKOFF, 1000, true },
		{ 500, -1, PLAN_BACKOFF, 1000, true },
		{ 503, -1, PLAN_BACKOFF, 1000, true },
		{ 429, -1, PLAN_BACKOFF, 1000, false },
		{ 503, 7000, PLAN_TOLD, 7000, false },
		{ 429, 60000, PLAN_TOLD, 60000, false },
		{ 503, 99999999, PLAN_TOLD, 600000, false },
		{ 403, -1, PLAN_REFUSED, 60000, false },
		{ 401, -1, PLAN_REFUSED, 60000, false },
		{ 400, -1, PLAN_PLAIN, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct linkplan_next n;
		struct linkplan p;

		linkplan_init(&p, &config);
		n = linkplan_failed(&p, cases[i].status, cases[i].after_ms);
		assert_int_equal(n.why, cases[i].why);
		assert_about(n.wait_ms, cases[i].wait_ms);
		assert_int_equal(n.poll, cases[i].poll);
	}
}

static void
told_to_come_at_once_still_means_the_usual_wait(void **state)
{
	struct linkplan p;

	(void)state;
	linkplan_init(&p, &config);
	linkplan_failed(&p, 0, -1);
	assert_in_range(linkplan_failed(&p, 503, 0).wait_ms, 2000, 2500);
}

static void
polling_begins_after_so_many_failed_tries(void **state)
{
	struct linkplan_config c = config;
	struct linkplan p;

	(void)state;
	c.fallback_after = 3;
	linkplan_init(&p, &c);
	assert_false(linkplan_failed(&p, 0, -1).poll);
	assert_false(linkplan_failed(&p, 0, -1).poll);
	assert_true(linkplan_failed(&p, 0, -1).poll);
	linkplan_opened(&p, 0);
	linkplan_closed(&p, 1006, false, -1, 60000);
	assert_false(linkplan_failed(&p, 0, -1).poll);
}

static void
a_refused_secret_waits_long_and_is_said_once(void **state)
{
	static const int64_t waits[] = { 60000, 120000, 240000, 480000,
		600000 };
	struct linkplan p;

	(void)state;
	linkplan_init(&p, &config);
	for (size_t i = 0; i < N_OF(waits); i++) {
		struct linkplan_next n = linkplan_failed(&p, 403, -1);

		assert_about(n.wait_ms, waits[i]);
		assert_int_equal(n.say, i == 0);
	}
	linkplan_forgive(&p); /* SIGHUP: another secret */
	assert_true(linkplan_failed(&p, 403, -1).say);
}

static void
a_link_forgives_only_when_it_held(void **state)
{
	struct linkplan p;
	struct clock c;

	(void)state;
	clock_fake(&c, 0);
	linkplan_init(&p, &config);
	for (int i = 0; i < 4; i++)
		linkplan_failed(&p, 0, -1);
	linkplan_opened(&p, clock_mono(&c));
	clock_advance(&c, 29999);
	assert_about(
	    linkplan_closed(&p, 1006, false, -1, clock_mono(&c)).wait_ms,
	    16000);
	linkplan_opened(&p, clock_mono(&c));
	clock_advance(&c, 30000);
	assert_about(
	    linkplan_closed(&p, 1006, false, -1, clock_mono(&c)).wait_ms, 1000);
}

static void
links_that_fall_at_once_lead_to_polling(void **state)
{
	struct linkplan p;

	(void)state;
	linkplan_init(&p, &config);
	linkplan_opened(&p, 0);
	assert_false(linkplan_closed(&p, 1006, false, -1, 10).poll);
	linkplan_opened(&p, 2000);
	assert_true(linkplan_closed(&p, 1006, false, -1, 2010).poll);
}

static void
a_restart_is_followed_at_once_but_once(void **state)
{
	struct linkplan p;
	struct linkplan_next n;

	(void)state;
	linkplan_init(&p, &config);
	linkplan_opened(&p, 0);
	n = linkplan_closed(&p, 1012, false, -1, 5000);
	assert_int_equal(n.why, PLAN_AT_ONCE);
	assert_int_equal(n.wait_ms, 0);
	linkplan_opened(&p, 5000);
	n = linkplan_closed(&p, 1012, false, -1, 5100);
	assert_int_equal(n.why, PLAN_BACKOFF);
	assert_about(n.wait_ms, 1000);
	linkplan_opened(&p, 6000);
	n = linkplan_closed(&p, 1012, false, -1, 36000);
	assert_int_equal(n.why, PLAN_AT_ONCE);
}

static void
the_hub_may_say_when_to_come_back(void **state)
{
	struct linkplan p;
	struct linkplan_next n;

	(void)state;
	linkplan_init(&p, &config);
	linkplan_opened(&p, 0);
	n = linkplan_closed(&p, 1012, false, 350, 5000);
	assert_int_equal(n.why, PLAN_TOLD);
	assert_int_equal(n.wait_ms, 350);
	/* but not call us back every moment */
	linkplan_opened(&p, 6000);
	n = linkplan_closed(&p, 1000, false, 0, 6001);
	assert_int_equal(n.why, PLAN_BACKOFF);
	assert_about(n.wait_ms, 1000);
	linkplan_opened(&p, 7000);
	n = linkplan_closed(&p, 1000, false, 5000, 7001);
	assert_int_equal(n.wait_ms, 5000);
}

static void
who_lost_its_place_steps_back_further_each_time(void **state)
{
	static const int64_t waits[] = { 60000, 120000, 240000, 480000, 600000,
		600000 };
	struct linkplan p;
	int64_t now = 0;

	(void)state;
	linkplan_init(&p, &config);
	for (size_t i = 0; i < N_OF(waits); i++) {
		struct linkplan_next n;

		linkplan_opened(&p, now);
		now += 70000; /* stable, and yet it does not forgive */
		n = linkplan_closed(&p, 1000, true, -1, now);
		assert_int_equal(n.why, PLAN_TAKEN);
		assert_about(n.wait_ms, waits[i]);
		assert_false(n.poll);
		assert_int_equal(n.say, i == 2);
	}
	linkplan_opened(&p, now);
	assert_about(
	    linkplan_closed(&p, 1000, true, -1, now + 800000).wait_ms, 60000);
}

static void
who_fights_comes_back_as_after_any_close(void **state)
{
	struct linkplan_config c = config;
	struct linkplan p;

	(void)state;
	c.yields = false;
	linkplan_init(&p, &c);
	linkplan_opened(&p, 0);
	assert_about(linkplan_closed(&p, 1000, true, -1, 100).wait_ms, 1000);
}

static void
the_subprotocol_is_left_out_after_400_until_the_next_link(void **state)
{
	struct linkplan p;

	(void)state;
	linkplan_init(&p, &config);
	assert_false(linkplan_plain(&p));
	linkplan_failed(&p, 400, -1);
	assert_true(linkplan_plain(&p));
	linkplan_failed(&p, 0, -1);
	assert_true(linkplan_plain(&p));
	linkplan_opened(&p, 0);
	linkplan_closed(&p, 1006, false, -1, 1);
	assert_false(linkplan_plain(&p));
	/* a hub that says 400 to both is not asked in a tight loop */
	linkplan_failed(&p, 400, -1);
	assert_int_equal(linkplan_failed(&p, 400, -1).why, PLAN_BACKOFF);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    failed_tries_wait_twice_as_long_each_time_up_to_a_minute),
		cmocka_unit_test(what_an_answer_means_for_the_next_try),
		cmocka_unit_test(
		    told_to_come_at_once_still_means_the_usual_wait),
		cmocka_unit_test(polling_begins_after_so_many_failed_tries),
		cmocka_unit_test(a_refused_secret_waits_long_and_is_said_once),
		cmocka_unit_test(a_link_forgives_only_when_it_held),
		cmocka_unit_test(links_that_fall_at_once_lead_to_polling),
		cmocka_unit_test(a_restart_is_followed_at_once_but_once),
		cmocka_unit_test(the_hub_may_say_when_to_come_back),
		cmocka_unit_test(
		    who_lost_its_place_steps_back_further_each_time),
		cmocka_unit_test(who_fights_comes_back_as_after_any_close),
		cmocka_unit_test(
		    the_subprotocol_is_left_out_after_400_until_the_next_link),
	};

	return RUN_TESTS(tests);
}
