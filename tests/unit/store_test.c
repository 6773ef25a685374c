#include "ewsd/store/store.h"

#include <sqlite3.h>

#include "store_kit.h"

/* ---- accepting ---------------------------------------------------------- */

static void
what_was_accepted_survives_a_reopen(void **state)
{
	struct store *st = must_open(*state);

	accept_new(st, "c1");
	store_close(st);
	st = must_open(*state);
	assert_string_equal(get(st, "c1").text,
	    "c1 mini echo {\"text\":\"hi\"} [\"-n\"] uid:501 p2 accepted #1 "
	    "c1000 u1000 d30000 f1 - a0");
	assert_string_equal(load(st).text, "c1:accepted ");
	store_close(st);
}

static void
no_payload_is_an_empty_object(void **state)
{
	struct store *st = must_open(*state);
	struct store_command c = { .id = "c1", .agent = "a", .type = "t" };

	accept_it(st, &c);
	assert_string_equal(get(st, "c1").text,
	    "c1 a t {} - - p0 scheduled #1 c0 u0 d0 f0 - a0");
	store_close(st);
}

static void
a_payload_is_lent_by_its_length(void **state)
{
	struct store *st = must_open(*state);
	struct store_command c = a_command("c1");

	c.payload = "{\"a\":1},\"and\":\"more\"";
	c.payload_len = 7;
	accept_it(st, &c);
	assert_non_null(strstr(get(st, "c1").text, " {\"a\":1} "));
	store_close(st);
}

static const struct {
	const char *agent, *type, *payload, *argv;
	enum store_accepted verdict;
} again[] = {
	{ "mini", "echo", "{\"text\":\"hi\"}", "[\"-n\"]", STORE_DUPLICATE },
	{ "maxi", "echo", "{\"text\":\"hi\"}", "[\"-n\"]", STORE_CONFLICT },
	{ "mini", "date", "{\"text\":\"hi\"}", "[\"-n\"]", STORE_CONFLICT },
	{ "mini", "echo", "{\"text\":\"ho\"}", "[\"-n\"]", STORE_CONFLICT },
	{ "mini", "echo", "{\"text\":\"hi\"}", NULL, STORE_CONFLICT },
	{ "miniecho", "", "{\"text\":\"hi\"}", "[\"-n\"]", STORE_CONFLICT },
};

static void
try_again(struct store *st, enum command_state existing)
{
	for (size_t i = 0; i < N_OF(again); i++) {
		struct store_command c = a_command("c1");
		struct verdict v;

		c.agent = again[i].agent;
		c.type = again[i].type;
		c.payload = again[i].payload;
		c.payload_len = strlen(c.payload);
		c.argv = again[i].argv;
		c.priority = 0; /* does not make it another command */
		v = accept_it(st, &c);
		assert_int_equal(v.accepted, again[i].verdict);
		assert_int_equal(v.state, existing);
	}
}

static void
the_same_id_is_a_duplicate_or_a_conflict(void **state)
{
	struct store *st = must_open(*state);

	accept_new(st, "c1");
	try_again(st, CMD_ACCEPTED);
	step(st, "c1", CMD_DONE, 2000);
	store_close(st);
	st = must_open(*state);
	try_again(st, CMD_DONE);
	assert_int_equal(get(st, "c1").lines, 2);
	store_close(st);
}

static void
two_of_one_id_in_one_batch_are_one_command(void **state)
{
	struct store *st = must_open(*state);
	struct store_command c = a_command("c1");
	struct verdict v[2] = { 0 };

	assert_true(store_accept(st, &c, on_accept, &v[0], NULL));
	assert_true(store_accept(st, &c, on_accept, &v[1], NULL));
	store_flush(st);
	assert_int_equal(v[0].accepted, STORE_NEW);
	assert_int_equal(v[1].accepted, STORE_DUPLICATE);
	store_close(st);
}

