#include "lib/str.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static void
equal_is_equal_and_null_only_equals_null(void **state)
{
	(void)state;
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "A"));
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq("", NULL));
	assert_true(str_ieq("Upgrade", "uPGRADE"));
	assert_false(str_ieq("ab", "abc"));
	assert_false(str_ieq("[", "{"));
	assert_true(str_starts("abc", "ab") && str_starts("abc", ""));
	assert_false(str_starts("ab", "abc"));
	assert_true(str_ends("abc", "bc") && str_ends("abc", ""));
	assert_false(str_ends("bc", "abc"));
}

static void
a_copy_is_always_terminated(void **state)
{
	char out[4];

	(void)state;
	assert_true(str_copy(out, sizeof out, "abc"));
	assert_string_equal(out, "abc");
	assert_false(str_copy(out, sizeof out, "abcd"));
	assert_string_equal(out, "abc");
	assert_false(str_copy(out, 0, ""));
}

static void
numbers_are_digits_within_bounds(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10",
		"1e3", "1.0", "18446744073709551616", "99999999999999999999",
		"1\n", "\xd9\xa1" };
	uint64_t n = 0;
	size_t i;

	(void)state;
	assert_true(str_u64("18446744073709551615", 0, UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_true(str_u64("007", 7, 7, &n));
	assert_int_equal(n, 7);
	assert_false(str_u64("6", 7, 9, &n));
	assert_false(str_u64("10", 7, 9, &n));
	assert_false(str_u64(NULL, 0, 9, &n));
	for (i = 0; i < N_OF(bad); i++)
		assert_false(str_u64(bad[i], 0, UINT64_MAX, &n));
}

static void
sizes_are_powers_of_1024(void **state)
{
	static const char *const bad[] = { "", "k", "1kk", "1kB", "1.5k", "-1k",
		"1t", "18446744073709551615k", "17179869184G", " 1k" };
	uint64_t n = 0;
	size_t i;

	(void)state;
	assert_true(str_size("10", &n) && n == 10);
	assert_true(str_size("64k", &n) && n == 65536);
	assert_true(str_size("64K", &n) && n == 65536);
	assert_true(str_size("1M", &n) && n == 1048576);
	assert_true(str_size("2G", &n) && n == 2147483648);
	for (i = 0; i < N_OF(bad); i++)
		assert_false(str_size(bad[i], &n));
}

static void
utf8_is_judged_as_rfc_3629_says(void **state)
{
	static const char *const good[] = { "", "abc", "\xc2\x80", "\xdf\xbf",
		"\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80",
		"\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe0\xa0",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
		"a\xfe" };
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(good); i++)
		assert_true(str_utf8(good[i], strlen(good[i]), false));
	for (i = 0; i < N_OF(bad); i++)
		assert_false(str_utf8(bad[i], strlen(bad[i]), true));
	assert_true(str_utf8("a\0b", 3, true));
	assert_false(str_utf8("a\0b", 3, false));
}

static void
a_chunk_ends_on_a_whole_character(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
	static const size_t expected[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10 };
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(expected); i++)
		assert_int_equal(str_utf8_cut(text, i), expected[i]);
	/* what never becomes a character is not held back */
	assert_int_equal(str_utf8_cut("ab\xff", 3), 3);
	assert_int_equal(str_utf8_cut("\x80\x80\x80\x80", 4), 4);
	assert_int_equal(str_utf8_cut("\xe0\x80", 2), 2);
}

static void
nothing_that_moves_a_terminal_survives_escaping(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain \xc3\xa4 \xe2\x82\xac",
		    "plain \xc3\xa4 \xe2\x82\xac" },
		{ "a\nb\tc\rd", "a\\nb\\tc\\rd" },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "\x7f", "\\x7f" },
		{ "\xc2\x9b"
		  "31m",
		    "\\xc2\\x9b31m" },
		{ "\xff\xc3", "\\xff\\xc3" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "%s%n", "%s%n" },
		{ "", "" },
	};
	char out[64];
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++)
		assert_string_equal(str_escape(out, sizeof out, cases[i].in,
					strlen(cases[i].in)),
		    cases[i].out);
	assert_string_equal(str_escape(out, sizeof out, "a\0b", 3), "a\\x00b");
}

static void
a_long_text_is_cut_with_three_dots(void **state)
{
	char out[11];

	(void)state;
	assert_string_equal(
	    str_escape(out, 11, "1234567890", 10), "1234567890");
	assert_string_equal(
	    str_escape(out, 11, "1234567890a", 11), "1234567...");
	assert_string_equal(str_escape(out, 11,
				"123456\xe2\x82\xac"
				"abc",
				12),
	    "123456...");
	assert_string_equal(
	    str_escape(out, 11, "12345\n\n\n", 8), "12345\\n...");
	assert_string_equal(str_escape(out, 3, "1234", 4), "");
	assert_string_equal(str_escape(out, 1, "1", 1), "");
}

