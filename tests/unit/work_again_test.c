#include "work_kit.h"

static void
after_a_restart_everything_goes_on(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "mark", mark);
	handler(&r, "hold", hold);
	start(&r);
	take(&r, "a", "mark", "", true);
	told(&r, "a", "completed");
	take(&r, "b", "hold", "", true);
	told(&r, "b", "executing");
	take(&r, "c", "mark", "", true);
	take(&r, "d", "mark", "\"priority\":\"high\"", true);
	told(&r, "d", "received");
	wait_log(&r, "b\n");
	restart(&r);
	assert_int_equal(count(&r, "a", "completed"), 1);
	assert_int_equal(number(&r, "running"), 1);
	let_go(&r);
	ack = told(&r, "b", "completed");
	assert_int_equal(js_int(ack, "stdout_bytes", 0), 3);
	assert_non_null(js_str(ack, "started_at"));
	told(&r, "c", "completed");
	assert_string_equal(read_log(&r), "a\nb\nd\nc\n");
	work_confirmed(r.work, "a");
	work_confirmed(r.work, "b");
	work_confirmed(r.work, "c");
	work_confirmed(r.work, "d");
	restart(&r);
	assert_int_equal(json_array_size(r.acks), 0);
	assert_int_equal(work_unconfirmed(r.work), 0);
	close_rig(&r);
}

static void
an_end_that_came_while_no_agent_ran_is_told(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "fast",
	    "echo \"$EWS_COMMAND_ID\" >> $dir/log; echo out\n"
	    "while [ ! -e $dir/go ]; do sleep 0.02; done\n"
	    "echo late; echo done >> $dir/log; exit 4");
	start(&r);
	take(&r, "a", "fast", "", true);
	told(&r, "a", "executing");
	wait_log(&r, "a\n");
	work_free(r.work);
	let_go(&r);
	while (strstr(read_log(&r), "done") == NULL)
		usleep(1000);
	json_array_clear(r.acks);
	start(&r);
	work_resend(r.work);
	ack = told(&r, "a", "failed");
	assert_int_equal(js_int(ack, "exit_code", -1), 4);
	assert_int_equal(js_int(ack, "stdout_bytes", 0), 9);
	assert_string_equal(
	    js_str(js_get(js_get(ack, "kept"), "stdout"), "data"),
	    "out\nlate\n");
	assert_null(js_get(js_get(ack, "kept"), "stderr"));
	close_rig(&r);
}

/* Its shim is killed; the agent hears of it at once. */
static void
kill_shim(struct rig *r, const char *id)
{
	json_t *status = work_status(r->work), *o;
	size_t i;

	json_array_foreach(js_get(status, "running"), i, o)
	{
		if (str_eq(js_str(o, "command_id"), id))
			kill((pid_t)js_int(o, "pid", 0), SIGKILL);
	}
	json_decref(status);
}

static void
conf(struct rig *r, const char *text)
{
	scratch_write(
	    r->dir, "handlers/handlers.conf", text, strlen(text), 0600);
}

/* agent 0: it lives on; 1: it is killed, too; 2: and the machine as well */
static void
end_shim(struct rig *r, const char *id, int agent)
{
	char log[16];

	snprintf(log, sizeof log, "%s\n", id);
	told(r, id, "executing");
	wait_log(r, log);
	kill_shim(r, id);
	if (agent == 0)
		return;
	r->config.boot = agent == 1 ? "this boot" : "another boot";
	restart(r);
	r->config.boot = "this boot";
}

