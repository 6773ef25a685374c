#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ewsd/dialect/edge_ack.h"
#include "ewsd/dialect/edge_output.h"
#include "ewsd/door/routes.h"
#include "lib/json.h"
#include "lib/mem.h"

#define AT 1762374600000LL /* 2025-11-05T20:30:00Z */

static const struct ack_case {
	const char *text;
	bool ours;
	enum ack_word word;
	int64_t at_ms;
	const char *error, *reason;
	int exit_code, signal;
} acks[] = {
	/* what the current client sends */
	{ "{\"type\":\"command_ack\",\"data\":{\"command_id\":\"c1\","
	  "\"status\":\"completed\",\"completed_at\":"
	  "\"2025-11-05T20:30:00.000Z\"}}",
	    false, ACK_COMPLETED, AT, NULL, NULL, -1, 0 },
	{ "{\"type\":\"command_ack\",\"data\":{\"command_id\":\"c1\","
	  "\"status\":\"failed\",\"error\":\"Invalid timestamp: nope\"}}",
	    false, ACK_FAILED, 0, "Invalid timestamp: nope", NULL, -1, 0 },
	/* the first specification */
	{ "{\"type\":\"command_ack\",\"data\":{\"command_id\":\"c1\","
	  "\"success\":true,\"error\":null,\"timestamp\":"
	  "\"2025-11-05T20:30:00.000Z\"}}",
	    false, ACK_COMPLETED, AT, NULL, NULL, -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"success\":false}}", false,
	    ACK_FAILED, 0, NULL, NULL, -1, 0 },
	/* words of other versions */
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"received\"}}", false,
	    ACK_RECEIVED, 0, NULL, NULL, -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"pending\"}}", false,
	    ACK_RECEIVED, 0, NULL, NULL, -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"executing\"}}", false,
	    ACK_EXECUTING, 0, NULL, NULL, -1, 0 },
	/* status wins; what nobody knows is a note */
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"failed\","
	  "\"success\":true}}",
	    false, ACK_FAILED, 0, NULL, NULL, -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"odd\","
	  "\"success\":true}}",
	    false, ACK_NOTE, 0, NULL, NULL, -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\"}}", false, ACK_NOTE, 0, NULL, NULL,
	    -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"success\":\"yes\"}}", false,
	    ACK_NOTE, 0, NULL, NULL, -1, 0 },
	/* places where the fields may stand */
	{ "{\"type\":\"command_ack\",\"command_id\":\"c1\",\"success\":true}",
	    false, ACK_COMPLETED, 0, NULL, NULL, -1, 0 },
	{ "{\"payload\":{\"command_id\":\"c1\",\"success\":true}}", false,
	    ACK_COMPLETED, 0, NULL, NULL, -1, 0 },
	{ "{\"data\":null,\"payload\":{\"command_id\":\"c1\","
	  "\"success\":true}}",
	    false, ACK_COMPLETED, 0, NULL, NULL, -1, 0 },
	/* completed_at before timestamp; Unix times */
	{ "{\"data\":{\"command_id\":\"c1\",\"success\":true,"
	  "\"completed_at\":1762374600,\"timestamp\":5}}",
	    false, ACK_COMPLETED, AT, NULL, NULL, -1, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"success\":true,"
	  "\"completed_at\":\"nonsense\",\"timestamp\":1762374600000}}",
	    false, ACK_COMPLETED, AT, NULL, NULL, -1, 0 },
	/* foreign agents have no exit codes */
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"failed\","
	  "\"exit_code\":3,\"reason\":\"timeout\"}}",
	    false, ACK_FAILED, 0, NULL, NULL, -1, 0 },
	/* ours do */
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"failed\","
	  "\"exit_code\":3}}",
	    true, ACK_FAILED, 0, NULL, NULL, 3, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"completed\"}}", true,
	    ACK_COMPLETED, 0, NULL, NULL, 0, 0 },
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"failed\","
	  "\"reason\":\"timeout\",\"signal\":9}}",
	    true, ACK_FAILED, 0, NULL, "timeout", -1, 9 },
	{ "{\"data\":{\"command_id\":\"c1\",\"status\":\"failed\","
	  "\"exit_code\":256,\"signal\":-1}}",
	    true, ACK_FAILED, 0, NULL, NULL, -1, 0 },
};

static json_t *
parse(const char *text)
{
	struct err err = ERR_INIT;
	json_t *o = js_read_object(text, strlen(text), &err);

	assert_non_null(o);
	return o;
}

static void
same_text(const char *a, const char *b)
{
	if (b == NULL)
		assert_null(a);
	else
		assert_string_equal(a, b);
}

