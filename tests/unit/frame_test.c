#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "net/frame.h"

static void
the_header_is_as_short_as_it_can_be(void **state)
{
	static const struct {
		size_t len;
		uint32_t header;
		const char *bytes;
	} cases[] = {
		{ 0, 2, "\x81\x00" },
		{ 1, 2, "\x81\x01" },
		{ 125, 2, "\x81\x7d" },
		{ 126, 4, "\x81\x7e\x00\x7e" },
		{ 65535, 4, "\x81\x7e\xff\xff" },
		{ 65536, 10, "\x81\x7f\0\0\0\0\0\1\0\0" },
		{ 1 << 20, 10, "\x81\x7f\0\0\0\0\0\x10\0\0" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char *text = malloc(cases[i].len + 1);
		struct frame *f;
		size_t len;

		memset(text, 'x', cases[i].len + 1);
		f = frame_text(text, cases[i].len);
		assert_int_equal(f->header, cases[i].header);
		assert_int_equal(f->len, cases[i].header + cases[i].len);
		assert_memory_equal(f->bytes, cases[i].bytes, f->header);
		assert_memory_equal(frame_payload(f, &len), text, cases[i].len);
		assert_int_equal(len, cases[i].len);
		frame_unref(f);
		free(text);
	}
}

static void
a_frame_lives_until_its_last_reference(void **state)
{
	struct frame *f = frame_text_z("hello");
	size_t len;

	(void)state;
	assert_ptr_equal(frame_ref(f), f);
	frame_unref(f);
	assert_memory_equal(frame_payload(f, &len), "hello", 5);
	frame_unref(f);
	frame_unref(NULL);
}

static void
the_ping_is_shared_and_has_a_payload(void **state)
{
	struct frame *a = frame_ping(), *b = frame_ping();

	(void)state;
	assert_ptr_equal(a, b);
	assert_int_equal((unsigned char)a->bytes[0], 0x89);
	assert_int_equal(a->len, 2 + a->bytes[1]);
	assert_true(a->bytes[1] > 0);
	frame_unref(a);
	frame_unref(b);
	a = frame_ping(); /* still there */
	assert_ptr_equal(a, b);
	frame_unref(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_is_as_short_as_it_can_be),
		cmocka_unit_test(a_frame_lives_until_its_last_reference),
		cmocka_unit_test(the_ping_is_shared_and_has_a_payload),
	};

	return RUN_TESTS(tests);
}
