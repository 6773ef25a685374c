/* One request, one answer, and what strangers make of it (ABUSE D). */
#include "ws_kit.h"

static void
a_request_is_answered_once_and_closed(void **state)
{
	struct world *w = world_new();
	char *got = exchange(w, "GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_true(str_starts(got, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(got, "\r\nX-Test: yes\r\n"));
	assert_true(str_ends(got, "\r\n\r\naa"));
	assert_string_equal(w->body, "/a b ");
	free(got);
	world_free(w);
}

static void
a_body_comes_whole(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);
	char *got;

	(void)state;
	bare_send(fd, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Le");
	WAIT(w, ws_host_count(w->host) == 1);
	bare_send(fd, "ngth: 10\r\n\r\n01234");
	for (int i = 0; i < 20; i++)
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	assert_int_equal(w->requests, 0);
	bare_send(fd, "56789");
	got = bare_read(w, fd, NULL, NULL);
	assert_string_equal(w->body, "/p 0123456789");
	assert_true(str_starts(got, "HTTP/1.1 200 "));
	free(got);
	close(fd);
	world_free(w);
}

static void
head_has_a_length_and_no_body(void **state)
{
	struct world *w = world_new();
	char *got = exchange(w, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	assert_non_null(strstr(got, "\r\nContent-Length: 2\r\n"));
	assert_true(str_ends(got, "\r\n\r\n"));
	free(got);
	world_free(w);
}

static void
pipelined_requests_are_not_taken(void **state)
{
	static const char *const pairs[] = {
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
		"0123456789",
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
		"0123456789",
		"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ndef",
		"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n"
		"Host: h\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(pairs); i++) {
		struct world *w = world_new();
		char *got = exchange(w, pairs[i]);

		assert_true(str_starts(got, "HTTP/1.1 200 "));
		assert_null(strstr(got, "[reset]"));
		assert_null(strstr(got + 10, "HTTP/1.1"));
		assert_int_equal(w->requests, 1);
		assert_true(str_starts(w->body, "/1"));
		free(got);
		world_free(w);
	}
}

static void
a_large_answer_arrives_whole(void **state)
{
	struct world *w = world_new();
	char *got;
	size_t len;
	int fd;

	(void)state;
	w->answer_size = 9 << 20;
	fd = bare_connect(w);
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	got = bare_read(w, fd, NULL, &len);
	assert_true(len > w->answer_size);
	free(got);
	close(fd);
	world_free(w);
}

static void
a_late_answer_arrives(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);
	char *got;

	(void)state;
	w->late = true;
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\nmore");
	WAIT(w, w->request != NULL);
	http_problem(w->request, 507, "queue_full", "it is full");
	got = bare_read(w, fd, NULL, NULL);
	assert_true(str_starts(got, "HTTP/1.1 507 Insufficient Storage\r\n"));
	assert_non_null(strstr(got, "application/problem+json"));
	assert_non_null(strstr(got, "\"code\":\"queue_full\""));
	free(got);
	close(fd);
	world_free(w);
}

static void
who_hangs_up_before_the_answer_is_told(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);

	(void)state;
	w->late = true;
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	WAIT(w, w->request != NULL);
	close(fd);
	WAIT(w, w->request_gone);
	WAIT(w, ws_host_count(w->host) == 0);
	world_free(w);
}

static void
a_parked_request_ends_with_the_host(void **state)
{
	struct world *w = world_new();
	int fd = bare_connect(w);

	(void)state;
	w->late = true;
	bare_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	WAIT(w, w->request != NULL);
	world_free(w);
	close(fd);
}

static void
bad_heads_get_their_status(void **state)
{
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{ "GET / HTTP/1.1\nHost: h\n\n", 400 },
		{ "\x16\x03\x01\x02\x05", 400 },
		{ "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501 },
		{ "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
		{ "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\nHost: h\r\n\r\n", 411 },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
		    413 },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
		    400 },
		{ "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked"
		  "\r\n\r\n0\r\n\r\n",
		    411 },
		{ "GET / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n", 417 },
		{ "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
		  "Connection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
		  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		    426 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w = world_new();
		char *got = exchange(w, cases[i].head);

		assert_true(str_starts(got, "HTTP/1.1 "));
		if (atoi(got + 9) != cases[i].status)
			fail_msg("case %zu: %s", i, got);
		assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
		assert_int_equal(w->requests, 0);
		free(got);
		WAIT(w, ws_host_count(w->host) == 0);
		world_free(w);
	}
}

static void
an_offer_of_h2c_is_plain_http(void **state)
{
	struct world *w = world_new();
	char *got = exchange(w,
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings"
	    "\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");

	(void)state;
	assert_true(str_starts(got, "HTTP/1.1 200 "));
	free(got);
	world_free(w);
}

static void
the_owners_own_body_is_sent(void **state)
{
	struct world *w = world_new();
	char *got;

	(void)state;
	w->verdict = 403;
	got = exchange(w, HANDSHAKE "\r\n");
	assert_true(str_starts(got, "HTTP/1.1 403 Forbidden\r\n"));
	assert_non_null(strstr(got, "\r\nContent-Type: application/json\r\n"));
	assert_true(str_ends(got, "\r\n\r\n{\"success\":false}"));
	free(got);
	world_free(w);
}

static void
half_a_head_is_408(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	char *got;

	(void)state;
	c.head_ms = 100;
	c.body_ms = 100;
	w = world_with(&c, NULL, NULL);
	got = exchange(w, "GET / HTTP/1.1\r\nHo");
	assert_true(str_starts(got, "HTTP/1.1 408 "));
	assert_int_equal(w->refused_status, 408);
	free(got);
	got = exchange(
	    w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
	assert_true(str_starts(got, "HTTP/1.1 408 "));
	assert_int_equal(w->who_gone, 1);
	free(got);
	world_free(w);
}

static void
connections_over_the_limit_get_503(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	int fd[3];
	char *got;

	(void)state;
	c.max_pending = 3;
	w = world_with(&c, NULL, NULL);
	for (int i = 0; i < 3; i++)
		fd[i] = bare_connect(w);
	WAIT(w, ws_host_count(w->host) == 3);
	got = exchange(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(str_starts(got, "HTTP/1.1 503 "));
	assert_non_null(strstr(got, "\r\nRetry-After: "));
	free(got);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	WAIT(w, ws_host_count(w->host) == 0);
	got = exchange(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(str_starts(got, "HTTP/1.1 200 "));
	free(got);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_once_and_closed),
		cmocka_unit_test(a_body_comes_whole),
		cmocka_unit_test(head_has_a_length_and_no_body),
		cmocka_unit_test(pipelined_requests_are_not_taken),
		cmocka_unit_test(a_large_answer_arrives_whole),
		cmocka_unit_test(a_late_answer_arrives),
		cmocka_unit_test(who_hangs_up_before_the_answer_is_told),
		cmocka_unit_test(a_parked_request_ends_with_the_host),
		cmocka_unit_test(bad_heads_get_their_status),
		cmocka_unit_test(an_offer_of_h2c_is_plain_http),
		cmocka_unit_test(the_owners_own_body_is_sent),
		cmocka_unit_test(half_a_head_is_408),
		cmocka_unit_test(connections_over_the_limit_get_503),
	};

	return RUN_TESTS(tests);
}
