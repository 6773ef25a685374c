#include "work_kit.h"

static char *
at(int64_t ms)
{
	static char text[2][CLOCK_TEXT_SIZE];
	static int i;

	i = !i;
	return clock_text(text[i], clock_wall(&clock_system) + ms);
}

static void
take_at(struct rig *r, const char *id, const char *key, int64_t ms,
    const char *more)
{
	char *text = mem_printf("\"%s\":\"%s\"%s", key, at(ms), more);

	take(r, id, "mark", text, true);
	free(text);
}

static void
a_command_waits_for_its_time_also_over_a_restart(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "mark", mark);
	start(&r);
	take_at(&r, "later", "run_at", 600, "");
	take_at(&r, "never", "run_at", 3600000, "");
	take_at(&r, "past", "run_at", -5000, "");
	take_at(&r, "now", "run_at", 3600000, ",\"priority\":\"immediate\"");
	told(&r, "past", "completed");
	told(&r, "now", "completed");
	told(&r, "later", "received");
	told(&r, "never", "received");
	assert_int_equal(number(&r, "held"), 2);
	restart(&r);
	assert_int_equal(count(&r, "never", "received"), 1);
	r.down = true; /* nobody need be there */
	wait_log(&r, "later\n");
	r.down = false;
	assert_int_equal(number(&r, "held"), 1);
	work_cancel(r.work, "never", SIGTERM, 0);
	assert_int_equal(number(&r, "held"), 0);
	ack = told(&r, "never", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	close_rig(&r);
}

static void
what_is_not_started_in_time_expires(void **state)
{
	struct rig r;
	json_t *ack;
	const char *id;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "mark", mark);
	handler(&r, "hold", hold);
	start(&r);
	take_at(&r, "gone", "expires", -1, "");
	take(&r, "a", "hold", "", true);
	told(&r, "a", "executing");
	take_at(&r, "queued", "expires", 200, "");
	take_at(&r, "held", "expires", 200, ",\"run_at\":\"2999-01-01\"");
	for (size_t i = 0; i < 3; i++) {
		id = i == 0 ? "gone" : i == 1 ? "queued" : "held";
		ack = told(&r, id, "failed");
		assert_string_equal(
		    js_str(ack, "reason"), i == 2 ? "start_failed" : "expired");
	}
	take_at(&r, "held2", "expires", 200,
	    ",\"run_at\":\"2999-01-01T00:00:00Z\"");
	ack = told(&r, "held2", "failed");
	assert_string_equal(js_str(ack, "reason"), "expired");
	take_at(&r, "fine", "expires", 60000, "");
	let_go(&r);
	told(&r, "fine", "completed");
	assert_string_equal(read_log(&r), "a\nfine\n");
	close_rig(&r);
}

static void
no_more_are_held_than_allowed(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	r.config.held_max = 1;
	handler(&r, "mark", mark);
	start(&r);
	take_at(&r, "a", "run_at", 3600000, "");
	take_at(&r, "b", "run_at", 3600000, "");
	ack = told(&r, "b", "failed");
	assert_string_equal(js_str(ack, "reason"), "queue_full");
	take(&r, "c", "mark", "", true);
	told(&r, "c", "completed");
	close_rig(&r);
}

/* Acks of one command, as "status error;". */
static char *
acks_of(struct rig *r, const char *id)
{
	static char text[1024];
	json_t *ack;
	size_t i;

	text[0] = '\0';
	json_array_foreach(r->acks, i, ack)
	{
		size_t len = strlen(text);
		const char *error = js_str(ack, "error");

		if (!str_eq(js_str(ack, "command_id"), id))
			continue;
		snprintf(text + len, sizeof text - len, "%s%s%s;",
		    js_str(ack, "status"), error != NULL ? " " : "",
		    error != NULL ? error : "");
	}
	return text;
}

