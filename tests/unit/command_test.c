#include "core_kit.h"

/* ---- accepting -------------------------------------------------------------- */

static void
accepted_is_told_after_the_sync(void **state)
{
	struct command_request r = a_request("c1");
	struct kit *k = *state;
	struct eye e;

	eye_open(&e, false);
	assert_true(command_submit(k->core, &r, &e.w, NULL));
	assert_string_equal(said(&e.log), "");
	synced(k);
	assert_string_equal(said(&e.log), "accepted:c1 ");
	watcher_stop(&e.w);
	assert_string_equal(stored_state(k, "c1"), "accepted");
}

static void
an_unknown_agent_is_refused_at_once(void **state)
{
	struct command_request r = a_request("c1");
	struct err err = ERR_INIT;
	struct kit *k = *state;

	r.queue_unknown = false;
	assert_false(command_submit(k->core, &r, NULL, &err));
	assert_string_equal(err.code, "agent_unknown");
	assert_null(command_find(k->core, "c1"));
}

static const struct {
	const char *agent, *type, *id;
	size_t payload_len;
	const char *code;
} refused[] = {
	{ "a/b", "echo", NULL, 0, "bad_argument" },
	{ "", "echo", NULL, 0, "bad_argument" },
	{ "mini", "", NULL, 0, "bad_argument" },
	{ "mini", "a b", NULL, 0, "bad_argument" },
	{ "mini", "echo", "x/y", 0, "bad_argument" },
	{ "mini", "echo", NULL, 1001, "too_large" },
};

static void
what_has_no_form_is_refused(void **state)
{
	static char payload[1001];
	struct kit *k = *state;

	for (size_t i = 0; i < N_OF(refused); i++) {
		struct command_request r = a_request(refused[i].id);
		struct err err = ERR_INIT;

		r.agent = refused[i].agent;
		r.type = refused[i].type;
		r.payload = refused[i].payload_len > 0 ? payload : NULL;
		r.payload_len = refused[i].payload_len;
		assert_false(command_submit(k->core, &r, NULL, &err));
		assert_string_equal(err.code, refused[i].code);
	}
}

static void
a_full_queue_says_depth_and_limit(void **state)
{
	struct command_request r = a_request(NULL);
	struct err err = ERR_INIT;
	struct kit *k = *state;

	for (size_t i = 0; i < k->limits.queue_agent; i++)
		send_it(k, NULL, PRIO_NORMAL);
	assert_false(command_submit(k->core, &r, NULL, &err));
	assert_string_equal(err.code, "queue_full");
	assert_non_null(strstr(err.text, "100 of 100"));
	r.agent = "maxi"; /* another has room */
	send_as(k, &r);
}

static void
arguments_count_as_bytes_of_the_queue(void **state)
{
	struct command_request r = a_request(NULL);
	struct err err = ERR_INIT;
	struct kit *k = *state;
	char argv[900] = "[\"";

	memset(argv + 2, 'x', sizeof argv - 5);
	strcpy(argv + sizeof argv - 3, "\"]");
	k->limits.queue_agent_bytes = strlen(argv) - 1;
	r.argv = argv;
	assert_false(command_submit(k->core, &r, NULL, &err));
	assert_string_equal(err.code, "queue_full");
	k->limits.queue_agent_bytes = strlen(argv);
	send_as(k, &r);
}

static void
a_draining_hub_takes_no_work(void **state)
{
	struct command_request r = a_request("c1");
	struct err err = ERR_INIT;
	struct kit *k = *state;

	core_drain(k->core);
	assert_false(command_submit(k->core, &r, NULL, &err));
	assert_string_equal(err.code, "draining");
}

/* ---- the same id again ------------------------------------------------------ */

static void
the_same_again_gets_the_first_receipt(void **state)
{
	struct command_request r = a_request("c1");
	struct kit *k = *state;
	struct eye first, second;

	eye_open(&first, false);
	eye_open(&second, false);
	assert_true(command_submit(k->core, &r, &first.w, NULL));
	assert_true(command_submit(k->core, &r, &second.w, NULL));
	synced(k); /* neither before the disk has it */
	assert_string_equal(said(&first.log), "accepted:c1 ");
	assert_string_equal(said(&second.log), "accepted-again:c1 ");
	watcher_stop(&first.w);
	watcher_stop(&second.w);
}

