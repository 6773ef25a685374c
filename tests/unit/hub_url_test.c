#include "check.h"

#include <stdlib.h>

#include "ewsagent/hub_url.h"
#include "lib/exit.h"

static void
one_setting_names_both_ways_to_the_hub(void **state)
{
	static const struct {
		const char *url, *base, *ws;
		bool tls, loopback;
	} cases[] = {
		{ "http://127.0.0.1:8765", "http://127.0.0.1:8765",
		    "ws://127.0.0.1:8765/edge/ws?edge_agent_id=a%2B1", false,
		    true },
		{ "https://hub.example.org/", "https://hub.example.org",
		    "wss://hub.example.org/edge/ws?edge_agent_id=a%2B1", true,
		    false },
		{ "ws://[::1]:80", "http://[::1]:80",
		    "ws://[::1]:80/edge/ws?edge_agent_id=a%2B1", false, true },
		{ "wss://h/deep/path/", "https://h/deep/path",
		    "wss://h/deep/path/edge/ws?edge_agent_id=a%2B1", true,
		    false },
		{ "wss://h/edge/ws", "https://h",
		    "wss://h/edge/ws?edge_agent_id=a%2B1", true, false },
		{ "http://LocalHost", "http://LocalHost",
		    "ws://LocalHost/edge/ws?edge_agent_id=a%2B1", false, true },
		{ "http://127.evil.example", "http://127.evil.example",
		    "ws://127.evil.example/edge/ws?edge_agent_id=a%2B1", false,
		    false },
		{ "http://localhost.evil", "http://localhost.evil",
		    "ws://localhost.evil/edge/ws?edge_agent_id=a%2B1", false,
		    false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct hub_url u;

		assert_true(hub_url_init(&u, cases[i].url, "a+1", NULL));
		assert_string_equal(u.base, cases[i].base);
		assert_string_equal(u.ws, cases[i].ws);
		assert_int_equal(u.tls, cases[i].tls);
		assert_int_equal(u.loopback, cases[i].loopback);
		hub_url_fini(&u);
	}
}

static void
a_url_that_could_carry_a_secret_or_mean_two_things_is_refused(void **state)
{
	static const char *const urls[] = { "", "hub", "ftp://h", "http://",
		"http:///x", "http://u:p@h", "http://h?token=1", "http://h#x",
		"http://h:0", "http://h:65536", "http://h:12a", "http://h\r\nX",
		"http://h x", "http://[::1", "http://[::1]x", "http://:80" };

	(void)state;
	for (size_t i = 0; i < N_OF(urls); i++) {
		struct err err = ERR_INIT;
		struct hub_url u;

		assert_false(hub_url_init(&u, urls[i], "a", &err));
		assert_int_equal(err.status, EXIT_CONFIG);
	}
}

static void
the_paths_of_http_calls_follow_the_base(void **state)
{
	struct hub_url u;
	char *url;

	(void)state;
	assert_true(hub_url_init(&u, "wss://h/p", "a", NULL));
	url = hub_url_http(&u, "/edge/sync");
	assert_string_equal(url, "https://h/p/edge/sync");
	free(url);
	hub_url_fini(&u);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_setting_names_both_ways_to_the_hub),
		cmocka_unit_test(
		    a_url_that_could_carry_a_secret_or_mean_two_things_is_refused),
		cmocka_unit_test(the_paths_of_http_calls_follow_the_base),
	};

	return RUN_TESTS(tests);
}
