#include <sqlite3.h>

#include "core_kit.h"

/* ---- order --------------------------------------------------------------------- */

static void
higher_priority_overtakes_and_each_keeps_its_order(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	send_it(k, "l1", PRIO_LOW);
	send_it(k, "n1", PRIO_NORMAL);
	send_it(k, "h1", PRIO_HIGH);
	send_it(k, "n2", PRIO_NORMAL);
	send_it(k, "i1", PRIO_IMMEDIATE);
	send_it(k, "h2", PRIO_HIGH);
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "i1 h1 h2 n1 n2 l1 ");
}

static void
a_lower_priority_still_progresses(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	char id[16], *low;

	send_it(k, "low", PRIO_LOW);
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "h%02d", i);
		send_it(k, id, PRIO_HIGH);
	}
	connect_ours(k, &f);
	low = strstr(f.log.text, "low");
	assert_non_null(low);
	assert_int_equal(low - f.log.text, 15 * 4); /* the 16th */
}

static void
what_is_urgent_passes_a_full_window_within_bounds(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);
	char id[16];

	agent_hello(a, "i1", NULL, 3);
	for (int i = 1; i <= 4; i++) {
		snprintf(id, sizeof id, "l%d", i);
		send_it(k, id, PRIO_LOW);
	}
	send_it(k, "n1", PRIO_NORMAL);
	assert_string_equal(said(&f.log), "l1 l2 l3 ");
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof id, "h%02d", i);
		send_it(k, id, PRIO_HIGH);
	}
	assert_string_equal(said(&f.log), "h00 h01 h02 ");
	ack(k, "l1", ACK_COMPLETED, 0); /* there is no room yet */
	assert_string_equal(said(&f.log), "confirm:l1 ");
	ack(k, "h00", ACK_COMPLETED, 0);
	assert_string_equal(said(&f.log), "h03 confirm:h00 ");
	ack(k, "l2", ACK_COMPLETED, 0);
	ack(k, "l3", ACK_COMPLETED, 0);
	said(&f.log);
	/* however many of them there are, the others have their turn */
	for (int i = 1; i < 15; i++) {
		snprintf(id, sizeof id, "h%02d", i);
		ack(k, id, ACK_COMPLETED, 0);
	}
	assert_non_null(strstr(said(&f.log), "l4 "));
}

/* An attempt that finds no room is no turn. */
static void
a_lower_priority_keeps_its_turn_on_a_full_link(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;
	char id[16];

	send_it(k, "low", PRIO_LOW);
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "h%02d", i);
		send_it(k, id, PRIO_HIGH);
	}
	f.room = 14;
	a = connect_ours(k, &f);
	for (int i = 0; i < 3; i++)
		agent_pump(a);
	said(&f.log);
	f.room = 1;
	agent_pump(a);
	assert_string_equal(said(&f.log), "h14 "); /* the 15th */
	for (int i = 0; i < 3; i++)
		agent_pump(a);
	f.room = 1;
	agent_pump(a);
	assert_string_equal(said(&f.log), "low ");
}

static void
nothing_is_sent_before_the_hello_of_our_agent(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;

	send_it(k, "c1", PRIO_NORMAL);
	a = connect_as(k, &f, LINK_WEBSOCKET, "i1");
	agent_pump(a);
	send_it(k, "c2", PRIO_NORMAL);
	assert_string_equal(said(&f.log), "");
	agent_hello(a, "i1", NULL, 0);
	agent_pump(a);
	assert_string_equal(said(&f.log), "c1 c2 ");
}

static void
the_window_bounds_what_is_sent_and_not_ended(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);

	agent_hello(a, "i1", NULL, 2);
	for (int i = 1; i <= 4; i++) {
		char id[16];

		snprintf(id, sizeof id, "c%d", i);
		send_it(k, id, PRIO_NORMAL);
	}
	assert_string_equal(said(&f.log), "c1 c2 ");
	ack(k, "c1", ACK_RECEIVED, -1);
	assert_string_equal(said(&f.log), "");
	ack(k, "c2", ACK_COMPLETED, 0);
	assert_string_equal(said(&f.log), "c3 confirm:c2 ");
}

