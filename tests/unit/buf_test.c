#include "lib/buf.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static void
what_is_added_stands_in_order_with_a_nul(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_text(&b, "one");
	buf_add(&b, " two", 4);
	buf_printf(&b, " %d", 3);
	assert_string_equal(b.bytes, "one two 3");
	assert_int_equal(b.len, 9);
	assert_false(b.failed);
	buf_fini(&b);
}

static void
the_limit_is_exact(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_text(&b, "12345678");
	assert_false(b.failed);
	buf_text(&b, "9");
	assert_true(b.failed);
	assert_string_equal(b.bytes, "12345678");
	buf_fini(&b);
}

static void
a_failed_buffer_takes_nothing_and_gives_null(void **state)
{
	struct buf b;
	size_t len;

	(void)state;
	buf_init(&b, 4);
	buf_text(&b, "12345");
	buf_text(&b, "1");
	assert_int_equal(b.len, 0);
	assert_null(buf_take(&b, &len));
	buf_fini(&b);
}

static void
a_reset_forgets_the_failure(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_text(&b, "12345");
	buf_reset(&b);
	buf_text(&b, "1234");
	assert_false(b.failed);
	assert_string_equal(b.bytes, "1234");
	buf_fini(&b);
}

static void
it_grows_to_a_large_limit(void **state)
{
	enum { LARGE = 300000 };
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, LARGE);
	for (i = 0; i < LARGE; i++)
		buf_add(&b, "x", 1);
	assert_false(b.failed);
	assert_int_equal(b.len, LARGE);
	assert_int_equal(strlen(b.bytes), LARGE);
	buf_add(&b, "x", 1);
	assert_true(b.failed);
	buf_fini(&b);
}

static void
json_is_escaped_and_utf8_is_kept(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_json(&b, "a\"b\\c\n\t\x01\0z\xc3\xa4", 12);
	assert_string_equal(
	    b.bytes, "\"a\\\"b\\\\c\\n\\t\\u0001\\u0000z\xc3\xa4\"");
	buf_fini(&b);
}

static void
dropping_removes_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_drop(&b, 3); /* of nothing */
	buf_text(&b, "abcdef");
	buf_drop(&b, 2);
	assert_string_equal(b.bytes, "cdef");
	assert_int_equal(b.len, 4);
	buf_drop(&b, 100);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.bytes, "");
	buf_fini(&b);
}

static void
an_empty_buffer_gives_an_empty_text(void **state)
{
	struct buf b;
	size_t len = 7;
	char *text;

	(void)state;
	buf_init(&b, 100);
	text = buf_take(&b, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	assert_null(b.bytes);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_stands_in_order_with_a_nul),
		cmocka_unit_test(the_limit_is_exact),
		cmocka_unit_test(a_failed_buffer_takes_nothing_and_gives_null),
		cmocka_unit_test(a_reset_forgets_the_failure),
		cmocka_unit_test(it_grows_to_a_large_limit),
		cmocka_unit_test(json_is_escaped_and_utf8_is_kept),
		cmocka_unit_test(dropping_removes_from_the_front),
		cmocka_unit_test(an_empty_buffer_gives_an_empty_text),
	};

	return RUN_TESTS(tests);
}
