/*
 * jsonpeek - one value out of JSON text, without parsing all of it
 *
 * Enough for messages that the hub made; it does not tell good JSON from bad.
 */
#ifndef TOOLS_JSONPEEK_H
#define TOOLS_JSONPEEK_H

#include <stdbool.h>
#include <stddef.h>

/* The value of the first 'key' that is 'depth' braces deep, as it is written
 * (strings with their quotes): false if there is none. */
bool jsonpeek(const char *json, int depth, const char *key, const char **value,
    size_t *len);

bool
jsonpeek_is(const char *json, int depth, const char *key, const char *value);

#endif
