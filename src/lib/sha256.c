/* These functions have no successor that needs no context of a library. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "lib/sha256.h"

#include "lib/str.h"

void
sha256_init(struct sha256 *s)
{
	SHA256_Init(&s->state);
}

void
sha256_add(struct sha256 *s, const void *bytes, size_t len)
{
	SHA256_Update(&s->state, bytes, len);
}

void
sha256_hex(const struct sha256 *s, char out[SHA256_HEX_SIZE])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA256_CTX copy = s->state;

	SHA256_Final(sum, &copy);
	str_hex(out, sum, sizeof sum);
}

void
sha256_of(char out[SHA256_HEX_SIZE], const void *bytes, size_t len)
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, bytes, len);
	sha256_hex(&s, out);
}