static void
a_window_holds_from_poll_to_poll(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k), f2 = fake_link(k);
	struct agent *a = connect_as(k, &f, LINK_POLL, "i1");

	agent_hello(a, "i1", NULL, 2);
	agent_detach(a, &f, "answered");
	for (int i = 1; i <= 3; i++)
		send_it(k, (const char *[]){ "c1", "c2", "c3" }[i - 1],
		    PRIO_NORMAL);
	agent_pump(connect_as(k, &f2, LINK_POLL, "i1"));
	assert_string_equal(said(&f2.log), "c1 c2 ");
	agent_detach(a, &f2, "answered");
	agent_pump(connect_as(k, &f, LINK_POLL, "i2"));
	assert_string_equal(said(&f.log), "c1 c2 c3 ");
}

static void
a_link_without_room_gets_the_rest_later(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;

	f.room = 1;
	for (int i = 1; i <= 3; i++)
		send_it(k, (const char *[]){ "c1", "c2", "c3" }[i - 1],
		    PRIO_NORMAL);
	a = connect_ours(k, &f);
	assert_string_equal(said(&f.log), "c1 ");
	f.room = 5;
	agent_pump(a);
	assert_string_equal(said(&f.log), "c2 c3 ");
}

static void
an_agent_with_a_full_queue_is_left_alone_for_a_while(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	said(&f.log);
	ack_reason(k, "c1", "queue_full");
	core_tick(k->core);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "accepted");
	clock_advance(&k->clock, 1100);
	core_tick(k->core);
	assert_string_equal(said(&f.log), "c1 ");
}

/* ---- links that go ---------------------------------------------------------------- */

static void
our_agent_is_sent_again_what_it_did_not_receive(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);

	send_it(k, "c1", PRIO_NORMAL);
	send_it(k, "c2", PRIO_NORMAL);
	send_it(k, "c3", PRIO_NORMAL);
	ack(k, "c2", ACK_RECEIVED, -1);
	said(&f.log);
	agent_detach(a, &f, "cut");
	send_it(k, "c4", PRIO_NORMAL);
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "c1 c3 c4 ");
}

static void
what_never_left_an_old_link_goes_by_the_new_one(void **state)
{
	struct kit *k = *state;
	struct fake old = fake_link(k), new = fake_link(k);

	old.writes = false;
	connect_foreign(k, &old);
	send_it(k, "c1", PRIO_NORMAL);
	send_it(k, "c2", PRIO_NORMAL);
	assert_string_equal(said(&old.log), "c1 c2 ");
	connect_foreign(k, &new);
	send_it(k, "c3", PRIO_NORMAL);
	assert_string_equal(said(&old.log), "replaced ");
	/* the old one may still write them */
	assert_string_equal(said(&new.log), "");
	command_written(k->core, old.tags[0]);
	command_unwritten(k->core, old.tags[1]);
	synced(k);
	assert_string_equal(said(&new.log), "c2 c3 ");
	assert_string_equal(stored_state(k, "c1"), "unacked");
	assert_string_equal(stored_state(k, "c2"), "delivered");
}

static void
a_late_word_of_an_old_link_says_nothing_of_the_new_one(void **state)
{
	struct kit *k = *state;
	struct fake old = fake_link(k), new = fake_link(k);
	struct agent *a;

	old.writes = false;
	a = connect_ours(k, &old);
	send_it(k, "c1", PRIO_NORMAL);
	connect_ours(k, &new);
	assert_string_equal(said(&new.log), "c1 ");
	command_unwritten(k->core, old.tags[0]);
	agent_detach(a, &old, "closed");
	agent_pump(a);
	assert_string_equal(said(&new.log), "");
	assert_int_equal(a->kind, LINK_WEBSOCKET);
}

static void
a_foreign_agent_is_never_sent_a_repeat_blindly(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_foreign(k, &f);
	struct command_request r = a_request("c3");

	send_it(k, "c1", PRIO_NORMAL);
	send_typed(k, "c2", "set_rule");
	r.at_least_once = true;
	send_as(k, &r);
	assert_string_equal(said(&f.log), "c1 c2 c3 ");
	agent_detach(a, &f, "cut");
	synced(k);
	assert_string_equal(stored_state(k, "c1"), "unacked");
	connect_foreign(k, &f);
	synced(k);
	assert_string_equal(said(&f.log), "c2 c3 ");
	ack(k, "c1", ACK_COMPLETED, -1); /* late, and welcome */
	assert_string_equal(stored_state(k, "c1"), "done");
}

