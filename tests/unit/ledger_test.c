#include "ewsagent/ledger.h"

#include <signal.h>
#include <sys/wait.h>

#include "check.h"
#include "lib/exit.h"
#include "lib/log.h"
#include "scratch.h"

static const char *boot = "b1";

static struct ledger *
must_open(struct scratch *s)
{
	struct ledger_config cfg = { .max_jobs = 1000, .boot = boot };
	struct err err = ERR_INIT;
	struct ledger *l;

	cfg.path = scratch_path(s, "ledger.db");
	l = ledger_open(&cfg, &err);
	if (l == NULL)
		fail_msg("%s", err.text);
	return l;
}

/* An entry as "id state confirmed received/started/ended command result;",
 * or "new;". */
struct seen {
	int done, status;
	char text[4096];
};

static void
see(void *arg, const struct ledger_entry *e)
{
	static const char *const words[] = { "received", "started", "ended" };
	struct seen *s = arg;
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof s->text - len,
	    "%s %s%s %lld/%lld/%lld %s %s;", e->id, words[e->state],
	    e->confirmed ? " confirmed" : "", (long long)e->received_ms,
	    (long long)e->started_ms, (long long)e->ended_ms, e->command,
	    e->result != NULL ? e->result : "-");
}

static void
on_taken(void *arg, const struct ledger_entry *known, const struct err *err)
{
	struct seen *s = arg;

	s->done++;
	s->status = err != NULL ? err->status : 0;
	if (known != NULL)
		see(s, known);
	else
		strcat(s->text, "new;");
}

static void
on_done(void *arg, const struct err *err)
{
	struct seen *s = arg;

	s->done++;
	s->status = err != NULL ? err->status : 0;
}

static struct seen
take(struct ledger *l, const char *id, bool start, int64_t now_ms)
{
	struct seen s = { 0 };

	assert_true(
	    ledger_take(l, id, "{}", start, now_ms, on_taken, &s, NULL));
	ledger_flush(l);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.status, 0);
	return s;
}

static int
start(struct ledger *l, const char *id, int64_t now_ms)
{
	struct seen s = { 0 };

	assert_true(ledger_start(l, id, now_ms, on_done, &s, NULL));
	ledger_flush(l);
	assert_int_equal(s.done, 1);
	return s.status;
}

static int
end(struct ledger *l, const char *id, const char *result, int64_t now_ms)
{
	struct seen s = { 0 };

	assert_true(ledger_end(l, id, result, now_ms, on_done, &s));
	ledger_flush(l);
	assert_int_equal(s.done, 1);
	return s.status;
}

static void
confirm(struct ledger *l, const char *id)
{
	assert_true(ledger_confirm(l, id));
	ledger_flush(l);
}

static struct seen
load(struct ledger *l)
{
	struct seen s = { 0 };

	assert_true(ledger_load(l, see, &s, NULL));
	return s;
}

static void
a_repeat_is_known_at_every_step(void **state)
{
	struct ledger *l = must_open(*state);

	assert_string_equal(take(l, "a", false, 1).text, "new;");
	assert_string_equal(
	    take(l, "a", true, 9).text, "a received 1/0/0 {} -;");
	assert_int_equal(start(l, "a", 2), 0);
	assert_string_equal(
	    take(l, "a", true, 9).text, "a started 1/2/0 {} -;");
	assert_int_equal(end(l, "a", "[3]", 3), 0);
	assert_string_equal(
	    take(l, "a", true, 9).text, "a ended 1/2/3 {} [3];");
	confirm(l, "a");
	assert_string_equal(
	    take(l, "a", true, 9).text, "a ended confirmed 1/2/3  [3];");
	ledger_close(l);
}

static void
a_repeat_is_known_after_a_restart(void **state)
{
	struct ledger *l = must_open(*state);

	take(l, "a", true, 1);
	ledger_close(l);
	l = must_open(*state);
	assert_string_equal(
	    take(l, "a", true, 9).text, "a started 1/1/0 {} -;");
	ledger_close(l);
}