static void
without_its_shim_the_policy_decides(void **state)
{
	for (int agent = 0; agent < 3; agent++) {
		char ids[4][16];
		struct rig r;
		json_t *ack;

		open_rig(&r, *state);
		handler(&r, "once", hold);
		handler(&r, "again", hold);
		handler(&r, "asked", hold);
		handler(&r, "asked.probe",
		    "echo probe >> $dir/log; cat > $dir/payload\n"
		    "exit \"$(cat $dir/answer)\"");
		conf(&r, "[again]\npolicy=idempotent\n"
			 "[asked]\npolicy=probe\n");
		start(&r);
		for (int i = 0; i < 4; i++)
			snprintf(ids[i], sizeof ids[i], "%c%d", 'a' + i, agent);
		take(&r, ids[0], "once", "", true);
		end_shim(&r, ids[0], agent);
		ack = told(&r, ids[0], "failed");
		assert_string_equal(js_str(ack, "reason"), "interrupted");
		take(&r, ids[1], "again", "", true);
		end_shim(&r, ids[1], agent);
		while (count(&r, ids[1], "executing") < 1 + (agent == 0))
			turn(&r);
		scratch_write(r.dir, "answer", "0", 1, 0600);
		take(&r, ids[2], "asked", "\"payload\":{\"k\":7}", true);
		end_shim(&r, ids[2], agent);
		ack = told(&r, ids[2], "completed");
		assert_true(js_bool(ack, "probed", false));
		assert_int_equal(js_int(ack, "exit_code", -1), 0);
		scratch_write(r.dir, "answer", "1", 1, 0600);
		take(&r, ids[3], "asked", "", true);
		end_shim(&r, ids[3], agent);
		while (count(&r, ids[3], "executing") < 1 + (agent == 0))
			turn(&r);
		let_go(&r);
		ack = told(&r, ids[3], "completed");
		assert_null(js_get(ack, "probed"));
		told(&r, ids[1], "completed");
		close_rig(&r);
		scratch_remove(r.dir->dir);
		assert_int_equal(mkdir(r.dir->dir, 0700), 0);
	}
}

static void
what_a_probe_does_not_know_is_interrupted(void **state)
{
	static const struct {
		const char *probe, *error;
	} cases[] = {
		{ "exit 2", "interrupted, and its probe does not know: exit"
			    " status 2" },
		{ "kill -9 $$", "interrupted, and its probe was killed by"
				" signal 9" },
		{ "exec sleep 100", "interrupted, and its probe was killed by"
				    " signal 15" },
	};
	struct rig r;
	char id[24];

	open_rig(&r, *state);
	handler(&r, "asked", hold);
	for (size_t i = 0; i < N_OF(cases); i++) {
		json_t *ack;

		snprintf(id, sizeof id, "p%zu", i);
		handler(&r, "asked.probe", cases[i].probe);
		conf(&r, "[asked]\npolicy=probe\n[asked.probe]\n"
			 "deadline=300ms\n");
		start(&r);
		take(&r, id, "asked", "", true);
		end_shim(&r, id, 0);
		ack = told(&r, id, "failed");
		assert_string_equal(js_str(ack, "reason"), "interrupted");
		assert_string_equal(js_str(ack, "error"), cases[i].error);
		work_confirmed(r.work, id);
		work_free(r.work);
	}
	let_go(&r);
	start(&r);
	close_rig(&r);
}

static void
a_handler_that_never_comes_to_an_end_is_not_run_for_ever(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "again",
	    "echo x >> $dir/log; kill -9 $PPID; sleep 0.1; exit 0");
	conf(&r, "[again]\npolicy=idempotent\n");
	start(&r);
	take(&r, "a", "again", "", true);
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "interrupted");
	assert_string_equal(read_log(&r), "x\nx\nx\nx\nx\n");
	close_rig(&r);
}

/* The probe is asked after the last run, too: it may be done. */
static void
not_done_by_its_probe_it_is_not_run_for_ever_either(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "asked",
	    "echo x >> $dir/log; kill -9 $PPID; sleep 0.1; exit 0");
	handler(&r, "asked.probe",
	    "[ $EWS_COMMAND_ID = b ] && [ $(grep -c x $dir/log) -ge 10 ]");
	conf(&r, "[asked]\npolicy=probe\n");
	start(&r);
	take(&r, "a", "asked", "", true);
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "interrupted");
	assert_string_equal(read_log(&r), "x\nx\nx\nx\nx\n");
	take(&r, "b", "asked", "", true);
	ack = told(&r, "b", "completed");
	assert_true(js_bool(ack, "probed", false));
	close_rig(&r);
}

