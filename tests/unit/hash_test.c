#include "lib/hash.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "lib/mem.h"

struct entry {
	char name[16];
	UT_hash_handle hh;
};

static void
a_table_finds_what_was_put_in(void **state)
{
	enum { MANY = 10000 };
	struct entry *entries = mem_alloc(MANY * sizeof *entries);
	struct entry *table = NULL, *found;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		snprintf(entries[i].name, sizeof entries[i].name, "id%d", i);
		HASH_ADD_STR(table, name, &entries[i]);
	}
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "id%d", i);
		HASH_FIND_STR(table, name, found);
		assert_ptr_equal(found, &entries[i]);
	}
	HASH_FIND_STR(table, "other", found);
	assert_null(found);
	HASH_CLEAR(hh, table);
	free(entries);
}

static void
every_byte_and_the_length_count(void **state)
{
	char bytes[32] = { 0 };
	size_t len, at;

	(void)state;
	for (len = 1; len < sizeof bytes; len++) {
		uint64_t whole = hash_bytes(bytes, len);

		assert_true(whole != hash_bytes(bytes, len - 1));
		assert_true(whole == hash_bytes(bytes, len));
		for (at = 0; at < len; at++) {
			bytes[at] = 1;
			assert_true(whole != hash_bytes(bytes, len));
			bytes[at] = 0;
		}
	}
}

/* The hash of one word as another run of this program computes it. */
static uint64_t
elsewhere(const char *program)
{
	uint64_t hash = 0;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		execl(program, program, "hash", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &hash, sizeof hash), sizeof hash);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return hash;
}

static const char *self;

static void
no_two_processes_hash_alike(void **state)
{
	(void)state;
	assert_true(elsewhere(self) != elsewhere(self));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_finds_what_was_put_in),
		cmocka_unit_test(every_byte_and_the_length_count),
		cmocka_unit_test(no_two_processes_hash_alike),
	};

	self = argv[0];
	if (argc > 1) {
		uint64_t hash = hash_bytes("word", 4);

		return write(1, &hash, sizeof hash) == sizeof hash ? 0 : 1;
	}
	return RUN_TESTS(tests);
}
