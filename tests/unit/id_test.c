#include "lib/id.h"

#include <string.h>

#include "check.h"

static void
a_uuid_has_the_form_of_version_7(void **state)
{
	char id[ID_UUID_SIZE];
	size_t i;

	(void)state;
	id_uuid7(id, 0x0123456789ab);
	assert_int_equal(strlen(id), 36);
	assert_memory_equal(id, "01234567-89ab-7", 15);
	assert_non_null(strchr("89ab", id[19]));
	for (i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(id[i], '-');
		else
			assert_non_null(strchr("0123456789abcdef", id[i]));
}

static void
uuids_increase_even_in_one_millisecond(void **state)
{
	char last[ID_UUID_SIZE], id[ID_UUID_SIZE];
	int i;

	(void)state;
	id_uuid7(last, 2000000000000);
	for (i = 0; i < 20000; i++) { /* the counter has 12 bits */
		id_uuid7(id, 2000000000000);
		assert_true(strcmp(last, id) < 0);
		memcpy(last, id, sizeof id);
	}
}

static void
uuids_increase_when_the_clock_goes_back(void **state)
{
	char first[ID_UUID_SIZE], second[ID_UUID_SIZE];

	(void)state;
	id_uuid7(first, 3000000000000);
	id_uuid7(second, 3000000000000 - 3600000);
	assert_true(strcmp(first, second) < 0);
}

static void
random_ids_differ(void **state)
{
	char a[ID_RANDOM_SIZE], b[ID_RANDOM_SIZE];

	(void)state;
	id_random(a);
	id_random(b);
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
}

/* 128 and 129 bytes, filled in by main. */
static char longest[ID_NAME_MAX + 1], too_long[ID_NAME_MAX + 2];

static void
names_are_judged(void **state)
{
	static const char *const good[] = { "edge_13105550100", "mini", "a b",
		"M\xc3\xbcller", "...", "-x", "a:b", "%s%n", longest };
	static const char *const bad[] = { "", ".", "..", " a", "a ", "a/b",
		"/", "a\nb", "a\tb", "\x1b[2J", "a\x7f", "\xc2\x85", "\xc3",
		"\xc0\xaf", "\xed\xa0\x80", too_long };
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(good); i++)
		if (!id_name_ok(good[i]))
			fail_msg("\"%s\" was refused", good[i]);
	for (i = 0; i < N_OF(bad); i++)
		if (id_name_ok(bad[i]))
			fail_msg("\"%s\" passed", bad[i]);
	assert_false(id_name_ok(NULL));
}

static void
command_types_are_judged(void **state)
{
	static const char *const bad[] = { "", ".", "..", "-x", "_x", "a/b",
		"a b", "../sh", "a\n", "\xc3\xa4", "a:b" };
	char word[66];
	size_t i;

	(void)state;
	assert_true(id_type_ok("send_message_now"));
	assert_true(id_type_ok("Echo.v2-x"));
	assert_true(id_type_ok("7z"));
	for (i = 0; i < N_OF(bad); i++)
		assert_false(id_type_ok(bad[i]));
	memset(word, 'a', 65);
	word[65] = '\0';
	assert_false(id_type_ok(word));
	word[64] = '\0';
	assert_true(id_type_ok(word));
	assert_false(id_type_ok(NULL));
}

static void
handler_names_are_lower_case(void **state)
{
	(void)state;
	assert_true(id_handler_ok("echo"));
	assert_true(id_handler_ok("send_message.v2-x"));
	assert_false(id_handler_ok("Echo"));
	assert_false(id_handler_ok(".hidden"));
	assert_false(id_handler_ok(".."));
	assert_false(id_handler_ok("a/b"));
	assert_false(id_handler_ok(""));
	assert_false(id_handler_ok(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uuid_has_the_form_of_version_7),
		cmocka_unit_test(uuids_increase_even_in_one_millisecond),
		cmocka_unit_test(uuids_increase_when_the_clock_goes_back),
		cmocka_unit_test(random_ids_differ),
		cmocka_unit_test(names_are_judged),
		cmocka_unit_test(command_types_are_judged),
		cmocka_unit_test(handler_names_are_lower_case),
	};

	memset(longest, 'n', sizeof longest - 1);
	memset(too_long, 'n', sizeof too_long - 1);
	return RUN_TESTS(tests);
}
