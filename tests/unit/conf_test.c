#include "lib/conf.h"

#include <string.h>

#include "check.h"
#include "lib/exit.h"
#include "scratch.h"

enum {
	S_CONFIG,
	S_HELP,
	S_LISTEN,
	S_STATE_DIR,
	S_EDGE_SECRET,
	S_PORT,
	S_SIZE,
	S_WAIT,
	S_FORMAT,
	S_QUIET,
	S_COLOUR,
	S_ONLY_FILE,
	N_SETTINGS
};

static const struct setting table[N_SETTINGS] = {
	{ "config", CONF_PATH, "c,config", "T_CONFIG", "", 0, 0, "FILE", "f" },
	{ "help", CONF_BOOL, "h,help", "", "", 0, 0, "", "this text" },
	{ "listen", CONF_LIST, "listen", "T_LISTEN", "127.0.0.1:8765", 0, 0,
	    "HOST:PORT", "where to listen" },
	{ "state_dir", CONF_PATH, "state-dir", "T_STATE_DIR", "", 0, 0, "DIR",
	    "what must survive" },
	{ "edge_secret", CONF_STRING, "", "T_SECRET,T_SECRET_OLD", "", 0, 0,
	    "TEXT", "the secret" },
	{ "port", CONF_INT, "p,port", "T_PORT", "1", -5, 65535, "N", "port" },
	{ "max_body", CONF_SIZE, "max-body", "", "256k", 1, 1 << 20, "SIZE",
	    "largest body" },
	{ "ping", CONF_SPAN, "ping", "T_PING", "20s", 1000, 3600000, "TIME",
	    "ping after" },
	{ "log_format", CONF_WORD, "log-format", "T_FORMAT", "text", 0, 0,
	    "text|json", "form of the log" },
	{ "quiet", CONF_BOOL, "q,quiet", "T_QUIET", "", 0, 0, "", "say less" },
	{ "colour", CONF_BOOL, "colour", "", "true", 0, 0, "", "colours" },
	{ "only_file", CONF_STRING, "", "", "", 0, 0, "TEXT", "no flag" },
};

enum { ARGS_MAX = 12 };

/* argv of the last load, after it. */
static char *args[ARGS_MAX + 2];
static int n_args;
static struct err err;

/* Loads with up to three words on the command line. */
static struct conf *
load3(const char *a, const char *b, const char *c)
{
	const char *given[] = { "prog", a, b, c, NULL };
	int i;

	for (i = 0; given[i] != NULL; i++)
		args[i] = (char *)(uintptr_t)given[i];
	args[i] = NULL;
	n_args = i;
	err_clear(&err);
	return conf_load(table, N_SETTINGS, &n_args, args, &err);
}

#define LOAD(a) load3(a, NULL, NULL)
#define LOAD2(a, b) load3(a, b, NULL)

static void
without_anything_the_defaults_hold(void **state)
{
	struct conf *c = LOAD(NULL);

	(void)state;
	assert_non_null(c);
	assert_int_equal(conf_count(c, S_LISTEN), 1);
	assert_string_equal(conf_item(c, S_LISTEN, 0), "127.0.0.1:8765");
	assert_null(conf_item(c, S_LISTEN, 1));
	assert_null(conf_str(c, S_STATE_DIR));
	assert_int_equal(conf_int(c, S_SIZE), 262144);
	assert_int_equal(conf_int(c, S_WAIT), 20000);
	assert_string_equal(conf_str(c, S_FORMAT), "text");
	assert_false(conf_bool(c, S_QUIET));
	assert_true(conf_bool(c, S_COLOUR));
	assert_true(conf_is_default(c, S_PORT));
	assert_true(conf_is_default(c, S_STATE_DIR));
	conf_free(c);
}

static void
flags_have_every_usual_form(void **state)
{
	static const char *const forms[][2] = { { "--port", "80" },
		{ "--port=80", NULL }, { "-p", "80" }, { "-p80", NULL },
		{ "-qp80", NULL }, { "-qp", "80" } };
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(forms); i++) {
		struct conf *c = LOAD2(forms[i][0], forms[i][1]);

		assert_non_null(c);
		assert_int_equal(conf_int(c, S_PORT), 80);
		assert_false(conf_is_default(c, S_PORT));
		assert_int_equal(n_args, 1);
		conf_free(c);
	}
}