static void
seqs_go_on_after_a_reopen_and_a_prune(void **state)
{
	struct store *st = must_open(*state);

	accept_new(st, "c1");
	accept_new(st, "c2");
	assert_int_equal(store_last_seq(st), 2);
	step(st, "c2", CMD_DONE, 10);
	assert_true(store_prune(st, 1000, 100));
	store_close(st);
	st = must_open(*state);
	assert_int_equal(get(st, "c2").n, 0);
	assert_int_equal(store_last_seq(st), 2);
	accept_new(st, "c3");
	assert_non_null(strstr(get(st, "c3").text, "#3"));
	store_close(st);
}

static void
the_hub_keeps_its_id_and_counts_its_starts(void **state)
{
	struct store *st = must_open(*state);
	char id[64];

	strcpy(id, store_hub_id(st));
	assert_int_equal(strlen(id), 32);
	assert_int_equal(store_epoch(st), 1);
	store_close(st);
	st = must_open(*state);
	assert_string_equal(store_hub_id(st), id);
	assert_int_equal(store_epoch(st), 2);
	store_close(st);
}

static void
sql_in_any_field_is_only_text(void **state)
{
	static const char evil[] = "'; DROP TABLE commands; --";
	struct store *st = must_open(*state);
	struct store_command c = a_command(evil);
	struct store_filter f = { .agent = evil, .type = evil, .limit = 10 };

	c.agent = c.type = c.asker = c.argv = evil;
	c.payload = evil;
	c.payload_len = strlen(evil);
	accept_it(st, &c);
	assert_true(store_note(st, evil, 5, evil));
	assert_int_equal(get(st, evil).lines, 2);
	assert_int_equal(list(st, &f).n, 1);
	store_close(st);
}

/* ---- the life of a command ---------------------------------------------- */

static void
steps_are_kept_with_their_times_in_order(void **state)
{
	struct store *st = must_open(*state);
	struct store_step sent = {
		.state = CMD_DELIVERED,
		.at_ms = 1100,
		.method = "websocket",
		.attempt = true,
	};
	struct seen s;

	accept_new(st, "c1");
	assert_true(store_step(st, "c1", &sent, NULL, NULL));
	step(st, "c1", CMD_RECEIVED, 1200);
	assert_true(store_note(st, "c1", 1250, "a second ack"));
	step(st, "c1", CMD_STARTED, 1300);
	store_close(st);
	st = must_open(*state);
	s = get(st, "c1");
	assert_string_equal(s.history,
	    "accepted@1000(-,-) delivered@1100(websocket,-) "
	    "received@1200(-,-) note@1250(-,a second ack) "
	    "started@1300(-,-) ");
	assert_non_null(strstr(s.text, "started #1 c1000 u1300"));
	assert_non_null(strstr(s.text, "websocket a1"));
	store_close(st);
}

struct ends {
	int code, signal;
	int64_t ms, out, err;
	char reason[32], error[32], detail[32];
};

static void
see_end(void *arg, const struct store_command *c, const struct store_history *h,
    size_t n, const struct err *err)
{
	const struct store_outcome *o = &c->outcome;
	struct ends *e = arg;

	(void)h;
	(void)n;
	(void)err;
	e->code = o->exit_code;
	e->signal = o->signal;
	e->ms = o->duration_ms;
	e->out = o->stdout_bytes;
	e->err = o->stderr_bytes;
	strcpy(e->reason, or_dash(o->reason));
	strcpy(e->error, or_dash(o->error));
	strcpy(e->detail, or_dash(o->detail));
}

static void
end_with(struct store *st, const struct store_outcome *o, struct ends *e)
{
	struct store_step s = { .state = CMD_DONE, .at_ms = 9, .outcome = o };

	assert_true(store_step(st, "c1", &s, NULL, NULL));
	assert_true(store_get(st, "c1", see_end, e, NULL));
	store_flush(st);
}