static void
an_old_hubs_messages_are_stored_sent_and_cancelled(void **state)
{
	struct rig r;
	char *text;

	open_rig(&r, *state);
	handler(&r, "schedule_message", "echo $EWS_COMMAND_ID >> $dir/log");
	start(&r);
	text = mem_printf("\"payload\":{\"send_at\":\"%s\"}", at(300));
	take(&r, "m1", "schedule_message", text, false);
	free(text);
	take(&r, "m2", "schedule_message",
	    "\"payload\":{\"send_at\":\"2999-01-01T00:00:00Z\"}", false);
	take(&r, "m3", "schedule_message", "\"payload\":{\"send_at\":\"nope\"}",
	    false);
	take(&r, "m4", "schedule_message",
	    "\"payload\":{\"send_at\":\"2999-01-01T00:00:00Z\"},"
	    "\"priority\":\"immediate\"",
	    false);
	take(&r, "m5", "schedule_message",
	    "\"payload\":{\"send_at\":1700000000}", false);
	while (count(&r, "m1", "completed") < 2)
		turn(&r);
	while (count(&r, "m5", "completed") < 2)
		turn(&r);
	assert_string_equal(acks_of(&r, "m1"), "completed;completed;");
	assert_string_equal(acks_of(&r, "m2"), "completed;");
	told(&r, "m3", "failed");
	assert_string_equal(
	    acks_of(&r, "m3"), "failed Invalid timestamp: nope;");
	told(&r, "m4", "completed");
	assert_string_equal(acks_of(&r, "m4"), "completed;");
	take(&r, "x1", "cancel_scheduled", "\"payload\":{}", false);
	take(&r, "x2", "cancel_scheduled",
	    "\"payload\":{\"schedule_id\":\"m1\"}", false);
	take(&r, "x3", "cancel_scheduled",
	    "\"payload\":{\"schedule_id\":\"m2\"}", false);
	told(&r, "x1", "failed");
	assert_string_equal(acks_of(&r, "x1"),
	    "failed Failed to cancel message: schedule_id is required;");
	told(&r, "x2", "failed");
	assert_string_equal(
	    acks_of(&r, "x2"), "failed Message ID not found or already sent;");
	told(&r, "x3", "completed");
	assert_int_equal(number(&r, "held"), 0);
	told(&r, "m2", "failed");
	close_rig(&r);
}

/* Told twice, it would mean that the message was sent. */
static void
an_old_hub_is_told_once_that_a_message_is_stored(void **state)
{
	struct rig r;
	char *text;

	open_rig(&r, *state);
	handler(&r, "schedule_message", mark);
	start(&r);
	/* also where its time has come before it */
	take(&r, "past", "schedule_message",
	    "\"payload\":{\"send_at\":1700000000}", false);
	while (count(&r, "past", "completed") < 2)
		turn(&r);
	text = mem_printf("\"payload\":{\"send_at\":\"%s\"}", at(3600000));
	take(&r, "m", "schedule_message", text, false);
	told(&r, "m", "completed");
	work_resend(r.work);
	assert_int_equal(count(&r, "m", "completed"), 1);
	restart(&r);
	assert_int_equal(count(&r, "m", "completed"), 0);
	take(&r, "m", "schedule_message", text, false); /* it asks again */
	assert_int_equal(count(&r, "m", "completed"), 1);
	close_rig(&r);
	free(text);
}

/* Nobody knows when a clock is set; who waits looks again. */
static void
the_clock_may_be_set_while_commands_are_held(void **state)
{
	struct clock clock;
	char text[CLOCK_TEXT_SIZE], more[3][80];
	int64_t now = 1800000000000;
	static const int64_t due[] = { 3600000, 100, 50 - 1800000 };
	struct rig r;

	open_rig(&r, *state);
	clock_fake(&clock, now);
	r.config.clock = &clock;
	r.config.concurrency = 1; /* the log is in the order of starts */
	handler(&r, "mark", mark);
	start(&r);
	for (int i = 0; i < 3; i++)
		snprintf(more[i], sizeof more[i], "\"run_at\":\"%s\"",
		    clock_text(text, now + due[i]));
	take(&r, "a", "mark", more[0], true);
	take(&r, "b", "mark", more[1], true);
	told(&r, "b", "received");
	clock_advance(&clock, -1800000); /* nothing is due for half an hour */
	take(&r, "c", "mark", more[2], true);
	told(&r, "c", "received");
	assert_int_equal(number(&r, "held"), 3);
	clock_advance(&clock, 1800000 + 200);
	told(&r, "b", "completed");
	told(&r, "c", "completed");
	assert_int_equal(number(&r, "held"), 1);
	assert_string_equal(read_log(&r), "c\nb\n");
	close_rig(&r);
}

static void
cancel_scheduled_may_have_a_handler_and_serves_our_hub_too(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "mark", mark);
	r.config.concurrency = 1;
	start(&r);
	take_at(&r, "a", "run_at", 3600000, "");
	told(&r, "a", "received");
	take(&r, "x", "cancel_scheduled", "\"payload\":{\"schedule_id\":\"a\"}",
	    true);
	ack = told(&r, "x", "completed");
	assert_int_equal(js_int(ack, "exit_code", -1), 0);
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	handler(&r, "cancel_scheduled", mark);
	take(&r, "y", "cancel_scheduled", "", true);
	told(&r, "y", "completed");
	assert_string_equal(read_log(&r), "y\n");
	close_rig(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_command_waits_for_its_time_also_over_a_restart),
		SCRATCH_TEST(what_is_not_started_in_time_expires),
		SCRATCH_TEST(no_more_are_held_than_allowed),
		SCRATCH_TEST(
		    an_old_hubs_messages_are_stored_sent_and_cancelled),
		SCRATCH_TEST(an_old_hub_is_told_once_that_a_message_is_stored),
		SCRATCH_TEST(the_clock_may_be_set_while_commands_are_held),
		SCRATCH_TEST(
		    cancel_scheduled_may_have_a_handler_and_serves_our_hub_too),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
