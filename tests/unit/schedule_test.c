#include "ewsd/core/schedule.h"

#include "disk_kit.h"
#include "time_kit.h"

/* Every minute from T0 on, which is 20 s into one. */
static const int64_t FIRST = 40000, MINUTE = 60000;

struct told {
	int done;
	bool duplicate;
	char code[20];
	char json[3000];
};

static void
on_told(
    void *arg, const struct schedule *s, bool duplicate, const struct err *err)
{
	struct told *t = arg;
	json_t *o = s != NULL ? schedule_json(s, true) : NULL;
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;

	t->done++;
	t->duplicate = duplicate;
	pour(t->code, sizeof t->code, "%s", err != NULL ? err->code : "ok");
	pour(t->json, sizeof t->json, "%s", text != NULL ? text : "");
	free(text);
	json_decref(o);
}

struct plan {
	const char *id, *cron, *tz, *payload;
	bool late_skip;
};

/* Gives the code. */
static const char *
make(struct kit *k, const struct plan *p)
{
	static struct told t;
	struct command_request c = a_request(p->id);
	struct schedule_request r = { &c, p->cron, "UTC" };
	struct err err = ERR_INIT;

	if (p->tz != NULL)
		r.tz = p->tz;
	if (p->payload != NULL) {
		c.payload = p->payload;
		c.payload_len = strlen(p->payload);
	}
	c.late_skip = p->late_skip;
	t = (struct told){ 0 };
	if (!schedule_submit(k->core, &r, on_told, &t, &err))
		return err.code;
	synced(k);
	assert_int_equal(t.done, 1);
	return t.duplicate ? "duplicate" : t.code;
}

static void
each_minute(struct kit *k, const char *id)
{
	assert_string_equal(
	    make(k, &(struct plan){ .id = id, .cron = "* * * * *" }), "ok");
}

static const char *
json_of(struct kit *k, const char *id)
{
	static char text[3000];
	struct schedule *s = schedule_find(k->core, id);
	json_t *o = s != NULL ? schedule_json(s, true) : json_object();

	json_dumpb(o, text, sizeof text, 0);
	text[json_dumpb(o, text, sizeof text, JSON_COMPACT)] = '\0';
	json_decref(o);
	return text;
}

/* "fired missed next" */
static const char *
counts(struct kit *k, const char *id)
{
	static char text[100];
	struct schedule *s = schedule_find(k->core, id);
	json_t *o;

	if (s == NULL)
		return "none";
	o = schedule_json(s, false);
	snprintf(text, sizeof text, "%d %d %s",
	    (int)json_integer_value(json_object_get(o, "fired")),
	    (int)json_integer_value(json_object_get(o, "missed")),
	    json_is_null(json_object_get(o, "next"))
		? "never"
		: json_string_value(json_object_get(o, "next")) + 11);
	json_decref(o);
	return text;
}

static void
keep_lines(
    void *arg, const struct store_line *l, size_t n, const struct err *err)
{
	struct seen *s = arg;

	(void)err;
	for (size_t i = 0; i < n; i++)
		pour(s->history, sizeof s->history, "%s(%s) ", l[i].what,
		    or_dash(l[i].text));
}

static struct seen
history(struct kit *k, const char *id)
{
	struct seen s = { 0 };

	assert_true(store_schedule_log(k->store, id, keep_lines, &s, NULL));
	synced(k);
	return s;
}

/* ---- firing ------------------------------------------------------------------ */

static void
it_fires_when_due_and_not_before(void **state)
{
	struct kit *k = *state;
	struct fake f = fake_link(k);
	struct found c;

	connect_ours(k, &f);
	each_minute(k, "s");
	assert_string_equal(counts(k, "s"), "0 0 22:14:00.000Z");
	pass(k, FIRST - 1);
	assert_string_equal(said(&f.log), "");
	pass(k, 1);
	assert_string_equal(said(&f.log), "s.20231114T221400Z ");
	assert_string_equal(counts(k, "s"), "1 0 22:15:00.000Z");
	pass(k, MINUTE);
	assert_string_equal(said(&f.log), "s.20231114T221500Z ");
	c = found(k, "s.20231114T221500Z");
	assert_string_equal(c.schedule, "s");
	assert_int_equal(c.run_at_ms, T0 + FIRST + MINUTE);
	assert_int_equal(c.late_ms, 0);
}

