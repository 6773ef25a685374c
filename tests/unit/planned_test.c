#include "time_kit.h"

static struct command_request
at(const char *id, int64_t run_at_ms)
{
	struct command_request r = a_request(id);

	r.run_at_ms = run_at_ms;
	return r;
}

static void
send_at(struct kit *k, const char *id, int64_t run_at_ms)
{
	struct command_request r = at(id, run_at_ms);

	send_as(k, &r);
}

/* ---- run_at ------------------------------------------------------------- */

static void
it_waits_for_its_time_and_no_longer(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	send_at(k, "c1", T0 + 5000);
	assert_string_equal(stored_state(k, "c1"), "scheduled");
	pass(k, 4999);
	assert_string_equal(said(&f.log), "");
	pass(k, 1);
	assert_string_equal(said(&f.log), "c1 ");
	assert_non_null(strstr(
	    found(k, "c1").history, "scheduled(-) note(on disk) accepted(-) "));
	assert_int_equal(found(k, "c1").late_ms, 0);
}

static void
what_is_due_together_goes_in_the_order_of_acceptance(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	send_at(k, "c1", T0 + 2000);
	send_at(k, "c2", T0 + 1000);
	send_at(k, "c3", T0 + 2000);
	pass(k, 2000);
	assert_string_equal(said(&f.log), "c2 c1 c3 ");
}

static void
a_plan_survives_a_restart_and_is_fired_once(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	send_at(k, "c1", T0 + 5000);
	kit_restart(k);
	connect_ours(k, &f);
	pass(k, 4000);
	assert_string_equal(said(&f.log), "");
	pass(k, 1000);
	assert_string_equal(said(&f.log), "c1 ");
	kit_restart(k);
	pass(k, 60000);
	assert_int_equal(found(k, "c1").late_ms, 0);
	assert_null(strstr(found(k, "c1").history, "late"));
}

static void
fired_late_it_says_how_late(void **state)
{
	struct kit *k = *state;

	send_at(k, "c1", T0 + 5000);
	clock_advance(&k->clock, 65000);
	kit_restart(k);
	pass(k, 0);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	assert_int_equal(found(k, "c1").late_ms, 60000);
	assert_string_equal(
	    found(k, "c1").history, "scheduled(-) accepted(fired 1 min late) ");
	kit_restart(k); /* and later, too */
	assert_int_equal(command_find(k->core, "c1")->late_ms, 60000);
}

static void
with_late_skip_it_expires_instead(void **state)
{
	struct command_request r = at("c1", T0 + 5000), s = at("c2", T0 + 5000);
	struct kit *k = *state;

	r.late_skip = true;
	send_as(k, &r);
	send_as(k, &s);
	clock_advance(&k->clock, 5000 + 60001);
	kit_restart(k);
	pass(k, 0);
	assert_string_equal(found(k, "c1").state, "expired");
	assert_string_equal(found(k, "c1").reason, "late");
	assert_string_equal(found(k, "c2").state, "accepted");
}

static void
late_skip_allows_for_late_after(void **state)
{
	struct command_request r = at("c1", T0 + 5000);
	struct kit *k = *state;

	r.late_skip = true;
	send_as(k, &r);
	pass(k, 5000 + 60000);
	assert_string_equal(stored_state(k, "c1"), "accepted");
}

static void
a_time_that_has_passed_is_due_at_once(void **state)
{
	struct kit *k = *state;

	send_at(k, "c1", T0 - 3000);
	pass(k, 0);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	assert_int_equal(found(k, "c1").late_ms, 3000);
}

/* ABUSE 98 */
static void
the_wall_clock_decides(void **state)
{
	struct kit *k = *state;

	send_at(k, "c1", T0 + 3600000);
	set_clock(k, T0 - 3600000); /* an hour back: it waits */
	pass(k, 3600000 + 3599999);
	assert_string_equal(stored_state(k, "c1"), "scheduled");
	set_clock(k, T0 + 86400000); /* a day ahead: it is due */
	assert_string_equal(stored_state(k, "c1"), "accepted");
}

static void
what_waits_is_cancelled_at_once(void **state)
{
	struct kit *k = *state;
	const char *answer = NULL;

	send_at(k, "c1", T0 + 5000);
	assert_true(command_cancel(k->core, "c1", 15, 0, &answer, NULL));
	assert_string_equal(answer, "cancelled");
	synced(k);
	pass(k, 10000);
	assert_string_equal(stored_state(k, "c1"), "cancelled");
}

