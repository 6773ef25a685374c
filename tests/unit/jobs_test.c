#include "ewsd/core/jobs.h"

#include "core_kit.h"
#include "disk_kit.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static int
jobs_setup(void **state)
{
	int status = kit_setup(state);
	struct kit *k = *state;

	if (status == 0) {
		k->limits.jobs = 3;
		k->limits.job_keep = 4;
	}
	return status;
}
#define JOBS_TEST(f)                                                           \
	cmocka_unit_test_setup_teardown(f, jobs_setup, kit_teardown)

/* Hourly, ten minutes of grace, now. */
static struct store_job_record
a_record(struct kit *k, enum store_job_event event, const char *run_id)
{
	return (struct store_job_record){ .host = "air",
		.name = "backup",
		.run_id = run_id,
		.event = event,
		.at_ms = clock_wall(&k->clock),
		.every_ms = HOUR,
		.grace_ms = 10 * MINUTE,
		.exit_code = event == JOB_END ? 0 : -1,
		.duration_ms = -1,
		.output_bytes = -1 };
}

static void
note(struct kit *k, const struct store_job_record *r)
{
	struct err err = ERR_INIT;
	int status = -1;

	if (!job_record(k->core, r, on_done, &status, &err))
		fail_msg("%s", err.text);
	synced(k);
	assert_int_equal(status, 0);
}

static void
begins(struct kit *k, const char *run_id)
{
	struct store_job_record r = a_record(k, JOB_START, run_id);

	note(k, &r);
}

static void
ends(struct kit *k, const char *run_id, int exit_code)
{
	struct store_job_record r = a_record(k, JOB_END, run_id);

	r.exit_code = exit_code;
	note(k, &r);
}

static void
overlaps(struct kit *k, const char *run_id)
{
	struct store_job_record r = a_record(k, JOB_OVERLAP, run_id);

	note(k, &r);
}

static bool
see_job(void *arg, const char *name, const char *host, json_t *o)
{
	struct log *l = arg;
	json_t *code = json_object_get(o, "exit_code");

	say(l, "%s@%s:%s", name, host,
	    json_string_value(json_object_get(o, "state")));
	if (code != NULL)
		say(l, "(%d)", (int)json_integer_value(code));
	say(l, " ");
	json_decref(o);
	return true;
}

static const char *
jobs_now(struct kit *k)
{
	static struct log l;

	core_tick(k->core);
	job_each(k->core, NULL, NULL, see_job, &l);
	return said(&l);
}

static void
pass(struct kit *k, int64_t ms)
{
	clock_advance(&k->clock, ms);
}

static void
see_runs(
    void *arg, const struct store_job_run *r, size_t n, const struct err *err)
{
	struct log *l = arg;

	assert_null(err);
	for (size_t i = 0; i < n; i++)
		say(l, "%s:%s%d/%d ", r[i].run_id,
		    r[i].overlap        ? "overlap"
		    : r[i].ended_ms > 0 ? "ended"
					: "runs",
		    r[i].exit_code, (int)r[i].output_len);
}

static const char *
runs(struct kit *k)
{
	static struct log l;
	struct store_job_filter f = { .name = "backup", .limit = 100 };

	assert_true(store_job_runs(k->store, &f, see_runs, &l, NULL));
	synced(k);
	return said(&l);
}

static void
a_job_runs_and_ends(void **state)
{
	struct kit *k = *state;

	begins(k, "r1");
	assert_string_equal(jobs_now(k), "backup@air:running ");
	ends(k, "r1", 0);
	assert_string_equal(jobs_now(k), "backup@air:ok(0) ");
	begins(k, "r2");
	ends(k, "r2", 3);
	assert_string_equal(jobs_now(k), "backup@air:failed(3) ");
	begins(k, "r3");
	assert_string_equal(jobs_now(k), "backup@air:running ");
}

static void
a_signal_is_a_failure(void **state)
{
	struct kit *k = *state;
	struct store_job_record r = a_record(k, JOB_END, "r1");

	begins(k, "r1");
	r.exit_code = -1;
	r.signal = 9;
	note(k, &r);
	assert_string_equal(jobs_now(k), "backup@air:failed ");
}