static void
the_same_again_after_its_end_tells_the_end(void **state)
{
	struct command_request r = a_request("c1");
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	connect_ours(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	ack(k, "c1", ACK_FAILED, 3);
	assert_null(command_find(k->core, "c1"));
	for (int i = 0; i < 2; i++) {
		eye_open(&e, false);
		assert_true(command_submit(k->core, &r, &e.w, NULL));
		synced(k);
		assert_string_equal(
		    said(&e.log), "accepted-again:c1 end:done(3) ");
		assert_null(command_find(k->core, "c1"));
		kit_restart(k);
	}
}

/* Its output went to whoever asked first: there is none to wait for. */
static void
the_same_again_after_its_end_waits_for_no_output(void **state)
{
	struct command_request r = a_request("c1");
	struct command_ack a = COMMAND_ACK_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *mini = connect_ours(k, &f);
	struct eye e;

	r.stream = true;
	send_as(k, &r);
	a.id = "c1";
	a.word = ACK_COMPLETED;
	a.stdout_bytes = 5;
	a.stderr_bytes = 0;
	command_acked(k->core, mini, &a, NULL, NULL);
	synced(k);
	assert_null(command_find(k->core, "c1"));
	eye_open(&e, true);
	assert_true(command_submit(k->core, &r, &e.w, NULL));
	synced(k);
	assert_string_equal(said(&e.log), "accepted-again:c1 end:done(0) ");
	assert_null(command_find(k->core, "c1"));
}

static void
the_same_id_with_another_content_is_a_conflict(void **state)
{
	struct command_request r = a_request("c1");
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct eye e;

	send_it(k, "c1", PRIO_NORMAL);
	r.type = "other";
	assert_false(command_submit(k->core, &r, NULL, &err));
	assert_string_equal(err.code, "conflict");
	command_cancel(k->core, "c1", 15, 0, &(const char *){ NULL }, NULL);
	synced(k);
	eye_open(&e, false);
	assert_true(command_submit(k->core, &r, &e.w, NULL));
	synced(k);
	assert_string_equal(said(&e.log), "refused:conflict ");
	assert_null(e.w.command);
}

/* ---- steps and ends ---------------------------------------------------------- */

static void
a_watcher_hears_every_step_in_order(void **state)
{
	struct command_request r = a_request("c1");
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	connect_ours(k, &f);
	eye_open(&e, false);
	assert_true(command_submit(k->core, &r, &e.w, NULL));
	synced(k);
	ack(k, "c1", ACK_RECEIVED, -1);
	ack(k, "c1", ACK_EXECUTING, -1);
	ack(k, "c1", ACK_COMPLETED, 0);
	assert_string_equal(said(&e.log),
	    "accepted:c1 delivered received started end:done(0) ");
	assert_string_equal(said(&f.log), "c1 confirm:c1 ");
	assert_string_equal(stored_state(k, "c1"), "done");
}

static const struct {
	const char *reason;
	int exit_code;
	const char *state;
} ends[] = {
	{ NULL, 3, "done" },
	{ NULL, -1, "failed" },
	{ "no_handler", -1, "failed" },
	{ "start_failed", -1, "failed" },
	{ "timeout", -1, "failed" },
	{ "lost", -1, "failed" },
	{ "not_allowed", -1, "refused" },
	{ "cancelled", -1, "cancelled" },
	{ "interrupted", -1, "interrupted" },
};

static void
each_reason_has_its_end(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	for (size_t i = 0; i < N_OF(ends); i++) {
		char id[16];

		snprintf(id, sizeof id, "c%zu", i);
		send_it(k, id, PRIO_NORMAL);
		if (ends[i].reason != NULL)
			ack_reason(k, id, ends[i].reason);
		else
			ack(k, id, ACK_FAILED, ends[i].exit_code);
		assert_string_equal(stored_state(k, id), ends[i].state);
	}
}

static void
of_our_agent_the_first_end_counts(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	ack(k, "c1", ACK_COMPLETED, 0);
	said(&f.log);
	ack(k, "c1", ACK_FAILED, 1);
	assert_string_equal(stored_state(k, "c1"), "done");
	assert_string_equal(said(&f.log), "confirm:c1 "); /* again */
	assert_int_equal(core_stats(k->core)->acks_late, 1);
}

static void
of_a_foreign_agent_the_last_end_counts(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_foreign(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	ack(k, "c1", ACK_COMPLETED, -1);
	assert_string_equal(stored_state(k, "c1"), "done");
	ack(k, "c1", ACK_FAILED, -1);
	assert_string_equal(stored_state(k, "c1"), "failed");
}

static void
a_scheduled_message_ends_with_its_second_ack(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_foreign(k, &f);
	send_typed(k, "c1", "schedule_message");
	ack(k, "c1", ACK_COMPLETED, -1);
	assert_string_equal(stored_state(k, "c1"), "received");
	kit_restart(k);
	connect_foreign(k, &f);
	ack(k, "c1", ACK_FAILED, -1);
	assert_string_equal(stored_state(k, "c1"), "failed");
}

static void
acks_of_anothers_or_unsent_commands_change_nothing(void **state)
{
	struct command_request r = a_request("c2");
	struct kit *k = *state;
	struct fake f = fake_link(k);

	r.agent = "maxi";
	send_as(k, &r);
	send_it(k, "c1", PRIO_NORMAL); /* mini has no link: never sent */
	ack(k, "c1", ACK_COMPLETED, 0);
	ack(k, "c2", ACK_COMPLETED, 0);
	ack(k, "c3", ACK_COMPLETED, 0);
	assert_string_equal(stored_state(k, "c1"), "accepted");
	assert_string_equal(stored_state(k, "c2"), "accepted");
	assert_int_equal(core_stats(k->core)->acks_late, 3);
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "c1 ");
}

static void
saved(void *arg)
{
	++*(int *)arg;
}

static void
an_ack_is_saved_before_its_answer(void **state)
{
	struct command_ack a = COMMAND_ACK_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	int done = 0;

	connect_ours(k, &f);
	send_it(k, "c1", PRIO_NORMAL);
	a.id = "c1";
	for (a.word = ACK_RECEIVED; a.word <= ACK_COMPLETED; a.word++) {
		done = 0;
		command_acked(
		    k->core, agent_find(k->core, "mini"), &a, saved, &done);
		assert_int_equal(done, 0);
		synced(k);
		assert_int_equal(done, 1);
	}
}

/* ---- cancel --------------------------------------------------------------------- */

static void
what_was_not_sent_is_cancelled_at_once(void **state)
{
	const char *answer = NULL;
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);

	send_it(k, "c1", PRIO_NORMAL);
	assert_true(command_cancel(k->core, "c1", 15, 0, &answer, NULL));
	assert_string_equal(answer, "cancelled");
	assert_false(command_cancel(k->core, "c1", 15, 0, &answer, &err));
	assert_string_equal(err.code, "too_late");
	synced(k);
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "");
	assert_string_equal(stored_state(k, "c1"), "cancelled");
}

