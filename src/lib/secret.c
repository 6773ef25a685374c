#include "lib/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/port.h"
#include "lib/sha256.h"
#include "lib/str.h"

enum { DIGEST = 32, HEX_DIGEST = 2 * DIGEST, TOKEN_MAX = 256 };
enum { PAST_S = 24 * 3600, AHEAD_S = 5 * 60 };

static void
sha256(unsigned char out[DIGEST], const void *bytes, size_t len)
{
	if (EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

bool
secret_eq(const char *a, const char *b)
{
	unsigned char x[DIGEST], y[DIGEST];

	if (a == NULL || b == NULL)
		return false;
	sha256(x, a, strlen(a));
	sha256(y, b, strlen(b));
	return CRYPTO_memcmp(x, y, DIGEST) == 0;
}

void
secret_make(char out[65])
{
	unsigned char random[32];

	port_random(random, sizeof random);
	str_hex(out, random, sizeof random);
	OPENSSL_cleanse(random, sizeof random);
}

void
secret_hmac_hex(char out[65], const char *key, const void *bytes, size_t len)
{
	unsigned char mac[DIGEST];

	if (HMAC(EVP_sha256(), key, (int)strlen(key), bytes, len, mac, NULL) ==
	    NULL)
		abort();
	str_hex(out, mac, sizeof mac);
}

void
secret_sha256_hex(char out[65], const void *bytes, size_t len)
{
	sha256_of(out, bytes, len);
}

char *
secret_token(
    const char *secret, const char *id, const char *phone, int64_t ts_s)
{
	char *text = mem_printf("%s:%s:%lld", id, phone, (long long)ts_s);
	char sig[65];
	char *whole, *token;

	secret_hmac_hex(sig, secret, text, strlen(text));
	whole = mem_printf("%s:%s", text, sig);
	token = str_b64(whole, strlen(whole));
	free(whole);
	free(text);
	return token;
}

/* Cuts the last ":FIELD" off 'text' and answers where FIELD begins. */
static char *
cut_last(char *text)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

/* Takes "ID:PHONE:TS" apart, from the right: an id may have colons. */
static bool
split(char *text, struct secret_token *out)
{
	char *ts = cut_last(text), *phone;
	uint64_t n;

	if (ts == NULL || !str_u64(ts, 0, INT64_MAX, &n))
		return false;
	phone = cut_last(text);
	if (phone == NULL || *text == '\0')
		return false;
	out->ts = (int64_t)n;
	return str_copy(out->phone, sizeof out->phone, phone) &&
	       str_copy(out->id, sizeof out->id, text);
}

/* What cannot be decoded is checked as an empty text, so that it takes as
 * long as a forged one. */
bool
secret_token_open(
    const char *token, const char *secret, struct secret_token *out)
{
	char text[TOKEN_MAX + 1] = "", expected[65];
	const char *sig = NULL;
	size_t len = 0;
	bool equal;

	memset(out, 0, sizeof *out);
	if (str_unb64(text, TOKEN_MAX, token, &len) &&
	    memchr(text, '\0', len) == NULL) {
		text[len] = '\0';
		sig = cut_last(text);
	}
	if (sig == NULL || strlen(sig) != HEX_DIGEST) {
		memset(text, 0, sizeof text);
		sig = NULL;
	}
	secret_hmac_hex(expected, secret, text, strlen(text));
	equal = CRYPTO_memcmp(
		    expected, sig != NULL ? sig : text + 1, HEX_DIGEST) == 0;
	return equal && sig != NULL && split(text, out);
}

bool
secret_token_fresh(const struct secret_token *token, int64_t now_s)
{
	return token->ts >= now_s - PAST_S && token->ts <= now_s + AHEAD_S;
}
