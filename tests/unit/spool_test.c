#include "check.h"

#include <signal.h>
#include <sys/resource.h>

#include "ewsagent/spool.h"
#include "lib/secret.h"
#include "scratch.h"

static int
open_dir(struct scratch *s)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd != -1);
	return fd;
}

static size_t
file_size(struct scratch *s, const char *name)
{
	struct stat st;

	return stat(scratch_path(s, name), &st) == 0 ? (size_t)st.st_size
						     : SIZE_MAX;
}

static void
bytes_are_counted_digested_and_in_the_file(void **state)
{
	int dir = open_dir(*state);
	struct spool *s = spool_new(dir, "out", 1000);
	struct run_stream sum;
	char hex[65];

	spool_add(s, "hello ", 6);
	assert_int_equal(spool_kept(s), 6);
	assert_int_equal(file_size(*state, "out"), 6);
	spool_add(s, "world", 5);
	spool_sum(s, &sum);
	secret_sha256_hex(hex, "hello world", 11);
	assert_string_equal(sum.digest, hex);
	assert_int_equal(sum.bytes, 11);
	assert_int_equal(sum.kept, 11);
	assert_memory_equal(sum.tail, "hello world", sum.tail_len);
	spool_free(s);
	assert_int_equal(file_size(*state, "out"), 11); /* it stays */
	close(dir);
}

static void
what_passes_a_bound_is_counted_and_not_kept(void **state)
{
	int dir = open_dir(*state);
	struct spool *s = spool_new(dir, "out", 8);
	struct run_stream sum;
	char hex[65];

	spool_add(s, "123456", 6);
	spool_add(s, "7890", 4);
	spool_add(s, "x", 1);
	spool_sum(s, &sum);
	secret_sha256_hex(hex, "1234567890x", 11);
	assert_string_equal(sum.digest, hex);
	assert_int_equal(sum.bytes, 11);
	assert_int_equal(sum.kept, 8);
	assert_int_equal(file_size(*state, "out"), 8);
	spool_free(s);
	close(dir);
}

static void
without_a_bound_there_is_no_file(void **state)
{
	int dir = open_dir(*state);
	struct spool *s = spool_new(dir, "out", 0);

	spool_add(s, "123", 3);
	assert_int_equal(spool_kept(s), 0);
	assert_int_equal(file_size(*state, "out"), SIZE_MAX);
	spool_free(s);
	close(dir);
}

static void
a_stopped_one_counts_on(void **state)
{
	int dir = open_dir(*state);
	struct spool *s = spool_new(dir, "out", 100);
	struct run_stream sum;

	spool_add(s, "123", 3);
	spool_stop(s);
	spool_add(s, "456", 3);
	spool_sum(s, &sum);
	assert_int_equal(sum.bytes, 6);
	assert_int_equal(sum.kept, 3);
	spool_free(s);
	close(dir);
}

/* And what comes when it has room again does not follow a gap. */
static void
a_disk_that_refuses_ends_the_keeping_not_the_counting(void **state)
{
	int dir = open_dir(*state);
	struct spool *s = spool_new(dir, "out", 1 << 20);
	struct rlimit before, low;
	struct run_stream sum;
	char bytes[1000], hex[65];

	memset(bytes, 'x', sizeof bytes);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = 700;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	spool_add(s, bytes, 500);
	spool_add(s, bytes, 400);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	spool_add(s, bytes, 100);
	spool_sum(s, &sum);
	secret_sha256_hex(hex, bytes, 1000);
	assert_int_equal(sum.bytes, 1000);
	assert_int_equal(sum.kept, 700);
	assert_int_equal(file_size(*state, "out"), 700);
	assert_string_equal(sum.digest, hex);
	spool_free(s);
	close(dir);
}

static void
the_tail_is_the_last_kilobyte_however_it_came(void **state)
{
	static const size_t pieces[] = { 1, 7, 100, 1023, 1024, 1025, 5000 };
	int dir = open_dir(*state);
	char all[5000];

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)('a' + i % 26 + i / 260 % 5);
	for (size_t k = 0; k < N_OF(pieces); k++) {
		struct spool *s = spool_new(dir, "out", 0);
		struct run_stream sum;

		for (size_t i = 0; i < sizeof all; i += pieces[k])
			spool_add(s, all + i,
			    sizeof all - i < pieces[k] ? sizeof all - i
						       : pieces[k]);
		spool_sum(s, &sum);
		assert_int_equal(sum.tail_len, RUN_TAIL);
		assert_memory_equal(
		    sum.tail, all + sizeof all - RUN_TAIL, RUN_TAIL);
		spool_free(s);
	}
	close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(bytes_are_counted_digested_and_in_the_file),
		SCRATCH_TEST(what_passes_a_bound_is_counted_and_not_kept),
		SCRATCH_TEST(without_a_bound_there_is_no_file),
		SCRATCH_TEST(a_stopped_one_counts_on),
		SCRATCH_TEST(
		    a_disk_that_refuses_ends_the_keeping_not_the_counting),
		SCRATCH_TEST(the_tail_is_the_last_kilobyte_however_it_came),
	};

	return RUN_TESTS(tests);
}