static void
what_was_sent_is_asked_back_and_its_true_end_told(void **state)
{
	const char *answer = NULL;
	struct err err = ERR_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct agent *a = connect_ours(k, &f);

	send_it(k, "c1", PRIO_NORMAL);
	said(&f.log);
	assert_true(command_cancel(k->core, "c1", 2, 100, &answer, NULL));
	assert_string_equal(answer, "cancelling");
	assert_string_equal(said(&f.log), "cancel:c1:2:100 ");
	agent_detach(a, &f, "cut"); /* it may not have heard it */
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "c1 cancel:c1:2:100 ");
	ack(k, "c1", ACK_RECEIVED, -1);
	agent_detach(a, &f, "cut");
	said(&f.log);
	assert_false(command_cancel(k->core, "c1", 2, 100, &answer, &err));
	assert_string_equal(err.code, "agent_absent");
	connect_ours(k, &f);
	assert_string_equal(said(&f.log), "cancel:c1:2:100 ");
	ack_reason(k, "c1", "cancelled");
	assert_string_equal(stored_state(k, "c1"), "cancelled");
}

/* ---- output ---------------------------------------------------------------------- */

static void
out(struct kit *k, int64_t offset, const char *text)
{
	command_output(k->core, agent_find(k->core, "mini"), "c1",
	    OUTPUT_STDOUT, offset, text, strlen(text), false, strlen(text));
}

static void
stream(struct kit *k, struct fake *f, struct eye *e)
{
	struct command_request r = a_request("c1");

	r.stream = true;
	connect_ours(k, f);
	eye_open(e, true);
	assert_true(command_submit(k->core, &r, &e->w, NULL));
	synced(k);
	ack(k, "c1", ACK_EXECUTING, -1);
	said(&e->log);
	said(&f->log);
}

static void
output_is_passed_on_once_whatever_is_sent_again(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	out(k, 0, "abc");
	out(k, 0, "abc");
	out(k, 1, "bcde");
	assert_string_equal(said(&e.log), "out@0:abc out@3:de ");
	watcher_stop(&e.w);
}

