#include "run_kit.h"

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/secret.h"

/* An agent that starts one handler and is killed without warning. */
static void
start_and_be_killed(struct scratch *dir, const struct run_spec *spec)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct seen s;

		seen_open(&s, dir);
		s.at_start = true;
		seen_start(&s, spec);
		loop_run(s.loop);
		while (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	close(ready[1]);
}

static enum run_found
find(struct seen *s, const char *id)
{
	struct err err = ERR_INIT;

	return run_find(s->runs, id, s, &s->run, &s->end, &err);
}

/* A handler that waits until there is a file, so that a test says when. */
static const char *
waiting(struct scratch *dir, const char *then)
{
	char *text = mem_printf("echo one; until [ -e %s/go ]; do sleep 0.02; "
				"done; echo two; echo err >&2; %s",
	    dir->dir, then);
	const char *path = script(dir, text);

	free(text);
	return path;
}

static void
go(struct scratch *dir)
{
	char path[600];

	snprintf(path, sizeof path, "%s/go", dir->dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
}

static void
a_handler_outlives_its_agent_and_the_next_hears_its_end(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, "exit 7"));
	char hex[65];
	struct seen s;

	start_and_be_killed(*state, &spec);
	seen_open(&s, *state);
	assert_int_equal(find(&s, "c"), RUN_ALIVE);
	s.at_kept = 4;
	loop_run(s.loop);
	assert_int_equal(s.starts, 1);
	assert_true(run_pid(s.run) > 0);
	s.at_kept = 0;
	go(*state);
	loop_run(s.loop);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end.code, 7);
	assert_int_equal(s.end.why, RUN_SELF);
	assert_true(s.end.started_ms > 0);
	assert_true(s.end.ended_ms >= s.end.started_ms);
	assert_string_equal(seen_text(&s, "c", 0), "one\ntwo\n");
	assert_string_equal(seen_text(&s, "c", 1), "err\n");
	secret_sha256_hex(hex, "one\ntwo\n", 8);
	assert_string_equal(s.end.streams[0].digest, hex);
	seen_close(&s);
}

static void
an_end_that_no_agent_saw_is_found(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, "kill -9 $$"));
	struct seen s;

	start_and_be_killed(*state, &spec);
	seen_open(&s, *state);
	go(*state);
	wait_unheld(&s, "c");
	assert_int_equal(find(&s, "c"), RUN_ENDED);
	assert_int_equal(s.end.code, -1);
	assert_int_equal(s.end.signal, SIGKILL);
	assert_int_equal(s.end.streams[0].kept, 8);
	assert_int_equal(find(&s, "c"), RUN_ENDED); /* as often as asked */
	run_forget(s.runs, "c");
	assert_int_equal(find(&s, "c"), RUN_NONE);
	seen_close(&s);
}

static void
an_adopted_one_can_be_cancelled(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, ""));
	struct seen s;

	start_and_be_killed(*state, &spec);
	seen_open(&s, *state);
	assert_int_equal(find(&s, "c"), RUN_ALIVE);
	run_ask(s.run, SIGTERM, 1000, RUN_CANCELLED);
	loop_run(s.loop);
	assert_int_equal(s.end.why, RUN_CANCELLED);
	assert_int_equal(s.end.signal, SIGTERM);
	seen_close(&s);
}

static void
freeing_lets_go_of_what_runs(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, ""));
	struct seen s;

	seen_open(&s, *state);
	s.at_start = true;
	seen_start(&s, &spec);
	loop_run(s.loop);
	seen_close(&s);
	assert_int_equal(s.ends + s.losses, 0);
	seen_open(&s, *state);
	assert_int_equal(find(&s, "c"), RUN_ALIVE);
	go(*state);
	loop_run(s.loop);
	assert_int_equal(s.end.code, 0);
	seen_close(&s);
}

static void
a_newer_agent_replaces_the_one_before(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, ""));
	struct seen a, b;

	seen_open(&a, *state);
	a.at_kept = 4;
	seen_start(&a, &spec);
	loop_run(a.loop);
	seen_open(&b, *state);
	assert_int_equal(find(&b, "c"), RUN_ALIVE);
	b.at_kept = 4;
	loop_run(b.loop); /* is told what is so */
	b.at_kept = 0;
	go(*state);
	loop_run(b.loop);
	assert_int_equal(b.ends, 1);
	assert_int_equal(b.starts, 1);
	seen_close(&b);
	seen_close(&a);
}