static void
acks_of_all_shapes_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(acks); i++) {
		const struct ack_case *k = &acks[i];
		json_t *o = parse(k->text);
		struct edge_ack e;

		assert_true(edge_ack_read(&e, edge_fields(o), k->ours));
		assert_string_equal(e.ack.id, "c1");
		assert_int_equal(e.ack.word, k->word);
		assert_int_equal(e.ack.at_ms, k->at_ms);
		same_text(e.ack.error, k->error);
		same_text(e.ack.reason, k->reason);
		assert_int_equal(e.ack.exit_code, k->exit_code);
		assert_int_equal(e.ack.signal, k->signal);
		edge_ack_fini(&e);
		json_decref(o);
	}
}

static void
an_ack_without_a_usable_id_is_none(void **state)
{
	static const char *const texts[] = { "{}", "{\"data\":{}}",
		"{\"data\":{\"command_id\":7}}",
		"{\"data\":{\"command_id\":\"\"}}",
		"{\"data\":{\"command_id\":\"a/b\"}}",
		"{\"data\":{\"command_id\":null,\"status\":\"completed\"}}" };

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		json_t *o = parse(texts[i]);
		struct edge_ack e;

		assert_false(edge_ack_read(&e, edge_fields(o), true));
		json_decref(o);
	}
}

static void
the_tail_is_kept_as_it_is(void **state)
{
	json_t *o = parse("{\"command_id\":\"c1\",\"status\":\"completed\","
			  "\"tail\":{\"stdout\":\"x\"},\"other\":1}");
	struct edge_ack e;

	(void)state;
	assert_true(edge_ack_read(&e, o, true));
	assert_string_equal(e.ack.detail, "{\"tail\":{\"stdout\":\"x\"}}");
	edge_ack_fini(&e);
	assert_true(edge_ack_read(&e, o, false));
	assert_null(e.ack.detail);
	edge_ack_fini(&e);
	json_decref(o);
}

#define OUTPUT(members) "{\"type\":\"output\",\"data\":{" members "}}"
#define HEAD "\"command_id\":\"c\",\"stream\":\"stderr\",\"offset\":12,"

static bool
read_output(const char *text, struct edge_output *o, char **copy)
{
	*copy = mem_dup(text);
	return edge_output_read(*copy, strlen(text), o);
}

static void
output_is_read_as_a_parser_would(void **state)
{
	static const char *const texts[] = {
		OUTPUT(HEAD "\"data\":\"plain\""),
		OUTPUT(HEAD "\"data\":\"a\\nb\\t\\\"\\\\\\/\\b\\f\\r\""),
		OUTPUT(HEAD "\"data\":\"\\u0041\\u00e9\\u20aC end\""),
		OUTPUT(HEAD "\"data\":\"\xc3\xa9\\u001b[0m\""),
		OUTPUT("\"data\":\"x\",\"offset\":12,\"stream\":\"stderr\","
		       "\"command_id\":\"c\""),
	};

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		json_t *whole = parse(texts[i]);
		json_t *data = js_get(js_get(whole, "data"), "data");
		struct edge_output o;
		char *copy;

		assert_true(read_output(texts[i], &o, &copy));
		assert_string_equal(o.id, "c");
		assert_int_equal(o.stream, OUTPUT_STDERR);
		assert_int_equal(o.offset, 12);
		assert_false(o.b64);
		assert_int_equal(o.len, json_string_length(data));
		assert_int_equal(o.bytes, o.len);
		assert_memory_equal(o.data, json_string_value(data), o.len);
		free(copy);
		json_decref(whole);
	}
}

static void
base64_output_tells_what_it_stands_for(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
	} cases[] = { { "AAEC", 3 }, { "AAE=", 2 }, { "AA==", 1 }, { "", 0 },
		{ "A", 0 }, { "AAE", 0 }, { "AA=A", 0 }, { "====", 0 },
		{ "A-_A", 0 }, { "AAECAAE=", 5 } };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(
		    edge_b64_bytes(cases[i].text, strlen(cases[i].text)),
		    cases[i].bytes);
}