static void
what_is_sent_is_what_was_given(void **state)
{
	struct command_request c = a_request("s");
	struct schedule_request r = { &c, "* * * * *", "UTC" };
	struct kit *k = *state;
	struct told t = { 0 };
	struct command *sent;

	c.payload = "{\"n\":0.10}";
	c.payload_len = 10;
	c.argv = "[\"-n\"]";
	c.priority = PRIO_HIGH;
	c.deadline_ms = 7000;
	c.ttl_ms = 9000;
	assert_true(schedule_submit(k->core, &r, on_told, &t, NULL));
	synced(k);
	kit_restart(k);
	pass(k, FIRST);
	sent = command_find(k->core, "s.20231114T221400Z");
	assert_non_null(sent);
	assert_string_equal(sent->payload, "{\"n\":0.10}");
	assert_string_equal(sent->argv, "[\"-n\"]");
	assert_string_equal(sent->asker, "uid:501");
	assert_int_equal(sent->priority, PRIO_HIGH);
	assert_int_equal(sent->deadline_ms, 7000);
	assert_int_equal(sent->expires_ms, T0 + FIRST + 9000);
}

static void
a_restart_neither_loses_nor_doubles_a_firing(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	pass(k, FIRST);
	kit_restart(k);
	pass(k, 0);
	assert_string_equal(counts(k, "s"), "1 0 22:15:00.000Z");
	pass(k, MINUTE);
	assert_string_equal(counts(k, "s"), "2 0 22:16:00.000Z");
	kit_restart(k);
	assert_string_equal(counts(k, "s"), "2 0 22:16:00.000Z");
}

/* ---- late and missed ---------------------------------------------------------- */

static void
of_many_missed_the_last_is_fired_late(void **state)
{
	struct kit *k = *state;
	struct found c;

	each_minute(k, "s");
	clock_advance(&k->clock, FIRST + 9 * MINUTE + 30000);
	kit_restart(k);
	pass(k, 0);
	assert_string_equal(counts(k, "s"), "1 9 22:24:00.000Z");
	c = found(k, "s.20231114T222300Z");
	assert_string_equal(c.state, "accepted");
	assert_int_equal(c.late_ms, 30000);
	assert_string_equal(c.history, "accepted(-) note(fired 30 s late) ");
	assert_string_equal(history(k, "s").history,
	    "created(-) fired(s.20231114T222300Z: fired 30 s late, 9 before "
	    "it missed) ");
}

static void
with_late_skip_all_that_passed_are_missed(void **state)
{
	struct plan p = { .id = "s", .cron = "*/5 * * * *", .late_skip = true };
	struct kit *k = *state;

	assert_string_equal(make(k, &p), "ok");
	clock_advance(&k->clock, 14 * MINUTE); /* 22:27:20 */
	kit_restart(k);
	pass(k, 0);
	assert_string_equal(counts(k, "s"), "0 3 22:30:00.000Z");
	pass(k, 3 * MINUTE - 20000);
	assert_string_equal(counts(k, "s"), "1 3 22:35:00.000Z");
	kit_restart(k);
	assert_string_equal(counts(k, "s"), "1 3 22:35:00.000Z");
}

static void
a_year_of_seconds_is_caught_up_with_at_once(void **state)
{
	struct plan p = { .id = "s", .cron = "@every 1s" };
	struct kit *k = *state;

	assert_string_equal(make(k, &p), "ok");
	clock_advance(&k->clock, INT64_C(365) * 86400000);
	pass(k, 500);
	assert_string_equal(counts(k, "s"), "1 31535999 22:13:21.000Z");
}

