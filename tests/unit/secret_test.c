#include "lib/secret.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lib/mem.h"
#include "lib/str.h"

#define SECRET "s3cret"

/* The example of PROTOCOL 2.2. */
static const char example[] =
    "edge_13105550100:+13105550100:1795247246:"
    "b24cea6e76ac71c6fc18c0c0f1500c19831b4f61020736467cb8b8269ec049b0";

static void
digests_are_the_known_ones(void **state)
{
	char out[65];

	(void)state;
	secret_sha256_hex(out, "abc", 3);
	assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223"
				 "b00361a396177a9cb410ff61f20015ad");
	/* RFC 4231, test case 2 */
	secret_hmac_hex(out, "Jefe", "what do ya want for nothing?", 28);
	assert_string_equal(out, "5bdcc146bf60754e6a042426089575c7"
				 "5a003f089d2739839dec58b964ec3843");
	secret_hmac_hex(out, "", "", 0);
	assert_int_equal(strlen(out), 64);
}

static void
secrets_are_compared_whole(void **state)
{
	(void)state;
	assert_true(secret_eq("abc", "abc"));
	assert_true(secret_eq("", ""));
	assert_false(secret_eq("abc", "abd"));
	assert_false(secret_eq("xbc", "abc"));
	assert_false(secret_eq("abc", "abcd"));
	assert_false(secret_eq("abc", ""));
	assert_false(secret_eq(NULL, "abc"));
	assert_false(secret_eq(NULL, NULL));
}

static void
made_secrets_differ(void **state)
{
	char a[65], b[65];

	(void)state;
	secret_make(a);
	secret_make(b);
	assert_int_equal(strlen(a), 64);
	assert_string_not_equal(a, b);
}

static void
the_documented_token_is_made_and_opened(void **state)
{
	char *token = secret_token(
	    SECRET, "edge_13105550100", "+13105550100", 1795247246);
	char *expected = str_b64(example, sizeof example - 1);
	struct secret_token t;

	(void)state;
	assert_string_equal(token, expected);
	assert_true(secret_token_open(token, SECRET, &t));
	assert_string_equal(t.id, "edge_13105550100");
	assert_string_equal(t.phone, "+13105550100");
	assert_int_equal(t.ts, 1795247246);
	assert_false(secret_token_open(token, "s3creT", &t));
	assert_false(secret_token_open(token, "", &t));
	free(expected);
	free(token);
}

/* base64 of "TEXT:SIG" with a right signature. */
static char *
sign(const char *text)
{
	char sig[65], *whole, *token;

	secret_hmac_hex(sig, SECRET, text, strlen(text));
	whole = mem_printf("%s:%s", text, sig);
	token = str_b64(whole, strlen(whole));
	free(whole);
	return token;
}

static void
an_id_may_have_colons(void **state)
{
	char *token = sign("a:b:c:+1:5");
	struct secret_token t;

	(void)state;
	assert_true(secret_token_open(token, SECRET, &t));
	assert_string_equal(t.id, "a:b:c");
	assert_string_equal(t.phone, "+1");
	assert_int_equal(t.ts, 5);
	free(token);
}

static void
a_signed_token_must_also_make_sense(void **state)
{
	static const char *const bad[] = { "id:+1:-5", "id:+1: 5", "id:+1:5 ",
		"id:+1:", "id:+1:18446744073709551616",
		"id:+1:9223372036854775808", "id:+1:0x5", "+1:5", "5", "",
		":+1:5", "id:+1234567890123456789012345678901234:5" };
	size_t i;

	(void)state;
	for (i = 0; i < N_OF(bad); i++) {
		struct secret_token t;
		char *token = sign(bad[i]);

		if (secret_token_open(token, SECRET, &t))
			fail_msg("\"%s\" passed", bad[i]);
		free(token);
	}
}

static bool
opens(const char *token)
{
	struct secret_token t;

	return secret_token_open(token, SECRET, &t);
}

static void
a_changed_token_is_refused(void **state)
{
	char text[sizeof example], *token;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof example - 1; i++) { /* any byte of it */
		memcpy(text, example, sizeof example);
		text[i] ^= 1;
		token = str_b64(text, sizeof example - 1);
		assert_false(opens(token));
		free(token);
	}
}

static void
other_spellings_of_a_token_are_refused(void **state)
{
	char *token = str_b64(example, sizeof example - 1), *other;
	char upper[sizeof example];
	size_t i;

	(void)state;
	assert_true(opens(token));
	other = mem_printf("%s\n", token);
	assert_false(opens(other));
	free(other);
	other = mem_printf("%sAAAA", token);
	assert_false(opens(other));
	free(other);
	free(token);

	memcpy(upper, example, sizeof example);
	for (i = sizeof example - 65; i < sizeof example - 1; i++)
		if (upper[i] >= 'a' && upper[i] <= 'f')
			upper[i] -= 'a' - 'A';
	token = str_b64(upper, sizeof upper - 1);
	assert_false(opens(token));
	free(token);

	token = str_b64(example, sizeof example); /* with its NUL */
	assert_false(opens(token));
	free(token);
	assert_false(opens(""));
	assert_false(opens("!"));
	assert_false(opens(SECRET));
}

static void
a_huge_token_is_refused(void **state)
{
	size_t len = 1 << 20;
	char *token = mem_alloc(len + 1);

	(void)state;
	memset(token, 'A', len);
	assert_false(opens(token));
	free(token);
}

static void
a_token_lasts_a_day_and_may_be_five_minutes_ahead(void **state)
{
	struct secret_token t = { .ts = 1000000 };

	(void)state;
	assert_true(secret_token_fresh(&t, 1000000));
	assert_true(secret_token_fresh(&t, 1000000 + 86400));
	assert_false(secret_token_fresh(&t, 1000000 + 86401));
	assert_true(secret_token_fresh(&t, 1000000 - 300));
	assert_false(secret_token_fresh(&t, 1000000 - 301));
	t.ts = INT64_MAX;
	assert_false(secret_token_fresh(&t, 1000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_the_known_ones),
		cmocka_unit_test(secrets_are_compared_whole),
		cmocka_unit_test(made_secrets_differ),
		cmocka_unit_test(the_documented_token_is_made_and_opened),
		cmocka_unit_test(an_id_may_have_colons),
		cmocka_unit_test(a_signed_token_must_also_make_sense),
		cmocka_unit_test(a_changed_token_is_refused),
		cmocka_unit_test(other_spellings_of_a_token_are_refused),
		cmocka_unit_test(a_huge_token_is_refused),
		cmocka_unit_test(
		    a_token_lasts_a_day_and_may_be_five_minutes_ahead),
	};

	return RUN_TESTS(tests);
}
