#include "db_kit.h"
#include "disk_kit.h"

static void
until_done(struct db *d, const int *done)
{
	while (*done == 0)
		db_flush(d); /* each is one more attempt */
}

static void
live_through_a_full_disk(struct scratch *s)
{
	struct put before = { .key = "a", .value = 1 },
		   may = { .key = "b", .value = 2, .blob = 300000 };
	struct put must = { .key = "c", .value = 3, .blob = 300000 },
		   after = { .key = "d", .value = 4 };
	struct count c = { -1, 0, 0 };
	struct db_stats st;
	struct db *d = try_open(s, first, NULL);

	CHECK(d != NULL);
	put(d, &before, DB_MAY);
	db_flush(d);
	CHECK(before.status == 0);

	limit_files(256 * 1024);
	put(d, &may, DB_MAY);
	put(d, &must, DB_MUST);
	db_flush(d);
	CHECK(may.done == 1 && may.status == EXIT_IO);
	CHECK(must.done == 0);
	db_stats(d, &st);
	CHECK(st.failing && st.failures > 0 && st.waiting == 1);

	/* what is there can be read, and what is new is refused at once */
	CHECK(db_submit(d, DB_MAY, count_job, count_done, &c, NULL));
	until_done(d, &c.done);
	CHECK(c.status == 0 && c.rows == 1);
	may.done = 0;
	put(d, &may, DB_MAY);
	until_done(d, &may.done);
	CHECK(may.status == EXIT_IO && must.done == 0);

	limit_files(RLIM_INFINITY);
	until_done(d, &must.done);
	CHECK(must.status == 0);
	put(d, &after, DB_MAY);
	db_flush(d);
	CHECK(after.done == 1 && after.status == 0);
	db_stats(d, &st);
	CHECK(!st.failing && st.waiting == 0);
	db_close(d);
}

static void
a_full_disk_refuses_keeps_and_recovers(void **state)
{
	struct db *d;

	in_child(*state, live_through_a_full_disk, 0);
	d = must_open(*state);
	assert_int_equal(rows(d), 3);
	db_close(d);
}

static void
recover_unasked(struct scratch *s)
{
	struct put may = { .key = "b", .value = 2, .blob = 300000 };
	struct db_stats st;
	struct db *d = try_open(s, first, NULL);

	CHECK(d != NULL);
	limit_files(256 * 1024);
	put(d, &may, DB_MAY);
	db_flush(d);
	CHECK(may.status == EXIT_IO);
	limit_files(RLIM_INFINITY);
	do
		db_stats(d, &st);
	while (st.failing); /* nobody submits, nobody flushes */
	db_close(d);
}

static void
space_is_noticed_when_nobody_asks(void **state)
{
	in_child(*state, recover_unasked, 0);
}

static void
close_on_a_full_disk(struct scratch *s)
{
	struct put must = { .key = "c", .value = 3, .blob = 300000 };
	struct db *d = try_open(s, first, NULL);

	CHECK(d != NULL);
	limit_files(256 * 1024);
	put(d, &must, DB_MUST);
	db_close(d);
	CHECK(must.done == 1 && must.status == EXIT_IO);
}

static void
closing_on_a_full_disk_tells_what_was_not_kept(void **state)
{
	struct db *d;

	in_child(*state, close_on_a_full_disk, 0);
	d = must_open(*state);
	assert_int_equal(rows(d), 0);
	db_close(d);
}

/* From here on nothing that this connection writes to the WAL is synced. */
static int
no_sync(sqlite3_file *f, int flags)
{
	(void)f;
	(void)flags;
	return SQLITE_IOERR_FSYNC;
}

static bool
break_sync_job(sqlite3 *h, struct db *d, void *arg, struct err *err)
{
	static sqlite3_io_methods broken;
	sqlite3_file *wal;

	sqlite3_file_control(h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	broken = *wal->pMethods;
	broken.xSync = no_sync;
	wal->pMethods = &broken;
	return put_job(h, d, arg, err);
}

/* What it wrote is in the WAL's page cache, complete with a commit. */
static void
fail_a_sync(struct scratch *s)
{
	struct put a = { .key = "a", .value = 1 };
	struct put lost = { .key = "lost", .value = 2 };
	struct put b = { .key = "b", .value = 3 };
	struct db *d = try_open(s, first, NULL);
	struct count c = { -1, 0, 0 };
	struct db_stats st;

	CHECK(d != NULL);
	put(d, &a, DB_MAY);
	db_flush(d);
	CHECK(db_submit(d, DB_MAY, break_sync_job, put_done, &lost, NULL));
	db_flush(d);
	CHECK(lost.done == 1 && lost.status == EXIT_IO);
	db_stats(d, &st);
	/* once, or twice if the next attempt came before we looked */
	CHECK(st.failures >= 1 && st.reopened == st.failures);
	CHECK(db_submit(d, DB_MAY, count_job, count_done, &c, NULL));
	until_done(d, &c.done);
	CHECK(c.rows == 1);
	put(d, &b, DB_MUST);
	until_done(d, &b.done);
	CHECK(b.status == 0);
	kill(getpid(), SIGKILL);
}

static void
a_failed_sync_is_never_believed(void **state)
{
	struct db *d;

	in_child(*state, fail_a_sync, SIGKILL);
	d = must_open(*state);
	assert_int_equal(rows(d), 2); /* a and b */
	db_close(d);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_full_disk_refuses_keeps_and_recovers),
		SCRATCH_TEST(space_is_noticed_when_nobody_asks),
		SCRATCH_TEST(closing_on_a_full_disk_tells_what_was_not_kept),
		SCRATCH_TEST(a_failed_sync_is_never_believed),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
