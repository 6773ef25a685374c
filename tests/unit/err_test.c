#include "lib/err.h"

#include <string.h>

#include "check.h"
#include "lib/exit.h"
#include "lib/str.h"

static void
the_first_error_is_kept(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_false(err_isset(&err));
	err_set(&err, EXIT_IO, "io", "disk %d is full", 3);
	err_set(&err, EXIT_DATA, "bad_json", "a consequence");
	assert_true(err_isset(&err));
	assert_int_equal(err.status, EXIT_IO);
	assert_string_equal(err.code, "io");
	assert_string_equal(err.text, "disk 3 is full");
}

static void
a_prefix_stands_in_front(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	err_prefix(&err, "nothing yet");
	assert_string_equal(err.text, "");
	err_set(&err, EXIT_IO, "io", "is full");
	err_prefix(&err, "disk %d", 3);
	assert_string_equal(err.text, "disk 3: is full");
}

static void
a_cleared_error_can_be_set_again(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	err_set(&err, EXIT_IO, "io", "one");
	err_clear(&err);
	assert_false(err_isset(&err));
	assert_string_equal(err.code, "ok");
	err_set(&err, EXIT_DATA, "bad_json", "two");
	assert_string_equal(err.text, "two");
}

static void
a_long_sentence_is_cut_between_characters(void **state)
{
	struct err err = ERR_INIT;
	char text[2 * ERR_TEXT_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < ERR_TEXT_MAX; i++)
		memcpy(text + 2 * i, "\xc3\xa4", 3);
	err_set(&err, EXIT_IO, "io", "%s", text);
	assert_true(strlen(err.text) >= ERR_TEXT_MAX - 2);
	assert_true(str_utf8(err.text, strlen(err.text), false));
	err_prefix(&err, "x");
	assert_true(str_utf8(err.text, strlen(err.text), false));
}

static void
a_sentence_is_one_line(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	err_set(&err, EXIT_IO, "io", "one\ntwo\r\n");
	assert_string_equal(err.text, "one two  ");
}

static void
nobody_has_to_ask_for_the_reason(void **state)
{
	(void)state;
	err_set(NULL, EXIT_IO, "io", "lost");
	err_prefix(NULL, "lost");
	err_clear(NULL);
	assert_false(err_isset(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_error_is_kept),
		cmocka_unit_test(a_prefix_stands_in_front),
		cmocka_unit_test(a_cleared_error_can_be_set_again),
		cmocka_unit_test(a_long_sentence_is_cut_between_characters),
		cmocka_unit_test(a_sentence_is_one_line),
		cmocka_unit_test(nobody_has_to_ask_for_the_reason),
	};

	return RUN_TESTS(tests);
}
