#include "check.h"

#include <errno.h>
#include <sys/wait.h>

#include "ewsagent/jobdir.h"
#include "lib/port.h"
#include "lib/str.h"
#include "scratch.h"

static int
open_dir(struct scratch *s)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd != -1);
	return fd;
}

static void
names_are_sixteen_hex_digits_and_differ(void **state)
{
	char a[JOBDIR_NAME_SIZE], b[JOBDIR_NAME_SIZE];

	(void)state;
	jobdir_name(a, "abc");
	assert_string_equal(a, "ba7816bf8f01cfea");
	jobdir_name(b, "../x/\n");
	assert_int_equal(strspn(b, "0123456789abcdef"), 16);
	assert_string_not_equal(a, b);
}

static void
one_made_anew_is_empty(void **state)
{
	int jobs = open_dir(*state), dir = jobdir_make(jobs, "a");

	assert_true(jobdir_write(dir, "end", "x", 1));
	close(dir);
	dir = jobdir_make(jobs, "a");
	assert_null(jobdir_read(dir, "end", 10, NULL));
	assert_int_equal(errno, ENOENT);
	close(dir);
	assert_true(jobdir_remove(jobs, "a"));
	assert_true(jobdir_remove(jobs, "a")); /* gone is gone */
	assert_int_equal(jobdir_open(jobs, "a"), -1);
	close(jobs);
}

static void
what_is_too_big_is_not_read(void **state)
{
	int dir = open_dir(*state);
	size_t len;
	char *text;

	assert_true(jobdir_write(dir, "x", "12\0004", 4));
	assert_null(jobdir_read(dir, "x", 3, &len));
	text = jobdir_read(dir, "x", 4, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "12\0004", 5);
	free(text);
	close(dir);
}

static void
the_lock_is_held_by_whoever_inherits_it(void **state)
{
	int dir = open_dir(*state), lock, ends[2];
	pid_t pid;

	assert_false(jobdir_held(dir)); /* there is none */
	assert_int_equal(pipe(ends), 0);
	lock = jobdir_lock(dir, true);
	assert_true(lock != -1);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	close(lock);
	assert_true(jobdir_held(dir));
	assert_int_equal(jobdir_lock(dir, true), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(ends[1]); /* the child ends */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(jobdir_held(dir));
	close(ends[0]);
	close(dir);
}

static void
started_names_this_boot(void **state)
{
	int dir = open_dir(*state);
	char boot[PORT_BOOT_SIZE];
	struct jobdir_started s;

	assert_false(jobdir_started(dir, &s));
	assert_true(jobdir_start(dir, 1234567890123));
	assert_true(jobdir_started(dir, &s));
	port_boot_id(boot);
	assert_string_equal(s.boot, boot);
	assert_int_equal(s.ms, 1234567890123);
	assert_true(jobdir_write(dir, "started", "", 0));
	assert_true(jobdir_started(dir, &s)); /* torn is started, too */
	assert_int_equal(s.ms, 0);
	close(dir);
}

static void
an_end_is_read_as_it_was_written(void **state)
{
	static const struct run_end ends[] = {
		{ .why = RUN_SELF,
		    .code = 255,
		    .started_ms = 1,
		    .ended_ms = 2 },
		{ .why = RUN_TIMEOUT, .code = -1, .signal = 9 },
		{ .why = RUN_CANCELLED,
		    .streams = { { .bytes = UINT64_MAX, .kept = 7 },
			{ .tail = "\0\xff\n", .tail_len = 3, .bytes = 3 } } },
	};
	int dir = open_dir(*state);
	struct run_end in, out;

	assert_false(jobdir_end(dir, &out));
	for (size_t i = 0; i < N_OF(ends); i++) {
		in = ends[i];
		for (int k = 0; k < 2; k++)
			memset(in.streams[k].digest, 'a' + k, 64);
		if (i == 1) {
			memset(in.streams[0].tail, 'x', RUN_TAIL);
			in.streams[0].tail_len = RUN_TAIL;
		}
		assert_true(jobdir_put_end(dir, &in));
		assert_true(jobdir_end(dir, &out));
		assert_memory_equal(&in, &out, sizeof in);
	}
	close(dir);
}

static void
a_failure_tells_its_reason_and_whether_for_later(void **state)
{
	int dir = open_dir(*state);
	struct err err = ERR_INIT;
	bool later = false;

	assert_false(jobdir_failed(dir, &later, &err));
	assert_true(jobdir_put_failed(dir, true, "no process: try"));
	assert_true(jobdir_failed(dir, &later, &err));
	assert_true(later);
	assert_string_equal(err.text, "no process: try");
	assert_true(jobdir_put_failed(dir, false, ""));
	assert_true(jobdir_failed(dir, &later, NULL));
	assert_false(later);
	close(dir);
}

/* As a disk that lost what it was given: zeros, a piece, other bytes. */
static void
a_record_that_is_not_whole_is_none(void **state)
{
	int dir = open_dir(*state);
	struct run_end end = { .code = 1 };
	char *text, zero[4096] = { 0 };
	size_t len;

	for (int k = 0; k < 2; k++)
		memset(end.streams[k].digest, '0', 64);
	assert_true(jobdir_put_end(dir, &end));
	text = jobdir_read(dir, "end", sizeof zero, &len);
	for (size_t i = 0; i < len; i++) {
		assert_true(jobdir_write(dir, "end", text, i));
		assert_false(jobdir_end(dir, &end));
		text[i] ^= 4;
		assert_true(jobdir_write(dir, "end", text, len));
		assert_false(jobdir_end(dir, &end));
		text[i] ^= 4;
	}
	assert_true(jobdir_write(dir, "end", zero, len));
	assert_false(jobdir_end(dir, &end));
	assert_true(jobdir_write(dir, "end", text, len));
	assert_true(jobdir_end(dir, &end));
	free(text);
	close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sixteen_hex_digits_and_differ),
		SCRATCH_TEST(one_made_anew_is_empty),
		SCRATCH_TEST(what_is_too_big_is_not_read),
		SCRATCH_TEST(the_lock_is_held_by_whoever_inherits_it),
		SCRATCH_TEST(started_names_this_boot),
		SCRATCH_TEST(an_end_is_read_as_it_was_written),
		SCRATCH_TEST(a_failure_tells_its_reason_and_whether_for_later),
		SCRATCH_TEST(a_record_that_is_not_whole_is_none),
	};

	return RUN_TESTS(tests);
}
