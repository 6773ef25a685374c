#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lib/json.h"
#include "scratch.h"

/* The log goes to a file; what was written since the last look. */
static struct clock now;
static int log_fd = -1;

static int
setup(void **state)
{
	static int64_t tests_before;

	if (scratch_setup(state) != 0)
		return -1;
	log_fd = open(scratch_path(*state, "log"), O_RDWR | O_CREAT, 0600);
	clock_fake(&now, 1762374600000);
	/* what the limiter counted is of a second long ago */
	now.fake_mono += ++tests_before * 3600000;
	log_init("test", &now, log_fd);
	log_set_level(LOG_INFO);
	log_set_json(false);
	return log_fd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	log_settle(true);
	close(log_fd);
	log_init("test", &clock_system, 2);
	return scratch_teardown(state);
}

static const char *
written(void)
{
	static char text[65536];
	ssize_t n;

	lseek(log_fd, 0, SEEK_SET);
	n = read(log_fd, text, sizeof text - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(log_fd, 0), 0);
	lseek(log_fd, 0, SEEK_SET);
	return text;
}

static unsigned
lines_in(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
a_line_has_time_level_and_message(void **state)
{
	(void)state;
	log_info("agent %s: gone (%d s)", "edge1", 30);
	assert_string_equal(written(),
	    "2025-11-05T20:30:00.000Z info agent edge1: gone (30 s)\n");
}

static void
a_json_line_is_one_object(void **state)
{
	const char *text;
	json_t *o;

	(void)state;
	log_set_json(true);
	log_warn("a \"quoted\" \x1b[2J\n\xff word");
	text = written();
	o = js_read_object(text, strlen(text), NULL);
	assert_non_null(o);
	assert_string_equal(js_str(o, "time"), "2025-11-05T20:30:00.000Z");
	assert_string_equal(js_str(o, "level"), "warn");
	assert_string_equal(
	    js_str(o, "message"), "a \"quoted\" \\x1b[2J\\n\\xff word");
	assert_int_equal(lines_in(text), 1);
	json_decref(o);
}

static void
lower_levels_are_left_out(void **state)
{
	enum log_level level;

	(void)state;
	log_debug("unseen");
	assert_string_equal(written(), "");
	assert_true(log_level_from("debug", &level));
	log_set_level(level);
	log_debug("seen");
	assert_int_equal(lines_in(written()), 1);
	assert_true(log_level_from("error", &level));
	log_set_level(level);
	log_warn("unseen");
	assert_string_equal(written(), "");
	assert_false(log_level_from("loud", &level));
}

static void
an_event_is_one_line_whatever_a_stranger_sends(void **state)
{
	static char huge[1 << 20];
	const char *text;

	(void)state;
	memset(huge, 'x', sizeof huge - 1);
	log_info("id %s", log_q("a\r\nb\x1b[31m%s%n"));
	text = written();
	assert_int_equal(lines_in(text), 1);
	assert_non_null(strstr(text, "a\\r\\nb\\x1b[31m%s%n\n"));
	log_info("id %s", log_q(huge));
	text = written();
	assert_int_equal(lines_in(text), 1);
	assert_true(strlen(text) < LOG_ARG_MAX + 64);
	log_info("%s", huge); /* even one who forgot log_q */
	text = written();
	assert_int_equal(lines_in(text), 1);
	assert_true(strlen(text) < 4096);
}

static void
four_quoted_texts_fit_in_one_line(void **state)
{
	(void)state;
	log_info("%s %s %s %s", log_q("a"), log_q("b"), log_qn("cx", 1),
	    log_q(NULL));
	assert_non_null(strstr(written(), " a b c (none)\n"));
}

static void
a_source_that_repeats_itself_is_held_back(void **state)
{
	const char *text;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		log_limited("10.0.0.1", LOG_WARN, "refused %d", i);
	assert_int_equal(lines_in(written()), 10);
	clock_advance(&now, 1000);
	log_limited("10.0.0.1", LOG_WARN, "again");
	text = written();
	assert_int_equal(lines_in(text), 2);
	assert_non_null(
	    strstr(text, "held back 990 more lines about 10.0.0.1\n"));
	assert_non_null(strstr(text, "again\n"));
}

static void
what_was_held_back_is_told_by_the_next_line_of_anybody(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 11; i++)
		log_limited("noisy", LOG_INFO, "x");
	written();
	log_info("soon");
	assert_null(strstr(written(), "held back"));
	clock_advance(&now, 1000);
	log_info("later");
	assert_non_null(
	    strstr(written(), "held back 1 more line about noisy\n"));
	log_info("once only");
	assert_null(strstr(written(), "held back"));
}

static void
settling_tells_at_the_end(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 15; i++)
		log_limited("last words", LOG_INFO, "x");
	written();
	log_settle(false);
	assert_string_equal(written(), "");
	log_settle(true);
	assert_non_null(
	    strstr(written(), "held back 5 more lines about last words\n"));
}

static void
a_million_sources_stay_a_handful_of_lines(void **state)
{
	char source[32];
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		snprintf(source, sizeof source, "10.%d.%d.%d", i >> 16,
		    i >> 8 & 255, i & 255);
		log_limited(source, LOG_WARN, "x");
	}
	assert_in_range(lines_in(written()), 10, 640);
}

static void
one_source_does_not_silence_another(void **state)
{
	char source[32];
	int i, passed = 0;

	(void)state;
	for (i = 0; i < 100; i++)
		log_limited("noisy", LOG_WARN, "x");
	written();
	for (i = 0; i < 20; i++) { /* one in 64 shares the slot */
		snprintf(source, sizeof source, "quiet%d", i);
		log_limited(source, LOG_WARN, "y");
		passed += lines_in(written()) == 1;
	}
	assert_true(passed > 10);
}

static void
a_line_that_cannot_be_written_is_counted(void **state)
{
	unsigned long before = log_dropped();

	(void)state;
	log_init("test", &now, -1);
	log_info("lost");
	assert_int_equal(log_dropped(), before + 1);
	log_init("test", &now, log_fd);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_has_time_level_and_message),
		LOG_TEST(a_json_line_is_one_object),
		LOG_TEST(lower_levels_are_left_out),
		LOG_TEST(an_event_is_one_line_whatever_a_stranger_sends),
		LOG_TEST(four_quoted_texts_fit_in_one_line),
		LOG_TEST(a_source_that_repeats_itself_is_held_back),
		LOG_TEST(
		    what_was_held_back_is_told_by_the_next_line_of_anybody),
		LOG_TEST(settling_tells_at_the_end),
		LOG_TEST(a_million_sources_stay_a_handful_of_lines),
		LOG_TEST(one_source_does_not_silence_another),
		LOG_TEST(a_line_that_cannot_be_written_is_counted),
	};

	return RUN_TESTS(tests);
}
