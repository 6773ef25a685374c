#include "work_kit.h"

#include <sys/resource.h>

static void
a_command_runs_and_its_end_is_told(void **state)
{
	char hex[65];
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "echo.sh",
	    "cat; printf ' %s' \"$@\"; echo talk >&2; env > $dir/log; pwd");
	start(&r);
	take(&r, "c1", "echo.sh",
	    "\"payload\":{\"b\":1,\"a\":[\"x y\"]},\"argv\":[\"-n\",\"$(id)\"],"
	    "\"deadline\":9000,\"priority\":\"immediate\"",
	    true);
	ack = told(&r, "c1", "completed");
	assert_int_equal(count(&r, "c1", "executing"), 1);
	assert_int_equal(count(&r, "c1", "received"), 0);
	assert_int_equal(js_int(ack, "exit_code", -1), 0);
	assert_true(js_int(ack, "duration_ms", -1) >= 0);
	assert_non_null(js_str(ack, "completed_at"));
	assert_null(js_get(ack, "reason"));
	assert_null(js_get(ack, "error"));
	assert_true(str_starts(js_str(js_get(ack, "tail"), "stdout"),
	    "{\"b\":1,\"a\":[\"x y\"]} -n $(id)/"));
	assert_true(
	    str_ends(js_str(js_get(ack, "tail"), "stdout"), "/state/run\n"));
	assert_string_equal(js_str(js_get(ack, "tail"), "stderr"), "talk\n");
	secret_sha256_hex(hex, "talk\n", 5);
	assert_string_equal(js_str(ack, "stderr_sha256"), hex);
	assert_int_equal(js_int(ack, "stderr_bytes", -1), 5);
	assert_non_null(strstr(read_log(&r), "EWS_COMMAND_ID=c1\n"));
	assert_non_null(strstr(read_log(&r), "EWS_COMMAND_TYPE=echo.sh\n"));
	assert_non_null(strstr(read_log(&r), "EWS_AGENT_ID=edge 1\n"));
	assert_non_null(strstr(read_log(&r), "EWS_PRIORITY=immediate\n"));
	assert_non_null(strstr(read_log(&r), "EWS_DEADLINE_MS=9000\n"));
	assert_non_null(
	    strstr(read_log(&r), "EWS_HUB=wss://hub.example:1/edge\n"));
	assert_null(strstr(read_log(&r), "secret"));
	work_confirmed(r.work, "c1");
	assert_int_equal(work_unconfirmed(r.work), 0);
	close_rig(&r);
}

static void
what_went_wrong_is_said(void **state)
{
	static const struct {
		const char *type, *more, *reason, *error;
		int code, signal;
	} cases[] = {
		{ "three", "", NULL, "exit status 3: the last line", 3, -1 },
		{ "self", "", NULL, "killed by signal 15", -1, 15 },
		{ "none", "", "no_handler",
		    "handler none: there is none of this name", -1, -1 },
		{ "Three", "", "no_handler", "Three is no name for a handler",
		    -1, -1 },
		{ "../three", "", "no_handler",
		    "../three is no name for a handler", -1, -1 },
		{ "", "", "no_handler", " is no name for a handler", -1, -1 },
		{ "weak", "", "not_allowed",
		    "handler weak is writable by others", -1, -1 },
		{ "three", "\"argv\":[1]", "start_failed",
		    "argv[0] is no string without NUL", -1, -1 },
		{ "three", "\"deadline\":0", "start_failed", NULL, -1, -1 },
		{ "hang", "\"deadline\":200", "timeout", NULL, -1, 15 },
		{ "noshell", "", "start_failed", NULL, -1, -1 },
	};
	struct rig r;
	size_t i;

	open_rig(&r, *state);
	handler(
	    &r, "three", "echo first >&2; echo 'the last line' >&2; exit 3");
	handler(&r, "self", "kill $$");
	handler(&r, "weak", "exit 0");
	handler(&r, "hang", "sleep 100");
	scratch_write(r.dir, "handlers/noshell", "exit 0\n", 7, 0755);
	assert_int_equal(chmod(scratch_path(r.dir, "handlers/weak"), 0777), 0);
	start(&r);
	for (i = 0; i < N_OF(cases); i++) {
		const char *reason;
		char id[16];
		json_t *ack;

		snprintf(id, sizeof id, "c%zu", i);
		take(&r, id, cases[i].type, cases[i].more, true);
		ack = told(&r, id, "failed");
		reason = js_str(ack, "reason");
		assert_true(str_eq(reason, cases[i].reason));
		if (cases[i].error != NULL)
			assert_string_equal(
			    js_str(ack, "error"), cases[i].error);
		assert_true(strlen(js_str(ack, "error")) > 0);
		assert_int_equal(js_int(ack, "exit_code", -1), cases[i].code);
		assert_int_equal(js_int(ack, "signal", -1), cases[i].signal);
		work_confirmed(r.work, id);
	}
	close_rig(&r);
}

