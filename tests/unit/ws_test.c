/* Our server and our client, over loopback. */
#include "ws_kit.h"

static void
a_message_goes_there_and_back(void **state)
{
	struct world *w = world_new();

	(void)state;
	connect_both(w);
	say(&w->client, "echo hi", 7);
	WAIT(w, w->client.messages == 1);
	assert_string_equal(w->client.got, "hi");
	assert_int_equal(w->admitted, 1);
	assert_int_equal(w->who_gone, 0);
	world_free(w);
}

static void
big_messages_pass_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 1019, 1024, 4096,
		65535, 65536, 65537, BIG };
	struct world *w = world_new();
	char *text = malloc(BIG + 6);

	(void)state;
	memcpy(text, "echo ", 5);
	for (size_t i = 0; i < BIG; i++)
		text[5 + i] = (char)('a' + i % 26);
	connect_both(w);
	for (size_t i = 1; i < N_OF(sizes); i++) {
		say(&w->client, text, 5 + sizes[i]);
		WAIT(w, w->client.messages == i);
		assert_int_equal(w->client.got_len, sizes[i]);
		assert_memory_equal(w->client.got, text + 5, sizes[i]);
	}
	free(text);
	world_free(w);
}

static void
many_messages_keep_their_order(void **state)
{
	struct world *w = world_new();

	(void)state;
	connect_both(w);
	for (unsigned i = 0; i < 500; i++) {
		char text[2000];

		memset(text, 'x', sizeof text);
		memcpy(text, "echo ", 5);
		snprintf(text + 5, 20, "%u", i);
		say(&w->client, text, sizeof text);
	}
	WAIT(w, w->client.messages == 500);
	assert_string_equal(w->client.got, "499");
	world_free(w);
}

static void
the_servers_close_code_arrives(void **state)
{
	static const int codes[] = { 1000, 1001, 1008, 1011, 1012, 1013, 4001,
		4013 };

	(void)state;
	for (size_t i = 0; i < N_OF(codes); i++) {
		struct world *w = world_new();

		connect_both(w);
		ws_close(w->server.ws, codes[i], "so it is");
		ws_close(w->server.ws, 4999, "too late");
		WAIT(w, w->client.closed && w->server.closed);
		assert_int_equal(w->client.code, codes[i]);
		assert_string_equal(w->client.reason, "so it is");
		assert_int_equal(w->server.code, codes[i]);
		world_free(w);
	}
}

static void
the_clients_close_code_arrives(void **state)
{
	struct world *w = world_new();

	(void)state;
	connect_both(w);
	ws_close(w->client.ws, 4321, "had enough");
	WAIT(w, w->client.closed && w->server.closed);
	assert_int_equal(w->server.code, 4321);
	assert_string_equal(w->server.reason, "had enough");
	assert_int_equal(w->client.code, 4321);
	world_free(w);
}

static void
what_is_queued_leaves_before_the_close(void **state)
{
	struct world *w = world_new();
	char *text = mem_alloc(BIG);

	(void)state;
	connect_both(w);
	memset(text, 'q', BIG);
	say(&w->server, text, BIG);
	ws_close(w->server.ws, 1000, "");
	WAIT(w, w->client.closed);
	assert_int_equal(w->client.messages, 1);
	assert_int_equal(w->client.got_len, BIG);
	assert_int_equal(w->client.code, 1000);
	free(text);
	world_free(w);
}

static void
a_message_over_the_limit_is_1009(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	char *text = mem_alloc(5001);

	(void)state;
	c.max_message = 5000;
	w = world_with(&c, NULL, NULL);
	memset(text, 'x', 5001);
	connect_both(w);
	say(&w->client, text, 5000);
	WAIT(w, w->server.messages == 1);
	say(&w->client, text, 5001);
	WAIT(w, w->client.closed);
	assert_int_equal(w->client.code, 1009);
	assert_int_equal(w->server.messages, 1);
	free(text);
	world_free(w);
}

static void
a_silent_peer_is_pinged_and_stays(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	struct ws_counts counts;
	int64_t opened;

	(void)state;
	c.ping_ms = 30;
	c.dead_ms = 100;
	w = world_with(&c, NULL, NULL);
	connect_both(w);
	opened = ws_opened_ms(w->server.ws);
	WAIT(w,
	    w->server.ws == NULL || ws_heard_ms(w->server.ws) > opened + 400);
	assert_non_null(w->server.ws);
	ws_counts(w->server.ws, &counts);
	assert_int_equal(counts.frames_in, 0);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_there_and_back),
		cmocka_unit_test(big_messages_pass_whole),
		cmocka_unit_test(many_messages_keep_their_order),
		cmocka_unit_test(the_servers_close_code_arrives),
		cmocka_unit_test(the_clients_close_code_arrives),
		cmocka_unit_test(what_is_queued_leaves_before_the_close),
		cmocka_unit_test(a_message_over_the_limit_is_1009),
		cmocka_unit_test(a_silent_peer_is_pinged_and_stays),
	};

	return RUN_TESTS(tests);
}
