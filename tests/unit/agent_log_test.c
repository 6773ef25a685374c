#include "core_kit.h"
#include "ewsd/core/core_priv.h"
#include "lib/json.h"

/* ---- the log --------------------------------------------------------------- */

struct lines {
	size_t n;
	char text[16384];
};

static void
on_lines(void *arg, const struct store_agent_line *all, size_t n,
    const struct err *err)
{
	struct lines *l = arg;

	assert_null(err);
	l->n = n;
	for (size_t i = 0; i < n; i++)
		pour(l->text, sizeof l->text, "%s: %s\n", all[i].what,
		    all[i].text);
}

static const struct lines *
log_of(struct kit *k)
{
	static struct lines l;

	memset(&l, 0, sizeof l);
	agent_log_settle(agent_find(k->core, "mini"));
	assert_true(
	    store_agent_lines(k->store, "mini", 100, on_lines, &l, NULL));
	synced(k);
	return &l;
}

static void
a_link_leaves_lines_that_survive_a_restart(void **state)
{
	struct kit *k = *state;
	struct fake one = fake_link(k), two = fake_link(k);
	json_t *about = json_pack("{s:s}", "version", "1.2");
	struct agent *a = connect_as(k, &one, LINK_WEBSOCKET, "i1");

	agent_clock(a, core_wall(k->core) + 120);
	agent_hello(a, "i1", about, 0);
	clock_advance(&k->clock, 2000);
	connect_as(k, &two, LINK_WEBSOCKET, "i2");
	clock_advance(&k->clock, 3000);
	agent_detach(a, &two, "cut");
	core_tick(k->core); /* as far as a kill comes */
	synced(k);
	kit_restart(k);
	assert_string_equal(log_of(k)->text,
	    "connected: websocket, from 127.0.0.1, instance i1\n"
	    "greeted: version 1.2, its clock is +120 ms\n"
	    "replaced: by a connection from 127.0.0.1\n"
	    "connected: websocket, from 127.0.0.1, instance i2\n"
	    "disconnected: cut, after 3 s\n");
	json_decref(about);
}

static void
polls_are_one_line_not_one_each(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	for (int i = 0; i < 5; i++) {
		agent_detach(
		    connect_as(k, &f, LINK_POLL, "i1"), &f, "answered");
		clock_advance(&k->clock, 15000);
	}
	assert_string_equal(
	    log_of(k)->text, "connected: polls, from 127.0.0.1, instance i1\n");
}

static void
a_flapping_link_costs_so_many_lines_a_minute(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	const struct lines *l;

	for (int i = 0; i < 1000; i++) {
		agent_detach(connect_ours(k, &f), &f, "cut");
		synced(k);
	}
	l = log_of(k);
	assert_int_equal(l->n, 31);
	assert_non_null(strstr(l->text, "held: 2970 more lines within"));
	clock_advance(&k->clock, 61000);
	connect_ours(k, &f);
	assert_int_equal(log_of(k)->n, 33);
}

static void
only_the_newest_lines_are_kept(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	const struct lines *l;

	k->limits.agent_log_keep = 5;
	for (int i = 0; i < 6; i++) {
		agent_detach(connect_ours(k, &f), &f, "cut");
		clock_advance(&k->clock, 61000);
	}
	agent_detach(connect_ours(k, &f), &f, "last");
	l = log_of(k);
	assert_int_equal(l->n, 5);
	assert_non_null(strstr(l->text, "disconnected: last"));
}

static void
refusals_are_one_line_a_minute_with_their_count(void **state)
{
	struct kit *k = *state;

	agent_get(k->core, "mini", NULL);
	agent_refused(k->core, "nobody", "10.0.0.1", "wrong credential");
	agent_refused(k->core, NULL, "10.0.0.1", "wrong credential");
	for (int i = 0; i < 500; i++)
		agent_refused(k->core, "mini", "10.0.0.1", "wrong credential");
	core_tick(k->core);
	assert_int_equal(log_of(k)->n, 2); /* asked for: the rest is told */
	clock_advance(&k->clock, 61000);
	agent_refused(k->core, "mini", "10.0.0.2", "no credential");
	assert_string_equal(log_of(k)->text,
	    "refused: wrong credential, from 10.0.0.1\n"
	    "refused: wrong credential, from 10.0.0.1 (499 times)\n"
	    "refused: no credential, from 10.0.0.2\n");
	assert_null(agent_find(k->core, "nobody"));
}

static void
a_stranger_s_text_is_escaped_and_cut(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	char why[1000];

	memset(why, 'x', sizeof why - 1);
	why[sizeof why - 1] = '\0';
	memcpy(why, "\xff\n\x1b[", 4);
	agent_detach(connect_ours(k, &f), &f, why);
	assert_non_null(
	    strstr(log_of(k)->text, "disconnected: \\xff\\n\\x1b[xxx"));
}

static void
the_log_of_a_hub_that_stops_is_written_at_once(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);

	core_drain(k->core);
	agent_detach(a, &f, "Service Restart");
	kit_restart(k); /* no tick came */
	assert_non_null(strstr(log_of(k)->text, "Service Restart"));
}