/* More than a tick takes: the loop goes on in between. */
static void
many_at_once_are_fired_over_several_ticks(void **state)
{
	struct kit *k = *state;
	char id[20];
	int n = 0;

	k->limits.queue_agent = k->limits.queue_total = 5000;
	for (int i = 0; i < 2500; i++) {
		struct command_request r = at(id, T0 + 1000);

		snprintf(id, sizeof id, "c%d", i);
		send_as(k, &r);
	}
	for (int ticks = 0; n < 2500; ticks++) {
		assert_true(ticks < 3);
		pass(k, ticks == 0 ? 1000 : 100);
		for (n = 0; n < 2500; n++) {
			snprintf(id, sizeof id, "c%d", n);
			if (command_find(k->core, id)->state != CMD_ACCEPTED)
				break;
		}
		assert_true(ticks > 0 || n < 2500);
	}
}

/* ---- ttl ------------------------------------------------------------------ */

static void
send_ttl(struct kit *k, const char *id, int64_t run_at_ms, int64_t ttl_ms)
{
	struct command_request r = at(id, run_at_ms);

	r.ttl_ms = ttl_ms;
	send_as(k, &r);
}

static void
what_nobody_took_in_time_expires(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	send_ttl(k, "c1", 0, 5000);
	pass(k, 4999);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	pass(k, 1);
	assert_string_equal(found(k, "c1").state, "expired");
	assert_string_equal(found(k, "c1").reason, "ttl");
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "");
}

static void
the_time_to_live_begins_when_it_may_run(void **state)
{
	struct kit *k = *state;

	send_ttl(k, "c1", T0 + 10000, 5000);
	pass(k, 10000);
	pass(k, 4999);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	pass(k, 1);
	assert_string_equal(stored_state(k, "c1"), "expired");
}

static void
an_expiry_survives_a_restart(void **state)
{
	struct kit *k = *state;

	send_ttl(k, "c1", 0, 5000);
	kit_restart(k);
	pass(k, 5000);
	assert_string_equal(stored_state(k, "c1"), "expired");
}

/* Our agent judges by "expires"; it may have started it. */
static void
what_our_agent_may_have_is_the_agents_to_judge(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);

	send_ttl(k, "c1", 0, 5000);
	send_ttl(k, "c2", 0, 5000);
	agent_detach(a, &f, "gone");
	pass(k, 6000);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	said(&f.log);
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "c1 c2 ");
	ack_reason(k, "c1", "expired");
	assert_string_equal(found(k, "c1").state, "expired");
	assert_string_equal(found(k, "c1").reason, "expired");
	ack(k, "c2", ACK_COMPLETED, 0);
	assert_string_equal(stored_state(k, "c2"), "done");
}

static void
a_foreign_agents_message_expires_only_before_it_is_sent(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_foreign(k, &f);
	send_ttl(k, "c1", 0, 5000);
	assert_string_equal(said(&f.log), "c1 ");
	f.room = 0;
	send_ttl(k, "c2", 0, 5000);
	pass(k, 5000);
	assert_string_equal(stored_state(k, "c1"), "delivered");
	assert_string_equal(stored_state(k, "c2"), "expired");
}

/* A hub that was killed may not know that it sent it. */
static void
the_agents_word_counts_where_the_hub_could_not_know(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	send_ttl(k, "c1", 0, 5000);
	kit_restart(k);
	pass(k, 5000);
	assert_string_equal(stored_state(k, "c1"), "expired");
	connect_ours(k, &f);
	ack(k, "c1", ACK_COMPLETED, 0);
	assert_string_equal(stored_state(k, "c1"), "done");
}

/* ---- at_edge ---------------------------------------------------------------- */

static bool
try_edge(struct kit *k, const char *id, const char *type, struct err *err)
{
	struct command_request r = at(id, T0 + 60000);
	bool ok;

	r.type = type;
	r.at_edge = true;
	ok = command_submit(k->core, &r, NULL, err);
	synced(k);
	return ok;
}

static void
at_edge_it_is_handed_over_early(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	assert_true(try_edge(k, "c1", "echo", NULL));
	assert_string_equal(said(&f.log), "c1 ");
	assert_true(command_is_planned(command_find(k->core, "c1")));
	ack(k, "c1", ACK_RECEIVED, -1);
	pass(k, 60000);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "received");
	assert_int_equal(found(k, "c1").run_at_ms, T0 + 60000);
}