static void
what_was_cancelled_is_not_run_again_when_its_shim_is_lost(void **state)
{
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "again",
	    "trap '' TERM\n"
	    "echo \"$EWS_COMMAND_ID\" >> $dir/log; echo up\n"
	    "while [ ! -e $dir/go ]; do sleep 0.02; done");
	conf(&r, "[again]\npolicy=idempotent\n");
	start(&r);
	take(&r, "a", "again", "", true);
	told(&r, "a", "executing");
	wait_log(&r, "a\n");
	work_cancel(r.work, "a", SIGTERM, 60000);
	kill_shim(&r, "a");
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	assert_string_equal(
	    js_str(ack, "error"), "cancelled before it ran again");
	assert_string_equal(read_log(&r), "a\n");
	let_go(&r);
	close_rig(&r);
}

/* Its machine died while it ran; then there is no slot for a while. */
static void
lose(struct rig *r, const char *id, const char *type, const char *more)
{
	char log[16];

	snprintf(log, sizeof log, "%s\n", id);
	take(r, id, type, more, true);
	told(r, id, "executing");
	wait_log(r, log);
	kill_shim(r, id);
	r->config.boot = "another boot";
	r->config.concurrency = 0;
	restart(r);
}

static void
what_ran_once_is_never_said_not_to_have_run(void **state)
{
	char more[80], text[CLOCK_TEXT_SIZE];
	struct rig r;
	json_t *ack;

	open_rig(&r, *state);
	handler(&r, "again", hold);
	handler(&r, "asked", hold);
	handler(&r, "asked.probe", "exit \"$(cat $dir/answer)\"");
	conf(&r, "[again]\npolicy=idempotent\n[asked]\npolicy=probe\n");
	start(&r);
	snprintf(more, sizeof more, "\"expires\":\"%s\"",
	    clock_text(text, clock_wall(&clock_system) + 1500));
	lose(&r, "a", "again", more);
	ack = told(&r, "a", "failed");
	assert_string_equal(js_str(ack, "reason"), "interrupted");
	assert_string_equal(js_str(ack, "error"),
	    "interrupted, and not run again: its time was over before it ran");
	r.config.concurrency = 4;
	restart(&r);
	lose(&r, "b", "again", "");
	restart(&r); /* the ledger knows it, too */
	work_cancel(r.work, "b", SIGTERM, 0);
	ack = told(&r, "b", "failed");
	assert_string_equal(js_str(ack, "reason"), "cancelled");
	assert_string_equal(
	    js_str(ack, "error"), "cancelled before it ran again");
	/* of these two the probe knows more than who cancels */
	for (int i = 0; i < 2; i++) {
		const char *id = i == 0 ? "c" : "d";

		scratch_write(r.dir, "answer", i == 0 ? "0" : "1", 1, 0600);
		r.config.concurrency = 4;
		restart(&r);
		lose(&r, id, "asked", "");
		work_cancel(r.work, id, SIGTERM, 0);
		assert_int_equal(count(&r, id, "failed"), 0);
		r.config.concurrency = 4;
		restart(&r);
		work_cancel(r.work, id, SIGTERM, 0);
		ack = told(&r, id, i == 0 ? "completed" : "failed");
		if (i == 1)
			assert_string_equal(js_str(ack, "error"),
			    "cancelled before it ran again");
	}
	assert_string_equal(read_log(&r), "a\nb\nc\nd\n");
	let_go(&r);
	close_rig(&r);
}

