#include "lib/db.h"

#include <poll.h>
#include <pthread.h>

#include "db_kit.h"

/* Holds the writer, so that what is submitted meanwhile is one batch. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool entered, open;
};
#define GATE_INIT                                                              \
	{                                                                      \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false,    \
		    false                                                      \
	}

static bool
gate_job(sqlite3 *h, struct db *d, void *arg, struct err *err)
{
	struct gate *g = arg;

	(void)h;
	(void)d;
	(void)err;
	pthread_mutex_lock(&g->lock);
	g->entered = true;
	pthread_cond_broadcast(&g->moved);
	while (!g->open)
		pthread_cond_wait(&g->moved, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return true;
}

static void
gate_shut(struct gate *g, struct db *d)
{
	assert_true(db_submit(d, DB_MAY, gate_job, NULL, g, NULL));
	pthread_mutex_lock(&g->lock);
	while (!g->entered)
		pthread_cond_wait(&g->moved, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void
gate_lift(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

/* ---- writing ----------------------------------------------------------- */

static void
what_is_done_survives_a_reopen(void **state)
{
	struct put p = { .key = "a", .value = 1 };
	struct db *d = must_open(*state);

	put(d, &p, DB_MAY);
	db_flush(d);
	assert_int_equal(p.done, 1);
	assert_int_equal(p.status, 0);
	db_close(d);
	d = must_open(*state);
	assert_int_equal(rows(d), 1);
	db_close(d);
}

