#include "run_kit.h"

#include <poll.h>
#include <sys/resource.h>

#include "lib/buf.h"
#include "lib/secret.h"

/* Runs a script to its end. */
static void
run_script(struct seen *s, struct scratch *dir, const char *text,
    int64_t deadline_ms, int64_t grace_ms)
{
	struct run_spec spec = plain_spec("c", script(dir, text));

	spec.deadline_ms = deadline_ms;
	spec.grace_ms = grace_ms;
	seen_run(s, &spec);
}

static void
run_argv(struct seen *s, const char *path, char *const *argv, const char *input,
    int64_t deadline_ms)
{
	struct run_spec spec = plain_spec("c", path);

	spec.argv = argv;
	spec.payload = input;
	spec.deadline_ms = deadline_ms;
	seen_run(s, &spec);
}

static void
every_exit_status_arrives(void **state)
{
	static const char body[] = "#!/bin/sh\nexit $1\n";
	const char *path =
	    scratch_write(*state, "exit", body, sizeof body - 1, 0755);
	char number[16], *argv[] = { (char *)"exit", number, NULL };
	int code;

	for (code = 0; code <= 255; code += 15) {
		struct seen s;

		seen_open(&s, *state);
		snprintf(number, sizeof number, "%d", code);
		run_argv(&s, path, argv, "{}", 60000);
		assert_int_equal(s.end.why, RUN_SELF);
		assert_int_equal(s.end.code, code);
		assert_int_equal(s.end.signal, 0);
		seen_close(&s);
	}
}

/* Though we ignore PIPE and block USR1 ourselves. */
static void
signals_are_at_their_defaults_and_told(void **state)
{
	static const struct {
		const char *name;
		int number;
	} cases[] = {
		{ "HUP", SIGHUP },
		{ "INT", SIGINT },
		{ "KILL", SIGKILL },
		{ "PIPE", SIGPIPE },
		{ "TERM", SIGTERM },
		{ "USR1", SIGUSR1 },
		{ "ALRM", SIGALRM },
	};
	sigset_t usr1;
	size_t i;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	for (i = 0; i < N_OF(cases); i++) {
		char text[64];
		struct seen s;

		seen_open(&s, *state);
		snprintf(
		    text, sizeof text, "kill -%s $$; sleep 5", cases[i].name);
		run_script(&s, *state, text, 60000, 1000);
		assert_int_equal(s.end.why, RUN_SELF);
		assert_int_equal(s.end.code, -1);
		assert_int_equal(s.end.signal, cases[i].number);
		seen_close(&s);
	}
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
}

enum { ROUNDS = 20, STRINGS = 50 };

static char *
random_string(void)
{
	static const char nasty[] = ";`$()'\"\\\n\t -*?[]{}|&<>~#!%=^\x01\x7f";
	unsigned char raw[41];
	char text[41];
	size_t i, n;

	port_random(raw, sizeof raw);
	n = raw[40] % sizeof text;
	for (i = 0; i < n; i++) {
		text[i] = (raw[i] & 1) != 0
			      ? (char)(raw[i] >> 1 | 1)
			      : nasty[raw[i] % (sizeof nasty - 1)];
		if (raw[i] > 250)
			text[i] = (char)raw[i]; /* not even UTF-8 */
	}
	return mem_dupn(text, n);
}

static void
arguments_and_input_arrive_octet_by_octet(void **state)
{
	static const char body[] =
	    "#!/bin/sh\nfor a; do printf '%s\\0' \"$a\"; done; cat >&2\n";
	const char *path =
	    scratch_write(*state, "argv", body, sizeof body - 1, 0755);
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		char *argv[STRINGS + 2] = { (char *)"argv" };
		struct buf want;
		struct seen s;

		buf_init(&want, 1 << 20);
		for (i = 1; i <= STRINGS; i++) {
			argv[i] = random_string();
			buf_add(&want, argv[i], strlen(argv[i]) + 1);
		}
		seen_open(&s, *state);
		run_argv(&s, path, argv, argv[1], 60000);
		assert_int_equal(s.end.code, 0);
		assert_int_equal(s.end.streams[0].bytes, want.len);
		assert_memory_equal(
		    seen_text(&s, "c", 0), want.bytes, want.len);
		assert_string_equal(seen_text(&s, "c", 1), argv[1]);
		seen_close(&s);
		buf_fini(&want);
		for (i = 1; i <= STRINGS; i++)
			free(argv[i]);
	}
}