static void
an_old_hub_is_told_what_it_understands(void **state)
{
	struct rig r;
	json_t *ack;
	int n;

	open_rig(&r, *state);
	handler(&r, "three", "echo x; exit 3");
	handler(&r, "fine", "exit 0");
	start(&r);
	for (n = 0; n < 2; n++) { /* also after a restart */
		take(&r, "a", "three", "\"stream\":true", false);
		take(&r, "b", "fine", "", false);
		ack = told(&r, "a", "failed");
		assert_int_equal(json_object_size(ack), 4);
		assert_string_equal(js_str(ack, "error"), "exit status 3");
		assert_non_null(js_str(ack, "completed_at"));
		ack = told(&r, "b", "completed");
		assert_int_equal(json_object_size(ack), 3);
		assert_non_null(js_str(ack, "completed_at"));
		assert_int_equal(count(&r, "a", "executing"), 0);
		assert_int_equal(r.out[0].len, 0);
		while (n == 0 && json_array_size(r.acks) < 2)
			turn(&r);
		if (n == 0)
			restart(&r);
	}
	close_rig(&r);
}

static void
a_repeat_is_answered_and_not_run(void **state)
{
	struct rig r;

	open_rig(&r, *state);
	handler(&r, "hold", hold);
	start(&r);
	take(&r, "c1", "hold", "", true);
	take(&r, "c1", "hold", "", true); /* while it is being entered */
	told(&r, "c1", "executing");
	take(&r, "c1", "hold", "", true);
	assert_int_equal(count(&r, "c1", "executing"), 2);
	let_go(&r);
	told(&r, "c1", "completed");
	take(&r, "c1", "hold", "", true);
	assert_int_equal(count(&r, "c1", "completed"), 2);
	work_confirmed(r.work, "c1");
	work_confirmed(r.work, "c1");
	take(&r, "c1", "hold", "", true);
	while (count(&r, "c1", "completed") < 3) /* from memory or disk */
		turn(&r);
	restart(&r);
	assert_int_equal(json_array_size(r.acks), 0);
	take(&r, "c1", "hold", "", true);
	told(&r, "c1", "completed");
	assert_string_equal(read_log(&r), "c1\n");
	assert_int_equal(number(&r, "queued"), 0);
	close_rig(&r);
}

static void
urgent_goes_first_and_equals_keep_their_order(void **state)
{
	static const char *const words[] = { "low", "normal", "high",
		"immediate", "deferred", "whatever" };
	static const char want[] = "c0\nc4\nc10\nc3\nc9\nc2\nc6\nc8\nc12\n"
				   "c1\nc5\nc7\nc11\n";
	char id[16], more[64];
	struct rig r;
	int i;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "hold", hold);
	start(&r);
	take(&r, "c0", "hold", "", true);
	told(&r, "c0", "executing");
	for (i = 1; i <= 12; i++) {
		snprintf(id, sizeof id, "c%d", i);
		snprintf(more, sizeof more, "\"priority\":\"%s\"",
		    words[(i - 1) % 6]);
		take(&r, id, "hold", more, true);
	}
	told(&r, "c12", "received");
	assert_int_equal(number(&r, "running"), 1);
	assert_int_equal(number(&r, "queued"), 12);
	let_go(&r);
	told(&r, "c11", "completed");
	assert_string_equal(read_log(&r), want);
	close_rig(&r);
}