static void
a_full_queue_is_a_firing_missed_and_told(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	k->limits.queue_agent = 0;
	pass(k, FIRST);
	assert_string_equal(counts(k, "s"), "0 1 22:15:00.000Z");
	assert_non_null(strstr(history(k, "s").history,
	    "missed(1, the queue of mini is full, commands: 0 of 0)"));
	k->limits.queue_agent = 10;
	pass(k, MINUTE);
	assert_string_equal(counts(k, "s"), "1 1 22:16:00.000Z");
}

/* Thousands that are due in one minute are more than it takes at once. */
static void
fire_behind_a_queue(struct scratch *scratch)
{
	struct store_remark remark = { .id = "x", .note = "waits" };
	struct kit *k;
	void *state;

	(void)scratch;
	CHECK(kit_setup(&state) == 0);
	k = state;
	each_minute(k, "s");
	clock_advance(&k->clock, FIRST);
	limit_files(1);
	while (store_notes(k->store, &remark, 1))
		continue;
	core_tick(k->core);
	CHECK(strcmp(counts(k, "s"), "0 0 22:14:00.000Z") == 0);
	limit_files(RLIM_INFINITY);
	synced(k);
	pass(k, 1000);
	CHECK(strcmp(counts(k, "s"), "1 0 22:15:00.000Z") == 0);
	CHECK(strcmp(found(k, "s.20231114T221400Z").state, "accepted") == 0);
	kit_teardown(&state);
}

static void
a_disk_that_is_behind_delays_a_firing_and_loses_none(void **state)
{
	struct kit *k = *state;

	in_child(k->scratch, fire_behind_a_queue, 0);
}

/* Somebody sent a command under the id that a firing will have. */
static void
an_id_that_is_taken_is_a_firing_missed_and_told(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	send_it(k, "s.20231114T221400Z", PRIO_NORMAL);
	pass(k, FIRST);
	assert_string_equal(counts(k, "s"), "0 1 22:15:00.000Z");
	assert_non_null(strstr(
	    history(k, "s").history, "missed(1, a command of that id exists)"));
}

static void
a_draining_hub_fires_nothing(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	core_drain(k->core);
	pass(k, FIRST);
	assert_string_equal(counts(k, "s"), "0 0 22:14:00.000Z");
	kit_restart(k);
	pass(k, 0);
	assert_string_equal(counts(k, "s"), "1 0 22:15:00.000Z");
}

/* ---- clocks -------------------------------------------------------------------- */

static void
a_clock_that_goes_back_a_little_fires_nothing_again(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	pass(k, FIRST + 10 * MINUTE);
	assert_string_equal(counts(k, "s"), "1 10 22:25:00.000Z");
	set_clock(k, T0 - 3600000);
	pass(k, 10 * MINUTE);
	assert_string_equal(counts(k, "s"), "1 10 22:25:00.000Z");
}

static void
a_clock_that_goes_back_far_is_followed(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	set_clock(k, T0 + INT64_C(15) * 365 * 86400000);
	assert_string_equal(counts(k, "s"), "1 10000 22:14:00.000Z");
	set_clock(k, T0);
	assert_string_equal(counts(k, "s"), "1 10000 22:14:00.000Z");
	pass(k, FIRST);
	assert_string_equal(found(k, "s.20231114T221400Z").state, "accepted");
	assert_non_null(strstr(history(k, "s").history, "moved("));
}

static void
a_clock_set_back_while_the_hub_was_down_is_followed(void **state)
{
	struct kit *k = *state;

	set_clock(k, T0 + INT64_C(15) * 365 * 86400000);
	each_minute(k, "s");
	set_clock(k, T0 + INT64_C(15) * 365 * 86400000 + MINUTE);
	k->clock.fake_wall = T0;
	kit_restart(k);
	pass(k, FIRST);
	assert_string_equal(found(k, "s.20231114T221400Z").state, "accepted");
}

