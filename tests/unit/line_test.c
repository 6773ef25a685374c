#include "lib/line.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

/* What the callback saw, joined by "|". */
struct seen {
	char text[256];
	unsigned count, stop_at;
	struct line *free_when_stopping;
};

static bool
remember(void *arg, char *text, size_t len)
{
	struct seen *s = arg;

	assert_int_equal(text[len], '\0');
	strcat(s->text, text);
	strcat(s->text, "|");
	if (++s->count != s->stop_at)
		return true;
	line_free(s->free_when_stopping);
	return false;
}

static void
lines_are_cut_wherever_the_bytes_break(void **state)
{
	static const char bytes[] = "one\n\ntwo words\nrest";
	size_t step, at, len = sizeof bytes - 1;

	(void)state;
	for (step = 1; step <= len; step++) {
		struct seen s = { 0 };
		struct line *l = line_new(64, remember, &s);

		for (at = 0; at < len; at += step)
			assert_true(line_feed(
			    l, bytes + at, len - at < step ? len - at : step));
		assert_string_equal(s.text, "one||two words|");
		assert_int_equal(line_pending(l), 4);
		line_free(l);
	}
}

static void
a_line_over_the_limit_ends_the_stream(void **state)
{
	struct seen s = { 0 };
	struct line *l = line_new(8, remember, &s);

	(void)state;
	assert_true(line_feed(l, "12345678\n", 9));
	assert_false(line_feed(l, "123456789", 9));
	assert_false(line_feed(l, "\nnext\n", 6));
	assert_string_equal(s.text, "12345678|");
	line_free(l);
}

static void
a_long_line_is_refused_also_byte_by_byte(void **state)
{
	struct seen s = { 0 };
	struct line *l = line_new(1000, remember, &s);
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		assert_true(line_feed(l, "x", 1));
	assert_false(line_feed(l, "x", 1));
	assert_int_equal(s.count, 0);
	line_free(l);
}

static void
a_line_of_many_blocks_arrives_whole(void **state)
{
	static char big[100001];
	struct seen s = { 0 };
	struct line *l;

	(void)state;
	memset(big, 'x', sizeof big - 1);
	l = line_new(sizeof big - 1, remember, &s);
	assert_true(line_feed(l, big, sizeof big - 1));
	assert_int_equal(line_pending(l), sizeof big - 1);
	line_free(l);
}

static void
the_callback_may_stop_and_free(void **state)
{
	struct seen s = { .stop_at = 2 };

	(void)state;
	s.free_when_stopping = line_new(64, remember, &s);
	assert_false(line_feed(s.free_when_stopping, "a\nb\nc\n", 6));
	assert_string_equal(s.text, "a|b|");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_wherever_the_bytes_break),
		cmocka_unit_test(a_line_over_the_limit_ends_the_stream),
		cmocka_unit_test(a_long_line_is_refused_also_byte_by_byte),
		cmocka_unit_test(a_line_of_many_blocks_arrives_whole),
		cmocka_unit_test(the_callback_may_stop_and_free),
	};

	return RUN_TESTS(tests);
}
