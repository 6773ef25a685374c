#include "ewsagent/jobqueue.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "ewsagent/agenda.h"
#include "lib/json.h"
#include "lib/mem.h"

/* Types that begin with a digit may run so many at a time. */
static unsigned
limit(void *arg, const char *type)
{
	(void)arg;
	return *type >= '0' && *type <= '9' ? (unsigned)(*type - '0') : 0;
}

static struct job *
make(const char *id, const char *type, const char *priority)
{
	json_t *data = json_pack("{s:s, s:s, s:s}", "command_id", id,
	    "command_type", type, "priority", priority);
	struct job *j = job_new(data, true);

	json_decref(data);
	assert_non_null(j);
	return j;
}

static void
add(struct job_queue *q, const char *id, const char *type, const char *priority)
{
	job_queue_add(q, make(id, type, priority));
}

/* Starts the next one; its id, or "-"; lent until the next call. */
static const char *
start(struct job_queue *q)
{
	static char id[32];
	struct job *j = job_queue_next(q);

	if (j == NULL)
		return "-";
	snprintf(id, sizeof id, "%s", j->id);
	job_queue_start(q, j);
	job_free(j);
	return id;
}

static void
the_urgent_go_first_and_equals_in_their_order(void **state)
{
	static const char *const want[] = { "now", "h1", "h2", "n1", "n2", "l1",
		"-" };
	struct job_queue q;

	(void)state;
	job_queue_init(&q, limit, NULL);
	add(&q, "l1", "a", "low");
	add(&q, "n1", "b", "normal");
	add(&q, "h1", "a", "high");
	add(&q, "n2", "a", "normal");
	add(&q, "h2", "b", "high");
	add(&q, "now", "a", "critical");
	assert_int_equal(q.count, 6);
	for (size_t i = 0; i < N_OF(want); i++)
		assert_string_equal(start(&q), want[i]);
	assert_int_equal(q.count, 0);
	assert_int_equal(q.bytes, 0);
	job_queue_fini(&q);
}

static void
the_least_urgent_is_passed_fifteen_times_and_then_goes(void **state)
{
	struct job_queue q;
	char id[16];
	int before;

	(void)state;
	job_queue_init(&q, limit, NULL);
	add(&q, "low", "a", "low");
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "h%d", i);
		add(&q, id, i % 2 == 0 ? "a" : "b", "high");
	}
	for (before = 0; strcmp(start(&q), "low") != 0; before++)
		assert_true(before < 100);
	assert_int_equal(before, JOB_OVERTAKE_MAX);
	while (strcmp(start(&q), "-") != 0)
		;
	job_queue_fini(&q);
}

static void
each_priority_progresses_under_a_steady_stream(void **state)
{
	struct job_queue q;
	char id[16];
	int low = 0, normal = 0;

	(void)state;
	job_queue_init(&q, limit, NULL);
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof id, "n%d", i);
		add(&q, id, "a", "normal");
		snprintf(id, sizeof id, "l%d", i);
		add(&q, id, "a", "low");
	}
	for (int i = 0; i < 16 * 20; i++) {
		const char *got;

		snprintf(id, sizeof id, "h%d", i);
		add(&q, id, "b", "high");
		got = start(&q);
		low += *got == 'l';
		normal += *got == 'n';
	}
	assert_int_equal(low, 10);
	assert_int_equal(normal, 10);
	while (strcmp(start(&q), "-") != 0)
		;
	job_queue_fini(&q);
}

static void
a_full_lane_lets_the_others_pass_and_gets_its_turn_back(void **state)
{
	struct job_queue q;
	struct job *j;

	(void)state;
	job_queue_init(&q, limit, NULL);
	add(&q, "one", "1slow", "high");
	add(&q, "two", "1slow", "high");
	add(&q, "other", "quick", "low");
	j = job_queue_next(&q);
	assert_string_equal(j->id, "one");
	job_queue_start(&q, j);
	job_queue_enter(&q, j);
	assert_false(job_queue_has_room(&q, "1slow"));
	assert_true(job_queue_has_room(&q, "quick"));
	assert_string_equal(start(&q), "other");
	assert_string_equal(start(&q), "-");
	job_queue_leave(&q, j);
	job_free(j);
	assert_string_equal(start(&q), "two");
	job_queue_fini(&q);
}

/* Its lane runs one at a time, and urgent ones come for it without end, as
 * they do for another. */