static void
an_outcome_is_kept_and_what_is_unknown_stays(void **state)
{
	struct store *st = must_open(*state);
	struct store_outcome o = STORE_OUTCOME_INIT;
	struct ends e;

	accept_new(st, "c1");
	end_with(st, &o, &e);
	assert_int_equal(e.code, -1);
	assert_int_equal(e.signal, 0);
	assert_int_equal(e.ms, -1);
	o = (struct store_outcome){ -1, 9, 70, 5, -1, "timeout", "late", NULL };
	end_with(st, &o, &e);
	assert_int_equal(e.code, -1);
	assert_int_equal(e.signal, 9);
	o = (struct store_outcome){ 3, 0, -1, -1, 6, NULL, NULL, "{}" };
	end_with(st, &o, &e);
	assert_int_equal(e.code, 3);
	assert_int_equal(e.signal, 0);
	assert_int_equal(e.ms, 70);
	assert_int_equal(e.out, 5);
	assert_int_equal(e.err, 6);
	assert_string_equal(e.reason, "timeout");
	assert_string_equal(e.error, "late");
	assert_string_equal(e.detail, "{}");
	store_close(st);
}

static void
a_step_of_an_unknown_command_says_so(void **state)
{
	struct store *st = must_open(*state);
	struct store_step s = { .state = CMD_DONE, .at_ms = 1 };
	int status = -1;

	assert_true(store_step(st, "nobody", &s, on_done, &status));
	store_flush(st);
	assert_int_equal(status, EXIT_NEGATIVE);
	assert_int_equal(get(st, "nobody").n, 0);
	store_close(st);
}

static void
after_a_thousand_lines_only_an_end_leaves_one(void **state)
{
	struct store *st = must_open(*state);
	struct store_remark remark = { "c1", 1, "said" };
	struct seen s;

	accept_new(st, "c1");
	for (int i = 0; i < 990; i++)
		assert_true(store_note(st, "c1", i, "again"));
	for (int i = 0; i < 100; i++)
		step(st, "c1", i % 2 ? CMD_ACCEPTED : CMD_DELIVERED, i);
	assert_true(store_note(st, "c1", 1, "again"));
	assert_true(store_notes(st, &remark, 1));
	store_flush(st);
	s = get(st, "c1");
	assert_int_equal(s.lines, 1000);
	assert_non_null(strstr(s.text, "accepted"));
	for (int i = 0; i < 200; i++) /* a foreign agent may go on and on */
		step(st, "c1", CMD_DONE, 5000);
	s = get(st, "c1");
	assert_int_equal(s.lines, 1000); /* the newest */
	assert_non_null(strstr(s.text, "done"));
	store_close(st);
}

static void
notes_find_their_commands_and_pass_over_others(void **state)
{
	struct store_remark all[] = { { "c1", 1200, "one" },
		{ "nobody", 1200, "none" }, { "c2", 1300, "two" } };
	struct store *st = must_open(*state);

	accept_new(st, "c1");
	accept_new(st, "c2");
	assert_true(store_notes(st, all, N_OF(all)));
	store_flush(st);
	assert_string_equal(
	    get(st, "c1").history, "accepted@1000(-,-) note@1200(-,one) ");
	assert_string_equal(
	    get(st, "c2").history, "accepted@1000(-,-) note@1300(-,two) ");
	store_close(st);
}

static void
the_first_step_tells_when_it_was_on_disk(void **state)
{
	struct store *st = must_open(*state);
	struct store_step s = {
		.state = CMD_DELIVERED, .at_ms = 1500, .stored_ms = 1004
	};

	accept_new(st, "c1");
	assert_true(store_step(st, "c1", &s, NULL, NULL));
	store_flush(st);
	assert_string_equal(get(st, "c1").history,
	    "accepted@1000(-,-) note@1004(-,on disk) delivered@1500(-,-) ");
	store_close(st);
}

/* ---- loading and listing ------------------------------------------------ */

static void
what_has_not_ended_is_loaded_by_seq(void **state)
{
	struct store *st = must_open(*state);

	accept_new(st, "c3");
	accept_new(st, "c1");
	accept_new(st, "c2");
	step(st, "c1", CMD_DONE, 5);
	step(st, "c2", CMD_UNACKED, 5);
	store_close(st);
	st = must_open(*state);
	assert_string_equal(load(st).text, "c3:accepted c2:unacked ");
	store_close(st);
}

