/* Attempts to connect: refused, lost, given up. */
#include <stdio.h>
#include <stdlib.h>

#include "ws_kit.h"

static void
the_path_chooses_the_subprotocol(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->select = "crew";
	dial(w, "ws", "localhost", "/", "ews.v1, crew");
	WAIT(w, w->client.opened || w->client.failed);
	assert_true(w->client.opened);
	assert_string_equal(w->client.subprotocol, "crew");
	assert_string_equal(w->server.subprotocol, "crew");
	world_free(w);
}

static void
a_known_subprotocol_may_be_passed_over(void **state)
{
	struct world *w = world_new();

	(void)state;
	dial(w, "ws", "localhost", "/", "ews.v1");
	WAIT(w, w->client.opened || w->client.failed);
	assert_true(w->client.opened);
	assert_string_equal(w->client.subprotocol, "");
	world_free(w);
}

static void
only_unknown_subprotocols_are_400(void **state)
{
	struct world *w = world_new();

	(void)state;
	dial(w, "ws", "127.0.0.1", "/", "mqtt");
	WAIT(w, w->client.failed);
	assert_int_equal(w->client.status, 400);
	assert_int_equal(w->who_gone, 1);
	world_free(w);
}

static void
a_refusal_tells_its_status(void **state)
{
	static const int statuses[] = { 401, 403, 404, 429, 503 };

	(void)state;
	for (size_t i = 0; i < N_OF(statuses); i++) {
		struct world *w = world_new();

		w->verdict = statuses[i];
		dial(w, "ws", "127.0.0.1", "/", NULL);
		WAIT(w, w->client.failed);
		assert_int_equal(w->client.status, statuses[i]);
		assert_int_equal(
		    w->client.retry_after, statuses[i] == 503 ? 7000 : -1);
		world_free(w);
	}
}

static void
nobody_there_is_a_failure_without_status(void **state)
{
	struct world *w = world_new();

	(void)state;
	ws_listener_close(w->listener);
	dial(w, "ws", "127.0.0.1", "/", NULL);
	WAIT(w, w->client.failed);
	assert_int_equal(w->client.status, 0);
	assert_non_null(strstr(w->client.reason, "cannot connect"));
	world_free(w);
}

static void
a_cancelled_attempt_is_silent(void **state)
{
	struct world *w = world_new();
	struct ws_attempt *a = dial(w, "ws", "127.0.0.1", "/", NULL);

	(void)state;
	ws_attempt_cancel(a);
	a = dial(w, "ws", "127.0.0.1", "/", NULL);
	WAIT(w, w->admitted > 0 || ws_host_count(w->host) > 0);
	ws_attempt_cancel(a);
	for (int i = 0; i < 20; i++)
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
	assert_false(w->client.opened || w->client.failed);
	world_free(w);
}

static void
a_server_that_never_answers_times_out(void **state)
{
	struct world *w = world_new();
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char url[64];
	struct ws_connect want = { .url = url,
		.timeout_ms = 100,
		.events = &client_events,
		.arg = &w->client };

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	listen(fd, 5);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ntohs(sin.sin_port));
	assert_non_null(ws_connect(w->host, &want, NULL));
	WAIT(w, w->client.failed);
	assert_non_null(strstr(w->client.reason, "no answer"));
	close(fd);
	world_free(w);
}

static void
nonsense_urls_are_refused(void **state)
{
	static const char *const urls[] = { "", "ftp://h/", "ws://", "ws://:1/",
		"ws://h:0/", "ws://h:99999/", "ws://h:x/", "ws://u@h/",
		"ws://[::1/", "ws://h/a b", "ws://h/#f" };
	struct world *w = world_new();

	(void)state;
	for (size_t i = 0; i < N_OF(urls); i++) {
		struct ws_connect want = { .url = urls[i],
			.timeout_ms = 100,
			.events = &client_events,
			.arg = &w->client };
		struct err err = ERR_INIT;

		assert_null(ws_connect(w->host, &want, &err));
		assert_true(err_isset(&err));
	}
	world_free(w);
}

/* Copies what is there from one socket to the other. */
static void
pump(int from, int to)
{
	char bytes[4096];
	ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0)
		assert_int_equal(send(to, bytes, (size_t)n, 0), n);
}

static void
a_proxy_is_asked_to_connect(void **state)
{
	struct world *w = world_new();
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int listener = socket(AF_INET, SOCK_STREAM, 0), in = -1, out = -1;
	char url[64], proxy[32], wanted[64], *got;
	struct ws_connect want = { .url = url,
		.proxy = proxy,
		.timeout_ms = 5000,
		.events = &client_events,
		.arg = &w->client };

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	listen(listener, 5);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	getsockname(listener, (struct sockaddr *)&sin, &len);
	snprintf(url, sizeof url, "ws://hub.invalid:%d/",
	    ws_listener_port(w->listener));
	snprintf(proxy, sizeof proxy, "localhost:%d", ntohs(sin.sin_port));
	snprintf(wanted, sizeof wanted, "CONNECT hub.invalid:%d HTTP/1.1\r\n",
	    ws_listener_port(w->listener));
	assert_non_null(ws_connect(w->host, &want, NULL));
	while (in == -1 && !w->expired) {
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
		in = accept(listener, NULL, NULL);
	}
	fcntl(in, F_SETFL, O_NONBLOCK);
	got = bare_read(w, in, "\r\n\r\n", NULL);
	assert_true(str_starts(got, wanted));
	free(got);
	out = bare_connect(w);
	bare_send(in, "HTTP/1.1 200 Connected\r\n\r\n");
	while (!w->client.opened && !w->client.failed && !w->expired) {
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
		pump(in, out);
		pump(out, in);
	}
	if (!w->client.opened)
		fail_msg("%s", w->client.reason);
	world_free(w);
	close(in);
	close(out);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_chooses_the_subprotocol),
		cmocka_unit_test(a_known_subprotocol_may_be_passed_over),
		cmocka_unit_test(only_unknown_subprotocols_are_400),
		cmocka_unit_test(a_refusal_tells_its_status),
		cmocka_unit_test(nobody_there_is_a_failure_without_status),
		cmocka_unit_test(a_cancelled_attempt_is_silent),
		cmocka_unit_test(a_server_that_never_answers_times_out),
		cmocka_unit_test(nonsense_urls_are_refused),
		cmocka_unit_test(a_proxy_is_asked_to_connect),
	};

	return RUN_TESTS(tests);
}
