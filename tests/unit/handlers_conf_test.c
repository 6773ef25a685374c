#include "ewsagent/handlers_conf.h"

#include <stdio.h>

#include "check.h"
#include "lib/str.h"
#include "scratch.h"

static const char script[] = "#!/bin/sh\nexit 0\n";

static struct handlers_conf *
load(struct scratch *s, const char *text, struct err *err)
{
	char path[600];

	scratch_write(s, "deploy", script, sizeof script - 1, 0755);
	scratch_write(s, "pay", script, sizeof script - 1, 0755);
	scratch_write(s, "pay.probe", script, sizeof script - 1, 0755);
	scratch_write(s, "handlers.conf", text, strlen(text), 0600);
	snprintf(path, sizeof path, "%s/handlers.conf", s->dir);
	return handlers_conf_load(path, false, s->dir, err);
}

static void
a_handler_has_what_its_section_says_and_the_rest_from_all(void **state)
{
	static const char text[] = "# ours\n"
				   "[*]\n"
				   "grace = 2s\n"
				   "output_max = 1M ; each\n"
				   "[deploy]\n"
				   "  policy = idempotent\n"
				   "deadline = 90   # seconds\n"
				   "concurrency = 1\n"
				   "[pay]\n"
				   "policy=probe\n"
				   "grace=0\n";
	struct err err = ERR_INIT;
	struct handlers_conf *c = load(*state, text, &err);
	const struct handler_rules *r;
	json_t *policies;

	if (c == NULL)
		fail_msg("%s", err.text);
	r = handlers_conf_find(c, "deploy");
	assert_int_equal(r->policy, POLICY_IDEMPOTENT);
	assert_int_equal(r->deadline_ms, 90000);
	assert_int_equal(r->concurrency, 1);
	assert_int_equal(r->grace_ms, 2000);
	assert_int_equal(r->output_max, 1 << 20);
	r = handlers_conf_find(c, "pay");
	assert_int_equal(r->policy, POLICY_PROBE);
	assert_int_equal(r->deadline_ms, -1);
	assert_int_equal(r->grace_ms, 0);
	assert_int_equal(r->concurrency, 0);
	r = handlers_conf_find(c, "pay.probe");
	assert_int_equal(r->deadline_ms, 60000);
	assert_int_equal(r->output_max, -1);
	r = handlers_conf_find(c, "other");
	assert_int_equal(r->policy, POLICY_ONCE);
	assert_int_equal(r->grace_ms, 2000);
	policies = handlers_conf_policies(c);
	assert_int_equal(json_object_size(policies), 2);
	json_decref(policies);
	handlers_conf_free(c);
}

static void
a_probe_may_have_its_own_time(void **state)
{
	struct handlers_conf *c =
	    load(*state, "[pay.probe]\ndeadline=5s\n", NULL);

	assert_non_null(c);
	assert_int_equal(handlers_conf_find(c, "pay.probe")->deadline_ms, 5000);
	handlers_conf_free(c);
}

static void
what_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "\n[deploy]\npolicies = once\n",
		    "handlers.conf:3: unknown key \"policies\"" },
		{ "[nosuch]\n",
		    "handlers.conf:1: [nosuch]: there is no handler of this"
		    " name" },
		{ "[../deploy]\n",
		    "handlers.conf:1: [../deploy]: there is no handler of this"
		    " name" },
		{ "policy = once\n",
		    "handlers.conf:1: a section comes first: [*] or [NAME]" },
		{ "[deploy]\npolicy = twice\n",
		    "handlers.conf:2: policy: once, idempotent or probe, not"
		    " \"twice\"" },
		{ "[deploy]\ndeadline = soon\n",
		    "handlers.conf:2: deadline: a time from 1ms to 365d, not"
		    " \"soon\"" },
		{ "[deploy]\ndeadline = 0\n",
		    "handlers.conf:2: deadline: a time from 1ms to 365d, not"
		    " \"0\"" },
		{ "[deploy]\ngrace = 11m\n",
		    "handlers.conf:2: grace: a time from 0 to 10m, not"
		    " \"11m\"" },
		{ "[deploy]\noutput_max = -1\n",
		    "handlers.conf:2: output_max: a size from 0 to 1024G, not"
		    " \"-1\"" },
		{ "[deploy]\nconcurrency = 0\n",
		    "handlers.conf:2: concurrency: a number from 1 to 1024,"
		    " not \"0\"" },
		{ "[deploy]\npolicy=once\n\npolicy=once\n",
		    "handlers.conf:4: \"policy\" was set already" },
		{ "[deploy]\npolicy=probe\n",
		    "handlers.conf:1: policy probe: there is no handler"
		    " deploy.probe" },
		{ "[*]\npolicy=probe\n",
		    "handlers.conf:2: policy probe is for one handler" },
		{ "[pay.probe]\npolicy=once\n",
		    "handlers.conf:2: a probe has a deadline and a grace, and"
		    " no policy" },
		{ "[deploy]\nnonsense\n",
		    "handlers.conf:2: neither [NAME] nor KEY = VALUE" },
		{ "[deploy\n",
		    "handlers.conf:1: neither [NAME] nor KEY = VALUE" },
		{ "[deploy]\npolicy=\xff\n", "handlers.conf:2: is not UTF-8" },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct err err = ERR_INIT;
		struct handlers_conf *c = load(*state, cases[i].text, &err);

		assert_null(c);
		assert_int_equal(err.status, 78);
		if (!str_ends(err.text, cases[i].why))
			fail_msg("%s\nis not\n%s", err.text, cases[i].why);
	}
}

static void
a_file_that_others_could_change_is_refused(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	char path[600];

	handlers_conf_free(load(s, "", NULL));
	snprintf(path, sizeof path, "%s/handlers.conf", s->dir);
	assert_int_equal(chmod(path, 0666), 0);
	assert_null(handlers_conf_load(path, true, s->dir, &err));
	assert_int_equal(err.status, 78);
}

static void
an_absent_file_is_an_empty_one_unless_it_was_asked_for(void **state)
{
	struct scratch *s = *state;
	struct handlers_conf *c;
	char path[600];

	snprintf(path, sizeof path, "%s/none.conf", s->dir);
	assert_null(handlers_conf_load(path, false, s->dir, NULL));
	c = handlers_conf_load(path, true, s->dir, NULL);
	assert_non_null(c);
	assert_int_equal(handlers_conf_find(c, "deploy")->policy, POLICY_ONCE);
	assert_int_equal(handlers_conf_find(c, "x.probe")->deadline_ms, 60000);
	handlers_conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(
		    a_handler_has_what_its_section_says_and_the_rest_from_all),
		SCRATCH_TEST(a_probe_may_have_its_own_time),
		SCRATCH_TEST(what_is_wrong_is_refused_with_its_line),
		SCRATCH_TEST(a_file_that_others_could_change_is_refused),
		SCRATCH_TEST(
		    an_absent_file_is_an_empty_one_unless_it_was_asked_for),
	};

	return RUN_TESTS(tests);
}
