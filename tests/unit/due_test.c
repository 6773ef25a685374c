#include "ewsd/core/due.h"

#include <stdlib.h>

#include "check.h"

enum { MANY = 100000 };

static struct due_item *
put(struct due *d, struct due_item *i, int64_t at, uint64_t order)
{
	i->order = order;
	due_put(d, i, at);
	return i;
}

static void
nothing_is_due_before_its_time(void **state)
{
	struct due_item a = { 0 };
	struct due d = { 0 };

	(void)state;
	assert_null(due_first(&d, INT64_MAX));
	put(&d, &a, 1000, 1);
	assert_null(due_first(&d, 999));
	assert_ptr_equal(due_first(&d, 1000), &a);
	assert_ptr_equal(due_first(&d, 1000), &a); /* it stays in */
	due_fini(&d);
}

static void
the_earliest_comes_first_and_among_equals_the_older(void **state)
{
	struct due_item a = { 0 }, b = { 0 }, c = { 0 };
	struct due d = { 0 };

	(void)state;
	put(&d, &a, 2000, 1);
	put(&d, &b, 1000, 3);
	put(&d, &c, 1000, 2);
	assert_ptr_equal(due_first(&d, 5000), &c);
	due_take(&d, &c);
	assert_ptr_equal(due_first(&d, 5000), &b);
	due_take(&d, &b);
	assert_ptr_equal(due_first(&d, 5000), &a);
	due_fini(&d);
}

static void
an_item_is_moved_both_ways_and_taken_once(void **state)
{
	struct due_item a = { 0 }, b = { 0 };
	struct due d = { 0 };

	(void)state;
	put(&d, &a, 1000, 1);
	put(&d, &b, 2000, 2);
	due_put(&d, &a, 3000);
	assert_ptr_equal(due_first(&d, 5000), &b);
	due_put(&d, &a, 500);
	assert_ptr_equal(due_first(&d, 5000), &a);
	due_take(&d, &a);
	due_take(&d, &a); /* not in it: nothing happens */
	assert_int_equal(d.n, 1);
	assert_ptr_equal(due_first(&d, 5000), &b);
	due_fini(&d);
}

static void
a_hundred_thousand_come_out_in_order(void **state)
{
	struct due_item *all = calloc(MANY, sizeof *all), *i;
	struct due d = { 0 };
	int64_t last = -1;
	size_t n = 0;

	(void)state;
	assert_non_null(all);
	for (uint64_t k = 0; k < MANY; k++)
		put(&d, &all[k], (int64_t)(k * 7919 % 65536), k);
	for (size_t k = 0; k < MANY; k += 3)
		due_take(&d, &all[k]);
	while ((i = due_first(&d, INT64_MAX)) != NULL) {
		assert_true(i->at_ms >= last);
		assert_true((size_t)(i - all) % 3 != 0);
		last = i->at_ms;
		due_take(&d, i);
		n++;
	}
	assert_int_equal(n, MANY - (MANY + 2) / 3);
	due_fini(&d);
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_before_its_time),
		cmocka_unit_test(
		    the_earliest_comes_first_and_among_equals_the_older),
		cmocka_unit_test(an_item_is_moved_both_ways_and_taken_once),
		cmocka_unit_test(a_hundred_thousand_come_out_in_order),
	};

	return RUN_TESTS(tests);
}