static void
fill(struct store *st)
{
	static const struct {
		const char *id, *agent, *type;
		enum command_state state;
	} cmds[] = {
		{ "c1", "a", "x", CMD_DONE },
		{ "c2", "a", "y", CMD_ACCEPTED },
		{ "c3", "b", "x", CMD_FAILED },
		{ "c4", "b", "y", CMD_STARTED },
		{ "c5", "a", "x", CMD_ACCEPTED },
		{ "c6", "b", "x", CMD_DONE },
	};

	for (size_t i = 0; i < N_OF(cmds); i++) {
		struct store_command c = a_command(cmds[i].id);

		c.agent = cmds[i].agent;
		c.type = cmds[i].type;
		accept_it(st, &c);
		if (cmds[i].state != CMD_ACCEPTED)
			step(st, cmds[i].id, cmds[i].state, 2000);
	}
}

static void
a_list_is_filtered_and_newest_first(void **state)
{
	static const struct {
		const char *agent, *type;
		unsigned states;
		uint64_t before;
		unsigned limit;
		const char *text;
	} cases[] = {
		{ NULL, NULL, 0, 0, 10,
		    "c6:done c5:accepted c4:started c3:failed c2:accepted "
		    "c1:done " },
		{ NULL, NULL, 0, 0, 2, "c6:done c5:accepted " },
		{ NULL, NULL, 0, 3, 10, "c2:accepted c1:done " },
		{ "a", NULL, 0, 0, 10, "c5:accepted c2:accepted c1:done " },
		{ "a", "x", 0, 0, 10, "c5:accepted c1:done " },
		{ NULL, "y", 0, 0, 10, "c4:started c2:accepted " },
		{ NULL, NULL, 1u << CMD_ACCEPTED | 1u << CMD_STARTED, 0, 10,
		    "c5:accepted c4:started c2:accepted " },
		{ "b", NULL, 1u << CMD_ACCEPTED | 1u << CMD_STARTED, 0, 10,
		    "c4:started " },
		{ "b", NULL, 1u << CMD_DONE | 1u << CMD_STARTED, 0, 10,
		    "c6:done c4:started " },
		{ "nobody", NULL, 0, 0, 10, "" },
	};
	struct store *st = must_open(*state);

	fill(st);
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct store_filter f = { .agent = cases[i].agent,
			.type = cases[i].type,
			.states = cases[i].states,
			.before_seq = cases[i].before,
			.limit = cases[i].limit };

		assert_string_equal(list(st, &f).text, cases[i].text);
	}
	store_close(st);
}

static void
pruning_forgets_what_is_old_and_what_is_too_many(void **state)
{
	static const struct store_filter all = { .limit = 100 };
	struct store *st = must_open(*state);

	fill(st);
	assert_true(store_prune(st, 1000, 100));
	assert_int_equal(list(st, &all).n, 6);
	assert_true(store_prune(st, 1000, 2)); /* of c1, c3, c6 */
	assert_string_equal(list(st, &all).text,
	    "c6:done c5:accepted c4:started c3:failed c2:accepted ");
	assert_int_equal(get(st, "c1").lines, 0);
	assert_true(store_prune(st, 3000, 100));
	assert_string_equal(
	    list(st, &all).text, "c5:accepted c4:started c2:accepted ");
	assert_int_equal(get(st, "c4").lines, 2);
	store_close(st);
}

/* As a command that was planned for a day much later. */
static void
what_ended_last_is_forgotten_last(void **state)
{
	static const struct store_filter all = { .limit = 100 };
	struct store *st = must_open(*state);

	for (const char *id = "abcd"; *id != '\0'; id++)
		accept_new(st, (char[]){ *id, '\0' });
	step(st, "c", CMD_DONE, 1000);
	step(st, "d", CMD_DONE, 2000);
	step(st, "b", CMD_DONE, 2000);
	step(st, "a", CMD_DONE, 9000);
	assert_true(store_prune(st, 0, 2));
	assert_string_equal(list(st, &all).text, "d:done a:done ");
	assert_true(store_prune(st, 5000, 100));
	assert_string_equal(list(st, &all).text, "a:done ");
	store_close(st);
}