/* ---- clocks ------------------------------------------------------------------ */

static void
a_clock_that_is_off_is_shown(void **state)
{
	struct kit *k = *state;
	struct agent *a = agent_get(k->core, "mini", NULL);
	json_t *o = agent_json(a, false);

	assert_null(json_object_get(o, "clock_skew_ms"));
	json_decref(o);
	agent_clock(a, core_wall(k->core) - 300);
	o = agent_json(a, false);
	assert_int_equal(js_int(o, "clock_skew_ms", 0), -300);
	json_decref(o);
}

/* ---- tags ----------------------------------------------------------------------- */

/* Words with spaces between; "" is none. */
static json_t *
words(const char *text)
{
	json_t *list = json_array();
	char copy[8192], *at = NULL, *word;

	strcpy(copy, text);
	for (word = strtok_r(copy, " ", &at); word != NULL;
	     word = strtok_r(NULL, " ", &at))
		json_array_append_new(list, json_string(word));
	return list;
}

static const char *
tag(struct kit *k, const char *add, const char *remove)
{
	struct agent *a = agent_get(k->core, "mini", NULL);
	json_t *plus = words(add), *minus = words(remove);
	static char code[512];
	struct err err = ERR_INIT;
	int status = -1;

	if (agent_tag(a, plus, minus, on_done, &status, &err)) {
		synced(k);
		assert_int_equal(status, 0);
	}
	json_decref(plus);
	json_decref(minus);
	strcpy(code, err.code);
	return code;
}

static const char *
shown(struct kit *k, const char *key)
{
	json_t *o = agent_json(agent_find(k->core, "mini"), false), *item;
	static char text[8192];
	size_t i;

	text[0] = '\0';
	json_array_foreach(json_object_get(o, key), i, item)
	    pour(text, sizeof text, "%s ", json_string_value(item));
	json_decref(o);
	return text;
}

static void
tags_are_the_agent_s_own_and_those_given(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);
	json_t *about = json_pack(
	    "{s:[s,s,s,i,s]}", "tags", "web", "Bad", "a b", 7, "eu:1");

	agent_hello(a, "i1", about, 0);
	assert_string_equal(tag(k, "prod web", ""), "ok");
	assert_string_equal(shown(k, "tags"), "eu:1 prod web ");
	assert_string_equal(shown(k, "own_tags"), "eu:1 web ");
	assert_string_equal(shown(k, "given_tags"), "prod web ");
	assert_string_equal(tag(k, "new", "web prod nosuch"), "ok");
	assert_string_equal(shown(k, "given_tags"), "new ");
	assert_string_equal(tag(k, "", "web"), "bad_argument");
	synced(k);
	kit_restart(k);
	assert_string_equal(shown(k, "tags"), "eu:1 new web ");
	json_decref(about);
}

static void
a_tag_has_its_form_and_there_is_an_end_of_them(void **state)
{
	static const struct {
		const char *word;
		bool ok;
	} cases[] = { { "a", true }, { "a_.:-9", true }, { "A", false },
		{ "", false }, { "a/b", false }, { "\xc3\xa4", false },
		{ "x23456789012345678901234567890123456789012345678901234567"
		  "89012345",
		    false },
		{ "x2345678901234567890123456789012345678901234567890123456789"
		  "0123",
		    true } };
	struct kit *k = *state;
	char many[8192] = "";

	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(tag_ok(cases[i].word), cases[i].ok);
	assert_string_equal(tag(k, "good BAD", ""), "bad_argument");
	assert_string_equal(shown(k, "tags"), "");
	for (int i = 0; i < TAGS_MAX; i++)
		pour(many, sizeof many, "t%d ", i);
	assert_string_equal(tag(k, many, ""), "ok");
	assert_string_equal(tag(k, "t1", ""), "ok");
	assert_string_equal(tag(k, "more", ""), "bad_argument");
	assert_string_equal(tag(k, "more", "t1"), "ok");
	pour(many, sizeof many, "t0 ");
	assert_string_equal(tag(k, many, ""), "bad_argument");
	assert_string_equal(tag(k, "", many), "bad_argument");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		KIT_TEST(a_link_leaves_lines_that_survive_a_restart),
		KIT_TEST(polls_are_one_line_not_one_each),
		KIT_TEST(a_flapping_link_costs_so_many_lines_a_minute),
		KIT_TEST(only_the_newest_lines_are_kept),
		KIT_TEST(refusals_are_one_line_a_minute_with_their_count),
		KIT_TEST(a_stranger_s_text_is_escaped_and_cut),
		KIT_TEST(the_log_of_a_hub_that_stops_is_written_at_once),
		KIT_TEST(a_clock_that_is_off_is_shown),
		KIT_TEST(tags_are_the_agent_s_own_and_those_given),
		KIT_TEST(a_tag_has_its_form_and_there_is_an_end_of_them),
	};

	return RUN_TESTS(tests);
}
