#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include "ewsagent/run.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/port.h"
#include "lib/str.h"
#include "scratch.h"

struct seen {
	struct loop *loop;
	struct runs *runs;
	struct run *run;
	struct buf out[2];
	uint64_t bytes[2];
	struct run_end end;
	unsigned ends;
	const char *ask_at; /* cancels when stdout has this */
};

static void
on_output(void *arg, int stream, const char *bytes, size_t len)
{
	struct seen *s = arg;

	s->bytes[stream] += len;
	if (s->out[stream].len < 1 << 20)
		buf_add(&s->out[stream], bytes, len);
	if (s->ask_at != NULL && strstr(s->out[0].bytes, s->ask_at) != NULL) {
		s->ask_at = NULL;
		run_ask(s->run, SIGTERM, 10000, RUN_CANCELLED);
	}
}

static void
on_end(void *arg, const struct run_end *end)
{
	struct seen *s = arg;

	s->end = *end;
	s->ends++;
	loop_stop(s->loop);
}

static const struct run_events events = { on_output, on_end };

static void
open_seen(struct seen *s)
{
	memset(s, 0, sizeof *s);
	buf_init(&s->out[0], 2 << 20);
	buf_init(&s->out[1], 2 << 20);
	s->loop = loop_new();
	s->runs = runs_new(s->loop, &events);
}

static void
close_seen(struct seen *s)
{
	runs_free(s->runs);
	loop_free(s->loop);
	buf_fini(&s->out[0]);
	buf_fini(&s->out[1]);
}

static char *const plain_env[] = { (char *)"PATH=/usr/bin:/bin", NULL };

/* Runs it to its end. */
static void
run_all(struct seen *s, const char *path, char *const *argv, const char *input,
    int64_t deadline_ms, int64_t grace_ms)
{
	struct run_spec spec = { { path, argv, plain_env, "/" }, mem_dup(input),
		deadline_ms, grace_ms };
	struct err err = ERR_INIT;
	bool later;

	s->run = run_start(s->runs, &spec, s, &later, &err);
	if (s->run == NULL)
		fail_msg("%s", err.text);
	assert_true(run_pid(s->run) > 0);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
}

static void
run_script(struct seen *s, struct scratch *dir, const char *text,
    int64_t deadline_ms, int64_t grace_ms)
{
	char *body = mem_printf("#!/bin/sh\n%s\n", text);
	const char *path =
	    scratch_write(dir, "script", body, strlen(body), 0755);
	char *argv[] = { (char *)"script", NULL };

	run_all(s, path, argv, "{}", deadline_ms, grace_ms);
	free(body);
}

