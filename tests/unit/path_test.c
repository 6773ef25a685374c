#include "lib/path.h"

#include <string.h>

#include "check.h"
#include "lib/exit.h"
#include "scratch.h"

static void
joining_puts_one_slash_and_knows_its_room(void **state)
{
	char out[PATH_SIZE], name[PATH_SIZE];
	struct err err = ERR_INIT;

	(void)state;
	assert_true(path_join(out, "/a", "b", &err));
	assert_string_equal(out, "/a/b");
	assert_true(path_join(out, "/", "b", &err));
	assert_string_equal(out, "/b");
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_false(path_join(out, "/a", name, &err));
	assert_int_equal(err.status, EXIT_CONFIG);
}

static void
the_runtime_directory_of_the_session_comes_first(void **state)
{
	struct scratch *s = *state;
	char out[PATH_SIZE], expected[PATH_SIZE];

	setenv("XDG_RUNTIME_DIR", s->dir, 1);
	snprintf(expected, sizeof expected, "%s/ews", s->dir);
	assert_true(path_runtime(out, s->dir, true, NULL));
	assert_string_equal(out, expected);
	assert_true(path_runtime(out, s->dir, false, NULL));
	assert_string_equal(out, expected);
	unsetenv("XDG_RUNTIME_DIR");
}