static void
the_least_urgent_of_a_narrow_lane_gets_its_turn_too(void **state)
{
	struct job_queue q;
	char id[16];
	int passed = 0;

	(void)state;
	job_queue_init(&q, limit, NULL);
	add(&q, "low", "1narrow", "low");
	for (int i = 0; q.count > 0 && passed < 100; i++) {
		struct job *j;

		snprintf(id, sizeof id, "n%d", i);
		add(&q, id, "1narrow", "high");
		snprintf(id, sizeof id, "w%d", i);
		add(&q, id, "wide", "high");
		j = job_queue_next(&q);
		job_queue_start(&q, j);
		job_queue_enter(&q, j);
		assert_int_equal(*start(&q), 'w'); /* while that one runs */
		job_queue_leave(&q, j);
		if (strcmp(j->id, "low") == 0) {
			job_free(j);
			break;
		}
		passed++;
		job_free(j);
	}
	assert_in_range(passed, JOB_OVERTAKE_MAX, JOB_OVERTAKE_MAX + 1);
	while (strcmp(start(&q), "-") != 0)
		;
	job_queue_fini(&q);
}

static void
one_that_waits_behind_a_full_lane_holds_up_nobody(void **state)
{
	struct job_queue q;
	struct job *j;

	(void)state;
	job_queue_init(&q, limit, NULL);
	add(&q, "long", "1narrow", "low");
	j = job_queue_next(&q);
	job_queue_start(&q, j);
	job_queue_enter(&q, j);
	add(&q, "low", "1narrow", "low");
	add(&q, "old", "wide", "normal");
	for (int i = 0; i < JOB_OVERTAKE_MAX - 1; i++) {
		add(&q, "quick", "wide", "high");
		assert_string_equal(start(&q), "quick");
	}
	add(&q, "now", "wide", "critical");
	assert_string_equal(start(&q), "now");
	add(&q, "now", "wide", "critical");
	assert_string_equal(start(&q), "old"); /* its turn, not low's */
	assert_string_equal(start(&q), "now");
	job_queue_leave(&q, j);
	job_free(j);
	assert_string_equal(start(&q), "low");
	job_queue_fini(&q);
}

static void
who_was_in_it_before_gets_its_place_back(void **state)
{
	struct job_queue q;
	struct job *j;

	(void)state;
	job_queue_init(&q, limit, NULL);
	add(&q, "a", "x", "normal");
	add(&q, "b", "x", "normal");
	j = job_queue_next(&q);
	job_queue_start(&q, j);
	add(&q, "c", "x", "normal");
	job_queue_add(&q, j);
	assert_string_equal(start(&q), "a");
	assert_string_equal(start(&q), "b");
	assert_string_equal(start(&q), "c");
	job_queue_fini(&q);
}

/* ---- agenda -------------------------------------------------------------- */

static void
what_is_due_first_comes_first_however_it_was_entered(void **state)
{
	struct agenda a = { 0 };
	struct job *jobs[200], *j;
	unsigned seed = 7;
	int64_t last = 0;
	char id[16];

	(void)state;
	for (size_t i = 0; i < N_OF(jobs); i++) {
		snprintf(id, sizeof id, "j%zu", i);
		jobs[i] = make(id, "x", "normal");
		seed = seed * 1103515245 + 12345;
		agenda_set(&a, jobs[i], seed % 50);
	}
	for (size_t i = 0; i < N_OF(jobs); i += 3)
		agenda_remove(&a, jobs[i]);
	for (size_t i = 1; i < N_OF(jobs); i += 3)
		agenda_set(&a, jobs[i], 60 + (int64_t)i % 7);
	agenda_remove(&a, jobs[0]); /* is not there: nothing */
	assert_int_equal(a.count, 133);
	while ((j = agenda_first(&a)) != NULL) {
		assert_true(j->wake_ms >= last);
		last = j->wake_ms;
		agenda_remove(&a, j);
		assert_int_equal(j->place, 0);
	}
	for (size_t i = 0; i < N_OF(jobs); i++)
		job_free(jobs[i]);
	agenda_fini(&a);
}

static void
of_equals_the_first_entered_comes_first(void **state)
{
	struct agenda a = { 0 };
	char id[16];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "j%d", i);
		agenda_set(&a, make(id, "x", "normal"), 5);
	}
	for (int i = 0; i < 20; i++) {
		struct job *j = agenda_first(&a);

		snprintf(id, sizeof id, "j%d", i);
		assert_string_equal(j->id, id);
		agenda_remove(&a, j);
		job_free(j);
	}
	agenda_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_urgent_go_first_and_equals_in_their_order),
		cmocka_unit_test(
		    the_least_urgent_is_passed_fifteen_times_and_then_goes),
		cmocka_unit_test(
		    each_priority_progresses_under_a_steady_stream),
		cmocka_unit_test(
		    a_full_lane_lets_the_others_pass_and_gets_its_turn_back),
		cmocka_unit_test(
		    the_least_urgent_of_a_narrow_lane_gets_its_turn_too),
		cmocka_unit_test(
		    one_that_waits_behind_a_full_lane_holds_up_nobody),
		cmocka_unit_test(who_was_in_it_before_gets_its_place_back),
		cmocka_unit_test(
		    what_is_due_first_comes_first_however_it_was_entered),
		cmocka_unit_test(of_equals_the_first_entered_comes_first),
	};

	return RUN_TESTS(tests);
}