static void
every_exit_status_arrives(void **state)
{
	static const char body[] = "#!/bin/sh\nexit $1\n";
	const char *path =
	    scratch_write(*state, "exit", body, sizeof body - 1, 0755);
	char number[16], *argv[] = { (char *)"exit", number, NULL };
	int code;

	for (code = 0; code <= 255; code++) {
		struct seen s;

		open_seen(&s);
		snprintf(number, sizeof number, "%d", code);
		run_all(&s, path, argv, "{}", 60000, 1000);
		assert_int_equal(s.end.why, RUN_SELF);
		assert_int_equal(s.end.code, code);
		assert_int_equal(s.end.signal, 0);
		close_seen(&s);
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

		open_seen(&s);
		snprintf(
		    text, sizeof text, "kill -%s $$; sleep 5", cases[i].name);
		run_script(&s, *state, text, 60000, 1000);
		assert_int_equal(s.end.why, RUN_SELF);
		assert_int_equal(s.end.code, -1);
		assert_int_equal(s.end.signal, cases[i].number);
		close_seen(&s);
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
		open_seen(&s);
		run_all(&s, path, argv, argv[1], 60000, 1000);
		assert_int_equal(s.end.code, 0);
		assert_int_equal(s.out[0].len, want.len);
		assert_memory_equal(s.out[0].bytes, want.bytes, want.len);
		assert_int_equal(s.out[1].len, strlen(argv[1]));
		if (s.out[1].len > 0)
			assert_memory_equal(
			    s.out[1].bytes, argv[1], s.out[1].len);
		close_seen(&s);
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

	(void)state;
	open_seen(&s);
	run_all(&s, "/bin/ls", argv, "{}", 60000, 1000);
	assert_string_equal(s.out[0].bytes, "0\n1\n2\n3\n"); /* 3: ls's own */
	close_seen(&s);
	close(a);
	close(b);
}

static void
the_environment_is_the_one_given(void **state)
{
	char *argv[] = { (char *)"env", NULL };
	struct seen s;

	(void)state;
	setenv("EDGE_SECRET", "tell-nobody", 1);
	open_seen(&s);
	run_all(&s, "/usr/bin/env", argv, "{}", 60000, 1000);
	assert_string_equal(s.out[0].bytes, "PATH=/usr/bin:/bin\n");
	close_seen(&s);
	unsetenv("EDGE_SECRET");
}

static void
it_leads_a_session_of_its_own_and_has_our_umask(void **state)
{
	mode_t before = umask(0077);
	char want[32];
	struct seen s;

	open_seen(&s);
	run_script(&s, *state, "echo $$; ps -o sid= -p $$; umask", 60000, 1000);
	umask(before);
	if (s.end.code != 0)
		skip(); /* no ps here */
	snprintf(want, sizeof want, "%d", atoi(s.out[0].bytes));
	assert_non_null(strstr(strchr(s.out[0].bytes, '\n'), want));
	assert_true(str_ends(s.out[0].bytes, "0022\n"));
	close_seen(&s);
}

static void
big_input_that_nobody_reads_hurts_nobody(void **state)
{
	char *input = mem_alloc((1 << 20) + 1);
	char *argv[] = { (char *)"script", NULL };
	struct seen s;

	memset(input, 'x', 1 << 20);
	open_seen(&s);
	run_script(&s, *state, "exit 4", 60000, 1000);
	assert_int_equal(s.end.code, 4);
	close_seen(&s);
	open_seen(&s);
	run_all(&s, ((struct scratch *)*state)->path, argv, input, 60000, 1000);
	assert_int_equal(s.end.code, 4);
	close_seen(&s);
	open_seen(&s);
	run_all(&s, "/bin/cat", argv, input, 60000, 1000);
	assert_int_equal(s.bytes[0], 1 << 20);
	close_seen(&s);
	free(input);
}

static void
one_that_ignores_term_is_killed(void **state)
{
	struct seen s;

	open_seen(&s);
	run_script(&s, *state,
	    "trap '' TERM; echo up; while :; do sleep 1; done", 300, 100);
	assert_int_equal(s.end.why, RUN_TIMEOUT);
	assert_int_equal(s.end.signal, SIGKILL);
	close_seen(&s);
}

/* No shell, which would unblock its signals itself. */
static void
no_signal_is_blocked(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"100", NULL };
	struct seen s;

	(void)state;
	open_seen(&s);
	run_all(&s, "/bin/sleep", argv, "{}", 50, 1000);
	assert_int_equal(s.end.why, RUN_TIMEOUT);
	assert_int_equal(s.end.signal, SIGTERM);
	close_seen(&s);
}

static void
one_that_heeds_term_ends_with_its_own_status(void **state)
{
	struct seen s;

	open_seen(&s);
	s.ask_at = "up";
	run_script(&s, *state,
	    "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done", 60000,
	    1000);
	assert_int_equal(s.end.why, RUN_CANCELLED);
	assert_int_equal(s.end.code, 7);
	close_seen(&s);
}

/* The daemon holds a fifo, too: its end of file says that it is gone. */
static void
a_daemon_that_keeps_stdout_holds_nothing_up(void **state)
{
	char text[1200], byte;
	struct seen s;
	int fd;

	scratch_path(*state, "fifo");
	assert_int_equal(mkfifo(((struct scratch *)*state)->path, 0600), 0);
	fd = open(((struct scratch *)*state)->path, O_RDONLY | O_NONBLOCK);
	assert_true(fd != -1);
	snprintf(text, sizeof text,
	    "(trap '' TERM; sleep 100; :) 3>%s & echo hello; exit 3",
	    ((struct scratch *)*state)->path);
	open_seen(&s);
	run_script(&s, *state, text, 60000, 1000);
	assert_int_equal(s.end.why, RUN_SELF);
	assert_int_equal(s.end.code, 3);
	assert_string_equal(s.out[0].bytes, "hello\n");
	assert_int_equal(read(fd, &byte, 1), -1); /* it lives yet */
	while (read(fd, &byte, 1) == -1 && errno == EAGAIN) {
		uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
		poll(&(struct pollfd){ .fd = fd }, 1, 10); /* hung up? */
	}
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	close_seen(&s);
}