static void
delivered_is_on_disk_before_a_foreign_agent_is_sent_it(void **state)
{
	struct command_request r = a_request("c1");
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_foreign(k, &f);

	assert_true(command_submit(k->core, &r, NULL, NULL));
	while (
	    !agent_busy(a)) /* accepted is on disk: now it is written ahead */
		store_drain(k->store);
	assert_string_equal(said(&f.log), "");
	synced(k);
	assert_string_equal(said(&f.log), "c1 ");
	assert_false(agent_busy(a));
	kit_restart(k);
	connect_foreign(k, &f);
	synced(k);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "unacked");
}

static void
what_was_written_ahead_and_not_sent_is_sent_later(void **state)
{
	struct command_request r = a_request("c1");
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_foreign(k, &f);

	assert_true(command_submit(k->core, &r, NULL, NULL));
	while (!agent_busy(a))
		store_drain(k->store);
	agent_detach(a, &f, "cut");
	synced(k);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "accepted");
	connect_foreign(k, &f);
	synced(k);
	assert_string_equal(said(&f.log), "c1 ");
}

/* ---- a store that takes no more --------------------------------------------------- */

/* Somebody else holds the file, and the store's queue fills up. */
static sqlite3 *
fill_store(struct kit *k)
{
	sqlite3 *other;

	assert_int_equal(
	    sqlite3_open(scratch_path(k->scratch, "ews.db"), &other),
	    SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
	    SQLITE_OK);
	while (store_note(k->store, "nobody", 1, "filling"))
		;
	return other;
}

static void
empty_store(struct kit *k, sqlite3 *other)
{
	sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(other);
	synced(k);
}

static void
a_foreign_agent_is_served_once_the_store_has_room(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	sqlite3 *other;

	send_it(k, "c1", PRIO_NORMAL);
	send_it(k, "c2", PRIO_NORMAL);
	agent_get(k->core, "mini", NULL);
	other = fill_store(k);
	connect_foreign(k, &f);
	empty_store(k, other);
	assert_string_equal(said(&f.log), "");
	clock_advance(&k->clock, 1001);
	core_tick(k->core);
	synced(k);
	assert_string_equal(said(&f.log), "c1 c2 ");
}

static void
count(void *arg)
{
	++*(int *)arg;
}

static void
who_waits_for_a_full_store_is_told_by_the_end_of_the_hub(void **state)
{
	struct command_ack a = COMMAND_ACK_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *mini = connect_ours(k, &f);
	sqlite3 *other;
	int told = 0;

	send_it(k, "c1", PRIO_NORMAL);
	other = fill_store(k);
	a.id = "c1";
	a.word = ACK_COMPLETED;
	command_acked(k->core, mini, &a, count, &told);
	agent_detach(mini, &f, "the hub ends");
	empty_store(k, other);
	assert_int_equal(told, 0);
	kit_restart(k);
	assert_int_equal(told, 1);
	/* the agent was not thanked, and says it again */
	assert_null(strstr(said(&f.log), "confirm"));
	assert_non_null(command_find(k->core, "c1"));
}

/* ---- polls -------------------------------------------------------------------------- */

/* One sync of a foreign agent; 'last' of "-" means it says nothing. */
static const char *
foreign_sync(struct kit *k, const char *last)
{
	struct fake f = fake_link(k);
	struct agent *a = connect_as(k, &f, LINK_POLL, NULL);

	if (last == NULL || strcmp(last, "-") != 0)
		command_passed(k->core, a, last);
	agent_pump(a);
	synced(k);
	assert_false(agent_busy(a));
	agent_detach(a, &f, "answered");
	synced(k);
	return said(&f.log);
}

static void
a_poll_repeats_until_last_command_id_has_passed(void **state)
{
	struct kit *k = *state;

	send_it(k, "c1", PRIO_NORMAL);
	send_it(k, "c2", PRIO_NORMAL);
	assert_string_equal(foreign_sync(k, NULL), "c1 c2 ");
	assert_string_equal(foreign_sync(k, NULL), "c1 c2 ");
	assert_string_equal(foreign_sync(k, "c1"), "c2 ");
	assert_string_equal(stored_state(k, "c1"), "received");
	assert_string_equal(foreign_sync(k, "c2"), "");
	ack(k, "c2", ACK_COMPLETED, -1);
	send_it(k, "c3", PRIO_NORMAL);
	assert_string_equal(foreign_sync(k, "c2"), "c3 ");
	assert_string_equal(foreign_sync(k, "c3"), "");
	assert_string_equal(stored_state(k, "c3"), "received");
}