static void
no_start_in_time_is_late_and_then_missed(void **state)
{
	struct kit *k = *state;

	begins(k, "r1");
	ends(k, "r1", 0);
	pass(k, HOUR - 1);
	assert_string_equal(jobs_now(k), "backup@air:ok(0) ");
	pass(k, 1);
	assert_string_equal(jobs_now(k), "backup@air:late(0) ");
	pass(k, 10 * MINUTE - 1);
	assert_string_equal(jobs_now(k), "backup@air:late(0) ");
	pass(k, 1);
	assert_string_equal(jobs_now(k), "backup@air:missed(0) ");
	begins(k, "r2");
	assert_string_equal(jobs_now(k), "backup@air:running ");
}

static void
a_run_over_its_time_overruns(void **state)
{
	struct kit *k = *state;

	begins(k, "r1");
	pass(k, 70 * MINUTE - 1);
	assert_string_equal(jobs_now(k), "backup@air:running ");
	pass(k, 1);
	assert_string_equal(jobs_now(k), "backup@air:overrun ");
	ends(k, "r1", 0); /* it ate the next start, which is no miss */
	assert_string_equal(jobs_now(k), "backup@air:ok(0) ");
	pass(k, 70 * MINUTE);
	assert_string_equal(jobs_now(k), "backup@air:missed(0) ");
}

static void
an_attempt_that_overlaps_is_no_miss_and_no_run(void **state)
{
	struct kit *k = *state;

	begins(k, "r1");
	pass(k, HOUR);
	overlaps(k, "r2");
	assert_string_equal(jobs_now(k), "backup@air:running ");
	ends(k, "r1", 0);
	pass(k, 70 * MINUTE - 1);
	assert_string_equal(jobs_now(k), "backup@air:late(0) ");
	assert_string_equal(runs(k), "r2:overlap-1/0 r1:ended0/0 ");
}

static void
without_every_nothing_is_missed(void **state)
{
	struct kit *k = *state;
	struct store_job_record r = a_record(k, JOB_START, "r1");

	r.every_ms = 0;
	note(k, &r);
	pass(k, 1000 * (int64_t)HOUR);
	assert_string_equal(jobs_now(k), "backup@air:running ");
}

static void
the_same_record_twice_is_one(void **state)
{
	struct kit *k = *state;
	struct store_job_record r = a_record(k, JOB_END, "r1");

	begins(k, "r1");
	begins(k, "r1");
	note(k, &r);
	r.exit_code = 5;
	note(k, &r);
	begins(k, "r1");
	assert_string_equal(jobs_now(k), "backup@air:ok(0) ");
	assert_string_equal(runs(k), "r1:ended0/0 ");
}

static void
records_may_come_late_and_out_of_order(void **state)
{
	struct kit *k = *state;
	struct store_job_record old = a_record(k, JOB_START, "r1");
	struct store_job_record end = a_record(k, JOB_END, "r2");

	pass(k, 5 * MINUTE);
	end.at_ms += 4 * MINUTE;
	end.duration_ms = MINUTE;
	end.exit_code = 2;
	note(k, &end); /* its start was never told */
	old.every_ms = 1;
	note(k, &old);
	assert_string_equal(jobs_now(k), "backup@air:failed(2) ");
	old.event = JOB_END;
	old.exit_code = 0;
	note(k, &old);
	assert_string_equal(jobs_now(k), "backup@air:failed(2) ");
	assert_string_equal(runs(k), "r1:ended0/0 r2:ended2/0 ");
}

static void
what_is_known_survives_a_restart(void **state)
{
	struct kit *k = *state;

	begins(k, "r1");
	ends(k, "r1", 3);
	kit_restart(k);
	assert_string_equal(jobs_now(k), "backup@air:failed(3) ");
	begins(k, "r2");
	overlaps(k, "r3");
	kit_restart(k);
	assert_string_equal(jobs_now(k), "backup@air:running ");
	pass(k, 70 * MINUTE);
	assert_string_equal(jobs_now(k), "backup@air:overrun ");
}

static void
after_a_hub_was_away_the_spools_have_the_grace_to_come(void **state)
{
	struct kit *k = *state;

	begins(k, "r1");
	ends(k, "r1", 0);
	pass(k, 24 * (int64_t)HOUR);
	kit_restart(k);
	assert_string_equal(jobs_now(k), "backup@air:late(0) ");
	pass(k, 10 * MINUTE);
	assert_string_equal(jobs_now(k), "backup@air:missed(0) ");
}

static void
of_each_job_the_newest_runs_are_kept(void **state)
{
	struct kit *k = *state;
	struct store_job_record other = a_record(k, JOB_START, "o1");
	char id[16];

	other.name = "other";
	note(k, &other);
	for (int i = 0; i < 9; i++) {
		snprintf(id, sizeof id, "r%d", i);
		begins(k, id);
	}
	assert_string_equal(
	    runs(k), "r8:runs-1/0 r7:runs-1/0 r6:runs-1/0 r5:runs-1/0 ");
	assert_string_equal(
	    jobs_now(k), "backup@air:running other@air:running ");
}