static void
a_killed_shim_is_lost_and_takes_its_handler_along(void **state)
{
	struct run_spec spec =
	    plain_spec("c", script(*state, "echo $$; exec sleep 100"));
	struct seen s;
	pid_t pid;

	seen_open(&s, *state);
	s.at_kept = 2;
	seen_start(&s, &spec);
	loop_run(s.loop);
	pid = atoi(seen_text(&s, "c", 0));
	assert_true(pid > 1);
	kill(run_pid(s.run), SIGKILL);
	loop_run(s.loop);
	assert_int_equal(s.losses, 1);
	assert_int_equal(find(&s, "c"), RUN_LOST);
	if (port_subreaper()) { /* where the system can */
		while (kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0)
			usleep(1000);
	} else {
		kill(pid, SIGKILL);
	}
	seen_close(&s);
}

/* Descriptors run out, but for 'left'. */
static void
run_short(struct rlimit *before, rlim_t left)
{
	struct rlimit low;
	int next = dup(0);

	assert_true(next != -1);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	low = *before;
	low.rlim_cur = (rlim_t)next + left;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
}

/* Else it would be run again, or told as interrupted, while it runs. */
static void
without_descriptors_what_runs_is_not_taken_for_gone(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, "exit 7"));
	struct err err = ERR_INIT;
	struct rlimit before;
	struct seen s;
	bool later = false;

	start_and_be_killed(*state, &spec);
	for (rlim_t left = 0; left < 3; left++) {
		seen_open(&s, *state);
		run_short(&before, left);
		assert_null(run_start(s.runs, &spec, &s, &later, &err));
		assert_true(later);
		assert_int_equal(find(&s, "c"), RUN_ALIVE);
		for (int i = 0; i < 3; i++)
			uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(s.fails + s.losses, 0);
		if (left < 2)
			seen_close(&s);
	}
	go(*state);
	loop_run(s.loop);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end.code, 7);
	seen_close(&s);
}

/* Of one whose shim is gone before it has said a word. */
static void
at_its_last_events_the_run_is_still_there(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, "exit 7"));
	struct rlimit before;
	struct seen s;

	start_and_be_killed(*state, &spec);
	seen_open(&s, *state);
	s.asks = true;
	run_short(&before, 0);
	assert_int_equal(find(&s, "c"), RUN_ALIVE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	go(*state);
	wait_unheld(&s, "c");
	loop_run(s.loop);
	assert_int_equal(s.starts, 1);
	assert_int_equal(s.kept[0], 8);
	assert_int_equal(s.ends, 1);
	seen_close(&s);
}

static void
what_was_prepared_and_not_started_is_none(void **state)
{
	char name[JOBDIR_NAME_SIZE];
	struct seen s;
	int jobs, dir;

	seen_open(&s, *state);
	assert_int_equal(find(&s, "c"), RUN_NONE);
	jobs = open_jobs(&s);
	jobdir_name(name, "c");
	dir = jobdir_make(jobs, name);
	assert_int_equal(find(&s, "c"), RUN_NONE);
	close(jobdir_lock(dir, true));
	assert_true(jobdir_write(dir, "id", "c", 1));
	assert_true(jobdir_write(dir, "spec", "torn", 4));
	assert_int_equal(find(&s, "c"), RUN_NONE);
	close(dir);
	close(jobs);
	seen_close(&s);
}

/* As a disk may leave it that was switched off in the middle. */
static void
a_torn_end_is_no_end(void **state)
{
	struct run_spec spec = plain_spec("c", "/bin/true");
	char *text;
	struct seen s;
	size_t len;
	int dir;

	seen_open(&s, *state);
	seen_run(&s, &spec);
	wait_unheld(&s, "c");
	dir = open_job(&s, "c");
	text = jobdir_read(dir, "end", 65536, &len);
	assert_non_null(text);
	for (size_t cut = 0; cut < len; cut += 7) {
		assert_true(jobdir_write(dir, "end", text, cut));
		assert_int_equal(find(&s, "c"), RUN_LOST);
	}
	text[10] ^= 1;
	assert_true(jobdir_write(dir, "end", text, len));
	assert_int_equal(find(&s, "c"), RUN_LOST);
	text[10] ^= 1;
	assert_true(jobdir_write(dir, "end", text, len));
	assert_int_equal(find(&s, "c"), RUN_ENDED);
	free(text);
	close(dir);
	seen_close(&s);
}