static void
forget_verdict(void *arg, enum store_accepted a, const struct store_command *c,
    const struct err *err)
{
	(void)arg;
	(void)a;
	(void)c;
	assert_null(err);
}

static void
pruning_goes_on_while_there_is_more_than_one_load(void **state)
{
	static const struct store_filter all = { .limit = 100 };
	struct store *st = must_open(*state);
	struct store_stats stats;
	char id[16];

	for (int i = 0; i < 2500; i++) {
		struct store_command c = a_command(id);

		snprintf(id, sizeof id, "c%d", i);
		c.state = CMD_DONE;
		if (!store_accept(st, &c, forget_verdict, NULL, NULL))
			fail();
		if (i % 500 == 499)
			store_flush(st);
	}
	assert_true(store_prune(st, 0, 7));
	do {
		store_flush(st);
		store_stats(st, &stats);
	} while (stats.waiting > 0);
	assert_int_equal(list(st, &all).n, 7);
	store_close(st);
}

/* ---- agents -------------------------------------------------------------- */

static void
see_agent(void *arg, const struct store_agent *a)
{
	struct seen *s = arg;

	s->n++;
	pour(s->text, sizeof s->text, "%s %s %s %s %s %lld-%lld;", a->id,
	    or_dash(a->instance), or_dash(a->about), or_dash(a->config),
	    or_dash(a->tags), (long long)a->first_ms, (long long)a->last_ms);
}

static void
an_agent_keeps_what_is_not_said_again(void **state)
{
	static const struct {
		struct store_agent agent;
		const char *text;
	} cases[] = {
		{ { "m", "i1", "{}", "", NULL, 10, 10 }, "m i1 {} - - 10-10;" },
		{ { "m", NULL, NULL, "{1}", "[3]", 20, 20 },
		    "m i1 {} {1} [3] 10-20;" },
		{ { "m", "i2", NULL, NULL, NULL, 30, 30 },
		    "m i2 {} {1} [3] 10-30;" },
		{ { "m", NULL, "{2}", "", "[]", 0, 0 },
		    "m i2 {2} - [] 10-30;" },
	};
	struct store *st = must_open(*state);

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct seen s = { 0 };

		assert_true(store_agent(st, &cases[i].agent, NULL, NULL));
		store_flush(st);
		assert_true(store_load_agents(st, see_agent, &s, NULL));
		assert_string_equal(s.text, cases[i].text);
	}
	store_close(st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(what_was_accepted_survives_a_reopen),
		SCRATCH_TEST(no_payload_is_an_empty_object),
		SCRATCH_TEST(a_payload_is_lent_by_its_length),
		SCRATCH_TEST(the_same_id_is_a_duplicate_or_a_conflict),
		SCRATCH_TEST(two_of_one_id_in_one_batch_are_one_command),
		SCRATCH_TEST(seqs_go_on_after_a_reopen_and_a_prune),
		SCRATCH_TEST(the_hub_keeps_its_id_and_counts_its_starts),
		SCRATCH_TEST(sql_in_any_field_is_only_text),
		SCRATCH_TEST(steps_are_kept_with_their_times_in_order),
		SCRATCH_TEST(an_outcome_is_kept_and_what_is_unknown_stays),
		SCRATCH_TEST(a_step_of_an_unknown_command_says_so),
		SCRATCH_TEST(after_a_thousand_lines_only_an_end_leaves_one),
		SCRATCH_TEST(notes_find_their_commands_and_pass_over_others),
		SCRATCH_TEST(the_first_step_tells_when_it_was_on_disk),
		SCRATCH_TEST(what_has_not_ended_is_loaded_by_seq),
		SCRATCH_TEST(a_list_is_filtered_and_newest_first),
		SCRATCH_TEST(pruning_forgets_what_is_old_and_what_is_too_many),
		SCRATCH_TEST(what_ended_last_is_forgotten_last),
		SCRATCH_TEST(pruning_goes_on_while_there_is_more_than_one_load),
		SCRATCH_TEST(an_agent_keeps_what_is_not_said_again),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
