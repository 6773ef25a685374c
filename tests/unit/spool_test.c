#include "check.h"
#include "ewsagent/output.h"
#include "ewsagent/spool.h"
#include "lib/mem.h"
#include "lib/secret.h"
#include "lib/str.h"
#include "scratch.h"

static bool
no_room(void *arg)
{
	++*(int *)arg;
	return false;
}

static size_t
files(struct scratch *s)
{
	DIR *d = opendir(s->dir);
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void
bytes_are_counted_digested_and_readable(void **state)
{
	int asked = 0;
	struct spools *set = spools_new(
	    ((struct scratch *)*state)->dir, 1000, no_room, &asked, NULL);
	struct spool *s = spool_new(set, "../a/b c", "out", 1000);
	char got[16], hex[65];

	spool_add(s, "hello ", 6);
	spool_add(s, "world", 5);
	assert_int_equal(spool_read(s, 6, got, sizeof got), 5);
	assert_memory_equal(got, "world", 5);
	assert_false(spool_final(s));
	spool_end(s);
	assert_true(spool_final(s));
	secret_sha256_hex(hex, "hello world", 11);
	assert_string_equal(spool_digest(s), hex);
	assert_int_equal(spool_bytes(s), 11);
	assert_int_equal(spool_kept(s), 11);
	assert_int_equal(spool_read(s, 0, got, 5), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(spools_bytes(set), 11);
	assert_int_equal(files(*state), 1);
	spool_free(s);
	assert_int_equal(files(*state), 0);
	assert_int_equal(asked, 0);
	spools_free(set);
}

static void
what_passes_a_bound_is_counted_and_not_kept(void **state)
{
	int asked = 0;
	struct spools *set = spools_new(
	    ((struct scratch *)*state)->dir, 12, no_room, &asked, NULL);
	struct spool *a = spool_new(set, "a", "out", 8);
	struct spool *b = spool_new(set, "b", "out", 8);
	char hex[65];

	spool_add(a, "12345678", 8);
	assert_false(spool_truncated(a));
	spool_add(a, "9", 1);
	assert_true(spool_truncated(a));
	spool_add(b, "123456", 6); /* 12 are all there is */
	assert_true(asked > 0);
	assert_true(spool_truncated(b));
	assert_int_equal(spool_kept(b), 4);
	spool_free(a);
	spool_add(b, "7", 1); /* room again, but a gap must not follow */
	assert_int_equal(spool_kept(b), 4);
	spool_end(b);
	secret_sha256_hex(hex, "1234567", 7);
	assert_string_equal(spool_digest(b), hex);
	spool_free(b);
	spools_free(set);
}

static void
the_tail_is_the_last_kilobyte_however_it_came(void **state)
{
	static const size_t pieces[] = { 1, 7, 100, 1023, 1024, 1025, 5000 };
	int asked = 0;
	struct spools *set = spools_new(
	    ((struct scratch *)*state)->dir, 0, no_room, &asked, NULL);
	char all[5000];
	size_t i, k, len;

	for (i = 0; i < sizeof all; i++)
		all[i] = (char)('a' + i % 26 + i / 260 % 5);
	for (k = 0; k < N_OF(pieces); k++) {
		struct spool *s = spool_new(set, "t", "out", 0);

		for (i = 0; i < sizeof all; i += pieces[k])
			spool_add(s, all + i,
			    sizeof all - i < pieces[k] ? sizeof all - i
						       : pieces[k]);
		assert_memory_equal(spool_tail(s, &len),
		    all + sizeof all - SPOOL_TAIL, SPOOL_TAIL);
		assert_int_equal(len, SPOOL_TAIL);
		spool_free(s);
	}
	spools_free(set);
}

static void
strangers_are_swept_out_at_the_start(void **state)
{
	int asked = 0;

	scratch_write(*state, "old.out", "x", 1, 0600);
	spools_free(spools_new(
	    ((struct scratch *)*state)->dir, 1, no_room, &asked, NULL));
	assert_int_equal(files(*state), 0);
}

/* ---- sending ---------------------------------------------------------- */

struct hub {
	struct outputs *set;
	char *got[2]; /* text by stream, as it came */
	size_t len[2];
	char last[64]; /* whose chunk it was */
	unsigned chunks, binary, room, done;
	size_t longest;
};

static bool
take(void *arg, const json_t *data)
{
	struct hub *h = arg;
	const char *word = json_string_value(json_object_get(data, "stream"));
	const json_t *text = json_object_get(data, "data");
	const json_t *b64 = json_object_get(data, "data64");
	int i = output_stream(word);
	size_t n = json_string_length(text);
	char bytes[8192];

	if (h->room == 0)
		return false;
	h->room--;
	if (b64 != NULL) {
		assert_true(
		    str_unb64(bytes, sizeof bytes, json_string_value(b64), &n));
		h->binary++;
	} else {
		memcpy(bytes, json_string_value(text), n);
	}
	assert_int_equal(
	    json_integer_value(json_object_get(data, "offset")), h->len[i]);
	h->got[i] = mem_realloc(h->got[i], h->len[i] + n);
	memcpy(h->got[i] + h->len[i], bytes, n);
	h->len[i] += n;
	h->chunks++;
	h->longest = n > h->longest ? n : h->longest;
	str_copy(h->last, sizeof h->last,
	    json_string_value(json_object_get(data, "command_id")));
	return true;
}

static void
count_done(void *arg, void *owner)
{
	struct hub *h = arg;

	h->done++;
	if (owner != NULL)
		output_free(*(struct output **)owner);
}

static void
open_hub(struct hub *h, struct scratch *s, uint64_t max)
{
	struct outputs_config c = { .dir = s->dir,
		.keep = 100000,
		.max = max,
		.max_ended = 100,
		.chunk = 1024,
		.window = 4096,
		.send = take,
		.done = count_done,
		.arg = h };

	memset(h, 0, sizeof *h);
	h->room = 1000;
	h->set = outputs_new(&c, NULL);
	assert_non_null(h->set);
}

static void
close_hub(struct hub *h)
{
	outputs_free(h->set);
	free(h->got[0]);
	free(h->got[1]);
}

static void
no_more_than_the_window_is_on_the_way(void **state)
{
	struct output *o;
	char bytes[10000];
	struct hub h;

	open_hub(&h, *state, 1 << 20);
	memset(bytes, 'x', sizeof bytes);
	o = output_new(h.set, "a", true, NULL);
	output_add(o, 0, bytes, sizeof bytes);
	assert_int_equal(h.len[0], 4096);
	assert_true(h.longest <= 1024);
	output_acked(o, 0, 1000, false);
	assert_int_equal(h.len[0], 5096);
	output_add(o, 1, bytes, 10); /* the other has a window of its own */
	assert_int_equal(h.len[1], 10);
	output_end(o);
	assert_false(output_done(o));
	output_acked(o, 0, 5096, false);
	output_acked(o, 1, 10, false);
	output_acked(o, 0, 9000, false);
	assert_int_equal(h.len[0], 10000);
	assert_int_equal(h.done, 0);
	output_acked(o, 0, 10000, false);
	assert_int_equal(h.done, 1);
	assert_int_equal(files(*state), 0);
	output_free(o);
	close_hub(&h);
}

static void
a_new_link_goes_on_from_the_last_acknowledged_byte(void **state)
{
	struct output *o;
	struct hub h;

	open_hub(&h, *state, 1 << 20);
	o = output_new(h.set, "a", true, NULL);
	output_add(o, 0, "0123456789", 10);
	output_acked(o, 0, 4, false);
	h.room = 0;
	output_add(o, 0, "abc", 3);
	assert_int_equal(h.len[0], 10);
	h.len[0] = 4;
	h.room = 10;
	outputs_resend(h.set);
	assert_int_equal(h.len[0], 13);
	assert_memory_equal(h.got[0], "0123456789abc", 13);
	output_free(o);
	close_hub(&h);
}

static void
text_is_cut_between_characters_only(void **state)
{
	char text[3 * 1000];
	struct output *o;
	struct hub h;
	size_t i;

	for (i = 0; i < sizeof text; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	open_hub(&h, *state, 1 << 20);
	o = output_new(h.set, "a", true, NULL);
	for (i = 0; i < sizeof text; i += 50) /* 50 is no multiple of 3 */
		output_add(o, 0, text + i, 50);
	output_end(o);
	assert_int_equal(h.len[0], sizeof text);
	assert_memory_equal(h.got[0], text, sizeof text);
	assert_int_equal(h.binary, 0);
	output_free(o);
	close_hub(&h);
}

static void
what_is_no_text_goes_as_base64(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned binary;
	} cases[] = {
		{ "plain", 5, 0 },
		{ "nul\0", 4, 1 },
		{ "bad\xff", 4, 1 },
		{ "\xe2\x82", 2, 1 }, /* a character that never ends */
		{ "ab\xc3", 3, 1 },
		{ "\x1b[0m", 4, 0 },
	};
	size_t i;

	for (i = 0; i < N_OF(cases); i++) {
		struct output *o;
		struct hub h;

		open_hub(&h, *state, 1 << 20);
		o = output_new(h.set, "a", true, NULL);
		output_add(o, 1, cases[i].bytes, cases[i].len);
		output_end(o);
		assert_int_equal(h.len[1], cases[i].len);
		assert_memory_equal(h.got[1], cases[i].bytes, cases[i].len);
		assert_int_equal(h.binary, cases[i].binary);
		output_free(o);
		close_hub(&h);
	}
}

static void
stop_sends_nothing_more_and_keeps_nothing(void **state)
{
	struct output *o;
	struct hub h;

	open_hub(&h, *state, 1 << 20);
	o = output_new(h.set, "a", true, NULL);
	output_add(o, 0, "abc", 3);
	output_acked(o, 0, 0, true);
	output_add(o, 0, "def", 3);
	assert_int_equal(h.len[0], 3);
	assert_int_equal(files(*state), 0);
	output_end(o);
	assert_true(output_done(o));
	assert_int_equal(spool_bytes(output_spool(o, 0)), 6);
	assert_false(spool_truncated(output_spool(o, 0)));
	output_free(o);
	close_hub(&h);
}

static void
the_oldest_ended_output_makes_room(void **state)
{
	struct output *a, *b, *c;
	char bytes[600];
	struct hub h;

	open_hub(&h, *state, 1000);
	h.room = 0;
	memset(bytes, 'x', sizeof bytes);
	a = output_new(h.set, "a", true, &a);
	b = output_new(h.set, "b", true, &b);
	c = output_new(h.set, "c", true, NULL);
	output_add(b, 0, bytes, 200);
	output_add(a, 0, bytes, 200);
	output_end(b);
	output_end(a);
	output_add(c, 0, bytes, 600);
	assert_int_equal(h.done, 0);
	output_add(c, 0, bytes, 100);
	assert_int_equal(h.done, 1); /* b, which ended first */
	assert_int_equal(outputs_bytes(h.set), 900);
	output_add(c, 0, bytes, 300);
	assert_int_equal(h.done, 2);
	assert_false(spool_truncated(output_spool(c, 0)));
	output_add(c, 0, bytes, 1);
	assert_true(spool_truncated(output_spool(c, 0)));
	output_free(c);
	close_hub(&h);
}

static void
nobody_waits_behind_a_talker(void **state)
{
	struct output *loud, *quiet;
	char bytes[100000];
	struct hub h;

	open_hub(&h, *state, 1 << 20);
	outputs_limits(h.set, 1024, 1 << 20);
	h.room = 0;
	memset(bytes, 'x', sizeof bytes);
	loud = output_new(h.set, "loud", true, NULL);
	quiet = output_new(h.set, "quiet", true, NULL);
	output_add(loud, 0, bytes, sizeof bytes);
	output_add(quiet, 1, "hi", 2);
	h.room = 2;
	outputs_room(h.set);
	assert_string_equal(h.last, "quiet");
	assert_int_equal(h.len[1], 2);
	output_free(loud);
	output_free(quiet);
	close_hub(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(bytes_are_counted_digested_and_readable),
		SCRATCH_TEST(what_passes_a_bound_is_counted_and_not_kept),
		SCRATCH_TEST(the_tail_is_the_last_kilobyte_however_it_came),
		SCRATCH_TEST(strangers_are_swept_out_at_the_start),
		SCRATCH_TEST(no_more_than_the_window_is_on_the_way),
		SCRATCH_TEST(
		    a_new_link_goes_on_from_the_last_acknowledged_byte),
		SCRATCH_TEST(text_is_cut_between_characters_only),
		SCRATCH_TEST(what_is_no_text_goes_as_base64),
		SCRATCH_TEST(stop_sends_nothing_more_and_keeps_nothing),
		SCRATCH_TEST(the_oldest_ended_output_makes_room),
		SCRATCH_TEST(nobody_waits_behind_a_talker),
	};

	return RUN_TESTS(tests);
}
