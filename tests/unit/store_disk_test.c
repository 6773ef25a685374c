#include <sqlite3.h>

#include "disk_kit.h"
#include "store_kit.h"

/* ---- kill -9 -------------------------------------------------------------- */

/* Says an id once it is told that the id is stored. */
struct say {
	char id[32];
	int fd;
};

static void
say(void *arg, enum store_accepted a, const struct store_command *c,
    const struct err *err)
{
	struct say *s = arg;

	(void)a;
	(void)c;
	if (err != NULL || write(s->fd, s->id, sizeof s->id) != sizeof s->id)
		_exit(1);
	free(s);
}

static void
accept_for_ever(struct scratch *scratch, int round, int fd)
{
	struct store *st = try_open(scratch, NULL);

	if (st == NULL)
		_exit(1);
	for (int i = 0;; i++) {
		struct say *s = calloc(1, sizeof *s);
		struct store_command c = a_command(s->id);

		s->fd = fd;
		snprintf(s->id, sizeof s->id, "r%d-%d", round, i);
		if (!store_accept(st, &c, say, s, NULL)) {
			free(s);
			store_flush(st);
		}
		store_drain(st);
	}
}

/* Reads 'n' ids, then kills; what was still said is read, too. */
static size_t
kill_after(struct scratch *s, int round, size_t n, char (*ids)[32], size_t max)
{
	int fds[2], status;
	size_t got = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		accept_for_ever(s, round, fds[1]);
	}
	close(fds[1]);
	while (got < max && read(fds[0], ids[got], 32) == 32) {
		if (++got == n)
			kill(pid, SIGKILL);
	}
	close(fds[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return got;
}

static void
no_id_that_was_said_is_lost_by_kill_9(void **state)
{
	enum { ROUNDS = 20, MAX = 20000 };
	char(*ids)[32] = calloc(MAX, sizeof *ids);
	size_t total = 0;
	struct store *st;

	assert_non_null(ids);
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = 1 + (size_t)rand() % 300;
		size_t got =
		    kill_after(*state, round, n, ids + total, MAX - total);

		assert_true(got >= n);
		total += got;
	}
	st = must_open(*state);
	for (size_t i = 0; i < total; i++) {
		if (get(st, ids[i]).n != 1)
			fail_msg("%s of %zu is lost", ids[i], total);
	}
	store_close(st);
	free(ids);
}

/* ---- a full disk ---------------------------------------------------------- */

static struct verdict
accept_big(struct store *st, const char *id)
{
	static char big[300000];
	struct store_command c = a_command(id);
	struct verdict v = { 0, STORE_NEW, CMD_STATES, 0 };

	memset(big, ' ', sizeof big);
	c.payload = big;
	c.payload_len = sizeof big;
	CHECK(store_accept(st, &c, on_accept, &v, NULL));
	while (v.done == 0)
		store_flush(st);
	return v;
}

static void
fill_the_disk(struct scratch *scratch)
{
	static char note[200000];
	struct store_step s = { .state = CMD_DONE, .at_ms = 1, .note = note };
	struct store_stats stats;
	struct seen seen = { 0 };
	int step_status = -1;
	struct store *st = try_open(scratch, NULL);

	CHECK(st != NULL);
	memset(note, 'n', sizeof note - 1);
	CHECK(accept_big(st, "c1").status == 0);
	limit_files(400000);
	CHECK(accept_big(st, "c2").status == EXIT_IO);
	CHECK(store_step(st, "c1", &s, on_done, &step_status));
	CHECK(accept_big(st, "c3").status == EXIT_IO);
	CHECK(step_status == -1);
	CHECK(store_get(st, "c1", see_got, &seen, NULL));
	while (seen.done == 0)
		store_flush(st);
	CHECK(seen.n == 1 && seen.lines == 1);
	store_stats(st, &stats);
	CHECK(stats.failing && stats.failures > 0 && stats.waiting == 1);

	limit_files(RLIM_INFINITY);
	while (step_status == -1)
		store_flush(st);
	CHECK(step_status == 0);
	CHECK(accept_big(st, "c2").status == 0);
	store_close(st);
}

static void
a_full_disk_refuses_what_is_new_and_keeps_the_steps(void **state)
{
	static const struct store_filter all = { .limit = 10 };
	struct store *st;

	in_child(*state, fill_the_disk, 0);
	st = must_open(*state);
	assert_string_equal(list(st, &all).text, "c2:accepted c1:done ");
	store_close(st);
}

/* ---- rot ------------------------------------------------------------------ */

static void
tamper(struct scratch *s, const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(scratch_path(s, "ews.db"), &h), 0);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

static void
what_rotted_is_dead_and_said_so(void **state)
{
	static const char *const rot[] = {
		"UPDATE payloads SET payload = '{\"text\":\"ho\"}'",
		"UPDATE payloads SET digest = 'x'",
		"DELETE FROM payloads",
		"UPDATE commands SET agent = 'maxi'",
		"UPDATE commands SET type = 'rm'",
		"UPDATE commands SET argv = '[\"-r\"]'",
		"UPDATE commands SET state = '?'",
	};

	for (size_t i = 0; i < N_OF(rot); i++) {
		struct store *st = must_open(*state);
		char id[8];
		struct seen s;

		snprintf(id, sizeof id, "c%zu", i);
		accept_new(st, id);
		store_close(st);
		tamper(*state, rot[i]);
		st = must_open(*state);
		s = get(st, id);
		assert_non_null(strstr(s.text, " dead "));
		s = load(st);
		assert_int_equal(s.n, 1); /* reported, once */
		assert_non_null(strstr(s.text, ":dead "));
		store_flush(st);
		s = get(st, id);
		assert_non_null(strstr(s.history, "dead@"));
		assert_int_equal(load(st).n, 0);
		store_close(st);
	}
}

static void
a_second_hub_is_refused(void **state)
{
	struct err err = ERR_INIT;
	struct store *st = must_open(*state);

	assert_null(try_open(*state, &err));
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_non_null(strstr(err.text, "in use"));
	store_close(st);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(no_id_that_was_said_is_lost_by_kill_9),
		SCRATCH_TEST(
		    a_full_disk_refuses_what_is_new_and_keeps_the_steps),
		SCRATCH_TEST(what_rotted_is_dead_and_said_so),
		SCRATCH_TEST(a_second_hub_is_refused),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