static void
only_its_three_descriptors_are_open(void **state)
{
	char *argv[] = { (char *)"ls", (char *)"/dev/fd/", NULL };
	int a = open("/dev/null", O_RDONLY), b = dup2(a, 200);
	struct seen s;

	seen_open(&s, *state);
	run_argv(&s, "/bin/ls", argv, "{}", 60000);
	assert_string_equal(
	    seen_text(&s, "c", 0), "0\n1\n2\n3\n"); /* 3: ls's own */
	seen_close(&s);
	close(a);
	close(b);
}

static void
the_environment_is_the_one_given_and_where_the_payload_is(void **state)
{
	char *argv[] = { (char *)"env", NULL };
	char name[JOBDIR_NAME_SIZE], *want;
	struct seen s;

	setenv("EDGE_SECRET", "tell-nobody", 1);
	seen_open(&s, *state);
	run_argv(&s, "/usr/bin/env", argv, "{}", 60000);
	jobdir_name(name, "c");
	want =
	    mem_printf("PATH=/usr/bin:/bin\nEWS_PAYLOAD_FILE=%s/%s/payload\n",
		s.dir, name);
	assert_string_equal(seen_text(&s, "c", 0), want);
	free(want);
	seen_close(&s);
	unsetenv("EDGE_SECRET");
}

static void
the_shim_does_not_have_the_secret(void **state)
{
	struct seen s;

	setenv("EDGE_SECRET", "tell-nobody", 1);
	seen_open(&s, *state);
	run_script(&s, *state,
	    "[ -r /proc/$PPID/environ ] || exit 9\n"
	    "! grep -q tell-nobody /proc/$PPID/environ",
	    60000, 1000);
	if (s.end.code == 9)
		skip(); /* no /proc here */
	assert_int_equal(s.end.code, 0);
	seen_close(&s);
	unsetenv("EDGE_SECRET");
}

static void
it_leads_a_session_of_its_own_and_has_our_umask(void **state)
{
	mode_t before = umask(0077);
	char want[32];
	const char *text;
	struct seen s;

	seen_open(&s, *state);
	run_script(&s, *state, "echo $$; ps -o sid= -p $$; umask", 60000, 1000);
	umask(before);
	if (s.end.code != 0)
		skip(); /* no ps here */
	text = seen_text(&s, "c", 0);
	snprintf(want, sizeof want, "%d", atoi(text));
	assert_non_null(strstr(strchr(text, '\n'), want));
	assert_true(str_ends(text, "0022\n"));
	seen_close(&s);
}

static void
big_input_that_nobody_reads_hurts_nobody(void **state)
{
	char *input = mem_alloc((1 << 20) + 1);
	char *argv[] = { (char *)"script", NULL };
	struct seen s;

	memset(input, 'x', 1 << 20);
	seen_open(&s, *state);
	run_argv(&s, script(*state, "exit 4"), argv, input, 60000);
	assert_int_equal(s.end.code, 4);
	seen_close(&s);
	seen_open(&s, *state);
	run_argv(&s, "/bin/cat", argv, input, 60000);
	assert_int_equal(s.end.streams[0].bytes, 1 << 20);
	seen_close(&s);
	free(input);
}

static void
one_that_ignores_term_is_killed(void **state)
{
	struct seen s;

	seen_open(&s, *state);
	run_script(&s, *state,
	    "trap '' TERM; echo up; while :; do sleep 1; done", 300, 100);
	assert_int_equal(s.end.why, RUN_TIMEOUT);
	assert_int_equal(s.end.signal, SIGKILL);
	seen_close(&s);
}

