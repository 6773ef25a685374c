/*
 * hash - uthash with a keyed hash function
 *
 * uthash's own function has no seed, so a stranger who picks ids could put
 * them all into one bucket (ABUSE 100). Include this instead of uthash.h:
 * the key is random for every process. Out of memory aborts.
 */
#ifndef EWS_LIB_HASH_H
#define EWS_LIB_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* SipHash-1-3 (Aumasson, Bernstein) under the key of this process. */
uint64_t hash_bytes(const void *bytes, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv)                                   \
	((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define uthash_fatal(msg) abort()

#include <uthash.h>

#endif