static void
a_repeat_that_cuts_a_character_goes_on_as_base64(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	command_output(k->core, agent_find(k->core, "mini"), "c1",
	    OUTPUT_STDOUT, 0, "ww==", 4, true, 1); /* one byte of two */
	said(&e.log);
	out(k, 0, "\xc3\xa4!");
	assert_string_equal(said(&e.log), "out@1:pCE==b64 ");
	watcher_stop(&e.w);
}

static void
credit_is_given_for_what_was_taken(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	out(k, 0, "abc");
	assert_string_equal(said(&f.log), "");
	watcher_took(&e.w, OUTPUT_STDOUT, 3);
	assert_string_equal(said(&f.log), "credit:c1:0:3 ");
	out(k, 3, "def");
	watcher_stop(&e.w); /* nobody wants the rest */
	assert_string_equal(said(&f.log), "stop:c1 ");
	out(k, 6, "ghi");
	assert_string_equal(said(&f.log), "stop:c1 ");
}

static void
a_slow_asker_holds_the_agent_not_the_hub(void **state)
{
	static char chunk[32 * 1024 + 1];
	struct kit *k = *state;
	struct fake f = fake_link(k);
	int passed = 0;
	struct eye e;

	stream(k, &f, &e);
	memset(chunk, 'x', sizeof chunk - 1);
	for (int i = 0; i < 20; i++) {
		out(k, (int64_t)i * 32 * 1024, chunk);
		passed += e.log.text[0] != '\0';
		said(&e.log);
	}
	assert_int_equal(passed, 9); /* the window and one chunk */
	assert_string_equal(said(&f.log), "");
	watcher_stop(&e.w);
}

static void
the_end_comes_after_all_output(void **state)
{
	struct command_ack a = COMMAND_ACK_INIT;
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct eye e;

	stream(k, &f, &e);
	out(k, 0, "abc");
	a.id = "c1";
	a.word = ACK_COMPLETED;
	a.stdout_bytes = 6;
	a.stderr_bytes = 0;
	command_acked(k->core, agent_find(k->core, "mini"), &a, NULL, NULL);
	synced(k);
	watcher_took(&e.w, OUTPUT_STDOUT, 3);
	assert_string_equal(said(&e.log), "out@0:abc ");
	out(k, 3, "def");
	assert_string_equal(said(&e.log), "out@3:def ");
	watcher_took(&e.w, OUTPUT_STDOUT, 6);
	assert_string_equal(said(&e.log), "end:done(0) ");
	assert_null(command_find(k->core, "c1"));
}

static void
output_of_what_is_forgotten_is_stopped(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);

	connect_ours(k, &f);
	out(k, 10, "abc");
	assert_string_equal(said(&f.log), "stop:c1 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(accepted_is_told_after_the_sync),
		KIT_TEST(an_unknown_agent_is_refused_at_once),
		KIT_TEST(what_has_no_form_is_refused),
		KIT_TEST(a_full_queue_says_depth_and_limit),
		KIT_TEST(arguments_count_as_bytes_of_the_queue),
		KIT_TEST(a_draining_hub_takes_no_work),
		KIT_TEST(the_same_again_gets_the_first_receipt),
		KIT_TEST(the_same_again_after_its_end_tells_the_end),
		KIT_TEST(the_same_again_after_its_end_waits_for_no_output),
		KIT_TEST(the_same_id_with_another_content_is_a_conflict),
		KIT_TEST(a_watcher_hears_every_step_in_order),
		KIT_TEST(each_reason_has_its_end),
		KIT_TEST(of_our_agent_the_first_end_counts),
		KIT_TEST(of_a_foreign_agent_the_last_end_counts),
		KIT_TEST(a_scheduled_message_ends_with_its_second_ack),
		KIT_TEST(acks_of_anothers_or_unsent_commands_change_nothing),
		KIT_TEST(an_ack_is_saved_before_its_answer),
		KIT_TEST(what_was_not_sent_is_cancelled_at_once),
		KIT_TEST(what_was_sent_is_asked_back_and_its_true_end_told),
		KIT_TEST(output_is_passed_on_once_whatever_is_sent_again),
		KIT_TEST(a_repeat_that_cuts_a_character_goes_on_as_base64),
		KIT_TEST(credit_is_given_for_what_was_taken),
		KIT_TEST(a_slow_asker_holds_the_agent_not_the_hub),
		KIT_TEST(the_end_comes_after_all_output),
		KIT_TEST(output_of_what_is_forgotten_is_stopped),
	};

	return RUN_TESTS(tests);
}