/* A hub, or a person, repeats what seems not to be heard. */
static void
asking_again_does_not_put_the_kill_off(void **state)
{
	struct run_spec spec = plain_spec("c",
	    script(*state, "trap '' TERM; echo up; while :; do sleep 1; done"));
	struct seen s;

	seen_open(&s, *state);
	s.at_kept = 3;
	seen_start(&s, &spec);
	loop_run(s.loop);
	s.at_kept = 0;
	run_ask(s.run, SIGTERM, 100, RUN_CANCELLED);
	run_ask(s.run, SIGTERM, RUN_GRACE_MAX_MS, RUN_CANCELLED);
	loop_run(s.loop);
	assert_int_equal(s.end.why, RUN_CANCELLED);
	assert_int_equal(s.end.signal, SIGKILL);
	seen_close(&s);
}

/* No shell, which would unblock its signals itself. */
static void
no_signal_is_blocked(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"100", NULL };
	struct seen s;

	seen_open(&s, *state);
	run_argv(&s, "/bin/sleep", argv, "{}", 50);
	assert_int_equal(s.end.why, RUN_TIMEOUT);
	assert_int_equal(s.end.signal, SIGTERM);
	seen_close(&s);
}

static void
one_that_heeds_term_ends_with_its_own_status(void **state)
{
	struct run_spec spec = plain_spec("c",
	    script(*state,
		"trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"));
	struct seen s;

	seen_open(&s, *state);
	s.at_kept = 3;
	seen_start(&s, &spec);
	loop_run(s.loop);
	s.at_kept = 0;
	run_ask(s.run, SIGTERM, 10000, RUN_CANCELLED);
	loop_run(s.loop);
	assert_int_equal(s.end.why, RUN_CANCELLED);
	assert_int_equal(s.end.code, 7);
	seen_close(&s);
}

/* Asked before the shim is there to hear it. */
static void
a_cancel_at_once_is_not_lost(void **state)
{
	struct run_spec spec = plain_spec("c", script(*state, "sleep 100"));
	struct seen s;

	seen_open(&s, *state);
	seen_start(&s, &spec);
	run_ask(s.run, SIGTERM, 1000, RUN_CANCELLED);
	loop_run(s.loop);
	assert_int_equal(s.end.why, RUN_CANCELLED);
	seen_close(&s);
}

/* The daemon holds a fifo, too: its end of file says that it is gone. */
static int
open_fifo(struct scratch *dir, char path[1100])
{
	int fd;

	str_copy(path, 1100, scratch_path(dir, "fifo"));
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd != -1);
	return fd;
}

static void
wait_gone(int fifo)
{
	char byte;

	while (read(fifo, &byte, 1) == -1 && errno == EAGAIN)
		poll(&(struct pollfd){ .fd = fifo }, 1, 10); /* hung up? */
	assert_int_equal(read(fifo, &byte, 1), 0);
	close(fifo);
}

static void
a_daemon_that_keeps_stdout_holds_nothing_up(void **state)
{
	char text[1200], path[1100], byte;
	struct seen s;
	int fd = open_fifo(*state, path);

	snprintf(text, sizeof text,
	    "(trap '' TERM; sleep 100; :) 3>%s & echo hello; exit 3", path);
	seen_open(&s, *state);
	run_script(&s, *state, text, 60000, 1000);
	assert_int_equal(s.end.why, RUN_SELF);
	assert_int_equal(s.end.code, 3);
	assert_string_equal(seen_text(&s, "c", 0), "hello\n");
	assert_int_equal(read(fd, &byte, 1), -1); /* it lives yet */
	wait_gone(fd);
	seen_close(&s);
}

static void
a_stray_in_a_session_of_its_own_ends_with_one_that_is_timed_out(void **state)
{
	char text[1300], path[1100];
	struct seen s;
	int fd = open_fifo(*state, path);

	if (!port_subreaper())
		skip(); /* not to be had here */
	snprintf(text, sizeof text,
	    "(setsid sh -c \"trap '' TERM; echo up; sleep 100; :\" 3>%s &)\n"
	    "sleep 100",
	    path);
	seen_open(&s, *state);
	run_script(&s, *state, text, 1000, 100);
	assert_int_equal(s.end.why, RUN_TIMEOUT);
	assert_string_equal(seen_text(&s, "c", 0), "up\n");
	wait_gone(fd);
	seen_close(&s);
}