static bool
keep_kept(void *arg, const char *id)
{
	(void)arg;
	return str_eq(id, "kept");
}

static void
sweeping_spares_what_is_wanted_and_what_runs(void **state)
{
	struct run_spec kept = plain_spec("kept", "/bin/true");
	struct run_spec gone = plain_spec("gone", "/bin/true");
	struct run_spec runs = plain_spec("runs", waiting(*state, ""));
	struct seen s, r;

	seen_open(&s, *state);
	seen_run(&s, &kept);
	s.ends = s.starts = 0;
	seen_run(&s, &gone);
	wait_unheld(&s, "gone");
	seen_open(&r, *state);
	r.at_kept = 1;
	seen_start(&r, &runs);
	loop_run(r.loop);
	runs_sweep(s.runs, keep_kept, NULL);
	assert_int_equal(find(&s, "gone"), RUN_NONE);
	assert_int_equal(open_job(&s, "gone"), -1);
	assert_int_equal(find(&s, "kept"), RUN_ENDED);
	r.at_kept = 0;
	go(*state);
	loop_run(r.loop);
	assert_int_equal(r.end.code, 0);
	seen_close(&r);
	seen_close(&s);
}

static void
an_id_runs_once_at_a_time_and_anew_after_its_end(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, ""));
	struct seen s;
	bool later;

	seen_open(&s, *state);
	seen_start(&s, &spec);
	assert_null(run_start(s.runs, &spec, &s, &later, NULL));
	go(*state);
	loop_run(s.loop);
	assert_int_equal(s.ends, 1);
	s.kept[0] = s.kept[1] = 0;
	seen_start(&s, &spec); /* its first shim may not have left yet */
	loop_run(s.loop);
	assert_int_equal(s.ends, 2);
	assert_string_equal(seen_text(&s, "c", 0), "one\ntwo\n");
	seen_close(&s);
}

static void
term_to_the_shim_is_for_its_handler(void **state)
{
	struct run_spec spec = plain_spec(
	    "c", script(*state,
		     "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep"
		     " 0.05; done"));
	struct seen s;

	seen_open(&s, *state);
	s.at_kept = 3;
	seen_start(&s, &spec);
	loop_run(s.loop);
	s.at_kept = 0;
	kill(run_pid(s.run), SIGINT); /* and these for nobody */
	kill(run_pid(s.run), SIGHUP);
	kill(run_pid(s.run), SIGTERM);
	loop_run(s.loop);
	assert_int_equal(s.end.why, RUN_SELF);
	assert_int_equal(s.end.code, 5);
	assert_string_equal(seen_text(&s, "c", 0), "up\nbye\n");
	seen_close(&s);
}

#ifdef __linux__
/* The shim may write no byte, as on a full disk; then there is room. */
static void
an_end_that_finds_no_room_is_told_when_there_is_some(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, "exit 4"));
	struct rlimit none = { 0, RLIM_INFINITY };
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char path[64];
	struct seen s;
	pid_t shim;

	seen_open(&s, *state);
	s.at_kept = 4;
	seen_start(&s, &spec);
	loop_run(s.loop);
	s.at_kept = 0;
	shim = run_pid(s.run);
	assert_int_equal(prlimit(shim, RLIMIT_FSIZE, &none, NULL), 0);
	go(*state);
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", shim, shim);
	for (bool running = true; running;) {
		FILE *f = fopen(path, "re");
		int pid;

		running = fscanf(f, "%d", &pid) == 1;
		fclose(f);
		uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
	}
	assert_int_equal(find(&s, "c"), RUN_ALIVE); /* no end was told */
	assert_int_equal(s.ends + s.losses + s.fails, 0);
	assert_int_equal(prlimit(shim, RLIMIT_FSIZE, &all, NULL), 0);
	loop_run(s.loop);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end.code, 4);
	assert_int_equal(s.end.streams[0].bytes, 8);
	assert_int_equal(s.end.streams[0].kept, 4); /* and no gap */
	seen_close(&s);
}
#endif

