#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lib/exit.h"
#include "lib/str.h"

/* Reads with exactly 'len' bytes of memory behind the pointer, so that the
 * sanitizer sees a byte too far. */
static json_t *
read_exactly(const char *text, size_t len, struct err *err)
{
	char *copy = malloc(len > 0 ? len : 1);
	json_t *json;

	assert_non_null(copy);
	memcpy(copy, text, len);
	json = js_read(copy, len, err);
	free(copy);
	return json;
}

struct bad {
	const char *text;
	size_t len;
	const char *code;
};
#define BAD(text, code)                                                        \
	{                                                                      \
		text, sizeof(text) - 1, code                                   \
	}

static void
nonsense_is_refused_with_its_code(void **state)
{
	static const struct bad cases[] = {
		BAD("", "bad_json"),
		BAD("   \n", "bad_json"),
		BAD("hello", "bad_json"),
		BAD("{", "bad_json"),
		BAD("{\"a\":1}}", "bad_json"),
		BAD("{\"a\":1} x", "bad_json"),
		BAD("{}{}", "bad_json"),
		BAD("{}\0", "bad_json"),
		BAD("{\"a\":1,}", "bad_json"),
		BAD("{a:1}", "bad_json"),
		BAD("{'a':1}", "bad_json"),
		BAD("[1,]", "bad_json"),
		BAD("{\"a\":01}", "bad_json"),
		BAD("{\"a\":NaN}", "bad_json"),
		BAD("{\"a\":1e999}", "bad_json"),
		BAD("{\"a\":99999999999999999999}", "bad_json"),
		BAD("{\"a\":\"\\u0000\"}", "bad_json"),
		BAD("{\"\\u0000\":1}", "bad_json"),
		BAD("{\"a\":\"\0\"}", "bad_json"),
		BAD("{\"a\":\"\n\"}", "bad_json"),
		BAD("{\"a\":\"\\ud800\"}", "bad_json"),
		BAD("{\"a\":\"\\udc00\"}", "bad_json"),
		BAD("{\"a\":\"\\ud800\\u0041\"}", "bad_json"),
		BAD("{\"a\":\"\xc0\xaf\"}", "bad_json"),
		BAD("{\"a\":\"\xed\xa0\x80\"}", "bad_json"),
		BAD("{\"a\":\"\xf5\x80\x80\x80\"}", "bad_json"),
		BAD("{\"a\":\"\xc3", "bad_json"),
		BAD("\xef\xbb\xbf{}", "bad_json"),
		BAD("{\"a\":\"\\", "bad_json"),
		BAD("{\"a\":1,\"a\":2}", "duplicate_key"),
		BAD("{\"b\":{\"a\":1,\"\\u0061\":2}}", "duplicate_key"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		struct err err = ERR_INIT;
		json_t *json = read_exactly(cases[i].text, cases[i].len, &err);

		if (json != NULL || err.status != EXIT_DATA ||
		    !str_eq(err.code, cases[i].code))
			fail_msg(
			    "%s: %s %s", cases[i].text, err.code, err.text);
		assert_non_null(strstr(err.text, "byte "));
	}
}

static void
only_an_object_is_an_object(void **state)
{
	static const char *const cases[] = { "[]", "1", "\"x\"", "null",
		"true" };
	struct err err;
	json_t *json;
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		err_clear(&err);
		json = js_read(cases[i], strlen(cases[i]), NULL);
		assert_non_null(json);
		json_decref(json);
		assert_null(js_read_object(cases[i], strlen(cases[i]), &err));
		assert_string_equal(err.code, "bad_json");
	}
	json = js_read_object(" {} \r\n", 6, NULL);
	assert_non_null(json);
	json_decref(json);
}

/* 'depth' brackets around nothing. */
static json_t *
read_nested(int depth, struct err *err)
{
	size_t len = 2 * (size_t)depth;
	char *text = malloc(len);
	json_t *json;

	assert_non_null(text);
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	json = js_read(text, len, err);
	free(text);
	return json;
}