static void
no_more_run_at_a_time_than_allowed(void **state)
{
	char id[16];
	struct rig r;
	int i;

	open_rig(&r, *state);
	r.config.concurrency = 3;
	handler(&r, "hold", hold);
	start(&r);
	for (i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "c%d", i);
		take(&r, id, "hold", "", true);
	}
	told(&r, "c19", "received");
	while (number(&r, "running") < 3)
		turn(&r);
	assert_int_equal(number(&r, "queued"), 17);
	let_go(&r);
	for (i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "c%d", i);
		told(&r, id, "completed");
		assert_true(number(&r, "running") <= 3);
	}
	assert_int_equal(work_unconfirmed(r.work), 20);
	close_rig(&r);
}

static void
a_full_queue_refuses_and_remembers_nothing(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	r.config.queue_max = 2;
	handler(&r, "hold", hold);
	start(&r);
	take(&r, "a", "hold", "", true);
	told(&r, "a", "executing");
	take(&r, "b", "hold", "", true);
	take(&r, "c", "hold", "", true);
	take(&r, "d", "hold", "", true);
	ack = told(&r, "d", "failed");
	assert_string_equal(js_str(ack, "reason"), "queue_full");
	take(&r, "u", "hold", "\"priority\":\"immediate\"", true);
	told(&r, "u", "received"); /* it does not wait for that */
	let_go(&r);
	told(&r, "c", "completed");
	work_confirmed(r.work, "u");
	work_confirmed(r.work, "a");
	work_confirmed(r.work, "b");
	work_confirmed(r.work, "c");
	take(&r, "d", "hold", "", true);
	told(&r, "d", "completed");
	assert_string_equal(read_log(&r), "a\nu\nb\nc\nd\n");
	close_rig(&r);
}

static void
cancelled_before_it_ran_it_never_runs(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "hold", hold);
	start(&r);
	take(&r, "a", "hold", "", true);
	told(&r, "a", "executing");
	take(&r, "b", "hold", "", true);
	take(&r, "c", "hold", "", true);
	told(&r, "b", "received");
	work_cancel(r.work, "b", 15, 5000);
	take(&r, "d", "hold", "", true);
	work_cancel(r.work, "d", 15, 5000); /* on its way to the disk */
	ack = told(&r, "b", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	let_go(&r);
	told(&r, "c", "completed");
	ack = told(&r, "d", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	assert_string_equal(read_log(&r), "a\nc\n");
	work_cancel(r.work, "nobody", 15, 5000);
	work_cancel(r.work, "b", 15, 5000);
	assert_int_equal(count(&r, "b", "failed"), 2);
	close_rig(&r);
}

static void
cancelled_while_it_runs_it_is_ended(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "hold", hold);
	handler(&r, "stubborn", "trap '' TERM; echo up; sleep 100");
	start(&r);
	take(&r, "a", "hold", "", true);
	take(&r, "b", "stubborn", "\"stream\":true", true);
	told(&r, "a", "executing");
	while (r.out[0].len < 3)
		turn(&r);
	work_cancel(r.work, "a", SIGINT, 60000);
	work_cancel(r.work, "b", SIGTERM, 50);
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	assert_int_equal(js_int(ack, "signal", 0), SIGINT);
	ack = told(&r, "b", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	assert_int_equal(js_int(ack, "signal", 0), SIGKILL);
	close_rig(&r);
}

static void
ends_are_told_again_in_order_until_confirmed(void **state)
{
	struct rig r;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "mark", mark);
	start(&r);
	take(&r, "a", "mark", "", true);
	take(&r, "b", "mark", "", true);
	take(&r, "c", "mark", "", true);
	told(&r, "c", "completed");
	work_confirmed(r.work, "b");
	json_array_clear(r.acks);
	work_resend(r.work);
	assert_int_equal(json_array_size(r.acks), 2);
	assert_string_equal(
	    js_str(json_array_get(r.acks, 0), "command_id"), "a");
	assert_string_equal(
	    js_str(json_array_get(r.acks, 1), "command_id"), "c");
	close_rig(&r);
}