static void
a_daemon_in_a_session_of_its_own_outlives_one_that_ends_by_itself(void **state)
{
	char text[1300], path[1100], byte;
	struct seen s;
	int fd = open_fifo(*state, path), pid;

	snprintf(text, sizeof text,
	    "setsid sh -c 'echo $$; exec sleep 100' 3>%s & sleep 0.2", path);
	seen_open(&s, *state);
	run_script(&s, *state, text, 60000, 1000);
	wait_unheld(&s, "c");
	pid = atoi(seen_text(&s, "c", 0));
	if (pid == 0)
		skip(); /* no setsid here */
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	wait_gone(fd);
	seen_close(&s);
}

static void
much_output_on_both_streams_arrives_whole(void **state)
{
	static char bytes[50000000];
	char hex[65];
	struct seen s;

	seen_open(&s, *state);
	run_script(&s, *state,
	    "head -c 50000000 /dev/zero & head -c 50000000 /dev/zero >&2; wait",
	    60000, 1000);
	assert_int_equal(s.end.code, 0);
	secret_sha256_hex(hex, bytes, sizeof bytes);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s.end.streams[i].bytes, sizeof bytes);
		assert_int_equal(s.end.streams[i].kept, sizeof bytes);
		assert_int_equal(s.kept[i], sizeof bytes);
		assert_string_equal(s.end.streams[i].digest, hex);
		assert_int_equal(
		    run_read(s.runs, "c", i, 49999999, bytes, 9), 1);
		bytes[0] = 0;
	}
	seen_close(&s);
}

static void
what_passes_the_bound_is_drained_counted_and_digested(void **state)
{
	struct run_spec spec =
	    plain_spec("c", script(*state, "yes 1234567 | head -c 20000000"));
	char hex[65], *want = mem_alloc(20000000);
	struct seen s;

	for (size_t i = 0; i < 20000000; i++)
		want[i] = "1234567\n"[i % 8];
	seen_open(&s, *state);
	spec.output_max = 1000;
	seen_run(&s, &spec);
	secret_sha256_hex(hex, want, 20000000);
	assert_int_equal(s.end.streams[0].bytes, 20000000);
	assert_int_equal(s.end.streams[0].kept, 1000);
	assert_string_equal(s.end.streams[0].digest, hex);
	assert_int_equal(s.end.streams[0].tail_len, RUN_TAIL);
	assert_memory_equal(
	    s.end.streams[0].tail, want + 20000000 - RUN_TAIL, RUN_TAIL);
	assert_int_equal(strlen(seen_text(&s, "c", 0)), 1000);
	seen_close(&s);
	free(want);
}

/* As one of 10 GB would be. */
static void
an_endless_writer_is_contained(void **state)
{
	struct run_spec spec = plain_spec("c", "/usr/bin/yes");
	struct seen s;

	seen_open(&s, *state);
	spec.output_max = 1 << 20;
	spec.deadline_ms = 500;
	seen_run(&s, &spec);
	assert_int_equal(s.end.why, RUN_TIMEOUT);
	assert_int_equal(s.end.signal, SIGTERM);
	assert_int_equal(s.end.streams[0].kept, 1 << 20);
	assert_true(s.end.streams[0].bytes > 1 << 20);
	seen_close(&s);
}

static void
keeping_stops_when_the_disk_is_needed(void **state)
{
	struct run_spec spec = plain_spec("c", "/usr/bin/yes");
	struct seen s;

	seen_open(&s, *state);
	spec.deadline_ms = 60000;
	s.at_kept = 1 << 20;
	seen_start(&s, &spec);
	loop_run(s.loop);
	s.at_kept = 0;
	run_stop_keeping(s.run);
	run_ask(s.run, SIGTERM, 1000, RUN_CANCELLED);
	loop_run(s.loop);
	assert_true(s.end.streams[0].kept < s.end.streams[0].bytes);
	seen_close(&s);
}

static void
one_that_closes_its_output_runs_on(void **state)
{
	struct seen s;

	seen_open(&s, *state);
	run_script(&s, *state, "exec >&- 2>&-; sleep 0.2; exit 9", 60000, 1000);
	assert_int_equal(s.end.code, 9);
	seen_close(&s);
}