static void
much_output_on_both_streams_arrives_whole(void **state)
{
	struct seen s;

	open_seen(&s);
	run_script(&s, *state,
	    "head -c 50000000 /dev/zero & head -c 50000000 /dev/zero >&2; wait",
	    60000, 1000);
	assert_int_equal(s.end.code, 0);
	assert_int_equal(s.bytes[0], 50000000);
	assert_int_equal(s.bytes[1], 50000000);
	close_seen(&s);
}

static void
one_that_closes_its_output_runs_on(void **state)
{
	struct seen s;

	open_seen(&s);
	run_script(&s, *state, "exec >&- 2>&-; sleep 0.2; exit 9", 60000, 1000);
	assert_int_equal(s.end.code, 9);
	close_seen(&s);
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
	char *argv[] = { (char *)"x", NULL };
	struct seen s;
	size_t i;

	open_seen(&s);
	for (i = 0; i < N_OF(cases); i++) {
		struct run_spec spec = {
			{ scratch_write(*state, "x", cases[i].body,
			      strlen(cases[i].body), 0755),
			    argv, plain_env, ((struct scratch *)*state)->dir },
			mem_dup("{}"), 1000, 1000
		};
		struct err err = ERR_INIT;
		bool later = true;

		assert_null(run_start(s.runs, &spec, &s, &later, &err));
		assert_false(later);
		assert_true(str_ends(err.text, cases[i].why));
	}
	assert_int_equal(access(scratch_path(*state, "ran"), F_OK), -1);
	close_seen(&s);
}

static void
a_shortage_is_for_later(void **state)
{
	struct rlimit before, low;
	char *argv[] = { (char *)"true", NULL };
	struct run_spec spec = { { "/bin/true", argv, plain_env, "/" },
		mem_dup("{}"), 1000, 1000 };
	struct err err = ERR_INIT;
	bool later = false;
	struct seen s;

	(void)state;
	open_seen(&s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 5;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_null(run_start(s.runs, &spec, &s, &later, &err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(later);
	run_all(&s, "/bin/true", argv, "{}", 60000, 1000);
	assert_int_equal(s.end.code, 0);
	close_seen(&s);
}

static void
freeing_kills_what_runs_and_tells_nobody(void **state)
{
	char *argv[] = { (char *)"sleep", (char *)"100", NULL };
	struct run_spec spec = { { "/bin/sleep", argv, plain_env, "/" },
		mem_dup("{}"), 100000, 1000 };
	struct seen s;
	bool later;
	pid_t pid;

	(void)state;
	open_seen(&s);
	s.run = run_start(s.runs, &spec, &s, &later, NULL);
	assert_non_null(s.run);
	pid = run_pid(s.run);
	close_seen(&s);
	assert_int_equal(s.ends, 0);
	assert_int_equal(kill(pid, 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(every_exit_status_arrives),
		SCRATCH_TEST(signals_are_at_their_defaults_and_told),
		cmocka_unit_test(no_signal_is_blocked),
		SCRATCH_TEST(arguments_and_input_arrive_octet_by_octet),
		cmocka_unit_test(only_its_three_descriptors_are_open),
		cmocka_unit_test(the_environment_is_the_one_given),
		SCRATCH_TEST(it_leads_a_session_of_its_own_and_has_our_umask),
		SCRATCH_TEST(big_input_that_nobody_reads_hurts_nobody),
		SCRATCH_TEST(one_that_ignores_term_is_killed),
		SCRATCH_TEST(one_that_heeds_term_ends_with_its_own_status),
		SCRATCH_TEST(a_daemon_that_keeps_stdout_holds_nothing_up),
		SCRATCH_TEST(much_output_on_both_streams_arrives_whole),
		SCRATCH_TEST(one_that_closes_its_output_runs_on),
		SCRATCH_TEST(what_cannot_be_executed_says_why),
		cmocka_unit_test(a_shortage_is_for_later),
		cmocka_unit_test(freeing_kills_what_runs_and_tells_nobody),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
