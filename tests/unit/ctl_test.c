#include "lib/ctl.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "lib/clock.h"
#include "lib/exit.h"
#include "lib/json.h"
#include "lib/port.h"
#include "lib/unix.h"
#include "scratch.h"

/* A hub played by the test itself: its end of one connection. */
struct hub {
	struct scratch *scratch;
	int listener, peer;
	struct ctl *ctl;
	struct err err;
};

static int
setup(void **state)
{
	struct hub *h = calloc(1, sizeof *h);
	void *scratch;

	signal(SIGPIPE, SIG_IGN);
	unsetenv("EWS_SOCKET");
	if (h == NULL || scratch_setup(&scratch) != 0)
		return -1;
	h->scratch = scratch;
	h->listener =
	    unix_listen(scratch_path(scratch, "ewsd.sock"), 0600, 5, NULL);
	h->ctl = ctl_open(NULL, h->scratch->dir, "ewsd", NULL);
	h->peer = port_accept(h->listener);
	*state = h;
	if (h->ctl == NULL || h->peer == -1)
		return -1;
	return fcntl(h->peer, F_SETFL, 0); /* blocking */
}

static void
hang_up(struct hub *h)
{
	if (h->peer != -1)
		close(h->peer);
	h->peer = -1;
}

static int
teardown(void **state)
{
	struct hub *h = *state;
	void *scratch = h->scratch;

	ctl_close(h->ctl);
	hang_up(h);
	close(h->listener);
	free(h);
	return scratch_teardown(&scratch);
}

static void
say(struct hub *h, const char *text)
{
	assert_int_equal(write(h->peer, text, strlen(text)), strlen(text));
}

/* One line as the hub sees it. */
static const char *
heard(struct hub *h)
{
	static char line[4096];
	size_t len = 0;

	while (len < sizeof line - 1 && read(h->peer, line + len, 1) == 1 &&
	       line[len] != '\n')
		len++;
	line[len] = '\0';
	return line;
}

static int64_t
soon(int64_t ms)
{
	return clock_mono(&clock_system) + ms;
}

static void
requests_are_lines_with_rising_ids(void **state)
{
	struct hub *h = *state;
	json_t *request = json_pack("{s:s}", "op", "ping");

	assert_int_equal(ctl_send(h->ctl, request, &h->err), 1);
	assert_int_equal(ctl_send(h->ctl, request, &h->err), 2);
	assert_string_equal(heard(h), "{\"op\":\"ping\",\"id\":1}");
	assert_string_equal(heard(h), "{\"op\":\"ping\",\"id\":2}");
	assert_int_equal(json_object_size(request), 1);
	assert_true(ctl_send_raw(h->ctl, "as it is", 8, &h->err));
	assert_string_equal(heard(h), "as it is");
	assert_false(ctl_unsent(h->ctl));
	json_decref(request);
}

static void
answers_come_in_order_wherever_they_break(void **state)
{
	struct hub *h = *state;
	json_t *answer;
	size_t len;

	say(h, "{\"id\":1}\n{\"id\":2}\n{\"i");
	answer = ctl_recv(h->ctl, soon(5000), &h->err);
	assert_int_equal(js_int(answer, "id", 0), 1);
	json_decref(answer);
	assert_string_equal(ctl_line(h->ctl, &len), "{\"id\":1}");
	assert_int_equal(len, 8);
	assert_true(ctl_ready(h->ctl));
	answer = ctl_recv(h->ctl, soon(5000), &h->err);
	assert_int_equal(js_int(answer, "id", 0), 2);
	json_decref(answer);
	assert_false(ctl_ready(h->ctl));
	say(h, "d\":3}\n");
	answer = ctl_recv(h->ctl, soon(5000), &h->err);
	assert_int_equal(js_int(answer, "id", 0), 3);
	json_decref(answer);
}

static void
a_deadline_ends_the_wait(void **state)
{
	struct hub *h = *state;

	assert_null(ctl_recv(h->ctl, soon(20), &h->err));
	assert_int_equal(h->err.status, EXIT_DEADLINE);
	err_clear(&h->err);
	say(h, "{\"half\":");
	assert_null(ctl_recv(h->ctl, 0, &h->err));
	assert_int_equal(h->err.status, EXIT_DEADLINE);
}

static void
a_hub_that_hangs_up_is_unreachable(void **state)
{
	struct hub *h = *state;

	hang_up(h);
	assert_null(ctl_recv(h->ctl, soon(5000), &h->err));
	assert_int_equal(h->err.status, EXIT_UNREACHABLE);
}

