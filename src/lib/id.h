/*
 * id - making and judging names
 */
#ifndef EWS_LIB_ID_H
#define EWS_LIB_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_UUID_SIZE = 37, ID_RANDOM_SIZE = 33, ID_NAME_MAX = 128 };

/* UUIDv7 (RFC 9562 section 5.7): Unix milliseconds, then a counter that
 * makes ids of one process strictly increasing, then random bits. */
void id_uuid7(char out[ID_UUID_SIZE], int64_t unix_ms);

/* 128 random bits in hex, for what must not be guessed. */
void id_random(char out[ID_RANDOM_SIZE]);

/* Agent and command ids: 1..128 bytes of UTF-8 without control characters,
 * space at the ends, or "/"; not "." or "..". Case matters (PROTOCOL 2.1). */
bool id_name_ok(const char *s);

/* A command type: 1..64 of [A-Za-z0-9_.-], first a letter or digit. */
bool id_type_ok(const char *s);

/* A handler's file name, as ABUSE 64: [a-z0-9_.-], first letter or digit. */
bool id_handler_ok(const char *s);

#endif