static void
a_bool_needs_no_value_and_can_be_denied(void **state)
{
	struct conf *c = load3("--no-colour", "-q", "word");

	(void)state;
	assert_false(conf_bool(c, S_COLOUR));
	assert_true(conf_bool(c, S_QUIET));
	assert_string_equal(args[1], "word");
	conf_free(c);
	c = LOAD2("--quiet=off", "--colour=YES");
	assert_false(conf_bool(c, S_QUIET));
	assert_true(conf_bool(c, S_COLOUR));
	conf_free(c);
}

static void
positional_words_stay_in_order(void **state)
{
	struct conf *c = load3("send", "--quiet", "mini");

	(void)state;
	assert_int_equal(n_args, 3);
	assert_string_equal(args[1], "send");
	assert_string_equal(args[2], "mini");
	assert_null(args[3]);
	conf_free(c);
	c = load3("-", "--", "--quiet");
	assert_int_equal(n_args, 3);
	assert_string_equal(args[1], "-");
	assert_string_equal(args[2], "--quiet");
	assert_false(conf_bool(c, S_QUIET));
	conf_free(c);
}

static void
a_negative_number_is_a_value(void **state)
{
	struct conf *c = LOAD2("--port", "-5");

	(void)state;
	assert_int_equal(conf_int(c, S_PORT), -5);
	conf_free(c);
}

static void
a_list_grows_and_another_flag_is_replaced(void **state)
{
	struct conf *c = LOAD2("--listen=a:1", "--listen=b:2,dialect=x");

	(void)state;
	assert_int_equal(conf_count(c, S_LISTEN), 2);
	assert_string_equal(conf_item(c, S_LISTEN, 0), "a:1");
	assert_string_equal(conf_item(c, S_LISTEN, 1), "b:2,dialect=x");
	conf_free(c);
	c = LOAD2("--port=1", "--port=2");
	assert_int_equal(conf_int(c, S_PORT), 2);
	conf_free(c);
}