static void
a_runtime_directory_is_private(void **state)
{
	struct scratch *s = *state;
	char out[PATH_SIZE];
	struct stat st;
	mode_t old = umask(0);

	setenv("XDG_RUNTIME_DIR", s->dir, 1);
	assert_true(path_runtime(out, NULL, true, NULL));
	umask(old);
	assert_int_equal(stat(out, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	unsetenv("XDG_RUNTIME_DIR");
}

/* Where a machine has /run/ews or /run/user/UID/ews that one is right. */
static void
the_state_directory_comes_last(void **state)
{
	struct scratch *s = *state;
	char out[PATH_SIZE], user[64];

	setenv("XDG_RUNTIME_DIR", "relative", 1);
	snprintf(
	    user, sizeof user, "/run/user/%lu/ews", (unsigned long)geteuid());
	assert_true(path_runtime(out, s->dir, false, NULL));
	if (access(user, X_OK) == 0)
		assert_string_equal(out, user);
	else if (access("/run/ews", X_OK) == 0)
		assert_string_equal(out, "/run/ews");
	else
		assert_string_equal(out, s->dir);
	unsetenv("XDG_RUNTIME_DIR");
}

static void
the_state_directory_follows_the_environment(void **state)
{
	char out[PATH_SIZE];

	(void)state;
	setenv("XDG_STATE_HOME", "/xdg", 1);
	assert_true(path_state(out, "ewsd", NULL));
	assert_string_equal(out, geteuid() == 0 ? "/var/lib/ewsd" : "/xdg/ews");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/x", 1);
	assert_true(path_state(out, "ewsd", NULL));
	assert_string_equal(
	    out, geteuid() == 0 ? "/var/lib/ewsd" : "/home/x/.local/state/ews");
	unsetenv("HOME"); /* cron: the passwd entry */
	assert_true(path_state(out, "ewsd", NULL));
	assert_int_equal(out[0], '/');
}

static void
a_private_directory_is_made_with_its_parents(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	struct stat st;
	mode_t old = umask(0);
	const char *dir = scratch_path(s, "a/b/c");

	assert_true(path_private_dir(dir, &err));
	umask(old);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(path_private_dir(dir, &err));
	assert_int_equal(stat(scratch_path(s, "a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void
a_directory_that_others_may_write_to_is_refused(void **state)
{
	struct scratch *s = *state;
	static const mode_t bad[] = { 0777, 0770, 01777, 0702 };
	size_t i;

	for (i = 0; i < N_OF(bad); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(chmod(s->dir, bad[i]), 0);
		assert_false(path_private_dir(s->dir, &err));
		assert_int_equal(err.status, EXIT_CONFIG);
		assert_non_null(strstr(err.text, "writable by others"));
	}
	assert_int_equal(chmod(s->dir, 0755), 0);
	assert_true(path_private_dir(s->dir, NULL));
	assert_false(
	    path_private_dir(scratch_write(s, "file", "", 0, 0600), NULL));
}

static void
a_file_is_read_up_to_its_limit(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	static char big[20000];
	size_t len;
	char *text;

	memset(big, 'x', sizeof big);
	scratch_write(s, "big", big, sizeof big, 0644);
	text = path_read(s->path, sizeof big, &len, &err);
	assert_non_null(text);
	assert_int_equal(len, sizeof big);
	assert_int_equal(text[len], '\0');
	assert_memory_equal(text, big, len);
	free(text);
	assert_null(path_read(s->path, sizeof big - 1, &len, &err));
	assert_int_equal(err.status, EXIT_IO);
	assert_non_null(strstr(err.text, "larger than 19999 bytes"));

	text =
	    path_read(scratch_write(s, "empty", "", 0, 0644), 10, &len, NULL);
	assert_string_equal(text, "");
	free(text);
}

static void
what_is_no_regular_file_is_refused_at_once(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	size_t len;

	assert_int_equal(mkfifo(scratch_path(s, "fifo"), 0600), 0);
	assert_null(path_read(s->path, 10, &len, &err));
	assert_non_null(strstr(err.text, "no regular file"));
	assert_null(path_read(s->dir, 10, &len, NULL));
	assert_null(path_read("/dev/null", 10, &len, NULL));
	assert_null(path_read(scratch_path(s, "none"), 10, &len, NULL));
}

static void
a_secret_is_read_without_its_newline(void **state)
{
	struct scratch *s = *state;
	char *text;

	text =
	    path_read_secret(scratch_write(s, "a", "hunter2\n", 8, 0600), NULL);
	assert_string_equal(text, "hunter2");
	free(text);
	text = path_read_secret(scratch_write(s, "b", "x\n\n", 3, 0400), NULL);
	assert_string_equal(text, "x\n");
	free(text);
}

static void
a_secret_that_others_may_read_is_refused(void **state)
{
	static const mode_t bad[] = { 0644, 0640, 0604, 0620, 0601 };
	struct scratch *s = *state;
	size_t i;

	for (i = 0; i < N_OF(bad); i++) {
		struct err err = ERR_INIT;

		scratch_write(s, "secret", "hunter2", 7, bad[i]);
		assert_null(path_read_secret(s->path, &err));
		assert_int_equal(err.status, EXIT_CONFIG);
		assert_non_null(strstr(err.text, "chmod 600"));
		assert_null(strstr(err.text, "hunter2"));
	}
}

static void
an_empty_or_odd_secret_is_refused(void **state)
{
	struct scratch *s = *state;
	static char big[5000];

	memset(big, 'x', sizeof big);
	assert_null(path_read_secret(scratch_write(s, "a", "", 0, 0600), NULL));
	assert_null(
	    path_read_secret(scratch_write(s, "b", "\n", 1, 0600), NULL));
	assert_null(
	    path_read_secret(scratch_write(s, "c", "x\0y", 3, 0600), NULL));
	assert_null(path_read_secret(
	    scratch_write(s, "d", big, sizeof big, 0600), NULL));
	assert_null(path_read_secret("-", NULL));
}

static void
a_trusted_file_is_not_writable_by_others(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	size_t len;
	bool absent;
	char *text;

	scratch_write(s, "a", "x\n", 2, 0644);
	text = path_read_trusted(s->path, 10, &len, &absent, &err);
	assert_string_equal(text, "x\n");
	assert_false(absent);
	free(text);
	scratch_write(s, "b", "x\n", 2, 0664);
	assert_null(path_read_trusted(s->path, 10, &len, &absent, &err));
	assert_false(absent);
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_null(path_read_trusted(
	    scratch_path(s, "none"), 10, &len, &absent, NULL));
	assert_true(absent);
}

static void
a_file_is_replaced_whole(void **state)
{
	struct scratch *s = *state;
	const char *path = scratch_path(s, "file");
	struct dirent *e;
	struct stat st;
	unsigned files = 0;
	size_t len;
	char *text;
	DIR *d;

	assert_true(path_write(path, "one", 3, 0600, NULL));
	assert_true(path_write(path, "two!", 4, 0640, NULL));
	text = path_read(path, 10, &len, NULL);
	assert_string_equal(text, "two!");
	free(text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	d = opendir(s->dir); /* and nothing is left beside it */
	while ((e = readdir(d)) != NULL)
		files += e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(files, 1);
}

static void
a_failed_write_says_where(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;

	assert_false(
	    path_write(scratch_path(s, "no/file"), "x", 1, 0600, &err));
	assert_int_equal(err.status, EXIT_IO);
	assert_non_null(strstr(err.text, "no/file"));
	err_clear(&err);
	assert_int_equal(mkdir(scratch_path(s, "dir"), 0700), 0);
	assert_false(path_write(s->path, "x", 1, 0600, &err));
	assert_int_equal(err.status, EXIT_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joining_puts_one_slash_and_knows_its_room),
		SCRATCH_TEST(the_runtime_directory_of_the_session_comes_first),
		SCRATCH_TEST(a_runtime_directory_is_private),
		SCRATCH_TEST(the_state_directory_comes_last),
		cmocka_unit_test(the_state_directory_follows_the_environment),
		SCRATCH_TEST(a_private_directory_is_made_with_its_parents),
		SCRATCH_TEST(a_directory_that_others_may_write_to_is_refused),
		SCRATCH_TEST(a_file_is_read_up_to_its_limit),
		SCRATCH_TEST(what_is_no_regular_file_is_refused_at_once),
		SCRATCH_TEST(a_secret_is_read_without_its_newline),
		SCRATCH_TEST(a_secret_that_others_may_read_is_refused),
		SCRATCH_TEST(an_empty_or_odd_secret_is_refused),
		SCRATCH_TEST(a_trusted_file_is_not_writable_by_others),
		SCRATCH_TEST(a_file_is_replaced_whole),
		SCRATCH_TEST(a_failed_write_says_where),
	};

	return RUN_TESTS(tests);
}