static void
depth_is_limited_before_the_parser_sees_it(void **state)
{
	struct err err = ERR_INIT;
	json_t *json;

	(void)state;
	json = read_nested(JS_DEPTH_MAX, &err);
	assert_non_null(json);
	json_decref(json);
	assert_null(read_nested(JS_DEPTH_MAX + 1, &err));
	assert_string_equal(err.code, "too_deep");
	assert_non_null(strstr(err.text, "byte 32"));
	err_clear(&err);
	assert_null(read_nested(100000, &err));
	assert_string_equal(err.code, "too_deep");
}

static void
brackets_in_strings_and_side_by_side_are_not_depth(void **state)
{
	static const char in_string[] =
	    "{\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\":\"\\\"{{{{\"}";
	char wide[400] = "[";
	json_t *json;
	int i;

	(void)state;
	json = js_read(in_string, sizeof in_string - 1, NULL);
	assert_non_null(json);
	json_decref(json);
	for (i = 0; i < 100; i++)
		strcat(wide, "[],");
	strcat(wide, "[]]");
	json = js_read(wide, strlen(wide), NULL);
	assert_non_null(json);
	json_decref(json);
}

static void
an_error_does_not_repeat_the_text(void **state)
{
	static const char text[] = "{\"token\": hunter2}";
	struct err err = ERR_INIT;

	(void)state;
	assert_null(js_read(text, sizeof text - 1, &err));
	assert_null(strstr(err.text, "hunter2"));
}

static void
members_are_read_leniently(void **state)
{
	static const char text[] = "{\"s\":\"x\",\"i\":-5,\"r\":30.0,"
				   "\"h\":0.5,\"t\":true,\"n\":null}";
	json_t *o = js_read(text, sizeof text - 1, NULL);

	(void)state;
	assert_string_equal(js_str(o, "s"), "x");
	assert_null(js_str(o, "i"));
	assert_null(js_str(o, "none"));
	assert_int_equal(js_int(o, "i", 7), -5);
	assert_int_equal(js_int(o, "r", 7), 30);
	assert_int_equal(js_int(o, "h", 7), 7);
	assert_int_equal(js_int(o, "s", 7), 7);
	assert_true(js_bool(o, "t", false));
	assert_true(js_bool(o, "i", true));
	assert_non_null(js_get(o, "s"));
	assert_null(js_get(o, "n"));
	assert_null(js_get(NULL, "n"));
	json_decref(o);
}

static void
strict_members_name_what_is_allowed(void **state)
{
	static const char text[] = "{\"s\":\"x\",\"i\":5,\"r\":5.0,"
				   "\"t\":true,\"a\":[1],\"n\":null}";
	json_t *o = js_read(text, sizeof text - 1, NULL), *array = NULL;
	struct err err = ERR_INIT;
	const char *s = "untouched";
	int64_t i = 42;
	bool b = false;

	(void)state;
	assert_true(js_take_str(o, "none", &s, &err));
	assert_true(js_take_str(o, "n", &s, &err));
	assert_string_equal(s, "untouched");
	assert_true(js_take_str(o, "s", &s, &err));
	assert_string_equal(s, "x");
	assert_true(js_take_int(o, "none", 0, 9, &i, &err));
	assert_int_equal(i, 42);
	assert_true(js_take_int(o, "i", 5, 5, &i, &err));
	assert_int_equal(i, 5);
	assert_true(js_take_bool(o, "t", &b, &err));
	assert_true(b);
	assert_true(js_take_array(o, "a", &array, &err));
	assert_int_equal(json_array_size(array), 1);

	assert_false(js_take_int(o, "i", 6, 9, &i, &err));
	assert_string_equal(err.code, "bad_argument");
	assert_string_equal(err.text, "\"i\" must be an integer from 6 to 9");
	assert_int_equal(i, 5);
	json_decref(o);
}