static void
what_a_hub_said_before_it_hung_up_is_heard(void **state)
{
	struct hub *h = *state;
	json_t *request = json_pack("{s:s}", "op", "ping");

	say(h, "{\"ok\":false,\"error\":{\"code\":\"too_many\","
	       "\"detail\":\"no more connections\"}}\n");
	hang_up(h);
	assert_null(ctl_call(h->ctl, request, soon(5000), &h->err));
	assert_int_equal(h->err.status, EXIT_RETRY);
	assert_string_equal(h->err.code, "too_many");
	assert_string_equal(h->err.text, "no more connections");
	json_decref(request);
}

static void
nonsense_is_a_protocol_error(void **state)
{
	static const char *const cases[] = { "hello\n", "\n", "[1]\n",
		"{\"id\":1,\"id\":2}\n" };
	struct hub *h = *state;
	size_t i;

	for (i = 0; i < N_OF(cases); i++) {
		say(h, cases[i]);
		err_clear(&h->err);
		assert_null(ctl_recv(h->ctl, soon(5000), &h->err));
		assert_int_equal(h->err.status, EXIT_PROTOCOL);
	}
}

static void
a_call_gives_the_result_of_its_own_answer(void **state)
{
	struct hub *h = *state;
	json_t *request = json_pack("{s:s}", "op", "stats"), *result;

	say(h, "{\"id\":7,\"ok\":true,\"result\":{\"n\":0}}\n"
	       "{\"id\":1,\"record\":{}}\n"
	       "{\"id\":1,\"ok\":true,\"result\":{\"n\":5}}\n"
	       "{\"id\":2,\"ok\":true}\n"
	       "{\"id\":3,\"ok\":false,\"error\":{\"code\":\"agent_unknown\","
	       "\"detail\":\"no agent named x\"}}\n");
	result = ctl_call(h->ctl, request, soon(5000), &h->err);
	assert_int_equal(js_int(result, "n", -1), 5);
	json_decref(result);
	result = ctl_call(h->ctl, request, soon(5000), &h->err);
	assert_true(json_is_object(result));
	json_decref(result);
	assert_null(ctl_call(h->ctl, request, soon(5000), &h->err));
	assert_int_equal(h->err.status, EXIT_NEGATIVE);
	assert_string_equal(h->err.text, "no agent named x");
	json_decref(request);
}

static void
every_code_has_its_exit_status(void **state)
{
	static const struct {
		const char *word;
		int status;
	} codes[] = {
#define ERROR_CODE(word, status, http, what) { #word, status },
#include "lib/codes.def"
#undef ERROR_CODE
		{ "a_word_of_tomorrow", EXIT_PROTOCOL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(codes); i++) {
		struct err err = ERR_INIT;
		json_t *answer = json_pack(
		    "{s:b,s:{s:s}}", "ok", 0, "error", "code", codes[i].word);

		assert_true(ctl_failed(answer, &err));
		assert_int_equal(err.status, codes[i].status);
		assert_non_null(strstr(err.text, codes[i].word));
		json_decref(answer);
	}
}

static void
an_overlong_request_never_leaves(void **state)
{
	struct hub *h = *state;
	char *line = malloc(CTL_LINE_MAX + 1);

	memset(line, 'x', CTL_LINE_MAX + 1);
	assert_false(ctl_send_raw(h->ctl, line, CTL_LINE_MAX + 1, &h->err));
	assert_int_equal(h->err.status, EXIT_DATA);
	assert_string_equal(h->err.code, "too_large");
	assert_false(ctl_unsent(h->ctl));
	assert_true(ctl_send_raw(h->ctl, line, CTL_LINE_MAX, NULL));
	free(line);
}

static void
an_endless_answer_is_refused(void **state)
{
	struct hub *h = *state;
	static char part[65536];
	int i;

	memset(part, ' ', sizeof part);
	for (i = 0; i <= CTL_ANSWER_MAX / (int)sizeof part; i++) {
		struct err err = ERR_INIT;
		size_t at = 0;

		fcntl(h->peer, F_SETFL, O_NONBLOCK);
		while (at < sizeof part) {
			ssize_t n = write(h->peer, part + at, sizeof part - at);

			if (n > 0)
				at += (size_t)n;
			assert_null(ctl_recv(h->ctl, 0, &err));
			if (err.status == EXIT_PROTOCOL)
				return;
			err_clear(&err);
		}
	}
	fail_msg("it took them all");
}

/* Answers line by line and, as a hub with backpressure does, reads no more
 * while its answers are not taken. */
static void *
serve(void *arg)
{
	struct hub *h = arg;
	FILE *in = fdopen(dup(h->peer), "r");
	char answer[600], *line = NULL;
	size_t cap = 0;

	memset(answer, ' ', sizeof answer);
	memcpy(answer, "{}", 2);
	answer[sizeof answer - 1] = '\n';
	while (getline(&line, &cap, in) > 0)
		if (write(h->peer, answer, sizeof answer) !=
		    (ssize_t)sizeof answer)
			break;
	free(line);
	fclose(in);
	return NULL;
}

static void
send_all_then_read_all(struct hub *h, int many)
{
	char request[1000];
	int i;

	memset(request, 'x', sizeof request);
	for (i = 0; i < many; i++)
		assert_true(
		    ctl_send_raw(h->ctl, request, sizeof request, &h->err));
	for (i = 0; i < many; i++) {
		json_t *answer = ctl_recv(h->ctl, soon(20000), &h->err);

		assert_non_null(answer);
		json_decref(answer);
	}
	assert_false(ctl_unsent(h->ctl));
}

/* Twice 12 MB of answers: what was read must make room again. */
static void
sending_much_before_reading_does_not_lock_up(void **state)
{
	struct hub *h = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, serve, h), 0);
	send_all_then_read_all(h, 20000);
	send_all_then_read_all(h, 20000);
	ctl_close(h->ctl);
	h->ctl = NULL;
	pthread_join(thread, NULL);
}

