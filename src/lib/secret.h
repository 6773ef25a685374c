/*
 * secret - shared secrets and the HMAC tokens made of them
 *
 * PROTOCOL 2.2 form B: base64 of ID:PHONE:TS:SIG, SIG = hex HMAC-SHA256 of
 * "ID:PHONE:TS" under the secret.
 */
#ifndef EWS_LIB_SECRET_H
#define EWS_LIB_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Constant time, also over different lengths (compares digests). */
bool secret_eq(const char *a, const char *b);

/* 32 random bytes in hex. */
void secret_make(char out[65]);

/* Gives the token. */
char *secret_token(
    const char *secret, const char *id, const char *phone, int64_t ts_s);

struct secret_token {
	char id[129];
	char phone[33];
	int64_t ts;
};
/* Decodes and checks the signature, not the age. False if malformed or
 * forged; takes the same time either way. */
bool secret_token_open(
    const char *token, const char *secret, struct secret_token *out);
/* TS within 24 h back and 5 min ahead of now. */
bool secret_token_fresh(const struct secret_token *, int64_t now_s);

/* Hex HMAC-SHA256 and SHA-256. */
void
secret_hmac_hex(char out[65], const char *key, const void *bytes, size_t len);
void secret_sha256_hex(char out[65], const void *bytes, size_t len);

#endif