/* Field by type (ABUSE 36). */
static void
every_wrong_type_is_refused(void **state)
{
	static const char *const values[] = { "\"x\"", "5", "true", "[]", "{}",
		"5.5" };
	size_t v;

	(void)state;
	for (v = 0; v < N_OF(values); v++) {
		char text[32];
		const char *s;
		json_t *o, *a;
		int64_t i;
		bool b;

		snprintf(text, sizeof text, "{\"k\":%s}", values[v]);
		o = js_read(text, strlen(text), NULL);
		assert_int_equal(js_take_str(o, "k", &s, NULL), v == 0);
		assert_int_equal(js_take_int(o, "k", 0, 9, &i, NULL), v == 1);
		assert_int_equal(js_take_bool(o, "k", &b, NULL), v == 2);
		assert_int_equal(js_take_array(o, "k", &a, NULL), v == 3);
		json_decref(o);
	}
}

static void
a_span_is_the_value_as_it_came(void **state)
{
	static const struct {
		const char *text, *key, *span;
	} cases[] = {
		{ "{\"a\": [1, {\"b\":2}] ,\"c\":3}", "a", "[1, {\"b\":2}]" },
		{ "{\"a\":1,\"c\" : 3.50 }", "c", "3.50" },
		{ "{\"a\":\"}],\\\"\",\"b\":\"\\\\\"}", "b", "\"\\\\\"" },
		{ "{\"a\":\"}],\\\"\",\"b\":1}", "a", "\"}],\\\"\"" },
		{ "{\"x\":{\"a\":1},\"a\":2}", "a", "2" },
		{ "{\"x\":{\"a\":1}}", "a", NULL },
		{ "{\"x\":\"\\\"a\\\":1\"}", "a", NULL },
		{ "{\"p\\u0061y\":{}}", "pay", "{}" },
		{ "{\"a\":null}", "a", "null" },
		{ "\t{ \"a\" :\n{ } }", "a", "{ }" },
		{ "{\"aa\":1,\"a\":2}", "a", "2" },
		{ "{}", "a", NULL },
		{ "[1]", "a", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		size_t len = 0, n = strlen(cases[i].text);
		json_t *json = js_read(cases[i].text, n, NULL);
		const char *span =
		    js_span(cases[i].text, n, cases[i].key, &len);

		assert_non_null(json);
		json_decref(json);
		if (cases[i].span == NULL) {
			assert_null(span);
			continue;
		}
		assert_non_null(span);
		assert_int_equal(len, strlen(cases[i].span));
		assert_memory_equal(span, cases[i].span, len);
	}
}

static void
a_span_of_a_broken_text_stays_within_it(void **state)
{
	static const char text[] =
	    "{\"a\":[\"\\\"\"],\"b\":{\"c\":\"\\u0041\"}}";
	size_t n;

	(void)state;
	for (n = 0; n < sizeof text; n++) {
		char *copy = malloc(n > 0 ? n : 1);
		size_t len = 0;
		const char *span;

		memcpy(copy, text, n);
		span = js_span(copy, n, "b", &len);
		if (span != NULL)
			assert_true(span + len <= copy + n);
		free(copy);
	}
}

static void
what_is_written_is_compact(void **state)
{
	json_t *o = json_pack("{s:i,s:s}", "a", 1, "b", "\xc3\xa4");
	char *text = js_write(o);

	(void)state;
	assert_string_equal(text, "{\"a\":1,\"b\":\"\xc3\xa4\"}");
	free(text);
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nonsense_is_refused_with_its_code),
		cmocka_unit_test(only_an_object_is_an_object),
		cmocka_unit_test(depth_is_limited_before_the_parser_sees_it),
		cmocka_unit_test(
		    brackets_in_strings_and_side_by_side_are_not_depth),
		cmocka_unit_test(an_error_does_not_repeat_the_text),
		cmocka_unit_test(members_are_read_leniently),
		cmocka_unit_test(strict_members_name_what_is_allowed),
		cmocka_unit_test(every_wrong_type_is_refused),
		cmocka_unit_test(a_span_is_the_value_as_it_came),
		cmocka_unit_test(a_span_of_a_broken_text_stays_within_it),
		cmocka_unit_test(what_is_written_is_compact),
	};

	return RUN_TESTS(tests);
}