static void
what_looks_otherwise_is_left_untouched(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"type\":\"output\"}",
		"{\"type\":\"command_ack\",\"data\":{}}",
		OUTPUT(""),
		OUTPUT(HEAD "\"data\":\"\""),
		OUTPUT(HEAD "\"data\":7"),
		OUTPUT(HEAD "\"data\":\"a\",\"data\":\"b\""),
		OUTPUT(HEAD "\"data\":\"a\",\"data64\":\"AAEC\""),
		OUTPUT(HEAD "\"data\":\"a\",\"more\":\"b\""),
		OUTPUT(HEAD "\"data\":\"\\u0000\""),
		OUTPUT(HEAD "\"data\":\"\\ud83d\\ude00\""),
		OUTPUT(HEAD "\"data\":\"\\x\""),
		OUTPUT(HEAD "\"data\":\"\\u12\""),
		OUTPUT(HEAD "\"data\":\"a\nb\""),
		OUTPUT(HEAD "\"data\":\"unended"),
		OUTPUT(HEAD "\"data\":\"a\"") " ",
		OUTPUT(HEAD "\"data\":\"a\"") "}",
		OUTPUT(HEAD "\"data64\":\"\\u0041AEC\""),
		OUTPUT("\"command_id\":\"c\",\"stream\":\"stdin\",\"offset\":0,"
		       "\"data\":\"a\""),
		OUTPUT("\"command_id\":\"c\",\"stream\":\"stdout\","
		       "\"offset\":-1,\"data\":\"a\""),
		OUTPUT("\"command_id\":\"c\",\"stream\":\"stdout\","
		       "\"offset\":012,\"data\":\"a\""),
		OUTPUT("\"command_id\":\"c\",\"stream\":\"stdout\","
		       "\"offset\":99999999999999999999,\"data\":\"a\""),
		OUTPUT("\"command_id\":\"a/b\",\"stream\":\"stdout\","
		       "\"offset\":0,\"data\":\"a\""),
	};

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct edge_output o;
		char *copy;

		assert_false(read_output(texts[i], &o, &copy));
		assert_string_equal(copy, texts[i]);
		free(copy);
	}
}

static void
no_two_routes_are_one(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_true(routes_ok(&err));
}

static void
a_route_registered_twice_is_told(void **state)
{
	static const struct route same[] = { { .method = "WS", .path = "/ws" },
		{ .method = "GET", .path = "/ws" },
		{ .method = "WS", .path = "/ws" } };
	static const struct route open[] = { { .method = "GET",
						 .path = "/agents/{}/status" },
		{ .method = "GET", .path = "/agents/{}/{}" } };
	struct err err = ERR_INIT;

	(void)state;
	assert_true(routes_distinct(same, 2, &err));
	assert_false(routes_distinct(same, 3, &err));
	assert_non_null(strstr(err.text, "/ws"));
	assert_false(routes_distinct(open, 2, NULL));
}

static void
a_route_is_found_by_method_and_path(void **state)
{
	static const struct {
		const char *method;
		bool upgrade;
		const char *path;
		const char *found; /* pattern; NULL: none */
		const char *part, *allow;
	} cases[] = {
		{ "GET", true, "/edge/ws", "/edge/ws", "", "" },
		{ "GET", false, "/edge/ws", NULL, "", "GET, HEAD" },
		{ "GET", true, "/edge/ws/", NULL, "", "" },
		{ "GET", true, "/health", NULL, "", "GET, HEAD" },
		{ "HEAD", false, "/health", "/health", "", "" },
		{ "POST", false, "/health", NULL, "", "GET, HEAD" },
		{ "GET", false, "/edge/agents/a b", "/edge/agents/{}", "a b",
		    "" },
		{ "GET", false, "/edge/agents/a/status",
		    "/edge/agents/{}/status", "a", "" },
		{ "GET", false, "/edge/agents/", NULL, "", "" },
		{ "GET", false, "/edge/agents/a/b", NULL, "", "" },
		{ "POST", false, "/api/v1/ops/send", "/api/v1/ops/{}", "send",
		    "" },
		{ "GET", false, "/", NULL, "", "" },
		{ "GET", false, "*", NULL, "", "" },
		{ "GET", false, "", NULL, "", "" },
	};
	char part[ROUTE_PART_SIZE], allow[ROUTE_ALLOW_SIZE];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct route *r = route_find(cases[i].method,
		    cases[i].upgrade, cases[i].path, NULL, part, allow);

		assert_int_equal(r != NULL, cases[i].found != NULL);
		if (r != NULL) {
			assert_string_equal(r->path, cases[i].found);
			assert_string_equal(part, cases[i].part);
		} else {
			assert_string_equal(allow, cases[i].allow);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(acks_of_all_shapes_are_understood),
		cmocka_unit_test(an_ack_without_a_usable_id_is_none),
		cmocka_unit_test(the_tail_is_kept_as_it_is),
		cmocka_unit_test(output_is_read_as_a_parser_would),
		cmocka_unit_test(base64_output_tells_what_it_stands_for),
		cmocka_unit_test(what_looks_otherwise_is_left_untouched),
		cmocka_unit_test(no_two_routes_are_one),
		cmocka_unit_test(a_route_registered_twice_is_told),
		cmocka_unit_test(a_route_is_found_by_method_and_path),
	};

	return RUN_TESTS(tests);
}