static void
a_time_that_comes_again_is_not_fired_again(void **state)
{
	struct kit *k = *state;

	each_minute(k, "s");
	pass(k, FIRST); /* 22:14:00 has been */
	set_clock(k, T0 - INT64_C(86400000));
	pass(k, 0);
	set_clock(k, T0);
	pass(k, FIRST);
	assert_string_equal(stored_state(k, "s.20231114T221400Z"), "accepted");
	pass(k, MINUTE);
	assert_string_equal(stored_state(k, "s.20231114T221500Z"), "accepted");
}

/* ---- what may be done with one ---------------------------------------------------- */

static void
a_paused_one_fires_nothing_and_misses_nothing(void **state)
{
	struct kit *k = *state;
	struct told t = { 0 };

	each_minute(k, "s");
	assert_true(schedule_pause(
	    schedule_find(k->core, "s"), true, on_told, &t, NULL));
	synced(k);
	assert_string_equal(t.code, "ok");
	kit_restart(k);
	pass(k, 10 * MINUTE);
	assert_string_equal(counts(k, "s"), "0 0 never");
	assert_non_null(strstr(json_of(k, "s"), "\"paused\":true"));
	assert_true(schedule_pause(
	    schedule_find(k->core, "s"), false, on_told, &t, NULL));
	synced(k);
	assert_string_equal(counts(k, "s"), "0 0 22:24:00.000Z");
	pass(k, MINUTE);
	assert_string_equal(counts(k, "s"), "1 0 22:25:00.000Z");
	assert_non_null(
	    strstr(history(k, "s").history, "paused(-) resumed(-) fired("));
}

/* Else it would fire no more, though the asker heard that it does. */
static void
pause_on_a_full_disk(struct scratch *scratch)
{
	struct told t = { 0 };
	struct schedule *s;
	struct kit *k;
	void *state;

	(void)scratch;
	CHECK(kit_setup(&state) == 0);
	k = state;
	each_minute(k, "s");
	s = schedule_find(k->core, "s");
	limit_files(1);
	CHECK(schedule_pause(s, true, on_told, &t, NULL));
	while (t.done == 0)
		store_flush(k->store);
	CHECK(strcmp(t.code, "io") == 0);
	CHECK(schedule_next(s) == T0 + FIRST);
	limit_files(RLIM_INFINITY);
	kit_teardown(&state);
}

static void
a_pause_that_the_disk_refuses_is_none(void **state)
{
	struct kit *k = *state;

	in_child(k->scratch, pause_on_a_full_disk, 0);
}

static void
a_cancelled_one_is_gone_its_commands_go_on(void **state)
{
	struct kit *k = *state;
	struct told t = { 0 };

	each_minute(k, "s");
	pass(k, FIRST);
	assert_true(
	    schedule_cancel(schedule_find(k->core, "s"), on_told, &t, NULL));
	assert_null(schedule_find(k->core, "s"));
	synced(k);
	assert_string_equal(t.code, "ok");
	kit_restart(k);
	pass(k, 5 * MINUTE);
	assert_null(schedule_find(k->core, "s"));
	assert_string_equal(stored_state(k, "s.20231114T221400Z"), "accepted");
	assert_string_equal(stored_state(k, "s.20231114T221500Z"), "none");
	assert_string_equal(history(k, "s").history, "");
}

static void
cancelled_while_it_fires_it_is_gone_all_the_same(void **state)
{
	struct kit *k = *state;
	struct told t = { 0 };

	each_minute(k, "s");
	clock_advance(&k->clock, FIRST);
	core_tick(k->core);
	assert_true(
	    schedule_cancel(schedule_find(k->core, "s"), on_told, &t, NULL));
	synced(k);
	assert_string_equal(t.code, "ok");
	kit_restart(k);
	assert_null(schedule_find(k->core, "s"));
}

static void
the_same_again_is_one_another_content_a_conflict(void **state)
{
	struct plan p = { .id = "s", .cron = "* * * * *" };
	struct kit *k = *state;

	assert_string_equal(make(k, &p), "ok");
	assert_string_equal(make(k, &p), "duplicate");
	kit_restart(k);
	assert_string_equal(make(k, &p), "duplicate");
	p.payload = "{\"a\":1}";
	assert_string_equal(make(k, &p), "conflict");
	p.payload = NULL;
	p.cron = "0 * * * *";
	assert_string_equal(make(k, &p), "conflict");
}