static void
output_flows_while_it_runs_and_after_a_lost_link(void **state)
{
	char hex[65];
	struct rig r;
	json_t *ack;
	size_t got;

	open_rig(&r, *state);
	handler(&r, "talk",
	    "echo begin; while [ ! -e $dir/go ]; do sleep 0.02; done\n"
	    "head -c 2000000 /dev/zero & seq 300000 >&2; wait; echo end");
	start(&r);
	take(&r, "a", "talk", "\"stream\":true", true);
	while (r.out[0].len < 6) /* it has not ended: live */
		turn(&r);
	assert_int_equal(count(&r, "a", "completed"), 0);
	let_go(&r);
	while (r.out[1].len < 500000)
		turn(&r);
	r.down = true;
	while (number(&r, "unconfirmed") == 0)
		turn(&r);
	got = r.out[0].len;
	r.down = false;
	work_resend(r.work);
	ack = told(&r, "a", "completed"); /* nobody read, and it ended */
	assert_int_equal(js_int(ack, "stdout_bytes", 0), 2000010);
	assert_true(number(&r, "spool_bytes") > 0);
	assert_int_equal(r.out[0].len, got); /* until the hub attaches */
	work_attach(r.work, "a", got, r.out[1].len);
	work_confirmed(r.work, "a");
	while (number(&r, "spool_bytes") > 0)
		acknowledge(&r);
	assert_int_equal(r.out[0].len, 2000010);
	secret_sha256_hex(hex, r.out[0].bytes, r.out[0].len);
	assert_string_equal(js_str(ack, "stdout_sha256"), hex);
	assert_int_equal(js_int(ack, "stderr_bytes", 0), r.out[1].len);
	secret_sha256_hex(hex, r.out[1].bytes, r.out[1].len);
	assert_string_equal(js_str(ack, "stderr_sha256"), hex);
	close_rig(&r);
}

static void
output_that_nobody_takes_is_cut_and_counted(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	r.config.output_max = 1000000;
	r.deaf = true;
	handler(&r, "flood", "head -c 20000000 /dev/zero; exit 5");
	start(&r);
	take(&r, "a", "flood", "\"stream\":true", true);
	ack = told(&r, "a", "failed");
	assert_int_equal(js_int(ack, "stdout_bytes", 0), 20000000);
	assert_int_equal(js_int(ack, "exit_code", 0), 5);
	assert_true(js_bool(ack, "truncated", false));
	assert_int_equal(number(&r, "spool_bytes"), 1000000);
	assert_int_equal(r.out[0].len, 262144); /* the window */
	work_confirmed(r.work, "a");
	assert_int_equal(number(&r, "spool_bytes"), 1000000);
	work_output_acked(r.work, "a", "stdout", 0, true);
	assert_int_equal(number(&r, "spool_bytes"), 0);
	close_rig(&r);
}

static void
the_tail_is_always_text(void **state)
{
	struct rig r;
	json_t *ack;
	const char *tail;

	open_rig(&r, *state);
	handler(&r, "binary",
	    "head -c 3000 /dev/urandom; printf 'a\\000b\\377c\\303'");
	start(&r);
	take(&r, "a", "binary", "", true);
	ack = told(&r, "a", "completed");
	tail = js_str(js_get(ack, "tail"), "stdout");
	assert_true(strlen(tail) <= 1024 && strlen(tail) > 1000);
	assert_true(str_ends(tail, "a\xef\xbf\xbd"
				   "b\xef\xbf\xbd"
				   "c\xef\xbf\xbd"));
	close_rig(&r);
}

/* Until restore_files; 'left' may still be opened. */
static void
no_more_files(struct rlimit *before, int left)
{
	struct rlimit low;
	int fd = dup(0); /* the lowest that is free */

	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	low = *before;
	low.rlim_cur = (rlim_t)(fd + left);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
}

static void
restore_files(const struct rlimit *before)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

/* First none is left for the handlers directory, then two for the pipes. */
static void
a_shortage_delays_and_loses_nothing(void **state)
{
	struct rlimit before;
	struct rig r;
	int left;

	open_rig(&r, *state);
	handler(&r, "mark", mark);
	start(&r);
	for (left = 0; left <= 2; left += 2) {
		const char *id = left == 0 ? "a" : "b";

		take(&r, id, "mark", "", true);
		no_more_files(&before, left);
		while (number(&r, "waiting") == 0)
			turn(&r);
		restore_files(&before);
		told(&r, id, "completed");
		assert_int_equal(number(&r, "waiting"), 0);
	}
	assert_string_equal(read_log(&r), "a\nb\n");
	close_rig(&r);
}