static void
two_of_one_id_in_one_turn_start_once(void **state)
{
	struct ledger *l = must_open(*state);
	struct seen s[2] = { 0 };

	for (int i = 0; i < 2; i++)
		assert_true(
		    ledger_take(l, "a", "{}", true, 1, on_taken, &s[i], NULL));
	ledger_flush(l);
	assert_string_equal(s[0].text, "new;");
	assert_string_equal(s[1].text, "a started 1/1/0 {} -;");
	ledger_close(l);
}

static void
what_is_owed_is_loaded_in_the_order_received(void **state)
{
	struct ledger *l = must_open(*state);

	take(l, "z", false, 1);
	take(l, "b", true, 2);
	take(l, "c", true, 3);
	take(l, "a", true, 4);
	end(l, "b", "[]", 5);
	end(l, "c", "[]", 6);
	confirm(l, "c");
	confirm(l, "a"); /* has not ended: nothing to confirm */
	ledger_close(l);
	l = must_open(*state);
	assert_string_equal(load(l).text,
	    "z received 1/0/0 {} -;b ended 2/2/5 {} [];"
	    "a started 4/4/0 {} -;");
	ledger_close(l);
}

static void
only_what_was_received_can_start_and_only_once(void **state)
{
	struct ledger *l = must_open(*state);

	assert_int_equal(start(l, "a", 1), EXIT_NEGATIVE);
	take(l, "a", false, 1);
	assert_int_equal(start(l, "a", 1), 0);
	assert_int_equal(start(l, "a", 1), EXIT_NEGATIVE);
	ledger_close(l);
}

static void
the_first_end_stands(void **state)
{
	struct ledger *l = must_open(*state);

	take(l, "a", true, 1);
	assert_int_equal(end(l, "a", "[1]", 2), 0);
	assert_int_equal(end(l, "a", "[2]", 3), EXIT_NEGATIVE);
	assert_int_equal(end(l, "nobody", "[2]", 3), EXIT_NEGATIVE);
	assert_string_equal(load(l).text, "a ended 1/1/2 {} [1];");
	ledger_close(l);
}

static bool
is_known(struct ledger *l, const char *id)
{
	return strcmp(take(l, id, false, 99).text, "new;") != 0;
}

static void
pruning_forgets_only_what_is_both_old_and_too_many(void **state)
{
	static const char *const ids[] = { "a", "b", "c", "d" };
	struct ledger *l = must_open(*state);

	take(l, "open", true, 1);
	take(l, "owed", true, 1);
	end(l, "owed", "[]", 1);
	for (int i = 0; i < 4; i++) {
		take(l, ids[i], true, 1);
		end(l, ids[i], "[]", 10 * (i + 1));
		confirm(l, ids[i]);
	}
	assert_true(ledger_prune(l, 1000, 100)); /* old, not too many */
	assert_true(ledger_prune(l, 5, 0)); /* too many, not old */
	assert_true(ledger_prune(l, 15, 1)); /* a only */
	assert_true(is_known(l, "b"));
	assert_true(is_known(l, "c"));
	assert_true(is_known(l, "d"));
	assert_true(is_known(l, "open"));
	assert_true(is_known(l, "owed"));
	assert_false(is_known(l, "a"));
	assert_true(ledger_prune(l, 1000, 0));
	assert_false(is_known(l, "d"));
	assert_true(is_known(l, "open"));
	ledger_close(l);
}

/* The last entry loaded. */
struct last {
	char boot[16];
	unsigned runs;
	enum ledger_state state;
};

static void
see_last(void *arg, const struct ledger_entry *e)
{
	struct last *l = arg;

	l->runs = e->runs;
	l->state = e->state;
	snprintf(
	    l->boot, sizeof l->boot, "%s", e->boot != NULL ? e->boot : "-");
}

static struct last
last(struct ledger *l)
{
	struct last seen = { 0 };

	assert_true(ledger_load(l, see_last, &seen, NULL));
	return seen;
}

