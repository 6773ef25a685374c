/*
 * wskey - the key of a WebSocket handshake, and the head it stands in
 */
#include "wskey.h"

#include <err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void
wskey_make(char key[WSKEY_LEN + 1])
{
	unsigned char raw[16];

	if (RAND_bytes(raw, sizeof raw) != 1)
		errx(70, "no random bytes");
	EVP_EncodeBlock((unsigned char *)key, raw, sizeof raw);
}

void
wskey_answer(const char *key, size_t len, char answer[WSKEY_ANSWER_LEN + 1])
{
	static EVP_MD_CTX *ctx; /* kept: to look it up costs more than it */
	static EVP_MD *sha1;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (ctx == NULL) {
		sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
		ctx = EVP_MD_CTX_new();
	}
	if (sha1 == NULL || ctx == NULL ||
	    !EVP_DigestInit_ex(ctx, sha1, NULL) ||
	    !EVP_DigestUpdate(ctx, key, len) ||
	    !EVP_DigestUpdate(ctx, guid, sizeof guid - 1) ||
	    !EVP_DigestFinal_ex(ctx, digest, &n))
		errx(70, "no SHA-1");
	EVP_EncodeBlock((unsigned char *)answer, digest, (int)n);
}

size_t
wskey_head_len(const char *p, size_t n)
{
	const char *end = n < 4 ? NULL : memmem(p, n, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end + 4 - p);
}