/* Asks the writer's own account until 'n' jobs are through; ten seconds. */
static bool
through(struct db *d, uint64_t n)
{
	struct db_stats st;

	for (int i = 0; i < 10000; i++) {
		db_stats(d, &st);
		if (st.jobs >= n)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static void
a_write_that_nobody_waits_for_goes_with_the_next_or_by_itself(void **state)
{
	struct put a = { .key = "a" }, b = { .key = "b" }, c = { .key = "c" };
	struct db *d = must_open(*state);
	struct db_stats before, after;

	db_stats(d, &before);
	put(d, &a, DB_LAZY);
	put(d, &b, DB_MAY);
	assert_true(through(d, before.jobs + 2));
	db_stats(d, &after);
	assert_int_equal(after.commits, before.commits + 1);
	put(d, &c, DB_LAZY);
	assert_true(through(d, before.jobs + 3));
	db_drain(d);
	assert_int_equal(a.place, places - 2);
	assert_int_equal(c.done, 1);
	db_close(d);
}

static void
closing_commits_what_waits(void **state)
{
	struct put p[50];
	struct db *d = must_open(*state);

	memset(p, 0, sizeof p);
	for (size_t i = 0; i < N_OF(p); i++) {
		snprintf(p[i].key, sizeof p[i].key, "%zu", i);
		put(d, &p[i], DB_MAY);
	}
	db_close(d);
	for (size_t i = 0; i < N_OF(p); i++)
		assert_int_equal(p[i].done, 1);
	d = must_open(*state);
	assert_int_equal(rows(d), 50);
	db_close(d);
}

static void
what_gathers_goes_into_one_commit_in_order(void **state)
{
	struct gate g = GATE_INIT;
	struct put p[50];
	struct db *d = must_open(*state);
	struct db_stats st;

	memset(p, 0, sizeof p);
	places = 0;
	gate_shut(&g, d);
	for (size_t i = 0; i < N_OF(p); i++) {
		snprintf(p[i].key, sizeof p[i].key, "%zu", i);
		put(d, &p[i], DB_MAY);
	}
	gate_lift(&g);
	db_flush(d);
	db_stats(d, &st);
	assert_int_equal(st.commits, 1);
	assert_int_equal(st.jobs, 51);
	assert_int_equal(st.waiting, 0);
	for (size_t i = 0; i < N_OF(p); i++)
		assert_int_equal(p[i].place, i + 1);
	db_close(d);
}

static void
a_job_that_fails_fails_alone(void **state)
{
	struct gate g = GATE_INIT;
	struct put p[] = { { .key = "a", .value = 1 },
		{ .key = "b", .value = 2, .then_fail = true },
		{ .key = "c", .value = 3 }, { .key = "a", .value = 4 },
		{ .key = "d", .value = 5 } };
	static const int status[] = { 0, EXIT_DATA, 0, EXIT_INTERNAL, 0 };
	struct db *d = must_open(*state);

	gate_shut(&g, d);
	for (size_t i = 0; i < N_OF(p); i++)
		put(d, &p[i], DB_MAY);
	gate_lift(&g);
	db_flush(d);
	for (size_t i = 0; i < N_OF(p); i++) {
		assert_int_equal(p[i].done, 1);
		assert_int_equal(p[i].status, status[i]);
	}
	assert_int_equal(p[0].runs, 2); /* as db.h warns */
	assert_int_equal(rows(d), 3);
	db_close(d);
}

static void
failing_before_it_wrote_costs_the_others_nothing(void **state)
{
	struct gate g = GATE_INIT;
	struct put p[] = { { .key = "a", .value = 1 },
		{ .key = "a", .value = 2 }, { .key = "b", .value = 3 } };
	struct db *d = must_open(*state);

	gate_shut(&g, d);
	for (size_t i = 0; i < N_OF(p); i++)
		put(d, &p[i], DB_MAY);
	gate_lift(&g);
	db_flush(d);
	assert_int_equal(p[1].status, EXIT_INTERNAL);
	assert_int_equal(p[0].runs, 1);
	assert_int_equal(rows(d), 2);
	db_close(d);
}

static void
more_than_max_jobs_is_refused_and_must_jobs_later(void **state)
{
	struct gate g = GATE_INIT;
	struct put p[401];
	struct db *d = must_open(*state);
	struct err err = ERR_INIT;
	size_t taken = 0;

	memset(p, 0, sizeof p);
	for (size_t i = 0; i < N_OF(p); i++)
		snprintf(p[i].key, sizeof p[i].key, "%zu", i);
	gate_shut(&g, d);
	while (db_submit(d, DB_MAY, put_job, put_done, &p[taken], &err))
		taken++;
	assert_int_equal(taken, 99); /* and the gate itself */
	assert_int_equal(err.status, EXIT_RETRY);
	assert_string_equal(err.code, "queue_full");
	while (db_submit(d, DB_MUST, put_job, put_done, &p[taken], NULL))
		taken++;
	assert_int_equal(taken, 399);
	gate_lift(&g);
	db_flush(d);
	assert_int_equal(rows(d), 399);
	assert_int_equal(p[399].done, 0);
	db_close(d);
}

static void
wake(void *arg)
{
	int fd = *(int *)arg;

	assert_int_equal(write(fd, "", 1), 1);
}

static void
the_loop_is_woken_when_something_is_done(void **state)
{
	struct put p = { .key = "a", .value = 1 };
	struct db *d;
	int fds[2];
	char byte;

	assert_int_equal(pipe(fds), 0);
	d = db_open(
	    &(struct db_config){
		.path = scratch_path(*state, "x.db"),
		.application_id = APP,
		.migrations = first,
		.max_jobs = 100,
		.wake = wake,
		.arg = &fds[1],
	    },
	    NULL);
	assert_non_null(d);
	put(d, &p, DB_MAY);
	assert_int_equal(read(fds[0], &byte, 1), 1); /* or hangs */
	db_drain(d);
	assert_int_equal(p.done, 1);
	db_close(d);
	close(fds[0]);
	close(fds[1]);
}

static void
a_reader_at_start_cannot_write(void **state)
{
	struct put p = { .key = "a", .value = 1 };
	struct db *d = must_open(*state);

	assert_false(db_now(d, put_job, &p, NULL));
	assert_int_equal(rows(d), 0);
	db_close(d);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(what_is_done_survives_a_reopen),
		SCRATCH_TEST(
		    a_write_that_nobody_waits_for_goes_with_the_next_or_by_itself),
		SCRATCH_TEST(closing_commits_what_waits),
		SCRATCH_TEST(what_gathers_goes_into_one_commit_in_order),
		SCRATCH_TEST(a_job_that_fails_fails_alone),
		SCRATCH_TEST(failing_before_it_wrote_costs_the_others_nothing),
		SCRATCH_TEST(more_than_max_jobs_is_refused_and_must_jobs_later),
		SCRATCH_TEST(the_loop_is_woken_when_something_is_done),
		SCRATCH_TEST(a_reader_at_start_cannot_write),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
