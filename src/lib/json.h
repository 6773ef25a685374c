/*
 * json - strict reading and short writing of JSON, on jansson
 *
 * jansson owns the prefix json_; ours is js_. Reading refuses what two
 * readers could take differently (ABUSE C): duplicate keys, NUL in
 * strings, bad UTF-8, a BOM, trailing bytes, depth over JS_DEPTH_MAX.
 */
#ifndef EWS_LIB_JSON_H
#define EWS_LIB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum { JS_DEPTH_MAX = 32, JS_DEPTH_WRAPPED = 48 };

/* Gives a reference, or NULL with code bad_json (text has the offset),
 * duplicate_key or too_deep. Depth is checked before jansson sees it. */
json_t *js_read(const char *bytes, size_t len, struct err *);
json_t *js_read_object(const char *bytes, size_t len, struct err *);
/* For an answer or frame of our own, which wraps what js_read accepted. */
json_t *
js_read_deep(const char *bytes, size_t len, unsigned depth, struct err *);

/* Gives text: compact, or NULL when memory is out. */
char *js_write(const json_t *);

/*
 * Members. Absent and null are the same (PROTOCOL 1.11). The lenient ones
 * return a default for absent or wrong types.
 */
const char *js_str(const json_t *o, const char *key); /* NULL; lent */
int64_t js_int(const json_t *o, const char *key, int64_t otherwise);
bool js_bool(const json_t *o, const char *key, bool otherwise);
json_t *js_get(const json_t *o, const char *key); /* lent; null is NULL */

/*
 * The strict ones: absent leaves *out alone and is fine; a wrong type or a
 * value out of range sets bad_argument, names the key and what is allowed,
 * and returns false.
 */
bool
js_take_str(const json_t *o, const char *key, const char **out, struct err *);
bool js_take_int(const json_t *o, const char *key, int64_t min, int64_t max,
    int64_t *out, struct err *);
bool js_take_bool(const json_t *o, const char *key, bool *out, struct err *);
bool js_take_array(const json_t *o, const char *key, json_t **out,
    struct err *); /* *out is lent */

/* Add a member; text NULL, a time of 0 (Unix ms, shown as by clock_text) and
 * a number equal to 'none' add nothing. */
void js_put_str(json_t *o, const char *key, const char *text);
void js_put_time(json_t *o, const char *key, int64_t unix_ms);
void js_put_int(json_t *o, const char *key, int64_t n, int64_t none);

/*
 * The span of one member's value in the text of an object, so that a
 * payload is forwarded as it came: NULL if there is none. The text must
 * have passed js_read. Lent.
 */
const char *
js_span(const char *text, size_t len, const char *key, size_t *span_len);

#endif