static void
a_start_is_kept_with_its_boot_and_counted(void **state)
{
	struct ledger *l = must_open(*state);

	take(l, "a", false, 1);
	assert_string_equal(last(l).boot, "-");
	start(l, "a", 2);
	assert_string_equal(last(l).boot, "b1");
	assert_int_equal(last(l).runs, 1);
	ledger_close(l);
	boot = "b2";
	l = must_open(*state);
	assert_string_equal(last(l).boot, "b1");
	assert_true(ledger_again(l, "a", 1));
	ledger_flush(l);
	assert_int_equal(last(l).state, LEDGER_RECEIVED);
	assert_string_equal(last(l).boot, "-");
	assert_int_equal(start(l, "a", 3), 0);
	assert_string_equal(last(l).boot, "b2");
	assert_int_equal(last(l).runs, 2);
	end(l, "a", "[]", 4);
	assert_true(ledger_again(l, "a", 1)); /* has ended: nothing */
	ledger_flush(l);
	assert_int_equal(last(l).state, LEDGER_ENDED);
	boot = "b1";
	take(l, "b", true, 5);
	assert_int_equal(last(l).runs, 1);
	assert_string_equal(last(l).boot, "b2");
	ledger_close(l);
}

static struct seen
find(struct ledger *l, const char *id)
{
	struct seen s = { 0 };

	assert_true(ledger_find(l, id, on_taken, &s, NULL));
	ledger_flush(l);
	assert_int_equal(s.done, 1);
	return s;
}

static void
looking_for_an_id_enters_nothing(void **state)
{
	struct ledger *l = must_open(*state);

	assert_string_equal(find(l, "a").text, "new;");
	assert_int_equal(find(l, "a").status, 0);
	take(l, "a", true, 1);
	assert_string_equal(find(l, "a").text, "a started 1/1/0 {} -;");
	end(l, "a", "[]", 2);
	confirm(l, "a");
	assert_string_equal(find(l, "a").text, "a ended confirmed 1/1/2  [];");
	ledger_close(l);
}

static void
what_was_taken_back_is_new_again_but_an_end_stands(void **state)
{
	struct ledger *l = must_open(*state);

	take(l, "a", false, 1);
	take(l, "b", true, 1);
	take(l, "c", true, 1);
	end(l, "c", "[]", 2);
	assert_true(ledger_untake(l, "a"));
	assert_true(ledger_untake(l, "b"));
	assert_true(ledger_untake(l, "c"));
	assert_true(ledger_untake(l, "d"));
	assert_string_equal(take(l, "a", false, 3).text, "new;");
	assert_string_equal(find(l, "a").text, "a received 3/0/0 {} -;");
	assert_string_equal(find(l, "b").text, "new;");
	assert_string_equal(find(l, "c").text, "c ended 1/1/2 {} [];");
	ledger_close(l);
}

static void
what_was_started_before_kill_9_is_never_new_again(void **state)
{
	struct ledger *l;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct seen s = { 0 };

		l = must_open(*state);
		ledger_take(l, "a", "{}", true, 1, on_taken, &s, NULL);
		ledger_flush(l);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	l = must_open(*state);
	assert_string_equal(load(l).text, "a started 1/1/0 {} -;");
	assert_true(is_known(l, "a"));
	ledger_close(l);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_repeat_is_known_at_every_step),
		SCRATCH_TEST(a_repeat_is_known_after_a_restart),
		SCRATCH_TEST(two_of_one_id_in_one_turn_start_once),
		SCRATCH_TEST(what_is_owed_is_loaded_in_the_order_received),
		SCRATCH_TEST(only_what_was_received_can_start_and_only_once),
		SCRATCH_TEST(the_first_end_stands),
		SCRATCH_TEST(
		    pruning_forgets_only_what_is_both_old_and_too_many),
		SCRATCH_TEST(a_start_is_kept_with_its_boot_and_counted),
		SCRATCH_TEST(looking_for_an_id_enters_nothing),
		SCRATCH_TEST(
		    what_was_taken_back_is_new_again_but_an_end_stands),
		SCRATCH_TEST(what_was_started_before_kill_9_is_never_new_again),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