static void
at_edge_it_takes_no_room_from_what_is_for_now(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);

	agent_hello(a, "i1", NULL, 1);
	assert_true(try_edge(k, "e1", "echo", NULL));
	assert_true(try_edge(k, "e2", "echo", NULL));
	send_it(k, "c1", PRIO_NORMAL);
	send_it(k, "c2", PRIO_NORMAL);
	assert_string_equal(said(&f.log), "e1 e2 c1 ");
}

static void
a_foreign_agent_holds_scheduled_messages_only(void **state)
{
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_foreign(k, &f);
	assert_false(try_edge(k, "c1", "echo", &err));
	assert_string_equal(err.code, "bad_argument");
	assert_non_null(strstr(err.text, "schedule_message"));
	assert_true(try_edge(k, "c2", "schedule_message", NULL));
	assert_string_equal(said(&f.log), "c2 ");
}

/* It was not known which kind of agent would come. */
static void
what_the_agent_cannot_hold_the_hub_does(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	assert_true(try_edge(k, "c1", "echo", NULL));
	assert_true(try_edge(k, "c2", "schedule_message", NULL));
	connect_foreign(k, &f);
	synced(k);
	assert_string_equal(said(&f.log), "c2 ");
	assert_string_equal(stored_state(k, "c1"), "scheduled");
	pass(k, 60000);
	assert_string_equal(said(&f.log), "c1 ");
}

/* It would run at once what it is to hold, and not read its input. */
static void
an_old_agent_of_ours_holds_nothing_and_takes_no_input(void **state)
{
	json_t *about = json_pack("{s:s}", "version", "0.0.9");
	struct command_request r = a_request("c2");
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;

	assert_true(try_edge(k, "c1", "echo", NULL));
	r.stdin_stream = true;
	send_as(k, &r);
	a = connect_as(k, &f, LINK_WEBSOCKET, "i1");
	agent_hello(a, "i1", about, 0);
	agent_pump(a);
	synced(k);
	assert_string_equal(said(&f.log), "confirm:c2 ");
	assert_string_equal(stored_state(k, "c1"), "scheduled");
	assert_string_equal(stored_state(k, "c2"), "refused");
	assert_false(try_edge(k, "c3", "echo", &err));
	assert_non_null(strstr(err.text, "at_edge"));
	assert_non_null(strstr(err.text, "upgrade"));
	json_object_set_new(
	    about, "can", json_pack("[s,s]", "run_at", "stdin"));
	agent_hello(a, "i1", about, 0);
	assert_true(try_edge(k, "c3", "echo", NULL));
	assert_string_equal(said(&f.log), "c3 ");
	json_decref(about);
}

static void
at_edge_with_late_skip_it_expires_at_the_hub(void **state)
{
	struct command_request r = at("c1", T0 + 5000);
	struct kit *k = *state;

	r.at_edge = r.late_skip = true;
	send_as(k, &r);
	pass(k, 5000 + 59999);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	pass(k, 1);
	assert_string_equal(found(k, "c1").state, "expired");
	assert_string_equal(found(k, "c1").reason, "late");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(it_waits_for_its_time_and_no_longer),
		KIT_TEST(what_is_due_together_goes_in_the_order_of_acceptance),
		KIT_TEST(a_plan_survives_a_restart_and_is_fired_once),
		KIT_TEST(fired_late_it_says_how_late),
		KIT_TEST(with_late_skip_it_expires_instead),
		KIT_TEST(late_skip_allows_for_late_after),
		KIT_TEST(a_time_that_has_passed_is_due_at_once),
		KIT_TEST(the_wall_clock_decides),
		KIT_TEST(what_waits_is_cancelled_at_once),
		KIT_TEST(many_at_once_are_fired_over_several_ticks),
		KIT_TEST(what_nobody_took_in_time_expires),
		KIT_TEST(the_time_to_live_begins_when_it_may_run),
		KIT_TEST(an_expiry_survives_a_restart),
		KIT_TEST(what_our_agent_may_have_is_the_agents_to_judge),
		KIT_TEST(
		    a_foreign_agents_message_expires_only_before_it_is_sent),
		KIT_TEST(the_agents_word_counts_where_the_hub_could_not_know),
		KIT_TEST(at_edge_it_is_handed_over_early),
		KIT_TEST(at_edge_it_takes_no_room_from_what_is_for_now),
		KIT_TEST(a_foreign_agent_holds_scheduled_messages_only),
		KIT_TEST(what_the_agent_cannot_hold_the_hub_does),
		KIT_TEST(an_old_agent_of_ours_holds_nothing_and_takes_no_input),
		KIT_TEST(at_edge_with_late_skip_it_expires_at_the_hub),
	};

	return RUN_TESTS(tests);
}
