#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "net/outq.h"

struct seen {
	char text[256];
	unsigned drained;
};

static void
note(struct seen *s, const char *what, uint64_t tag)
{
	size_t at = strlen(s->text);

	snprintf(
	    s->text + at, sizeof s->text - at, "%s%u ", what, (unsigned)tag);
}

static void
on_written(void *arg, uint64_t tag)
{
	note(arg, "w", tag);
}

static void
on_lost(void *arg, uint64_t tag)
{
	note(arg, "l", tag);
}

static void
on_drained(void *arg)
{
	((struct seen *)arg)->drained++;
}

static const struct outq_config config = { .max_frames = 4,
	.max_bytes = 100,
	.low_bytes = 20,
	.written = on_written,
	.lost = on_lost,
	.drained = on_drained };

static bool
put(struct outq *q, const char *text, enum outq_lane lane, uint64_t tag)
{
	struct frame *f = frame_text_z(text);
	bool ok = outq_put(q, f, lane, tag);

	frame_unref(f);
	return ok;
}

static void
data_keeps_its_order_and_control_overtakes(void **state)
{
	struct seen s = { 0 };
	struct outq q;
	char out[64];

	(void)state;
	outq_init(&q, &config, &s);
	assert_true(outq_empty(&q));
	assert_null(outq_head(&q));
	assert_true(put(&q, "a", OUTQ_DATA, 0));
	assert_true(put(&q, "b", OUTQ_DATA, 0));
	assert_true(put(&q, "X", OUTQ_CONTROL, 0));
	assert_true(put(&q, "c", OUTQ_DATA, 0));
	assert_int_equal(outq_bytes(&q), 12);
	assert_int_equal(outq_gather(&q, out, sizeof out, '\n'), 8);
	assert_memory_equal(out, "X\na\nb\nc\n", 8);
	assert_true(outq_empty(&q));
	assert_int_equal(outq_bytes(&q), 0);
	outq_fini(&q);
}

static void
a_passed_bound_leaves_the_queue_unchanged(void **state)
{
	struct seen s = { 0 };
	struct outq q;

	(void)state;
	outq_init(&q, &config, &s);
	for (int i = 0; i < 4; i++)
		assert_true(put(&q, "x", OUTQ_DATA, 0));
	assert_false(put(&q, "x", OUTQ_DATA, 9));
	assert_true(put(&q, "x", OUTQ_CONTROL, 0));
	assert_int_equal(outq_bytes(&q), 15);
	outq_fini(&q);
	assert_string_equal(s.text, "");
}

static void
control_may_use_a_quarter_more(void **state)
{
	static const char text[] = "0123456789012345678901234567890123456789"
				   "01234567"; /* 50 with its header */
	struct seen s = { 0 };
	struct outq q;

	(void)state;
	outq_init(&q, &config, &s);
	assert_true(put(&q, text, OUTQ_DATA, 0));
	assert_true(put(&q, text, OUTQ_DATA, 0));
	assert_false(put(&q, "x", OUTQ_DATA, 0));
	assert_false(put(&q, text, OUTQ_CONTROL, 0));
	assert_true(put(&q, "01234567890123456789012", OUTQ_CONTROL, 0));
	assert_false(put(&q, "x", OUTQ_CONTROL, 0));
	assert_int_equal(outq_bytes(&q), 125);
	outq_fini(&q);
}

static void
each_tag_is_told_once(void **state)
{
	struct seen s = { 0 };
	struct outq q;
	char out[8];

	(void)state;
	outq_init(&q, &config, &s);
	put(&q, "a", OUTQ_DATA, 1);
	put(&q, "b", OUTQ_DATA, 0);
	put(&q, "c", OUTQ_DATA, 3);
	put(&q, "d", OUTQ_DATA, 4);
	put(&q, "e", OUTQ_CONTROL, 5);
	outq_pop(&q);
	assert_string_equal(s.text, "w5 ");
	assert_int_equal(outq_gather(&q, out, 6, -1), 6);
	assert_string_equal(s.text, "w5 w1 ");
	outq_fini(&q);
	assert_string_equal(s.text, "w5 w1 l3 l4 ");
	assert_true(outq_empty(&q));
	outq_fini(&q);
	assert_string_equal(s.text, "w5 w1 l3 l4 ");
}

static void
only_whole_frames_are_gathered(void **state)
{
	struct seen s = { 0 };
	struct outq q;
	char out[8];

	(void)state;
	outq_init(&q, &config, &s);
	put(&q, "abc", OUTQ_DATA, 0);
	put(&q, "defg", OUTQ_DATA, 0);
	assert_int_equal(outq_gather(&q, out, 4, -1), 0);
	assert_int_equal(outq_gather(&q, out, 3, '\n'), 0);
	assert_int_equal(outq_gather(&q, out, 8, '\n'), 4);
	assert_memory_equal(out, "abc\n", 4);
	assert_int_equal(outq_gather(&q, out, 6, -1), 6);
	assert_memory_equal(out,
	    "\x81\x04"
	    "defg",
	    6);
	outq_fini(&q);
}

static void
drained_is_told_when_it_was_full_and_is_no_more(void **state)
{
	struct seen s = { 0 };
	struct outq q;

	(void)state;
	outq_init(&q, &config, &s);
	put(&q, "0123456", OUTQ_DATA, 0);
	outq_pop(&q);
	assert_int_equal(s.drained, 0);
	put(&q, "012345678", OUTQ_DATA, 0);
	put(&q, "012345678", OUTQ_DATA, 0);
	put(&q, "01234", OUTQ_DATA, 0);
	outq_pop(&q);
	assert_int_equal(s.drained, 1);
	outq_pop(&q);
	outq_pop(&q);
	assert_int_equal(s.drained, 1);
	outq_fini(&q);
}

static void
a_long_queue_goes_round(void **state)
{
	struct outq_config big = { .max_frames = 10000, .max_bytes = 1 << 20 };
	struct outq q;
	char text[16];
	unsigned in = 0, out = 0;

	(void)state;
	outq_init(&q, &big, NULL);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 7; i++) {
			snprintf(text, sizeof text, "%u", in++);
			assert_true(put(&q, text, OUTQ_DATA, 0));
		}
		for (int i = 0; i < 5; i++) {
			size_t len;
			const char *got = frame_payload(outq_head(&q), &len);

			snprintf(text, sizeof text, "%u", out++);
			assert_int_equal(len, strlen(text));
			assert_memory_equal(got, text, len);
			outq_pop(&q);
		}
	}
	outq_fini(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_keeps_its_order_and_control_overtakes),
		cmocka_unit_test(a_passed_bound_leaves_the_queue_unchanged),
		cmocka_unit_test(control_may_use_a_quarter_more),
		cmocka_unit_test(each_tag_is_told_once),
		cmocka_unit_test(only_whole_frames_are_gathered),
		cmocka_unit_test(
		    drained_is_told_when_it_was_full_and_is_no_more),
		cmocka_unit_test(a_long_queue_goes_round),
	};

	return RUN_TESTS(tests);
}
