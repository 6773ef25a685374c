#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/exit.h"
#include "lib/json.h"
#include "lib/target.h"

/* The expressions stand apart by spaces; tags likewise. */
static struct target *
target_of(const char *expressions)
{
	char copy[512], *rest = copy, *one;
	struct target *t = target_new();
	struct err err = ERR_INIT;

	snprintf(copy, sizeof copy, "%s", expressions);
	while ((one = strsep(&rest, " ")) != NULL)
		if (!target_add(t, one, &err))
			fail_msg("%s: %s", one, err.text);
	return t;
}

static json_t *
tags_of(const char *words)
{
	char copy[512], *rest = copy, *one;
	json_t *tags = json_array();

	snprintf(copy, sizeof copy, "%s", words);
	while ((one = strsep(&rest, " ")) != NULL)
		json_array_append_new(tags, json_string(one));
	return tags;
}

static void
expressions_mean_what_the_header_says(void **state)
{
	static const struct {
		const char *expressions, *agent, *tags;
		bool match;
	} cases[] = {
		{ "all", "mini", "", true },
		{ "!all", "mini", "", false },
		{ "mini", "mini", "", true },
		{ "mini", "mini2", "", false },
		{ "mini", "Mini", "", false },
		{ "mini*", "mini2", "", true },
		{ "mini*", "mini", "", true },
		{ "*", "", "", true },
		{ "*i", "mini", "", true },
		{ "*in", "mini", "", false },
		{ "m?ni", "mini", "", true },
		{ "m?ni", "mni", "", false },
		{ "m?ni", "m\xc3\xbcni", "", true },
		{ "m??ni", "m\xc3\xbcni", "", false },
		{ "*a*b*c*", "xxaxxbxxcxx", "", true },
		{ "*a*b*c*", "xxaxxcxxbxx", "", false },
		{ "*ab", "aab", "", true },
		{ "a*?b", "ab", "", false },
		{ "a*?b", "axb", "", true },
		{ "id:m*", "mini", "", false },
		{ "id:m*", "m*", "", true },
		{ "id:all", "mini", "", false },
		{ "id:all", "all", "", true },
		{ "id:tag:web", "tag:web", "", true },
		{ "id:!x", "!x", "", true },
		{ "tag:web", "mini", "web eu", true },
		{ "tag:web", "mini", "webby", false },
		{ "tag:web", "web", "", false },
		{ "tag:web,tag:eu", "mini", "web eu", true },
		{ "tag:web,tag:eu", "mini", "web us", false },
		{ "tag:web,!tag:eu", "mini", "web us", true },
		{ "tag:web,!tag:eu", "mini", "web eu", false },
		{ "tag:web,!mini", "mini", "web", false },
		{ "tag:web tag:eu", "mini", "eu", true },
		{ "tag:web tag:eu", "mini", "us", false },
		{ "tag:web,tag:eu id:mini", "mini", "web", true },
		{ "id:air tag:web,tag:eu", "mini", "web eu", true },
		{ "id:air tag:web,tag:eu", "mini", "web", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct target *t = target_of(cases[i].expressions);
		json_t *tags = tags_of(cases[i].tags);

		if (target_match(t, cases[i].agent, tags) != cases[i].match)
			fail_msg("%s and %s (%s)", cases[i].expressions,
			    cases[i].agent, cases[i].tags);
		json_decref(tags);
		target_free(t);
	}
}

static void
nobody_is_meant_without_an_expression(void **state)
{
	struct target *t = target_new();

	(void)state;
	assert_false(target_match(t, "mini", NULL));
	target_free(t);
}

static void
no_tags_is_no_tag(void **state)
{
	struct target *t = target_of("tag:web");
	struct target *none = target_of("!tag:web");
	json_t *odd = json_pack("[i,n,s]", 1, "web");

	(void)state;
	assert_false(target_match(t, "mini", NULL));
	assert_true(target_match(none, "mini", NULL));
	assert_true(target_match(t, "mini", odd));
	json_decref(odd);
	target_free(none);
	target_free(t);
}

static void
what_is_no_expression_is_refused_and_adds_nothing(void **state)
{
	static const char *const bad[] = { "", ",", "a,", ",a", "a,,b", "!",
		"a,!", "tag:", "id:", "!tag:", "tags:web", "a:b", "!!a",
		"\xff" };
	struct target *t = target_of("air");

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err err = ERR_INIT;

		if (target_add(t, bad[i], &err))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.status, EXIT_DATA);
		assert_string_equal(err.code, "bad_argument");
	}
	assert_false(target_match(t, "a", NULL));
	assert_true(target_match(t, "air", NULL));
	target_free(t);
}

static void
terms_and_bytes_are_bounded(void **state)
{
	struct target *t = target_new();
	char text[TARGET_TEXT_MAX + 2];
	struct err err = ERR_INIT;

	(void)state;
	for (int i = 0; i < TARGET_TERMS_MAX; i++)
		assert_true(target_add(t, "a", NULL));
	assert_false(target_add(t, "b", &err));
	assert_non_null(strstr(err.text, "too many"));
	assert_false(target_match(t, "b", NULL));
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(target_add(t, text, NULL));
	target_free(t);
}

static void
a_hostile_pattern_costs_little(void **state)
{
	char name[2000], pattern[2001];
	struct target *t = target_new();

	(void)state;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (size_t i = 0; i < sizeof pattern - 1; i++)
		pattern[i] = i % 2 == 0 ? '*' : 'a';
	strcpy(pattern + sizeof pattern - 2, "b");
	assert_true(target_add(t, pattern, NULL));
	assert_false(target_match(t, name, NULL));
	target_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_mean_what_the_header_says),
		cmocka_unit_test(nobody_is_meant_without_an_expression),
		cmocka_unit_test(no_tags_is_no_tag),
		cmocka_unit_test(
		    what_is_no_expression_is_refused_and_adds_nothing),
		cmocka_unit_test(terms_and_bytes_are_bounded),
		cmocka_unit_test(a_hostile_pattern_costs_little),
	};

	return RUN_TESTS(tests);
}