static void
what_cannot_be_executed_says_why(void **state)
{
	static const struct {
		const char *body;
		const char *why;
	} cases[] = {
		{ "touch ran\n", "is no program (no #! line?)" },
		{ "#!/no/such/interpreter\n",
		    "it or its interpreter is missing" },
	};
	struct seen s;

	seen_open(&s, *state);
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct run_spec spec =
		    plain_spec("c", scratch_write(*state, "x", cases[i].body,
					strlen(cases[i].body), 0755));
		struct err err = ERR_INIT;
		struct run *run;

		spec.cwd = ((struct scratch *)*state)->dir;
		seen_start(&s, &spec);
		loop_run(s.loop);
		assert_int_equal(s.fails, i + 1);
		assert_false(s.later);
		assert_true(str_ends(s.error, cases[i].why));
		assert_int_equal(
		    run_find(s.runs, "c", &s, &run, &s.end, &err), RUN_FAILED);
		assert_string_equal(err.text, s.error);
	}
	assert_int_equal(s.starts, 0);
	assert_int_equal(access(scratch_path(*state, "ran"), F_OK), -1);
	seen_close(&s);
}

static void
a_shortage_is_for_later(void **state)
{
	struct rlimit before, low;
	struct run_spec spec = plain_spec("c", "/bin/true");
	struct err err = ERR_INIT;
	bool later = false;
	struct run *run;
	struct seen s;

	seen_open(&s, *state);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 5;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_null(run_start(s.runs, &spec, &s, &later, &err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(later);
	assert_int_equal(
	    run_find(s.runs, "c", &s, &run, &s.end, NULL), RUN_NONE);
	seen_run(&s, &spec);
	assert_int_equal(s.end.code, 0);
	seen_close(&s);
}

static void
a_directory_too_long_for_a_socket_is_refused_with_the_limit(void **state)
{
	char dir[300], shim[PATH_SIZE];
	struct runs_config c = { .dir = dir, .shim = shim };
	struct err err = ERR_INIT;

	(void)state;
	shim_path(shim);
	memset(dir, 'x', sizeof dir);
	dir[0] = '/';
	dir[sizeof dir - 1] = '\0';
	assert_null(runs_new(&c, &err));
	assert_int_equal(err.status, 78);
	assert_non_null(strstr(err.text, " bytes and not 299"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(every_exit_status_arrives),
		SCRATCH_TEST(signals_are_at_their_defaults_and_told),
		SCRATCH_TEST(no_signal_is_blocked),
		SCRATCH_TEST(arguments_and_input_arrive_octet_by_octet),
		SCRATCH_TEST(only_its_three_descriptors_are_open),
		SCRATCH_TEST(
		    the_environment_is_the_one_given_and_where_the_payload_is),
		SCRATCH_TEST(the_shim_does_not_have_the_secret),
		SCRATCH_TEST(it_leads_a_session_of_its_own_and_has_our_umask),
		SCRATCH_TEST(big_input_that_nobody_reads_hurts_nobody),
		SCRATCH_TEST(one_that_ignores_term_is_killed),
		SCRATCH_TEST(asking_again_does_not_put_the_kill_off),
		SCRATCH_TEST(one_that_heeds_term_ends_with_its_own_status),
		SCRATCH_TEST(a_cancel_at_once_is_not_lost),
		SCRATCH_TEST(a_daemon_that_keeps_stdout_holds_nothing_up),
		SCRATCH_TEST(
		    a_stray_in_a_session_of_its_own_ends_with_one_that_is_timed_out),
		SCRATCH_TEST(
		    a_daemon_in_a_session_of_its_own_outlives_one_that_ends_by_itself),
		SCRATCH_TEST(much_output_on_both_streams_arrives_whole),
		SCRATCH_TEST(
		    what_passes_the_bound_is_drained_counted_and_digested),
		SCRATCH_TEST(an_endless_writer_is_contained),
		SCRATCH_TEST(keeping_stops_when_the_disk_is_needed),
		SCRATCH_TEST(one_that_closes_its_output_runs_on),
		SCRATCH_TEST(what_cannot_be_executed_says_why),
		SCRATCH_TEST(a_shortage_is_for_later),
		SCRATCH_TEST(
		    a_directory_too_long_for_a_socket_is_refused_with_the_limit),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