static void
who_never_reads_is_refused_in_the_end(void **state)
{
	enum { MANY = 100000 };
	struct hub *h = *state;
	char request[1000];
	pthread_t thread;
	int i;

	memset(request, 'x', sizeof request);
	assert_int_equal(pthread_create(&thread, NULL, serve, h), 0);
	for (i = 0; i < MANY; i++)
		if (!ctl_send_raw(h->ctl, request, sizeof request, &h->err))
			break;
	assert_true(i < MANY);
	assert_int_equal(h->err.status, EXIT_RETRY);
	ctl_close(h->ctl);
	h->ctl = NULL;
	pthread_join(thread, NULL);
}

static void
nobody_there_is_said_with_what_to_do(void **state)
{
	struct hub *h = *state;
	char expected[1200];

	close(h->listener);
	h->listener = -1;
	assert_null(ctl_open(NULL, h->scratch->dir, "ewsd", &h->err));
	assert_int_equal(h->err.status, EXIT_UNREACHABLE);
	snprintf(expected, sizeof expected,
	    "no hub answers at %s/ewsd.sock: Connection refused; "
	    "is ewsd running?",
	    h->scratch->dir);
	assert_string_equal(h->err.text, expected);
}

static void
the_socket_named_by_the_environment_counts(void **state)
{
	struct hub *h = *state;
	struct ctl *c;

	setenv("EWS_SOCKET", scratch_path(h->scratch, "ewsd.sock"), 1);
	c = ctl_open(NULL, "/nowhere", "ewsd", NULL);
	assert_non_null(c);
	ctl_close(c);
	unsetenv("EWS_SOCKET");
	assert_null(ctl_open("/nowhere", h->scratch->dir, "ewsd", NULL));
}

#define CTL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CTL_TEST(requests_are_lines_with_rising_ids),
		CTL_TEST(answers_come_in_order_wherever_they_break),
		CTL_TEST(a_deadline_ends_the_wait),
		CTL_TEST(a_hub_that_hangs_up_is_unreachable),
		CTL_TEST(what_a_hub_said_before_it_hung_up_is_heard),
		CTL_TEST(nonsense_is_a_protocol_error),
		CTL_TEST(a_call_gives_the_result_of_its_own_answer),
		cmocka_unit_test(every_code_has_its_exit_status),
		CTL_TEST(an_overlong_request_never_leaves),
		CTL_TEST(an_endless_answer_is_refused),
		CTL_TEST(sending_much_before_reading_does_not_lock_up),
		CTL_TEST(who_never_reads_is_refused_in_the_end),
		CTL_TEST(nobody_there_is_said_with_what_to_do),
		CTL_TEST(the_socket_named_by_the_environment_counts),
	};

	return RUN_TESTS(tests);
}
