#include <sqlite3.h>

#include "store_kit.h"

static struct store_schedule
a_schedule(const char *id)
{
	return (struct store_schedule){ .id = id,
		.agent = "mini",
		.type = "echo",
		.request = "{\"payload\":{}}",
		.cron = "* * * * *",
		.tz = "UTC",
		.asker = "uid:501",
		.created_ms = 1000,
		.next_ms = 60000 };
}

static void
see_schedule(void *arg, const struct store_schedule *s)
{
	struct seen *seen = arg;

	pour(seen->text, sizeof seen->text,
	    "%s %s %s %s [%s] %s %s c%d n%d l%d %s f%d m%d %s%s; ", s->id,
	    s->agent, s->type, s->request, s->cron, s->tz, or_dash(s->asker),
	    (int)s->created_ms, (int)s->next_ms, (int)s->last_ms,
	    or_dash(s->last_command), (int)s->fired, (int)s->missed,
	    s->late_skip ? "skip" : "run", s->paused ? " paused" : "");
}

static struct seen
schedules(struct store *st)
{
	struct seen s = { 0 };

	assert_true(store_load_schedules(st, see_schedule, &s, NULL));
	return s;
}

static void
see_lines(
    void *arg, const struct store_line *l, size_t n, const struct err *err)
{
	struct seen *s = arg;

	s->status = err != NULL ? err->status : 0;
	s->n = n;
	for (size_t i = 0; i < n; i++)
		pour(s->history, sizeof s->history, "%s@%d(%s) ", l[i].what,
		    (int)l[i].at_ms, or_dash(l[i].text));
}

static struct seen
lines(struct store *st, const char *id)
{
	struct seen s = { 0 };

	assert_true(store_schedule_log(st, id, see_lines, &s, NULL));
	store_flush(st);
	assert_int_equal(s.status, 0);
	return s;
}

static int
add(struct store *st, const char *id)
{
	struct store_schedule row = a_schedule(id);
	struct store_line line = { 1000, "created", NULL };
	int status = -1;

	assert_true(
	    store_schedule_add(st, &row, &line, on_done, &status, NULL));
	store_flush(st);
	return status;
}

/* After the firing at 60000. */
static struct verdict
fire(struct store *st, const char *command, const char *payload)
{
	struct store_schedule after = a_schedule("s");
	struct store_command c = a_command(command);
	struct store_firing firing = { &after, command };
	struct verdict v = { 0, STORE_NEW, CMD_STATES, 0 };

	after.next_ms = 120000;
	after.last_ms = 60000;
	after.last_command = command;
	after.fired = 1;
	after.missed = 2;
	c.created_ms = 60001;
	c.payload = payload;
	c.payload_len = strlen(payload);
	assert_true(store_fire(st, &c, &firing, on_accept, &v, NULL));
	store_flush(st);
	assert_int_equal(v.done, 1);
	return v;
}

static void
a_schedule_survives_a_reopen(void **state)
{
	struct store *st = must_open(*state);

	assert_int_equal(add(st, "s"), 0);
	assert_int_equal(add(st, "r"), 0);
	store_close(st);
	st = must_open(*state);
	assert_string_equal(schedules(st).text,
	    "r mini echo {\"payload\":{}} [* * * * *] UTC uid:501 c1000 "
	    "n60000 l0 - f0 m0 run; "
	    "s mini echo {\"payload\":{}} [* * * * *] UTC uid:501 c1000 "
	    "n60000 l0 - f0 m0 run; ");
	assert_string_equal(lines(st, "s").history, "created@1000(-) ");
	assert_int_not_equal(add(st, "s"), 0); /* one of a name */
	store_close(st);
}

static void
a_firing_is_the_command_and_the_next_time(void **state)
{
	struct store *st = must_open(*state);

	add(st, "s");
	assert_int_equal(fire(st, "s.1", "{}").accepted, STORE_NEW);
	assert_int_equal(get(st, "s.1").n, 1);
	assert_string_equal(schedules(st).text,
	    "s mini echo {\"payload\":{}} [* * * * *] UTC uid:501 c1000 "
	    "n120000 l60000 s.1 f1 m2 run; ");
	assert_string_equal(
	    lines(st, "s").history, "created@1000(-) fired@60001(s.1) ");
	store_close(st);
}