/* ABUSE 56 */
static void
a_wrong_command_line_is_a_usage_error(void **state)
{
	static const struct {
		const char *word, *next, *says;
	} cases[] = {
		{ "--unknown", NULL, "--unknown: unknown option" },
		{ "--unknown=x", NULL, "--unknown: unknown option" },
		{ "-x", NULL, "-x: unknown option" },
		{ "-qx", NULL, "-x: unknown option" },
		{ "--p", "80", "--p: unknown option" },
		{ "--no-port", NULL, "--no-port: unknown option" },
		{ "--no-quiet=1", NULL, "--no-quiet: unknown option" },
		{ "--edge-secret", "x", "--edge-secret: unknown option" },
		{ "--port", NULL, "--port: needs a value" },
		{ "--port", "--quiet", "--port: needs a value" },
		{ "-p", NULL, "-p: needs a value" },
		{ "--port=", NULL, "--port: is empty" },
		{ "--port", "99999", "--port: must be from -5 to 65535" },
		{ "--port", "-6", "--port: must be from" },
		{ "--port", "abc", "--port: \"abc\" is not an integer" },
		{ "--port", "80x", "not an integer" },
		{ "--port", "99999999999999999999", "not an integer" },
		{ "--port", "0x50", "not an integer" },
		{ "--port", "1,5", "not an integer" },
		{ "--max-body", "2M", "must be from 1 bytes to 1048576 bytes" },
		{ "--max-body", "1.5k", "not a size" },
		{ "--ping", "10ms", "must be from 1 s to 1 h" },
		{ "--ping", "soon", "not a time" },
		{ "--log-format", "xml", "is not one of text|json" },
		{ "--log-format", "text|json", "is not one of text|json" },
		{ "--quiet=maybe", NULL, "not true or false" },
		{ "--state-dir", "\xff", "is not UTF-8" },
		{ "--state-dir=", NULL, "is empty" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(cases); i++) {
		struct conf *c = LOAD2(cases[i].word, cases[i].next);

		if (c != NULL || err.status != EXIT_USAGE_ ||
		    strstr(err.text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].word, err.text);
	}
}

static void
an_endless_argument_is_refused(void **state)
{
	static char text[100001];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_null(LOAD2("--state-dir", text));
	assert_int_equal(err.status, EXIT_USAGE_);
	assert_null(LOAD2("--listen", text));
	assert_null(LOAD2("--port", text));
	memcpy(text, "--", 2);
	assert_null(LOAD(text));
	assert_int_equal(err.status, EXIT_USAGE_);
}

static void
the_environment_is_read_and_removed(void **state)
{
	struct conf *c;

	(void)state;
	setenv("T_SECRET_OLD", "old", 1);
	setenv("T_SECRET", "hunter2", 1);
	setenv("T_LISTEN", "a:1  b:2", 1);
	setenv("T_FORMAT", "JSON", 1);
	setenv("T_PORT", "", 1);
	c = LOAD(NULL);
	assert_string_equal(conf_str(c, S_EDGE_SECRET), "hunter2");
	assert_int_equal(conf_count(c, S_LISTEN), 2);
	assert_string_equal(conf_item(c, S_LISTEN, 1), "b:2");
	assert_string_equal(conf_str(c, S_FORMAT), "json");
	assert_true(conf_is_default(c, S_PORT));
	assert_null(getenv("T_SECRET"));
	assert_null(getenv("T_SECRET_OLD"));
	assert_null(getenv("T_LISTEN"));
	assert_null(getenv("T_PORT"));
	conf_free(c);
}

static void
an_empty_secret_is_not_an_absent_one(void **state)
{
	struct conf *c;

	(void)state;
	setenv("T_SECRET", "", 1);
	setenv("T_SECRET_OLD", "old", 1);
	c = LOAD(NULL);
	assert_string_equal(conf_str(c, S_EDGE_SECRET), "");
	assert_false(conf_is_default(c, S_EDGE_SECRET));
	conf_free(c);
}

static void
a_wrong_variable_is_named_and_all_are_removed(void **state)
{
	(void)state;
	setenv("T_PORT", "many", 1);
	setenv("T_QUIET", "1", 1);
	assert_null(LOAD(NULL));
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_string_equal(err.text, "T_PORT: \"many\" is not an integer");
	assert_null(getenv("T_QUIET"));
	setenv("T_SECRET", "hunter2", 1);
	assert_null(LOAD("--bogus"));
	assert_null(getenv("T_SECRET"));
}

static struct conf *
load_file(struct scratch *s, const char *text)
{
	scratch_text(s, "conf", text, 0644);
	return LOAD2("--config", s->path);
}

static void
a_file_is_read_with_comments_and_both_dashes(void **state)
{
	struct conf *c = load_file(*state, "# comment\n"
					   "; comment\n"
					   "\n"
					   "port = 80   # why\n"
					   "  state-dir = /a b/c#d ; why\r\n"
					   "max_body=1k\n"
					   "listen = a:1\n"
					   "\tlisten = b:2\n"
					   "only-file = command.#\n"
					   "quiet = yes");

	assert_non_null(c);
	assert_int_equal(conf_int(c, S_PORT), 80);
	assert_string_equal(conf_str(c, S_STATE_DIR), "/a b/c#d");
	assert_int_equal(conf_int(c, S_SIZE), 1024);
	assert_int_equal(conf_count(c, S_LISTEN), 2);
	assert_string_equal(conf_item(c, S_LISTEN, 1), "b:2");
	assert_string_equal(conf_str(c, S_ONLY_FILE), "command.#");
	assert_true(conf_bool(c, S_QUIET));
	conf_free(c);
}

/* ABUSE 57 */
static void
a_wrong_file_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "\nprot = 80\n", "/conf:2: unknown key \"prot\"" },
		{ "port = 1\nquiet=1\nport = 2\n",
		    "/conf:3: \"port\" was set in line 1 already" },
		{ "max-body = 1k\nmax_body = 2k\n", "/conf:2: " },
		{ "port = abc\n", "/conf:1: port: \"abc\" is not an integer" },
		{ "port = \n", "/conf:1: port: is empty" },
		{ "port\n", "/conf:1: not KEY = VALUE" },
		{ "port\nprot = 1\n", "/conf:1: not KEY = VALUE" },
		{ "prot = 1\nport\n", "/conf:1: unknown key" },
		{ "[server]\nport = 80\n", "/conf:1: sections" },
		{ "port = 80\n  [x]", "/conf:2: sections" },
		{ "\xef\xbb\xbf[x]\nport = 80\n", "sections" },
		{ "state-dir = \xff\n", "/conf:1: is not UTF-8" },
		{ "config = /x\n", "/conf:1: unknown key" },
		{ "help = 1\n", "/conf:1: unknown key" },
		{ "= 1\n", "/conf:1: " },
		{ "ping = 10ms\n", "/conf:1: ping: must be from 1 s to 1 h" },
	};
	size_t i;

	for (i = 0; i < N_OF(cases); i++)
		if (load_file(*state, cases[i].text) != NULL ||
		    err.status != EXIT_CONFIG ||
		    strstr(err.text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
}

static void
a_line_is_never_cut_in_silence(void **state)
{
	struct scratch *s = *state;
	char text[400] = "state-dir = /";
	struct conf *c;
	size_t len;

	for (len = strlen(text); len < 198; len++)
		text[len] = 'x';
	c = load_file(s, text);
	assert_non_null(c);
	assert_int_equal(strlen(conf_str(c, S_STATE_DIR)), 198 - 12);
	conf_free(c);
	text[198] = 'x';
	assert_null(load_file(s, text));
	assert_non_null(strstr(err.text, "/conf:1: the line is too long"));
}

static void
a_nul_byte_in_the_file_is_refused(void **state)
{
	struct scratch *s = *state;

	scratch_write(s, "conf",
	    "port = 8\0"
	    "0\n",
	    11, 0600);
	assert_null(LOAD2("--config", s->path));
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_non_null(strstr(err.text, "/conf:1: has a NUL byte"));
}

static void
what_is_no_trusted_file_is_refused(void **state)
{
	struct scratch *s = *state;
	static char big[(1 << 20) + 1];

	assert_null(LOAD2("--config", s->dir));
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_null(LOAD2("--config", scratch_path(s, "none")));
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_int_equal(mkfifo(scratch_path(s, "fifo"), 0600), 0);
	assert_null(LOAD2("--config", s->path));
	assert_int_equal(err.status, EXIT_CONFIG);
	assert_null(
	    LOAD2("--config", scratch_text(s, "open", "port=80\n", 0666)));
	assert_int_equal(err.status, EXIT_CONFIG);
	memset(big, '#', sizeof big);
	assert_null(
	    LOAD2("--config", scratch_write(s, "big", big, sizeof big, 0600)));
	assert_int_equal(err.status, EXIT_CONFIG);
}

static void
a_default_file_may_be_absent(void **state)
{
	struct scratch *s = *state;
	struct setting own = table[S_CONFIG];
	char *argv[] = { args[0], NULL };
	struct conf *c;
	int argc = 1;

	own.def = scratch_path(s, "conf");
	c = conf_load(&own, 1, &argc, argv, NULL);
	assert_non_null(c);
	conf_free(c);
	scratch_text(s, "conf", "bogus = 1\n", 0600);
	err_clear(&err);
	assert_null(conf_load(&own, 1, &argc, argv, &err));
	assert_non_null(strstr(err.text, "unknown key"));
}

static void
flag_beats_variable_beats_file(void **state)
{
	struct scratch *s = *state;
	struct conf *c;

	scratch_text(s, "conf",
	    "port = 1\nping = 1m\nlog-format = json\nlisten = f:1\n", 0600);
	setenv("T_PORT", "2", 1);
	setenv("T_PING", "2m", 1);
	setenv("T_LISTEN", "e:1", 1);
	c = load3("--config", s->path, "--port=3");
	assert_non_null(c);
	assert_int_equal(conf_int(c, S_PORT), 3);
	assert_int_equal(conf_int(c, S_WAIT), 120000);
	assert_string_equal(conf_str(c, S_FORMAT), "json");
	assert_int_equal(conf_count(c, S_LISTEN), 1);
	assert_string_equal(conf_item(c, S_LISTEN, 0), "e:1");
	conf_free(c);
}

static void
a_value_of_the_file_is_judged_even_when_overridden(void **state)
{
	struct scratch *s = *state;

	scratch_text(s, "conf", "port = abc\n", 0600);
	assert_null(load3("--config", s->path, "--port=3"));
	assert_int_equal(err.status, EXIT_CONFIG);
}

static void
help_is_given_whatever_else_is_wrong(void **state)
{
	struct conf *c;

	(void)state;
	setenv("T_PORT", "many", 1);
	c = load3("--config=/nowhere/at/all", "-h", NULL);
	assert_non_null(c);
	assert_true(conf_bool(c, S_HELP));
	conf_free(c);
}

/* What a printing function printed. */
static char *
printed(const struct conf *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	if (c != NULL)
		conf_print(c, f);
	else
		conf_help(table, N_SETTINGS, f);
	fclose(f);
	return text;
}

static void
every_value_is_printed_with_its_origin(void **state)
{
	struct scratch *s = *state;
	struct conf *c;
	char *text;

	scratch_text(
	    s, "conf", "\nmax-body = 1k\nedge-secret = hunter2\n", 0600);
	setenv("T_PING", "2m", 1);
	c = load3("--config", s->path, "-p3");
	assert_non_null(c);
	text = printed(c);
	assert_non_null(strstr(text, "\nport = 3   # flag -p\n"));
	assert_non_null(strstr(text, "\nping = 2m   # environment T_PING\n"));
	assert_non_null(strstr(text, "\nmax-body = 1k   # file "));
	assert_non_null(strstr(text, "/conf:2\n"));
	assert_non_null(
	    strstr(text, "\nlisten = 127.0.0.1:8765   # default\n"));
	assert_non_null(strstr(text, "\n# edge-secret = (not shown)   # file"));
	assert_null(strstr(text, "hunter2"));
	free(text);
	conf_free(c);
}

static void
help_has_one_line_a_setting(void **state)
{
	char *text = printed(NULL), *p;
	unsigned lines = 0;

	(void)state;
	for (p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, N_SETTINGS);
	assert_non_null(strstr(text, "  -p, --port N  "));
	assert_non_null(strstr(text, "      --listen HOST:PORT  "));
	assert_non_null(strstr(text, "where to listen [127.0.0.1:8765]\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_anything_the_defaults_hold),
		cmocka_unit_test(flags_have_every_usual_form),
		cmocka_unit_test(a_bool_needs_no_value_and_can_be_denied),
		cmocka_unit_test(positional_words_stay_in_order),
		cmocka_unit_test(a_negative_number_is_a_value),
		cmocka_unit_test(a_list_grows_and_another_flag_is_replaced),
		cmocka_unit_test(a_wrong_command_line_is_a_usage_error),
		cmocka_unit_test(an_endless_argument_is_refused),
		cmocka_unit_test(the_environment_is_read_and_removed),
		cmocka_unit_test(an_empty_secret_is_not_an_absent_one),
		cmocka_unit_test(a_wrong_variable_is_named_and_all_are_removed),
		SCRATCH_TEST(a_file_is_read_with_comments_and_both_dashes),
		SCRATCH_TEST(a_wrong_file_is_refused_with_its_line),
		SCRATCH_TEST(a_line_is_never_cut_in_silence),
		SCRATCH_TEST(a_nul_byte_in_the_file_is_refused),
		SCRATCH_TEST(what_is_no_trusted_file_is_refused),
		SCRATCH_TEST(a_default_file_may_be_absent),
		SCRATCH_TEST(flag_beats_variable_beats_file),
		SCRATCH_TEST(
		    a_value_of_the_file_is_judged_even_when_overridden),
		cmocka_unit_test(help_is_given_whatever_else_is_wrong),
		SCRATCH_TEST(every_value_is_printed_with_its_origin),
		cmocka_unit_test(help_has_one_line_a_setting),
	};

	return RUN_TESTS(tests);
}
