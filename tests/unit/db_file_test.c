#include <signal.h>
#include <sys/wait.h>

#include "db_kit.h"
#include "lib/db_priv.h"

static const char *const second[] = {
	"CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER NOT NULL)",
	"ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'new'", NULL
};

/* Opening is refused, the sentence says 'why', and nothing was touched. */
static void
assert_refused(struct scratch *s, const char *why)
{
	struct err err = ERR_INIT;

	assert_null(try_open(s, first, &err));
	assert_int_equal(err.status, EXIT_CONFIG);
	if (strstr(err.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void
make(struct scratch *s)
{
	struct put p = { .key = "a", .value = 1 };
	struct db *d = must_open(s);

	put(d, &p, DB_MAY);
	db_close(d);
}

static void
patch(struct scratch *s, off_t at, const void *bytes, size_t len)
{
	int fd = open(scratch_path(s, "x.db"), O_RDWR);

	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static char *
slurp(struct scratch *s, size_t *len)
{
	static char bytes[1 << 20];
	int fd = open(scratch_path(s, "x.db"), O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof bytes);

	assert_true(n >= 0);
	close(fd);
	*len = (size_t)n;
	return bytes;
}

static void
the_file_is_private_from_the_start(void **state)
{
	mode_t old = umask(0);
	struct db *d = must_open(*state);
	static const char *const names[] = { "x.db", "x.db-wal", "x.db.lock" };
	struct stat st;

	umask(old);
	for (size_t i = 0; i < N_OF(names); i++) {
		assert_int_equal(stat(scratch_path(*state, names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	db_close(d);
}

static void
a_looser_mode_is_mended(void **state)
{
	struct stat st;

	make(*state);
	assert_int_equal(chmod(scratch_path(*state, "x.db"), 0644), 0);
	db_close(must_open(*state));
	assert_int_equal(stat(scratch_path(*state, "x.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
a_second_opener_is_refused(void **state)
{
	struct db *d = must_open(*state);
	char pid[32];

	snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
	assert_refused(*state, "in use by another");
	assert_refused(*state, pid);
	db_close(d);
	db_close(must_open(*state));
}

/* As a killed agent leaves one that has not executed its handler yet. */
static void
a_child_of_a_killed_opener_is_waited_for(void **state)
{
	pid_t opener = fork();
	int status;

	if (opener == 0) {
		must_open(*state);
		if (fork() > 0)
			raise(SIGKILL);
		usleep(200000);
		_exit(0);
	}
	assert_int_equal(waitpid(opener, &status, 0), opener);
	assert_true(WIFSIGNALED(status));
	db_close(must_open(*state));
}

static void
a_newer_schema_is_refused_and_left_alone(void **state)
{
	struct err err = ERR_INIT;
	struct db *d = try_open(*state, second, &err);
	size_t before, after;
	char copy[1 << 16];

	assert_non_null(d);
	db_close(d);
	memcpy(copy, slurp(*state, &before), sizeof copy);
	assert_in_range(before, 1, sizeof copy);
	assert_refused(*state, "newer");
	assert_memory_equal(slurp(*state, &after), copy, before);
	assert_int_equal(before, after);
}

/* The schema's number may still stand in the WAL only. */
static void
a_newer_schema_in_the_wal_is_refused(void **state)
{
	int status;
	pid_t pid;

	make(*state);
	pid = fork();
	if (pid == 0) {
		sqlite3 *h;
		int rc = sqlite3_open(scratch_path(*state, "x.db"), &h);

		rc |= sqlite3_exec(h, "PRAGMA user_version=9", 0, 0, 0);
		if (rc != SQLITE_OK)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_refused(*state, "schema 9");
}

static void
an_older_schema_is_migrated(void **state)
{
	struct err err = ERR_INIT;
	struct db *d;

	make(*state);
	d = try_open(*state, second, &err);
	assert_non_null(d);
	assert_int_equal(rows(d), 1);
	db_close(d);
	assert_refused(*state, "newer");
}

static void
a_foreign_database_is_refused(void **state)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(scratch_path(*state, "x.db"), &h), 0);
	assert_int_equal(sqlite3_exec(h, "CREATE TABLE a(b)", 0, 0, 0), 0);
	sqlite3_close(h);
	assert_refused(*state, "another program");
}

static void
what_is_no_database_is_refused(void **state)
{
	char text[4096];

	memset(text, 'x', sizeof text);
	scratch_write(*state, "x.db", text, sizeof text, 0600);
	assert_refused(*state, "no SQLite database");
}

static void
a_truncated_database_is_refused(void **state)
{
	static const off_t sizes[] = { 0, 50, 4096, 8191 };

	for (size_t i = 0; i < N_OF(sizes); i++) {
		make(*state);
		assert_int_equal(
		    truncate(scratch_path(*state, "x.db"), sizes[i]), 0);
		assert_refused(*state, "truncated");
		assert_int_equal(unlink(scratch_path(*state, "x.db")), 0);
	}
}

static void
a_damaged_schema_is_refused(void **state)
{
	char junk[64];
	struct err err = ERR_INIT;

	make(*state);
	memset(junk, 0xff, sizeof junk);
	patch(*state, 100, junk, sizeof junk);
	assert_null(try_open(*state, second, &err));
	assert_non_null(strstr(err.text, "damaged"));
}

static void
a_symbolic_link_is_refused(void **state)
{
	char target[1024];

	make(*state);
	strcpy(target, scratch_path(*state, "real.db"));
	assert_int_equal(rename(scratch_path(*state, "x.db"), target), 0);
	assert_int_equal(symlink(target, scratch_path(*state, "x.db")), 0);
	assert_refused(*state, "symbolic link");
}

static void
a_directory_or_fifo_is_refused(void **state)
{
	assert_int_equal(mkdir(scratch_path(*state, "x.db"), 0700), 0);
	assert_refused(*state, "");
	assert_int_equal(rmdir(scratch_path(*state, "x.db")), 0);
	assert_int_equal(mkfifo(scratch_path(*state, "x.db"), 0600), 0);
	assert_refused(*state, "no regular file");
}

/* Ends as kill -9 does, with one row in the WAL only. */
static void
crash(struct scratch *s)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct put p = { .key = "crash", .value = 1 };
		struct db *d = try_open(s, first, NULL);

		put(d, &p, DB_MAY);
		db_flush(d);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
a_crash_loses_nothing(void **state)
{
	struct db *d;

	crash(*state);
	d = must_open(*state);
	assert_int_equal(rows(d), 1);
	db_close(d);
}

static void
a_torn_wal_is_read_up_to_the_tear(void **state)
{
	struct db *d;
	struct stat st;

	make(*state);
	crash(*state);
	assert_int_equal(stat(scratch_path(*state, "x.db-wal"), &st), 0);
	assert_int_equal(
	    truncate(scratch_path(*state, "x.db-wal"), st.st_size - 100), 0);
	d = must_open(*state);
	assert_int_equal(rows(d), 1);
	db_close(d);
}

static void
a_deleted_wal_is_refused(void **state)
{
	make(*state);
	crash(*state);
	assert_int_equal(unlink(scratch_path(*state, "x.db-wal")), 0);
	assert_refused(*state, "-wal");
}

static void
a_close_that_cannot_be_marked_is_no_lost_wal(void **state)
{
	struct put p = { .key = "a", .value = 1 };
	struct db *d = must_open(*state);
	int lock = d->lock_fd;

	put(d, &p, DB_MAY);
	d->lock_fd = open("/dev/null", O_RDONLY);
	db_close(d);
	close(lock);
	d = must_open(*state);
	assert_int_equal(rows(d), 1);
	db_close(d);
}

static void
a_deleted_database_is_not_started_empty(void **state)
{
	crash(*state);
	assert_int_equal(unlink(scratch_path(*state, "x.db")), 0);
	assert_refused(*state, "is gone");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(the_file_is_private_from_the_start),
		SCRATCH_TEST(a_looser_mode_is_mended),
		SCRATCH_TEST(a_second_opener_is_refused),
		SCRATCH_TEST(a_child_of_a_killed_opener_is_waited_for),
		SCRATCH_TEST(a_newer_schema_is_refused_and_left_alone),
		SCRATCH_TEST(a_newer_schema_in_the_wal_is_refused),
		SCRATCH_TEST(an_older_schema_is_migrated),
		SCRATCH_TEST(a_foreign_database_is_refused),
		SCRATCH_TEST(what_is_no_database_is_refused),
		SCRATCH_TEST(a_truncated_database_is_refused),
		SCRATCH_TEST(a_damaged_schema_is_refused),
		SCRATCH_TEST(a_symbolic_link_is_refused),
		SCRATCH_TEST(a_directory_or_fifo_is_refused),
		SCRATCH_TEST(a_crash_loses_nothing),
		SCRATCH_TEST(a_torn_wal_is_read_up_to_the_tear),
		SCRATCH_TEST(a_deleted_wal_is_refused),
		SCRATCH_TEST(a_close_that_cannot_be_marked_is_no_lost_wal),
		SCRATCH_TEST(a_deleted_database_is_not_started_empty),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
