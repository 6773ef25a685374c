/* What a strange peer sends behind a good handshake (ABUSE B). */
#include "ws_kit.h"

/* Sends bytes behind a handshake and returns all that came back. */
static char *
after_handshake(struct world *w, const char *bytes, size_t n, size_t *len)
{
	int fd = bare_connect(w);
	char *got;

	bare_send(fd, HANDSHAKE "\r\n");
	got = bare_read(w, fd, "\r\n\r\n", NULL);
	assert_true(str_starts(got, "HTTP/1.1 101 "));
	free(got);
	assert_int_equal(send(fd, bytes, n, 0), n);
	got = mem_alloc(256);
	*len = 0;
	while (w->server.messages == 0 && *len < 4 && !w->expired) {
		ssize_t got_now = recv(fd, got + *len, 255 - *len, 0);

		*len += got_now > 0 ? (size_t)got_now : 0;
		if (got_now == 0)
			break;
		uv_run(loop_uv(w->loop), UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	close(fd);
	assert_false(w->expired);
	return got;
}

static void
a_dead_peer_is_closed_with_1011(void **state)
{
	struct ws_config c = base_config;
	struct world *w;
	int fd;

	(void)state;
	c.ping_ms = 30;
	c.dead_ms = 100;
	w = world_with(&c, NULL, NULL);
	fd = bare_connect(w);
	bare_send(fd, HANDSHAKE "\r\n");
	WAIT(w, w->server.opened);
	free(bare_read(w, fd, "keepalive ping timeout", NULL));
	close(fd);
	WAIT(w, w->server.closed);
	assert_int_equal(w->server.code, 1011);
	world_free(w);
}

static void
bad_frames_close_with_their_code(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
		int code;
	} cases[] = {
#define FRAME(what, bytes, code) { what, bytes, sizeof bytes - 1, code }
		FRAME("unmasked", "\x81\x02hi", 1002),
		FRAME("unmasked, 126 bytes announced",
		    "\x81\x7e\x00\x7e"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789012345",
		    1002),
		FRAME("rsv", "\xc1\x80\1\2\3\4", 1002),
		FRAME("opcode 3", "\x83\x80\1\2\3\4", 1002),
		FRAME("continuation first", "\x80\x80\1\2\3\4", 1002),
		FRAME("bad utf-8", "\x81\x82\0\0\0\0\xc3\x28", 1007),
		FRAME(
		    "binary that is no text", "\x82\x82\0\0\0\0\xff\xfe", 1003),
		FRAME("2^62 announced", "\x81\xff\x40\0\0\0\0\0\0\0\1\2\3\4x",
		    1009),
		FRAME("one byte of close", "\x88\x81\0\0\0\0x", 1002),
#undef FRAME
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct world *w = world_new();
		size_t len;
		char *got;

		got = after_handshake(w, cases[i].bytes, cases[i].len, &len);
		if (w->server.messages > 0)
			fail_msg("%s: taken", cases[i].what);
		if (len < 4 || (unsigned char)got[0] != 0x88 ||
		    ((unsigned char)got[2] << 8 | (unsigned char)got[3]) !=
			cases[i].code)
			fail_msg("%s: %zu bytes, code %d", cases[i].what, len,
			    len >= 4 ? (unsigned char)got[2] << 8 |
					   (unsigned char)got[3]
				     : 0);
		free(got);
		world_free(w);
	}
}

static void
fragments_make_one_message(void **state)
{
	static const char bytes[] = "\x01\x82\0\0\0\0ab\x89\x80\0\0\0\0"
				    "\x00\x81\0\0\0\0c\x80\x80\0\0\0\0";
	struct world *w = world_new();
	size_t len;

	(void)state;
	free(after_handshake(w, bytes, sizeof bytes - 1, &len));
	assert_int_equal(w->server.messages, 1);
	assert_string_equal(w->server.got, "abc");
	world_free(w);
}

static void
too_many_fragments_are_1008(void **state)
{
	struct world *w = world_new();
	char bytes[25 * 6];
	size_t len;
	char *got;

	(void)state;
	for (int i = 0; i < 25; i++)
		memcpy(bytes + 6 * i,
		    i == 0 ? "\x01\x80\0\0\0\0" : "\x00\x80\0\0\0\0", 6);
	got = after_handshake(w, bytes, sizeof bytes, &len);
	assert_memory_equal(got + 2, "\x03\xf0", 2);
	free(got);
	world_free(w);
}

static void
binary_utf8_is_a_message(void **state)
{
	struct world *w = world_new();
	size_t len;

	(void)state;
	free(after_handshake(w, "\x82\x82\0\0\0\0{}", 8, &len));
	assert_string_equal(w->server.got, "{}");
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_peer_is_closed_with_1011),
		cmocka_unit_test(bad_frames_close_with_their_code),
		cmocka_unit_test(fragments_make_one_message),
		cmocka_unit_test(too_many_fragments_are_1008),
		cmocka_unit_test(binary_utf8_is_a_message),
	};

	return RUN_TESTS(tests);
}
