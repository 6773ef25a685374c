#include "check.h"
#include "ewsagent/handlers.h"
#include "lib/err.h"
#include "lib/str.h"
#include "scratch.h"

static const char script[] = "#!/bin/sh\nexit 0\n";

static enum handler_verdict
find(struct scratch *s, const char *type, struct err *err)
{
	char dir[PATH_SIZE], path[PATH_SIZE] = "", want[PATH_SIZE];
	enum handler_verdict verdict;

	assert_true(handlers_dir(dir, s->dir, NULL));
	verdict = handlers_find(dir, type, path, err);
	if (verdict == HANDLER_OK) {
		assert_true(path_join(want, dir, type, NULL));
		assert_string_equal(path, want);
	} else {
		assert_true(err_isset(err));
		assert_string_equal(path, "");
	}
	return verdict;
}

static void
only_a_file_that_nobody_else_can_change_may_run(void **state)
{
	static const struct {
		mode_t mode;
		enum handler_verdict verdict;
		const char *why;
	} cases[] = {
		{ 0755, HANDLER_OK, NULL },
		{ 0700, HANDLER_OK, NULL },
		{ 0555, HANDLER_OK, NULL },
		{ 0644, HANDLER_REFUSED, "is not executable" },
		{ 0775, HANDLER_REFUSED, "is writable by its group" },
		{ 0757, HANDLER_REFUSED, "is writable by others" },
		{ 0702, HANDLER_REFUSED, "is writable by others" },
		{ 04755, HANDLER_REFUSED, "is set-uid or set-gid" },
		{ 02755, HANDLER_REFUSED, "is set-uid or set-gid" },
	};
	size_t i;

	for (i = 0; i < N_OF(cases); i++) {
		struct err err = ERR_INIT;

		scratch_write(
		    *state, "echo", script, sizeof script - 1, cases[i].mode);
		assert_int_equal(find(*state, "echo", &err), cases[i].verdict);
		if (cases[i].why != NULL)
			assert_true(str_ends(err.text, cases[i].why));
	}
}

static void
a_name_that_could_leave_the_directory_is_no_handler(void **state)
{
	static const char *const names[] = { "", ".", "..", "../echo",
		"/bin/sh", "../../bin/sh", "a/b", "Echo", "-x", ".hidden", "_x",
		"e cho", "echo\n", "\xc3\xa9", "nothing" };
	size_t i;

	scratch_write(*state, "echo", script, sizeof script - 1, 0755);
	for (i = 0; i < N_OF(names); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(find(*state, names[i], &err), HANDLER_NONE);
	}
}

static void
what_is_no_regular_file_is_refused(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;

	assert_int_equal(symlink("/bin/true", scratch_path(s, "link")), 0);
	assert_int_equal(find(s, "link", &err), HANDLER_REFUSED);
	assert_true(str_ends(err.text, "is a symbolic link"));
	err_clear(&err);
	assert_int_equal(mkdir(scratch_path(s, "dir"), 0755), 0);
	assert_int_equal(find(s, "dir", &err), HANDLER_REFUSED);
	err_clear(&err);
	assert_int_equal(mkfifo(scratch_path(s, "fifo"), 0755), 0);
	assert_int_equal(find(s, "fifo", &err), HANDLER_REFUSED);
}

static void
a_directory_that_others_can_change_runs_nothing(void **state)
{
	struct scratch *s = *state;
	struct err err = ERR_INIT;
	json_t *list;

	scratch_write(s, "echo", script, sizeof script - 1, 0755);
	assert_int_equal(chmod(s->dir, 0777), 0);
	assert_int_equal(find(s, "echo", &err), HANDLER_REFUSED);
	assert_true(str_ends(err.text, "is writable by others"));
	list = handlers_list(s->dir);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	assert_int_equal(chmod(s->dir, 0700), 0);
	err_clear(&err);
	assert_int_equal(find(s, "echo", &err), HANDLER_OK);
}

static void
another_users_file_is_refused(void **state)
{
	struct err err = ERR_INIT;
	const char *path =
	    scratch_write(*state, "echo", script, sizeof script - 1, 0755);

	if (geteuid() != 0)
		skip(); /* only root gives files away */
	assert_int_equal(chown(path, 12345, 0), 0);
	assert_int_equal(find(*state, "echo", &err), HANDLER_REFUSED);
	assert_true(str_ends(err.text, "belongs to another user"));
}

static void
the_list_has_what_may_run_in_order(void **state)
{
	struct scratch *s = *state;
	json_t *list;

	scratch_write(s, "zeta", script, sizeof script - 1, 0755);
	scratch_write(s, "alpha.x", script, sizeof script - 1, 0755);
	scratch_write(s, "README", script, sizeof script - 1, 0755);
	scratch_write(s, "weak", script, sizeof script - 1, 0777);
	list = handlers_list(s->dir);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(
	    json_string_value(json_array_get(list, 0)), "alpha.x");
	assert_string_equal(json_string_value(json_array_get(list, 1)), "zeta");
	json_decref(list);
}

static void
a_probe_is_found_as_such_and_is_no_handler(void **state)
{
	struct scratch *s = *state;
	char dir[PATH_SIZE], path[PATH_SIZE];
	struct err err = ERR_INIT;
	json_t *list;

	scratch_write(s, "pay.probe", script, sizeof script - 1, 0755);
	assert_int_equal(find(s, "pay.probe", &err), HANDLER_REFUSED);
	assert_true(handlers_dir(dir, s->dir, NULL));
	assert_int_equal(
	    handlers_find_probe(dir, "pay", path, NULL), HANDLER_OK);
	assert_true(str_ends(path, "/pay.probe"));
	assert_int_equal(
	    handlers_find_probe(dir, "other", path, NULL), HANDLER_NONE);
	assert_int_equal(
	    handlers_find_probe(dir, "../pay", path, NULL), HANDLER_NONE);
	list = handlers_list(dir);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void
an_absent_directory_has_no_handlers_yet(void **state)
{
	char dir[PATH_SIZE], path[PATH_SIZE];
	struct err err = ERR_INIT;
	json_t *list;

	assert_true(handlers_dir(dir, scratch_path(*state, "none"), NULL));
	assert_int_equal(handlers_find(dir, "echo", path, &err), HANDLER_NONE);
	list = handlers_list(dir);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(only_a_file_that_nobody_else_can_change_may_run),
		SCRATCH_TEST(
		    a_name_that_could_leave_the_directory_is_no_handler),
		SCRATCH_TEST(what_is_no_regular_file_is_refused),
		SCRATCH_TEST(a_directory_that_others_can_change_runs_nothing),
		SCRATCH_TEST(another_users_file_is_refused),
		SCRATCH_TEST(the_list_has_what_may_run_in_order),
		SCRATCH_TEST(a_probe_is_found_as_such_and_is_no_handler),
		SCRATCH_TEST(an_absent_directory_has_no_handlers_yet),
	};

	return RUN_TESTS(tests);
}