/* Nobody knows whether it got it: not sent again, and not called received. */
static void
what_an_unknown_last_command_id_passes_is_unacked(void **state)
{
	struct kit *k = *state;

	send_it(k, "c1", PRIO_NORMAL);
	assert_string_equal(foreign_sync(k, NULL), "c1 ");
	assert_string_equal(foreign_sync(k, "of-an-earlier-hub"), "");
	assert_string_equal(stored_state(k, "c1"), "unacked");
	assert_string_equal(foreign_sync(k, "c1"), "");
	assert_string_equal(stored_state(k, "c1"), "received");
}

static void
a_poll_that_tells_nothing_is_answered_once(void **state)
{
	struct kit *k = *state;

	send_it(k, "c1", PRIO_NORMAL);
	assert_string_equal(foreign_sync(k, "-"), "c1 ");
	assert_string_equal(foreign_sync(k, "-"), "");
	assert_string_equal(stored_state(k, "c1"), "unacked");
}

static void
our_poll_repeats_until_received(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;

	send_it(k, "c1", PRIO_NORMAL);
	for (int i = 0; i < 2; i++) {
		a = connect_as(k, &f, LINK_POLL, "i1");
		agent_pump(a);
		assert_string_equal(said(&f.log), "c1 ");
		agent_detach(a, &f, "answered");
	}
	a = connect_as(k, &f, LINK_POLL, "i1");
	ack(k, "c1", ACK_RECEIVED, -1);
	agent_pump(a);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "received");
}

/* ---- restarts ------------------------------------------------------------------------- */

static void
a_restarted_hub_goes_on_where_it_was(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;

	connect_ours(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	send_it(k, "c2", PRIO_NORMAL);
	send_it(k, "c3", PRIO_NORMAL);
	ack(k, "c2", ACK_EXECUTING, -1);
	ack(k, "c3", ACK_COMPLETED, 0);
	kit_restart(k);
	said(&f.log);
	a = agent_find(k->core, "mini");
	assert_int_equal(a->waiting, 2);
	send_it(k, "c4", PRIO_HIGH);
	send_it(k, "c5", PRIO_NORMAL);
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "c4 c1 c5 ");
	ack(k, "c2", ACK_COMPLETED, 0);
	assert_string_equal(stored_state(k, "c2"), "done");
}

static void
an_ack_that_a_crash_overtook_still_counts(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a;

	/* On disk it was only accepted when the hub died. */
	send_it(k, "c1", PRIO_NORMAL);
	kit_restart(k);
	f.room = 0;
	a = connect_ours(k, &f);
	ack(k, "c1", ACK_COMPLETED, 0);
	assert_string_equal(stored_state(k, "c1"), "done");
	f.room = 1;
	said(&f.log);
	agent_pump(a);
	assert_string_equal(said(&f.log), "");
}

/* ---- two of one name ------------------------------------------------------------------- */

static void
two_instances_that_fight_are_damped(void **state)
{
	struct kit *k = *state;
	struct fake f[2] = { fake_link(k), fake_link(k) };
	int64_t retry = 0;

	for (int i = 0; i < 4; i++) {
		assert_true(agent_admit(k->core, "mini", &retry));
		connect_as(k, &f[i % 2], LINK_WEBSOCKET, i % 2 ? "i1" : "i2");
		clock_advance(&k->clock, 1000);
	}
	assert_false(agent_admit(k->core, "mini", &retry));
	assert_int_equal(retry, 29000);
	clock_advance(&k->clock, retry);
	assert_true(agent_admit(k->core, "mini", &retry));
}

static void
one_instance_that_comes_again_is_no_fight(void **state)
{
	struct kit *k = *state;
	struct fake f[2] = { fake_link(k), fake_link(k) };
	int64_t retry;

	for (int i = 0; i < 20; i++) {
		assert_true(agent_admit(k->core, "mini", &retry));
		connect_as(k, &f[i % 2], LINK_WEBSOCKET, "i1");
	}
	assert_int_equal(core_stats(k->core)->takeovers, 19);
}

static void
who_stays_alone_may_come_back_at_once(void **state)
{
	struct kit *k = *state;
	struct fake f[2] = { fake_link(k), fake_link(k) };
	struct agent *a = NULL;
	int64_t retry;

	for (int i = 0; i < 4; i++)
		a = connect_as(
		    k, &f[i % 2], LINK_WEBSOCKET, i % 2 ? "i1" : "i2");
	assert_false(agent_admit(k->core, "mini", &retry));
	agent_detach(a, &f[1], "cut");
	assert_true(agent_admit(k->core, "mini", &retry));
}

/* ---- the rest ---------------------------------------------------------------------------- */