static void
stopping_lets_run_what_runs_and_keeps_what_waits(void **state)
{
	struct rig r;

	open_rig(&r, *state);
	r.config.concurrency = 1;
	handler(&r, "hold", hold);
	start(&r);
	take(&r, "a", "hold", "", true);
	take(&r, "b", "hold", "", true);
	told(&r, "a", "executing");
	told(&r, "b", "received");
	work_stop(r.work);
	take(&r, "c", "hold", "", true); /* stays with the hub */
	while (r.idle == 0)
		turn(&r);
	assert_int_equal(number(&r, "running"), 1);
	restart(&r);
	let_go(&r);
	told(&r, "a", "completed");
	told(&r, "b", "completed");
	assert_int_equal(r.idle, 1);
	assert_int_equal(count(&r, "c", "completed"), 0);
	assert_string_equal(read_log(&r), "a\nb\n");
	close_rig(&r);
}

static void
a_handlers_own_limits_hold(void **state)
{
	struct rig r;
	json_t *ack;
	char id[24];

	open_rig(&r, *state);
	handler(&r, "hold", hold);
	handler(&r, "mark", mark);
	handler(&r, "slow", "exec sleep 100");
	handler(&r, "loud", "head -c 5000 /dev/zero");
	conf(&r, "[hold]\nconcurrency=2\n[slow]\ndeadline=200ms\n"
		 "[loud]\noutput_max=1000\n");
	start(&r);
	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof id, "h%d", i);
		take(&r, id, "hold", "", true);
	}
	take(&r, "m", "mark", "\"priority\":\"low\"", true);
	told(&r, "m", "completed"); /* the others wait for each other only */
	told(&r, "h0", "executing");
	told(&r, "h1", "executing");
	assert_int_equal(number(&r, "running"), 2);
	take(&r, "s", "slow", "", true);
	ack = told(&r, "s", "failed");
	assert_string_equal(js_str(ack, "reason"), "timeout");
	take(&r, "l", "loud", "", true);
	ack = told(&r, "l", "completed");
	assert_int_equal(js_int(ack, "stdout_kept", 0), 1000);
	assert_int_equal(
	    js_int(js_get(js_get(ack, "kept"), "stdout"), "offset", -1), 0);
	let_go(&r);
	told(&r, "h4", "completed");
	close_rig(&r);
}

static void
a_conf_read_again_counts_and_a_wrong_one_changes_nothing(void **state)
{
	struct err err = ERR_INIT;
	struct rig r;

	open_rig(&r, *state);
	handler(&r, "hold", hold);
	conf(&r, "[hold]\nconcurrency=1\n");
	start(&r);
	take(&r, "a", "hold", "", true);
	take(&r, "b", "hold", "", true);
	told(&r, "a", "executing");
	told(&r, "b", "received");
	conf(&r, "[hold]\nconcurrency=many\n");
	assert_false(work_reload(r.work, &err));
	assert_non_null(strstr(err.text, "handlers.conf:2: "));
	assert_int_equal(number(&r, "running"), 1);
	conf(&r, "[hold]\nconcurrency=2\n");
	assert_true(work_reload(r.work, NULL));
	told(&r, "b", "executing");
	let_go(&r);
	told(&r, "b", "completed");
	conf(&r, "nonsense\n");
	work_free(r.work);
	err_clear(&err);
	assert_null(work_new(&r.config, &err));
	assert_int_equal(err.status, 78);
	conf(&r, "");
	start(&r);
	close_rig(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(after_a_restart_everything_goes_on),
		SCRATCH_TEST(an_end_that_came_while_no_agent_ran_is_told),
		SCRATCH_TEST(without_its_shim_the_policy_decides),
		SCRATCH_TEST(what_a_probe_does_not_know_is_interrupted),
		SCRATCH_TEST(
		    a_handler_that_never_comes_to_an_end_is_not_run_for_ever),
		SCRATCH_TEST(
		    not_done_by_its_probe_it_is_not_run_for_ever_either),
		SCRATCH_TEST(
		    what_was_cancelled_is_not_run_again_when_its_shim_is_lost),
		SCRATCH_TEST(what_ran_once_is_never_said_not_to_have_run),
		SCRATCH_TEST(stopping_lets_run_what_runs_and_keeps_what_waits),
		SCRATCH_TEST(a_handlers_own_limits_hold),
		SCRATCH_TEST(
		    a_conf_read_again_counts_and_a_wrong_one_changes_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