/* Every size for one text: never past the end. */
static void
escaping_keeps_to_its_room(void **state)
{
	static const char text[] = "a\n\xc3\xa4\x1b\xf0\x9f\x98\x80\xff z";
	size_t size;

	(void)state;
	for (size = 1; size < 40; size++) {
		char *out = malloc(size);

		str_escape(out, size, text, sizeof text - 1);
		assert_true(strlen(out) < size);
		assert_true(str_utf8(out, strlen(out), false));
		free(out);
	}
}

static void
hex_goes_both_ways(void **state)
{
	static const char *const bad[] = { "0", "0g", "0x", " 0", "00 " };
	unsigned char bytes[4];
	char text[9];
	size_t len, i;

	(void)state;
	str_hex(text, "\x00\xff\x1a\xb0", 4);
	assert_string_equal(text, "00ff1ab0");
	assert_true(str_unhex(bytes, sizeof bytes, "00FF1aB0", &len));
	assert_int_equal(len, 4);
	assert_memory_equal(bytes, "\x00\xff\x1a\xb0", 4);
	assert_false(str_unhex(bytes, 3, "00ff1ab0", &len));
	for (i = 0; i < N_OF(bad); i++)
		assert_false(str_unhex(bytes, sizeof bytes, bad[i], &len));
}

static void
base64_is_that_of_rfc_4648(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "+//+" } };
	char bytes[16];
	size_t i, len;

	(void)state;
	for (i = 0; i < N_OF(pairs); i++) {
		char *text = str_b64(pairs[i][0], strlen(pairs[i][0]));

		assert_string_equal(text, pairs[i][1]);
		assert_true(str_unb64(bytes, sizeof bytes, text, &len));
		assert_int_equal(len, strlen(pairs[i][0]));
		assert_memory_equal(bytes, pairs[i][0], len);
		free(text);
	}
}

static void
base64_has_one_spelling_only(void **state)
{
	static const char *const bad[] = { "Zg",
		"Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "=", "Zm9v\n",
		" Zm9v", "Zm 9", "-__-", "Zg==Zg==", "Zm8=Zm8=", "Zg=a",
		"Z\xc3\xa4v" };
	char bytes[16];
	size_t i, len;

	(void)state;
	for (i = 0; i < N_OF(bad); i++)
		if (str_unb64(bytes, sizeof bytes, bad[i], &len))
			fail_msg("\"%s\" passed", bad[i]);
	assert_true(str_unb64(bytes, 1, "Zg==", &len));
	assert_false(str_unb64(bytes, 1, "Zm8=", &len));
	assert_false(str_unb64(bytes, 2, "Zm9v", &len));
}

static void
percent_decoding_refuses_what_is_cut_or_nul(void **state)
{
	static const char *const bad[] = { "%", "a%2", "%zz", "%0", "%00",
		"a%00b", "%%41" };
	char text[16];
	size_t i;

	(void)state;
	str_copy(text, sizeof text, "a%2Fb+c%c3%A4");
	assert_true(str_unpercent(text));
	assert_string_equal(text, "a/b+c\xc3\xa4");
	for (i = 0; i < N_OF(bad); i++) {
		str_copy(text, sizeof text, bad[i]);
		assert_false(str_unpercent(text));
	}
}

static void
percent_encoding_is_undone_by_decoding(void **state)
{
	char every[256], *text;
	int i;

	(void)state;
	for (i = 0; i < 255; i++)
		every[i] = (char)(i + 1);
	every[255] = '\0';
	text = str_percent(every);
	assert_true(str_unpercent(text));
	assert_string_equal(text, every);
	free(text);
	text = str_percent("a-b.c_d~e f/\xc3\xa4");
	assert_string_equal(text, "a-b.c_d~e%20f%2F%C3%A4");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_is_equal_and_null_only_equals_null),
		cmocka_unit_test(a_copy_is_always_terminated),
		cmocka_unit_test(numbers_are_digits_within_bounds),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(utf8_is_judged_as_rfc_3629_says),
		cmocka_unit_test(a_chunk_ends_on_a_whole_character),
		cmocka_unit_test(
		    nothing_that_moves_a_terminal_survives_escaping),
		cmocka_unit_test(a_long_text_is_cut_with_three_dots),
		cmocka_unit_test(escaping_keeps_to_its_room),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(base64_is_that_of_rfc_4648),
		cmocka_unit_test(base64_has_one_spelling_only),
		cmocka_unit_test(percent_decoding_refuses_what_is_cut_or_nul),
		cmocka_unit_test(percent_encoding_is_undone_by_decoding),
	};

	return RUN_TESTS(tests);
}