static void
settings_wait_for_the_next_connection(void **state)
{
	json_t *one = json_pack("{s:i}", "sync_interval", 60),
	       *two = json_pack("{s:s}", "log_level", "debug");
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = agent_get(k->core, "mini", NULL);

	assert_true(agent_config(a, one, NULL));
	synced(k);
	kit_restart(k);
	a = agent_find(k->core, "mini");
	assert_true(agent_config(a, two, NULL));
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "config:2 ");
	agent_detach(a, &f, "cut");
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "");
	json_decref(one);
	json_decref(two);
}

static void
more_agents_than_the_limit_are_refused(void **state)
{
	struct err err = ERR_INIT;
	struct kit *k = *state;

	for (int i = 0; i < 10; i++) {
		char id[16];

		snprintf(id, sizeof id, "a%d", i);
		assert_non_null(agent_get(k->core, id, NULL));
	}
	assert_null(agent_get(k->core, "b", &err));
	assert_string_equal(err.code, "too_many");
	assert_non_null(agent_get(k->core, "a3", NULL));
}

static void
keep_id(void *arg, struct agent *a)
{
	say(arg, "%s ", a->id);
}

static void
agents_are_listed_by_name(void **state)
{
	struct kit *k = *state;
	struct log l = { "" };

	agent_get(k->core, "b", NULL);
	agent_get(k->core, "c", NULL);
	agent_get(k->core, "a", NULL);
	agent_each(k->core, keep_id, &l);
	assert_string_equal(l.text, "a b c ");
}

static void
settings_that_are_too_large_change_nothing(void **state)
{
	json_t *one = json_pack("{s:i}", "sync_interval", 60), *big;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = agent_get(k->core, "mini", NULL);
	struct err err = ERR_INIT;
	static char text[70000];

	memset(text, 'x', sizeof text - 1);
	big = json_pack("{s:s}", "log_level", text);
	assert_true(agent_config(a, one, NULL));
	assert_false(agent_config(a, big, &err));
	assert_string_equal(err.code, "too_large");
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "config:1 ");
	json_decref(one);
	json_decref(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(higher_priority_overtakes_and_each_keeps_its_order),
		KIT_TEST(a_lower_priority_still_progresses),
		KIT_TEST(a_lower_priority_keeps_its_turn_on_a_full_link),
		KIT_TEST(what_is_urgent_passes_a_full_window_within_bounds),
		KIT_TEST(a_foreign_agent_is_served_once_the_store_has_room),
		KIT_TEST(
		    who_waits_for_a_full_store_is_told_by_the_end_of_the_hub),
		KIT_TEST(settings_that_are_too_large_change_nothing),
		KIT_TEST(nothing_is_sent_before_the_hello_of_our_agent),
		KIT_TEST(the_window_bounds_what_is_sent_and_not_ended),
		KIT_TEST(a_window_holds_from_poll_to_poll),
		KIT_TEST(a_link_without_room_gets_the_rest_later),
		KIT_TEST(an_agent_with_a_full_queue_is_left_alone_for_a_while),
		KIT_TEST(our_agent_is_sent_again_what_it_did_not_receive),
		KIT_TEST(what_never_left_an_old_link_goes_by_the_new_one),
		KIT_TEST(
		    a_late_word_of_an_old_link_says_nothing_of_the_new_one),
		KIT_TEST(a_foreign_agent_is_never_sent_a_repeat_blindly),
		KIT_TEST(
		    delivered_is_on_disk_before_a_foreign_agent_is_sent_it),
		KIT_TEST(what_was_written_ahead_and_not_sent_is_sent_later),
		KIT_TEST(a_poll_repeats_until_last_command_id_has_passed),
		KIT_TEST(what_an_unknown_last_command_id_passes_is_unacked),
		KIT_TEST(a_poll_that_tells_nothing_is_answered_once),
		KIT_TEST(our_poll_repeats_until_received),
		KIT_TEST(a_restarted_hub_goes_on_where_it_was),
		KIT_TEST(an_ack_that_a_crash_overtook_still_counts),
		KIT_TEST(two_instances_that_fight_are_damped),
		KIT_TEST(one_instance_that_comes_again_is_no_fight),
		KIT_TEST(who_stays_alone_may_come_back_at_once),
		KIT_TEST(settings_wait_for_the_next_connection),
		KIT_TEST(more_agents_than_the_limit_are_refused),
		KIT_TEST(agents_are_listed_by_name),
	};

	return RUN_TESTS(tests);
}