static const struct {
	struct plan plan;
	const char *code;
} refused[] = {
	{ { .cron = "* * * *" }, "bad_argument" },
	{ { .cron = "0 0 30 2 *" }, "bad_argument" },
	{ { .cron = "@every 500ms" }, "bad_argument" },
	{ { .cron = "* * * * *", .tz = "No/Where" }, "bad_argument" },
	{ { .cron = "* * * * *", .id = "a/b" }, "bad_argument" },
	{ { .cron = "* * * * *",
	      .id = "123456789012345678901234567890123456789012345678901234567"
		    "8901234567890123456789012345678901234567890123456789012" },
	    "bad_argument" },
};

static void
what_makes_no_sense_is_refused(void **state)
{
	struct kit *k = *state;

	for (size_t i = 0; i < N_OF(refused); i++)
		assert_string_equal(make(k, &refused[i].plan), refused[i].code);
	kit_restart(k); /* nothing of it is on disk */
	pass(k, FIRST);
}

static void
their_number_and_bytes_are_bounded(void **state)
{
	struct plan p = { .cron = "* * * * *" };
	struct kit *k = *state;

	for (int i = 0; i < 3; i++)
		assert_string_equal(make(k, &p), "ok");
	assert_string_equal(make(k, &p), "queue_full");
	k->limits.schedules = 10;
	k->limits.schedules_bytes = 100;
	assert_string_equal(make(k, &p), "queue_full");
}

/* Only the newest of its history are kept. */
static void
its_history_is_bounded(void **state)
{
	struct plan p = { .id = "s", .cron = "@every 1s" };
	struct kit *k = *state;
	struct seen s = { 0 };

	k->limits.queue_agent = k->limits.queue_total = 1000;
	assert_string_equal(make(k, &p), "ok");
	for (int i = 0; i < 150; i++)
		pass(k, 1000);
	assert_string_equal(counts(k, "s"), "150 0 22:15:51.000Z");
	s = history(k, "s");
	assert_null(strstr(s.history, "created"));
	assert_null(strstr(s.history, "221410Z"));
	assert_non_null(strstr(s.history, "fired(s.20231114T221411Z"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(it_fires_when_due_and_not_before),
		KIT_TEST(what_is_sent_is_what_was_given),
		KIT_TEST(a_restart_neither_loses_nor_doubles_a_firing),
		KIT_TEST(of_many_missed_the_last_is_fired_late),
		KIT_TEST(with_late_skip_all_that_passed_are_missed),
		KIT_TEST(a_year_of_seconds_is_caught_up_with_at_once),
		KIT_TEST(a_full_queue_is_a_firing_missed_and_told),
		KIT_TEST(a_disk_that_is_behind_delays_a_firing_and_loses_none),
		KIT_TEST(an_id_that_is_taken_is_a_firing_missed_and_told),
		KIT_TEST(a_draining_hub_fires_nothing),
		KIT_TEST(a_clock_that_goes_back_a_little_fires_nothing_again),
		KIT_TEST(a_clock_that_goes_back_far_is_followed),
		KIT_TEST(a_clock_set_back_while_the_hub_was_down_is_followed),
		KIT_TEST(a_time_that_comes_again_is_not_fired_again),
		KIT_TEST(a_paused_one_fires_nothing_and_misses_nothing),
		KIT_TEST(a_pause_that_the_disk_refuses_is_none),
		KIT_TEST(a_cancelled_one_is_gone_its_commands_go_on),
		KIT_TEST(cancelled_while_it_fires_it_is_gone_all_the_same),
		KIT_TEST(the_same_again_is_one_another_content_a_conflict),
		KIT_TEST(what_makes_no_sense_is_refused),
		KIT_TEST(their_number_and_bytes_are_bounded),
		KIT_TEST(its_history_is_bounded),
	};

	return RUN_TESTS(tests);
}
