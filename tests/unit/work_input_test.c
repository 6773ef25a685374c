#include "work_kit.h"

static void
feed(struct rig *r, const char *id, const struct buf *all, uint64_t from)
{
	size_t n = all->len - from;

	n = n > 32768 ? 32768 : n;
	work_input(
	    r->work, id, from, all->bytes + from, n, from + n == all->len);
}

/* As the hub: within the window, from where the agent says. */
static bool
feed_more(struct rig *r, const char *id, const struct buf *all, uint64_t *sent,
    uint64_t *acked)
{
	bool closed = false;
	json_t *ack;
	size_t i;

	json_array_foreach(r->inputs, i, ack)
	{
		*acked = (uint64_t)js_int(ack, "offset", 0);
		if (js_bool(ack, "resume", false))
			*sent = *acked;
		closed = closed || js_bool(ack, "closed", false);
	}
	json_array_clear(r->inputs);
	while (!closed && *sent < all->len &&
	       *sent + 32768 <= *acked + WORK_INPUT_WINDOW) {
		feed(r, id, all, *sent);
		*sent += all->len - *sent > 32768 ? 32768 : all->len - *sent;
	}
	return closed;
}

static void
input_reaches_the_handler_whole_over_gaps_and_restarts(void **state)
{
	uint64_t sent = 0, acked = 0;
	struct buf all;
	char hex[65];
	struct rig r;
	json_t *ack;
	uint64_t part = 1;

	open_rig(&r, *state);
	buf_init(&all, 8 << 20);
	for (uint32_t i = 0; i < 1000000; i++)
		buf_add(&all, (const char *)&i, sizeof i);
	handler(&r, "eat", "cat");
	start(&r);
	take(&r, "a", "eat", "\"stdin\":true", true);
	feed(&r, "a", &all, 0); /* before it runs: asked for again */
	while (count(&r, "a", "completed") == 0) {
		turn(&r);
		feed_more(&r, "a", &all, &sent, &acked);
		if (acked < part * all.len / 4)
			continue;
		if (part++ == 2) {
			work_input(r.work, "a", all.len, "x", 1, false);
		} else {
			restart(&r);
			sent = acked; /* what was on its way is gone */
		}
	}
	ack = told(&r, "a", "completed");
	assert_int_equal(js_int(ack, "stdout_bytes", 0), all.len);
	secret_sha256_hex(hex, all.bytes, all.len);
	assert_string_equal(js_str(ack, "stdout_sha256"), hex);
	assert_true(part > 3);
	buf_fini(&all);
	close_rig(&r);
}

static void
input_that_nobody_reads_is_closed(void **state)
{
	uint64_t sent = 0, acked = 0;
	struct buf all;
	struct rig r;

	open_rig(&r, *state);
	buf_init(&all, 8 << 20);
	for (int i = 0; i < 100000; i++)
		buf_add(&all, "0123456789", 10);
	handler(&r, "deaf",
	    "exec <&-; echo up; while [ ! -e $dir/go ]; do"
	    " sleep 0.02; done");
	start(&r);
	take(&r, "a", "deaf", "\"stdin\":true", true);
	while (!feed_more(&r, "a", &all, &sent, &acked))
		turn(&r);
	let_go(&r);
	told(&r, "a", "completed");
	json_array_clear(r.inputs);
	work_input(r.work, "nobody", 0, "x", 1, false);
	assert_true(js_bool(json_array_get(r.inputs, 0), "closed", false));
	buf_fini(&all);
	close_rig(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(
		    input_reaches_the_handler_whole_over_gaps_and_restarts),
		SCRATCH_TEST(input_that_nobody_reads_is_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