static void
a_spool_that_a_power_cut_made_shorter_is_told_shorter(void **state)
{
	struct run_spec spec = plain_spec("c", script(*state, "echo 12345"));
	struct seen s;
	int dir;

	seen_open(&s, *state);
	seen_run(&s, &spec);
	assert_int_equal(s.end.streams[0].kept, 6);
	dir = open_job(&s, "c");
	assert_true(jobdir_write(dir, "out", "123", 3));
	close(dir);
	assert_int_equal(find(&s, "c"), RUN_ENDED);
	assert_int_equal(s.end.streams[0].bytes, 6);
	assert_int_equal(s.end.streams[0].kept, 3);
	seen_close(&s);
}

static void
paths_from_here_mean_the_same_to_the_shim(void **state)
{
	struct run_spec spec =
	    plain_spec("c", script(*state, "pwd; cat \"$EWS_PAYLOAD_FILE\""));
	struct scratch here = { .dir = "." };
	char before[4096], want[600];
	struct seen s;

	assert_non_null(getcwd(before, sizeof before));
	assert_int_equal(chdir(((struct scratch *)*state)->dir), 0);
	seen_open(&s, &here);
	spec.cwd = ".";
	spec.payload = "{\"a\":1}";
	seen_run(&s, &spec);
	assert_non_null(getcwd(want, sizeof want - 10));
	strcat(want, "\n{\"a\":1}");
	assert_string_equal(seen_text(&s, "c", 0), want);
	seen_close(&s);
	assert_int_equal(chdir(before), 0);
}

/* As when somebody empties the state directory. */
static void
a_shim_whose_directory_is_gone_leaves(void **state)
{
	struct run_spec spec = plain_spec("c", waiting(*state, ""));
	struct seen s;
	int dir, lock;

	seen_open(&s, *state);
	s.at_kept = 4;
	seen_start(&s, &spec);
	loop_run(s.loop);
	dir = open_job(&s, "c");
	lock = openat(dir, "lock", O_RDWR | O_CLOEXEC);
	close(dir);
	run_forget(s.runs, "c");
	go(*state);
	while (flock(lock, LOCK_EX | LOCK_NB) == -1)
		usleep(5000);
	close(lock);
	seen_close(&s);
}

/* ---- input --------------------------------------------------------------- */

enum { MUCH = 5 << 20, WINDOW = 256 << 10 };

/* Sends to its end within the window, looking at each report. */
static void
pour(struct seen *s, const char *bytes, size_t len)
{
	uint64_t sent = run_input_offset(s->run);

	while (s->poured < len) {
		size_t n = len - sent;

		if (n > s->poured + WINDOW - sent)
			n = (size_t)(s->poured + WINDOW - sent);
		assert_true(
		    run_input(s->run, sent, bytes + sent, n, sent + n == len));
		sent += n;
		s->at_poured = s->poured + 1;
		loop_run(s->loop);
	}
}

static void
streamed_input_arrives_whole_and_in_order(void **state)
{
	struct run_spec spec = plain_spec("c", "/bin/cat");
	char *bytes = mem_alloc(MUCH), *got = mem_alloc(MUCH);
	struct seen s;
	size_t n, all = 0;

	port_random(bytes, MUCH);
	spec.stdin_stream = true;
	seen_open(&s, *state);
	seen_start(&s, &spec);
	pour(&s, bytes, MUCH);
	while (s.ends == 0)
		loop_run(s.loop);
	assert_int_equal(s.end.code, 0);
	assert_true(s.shut);
	assert_int_equal(s.end.streams[0].bytes, MUCH);
	while ((n = run_read(s.runs, "c", 0, all, got + all, MUCH - all)) > 0)
		all += n;
	assert_int_equal(all, MUCH);
	assert_memory_equal(got, bytes, MUCH);
	free(bytes);
	free(got);
	seen_close(&s);
}