/* One that waits for room, too, and whose turn is next. */
static void
one_that_waits_for_room_can_be_cancelled_by_another_that_does(void **state)
{
	struct rlimit before;
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "mark", mark);
	start(&r);
	take(&r, "x", "cancel_scheduled", "\"payload\":{\"schedule_id\":\"a\"}",
	    true);
	take(&r, "a", "mark", "", true);
	no_more_files(&before, 0);
	while (number(&r, "waiting") < 2)
		turn(&r);
	restore_files(&before);
	told(&r, "x", "completed");
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	assert_int_equal(number(&r, "waiting"), 0);
	take(&r, "b", "mark", "", true);
	told(&r, "b", "completed");
	assert_string_equal(read_log(&r), "b\n");
	close_rig(&r);
}

/* A slot becomes free while b is on its way to the disk. */
static void
a_newcomer_does_not_overtake_one_being_entered(void **state)
{
	struct rlimit before;
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "mark", mark);
	start(&r);
	take(&r, "a", "mark", "", true);
	no_more_files(&before, 0);
	while (number(&r, "waiting") == 0)
		turn(&r);
	restore_files(&before);
	take(&r, "b", "mark", "", true);
	work_cancel(r.work, "a", SIGTERM, 1000);
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	take(&r, "c", "mark", "", true);
	told(&r, "c", "completed");
	told(&r, "b", "completed");
	assert_string_equal(read_log(&r), "b\nc\n");
	close_rig(&r);
}

static void
an_unknown_id_is_answered_as_lost_and_an_old_one_with_its_end(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "mark", mark);
	start(&r);
	work_cancel(r.work, "nobody", SIGTERM, 0);
	ack = told(&r, "nobody", "failed");
	assert_string_equal(js_str(ack, "reason"), "lost");
	take(&r, "a", "mark", "", true);
	told(&r, "a", "completed");
	work_confirmed(r.work, "a");
	work_cancel(r.work, "a", SIGTERM, 0);
	while (count(&r, "a", "completed") < 2)
		turn(&r);
	close_rig(&r);
}

static void
nonsense_is_ignored(void **state)
{
	static const char *const cases[] = { "{}", "{\"command_id\":\"\"}",
		"{\"command_id\":7,\"command_type\":\"mark\"}",
		"{\"command_id\":\"a/b\",\"command_type\":\"mark\"}" };
	struct rig r;
	size_t i;

	open_rig(&r, *state);
	handler(&r, "mark", mark);
	start(&r);
	for (i = 0; i < N_OF(cases); i++) {
		json_t *data = js_read_object(cases[i], strlen(cases[i]), NULL);

		work_take(r.work, data, true);
		json_decref(data);
	}
	work_confirmed(r.work, "x");
	work_output_acked(r.work, "x", "stdout", 5, true);
	take(&r, "a", "mark", "", true);
	told(&r, "a", "completed");
	work_output_acked(r.work, "a", "stdin", -5, false);
	assert_string_equal(read_log(&r), "a\n");
	assert_int_equal(count(&r, "a", "completed"), 1);
	close_rig(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_command_runs_and_its_end_is_told),
		SCRATCH_TEST(what_went_wrong_is_said),
		SCRATCH_TEST(an_old_hub_is_told_what_it_understands),
		SCRATCH_TEST(a_repeat_is_answered_and_not_run),
		SCRATCH_TEST(urgent_goes_first_and_equals_keep_their_order),
		SCRATCH_TEST(no_more_run_at_a_time_than_allowed),
		SCRATCH_TEST(a_full_queue_refuses_and_remembers_nothing),
		SCRATCH_TEST(cancelled_before_it_ran_it_never_runs),
		SCRATCH_TEST(cancelled_while_it_runs_it_is_ended),
		SCRATCH_TEST(ends_are_told_again_in_order_until_confirmed),
		SCRATCH_TEST(output_flows_while_it_runs_and_after_a_lost_link),
		SCRATCH_TEST(output_that_nobody_takes_is_cut_and_counted),
		SCRATCH_TEST(the_tail_is_always_text),
		SCRATCH_TEST(a_shortage_delays_and_loses_nothing),
		SCRATCH_TEST(
		    one_that_waits_for_room_can_be_cancelled_by_another_that_does),
		SCRATCH_TEST(a_newcomer_does_not_overtake_one_being_entered),
		SCRATCH_TEST(
		    an_unknown_id_is_answered_as_lost_and_an_old_one_with_its_end),
		SCRATCH_TEST(nonsense_is_ignored),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
