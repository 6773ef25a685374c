#include "ewsd/core/auth.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ewsd/core/rate.h"
#include "ewsd/settings.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/secret.h"
#include "lib/str.h"
#include "scratch.h"

#define SECRET "s3cret"
#define NOW_S 1795247246LL
#define DAY_S (24 * 3600)

static const struct setting settings[] = {
#define SETTING(name, kind, flag, env, def, min, max, arg, help)               \
	{ #name, CONF_##kind, flag, env, def, min, max, arg, help },
#include "ewsd/settings.def"
#undef SETTING
};

struct fixture {
	struct scratch *scratch;
	struct clock clock;
	struct conf *conf;
	struct auth *auth;
	struct err err;
};

/* 'flags' is one argument of the command line, or NULL. */
static void
start(struct fixture *f, void **state, const char *secret, const char *flag)
{
	struct err clear = ERR_INIT;
	char dir[600], arg[700] = "--raw-secret";
	char *argv[] = { (char *)"ewsd", dir, arg, NULL };
	int argc = 3;

	f->scratch = *state;
	f->err = clear;
	snprintf(dir, sizeof dir, "--state-dir=%s", f->scratch->dir);
	if (flag != NULL)
		str_copy(arg, sizeof arg, flag);
	if (secret != NULL)
		setenv("EDGE_SECRET", secret, 1);
	setenv("ADMIN_KEY", "admin", 1);
	setenv("REGISTRATION_TOKEN", "register", 1);
	clock_fake(&f->clock, NOW_S * 1000);
	f->conf = conf_load(settings, SET_COUNT, &argc, argv, &f->err);
	assert_non_null(f->conf);
	f->auth = auth_new(f->conf, &f->clock, &f->err);
}

static void
stop(struct fixture *f)
{
	auth_free(f->auth);
	conf_free(f->conf);
}

static enum auth_answer
bearer(struct fixture *f, const char *token, const char *claimed,
    struct auth_who *who)
{
	char *line = mem_printf("Bearer %s", token);
	enum auth_answer answer = auth_bearer(f->auth, line, claimed, who);

	free(line);
	return answer;
}

/* base64 of "ID:PHONE:TS:SIG" with a right signature of whatever it is. */
static char *
forge(const char *text, bool upper)
{
	char hex[65], *whole, *token;

	secret_hmac_hex(hex, SECRET, text, strlen(text));
	for (char *c = hex; upper && *c != '\0'; c++)
		if (*c >= 'a')
			*c -= 'a' - 'A';
	whole = mem_printf("%s:%s", text, hex);
	token = str_b64(whole, strlen(whole));
	free(whole);
	return token;
}

static void
the_raw_secret_is_whoever_it_says(void **state)
{
	struct fixture f;
	struct auth_who who;

	start(&f, state, SECRET, NULL);
	assert_int_equal(bearer(&f, SECRET, "edge_1", &who), AUTH_OK);
	assert_true(who.edge && !who.bound && !who.admin);
	assert_string_equal(who.id, "edge_1");
	assert_int_equal(bearer(&f, SECRET, NULL, &who), AUTH_OK);
	assert_string_equal(who.id, "");
	assert_int_equal(bearer(&f, "s3creT", "edge_1", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, "x3cret", "edge_1", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, "s3cret1", "edge_1", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, SECRET, "a/b", &who), AUTH_WRONG);
	stop(&f);
}

static void
what_is_no_bearer_is_missing(void **state)
{
	static const char *const lines[] = { NULL, "", "Bearer", "Bearer ",
		"Basic s3cret", SECRET };
	struct fixture f;
	struct auth_who who;

	start(&f, state, SECRET, NULL);
	for (size_t i = 0; i < N_OF(lines); i++)
		assert_int_equal(
		    auth_bearer(f.auth, lines[i], "a", &who), AUTH_MISSING);
	assert_int_equal(
	    auth_bearer(f.auth, "bearer  s3cret", "a", &who), AUTH_OK);
	stop(&f);
}

static void
raw_secrets_can_be_switched_off(void **state)
{
	struct fixture f;
	struct auth_who who;
	char *token = secret_token(SECRET, "a", "+1", NOW_S);

	start(&f, state, SECRET, "--no-raw-secret");
	assert_int_equal(bearer(&f, SECRET, "a", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, token, "a", &who), AUTH_OK);
	assert_true(who.bound);
	free(token);
	stop(&f);
}

/* ABUSE 77 */
static void
a_token_is_good_for_its_day_only(void **state)
{
	static const struct {
		const char *ts;
		enum auth_answer answer;
	} cases[] = {
		{ "1795247246", AUTH_OK },
		{ "1795160846", AUTH_OK }, /* 24 h old */
		{ "1795160845", AUTH_WRONG },
		{ "1795247546", AUTH_OK }, /* 5 min ahead */
		{ "1795247547", AUTH_WRONG },
		{ "1795247846", AUTH_WRONG },
		{ "-1795247246", AUTH_WRONG },
		{ "0", AUTH_WRONG },
		{ "18446744073709551616", AUTH_WRONG },
		{ "18446744075504798862", AUTH_WRONG },
		{ " 1795247246", AUTH_WRONG },
		{ "1795247246 ", AUTH_WRONG },
		{ "+1795247246", AUTH_WRONG },
		{ "1795247246.0", AUTH_WRONG },
		{ "", AUTH_WRONG },
	};
	struct fixture f;
	struct auth_who who;

	start(&f, state, SECRET, NULL);
	for (size_t i = 0; i < N_OF(cases); i++) {
		char *text = mem_printf("edge_1:+1310:%s", cases[i].ts);
		char *token = forge(text, false);

		assert_int_equal(
		    bearer(&f, token, "edge_1", &who), cases[i].answer);
		free(token);
		free(text);
	}
	stop(&f);
}

static void
an_altered_token_is_wrong(void **state)
{
	char *good = secret_token(SECRET, "edge_1", "+1310", NOW_S);
	char *foreign = secret_token("other", "edge_1", "+1310", NOW_S);
	char *upper = forge("edge_1:+1310:1795247246", true);
	char *longer = mem_printf("%sAAAA", good);
	char *spaced = mem_printf("%s ", good);
	struct fixture f;
	struct auth_who who;

	start(&f, state, SECRET, NULL);
	assert_int_equal(bearer(&f, good, "edge_1", &who), AUTH_OK);
	assert_int_equal(bearer(&f, foreign, "edge_1", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, upper, "edge_1", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, longer, "edge_1", &who), AUTH_WRONG);
	assert_int_equal(bearer(&f, spaced, "edge_1", &who), AUTH_WRONG);
	for (size_t i = 0; good[i] != '\0'; i++) {
		char was = good[i];

		good[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(bearer(&f, good, "edge_1", &who), AUTH_WRONG);
		good[i] = was;
	}
	free(good);
	free(foreign);
	free(upper);
	free(longer);
	free(spaced);
	stop(&f);
}

/* ABUSE 78 */
static void
a_token_is_of_one_id(void **state)
{
	char *token = secret_token(SECRET, "edge:1", "+1310", NOW_S);
	struct fixture f;
	struct auth_who who;

	start(&f, state, SECRET, NULL);
	assert_int_equal(bearer(&f, token, "edge:1", &who), AUTH_OK);
	assert_true(who.bound);
	assert_string_equal(who.id, "edge:1");
	assert_int_equal(bearer(&f, token, NULL, &who), AUTH_OK);
	assert_string_equal(who.id, "edge:1");
	assert_int_equal(bearer(&f, token, "edge", &who), AUTH_FOREIGN);
	assert_int_equal(bearer(&f, token, "EDGE:1", &who), AUTH_FOREIGN);
	free(token);
	stop(&f);
}

static void
a_signature_covers_method_path_time_and_body(void **state)
{
	static const char body[] = "{\"a\":1}";
	struct auth_signed s = { "edge_1", "1795247246", NULL, "POST",
		"/edge/sync", body, sizeof body - 1 };
	struct fixture f;
	struct auth_who who;
	char hex[65], text[200];

	start(&f, state, SECRET, NULL);
	snprintf(text, sizeof text, "POST:/edge/sync:1795247246:%s", body);
	secret_hmac_hex(hex, SECRET, text, strlen(text));
	assert_int_equal(auth_signature(f.auth, &s, &who), AUTH_MISSING);
	s.signature = hex;
	assert_int_equal(auth_signature(f.auth, &s, &who), AUTH_OK);
	assert_string_equal(who.id, "edge_1");
	s.method = "PUT";
	assert_int_equal(auth_signature(f.auth, &s, &who), AUTH_WRONG);
	s.method = "POST";
	s.path = "/edge/sync?a";
	assert_int_equal(auth_signature(f.auth, &s, &who), AUTH_WRONG);
	s.path = "/edge/sync";
	s.body_len--;
	assert_int_equal(auth_signature(f.auth, &s, &who), AUTH_WRONG);
	s.body_len++;
	clock_advance(&f.clock, 301 * 1000);
	assert_int_equal(auth_signature(f.auth, &s, &who), AUTH_WRONG);
	stop(&f);
}

static void
the_admin_key_comes_by_two_headers(void **state)
{
	struct fixture f;
	struct auth_who who;

	start(&f, state, SECRET, NULL);
	assert_int_equal(auth_admin(f.auth, NULL, NULL, &who), AUTH_MISSING);
	assert_int_equal(auth_admin(f.auth, "admin", NULL, &who), AUTH_OK);
	assert_true(who.admin && !who.edge);
	assert_int_equal(
	    auth_admin(f.auth, NULL, "Bearer admin", &who), AUTH_OK);
	assert_int_equal(auth_admin(f.auth, "Admin", NULL, &who), AUTH_WRONG);
	assert_int_equal(auth_admin(f.auth, "", NULL, &who), AUTH_WRONG);
	assert_int_equal(auth_admin(f.auth, "-", NULL, &who), AUTH_WRONG);
	assert_int_equal(
	    auth_admin(f.auth, NULL, "Bearer " SECRET, &who), AUTH_WRONG);
	stop(&f);
}

static void
registering_takes_any_known_token_of_that_id(void **state)
{
	char *own = secret_token(SECRET, "edge_1", "+1", NOW_S);
	char *others = secret_token(SECRET, "edge_2", "+2", NOW_S);
	struct fixture f;

	start(&f, state, SECRET, NULL);
	assert_true(auth_registration(f.auth, "register", "edge_1"));
	assert_true(auth_registration(f.auth, SECRET, "edge_1"));
	assert_true(auth_registration(f.auth, own, "edge_1"));
	assert_false(auth_registration(f.auth, others, "edge_1"));
	assert_false(auth_registration(f.auth, "admin", "edge_1"));
	assert_false(auth_registration(f.auth, "", "edge_1"));
	free(own);
	free(others);
	stop(&f);
}

/* ABUSE 60 */
static void
a_secret_that_is_none_refuses_to_start(void **state)
{
	static const char *const bad[] = { "",
		"CHANGE_THIS_SECRET_IN_PRODUCTION" };

	for (size_t i = 0; i < N_OF(bad); i++) {
		struct fixture f;

		start(&f, state, bad[i], NULL);
		assert_null(f.auth);
		assert_string_equal(f.err.code, "config");
		stop(&f);
	}
}

static void
without_a_secret_one_is_made_and_kept(void **state)
{
	struct fixture f;
	struct auth_who who;
	char *first;
	struct stat st;
	char path[600];

	start(&f, state, NULL, NULL);
	assert_non_null(f.auth);
	assert_true(auth_made(f.auth));
	first = auth_token(f.auth, "a", "+1");
	stop(&f);
	snprintf(path, sizeof path, "%s/secret", f.scratch->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	start(&f, state, NULL, NULL);
	assert_int_equal(bearer(&f, first, "a", &who), AUTH_OK);
	free(first);
	stop(&f);
}

static void
write_secret(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fprintf(file, "%s\n", text);
	fclose(file);
}

/* ABUSE 83 */
static void
a_rotated_secret_ends_who_came_with_the_old_one(void **state)
{
	struct fixture f;
	struct auth_who old, new;
	char path[600], flag[700];

	snprintf(path, sizeof path, "%s/s", ((struct scratch *)*state)->dir);
	snprintf(flag, sizeof flag, "--secret-file=%s", path);
	write_secret(path, "one");
	start(&f, state, NULL, flag);
	assert_int_equal(bearer(&f, "one", "a", &old), AUTH_OK);
	assert_true(auth_reload(f.auth, &f.err));
	assert_true(auth_still(f.auth, old.serial));
	write_secret(path, "two");
	assert_true(auth_reload(f.auth, &f.err));
	assert_false(auth_still(f.auth, old.serial));
	assert_int_equal(bearer(&f, "one", "a", &old), AUTH_WRONG);
	assert_int_equal(bearer(&f, "two", "a", &new), AUTH_OK);
	assert_int_equal(chmod(path, 0644), 0);
	assert_false(auth_reload(f.auth, &f.err));
	assert_true(auth_still(f.auth, new.serial));
	stop(&f);
}

static void
failures_are_limited_by_address(void **state)
{
	struct fixture f;

	start(&f, state, SECRET, "--auth-burst=3");
	for (int i = 0; i < 3; i++)
		assert_int_equal(auth_failed(f.auth, "192.0.2.1"), 0);
	assert_int_equal(auth_failed(f.auth, "192.0.2.1"), 20);
	assert_int_equal(auth_failed(f.auth, "192.0.2.2"), 0);
	clock_advance(&f.clock, 20 * 1000);
	assert_int_equal(auth_failed(f.auth, "192.0.2.1"), 0);
	assert_true(auth_failed(f.auth, "192.0.2.1") > 0);
	stop(&f);
}

static void
a_full_table_forgets_the_one_asked_for_longest_ago(void **state)
{
	struct rate *r = rate_new(1, 60000, 2);

	(void)state;
	assert_int_equal(rate_take(r, "a", 0), 0);
	assert_int_equal(rate_take(r, "b", 0), 0);
	assert_true(rate_take(r, "a", 0) > 0);
	assert_int_equal(rate_take(r, "c", 0), 0); /* b goes */
	assert_true(rate_take(r, "a", 0) > 0);
	assert_int_equal(rate_take(r, "b", 0), 0);
	rate_free(r);
}

static void
a_rate_of_nothing_is_no_limit(void **state)
{
	struct rate *r = rate_new(0, 60000, 2);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_take(r, "a", 0), 0);
	rate_free(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		SCRATCH_TEST(the_raw_secret_is_whoever_it_says),
		SCRATCH_TEST(what_is_no_bearer_is_missing),
		SCRATCH_TEST(raw_secrets_can_be_switched_off),
		SCRATCH_TEST(a_token_is_good_for_its_day_only),
		SCRATCH_TEST(an_altered_token_is_wrong),
		SCRATCH_TEST(a_token_is_of_one_id),
		SCRATCH_TEST(a_signature_covers_method_path_time_and_body),
		SCRATCH_TEST(the_admin_key_comes_by_two_headers),
		SCRATCH_TEST(registering_takes_any_known_token_of_that_id),
		SCRATCH_TEST(a_secret_that_is_none_refuses_to_start),
		SCRATCH_TEST(without_a_secret_one_is_made_and_kept),
		SCRATCH_TEST(a_rotated_secret_ends_who_came_with_the_old_one),
		SCRATCH_TEST(failures_are_limited_by_address),
		cmocka_unit_test(
		    a_full_table_forgets_the_one_asked_for_longest_ago),
		cmocka_unit_test(a_rate_of_nothing_is_no_limit),
	};

	log_set_level(LOG_ERROR);
	return RUN_TESTS(tests);
}