/* Were it not one transaction, a kill could come in between. */
static void
a_firing_is_whole_or_has_not_been(void **state)
{
	static const char *const parts[] = { "UPDATE ON schedules",
		"INSERT ON schedule_log", "INSERT ON payloads" };

	for (size_t i = 0; i < N_OF(parts); i++) {
		struct store *st = must_open(*state);
		char sql[200];
		sqlite3 *db;

		add(st, "s");
		store_close(st);
		assert_int_equal(
		    sqlite3_open(scratch_path(*state, "ews.db"), &db), 0);
		snprintf(sql, sizeof sql,
		    "CREATE TRIGGER t BEFORE %s BEGIN"
		    " SELECT RAISE(ABORT, 'no'); END",
		    parts[i]);
		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), 0);
		sqlite3_close(db);
		st = must_open(*state);
		assert_int_not_equal(fire(st, "s.1", "{}").status, 0);
		assert_int_equal(get(st, "s.1").n, 0);
		assert_non_null(
		    strstr(schedules(st).text, "n60000 l0 - f0 m0"));
		store_close(st);
		assert_int_equal(
		    sqlite3_open(scratch_path(*state, "ews.db"), &db), 0);
		sqlite3_exec(db, "DROP TRIGGER t", NULL, NULL, NULL);
		sqlite3_close(db);
	}
}

static void
fired_before_it_counts_once_and_goes_on(void **state)
{
	struct store *st = must_open(*state);

	add(st, "s");
	fire(st, "s.1", "{}");
	assert_int_equal(fire(st, "s.1", "{}").accepted, STORE_DUPLICATE);
	assert_non_null(strstr(schedules(st).text, "n120000 l60000 s.1 f0 m2"));
	assert_string_equal(
	    lines(st, "s").history, "created@1000(-) fired@60001(s.1) ");
	store_close(st);
}

static void
anothers_id_is_a_firing_missed(void **state)
{
	struct store *st = must_open(*state);

	add(st, "s");
	accept_new(st, "s.1");
	assert_int_equal(fire(st, "s.1", "{\"x\":1}").accepted, STORE_CONFLICT);
	assert_non_null(strstr(schedules(st).text, "n120000 l60000 s.1 f0 m3"));
	assert_non_null(strstr(lines(st, "s").history, "missed@60001("));
	store_close(st);
}

static void
what_is_set_is_paused_next_and_missed(void **state)
{
	struct store *st = must_open(*state);
	struct store_schedule row = a_schedule("s");
	struct store_line line = { 5000, "paused", NULL };
	int status = -1;

	add(st, "s");
	row.paused = true;
	row.next_ms = 7;
	row.missed = 8;
	row.fired = 9; /* a firing's own */
	assert_true(
	    store_schedule_set(st, &row, &line, on_done, &status, NULL));
	store_flush(st);
	assert_int_equal(status, 0);
	assert_non_null(strstr(schedules(st).text, "n7 l0 - f0 m8 run paused"));
	assert_string_equal(
	    lines(st, "s").history, "created@1000(-) paused@5000(-) ");
	store_close(st);
}

static void
what_was_dropped_does_not_come_back(void **state)
{
	struct store *st = must_open(*state);
	struct store_schedule row = a_schedule("s");
	struct store_line line = { 5000, "missed", "late" };
	int status = -1;

	add(st, "s");
	assert_true(store_schedule_drop(st, "s", on_done, &status, NULL));
	assert_true(store_schedule_set(st, &row, &line, NULL, NULL, NULL));
	store_flush(st);
	assert_int_equal(status, 0);
	assert_string_equal(schedules(st).text, "");
	assert_string_equal(lines(st, "s").history, "");
	store_close(st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_schedule_survives_a_reopen),
		SCRATCH_TEST(a_firing_is_the_command_and_the_next_time),
		SCRATCH_TEST(a_firing_is_whole_or_has_not_been),
		SCRATCH_TEST(fired_before_it_counts_once_and_goes_on),
		SCRATCH_TEST(anothers_id_is_a_firing_missed),
		SCRATCH_TEST(what_is_set_is_paused_next_and_missed),
		SCRATCH_TEST(what_was_dropped_does_not_come_back),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
