/*
 * sha256 - SHA-256 of bytes that come piece by piece
 *
 * libcrypto's bare function: its general interface takes a millisecond to
 * get ready, which is much for a program that lives as long as one handler.
 */
#ifndef EWS_LIB_SHA256_H
#define EWS_LIB_SHA256_H

#include <openssl/sha.h>
#include <stddef.h>

enum { SHA256_HEX_SIZE = 65 };

struct sha256 {
	SHA256_CTX state;
};

void sha256_init(struct sha256 *);
void sha256_add(struct sha256 *, const void *bytes, size_t len);
/* Of all so far; more can be added. */
void sha256_hex(const struct sha256 *, char out[SHA256_HEX_SIZE]);
/* Of these bytes alone. */
void sha256_of(char out[SHA256_HEX_SIZE], const void *bytes, size_t len);

#endif