static void
input_that_overlaps_is_cut_and_a_gap_is_dropped_whole(void **state)
{
	struct run_spec spec = plain_spec("c", "/bin/cat");
	struct seen s;

	spec.stdin_stream = true;
	seen_open(&s, *state);
	seen_start(&s, &spec);
	assert_true(run_input(s.run, 0, "hello ", 6, false));
	assert_int_equal(run_input_offset(s.run), 6);
	assert_false(run_input(s.run, 7, "orld", 4, true));
	assert_true(run_input(s.run, 0, "hel", 3, true)); /* all old: no eof */
	assert_true(run_input(s.run, 4, "o world", 7, false));
	assert_true(run_input(s.run, 11, "", 0, true));
	while (s.ends == 0)
		loop_run(s.loop);
	assert_string_equal(seen_text(&s, "c", 0), "hello world");
	assert_int_equal(s.poured, 11);
	seen_close(&s);
}

static void
the_next_agent_goes_on_with_the_input(void **state)
{
	struct run_spec spec = plain_spec("c", "/bin/cat");
	struct seen s;

	spec.stdin_stream = true;
	start_and_be_killed(*state, &spec);
	seen_open(&s, *state);
	assert_int_equal(find(&s, "c"), RUN_ALIVE);
	assert_false(run_input(s.run, 0, "x", 1, false)); /* not known yet */
	s.at_start = true;
	loop_run(s.loop);
	assert_true(run_input(s.run, 0, "first ", 6, false));
	s.at_poured = 6;
	loop_run(s.loop);
	seen_close(&s);
	seen_open(&s, *state);
	assert_int_equal(find(&s, "c"), RUN_ALIVE);
	s.at_start = true;
	loop_run(s.loop);
	assert_int_equal(run_input_offset(s.run), 6);
	assert_true(run_input(s.run, 3, "st second", 9, true));
	while (s.ends == 0)
		loop_run(s.loop);
	assert_string_equal(seen_text(&s, "c", 0), "first second");
	seen_close(&s);
}

static void
one_that_reads_no_more_says_so(void **state)
{
	struct run_spec spec =
	    plain_spec("c", script(*state, "exec <&-; echo shut; sleep 100"));
	char bytes[1000] = { 0 };
	struct seen s;

	spec.stdin_stream = true;
	seen_open(&s, *state);
	s.at_shut = true;
	seen_start(&s, &spec);
	assert_true(run_input(s.run, 0, bytes, sizeof bytes, false));
	loop_run(s.loop);
	assert_true(s.shut);
	run_ask(s.run, SIGKILL, 0, RUN_CANCELLED);
	loop_run(s.loop);
	assert_int_equal(s.ends, 1);
	seen_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(
		    a_handler_outlives_its_agent_and_the_next_hears_its_end),
		SCRATCH_TEST(an_end_that_no_agent_saw_is_found),
		SCRATCH_TEST(an_adopted_one_can_be_cancelled),
		SCRATCH_TEST(freeing_lets_go_of_what_runs),
		SCRATCH_TEST(a_newer_agent_replaces_the_one_before),
		SCRATCH_TEST(a_killed_shim_is_lost_and_takes_its_handler_along),
		SCRATCH_TEST(
		    without_descriptors_what_runs_is_not_taken_for_gone),
		SCRATCH_TEST(at_its_last_events_the_run_is_still_there),
		SCRATCH_TEST(what_was_prepared_and_not_started_is_none),
		SCRATCH_TEST(a_torn_end_is_no_end),
		SCRATCH_TEST(sweeping_spares_what_is_wanted_and_what_runs),
		SCRATCH_TEST(an_id_runs_once_at_a_time_and_anew_after_its_end),
		SCRATCH_TEST(term_to_the_shim_is_for_its_handler),
#ifdef __linux__
		SCRATCH_TEST(
		    an_end_that_finds_no_room_is_told_when_there_is_some),
#endif
		SCRATCH_TEST(
		    a_spool_that_a_power_cut_made_shorter_is_told_shorter),
		SCRATCH_TEST(paths_from_here_mean_the_same_to_the_shim),
		SCRATCH_TEST(a_shim_whose_directory_is_gone_leaves),
		SCRATCH_TEST(streamed_input_arrives_whole_and_in_order),
		SCRATCH_TEST(
		    input_that_overlaps_is_cut_and_a_gap_is_dropped_whole),
		SCRATCH_TEST(the_next_agent_goes_on_with_the_input),
		SCRATCH_TEST(one_that_reads_no_more_says_so),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
