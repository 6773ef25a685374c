#include "check.h"

#include <stdio.h>
#include <string.h>

#include "ewsagent/outbox.h"
#include "lib/mem.h"

static bool
put(struct outbox *b, enum outbox_kind kind, const char *id)
{
	return outbox_put(b, kind, id, mem_dup(id), strlen(id));
}

static void
note(void *arg, const struct outbox_item *item)
{
	char *seen = arg;

	strcat(seen, item->id);
	strcat(seen, " ");
}

/* Empties the box; what was waiting, in order. */
static const char *
waiting(struct outbox *b)
{
	static char seen[256];

	seen[0] = '\0';
	outbox_lend(b, 99, SIZE_MAX, note, seen);
	outbox_settle(b, 99, true);
	return seen;
}

static void
what_waits_leaves_in_the_order_it_came(void **state)
{
	struct outbox *b = outbox_new(10, 1000);

	(void)state;
	assert_true(put(b, OUTBOX_STEP, "s1"));
	assert_true(put(b, OUTBOX_OUTPUT, "o1"));
	assert_true(put(b, OUTBOX_END, "e1"));
	assert_string_equal(outbox_next(b)->id, "s1");
	outbox_remove(b, outbox_next(b));
	assert_string_equal(waiting(b), "o1 e1 ");
	assert_int_equal(outbox_count(b), 0);
	assert_null(outbox_next(b));
	outbox_free(b);
}

static void
what_a_poll_lost_waits_in_its_old_place(void **state)
{
	struct outbox *b = outbox_new(10, 1000);
	char seen[64] = "";

	(void)state;
	put(b, OUTBOX_STEP, "a");
	put(b, OUTBOX_END, "b");
	assert_int_equal(outbox_lend(b, 1, 1000, note, seen), 2);
	put(b, OUTBOX_END, "c");
	assert_string_equal(outbox_next(b)->id, "c");
	outbox_settle(b, 1, false);
	assert_string_equal(waiting(b), "a b c ");
	outbox_free(b);
}

static void
what_a_poll_delivered_is_gone_and_nothing_else(void **state)
{
	struct outbox *b = outbox_new(10, 1000);
	char seen[64] = "";

	(void)state;
	put(b, OUTBOX_STEP, "a");
	outbox_lend(b, 1, 1000, note, seen);
	put(b, OUTBOX_STEP, "b");
	outbox_lend(b, 2, 1000, note, seen);
	outbox_settle(b, 2, true);
	assert_int_equal(outbox_count(b), 1);
	outbox_settle(b, 1, false);
	assert_string_equal(waiting(b), "a ");
	outbox_free(b);
}

static void
a_batch_is_cut_by_bytes_but_never_empty(void **state)
{
	struct outbox *b = outbox_new(10, 1000);
	char seen[64] = "";

	(void)state;
	put(b, OUTBOX_END, "four");
	put(b, OUTBOX_END, "five5");
	put(b, OUTBOX_END, "six");
	assert_int_equal(outbox_lend(b, 1, 9, note, seen), 2);
	assert_int_equal(outbox_lend(b, 2, 0, note, seen), 1);
	assert_int_equal(outbox_lend(b, 3, 0, note, seen), 0);
	assert_string_equal(seen, "four five5 six ");
	outbox_free(b);
}

static void
a_full_box_gives_up_progress_for_an_end(void **state)
{
	struct outbox *b = outbox_new(3, 1000);

	(void)state;
	put(b, OUTBOX_END, "e1");
	put(b, OUTBOX_STEP, "s1");
	put(b, OUTBOX_STEP, "s2");
	assert_false(put(b, OUTBOX_STEP, "s3"));
	assert_true(put(b, OUTBOX_END, "e2"));
	assert_false(outbox_owes(b));
	assert_string_equal(waiting(b), "e1 s2 e2 ");
	outbox_free(b);
}

static void
an_end_that_finds_no_room_is_owed_once(void **state)
{
	struct outbox *b = outbox_new(2, 1000);

	(void)state;
	put(b, OUTBOX_END, "e1");
	put(b, OUTBOX_END, "e2");
	assert_false(put(b, OUTBOX_END, "e3"));
	assert_true(outbox_owes(b));
	assert_false(outbox_owes(b));
	outbox_free(b);
}

static void
lent_progress_is_not_given_up(void **state)
{
	struct outbox *b = outbox_new(1, 1000);
	char seen[64] = "";

	(void)state;
	put(b, OUTBOX_STEP, "s1");
	outbox_lend(b, 1, 1000, note, seen);
	assert_false(put(b, OUTBOX_END, "e1"));
	assert_true(outbox_owes(b));
	outbox_settle(b, 1, true);
	assert_int_equal(outbox_count(b), 0);
	outbox_free(b);
}

static void
output_is_bounded_by_bytes_but_one_piece_fits(void **state)
{
	struct outbox *b = outbox_new(10, 4);

	(void)state;
	assert_true(put(b, OUTBOX_OUTPUT, "longer"));
	assert_false(outbox_has_room(b, 1));
	assert_false(put(b, OUTBOX_OUTPUT, "x"));
	assert_true(put(b, OUTBOX_END, "e"));
	outbox_remove(b, outbox_next(b));
	assert_true(put(b, OUTBOX_OUTPUT, "abc"));
	assert_true(put(b, OUTBOX_OUTPUT, "d"));
	assert_false(put(b, OUTBOX_OUTPUT, "e"));
	outbox_free(b);
}

static void
a_new_link_begins_with_an_empty_box(void **state)
{
	struct outbox *b = outbox_new(2, 10);
	char seen[64] = "";

	(void)state;
	put(b, OUTBOX_END, "e1");
	put(b, OUTBOX_OUTPUT, "o1");
	outbox_lend(b, 1, 1, note, seen);
	put(b, OUTBOX_END, "e2");
	outbox_clear(b);
	assert_int_equal(outbox_count(b), 0);
	assert_false(outbox_owes(b));
	outbox_settle(b, 1, false); /* a late answer finds nothing */
	assert_true(put(b, OUTBOX_OUTPUT, "0123456789"));
	outbox_free(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_leaves_in_the_order_it_came),
		cmocka_unit_test(what_a_poll_lost_waits_in_its_old_place),
		cmocka_unit_test(
		    what_a_poll_delivered_is_gone_and_nothing_else),
		cmocka_unit_test(a_batch_is_cut_by_bytes_but_never_empty),
		cmocka_unit_test(a_full_box_gives_up_progress_for_an_end),
		cmocka_unit_test(an_end_that_finds_no_room_is_owed_once),
		cmocka_unit_test(lent_progress_is_not_given_up),
		cmocka_unit_test(output_is_bounded_by_bytes_but_one_piece_fits),
		cmocka_unit_test(a_new_link_begins_with_an_empty_box),
	};

	return RUN_TESTS(tests);
}
