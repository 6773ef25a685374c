/*
 * str - strings: comparing, numbers, encodings
 */
#ifndef EWS_LIB_STR_H
#define EWS_LIB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_ieq(const char *a, const char *b); /* ASCII case folded */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* False, and a cut copy, if 'src' does not fit. Always terminates. */
bool str_copy(char *dst, size_t size, const char *src);

/* Decimal digits only: no sign, no space, no locale. False if not, or if
 * out of [min, max]. */
bool str_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* "10", "64k", "1M", "2G" (powers of 1024) to bytes. */
bool str_size(const char *s, uint64_t *out);

/* Valid UTF-8 (RFC 3629: no overlong, no surrogate)? NUL bytes: allowed
 * only by 'nul_ok'. */
bool str_utf8(const char *bytes, size_t len, bool nul_ok);

/* How many bytes of 'bytes' end on a whole UTF-8 character: at most 3 less
 * than 'len'. Used to cut a stream into chunks. */
size_t str_utf8_cut(const char *bytes, size_t len);

/* Copies for a log or a terminal: control characters, DEL, C1 and invalid
 * UTF-8 as \xHH or \n, cut at 'size' with "..." at the end. Returns dst. */
char *str_escape(char *dst, size_t size, const char *bytes, size_t len);

/* Lower case; dst has 2*len+1. */
void str_hex(char *dst, const void *bytes, size_t len);
bool str_unhex(void *dst, size_t size, const char *hex, size_t *len);

/* RFC 4648 section 4, with padding. str_b64 gives (heap). Decoding is
 * strict: canonical, no space; false otherwise or if it does not fit. */
char *str_b64(const void *bytes, size_t len);
bool str_unb64(void *dst, size_t size, const char *text, size_t *len);

/* %XX decoding in place, '+' stays '+'. False on a bad escape or on %00. */
bool str_unpercent(char *s);
/* Percent-encodes all but RFC 3986 unreserved characters; gives (heap). */
char *str_percent(const char *s);

#endif