static void
any_bytes_of_output_are_kept(void **state)
{
	struct kit *k = *state;
	struct store_job_record r = a_record(k, JOB_END, "r1");

	r.output = "a\0\xff";
	r.output_len = 3;
	r.output_bytes = 100000;
	note(k, &r);
	assert_string_equal(runs(k), "r1:ended0/3 ");
}

static void
jobs_are_bounded_and_can_be_forgotten(void **state)
{
	struct kit *k = *state;
	struct store_job_record r = a_record(k, JOB_START, "");
	char id[16], host[16];
	struct err err = ERR_INIT;

	r.run_id = id;
	r.host = host;
	for (int i = 0; i < 3; i++) {
		snprintf(id, sizeof id, "r%d", i);
		snprintf(host, sizeof host, "h%d", i);
		note(k, &r);
	}
	r.host = "h3";
	r.run_id = "r3";
	assert_false(job_record(k->core, &r, NULL, NULL, &err));
	assert_string_equal(err.code, "too_many");
	assert_true(job_forget(k->core, "h1", "backup", NULL, NULL, NULL));
	synced(k);
	note(k, &r);
	kit_restart(k);
	assert_string_equal(jobs_now(k),
	    "backup@h0:running backup@h2:running backup@h3:running ");
	assert_string_equal(runs(k), "r3:runs-1/0 r2:runs-1/0 r0:runs-1/0 ");
	err_clear(&err);
	assert_false(job_forget(k->core, "h1", "backup", NULL, NULL, &err));
	assert_string_equal(err.code, "job_unknown");
}

/* Whoever was told that it failed sees it still, and may try again. */
static void
forget_on_a_full_disk(struct scratch *scratch)
{
	int status = -1;
	struct kit *k;
	void *state;

	(void)scratch;
	CHECK(jobs_setup(&state) == 0);
	k = state;
	begins(k, "r1");
	limit_files(1);
	CHECK(job_forget(k->core, "air", "backup", on_done, &status, NULL));
	while (status == -1)
		store_flush(k->store);
	CHECK(status != 0);
	CHECK(strcmp(jobs_now(k), "backup@air:running ") == 0);
	limit_files(RLIM_INFINITY);
	CHECK(job_forget(k->core, "air", "backup", NULL, NULL, NULL));
	begins(k, "r2"); /* on its way behind that: it is known anew */
	CHECK(strcmp(jobs_now(k), "backup@air:running ") == 0);
	kit_teardown(&state);
}

static void
a_job_is_forgotten_when_the_disk_has_forgotten_it(void **state)
{
	struct kit *k = *state;

	in_child(k->scratch, forget_on_a_full_disk, 0);
}

static void
names_are_checked(void **state)
{
	struct kit *k = *state;
	struct store_job_record r = a_record(k, JOB_START, "r1");
	struct err err = ERR_INIT;

	r.name = "../x";
	assert_false(job_record(k->core, &r, NULL, NULL, &err));
	assert_string_equal(err.code, "bad_argument");
	r.name = "x";
	r.host = "";
	assert_false(job_record(k->core, &r, NULL, NULL, NULL));
	assert_string_equal(jobs_now(k), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		JOBS_TEST(a_job_runs_and_ends),
		JOBS_TEST(a_signal_is_a_failure),
		JOBS_TEST(no_start_in_time_is_late_and_then_missed),
		JOBS_TEST(a_run_over_its_time_overruns),
		JOBS_TEST(an_attempt_that_overlaps_is_no_miss_and_no_run),
		JOBS_TEST(without_every_nothing_is_missed),
		JOBS_TEST(the_same_record_twice_is_one),
		JOBS_TEST(records_may_come_late_and_out_of_order),
		JOBS_TEST(what_is_known_survives_a_restart),
		JOBS_TEST(
		    after_a_hub_was_away_the_spools_have_the_grace_to_come),
		JOBS_TEST(of_each_job_the_newest_runs_are_kept),
		JOBS_TEST(any_bytes_of_output_are_kept),
		JOBS_TEST(jobs_are_bounded_and_can_be_forgotten),
		JOBS_TEST(a_job_is_forgotten_when_the_disk_has_forgotten_it),
		JOBS_TEST(names_are_checked),
	};

	return RUN_TESTS(tests);
}
